//! The well-known types: the messages of `google/protobuf/*.proto`, generated, with helpers.
//!
//! The descriptor messages are here as generated types too, for schemas whose messages hold them;
//! the compiler and the pool work on those of [`descriptor`](crate::descriptor).
// The schema documents its members, and deprecates some; a oneof is matched however few there are.
#![allow(missing_docs, deprecated, clippy::single_match)]

mod any;
mod mask;
// The generated module `value` has the oneof of `Value`.
#[path = "wkt/value.rs"]
mod json_value;
mod time;
mod wrappers;

#[cfg(feature = "serde_json")]
pub use json_value::NotJson;
pub use mask::MaskError;
pub use time::TimeError;

include!("wkt/google.protobuf.rs");

/// The plugin protocol of protoc.
pub mod compiler {
    include!("wkt/google.protobuf.compiler.rs");
}
