//! Metrics and traces of gRPC calls, for servers and clients.
//!
//! [`Metrics`] is an interceptor that counts and times calls, by the names of gRPC itself, of OpenTelemetry or
//! of the dashboards for Prometheus ([`Naming`]).
//!
//! [`Tracing`] makes each call a span, and passes traces on from clients to servers ([`TraceContext`]).
//!
//! The features `prometheus` and `opentelemetry` (neither by default) hand what was found to the crates of
//! those names.

#[cfg(feature = "opentelemetry")]
mod bridge;
mod connections;
mod context;
mod instrument;
mod labels;
#[cfg(feature = "opentelemetry")]
mod meter;
mod metrics;
mod naming;
#[cfg(feature = "prometheus")]
mod prometheus;
mod reading;
mod series;
mod spans;
mod table;

pub use context::{InTrace, TraceContext};
pub use instrument::Kind;
pub use labels::{Label, LabelValue};
pub use metrics::{Metrics, MetricsBuilder};
pub use naming::{Conventions, Naming, STATUS_CODE};
pub use reading::{Point, Reading, Value};
pub use spans::Tracing;
