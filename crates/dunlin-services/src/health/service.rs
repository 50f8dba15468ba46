//! The service that tells the states.

use dunlin_grpc::{Sender, Status};
use dunlin_proto::grpc::health::v1::{
    HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse,
};
use dunlin_server::{Methods, ServerContext, Service, ShutdownPhase};

use super::{HealthReporter, ServingStatus};
use crate::generated_server::grpc::health::v1::{Health, HealthServer};
use crate::shown;

/// The health service of a [`HealthReporter`]: `Check`, `List` and `Watch`.
///
/// Whoever watches is told no state twice in a row. One who reads so slowly that the buffers of its stream are
/// full is told the newest state only, once there is room. When the server stops to take calls, such a call
/// ends with UNAVAILABLE: it would keep the server from its end.
#[derive(Clone, Debug)]
#[must_use = "a service does nothing until it is added to a server"]
pub struct HealthService {
    reporter: HealthReporter,
}

impl HealthService {
    pub(super) fn new(reporter: HealthReporter) -> Self {
        Self { reporter }
    }
}

impl Service for HealthService {
    fn name(&self) -> &'static str {
        super::NAME
    }

    fn register(self, methods: &mut Methods) {
        let reporter = self.reporter.clone();
        methods.on_shutdown(move |phase| match phase {
            ShutdownPhase::Leaving => reporter.shutdown(),
            _ => drop(reporter.shared.is_draining.send_replace(true)),
        });
        HealthServer::new(self).register(methods);
    }
}

fn response(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.to_wire(), ..Default::default() }
}

impl Health for HealthService {
    async fn check(
        &self,
        _: &mut ServerContext,
        request: HealthCheckRequest,
    ) -> Result<HealthCheckResponse, Status> {
        match self.reporter.status(&request.service) {
            Some(status) => Ok(response(status)),
            None => Err(Status::not_found(format!("unknown service {}", shown(&request.service)))),
        }
    }

    async fn list(&self, _: &mut ServerContext, _: HealthListRequest) -> Result<HealthListResponse, Status> {
        let listed = self.reporter.shared.list()?;
        let statuses = listed.into_iter().map(|(name, status)| (name, response(status))).collect();
        Ok(HealthListResponse { statuses, ..Default::default() })
    }

    async fn watch(
        &self,
        _: &mut ServerContext,
        request: HealthCheckRequest,
        mut out: Sender<HealthCheckResponse>,
    ) -> Result<(), Status> {
        let shared = &self.reporter.shared;
        let mut watcher = shared.watch(request.service)?;
        let mut is_draining = shared.is_draining.subscribe();
        let mut last = None;
        loop {
            let status = watcher.status();
            if last != Some(status) {
                out.send(response(status)).await?;
                last = Some(status);
                // It may have changed while there was no room.
                continue;
            }
            if *is_draining.borrow_and_update() {
                return Err(Status::unavailable("the server is shutting down"));
            }
            tokio::select! {
                biased;
                () = watcher.changed() => {}
                // The sender is in `shared`, so this fails never.
                _ = is_draining.changed() => {}
            }
        }
    }
}
