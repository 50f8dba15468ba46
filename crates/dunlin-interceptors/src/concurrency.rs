//! So many calls at a time.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use dunlin_grpc::intercept::{CallContext, Interceptor, Next, Side};
use dunlin_grpc::{Method, Status};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::operators::is_for_operators;
use crate::refusal::exhausted;

/// Lets so many calls run at a time. The next ones wait, as many as may and as long as they may; the others
/// are shed with RESOURCE_EXHAUSTED, and are told when to come again.
///
/// With a [target](Self::target_duration) the limit follows the load: calls that take longer than that make it
/// smaller, and quick ones larger again.
#[derive(Clone, Debug)]
#[must_use]
pub struct ConcurrencyLimit {
    max: usize,
    min: usize,
    target: Option<Duration>,
    waiting: Arc<Semaphore>,
    max_waiting: usize,
    max_wait: Duration,
    permits: Arc<Semaphore>,
    adaption: Arc<Mutex<Adaption>>,
    includes_operators: bool,
}

/// What the limit is at the moment.
#[derive(Debug)]
struct Adaption {
    limit: f64,
    /// Permits that are to be taken away once they are free.
    excess: usize,
    /// Permits that there are, free or not.
    permits: usize,
}

impl ConcurrencyLimit {
    /// So many at a time, at least 1; none waits.
    pub fn new(max: usize) -> Self {
        let max = max.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            max,
            min: max,
            target: None,
            waiting: Arc::new(Semaphore::new(0)),
            max_waiting: 0,
            max_wait: Duration::from_secs(1),
            permits: Arc::new(Semaphore::new(max)),
            adaption: Arc::new(Mutex::new(Adaption { limit: max as f64, excess: 0, permits: max })),
            includes_operators: false,
        }
    }

    /// So many wait, each no longer than that. 0 and 1 s.
    pub fn queue(mut self, max_waiting: usize, max_wait: Duration) -> Self {
        self.max_waiting = max_waiting.min(Semaphore::MAX_PERMITS);
        self.waiting = Arc::new(Semaphore::new(self.max_waiting));
        self.max_wait = max_wait;
        self
    }

    /// How long calls with one response should take: while they take longer the limit shrinks, down to `min`.
    pub fn target_duration(mut self, target: Duration, min: usize) -> Self {
        self.target = Some(target);
        self.min = min.clamp(1, self.max);
        self
    }

    /// For the services of operators too.
    pub fn everywhere(mut self) -> Self {
        self.includes_operators = true;
        self
    }

    /// How many may run at the moment.
    pub fn current(&self) -> usize {
        self.adaption().limit as usize
    }

    /// A poisoned lock is harmless: nothing that can panic leaves the state in between.
    fn adaption(&self) -> MutexGuard<'_, Adaption> {
        match self.adaption.lock() {
            Ok(adaption) => adaption,
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    async fn admit(&self) -> Result<Admitted<'_>, Status> {
        let admitted = |permit| Ok(Admitted { limit: self, permit: Some(permit), took: None });
        if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            return admitted(permit);
        }
        let shed = |why: &str| {
            let message = format!("{} calls are at work, as many as may be, and {why}", self.current());
            // Not all at once.
            let retry_after = self.max_wait.max(Duration::from_millis(100)).mul_f64(0.5 + fastrand::f64());
            exhausted(message, "concurrency", retry_after)
        };
        let Ok(_place) = self.waiting.try_acquire() else {
            return Err(shed(&format!("{} wait already", self.max_waiting)));
        };
        match tokio::time::timeout(self.max_wait, Arc::clone(&self.permits).acquire_owned()).await {
            Ok(Ok(permit)) => admitted(permit),
            Ok(Err(_)) => Err(Status::internal("the limit of calls is closed")),
            Err(_) => Err(shed(&format!("none of them ended within {:?}", self.max_wait))),
        }
    }

    /// A call took so long: the limit grows by one for as many quick calls as it has, and shrinks by a tenth
    /// for a slow one.
    fn note(&self, took: Duration) {
        let Some(target) = self.target else { return };
        let mut adaption = self.adaption();
        let limit = match took > target {
            true => adaption.limit * 0.9,
            false => adaption.limit + 1.0 / adaption.limit,
        };
        adaption.limit = limit.clamp(self.min as f64, self.max as f64);
        let wanted = adaption.limit as usize;
        let have = adaption.permits - adaption.excess;
        if wanted < have {
            adaption.excess += have - wanted;
        } else {
            let kept = adaption.excess.min(wanted - have);
            adaption.excess -= kept;
            let added = wanted - have - kept;
            adaption.permits += added;
            self.permits.add_permits(added);
        }
    }
}

/// A call that runs.
struct Admitted<'l> {
    limit: &'l ConcurrencyLimit,
    permit: Option<OwnedSemaphorePermit>,
    took: Option<Duration>,
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        if let Some(took) = self.took {
            self.limit.note(took);
        }
        let mut adaption = self.limit.adaption();
        if adaption.excess > 0
            && let Some(permit) = self.permit.take()
        {
            adaption.excess -= 1;
            adaption.permits -= 1;
            permit.forget();
        }
    }
}

impl Interceptor for ConcurrencyLimit {
    async fn call(&self, cx: &mut CallContext, next: Next<'_>) -> Result<(), Status> {
        let mut admitted = self.admit().await?;
        let began = Instant::now();
        let result = next.run(cx).await;
        if cx.method().kind() == dunlin_grpc::CallKind::Unary {
            admitted.took = Some(began.elapsed());
        }
        result
    }

    fn applies_to(&self, _: Side, method: &Method) -> bool {
        self.includes_operators || !is_for_operators(method)
    }
}
