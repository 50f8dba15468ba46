//! Metrics and traces of gRPC calls, for servers and clients.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use dunlin_client::Channel;
//! use dunlin_server::Server;
//! use dunlin_telemetry::{Metrics, Naming, Tracing};
//!
//! let metrics = Metrics::new(Naming::Grpc);
//! let server = Server::builder().interceptor(Tracing::new()).interceptor(metrics.clone()).build()?;
//! let channel = Channel::builder("shop:50051").interceptor(Tracing::new()).interceptor(metrics.clone());
//! for reading in metrics.read() {
//!     println!("{}: {} series", reading.name, reading.series.len());
//! }
//! # drop((server, channel));
//! # Ok(())
//! # }
//! ```
//!
//! [`Metrics`] is an interceptor that counts and times calls, by the names of gRPC itself, of OpenTelemetry or
//! of the dashboards for Prometheus ([`Naming`]).
//!
//! [`Tracing`] makes each call a span, and passes traces on from clients to servers ([`TraceContext`]).
//!
//! The features `prometheus` and `opentelemetry` (neither by default) hand what was found to the crates of
//! those names. It serves no metrics over HTTP, exports nothing itself, and knows neither the server nor the client:
//! what it has of calls it has as an interceptor.
//!
//! A client's call has one attempt here, also if it was begun again because no server had looked at it.

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
