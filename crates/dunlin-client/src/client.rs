//! A channel with options: what generated clients are made of.

use dunlin_grpc::Method;
use dunlin_grpc::codec::CodecRef;
use dunlin_protobuf::Message;

use crate::calls::{BidiStreamingCall, ClientStreamingCall, ServerStreamingCall, UnaryCall};
use crate::channel::Channel;
use crate::options::CallOptions;

/// Makes calls on a channel, with options that hold for all of them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    channel: Channel,
    options: Option<std::sync::Arc<CallOptions>>,
}

impl From<Channel> for Client {
    fn from(channel: Channel) -> Self {
        Self { channel, options: None }
    }
}

impl Client {
    /// Calls on this channel.
    pub fn new(channel: Channel) -> Self {
        channel.into()
    }

    /// The same with these options, which hold where a call says nothing itself.
    #[must_use]
    pub fn with_options(self, options: CallOptions) -> Self {
        let options = match &self.options {
            Some(before) => options.after(before),
            None => options,
        };
        Self { options: Some(std::sync::Arc::new(options)), ..self }
    }

    /// The channel.
    pub fn channel(&self) -> &Channel {
        &self.channel
    }

    pub(crate) fn into_parts(self) -> (Channel, Option<std::sync::Arc<CallOptions>>) {
        (self.channel, self.options)
    }

    /// A call with one request and one response.
    pub fn unary<Q: Message, R: Message>(&self, method: Method, request: Q) -> UnaryCall<Q, R> {
        self.unary_with(method, request, CodecRef::proto(), CodecRef::proto())
    }

    /// The same, for any kind of messages.
    pub fn unary_with<Q: Send + 'static, R: Send + 'static>(
        &self,
        method: Method,
        request: Q,
        requests: CodecRef<Q>,
        responses: CodecRef<R>,
    ) -> UnaryCall<Q, R> {
        UnaryCall::new(self.clone(), method, request, requests, responses)
    }

    /// A call with one request and any number of responses.
    pub fn server_streaming<Q: Message, R: Message>(
        &self,
        method: Method,
        request: Q,
    ) -> ServerStreamingCall<Q, R> {
        self.server_streaming_with(method, request, CodecRef::proto(), CodecRef::proto())
    }

    /// The same, for any kind of messages.
    pub fn server_streaming_with<Q: Send + 'static, R: Send + 'static>(
        &self,
        method: Method,
        request: Q,
        requests: CodecRef<Q>,
        responses: CodecRef<R>,
    ) -> ServerStreamingCall<Q, R> {
        ServerStreamingCall::new(self.clone(), method, request, requests, responses)
    }

    /// A call with any number of requests and one response.
    pub fn client_streaming<Q: Message, R: Message>(&self, method: Method) -> ClientStreamingCall<Q, R> {
        self.client_streaming_with(method, CodecRef::proto(), CodecRef::proto())
    }

    /// The same, for any kind of messages.
    pub fn client_streaming_with<Q: Send + 'static, R: Send + 'static>(
        &self,
        method: Method,
        requests: CodecRef<Q>,
        responses: CodecRef<R>,
    ) -> ClientStreamingCall<Q, R> {
        ClientStreamingCall::new(self.clone(), method, requests, responses)
    }

    /// A call with any number of requests and responses.
    pub fn bidi_streaming<Q: Message, R: Message>(&self, method: Method) -> BidiStreamingCall<Q, R> {
        self.bidi_streaming_with(method, CodecRef::proto(), CodecRef::proto())
    }

    /// The same, for any kind of messages.
    pub fn bidi_streaming_with<Q: Send + 'static, R: Send + 'static>(
        &self,
        method: Method,
        requests: CodecRef<Q>,
        responses: CodecRef<R>,
    ) -> BidiStreamingCall<Q, R> {
        BidiStreamingCall::new(self.clone(), method, requests, responses)
    }
}
