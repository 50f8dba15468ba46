//! The service that tells the schema.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dunlin_grpc::{Code, Receiver, Sender, Status};
use dunlin_proto::grpc::reflection::v1::server_reflection_request::MessageRequest;
use dunlin_proto::grpc::reflection::v1::server_reflection_response::MessageResponse;
use dunlin_proto::grpc::reflection::v1::{
    ErrorResponse, ExtensionNumberResponse, FileDescriptorResponse, ListServiceResponse,
    ServerReflectionRequest, ServerReflectionResponse, ServiceResponse,
};
use dunlin_server::{Methods, Service, ShutdownPhase};
use tokio::sync::watch;

use super::NAME;
use super::builder::{ReflectionBuilder, SharedTold, Told};
use super::index::Sent;
use super::method::{V1, V1_ALPHA};
use crate::generated_server::grpc::reflection;
use crate::shown;

/// Tells what a server serves, and its schema, to tools and to programs that learn their schema when they
/// run; as `v1` and as `v1alpha`, which are the same.
///
/// Generated services bring their schema along, and so do services that are served by their descriptors, so
/// that there is nothing to say:
///
/// ```
/// use dunlin_server::Server;
/// use dunlin_services::Reflection;
///
/// let server = Server::builder()
///     // .add_service(ShopServer::new(shop))
///     .add_service(Reflection::new())
///     .build()?;
/// # Ok::<(), dunlin_server::BuildError>(())
/// ```
///
/// [`builder`](Self::builder) adds schemas that the server does not know, such as those of methods that were
/// added by hand, and lists other services. The schema of the [details](dunlin_grpc::details) of errors is
/// told by every server, so that tools can show them.
///
/// The schema is public then: who must not know it must not reach the server. One call costs no more than
/// what it is sent, as each import is looked at once, and holds one bit of information for each file.
#[derive(Debug)]
#[must_use = "a service does nothing until it is added to a server"]
pub struct Reflection {
    builder: ReflectionBuilder,
}

impl Default for Reflection {
    fn default() -> Self {
        Self::new()
    }
}

impl Reflection {
    /// All that the server has.
    pub fn new() -> Self {
        Self::of(ReflectionBuilder::default())
    }

    /// With more schemas, or other services.
    pub fn builder() -> ReflectionBuilder {
        ReflectionBuilder::default()
    }

    pub(super) fn of(builder: ReflectionBuilder) -> Self {
        Self { builder }
    }
}

impl Service for Reflection {
    fn name(&self) -> &'static str {
        NAME
    }

    fn register(self, methods: &mut Methods) {
        methods.describe(reflection::v1::FILE_DESCRIPTOR_SET);
        methods.describe(reflection::v1alpha::FILE_DESCRIPTOR_SET);
        let told = SharedTold::default();
        let ends = Arc::new(watch::Sender::new(0));
        for method in [V1, V1_ALPHA] {
            let (told, ends) = (Arc::clone(&told), Arc::clone(&ends));
            // The messages of both versions are the same on the wire.
            methods.bidi_streaming(method, move |cx, requests, responses| {
                let (told, ends) = (Arc::clone(&told), ends.subscribe());
                async move { (cx, answer_all(&told, requests, responses, ends).await) }
            });
        }
        methods.on_build(move |served| {
            // It is built once: this is the only one to tell.
            let _ = told.set(self.builder.told(served));
        });
        methods.on_shutdown(move |phase| {
            if phase == ShutdownPhase::Draining {
                ends.send_modify(|ends| *ends += 1);
            }
        });
    }
}

/// How long a caller may be silent once the server takes no calls any longer. Tools keep their stream for as
/// long as they run, which would keep the server from its end.
const SILENCE: Duration = Duration::from_secs(1);

async fn answer_all(
    told: &SharedTold,
    mut requests: Receiver<ServerReflectionRequest>,
    mut responses: Sender<ServerReflectionResponse>,
    mut ends: watch::Receiver<u64>,
) -> Result<(), Status> {
    let Some(told) = told.get() else { return Err(Status::internal("the server was not built")) };
    let mut sent = told.index.none_sent();
    let begun = *ends.borrow();
    loop {
        let is_over = async {
            // The sender lives as long as the method.
            let _ = ends.wait_for(|ends| *ends != begun).await;
            tokio::time::sleep(SILENCE).await;
        };
        let request = tokio::select! {
            biased;
            request = requests.next() => request?,
            () = is_over => return Err(Status::unavailable("the server is shutting down")),
        };
        let Some(request) = request else { return Ok(()) };
        let Some(wanted) = &request.message_request else {
            return Err(Status::invalid_argument("a request without any of `message_request`"));
        };
        let response = match told.answer(wanted, &mut sent) {
            Ok(response) => response,
            Err(status) => MessageResponse::ErrorResponse(ErrorResponse {
                error_code: status.code() as i32,
                error_message: status.message().to_owned(),
                ..Default::default()
            }),
        };
        let response = ServerReflectionResponse {
            valid_host: request.host.clone(),
            original_request: Some(request.into()),
            message_response: Some(response),
            ..Default::default()
        };
        responses.send(response).await?;
    }
}

impl Told {
    fn answer(&self, wanted: &MessageRequest, sent: &mut Sent) -> Result<MessageResponse, Status> {
        let missing = |what: &str, name: &str| Status::new(Code::NotFound, format!("{what} {}", shown(name)));
        let index = &self.index;
        let file = match wanted {
            MessageRequest::FileByFilename(path) => {
                index.by_path(path).ok_or_else(|| missing("no file", path))?
            }
            MessageRequest::FileContainingSymbol(name) => {
                index.by_symbol(name).ok_or_else(|| missing("no file declares", name))?
            }
            MessageRequest::FileContainingExtension(of) => {
                let (message, number) = (&of.containing_type, of.extension_number);
                let found = index.by_extension(message, number);
                found.ok_or_else(|| missing(&format!("no file declares extension {number} of"), message))?
            }
            MessageRequest::AllExtensionNumbersOfType(message) => {
                let numbers = index.extension_numbers(message);
                return Ok(MessageResponse::AllExtensionNumbersResponse(ExtensionNumberResponse {
                    base_type_name: message.clone(),
                    extension_number: numbers.ok_or_else(|| missing("no message", message))?,
                    ..Default::default()
                }));
            }
            MessageRequest::ListServices(_) => {
                let service = |name: &String| ServiceResponse { name: name.clone(), ..Default::default() };
                let service = self.services.iter().map(service).collect();
                let list = ListServiceResponse { service, ..Default::default() };
                return Ok(MessageResponse::ListServicesResponse(list));
            }
        };
        Ok(files(index.with_imports(file, sent)))
    }
}

fn files(file_descriptor_proto: Vec<Bytes>) -> MessageResponse {
    let files = FileDescriptorResponse { file_descriptor_proto, ..Default::default() };
    MessageResponse::FileDescriptorResponse(files)
}
