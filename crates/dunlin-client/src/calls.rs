//! Calls as users hold them: builders that are futures.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use dunlin_grpc::codec::CodecRef;
use dunlin_grpc::halves::Whole;
use dunlin_grpc::intercept::Direction;
use dunlin_grpc::stream::decode;
use dunlin_grpc::{Encoding, MessageInfo, MessageOptions, Metadata, Method, Receiver, Sender, Status};

use crate::call::ClientCall;
use crate::client::Client;
use crate::credentials::Credentials;
use crate::intercept::{Around, Gated, Interception};
use crate::options::CallOptions;
use crate::start::{Live, Start};

/// What a call is until it is polled.
struct New<P> {
    client: Client,
    method: Method,
    payload: P,
    options: CallOptions,
}

enum Progress<P> {
    New(Box<New<P>>),
    Starting(Box<Start>),
    Waiting(Live),
    /// A unary call within its interceptors.
    Around(Box<Around>),
    /// A call with streams within its interceptors.
    Gated(Gated),
    Over,
}

/// The methods by which every call is built.
macro_rules! builder {
    ($($name:ident<$($type:ident),*>: $field:tt;)*) => { $(
        impl<$($type: Send + 'static),*> $name<$($type),*> {
            fn change(mut self, change: impl FnOnce(CallOptions) -> CallOptions) -> Self {
                if let Progress::New(new) = &mut self.$field {
                    new.options = change(std::mem::take(&mut new.options));
                }
                self
            }

            /// How long the call may take, from when it is first polled; then it ends with
            /// DEADLINE_EXCEEDED. Within a call that is being handled, not longer than that one has.
            pub fn timeout(self, timeout: Duration) -> Self {
                self.change(|options| options.timeout(timeout))
            }

            /// When the call has to be over.
            pub fn deadline(self, deadline: Instant) -> Self {
                self.change(|options| options.deadline(deadline))
            }

            /// Metadata of text. What can not be metadata makes the call fail with INTERNAL.
            pub fn metadata(self, name: &str, value: impl AsRef<str>) -> Self {
                self.change(|options| options.metadata(name, value))
            }

            /// Metadata of bytes, for a name that ends in `-bin`.
            pub fn metadata_bin(self, name: &str, value: impl AsRef<[u8]>) -> Self {
                self.change(|options| options.metadata_bin(name, value))
            }

            /// Whether to wait for a connection when connecting has failed.
            pub fn wait_for_ready(self, wait: bool) -> Self {
                self.change(|options| options.wait_for_ready(wait))
            }

            /// What requests are compressed with.
            pub fn encoding(self, encoding: Encoding) -> Self {
                self.change(|options| options.encoding(encoding))
            }

            /// Whether the one request is compressed, if the call has a coding. Messages of streams have
            /// options of their own.
            pub fn compress(self, compress: bool) -> Self {
                self.change(|options| options.compress(compress))
            }

            /// Bytes of a response message. 4 MiB.
            pub fn max_response_size(self, bytes: usize) -> Self {
                self.change(|options| options.max_response_size(bytes))
            }

            /// Credentials, besides those of the channel.
            pub fn credentials(self, credentials: Credentials) -> Self {
                self.change(|options| options.credentials(credentials))
            }

            /// Does not take over the deadline of the call that is being handled.
            pub fn detached(self) -> Self {
                self.change(CallOptions::detached)
            }

            /// All of these options, besides those set before.
            pub fn options(self, options: CallOptions) -> Self {
                self.change(|before| options.after(&before))
            }
        }

        impl<$($type: Send + 'static),*> fmt::Debug for $name<$($type),*> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }

        impl<$($type: Send + 'static),*> Unpin for $name<$($type),*> {}
    )* };
}

builder! {
    ResponseCall<Q, R>: progress;
    ServerStreamingCall<Q, R>: progress;
    ClientStreamingCall<Q, R>: progress;
    BidiStreamingCall<Q, R>: progress;
}

// ---------------------------------------------------------------- unary

/// A call with one request and one response: awaited, it is the response. It begins when it is first
/// polled.
#[must_use = "a call does nothing until it is awaited"]
pub struct UnaryCall<Q: 'static, R: 'static>(ResponseCall<Q, R>);

/// A call with one request and one response: awaited, it is the [`Response`] with all that came with it.
#[must_use = "a call does nothing until it is awaited"]
pub struct ResponseCall<Q: 'static, R: 'static> {
    progress: Progress<(Q, CodecRef<Q>)>,
    responses: CodecRef<R>,
}

macro_rules! forward {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $type:ty),*);)*) => {
        impl<Q: Send + 'static, R: Send + 'static> UnaryCall<Q, R> {
            $(
                $(#[$doc])*
                pub fn $name(self, $($argument: $type),*) -> Self {
                    Self(self.0.$name($($argument),*))
                }
            )*
        }
    };
}

forward! {
    /// How long the call may take, from when it is first polled; then it ends with DEADLINE_EXCEEDED.
    /// Within a call that is being handled, not longer than that one has.
    timeout(timeout: Duration);
    /// When the call has to be over.
    deadline(deadline: Instant);
    /// Metadata of text. What can not be metadata makes the call fail with INTERNAL.
    metadata(name: &str, value: impl AsRef<str>);
    /// Metadata of bytes, for a name that ends in `-bin`.
    metadata_bin(name: &str, value: impl AsRef<[u8]>);
    /// Whether to wait for a connection when connecting has failed.
    wait_for_ready(wait: bool);
    /// What the request is compressed with.
    encoding(encoding: Encoding);
    /// Whether the request is compressed, if the call has a coding.
    compress(compress: bool);
    /// Bytes of the response message. 4 MiB.
    max_response_size(bytes: usize);
    /// Credentials, besides those of the channel.
    credentials(credentials: Credentials);
    /// Does not take over the deadline of the call that is being handled.
    detached();
    /// All of these options, besides those set before.
    options(options: CallOptions);
}

impl<Q: Send + 'static, R: Send + 'static> UnaryCall<Q, R> {
    pub(crate) fn new(
        client: Client,
        method: Method,
        request: Q,
        requests: CodecRef<Q>,
        responses: CodecRef<R>,
    ) -> Self {
        let new = New { client, method, payload: (request, requests), options: CallOptions::new() };
        Self(ResponseCall { progress: Progress::New(Box::new(new)), responses })
    }

    /// The call with all that comes with its response: headers, trailers.
    pub fn response(self) -> ResponseCall<Q, R> {
        self.0
    }
}

impl<Q: Send + 'static, R: Send + 'static> Future for UnaryCall<Q, R> {
    type Output = Result<R, Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map_ok(Response::into_inner)
    }
}

impl<Q: 'static, R: 'static> fmt::Debug for UnaryCall<Q, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnaryCall").finish_non_exhaustive()
    }
}

impl<Q: 'static, R: 'static> Unpin for UnaryCall<Q, R> {}

impl<Q: Send + 'static, R: Send + 'static> Future for ResponseCall<Q, R> {
    type Output = Result<Response<R>, Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        loop {
            match std::mem::replace(&mut this.progress, Progress::Over) {
                Progress::New(new) => {
                    let New { client, method, payload: (request, codec), options } = *new;
                    let mut start = Start::new(client, method, options);
                    start.encode(request, &codec).inspect_err(|status| told(start.interception(), status))?;
                    if let Some(interception) = start.interception() {
                        let interception = Arc::clone(interception);
                        this.progress =
                            Progress::Around(Box::new(Around::new(Box::new(start), interception)));
                        continue;
                    }
                    match start.poll(cx)? {
                        Poll::Ready(call) => this.progress = Progress::Waiting(Live::new(call)),
                        Poll::Pending => {
                            this.progress = Progress::Starting(Box::new(start));
                            return Poll::Pending;
                        }
                    }
                }
                Progress::Starting(mut start) => match start.poll(cx)? {
                    Poll::Ready(call) => this.progress = Progress::Waiting(Live::new(call)),
                    Poll::Pending => {
                        this.progress = Progress::Starting(start);
                        return Poll::Pending;
                    }
                },
                Progress::Waiting(mut live) => match live.poll_whole(cx)? {
                    Poll::Ready(whole) => return Poll::Ready(response(whole, &this.responses)),
                    Poll::Pending => {
                        this.progress = Progress::Waiting(live);
                        return Poll::Pending;
                    }
                },
                Progress::Around(mut around) => match around.poll(cx) {
                    Poll::Ready(whole) => {
                        let interception = around.interception();
                        let result = whole.and_then(|whole| {
                            observed(response(whole, &this.responses)?, interception, &this.responses)
                        });
                        interception.tell_end(result.as_ref().map(drop));
                        return Poll::Ready(result);
                    }
                    Poll::Pending => {
                        this.progress = Progress::Around(around);
                        return Poll::Pending;
                    }
                },
                Progress::Gated(_) | Progress::Over => {
                    return Poll::Ready(Err(Status::internal("the call was polled after its end")));
                }
            }
        }
    }
}

/// The call has failed before it could begin.
fn told(interception: Option<&Arc<Interception>>, status: &Status) {
    if let Some(interception) = interception {
        interception.tell_end(Err(status));
    }
}

/// The response, if those who look at messages let it pass.
fn observed<R: 'static>(
    response: Response<R>,
    interception: &Arc<Interception>,
    codec: &CodecRef<R>,
) -> Result<Response<R>, Status> {
    if interception.chain.sees_messages()
        && let Some(message) = codec.message_ref(&response.message)
    {
        interception.chain.message(&**interception, Direction::Received, message)?;
    }
    Ok(response)
}

/// The one response of a call that is over.
#[inline]
fn response<R: 'static>(whole: Whole, codec: &CodecRef<R>) -> Result<Response<R>, Status> {
    let Whole { headers, first, is_more, end, reading } = whole;
    end.result?;
    let frame = match first {
        Some(frame) if !is_more => frame,
        found => {
            let count = if found.is_some() { "more than one" } else { "no" };
            let message = format!("{count} response for a call that has exactly one");
            return Err(Status::unimplemented(message).with_metadata(end.trailers));
        }
    };
    let info = MessageInfo::of(&frame);
    let message = decode(&frame, codec, reading)?;
    Ok(Response { message, headers: headers.unwrap_or_default(), trailers: end.trailers, info })
}

/// A response, and what came with it.
#[derive(Clone, Debug)]
pub struct Response<R> {
    message: R,
    headers: Metadata,
    trailers: Metadata,
    info: MessageInfo,
}

impl<R> Response<R> {
    /// The metadata before the message.
    pub fn headers(&self) -> &Metadata {
        &self.headers
    }

    /// The metadata behind the message.
    pub fn trailers(&self) -> &Metadata {
        &self.trailers
    }

    /// How the message came.
    pub fn info(&self) -> MessageInfo {
        self.info
    }

    /// The message.
    pub fn message(&self) -> &R {
        &self.message
    }

    /// The message alone.
    pub fn into_inner(self) -> R {
        self.message
    }

    /// The message, the metadata before it and that behind it.
    pub fn into_parts(self) -> (R, Metadata, Metadata) {
        (self.message, self.headers, self.trailers)
    }
}

impl<R> std::ops::Deref for Response<R> {
    type Target = R;

    fn deref(&self) -> &R {
        &self.message
    }
}

// ---------------------------------------------------------------- streams

/// A call with one request and any number of responses: awaited, it is their [`Receiver`].
#[must_use = "a call does nothing until it is awaited"]
pub struct ServerStreamingCall<Q: 'static, R: 'static> {
    progress: Progress<(Q, CodecRef<Q>)>,
    responses: CodecRef<R>,
}

impl<Q: Send + 'static, R: Send + 'static> ServerStreamingCall<Q, R> {
    pub(crate) fn new(
        client: Client,
        method: Method,
        request: Q,
        requests: CodecRef<Q>,
        responses: CodecRef<R>,
    ) -> Self {
        let new = New { client, method, payload: (request, requests), options: CallOptions::new() };
        Self { progress: Progress::New(Box::new(new)), responses }
    }
}

impl<Q: Send + 'static, R: Send + 'static> Future for ServerStreamingCall<Q, R> {
    type Output = Result<Receiver<R>, Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let begin = |new: New<(Q, CodecRef<Q>)>| {
            let (request, codec) = new.payload;
            let mut start = Start::new(new.client, new.method, new.options);
            let encoded = start.encode(request, &codec);
            encoded.inspect_err(|status| told(start.interception(), status)).map(|()| start)
        };
        let call = ready!(poll_start(&mut this.progress, cx, begin))?;
        Poll::Ready(Ok(Receiver::new(call, this.responses.clone())))
    }
}

/// Awaiting a stream starts it.
fn poll_start<P>(
    progress: &mut Progress<P>,
    cx: &mut Context<'_>,
    begin: impl FnOnce(New<P>) -> Result<Start, Status>,
) -> Poll<Result<Arc<ClientCall>, Status>> {
    let mut start = match std::mem::replace(progress, Progress::Over) {
        Progress::New(new) => Box::new(begin(*new)?),
        Progress::Starting(start) => start,
        Progress::Gated(mut gated) => {
            let poll = gated.poll(cx);
            if poll.is_pending() {
                *progress = Progress::Gated(gated);
            }
            return poll;
        }
        Progress::Waiting(_) | Progress::Around(_) | Progress::Over => {
            return Poll::Ready(Err(Status::internal("the call was polled after its end")));
        }
    };
    if let Some(interception) = start.interception()
        && interception.chain.is_around()
    {
        let interception = Arc::clone(interception);
        let mut gated = Gated::new(start, interception);
        let poll = gated.poll(cx);
        if poll.is_pending() {
            *progress = Progress::Gated(gated);
        }
        return poll;
    }
    let poll = start.poll(cx);
    match &poll {
        Poll::Pending => *progress = Progress::Starting(start),
        Poll::Ready(Err(status)) => told(start.interception(), status),
        Poll::Ready(Ok(_)) => {}
    }
    poll
}

/// A call with any number of requests and one response: awaited, it is the [`Upload`] to send them with.
#[must_use = "a call does nothing until it is awaited"]
pub struct ClientStreamingCall<Q: 'static, R: 'static> {
    progress: Progress<CodecRef<Q>>,
    requests: Option<CodecRef<Q>>,
    responses: CodecRef<R>,
}

impl<Q: Send + 'static, R: Send + 'static> ClientStreamingCall<Q, R> {
    pub(crate) fn new(client: Client, method: Method, requests: CodecRef<Q>, responses: CodecRef<R>) -> Self {
        let new = New { client, method, payload: requests, options: CallOptions::new() };
        Self { progress: Progress::New(Box::new(new)), requests: None, responses }
    }
}

type Sending<Q> = (Arc<ClientCall>, Sender<Q>);

/// Begins a call whose requests follow, and remembers how they are encoded.
fn poll_streaming<Q: 'static>(
    progress: &mut Progress<CodecRef<Q>>,
    codec: &mut Option<CodecRef<Q>>,
    cx: &mut Context<'_>,
) -> Poll<Result<Sending<Q>, Status>> {
    if let Progress::New(new) = progress {
        *codec = Some(new.payload.clone());
    }
    let begin = |new: New<CodecRef<Q>>| Ok(Start::new(new.client, new.method, new.options));
    let call = ready!(poll_start(progress, cx, begin))?;
    match codec.take() {
        Some(codec) => Poll::Ready(Ok((Arc::clone(&call), Sender::new(call, codec)))),
        None => Poll::Ready(Err(Status::internal("the call was polled after its end"))),
    }
}

/// Requests on their way, and the response that follows them.
#[must_use = "dropping an upload cancels the call"]
pub struct Upload<Q: 'static, R: 'static> {
    sender: Sender<Q>,
    call: Arc<ClientCall>,
    responses: CodecRef<R>,
}

impl<Q: 'static, R: 'static> fmt::Debug for Upload<Q, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload").finish_non_exhaustive()
    }
}

impl<Q: Send + 'static, R: Send + 'static> Upload<Q, R> {
    /// Queues a message, as soon as less than 64 KiB are queued.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED for a message that is too large, and the call goes on. If the call is over, its
    /// status.
    ///
    /// # Cancel safety
    /// A future that is dropped before it is ready has sent nothing.
    pub async fn send(&mut self, message: Q) -> Result<(), Status> {
        self.sender.send(message).await
    }

    /// [`send`](Self::send), with options for this message.
    ///
    /// # Errors
    /// As there.
    pub async fn send_with(&mut self, message: Q, options: MessageOptions) -> Result<(), Status> {
        self.sender.send_with(message, options).await
    }

    /// Cancels the call, as dropping does.
    pub fn cancel(self) {}

    /// Says that nothing follows, and waits for the response.
    ///
    /// # Errors
    /// The status of the call.
    pub async fn finish(self) -> Result<R, Status> {
        self.finish_response().await.map(Response::into_inner)
    }

    /// The same, with all that comes with the response.
    ///
    /// # Errors
    /// The status of the call.
    pub async fn finish_response(self) -> Result<Response<R>, Status> {
        let mut live = Live::new(self.call);
        self.sender.finish();
        let interception = live.interception().cloned();
        let whole = std::future::poll_fn(|cx| live.poll_whole(cx)).await?;
        let response = response(whole, &self.responses)?;
        match &interception {
            Some(interception) => observed(response, interception, &self.responses),
            None => Ok(response),
        }
    }
}

/// A call with any number of requests and responses: awaited, it is both halves.
///
/// Both are to be kept: `let (_, responses) = call.await?` drops the sender at once, which cancels the call. A
/// client that has nothing to send finishes it.
#[must_use = "a call does nothing until it is awaited"]
pub struct BidiStreamingCall<Q: 'static, R: 'static> {
    progress: Progress<CodecRef<Q>>,
    requests: Option<CodecRef<Q>>,
    responses: CodecRef<R>,
}

impl<Q: Send + 'static, R: Send + 'static> BidiStreamingCall<Q, R> {
    pub(crate) fn new(client: Client, method: Method, requests: CodecRef<Q>, responses: CodecRef<R>) -> Self {
        let new = New { client, method, payload: requests, options: CallOptions::new() };
        Self { progress: Progress::New(Box::new(new)), requests: None, responses }
    }
}

impl<Q: Send + 'static, R: Send + 'static> Future for BidiStreamingCall<Q, R> {
    type Output = Result<(Sender<Q>, Receiver<R>), Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let (call, sender) = ready!(poll_streaming(&mut this.progress, &mut this.requests, cx))?;
        Poll::Ready(Ok((sender, Receiver::new(call, this.responses.clone()))))
    }
}

impl<Q: Send + 'static, R: Send + 'static> Future for ClientStreamingCall<Q, R> {
    type Output = Result<Upload<Q, R>, Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let (call, sender) = ready!(poll_streaming(&mut this.progress, &mut this.requests, cx))?;
        Poll::Ready(Ok(Upload { sender, call, responses: this.responses.clone() }))
    }
}
