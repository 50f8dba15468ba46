//! Calls as users hold them: builders that are futures.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use dunlin_grpc::codec::CodecRef;
use dunlin_grpc::framing::Outgoing;
use dunlin_grpc::halves::Whole;
use dunlin_grpc::stream::decode;
use dunlin_grpc::{
    Encoding, MessageInfo, MessageOptions, Metadata, Method, Receiver, Sender, Status, ambient,
};
use tokio::time::Sleep;

use crate::call::{ClientCall, Parts};
use crate::channel::Channel;
use crate::client::Client;
use crate::credentials::Credentials;
use crate::dial::BoxFuture;
use crate::options::CallOptions;

/// A call that is on its way to a connection.
struct Start {
    channel: Channel,
    method: Method,
    options: CallOptions,
    began: Instant,
    deadline: Option<Instant>,
    request: Option<Bytes>,
    phase: Phase,
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
    fn new(client: Client, method: Method, options: CallOptions) -> Self {
        let (channel, defaults) = client.into_parts();
        let options = match defaults {
            Some(defaults) => options.after(&defaults),
            None => options,
        };
        let began = tokio::time::Instant::now().into_std();
        let of_timeout = options.timeout.and_then(|timeout| began.checked_add(timeout));
        let of_call = if options.is_detached { None } else { ambient::current().deadline };
        let deadline = [of_timeout, options.deadline, of_call].into_iter().flatten().min();
        Self { channel, method, options, began, deadline, request: None, phase: Phase::New, timer: None }
    }

    fn encoding(&self) -> Encoding {
        self.options.encoding.unwrap_or(self.channel.settings().encoding)
    }

    /// The one request of the call.
    fn encode<Q: 'static>(&mut self, request: Q, codec: &CodecRef<Q>) -> Result<(), Status> {
        let encoding = match self.options.compresses {
            Some(false) => Encoding::Identity,
            _ => self.encoding(),
        };
        let limit = self.options.max_request.unwrap_or(usize::MAX);
        let mut out = Outgoing::default();
        out.push(encoding, limit, |out| codec.encode(request, out))?;
        if !out.large.is_empty() {
            out.small.extend_from_slice(&out.large);
        }
        self.request = Some(out.small.into());
        Ok(())
    }

    /// Ready when the call is on its way on a connection.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Arc<ClientCall>, Status>> {
        loop {
            match &mut self.phase {
                Phase::New => {
                    if let Some(error) = self.options.invalid.take() {
                        return Poll::Ready(Err(Status::internal(error.to_string()).with_source(error)));
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
        Ok(Arc::new(ClientCall::new(Parts {
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
        })))
    }
}

/// What a call is until it is polled.
struct New<P> {
    client: Client,
    method: Method,
    payload: P,
    options: CallOptions,
}

/// A call that is cancelled when this is dropped.
struct Live(Option<Arc<ClientCall>>);

impl Drop for Live {
    fn drop(&mut self) {
        if let Some(call) = self.0.take() {
            call.cancel(Status::cancelled("the call was dropped"));
        }
    }
}

impl Live {
    fn new(call: Arc<ClientCall>) -> Self {
        Self(Some(call))
    }

    /// Everything, once the call is over; dropping does nothing then.
    fn poll_whole(&mut self, cx: &mut Context<'_>) -> Poll<Result<Whole, Status>> {
        let Some(call) = &self.0 else {
            return Poll::Ready(Err(Status::internal("the call was polled after its end")));
        };
        let whole = ready!(call.halves.poll_whole(cx));
        self.0 = None;
        Poll::Ready(Ok(whole))
    }
}

enum Progress<P> {
    New(Box<New<P>>),
    Starting(Box<Start>),
    Waiting(Live),
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
                    start.encode(request, &codec)?;
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
                Progress::Over => {
                    return Poll::Ready(Err(Status::internal("the call was polled after its end")));
                }
            }
        }
    }
}

/// The one response of a call that is over.
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
            start.encode(request, &codec).map(|()| start)
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
        Progress::Waiting(_) | Progress::Over => {
            return Poll::Ready(Err(Status::internal("the call was polled after its end")));
        }
    };
    let poll = start.poll(cx);
    if poll.is_pending() {
        *progress = Progress::Starting(start);
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
        let whole = std::future::poll_fn(|cx| live.poll_whole(cx)).await?;
        response(whole, &self.responses)
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
