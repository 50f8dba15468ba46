//! Checks of what services need.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

use super::{HealthReporter, ServingStatus};

/// What a check may give: a `bool`, or a `Result` whose error says what is wrong.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say whether a check succeeded",
    note = "a check gives a `bool`, or a `Result` of `()` or `bool` whose error can be shown"
)]
pub trait CheckOutcome: Send + 'static {
    /// Why it did not succeed, if it did not.
    fn failure(self) -> Option<String>;
}

impl CheckOutcome for bool {
    fn failure(self) -> Option<String> {
        (!self).then(|| "the check says no".to_owned())
    }
}

impl<E: fmt::Display + Send + 'static> CheckOutcome for Result<(), E> {
    fn failure(self) -> Option<String> {
        self.err().map(|error| error.to_string())
    }
}

impl<E: fmt::Display + Send + 'static> CheckOutcome for Result<bool, E> {
    fn failure(self) -> Option<String> {
        match self {
            Ok(outcome) => outcome.failure(),
            Err(error) => Some(error.to_string()),
        }
    }
}

/// A check that sets the state of a service; see [`HealthReporter::check_every`].
///
/// The service is not serving until the check has first succeeded, and the first outcome counts at once.
#[must_use = "a check does nothing until `spawn`"]
pub struct HealthCheck<F> {
    reporter: HealthReporter,
    services: Vec<String>,
    interval: Duration,
    timeout: Duration,
    failure_threshold: u32,
    success_threshold: u32,
    jitter: f64,
    check: F,
}

impl<F> fmt::Debug for HealthCheck<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HealthCheck")
            .field("services", &self.services)
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}

impl<F, Fut> HealthCheck<F>
where
    F: FnMut() -> Fut + Send + 'static,
    Fut: Future<Output: CheckOutcome> + Send + 'static,
{
    pub(super) fn new(reporter: HealthReporter, service: String, interval: Duration, check: F) -> Self {
        Self {
            reporter,
            services: vec![service],
            // Without a pause it would do nothing else.
            interval: interval.max(Duration::from_millis(1)),
            timeout: interval,
            failure_threshold: 3,
            success_threshold: 1,
            jitter: 0.1,
            check,
        }
    }

    /// Sets the state of these services too: all that need what is checked.
    pub fn also(mut self, services: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.services.extend(services.into_iter().map(Into::into));
        self
    }

    /// The time that one check gets; the interval by default. One that takes longer is dropped, and has
    /// failed.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Failures in a row until the service is not serving, at least 1. 3.
    pub fn failure_threshold(self, failures: u32) -> Self {
        Self { failure_threshold: failures.max(1), ..self }
    }

    /// Successes in a row until the service is serving again, at least 1. 1.
    pub fn success_threshold(self, successes: u32) -> Self {
        Self { success_threshold: successes.max(1), ..self }
    }

    /// The part by which an interval is longer or shorter by chance, from 0 to 1, so that many servers do not
    /// ask at one moment. 0.1.
    pub fn jitter(self, jitter: f64) -> Self {
        Self { jitter: jitter.clamp(0.0, 1.0), ..self }
    }

    /// Begins. The state of the service stays as it is when the check is dropped.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn spawn(self) -> PeriodicCheck {
        self.services.iter().for_each(|service| self.reporter.set_not_serving(service));
        PeriodicCheck { task: tokio::spawn(self.run()) }
    }

    async fn run(mut self) {
        let mut is_serving = None;
        // Outcomes in a row that contradict the state.
        let mut contradictions = 0;
        loop {
            let begun = Instant::now();
            let failure = once((self.check)(), self.timeout).await;
            let threshold = match is_serving {
                None => 1,
                Some(true) => self.failure_threshold,
                Some(false) => self.success_threshold,
            };
            if is_serving == Some(failure.is_none()) {
                contradictions = 0;
            } else {
                contradictions += 1;
            }
            if contradictions >= threshold {
                contradictions = 0;
                is_serving = Some(failure.is_none());
                match failure {
                    None => tracing::info!(services = ?self.services, "the check succeeds: serving"),
                    Some(why) => {
                        tracing::warn!(services = ?self.services, why, "the check fails: not serving")
                    }
                }
            }
            // Each time, as others may have said something else, or all was resumed.
            let status = match is_serving {
                Some(true) => ServingStatus::Serving,
                _ => ServingStatus::NotServing,
            };
            self.services.iter().for_each(|service| self.reporter.set(service, status));
            let by_chance = 1.0 + (fastrand::f64() * 2.0 - 1.0) * self.jitter;
            let next = begun + self.interval.mul_f64(by_chance);
            sleep_until(next.max(Instant::now() + self.interval / 10)).await;
        }
    }
}

/// One check, in a task of its own: a panic is a failure.
async fn once(check: impl Future<Output: CheckOutcome> + Send + 'static, limit: Duration) -> Option<String> {
    // Dropped, it ends what is in it.
    let mut task = JoinSet::new();
    task.spawn(check);
    match timeout(limit, task.join_next()).await {
        Ok(Some(Ok(outcome))) => outcome.failure(),
        Ok(_) => Some("the check panicked".to_owned()),
        Err(_) => Some(format!("no outcome within {limit:?}")),
    }
}

/// A check that goes on for as long as this is kept.
#[derive(Debug)]
#[must_use = "the check ends when this is dropped"]
pub struct PeriodicCheck {
    task: JoinHandle<()>,
}

impl Drop for PeriodicCheck {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::{Arc, Mutex};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// The states behind each of the checks, which give these outcomes.
    async fn states<O: CheckOutcome>(
        outcomes: impl IntoIterator<Item = O>,
        change: impl FnOnce(HealthCheck<Box<dyn FnMut() -> BoxFuture<O> + Send>>) -> PeriodicCheck,
    ) -> Vec<&'static str> {
        let health = HealthReporter::new();
        let outcomes: VecDeque<O> = outcomes.into_iter().collect();
        let count = outcomes.len();
        let outcomes = Arc::new(Mutex::new(outcomes));
        let check: Box<dyn FnMut() -> BoxFuture<O> + Send> = Box::new(move || {
            let outcome = outcomes.lock().unwrap().pop_front();
            Box::pin(async move { outcome.expect("no more checks than outcomes") })
        });
        let _check = change(health.check_every("db", SECOND, check).jitter(0.0));
        let mut states = Vec::new();
        for _ in 0..count {
            tokio::time::sleep(SECOND / 2).await;
            states.push(health.status("db").unwrap().name());
            tokio::time::sleep(SECOND / 2).await;
        }
        states
    }

    type BoxFuture<O> = std::pin::Pin<Box<dyn Future<Output = O> + Send>>;

    #[tokio::test(start_paused = true)]
    async fn states_change_behind_as_many_outcomes_in_a_row_as_the_thresholds_say() {
        let (yes, no) = ("SERVING", "NOT_SERVING");
        let outcomes = [true, false, false, true, false, false, false, true, true, false];
        assert_eq!(
            states(outcomes, HealthCheck::spawn).await,
            [yes, yes, yes, yes, yes, yes, no, yes, yes, yes]
        );
        let thresholds = |check: HealthCheck<_>| check.failure_threshold(1).success_threshold(2).spawn();
        assert_eq!(states(outcomes, thresholds).await, [yes, no, no, no, no, no, no, no, yes, no]);
        // The first one counts.
        let results = [Err("down"), Ok(()), Ok(())];
        assert_eq!(states(results, HealthCheck::spawn).await, [no, yes, yes]);
        assert_eq!(states([Ok::<_, String>(false), Ok(true)], HealthCheck::spawn).await, [no, yes]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_check_that_takes_too_long_or_panics_has_failed() {
        let health = HealthReporter::new();
        let slow = health.check_every("slow", SECOND, || async {
            tokio::time::sleep(SECOND / 2).await;
            true
        });
        let _slow = slow.timeout(SECOND / 4).spawn();
        let mut is_first = true;
        let _panics = health
            .check_every("panics", SECOND, move || {
                let panics = !std::mem::take(&mut is_first);
                async move {
                    assert!(!panics, "as the test wants");
                    true
                }
            })
            .failure_threshold(1)
            .spawn();
        tokio::time::sleep(SECOND / 2).await;
        assert_eq!(health.status("panics"), Some(ServingStatus::Serving));
        tokio::time::sleep(SECOND).await;
        assert_eq!(health.status("slow"), Some(ServingStatus::NotServing));
        assert_eq!(health.status("panics"), Some(ServingStatus::NotServing));
    }

    #[tokio::test(start_paused = true)]
    async fn one_check_is_for_all_services_that_need_what_it_checks() {
        let health = HealthReporter::new();
        let mut outcomes = [true, false].into_iter().cycle();
        let check = health.check_every("db", SECOND, move || {
            let outcome = outcomes.next();
            async move { outcome == Some(true) }
        });
        let _check = check.also(["shop.v1.Shop", ""]).failure_threshold(1).jitter(0.0).spawn();
        for want in [ServingStatus::NotServing, ServingStatus::Serving, ServingStatus::NotServing] {
            let states = ["db", "shop.v1.Shop", ""].map(|service| health.status(service));
            assert_eq!(states, [Some(want); 3]);
            tokio::time::sleep(if want == ServingStatus::NotServing { SECOND / 2 } else { SECOND }).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_check_ends_when_it_is_dropped() {
        let health = HealthReporter::new();
        let counted = Arc::new(());
        let check = health.check_every("db", SECOND, {
            let counted = Arc::clone(&counted);
            move || {
                let counted = Arc::clone(&counted);
                async move {
                    let _counted = counted;
                    std::future::pending::<bool>().await
                }
            }
        });
        let check = check.spawn();
        tokio::time::sleep(SECOND / 2).await;
        assert_eq!(Arc::strong_count(&counted), 3);
        drop(check);
        tokio::time::sleep(SECOND).await;
        assert_eq!(Arc::strong_count(&counted), 1);
        assert_eq!(health.status("db"), Some(ServingStatus::NotServing));
    }
}
