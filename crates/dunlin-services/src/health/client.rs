//! Asking servers how their services are.

use std::collections::BTreeMap;
use std::time::Duration;

use dunlin_client::{Backoff, Client};
use dunlin_grpc::{Code, Receiver, Status};
use dunlin_proto::grpc::health::v1::{HealthCheckRequest, HealthCheckResponse, HealthListRequest};
use tokio::time::{Instant, sleep_until};

use super::ServingStatus;
use crate::generated_client::grpc::health::v1::HealthClient as Calls;

/// Asks a server how its services are; the empty name means the server itself. Cheap to clone.
///
/// ```no_run
/// use dunlin_client::Channel;
/// use dunlin_services::HealthClient;
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let health = HealthClient::new(Channel::builder("localhost:50051").connect_lazy()?);
/// println!("{}", health.check("shop.v1.Shop").await?);
/// let mut states = health.watch("shop.v1.Shop");
/// loop {
///     println!("{}", states.next().await?);
/// }
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct HealthClient {
    calls: Calls,
    timeout: Duration,
    backoff: Backoff,
}

impl HealthClient {
    /// Asks the server of this channel.
    pub fn new(channel: impl Into<Client>) -> Self {
        Self { calls: Calls::new(channel), timeout: Duration::from_secs(5), backoff: Backoff::default() }
    }

    /// The time that [`check`](Self::check) and [`list`](Self::list) get. 5 s.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// The waits before [`watch`](Self::watch) tries again.
    #[must_use]
    pub fn backoff(self, backoff: Backoff) -> Self {
        Self { backoff, ..self }
    }

    /// The state of a service.
    ///
    /// # Errors
    /// NOT_FOUND for a service that the server does not know, UNIMPLEMENTED for a server that does not tell
    /// its health, and all that calls can end with. A service that does not answer in time is to be taken as
    /// one that does not serve.
    pub async fn check(&self, service: &str) -> Result<ServingStatus, Status> {
        let response = self.calls.check(request(service)).timeout(self.timeout).await?;
        Ok(ServingStatus::from_wire(response.status))
    }

    /// Whether the service is serving; not so if that could not be learned.
    pub async fn is_serving(&self, service: &str) -> bool {
        self.check(service).await.is_ok_and(ServingStatus::is_serving)
    }

    /// The states of all services, which need not be those of one moment.
    ///
    /// # Errors
    /// UNIMPLEMENTED for a server that is older than this method, RESOURCE_EXHAUSTED if there are too many
    /// services, and all that calls can end with.
    pub async fn list(&self) -> Result<BTreeMap<String, ServingStatus>, Status> {
        let response = self.calls.list(HealthListRequest::default()).timeout(self.timeout).await?;
        let statuses = response.statuses.into_iter();
        Ok(statuses.map(|(name, response)| (name, ServingStatus::from_wire(response.status))).collect())
    }

    /// The state of a service, and every change of it.
    pub fn watch(&self, service: impl Into<String>) -> HealthWatch {
        HealthWatch {
            client: self.clone(),
            service: service.into(),
            progress: Progress::Waiting(Instant::now()),
            failures: 0,
            last: None,
        }
    }
}

fn request(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.to_owned(), ..Default::default() }
}

/// The states of a service, one after the other; see [`HealthClient::watch`].
///
/// It outlives servers: when a call ends, however it ends, the state is [`ServingStatus::Unknown`] until
/// another one, after a wait, has told it.
#[derive(Debug)]
#[must_use = "nothing is asked until `next`"]
pub struct HealthWatch {
    client: HealthClient,
    service: String,
    progress: Progress,
    /// Calls in a row that told nothing.
    failures: u32,
    last: Option<ServingStatus>,
}

#[derive(Debug)]
enum Progress {
    /// The next call begins at this time.
    Waiting(Instant),
    Watching(Receiver<HealthCheckResponse>),
    /// The server does not tell.
    GivenUp(Status),
}

impl HealthWatch {
    /// The next state; the same does not come twice in a row.
    ///
    /// # Errors
    /// UNIMPLEMENTED, now and for ever: the server does not tell its health. All other ends of calls are
    /// tried again.
    ///
    /// # Cancel safety
    /// No state is lost when the future is dropped.
    pub async fn next(&mut self) -> Result<ServingStatus, Status> {
        loop {
            let status = match &mut self.progress {
                Progress::GivenUp(status) => return Err(status.clone()),
                Progress::Waiting(until) => {
                    sleep_until(*until).await;
                    let call = self.client.calls.watch(request(&self.service)).wait_for_ready(true);
                    match call.await {
                        Ok(receiver) => {
                            self.progress = Progress::Watching(receiver);
                            continue;
                        }
                        Err(status) => self.ended(status),
                    }
                }
                Progress::Watching(receiver) => match receiver.next().await {
                    Ok(Some(response)) => {
                        self.failures = 0;
                        ServingStatus::from_wire(response.status)
                    }
                    Ok(None) => self.ended(Status::unavailable("the server has ended the call")),
                    Err(status) => self.ended(status),
                },
            };
            if matches!(self.progress, Progress::GivenUp(_)) || self.last == Some(status) {
                continue;
            }
            self.last = Some(status);
            return Ok(status);
        }
    }

    /// A call has ended; what is known of the service now.
    fn ended(&mut self, status: Status) -> ServingStatus {
        self.progress = if status.code() == Code::Unimplemented {
            Progress::GivenUp(status)
        } else {
            tracing::debug!(service = self.service, %status, "watching the health has ended");
            // A server that tells something and ends the call at once is not asked without a pause either.
            self.failures = self.failures.saturating_add(1);
            Progress::Waiting(Instant::now() + self.client.backoff.after(self.failures))
        };
        ServingStatus::Unknown
    }
}
