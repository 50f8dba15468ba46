//! What `docs/testing.md` shows: tests of a shop, and of what calls it.

use std::time::Duration;

use calls_example::shop::v1::{
    GetProductRequest, ListProductsRequest, Product, ShopService, ShopServiceClient, ShopServiceServer,
    shop_service,
};
use dunlin::testing::{Faults, Mock, Recorder, TestServer};
use dunlin::{Code, Sender, ServerContext, Status};

struct Shop;

impl ShopService for Shop {
    async fn get_product(&self, _: &mut ServerContext, asked: GetProductRequest) -> Result<Product, Status> {
        match asked.id.as_str() {
            "1" => Ok(product("1", "tea", 420)),
            id => Err(Status::not_found(format!("no product {id}"))),
        }
    }

    async fn list_products(
        &self,
        _: &mut ServerContext,
        _: ListProductsRequest,
        mut out: Sender<Product>,
    ) -> Result<(), Status> {
        out.send(product("1", "tea", 420)).await?;
        out.send(product("2", "cup", 650)).await
    }
}

fn product(id: &str, name: &str, cents: i64) -> Product {
    Product { id: id.into(), name: name.into(), cents, ..Default::default() }
}

fn get(id: &str) -> GetProductRequest {
    GetProductRequest { id: id.into(), ..Default::default() }
}

/// What is to be tested: it asks again where that may help.
async fn price(shop: &ShopServiceClient, id: &str) -> Result<i64, Status> {
    for _ in 0..2 {
        match shop.get_product(get(id)).timeout(Duration::from_secs(5)).await {
            Err(status) if status.code() == Code::Unavailable => {}
            result => return result.map(|product| product.cents),
        }
    }
    Err(Status::unavailable("the shop is closed"))
}

/// What is to be tested: the products, or nothing at all.
async fn all(shop: &ShopServiceClient) -> Result<Vec<Product>, Status> {
    let mut products = shop.list_products(ListProductsRequest::default()).await?;
    let mut all = Vec::new();
    while let Some(product) = products.next().await? {
        all.push(product);
    }
    Ok(all)
}

#[tokio::test]
async fn a_shop_has_tea() {
    let test = TestServer::new(ShopServiceServer::new(Shop));
    let shop = ShopServiceClient::new(test.channel());
    assert_eq!(price(&shop, "1").await.unwrap(), 420);
    assert_eq!(all(&shop).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_price_is_asked_for_again() {
    let mock = Mock::new();
    mock.on(shop_service::GET_PRODUCT).fail(Status::unavailable("not yet")).once();
    mock.on(shop_service::GET_PRODUCT).with(|asked: GetProductRequest| Ok(product(&asked.id, "tea", 99)));
    let test = TestServer::new(&mock);
    assert_eq!(price(&ShopServiceClient::new(test.channel()), "7").await.unwrap(), 99);
    mock.of(shop_service::GET_PRODUCT).assert_count(2)[1].assert_request(&get("7"));
    mock.verify();
}

#[tokio::test]
async fn a_tenant_is_sent_along() {
    let recorder = Recorder::new();
    let server = ShopServiceServer::new(Shop);
    let test = TestServer::builder().add_service(server).interceptor(recorder.clone()).start();
    let shop = ShopServiceClient::new(test.channel());
    let _ = shop.get_product(get("9")).metadata("x-tenant", "ann").await;
    let call = recorder.of("shop.v1.ShopService/Get*").only();
    call.assert_request(&get("9")).assert_metadata("x-tenant", "ann").assert_code(Code::NotFound);
}

#[tokio::test]
async fn a_list_that_breaks_off_is_no_list() {
    let faults = Faults::new();
    faults.on(shop_service::LIST_PRODUCTS).truncate().after(1).once();
    let server = ShopServiceServer::new(Shop);
    let test = TestServer::builder().add_service(server).faults(&faults).start();
    let shop = ShopServiceClient::new(test.channel());
    assert_eq!(all(&shop).await.unwrap_err().code(), Code::Internal);
    assert_eq!(all(&shop).await.unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_shop_that_is_slow_is_given_up() {
    let mock = Mock::new();
    mock.on(shop_service::GET_PRODUCT).reply(product("1", "tea", 420)).delay(Duration::from_secs(6));
    let test = TestServer::new(&mock);
    let began = tokio::time::Instant::now();
    let status = price(&ShopServiceClient::new(test.channel()), "1").await.unwrap_err();
    assert_eq!((status.code(), began.elapsed().as_secs()), (Code::DeadlineExceeded, 5));
}
