//! The way of a call to its connection, and its life there.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use dunlin_grpc::codec::CodecRef;
use dunlin_grpc::framing::Outgoing;
use dunlin_grpc::halves::Whole;
use dunlin_grpc::intercept::{CallView, Direction};
use dunlin_grpc::{Encoding, Metadata, Method, Status, ambient};
use tokio::time::Sleep;

use crate::call::{ClientCall, Parts};
use crate::channel::Channel;
use crate::client::Client;
use crate::credentials::Credentials;
use crate::dial::BoxFuture;
use crate::intercept::Interception;
use crate::options::CallOptions;

/// A call that is on its way to a connection.
pub(crate) struct Start {
    channel: Channel,
    method: Method,
    options: CallOptions,
    began: Instant,
    deadline: Option<Instant>,
    request: Option<Bytes>,
    phase: Phase,
    interception: Option<Arc<Interception>>,
    /// Only while it waits.
    timer: Option<Pin<Box<Sleep>>>,
}

enum Phase {
    /// Nothing has been done.
    New,
    Credentials(BoxFuture<'static, Result<Metadata, Status>>),
    Pick(Arc<ClientCall>),
}

impl Start {
    pub(crate) fn new(client: Client, method: Method, options: CallOptions) -> Self {
        let (channel, defaults) = client.into_parts();
        let options = match defaults {
            Some(defaults) => options.after(&defaults),
            None => options,
        };
        let began = tokio::time::Instant::now().into_std();
        let of_timeout = options.timeout.and_then(|timeout| began.checked_add(timeout));
        let of_call = if options.is_detached { None } else { ambient::current().deadline };
        let deadline = [of_timeout, options.deadline, of_call].into_iter().flatten().min();
        let interception = channel.chain(&method, &options.interceptors).map(|chain| {
            let outgoing = options.metadata.clone();
            let interception =
                Interception::new(chain, channel.clone(), method.clone(), began, deadline, outgoing);
            interception.chain.started(&interception);
            Arc::new(interception)
        });
        Self {
            channel,
            method,
            options,
            began,
            deadline,
            request: None,
            phase: Phase::New,
            interception,
            timer: None,
        }
    }

    /// Who stands around the call, or looks at it.
    pub(crate) fn interception(&self) -> Option<&Arc<Interception>> {
        self.interception.as_ref()
    }

    fn encoding(&self) -> Encoding {
        self.options.encoding.unwrap_or(self.channel.settings().encoding)
    }

    /// The one request of the call.
    pub(crate) fn encode<Q: 'static>(&mut self, request: Q, codec: &CodecRef<Q>) -> Result<(), Status> {
        if let Some(interception) = &self.interception
            && interception.chain.sees_messages()
            && let Some(message) = codec.message_ref(&request)
        {
            interception.chain.message(&**interception, Direction::Sent, message)?;
        }
        let encoding = match self.options.compresses {
            Some(false) => Encoding::Identity,
            _ => self.encoding(),
        };
        let limit = self.options.max_request.unwrap_or(usize::MAX);
        let mut out = Outgoing::default();
        out.push(encoding, limit, |out| codec.encode(request, out))?;
        self.request = Some(kept(out));
        Ok(())
    }

    /// Ready when the call is on its way on a connection.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Arc<ClientCall>, Status>> {
        loop {
            match &mut self.phase {
                Phase::New => {
                    if let Some(error) = self.options.invalid.take() {
                        return Poll::Ready(Err(Status::internal(error.to_string()).with_source(error)));
                    }
                    if let Some(interception) = &self.interception {
                        self.deadline = interception.deadline();
                        self.options.metadata = interception.send_outgoing();
                    }
                    let settings = self.channel.settings();
                    let mut credentials: Credentials = settings.credentials.clone();
                    credentials.extend(&self.options.credentials);
                    if credentials.is_empty() {
                        self.phase = Phase::Pick(self.call(Metadata::new())?);
                        continue;
                    }
                    if !settings.is_secure && !credentials.allow_clear_text() {
                        let message = "credentials are not sent over clear text: give the channel TLS";
                        return Poll::Ready(Err(Status::unauthenticated(message)));
                    }
                    let fetch = credentials.metadata(self.method.clone(), Arc::clone(&settings.authority));
                    self.phase = Phase::Credentials(Box::pin(fetch));
                }
                Phase::Credentials(fetch) => match fetch.as_mut().poll(cx) {
                    Poll::Ready(metadata) => self.phase = Phase::Pick(self.call(metadata?)?),
                    Poll::Pending => return self.poll_deadline(cx),
                },
                Phase::Pick(call) => {
                    match self.channel.poll_pick(&self.method, call.waits_for_ready, cx) {
                        Poll::Ready(Ok(link)) => {
                            if call.begin_on(&link).is_ok() {
                                return Poll::Ready(Ok(Arc::clone(call)));
                            }
                            // It is known to be gone now, so the next pick is another one.
                        }
                        Poll::Ready(Err(status)) => {
                            let report = call.report(self.channel.failure());
                            return Poll::Ready(Err(status.with_source(report)));
                        }
                        Poll::Pending => return self.poll_deadline(cx),
                    }
                }
            }
        }
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<Result<Arc<ClientCall>, Status>> {
        let Some(deadline) = self.deadline else { return Poll::Pending };
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline.into())));
        ready!(timer.as_mut().poll(cx));
        let failure = self.channel.failure();
        Poll::Ready(Err(match &self.phase {
            Phase::Pick(call) => call.deadline_exceeded(failure),
            _ => Status::deadline_exceeded("deadline exceeded while the credentials were fetched"),
        }))
    }

    fn call(&mut self, credentials: Metadata) -> Result<Arc<ClientCall>, Status> {
        let mut metadata = std::mem::take(&mut self.options.metadata);
        metadata.extend(&credentials);
        let block = self.channel.block(&self.method)?;
        let call = Arc::new(ClientCall::new(Parts {
            channel: self.channel.clone(),
            method: self.method.clone(),
            block,
            metadata,
            encoding: self.encoding(),
            deadline: self.deadline,
            request: self.request.take(),
            max_response: self.options.max_response.unwrap_or(4 << 20),
            max_request: self.options.max_request.unwrap_or(usize::MAX),
            waits_for_ready: self.options.waits_for_ready.unwrap_or(false),
            began: self.began,
            interception: self.interception.clone(),
        }));
        if let Some(interception) = &self.interception {
            interception.set_call(&call);
        }
        Ok(call)
    }
}

/// A call that is cancelled when this is dropped.
pub(crate) struct Live(Option<Arc<ClientCall>>);

impl Drop for Live {
    fn drop(&mut self) {
        if let Some(call) = self.0.take() {
            call.cancel(Status::cancelled("the call was dropped"));
        }
    }
}

impl Live {
    pub(crate) fn new(call: Arc<ClientCall>) -> Self {
        Self(Some(call))
    }

    pub(crate) fn interception(&self) -> Option<&Arc<Interception>> {
        self.0.as_ref()?.interception.as_ref()
    }

    /// Everything, once the call is over; dropping does nothing then.
    #[inline]
    pub(crate) fn poll_whole(&mut self, cx: &mut Context<'_>) -> Poll<Result<Whole, Status>> {
        let Some(call) = &self.0 else {
            return Poll::Ready(Err(Status::internal("the call was polled after its end")));
        };
        let whole = ready!(call.halves.poll_whole(cx));
        self.0 = None;
        Poll::Ready(Ok(whole))
    }
}

/// A request, which stays as long as the call may be tried again: in one piece, and without the room that buffers have
/// left because they grow in large steps.
fn kept(mut out: Outgoing) -> Bytes {
    out.small.extend_from_slice(&out.large);
    if out.small.capacity() > 2 * out.small.len() {
        out.small.shrink_to_fit();
    }
    out.small.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_kept_without_the_room_that_its_buffer_has_left() {
        let mut small = Vec::with_capacity(8192);
        small.extend_from_slice(b"prefix ");
        let request = kept(Outgoing { small, large: Bytes::from_static(b"and message") });
        assert_eq!(request, "prefix and message");
        let buffer = Vec::from(request);
        assert!(buffer.capacity() <= 2 * buffer.len(), "{}", buffer.capacity());
    }
}
