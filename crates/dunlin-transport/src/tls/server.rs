//! The accepting side of TLS.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring::Ticketer;
use rustls::server::{NoServerSessionStorage, ProducesTickets};
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

use super::client_auth::ClientCerts;
use super::common::Common;
use super::error::{TlsConfigError, TlsHandshakeError};
use super::identity::{ByName, Identity, UnknownName};
use super::info::{TlsInfo, TlsVersion};
use super::pem::Files;
use super::reload::{FileWatch, Recipe, ReloadCounts, Reloadable};
use super::{MissingAlpn, TlsIo, provider};
use crate::io::Io;

/// TLS for servers: identities, what is asked of clients, and how to renew them.
///
/// Clones share one configuration, and a reload reaches all of them.
///
/// ```no_run
/// use dunlin_transport::tls::{ClientCerts, Identity, ServerTls, TrustRoots};
///
/// # fn main() -> Result<(), dunlin_transport::tls::TlsConfigError> {
/// let tls = ServerTls::builder()
///     .identity(Identity::from_pem_files("server.crt", "server.key"))
///     .client_certs(ClientCerts::Required(TrustRoots::from_pem_file("ca.crt")))
///     .build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ServerTls {
    shared: Arc<Reloadable<ServerTlsBuilder>>,
}

/// Collects the settings of a [`ServerTls`].
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct ServerTlsBuilder {
    identities: Vec<Identity>,
    unknown_name: UnknownName,
    client_certs: ClientCerts,
    common: Common,
}

impl ServerTlsBuilder {
    /// Adds a certificate with its key; at least one is needed. Of several, the client's wish decides
    /// (SNI), and the first is for clients without one.
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identities.push(identity);
        self
    }

    /// What a client is shown that asks for a name which no identity has. Default: the first.
    pub fn unknown_name(self, unknown_name: UnknownName) -> Self {
        Self { unknown_name, ..self }
    }

    /// What is asked of clients' certificates. Default: nothing.
    pub fn client_certs(self, client_certs: ClientCerts) -> Self {
        Self { client_certs, ..self }
    }

    /// The application protocols offered, most wanted first. Default: `h2` alone. An empty list turns
    /// ALPN off.
    pub fn alpn(mut self, protocols: impl IntoIterator<Item = impl Into<Vec<u8>>>) -> Self {
        self.common.set_alpn(protocols);
        self
    }

    /// What becomes of clients that take no part in ALPN. Default: refused.
    pub fn missing_alpn(mut self, missing_alpn: MissingAlpn) -> Self {
        self.common.missing_alpn = missing_alpn;
        self
    }

    /// The lowest TLS version. Default: 1.2, which HTTP/2 demands (RFC 9113 §9.2).
    pub fn min_version(mut self, min_version: TlsVersion) -> Self {
        self.common.min_version = min_version;
        self
    }

    /// Whether clients may continue earlier sessions by tickets. Default: yes. The tickets' keys live
    /// in memory, are renewed every six hours, and are replaced when a reload changes the roots for
    /// client certificates, so that no session outlives the trust it rests on.
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

    /// Reads the files and checks everything.
    ///
    /// # Errors
    ///
    /// See [`TlsConfigError`].
    pub fn build(self) -> Result<ServerTls, TlsConfigError> {
        if self.identities.is_empty() {
            return Err(TlsConfigError::NoIdentity);
        }
        Ok(ServerTls { shared: Arc::new(Reloadable::new(self)?) })
    }
}

impl ServerTls {
    /// Starts with the defaults.
    pub fn builder() -> ServerTlsBuilder {
        ServerTlsBuilder::default()
    }

    /// One identity from two PEM files, and the defaults.
    ///
    /// # Errors
    ///
    /// See [`TlsConfigError`].
    pub fn from_pem_files(
        certificate: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Self, TlsConfigError> {
        Self::builder().identity(Identity::from_pem_files(certificate, key)).build()
    }

    /// Reads every file again and uses what they hold for the connections to come. It blocks while
    /// reading.
    ///
    /// # Errors
    ///
    /// See [`TlsConfigError`]; the earlier configuration stays in use then.
    pub fn reload(&self) -> Result<(), TlsConfigError> {
        self.shared.reload()
    }

    /// Looks every `interval` (a minute is plenty) whether a file has changed, and reloads then. Files
    /// that cannot be used are reported once per change, and the earlier ones stay in use; a
    /// certificate and its key may so be replaced one after the other.
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

    /// Takes the server's part of a handshake.
    ///
    /// It waits for as long as the client is silent; the caller brings the timeout. Dropping the
    /// future drops the connection.
    ///
    /// # Errors
    ///
    /// See [`TlsHandshakeError`]; the client has been told by an alert where it can be.
    pub async fn accept(&self, io: Io) -> Result<(Io, TlsInfo), TlsHandshakeError> {
        let settings = self.shared.recipe();
        let config = self.shared.current().config.clone();
        let stream = TlsAcceptor::from(config)
            .accept(io)
            .await
            .map_err(|source| TlsHandshakeError::from_io(source, &settings.common.alpn))?;
        let (_, connection) = stream.get_ref();
        let verifies = settings.client_certs.roots().is_some();
        let info = TlsInfo::new(connection, connection.server_name(), verifies);
        settings.common.check(&info)?;
        Ok((TlsIo::into_io(tokio_rustls::TlsStream::from(stream)), info))
    }
}

/// What rustls uses, and what decides whether tickets stay good over a reload.
pub(super) struct LoadedServer {
    config: Arc<ServerConfig>,
    client_roots: Option<Arc<RootCertStore>>,
    ticketer: Option<Arc<dyn ProducesTickets>>,
}

impl Recipe for ServerTlsBuilder {
    type Config = LoadedServer;

    fn paths(&self) -> Box<dyn Iterator<Item = &Path> + '_> {
        Box::new(self.identities.iter().flat_map(Identity::paths).chain(self.client_certs.paths()))
    }

    fn build(&self, files: &Files, previous: Option<&LoadedServer>) -> Result<LoadedServer, TlsConfigError> {
        let provider = provider();
        let rustls = |source| TlsConfigError::Rustls { source };
        let identities = ByName::load(&self.identities, self.unknown_name, files, &provider)?;
        let client_roots = self.client_certs.roots().map(|roots| roots.load(files, "client")).transpose()?;
        let mut config = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(self.common.versions())
            .map_err(rustls)?
            .with_client_cert_verifier(self.client_certs.verifier(client_roots.as_ref(), &provider)?)
            .with_cert_resolver(Arc::new(identities));
        config.alpn_protocols.clone_from(&self.common.alpn);
        config.key_log = self.common.key_log();
        // Tickets alone: a cache on our side would grow with the clients.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        let ticketer = if self.common.resumption {
            // A continued session skips the client's certificate, so it must not survive its root.
            let kept = previous.filter(|previous| same_roots(&previous.client_roots, &client_roots));
            let ticketer = match kept.and_then(|previous| previous.ticketer.clone()) {
                Some(ticketer) => ticketer,
                None => Ticketer::new().map_err(rustls)?,
            };
            config.ticketer = ticketer.clone();
            Some(ticketer)
        } else {
            config.send_tls13_tickets = 0;
            None
        };
        Ok(LoadedServer { config: Arc::new(config), client_roots, ticketer })
    }
}

fn same_roots(one: &Option<Arc<RootCertStore>>, other: &Option<Arc<RootCertStore>>) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => one.roots == other.roots,
        _ => false,
    }
}
