//! The roots that certificates are verified against.

use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;

use super::error::TlsConfigError;
use super::pem::{Files, PemSource};

/// Certificates of authorities that are trusted to vouch for peers.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct TrustRoots {
    sources: Vec<PemSource>,
    system: bool,
}

impl TrustRoots {
    /// Those that the operating system trusts, read when the configuration is built or reloaded. The
    /// environment variables `SSL_CERT_FILE` and `SSL_CERT_DIR` name others in their place.
    pub fn system() -> Self {
        Self { sources: Vec::new(), system: true }
    }

    /// Those in a PEM file, one or many.
    pub fn from_pem_file(path: impl AsRef<Path>) -> Self {
        Self::default().and_pem_file(path)
    }

    /// Those in a PEM text, one or many.
    pub fn from_pem(pem: impl AsRef<[u8]>) -> Self {
        Self::default().and_pem(pem)
    }

    /// Adds those of a PEM file.
    pub fn and_pem_file(mut self, path: impl AsRef<Path>) -> Self {
        self.sources.push(PemSource::file(path));
        self
    }

    /// Adds those of a PEM text.
    pub fn and_pem(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.sources.push(PemSource::bytes(pem));
        self
    }

    /// Adds those of the operating system; see [`TrustRoots::system`].
    pub fn and_system(self) -> Self {
        Self { system: true, ..self }
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.sources.iter().filter_map(PemSource::path)
    }

    pub(super) fn load(
        &self,
        files: &Files,
        whose: &'static str,
    ) -> Result<Arc<RootCertStore>, TlsConfigError> {
        let mut roots = RootCertStore::empty();
        if self.system {
            let found = rustls_native_certs::load_native_certs();
            // Systems carry a few roots that no verifier takes; the others count.
            let (added, _) = roots.add_parsable_certificates(found.certs);
            if added == 0 {
                let reason =
                    found.errors.first().map_or_else(|| "none found".to_owned(), ToString::to_string);
                return Err(TlsConfigError::NoSystemRoots { reason });
            }
        }
        for source in &self.sources {
            for certificate in source.certificates(files)? {
                roots
                    .add(certificate)
                    .map_err(|error| TlsConfigError::Root { origin: source.origin(), source: error })?;
            }
        }
        if roots.is_empty() {
            return Err(TlsConfigError::NoRoots { whose });
        }
        Ok(Arc::new(roots))
    }
}
