//! Calls from plain threads, for programs without an async runtime of their own.
//!
//! Clients are the same, generated ones too; [`Blocking::wait`] takes the place of `.await`. Streams are
//! iterators, and what sends waits while the peer reads slowly, as it does in async code.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use dunlin_client::blocking::Blocking;
//! use dunlin_client::{Channel, Client};
//! use dunlin_grpc::{CallKind, Method, Status};
//! use dunlin_protobuf::wkt::StringValue;
//!
//! const GREET: Method = Method::new("hello.Greeter", "Greet", "/hello.Greeter/Greet", CallKind::Unary);
//! const LIST: Method = Method::new("hello.Greeter", "List", "/hello.Greeter/List", CallKind::ServerStreaming);
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let client = Client::new(Channel::builder("localhost:50051").connect_lazy()?);
//!     let name = StringValue { value: "you".into(), ..Default::default() };
//!     let call = client.unary::<_, StringValue>(GREET, name.clone());
//!     let reply = call.timeout(Duration::from_secs(1)).wait()?;
//!     for guest in client.server_streaming::<_, StringValue>(LIST, name).wait()? {
//!         println!("{}", guest?.value);
//!     }
//!     Ok(())
//! }
//! ```
//!
//! Connections live on one thread, `dunlin-blocking`, which is started by the first call and serves the
//! whole process until its end. Messages are encoded and decoded by the threads that call. Any number of
//! threads may do so at a time; clients are cheap to clone.
//!
//! Within an async runtime a thread must not wait, so everything here fails with FAILED_PRECONDITION there,
//! also on the threads of `spawn_blocking`, where `Handle::current().block_on(call)` does it. Only the
//! runtimes of tokio are recognised.
//!
//! A channel belongs to the runtime that it is first used on: one that was used in async code does not
//! outlive its runtime.

use std::fmt;
use std::future::{Future, poll_fn};
use std::iter::FusedIterator;
use std::sync::OnceLock;
use std::sync::mpsc;

use dunlin_grpc::{MessageInfo, MessageOptions, Metadata, Receiver, Sender, Status};
use tokio::runtime::{Builder, Handle};

use crate::calls::{
    BidiStreamingCall, ClientStreamingCall, Response, ResponseCall, ServerStreamingCall, UnaryCall, Upload,
};

/// The runtime of all that blocks, or why there is none.
static RUNTIME: OnceLock<Result<Handle, Status>> = OnceLock::new();

fn runtime() -> Result<&'static Handle, Status> {
    RUNTIME.get_or_init(start).as_ref().map_err(Clone::clone)
}

/// Starts the thread.
fn start() -> Result<Handle, Status> {
    let failed = |error: std::io::Error| {
        Status::unavailable(format!("cannot start the runtime of blocking calls: {error}")).with_source(error)
    };
    let (handle, started) = mpsc::sync_channel(1);
    let run = move || match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            let _ = handle.send(Ok(runtime.handle().clone()));
            runtime.block_on(std::future::pending::<()>());
        }
        Err(error) => {
            let _ = handle.send(Err(error));
        }
    };
    std::thread::Builder::new().name("dunlin-blocking".to_owned()).spawn(run).map_err(failed)?;
    match started.recv() {
        Ok(started) => started.map_err(failed),
        Err(_) => Err(Status::internal("the thread of blocking calls has ended")),
    }
}

/// Waits for a future, such as [`Channel::connect`](crate::Channel::connect), with the runtime of blocking
/// calls at hand. Calls have [`Blocking::wait`] for that.
///
/// ```
/// use dunlin_client::{Channel, blocking};
///
/// // Port 1 is nobody's.
/// let channel = Channel::builder("127.0.0.1:1").connect_lazy()?;
/// let status = blocking::block_on(channel.connect()).unwrap_err();
/// assert_eq!(status.code(), dunlin_grpc::Code::Unavailable);
/// # Ok::<(), dunlin_client::ChannelError>(())
/// ```
///
/// # Errors
/// Those of the future. FAILED_PRECONDITION within an async runtime; UNAVAILABLE if the system gives no
/// thread.
pub fn block_on<T, E: From<Status>>(future: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    if Handle::try_current().is_ok() {
        let message = "a blocking call within an async runtime: await it there, or make it on another thread";
        return Err(Status::failed_precondition(message).into());
    }
    runtime()?.block_on(future)
}

/// Calls that a thread can wait for.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no call to wait for",
    note = "other futures, such as `Channel::connect`, are waited for by `dunlin::blocking::block_on`"
)]
pub trait Blocking: sealed::Sealed + Sized {
    /// What the call gives: a message, or what streams are read and written with.
    type Output;

    /// Makes the call, and blocks the thread until it gives something: the response of one that has one,
    /// the halves of a stream once it is on its way.
    ///
    /// # Errors
    /// The status of the call. FAILED_PRECONDITION within an async runtime; UNAVAILABLE if the system gives
    /// no thread to connections.
    fn wait(self) -> Result<Self::Output, Status>;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! waits {
    ($($call:ident => $output:ty, $of:expr;)*) => { $(
        impl<Q: Send + 'static, R: Send + 'static> sealed::Sealed for $call<Q, R> {}

        impl<Q: Send + 'static, R: Send + 'static> Blocking for $call<Q, R> {
            type Output = $output;

            fn wait(self) -> Result<$output, Status> {
                block_on(self).map($of)
            }
        }
    )* };
}

waits! {
    UnaryCall => R, |message| message;
    ResponseCall => Response<R>, |response| response;
    ServerStreamingCall => Messages<R>, Messages::new;
    ClientStreamingCall => BlockingUpload<Q, R>, |upload| BlockingUpload { upload };
    BidiStreamingCall => (BlockingSender<Q>, Messages<R>), |(sender, receiver)| {
        (BlockingSender { sender }, Messages::new(receiver))
    };
}

/// The responses of a call, one after the other. It ends behind an error; a stream that was cut off never
/// ends without one.
///
/// Dropping it discards what was not read, and cancels the call unless there is a [`BlockingSender`].
#[must_use = "messages wait until they are read"]
pub struct Messages<M: 'static> {
    receiver: Receiver<M>,
    is_over: bool,
}

impl<M: 'static> fmt::Debug for Messages<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Messages").field("message", &std::any::type_name::<M>()).finish_non_exhaustive()
    }
}

impl<M: Send + 'static> Messages<M> {
    fn new(receiver: Receiver<M>) -> Self {
        Self { receiver, is_over: false }
    }

    /// The metadata that the server sent before its messages; blocks until it is there.
    ///
    /// # Errors
    /// FAILED_PRECONDITION within an async runtime.
    pub fn headers(&mut self) -> Result<&Metadata, Status> {
        block_on(async { Ok(self.receiver.headers().await) })
    }

    /// The metadata behind the messages; empty before the end.
    pub fn trailers(&self) -> &Metadata {
        self.receiver.trailers()
    }

    /// What is known of the last message, such as whether it was compressed.
    pub fn info(&self) -> MessageInfo {
        self.receiver.info()
    }

    /// The receiver, for async code.
    pub fn into_inner(self) -> Receiver<M> {
        self.receiver
    }
}

impl<M: Send + 'static> Iterator for Messages<M> {
    type Item = Result<M, Status>;

    /// Blocks until there is a message, or the call is over.
    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let next = block_on(poll_fn(|cx| self.receiver.poll_next(cx))).transpose();
        self.is_over = !matches!(next, Some(Ok(_)));
        next
    }
}

impl<M: Send + 'static> FusedIterator for Messages<M> {}

/// Sends the requests of a call that streams both ways. Dropping it before [`finish`](Self::finish) cancels
/// the call.
///
/// It may be used on another thread than the [`Messages`] of its call.
#[must_use = "dropping a sender cancels the call"]
pub struct BlockingSender<M: 'static> {
    sender: Sender<M>,
}

impl<M: 'static> fmt::Debug for BlockingSender<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sender.fmt(f)
    }
}

impl<M: Send + 'static> BlockingSender<M> {
    /// Queues a message, as soon as less than 64 KiB are queued; blocks until then.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED for a message that is too large, and the call goes on. If the call is over, its
    /// status. FAILED_PRECONDITION within an async runtime.
    pub fn send(&mut self, message: M) -> Result<(), Status> {
        block_on(self.sender.send(message))
    }

    /// [`send`](Self::send), with options for this message.
    ///
    /// # Errors
    /// As there.
    pub fn send_with(&mut self, message: M, options: MessageOptions) -> Result<(), Status> {
        block_on(self.sender.send_with(message, options))
    }

    /// Says that nothing follows. Does not block.
    pub fn finish(self) {
        self.sender.finish();
    }

    /// Cancels the call, as dropping does.
    pub fn cancel(self) {}

    /// The sender, for async code.
    pub fn into_inner(self) -> Sender<M> {
        self.sender
    }
}

/// Requests on their way, and the response that follows them. Dropping it cancels the call.
#[must_use = "dropping an upload cancels the call"]
pub struct BlockingUpload<Q: 'static, R: 'static> {
    upload: Upload<Q, R>,
}

impl<Q: 'static, R: 'static> fmt::Debug for BlockingUpload<Q, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockingUpload").finish_non_exhaustive()
    }
}

impl<Q: Send + 'static, R: Send + 'static> BlockingUpload<Q, R> {
    /// Queues a message, as soon as less than 64 KiB are queued; blocks until then.
    ///
    /// # Errors
    /// As [`BlockingSender::send`].
    pub fn send(&mut self, message: Q) -> Result<(), Status> {
        block_on(self.upload.send(message))
    }

    /// [`send`](Self::send), with options for this message.
    ///
    /// # Errors
    /// As there.
    pub fn send_with(&mut self, message: Q, options: MessageOptions) -> Result<(), Status> {
        block_on(self.upload.send_with(message, options))
    }

    /// Says that nothing follows, and blocks until the response is there.
    ///
    /// # Errors
    /// The status of the call. FAILED_PRECONDITION within an async runtime, which cancels the call.
    pub fn finish(self) -> Result<R, Status> {
        block_on(self.upload.finish())
    }

    /// The same, with all that comes with the response.
    ///
    /// # Errors
    /// As [`finish`](Self::finish).
    pub fn finish_response(self) -> Result<Response<R>, Status> {
        block_on(self.upload.finish_response())
    }

    /// Cancels the call, as dropping does.
    pub fn cancel(self) {}

    /// The upload, for async code.
    pub fn into_inner(self) -> Upload<Q, R> {
        self.upload
    }
}
