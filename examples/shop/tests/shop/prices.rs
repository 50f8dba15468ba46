//! Prices, as good as they can be had in time.

use std::time::{Duration, Instant};

use dunlin::Code;
use shop_example::proto::quote::source::Outcome;
use shop_example::proto::{GetQuoteRequest, Quote};

use crate::support::{Open, bad_fields, code};

fn quote(product_id: &str, quantity: u32) -> GetQuoteRequest {
    GetQuoteRequest { product_id: product_id.into(), quantity, ..Default::default() }
}

fn outcomes(quote: &Quote) -> Vec<(&str, Outcome)> {
    quote.sources.iter().map(|source| (&*source.name, source.outcome)).collect()
}

#[tokio::test]
async fn a_market_that_is_silent_leaves_the_price_that_is_known() {
    let shop = Open::with(&["--memory", "--seed", "10", "--market-latency", "1"]).await;
    let prices = shop.clients("").prices;
    let fresh = prices.get_quote(quote("p-1", 3)).await.unwrap();
    assert!(!fresh.degraded);
    assert_eq!(outcomes(&fresh), [("list", Outcome::ANSWERED), ("market", Outcome::ANSWERED)]);
    let nanos = |money: &Option<shop_example::proto::Money>| {
        let money = money.as_ref().unwrap();
        i128::from(money.units) * 1_000_000_000 + i128::from(money.nanos)
    };
    assert_eq!(nanos(&fresh.total), 3 * nanos(&fresh.unit_price));

    shop.market.set_latency(Duration::from_secs(3600));
    let began = Instant::now();
    let old = prices.get_quote(quote("p-1", 3)).timeout(Duration::from_millis(1500)).await.unwrap();
    // 80 % of the time went to the market, and the answer came within it.
    assert!(began.elapsed() >= Duration::from_millis(1000), "{:?}", began.elapsed());
    assert_eq!(outcomes(&old), [("list", Outcome::ANSWERED), ("market", Outcome::TIMED_OUT)]);
    assert_eq!(
        (old.degraded, &old.unit_price, &old.price_time),
        (true, &fresh.unit_price, &fresh.price_time)
    );
    assert!(old.sources[1].latency.as_ref().unwrap().nanos > 0);

    // Of this one no price is known, so it is that of the list.
    let listed = prices.get_quote(quote("p-2", 0)).timeout(Duration::from_millis(300)).await.unwrap();
    assert_eq!((listed.degraded, listed.quantity, listed.price_time), (true, 1, None));
    shop.market.set_latency(Duration::ZERO);
    assert!(!prices.get_quote(quote("p-2", 1)).await.unwrap().degraded);
    shop.close().await;
}

#[tokio::test]
async fn there_are_no_prices_of_what_is_not_there() {
    let shop = Open::with_products(1).await;
    let prices = shop.clients("").prices;
    assert_eq!(code(prices.get_quote(quote("p-2", 1)).await), Code::NotFound);
    assert_eq!(code(prices.get_quote(quote("elsewhere", 1)).await), Code::NotFound);
    assert_eq!(bad_fields(prices.get_quote(quote("", 1)).await), ["product_id"]);
    assert_eq!(bad_fields(prices.get_quote(quote("p-1", 10_001)).await), ["quantity"]);
    shop.close().await;
}
