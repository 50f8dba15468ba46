//! The contents of requests and responses.

use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};

use super::BoxError;
use super::exchange::Incoming;
use super::flow::Flowing;

type Polled = Poll<Option<Result<Frame<Bytes>, BoxError>>>;

/// Any body, as one that can be boxed.
trait AnyBody {
    fn poll_any(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled;
    fn is_at_end(&self) -> bool;
    fn size(&self) -> SizeHint;
}

impl<B> AnyBody for B
where
    B: Body,
    B::Error: Into<BoxError>,
{
    fn poll_any(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        let frame = std::task::ready!(self.poll_frame(cx));
        let frame = frame.map(|frame| frame.map_err(Into::into));
        let owned = |mut data: B::Data| data.copy_to_bytes(data.remaining());
        Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(owned))))
    }

    fn is_at_end(&self) -> bool {
        self.is_end_stream()
    }

    fn size(&self) -> SizeHint {
        self.size_hint()
    }
}

type Boxed = Pin<Box<dyn AnyBody + Send>>;

/// The content of a request, as layers get it: that of a request to our server, or what a layer has made
/// of it.
#[derive(Default)]
pub struct RequestBody(Request);

#[derive(Default)]
enum Request {
    #[default]
    Empty,
    /// From a connection of ours.
    Incoming(Incoming),
    Other(Boxed),
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBody").finish_non_exhaustive()
    }
}

impl RequestBody {
    /// Any content. An error of it that is a [`Status`](dunlin_grpc::Status), or has one as its source, is
    /// how the call ends; others end it with CANCELLED.
    pub fn new<B>(body: B) -> Self
    where
        B: Body + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let mut body = Some(body);
        if let Some(ours) = (&mut body as &mut dyn Any).downcast_mut::<Option<Self>>() {
            return ours.take().unwrap_or_default();
        }
        body.map_or_else(Self::default, |body| Self(Request::Other(Box::pin(body))))
    }

    pub(super) fn incoming(incoming: Incoming) -> Self {
        Self(Request::Incoming(incoming))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        match &mut self.0 {
            Request::Empty => Poll::Ready(None),
            Request::Incoming(incoming) => incoming.poll_frame(cx),
            Request::Other(body) => body.as_mut().poll_any(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Request::Empty => true,
            Request::Incoming(incoming) => incoming.is_at_end(),
            Request::Other(body) => body.is_at_end(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Request::Empty => SizeHint::with_exact(0),
            Request::Incoming(_) => SizeHint::default(),
            Request::Other(body) => body.size(),
        }
    }
}

/// The content of a response: of the server, or of a layer that has answered itself.
#[derive(Default)]
pub struct ResponseBody(Response);

#[derive(Default)]
enum Response {
    #[default]
    Empty,
    /// All of it.
    Whole(VecDeque<Frame<Bytes>>),
    /// Of a call that goes on.
    Flowing(Flowing),
    Other(Boxed),
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").finish_non_exhaustive()
    }
}

impl ResponseBody {
    /// Any content. An error of it that is a [`Status`](dunlin_grpc::Status), or has one as its source, is
    /// how the call ends; others end it with INTERNAL.
    pub fn new<B>(body: B) -> Self
    where
        B: Body + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let mut body = Some(body);
        if let Some(ours) = (&mut body as &mut dyn Any).downcast_mut::<Option<Self>>() {
            return ours.take().unwrap_or_default();
        }
        body.map_or_else(Self::default, |body| Self(Response::Other(Box::pin(body))))
    }

    pub(super) fn whole(frames: VecDeque<Frame<Bytes>>) -> Self {
        Self(Response::Whole(frames))
    }

    pub(super) fn flowing(flowing: Flowing) -> Self {
        Self(Response::Flowing(flowing))
    }
}

impl From<Bytes> for ResponseBody {
    fn from(bytes: Bytes) -> Self {
        Self(Response::Whole(VecDeque::from([Frame::data(bytes)])))
    }
}

impl From<&'static str> for ResponseBody {
    fn from(text: &'static str) -> Self {
        Bytes::from_static(text.as_bytes()).into()
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        match &mut self.0 {
            Response::Empty => Poll::Ready(None),
            Response::Whole(frames) => Poll::Ready(frames.pop_front().map(Ok)),
            Response::Flowing(flowing) => flowing.poll_frame(cx),
            Response::Other(body) => body.as_mut().poll_any(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Response::Empty => true,
            Response::Whole(frames) => frames.is_empty(),
            Response::Flowing(_) => false,
            Response::Other(body) => body.is_at_end(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Response::Empty => SizeHint::with_exact(0),
            // What has trailers has no `content-length`.
            Response::Whole(_) | Response::Flowing(_) => SizeHint::default(),
            Response::Other(body) => body.size(),
        }
    }
}

/// The status that an error is, or that is somewhere behind it.
pub(super) fn status_of<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e dunlin_grpc::Status> {
    std::iter::successors(Some(error), |error| error.source()).find_map(|error| error.downcast_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_of_ours_is_not_boxed_again() {
        let body = ResponseBody::new(ResponseBody::from("text"));
        assert!(matches!(body.0, Response::Whole(_)));
        let body = RequestBody::new(ResponseBody::from("text"));
        assert!(matches!(body.0, Request::Other(_)));
    }
}
