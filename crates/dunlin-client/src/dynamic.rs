//! Calls by descriptors, for programs that learn their schema when they run.

#[cfg(feature = "proto")]
mod schema;

use std::ops::Deref;
use std::sync::Arc;

use dunlin_grpc::codec::CodecRef;
pub use dunlin_grpc::dynamic::{MethodDescriptor, MethodError, Schema};
use dunlin_grpc::{CallKind, Method};
use dunlin_protobuf::dynamic::{DynamicMessage, DynamicPool};

use crate::calls::{BidiStreamingCall, ClientStreamingCall, ServerStreamingCall, UnaryCall};
use crate::client::Client;
#[cfg(feature = "proto")]
pub use schema::SchemaError;

/// Makes calls by the descriptors of their methods. Cheap to clone.
///
/// ```no_run
/// use dunlin_client::Channel;
/// use dunlin_client::dynamic::DynamicClient;
///
/// # use std::{error::Error, sync::Arc};
/// # use dunlin_protobuf::dynamic::DynamicPool;
/// # async fn run(pool: Arc<DynamicPool>) -> Result<(), Box<dyn Error>> {
/// let client = DynamicClient::new(Channel::builder("localhost:50051").connect_lazy()?, pool);
/// let get = client.method("shop.v1.ShopService/GetProduct")?;
/// let request = get.request_from_json(r#"{"productId": "42"}"#)?;
/// let product = get.unary(request)?.await?;
/// println!("{}", get.to_json(&product)?);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct DynamicClient {
    client: Client,
    schema: Schema,
}

impl DynamicClient {
    /// Calls of the services of this pool, which has to be made of a set of descriptors
    /// ([`DynamicPool::from_file_descriptor_set`]), on a channel, or as a client with options makes them.
    pub fn new(client: impl Into<Client>, pool: Arc<DynamicPool>) -> Self {
        Self::with_schema(client, Schema::new(pool))
    }

    /// Calls of the services of a schema.
    pub fn with_schema(client: impl Into<Client>, schema: Schema) -> Self {
        Self { client: client.into(), schema }
    }

    /// The services that it knows.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The method of this name: `shop.v1.Shop/Get`, also as a path, `/shop.v1.Shop/Get`. It is looked for
    /// each time, so a method that is called often is best kept.
    ///
    /// # Errors
    /// When the schema does not have it.
    pub fn method(&self, name: &str) -> Result<DynamicMethod, MethodError> {
        Ok(DynamicMethod { descriptor: self.schema.method(name)?, client: self.client.clone() })
    }
}

/// A method that can be called, by its descriptor. Cheap to clone.
///
/// What the schema says of it, and messages from and to JSON, are methods of [`MethodDescriptor`].
#[derive(Clone, Debug)]
pub struct DynamicMethod {
    client: Client,
    descriptor: MethodDescriptor,
}

type Parts = (Method, CodecRef<DynamicMessage>, CodecRef<DynamicMessage>);

impl DynamicMethod {
    /// A call with one request and one response.
    ///
    /// # Errors
    /// When the method is of another kind. A request of another type makes the call fail with INTERNAL.
    pub fn unary(
        &self,
        request: DynamicMessage,
    ) -> Result<UnaryCall<DynamicMessage, DynamicMessage>, MethodError> {
        let (method, requests, responses) = self.parts(CallKind::Unary)?;
        Ok(self.client.unary_with(method, request, requests, responses))
    }

    /// A call with one request and any number of responses.
    ///
    /// # Errors
    /// As [`unary`](Self::unary).
    pub fn server_streaming(
        &self,
        request: DynamicMessage,
    ) -> Result<ServerStreamingCall<DynamicMessage, DynamicMessage>, MethodError> {
        let (method, requests, responses) = self.parts(CallKind::ServerStreaming)?;
        Ok(self.client.server_streaming_with(method, request, requests, responses))
    }

    /// A call with any number of requests and one response.
    ///
    /// # Errors
    /// When the method is of another kind. Sending a request of another type fails with INTERNAL.
    pub fn client_streaming(
        &self,
    ) -> Result<ClientStreamingCall<DynamicMessage, DynamicMessage>, MethodError> {
        let (method, requests, responses) = self.parts(CallKind::ClientStreaming)?;
        Ok(self.client.client_streaming_with(method, requests, responses))
    }

    /// A call with any number of requests and responses.
    ///
    /// # Errors
    /// As [`client_streaming`](Self::client_streaming).
    pub fn bidi_streaming(&self) -> Result<BidiStreamingCall<DynamicMessage, DynamicMessage>, MethodError> {
        let (method, requests, responses) = self.parts(CallKind::BidiStreaming)?;
        Ok(self.client.bidi_streaming_with(method, requests, responses))
    }

    /// What a call of this kind is made of.
    fn parts(&self, kind: CallKind) -> Result<Parts, MethodError> {
        self.require(kind)?;
        Ok((self.method().clone(), self.request_codec(), self.response_codec()))
    }
}

impl Deref for DynamicMethod {
    type Target = MethodDescriptor;

    fn deref(&self) -> &MethodDescriptor {
        &self.descriptor
    }
}
