//! A call, as interceptors see it.

use std::any::{Any, TypeId};
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Instant;

use super::Side;
use crate::{InvalidMetadata, Metadata, Method, Status};

/// Messages and their bytes, so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages to the peer.
    pub sent: u64,
    /// Their bytes on the wire, compressed if they were, without the prefixes.
    pub sent_bytes: u64,
    /// Messages from the peer.
    pub received: u64,
    /// Their bytes on the wire, compressed if they were, without the prefixes.
    pub received_bytes: u64,
}

/// A call, on the side of its server or its client.
pub trait CallView: Send + Sync + 'static {
    /// Who looks.
    fn side(&self) -> Side;

    /// What is called.
    fn method(&self) -> &Method;

    /// Whether the server has such a method; `true` on clients. What is not known came from the peer, so it
    /// should not become a label.
    fn is_registered(&self) -> bool {
        true
    }

    /// The name that the server is called by: `:authority`.
    fn authority(&self) -> &str;

    /// The target of the client's channel; empty on servers.
    fn target(&self) -> &str {
        ""
    }

    /// The address of the peer; `None` on clients before there is a connection.
    fn peer(&self) -> Option<String>;

    /// What is known of the connection: a `ConnectionInfo` of `dunlin-transport`.
    fn connection(&self) -> Option<Arc<dyn Any + Send + Sync>>;

    /// When the call began here.
    fn began(&self) -> Instant;

    /// When it has to be over.
    fn deadline(&self) -> Option<Instant>;

    /// Gives the call no more time than until then. On a client it has no effect once the call is on its
    /// way.
    fn limit_deadline(&self, deadline: Instant);

    /// The metadata that the peer has sent before its messages: on servers that of the request; on clients
    /// that of the response, empty until the call is over.
    fn incoming(&self) -> &Metadata;

    /// Changes the metadata that is sent before the messages: on clients that of the request, on servers
    /// that of the response.
    ///
    /// # Errors
    /// INTERNAL if it is on its way already.
    fn change_outgoing(&self, change: &mut dyn FnMut(&mut Metadata)) -> Result<(), Status>;

    /// Messages so far.
    fn counts(&self) -> Counts;

    /// Keeps a value of this type.
    fn insert_any(&self, of: TypeId, value: Arc<dyn Any + Send + Sync>);

    /// The value of a type.
    fn any(&self, of: TypeId) -> Option<Arc<dyn Any + Send + Sync>>;
}

impl dyn CallView {
    /// Keeps a value for all who see this call, one of each type: methods find it by
    /// `ServerContext::extension`.
    pub fn insert_extension<T: Any + Send + Sync>(&self, value: T) {
        self.insert_any(TypeId::of::<T>(), Arc::new(value));
    }

    /// A value that was kept.
    pub fn extension<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        self.any(TypeId::of::<T>())?.downcast().ok()
    }

    /// Metadata that is sent before the messages, in place of what the name has.
    ///
    /// # Errors
    /// INTERNAL if the name or value can not be metadata, or the headers are on their way.
    pub fn insert_header(&self, name: &str, value: impl AsRef<str>) -> Result<(), Status> {
        self.change(|headers| headers.insert(name, value.as_ref()))
    }

    /// The same, behind what the name has.
    ///
    /// # Errors
    /// As of `insert_header`.
    pub fn append_header(&self, name: &str, value: impl AsRef<str>) -> Result<(), Status> {
        self.change(|headers| headers.append(name, value.as_ref()))
    }

    /// Bytes for a name that ends in `-bin`, in place of what it has.
    ///
    /// # Errors
    /// As of `insert_header`.
    pub fn insert_header_bin(&self, name: &str, value: impl AsRef<[u8]>) -> Result<(), Status> {
        self.change(|headers| headers.insert_bin(name, value.as_ref()))
    }

    fn change(
        &self,
        mut change: impl FnMut(&mut Metadata) -> Result<(), InvalidMetadata>,
    ) -> Result<(), Status> {
        let mut result = Ok(());
        self.change_outgoing(&mut |headers| result = change(headers))?;
        result.map_err(|error| Status::internal(error.to_string()).with_source(error))
    }
}

impl fmt::Debug for dyn CallView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallView")
            .field("side", &self.side())
            .field("method", self.method())
            .finish_non_exhaustive()
    }
}

/// A call, for the interceptors around it. What can be asked of it is in [`CallView`].
#[derive(Debug)]
pub struct CallContext {
    call: Arc<dyn CallView>,
    trailers: Metadata,
}

impl CallContext {
    /// Of a call.
    pub fn new(call: Arc<dyn CallView>) -> Self {
        Self { call, trailers: Metadata::new() }
    }

    /// The call, to be kept.
    pub fn view(&self) -> &Arc<dyn CallView> {
        &self.call
    }

    /// The metadata behind the messages: on clients what the server has sent, once the call has run; on
    /// servers what was added, by the method too once it has run.
    pub fn trailers(&self) -> &Metadata {
        &self.trailers
    }

    /// The same, to be changed: on servers it is sent, on clients it is what the caller sees.
    pub fn trailers_mut(&mut self) -> &mut Metadata {
        &mut self.trailers
    }

    /// The trailers, for who sends them or hands them on.
    pub fn into_trailers(self) -> Metadata {
        self.trailers
    }
}

impl Deref for CallContext {
    type Target = dyn CallView;

    fn deref(&self) -> &(dyn CallView + 'static) {
        &*self.call
    }
}
