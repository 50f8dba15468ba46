//! Connections without a socket, between two parts of one process.

use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::sync::mpsc;

use crate::address::{Address, ConnectionInfo};
use crate::io::Io;
use crate::listener::Listener;

/// How many bytes a pipe holds in each direction by default.
pub const DEFAULT_CAPACITY: usize = 64 * 1024;

/// One end of an in-process pipe.
///
/// It behaves as a socket does: writing waits while the other end has [`pair`]'s capacity unread;
/// shutting down or dropping an end lets the other read what was written and then the end of the
/// stream; writing to a dropped end is [`ErrorKind::BrokenPipe`].
#[derive(Debug)]
pub struct Pipe(DuplexStream);

/// A pipe that holds up to `capacity` bytes in each direction.
///
/// # Panics
///
/// If `capacity` is zero: nothing could ever be written.
pub fn pair(capacity: usize) -> (Pipe, Pipe) {
    assert!(capacity > 0, "a pipe without capacity cannot carry a byte");
    let (one, other) = tokio::io::duplex(capacity);
    (Pipe(one), Pipe(other))
}

impl AsyncRead for Pipe {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

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

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// The dialling side of an in-process listener; clone it for each client.
#[derive(Clone, Debug)]
pub struct PipeConnector {
    accept: mpsc::Sender<Pipe>,
    capacity: usize,
}

/// A listener without a socket, and what dials it.
///
/// `backlog` connections may wait to be accepted, then dialling waits; each pipe holds `capacity`
/// bytes in each direction ([`DEFAULT_CAPACITY`] suits most).
///
/// # Panics
///
/// If either is zero.
pub fn listen(backlog: usize, capacity: usize) -> (PipeConnector, Listener) {
    assert!(capacity > 0, "a pipe without capacity cannot carry a byte");
    let (accept, accepted) = mpsc::channel(backlog);
    (PipeConnector { accept, capacity }, Listener::in_process(PipeListener { accepted }))
}

impl PipeConnector {
    /// Dials the listener.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::ConnectionRefused`] if the listener is gone.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future dials nothing.
    pub async fn connect(&self) -> Result<(Io, ConnectionInfo)> {
        let refused = || Error::new(ErrorKind::ConnectionRefused, "the in-process listener is gone");
        let place = self.accept.reserve().await.map_err(|_| refused())?;
        let (near, far) = pair(self.capacity);
        place.send(far);
        Ok((Io::Pipe(near), ConnectionInfo::new(Address::InProcess, Address::InProcess)))
    }
}

/// The accepting side, inside of a [`Listener`].
#[derive(Debug)]
pub(crate) struct PipeListener {
    accepted: mpsc::Receiver<Pipe>,
}

impl PipeListener {
    /// Waits forever once every connector is gone: as with a socket, that nobody dials is no error.
    pub(crate) async fn accept(&mut self) -> Pipe {
        match self.accepted.recv().await {
            Some(pipe) => pipe,
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn each_direction_is_closed_on_its_own() {
        let (mut one, mut other) = pair(16);
        one.write_all(b"question").await.unwrap();
        one.shutdown().await.unwrap();
        let mut seen = String::new();
        other.read_to_string(&mut seen).await.unwrap();
        assert_eq!(seen, "question");
        other.write_all(b"answer").await.unwrap();
        drop(other);
        let mut seen = String::new();
        one.read_to_string(&mut seen).await.unwrap();
        assert_eq!(seen, "answer");
    }

    #[tokio::test]
    async fn writing_to_a_dropped_end_is_a_broken_pipe() {
        let (mut one, other) = pair(16);
        drop(other);
        assert_eq!(one.write(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
        assert_eq!(one.read(&mut [0; 4]).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn writing_after_shutdown_is_a_broken_pipe() {
        let (mut one, _other) = pair(16);
        one.shutdown().await.unwrap();
        assert_eq!(one.write(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    }

    #[tokio::test]
    async fn a_full_pipe_waits_for_its_reader() {
        let (mut one, mut other) = pair(4);
        assert_eq!(one.write(b"123456").await.unwrap(), 4);
        let full = poll_fn(|cx| Poll::Ready(Pin::new(&mut one).poll_write(cx, b"5").is_pending())).await;
        assert!(full);
        let mut seen = [0; 2];
        other.read_exact(&mut seen).await.unwrap();
        assert_eq!(one.write(b"56").await.unwrap(), 2);
    }

    #[tokio::test]
    async fn dialling_a_listener_that_is_gone_is_refused() {
        let (connector, mut listener) = listen(4, 64);
        let (mut near, info) = connector.connect().await.unwrap();
        assert_eq!((info.local, info.peer), (Address::InProcess, Address::InProcess));
        let (mut far, _) = listener.accept().await.unwrap();
        near.write_all(b"x").await.unwrap();
        assert_eq!(far.read_u8().await.unwrap(), b'x');
        drop(listener);
        assert_eq!(connector.connect().await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    }
}
