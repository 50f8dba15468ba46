//! The Protocol Buffers runtime of Dunlin.
//!
//! What is here so far: the wire format ([`wire`]), the descriptor messages ([`descriptor`],
//! [`plugin`]) and the descriptor pool ([`pool`]), which turns descriptors into linked, checked
//! and indexed schemas.
//!
//! ```
//! use dunlin_protobuf::descriptor::{DescriptorProto, FileDescriptorProto, FileDescriptorSet};
//! use dunlin_protobuf::pool::DescriptorPool;
//!
//! let file = FileDescriptorProto {
//!     name: Some("shop.proto".into()),
//!     package: Some("shop".into()),
//!     message_type: vec![DescriptorProto { name: Some("Order".into()), ..Default::default() }],
//!     ..Default::default()
//! };
//! let pool = DescriptorPool::from_file_descriptor_set(FileDescriptorSet {
//!     file: vec![file],
//!     ..Default::default()
//! })?;
//! assert!(pool.message("shop.Order").is_some());
//! # Ok::<(), dunlin_protobuf::pool::PoolErrors>(())
//! ```
//!
//! The types to know are [`Message`] (encode, decode, merge), [`pool::DescriptorPool`] and the
//! structs of [`descriptor`]. This crate does no I/O, knows no async runtime and does not read
//! `.proto` text; that is `dunlin-compiler`.

// The whole crate is there without `std`, but for what has to do with it: time, I/O, its maps.
#![cfg_attr(not(test), no_std)]

#[doc(hidden)]
pub extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

pub mod decode;
pub mod descriptor;
pub mod dynamic;
pub mod encode;
mod extension;
pub mod json;
mod limits;
mod message;
pub mod names;
pub mod plugin;
pub mod pool;
mod raw;
pub mod reflect;
mod registry;
mod shared_string;
pub mod slot;
pub mod table;
pub mod text;
mod unknown;
pub mod wire;
pub mod wkt;

pub use decode::{DecodeError, DecodeErrorKind};
pub use encode::EncodeOptions;
pub use extension::{Extend, Extension, ExtensionValue};
pub use limits::{LimitError, Limits};
pub use message::{DecodeOptions, Encoded, Fields, Message, Reflect, View};
pub use registry::Registry;
pub use shared_string::SharedString;
pub use unknown::UnknownFields;

#[doc(hidden)]
pub mod generated;

pub use alloc::collections::BTreeMap;

pub use bytes;
