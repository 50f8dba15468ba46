//! gRPC and Protocol Buffers for Rust: what a program needs, under one name.
//!
//! Generated code uses the runtime by this crate ([`protobuf`]), so that a program depends on
//! `dunlin` alone, and on `dunlin-build` in its build script:
//!
//! ```ignore
//! // build.rs
//! fn main() {
//!     dunlin_build::compile("proto/shop.proto");
//! }
//! ```
//!
//! ```
//! use dunlin::protobuf::wkt::Timestamp;
//! use dunlin::protobuf::{Message, json};
//!
//! let time = Timestamp { seconds: 42, ..Default::default() };
//! assert_eq!(Timestamp::decode(&time.encode_to_vec())?, time);
//! assert_eq!(json::to_string(&time)?, r#""1970-01-01T00:00:42Z""#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Services and clients are generated too; see [`server`] and [`client`]. What both share, such as
//! [`Status`] and [`Metadata`], is here and in [`grpc`]. Health and reflection are in [`services`].
//!
//! # A server with all that stands around it
//!
//! ```no_run
//! # #[cfg(all(feature = "services", feature = "interceptors", feature = "tls"))]
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//!
//! use dunlin::Server;
//! use dunlin::interceptors::{Deadlines, Logging, Recovery, RequestId};
//! use dunlin::server::ServerTls;
//! use dunlin::server::tls::Identity;
//! use dunlin::services::{HealthReporter, Reflection};
//!
//! let health = HealthReporter::new();
//! Server::builder()
//!     // From the outermost to the innermost.
//!     .interceptor(RequestId::new())
//!     .interceptor(Logging::new())
//!     .interceptor(Recovery::new())
//!     .interceptor(Deadlines::new().default_timeout(Duration::from_secs(30)).unary_only())
//!     // .add_service(ShopServiceServer::new(Shop))
//!     .add_service(health.service())
//!     .add_service(Reflection::new())
//!     .tls(ServerTls::builder().identity(Identity::from_pem_files("server.pem", "server.key")).build()?)
//!     .shutdown_grace(Duration::from_secs(30))
//!     .serve("0.0.0.0:50051") // until SIGTERM or Ctrl-C, and until calls have ended
//!     .await?;
//! # Ok(())
//! # }
//! ```
//!
//! # A channel to it
//!
//! ```no_run
//! # #[cfg(all(feature = "client", feature = "tls"))]
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//!
//! use dunlin::client::tls::TrustRoots;
//! use dunlin::client::{ClientTls, Keepalive};
//! use dunlin::{CallOptions, Channel, Client};
//!
//! let channel = Channel::builder("dns:///shop.example:50051")
//!     // The roots of the system, if none are given.
//!     .tls(ClientTls::builder().roots(TrustRoots::from_pem_file("ca.pem")).build()?)
//!     .keepalive(Keepalive::every(Duration::from_secs(300)))
//!     .connect_lazy()?;
//! let options = CallOptions::new().timeout(Duration::from_secs(5)).metadata("authorization", "Bearer …");
//! let client = Client::new(channel.clone()).with_options(options);
//! // let product = ShopServiceClient::new(client).get_product(request).await?;
//! channel.close().await; // at the end: calls are over, and the server sees an orderly end
//! # drop(client);
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! A program that has messages only takes the crate with `default-features = false, features = ["std"]`.
//! The features `std` (on by default), `chrono`, `jiff`, `serde` and `serde_json` are those of
//! [`protobuf`]; `server`, `client`, `services`, `tls`, `gzip` and `interceptors` (what services need around their
//! calls: [`interceptors`]) are on by default. `zstd` is not, nor are `jwt`, by which bearer tokens are JWTs,
//! `proto`, by which a client compiles its schema itself ([`client::dynamic`]), and `telemetry`: metrics and
//! traces of calls, which `prometheus` and `opentelemetry` hand to the crates that they are named after;
//! `protovalidate` has messages validated by the rules in their schemas (`validate`).
//! Off are also `blocking`, for calls from plain threads, and `testing`, for tests of programs: servers within the
//! process, mocks, recorded calls, faults.
#![no_std]

#[cfg(feature = "client")]
pub use dunlin_client as client;
#[cfg(feature = "blocking")]
pub use dunlin_client::blocking;
#[cfg(any(feature = "client", feature = "server", feature = "telemetry"))]
pub use dunlin_grpc as grpc;
#[cfg(feature = "interceptors")]
pub use dunlin_interceptors as interceptors;
#[cfg(any(feature = "client", feature = "server"))]
pub use dunlin_proto as proto;
pub use dunlin_protobuf as protobuf;
#[cfg(feature = "server")]
pub use dunlin_server as server;
#[cfg(feature = "services")]
pub use dunlin_services as services;
#[cfg(feature = "testing")]
pub use dunlin_testing as testing;
#[cfg(feature = "protovalidate")]
pub use dunlin_validate as validate;

/// Metrics and traces of calls, for servers and clients.
///
/// ```
/// # #[cfg(all(feature = "server", feature = "client", feature = "prometheus"))]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use dunlin::telemetry::{Metrics, Naming, Tracing};
/// use dunlin::{Channel, Server};
///
/// let metrics = Metrics::new(Naming::Prometheus);
/// let mut registry = prometheus_client::registry::Registry::default();
/// registry.register_collector(Box::new(metrics.clone()));
///
/// let server = Server::builder().interceptor(Tracing::new()).interceptor(metrics.clone());
/// let server = server.connection_observer(metrics.clone()); // .add_service(…).serve(…)
/// let channel = Channel::builder("shop:50051").interceptor(Tracing::new()).interceptor(metrics);
/// # drop((server, channel));
/// # Ok(())
/// # }
/// # #[cfg(not(all(feature = "server", feature = "client", feature = "prometheus")))]
/// # fn main() {}
/// ```
#[cfg(feature = "telemetry")]
pub mod telemetry {
    pub use dunlin_telemetry::*;
}

#[cfg(feature = "client")]
pub use dunlin_client::{CallOptions, Channel, Client};
#[cfg(any(feature = "client", feature = "server"))]
pub use dunlin_grpc::intercept::{self, CallContext, CallView, Interceptor, Next};
#[cfg(any(feature = "client", feature = "server"))]
pub use dunlin_grpc::{
    CallKind, Code, Encoding, ErrorDetails, MessageInfo, MessageOptions, Metadata, Method, Receiver,
    ResultExt, Sender, Status, causes,
};
#[cfg(feature = "server")]
pub use dunlin_server::{CallHandle, Server, ServerContext};

/// Includes what a build script has generated: the modules of the schemas' packages.
///
/// ```ignore
/// // build.rs: fn main() { dunlin_build::compile("proto/shop.proto"); }
/// dunlin::include_generated!();
/// use shop::v1::Product;
/// ```
#[macro_export]
macro_rules! include_generated {
    () => {
        include!(concat!(env!("OUT_DIR"), "/mod.rs"));
    };
}
