//! Validates messages by the rules that stand in their schemas: those of protovalidate
//! (`buf/validate/validate.proto`), for generated and dynamic messages alike.
//!
//! ```
//! use dunlin_compiler::loader::Sources;
//! use dunlin_compiler::{Compiler, DescriptorOptions};
//! use dunlin_protobuf::dynamic::{DynamicMessage, DynamicPool};
//! use dunlin_validate::Validator;
//!
//! let schema = r#"
//!     syntax = "proto3";
//!     import "buf/validate/validate.proto";
//!     message Order {
//!         string id = 1 [(buf.validate.field).string.min_len = 3];
//!         int32 count = 2 [(buf.validate.field).cel_expression = "this % 12 == 0"];
//!     }"#;
//! let sources = Sources::new()
//!     .file("order.proto", schema)
//!     .file("buf/validate/validate.proto", dunlin_validate::SCHEMA);
//! let options = DescriptorOptions { include_imports: true, ..Default::default() };
//! let set = Compiler::new(sources).compile(["order.proto"])?.file_descriptor_set(options);
//! let pool = DynamicPool::from_file_descriptor_set(set)?;
//!
//! let order = DynamicMessage::decode(pool.message("Order").unwrap(), b"\x0a\x02no\x10\x0c")?;
//! let error = Validator::default().validate(&order).unwrap_err();
//! assert_eq!(error.to_string(), "id: must be at least 3 characters");
//! let violation = &error.violations().unwrap().violations[0];
//! assert_eq!(violation.rule_id(), "string.min_len");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A dynamic message has its schema with it. For generated messages a [`Validator`] is told the
//! descriptors, which the generator's option `embed_descriptors` puts beside them:
//! [`Builder::file_descriptor_set`].
//!
//! What does not hold is told as [`proto::Violations`], which is a message of its own and may be sent
//! to who made the mistake. Faults of the schema are errors of other kinds: [`ValidationError`].
//!
//! Standard rules are run natively. Expressions (CEL) are checked for their types when a message type
//! is seen first, read messages without copying them, and are bounded in cost and depth, as messages
//! come from anywhere: see [`Builder`]. They cannot make messages, have no optional values, and know
//! time zones as offsets only.
#![forbid(unsafe_code)]

mod cel;
mod compile;
mod error;
mod formats;
mod rules;
mod run;
mod text;
mod validator;
mod violation;

#[allow(clippy::all, dead_code, deprecated, missing_docs, nonstandard_style, rustdoc::all, unreachable_pub)]
mod generated {
    include!("generated/mod.rs");
}

/// The messages of `buf/validate/validate.proto`: rules, and violations of them.
pub mod proto {
    pub use crate::generated::buf::validate::*;
}

/// The text of `buf/validate/validate.proto`, for schemas that import it: declaration by declaration
/// the one that everybody uses, without the expressions that say there what standard rules are.
pub const SCHEMA: &str = include_str!("../proto/buf/validate/validate.proto");

pub use error::ValidationError;
pub use generated::FILE_DESCRIPTOR_SET;
pub use validator::{Builder, InvalidDescriptors, Validator};
