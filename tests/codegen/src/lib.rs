//! The types generated for `awkward/`, which the tests fill and take apart.

/// What stands for another crate.
pub mod other {
    include!(concat!(env!("OUT_DIR"), "/other/mod.rs"));
}

include!(concat!(env!("OUT_DIR"), "/mod.rs"));
