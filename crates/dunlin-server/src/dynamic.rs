//! Methods by their descriptors, for programs that learn their schema when they run.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

pub use dunlin_grpc::dynamic::{MethodDescriptor, MethodError, Schema};
use dunlin_grpc::{CallKind, Receiver, Sender, Status};
use dunlin_protobuf::dynamic::{DynamicMessage, DynamicPool};

use crate::context::ServerContext;
use crate::lifecycle::ServedSchema;
use crate::methods::Methods;

/// Methods that are served by their descriptors.
///
/// A handler makes its response of the [`MethodDescriptor`]: [`response`](MethodDescriptor::response),
/// [`response_from_json`](MethodDescriptor::response_from_json). A response of another type makes its call
/// fail with INTERNAL.
///
/// ```
/// use dunlin_grpc::{Code, ResultExt};
/// use dunlin_server::Server;
/// use dunlin_server::dynamic::DynamicService;
///
/// # use std::{error::Error, sync::Arc};
/// # use dunlin_protobuf::dynamic::DynamicPool;
/// # fn serve(pool: Arc<DynamicPool>) -> Result<(), Box<dyn Error>> {
/// let mut service = DynamicService::new(pool);
/// let get = service.method("shop.v1.ShopService/GetProduct")?;
/// service.unary("shop.v1.ShopService/GetProduct", move |cx, _request| {
///     let product = get.response_from_json(r#"{"name": "cup"}"#).status(Code::Internal);
///     async move { (cx, product) }
/// })?;
/// let server = Server::builder().methods(|methods| service.register(methods)).build()?;
/// # Ok(())
/// # }
/// ```
#[must_use = "methods are served once they are registered"]
pub struct DynamicService {
    schema: Schema,
    methods: Methods,
}

impl fmt::Debug for DynamicService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynamicService").field("methods", &self.methods).finish_non_exhaustive()
    }
}

impl DynamicService {
    /// None yet, of the services of this pool, which has to be made of a set of descriptors
    /// ([`DynamicPool::from_file_descriptor_set`]).
    pub fn new(pool: Arc<DynamicPool>) -> Self {
        Self { schema: Schema::new(pool), methods: Methods::default() }
    }

    /// The services that can be served.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The method of this name: `shop.v1.Shop/Get`, also as a path, `/shop.v1.Shop/Get`.
    ///
    /// # Errors
    /// When the schema does not have it.
    pub fn method(&self, name: &str) -> Result<MethodDescriptor, MethodError> {
        self.schema.method(name)
    }

    fn method_of_kind(&self, name: &str, kind: CallKind) -> Result<MethodDescriptor, MethodError> {
        let method = self.schema.method(name)?;
        method.require(kind)?;
        Ok(method)
    }

    /// A method with one request and one response.
    ///
    /// # Errors
    /// When the schema does not have it, or has it as another kind.
    pub fn unary<F>(
        &mut self,
        name: &str,
        handler: impl Fn(ServerContext, DynamicMessage) -> F + Send + Sync + 'static,
    ) -> Result<(), MethodError>
    where
        F: Future<Output = (ServerContext, Result<DynamicMessage, Status>)> + Send + 'static,
    {
        let method = self.method_of_kind(name, CallKind::Unary)?;
        let (requests, responses) = (method.request_codec(), method.response_codec());
        self.methods.unary_with(method.method().clone(), requests, responses, handler);
        Ok(())
    }

    /// A method with one request and any number of responses.
    ///
    /// # Errors
    /// As [`unary`](Self::unary).
    pub fn server_streaming<F>(
        &mut self,
        name: &str,
        handler: impl Fn(ServerContext, DynamicMessage, Sender<DynamicMessage>) -> F + Send + Sync + 'static,
    ) -> Result<(), MethodError>
    where
        F: Future<Output = (ServerContext, Result<(), Status>)> + Send + 'static,
    {
        let method = self.method_of_kind(name, CallKind::ServerStreaming)?;
        let (requests, responses) = (method.request_codec(), method.response_codec());
        self.methods.server_streaming_with(method.method().clone(), requests, responses, handler);
        Ok(())
    }

    /// A method with any number of requests and one response.
    ///
    /// # Errors
    /// As [`unary`](Self::unary).
    pub fn client_streaming<F>(
        &mut self,
        name: &str,
        handler: impl Fn(ServerContext, Receiver<DynamicMessage>) -> F + Send + Sync + 'static,
    ) -> Result<(), MethodError>
    where
        F: Future<Output = (ServerContext, Result<DynamicMessage, Status>)> + Send + 'static,
    {
        let method = self.method_of_kind(name, CallKind::ClientStreaming)?;
        let (requests, responses) = (method.request_codec(), method.response_codec());
        self.methods.client_streaming_with(method.method().clone(), requests, responses, handler);
        Ok(())
    }

    /// A method with any number of requests and responses.
    ///
    /// # Errors
    /// As [`unary`](Self::unary).
    pub fn bidi_streaming<F>(
        &mut self,
        name: &str,
        handler: impl Fn(ServerContext, Receiver<DynamicMessage>, Sender<DynamicMessage>) -> F
        + Send
        + Sync
        + 'static,
    ) -> Result<(), MethodError>
    where
        F: Future<Output = (ServerContext, Result<(), Status>)> + Send + 'static,
    {
        let method = self.method_of_kind(name, CallKind::BidiStreaming)?;
        let (requests, responses) = (method.request_codec(), method.response_codec());
        self.methods.bidi_streaming_with(method.method().clone(), requests, responses, handler);
        Ok(())
    }

    /// Adds all of them to the methods of a server, and the pool to the schemas that it tells.
    pub fn register(self, methods: &mut Methods) {
        methods.add_schema(ServedSchema::Pool(Arc::clone(self.schema.pool())));
        methods.entries.extend(self.methods.entries);
    }
}
