//! One type for every kind of byte stream.

use std::fmt;
use std::io::{ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::coop;

use crate::pipe::Pipe;
#[cfg(feature = "tls")]
use crate::tls::TlsIo;
pub use crate::unix::UnixStream;

/// The bytes of a connection: a socket, TLS over one, or an in-process pipe.
///
/// Reading and writing TCP costs one `match` over using the socket itself; there is no box and no
/// lock in between. Vectored writes reach the system in one call where [`is_write_vectored`] says so.
///
/// [`is_write_vectored`]: AsyncWrite::is_write_vectored
#[non_exhaustive]
pub enum Io {
    /// A TCP socket.
    Tcp(TcpStream),
    /// A unix socket.
    Unix(UnixStream),
    /// One end of an in-process pipe.
    Pipe(Pipe),
    /// TLS over any of the others.
    #[cfg(feature = "tls")]
    Tls(Box<TlsIo>),
    /// Any of the others, behind bytes that were read from it too early; turns into it once they are
    /// read. Made by [`Io::with_prefix`].
    Prefixed(Box<Prefixed>),
}

/// A stream and the bytes to be read before its own.
#[derive(Debug)]
pub struct Prefixed {
    /// Never empty.
    prefix: Bytes,
    /// `None` only while the stream moves out of here.
    inner: Option<Io>,
}

impl Io {
    /// Gives bytes back: they are read again before what the stream itself holds.
    #[must_use]
    pub fn with_prefix(self, prefix: Bytes) -> Self {
        if prefix.is_empty() {
            return self;
        }
        Self::Prefixed(Box::new(Prefixed { prefix, inner: Some(self) }))
    }
}

impl Prefixed {
    fn inner(&mut self) -> &mut Io {
        self.inner.as_mut().expect("the stream leaves only together with this value")
    }
}

/// Hands the stream inside to an expression; the one place that lists the kinds. A prefix concerns
/// reading only, so it is looked through.
macro_rules! each {
    ($io:expr, $stream:ident => $then:expr) => {
        match $io {
            Io::Tcp($stream) => $then,
            Io::Unix($stream) => $then,
            Io::Pipe($stream) => $then,
            #[cfg(feature = "tls")]
            Io::Tls($stream) => $then,
            Io::Prefixed(prefixed) => {
                let $stream = prefixed.inner();
                $then
            }
        }
    };
}

impl AsyncRead for Io {
    #[inline]
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        let io = self.get_mut();
        match io {
            Io::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Io::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
            Io::Pipe(stream) => Pin::new(stream).poll_read(cx, buf),
            #[cfg(feature = "tls")]
            Io::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
            Io::Prefixed(prefixed) => {
                let len = prefixed.prefix.len().min(buf.remaining());
                buf.put_slice(&prefixed.prefix[..len]);
                prefixed.prefix.advance(len);
                if prefixed.prefix.is_empty() {
                    let inner = prefixed.inner.take();
                    *io = inner.expect("the stream leaves only together with this value");
                }
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl AsyncWrite for Io {
    #[inline]
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        let io = self.get_mut();
        // Most often there is room, and nobody to be woken. It counts for the runtime all the same, so that a task that
        // only writes lets others go on.
        if let Io::Tcp(stream) = io {
            let unit = ready!(coop::poll_proceed(cx));
            match stream.try_write(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                written => {
                    unit.made_progress();
                    return Poll::Ready(written);
                }
            }
        }
        each!(io, stream => Pin::new(stream).poll_write(cx, bytes))
    }

    #[inline]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        each!(self.get_mut(), stream => Pin::new(stream).poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Io::Tcp(stream) => stream.is_write_vectored(),
            Io::Unix(stream) => stream.is_write_vectored(),
            Io::Pipe(stream) => stream.is_write_vectored(),
            #[cfg(feature = "tls")]
            Io::Tls(stream) => stream.is_write_vectored(),
            Io::Prefixed(prefixed) => prefixed.inner.as_ref().is_some_and(Io::is_write_vectored),
        }
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        each!(self.get_mut(), stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        each!(self.get_mut(), stream => Pin::new(stream).poll_shutdown(cx))
    }
}

impl fmt::Debug for Io {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Io::Tcp(stream) => f.debug_tuple("Tcp").field(stream).finish(),
            Io::Unix(stream) => f.debug_tuple("Unix").field(stream).finish(),
            Io::Pipe(_) => f.write_str("Pipe"),
            #[cfg(feature = "tls")]
            Io::Tls(_) => f.write_str("Tls"),
            Io::Prefixed(prefixed) => f.debug_tuple("Prefixed").field(&prefixed.inner).finish(),
        }
    }
}

/// Reads what is there, at least one byte, behind `bytes` and up to `limit` bytes in all. Gives how
/// many were read; 0 means that the stream ended.
///
/// Cancel safe: no byte is lost.
pub(crate) async fn read_more(io: &mut Io, bytes: &mut Vec<u8>, limit: usize) -> Result<usize> {
    std::future::poll_fn(|cx| {
        let filled = bytes.len();
        bytes.resize(limit.max(filled), 0);
        let mut buf = ReadBuf::new(&mut bytes[filled..]);
        let polled = Pin::new(&mut *io).poll_read(cx, &mut buf);
        let read = buf.filled().len();
        bytes.truncate(filled + read);
        ready!(polled)?;
        Poll::Ready(Ok(read))
    })
    .await
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::pipe;

    #[test]
    fn a_stream_can_move_between_threads() {
        fn check<T: Send + Sync + Unpin>() {}
        check::<Io>();
    }

    /// With a peer that takes all, a task that only writes would never end its turn.
    #[tokio::test]
    async fn writes_count_for_the_runtime() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (far, _) = listener.accept().await.unwrap();
        near.writable().await.unwrap();
        let mut io = Io::Tcp(near);
        let written = std::future::poll_fn(|cx| {
            let mut count = 0;
            while count < 10_000 && Pin::new(&mut io).poll_write(cx, b"x").is_ready() {
                count += 1;
            }
            Poll::Ready(count)
        })
        .await;
        assert!((1..1000).contains(&written), "{written}");
        drop(far);
    }

    #[tokio::test]
    async fn a_prefix_is_read_first_and_then_disappears() {
        let (near, mut far) = pipe::pair(64);
        let mut io = Io::Pipe(near).with_prefix(Bytes::from_static(b"first "));
        far.write_all(b"second").await.unwrap();
        let mut seen = [0; 3];
        io.read_exact(&mut seen).await.unwrap();
        assert!(matches!(io, Io::Prefixed(_)));
        let mut rest = [0; 9];
        io.read_exact(&mut rest).await.unwrap();
        assert_eq!((&seen, &rest), (b"fir", b"st second"));
        assert!(matches!(io, Io::Pipe(_)));
        io.write_all(b"answer").await.unwrap();
        drop(io);
        let mut answer = String::new();
        far.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "answer");
    }

    #[tokio::test]
    async fn writing_looks_through_a_prefix_and_an_empty_one_is_none() {
        let (near, mut far) = pipe::pair(64);
        let mut io = Io::Pipe(near).with_prefix(Bytes::new());
        assert!(matches!(io, Io::Pipe(_)));
        io = io.with_prefix(Bytes::from_static(b"x"));
        assert!(io.is_write_vectored());
        let written = io.write_vectored(&[IoSlice::new(b"a"), IoSlice::new(b"bc")]).await.unwrap();
        io.shutdown().await.unwrap();
        let mut seen = Vec::new();
        far.read_to_end(&mut seen).await.unwrap();
        assert_eq!((written, &seen[..]), (3, &b"abc"[..]));
    }
}
