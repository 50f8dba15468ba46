//! What the calls of a connection ask of what carries them.
//!
//! The calls are the same over HTTP/2 and behind other people's HTTP; this is what differs.

use bytes::Bytes;
use dunlin_http2::{Connection, ErrorCode, Fields, SendError, StreamKey};

use crate::call::ServerCall;

/// What carries calls: the methods are those of [`Connection`], and mean the same.
pub(crate) trait Wire {
    /// A call is about to begin.
    fn prepare(&mut self, call: &ServerCall) {
        let _ = call;
    }

    fn hold(&mut self, key: StreamKey);
    fn release(&mut self, key: StreamKey, bytes: usize);
    fn send_headers<'a>(
        &mut self,
        key: StreamKey,
        fields: impl Into<Fields<'a>>,
        end_stream: bool,
    ) -> Result<(), SendError>;
    fn send_data(&mut self, key: StreamKey, data: Bytes, end_stream: bool) -> Result<(), SendError>;
    fn send_data_with(
        &mut self,
        key: StreamKey,
        len: usize,
        end_stream: bool,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), SendError>;
    fn send_trailers<'a>(&mut self, key: StreamKey, fields: impl Into<Fields<'a>>) -> Result<(), SendError>;
    fn is_congested(&mut self, key: StreamKey) -> bool;
    fn queued(&self, key: StreamKey) -> usize;
    fn reset(&mut self, key: StreamKey, code: ErrorCode);
    fn forget(&mut self, key: StreamKey, code: ErrorCode);
    fn dismiss(&mut self, key: StreamKey);
}

// The inherent methods come first in the resolution of names, so none of these calls itself.
impl Wire for Connection {
    #[inline]
    fn hold(&mut self, key: StreamKey) {
        self.hold(key);
    }

    #[inline]
    fn release(&mut self, key: StreamKey, bytes: usize) {
        self.release(key, bytes);
    }

    #[inline]
    fn send_headers<'a>(
        &mut self,
        key: StreamKey,
        fields: impl Into<Fields<'a>>,
        end_stream: bool,
    ) -> Result<(), SendError> {
        self.send_headers(key, fields, end_stream)
    }

    #[inline]
    fn send_data(&mut self, key: StreamKey, data: Bytes, end_stream: bool) -> Result<(), SendError> {
        self.send_data(key, data, end_stream)
    }

    #[inline]
    fn send_data_with(
        &mut self,
        key: StreamKey,
        len: usize,
        end_stream: bool,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), SendError> {
        self.send_data_with(key, len, end_stream, write)
    }

    #[inline]
    fn send_trailers<'a>(&mut self, key: StreamKey, fields: impl Into<Fields<'a>>) -> Result<(), SendError> {
        self.send_trailers(key, fields)
    }

    #[inline]
    fn is_congested(&mut self, key: StreamKey) -> bool {
        self.is_congested(key)
    }

    #[inline]
    fn queued(&self, key: StreamKey) -> usize {
        self.queued(key)
    }

    #[inline]
    fn reset(&mut self, key: StreamKey, code: ErrorCode) {
        self.reset(key, code);
    }

    #[inline]
    fn forget(&mut self, key: StreamKey, code: ErrorCode) {
        self.forget(key, code);
    }

    #[inline]
    fn dismiss(&mut self, key: StreamKey) {
        self.dismiss(key);
    }
}
