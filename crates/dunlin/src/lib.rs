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
//! A program that has messages only takes the crate with `default-features = false, features = ["std"]`.
//! The features `std` (on by default), `chrono`, `jiff`, `serde` and `serde_json` are those of
//! [`protobuf`]; `server`, `client`, `services`, `tls`, `gzip` and `interceptors` (what services need around their
//! calls: [`interceptors`]) are on by default. `zstd` is not, nor are `jwt`, by which bearer tokens are JWTs, and
//! `proto`, by which a client compiles its schema itself ([`client::dynamic`]).
#![no_std]

#[cfg(feature = "client")]
pub use dunlin_client as client;
#[cfg(any(feature = "client", feature = "server"))]
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

#[cfg(feature = "client")]
pub use dunlin_client::{CallOptions, Channel, Client};
#[cfg(any(feature = "client", feature = "server"))]
pub use dunlin_grpc::intercept::{self, CallContext, CallView, Interceptor, Next};
#[cfg(any(feature = "client", feature = "server"))]
pub use dunlin_grpc::{
    CallKind, Code, Encoding, ErrorDetails, MessageInfo, MessageOptions, Metadata, Method, Receiver,
    ResultExt, Sender, Status,
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
