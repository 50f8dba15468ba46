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

pub mod descriptor;
mod message;
pub mod names;
pub mod plugin;
pub mod pool;
mod unknown;
pub mod wire;

pub use message::{Lengths, Message};
pub use unknown::UnknownFields;
pub use wire::DecodeError;
