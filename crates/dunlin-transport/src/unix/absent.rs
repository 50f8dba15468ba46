//! The same names where the platform has no unix sockets: types without values.

use std::io::{Error, ErrorKind, Result};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::address::Address;
use crate::io::Io;
use crate::listener::BindError;
use crate::options::{ListenerOptions, SocketOptions};

/// A unix socket on a platform that has none: there is no value of this type.
#[derive(Debug)]
pub enum UnixStream {}

#[derive(Debug)]
pub(crate) enum UnixListening {}

pub(crate) async fn bind(
    address: &Address,
    _: &ListenerOptions,
) -> std::result::Result<UnixListening, BindError> {
    Err(BindError::Socket { address: address.clone(), step: "socket", source: unsupported() })
}

pub(crate) async fn connect(_: &Address, _: &SocketOptions) -> Result<(Io, Address)> {
    Err(unsupported())
}

fn unsupported() -> Error {
    Error::new(ErrorKind::Unsupported, "this platform has no unix sockets")
}

impl UnixListening {
    pub(crate) fn local_addr(&self) -> Address {
        match *self {}
    }

    pub(crate) async fn accept(&self) -> Result<(UnixStream, Address)> {
        match *self {}
    }
}

impl AsyncRead for UnixStream {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        match *self {}
    }
}

impl AsyncWrite for UnixStream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<Result<usize>> {
        match *self {}
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
        match *self {}
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
        match *self {}
    }
}
