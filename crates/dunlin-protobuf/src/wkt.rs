//! The well-known types: the messages of `google/protobuf/*.proto`, generated, with helpers.
//!
//! The descriptor messages are here as generated types too, for schemas whose messages hold them;
//! the compiler and the pool work on those of [`descriptor`](crate::descriptor).
#![allow(missing_docs, deprecated)] // The schema documents its members, and deprecates some.

include!("wkt/google.protobuf.rs");

/// The plugin protocol of protoc.
pub mod compiler {
    include!("wkt/google.protobuf.compiler.rs");
}
