use alloc::string::String;
use core::mem::MaybeUninit;

use bytes::{Bytes, BytesMut};

use super::fill_short;

/// The longest text that lies in the value itself.
pub(crate) const SHORT: usize = 23;

/// Text that is cheap to make and to clone: up to 23 bytes lie in the value itself, more are a part of a
/// buffer that may be shared.
///
/// Fields have this type where the generator's option `shared_strings` says so. Decoding then puts long
/// texts one behind the other into buffers of at most 4 KiB, so that most strings cost no allocation of
/// their own; a text that is kept keeps its buffer, with the texts beside it.
///
/// ```
/// use dunlin_protobuf::SharedString;
///
/// let name = SharedString::from("Alice");
/// assert_eq!(name, "Alice");
/// assert_eq!(name.len(), 5); // All methods of `str`.
/// let owned: String = name.into();
/// ```
#[derive(Clone)]
pub struct SharedString(Repr);

// Invariant of both: `as_bytes` is UTF-8.
#[derive(Clone)]
enum Repr {
    /// What lies behind the first `len` bytes is of no meaning.
    Short {
        len: u8,
        bytes: [u8; SHORT],
    },
    Long(Bytes),
}

impl SharedString {
    /// The text as a slice.
    #[inline]
    pub fn as_str(&self) -> &str {
        // SAFETY: every constructor takes text, and nothing changes it.
        unsafe { core::str::from_utf8_unchecked(self.as_bytes()) }
    }

    #[inline]
    fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Short { len, bytes } => &bytes[..usize::from(*len)],
            Repr::Long(bytes) => bytes,
        }
    }

    /// The bytes of a text that lies in the value, with what is behind it, and its length.
    #[inline(always)]
    pub(crate) fn as_short(&self) -> Option<(&[u8; SHORT], usize)> {
        match &self.0 {
            Repr::Short { len, bytes } => Some((bytes, usize::from(*len))),
            Repr::Long(_) => None,
        }
    }

    /// Puts a text of at most 23 bytes into the value. `from` is where it comes from, if more lies
    /// behind it there: copying a fixed number of bytes is cheaper than copying as many as needed.
    #[inline(always)]
    pub(crate) fn short(text: &str, from: &[u8]) -> Option<Self> {
        let len = text.len();
        if len > SHORT {
            return None;
        }
        let bytes = match from.first_chunk::<SHORT>() {
            Some(chunk) if core::ptr::eq(chunk.as_ptr(), text.as_ptr()) => *chunk,
            _ => {
                let mut bytes = [MaybeUninit::new(0); SHORT];
                fill_short(&mut bytes[..len], text.as_bytes());
                bytes.map(|byte| {
                    // SAFETY: all of them were initialised, and are only ever overwritten.
                    unsafe { byte.assume_init() }
                })
            }
        };
        Some(Self(Repr::Short { len: len as u8, bytes }))
    }

    /// Appends a text to a buffer that is otherwise empty, and takes it off as a part.
    #[inline]
    pub(crate) fn part(text: &str, buffer: &mut BytesMut) -> Self {
        assert!(buffer.is_empty());
        buffer.extend_from_slice(text.as_bytes());
        Self(Repr::Long(buffer.split().freeze()))
    }
}

impl From<String> for SharedString {
    fn from(text: String) -> Self {
        Self::short(&text, &[]).unwrap_or_else(|| Self(Repr::Long(text.into_bytes().into())))
    }
}

impl TryFrom<Bytes> for SharedString {
    type Error = core::str::Utf8Error;

    /// Shares the buffer, or copies a short text out of it.
    fn try_from(bytes: Bytes) -> Result<Self, Self::Error> {
        let text = core::str::from_utf8(&bytes)?;
        Ok(Self::short(text, &[]).unwrap_or(Self(Repr::Long(bytes))))
    }
}

impl From<SharedString> for Bytes {
    fn from(text: SharedString) -> Self {
        match text.0 {
            Repr::Short { .. } => Self::copy_from_slice(text.as_bytes()),
            Repr::Long(bytes) => bytes,
        }
    }
}
