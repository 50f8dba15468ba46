//! The shelves.

use dunlin::protobuf::wkt::{Empty, FieldMask};
use dunlin::protobuf::{Reflect, reflect};
use dunlin::{Code, Receiver, ResultExt, Sender, ServerContext, Status};
use tokio::sync::broadcast;

use crate::closing::Closing;
use crate::errors::{bad_field, item_error, missed, not_found};
use crate::ids::ProductId;
use crate::messages::{self, product_data};
use crate::page::{self, Fingerprint};
use crate::proto::process_product_batch_request::Operation;
use crate::proto::process_product_batch_response::Result as Outcome;
use crate::proto::{
    BulkCreateProductsRequest, BulkCreateProductsResponse, Category, CreateProductRequest,
    DeleteProductRequest, GetProductRequest, ListProductsRequest, ListProductsResponse,
    ProcessProductBatchRequest, ProcessProductBatchResponse, Product, ProductEvent, ProductService,
    StreamProductsRequest, UpdateProductRequest, WatchProductsRequest, product_event,
};
use crate::store::products::{self, ProductChange, ProductData, ProductEventKind};
use crate::store::{Change, Moment, Store, StoreError};
use crate::validation;

/// Rows that are read at once for a stream.
const STREAM_ROWS: u32 = 200;
/// Products of a bulk request that share a transaction.
const BULK_ROWS: usize = 100;
/// The most products of a bulk request.
const MAX_BULK: u32 = 100_000;
/// The most faults that the answer to a bulk request tells.
const MAX_ERRORS: usize = 1000;

/// Implements [`ProductService`].
#[derive(Clone, Debug)]
pub struct Products {
    /// Where they are.
    pub store: Store,
    /// Ends those who watch.
    pub closing: Closing,
}

impl ProductService for Products {
    async fn get_product(
        &self,
        _: &mut ServerContext,
        request: GetProductRequest,
    ) -> Result<Product, Status> {
        let id = product_id(&request.id)?;
        messages::product(self.store.read(move |db| products::get(db, id)).await?)
    }

    async fn create_product(
        &self,
        _: &mut ServerContext,
        request: CreateProductRequest,
    ) -> Result<Product, Status> {
        self.create(*request.product.unwrap_or_default()).await
    }

    async fn update_product(
        &self,
        _: &mut ServerContext,
        request: UpdateProductRequest,
    ) -> Result<Product, Status> {
        let update = *request.product.unwrap_or_default();
        let id = product_id(&update.id)?;
        let mask = request.update_mask.unwrap_or_else(|| mask_of(&update));
        let row = self.store.write(move |tx| {
            let mut product = messages::product(products::get(tx.db(), id)?)?;
            mask.apply(&update, &mut product).status(Code::InvalidArgument)?;
            validation::product("product", &product).into_result()?;
            Ok::<_, Status>(products::update(tx, id, product_data(product)?, Moment::now())?)
        });
        messages::product(row.await?)
    }

    async fn delete_product(
        &self,
        _: &mut ServerContext,
        request: DeleteProductRequest,
    ) -> Result<Empty, Status> {
        self.delete(&request.id).await?;
        Ok(Empty::default())
    }

    async fn list_products(
        &self,
        _: &mut ServerContext,
        request: ListProductsRequest,
    ) -> Result<ListProductsResponse, Status> {
        let (size, category) = (page::size(request.page_size), request.category.0);
        let list = Fingerprint::of(&["products", &category.to_string()]);
        let after = ProductId(page::last(list, &request.page_token)?.unwrap_or_default());
        let rows = self.store.read(move |db| {
            Ok::<_, StoreError>((
                products::page(db, after, category, size + 1)?,
                products::count(db, category)?,
            ))
        });
        let (mut rows, total) = rows.await?;
        let next_page_token = page::cut(list, &mut rows, size, |row| row.id.0);
        Ok(ListProductsResponse {
            products: rows.into_iter().map(messages::product).collect::<Result<_, _>>()?,
            next_page_token,
            total_size: i32::try_from(total).unwrap_or(i32::MAX),
            ..Default::default()
        })
    }

    async fn stream_products(
        &self,
        _: &mut ServerContext,
        request: StreamProductsRequest,
        mut out: Sender<Product>,
    ) -> Result<(), Status> {
        let mut last = Some(ProductId(0));
        // No transaction is kept open while the caller reads.
        while let Some(after) = last {
            let category = request.category.0;
            let rows = self.store.read(move |db| products::page(db, after, category, STREAM_ROWS)).await?;
            last = rows.last().map(|row| row.id);
            for row in rows {
                out.send(messages::product(row)?).await?;
            }
        }
        Ok(())
    }

    async fn watch_products(
        &self,
        cx: &mut ServerContext,
        request: WatchProductsRequest,
        mut out: Sender<ProductEvent>,
    ) -> Result<(), Status> {
        let ids = request.ids.iter().map(|id| product_id(id)).collect::<Result<Vec<_>, _>>()?;
        let mut changes = self.store.changes();
        // From now on nothing is missed, and the caller may know that.
        cx.send_headers();
        loop {
            let change = tokio::select! {
                change = changes.recv() => change,
                status = self.closing.begun() => return Err(status),
            };
            let change = match change {
                Ok(Change::Product(change)) => change,
                Ok(Change::Order(_)) => continue,
                Err(broadcast::error::RecvError::Lagged(events)) => return Err(missed(events)),
                Err(broadcast::error::RecvError::Closed) => return Ok(()),
            };
            if !ids.is_empty() && !ids.contains(&change.id) {
                continue;
            }
            if let Some(event) = self.event(change, request.category).await? {
                out.send(event).await?;
            }
        }
    }

    async fn bulk_create_products(
        &self,
        _: &mut ServerContext,
        mut requests: Receiver<BulkCreateProductsRequest>,
    ) -> Result<BulkCreateProductsResponse, Status> {
        let mut response = BulkCreateProductsResponse::default();
        let mut batch = Vec::new();
        let mut index = 0;
        while let Some(request) = requests.next().await? {
            if index == MAX_BULK {
                return Err(Status::resource_exhausted(format!("more than {MAX_BULK} products in one call")));
            }
            batch.push((index, checked("product", request.product.map(|product| *product))));
            index += 1;
            if batch.len() == BULK_ROWS {
                self.create_all(std::mem::take(&mut batch), &mut response).await?;
            }
        }
        self.create_all(batch, &mut response).await?;
        Ok(response)
    }

    async fn process_product_batch(
        &self,
        _: &mut ServerContext,
        mut requests: Receiver<ProcessProductBatchRequest>,
        mut out: Sender<ProcessProductBatchResponse>,
    ) -> Result<(), Status> {
        let mut index = 0;
        while let Some(request) = requests.next().await? {
            let outcome = match self.process(request.operation).await {
                Ok(outcome) => outcome,
                Err(status) => Outcome::Error(Box::new(item_error(index, &status))),
            };
            let sequence = request.sequence;
            let result = Some(outcome);
            out.send(ProcessProductBatchResponse { sequence, result, ..Default::default() }).await?;
            index = index.saturating_add(1);
        }
        Ok(())
    }
}

impl Products {
    /// Puts a product on the shelf that is as it should be.
    async fn create(&self, product: Product) -> Result<Product, Status> {
        let data = product_data(product)?;
        let row = self.store.write(move |tx| products::insert(tx, data, Moment::now())).await?;
        messages::product(row)
    }

    async fn delete(&self, id: &str) -> Result<(), Status> {
        let id = product_id(id)?;
        Ok(self.store.write(move |tx| products::delete(tx, id, Moment::now())).await?)
    }

    /// Puts those on the shelf that can be, in one transaction, and tells what became of each.
    async fn create_all(
        &self,
        batch: Vec<(u32, Result<ProductData, Status>)>,
        response: &mut BulkCreateProductsResponse,
    ) -> Result<(), Status> {
        let results = self.store.write(move |tx| {
            let mut results = Vec::new();
            for (index, data) in batch {
                let created = match data {
                    Ok(data) => products::insert(tx, data, Moment::now()),
                    Err(status) => {
                        results.push((index, Err(status)));
                        continue;
                    }
                };
                match created {
                    Ok(row) => results.push((index, Ok(row.id))),
                    // Nothing was written.
                    Err(error @ StoreError::SkuTaken { .. }) => results.push((index, Err(error.into()))),
                    Err(error) => return Err(error),
                }
            }
            Ok(results)
        });
        for (index, result) in results.await? {
            match result {
                Ok(id) => response.ids.push(id.to_string()),
                Err(status) if response.errors.len() < MAX_ERRORS => {
                    response.errors.push(item_error(index, &status));
                }
                Err(_) => {}
            }
        }
        Ok(())
    }

    async fn process(&self, operation: Option<Operation>) -> Result<Outcome, Status> {
        let row = match operation {
            None => return Err(bad_field("operation", "is missing")),
            Some(Operation::Create(product)) => {
                let data = checked("create", Some(*product))?;
                self.store.write(move |tx| products::insert(tx, data, Moment::now())).await?
            }
            Some(Operation::AdjustStock(stock)) => {
                let id = product_id(&stock.product_id)?;
                self.store.write(move |tx| products::adjust(tx, id, stock.by, Moment::now())).await?
            }
            Some(Operation::SetPrice(set)) => {
                validation::price("set_price.price", set.price.as_ref()).into_result()?;
                let id = product_id(&set.product_id)?;
                let row = self.store.write(move |tx| {
                    let mut product = messages::product(products::get(tx.db(), id)?)?;
                    product.price = set.price;
                    validation::product("product", &product).into_result()?;
                    Ok::<_, Status>(products::update(tx, id, product_data(product)?, Moment::now())?)
                });
                row.await?
            }
            Some(Operation::DeleteId(id)) => {
                self.delete(&id).await?;
                return Ok(Outcome::DeletedId(id));
            }
        };
        Ok(Outcome::Product(Box::new(messages::product(row)?)))
    }

    /// What those who watch are told; nothing of products of other categories.
    async fn event(&self, change: ProductChange, category: Category) -> Result<Option<ProductEvent>, Status> {
        let id = change.id;
        let (r#type, row) = match change.what {
            ProductEventKind::Deleted(row) => (product_event::Type::DELETED, Some((*row).clone())),
            what => {
                let r#type = match what {
                    ProductEventKind::Created => product_event::Type::CREATED,
                    ProductEventKind::OutOfStock => product_event::Type::OUT_OF_STOCK,
                    ProductEventKind::Updated | ProductEventKind::Deleted(_) => product_event::Type::UPDATED,
                };
                // If it is gone by now, that is told next.
                (r#type, self.store.read(move |db| products::find(db, id)).await?)
            }
        };
        let is_wanted = |of: i32| category == Category::UNSPECIFIED || category.0 == of;
        let Some(row) = row.filter(|row| is_wanted(row.data.category)) else { return Ok(None) };
        Ok(Some(ProductEvent {
            r#type,
            product: Some(Box::new(messages::product(row)?)),
            time: Some(change.at.into()),
            ..Default::default()
        }))
    }
}

/// A product of a bulk request, if it is as it should be.
fn checked(path: &str, product: Option<Product>) -> Result<ProductData, Status> {
    let product = product.ok_or_else(|| bad_field(path, "is missing"))?;
    validation::product(path, &product).into_result()?;
    product_data(product)
}

/// The fields that an update without a mask changes.
fn mask_of(update: &Product) -> FieldMask {
    let table = update.table();
    let names = reflect::set_fields(update).map(|index| table.fields()[index].name());
    FieldMask::from_paths(names.filter(|name| !matches!(*name, "id" | "inventory")))
}

fn product_id(text: &str) -> Result<ProductId, Status> {
    match text.parse() {
        Ok(id) => Ok(id),
        Err(_) if text.is_empty() => Err(bad_field("id", "is missing")),
        Err(_) => Err(not_found("product", text)),
    }
}
