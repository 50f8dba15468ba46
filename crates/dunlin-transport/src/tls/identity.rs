//! Certificates with their keys, and which of them a server shows to whom.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{DnsName, ServerName};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::error::TlsConfigError;
use super::pem::{Files, PemSource};

/// A certificate chain and its private key.
///
/// Nothing is read before the configuration that holds it is built; files are read again when that is
/// reloaded. Keys may be PKCS#8, PKCS#1 (RSA) or SEC1 (EC), not encrypted.
#[derive(Clone, Debug)]
#[must_use]
pub struct Identity {
    certificate: PemSource,
    key: PemSource,
    names: Vec<String>,
}

impl Identity {
    /// From two PEM files, which may be one and the same. The certificate file holds the server's or
    /// client's own certificate first and then its issuers.
    pub fn from_pem_files(certificate: impl AsRef<Path>, key: impl AsRef<Path>) -> Self {
        Self { certificate: PemSource::file(certificate), key: PemSource::file(key), names: Vec::new() }
    }

    /// From PEM texts.
    pub fn from_pem(certificate: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Self {
        Self { certificate: PemSource::bytes(certificate), key: PemSource::bytes(key), names: Vec::new() }
    }

    /// The host names that clients ask a server for to be shown this identity (SNI, RFC 6066 §3); a
    /// name may begin with `*.` for one label. Default: the names in the certificate. Clients do not
    /// look at it.
    pub fn server_names(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.names.extend(names.into_iter().map(Into::into));
        self
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        [&self.certificate, &self.key].into_iter().filter_map(PemSource::path)
    }

    pub(super) fn load(
        &self,
        files: &Files,
        provider: &CryptoProvider,
    ) -> Result<Arc<CertifiedKey>, TlsConfigError> {
        let chain = self.certificate.certificates(files)?;
        let key = self.key.key(files)?;
        CertifiedKey::from_der(chain, key, provider).map(Arc::new).map_err(|source| {
            TlsConfigError::Identity {
                certificate: self.certificate.origin(),
                key: self.key.origin(),
                source,
            }
        })
    }
}

/// What a server shows to a client that asks for a name none of its identities has. Complete by
/// definition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownName {
    /// The first identity; the client decides. Clients that send no name get it, too.
    #[default]
    UseFirst,
    /// Nothing: the handshake ends. Clients that send no name still get the first identity.
    Refuse,
}

/// Chooses an identity by the name that the client asks for.
pub(super) struct ByName {
    identities: Vec<Arc<CertifiedKey>>,
    /// Names that were given, in lower case, wildcards with their star.
    names: HashMap<String, usize>,
    /// Identities without given names, which are searched by their certificates.
    unnamed: Vec<usize>,
    unknown: UnknownName,
}

impl ByName {
    pub(super) fn load(
        identities: &[Identity],
        unknown: UnknownName,
        files: &Files,
        provider: &CryptoProvider,
    ) -> Result<Self, TlsConfigError> {
        let mut by_name =
            Self { identities: Vec::new(), names: HashMap::new(), unnamed: Vec::new(), unknown };
        for (index, identity) in identities.iter().enumerate() {
            by_name.identities.push(identity.load(files, provider)?);
            if identity.names.is_empty() {
                by_name.unnamed.push(index);
            }
            for name in &identity.names {
                let name = name.to_ascii_lowercase();
                if DnsName::try_from(name.strip_prefix("*.").unwrap_or(&name)).is_err() {
                    return Err(TlsConfigError::ServerName { name });
                }
                if by_name.names.insert(name.clone(), index).is_some_and(|other| other != index) {
                    return Err(TlsConfigError::DuplicateName { name });
                }
            }
        }
        if by_name.identities.is_empty() { Err(TlsConfigError::NoIdentity) } else { Ok(by_name) }
    }

    /// A name that was given, then a wildcard that was given, then what certificates say.
    fn find(&self, name: &str) -> Option<usize> {
        let name = name.to_ascii_lowercase();
        if let Some(index) = self.names.get(&name) {
            return Some(*index);
        }
        if let Some((_, parent)) = name.split_once('.')
            && let Some(index) = self.names.get(&format!("*.{parent}"))
        {
            return Some(*index);
        }
        let name = ServerName::try_from(name).ok()?;
        self.unnamed.iter().copied().find(|index| {
            let end_entity = self.identities[*index].end_entity_cert();
            end_entity
                .and_then(ParsedCertificate::try_from)
                .and_then(|certificate| verify_server_name(&certificate, &name))
                .is_ok()
        })
    }
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let index = match hello.server_name() {
            // With one identity there is nothing to choose, unless strangers are to be refused.
            Some(name) if self.identities.len() > 1 || self.unknown == UnknownName::Refuse => {
                match (self.find(name), self.unknown) {
                    (Some(index), _) => index,
                    (None, UnknownName::UseFirst) => 0,
                    (None, UnknownName::Refuse) => return None,
                }
            }
            _ => 0,
        };
        self.identities.get(index).cloned()
    }
}

impl fmt::Debug for ByName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByName").field("names", &self.names).finish_non_exhaustive()
    }
}
