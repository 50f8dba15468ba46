//! Calls from end to end, within one process: all kinds, and how they end.

mod broken;
mod channel;
mod connections;
mod dynamic;
mod ends;
mod harness;
mod hops;
mod interceptors;
mod kinds;
mod requests;
#[cfg(feature = "tls")]
mod secure;
mod serving;
mod wire;
