//! What carries a call that has no HTTP/2 connection of its own.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use dunlin_http2::{ErrorCode, Fields, SendError, StreamId, StreamKey};
use http::{HeaderMap, StatusCode};
use http_body::Frame;

use super::convert::map_of_fields;
use crate::call::ServerCall;
use crate::wire::Wire;

/// The one call of a carrier.
pub(super) const KEY: StreamKey = StreamKey { id: StreamId::from_wire(1), slot: 0 };

/// A call with more queued than this is congested, until it is down to half.
const CONGESTED: usize = 64 << 10;

/// One stream, in HTTP types.
#[derive(Default)]
pub(super) struct Carrier {
    /// Of the response, until it is taken.
    pub(super) head: Option<(StatusCode, HeaderMap)>,
    /// Of the response, until they are taken.
    pub(super) frames: VecDeque<Frame<Bytes>>,
    /// Bytes of the response that its reader has not got.
    queued: usize,
    is_congested: bool,
    /// Bytes of the request that nobody has read.
    unreleased: usize,
    stage: Stage,
    /// What layers have told of the request.
    extensions: Option<Arc<http::Extensions>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Head,
    Content,
    Ended,
    /// Before its time.
    Broken(ErrorCode),
}

impl Carrier {
    pub(super) fn new(extensions: http::Extensions) -> Self {
        Self { extensions: Some(Arc::new(extensions)), ..Self::default() }
    }

    /// The response is complete, or never will be.
    pub(super) fn has_ended(&self) -> bool {
        matches!(self.stage, Stage::Ended | Stage::Broken(_))
    }

    /// Why the response is not complete.
    pub(super) fn failure(&self) -> Option<ErrorCode> {
        match self.stage {
            Stage::Broken(code) => Some(code),
            _ => None,
        }
    }

    /// Bytes of the request that nobody has read.
    pub(super) fn unreleased(&self) -> usize {
        self.unreleased
    }

    /// More of the request has come.
    pub(super) fn receive(&mut self, bytes: usize) {
        self.unreleased += bytes;
    }

    /// So much of the response waits for its reader. Whether more may be queued now that had to wait.
    pub(super) fn set_queued(&mut self, bytes: usize) -> bool {
        self.queued = bytes;
        self.is_congested && {
            self.is_congested = bytes > CONGESTED / 2;
            !self.is_congested
        }
    }

    fn push(&mut self, data: Bytes, end_stream: bool) -> Result<(), SendError> {
        self.expect(Stage::Content)?;
        if !data.is_empty() {
            self.queued += data.len();
            self.frames.push_back(Frame::data(data));
        }
        if end_stream {
            self.stage = Stage::Ended;
        }
        Ok(())
    }

    fn expect(&self, stage: Stage) -> Result<(), SendError> {
        match self.stage {
            found if found == stage => Ok(()),
            Stage::Ended | Stage::Broken(_) => Err(SendError::Closed),
            Stage::Head | Stage::Content => Err(SendError::Order),
        }
    }
}

/// Whether a call has more queued than it should.
pub(super) fn is_low(queued: usize) -> bool {
    queued <= CONGESTED / 2
}

impl Wire for Carrier {
    fn prepare(&mut self, call: &ServerCall) {
        if let Some(extensions) = self.extensions.take() {
            call.insert_extension(std::any::TypeId::of::<http::Extensions>(), extensions);
        }
    }

    /// Who asks counts its requests.
    fn hold(&mut self, _: StreamKey) {}

    fn release(&mut self, _: StreamKey, bytes: usize) {
        // A reader that is dropped gives back what others may have given back before.
        self.unreleased = self.unreleased.saturating_sub(bytes);
    }

    fn send_headers<'a>(
        &mut self,
        _: StreamKey,
        fields: impl Into<Fields<'a>>,
        end_stream: bool,
    ) -> Result<(), SendError> {
        self.expect(Stage::Head)?;
        let (status, headers) = map_of_fields(fields.into())?;
        self.head = Some((status.unwrap_or_default(), headers));
        self.stage = if end_stream { Stage::Ended } else { Stage::Content };
        Ok(())
    }

    fn send_data(&mut self, _: StreamKey, data: Bytes, end_stream: bool) -> Result<(), SendError> {
        self.push(data, end_stream)
    }

    fn send_data_with(
        &mut self,
        _: StreamKey,
        len: usize,
        end_stream: bool,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), SendError> {
        self.expect(Stage::Content)?;
        let mut data = Vec::with_capacity(len);
        write(&mut data);
        self.push(data.into(), end_stream)
    }

    fn send_trailers<'a>(&mut self, _: StreamKey, fields: impl Into<Fields<'a>>) -> Result<(), SendError> {
        self.expect(Stage::Content)?;
        let (_, trailers) = map_of_fields(fields.into())?;
        self.frames.push_back(Frame::trailers(trailers));
        self.stage = Stage::Ended;
        Ok(())
    }

    fn is_congested(&mut self, _: StreamKey) -> bool {
        self.is_congested |= self.queued > CONGESTED;
        self.is_congested
    }

    fn queued(&self, _: StreamKey) -> usize {
        self.queued
    }

    fn reset(&mut self, _: StreamKey, code: ErrorCode) {
        if !self.has_ended() {
            self.stage = Stage::Broken(code);
        }
    }

    fn forget(&mut self, key: StreamKey, code: ErrorCode) {
        self.reset(key, code);
    }

    fn dismiss(&mut self, key: StreamKey) {
        self.reset(key, ErrorCode::CANCEL);
    }
}
