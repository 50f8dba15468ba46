//! What a server asks of its clients' certificates.

use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;

use super::any_certificate::AnyCertificate;
use super::error::TlsConfigError;
use super::trust::TrustRoots;

/// Which client certificates a server wants.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum ClientCerts {
    /// None: clients are not asked.
    #[default]
    None,
    /// Clients are asked, and what they send is not verified: it proves only that they hold its key.
    /// [`TlsInfo::peer_verified`](super::TlsInfo::peer_verified) is false; the application judges.
    Requested,
    /// Clients may come without one; one that they send must be vouched for by these roots.
    VerifiedIfGiven(TrustRoots),
    /// Every client must have one that these roots vouch for.
    Required(TrustRoots),
}

impl ClientCerts {
    pub(super) fn roots(&self) -> Option<&TrustRoots> {
        match self {
            Self::None | Self::Requested => None,
            Self::VerifiedIfGiven(roots) | Self::Required(roots) => Some(roots),
        }
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.roots().into_iter().flat_map(TrustRoots::paths)
    }

    /// `roots` are what [`ClientCerts::roots`] loaded to.
    pub(super) fn verifier(
        &self,
        roots: Option<&Arc<RootCertStore>>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Arc<dyn ClientCertVerifier>, TlsConfigError> {
        let Some(roots) = roots else {
            return Ok(match self {
                Self::Requested => {
                    Arc::new(AnyCertificate { algorithms: provider.signature_verification_algorithms })
                }
                _ => WebPkiClientVerifier::no_client_auth(),
            });
        };
        let builder = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone());
        let builder = match self {
            Self::VerifiedIfGiven(_) => builder.allow_unauthenticated(),
            _ => builder,
        };
        builder.build().map_err(|_| TlsConfigError::NoRoots { whose: "client" })
    }
}
