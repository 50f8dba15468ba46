//! The PROXY protocol, versions 1 and 2, for servers behind a load balancer.
//!
//! A balancer that forwards TCP hides who dialled. With this protocol it says so in a header before
//! the first byte of the connection; [`parse`] reads one from bytes, and an
//! [`Acceptor`](crate::Acceptor) does so for each connection if its [`ProxyProtocol`] setting asks
//! for it. The specification is haproxy's `proxy-protocol.txt`.

mod read;
mod v1;
mod v2;

pub use read::{ProxyReadError, read_header};

use bytes::Bytes;

use crate::address::Address;
use crate::network::IpNetwork;

/// The longest header of version 1 in bytes, with its line end (section 2.1).
pub const MAX_V1_LEN: usize = 107;

/// The types of TLVs that the specification names (section 2.2).
pub mod tlv {
    /// The protocol above, as in ALPN.
    pub const ALPN: u8 = 0x01;
    /// The host name that the client asked for, as in SNI.
    pub const AUTHORITY: u8 = 0x02;
    /// CRC-32c of the header.
    pub const CRC32C: u8 = 0x03;
    /// Padding.
    pub const NOOP: u8 = 0x04;
    /// An identifier of the connection, up to 128 bytes.
    pub const UNIQUE_ID: u8 = 0x05;
    /// What TLS between client and balancer agreed on; holds TLVs of its own.
    pub const SSL: u8 = 0x20;
    /// The network name space at the balancer.
    pub const NETNS: u8 = 0x30;
}

/// Which connections carry a header. Complete by definition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// None: nothing is read, and a header is a broken HTTP/2 preface.
    #[default]
    Off,
    /// Some do: what begins like a header is read as one. The specification advises against it, since
    /// whoever reaches the port can then claim any address; use it with [`ProxyProtocol::trusted`], or
    /// while a balancer is being switched over.
    Optional,
    /// All: a connection without one is closed.
    Required,
}

/// How an acceptor treats PROXY protocol headers. Default: [`Mode::Off`].
///
/// The wait for a header is part of the handshake timeout.
#[derive(Clone, Debug)]
pub struct ProxyProtocol {
    pub(crate) mode: Mode,
    pub(crate) trusted: Option<Vec<IpNetwork>>,
    pub(crate) max_v2_payload: u16,
    pub(crate) keep_tlvs: bool,
}

impl Default for ProxyProtocol {
    fn default() -> Self {
        Self { mode: Mode::Off, trusted: None, max_v2_payload: 4096, keep_tlvs: true }
    }
}

impl ProxyProtocol {
    /// Every connection carries a header.
    #[must_use]
    pub fn required() -> Self {
        Self { mode: Mode::Required, ..Self::default() }
    }

    /// A connection may carry a header; see [`Mode::Optional`].
    #[must_use]
    pub fn optional() -> Self {
        Self { mode: Mode::Optional, ..Self::default() }
    }

    /// Believes headers only from these networks. From others none is read: where one is required the
    /// connection is closed, else it is taken as a direct one. Default: everyone is believed, so the
    /// port must be reachable by the balancer alone. Unix and in-process peers are always believed.
    #[must_use]
    pub fn trusted(self, networks: impl IntoIterator<Item = IpNetwork>) -> Self {
        Self { trusted: Some(networks.into_iter().collect()), ..self }
    }

    /// The longest version 2 header in bytes behind its fixed 16, addresses and TLVs together.
    /// Default 4096, most 65,535. What grows is what a peer can make a waiting connection hold.
    #[must_use]
    pub fn max_v2_payload(self, bytes: u16) -> Self {
        Self { max_v2_payload: bytes, ..self }
    }

    /// Whether TLVs stay readable in [`Proxied`]. Default yes. They are checked either way.
    #[must_use]
    pub fn keep_tlvs(self, keep: bool) -> Self {
        Self { keep_tlvs: keep, ..self }
    }

    fn trusts(&self, peer: &Address) -> bool {
        match (&self.trusted, peer.ip()) {
            (Some(networks), Some(address)) => networks.iter().any(|network| network.contains(address.ip())),
            _ => true,
        }
    }
}

/// What a header said.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Proxied {
    /// The header's version, 1 or 2.
    pub version: u8,
    /// Whether the balancer speaks for itself (command LOCAL), as in its health checks. There are no
    /// addresses then.
    pub local: bool,
    /// Who dialled the balancer; `None` if it does not say.
    pub source: Option<Address>,
    /// What was dialled; `None` if the balancer does not say.
    pub destination: Option<Address>,
    /// Checked TLVs, one behind the other; empty if there were none or they were not kept.
    tlvs: Bytes,
}

impl Proxied {
    /// The TLVs of a version 2 header: type and value, in the order of the header.
    pub fn tlvs(&self) -> impl Iterator<Item = (u8, &[u8])> {
        v2::Tlvs(&self.tlvs).map_while(Result::ok)
    }

    /// The value of the first TLV of a type; see [`tlv`] for types.
    pub fn tlv(&self, kind: u8) -> Option<&[u8]> {
        self.tlvs().find(|(candidate, _)| *candidate == kind).map(|(_, value)| value)
    }
}

/// What [`parse`] found. Complete by definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// A header so far, but not its end.
    Incomplete {
        /// How many bytes from the start to have before asking again: reading up to that many reads
        /// nothing but the header in version 2, and at most some bytes behind it in version 1.
        read_up_to: usize,
    },
    /// The bytes do not begin a header.
    Absent,
    /// A whole header.
    Header {
        /// What it says.
        proxied: Proxied,
        /// Its length in bytes; what follows belongs to the connection.
        len: usize,
    },
}

/// Why a header is wrong: in each case the peer broke the PROXY protocol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyHeaderError {
    /// No line end within [`MAX_V1_LEN`] bytes.
    #[error("PROXY v1 line without an end in its first {limit} bytes")]
    V1TooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// The line does not follow the grammar.
    #[error("PROXY v1 line with an invalid {field}")]
    V1Malformed {
        /// The part that is wrong.
        field: &'static str,
    },
    /// The signature of version 2 with another version behind it.
    #[error("PROXY v2 signature with version {version}")]
    V2Version {
        /// The version given.
        version: u8,
    },
    /// Neither LOCAL nor PROXY.
    #[error("PROXY v2 command {command} is unknown")]
    V2Command {
        /// The command given.
        command: u8,
    },
    /// An address family or a transport that a byte stream cannot come from.
    #[error("PROXY v2 family and transport {value:#04x} is not one of a stream")]
    V2Family {
        /// The byte given.
        value: u8,
    },
    /// Longer than [`ProxyProtocol::max_v2_payload`].
    #[error("PROXY v2 header announces {len} bytes, {limit} are allowed")]
    V2TooLong {
        /// The length announced, in bytes.
        len: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// Shorter than the addresses of its family.
    #[error("PROXY v2 header announces {len} bytes, its addresses need {needed}")]
    V2TooShort {
        /// The length announced, in bytes.
        len: usize,
        /// What the family needs, in bytes.
        needed: usize,
    },
    /// A TLV that reaches past the end of the header.
    #[error("PROXY v2 header with a TLV that is cut off")]
    V2Tlv,
    /// A checksum that is not four bytes, or is given twice.
    #[error("PROXY v2 header with a malformed or repeated CRC-32c")]
    V2ChecksumMalformed,
    /// The checksum does not fit.
    #[error("PROXY v2 header with CRC-32c {sent:#010x}, computed {computed:#010x}")]
    V2Checksum {
        /// The header's.
        sent: u32,
        /// Ours.
        computed: u32,
    },
}

/// Reads a header from the first bytes of a connection.
///
/// Of the settings only the length limit and what to keep of TLVs matter here. It never looks at
/// more than the header, and a header is at most 16 bytes and [`ProxyProtocol::max_v2_payload`] long.
///
/// # Errors
///
/// [`ProxyHeaderError`]: the bytes begin as a header and go on wrongly.
pub fn parse(bytes: &[u8], settings: &ProxyProtocol) -> Result<Parsed, ProxyHeaderError> {
    if begins(bytes, v2::SIGNATURE) {
        v2::parse(bytes, settings)
    } else if begins(bytes, v1::SIGNATURE) {
        v1::parse(bytes)
    } else {
        Ok(Parsed::Absent)
    }
}

/// Whether `bytes` begin with the signature, as far as both go.
fn begins(bytes: &[u8], signature: &[u8]) -> bool {
    let len = bytes.len().min(signature.len());
    bytes[..len] == signature[..len]
}

#[cfg(test)]
mod tests;
