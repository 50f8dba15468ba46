//! A program without a runtime of its own: calls that block the thread, streams as iterators.

// What a program says is its interface.
#![allow(clippy::print_stdout)]

use std::time::Duration;

use calls_example::shop::v1::{GetProductRequest, ListProductsRequest, ShopServiceClient};
use dunlin::blocking::Blocking;
use dunlin::{Channel, Code, Status};

/// The names of what costs no more, and of one product besides.
fn names(shop: &ShopServiceClient, id: &str, max_cents: i64) -> Result<Vec<String>, Status> {
    let mut names = Vec::new();
    for product in shop.list_products(ListProductsRequest { max_cents, ..Default::default() }).wait()? {
        names.push(product?.name);
    }
    let asked = GetProductRequest { id: id.into(), ..Default::default() };
    match shop.get_product(asked).timeout(Duration::from_secs(5)).wait() {
        Ok(product) => names.push(product.name),
        Err(status) if status.code() == Code::NotFound => {}
        Err(status) => return Err(status),
    }
    Ok(names)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let shop = ShopServiceClient::new(Channel::builder("localhost:50051").connect_lazy()?);
    names(&shop, "1", 1000)?.iter().for_each(|name| println!("{name}"));
    Ok(())
}

#[test]
fn a_thread_without_a_runtime_calls_a_shop() {
    use calls_example::shop::v1::{Product, shop_service};
    use dunlin::testing::{Mock, TestServer};

    let product = |name: &str| Product { name: name.into(), ..Default::default() };
    let mock = Mock::new();
    mock.on(shop_service::LIST_PRODUCTS).stream([product("tea"), product("cup")]);
    mock.on(shop_service::GET_PRODUCT).reply(product("kettle")).once();
    mock.on(shop_service::GET_PRODUCT).fail(Status::not_found("no such product"));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let test = {
        let _entered = runtime.enter();
        TestServer::tcp(&mock)
    };
    let shop = ShopServiceClient::new(Channel::builder(test.target()).connect_lazy().unwrap());
    assert_eq!(names(&shop, "2", 1000).unwrap(), ["tea", "cup", "kettle"]);
    assert_eq!(names(&shop, "9", 1000).unwrap(), ["tea", "cup"]);
    drop(test);
    assert_eq!(names(&shop, "2", 1000).unwrap_err().code(), Code::Unavailable);
}
