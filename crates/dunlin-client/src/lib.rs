//! The gRPC client.
//!
//! A [`Channel`] is where calls go: it finds the addresses of a target, keeps connections, and makes new
//! ones. Generated clients are thin faces of [`Client`], a channel with options; [`Client`] alone makes
//! calls by hand, also with messages of types that are only known when the program runs.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use dunlin_client::{Channel, Client};
//! use dunlin_grpc::{CallKind, Method, Status};
//! use dunlin_protobuf::wkt::StringValue;
//!
//! const GREET: Method = Method::new("hello.Greeter", "Greet", "/hello.Greeter/Greet", CallKind::Unary);
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::new(Channel::builder("localhost:50051").connect_lazy()?);
//! let name = StringValue { value: "you".into(), ..Default::default() };
//! let reply: StringValue = client.unary(GREET, name).timeout(Duration::from_secs(1)).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Calls do nothing until they are awaited, and dropping one cancels it. Programs without a runtime wait for
//! them by the module `blocking`, a feature.

mod backoff;
#[cfg(feature = "blocking")]
pub mod blocking;
mod call;
mod calls;
mod channel;
mod client;
mod connection;
mod credentials;
mod dial;
pub mod dynamic;
mod intercept;
mod keepalive;
mod manager;
mod options;
mod picker;
mod report;
mod resolve;
mod start;
mod target;

pub use backoff::Backoff;
pub use calls::{
    BidiStreamingCall, ClientStreamingCall, Response, ResponseCall, ServerStreamingCall, UnaryCall, Upload,
};
pub use channel::{Channel, ChannelBuilder, ChannelError, State};
pub use client::Client;
pub use credentials::{CallCredentials, Credentials, Token};
pub use dial::{BoxFuture, Dial};
pub use options::CallOptions;
pub use report::CallReport;
pub use resolve::{Resolution, Resolver};
pub use target::{Target, TargetError};

pub use dunlin_http2::Keepalive;
#[cfg(feature = "tls")]
pub use dunlin_transport::tls::{self, ClientTls};
pub use dunlin_transport::{ConnectError, ConnectionInfo, Endpoint, Io, SocketOptions};
