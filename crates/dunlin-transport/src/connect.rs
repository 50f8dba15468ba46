//! Dialling.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::address::{Address, ConnectionInfo};
use crate::endpoint::Endpoint;
use crate::http_proxy::{HttpProxy, ProxySettings, TunnelError};
use crate::io::Io;
use crate::options::SocketOptions;
#[cfg(feature = "tls")]
use crate::tls::{ClientTls, TlsHandshakeError};
use crate::{tcp, unix};

/// How long one address of a host may take before the next is tried beside it (RFC 8305 §5 advises
/// 250 ms).
const NEXT_ADDRESS_AFTER: Duration = Duration::from_millis(250);

/// Makes connections to endpoints: a socket, through a proxy if there is to be one, and TLS.
///
/// Cheap to clone; it holds no connection.
#[derive(Clone, Debug)]
pub struct Connector {
    options: SocketOptions,
    timeout: Duration,
    proxy: ProxySettings,
    #[cfg(feature = "tls")]
    tls: Option<ClientTls>,
}

/// Why an endpoint could not be reached.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Everything together took longer than [`Connector::timeout`].
    #[error("no connection to {endpoint} within {timeout:?}")]
    Timeout {
        /// What was dialled.
        endpoint: Endpoint,
        /// The limit.
        timeout: Duration,
    },
    /// The host's name could not be looked up.
    #[error("cannot look up {endpoint}")]
    Lookup {
        /// What was dialled.
        endpoint: Endpoint,
        /// The resolver's answer.
        source: io::Error,
    },
    /// The host's name has no address.
    #[error("{endpoint} has no address")]
    NoAddress {
        /// What was dialled.
        endpoint: Endpoint,
    },
    /// The only address could not be reached.
    #[error("cannot connect to {address}")]
    Refused {
        /// The address.
        address: Address,
        /// The system's answer.
        source: io::Error,
    },
    /// None of several addresses could be reached.
    #[error("cannot connect to {endpoint}: {}", list(.attempts))]
    AllRefused {
        /// What was dialled.
        endpoint: Endpoint,
        /// Every address, and the system's answer.
        attempts: Vec<(SocketAddr, io::Error)>,
    },
    /// The proxy could not be reached.
    #[error("cannot reach the proxy on the way to {endpoint}")]
    ProxyUnreachable {
        /// What was dialled.
        endpoint: Endpoint,
        /// Why not.
        source: Box<ConnectError>,
    },
    /// The proxy gave no tunnel.
    #[error("no way to {endpoint} through the proxy at {proxy}")]
    Proxy {
        /// What was dialled.
        endpoint: Endpoint,
        /// The proxy.
        proxy: Endpoint,
        /// Why not.
        source: TunnelError,
    },
    /// TLS could not be agreed on.
    #[cfg(feature = "tls")]
    #[error("no TLS with {endpoint}")]
    Tls {
        /// What was dialled.
        endpoint: Endpoint,
        /// Why not.
        source: TlsHandshakeError,
    },
}

fn list(attempts: &[(SocketAddr, io::Error)]) -> String {
    let attempts: Vec<_> = attempts.iter().map(|(address, error)| format!("{address}: {error}")).collect();
    attempts.join("; ")
}

impl Default for Connector {
    fn default() -> Self {
        Self {
            options: SocketOptions::default(),
            timeout: Duration::from_secs(20),
            proxy: ProxySettings::default(),
            #[cfg(feature = "tls")]
            tls: None,
        }
    }
}

impl Connector {
    /// In clear text, without a proxy; what follows adds to it.
    pub fn new() -> Self {
        Self::default()
    }

    /// The options of each socket.
    #[must_use]
    pub fn options(self, options: SocketOptions) -> Self {
        Self { options, ..self }
    }

    /// How long looking up, connecting, the proxy and TLS may take together. Default 20 s.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Which hosts to dial through an HTTP proxy. Default: none; give
    /// [`ProxySettings::from_env`] to follow the environment.
    #[must_use]
    pub fn proxy(self, proxy: ProxySettings) -> Self {
        Self { proxy, ..self }
    }

    /// Speaks TLS on every connection. Default: clear text.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(self, tls: ClientTls) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// Connects to `endpoint`, and checks its certificate for the name in it.
    ///
    /// The addresses of a host name are tried in turn, IPv6 and IPv4 alternating, the next one 250 ms
    /// after the one before or as soon as that fails; the first that connects is used (RFC 8305).
    ///
    /// # Errors
    ///
    /// See [`ConnectError`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes whatever it had opened.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with I/O and timers.
    pub async fn connect(&self, endpoint: &Endpoint) -> Result<(Io, ConnectionInfo), ConnectError> {
        self.connect_as(endpoint, &endpoint.tls_name()).await
    }

    /// Connects to `endpoint`, and checks its certificate for `tls_name`, a host name or an address
    /// without brackets: for endpoints that were resolved already from a name.
    ///
    /// # Errors
    ///
    /// As with [`Connector::connect`], like everything else.
    pub async fn connect_as(
        &self,
        endpoint: &Endpoint,
        tls_name: &str,
    ) -> Result<(Io, ConnectionInfo), ConnectError> {
        match timeout(self.timeout, self.steps(endpoint, tls_name)).await {
            Ok(connected) => connected,
            Err(_) => Err(ConnectError::Timeout { endpoint: endpoint.clone(), timeout: self.timeout }),
        }
    }

    async fn steps(&self, endpoint: &Endpoint, tls_name: &str) -> Result<(Io, ConnectionInfo), ConnectError> {
        let (io, info) = match self.proxy.proxy_for(endpoint) {
            None => self.dial(endpoint).await?,
            Some(proxy) => self.dial_through(proxy, endpoint).await?,
        };
        self.secure(io, info, endpoint, tls_name).await
    }

    async fn dial(&self, endpoint: &Endpoint) -> Result<(Io, ConnectionInfo), ConnectError> {
        match endpoint {
            Endpoint::Ip(address) => {
                let stream = tcp::connect(*address, &self.options).await;
                let stream =
                    stream.map_err(|source| ConnectError::Refused { address: (*address).into(), source })?;
                Ok(tcp_connection(stream, *address))
            }
            Endpoint::Host { host, port } => {
                let lookup = |source| ConnectError::Lookup { endpoint: endpoint.clone(), source };
                let addresses = tokio::net::lookup_host((&**host, *port)).await.map_err(lookup)?;
                let (stream, address) = self.race(endpoint, alternating(addresses.collect())).await?;
                Ok(tcp_connection(stream, address))
            }
            Endpoint::UnixPath(path) => self.dial_unix(Address::UnixPath(path.clone())).await,
            Endpoint::UnixAbstract(name) => self.dial_unix(Address::UnixAbstract(name.clone())).await,
        }
    }

    async fn dial_unix(&self, peer: Address) -> Result<(Io, ConnectionInfo), ConnectError> {
        match unix::connect(&peer, &self.options).await {
            Ok((io, local)) => Ok((io, ConnectionInfo::new(local, peer))),
            Err(source) => Err(ConnectError::Refused { address: peer, source }),
        }
    }

    async fn dial_through(
        &self,
        proxy: &HttpProxy,
        endpoint: &Endpoint,
    ) -> Result<(Io, ConnectionInfo), ConnectError> {
        let (io, info) = self.dial(proxy.endpoint()).await.map_err(|source| {
            ConnectError::ProxyUnreachable { endpoint: endpoint.clone(), source: Box::new(source) }
        })?;
        let io = proxy.tunnel(io, &endpoint.to_string()).await.map_err(|source| ConnectError::Proxy {
            endpoint: endpoint.clone(),
            proxy: proxy.endpoint().clone(),
            source,
        })?;
        Ok((io, info))
    }

    /// The first of the addresses that connects.
    async fn race(
        &self,
        endpoint: &Endpoint,
        addresses: Vec<SocketAddr>,
    ) -> Result<(TcpStream, SocketAddr), ConnectError> {
        let mut addresses = addresses.into_iter();
        let mut running = JoinSet::new();
        let mut attempts = Vec::new();
        loop {
            if let Some(address) = addresses.next() {
                let options = self.options.clone();
                running.spawn(async move { (tcp::connect(address, &options).await, address) });
            }
            let another = addresses.len() > 0;
            let done = tokio::select! {
                done = running.join_next() => done,
                () = sleep(NEXT_ADDRESS_AFTER), if another => continue,
            };
            match done {
                // Dropping the set closes the attempts that are still under way.
                Some(Ok((Ok(stream), address))) => return Ok((stream, address)),
                Some(Ok((Err(error), address))) => attempts.push((address, error)),
                Some(Err(_)) => {} // only if the runtime shuts down
                None => break,
            }
        }
        match attempts.len() {
            0 => Err(ConnectError::NoAddress { endpoint: endpoint.clone() }),
            _ => Err(ConnectError::AllRefused { endpoint: endpoint.clone(), attempts }),
        }
    }

    #[cfg(feature = "tls")]
    async fn secure(
        &self,
        io: Io,
        mut info: ConnectionInfo,
        endpoint: &Endpoint,
        tls_name: &str,
    ) -> Result<(Io, ConnectionInfo), ConnectError> {
        let Some(tls) = &self.tls else { return Ok((io, info)) };
        let agreed = tls.connect(io, tls_name).await;
        let (io, agreed) =
            agreed.map_err(|source| ConnectError::Tls { endpoint: endpoint.clone(), source })?;
        info.tls = Some(agreed);
        Ok((io, info))
    }

    #[cfg(not(feature = "tls"))]
    async fn secure(
        &self,
        io: Io,
        info: ConnectionInfo,
        _: &Endpoint,
        _: &str,
    ) -> Result<(Io, ConnectionInfo), ConnectError> {
        Ok((io, info))
    }
}

fn tcp_connection(stream: TcpStream, peer: SocketAddr) -> (Io, ConnectionInfo) {
    // The address is unknown only if the connection has died since; reading will say so.
    let unknown = SocketAddr::new(IpAddr::from([0; 4]), 0);
    let local = stream.local_addr().unwrap_or(unknown);
    (Io::Tcp(stream), ConnectionInfo::new(local.into(), peer.into()))
}

/// RFC 8305 §4: the families alternate, beginning with the one that the resolver put first, each in
/// the resolver's order.
fn alternating(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let Some(first) = addresses.first().map(SocketAddr::is_ipv6) else { return addresses };
    let (mut preferred, mut other): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first);
    preferred.reverse();
    other.reverse();
    let mut mixed = Vec::with_capacity(preferred.len() + other.len());
    while !preferred.is_empty() || !other.is_empty() {
        mixed.extend(preferred.pop());
        mixed.extend(other.pop());
    }
    mixed
}

#[cfg(test)]
mod tests;
