//! Prices, as good as they can be had in time.

use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use dunlin::{Code, ResultExt, ServerContext, Status};
use tokio::time::{Instant, sleep, timeout};

use crate::errors::{bad_field, not_found};
use crate::ids::ProductId;
use crate::money::Amount;
use crate::proto::quote::Source;
use crate::proto::quote::source::Outcome;
use crate::proto::{GetQuoteRequest, PriceService, Quote};
use crate::store::{Moment, Store, products};

/// What callers without a deadline get.
const DEFAULT_TIME: Duration = Duration::from_secs(2);
/// The part of the time that the market gets. The rest is for the answer.
const MARKET_PART: f64 = 0.8;
/// Prices that are kept; so many products should a shop have.
const MAX_CACHED: usize = 100_000;

/// Implements [`PriceService`].
#[derive(Clone, Debug)]
pub struct Prices {
    /// Where the list is.
    pub store: Store,
    /// Who is asked besides.
    pub market: Market,
    cache: Arc<Mutex<HashMap<ProductId, Known>>>,
}

/// A price that the market has told.
#[derive(Clone, Copy, Debug)]
struct Known {
    price: Amount,
    at: Moment,
}

/// Something far away that knows what others ask for a product. Here it is a number for each product, and a
/// time that passes.
#[derive(Clone, Debug)]
pub struct Market {
    /// In milliseconds.
    latency: Arc<AtomicU64>,
}

impl Market {
    /// One that answers after this time.
    pub fn new(latency: Duration) -> Self {
        let market = Self { latency: Arc::default() };
        market.set_latency(latency);
        market
    }

    /// From now on it answers after this time.
    pub fn set_latency(&self, latency: Duration) {
        self.latency.store(u64::try_from(latency.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// What a piece costs elsewhere: from 95 % to 104.9 % of the list.
    async fn price(&self, id: ProductId, list: Amount) -> Result<Amount, Status> {
        sleep(Duration::from_millis(self.latency.load(Ordering::Relaxed))).await;
        let part = u32::try_from(id.0.wrapping_mul(37).rem_euclid(100)).unwrap_or_default();
        list.per_mille(950 + part).status(Code::Unavailable)
    }
}

impl Prices {
    /// By the list of the shop and the market.
    pub fn new(store: Store, market: Market) -> Self {
        Self { store, market, cache: Arc::default() }
    }

    /// A poisoned lock is harmless: nothing that can panic leaves the map in between.
    fn cache(&self) -> MutexGuard<'_, HashMap<ProductId, Known>> {
        match self.cache.lock() {
            Ok(cache) => cache,
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    fn remember(&self, id: ProductId, known: Known) {
        let mut cache = self.cache();
        if cache.len() < MAX_CACHED || cache.contains_key(&id) {
            cache.insert(id, known);
        }
    }
}

impl PriceService for Prices {
    async fn get_quote(&self, cx: &mut ServerContext, request: GetQuoteRequest) -> Result<Quote, Status> {
        let id: ProductId = match request.product_id.parse() {
            Ok(id) => id,
            Err(_) if request.product_id.is_empty() => return Err(bad_field("product_id", "is missing")),
            Err(_) => return Err(not_found("product", &request.product_id)),
        };
        let began = Instant::now();
        let list = self.store.read(move |db| products::get(db, id)).await?.data.price;
        let listed = source("list", Outcome::ANSWERED, began.elapsed());

        // What is left of the caller's time, but for a part that the answer needs.
        let patience = cx.budget(MARKET_PART).unwrap_or(DEFAULT_TIME);
        let (market, answer) = ask("market", patience, self.market.price(id, list)).await;
        let (known, is_degraded) = match answer {
            Some(price) => {
                let known = Known { price, at: Moment::now() };
                self.remember(id, known);
                (Some(known), false)
            }
            None => (self.cache().get(&id).copied(), true),
        };

        let quantity = request.quantity.max(1);
        let unit_price = known.map_or(list, |known| known.price);
        Ok(Quote {
            product_id: request.product_id,
            quantity,
            unit_price: Some(unit_price.into()),
            total: Some(unit_price.times(quantity).status(Code::OutOfRange)?.into()),
            degraded: is_degraded,
            price_time: known.map(|known| known.at.into()),
            sources: vec![listed, market],
            ..Default::default()
        })
    }
}

/// Waits no longer than that for an answer; and what became of it.
async fn ask<T>(
    name: &str,
    patience: Duration,
    answer: impl Future<Output = Result<T, Status>>,
) -> (Source, Option<T>) {
    let began = Instant::now();
    let (outcome, answer) = match timeout(patience, answer).await {
        Ok(Ok(answer)) => (Outcome::ANSWERED, Some(answer)),
        Ok(Err(_)) => (Outcome::FAILED, None),
        Err(_) => (Outcome::TIMED_OUT, None),
    };
    (source(name, outcome, began.elapsed()), answer)
}

fn source(name: &str, outcome: Outcome, latency: Duration) -> Source {
    let latency = latency.try_into().ok();
    Source { name: name.to_owned(), outcome, latency, ..Default::default() }
}
