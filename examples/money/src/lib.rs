//! The types of `money/v1/money.proto`, which other crates import: see `examples/invoice`.

include!(concat!(env!("OUT_DIR"), "/mod.rs"));
