//! Opens the shop, and closes it when it is told to.

// What a program says is its interface.
#![allow(clippy::print_stderr)]

use std::error::Error;
use std::io::{IsTerminal, Write};
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
    let signal = shutdown_signal();
    let shop = match Shop::open(config).await {
        Ok(shop) => shop,
        Err(error) => {
            tell(&error);
            return if error.is_usage() { ExitCode::from(USAGE) } else { FAILED };
        }
    };
    say(&welcome(config, &shop));
    match shop.serve_until(signal).await {
        Ok(drained) => {
            say(&format!("closed, and {} calls were cut off\n", drained.cut_off));
            ExitCode::SUCCESS
        }
        Err(error) => {
            tell(&error);
            FAILED
        }
    }
}

/// Where it listens, and what to try.
fn welcome(config: &Config, shop: &Shop) -> String {
    let address = shop.address();
    let mut text = format!("listening on {address}\n");
    if let Some(address) = shop.probe_address() {
        text += &format!("health checks on {address}\n");
    }
    let place = if config.memory { "memory".to_owned() } else { config.database().display().to_string() };
    text += &format!("{} products in {place}\n", shop.products);
    if config.tokens.is_none() {
        text += "tokens: demo-customer, demo-admin\n";
    }
    if config.tls_cert.is_none() {
        let quote = r#"'{"product_id": "p-1", "quantity": 2}'"#;
        let token = "'authorization: Bearer demo-customer'";
        text += "try:\n";
        text += &format!("  dunlin list -plaintext {address}\n");
        text += &format!("  dunlin call -plaintext -d {quote} {address} shop.v1.PriceService/GetQuote\n");
        text += &format!("  grpcurl -plaintext -H {token} {address} shop.v1.OrderService/ListOrders\n");
    }
    text
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
            let mut text = format!("products: {}, orders: {}\n", found.products, found.orders);
            text += &format!("pieces available: {}, reserved: {}\n", found.available, found.reserved);
            text += &format!("income: {}\n", found.income);
            found.faults.iter().for_each(|fault| text += &format!("wrong: {fault}\n"));
            say(&text);
            if found.faults.is_empty() { ExitCode::SUCCESS } else { FAILED }
        }
        Err(error) => {
            tell(&error);
            FAILED
        }
    }
}

/// To whoever has started it, who need not listen any longer.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
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
