//! Reaching a server, and saying what to do when that fails.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dunlin_client::{BoxFuture, Channel, ChannelError, ClientTls, Dial, Keepalive};
use dunlin_transport::tls::{MissingAlpn, TlsHandshakeError};
use dunlin_transport::{ConnectError, ConnectionInfo, Connector, Endpoint, Io};

use super::failure::{Failure, Stage, causes};
use super::target::Address;

/// How a server is to be reached.
#[derive(Debug)]
pub(crate) struct Reach {
    pub(crate) address: Address,
    /// Clear text without it.
    pub(crate) tls: Option<ClientTls>,
    /// What the server is called by; what the address says by default.
    pub(crate) authority: Option<String>,
    pub(crate) user_agent: Option<String>,
    pub(crate) connect_timeout: Duration,
    pub(crate) keepalive: Option<Duration>,
    /// Try again until there is a server, or the time is over.
    pub(crate) wait_for_ready: bool,
    /// What the flag is called that turns TLS off, or on.
    pub(crate) cure: Cure,
}

/// What a command says of TLS that is wanted, or not; its flags have other names than those of other commands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cure {
    /// When the server speaks clear text.
    pub(crate) to_plaintext: &'static str,
    /// When the server speaks TLS.
    pub(crate) to_tls: &'static str,
    /// When the server's certificate is not acceptable.
    pub(crate) to_trust: &'static str,
    /// When ours is not, or there is none.
    pub(crate) to_identify: &'static str,
}

impl Reach {
    /// A channel that is connected.
    pub(crate) async fn connect(&self) -> Result<Channel, Failure> {
        let last = LastError::default();
        let dial = Recording { connector: self.connector(), last: last.clone() };
        let mut builder = Channel::builder(self.address.target.clone())
            .dial(dial, self.tls.is_some())
            .connect_timeout(self.connect_timeout)
            .show_protocol_fields(true);
        if let Some(tls) = &self.tls {
            // For the port of names that have none.
            builder = builder.tls(tls.clone());
        }
        if let Some(authority) = &self.authority {
            builder = builder.authority(authority);
        }
        if let Some(agent) = &self.user_agent {
            builder = builder.user_agent(agent);
        }
        if let Some(time) = self.keepalive.filter(|time| !time.is_zero()) {
            builder = builder.keepalive(Keepalive::every(time).timeout(time));
        }
        let channel = builder.connect_lazy().map_err(|error| match error {
            ChannelError::Target(_) => Failure::Usage(causes(&error)),
            error => Failure::local(Stage::Connect, causes(&error)),
        })?;
        let connected = tokio::time::timeout(self.connect_timeout, self.attempts(&channel)).await;
        match connected {
            Ok(Ok(())) => Ok(channel),
            Ok(Err(status)) => Err(self.explain(last.take(), status.message()).await),
            Err(_) => {
                let why = match last.take() {
                    Some(error) => causes(&error),
                    None => "no answer".to_owned(),
                };
                Err(Failure::local(
                    Stage::Connect,
                    format!(
                        "{} could not be reached within {:?}: {why}; is the address right? -connect-timeout allows more",
                        self.address.target, self.connect_timeout
                    ),
                ))
            }
        }
    }

    fn connector(&self) -> Connector {
        let connector = Connector::new().timeout(self.connect_timeout);
        match &self.tls {
            Some(tls) => connector.tls(tls.clone()),
            None => connector,
        }
    }

    async fn attempts(&self, channel: &Channel) -> Result<(), dunlin_grpc::Status> {
        loop {
            match channel.connect().await {
                Err(_) if self.wait_for_ready => tokio::time::sleep(Duration::from_millis(50)).await,
                result => return result,
            }
        }
    }

    /// What went wrong, at which stage, and the cure.
    async fn explain(&self, error: Option<ConnectError>, message: &str) -> Failure {
        let target = &self.address.target;
        match error {
            Some(ConnectError::Tls { source: TlsHandshakeError::NotTls { .. }, .. }) => Failure::local(
                Stage::Tls,
                format!("the server on {target} answered without TLS; {}", self.cure.to_plaintext),
            ),
            Some(ConnectError::Tls { source, .. }) => {
                let cure = match &source {
                    TlsHandshakeError::PeerCertificate { .. } => self.cure.to_trust,
                    TlsHandshakeError::Refused { .. } => self.cure.to_identify,
                    TlsHandshakeError::Io { .. } => return self.maybe_plaintext(causes(&source)),
                    _ => {
                        return Failure::local(
                            Stage::Tls,
                            format!("no TLS with {target}: {}", causes(&source)),
                        );
                    }
                };
                Failure::local(Stage::Tls, format!("no TLS with {target}: {}; {cure}", causes(&source)))
            }
            Some(error @ ConnectError::Lookup { .. }) => Failure::local(
                Stage::Connect,
                format!("{}; is the name right? write host:port", causes(&error)),
            ),
            Some(error) => Failure::local(
                Stage::Connect,
                format!("{}; is the server running, and the address right?", causes(&error)),
            ),
            None if message.contains("cannot look up") => {
                Failure::local(Stage::Connect, format!("{message}; is the name right? write host:port"))
            }
            // Our certificate is judged after our side of the handshake is done (RFC 8446 §4.4.2.4), so that the
            // server's answer comes in place of HTTP/2.
            None if self.tls.is_some() && message.contains("received fatal alert") => {
                Failure::local(Stage::Tls, format!("{message}; {}", self.cure.to_identify))
            }
            // There was a connection, and it was not HTTP/2 that came over it.
            None if self.tls.is_none() && self.speaks_tls().await => Failure::local(
                Stage::Tls,
                format!(
                    "the server on {target} speaks TLS, and was called in clear text; {}",
                    self.cure.to_tls
                ),
            ),
            None => Failure::local(
                Stage::Connect,
                format!("{message}; does the server on {target} speak HTTP/2?"),
            ),
        }
    }

    /// A server in clear text may also just hang up on what it does not understand.
    fn maybe_plaintext(&self, why: String) -> Failure {
        Failure::local(
            Stage::Tls,
            format!(
                "no TLS with {}: {why}; if the server speaks clear text, {}",
                self.address.target, self.cure.to_plaintext
            ),
        )
    }

    /// Whether a TLS handshake goes well where clear text did not.
    async fn speaks_tls(&self) -> bool {
        let tls = ClientTls::builder().danger_accept_any_certificate(true).missing_alpn(MissingAlpn::Accept);
        let Ok(tls) = tls.build() else { return false };
        let text = self.address.target.trim_start_matches("dns:").trim_start_matches('/');
        let Ok(endpoint) = text.parse::<Endpoint>() else { return false };
        let connector = Connector::new().timeout(self.connect_timeout.min(Duration::from_secs(2))).tls(tls);
        match connector.connect(&endpoint).await {
            Ok(_) => true,
            Err(ConnectError::Tls { source, .. }) => {
                matches!(source, TlsHandshakeError::Refused { .. } | TlsHandshakeError::NoCommonAlpn { .. })
            }
            Err(_) => false,
        }
    }
}

/// Why the last attempt failed, for whoever has to explain it.
#[derive(Clone, Debug, Default)]
struct LastError(Arc<Mutex<Option<ConnectError>>>);

impl LastError {
    fn take(&self) -> Option<ConnectError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn set(&self, error: Option<ConnectError>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = error;
    }
}

/// Dials as the channel would, and keeps the error, which the channel tells only as a text.
struct Recording {
    connector: Connector,
    last: LastError,
}

impl Dial for Recording {
    fn dial<'a>(
        &'a self,
        endpoint: &'a Endpoint,
        name: &'a str,
    ) -> BoxFuture<'a, io::Result<(Io, ConnectionInfo)>> {
        Box::pin(async move {
            match self.connector.connect_as(endpoint, name).await {
                Ok(connected) => {
                    self.last.set(None);
                    Ok(connected)
                }
                Err(error) => {
                    let text = causes(&error);
                    self.last.set(Some(error));
                    Err(io::Error::other(text))
                }
            }
        })
    }
}
