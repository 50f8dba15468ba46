//! The services that the programs in `src/bin` implement and call.

include!(concat!(env!("OUT_DIR"), "/mod.rs"));
