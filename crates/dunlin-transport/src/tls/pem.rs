//! PEM from files or from memory.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::error::TlsConfigError;

/// Where PEM text comes from.
#[derive(Clone)]
pub(super) enum PemSource {
    File(PathBuf),
    Bytes(Arc<[u8]>),
}

impl PemSource {
    pub(super) fn file(path: impl AsRef<Path>) -> Self {
        Self::File(path.as_ref().to_owned())
    }

    pub(super) fn bytes(pem: impl AsRef<[u8]>) -> Self {
        Self::Bytes(pem.as_ref().into())
    }

    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Bytes(_) => None,
        }
    }

    /// What to call it in an error.
    pub(super) fn origin(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Bytes(_) => "the PEM given as bytes".to_owned(),
        }
    }

    pub(super) fn certificates(&self, files: &Files) -> Result<Vec<CertificateDer<'static>>, TlsConfigError> {
        let text = files.text(self)?;
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(&text)
            .collect::<Result<_, _>>()
            .map_err(|error| self.damaged(&error))?;
        if certificates.is_empty() {
            return Err(TlsConfigError::NoCertificate { origin: self.origin() });
        }
        Ok(certificates)
    }

    pub(super) fn key(&self, files: &Files) -> Result<PrivateKeyDer<'static>, TlsConfigError> {
        let text = files.text(self)?;
        PrivateKeyDer::from_pem_slice(&text).map_err(|error| {
            // PKCS#8 says so in its name, the older formats in a header line.
            let encrypted = [&b"ENCRYPTED PRIVATE KEY"[..], b"Proc-Type: 4,ENCRYPTED"];
            let found = |needle: &&[u8]| text.windows(needle.len()).any(|window| window == *needle);
            match error {
                _ if encrypted.iter().any(found) => TlsConfigError::EncryptedKey { origin: self.origin() },
                pem::Error::NoItemsFound => TlsConfigError::NoKey { origin: self.origin() },
                error => self.damaged(&error),
            }
        })
    }

    /// The kinds only: what rustls's errors quote might be key material.
    fn damaged(&self, error: &pem::Error) -> TlsConfigError {
        let reason = match error {
            pem::Error::MissingSectionEnd { .. } => "a section has no end",
            pem::Error::IllegalSectionStart { .. } => "a section begins wrongly",
            pem::Error::Base64Decode(_) => "a section is not base64",
            _ => "it cannot be read",
        };
        TlsConfigError::Pem { origin: self.origin(), reason: reason.to_owned() }
    }
}

/// Without the bytes, which may be a key.
impl fmt::Debug for PemSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin())
    }
}

/// The contents of every file of a configuration, read at one time: what is built from them and what
/// is compared for changes are the same bytes.
#[derive(Default)]
pub(super) struct Files(BTreeMap<PathBuf, Arc<[u8]>>);

impl Files {
    pub(super) fn read<'a>(paths: impl Iterator<Item = &'a Path>) -> Result<Self, TlsConfigError> {
        let mut files = BTreeMap::new();
        for path in paths {
            if !files.contains_key(path) {
                let text = fs::read(path)
                    .map_err(|source| TlsConfigError::Read { origin: path.display().to_string(), source })?;
                files.insert(path.to_owned(), text.into());
            }
        }
        Ok(Self(files))
    }

    /// Equal for equal contents, within one `state`.
    pub(super) fn fingerprint(&self, state: &RandomState) -> u64 {
        state.hash_one(&self.0)
    }

    pub(super) fn text(&self, source: &PemSource) -> Result<Arc<[u8]>, TlsConfigError> {
        match source {
            PemSource::Bytes(text) => Ok(text.clone()),
            PemSource::File(path) => {
                Ok(self.0.get(path).cloned().expect("every file of the configuration was read"))
            }
        }
    }
}
