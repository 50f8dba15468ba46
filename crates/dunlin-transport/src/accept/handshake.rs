//! What stands between accepting a connection and its first HTTP/2 byte.

use std::time::Duration;

use tokio::time::timeout;

use super::{Accepted, Handshaken};
use crate::proxy_protocol::{Mode, ProxyProtocol, ProxyReadError, read_header};
#[cfg(feature = "tls")]
use crate::tls::{ServerTls, TlsHandshakeError};

/// Why an accepted connection was not handed over.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// It took longer than [`AcceptorBuilder::handshake_timeout`](super::AcceptorBuilder).
    #[error("handshake not done within {timeout:?}")]
    Timeout {
        /// The limit.
        timeout: Duration,
    },
    /// Its PROXY protocol header could not be read.
    #[error("PROXY protocol")]
    ProxyProtocol(#[from] ProxyReadError),
    /// TLS could not be agreed on.
    #[cfg(feature = "tls")]
    #[error("TLS")]
    Tls(#[from] TlsHandshakeError),
}

impl HandshakeError {
    /// All that [`kind`](Self::kind) may say.
    pub const KINDS: [&'static str; 4] = ["timeout", "proxy_protocol", "alpn", "tls"];

    /// What went wrong, in a word that can be a label.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Timeout { .. } => "timeout",
            Self::ProxyProtocol(_) => "proxy_protocol",
            #[cfg(feature = "tls")]
            Self::Tls(error) if error.is_alpn() => "alpn",
            #[cfg(feature = "tls")]
            Self::Tls(_) => "tls",
        }
    }
}

/// The steps, in order: the PROXY protocol header, which a balancer sends in clear text, then TLS.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) timeout: Duration,
    pub(super) proxy_protocol: ProxyProtocol,
    #[cfg(feature = "tls")]
    pub(super) tls: Option<ServerTls>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            proxy_protocol: ProxyProtocol::default(),
            #[cfg(feature = "tls")]
            tls: None,
        }
    }
}

impl Plan {
    /// Whether there is nothing to do, and no task to spawn for it.
    pub(super) fn is_empty(&self) -> bool {
        self.proxy_protocol.mode == Mode::Off && !self.has_tls()
    }

    pub(super) async fn perform(&self, accepted: Accepted) -> Handshaken {
        let peer = accepted.info.peer.clone();
        match timeout(self.timeout, self.steps(accepted)).await {
            Ok(done) => done.map_err(|error| (peer, error)),
            Err(_) => Err((peer, HandshakeError::Timeout { timeout: self.timeout })),
        }
    }

    async fn steps(&self, accepted: Accepted) -> Result<Accepted, HandshakeError> {
        let Accepted { io, mut info, .. } = accepted;
        let (io, proxied) = read_header(io, &info.peer, &self.proxy_protocol).await?;
        info.proxied = proxied;
        self.secure(Accepted { io, info, ..accepted }).await
    }
}

#[cfg(feature = "tls")]
impl Plan {
    fn has_tls(&self) -> bool {
        self.tls.is_some()
    }

    async fn secure(&self, accepted: Accepted) -> Result<Accepted, HandshakeError> {
        let Some(tls) = &self.tls else { return Ok(accepted) };
        let Accepted { io, mut info, .. } = accepted;
        let (io, agreed) = tls.accept(io).await?;
        info.tls = Some(agreed);
        Ok(Accepted { io, info, ..accepted })
    }
}

#[cfg(not(feature = "tls"))]
impl Plan {
    fn has_tls(&self) -> bool {
        false
    }

    async fn secure(&self, accepted: Accepted) -> Result<Accepted, HandshakeError> {
        Ok(accepted)
    }
}
