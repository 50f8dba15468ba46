//! Asking servers for their schema.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use dunlin_client::{CallReport, Client};
use dunlin_grpc::{Code, Receiver, Sender, Status};
use dunlin_proto::grpc::reflection::v1::server_reflection_request::MessageRequest;
use dunlin_proto::grpc::reflection::v1::server_reflection_response::MessageResponse;
use dunlin_proto::grpc::reflection::v1::{
    ExtensionRequest, ServerReflectionRequest, ServerReflectionResponse,
};
use dunlin_protobuf::descriptor::{DescriptorMessage, FileDescriptorProto};
use dunlin_protobuf::dynamic::DynamicPool;
use dunlin_protobuf::pool::PoolErrors;
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::collect::{Collected, Limits};
use super::method::{V1, V1_ALPHA};
use super::{NAME, NAME_ALPHA};

/// Why a server did not tell its schema.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The call failed before the server answered, or after it had.
    #[error("{0}")]
    Call(#[source] Status),
    /// The server has reflection in no version.
    #[error("the server does not tell its schema: {NAME}: {v1}; {NAME_ALPHA}: {v1_alpha}")]
    Unsupported {
        /// How the call of `v1` ended.
        v1: Box<Status>,
        /// How that of `v1alpha` did.
        v1_alpha: Box<Status>,
    },
    /// The server does not know what was asked for, or refuses to tell it.
    #[error("{question}: {status}")]
    Refused {
        /// What was asked for.
        question: String,
        /// What the server says.
        status: Status,
    },
    /// A response that does not belong to its request.
    #[error("{question}: the server sent another kind of response")]
    Mismatch {
        /// What was asked for.
        question: String,
    },
    /// Bytes that are no descriptor.
    #[error("the server sent a file descriptor that can not be read: {why}")]
    Malformed {
        /// What is wrong with it.
        why: String,
    },
    /// More than a limit of the client.
    #[error("the server {did}, which is the limit (`{setting}`)", did = too_much(setting, *limit))]
    TooMuch {
        /// The setting.
        setting: &'static str,
        /// What it is.
        limit: usize,
    },
    /// Files that make no schema.
    #[error("the schema of the server can not be used: {source}{}", missing_imports(missing))]
    Schema {
        /// Imports that the server does not have.
        missing: Vec<String>,
        /// What is wrong.
        source: PoolErrors,
    },
}

fn too_much(setting: &str, limit: usize) -> String {
    match setting {
        "max_files" => format!("sent more than {limit} files"),
        "max_bytes" => format!("sent more than {limit} bytes of descriptors"),
        _ => format!("had to be asked more than {limit} times"),
    }
}

fn missing_imports(missing: &[String]) -> String {
    const SHOWN: usize = 5;
    match missing.len() {
        0 => String::new(),
        1..=SHOWN => format!("; it does not have {}", missing.join(", ")),
        more => format!("; it does not have {} and {} more", missing[..SHOWN].join(", "), more - SHOWN),
    }
}

/// Asks a server what it serves, and for its schema. Cheap to clone.
///
/// ```no_run
/// use dunlin_client::Channel;
/// use dunlin_client::dynamic::DynamicClient;
/// use dunlin_services::ReflectionClient;
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let channel = Channel::builder("localhost:50051").connect_lazy()?;
/// let reflection = ReflectionClient::new(channel.clone());
/// println!("{:?}", reflection.list_services().await?);
/// let shop = DynamicClient::new(channel, reflection.pool_for_symbol("shop.v1.Shop").await?);
/// # Ok(())
/// # }
/// ```
///
/// It speaks `v1`, and `v1alpha` with servers that do not answer to that, for whatever reason but that they
/// can not be reached: proxies have answered unknown services with many codes. What was found is kept for
/// further requests, also of clones.
///
/// What one request may cost has limits, as servers may be hostile: see
/// [`max_files`](Self::max_files), [`max_bytes`](Self::max_bytes), [`max_requests`](Self::max_requests) and
/// [`timeout`](Self::timeout).
#[derive(Clone, Debug)]
pub struct ReflectionClient {
    client: Client,
    limits: Limits,
    timeout: Duration,
    host: String,
    /// `v1` was refused, and `v1alpha` not.
    is_alpha: Arc<AtomicBool>,
}

impl ReflectionClient {
    /// Asks the server of this channel.
    pub fn new(channel: impl Into<Client>) -> Self {
        Self {
            client: channel.into(),
            limits: Limits { max_files: 10_000, max_bytes: 64 << 20, max_requests: 10_000 },
            timeout: Duration::from_secs(30),
            host: String::new(),
            is_alpha: Arc::default(),
        }
    }

    /// Files that may be sent in answer to one question. 10,000.
    #[must_use]
    pub fn max_files(mut self, files: usize) -> Self {
        self.limits.max_files = files;
        self
    }

    /// Bytes of descriptors that may be sent in answer to one question, and of the full names of their types.
    /// 64 MiB.
    #[must_use]
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.limits.max_bytes = bytes;
        self
    }

    /// Messages to the server until a schema is complete. 10,000.
    #[must_use]
    pub fn max_requests(mut self, requests: usize) -> Self {
        self.limits.max_requests = requests;
        self
    }

    /// The time for the answer to one question, with all that it needs. 30 s.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// The host that requests name, for servers that have several. Empty.
    #[must_use]
    pub fn host(self, host: impl Into<String>) -> Self {
        Self { host: host.into(), ..self }
    }

    /// The names of the services, as the server sorts them.
    ///
    /// # Errors
    /// See [`FetchError`].
    pub async fn list_services(&self) -> Result<Vec<String>, FetchError> {
        let question = MessageRequest::ListServices("*".to_owned());
        match self.session().ask(question).await? {
            (_, MessageResponse::ListServicesResponse(list)) => {
                Ok(list.service.into_iter().map(|service| service.name).collect())
            }
            (question, _) => Err(FetchError::Mismatch { question }),
        }
    }

    /// The file of this path, and the imports that the server sends with it.
    ///
    /// # Errors
    /// See [`FetchError`].
    pub async fn file_by_name(&self, path: &str) -> Result<Vec<FileDescriptorProto>, FetchError> {
        self.files(MessageRequest::FileByFilename(path.to_owned())).await
    }

    /// The file that declares this name, and the imports that the server sends with it.
    ///
    /// # Errors
    /// See [`FetchError`].
    pub async fn file_containing_symbol(&self, name: &str) -> Result<Vec<FileDescriptorProto>, FetchError> {
        self.files(MessageRequest::FileContainingSymbol(name.to_owned())).await
    }

    /// The file that declares the extension of a message, and the imports that the server sends with it.
    ///
    /// # Errors
    /// See [`FetchError`].
    pub async fn file_containing_extension(
        &self,
        message: &str,
        number: i32,
    ) -> Result<Vec<FileDescriptorProto>, FetchError> {
        let extension = ExtensionRequest {
            containing_type: message.to_owned(),
            extension_number: number,
            ..Default::default()
        };
        self.files(MessageRequest::FileContainingExtension(extension)).await
    }

    /// The numbers of all extensions of a message that the server knows.
    ///
    /// # Errors
    /// See [`FetchError`].
    pub async fn extension_numbers(&self, message: &str) -> Result<Vec<i32>, FetchError> {
        let question = MessageRequest::AllExtensionNumbersOfType(message.to_owned());
        match self.session().ask(question).await? {
            (_, MessageResponse::AllExtensionNumbersResponse(found)) => Ok(found.extension_number),
            (question, _) => Err(FetchError::Mismatch { question }),
        }
    }

    /// A schema with all that a service, message or other name needs.
    ///
    /// # Errors
    /// See [`FetchError`].
    pub async fn pool_for_symbol(&self, name: &str) -> Result<Arc<DynamicPool>, FetchError> {
        self.pool_for_symbols([name]).await
    }

    /// A schema with all that these names need.
    ///
    /// Imports that the server does not send with the files are asked for. Those that it does not have at all
    /// are left out: often only options would need them. The well-known types are there in any case. A file that
    /// uses types of another one without an import gets it, as some servers lose imports.
    ///
    /// # Errors
    /// See [`FetchError`].
    pub async fn pool_for_symbols(
        &self,
        names: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Arc<DynamicPool>, FetchError> {
        self.pool_of(&mut self.session(), names.into_iter().map(Into::into).collect()).await
    }

    /// The whole schema: all that the services need which the server lists.
    ///
    /// # Errors
    /// See [`FetchError`].
    pub async fn pool(&self) -> Result<Arc<DynamicPool>, FetchError> {
        let mut session = self.session();
        let services = match session.ask(MessageRequest::ListServices("*".to_owned())).await? {
            (_, MessageResponse::ListServicesResponse(list)) => list.service,
            (question, _) => return Err(FetchError::Mismatch { question }),
        };
        self.pool_of(&mut session, services.into_iter().map(|service| service.name).collect()).await
    }

    async fn pool_of(
        &self,
        session: &mut Session<'_>,
        names: Vec<String>,
    ) -> Result<Arc<DynamicPool>, FetchError> {
        let mut collected = Collected::new(self.limits);
        for name in names {
            let files = session.ask_for_files(MessageRequest::FileContainingSymbol(name)).await?;
            collected.add(files)?;
        }
        while let Some(path) = collected.next_wanted() {
            match session.ask_for_files(MessageRequest::FileByFilename(path.clone())).await {
                Ok(files) => collected.add(files)?,
                Err(FetchError::Refused { .. }) => {}
                Err(error) => return Err(error),
            }
            // Whatever was sent under another name.
            if !collected.has(&path) {
                collected.set_missing(path);
            }
        }
        collected.pool()
    }

    async fn files(&self, question: MessageRequest) -> Result<Vec<FileDescriptorProto>, FetchError> {
        let files = self.session().ask_for_files(question).await?;
        if files.len() > self.limits.max_files {
            return Err(FetchError::TooMuch { setting: "max_files", limit: self.limits.max_files });
        }
        let decoded = files.iter().map(|bytes| FileDescriptorProto::decode(bytes));
        decoded.collect::<Result<_, _>>().map_err(|error| FetchError::Malformed { why: error.to_string() })
    }

    fn session(&self) -> Session<'_> {
        let deadline = Instant::now().checked_add(self.timeout);
        Session { client: self, stream: None, deadline, requests: 0 }
    }
}

/// Questions over one stream.
struct Session<'c> {
    client: &'c ReflectionClient,
    stream: Option<Stream>,
    deadline: Option<Instant>,
    requests: usize,
}

struct Stream {
    sender: Sender<ServerReflectionRequest>,
    receiver: Receiver<ServerReflectionResponse>,
}

/// Servers shall see a call that has come to its end, not one that was cancelled.
impl Drop for Session<'_> {
    fn drop(&mut self) {
        let Some(Stream { sender, mut receiver }) = self.stream.take() else { return };
        let Ok(runtime) = Handle::try_current() else { return };
        sender.finish();
        runtime.spawn(async move { drop(receiver.next().await) });
    }
}

impl fmt::Debug for Session<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("requests", &self.requests).finish_non_exhaustive()
    }
}

/// The question, for errors.
fn shown(question: &MessageRequest) -> String {
    match question {
        MessageRequest::FileByFilename(path) => format!("file {path}"),
        MessageRequest::FileContainingSymbol(name) => format!("file that declares {name}"),
        MessageRequest::FileContainingExtension(of) => {
            format!("file that declares extension {} of {}", of.extension_number, of.containing_type)
        }
        MessageRequest::AllExtensionNumbersOfType(name) => format!("extensions of {name}"),
        MessageRequest::ListServices(_) => "list of services".to_owned(),
    }
}

impl Session<'_> {
    async fn ask_for_files(&mut self, question: MessageRequest) -> Result<Vec<Bytes>, FetchError> {
        match self.ask(question).await? {
            (question, MessageResponse::FileDescriptorResponse(files)) => {
                let files = files.file_descriptor_proto;
                if files.is_empty() { Err(FetchError::Mismatch { question }) } else { Ok(files) }
            }
            (question, _) => Err(FetchError::Mismatch { question }),
        }
    }

    /// The question as a text, and its answer.
    async fn ask(&mut self, question: MessageRequest) -> Result<(String, MessageResponse), FetchError> {
        self.requests += 1;
        let limit = self.client.limits.max_requests;
        if self.requests > limit {
            return Err(FetchError::TooMuch { setting: "max_requests", limit });
        }
        let text = shown(&question);
        let request = ServerReflectionRequest {
            host: self.client.host.clone(),
            message_request: Some(question),
            ..Default::default()
        };
        let response = match &mut self.stream {
            Some(stream) => match stream.exchange(request).await {
                Ok(response) => response,
                Err(status) => return Err(self.failed(status)),
            },
            None => self.begin(request).await?,
        };
        match response.message_response {
            Some(MessageResponse::ErrorResponse(error)) => {
                let number = u32::try_from(error.error_code).ok();
                let code = number.and_then(Code::from_number).unwrap_or(Code::Unknown);
                let status = Status::new(code, error.error_message);
                Err(FetchError::Refused { question: text, status })
            }
            Some(response) => Ok((text, response)),
            None => Err(FetchError::Mismatch { question: text }),
        }
    }

    /// The first question tells which version the server has.
    async fn begin(
        &mut self,
        request: ServerReflectionRequest,
    ) -> Result<ServerReflectionResponse, FetchError> {
        let is_alpha = &self.client.is_alpha;
        if is_alpha.load(Ordering::Relaxed) {
            return match self.first(V1_ALPHA, request).await {
                Ok(response) => Ok(response),
                Err(status) => Err(self.failed(status)),
            };
        }
        let v1 = match self.first(V1, request.clone()).await {
            Ok(response) => return Ok(response),
            Err(status) if !was_answered(&status) => return Err(FetchError::Call(status)),
            Err(status) => status,
        };
        match self.first(V1_ALPHA, request).await {
            Ok(response) => {
                is_alpha.store(true, Ordering::Relaxed);
                Ok(response)
            }
            Err(status) if !was_answered(&status) => Err(FetchError::Call(status)),
            // It has the newer one, which did not answer.
            Err(v1_alpha) if v1_alpha.code() == Code::Unimplemented && v1.code() != Code::Unimplemented => {
                Err(self.failed(v1))
            }
            Err(v1_alpha) => Err(FetchError::Unsupported { v1: Box::new(v1), v1_alpha: Box::new(v1_alpha) }),
        }
    }

    /// A response that is larger than all that may be sent is found by the call, by another name.
    fn failed(&self, status: Status) -> FetchError {
        let is_too_large = status.code() == Code::ResourceExhausted
            && status.message().contains("`max_receive_message_size`");
        match is_too_large {
            true => FetchError::TooMuch { setting: "max_bytes", limit: self.client.limits.max_bytes },
            false => FetchError::Call(status),
        }
    }

    async fn first(
        &mut self,
        method: dunlin_grpc::Method,
        request: ServerReflectionRequest,
    ) -> Result<ServerReflectionResponse, Status> {
        let call = self.client.client.bidi_streaming(method);
        // Beyond the descriptors, a response has the request and little else.
        let mut call = call.max_response_size(self.client.limits.max_bytes.saturating_add(64 << 10));
        if let Some(deadline) = self.deadline {
            call = call.deadline(deadline.into_std());
        }
        let (sender, receiver) = call.await?;
        let mut stream = Stream { sender, receiver };
        let response = stream.exchange(request).await?;
        self.stream = Some(stream);
        Ok(response)
    }
}

impl Stream {
    async fn exchange(
        &mut self,
        request: ServerReflectionRequest,
    ) -> Result<ServerReflectionResponse, Status> {
        // If the call is over, the receiver knows better why.
        let _ = self.sender.send(request).await;
        match self.receiver.next().await? {
            Some(response) => Ok(response),
            None => Err(Status::unavailable("the server ended the call without an answer")),
        }
    }
}

/// Whether it was the server, or something before it, that ended the call: other failures are the client's
/// own, and say where its time went.
fn was_answered(status: &Status) -> bool {
    !status.source().is_some_and(|source| source.is::<CallReport>())
}
