//! Sockets, TLS and connection tasks for [`dunlin_http2`], on tokio.
//!
//! This crate turns an [`Endpoint`] into a byte stream and says who is at the other end. A server
//! binds a [`Listener`] and takes finished connections from an [`Acceptor`]; a client dials with a
//! [`Connector`]. Both give an [`Io`] (TCP, unix socket, TLS or in-process pipe behind one type) and
//! a [`ConnectionInfo`].
//!
//! ```
//! use dunlin_transport::{Acceptor, Connector, Endpoint, Listener, ListenerOptions};
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let listener = Listener::bind(&"127.0.0.1:0".parse()?, &ListenerOptions::default()).await?;
//! let endpoint: Endpoint = listener.local_addr().to_string().parse()?;
//! let mut acceptor = Acceptor::builder().max_connections(100).build(listener);
//!
//! let (mut client, _) = Connector::default().connect(&endpoint).await?;
//! let mut accepted = acceptor.next().await?.expect("nobody stopped the acceptor");
//! client.write_all(b"ping").await?;
//! let mut seen = [0; 4];
//! accepted.io.read_exact(&mut seen).await?;
//! assert_eq!(&seen, b"ping");
//! # Ok(())
//! # }
//! ```
//!
//! It knows nothing of calls or messages, resolves names only through the operating system, and
//! balances nothing: that is the client's part.

pub mod accept;
pub mod address;
pub mod connect;
pub mod driver;
pub mod endpoint;
pub mod http_proxy;
pub mod io;
pub mod ledger;
pub mod listener;
pub mod network;
pub mod observe;
pub mod operations;
pub mod options;
pub mod pipe;
pub mod preface;
pub mod proxy_protocol;
#[cfg(feature = "tls")]
pub mod tls;

mod platform;
mod tcp;
mod unix;

pub use accept::{Accepted, Acceptor};
pub use address::{Address, ConnectionInfo};
pub use connect::{ConnectError, Connector};
pub use driver::{CloseReason, ConnectionHandler, Driver};
pub use endpoint::{Endpoint, EndpointError};
pub use io::Io;
pub use ledger::Ledger;
pub use listener::{BindError, Listener};
pub use observe::ConnectionObserver;
pub use operations::{Handle, Operations};
pub use options::{Keepalive, ListenerOptions, SocketOptions};
#[cfg(feature = "tls")]
pub use tls::{ClientTls, ServerTls, TlsInfo};
