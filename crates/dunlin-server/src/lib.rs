//! The gRPC server.
//!
//! A [`Server`] has services, which generated code makes of an implementation, and serves them on any
//! number of addresses. [`Methods`] adds single methods by hand, also for messages of types that are only
//! known when the program runs, or for bytes.
//!
//! ```
//! use dunlin_grpc::{CallKind, Method, Status};
//! use dunlin_protobuf::wkt::StringValue;
//! use dunlin_server::{Methods, Server, ServerContext};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! const GREET: Method = Method::new("hello.Greeter", "Greet", "/hello.Greeter/Greet", CallKind::Unary);
//!
//! async fn greet(cx: ServerContext, name: StringValue) -> (ServerContext, Result<StringValue, Status>) {
//!     (cx, Ok(StringValue { value: format!("hello {}", name.value), ..Default::default() }))
//! }
//!
//! let server = Server::builder().methods(|methods: &mut Methods| methods.unary(GREET, greet));
//! let bound = server.bind("127.0.0.1:0").await?;
//! println!("listening on {}", bound.local_addr());
//! # Ok(())
//! # }
//! ```
//!
//! The types to know are [`Server`], [`ServerContext`] (what a method is told and tells besides messages)
//! and [`CallHandle`], the part of it that may be kept.

mod blocking;
mod builder;
mod call;
mod connection;
mod context;
pub mod dynamic;
mod intercept;
mod lifecycle;
mod lifetime;
mod methods;
mod placement;
mod router;
mod running;
mod serve;
mod signal;
mod together;
#[cfg(feature = "tower")]
mod tower;
mod wire;

pub use blocking::BlockingPool;
pub use builder::{BuildError, Builder, ServeError};
pub use call::{CallHandle, Cancelled, Peer};
pub use context::{ServerContext, SpawnHandle};
pub use lifecycle::{Served, ServedSchema, ShutdownPhase};
pub use methods::{Methods, Service};
pub use placement::Placement;
pub use router::unimplemented;
pub use serve::{BoundServer, Drained, InProcess, Server, ShutdownHandle};
pub use signal::shutdown_signal;
pub use together::serve_all;

#[cfg(feature = "tower")]
pub use tower::{HttpFuture, HttpService, RequestBody, ResponseBody};

pub use dunlin_http2::Keepalive;
pub use dunlin_transport::accept::AtLimit;
pub use dunlin_transport::proxy_protocol::{self, ProxyProtocol};
#[cfg(feature = "tls")]
pub use dunlin_transport::tls::{self, ServerTls, TlsInfo};
pub use dunlin_transport::{Address, ConnectionInfo, Endpoint};
