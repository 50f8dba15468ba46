//! The dialling side of TLS.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::client::danger::ServerCertVerifier;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::pki_types::ServerName;
use rustls::sign::SingleCertAndKey;
use tokio_rustls::TlsConnector;

use super::any_certificate::AnyCertificate;
use super::common::Common;
use super::error::{TlsConfigError, TlsHandshakeError};
use super::identity::Identity;
use super::info::{TlsInfo, TlsVersion};
use super::pem::Files;
use super::reload::{FileWatch, Recipe, ReloadCounts, Reloadable};
use super::trust::TrustRoots;
use super::{MissingAlpn, TlsIo, provider};
use crate::io::Io;

/// TLS for clients: whom to trust, who we are, and how to renew both.
///
/// Clones share one configuration and its sessions, and a reload reaches all of them.
///
/// ```no_run
/// use dunlin_transport::tls::{ClientTls, Identity, TrustRoots};
///
/// # fn main() -> Result<(), dunlin_transport::tls::TlsConfigError> {
/// let tls = ClientTls::builder()
///     .roots(TrustRoots::from_pem_file("ca.crt"))
///     .identity(Identity::from_pem_files("client.crt", "client.key"))
///     .build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ClientTls {
    shared: Arc<Reloadable<ClientTlsBuilder>>,
}

/// Collects the settings of a [`ClientTls`].
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct ClientTlsBuilder {
    /// `None` for those of the system.
    roots: Option<TrustRoots>,
    any_certificate: bool,
    identity: Option<Identity>,
    server_name: Option<String>,
    common: Common,
}

impl ClientTlsBuilder {
    /// The roots that must vouch for servers. Default: those of the system, which these replace.
    pub fn roots(self, roots: TrustRoots) -> Self {
        Self { roots: Some(roots), ..self }
    }

    /// Takes whatever certificate a server shows, for any name, from anybody. Whoever sits on the way
    /// can read and change everything; it is for tests alone. Default: no.
    pub fn danger_accept_any_certificate(self, accept: bool) -> Self {
        Self { any_certificate: accept, ..self }
    }

    /// The certificate shown to servers that ask for one. Default: none.
    pub fn identity(self, identity: Identity) -> Self {
        Self { identity: Some(identity), ..self }
    }

    /// The name that servers are asked for and checked against, in place of the one that is dialled.
    pub fn server_name(self, name: impl Into<String>) -> Self {
        Self { server_name: Some(name.into()), ..self }
    }

    /// The application protocols offered, most wanted first. Default: `h2` alone. An empty list turns
    /// ALPN off.
    pub fn alpn(mut self, protocols: impl IntoIterator<Item = impl Into<Vec<u8>>>) -> Self {
        self.common.set_alpn(protocols);
        self
    }

    /// What becomes of servers that take no part in ALPN. Default: refused.
    pub fn missing_alpn(mut self, missing_alpn: MissingAlpn) -> Self {
        self.common.missing_alpn = missing_alpn;
        self
    }

    /// The lowest TLS version. Default: 1.2, which HTTP/2 demands (RFC 9113 §9.2).
    pub fn min_version(mut self, min_version: TlsVersion) -> Self {
        self.common.min_version = min_version;
        self
    }

    /// Whether earlier sessions are continued, which saves a certificate exchange. Default: yes, for
    /// the last 256 servers. A reload forgets them.
    pub fn resumption(mut self, resumption: bool) -> Self {
        self.common.resumption = resumption;
        self
    }

    /// Writes the secrets of every connection to the file that the environment variable
    /// `SSLKEYLOGFILE` names, with which recorded traffic can be read. Default: no.
    pub fn key_log(mut self, key_log: bool) -> Self {
        self.common.key_log = key_log;
        self
    }

    /// Reads the files and the system's roots, and checks everything.
    ///
    /// # Errors
    ///
    /// See [`TlsConfigError`].
    pub fn build(self) -> Result<ClientTls, TlsConfigError> {
        if self.any_certificate && self.roots.is_some() {
            let what = "roots are given, and any certificate is to be accepted; choose one";
            return Err(TlsConfigError::Contradiction { what });
        }
        if let Some(name) = &self.server_name
            && ServerName::try_from(name.as_str()).is_err()
        {
            return Err(TlsConfigError::ServerName { name: name.clone() });
        }
        Ok(ClientTls { shared: Arc::new(Reloadable::new(self)?) })
    }
}

impl ClientTls {
    /// Starts with the defaults.
    pub fn builder() -> ClientTlsBuilder {
        ClientTlsBuilder::default()
    }

    /// The defaults: the system's roots, no certificate of our own.
    ///
    /// # Errors
    ///
    /// [`TlsConfigError::NoSystemRoots`].
    pub fn with_system_roots() -> Result<Self, TlsConfigError> {
        Self::builder().build()
    }

    /// Reads every file and the system's roots again, and uses what they hold for the connections to
    /// come. It blocks while reading.
    ///
    /// # Errors
    ///
    /// See [`TlsConfigError`]; the earlier configuration stays in use then.
    pub fn reload(&self) -> Result<(), TlsConfigError> {
        self.shared.reload()
    }

    /// Looks every `interval` (a minute is plenty) whether a file has changed, and reloads then. Files
    /// that cannot be used are reported once per change, and the earlier ones stay in use. The
    /// system's roots are not watched.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with timers.
    pub fn watch_files(&self, interval: Duration) -> FileWatch {
        self.shared.watch(interval)
    }

    /// How often reloading went well and how often not.
    pub fn reload_counts(&self) -> ReloadCounts {
        self.shared.counts()
    }

    /// Takes the client's part of a handshake with `host`, a name or an address without brackets,
    /// unless [`ClientTlsBuilder::server_name`] names another.
    ///
    /// It waits for as long as the server is silent; the caller brings the timeout. Dropping the
    /// future drops the connection.
    ///
    /// # Errors
    ///
    /// See [`TlsHandshakeError`]. With TLS 1.3 a server may refuse our certificate later: then it is
    /// the first read that fails.
    pub async fn connect(&self, io: Io, host: &str) -> Result<(Io, TlsInfo), TlsHandshakeError> {
        let settings = self.shared.recipe();
        let name = settings.server_name.as_deref().unwrap_or(host);
        // A final dot makes a name absolute for the resolver; in certificates it never stands.
        let name = name.strip_suffix('.').unwrap_or(name);
        let server_name = ServerName::try_from(name.to_owned())
            .map_err(|_| TlsHandshakeError::ServerName { name: name.to_owned() })?;
        let sent_name = match &server_name {
            ServerName::DnsName(name) => Some(name.as_ref().to_owned()),
            _ => None,
        };
        let stream = TlsConnector::from(self.shared.current())
            .connect(server_name, io)
            .await
            .map_err(|source| TlsHandshakeError::from_io(source, &settings.common.alpn))?;
        let (_, connection) = stream.get_ref();
        let info = TlsInfo::new(connection, sent_name.as_deref(), !settings.any_certificate);
        settings.common.check(&info)?;
        Ok((TlsIo::into_io(tokio_rustls::TlsStream::from(stream)), info))
    }
}

impl Recipe for ClientTlsBuilder {
    type Config = ClientConfig;

    fn paths(&self) -> Box<dyn Iterator<Item = &Path> + '_> {
        let identity = self.identity.iter().flat_map(Identity::paths);
        Box::new(self.roots.iter().flat_map(TrustRoots::paths).chain(identity))
    }

    fn build(&self, files: &Files, _: Option<&ClientConfig>) -> Result<ClientConfig, TlsConfigError> {
        let provider = provider();
        let algorithms = provider.signature_verification_algorithms;
        let verifier: Arc<dyn ServerCertVerifier> = if self.any_certificate {
            Arc::new(AnyCertificate { algorithms })
        } else {
            let system = TrustRoots::system();
            let roots = self.roots.as_ref().unwrap_or(&system).load(files, "server")?;
            WebPkiServerVerifier::builder_with_provider(roots, provider.clone())
                .build()
                .map_err(|_| TlsConfigError::NoRoots { whose: "server" })?
        };
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(self.common.versions())
            .map_err(|source| TlsConfigError::Rustls { source })?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let identity = identity.load(files, &provider)?;
                builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity)))
            }
        };
        config.alpn_protocols.clone_from(&self.common.alpn);
        if !self.common.resumption {
            config.resumption = Resumption::disabled();
        }
        config.key_log = self.common.key_log();
        Ok(config)
    }
}
