//! A shop.

/// The schema, as Rust.
pub mod proto {
    dunlin::include_generated!();
    pub use shop::v1::*;
}
