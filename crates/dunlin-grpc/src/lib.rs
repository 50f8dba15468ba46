//! What a gRPC call is, without I/O.
//!
//! Servers and clients share this: [`Status`] and its codes, [`Metadata`], [`Method`]s, the framing and
//! compression of messages, and the streams of messages that users hold ([`Sender`], [`Receiver`]).
//!
//! ```
//! use dunlin_grpc::{Code, ResultExt, Status};
//!
//! fn parse(id: &str) -> Result<u64, Status> {
//!     id.parse::<u64>().status(Code::InvalidArgument)
//! }
//! assert_eq!(parse("7")?, 7);
//! # Ok::<(), Status>(())
//! ```
//!
//! It opens no sockets, starts no tasks and knows no runtime.

pub mod ambient;
mod causes;
mod code;
pub mod codec;
mod compression;
pub mod details;
pub mod dynamic;
pub mod framing;
pub mod halves;
pub mod head;
pub mod inlet;
pub mod intercept;
mod metadata;
mod method;
pub mod percent;
mod status;
pub mod stream;
pub mod timeout;

pub use causes::{causes, with_causes};
pub use code::Code;
pub use compression::{Compressor, Encoding, Encodings};
pub use details::ErrorDetails;
pub use metadata::{InvalidMetadata, Metadata};
pub use method::{CallKind, Idempotency, Method, split_path};
pub use status::{ResultExt, Status};
pub use stream::{MessageInfo, MessageOptions, Receiver, Sender};
