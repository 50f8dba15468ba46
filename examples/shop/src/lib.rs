//! A shop: what the library can do, put together as a service that people could run.
//!
//! `main.rs` reads flags and opens it; [`server`] puts everything together; [`services`] answer calls;
//! [`store`] knows everything, and nothing of calls. The library is there for the tests.

pub mod auth;
pub mod closing;
pub mod config;
pub mod errors;
pub mod ids;
pub mod messages;
pub mod money;
pub mod page;
pub mod seed;
pub mod server;
pub mod services;
pub mod store;
pub mod validation;

/// The schema, as Rust.
pub mod proto {
    dunlin::include_generated!();
    pub use shop::v1::*;
}
