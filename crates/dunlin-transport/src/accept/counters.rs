//! What an acceptor counts.

use std::sync::atomic::{AtomicU64, Ordering};

use super::HandshakeError;

/// What happened at an acceptor since it was made; each value only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AcceptCounts {
    /// Connections that were handed over, ready for HTTP/2.
    pub accepted: u64,
    /// Connections closed for want of a place ([`AtLimit::AcceptAndClose`](super::AtLimit)).
    pub refused: u64,
    /// Connections that ended before they could be accepted.
    pub lost: u64,
    /// How often the system was out of descriptors or memory; a pause follows each.
    pub exhausted: u64,
    /// Handshakes that took too long.
    pub handshake_timeouts: u64,
    /// Handshakes that ended at the PROXY protocol header.
    pub proxy_protocol_failures: u64,
    /// TLS handshakes in which no application protocol was agreed on.
    pub alpn_failures: u64,
    /// TLS handshakes that ended for any other reason.
    pub tls_failures: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    accepted: AtomicU64,
    refused: AtomicU64,
    lost: AtomicU64,
    exhausted: AtomicU64,
    handshake_timeouts: AtomicU64,
    proxy_protocol_failures: AtomicU64,
    alpn_failures: AtomicU64,
    tls_failures: AtomicU64,
}

impl Counters {
    pub(super) fn ready(&self) {
        add_one(&self.accepted);
    }

    pub(super) fn refused(&self) {
        add_one(&self.refused);
    }

    pub(super) fn lost(&self) {
        add_one(&self.lost);
    }

    pub(super) fn exhausted(&self) {
        add_one(&self.exhausted);
    }

    pub(super) fn handshake_failed(&self, error: &HandshakeError) {
        add_one(match error {
            HandshakeError::Timeout { .. } => &self.handshake_timeouts,
            HandshakeError::ProxyProtocol(_) => &self.proxy_protocol_failures,
            #[cfg(feature = "tls")]
            HandshakeError::Tls(error) if error.is_alpn() => &self.alpn_failures,
            #[cfg(feature = "tls")]
            HandshakeError::Tls(_) => &self.tls_failures,
        });
    }

    pub(super) fn read(&self) -> AcceptCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        AcceptCounts {
            accepted: read(&self.accepted),
            refused: read(&self.refused),
            lost: read(&self.lost),
            exhausted: read(&self.exhausted),
            handshake_timeouts: read(&self.handshake_timeouts),
            proxy_protocol_failures: read(&self.proxy_protocol_failures),
            alpn_failures: read(&self.alpn_failures),
            tls_failures: read(&self.tls_failures),
        }
    }
}

fn add_one(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
