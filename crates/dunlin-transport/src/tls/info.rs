//! What a handshake agreed on.

use std::fmt;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::{CipherSuite, CommonState, HandshakeKind, ProtocolVersion};

/// A version of TLS that this crate speaks. Complete by definition until there is another version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246).
    #[default]
    Tls12,
    /// TLS 1.3 (RFC 8446).
    Tls13,
}

impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls12 => "TLSv1.2",
            Self::Tls13 => "TLSv1.3",
        })
    }
}

/// What a TLS handshake agreed on, and who the peer is.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TlsInfo {
    /// The application protocol, normally `h2`; `None` if the peer took no part in ALPN.
    pub alpn: Option<Box<[u8]>>,
    /// The protocol version.
    pub version: TlsVersion,
    /// The cipher suite by its name in the IANA registry, such as `TLS_AES_128_GCM_SHA256`.
    pub cipher_suite: &'static str,
    /// The host name that the client asked for (SNI, RFC 6066 §3); `None` if it sent none, as for an
    /// IP address.
    pub server_name: Option<Box<str>>,
    /// The peer's certificate and then its issuers, as sent; empty if it sent none.
    pub peer_certificates: Arc<[CertificateDer<'static>]>,
    /// Whether the peer's certificates were verified against trusted roots. Without it they prove
    /// only that the peer holds the key of the first one.
    pub peer_verified: bool,
    /// Whether the session continues an earlier one instead of exchanging certificates again.
    pub resumed: bool,
}

impl TlsInfo {
    /// Reads what a finished handshake knows. `verifies` says whether certificates that the peer
    /// sends are checked against roots.
    pub(super) fn new(state: &CommonState, server_name: Option<&str>, verifies: bool) -> Self {
        let peer_certificates: Arc<[_]> = state.peer_certificates().unwrap_or_default().into();
        Self {
            alpn: state.alpn_protocol().map(Box::from),
            version: match state.protocol_version() {
                Some(ProtocolVersion::TLSv1_3) => TlsVersion::Tls13,
                _ => TlsVersion::Tls12,
            },
            cipher_suite: state.negotiated_cipher_suite().map_or("", |suite| iana_name(suite.suite())),
            server_name: server_name.map(Box::from),
            peer_verified: verifies && !peer_certificates.is_empty(),
            peer_certificates,
            resumed: state.handshake_kind() == Some(HandshakeKind::Resumed),
        }
    }
}

/// rustls names the suites of TLS 1.3 with the version in them.
fn iana_name(suite: CipherSuite) -> &'static str {
    match suite {
        CipherSuite::TLS13_AES_128_GCM_SHA256 => "TLS_AES_128_GCM_SHA256",
        CipherSuite::TLS13_AES_256_GCM_SHA384 => "TLS_AES_256_GCM_SHA384",
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => "TLS_CHACHA20_POLY1305_SHA256",
        suite => suite.as_str().unwrap_or("unknown"),
    }
}
