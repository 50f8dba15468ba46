//! Reaching a server, and saying what to do when that fails.

use std::error::Error;
use std::time::Duration;

use dunlin_client::{Backoff, Channel, ChannelBuilder, ChannelError, ClientTls, Keepalive, State};
use dunlin_grpc::{Status, causes};
use dunlin_transport::tls::{MissingAlpn, TlsHandshakeError};
use dunlin_transport::{ConnectError, Connector, Endpoint};
use tokio::time::timeout;

use super::Channels;
use super::failure::{Failure, Stage};
use super::target::Address;

/// How long a server that is not there is left alone.
const PAUSE: Duration = Duration::from_millis(100);

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
    /// A channel that is connected; one of `channels` from then on.
    pub(crate) async fn connect(&self, channels: &Channels) -> Result<Channel, Failure> {
        let channel = self.builder().connect_lazy().map_err(|error| match error {
            ChannelError::Target(_) => Failure::Usage(causes(&error)),
            error => Failure::local(Stage::Connect, causes(&error)),
        })?;
        channels.add(&channel);
        let mut last = None;
        match timeout(self.connect_timeout, self.attempts(&channel, &mut last)).await {
            Ok(result) => result.map(|()| channel),
            Err(_) => Err(Failure::local(
                Stage::Connect,
                format!(
                    "{} could not be reached within {:?}: {}; -connect-timeout allows more",
                    self.address.target,
                    self.connect_timeout,
                    last.as_deref().unwrap_or("no answer; is the address right?"),
                ),
            )),
        }
    }

    fn builder(&self) -> ChannelBuilder {
        let mut builder = Channel::builder(self.address.target.clone())
            .connect_timeout(self.connect_timeout)
            .backoff(Backoff::default().initial(PAUSE).multiplier(1.0).jitter(0.0))
            .show_protocol_fields(true);
        if let Some(tls) = &self.tls {
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
        builder
    }

    /// Until there is a connection; one attempt, unless it is to wait. What has no prospect is not tried again.
    async fn attempts(&self, channel: &Channel, last: &mut Option<String>) -> Result<(), Failure> {
        loop {
            let Err(status) = channel.connect().await else { return Ok(()) };
            match self.explain(&status).await {
                Failure::Local(Stage::Connect, why) if self.wait_for_ready => *last = Some(why),
                failure => return Err(failure),
            }
            // The next attempt begins, and ends.
            channel.state_change(State::TransientFailure).await;
            channel.state_change(State::Connecting).await;
        }
    }

    /// What went wrong, at which stage, and the cure.
    async fn explain(&self, status: &Status) -> Failure {
        let target = &self.address.target;
        let message = status.message();
        match status.source().and_then(|source| source.downcast_ref()) {
            Some(ConnectError::Tls { source: TlsHandshakeError::NotTls { .. }, .. }) => Failure::local(
                Stage::Tls,
                format!("the server on {target} answered without TLS; {}", self.cure.to_plaintext),
            ),
            Some(ConnectError::Tls { source, .. }) => {
                let cure = match source {
                    TlsHandshakeError::PeerCertificate { .. } => self.cure.to_trust,
                    TlsHandshakeError::Refused { .. } => self.cure.to_identify,
                    TlsHandshakeError::Io { .. } => return self.maybe_plaintext(&causes(source)),
                    _ => {
                        return Failure::local(
                            Stage::Tls,
                            format!("no TLS with {target}: {}", causes(source)),
                        );
                    }
                };
                Failure::local(Stage::Tls, format!("no TLS with {target}: {}; {cure}", causes(source)))
            }
            Some(error @ (ConnectError::Lookup { .. } | ConnectError::NoAddress { .. })) => Failure::local(
                Stage::Connect,
                format!("{}; is the name right? write host:port", causes(error)),
            ),
            Some(error) => Failure::local(
                Stage::Connect,
                format!("{}; is the server running, and the address right?", causes(error)),
            ),
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
    fn maybe_plaintext(&self, why: &str) -> Failure {
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
