//! Calls between a client and a server, as metrics and spans show them.

mod connections;
mod harness;
mod metrics;
mod sinks;
mod spans;
