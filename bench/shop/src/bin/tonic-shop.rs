//! The shop on tonic, as far as it is measured: one product, pages of products, new orders, each with the token of
//! its caller looked at. Orders are looked at less closely than ours does, nothing is logged, and nobody's panics
//! are caught.
//!
//! `tonic-shop FOLDER ADDRESS:PORT` serves; `tonic-shop FOLDER --prepare` makes the database, for either, with
//! plenty of one product that is for sale, and prints the id of that.

use std::collections::HashMap;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use prost::Message;
use sha2::{Digest, Sha256};
use shop_example::ids::ProductId;
use shop_example::money::Amount;
use shop_example::page::{self, Fingerprint};
use shop_example::seed;
use shop_example::store::orders::{self, LineRow, NewOrder, OrderRow};
use shop_example::store::products::{self, ProductRow};
use shop_example::store::{Moment, Store, StoreError};
use tonic::{Code, Request, Response, Status};

mod v1 {
    // Of the schema only what is measured is used.
    #![allow(
        dead_code,
        clippy::large_enum_variant,
        clippy::enum_variant_names,
        clippy::doc_lazy_continuation
    )]
    tonic::include_proto!("shop.v1");
}

use v1::order_service_server::{OrderService, OrderServiceServer};
use v1::product_service_server::{ProductService, ProductServiceServer};
use v1::{
    CreateOrderRequest, GetProductRequest, ListProductsRequest, ListProductsResponse, Money, Order, Product,
    order,
};

/// Products that the shop begins with.
const PRODUCTS: u32 = 3000;
/// Pieces of what is ordered.
const PLENTY: i32 = 900_000;

#[derive(Clone)]
struct Shop {
    store: Store,
}

/// Who calls.
#[derive(Clone)]
struct Caller(Arc<str>);

#[tonic::async_trait]
impl ProductService for Shop {
    async fn get_product(&self, request: Request<GetProductRequest>) -> Result<Response<Product>, Status> {
        let id = request.into_inner().id;
        let id: ProductId = id.parse().map_err(|_| Status::not_found(format!("there is no product {id}")))?;
        let row = self.store.read(move |db| products::get(db, id)).await.map_err(status)?;
        Ok(Response::new(product(row)?))
    }

    async fn list_products(
        &self,
        request: Request<ListProductsRequest>,
    ) -> Result<Response<ListProductsResponse>, Status> {
        let request = request.into_inner();
        let (size, category) = (page::size(request.page_size), request.category);
        let list = Fingerprint::of(&["products", &category.to_string()]);
        let after = page::last(list, &request.page_token)
            .map_err(|status| Status::invalid_argument(status.message()))?;
        let after = ProductId(after.unwrap_or_default());
        let rows = self.store.read(move |db| {
            Ok::<_, StoreError>((
                products::page(db, after, category, size + 1)?,
                products::count(db, category)?,
            ))
        });
        let (mut rows, total) = rows.await.map_err(status)?;
        let next_page_token = page::cut(list, &mut rows, size, |row| row.id.0);
        Ok(Response::new(ListProductsResponse {
            products: rows.into_iter().map(product).collect::<Result<_, _>>()?,
            next_page_token,
            total_size: i32::try_from(total).unwrap_or(i32::MAX),
        }))
    }
}

#[tonic::async_trait]
impl OrderService for Shop {
    async fn create_order(&self, request: Request<CreateOrderRequest>) -> Result<Response<Order>, Status> {
        let caller = request.extensions().get::<Caller>().cloned();
        let caller = caller.ok_or_else(|| Status::unauthenticated("there is no token"))?;
        let request = request.into_inner();
        let request_hash = Sha256::digest(request.encode_to_vec()).into();
        let order = request.order.unwrap_or_default();
        let number = |line: &order::Line| (line.product_id.parse().unwrap_or(ProductId(0)), line.quantity);
        let lines: Vec<_> = order.lines.iter().map(number).collect();
        if lines.is_empty() || order.payment.is_none() || request.idempotency_key.is_empty() {
            return Err(Status::invalid_argument("the order lacks something"));
        }
        let rest = Order {
            payment: order.payment,
            shipping_address: order.shipping_address,
            note: order.note,
            ..Order::default()
        };
        let new = NewOrder {
            customer: caller.0.to_string(),
            idempotency_key: request.idempotency_key,
            request_hash,
            lines,
            message: rest.encode_to_vec(),
        };
        let row =
            self.store.write(move |tx| orders::create(tx, &new, Moment::now())).await.map_err(status)?;
        Ok(Response::new(order_of(row)?))
    }
}

fn product(row: ProductRow) -> Result<Product, Status> {
    let mut product =
        Product::decode(&*row.data.message).map_err(|error| Status::data_loss(error.to_string()))?;
    let inventory = product.inventory.get_or_insert_default();
    (inventory.available, inventory.reserved) = (row.data.available, row.reserved);
    product.id = row.id.to_string();
    product.sku = row.data.sku;
    product.name = row.data.name;
    product.category = row.data.category;
    product.create_time = Some(time(row.created_at));
    product.update_time = Some(time(row.updated_at));
    Ok(product)
}

fn order_of(row: OrderRow) -> Result<Order, Status> {
    let rest = Order::decode(&*row.message).map_err(|error| Status::data_loss(error.to_string()))?;
    Ok(Order {
        id: row.id.to_string(),
        customer: row.customer,
        status: row.status.number(),
        lines: row.lines.into_iter().map(line).collect(),
        total: Some(money(row.total)),
        create_time: Some(time(row.created_at)),
        update_time: Some(time(row.updated_at)),
        ..rest
    })
}

fn line(row: LineRow) -> order::Line {
    order::Line {
        product_id: row.product_id.to_string(),
        quantity: row.quantity,
        product_name: row.product_name,
        unit_price: Some(money(row.unit_price)),
        total: Some(money(row.total)),
    }
}

fn time(moment: Moment) -> prost_types::Timestamp {
    let nanos = moment.0.rem_euclid(1_000_000) as i32 * 1000;
    prost_types::Timestamp { seconds: moment.0.div_euclid(1_000_000), nanos }
}

fn money(amount: Amount) -> Money {
    let ours = shop_example::proto::Money::from(amount);
    Money { currency_code: ours.currency_code, units: ours.units, nanos: ours.nanos }
}

fn status(error: StoreError) -> Status {
    let code = match error {
        StoreError::NotFound { .. } => Code::NotFound,
        StoreError::Lines(_) | StoreError::Stock { .. } => Code::FailedPrecondition,
        StoreError::KeyTaken { .. } => Code::AlreadyExists,
        _ => Code::Internal,
    };
    Status::new(code, error.to_string())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, what] = &arguments[..] else {
        return Err("usage: tonic-shop FOLDER ADDRESS:PORT | --prepare".into());
    };
    let store = Store::open(&Path::new(folder).join("shop.db"))?;
    if what == "--prepare" {
        return prepare(&store).await;
    }
    let tokens = HashMap::from([(Sha256::digest("demo-customer"), Caller("demo-customer".into()))]);
    let tokens = Arc::new(tokens);
    let authenticate = move |mut request: Request<()>| {
        let token = request.metadata().get("authorization").and_then(|value| value.to_str().ok());
        let token = token.and_then(|value| value.strip_prefix("Bearer ")).map(Sha256::digest);
        if let Some(token) = token {
            let caller =
                tokens.get(&token).ok_or_else(|| Status::unauthenticated("the token is not known"))?;
            request.extensions_mut().insert(caller.clone());
        }
        Ok(request)
    };
    let listener = tokio::net::TcpListener::bind(what.as_str()).await?;
    println!("listening on {}", listener.local_addr()?);
    let incoming = tonic::transport::server::TcpIncoming::from(listener).with_nodelay(Some(true));
    let shop = Shop { store };
    tonic::transport::Server::builder()
        .add_service(ProductServiceServer::with_interceptor(shop.clone(), authenticate.clone()))
        .add_service(OrderServiceServer::with_interceptor(shop, authenticate))
        .serve_with_incoming(incoming)
        .await?;
    Ok(())
}

async fn prepare(store: &Store) -> Result<(), Box<dyn Error>> {
    seed::seed(store, PRODUCTS).await.map_err(|status| status.to_string())?;
    let rows = store.read(|db| products::page(db, ProductId(0), 0, 100)).await?;
    let id = rows.iter().find(|row| row.data.is_for_sale).ok_or("nothing is for sale")?.id;
    store.write(move |tx| products::adjust(tx, id, PLENTY, Moment::now())).await?;
    println!("{id}");
    Ok(())
}
