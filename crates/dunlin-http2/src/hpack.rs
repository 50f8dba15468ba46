//! HPACK, the compression of header lists (RFC 7541).

mod decoder;
mod encoder;
mod huffman;
mod integer;
mod seen;
mod static_table;
mod table;

pub use decoder::{DecodeError, Decoder, ListLimits};
pub use encoder::Encoder;
