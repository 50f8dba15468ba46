//! What the fuzz targets of Dunlin assert, as plain functions.
//!
//! Each function takes any bytes and panics if the library breaks a promise on them. The binaries
//! in `targets/` hand them to the engine, and the test in `tests/` replays the kept corpora
//! without it.

mod compile;
pub mod mutate;
mod pool;
mod tree;
mod wire;

pub use compile::{compile, parser};
pub use pool::pool;
pub use tree::tree;
pub use wire::wire;

/// A target.
pub type Target = fn(&[u8]);

/// All targets by name.
pub const TARGETS: [(&str, Target); 5] =
    [("tree", tree), ("parser", parser), ("compile", compile), ("pool", pool), ("wire", wire)];
