include!(concat!(env!("OUT_DIR"), "/_includes.rs"));

/// The serialized descriptors of everything above.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
