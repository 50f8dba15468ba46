//! Listening sockets of every kind.

use std::io;
use std::path::PathBuf;

use tokio::net::TcpListener;
use tracing::debug;

use crate::address::{Address, ConnectionInfo};
use crate::endpoint::Endpoint;
use crate::io::Io;
use crate::options::{ListenerOptions, SocketOptions};
use crate::pipe::PipeListener;
use crate::tcp;
use crate::unix::{self, UnixListening};

/// A bound, listening socket.
///
/// Dropping it closes the socket; connections that the kernel holds for it and nobody accepted are
/// reset. The file of a unix socket goes with it, unless another server has replaced the file.
#[derive(Debug)]
pub struct Listener {
    kind: Kind,
    local: Address,
    socket: SocketOptions,
}

#[derive(Debug)]
enum Kind {
    Tcp(TcpListener),
    Unix(UnixListening),
    Pipe(PipeListener),
}

/// Why a [`Listener`] could not be bound.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// The host name gave no address.
    #[error("cannot look up {endpoint} to listen on it")]
    Lookup {
        /// What was to be bound.
        endpoint: String,
        /// The resolver's error.
        source: io::Error,
    },
    /// The system refused a step.
    #[error("cannot listen on {address}: {step}")]
    Socket {
        /// What was to be bound.
        address: Address,
        /// The system call or the socket option that was refused.
        step: &'static str,
        /// The system's answer.
        source: io::Error,
    },
    /// Another process listens on this unix socket.
    #[error("another process listens on {address}")]
    InUse {
        /// What was to be bound.
        address: Address,
    },
    /// A file that is no socket stands in the place of the unix socket; it is left alone.
    #[error("{} exists and is not a socket; remove it or choose another path", .path.display())]
    NotASocket {
        /// The file.
        path: PathBuf,
    },
}

impl Listener {
    /// Binds `endpoint` and listens on it.
    ///
    /// A host name is looked up, and its first address that can be bound is used. A unix socket file
    /// on which nobody listens is replaced.
    ///
    /// # Errors
    ///
    /// See [`BindError`].
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with I/O enabled.
    pub async fn bind(endpoint: &Endpoint, options: &ListenerOptions) -> Result<Self, BindError> {
        match endpoint {
            Endpoint::Ip(address) => {
                let listener = tcp::bind(*address, options)?;
                Self::tcp(listener, options.socket.clone()).map_err(|source| BindError::Socket {
                    address: (*address).into(),
                    step: "getsockname",
                    source,
                })
            }
            Endpoint::Host { host, port } => {
                let lookup = |source| BindError::Lookup { endpoint: endpoint.to_string(), source };
                let mut last = lookup(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
                for address in tokio::net::lookup_host((&**host, *port)).await.map_err(lookup)? {
                    match Box::pin(Self::bind(&Endpoint::Ip(address), options)).await {
                        Ok(listener) => return Ok(listener),
                        Err(error) => last = error,
                    }
                }
                Err(last)
            }
            Endpoint::UnixPath(path) => Self::unix(&Address::UnixPath(path.clone()), options).await,
            Endpoint::UnixAbstract(name) => Self::unix(&Address::UnixAbstract(name.clone()), options).await,
        }
    }

    /// Takes over a TCP socket that is already bound and listening, as socket activation hands it.
    ///
    /// Of the options, only those of accepted connections ([`SocketOptions`]) still apply.
    ///
    /// # Errors
    ///
    /// Those of registering the socket with the runtime.
    pub fn from_std_tcp(listener: std::net::TcpListener, socket: SocketOptions) -> io::Result<Self> {
        Self::tcp(tcp::from_std(listener)?, socket)
    }

    /// Takes over a unix socket that is already bound and listening. Its file stays when the
    /// listener ends, since whoever bound it owns it.
    ///
    /// # Errors
    ///
    /// Those of registering the socket with the runtime.
    #[cfg(unix)]
    pub fn from_std_unix(
        listener: std::os::unix::net::UnixListener,
        socket: SocketOptions,
    ) -> io::Result<Self> {
        let listener = UnixListening::from_std(listener)?;
        Ok(Self { local: listener.local_addr(), kind: Kind::Unix(listener), socket })
    }

    pub(crate) fn in_process(listener: PipeListener) -> Self {
        let socket = SocketOptions::default();
        Self { kind: Kind::Pipe(listener), local: Address::InProcess, socket }
    }

    /// The address that is listened on, with the port that the system chose in place of 0.
    pub fn local_addr(&self) -> &Address {
        &self.local
    }

    /// Waits for the next connection, with its options set.
    ///
    /// # Errors
    ///
    /// The system's, for whatever reason: most concern one connection or pass with time. An
    /// [`Acceptor`](crate::Acceptor) knows which.
    ///
    /// # Cancel safety
    ///
    /// No connection is lost when the future is dropped.
    pub async fn accept(&mut self) -> io::Result<(Io, ConnectionInfo)> {
        let (io, local, peer) = match &mut self.kind {
            Kind::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                // The peer may be gone again by now; reading will say so.
                if let Err(error) = tcp::configure(&stream, &self.socket) {
                    debug!(%peer, %error, "socket options refused");
                }
                // Bound to a wildcard, each connection has a local address of its own.
                let local = stream.local_addr().map_or_else(|_| self.local.clone(), Address::from);
                (Io::Tcp(stream), local, peer.into())
            }
            Kind::Unix(listener) => {
                let (stream, peer) = listener.accept().await?;
                (Io::Unix(stream), self.local.clone(), peer)
            }
            Kind::Pipe(listener) => {
                (Io::Pipe(listener.accept().await), Address::InProcess, Address::InProcess)
            }
        };
        Ok((io, ConnectionInfo::new(local, peer)))
    }

    fn tcp(listener: TcpListener, socket: SocketOptions) -> io::Result<Self> {
        let local = listener.local_addr()?.into();
        Ok(Self { kind: Kind::Tcp(listener), local, socket })
    }

    async fn unix(address: &Address, options: &ListenerOptions) -> Result<Self, BindError> {
        let listener = unix::bind(address, options).await?;
        Ok(Self { local: listener.local_addr(), kind: Kind::Unix(listener), socket: options.socket.clone() })
    }
}

#[cfg(test)]
mod tests;
