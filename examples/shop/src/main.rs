//! Opens the shop, and closes it when it is told to.

// What a program says is its interface.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::error::Error;
use std::io::IsTerminal;
use std::process::ExitCode;

use dunlin::server::shutdown_signal;
use shop_example::config::{Command, Config};
use shop_example::server::{Shop, StartError};
use shop_example::store::{Store, audit};
use tracing_subscriber::filter::LevelFilter;

const FAILED: ExitCode = ExitCode::FAILURE;
const USAGE: u8 = 2;

#[tokio::main]
async fn main() -> ExitCode {
    let config = Config::from_args();
    tracing_subscriber::fmt()
        .with_max_level(LevelFilter::from(config.log))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    match config.command {
        None => serve(&config).await,
        Some(Command::Audit) => check_books(&config).await,
    }
}

async fn serve(config: &Config) -> ExitCode {
    let shop = match Shop::open(config).await {
        Ok(shop) => shop,
        Err(error) => {
            tell(&error);
            return if error.is_usage() { ExitCode::from(USAGE) } else { FAILED };
        }
    };
    welcome(config, &shop);
    match shop.serve_until(shutdown_signal()).await {
        Ok(drained) => {
            println!("closed, and {} calls were cut off", drained.cut_off);
            ExitCode::SUCCESS
        }
        Err(error) => {
            tell(&error);
            FAILED
        }
    }
}

fn welcome(config: &Config, shop: &Shop) {
    let address = shop.address();
    println!("listening on {address}");
    if let Some(address) = shop.probe_address() {
        println!("health checks on {address}");
    }
    let place = if config.memory { "memory".to_owned() } else { config.database().display().to_string() };
    println!("{} products in {place}", shop.products);
    if config.tokens.is_none() {
        println!("tokens: demo-customer, demo-admin");
    }
    if config.tls_cert.is_none() {
        let product = r#"'{"product_id": "p-1", "quantity": 2}'"#;
        println!("try:");
        println!("  dunlin list -plaintext {address}");
        println!("  dunlin call -plaintext -d {product} {address} shop.v1.PriceService/GetQuote");
        println!(
            "  grpcurl -plaintext -H 'authorization: Bearer demo-customer' {address} \
             shop.v1.OrderService/ListOrders"
        );
    }
}

async fn check_books(config: &Config) -> ExitCode {
    let path = config.database();
    if !path.exists() {
        eprintln!("error: there is no database {}; name its folder with --data", path.display());
        return FAILED;
    }
    let store = match Store::open(&path) {
        Ok(store) => store,
        Err(error) => {
            tell(&StartError::from(error));
            return FAILED;
        }
    };
    match store.read(audit::audit).await {
        Ok(found) => {
            println!("products: {}, orders: {}", found.products, found.orders);
            println!("pieces available: {}, reserved: {}", found.available, found.reserved);
            println!("income: {}", found.income);
            found.faults.iter().for_each(|fault| println!("wrong: {fault}"));
            if found.faults.is_empty() { ExitCode::SUCCESS } else { FAILED }
        }
        Err(error) => {
            tell(&error);
            FAILED
        }
    }
}

/// An error with its causes.
fn tell(error: &dyn Error) {
    eprintln!("error: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        eprintln!("  {error}");
        cause = error.source();
    }
}
