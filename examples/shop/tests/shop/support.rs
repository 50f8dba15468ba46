//! A shop on a free port, with clients for who calls.

use std::path::Path;
use std::time::Duration;

use clap::Parser;
use dunlin::client::Channel;
use dunlin::{CallOptions, Code, Status};
use shop_example::config::Config;
use shop_example::proto::order::{Line, Payment};
use shop_example::proto::product::Inventory;
use shop_example::proto::{
    Address, Category, ChatServiceClient, GiftCard, Money, Order, OrderServiceClient, PriceServiceClient,
    Product, ProductServiceClient, UploadServiceClient,
};
use shop_example::server::Shop;
use shop_example::services::price::Market;
use shop_example::store::Store;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A shop that is open for as long as this is kept.
pub(crate) struct Open {
    pub(crate) address: String,
    pub(crate) probe_address: Option<String>,
    pub(crate) store: Store,
    pub(crate) market: Market,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
}

/// Clients of one caller.
pub(crate) struct Clients {
    pub(crate) products: ProductServiceClient,
    pub(crate) orders: OrderServiceClient,
    pub(crate) prices: PriceServiceClient,
    pub(crate) chat: ChatServiceClient,
    pub(crate) files: UploadServiceClient,
}

impl Open {
    /// In memory, with so many products.
    pub(crate) async fn with_products(products: u32) -> Self {
        Self::with(&["--memory", "--seed", &products.to_string()]).await
    }

    /// With these flags, on a free port.
    pub(crate) async fn with(flags: &[&str]) -> Self {
        let fixed = ["shop", "--listen", "127.0.0.1:0", "--grace", "5"];
        let config = Config::try_parse_from(fixed.iter().chain(flags)).unwrap();
        let shop = Shop::open(&config).await.unwrap();
        let (address, probe_address) = (shop.address(), shop.probe_address());
        let (store, market) = (shop.store.clone(), shop.market.clone());
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(async move {
            let signal = async { drop(stopped.await) };
            let drained = shop.serve_until(signal).await.unwrap();
            assert_eq!(drained.cut_off, 0);
        });
        Self { address, probe_address, store, market, stop: Some(stop), serving }
    }

    /// In this folder.
    pub(crate) async fn in_folder(folder: &Path, products: u32) -> Self {
        Self::with(&["--data", folder.to_str().unwrap(), "--seed", &products.to_string()]).await
    }

    /// Clients of a caller with this token; of nobody if it is empty.
    pub(crate) fn clients(&self, token: &str) -> Clients {
        let channel = Channel::builder(&*self.address).connect_lazy().unwrap();
        let options = match token {
            "" => CallOptions::new(),
            _ => CallOptions::new().metadata("authorization", format!("Bearer {token}")),
        };
        let options = options.timeout(Duration::from_secs(20));
        Clients {
            products: ProductServiceClient::new(channel.clone()).with_options(options.clone()),
            orders: OrderServiceClient::new(channel.clone()).with_options(options.clone()),
            prices: PriceServiceClient::new(channel.clone()).with_options(options.clone()),
            chat: ChatServiceClient::new(channel.clone()).with_options(options.clone()),
            files: UploadServiceClient::new(channel).with_options(options),
        }
    }

    pub(crate) fn customer(&self) -> Clients {
        self.clients("demo-customer")
    }

    pub(crate) fn admin(&self) -> Clients {
        self.clients("demo-admin")
    }

    /// Closes it, and waits until it is closed.
    pub(crate) async fn close(mut self) {
        drop(self.stop.take());
        self.serving.await.unwrap();
    }
}

/// A product for 10 EUR, of which there are so many pieces.
pub(crate) fn product(sku: &str, available: u32) -> Product {
    Product {
        sku: sku.into(),
        name: format!("a {sku}"),
        category: Category::HOME,
        price: Some(money(10, 0)),
        inventory: Some(Inventory { available, ..Default::default() }),
        ..Default::default()
    }
}

pub(crate) fn money(units: i64, nanos: i32) -> Money {
    Money { currency_code: "EUR".into(), units, nanos, ..Default::default() }
}

/// So many pieces of some products.
pub(crate) fn order(lines: &[(&str, u32)]) -> Order {
    let lines = lines.iter().map(|(product_id, quantity)| Line {
        product_id: (*product_id).into(),
        quantity: *quantity,
        ..Default::default()
    });
    let address = Address {
        recipient: "Ann".into(),
        lines: vec!["1 Shore Road".into()],
        postal_code: "12345".into(),
        city: "Northhaven".into(),
        country_code: "NO".into(),
        ..Default::default()
    };
    Order {
        lines: lines.collect(),
        payment: Some(Payment::GiftCard(GiftCard { code: "WELCOME".into(), ..Default::default() })),
        shipping_address: Some(Box::new(address)),
        ..Default::default()
    }
}

/// The reason in the `google.rpc.ErrorInfo` of a status.
pub(crate) fn reason(status: &Status) -> String {
    let details = status.error_details().unwrap();
    details.get::<dunlin::grpc::details::ErrorInfo>().map(|info| info.reason).unwrap_or_default()
}

/// The fields that a status says are wrong.
#[track_caller]
pub(crate) fn bad_fields<T: std::fmt::Debug>(result: Result<T, Status>) -> Vec<String> {
    let status = result.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    status.error_details().unwrap().field_violations().map(|violation| violation.field).collect()
}

#[track_caller]
pub(crate) fn code<T: std::fmt::Debug>(result: Result<T, Status>) -> Code {
    result.unwrap_err().code()
}
