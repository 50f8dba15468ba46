//! HTTP/2 (RFC 9113) with HPACK (RFC 7541), without I/O.
//!
//! A [`Connection`] is a value. It takes the bytes that were read and the time, and gives
//! [events](Event) and bytes to write. It has no socket, task, lock, waker or clock: a driver, such
//! as the one in `dunlin-transport`, has those and knows no rule of the protocol.
//!
//! The types to know are [`Connection`], [`Event`], [`Config`] and, for what is sent often,
//! [`HeaderBlock`]. What a peer may cost is in [`Rates`] and [`Limit`].
//!
//! What this crate does not do: HTTP semantics above the message (methods, caching, redirects),
//! server push, and the priorities of RFC 7540, which RFC 9113 has taken back.

// Tests have to begin with some time.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

mod abuse;
mod bandwidth;
mod config;
mod connection;
mod error;
mod event;
mod flow;
mod frame;
mod header;
pub mod hpack;
mod output;
mod settings;
mod stream;

pub use abuse::{Limit, PingPolicy, Rate, Rates};
pub use config::Config;
pub use connection::{Connection, Fields, Keepalive, Pressure, Role};
pub use error::{
    ConnectionError, ErrorCode, HeaderListTooLarge, OpenError, ResetReason, SendError, StreamFault,
};
pub use event::{Event, HeadersKind};
pub use frame::{PREFACE, StreamId};
pub use header::{
    Field, HeaderBlock, HeaderBlockBuilder, HeaderList, InvalidField, Malformed, ReceivedField,
};
pub use output::OutputQueue;
pub use settings::PeerSettings;
pub use stream::StreamKey;
