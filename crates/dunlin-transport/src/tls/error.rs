//! What can go wrong while TLS is configured and while it is agreed on.

use std::io;

use rustls::{AlertDescription, CertificateError};

/// Why a TLS configuration cannot be used. The same errors come from building and from reloading.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsConfigError {
    /// A file cannot be read.
    #[error("cannot read {origin}")]
    Read {
        /// The file.
        origin: String,
        /// The system's answer.
        source: io::Error,
    },
    /// What was given as PEM is damaged.
    #[error("{origin} is damaged PEM: {reason}")]
    Pem {
        /// The file, or which bytes.
        origin: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No section of the kind looked for.
    #[error("{origin} has no certificate (no `BEGIN CERTIFICATE`)")]
    NoCertificate {
        /// The file, or which bytes.
        origin: String,
    },
    /// No private key in any of the formats PKCS#8, PKCS#1 and SEC1.
    #[error("{origin} has no private key (no `BEGIN PRIVATE KEY`, `RSA PRIVATE KEY` or `EC PRIVATE KEY`)")]
    NoKey {
        /// The file, or which bytes.
        origin: String,
    },
    /// The private key is protected by a password.
    #[error("the private key in {origin} is encrypted; decrypt it, for instance with `openssl pkey`")]
    EncryptedKey {
        /// The file, or which bytes.
        origin: String,
    },
    /// Certificate and key do not belong together, or one of them is unusable.
    #[error("certificate {certificate} and key {key} cannot be used together")]
    Identity {
        /// Where the certificate is from.
        certificate: String,
        /// Where the key is from.
        key: String,
        /// What is wrong.
        source: rustls::Error,
    },
    /// A trusted root that is no certificate.
    #[error("{origin} holds a trusted root that is not a usable certificate")]
    Root {
        /// The file, or which bytes.
        origin: String,
        /// What is wrong.
        source: rustls::Error,
    },
    /// The system has no trusted roots, or none that can be read.
    #[error("no trusted roots found on this system ({reason}); install them or give them as PEM")]
    NoSystemRoots {
        /// What the system said, or nothing.
        reason: String,
    },
    /// Certificates are to be verified and there is nothing to verify them against.
    #[error("no trusted roots were given to verify {whose} certificates against")]
    NoRoots {
        /// `client` or `server`.
        whose: &'static str,
    },
    /// A server without a certificate.
    #[error("a TLS server needs at least one identity (certificate and key)")]
    NoIdentity,
    /// Two identities claim one name.
    #[error("two identities are for the server name {name}")]
    DuplicateName {
        /// The name.
        name: String,
    },
    /// A name that cannot stand in a certificate or a client's request.
    #[error("`{name}` is neither a host name nor an IP address")]
    ServerName {
        /// The name.
        name: String,
    },
    /// Contradicting settings.
    #[error("{what}")]
    Contradiction {
        /// What contradicts what.
        what: &'static str,
    },
    /// rustls refused the configuration.
    #[error("rustls refuses the configuration")]
    Rustls {
        /// Why.
        source: rustls::Error,
    },
}

/// Why a TLS handshake gave no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsHandshakeError {
    /// Both take part in ALPN and share no protocol.
    #[error("no common application protocol: we offer {ours}, and the peer has none of it")]
    NoCommonAlpn {
        /// Our protocols.
        ours: String,
        /// What told us.
        source: io::Error,
    },
    /// The peer took no part in ALPN, and [`MissingAlpn`](super::MissingAlpn) says to refuse that.
    #[error("the peer agreed on no application protocol (ALPN), {ours} is needed; does it speak HTTP/2?")]
    MissingAlpn {
        /// Our protocols.
        ours: String,
    },
    /// We do not trust the peer's certificate.
    #[error("the peer's certificate is not acceptable{}", certificate_hint(.reason))]
    PeerCertificate {
        /// What is wrong with it.
        reason: CertificateError,
        /// What told us.
        source: io::Error,
    },
    /// We ask for a certificate and the peer sent none.
    #[error("the peer sent no certificate, and one is required")]
    NoPeerCertificate {
        /// What told us.
        source: io::Error,
    },
    /// The peer ended the handshake with an alert (RFC 8446 §6).
    #[error("the peer ended the handshake{}", alert_hint(.alert))]
    Refused {
        /// Its alert.
        alert: AlertDescription,
        /// What told us.
        source: io::Error,
    },
    /// No protocol version, cipher suite or signature scheme in common.
    #[error("the peer's TLS and ours have too little in common")]
    Incompatible {
        /// What told us.
        source: io::Error,
    },
    /// The first bytes are no TLS at all.
    #[error("the peer does not speak TLS on this connection; is one side in clear text?")]
    NotTls {
        /// What told us.
        source: io::Error,
    },
    /// The server name is neither a host name nor an address.
    #[error("`{name}` cannot be verified: neither a host name nor an IP address")]
    ServerName {
        /// The name.
        name: String,
    },
    /// The peer broke the protocol in another way.
    #[error("the TLS handshake went wrong")]
    Protocol {
        /// What told us.
        source: io::Error,
    },
    /// The connection failed or ended.
    #[error("connection lost during the TLS handshake")]
    Io {
        /// The connection's error.
        source: io::Error,
    },
}

impl TlsHandshakeError {
    /// Sorts an error of the handshake by who is at fault.
    pub(super) fn from_io(source: io::Error, ours: &[Vec<u8>]) -> Self {
        let Some(cause) = source.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>()) else {
            return Self::Io { source };
        };
        match cause {
            rustls::Error::NoApplicationProtocol
            | rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol) => {
                Self::NoCommonAlpn { ours: protocols(ours), source }
            }
            rustls::Error::InvalidCertificate(reason) => {
                Self::PeerCertificate { reason: reason.clone(), source }
            }
            rustls::Error::NoCertificatesPresented => Self::NoPeerCertificate { source },
            rustls::Error::AlertReceived(alert) => Self::Refused { alert: *alert, source },
            rustls::Error::PeerIncompatible(_) => Self::Incompatible { source },
            rustls::Error::InvalidMessage(_) => Self::NotTls { source },
            _ => Self::Protocol { source },
        }
    }

    /// Whether it is about ALPN.
    pub fn is_alpn(&self) -> bool {
        matches!(self, Self::NoCommonAlpn { .. } | Self::MissingAlpn { .. })
    }
}

/// Protocol names for a message.
pub(super) fn protocols(names: &[Vec<u8>]) -> String {
    let names: Vec<_> = names.iter().map(|name| name.escape_ascii().to_string()).collect();
    names.join(", ")
}

fn certificate_hint(reason: &CertificateError) -> &'static str {
    match reason {
        CertificateError::UnknownIssuer => {
            ": no trusted root has issued it; is its CA among the trusted roots, and its chain complete?"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            ": it is for another name; give the name it is for as server name"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => ": it has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            ": it is not valid yet; is the clock right?"
        }
        CertificateError::BadSignature => {
            ": the trusted root of its issuer's name has not signed it; has that authority a new key?"
        }
        // What has no name in rustls says itself what it is.
        CertificateError::Other(why) if why.to_string().contains("CaUsedAsEndEntity") => {
            ": it is that of an authority (CA:TRUE), which no server may show; let it sign one for the server"
        }
        _ => "",
    }
}

fn alert_hint(alert: &AlertDescription) -> &'static str {
    match alert {
        AlertDescription::ProtocolVersion => ": it speaks none of our TLS versions",
        AlertDescription::CertificateRequired => ": it requires a client certificate",
        AlertDescription::UnknownCA => ": it does not know the CA of our certificate",
        AlertDescription::BadCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::CertificateExpired
        | AlertDescription::UnsupportedCertificate => ": it does not accept our certificate",
        AlertDescription::UnrecognisedName => ": it has no certificate for the name we asked for",
        _ => "",
    }
}
