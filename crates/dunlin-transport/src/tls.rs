//! TLS by rustls with the ring provider, for both sides.
//!
//! [`ServerTls`] and [`ClientTls`] are cheap to clone and can be reloaded while they serve: a
//! connection uses what was loaded last when it began. Both read PEM, from files or from memory.
//!
//! TLS 1.2 and 1.3 are spoken, with cipher suites that HTTP/2 permits only (RFC 9113 §9.2.2); rustls
//! has no others, nor compression or renegotiation. The `aws-lc-rs` provider is not used, and no
//! provider has to be installed for the process.

mod any_certificate;
mod client;
mod client_auth;
mod common;
mod error;
mod identity;
mod info;
mod pem;
mod reload;
mod server;
mod trust;

pub use client::{ClientTls, ClientTlsBuilder};
pub use client_auth::ClientCerts;
pub use error::{TlsConfigError, TlsHandshakeError};
pub use identity::{Identity, UnknownName};
pub use info::{TlsInfo, TlsVersion};
pub use reload::{FileWatch, ReloadCounts};
pub use rustls::pki_types::CertificateDer;
pub use server::{ServerTls, ServerTlsBuilder};
pub use trust::TrustRoots;

use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::crypto::CryptoProvider;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsStream;

use crate::io::Io;

/// The protocol name of HTTP/2 over TLS (RFC 9113 §3.2).
pub const ALPN_H2: &[u8] = b"h2";

/// What becomes of a connection whose peer takes no part in ALPN. Complete by definition.
///
/// A peer that does take part and shares no protocol with us is always refused, by whichever side
/// finds out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissingAlpn {
    /// It ends: HTTP/2 over TLS is chosen by ALPN (RFC 9113 §3.3).
    #[default]
    Refuse,
    /// It goes on as HTTP/2, for old peers that are known to speak it.
    Accept,
}

/// The bytes inside of TLS.
#[derive(Debug)]
pub struct TlsIo(TlsStream<Io>);

impl TlsIo {
    fn into_io(stream: impl Into<TlsStream<Io>>) -> Io {
        Io::Tls(Box::new(Self(stream.into())))
    }
}

impl AsyncRead for TlsIo {
    #[inline]
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for TlsIo {
    #[inline]
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    #[inline]
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    #[inline]
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

#[cfg(test)]
pub(crate) mod tests;
