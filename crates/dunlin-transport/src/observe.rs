//! Who hears of a server's connections.

use std::fmt;

use crate::accept::HandshakeError;
use crate::address::{Address, ConnectionInfo};
use crate::driver::CloseReason;

/// Is told what becomes of connections, to count or to log it. It is called where connections are served,
/// so it must not block.
pub trait ConnectionObserver: Send + Sync + 'static {
    /// A connection is ready for its first HTTP/2 byte.
    fn opened(&self, connection: &ConnectionInfo) {
        let _ = connection;
    }

    /// A connection that was opened has ended. A limit that it broke is in the reason, as
    /// [`ConnectionError::Abuse`](dunlin_http2::ConnectionError).
    fn closed(&self, connection: &ConnectionInfo, reason: &CloseReason) {
        let _ = (connection, reason);
    }

    /// A connection was closed for want of a place ([`AtLimit::AcceptAndClose`](crate::accept::AtLimit)).
    fn refused(&self) {}

    /// A connection ended before HTTP/2.
    fn handshake_failed(&self, peer: &Address, error: &HandshakeError) {
        let _ = (peer, error);
    }
}

impl fmt::Debug for dyn ConnectionObserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConnectionObserver")
    }
}
