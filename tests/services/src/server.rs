//! A shop with health and reflection, and an address for administrators: `services-server
//! [DELAY_SECONDS]`. Prints both addresses, and serves until it is ended by SIGTERM or SIGINT.

use std::error::Error;
use std::io::Write;
use std::time::Duration;

use dunlin::protobuf::wkt::Timestamp;
use dunlin::server::{serve_all, shutdown_signal};
use dunlin::services::{HealthReporter, Reflection};
use dunlin::{Sender, Server, ServerContext, Status};
use shop::v1::*;

dunlin::include_generated!();

struct Shop {
    health: HealthReporter,
}

fn product(name: String) -> Product {
    Product {
        name: Some(name),
        price: Some(Money { currency: "EUR".into(), units: 3, ..Default::default() }),
        since: Some(Timestamp { seconds: 42, ..Default::default() }),
        size: Some(product::Size::SIZE_LARGE),
        ..Default::default()
    }
}

impl ShopService for Shop {
    async fn get_product(
        &self,
        _: &mut ServerContext,
        request: GetProductRequest,
    ) -> Result<Product, Status> {
        match request.name {
            Some(name) if !name.is_empty() => Ok(product(name)),
            _ => Err(Status::not_found("a product without a name")),
        }
    }

    async fn list_products(
        &self,
        _: &mut ServerContext,
        request: ListProductsRequest,
        mut out: Sender<Product>,
    ) -> Result<(), Status> {
        for number in 0..request.count.unwrap_or_default().min(1000) {
            out.send(product(number.to_string())).await?;
        }
        Ok(())
    }

    async fn set_health(
        &self,
        _: &mut ServerContext,
        request: SetHealthRequest,
    ) -> Result<SetHealthResponse, Status> {
        let service = request.service.unwrap_or_default();
        match request.is_serving {
            Some(true) => self.health.set_serving(service),
            Some(false) => self.health.set_not_serving(service),
            None => self.health.remove(service),
        }
        Ok(SetHealthResponse::default())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let delay = Duration::from_secs(std::env::args().nth(1).map_or(Ok(0), |delay| delay.parse())?);
    let health = HealthReporter::new();
    health.set_serving("shop.v1.ShopService");
    health.set_not_serving("broken");
    let public = Server::builder()
        .add_service(ShopServiceServer::new(Shop { health: health.clone() }))
        .add_service(health.service())
        .add_service(Reflection::new())
        .shutdown_delay(delay);
    let admin = Server::builder().add_service(health.service()).add_service(Reflection::new());
    let public = public.bind("127.0.0.1:0").await?;
    let admin = admin.shutdown_delay(delay).bind("127.0.0.1:0").await?;
    // Who started us reads the addresses from a pipe or a file, where a line may wait for others.
    println!("listening on {} and {}", public.local_addr(), admin.local_addr());
    std::io::stdout().flush()?;
    let drained = serve_all([public, admin], shutdown_signal()).await?;
    match drained.cut_off {
        0 => Ok(()),
        calls => Err(format!("{calls} calls were cut off").into()),
    }
}
