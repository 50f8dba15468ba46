//! So many calls a second.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use dunlin_grpc::intercept::{CallContext, CallView, Interceptor, Next, Side};
use dunlin_grpc::{Method, Status};
use dunlin_transport::{Address, ConnectionInfo};
use tokio::time::Instant;

use crate::operators::is_for_operators;
use crate::refusal::exhausted;

type Key = Arc<dyn Fn(&dyn CallView) -> Option<String> + Send + Sync>;

/// Lets so many calls a second begin, for each key: a bucket of tokens, which fills at that rate up to the
/// burst. A call without a token is refused with RESOURCE_EXHAUSTED, and told when there will be one.
///
/// Buckets that are full are forgotten. When more keys are at work than are kept, the new ones share one
/// bucket, so that a flood of keys neither takes memory nor keeps out those who are known.
#[derive(Clone)]
#[must_use]
pub struct RateLimit {
    rate: f64,
    burst: f64,
    key: Option<Key>,
    max_keys: usize,
    includes_operators: bool,
    buckets: Arc<Mutex<Buckets>>,
}

#[derive(Debug, Default)]
struct Buckets {
    by_key: HashMap<String, Bucket>,
    /// Of those without a key, and of those that there is no room for.
    shared: Option<Bucket>,
    swept: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    fn fill(&mut self, now: Instant, rate: f64, burst: f64) {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.tokens = (self.tokens + passed * rate).min(burst);
        self.filled = now;
    }

    /// Takes a token, or says how long until there is one.
    fn take(&mut self, now: Instant, rate: f64, burst: f64) -> Result<(), Duration> {
        self.fill(now, rate, burst);
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        Err(Duration::try_from_secs_f64((1.0 - self.tokens) / rate).unwrap_or(Duration::MAX))
    }
}

impl fmt::Debug for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimit")
            .field("rate", &self.rate)
            .field("burst", &self.burst)
            .finish_non_exhaustive()
    }
}

impl RateLimit {
    /// So many calls a second, all together; a burst of as many, at least one.
    ///
    /// # Panics
    /// If the rate is not above 0.
    pub fn per_second(calls: f64) -> Self {
        assert!(
            calls.is_finite() && calls > 0.0,
            "the rate of `RateLimit` is {calls}, and has to be above 0"
        );
        Self {
            rate: calls,
            burst: calls.max(1.0),
            key: None,
            max_keys: 10_000,
            includes_operators: false,
            buckets: Arc::default(),
        }
    }

    /// How many calls may come at once after a pause; at least 1.
    pub fn burst(mut self, calls: u32) -> Self {
        self.burst = f64::from(calls.max(1));
        self
    }

    /// A bucket for each key of calls; calls without one share one.
    pub fn by(mut self, key: impl Fn(&dyn CallView) -> Option<String> + Send + Sync + 'static) -> Self {
        self.key = Some(Arc::new(key));
        self
    }

    /// A bucket for each address of a client, without its port. Behind a balancer that speaks the PROXY
    /// protocol it is that of the client.
    pub fn by_peer(self) -> Self {
        self.by(|call| {
            let connection = call.connection()?.downcast::<ConnectionInfo>().ok()?;
            Some(match connection.client_address() {
                Address::Ip(address) => address.ip().to_string(),
                other => other.to_string(),
            })
        })
    }

    /// A bucket for each method.
    pub fn by_method(self) -> Self {
        self.by(|call| call.is_registered().then(|| call.method().path().to_owned()))
    }

    /// Keys that are kept at a time. 10,000.
    pub fn max_keys(mut self, keys: usize) -> Self {
        self.max_keys = keys;
        self
    }

    /// For the services of operators too.
    pub fn everywhere(mut self) -> Self {
        self.includes_operators = true;
        self
    }

    /// A poisoned lock is harmless: nothing that can panic leaves the state in between.
    fn buckets(&self) -> MutexGuard<'_, Buckets> {
        match self.buckets.lock() {
            Ok(buckets) => buckets,
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    fn take(&self, key: Option<String>, now: Instant) -> Result<(), Duration> {
        let (rate, burst) = (self.rate, self.burst);
        let full = Bucket { tokens: burst, filled: now };
        let buckets = &mut *self.buckets();
        let Some(key) = key else {
            return buckets.shared.get_or_insert(full).take(now, rate, burst);
        };
        if let Some(bucket) = buckets.by_key.get_mut(&key) {
            return bucket.take(now, rate, burst);
        }
        if buckets.by_key.len() >= self.max_keys {
            // No bucket is full before that time has passed, so looking earlier is of no use.
            let fills = Duration::try_from_secs_f64(1.0 / rate).unwrap_or(Duration::MAX);
            if buckets.swept.is_none_or(|swept| now.saturating_duration_since(swept) >= fills) {
                buckets.swept = Some(now);
                buckets.by_key.retain(|_, bucket| {
                    bucket.fill(now, rate, burst);
                    bucket.tokens < burst
                });
            }
        }
        if buckets.by_key.len() >= self.max_keys {
            return buckets.shared.get_or_insert(full).take(now, rate, burst);
        }
        buckets.by_key.entry(key).or_insert(full).take(now, rate, burst)
    }
}

impl Interceptor for RateLimit {
    async fn call(&self, cx: &mut CallContext, next: Next<'_>) -> Result<(), Status> {
        let key = self.key.as_ref().and_then(|key| key(&**cx));
        if let Err(wait) = self.take(key, Instant::now()) {
            let message = format!("more than {} calls a second", self.rate);
            return Err(exhausted(message, "rate", wait));
        }
        next.run(cx).await
    }

    fn applies_to(&self, _: Side, method: &Method) -> bool {
        self.includes_operators || !is_for_operators(method)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_bucket_empties_and_fills() {
        let limit = RateLimit::per_second(2.0).burst(3);
        let take = |key: &str| limit.take(Some(key.to_owned()), Instant::now());
        assert_eq!([take("a"), take("a"), take("a")], [Ok(()); 3]);
        assert_eq!(take("a"), Err(Duration::from_millis(500)));
        assert_eq!(take("b"), Ok(()));
        tokio::time::advance(Duration::from_millis(500)).await;
        assert_eq!(take("a"), Ok(()));
        assert!(take("a").is_err());
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!([take("a"), take("a"), take("a")], [Ok(()); 3]);
        assert!(take("a").is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_keys_takes_no_memory_and_keeps_nobody_out_who_is_known() {
        let limit = RateLimit::per_second(10.0).burst(10).max_keys(100);
        let take = |key: String| limit.take(Some(key), Instant::now());
        assert_eq!(take("good".into()), Ok(()));
        let admitted = (0..100_000).filter(|key| take(format!("bad {key}")).is_ok()).count();
        // The first ones have buckets of their own, the rest has one.
        assert_eq!(admitted, 99 + 10);
        assert_eq!(limit.buckets().by_key.len(), 100);
        assert_eq!(take("good".into()), Ok(()));
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(take("new".into()), Ok(()));
        assert_eq!(limit.buckets().by_key.len(), 1);
    }
}
