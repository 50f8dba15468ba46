//! Making connections.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use dunlin_transport::pipe::PipeConnector;
use dunlin_transport::{ConnectError, ConnectionInfo, Connector, Endpoint, Io};

/// A future that someone else made.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Makes a connection to an address, in place of the built-in way; TLS, if there is to be any, is its
/// part too.
pub trait Dial: Send + Sync + 'static {
    /// Connects to `endpoint`, as `name` for TLS.
    ///
    /// # Errors
    /// When that is not possible.
    fn dial<'a>(
        &'a self,
        endpoint: &'a Endpoint,
        name: &'a str,
    ) -> BoxFuture<'a, io::Result<(Io, ConnectionInfo)>>;
}

/// The ways there are.
#[derive(Clone)]
pub(crate) enum Dialer {
    System(Connector),
    InProcess(PipeConnector),
    Custom(Arc<dyn Dial>),
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::System(_) => "System",
            Self::InProcess(_) => "InProcess",
            Self::Custom(_) => "Custom",
        })
    }
}

/// Why a connection could not be made.
#[derive(Debug)]
pub(crate) enum DialError {
    System(ConnectError),
    Other(io::Error),
}

impl Dialer {
    pub(crate) async fn dial(
        &self,
        endpoint: &Endpoint,
        name: &str,
    ) -> Result<(Io, ConnectionInfo), DialError> {
        match self {
            Self::System(connector) => connector.connect_as(endpoint, name).await.map_err(DialError::System),
            Self::InProcess(connector) => connector.connect().await.map_err(DialError::Other),
            Self::Custom(dial) => dial.dial(endpoint, name).await.map_err(DialError::Other),
        }
    }
}
