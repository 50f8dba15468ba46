//! The shelves.

use dunlin::protobuf::wkt::FieldMask;
use dunlin::{Code, Receiver};
use shop_example::proto::process_product_batch_request::{AdjustStock, Operation, SetPrice};
use shop_example::proto::process_product_batch_response::Result as Outcome;
use shop_example::proto::product::{Discount, Inventory, Status as ProductStatus};
use shop_example::proto::product_event::Type;
use shop_example::proto::{
    BulkCreateProductsRequest, Category, CreateOrderRequest, CreateProductRequest, DeleteProductRequest,
    GetProductRequest, ListProductsRequest, ProcessProductBatchRequest, Product, ProductEvent,
    ProductServiceClient, StreamProductsRequest, UpdateProductRequest, WatchProductsRequest,
};

use crate::support::{Open, bad_fields, code, money, order, product, reason};

fn create(product: Product) -> CreateProductRequest {
    CreateProductRequest { product: Some(Box::new(product)), ..Default::default() }
}

fn get(id: &str) -> GetProductRequest {
    GetProductRequest { id: id.into(), ..Default::default() }
}

fn update(product: Product, paths: &[&str]) -> UpdateProductRequest {
    let update_mask = (!paths.is_empty()).then(|| FieldMask::from_paths(paths.iter().copied()));
    UpdateProductRequest { product: Some(Box::new(product)), update_mask, ..Default::default() }
}

fn page(page_size: i32, page_token: &str, category: Category) -> ListProductsRequest {
    ListProductsRequest { page_size, page_token: page_token.into(), category, ..Default::default() }
}

#[tokio::test]
async fn a_product_is_created_read_changed_and_deleted() {
    let shop = Open::with_products(0).await;
    let (admin, anyone) = (shop.admin().products, shop.clients("").products);

    let given = Product {
        brand: Some("Dunlin Home".into()),
        weight_kg: Some(0.7),
        discount: Some(Discount::PercentOff(15)),
        attributes: [("colour".into(), "teal".into())].into(),
        ..product("KETTLE", 3)
    };
    let created = admin.create_product(create(given.clone())).await.unwrap();
    assert_eq!((&*created.id, created.status), ("p-1", ProductStatus::ACTIVE));
    assert!(created.create_time.is_some());
    let wanted = Product {
        id: created.id.clone(),
        status: created.status,
        create_time: created.create_time.clone(),
        update_time: created.update_time.clone(),
        ..given
    };
    assert_eq!(created, wanted);
    assert_eq!(anyone.get_product(get("p-1")).await.unwrap(), created);

    // What the mask names is changed, and cleared if it is not there.
    let changes = Product { id: "p-1".into(), name: "a teapot".into(), ..Default::default() };
    let changed = admin.update_product(update(changes.clone(), &["name", "brand"])).await.unwrap();
    assert_eq!((&*changed.name, &changed.brand), ("a teapot", &None));
    assert_eq!((changed.weight_kg, changed.price), (Some(0.7), created.price));
    // Without a mask, what is there is changed; but never how much there is.
    let inventory = Some(Inventory { reorder_level: 2, ..Default::default() });
    let changed = Product { inventory, description: "it pours".into(), ..changes };
    let changed = admin.update_product(update(changed, &[])).await.unwrap();
    assert_eq!((&*changed.description, changed.weight_kg), ("it pours", Some(0.7)));
    assert_eq!(changed.inventory.unwrap().available, 3);
    assert!(changed.update_time.unwrap().nanos >= 0);

    admin.delete_product(DeleteProductRequest { id: "p-1".into(), ..Default::default() }).await.unwrap();
    let status = anyone.get_product(get("p-1")).await.unwrap_err();
    assert_eq!((status.code(), &*reason(&status)), (Code::NotFound, "NOT_FOUND"));
    let info = status.error_details().unwrap().get::<dunlin::grpc::details::ResourceInfo>().unwrap();
    assert_eq!((&*info.resource_type, &*info.resource_name), ("product", "p-1"));
    shop.close().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_product_is_told_field_by_field() {
    let shop = Open::with_products(0).await;
    let admin = shop.admin().products;
    let bad = Product {
        sku: "small letters".into(),
        category: Category(77),
        price: Some(money(-1, 0)),
        discount: Some(Discount::PercentOff(95)),
        weight_kg: Some(f64::NAN),
        ..product("", 0)
    };
    let fields = bad_fields(admin.create_product(create(bad)).await);
    assert_eq!(
        fields,
        ["product.sku", "product.category", "product.price", "product.percent_off", "product.weight_kg"]
    );
    let discounted = Product { discount: Some(Discount::AmountOff(money(10, 0))), ..product("A", 0) };
    assert_eq!(bad_fields(admin.create_product(create(discounted)).await), ["product.amount_off"]);
    assert_eq!(bad_fields(admin.create_product(CreateProductRequest::default()).await), ["product"]);
    assert_eq!(bad_fields(admin.get_product(get("")).await), ["id"]);
    assert_eq!(code(admin.get_product(get("p-007")).await), Code::NotFound);

    admin.create_product(create(product("A", 1))).await.unwrap();
    let status = admin.create_product(create(product("A", 1))).await.unwrap_err();
    assert_eq!((status.code(), &*reason(&status)), (Code::AlreadyExists, "SKU_TAKEN"));
    let own = |paths| update(Product { id: "p-1".into(), ..product("A", 1) }, paths);
    for paths in [&["nonsense"][..], &["price.euros"], &["id"], &["inventory.reserved"]] {
        assert_eq!(bad_fields(admin.update_product(own(paths)).await), ["update_mask"], "{paths:?}");
    }
    // What it becomes has to be as a product should be, too.
    let nameless = update(Product { id: "p-1".into(), ..Default::default() }, &["name"]);
    assert_eq!(bad_fields(admin.update_product(nameless).await), ["product.name"]);
    shop.close().await;
}

#[tokio::test]
async fn pages_show_each_product_once_and_bad_tokens_are_told() {
    let shop = Open::with_products(25).await;
    let products = shop.clients("").products;
    let (mut ids, mut token) = (Vec::new(), String::new());
    loop {
        let reply = products.list_products(page(10, &token, Category::UNSPECIFIED)).await.unwrap();
        assert_eq!(reply.total_size, 25);
        ids.extend(reply.products.into_iter().map(|product| product.id));
        token = reply.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(ids, (1..=25).map(|number| format!("p-{number}")).collect::<Vec<_>>());

    let books = products.list_products(page(2, "", Category::BOOKS)).await.unwrap();
    assert!(books.products.iter().all(|product| product.category == Category::BOOKS));
    assert_eq!((books.products.len(), books.total_size), (2, 4));
    let all = products.list_products(page(2, &books.next_page_token, Category::UNSPECIFIED)).await;
    assert_eq!(bad_fields(all), ["page_token"]);
    for token in ["x", "00", &"f".repeat(32), &"é".repeat(16)] {
        let reply = products.list_products(page(2, token, Category::BOOKS)).await;
        assert_eq!(bad_fields(reply), ["page_token"], "{token}");
    }
    assert_eq!(
        bad_fields(products.list_products(page(-1, "", Category(99))).await),
        ["page_size", "category"]
    );
    // Sizes beyond what a page may have are no fault.
    assert_eq!(products.list_products(page(i32::MAX, "", Category(0))).await.unwrap().products.len(), 25);

    let request = StreamProductsRequest { category: Category::TOYS, ..Default::default() };
    let mut stream = products.stream_products(request).await.unwrap();
    let mut count = 0;
    while let Some(product) = stream.next().await.unwrap() {
        assert_eq!(product.category, Category::TOYS);
        count += 1;
    }
    assert_eq!(count, 3);
    shop.close().await;
}

async fn watch(products: &ProductServiceClient, ids: &[&str], category: Category) -> Receiver<ProductEvent> {
    let ids = ids.iter().map(|id| (*id).to_owned()).collect();
    let request = WatchProductsRequest { ids, category, ..Default::default() };
    let mut events = products.watch_products(request).await.unwrap();
    // They come behind the beginning of the watch, and nothing is missed from there on.
    events.headers().await;
    events
}

async fn next(events: &mut Receiver<ProductEvent>) -> (Type, String, u32) {
    let event = events.next().await.unwrap().unwrap();
    let product = event.product.unwrap();
    (event.r#type, product.id, product.inventory.unwrap().available)
}

#[tokio::test]
async fn who_watches_hears_what_happens_to_products() {
    let shop = Open::with_products(0).await;
    let (admin, customer) = (shop.admin().products, shop.customer());
    let mut all = watch(&admin, &[], Category::UNSPECIFIED).await;
    let mut second = watch(&admin, &["p-2"], Category::UNSPECIFIED).await;
    let mut books = watch(&admin, &[], Category::BOOKS).await;

    admin.create_product(create(product("A", 2))).await.unwrap();
    assert_eq!(next(&mut all).await, (Type::CREATED, "p-1".into(), 2));
    let request = CreateOrderRequest {
        order: Some(Box::new(order(&[("p-1", 2)]))),
        idempotency_key: "k".into(),
        ..Default::default()
    };
    customer.orders.create_order(request).await.unwrap();
    assert_eq!(next(&mut all).await, (Type::UPDATED, "p-1".into(), 0));
    assert_eq!(next(&mut all).await, (Type::OUT_OF_STOCK, "p-1".into(), 0));

    let book = Product { category: Category::BOOKS, ..product("B", 7) };
    admin.create_product(create(book)).await.unwrap();
    admin.delete_product(DeleteProductRequest { id: "p-2".into(), ..Default::default() }).await.unwrap();
    let deleted = (Type::DELETED, "p-2".to_owned(), 7);
    // By then it may be gone, and its creation is not told.
    for events in [&mut all, &mut second, &mut books] {
        let mut event = next(events).await;
        if event.0 == Type::CREATED {
            event = next(events).await;
        }
        assert_eq!(event, deleted);
    }

    // Whoever watches is told that the shop closes.
    shop.close().await;
    assert_eq!(code(all.next().await), Code::Unavailable);
}

#[tokio::test]
async fn many_products_are_created_and_the_bad_ones_told() {
    let shop = Open::with_products(0).await;
    let admin = shop.admin().products;
    let mut bulk = admin.bulk_create_products().await.unwrap();
    for number in 0..250 {
        let product = match number {
            7 => Some(product("lower", 1)),
            8 => Some(product("N-3", 1)),
            240 => None,
            _ => Some(product(&format!("N-{number}"), 1)),
        };
        let product = product.map(Box::new);
        bulk.send(BulkCreateProductsRequest { product, ..Default::default() }).await.unwrap();
    }
    let response = bulk.finish().await.unwrap();
    assert_eq!(response.ids.len(), 247);
    let errors: Vec<_> =
        response.errors.iter().map(|error| (error.index, error.code, &*error.field)).collect();
    let (invalid, exists) = (3, 6);
    assert_eq!(errors, [(7, invalid, "product.sku"), (8, exists, ""), (240, invalid, "product")]);
    shop.close().await;
}

#[tokio::test]
async fn a_batch_answers_each_step_before_the_next() {
    let shop = Open::with_products(0).await;
    let admin = shop.admin().products;
    let (mut requests, mut answers) = admin.process_product_batch().await.unwrap();
    let id = || "p-1".to_owned();
    let adjust = |by| Operation::AdjustStock(AdjustStock { product_id: id(), by, ..Default::default() });
    let set_price = |units| {
        let price = Some(money(units, 0));
        Operation::SetPrice(Box::new(SetPrice { product_id: id(), price, ..Default::default() }))
    };
    let mut ask = async |sequence, operation| {
        let request = ProcessProductBatchRequest { sequence, operation, ..Default::default() };
        requests.send(request).await.unwrap();
        let answer = answers.next().await.unwrap().unwrap();
        assert_eq!(answer.sequence, sequence);
        answer.result.unwrap()
    };
    let error = |outcome| match outcome {
        Outcome::Error(error) => (error.index, error.code),
        other => panic!("{other:?}"),
    };
    let done = |outcome| match outcome {
        Outcome::Product(product) => (product.price.unwrap().units, product.inventory.unwrap().available),
        other => panic!("{other:?}"),
    };
    assert_eq!(done(ask(10, Some(Operation::Create(Box::new(product("A", 5))))).await), (10, 5));
    assert_eq!(done(ask(20, Some(adjust(-4))).await), (10, 1));
    let (invalid, missing, precondition) = (3, 5, 9);
    assert_eq!(error(ask(30, Some(adjust(-2))).await), (2, precondition));
    assert_eq!(error(ask(31, Some(adjust(1_000_000))).await), (3, precondition));
    assert_eq!(done(ask(40, Some(set_price(12))).await), (12, 1));
    assert_eq!(error(ask(50, Some(set_price(0))).await), (5, invalid));
    assert_eq!(error(ask(60, None).await), (6, invalid));
    assert_eq!(ask(70, Some(Operation::DeleteId(id()))).await, Outcome::DeletedId(id()));
    assert_eq!(error(ask(80, Some(Operation::DeleteId(id()))).await), (8, missing));
    drop(requests);
    shop.close().await;
}
