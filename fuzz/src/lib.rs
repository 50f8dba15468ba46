//! What the fuzz targets of Dunlin assert, as plain functions.
//!
//! Each function takes any bytes and panics if the library breaks a promise on them. The binaries
//! in `targets/` hand them to the engine, and the test in `tests/` replays the kept corpora
//! without it.

mod compile;
mod http2;
mod json;
mod message;
pub mod mutate;
mod pool;
mod schema;
mod telemetry;
mod text;
mod transport;
mod tree;
mod wire;

pub use compile::{compile, parser};
pub use http2::{frames, hpack, pair};
pub use json::json;
pub use message::message;
pub use pool::pool;
pub use telemetry::trace_context;
pub use text::text;
pub use transport::{endpoint, http_proxy, proxy_protocol};
pub use tree::tree;
pub use wire::wire;

/// A target.
pub type Target = fn(&[u8]);

/// All targets by name.
pub const TARGETS: [(&str, Target); 15] = [
    ("tree", tree),
    ("parser", parser),
    ("compile", compile),
    ("pool", pool),
    ("wire", wire),
    ("message", message),
    ("json", json),
    ("text", text),
    ("hpack", hpack),
    ("frames", frames),
    ("pair", pair),
    ("proxy_protocol", proxy_protocol),
    ("http_proxy", http_proxy),
    ("endpoint", endpoint),
    ("trace_context", trace_context),
];
