//! The standard gRPC interop tests: what the server does, and what the client checks.

pub mod cases;
pub mod flags;
pub mod service;

/// The messages and services of the interop specification.
pub mod proto {
    include!(concat!(env!("OUT_DIR"), "/mod.rs"));
    pub use grpc::testing::*;
}

use proto::{BoolValue, Payload};

/// Metadata that servers send back before their messages.
const ECHO_INITIAL: &str = "x-grpc-test-echo-initial";
/// Metadata that servers send back with the status.
const ECHO_TRAILING: &str = "x-grpc-test-echo-trailing-bin";

fn zeros(size: usize) -> Payload {
    Payload { body: vec![0; size].into(), ..Default::default() }
}

fn bool_value(value: bool) -> Option<BoolValue> {
    Some(BoolValue { value, ..Default::default() })
}
