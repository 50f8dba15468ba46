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
//! The features `std` (on by default), `chrono`, `jiff`, `serde` and `serde_json` are those of
//! [`protobuf`].
#![no_std]

pub use dunlin_protobuf as protobuf;
