//! How methods are added to a server.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use dunlin_grpc::codec::{CodecRef, Raw};
use dunlin_grpc::{CallKind, MessageInfo, Method, Receiver, Sender, Status};
use dunlin_protobuf::Message;

use crate::call::ServerCall;
use crate::context::ServerContext;
use crate::lifecycle::Hooks;
use crate::running::{Entry, Handler, Request};

/// A service that can be added to a server; generated code implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no service that a server can be given",
    note = "wrap the implementation of a generated trait: `GreeterServer::new(greeter)`"
)]
pub trait Service {
    /// The full name.
    fn name(&self) -> &'static str;

    /// Adds all methods.
    fn register(self, methods: &mut Methods);
}

/// The methods that a server is given.
#[derive(Default)]
pub struct Methods {
    pub(crate) entries: Vec<(Method, Arc<dyn Handler>)>,
    pub(crate) fallback: Option<Arc<dyn Handler>>,
    pub(crate) hooks: Hooks,
}

impl fmt::Debug for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.entries.iter().map(|(method, _)| method)).finish()
    }
}

fn context(call: &Arc<ServerCall>, info: MessageInfo) -> ServerContext {
    ServerContext::new(Arc::clone(call), info)
}

/// The one request of a call that has begun with it.
fn request<Q: 'static>(
    call: &Arc<ServerCall>,
    request: Option<Request<'_>>,
    codec: &CodecRef<Q>,
) -> Result<(ServerContext, Q), Status> {
    let request = request.ok_or_else(|| Status::internal("the method was begun without its request"))?;
    let (value, info) = request.decode(call, codec)?;
    Ok((context(call, info), value))
}

fn receiver<Q: 'static>(call: &Arc<ServerCall>, codec: &CodecRef<Q>) -> Receiver<Q> {
    Receiver::new(Arc::clone(call) as _, codec.clone())
}

fn sender<R: 'static>(call: &Arc<ServerCall>, codec: &CodecRef<R>) -> Sender<R> {
    Sender::new(Arc::clone(call) as _, codec.clone())
}

impl Methods {
    /// A method with one request and one response.
    pub fn unary<Q, R, F>(
        &mut self,
        method: Method,
        handler: impl Fn(ServerContext, Q) -> F + Send + Sync + 'static,
    ) where
        Q: Message,
        R: Message,
        F: Future<Output = (ServerContext, Result<R, Status>)> + Send + 'static,
    {
        self.unary_with(method, CodecRef::proto(), CodecRef::proto(), handler);
    }

    /// The same, for any kind of messages.
    pub fn unary_with<Q, R, F>(
        &mut self,
        method: Method,
        requests: CodecRef<Q>,
        responses: CodecRef<R>,
        handler: impl Fn(ServerContext, Q) -> F + Send + Sync + 'static,
    ) where
        Q: Send + 'static,
        R: Send + 'static,
        F: Future<Output = (ServerContext, Result<R, Status>)> + Send + 'static,
    {
        let begin = move |call: &Arc<ServerCall>, found: Option<Request<'_>>| {
            let (context, message) = request(call, found, &requests)?;
            Ok(handler(context, message))
        };
        self.add(method, Entry::new(begin, Some(responses)));
    }

    /// A method with one request and any number of responses.
    pub fn server_streaming<Q, R, F>(
        &mut self,
        method: Method,
        handler: impl Fn(ServerContext, Q, Sender<R>) -> F + Send + Sync + 'static,
    ) where
        Q: Message,
        R: Message,
        F: Future<Output = (ServerContext, Result<(), Status>)> + Send + 'static,
    {
        self.server_streaming_with(method, CodecRef::proto(), CodecRef::proto(), handler);
    }

    /// The same, for any kind of messages.
    pub fn server_streaming_with<Q, R, F>(
        &mut self,
        method: Method,
        requests: CodecRef<Q>,
        responses: CodecRef<R>,
        handler: impl Fn(ServerContext, Q, Sender<R>) -> F + Send + Sync + 'static,
    ) where
        Q: Send + 'static,
        R: Send + 'static,
        F: Future<Output = (ServerContext, Result<(), Status>)> + Send + 'static,
    {
        let begin = move |call: &Arc<ServerCall>, found: Option<Request<'_>>| {
            let (context, message) = request(call, found, &requests)?;
            Ok(handler(context, message, sender(call, &responses)))
        };
        self.add(method, Entry::new(begin, None));
    }

    /// A method with any number of requests and one response.
    pub fn client_streaming<Q, R, F>(
        &mut self,
        method: Method,
        handler: impl Fn(ServerContext, Receiver<Q>) -> F + Send + Sync + 'static,
    ) where
        Q: Message,
        R: Message,
        F: Future<Output = (ServerContext, Result<R, Status>)> + Send + 'static,
    {
        self.client_streaming_with(method, CodecRef::proto(), CodecRef::proto(), handler);
    }

    /// The same, for any kind of messages.
    pub fn client_streaming_with<Q, R, F>(
        &mut self,
        method: Method,
        requests: CodecRef<Q>,
        responses: CodecRef<R>,
        handler: impl Fn(ServerContext, Receiver<Q>) -> F + Send + Sync + 'static,
    ) where
        Q: Send + 'static,
        R: Send + 'static,
        F: Future<Output = (ServerContext, Result<R, Status>)> + Send + 'static,
    {
        let begin = move |call: &Arc<ServerCall>, _: Option<Request<'_>>| {
            Ok(handler(context(call, MessageInfo::default()), receiver(call, &requests)))
        };
        self.add(method, Entry::new(begin, Some(responses)));
    }

    /// A method with any number of requests and responses.
    pub fn bidi_streaming<Q, R, F>(
        &mut self,
        method: Method,
        handler: impl Fn(ServerContext, Receiver<Q>, Sender<R>) -> F + Send + Sync + 'static,
    ) where
        Q: Message,
        R: Message,
        F: Future<Output = (ServerContext, Result<(), Status>)> + Send + 'static,
    {
        self.bidi_streaming_with(method, CodecRef::proto(), CodecRef::proto(), handler);
    }

    /// The same, for any kind of messages.
    pub fn bidi_streaming_with<Q, R, F>(
        &mut self,
        method: Method,
        requests: CodecRef<Q>,
        responses: CodecRef<R>,
        handler: impl Fn(ServerContext, Receiver<Q>, Sender<R>) -> F + Send + Sync + 'static,
    ) where
        Q: Send + 'static,
        R: Send + 'static,
        F: Future<Output = (ServerContext, Result<(), Status>)> + Send + 'static,
    {
        self.add(method, bidi(requests, responses, handler));
    }

    /// What serves all paths that no method has, such as a proxy. It gets the messages as bytes, and the
    /// path from [`ServerContext::method`].
    pub fn fallback<F>(
        &mut self,
        handler: impl Fn(ServerContext, Receiver<Bytes>, Sender<Bytes>) -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = (ServerContext, Result<(), Status>)> + Send + 'static,
    {
        let raw = || CodecRef::<Bytes>::Static(&Raw);
        self.fallback = Some(Arc::new(bidi(raw(), raw(), handler)));
    }

    fn add(&mut self, method: Method, handler: impl Handler + 'static) {
        self.entries.push((method, Arc::new(handler)));
    }
}

fn bidi<Q, R, F>(
    requests: CodecRef<Q>,
    responses: CodecRef<R>,
    handler: impl Fn(ServerContext, Receiver<Q>, Sender<R>) -> F + Send + Sync + 'static,
) -> impl Handler
where
    Q: Send + 'static,
    R: Send + 'static,
    F: Future<Output = (ServerContext, Result<(), Status>)> + Send + 'static,
{
    let begin = move |call: &Arc<ServerCall>, _: Option<Request<'_>>| {
        let context = context(call, MessageInfo::default());
        Ok(handler(context, receiver(call, &requests), sender(call, &responses)))
    };
    Entry::<_, F, ()>::new(begin, None)
}

/// The method of a path that no route has: its kind is not known, so it may stream both ways.
pub(crate) fn unknown_method(path: &str) -> Option<Method> {
    Method::from_path(path, CallKind::BidiStreaming)
}
