//! What a program says of its services.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use dunlin_grpc::Status;
use tokio::sync::watch;

use super::check::{CheckOutcome, HealthCheck};
use super::{HealthService, ServingStatus};
use crate::shown;

/// Says how the services of a server are. Cheap to clone; all clones say it of the same services.
///
/// The server itself, whose name is empty, is registered and serving from the beginning.
///
/// ```
/// use dunlin_server::Server;
/// use dunlin_services::{HealthReporter, ServingStatus};
///
/// let health = HealthReporter::new();
/// let server = Server::builder().add_service(health.service()).build()?;
/// health.set_serving("shop.v1.Shop");
/// assert_eq!(health.status("shop.v1.Shop"), Some(ServingStatus::Serving));
/// # Ok::<(), dunlin_server::BuildError>(())
/// ```
#[derive(Clone, Debug)]
pub struct HealthReporter {
    pub(super) shared: Arc<Shared>,
}

impl Default for HealthReporter {
    fn default() -> Self {
        Self::new()
    }
}

#[derive(Debug)]
pub(super) struct Shared {
    limits: HealthBuilder,
    state: Mutex<State>,
    /// Whether calls that watch are to end.
    pub(super) is_draining: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct State {
    /// Those that are registered, and those that are only watched, which are unknown.
    services: BTreeMap<String, watch::Sender<ServingStatus>>,
    watchers: usize,
    is_shut_down: bool,
}

impl State {
    fn set(&mut self, service: &str, status: ServingStatus) {
        match self.services.get(service) {
            Some(known) => {
                known.send_if_modified(|now| std::mem::replace(now, status) != status);
            }
            None => drop(self.services.insert(service.to_owned(), watch::Sender::new(status))),
        }
    }

    fn set_all(&mut self, status: ServingStatus) {
        for known in self.services.values() {
            known.send_if_modified(|now| {
                *now != ServingStatus::ServiceUnknown && std::mem::replace(now, status) != status
            });
        }
    }

    fn forget_if_unused(&mut self, service: &str) {
        let is_unused = |known: &watch::Sender<ServingStatus>| {
            known.receiver_count() == 0 && *known.borrow() == ServingStatus::ServiceUnknown
        };
        if self.services.get(service).is_some_and(is_unused) {
            self.services.remove(service);
        }
    }
}

/// The limits of a [`HealthReporter`].
#[derive(Clone, Debug)]
#[must_use]
pub struct HealthBuilder {
    max_watchers: usize,
    max_listed: usize,
    max_name_len: usize,
}

impl Default for HealthBuilder {
    fn default() -> Self {
        Self { max_watchers: 1024, max_listed: 100, max_name_len: 1024 }
    }
}

impl HealthBuilder {
    /// Calls of `Watch` at a time, over all connections. 1,024. More end with RESOURCE_EXHAUSTED.
    pub fn max_watchers(self, watchers: usize) -> Self {
        Self { max_watchers: watchers, ..self }
    }

    /// Services that `List` tells. 100. If there are more, it ends with RESOURCE_EXHAUSTED.
    pub fn max_listed(self, services: usize) -> Self {
        Self { max_listed: services, ..self }
    }

    /// Bytes of a name that is watched. 1,024. A longer one ends with INVALID_ARGUMENT.
    pub fn max_name_len(self, bytes: usize) -> Self {
        Self { max_name_len: bytes, ..self }
    }

    /// The reporter.
    pub fn build(self) -> HealthReporter {
        let mut state = State::default();
        state.set("", ServingStatus::Serving);
        let shared =
            Shared { limits: self, state: Mutex::new(state), is_draining: watch::Sender::new(false) };
        HealthReporter { shared: Arc::new(shared) }
    }
}

impl HealthReporter {
    /// Nothing is registered but the server itself, which is serving.
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// With other limits.
    pub fn builder() -> HealthBuilder {
        HealthBuilder::default()
    }

    /// The service, to be added to a server. When that server ends, this reporter is
    /// [shut down](Self::shutdown).
    ///
    /// Several servers may have it. A server that does not have it can shut the reporter down too, by
    /// [`on_shutdown`](dunlin_server::Builder::on_shutdown).
    pub fn service(&self) -> HealthService {
        HealthService::new(self.clone())
    }

    /// The service can be used.
    pub fn set_serving(&self, service: impl AsRef<str>) {
        self.set(service, ServingStatus::Serving);
    }

    /// The service can not be used.
    pub fn set_not_serving(&self, service: impl AsRef<str>) {
        self.set(service, ServingStatus::NotServing);
    }

    /// Sets the state of a service, and registers it; [`ServingStatus::ServiceUnknown`] removes it.
    ///
    /// Nothing is changed after [`shutdown`](Self::shutdown).
    pub fn set(&self, service: impl AsRef<str>, status: ServingStatus) {
        if status == ServingStatus::ServiceUnknown {
            return self.remove(service);
        }
        let mut state = self.shared.state();
        if !state.is_shut_down {
            state.set(service.as_ref(), status);
        }
    }

    /// The service is not here any longer.
    ///
    /// Nothing is changed after [`shutdown`](Self::shutdown).
    pub fn remove(&self, service: impl AsRef<str>) {
        let mut state = self.shared.state();
        if !state.is_shut_down && state.services.contains_key(service.as_ref()) {
            state.set(service.as_ref(), ServingStatus::ServiceUnknown);
            state.forget_if_unused(service.as_ref());
        }
    }

    /// The state of a service, if it is registered.
    pub fn status(&self, service: impl AsRef<str>) -> Option<ServingStatus> {
        let state = self.shared.state();
        let status = *state.services.get(service.as_ref())?.borrow();
        (status != ServingStatus::ServiceUnknown).then_some(status)
    }

    /// All services become [`ServingStatus::NotServing`] and stay so, whatever else is said, until
    /// [`resume`](Self::resume).
    pub fn shutdown(&self) {
        let mut state = self.shared.state();
        state.is_shut_down = true;
        state.set_all(ServingStatus::NotServing);
    }

    /// All services become [`ServingStatus::Serving`], and may be changed again.
    pub fn resume(&self) {
        let mut state = self.shared.state();
        state.is_shut_down = false;
        self.shared.is_draining.send_replace(false);
        state.set_all(ServingStatus::Serving);
    }

    /// Checks something that a service needs, over and over, and sets the service's state by it: a database,
    /// a disk, another server.
    ///
    /// It begins with [`HealthCheck::spawn`]. `check` gives a `bool` or a `Result`, whose error goes to the
    /// log.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use dunlin_services::HealthReporter;
    ///
    /// # struct Database;
    /// # impl Database { async fn ping(&self) -> Result<(), std::io::Error> { Ok(()) } }
    /// # async fn run(database: std::sync::Arc<Database>) {
    /// let health = HealthReporter::new();
    /// let _check = health
    ///     .check_every("shop.v1.Shop", Duration::from_secs(5), move || {
    ///         let database = database.clone();
    ///         async move { database.ping().await }
    ///     })
    ///     .timeout(Duration::from_secs(1))
    ///     .spawn();
    /// # }
    /// ```
    pub fn check_every<F, Fut>(
        &self,
        service: impl Into<String>,
        interval: Duration,
        check: F,
    ) -> HealthCheck<F>
    where
        F: FnMut() -> Fut + Send + 'static,
        Fut: Future<Output: CheckOutcome> + Send + 'static,
    {
        HealthCheck::new(self.clone(), service.into(), interval, check)
    }
}

impl Shared {
    /// A poisoned lock is harmless: nothing that can panic leaves the state in between.
    fn state(&self) -> MutexGuard<'_, State> {
        match self.state.lock() {
            Ok(state) => state,
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    /// The states of all that is registered.
    pub(super) fn list(&self) -> Result<Vec<(String, ServingStatus)>, Status> {
        let state = self.state();
        let registered = state.services.iter().map(|(name, known)| (name, *known.borrow()));
        let mut registered = registered.filter(|(_, status)| *status != ServingStatus::ServiceUnknown);
        let limit = self.limits.max_listed;
        let listed: Vec<_> =
            registered.by_ref().take(limit).map(|(name, status)| (name.clone(), status)).collect();
        match registered.next() {
            None => Ok(listed),
            Some(_) => Err(Status::resource_exhausted(format!(
                "more than {limit} services are registered, which is the limit of a list (`max_listed`)"
            ))),
        }
    }

    /// Begins to watch a service.
    pub(super) fn watch(self: &Arc<Self>, service: String) -> Result<Watcher, Status> {
        let limits = &self.limits;
        if service.len() > limits.max_name_len {
            return Err(Status::invalid_argument(format!(
                "a service name of {} bytes is longer than {} (`max_name_len`): {}",
                service.len(),
                limits.max_name_len,
                shown(&service),
            )));
        }
        let mut state = self.state();
        if state.watchers >= limits.max_watchers {
            return Err(Status::resource_exhausted(format!(
                "{} calls watch services already, which is the limit (`max_watchers`)",
                state.watchers
            )));
        }
        state.watchers += 1;
        let unknown = || watch::Sender::new(ServingStatus::ServiceUnknown);
        let statuses = state.services.entry(service.clone()).or_insert_with(unknown).subscribe();
        Ok(Watcher { shared: Arc::clone(self), service, statuses: Some(statuses) })
    }
}

/// One who watches a service.
#[derive(Debug)]
pub(super) struct Watcher {
    shared: Arc<Shared>,
    service: String,
    /// Gone only while this is dropped.
    statuses: Option<watch::Receiver<ServingStatus>>,
}

impl Watcher {
    /// The state now; only a later one is a change.
    pub(super) fn status(&mut self) -> ServingStatus {
        let statuses = self.statuses.as_mut();
        statuses.map_or(ServingStatus::ServiceUnknown, |statuses| *statuses.borrow_and_update())
    }

    /// Waits for a change.
    pub(super) async fn changed(&mut self) {
        if let Some(statuses) = &mut self.statuses {
            // The sender stays for as long as this is here.
            let _ = statuses.changed().await;
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.statuses = None;
        let mut state = self.shared.state();
        state.watchers -= 1;
        state.forget_if_unused(&self.service);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_itself_serves_from_the_beginning() {
        let health = HealthReporter::new();
        assert_eq!(health.status(""), Some(ServingStatus::Serving));
        assert_eq!(health.status("a"), None);
    }

    #[test]
    fn nothing_changes_between_shutdown_and_resume() {
        let health = HealthReporter::new();
        health.set("a", ServingStatus::Unknown);
        health.shutdown();
        health.set_serving("a");
        health.set_serving("b");
        health.remove("");
        let status = |name| health.status(name);
        assert_eq!(
            [status("a"), status("b"), status("")],
            [Some(ServingStatus::NotServing), None, Some(ServingStatus::NotServing)]
        );
        health.resume();
        assert_eq!([status("a"), status("")], [Some(ServingStatus::Serving); 2]);
        health.set("a", ServingStatus::ServiceUnknown);
        assert_eq!(status("a"), None);
    }

    #[test]
    fn what_is_only_watched_is_neither_listed_nor_kept() {
        let health = HealthReporter::builder().max_watchers(2).max_name_len(3).build();
        let mut one = health.shared.watch("a".into()).unwrap();
        let two = health.shared.watch("a".into()).unwrap();
        assert_eq!(one.status(), ServingStatus::ServiceUnknown);
        assert_eq!(health.shared.list().unwrap(), [(String::new(), ServingStatus::Serving)]);
        // Nobody else comes to watch, and no name without end.
        let error = health.shared.watch(String::new()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "RESOURCE_EXHAUSTED: 2 calls watch services already, which is the limit (`max_watchers`)"
        );
        drop(two);
        let error = health.shared.watch("long".into()).unwrap_err();
        assert!(error.message().contains("longer than 3 (`max_name_len`): long"), "{error}");
        health.shutdown();
        assert_eq!(one.status(), ServingStatus::ServiceUnknown);
        drop(one);
        assert_eq!(health.shared.state().services.len(), 1);
    }

    #[tokio::test]
    async fn who_looks_away_for_many_changes_sees_the_last_one_only() {
        let health = HealthReporter::new();
        let mut watcher = health.shared.watch(String::new()).unwrap();
        assert_eq!(watcher.status(), ServingStatus::Serving);
        for _ in 0..1000 {
            health.set_not_serving("");
            health.remove("");
        }
        health.set("", ServingStatus::Unknown);
        watcher.changed().await;
        assert_eq!(watcher.status(), ServingStatus::Unknown);
        // The same again is no change.
        health.set("", ServingStatus::Unknown);
        tokio::select! {
            biased;
            () = watcher.changed() => panic!("nothing has changed"),
            () = std::future::ready(()) => {}
        }
    }

    #[test]
    fn a_list_has_a_limit_that_its_error_names() {
        let health = HealthReporter::builder().max_listed(3).build();
        health.set_serving("a");
        health.set_not_serving("b");
        assert_eq!(health.shared.list().unwrap().len(), 3);
        health.set_serving("c");
        let error = health.shared.list().unwrap_err();
        assert_eq!(
            error.to_string(),
            "RESOURCE_EXHAUSTED: more than 3 services are registered, which is the limit of a list (`max_listed`)"
        );
    }
}
