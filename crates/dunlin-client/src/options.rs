//! What can be said of a call.

use std::time::{Duration, Instant};

use dunlin_grpc::intercept::{Interceptor, InterceptorRef};
use dunlin_grpc::{Encoding, InvalidMetadata, Metadata};

use crate::credentials::Credentials;

/// Options of a call, or of all calls of a client.
///
/// Every call has methods of the same names; what is said of the call counts before what is said of the
/// client.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct CallOptions {
    pub(crate) timeout: Option<Duration>,
    pub(crate) deadline: Option<Instant>,
    pub(crate) metadata: Metadata,
    pub(crate) invalid: Option<InvalidMetadata>,
    pub(crate) waits_for_ready: Option<bool>,
    pub(crate) encoding: Option<Encoding>,
    pub(crate) max_response: Option<usize>,
    pub(crate) max_request: Option<usize>,
    pub(crate) credentials: Credentials,
    pub(crate) is_detached: bool,
    pub(crate) compresses: Option<bool>,
    pub(crate) interceptors: Vec<InterceptorRef>,
}

impl CallOptions {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// How long a call may take, from when it is first polled. DEADLINE_EXCEEDED after that. No limit.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// When a call has to be over.
    pub fn deadline(mut self, deadline: Instant) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Metadata of text, behind what is there. What can not be metadata makes the call fail with INTERNAL.
    pub fn metadata(mut self, name: &str, value: impl AsRef<str>) -> Self {
        if let Err(error) = self.metadata.append(name, value) {
            self.invalid.get_or_insert(error);
        }
        self
    }

    /// Metadata of bytes, for a name that ends in `-bin`.
    pub fn metadata_bin(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        if let Err(error) = self.metadata.append_bin(name, value) {
            self.invalid.get_or_insert(error);
        }
        self
    }

    /// All of this metadata, such as that of a call that is passed on; the channel has its own `user-agent`.
    pub fn extend_metadata(mut self, metadata: &Metadata) -> Self {
        self.metadata.extend(metadata);
        self.metadata.remove("user-agent");
        self
    }

    /// Whether a call waits for a connection when connecting has failed, instead of failing too. It still
    /// ends at its deadline. No.
    pub fn wait_for_ready(mut self, wait: bool) -> Self {
        self.waits_for_ready = Some(wait);
        self
    }

    /// What requests are compressed with; the server has to understand it. Nothing.
    pub fn encoding(mut self, encoding: Encoding) -> Self {
        self.encoding = Some(encoding);
        self
    }

    /// Whether the one request of a call is compressed, if the call has a coding. Yes.
    pub fn compress(mut self, compress: bool) -> Self {
        self.compresses = Some(compress);
        self
    }

    /// Bytes of a response message, when decompressed. 4 MiB.
    pub fn max_response_size(mut self, bytes: usize) -> Self {
        self.max_response = Some(bytes);
        self
    }

    /// Bytes of a request message. No limit but that of the format.
    pub fn max_request_size(mut self, bytes: usize) -> Self {
        self.max_request = Some(bytes);
        self
    }

    /// Credentials, besides those of the channel.
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials.extend(&credentials);
        self
    }

    /// An [`Interceptor`], within those of the channel and those that were added before.
    pub fn interceptor(mut self, interceptor: impl Interceptor) -> Self {
        self.interceptors.push(InterceptorRef::new(interceptor));
        self
    }

    /// Does not take over the deadline of the call that is being handled.
    pub fn detached(mut self) -> Self {
        self.is_detached = true;
        self
    }

    /// These, where the others say nothing.
    pub(crate) fn after(mut self, first: &Self) -> Self {
        // Both bounds hold; the timeout of the call replaces that of the client.
        self.timeout = self.timeout.or(first.timeout);
        self.deadline = self.deadline.or(first.deadline);
        if !first.metadata.is_empty() {
            let mut metadata = first.metadata.clone();
            metadata.extend(&self.metadata);
            self.metadata = metadata;
        }
        self.invalid = self.invalid.or_else(|| first.invalid.clone());
        self.waits_for_ready = self.waits_for_ready.or(first.waits_for_ready);
        self.encoding = self.encoding.or(first.encoding);
        self.max_response = self.max_response.or(first.max_response);
        self.max_request = self.max_request.or(first.max_request);
        if !first.credentials.is_empty() {
            let mut credentials = first.credentials.clone();
            credentials.extend(&self.credentials);
            self.credentials = credentials;
        }
        if !first.interceptors.is_empty() {
            self.interceptors.splice(0..0, first.interceptors.iter().cloned());
        }
        self.is_detached |= first.is_detached;
        self.compresses = self.compresses.or(first.compresses);
        self
    }
}
