//! A shop: a service, a client of it, and an end that lets calls finish.
//! `docs/one-service.md` has the same program for other libraries.

// What a program says is its interface.
#![allow(clippy::print_stdout)]

dunlin::include_generated!();

use std::{error::Error, time::Duration};

use dunlin::{Channel, Code, Sender, Server, ServerContext, Status};
use shop::v1::{
    GetProductRequest, ListProductsRequest, Product, ShopService, ShopServiceClient, ShopServiceServer,
};

const PRODUCTS: [(&str, &str, i64); 3] = [("1", "tea", 420), ("2", "kettle", 3900), ("3", "cup", 650)];

/// A database that one could think of.
async fn load(id: &str) -> Option<Product> {
    tokio::time::sleep(Duration::from_millis(1)).await;
    let (id, name, cents) = PRODUCTS.into_iter().find(|product| product.0 == id)?;
    Some(Product { id: id.into(), name: name.into(), cents, ..Default::default() })
}

struct Shop;

impl ShopService for Shop {
    async fn get_product(&self, _: &mut ServerContext, asked: GetProductRequest) -> Result<Product, Status> {
        load(&asked.id).await.ok_or_else(|| Status::not_found(format!("no product {}", asked.id)))
    }

    async fn list_products(
        &self,
        _: &mut ServerContext,
        asked: ListProductsRequest,
        mut products: Sender<Product>,
    ) -> Result<(), Status> {
        for (id, ..) in PRODUCTS {
            match load(id).await {
                Some(product) if product.cents <= asked.max_cents => products.send(product).await?,
                _ => {}
            }
        }
        Ok(())
    }
}

async fn run(id: &str) -> Result<Vec<String>, Box<dyn Error>> {
    let server = Server::builder().max_timeout(Duration::from_secs(10));
    let server = server.add_service(ShopServiceServer::new(Shop)).bind("127.0.0.1:0").await?;
    let (address, stop) = (server.local_addr().to_string(), server.shutdown_handle());
    let serving = tokio::spawn(server.serve());

    let shop = ShopServiceClient::new(Channel::builder(address).connect().await?);
    let asked = GetProductRequest { id: id.into(), ..Default::default() };
    let mut names = match shop.get_product(asked).timeout(Duration::from_secs(1)).await {
        Ok(product) => vec![product.name],
        Err(status) if status.code() == Code::NotFound => vec![status.message().into()],
        Err(status) => return Err(status.into()),
    };
    let asked = ListProductsRequest { max_cents: 1000, ..Default::default() };
    let mut products = shop.list_products(asked).timeout(Duration::from_secs(1)).await?;
    while let Some(product) = products.next().await? {
        names.push(product.name);
    }

    stop.shut_down(Duration::from_secs(5));
    assert_eq!(serving.await??.cut_off, 0);
    Ok(names)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    run("2").await?.iter().for_each(|name| println!("{name}"));
    Ok(())
}

#[tokio::test]
async fn the_shop_answers_and_closes() {
    assert_eq!(run("2").await.unwrap(), ["kettle", "tea", "cup"]);
    assert_eq!(run("9").await.unwrap(), ["no product 9", "tea", "cup"]);
}
