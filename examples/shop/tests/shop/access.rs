//! Who may do what, and how services are.

use std::time::Duration;

use dunlin::client::{Channel, ClientTls};
use dunlin::services::{HealthClient, ReflectionClient, ServingStatus};
use dunlin::{CallOptions, Code};
use shop_example::proto::{
    Category, CreateProductRequest, DeleteProductRequest, GetProductRequest, GetQuoteRequest,
    ListOrdersRequest, ListProductsRequest, ProductServiceClient,
};

use crate::support::{Open, code, product, reason};

#[tokio::test]
async fn public_methods_are_for_all_others_for_callers_and_some_for_admins() {
    let shop = Open::with_products(10).await;
    let (nobody, stranger) = (shop.clients(""), shop.clients("made-up"));
    let (customer, admin) = (shop.customer(), shop.admin());
    let create = || CreateProductRequest { product: Some(Box::new(product("A", 1))), ..Default::default() };
    let delete = || DeleteProductRequest { id: "p-1".into(), ..Default::default() };
    for clients in [&nobody, &stranger] {
        clients.products.list_products(ListProductsRequest::default()).await.unwrap();
        let request = GetQuoteRequest { product_id: "p-1".into(), ..Default::default() };
        clients.prices.get_quote(request).await.unwrap();
        assert_eq!(
            code(clients.orders.list_orders(ListOrdersRequest::default()).await),
            Code::Unauthenticated
        );
        assert_eq!(code(clients.products.create_product(create()).await), Code::Unauthenticated);
        let (_requests, mut events) = clients.chat.chat().await.unwrap();
        assert_eq!(code(events.next().await), Code::Unauthenticated);
    }
    customer.orders.list_orders(ListOrdersRequest::default()).await.unwrap();
    assert_eq!(code(customer.products.create_product(create()).await), Code::PermissionDenied);
    assert_eq!(code(customer.products.delete_product(delete()).await), Code::PermissionDenied);
    let bulk = customer.products.bulk_create_products().await.unwrap();
    assert_eq!(code(bulk.finish().await), Code::PermissionDenied);
    // Who may not is not told what is wrong with the request.
    assert_eq!(code(customer.products.create_product(Default::default()).await), Code::PermissionDenied);
    admin.products.create_product(create()).await.unwrap();
    admin.products.delete_product(delete()).await.unwrap();
    shop.close().await;
}

#[tokio::test]
async fn tokens_come_from_a_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, "s3cret admin ann\n").unwrap();
    let shop = Open::with(&["--memory", "--seed", "0", "--tokens", file.path().to_str().unwrap()]).await;
    let list = |clients: crate::support::Clients| async move {
        clients.orders.list_orders(ListOrdersRequest::default()).await
    };
    list(shop.clients("s3cret")).await.unwrap();
    assert_eq!(code(list(shop.admin()).await), Code::Unauthenticated);
    shop.close().await;
}

#[tokio::test]
async fn who_calls_too_often_is_told_when_to_come_again() {
    let shop = Open::with(&["--memory", "--seed", "1", "--rate-limit", "5"]).await;
    let products = shop.clients("").products;
    let get = || GetProductRequest { id: "p-1".into(), ..Default::default() };
    let mut refused = None;
    for _ in 0..50 {
        if let Err(status) = products.get_product(get()).await {
            refused = Some(status);
            break;
        }
    }
    let status = refused.expect("50 calls at once are more than 5 a second");
    assert_eq!(status.code(), Code::ResourceExhausted);
    let delay = status.error_details().unwrap().retry_delay().unwrap();
    assert!(delay > Duration::ZERO && delay <= Duration::from_secs(1), "{delay:?}");
    // Callers with a token have calls of their own.
    shop.admin().orders.list_orders(ListOrdersRequest::default()).await.unwrap();
    shop.close().await;
}

async fn becomes(health: &HealthClient, service: &str, wanted: ServingStatus) {
    let mut states = health.watch(service);
    let waited = tokio::time::timeout(Duration::from_secs(20), async {
        while states.next().await.unwrap() != wanted {}
    });
    waited.await.unwrap_or_else(|_| panic!("{service:?} never becomes {wanted:?}"));
}

#[tokio::test]
async fn services_are_healthy_while_the_database_is() {
    let folder = tempfile::tempdir().unwrap();
    let shop = Open::in_folder(folder.path(), 1).await;
    let health = HealthClient::new(Channel::builder(&*shop.address).connect().await.unwrap());
    let order_service = "shop.v1.OrderService";
    becomes(&health, "", ServingStatus::Serving).await;
    becomes(&health, order_service, ServingStatus::Serving).await;
    let db = rusqlite::Connection::open(folder.path().join("shop.db")).unwrap();
    db.busy_timeout(Duration::from_secs(5)).unwrap();
    db.execute_batch("ALTER TABLE products RENAME TO hidden").unwrap();
    becomes(&health, order_service, ServingStatus::NotServing).await;
    becomes(&health, "", ServingStatus::NotServing).await;
    db.execute_batch("ALTER TABLE hidden RENAME TO products").unwrap();
    becomes(&health, order_service, ServingStatus::Serving).await;
    drop(db);
    shop.close().await;
}

#[tokio::test]
async fn the_shop_tells_its_schema() {
    let shop = Open::with_products(0).await;
    let channel = Channel::builder(&*shop.address).connect().await.unwrap();
    let services = ReflectionClient::new(channel).list_services().await.unwrap();
    for service in ["ChatService", "OrderService", "PriceService", "ProductService", "UploadService"] {
        assert!(services.contains(&format!("shop.v1.{service}")), "{services:?}");
    }
    shop.close().await;
}

#[tokio::test]
async fn certificates_are_shown_and_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let own = rcgen::generate_simple_self_signed(names).unwrap();
    std::fs::write(path("crt"), own.cert.pem()).unwrap();
    std::fs::write(path("key"), own.signing_key.serialize_pem()).unwrap();
    let (crt, key) = (path("crt"), path("key"));
    let flags = ["--memory", "--seed", "10", "--tls-cert", &crt, "--tls-key", &key, "--tls-client-ca", &crt];
    let flags = [&flags[..], &["--probe-listen", "127.0.0.1:0"]].concat();
    let shop = Open::with(&flags).await;

    let tls = || ClientTls::builder().roots(dunlin::client::tls::TrustRoots::from_pem_file(&crt));
    let identity = dunlin::client::tls::Identity::from_pem_files(&crt, &key);
    let with = tls().identity(identity).build().unwrap();
    let without = tls().build().unwrap();
    let request = || ListProductsRequest { category: Category::BOOKS, ..Default::default() };
    let list = |tls| {
        let channel = Channel::builder(&*shop.address).tls(tls).connect_lazy().unwrap();
        let options = CallOptions::new().timeout(Duration::from_secs(20));
        ProductServiceClient::new(channel).with_options(options).list_products(request())
    };
    assert_eq!(list(with).await.unwrap().total_size, 2);
    assert_eq!(code(list(without).await), Code::Unavailable);
    // The probes' listener is in clear text, and has nothing else.
    let probes = shop.probe_address.as_deref().unwrap();
    let channel = Channel::builder(probes).connect().await.unwrap();
    becomes(&HealthClient::new(channel.clone()), "", ServingStatus::Serving).await;
    let products = ProductServiceClient::new(channel);
    assert_eq!(code(products.list_products(request()).await), Code::Unimplemented);
    drop(products);
    shop.close().await;
}

#[tokio::test]
async fn every_refusal_has_a_reason_for_programs() {
    let shop = Open::with_products(0).await;
    let status =
        shop.clients("").products.get_product(GetProductRequest { id: "p-1".into(), ..Default::default() });
    let status = status.await.unwrap_err();
    assert_eq!(reason(&status), "NOT_FOUND");
    assert_eq!(status.message(), "there is no product p-1");
    shop.close().await;
}
