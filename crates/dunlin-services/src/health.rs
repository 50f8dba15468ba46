//! Health checking (`grpc.health.v1`): which services of a server can be used.
//!
//! A server tells the state of services by their names, where the empty name means all of it. The program
//! says what the states are, by a [`HealthReporter`]; who asks is told at once (`Check`, `List`) or whenever
//! something changes (`Watch`).
//!
//! A server that ends says so first: everything becomes [`ServingStatus::NotServing`] before connections are
//! refused, and with [`shutdown_delay`](dunlin_server::Builder::shutdown_delay) those who ask have time to
//! notice.

#[cfg(feature = "server")]
mod check;
#[cfg(feature = "client")]
mod client;
#[cfg(feature = "server")]
mod reporter;
#[cfg(feature = "server")]
mod service;

use std::fmt;

#[cfg(any(feature = "client", feature = "server"))]
use dunlin_proto::grpc::health::v1::health_check_response::ServingStatus as Wire;

#[cfg(feature = "server")]
pub use check::{CheckOutcome, HealthCheck, PeriodicCheck};
#[cfg(feature = "client")]
pub use client::{HealthClient, HealthWatch};
#[cfg(feature = "server")]
pub use reporter::{HealthBuilder, HealthReporter};
#[cfg(feature = "server")]
pub use service::HealthService;

/// The full name of the service.
pub const NAME: &str = "grpc.health.v1.Health";

/// The state of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ServingStatus {
    /// Nobody can say.
    Unknown,
    /// It can be used.
    Serving,
    /// It is there, and can not be used.
    NotServing,
    /// The server does not have it. It may come.
    ServiceUnknown,
}

impl ServingStatus {
    /// Whether it can be used.
    pub fn is_serving(self) -> bool {
        self == Self::Serving
    }

    /// The name in the schema, such as `NOT_SERVING`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "UNKNOWN",
            Self::Serving => "SERVING",
            Self::NotServing => "NOT_SERVING",
            Self::ServiceUnknown => "SERVICE_UNKNOWN",
        }
    }

    #[cfg(feature = "client")]
    fn from_wire(wire: Wire) -> Self {
        match wire {
            Wire::SERVING => Self::Serving,
            Wire::NOT_SERVING => Self::NotServing,
            Wire::SERVICE_UNKNOWN => Self::ServiceUnknown,
            // Also what later versions may have.
            _ => Self::Unknown,
        }
    }

    #[cfg(feature = "server")]
    fn to_wire(self) -> Wire {
        match self {
            Self::Unknown => Wire::UNKNOWN,
            Self::Serving => Wire::SERVING,
            Self::NotServing => Wire::NOT_SERVING,
            Self::ServiceUnknown => Wire::SERVICE_UNKNOWN,
        }
    }
}

impl fmt::Display for ServingStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
