//! What a method is told, and tells, besides messages.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use dunlin_grpc::{Encoding, InvalidMetadata, MessageInfo, Metadata, Method, ResultExt, Status};
use tokio::task::{JoinError, JoinHandle};

use crate::call::{CallHandle, Cancelled, Peer, ServerCall};
use crate::connection::Operation;

/// A call, for the method that handles it.
///
/// It is lent to the method. What outlives it is owned: [`call`](Self::call),
/// [`cancelled`](Self::cancelled).
pub struct ServerContext {
    pub(crate) call: Arc<ServerCall>,
    pub(crate) trailers: Metadata,
    pub(crate) is_plain: bool,
    pub(crate) request: MessageInfo,
}

impl fmt::Debug for ServerContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerContext").field("call", &self.call).finish_non_exhaustive()
    }
}

impl ServerContext {
    pub(crate) fn new(call: Arc<ServerCall>, request: MessageInfo) -> Self {
        Self { call, trailers: Metadata::new(), is_plain: false, request }
    }

    /// What is called.
    pub fn method(&self) -> &Method {
        self.call.method()
    }

    /// Who calls.
    pub fn peer(&self) -> &Peer {
        &self.call.peer
    }

    /// The metadata of the request. To read it while the response's is written, keep the [call](Self::call):
    ///
    /// ```
    /// # fn echo(cx: &mut dunlin_server::ServerContext) -> Result<(), dunlin_grpc::Status> {
    /// let call = cx.call();
    /// for value in call.metadata().get_all("x-tag") {
    ///     cx.append_header("x-tag", value)?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn metadata(&self) -> &Metadata {
        self.call.metadata()
    }

    /// When the call has to be over; `None` if the client gives it all the time.
    pub fn deadline(&self) -> Option<Instant> {
        self.call.deadline()
    }

    /// The time that is left until the deadline.
    pub fn remaining(&self) -> Option<Duration> {
        let now = tokio::time::Instant::now().into_std();
        self.deadline().map(|deadline| deadline.saturating_duration_since(now))
    }

    /// A part of the time that is left, from 0 to 1, for the timeout of a nested call: what remains is for
    /// the answer. `None` without a deadline.
    pub fn budget(&self, part: f64) -> Option<Duration> {
        self.remaining().map(|remaining| remaining.mul_f64(part.clamp(0.0, 1.0)))
    }

    /// The call, to be kept.
    pub fn call(&self) -> CallHandle {
        CallHandle(Arc::clone(&self.call))
    }

    /// A value that an interceptor has kept for the method, such as who calls.
    pub fn extension<T: std::any::Any + Send + Sync>(&self) -> Option<Arc<T>> {
        self.call().extension()
    }

    /// Waits until the client has gone or the time is up. Needed only where something else than the
    /// method is to end then: the method itself is dropped at its next `await`.
    pub fn cancelled(&self) -> Cancelled {
        self.call().cancelled()
    }

    /// Metadata of the response, sent before its first message.
    ///
    /// # Errors
    /// INTERNAL if the name or value can not be metadata, or the first message is sent already.
    pub fn insert_header(&mut self, name: &str, value: impl AsRef<str>) -> Result<(), Status> {
        self.header(|headers| headers.insert(name, value))
    }

    /// The same, behind what the name has.
    ///
    /// # Errors
    /// As [`insert_header`](Self::insert_header).
    pub fn append_header(&mut self, name: &str, value: impl AsRef<str>) -> Result<(), Status> {
        self.header(|headers| headers.append(name, value))
    }

    /// Bytes of a name that ends in `-bin`.
    ///
    /// # Errors
    /// As [`insert_header`](Self::insert_header).
    pub fn insert_header_bin(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), Status> {
        self.header(|headers| headers.insert_bin(name, value))
    }

    /// The same, behind what the name has.
    ///
    /// # Errors
    /// As [`insert_header`](Self::insert_header).
    pub fn append_header_bin(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), Status> {
        self.header(|headers| headers.append_bin(name, value))
    }

    /// Metadata that is sent behind the messages, with the status.
    ///
    /// # Errors
    /// INTERNAL if the name or value can not be metadata.
    pub fn insert_trailer(&mut self, name: &str, value: impl AsRef<str>) -> Result<(), Status> {
        self.trailers.insert(name, value).status(dunlin_grpc::Code::Internal)
    }

    /// Bytes of a name that ends in `-bin`, behind the messages.
    ///
    /// # Errors
    /// INTERNAL if the name can not have bytes.
    pub fn insert_trailer_bin(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), Status> {
        self.trailers.insert_bin(name, value).status(dunlin_grpc::Code::Internal)
    }

    /// All of this metadata, behind what is there.
    ///
    /// # Errors
    /// INTERNAL if the first message is sent already.
    pub fn extend_headers(&mut self, metadata: &Metadata) -> Result<(), Status> {
        self.call.with_headers(|headers| headers.extend(metadata))
    }

    fn header(
        &mut self,
        change: impl FnOnce(&mut Metadata) -> Result<(), InvalidMetadata>,
    ) -> Result<(), Status> {
        self.call.with_headers(change)?.status(dunlin_grpc::Code::Internal)
    }

    /// Sends the headers now, before there is a message.
    pub fn send_headers(&mut self) {
        // If the connection is closed, nobody would see them.
        let _ = self.call.link.submit(Operation::Headers(Arc::clone(&self.call)));
    }

    /// All metadata that is sent behind the messages.
    pub fn trailers_mut(&mut self) -> &mut Metadata {
        &mut self.trailers
    }

    /// What is known of the one request, such as whether it was compressed. Of streams,
    /// [`Receiver::info`](dunlin_grpc::Receiver::info) tells it of each message.
    pub fn request_info(&self) -> MessageInfo {
        self.request
    }

    /// Compresses the messages of the response, if the client takes this coding. To be called before the
    /// first of them; each may still go as it is, by [`compress`](Self::compress) or its
    /// [options](dunlin_grpc::MessageOptions). A client that does not take the coding gets them as they are.
    ///
    /// # Errors
    /// INTERNAL if the first message is sent already.
    pub fn set_encoding(&mut self, encoding: Encoding) -> Result<(), Status> {
        self.call.set_encoding(encoding)
    }

    /// Whether the one response is compressed, if the response has a coding.
    pub fn compress(&mut self, compress: bool) {
        self.is_plain = !compress;
    }

    /// Runs work beside the method that ends with the call: it is dropped when the call is cancelled. It
    /// has the call's deadline. Dropping the handle leaves it running.
    pub fn spawn<F>(&self, future: F) -> SpawnHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let cancelled = self.cancelled();
        let work = self.call().scope(future);
        SpawnHandle(tokio::spawn(async move {
            tokio::select! {
                biased;
                status = cancelled => Err(status),
                output = work => Ok(output),
            }
        }))
    }

    /// Runs work that has to finish once it has begun: if the call is cancelled the method stops to wait
    /// for it, but the work goes on.
    ///
    /// # Errors
    /// INTERNAL if the work panicked.
    pub fn shield<F>(&self, future: F) -> impl Future<Output = Result<F::Output, Status>> + Send + 'static
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let handle = tokio::spawn(self.call().scope(future));
        async move { handle.await.map_err(|error| join_failed(&error)) }
    }
}

fn join_failed(error: &JoinError) -> Status {
    Status::internal(if error.is_panic() { "the work panicked" } else { "the runtime has shut down" })
}

/// Work that [`ServerContext::spawn`] began.
#[derive(Debug)]
pub struct SpawnHandle<T>(JoinHandle<Result<T, Status>>);

impl<T> SpawnHandle<T> {
    /// Ends it at its next `await`.
    pub fn abort(&self) {
        self.0.abort();
    }
}

impl<T> Future for SpawnHandle<T> {
    /// The work's output, or why it was dropped.
    type Output = Result<T, Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(|joined| match joined {
            Ok(result) => result,
            Err(error) => Err(join_failed(&error)),
        })
    }
}
