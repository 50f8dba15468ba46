//! The wire format: varints, tags, and the fields of a message as they lie in bytes.
//!
//! [`Reader`] takes a slice apart without copying; [`write`](mod@write) appends to a `Vec<u8>`.
//! Every length is checked against what is really there, and nesting is bounded by
//! [`MAX_DEPTH`].

mod reader;
pub mod write;

pub use reader::Reader;

/// How many messages and groups may be nested when decoding, by default.
///
/// The same number as in the C++, Java and Python runtimes: 100 levels below the top message are
/// accepted, 101 are an error.
pub const MAX_DEPTH: u32 = 100;

/// The largest field number: 2^29 - 1.
pub const MAX_FIELD_NUMBER: u32 = 536_870_911;

/// How a field's value is laid out on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum WireType {
    /// Base-128 integer.
    Varint = 0,
    /// Eight bytes, little endian.
    I64 = 1,
    /// Length, then that many bytes.
    Len = 2,
    /// Start of a group.
    StartGroup = 3,
    /// End of a group.
    EndGroup = 4,
    /// Four bytes, little endian.
    I32 = 5,
}

impl WireType {
    /// The wire type of the low three bits of a tag; 6 and 7 are not assigned.
    pub const fn from_bits(bits: u32) -> Option<Self> {
        Some(match bits & 7 {
            0 => Self::Varint,
            1 => Self::I64,
            2 => Self::Len,
            3 => Self::StartGroup,
            4 => Self::EndGroup,
            5 => Self::I32,
            _ => return None,
        })
    }
}

/// Field number and wire type together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tag {
    /// The field number, 1 to [`MAX_FIELD_NUMBER`].
    pub number: u32,
    /// How the value that follows is laid out.
    pub wire_type: WireType,
}

/// Why bytes could not be decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// The input ends inside a tag, a value, a length-delimited field or a group.
    #[error("input ends in the middle of a field, at byte {offset}")]
    Truncated {
        /// Where the input ended, counted from the start of the outermost message.
        offset: usize,
    },
    /// A varint has more than ten bytes, or a tag or length does not fit 32 bits.
    #[error("varint at byte {offset} is too long")]
    VarintTooLong {
        /// Where the varint starts.
        offset: usize,
    },
    /// A tag has field number 0 or an unassigned wire type.
    #[error("invalid tag {value:#x} at byte {offset}")]
    InvalidTag {
        /// The tag as read.
        value: u64,
        /// Where the tag starts.
        offset: usize,
    },
    /// An end-group tag without its start, or with another field number.
    #[error("unmatched end of group {number} at byte {offset}")]
    UnmatchedEndGroup {
        /// The field number of the end-group tag.
        number: u32,
        /// Where the tag ends.
        offset: usize,
    },
    /// A field that has to be text is not UTF-8.
    #[error("field {number} is not valid UTF-8")]
    InvalidUtf8 {
        /// The field number.
        number: u32,
    },
    /// Messages are nested deeper than [`MAX_DEPTH`].
    #[error("messages are nested deeper than {limit} levels")]
    TooDeep {
        /// The limit that was exceeded.
        limit: u32,
    },
}
