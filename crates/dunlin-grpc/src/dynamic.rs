//! Methods by their descriptors, for programs that learn their schema when they run.

use std::fmt;
use std::sync::Arc;

use dunlin_protobuf::descriptor::{MethodDescriptorProto, ServiceDescriptorProto};
use dunlin_protobuf::dynamic::{DynamicMessage, DynamicPool};
use dunlin_protobuf::json::{self, JsonError};
use dunlin_protobuf::pool::{FileView, MessageView};
use dunlin_protobuf::table::TableRef;
use dunlin_protobuf::{Reflect, Registry, wkt};

use crate::codec::{CodecRef, Dynamic};
use crate::{CallKind, Idempotency, Method, Status};

/// The services of a pool of types.
///
/// The pool has to be made of a set of descriptors
/// ([`DynamicPool::from_file_descriptor_set`]): others do not keep what descriptors say of services.
///
/// ```
/// use dunlin_grpc::CallKind;
/// use dunlin_grpc::dynamic::Schema;
/// use dunlin_protobuf::descriptor::{DescriptorMessage, FileDescriptorSet};
/// use dunlin_protobuf::dynamic::DynamicPool;
///
/// let set = FileDescriptorSet::decode(dunlin_proto::FILE_DESCRIPTOR_SET)?;
/// let schema = Schema::new(DynamicPool::from_file_descriptor_set(set)?);
/// let check = schema.method("grpc.health.v1.Health/Check")?;
/// assert_eq!(check.kind(), CallKind::Unary);
/// let request = check.request_from_json(r#"{"service": "shop"}"#)?;
/// assert_eq!(request.encode_to_vec(), b"\x0a\x04shop");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Schema {
    pool: Arc<DynamicPool>,
    registry: Arc<Registry>,
}

/// Why a method can not be called or served by its descriptor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MethodError {
    /// A text that does not have the form of a name.
    #[error("`{name}` does not name a method: write SERVICE/METHOD")]
    Name {
        /// The text.
        name: String,
    },
    /// A service that is not in the schema.
    #[error("no service {service} in the schema, which has {}", list(known))]
    NoService {
        /// The service.
        service: String,
        /// Those that are.
        known: Vec<String>,
    },
    /// A method that is not in its service.
    #[error("service {service} has no method {method}; it has {}", list(known))]
    NoMethod {
        /// The service.
        service: String,
        /// The method.
        method: String,
        /// Those that are.
        known: Vec<String>,
    },
    /// A method that is called or served as another kind than it is.
    #[error("{path} is {found}, not {wanted}")]
    Kind {
        /// The method.
        path: String,
        /// What the schema says.
        found: CallKind,
        /// What it is taken for.
        wanted: CallKind,
    },
}

/// UNIMPLEMENTED, as a server answers for methods that it does not have.
impl From<MethodError> for Status {
    fn from(error: MethodError) -> Self {
        Self::unimplemented(error.to_string()).with_source(error)
    }
}

/// As many names as help.
fn list(names: &[String]) -> String {
    const SHOWN: usize = 10;
    match names {
        [] => "none".to_owned(),
        names if names.len() > SHOWN => {
            format!("{} and {} more", names[..SHOWN].join(", "), names.len() - SHOWN)
        }
        names => names.join(", "),
    }
}

/// A method of a file, with its service and its messages.
type Declared<'p> = (String, &'p MethodDescriptorProto, Option<MessageView<'p>>, Option<MessageView<'p>>);

fn name_of(name: &Option<String>) -> &str {
    name.as_deref().unwrap_or_default()
}

fn services<'p>(file: FileView<'p>) -> impl Iterator<Item = (String, &'p ServiceDescriptorProto)> {
    let package = file.package();
    let services = file.proto().into_iter().flat_map(|proto| &proto.service);
    services.map(move |service| match (package, name_of(&service.name)) {
        ("", name) => (name.to_owned(), service),
        (package, name) => (format!("{package}.{name}"), service),
    })
}

impl Schema {
    /// The services of this pool.
    pub fn new(pool: Arc<DynamicPool>) -> Self {
        let mut registry = Registry::new();
        wkt::register(&mut registry);
        registry.add_pool(Arc::clone(&pool));
        Self { pool, registry: Arc::new(registry) }
    }

    /// With another registry for what JSON has in `Any` and in extensions: the types of the pool, and the
    /// well-known ones, by default.
    #[must_use]
    pub fn with_registry(self, registry: Registry) -> Self {
        Self { registry: Arc::new(registry), ..self }
    }

    /// The types.
    pub fn pool(&self) -> &Arc<DynamicPool> {
        &self.pool
    }

    /// The full names of all services.
    pub fn services(&self) -> impl Iterator<Item = String> {
        self.pool.descriptors().files().flat_map(services).map(|(name, _)| name)
    }

    /// All methods of all services.
    pub fn methods(&self) -> impl Iterator<Item = MethodDescriptor> {
        self.declared().filter_map(|declared| self.descriptor(&declared))
    }

    /// The method of this name: `shop.v1.Shop/Get`, also as a path, `/shop.v1.Shop/Get`.
    ///
    /// # Errors
    /// When the schema does not have it.
    pub fn method(&self, name: &str) -> Result<MethodDescriptor, MethodError> {
        let (service, method) = name
            .strip_prefix('/')
            .unwrap_or(name)
            .split_once('/')
            .filter(|(service, method)| !service.is_empty() && !method.is_empty() && !method.contains('/'))
            .ok_or_else(|| MethodError::Name { name: name.to_owned() })?;
        let mut of_service = self.declared().filter(|(found, ..)| found == service);
        let found = of_service.find(|(_, proto, ..)| name_of(&proto.name) == method);
        found.and_then(|declared| self.descriptor(&declared)).ok_or_else(|| self.missing(service, method))
    }

    fn missing(&self, service: &str, method: &str) -> MethodError {
        let service = service.to_owned();
        if !self.services().any(|known| known == service) {
            return MethodError::NoService { service, known: self.services().collect() };
        }
        let of_service = self.declared().filter(|(found, ..)| *found == service);
        let known = of_service.map(|(_, proto, ..)| name_of(&proto.name).to_owned()).collect();
        MethodError::NoMethod { service, method: method.to_owned(), known }
    }

    fn declared(&self) -> impl Iterator<Item = Declared<'_>> {
        self.pool.descriptors().files().flat_map(|file| {
            let methods = services(file)
                .flat_map(|(name, service)| service.method.iter().map(move |method| (name.clone(), method)));
            methods
                .zip(file.methods())
                .map(|((service, method), (input, output))| (service, method, input, output))
        })
    }

    /// `None` never: the pool has linked all types.
    fn descriptor(&self, (service, proto, input, output): &Declared<'_>) -> Option<MethodDescriptor> {
        let streams = |side: Option<bool>| side.unwrap_or_default();
        let kind = CallKind::new(streams(proto.client_streaming), streams(proto.server_streaming));
        let method = Method::dynamic(service, name_of(&proto.name), kind);
        let table = |view: &Option<MessageView<'_>>| self.pool.message(&view.as_ref()?.full_name());
        Some(MethodDescriptor {
            method: match Idempotency::of(proto) {
                Idempotency::Unknown => method,
                Idempotency::Idempotent => method.idempotent(),
                Idempotency::NoSideEffects => method.no_side_effects(),
            },
            requests: table(input)?,
            responses: table(output)?,
            registry: Arc::clone(&self.registry),
        })
    }
}

impl Idempotency {
    fn of(proto: &MethodDescriptorProto) -> Self {
        use dunlin_protobuf::descriptor::IdempotencyLevel as Level;
        match proto.options.as_ref().and_then(|options| options.idempotency_level) {
            Some(Level::IDEMPOTENT) => Self::Idempotent,
            Some(Level::NO_SIDE_EFFECTS) => Self::NoSideEffects,
            _ => Self::Unknown,
        }
    }
}

/// A method, and the types of its messages.
#[derive(Clone)]
pub struct MethodDescriptor {
    method: Method,
    requests: TableRef,
    responses: TableRef,
    registry: Arc<Registry>,
}

impl MethodDescriptor {
    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// How many messages each side sends.
    pub fn kind(&self) -> CallKind {
        self.method.kind()
    }

    /// The type of requests.
    pub fn request_type(&self) -> &TableRef {
        &self.requests
    }

    /// The type of responses.
    pub fn response_type(&self) -> &TableRef {
        &self.responses
    }

    /// An empty request.
    pub fn request(&self) -> DynamicMessage {
        DynamicMessage::new(self.requests.clone())
    }

    /// An empty response.
    pub fn response(&self) -> DynamicMessage {
        DynamicMessage::new(self.responses.clone())
    }

    /// A request, from its JSON.
    ///
    /// # Errors
    /// When the text is not the JSON of such a message; the error names place and field.
    pub fn request_from_json(&self, text: &str) -> Result<DynamicMessage, JsonError> {
        self.read(self.request(), text)
    }

    /// A response, from its JSON.
    ///
    /// # Errors
    /// As [`request_from_json`](Self::request_from_json).
    pub fn response_from_json(&self, text: &str) -> Result<DynamicMessage, JsonError> {
        self.read(self.response(), text)
    }

    fn read(&self, mut message: DynamicMessage, text: &str) -> Result<DynamicMessage, JsonError> {
        json::DecodeOptions::new().registry(&self.registry).merge(&mut message, text)?;
        Ok(message)
    }

    /// The JSON of a request or a response.
    ///
    /// # Errors
    /// As [`json::to_string`].
    pub fn to_json(&self, message: &dyn Reflect) -> Result<String, JsonError> {
        json::EncodeOptions::new().registry(&self.registry).to_string(message)
    }

    /// How requests become bytes.
    pub fn request_codec(&self) -> CodecRef<DynamicMessage> {
        CodecRef::Shared(Arc::new(Dynamic::new(self.requests.clone())))
    }

    /// How responses become bytes.
    pub fn response_codec(&self) -> CodecRef<DynamicMessage> {
        CodecRef::Shared(Arc::new(Dynamic::new(self.responses.clone())))
    }

    /// Makes sure that the method is of this kind.
    ///
    /// # Errors
    /// When it is of another one, which the error names.
    pub fn require(&self, wanted: CallKind) -> Result<(), MethodError> {
        if self.kind() == wanted {
            return Ok(());
        }
        Err(MethodError::Kind { path: self.method.path().to_owned(), found: self.kind(), wanted })
    }
}

impl fmt::Debug for MethodDescriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MethodDescriptor")
            .field("method", &self.method)
            .field("request", &self.requests.full_name())
            .field("response", &self.responses.full_name())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use dunlin_protobuf::descriptor::{DescriptorMessage, FileDescriptorSet};

    use super::*;

    fn schema() -> Schema {
        let set = FileDescriptorSet::decode(dunlin_proto::FILE_DESCRIPTOR_SET).unwrap();
        Schema::new(DynamicPool::from_file_descriptor_set(set).unwrap())
    }

    #[test]
    fn every_method_is_found_by_its_name_and_by_its_path() {
        let schema = schema();
        assert!(schema.methods().count() > 5);
        for descriptor in schema.methods() {
            let path = descriptor.method().path();
            for name in [path, &path[1..]] {
                assert_eq!(schema.method(name).unwrap().method(), descriptor.method());
            }
        }
        let watch = schema.method("grpc.health.v1.Health/Watch").unwrap();
        assert_eq!(watch.kind(), CallKind::ServerStreaming);
        assert_eq!(watch.request_type().full_name(), "grpc.health.v1.HealthCheckRequest");
        assert_eq!(watch.response_type().full_name(), "grpc.health.v1.HealthCheckResponse");
    }

    #[test]
    fn errors_say_what_there_is() {
        let schema = schema();
        let error = |name: &str| schema.method(name).unwrap_err().to_string();
        for name in ["", "Check", "/Check", "a.B/", "/a.B/C/D"] {
            assert_eq!(error(name), format!("`{name}` does not name a method: write SERVICE/METHOD"));
        }
        let message = error("grpc.health.v1.Health/Chekc");
        assert!(message.starts_with("service grpc.health.v1.Health has no method Chekc; it has Check, "));
        let message = error("health/Check");
        assert!(message.contains("no service health in the schema, which has "), "{message}");
        assert!(message.contains("grpc.health.v1.Health"), "{message}");
        let watch = schema.method("grpc.health.v1.Health/Watch").unwrap();
        assert_eq!(
            watch.require(CallKind::Unary).unwrap_err().to_string(),
            "/grpc.health.v1.Health/Watch is server streaming, not unary",
        );
    }
}
