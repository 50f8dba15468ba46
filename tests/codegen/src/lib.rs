//! The types generated for `awkward/` and `options/`, which the tests fill and take apart.

/// What stands for another crate.
pub mod other {
    include!(concat!(env!("OUT_DIR"), "/other/mod.rs"));
}

/// `options/` with options.
pub mod options {
    include!(concat!(env!("OUT_DIR"), "/options/mod.rs"));
}

/// `options/` without any.
pub mod plain {
    include!(concat!(env!("OUT_DIR"), "/plain/mod.rs"));
}

include!(concat!(env!("OUT_DIR"), "/mod.rs"));
