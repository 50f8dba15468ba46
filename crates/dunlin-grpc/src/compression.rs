//! Codings of messages, and who takes which.

use std::fmt;
use std::io::{self, Write};

use crate::Status;

/// A way to make messages smaller. Each message is compressed by itself.
///
/// More than the built-in ones can be had by [`Encoding::Custom`].
pub trait Compressor: Send + Sync + 'static {
    /// The name in `grpc-encoding`: lower-case letters, digits and `-`.
    fn name(&self) -> &'static str;

    /// Appends the compressed message to `out`.
    ///
    /// # Errors
    /// When that is not possible.
    fn compress(&self, message: &[u8], out: &mut Vec<u8>) -> io::Result<()>;

    /// Writes the message to `out`, which refuses more than the limit: its error has to be passed on.
    ///
    /// # Errors
    /// When the bytes are not a compressed message, or `out` refused.
    fn decompress(&self, compressed: &[u8], out: &mut dyn Write) -> io::Result<()>;
}

/// The coding of messages on one side of a call.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Encoding {
    /// None.
    Identity,
    /// RFC 1952.
    #[cfg(feature = "gzip")]
    Gzip,
    /// RFC 1950: what HTTP calls `deflate`.
    #[cfg(feature = "gzip")]
    Deflate,
    /// RFC 8878.
    #[cfg(feature = "zstd")]
    Zstd,
    /// One of your own.
    Custom(&'static dyn Compressor),
}

impl Encoding {
    /// Those that are built in, and turned on by features.
    pub const BUILT_IN: &'static [Self] = &[
        #[cfg(feature = "gzip")]
        Self::Gzip,
        #[cfg(feature = "gzip")]
        Self::Deflate,
        #[cfg(feature = "zstd")]
        Self::Zstd,
    ];

    /// The name in `grpc-encoding`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            #[cfg(feature = "gzip")]
            Self::Gzip => "gzip",
            #[cfg(feature = "gzip")]
            Self::Deflate => "deflate",
            #[cfg(feature = "zstd")]
            Self::Zstd => "zstd",
            Self::Custom(compressor) => compressor.name(),
        }
    }

    /// Whether messages are left as they are.
    pub fn is_identity(self) -> bool {
        matches!(self, Self::Identity)
    }

    pub(crate) fn compress(self, message: &[u8], out: &mut Vec<u8>) -> Result<(), Status> {
        let result = match self {
            Self::Identity => {
                out.extend_from_slice(message);
                Ok(())
            }
            #[cfg(feature = "gzip")]
            Self::Gzip => {
                let mut writer = flate2::write::GzEncoder::new(out, flate2::Compression::fast());
                writer.write_all(message).and_then(|()| writer.finish().map(drop))
            }
            #[cfg(feature = "gzip")]
            Self::Deflate => {
                let mut writer = flate2::write::ZlibEncoder::new(out, flate2::Compression::fast());
                writer.write_all(message).and_then(|()| writer.finish().map(drop))
            }
            #[cfg(feature = "zstd")]
            Self::Zstd => zstd::stream::copy_encode(message, out, zstd::DEFAULT_COMPRESSION_LEVEL),
            Self::Custom(compressor) => compressor.compress(message, out),
        };
        result.map_err(|error| {
            Status::internal(format!("can not compress a message with {}", self.name())).with_source(error)
        })
    }

    /// The message, if it has at most `limit` bytes; what is beyond is never kept.
    pub(crate) fn decompress(self, compressed: &[u8], limit: usize) -> Result<Vec<u8>, Status> {
        let mut out = Limited { bytes: Vec::new(), limit, is_exceeded: false };
        let result = match self {
            Self::Identity => out.write_all(compressed),
            #[cfg(feature = "gzip")]
            Self::Gzip => {
                let mut writer = flate2::write::MultiGzDecoder::new(&mut out);
                writer.write_all(compressed).and_then(|()| writer.try_finish())
            }
            #[cfg(feature = "gzip")]
            Self::Deflate => {
                let mut writer = flate2::write::ZlibDecoder::new(&mut out);
                writer.write_all(compressed).and_then(|()| writer.try_finish())
            }
            #[cfg(feature = "zstd")]
            Self::Zstd => zstd::stream::read::Decoder::with_buffer(compressed).and_then(|mut reader| {
                // 8 MiB, as RFC 8878 §3.1.1.1.2 recommends: a message may name any window.
                reader.window_log_max(23)?;
                io::copy(&mut reader, &mut out).map(drop)
            }),
            Self::Custom(compressor) => compressor.decompress(compressed, &mut out),
        };
        if out.is_exceeded {
            return Err(Status::resource_exhausted(format!(
                "message of more than {limit} bytes when decompressed, which is `max_receive_message_size`"
            )));
        }
        match result {
            Ok(()) => Ok(out.bytes),
            Err(error) => {
                Err(Status::internal(format!("can not decompress a {} message", self.name()))
                    .with_source(error))
            }
        }
    }
}

impl fmt::Debug for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl PartialEq for Encoding {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Encoding {}

/// Memory that ends at a limit.
struct Limited {
    bytes: Vec<u8>,
    limit: usize,
    is_exceeded: bool,
}

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > self.limit - self.bytes.len() {
            self.is_exceeded = true;
            return Err(io::Error::other("more than the limit"));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The codings that one side takes, identity aside, which everyone takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encodings(Vec<Encoding>);

impl Default for Encodings {
    /// All that are built in.
    fn default() -> Self {
        Self(Encoding::BUILT_IN.to_vec())
    }
}

impl Encodings {
    /// These, the preferred ones first.
    pub fn new(encodings: impl IntoIterator<Item = Encoding>) -> Self {
        Self(encodings.into_iter().filter(|encoding| !encoding.is_identity()).collect())
    }

    /// None but identity.
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// One of them, by its name. `identity` is always among them.
    pub fn find(&self, name: &[u8]) -> Option<Encoding> {
        if name == b"identity" {
            return Some(Encoding::Identity);
        }
        self.0.iter().copied().find(|encoding| encoding.name().as_bytes() == name)
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = Encoding> + '_ {
        self.0.iter().copied()
    }

    /// Whether a coding is one of them.
    pub fn contains(&self, encoding: Encoding) -> bool {
        encoding.is_identity() || self.0.contains(&encoding)
    }

    /// Those of them that a `grpc-accept-encoding` names.
    #[must_use]
    pub fn accepted(&self, field: &[u8]) -> Self {
        let names = || field.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        let is_named = |encoding: &&Encoding| names().any(|name| name == encoding.name().as_bytes());
        Self(self.0.iter().filter(is_named).copied().collect())
    }

    /// What `grpc-accept-encoding` says of them; `None` if there are none.
    pub fn to_field(&self) -> Option<String> {
        if self.0.is_empty() {
            return None;
        }
        let names = self.0.iter().map(|encoding| encoding.name());
        Some(std::iter::once("identity").chain(names).collect::<Vec<_>>().join(","))
    }
}

#[cfg(all(test, feature = "gzip"))]
mod tests {
    use super::*;
    use crate::Code;

    #[test]
    fn messages_come_back() {
        let message = b"the same again, ".repeat(1000);
        for encoding in Encoding::BUILT_IN {
            let mut compressed = Vec::new();
            encoding.compress(&message, &mut compressed).unwrap();
            assert!(compressed.len() < 1000, "{encoding:?}");
            assert_eq!(encoding.decompress(&compressed, message.len()).unwrap(), message, "{encoding:?}");
            let error = encoding.decompress(&compressed, message.len() - 1).unwrap_err();
            assert_eq!(error.code(), Code::ResourceExhausted, "{encoding:?}");
            let error = encoding.decompress(&compressed[..compressed.len() - 3], 1 << 20).unwrap_err();
            assert_eq!(error.code(), Code::Internal, "{encoding:?}");
            let error = encoding.decompress(b"nonsense", 1 << 20).unwrap_err();
            assert_eq!(error.code(), Code::Internal, "{encoding:?}");
        }
    }

    #[test]
    fn a_bomb_costs_no_more_than_the_limit() {
        let mut compressed = Vec::new();
        Encoding::Gzip.compress(&vec![0; 64 << 20], &mut compressed).unwrap();
        let mut out = Limited { bytes: Vec::new(), limit: 1 << 20, is_exceeded: false };
        let mut writer = flate2::write::MultiGzDecoder::new(&mut out);
        assert!(writer.write_all(&compressed).is_err());
        drop(writer);
        assert!(out.is_exceeded && out.bytes.capacity() <= 2 << 20);
    }

    #[test]
    fn spaces_around_commas_do_not_matter() {
        let all = Encodings::default();
        assert_eq!(all.accepted(b"identity , gzip,br"), Encodings::new([Encoding::Gzip]));
        assert_eq!(all.accepted(b""), Encodings::none());
        assert_eq!(all.find(b"identity"), Some(Encoding::Identity));
        assert_eq!(all.find(b"snappy"), None);
    }
}
