//! Streams of messages, as users hold them.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use dunlin_protobuf::Limits;
use futures_core::Stream;
use futures_sink::Sink;

use crate::codec::{CodecRef, Payload};
use crate::framing::{Frame, Outgoing};
use crate::halves::{Host, Incomings, Reading, Signal, Writing};
use crate::intercept::Direction;
use crate::{Encoding, Metadata, Status};

/// What is known of a message besides its content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessageInfo {
    /// It was compressed on the wire.
    pub is_compressed: bool,
    /// Bytes on the wire, without the prefix.
    pub wire_len: usize,
}

impl MessageInfo {
    /// Of a frame.
    pub fn of(frame: &Frame) -> Self {
        Self { is_compressed: frame.is_compressed, wire_len: frame.payload.len() }
    }
}

/// How one message is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct MessageOptions {
    is_plain: bool,
}

impl MessageOptions {
    /// As the call says.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the message is compressed, if the call compresses. A message that mixes secrets with
    /// what others may choose should not be.
    pub fn compress(mut self, compress: bool) -> Self {
        self.is_plain = !compress;
        self
    }
}

/// The value of a frame.
///
/// # Errors
/// INTERNAL when it is compressed and should not be, or is no such message; RESOURCE_EXHAUSTED when it is
/// too large.
pub fn decode<M: 'static>(frame: &Frame, codec: &CodecRef<M>, reading: Reading) -> Result<M, Status> {
    let limits = Limits::default().size(reading.limit.max(1));
    if !frame.is_compressed {
        return codec.decode(Payload::Shared(&frame.payload), limits);
    }
    let plain = decompress(&frame.payload, reading)?;
    codec.decode(Payload::Shared(&plain.into()), limits)
}

/// The bytes of a compressed message.
///
/// # Errors
/// As [`decode`].
pub fn decompress(payload: &[u8], reading: Reading) -> Result<Vec<u8>, Status> {
    if reading.encoding.is_identity() {
        return Err(Status::internal("compressed message on a call without `grpc-encoding`"));
    }
    reading.encoding.decompress(payload, reading.limit)
}

/// The messages that the peer sends, one after the other.
///
/// Dropping it discards what was not read. A client that drops both halves of a call cancels it.
#[must_use = "messages wait until they are read"]
pub struct Receiver<M: 'static> {
    host: Arc<dyn Host>,
    codec: CodecRef<M>,
    info: MessageInfo,
    headers: Option<Metadata>,
    end: Option<(Result<(), Status>, Metadata)>,
}

impl<M: 'static> Receiver<M> {
    /// The messages that come for `host`.
    pub fn new(host: Arc<dyn Host>, codec: CodecRef<M>) -> Self {
        Self { host, codec, info: MessageInfo::default(), headers: None, end: None }
    }

    /// The next message; `None` once the peer has said that all went well and nothing follows.
    ///
    /// # Errors
    /// The status of the call. A stream that was cut off never looks complete.
    ///
    /// # Cancel safety
    /// No message is lost when the future is dropped.
    #[expect(clippy::should_implement_trait, reason = "it is no iterator: it is awaited")]
    pub fn next(&mut self) -> impl Future<Output = Result<Option<M>, Status>> + Send + Unpin + '_
    where
        M: Send,
    {
        poll_fn(|cx| self.poll_next(cx))
    }

    /// [`next`](Self::next), for those who poll.
    ///
    /// # Errors
    /// As there.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<M>, Status>> {
        if let Some((result, _)) = &self.end {
            return Poll::Ready(result.clone().map(|()| None));
        }
        let (found, due) = ready!(self.host.halves().poll_incoming(cx));
        if let Some(due) = due {
            Arc::clone(&self.host).signal(Signal::Consumed(due));
        }
        match found {
            Incomings::Message(frame, reading) => {
                self.info = MessageInfo::of(&frame);
                match decode(&frame, &self.codec, reading).and_then(|message| self.shown(message)) {
                    Ok(message) => Poll::Ready(Ok(Some(message))),
                    Err(status) => {
                        Arc::clone(&self.host).signal(Signal::Failed(status.clone()));
                        self.end = Some((Err(status.clone()), Metadata::new()));
                        Poll::Ready(Err(status))
                    }
                }
            }
            Incomings::End(end) => {
                let result = end.result.clone();
                self.end = Some((end.result, end.trailers));
                Poll::Ready(result.map(|()| None))
            }
        }
    }

    /// The message, if those who look at messages let it pass.
    #[inline]
    fn shown(&self, message: M) -> Result<M, Status> {
        if self.host.is_observed()
            && let Some(message) = self.codec.message_ref(&message)
        {
            self.host.observe(Direction::Received, message)?;
        }
        Ok(message)
    }

    /// What is known of the message that [`next`](Self::next) gave last.
    pub fn info(&self) -> MessageInfo {
        self.info
    }

    /// The metadata that the server sent before its messages; empty if it sent a status at once. Empty on a
    /// server, where the context has the client's.
    ///
    /// # Cancel safety
    /// May be dropped and asked again.
    pub async fn headers(&mut self) -> &Metadata {
        if self.headers.is_none() {
            let headers = poll_fn(|cx| self.host.halves().poll_headers(cx)).await;
            self.headers = Some(headers.unwrap_or_default());
        }
        self.headers.get_or_insert_default()
    }

    /// The metadata behind the messages; empty before [`next`](Self::next) has come to the end.
    pub fn trailers(&self) -> &Metadata {
        const NONE: &Metadata = &Metadata::new();
        self.end.as_ref().map_or(NONE, |(_, trailers)| trailers)
    }

    /// The messages as a `Stream`, which ends behind an error.
    pub fn into_stream(self) -> MessageStream<M> {
        MessageStream { receiver: self, is_over: false }
    }
}

impl<M: 'static> Drop for Receiver<M> {
    fn drop(&mut self) {
        let unread = self.host.halves().discard();
        Arc::clone(&self.host).signal(Signal::ReceiverDropped(unread));
    }
}

impl<M: 'static> fmt::Debug for Receiver<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("message", &std::any::type_name::<M>()).finish_non_exhaustive()
    }
}

/// A [`Receiver`] as a `Stream`.
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct MessageStream<M: 'static> {
    receiver: Receiver<M>,
    is_over: bool,
}

impl<M: 'static> MessageStream<M> {
    /// The receiver again.
    pub fn into_inner(self) -> Receiver<M> {
        self.receiver
    }
}

impl<M: 'static> Stream for MessageStream<M> {
    type Item = Result<M, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let next = ready!(self.receiver.poll_next(cx)).transpose();
        self.is_over = !matches!(next, Some(Ok(_)));
        Poll::Ready(next)
    }
}

impl<M: 'static> Unpin for MessageStream<M> {}

/// Sends messages to the peer.
///
/// It may be kept and used wherever it is needed, also after the method that it was given to has
/// returned; then sending fails with the status that the call ended with. A client has to
/// [`finish`](Self::finish): dropping the sender before that cancels the call.
pub struct Sender<M: 'static> {
    host: Arc<dyn Host>,
    codec: CodecRef<M>,
    /// Of the host, from the first message on.
    writing: Option<Writing>,
    scratch: Outgoing,
    is_done: bool,
}

impl<M: 'static> Sender<M> {
    /// Messages to the peer of `host`.
    pub fn new(host: Arc<dyn Host>, codec: CodecRef<M>) -> Self {
        Self { host, codec, writing: None, scratch: Outgoing::default(), is_done: false }
    }

    /// Queues a message, as soon as less than 64 KiB of this stream are queued.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED for a message above `max_send_message_size`, and the call goes on. If the call is
    /// over, its status; a client that wants to know more reads it from the [`Receiver`].
    ///
    /// # Cancel safety
    /// A future that is dropped before it is ready has sent nothing.
    pub fn send(&mut self, message: M) -> impl Future<Output = Result<(), Status>> + Send + '_
    where
        M: Send,
    {
        self.send_with(message, MessageOptions::new())
    }

    /// [`send`](Self::send), with options for this message.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Cancel safety
    /// As there.
    pub async fn send_with(&mut self, message: M, options: MessageOptions) -> Result<(), Status>
    where
        M: Send,
    {
        poll_fn(|cx| self.poll_ready(cx)).await?;
        self.queue(message, options)
    }

    /// Ready when there is room for a message.
    ///
    /// # Errors
    /// The status of the call, if it is over.
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        self.host.halves().poll_room(cx)
    }

    /// Queues a message, whether there is room or not.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn queue(&mut self, message: M, options: MessageOptions) -> Result<(), Status> {
        let writing = *self.writing.get_or_insert_with(|| self.host.writing());
        let encoding = if options.is_plain { Encoding::Identity } else { writing.encoding };
        let (codec, limit) = (&self.codec, writing.limit);
        if self.host.is_observed()
            && let Some(message) = codec.message_ref(&message)
        {
            self.host.observe(Direction::Sent, message)?;
        }
        // What a panic of the codec has left behind.
        self.scratch.clear();
        // Not under the lock that the connection waits for.
        self.scratch.push(encoding, limit, |out| codec.encode(message, out))?;
        if self.host.halves().queue(&mut self.scratch)? {
            Arc::clone(&self.host).signal(Signal::Flush);
        }
        Ok(())
    }

    /// Says that nothing follows. On a server the method's return says that, and this does nothing.
    pub fn finish(mut self) {
        self.is_done = true;
        self.host.halves().finish();
        Arc::clone(&self.host).signal(Signal::Flush);
    }

    /// Cancels the call, as dropping does on a client. On a server the method's status says how it ended.
    pub fn cancel(self) {}

    /// The sender as a `Sink`; closing it is [`finish`](Self::finish).
    pub fn into_sink(self) -> MessageSink<M> {
        MessageSink { sender: Some(self) }
    }
}

impl<M: 'static> Drop for Sender<M> {
    fn drop(&mut self) {
        if !self.is_done && !self.host.halves().is_finished() {
            Arc::clone(&self.host).signal(Signal::SenderDropped);
        }
    }
}

impl<M: 'static> fmt::Debug for Sender<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("message", &std::any::type_name::<M>()).finish_non_exhaustive()
    }
}

/// A [`Sender`] as a `Sink`.
#[derive(Debug)]
#[must_use = "sinks do nothing unless polled"]
pub struct MessageSink<M: 'static> {
    sender: Option<Sender<M>>,
}

impl<M: 'static> MessageSink<M> {
    fn sender(&mut self) -> Result<&mut Sender<M>, Status> {
        self.sender.as_mut().ok_or_else(|| Status::failed_precondition("the sink is closed"))
    }
}

impl<M: 'static> Sink<M> for MessageSink<M> {
    type Error = Status;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        match self.sender() {
            Ok(sender) => sender.poll_ready(cx),
            Err(status) => Poll::Ready(Err(status)),
        }
    }

    fn start_send(mut self: Pin<&mut Self>, message: M) -> Result<(), Status> {
        self.sender()?.queue(message, MessageOptions::new())
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        if let Some(sender) = self.sender.take() {
            sender.finish();
        }
        Poll::Ready(Ok(()))
    }
}

impl<M: 'static> Unpin for MessageSink<M> {}
