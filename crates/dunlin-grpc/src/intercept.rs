//! Interceptors: what is done around calls, on servers and clients alike.
//!
//! An [`Interceptor`] has up to three faces, and [`Interest`] says which of them it uses: it may stand
//! around calls ([`call`](Interceptor::call)), see their messages ([`on_message`](Interceptor::on_message)),
//! and hear of their begin and end ([`on_start`](Interceptor::on_start), [`on_end`](Interceptor::on_end)).
//! Those that are added first stand outermost.
//!
//! ```
//! use dunlin_grpc::Status;
//! use dunlin_grpc::intercept::{CallContext, Interceptor, Next};
//!
//! /// Lets no call pass that has no `x-tenant`.
//! struct Tenants;
//!
//! impl Interceptor for Tenants {
//!     async fn call(&self, cx: &mut CallContext, next: Next<'_>) -> Result<(), Status> {
//!         if !cx.incoming().contains("x-tenant") {
//!             return Err(Status::unauthenticated("`x-tenant` is missing"));
//!         }
//!         next.run(cx).await
//!     }
//! }
//! ```

mod chain;
mod message;
mod panic;
mod pattern;
mod span;
mod view;

use std::future::Future;
use std::sync::Arc;

pub use chain::{Chain, Core, InterceptorRef, Next};
pub use message::MessageRef;
pub use panic::{Caught, Panicked};
pub use pattern::{InvalidPattern, Pattern, Selected};
pub use span::CallSpan;
pub use view::{CallContext, CallView, Counts};

use crate::{Method, Status};

/// The side of a call that an interceptor stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// It makes the call.
    Client,
    /// It serves the call.
    Server,
}

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// To the peer.
    Sent,
    /// From the peer.
    Received,
}

/// What an interceptor wants to be asked for. What it does not name costs nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Interest {
    pub(crate) calls: bool,
    pub(crate) messages: bool,
    pub(crate) ends: bool,
}

impl Interest {
    /// [`Interceptor::call`].
    pub const CALLS: Self = Self { calls: true, messages: false, ends: false };
    /// [`Interceptor::on_message`].
    pub const MESSAGES: Self = Self { calls: false, messages: true, ends: false };
    /// [`Interceptor::on_start`] and [`Interceptor::on_end`].
    pub const ENDS: Self = Self { calls: false, messages: false, ends: true };

    /// Both.
    pub const fn and(self, other: Self) -> Self {
        Self {
            calls: self.calls || other.calls,
            messages: self.messages || other.messages,
            ends: self.ends || other.ends,
        }
    }
}

/// What is done around calls, or told of them. One value serves all calls at a time.
///
/// A panic in an interceptor, as one in a method, becomes INTERNAL for the interceptors around it, with
/// [`Panicked`] as its cause.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no interceptor",
    note = "implement `Interceptor` with `async fn call(&self, cx: &mut CallContext, next: Next<'_>) -> Result<(), Status>`"
)]
pub trait Interceptor: Send + Sync + 'static {
    /// Stands around a call: does what is to be done before, lets it [run](Next::run) or answers in its
    /// place, and does what is to be done behind. The result is that of the call.
    ///
    /// The future is dropped when the call is cancelled; what has to happen then belongs into
    /// [`on_end`](Self::on_end).
    fn call(&self, cx: &mut CallContext, next: Next<'_>) -> impl Future<Output = Result<(), Status>> + Send {
        next.run(cx)
    }

    /// A message was received, before its reader sees it, or is to be sent, before it is encoded. Messages
    /// without reflection, such as a proxy's bytes, are not seen.
    ///
    /// # Errors
    /// A status refuses the message: of a received one it is what the reader gets, and the call is of no
    /// use from then on; one to be sent is not sent.
    fn on_message(
        &self,
        call: &dyn CallView,
        direction: Direction,
        message: MessageRef<'_>,
    ) -> Result<(), Status> {
        let _ = (call, direction, message);
        Ok(())
    }

    /// A call begins.
    fn on_start(&self, call: &dyn CallView) {
        let _ = call;
    }

    /// A call that has begun is over: once for each, also if it was cancelled.
    fn on_end(&self, call: &dyn CallView, result: Result<(), &Status>) {
        let _ = (call, result);
    }

    /// Which of these methods are of use.
    fn interest(&self) -> Interest {
        Interest::CALLS
    }

    /// Whether calls of this method are its business. Asked once for each method of a server, and by
    /// channels when a method is first called.
    fn applies_to(&self, side: Side, method: &Method) -> bool {
        let _ = (side, method);
        true
    }

    /// A server has this method: told once for each that is its business, when the server is built.
    fn on_register(&self, method: &Method) {
        let _ = method;
    }

    /// This one, only for methods that the pattern matches, such as `shop.v1.*`; see [`Pattern`].
    ///
    /// # Panics
    /// If the pattern is none.
    fn only(self, pattern: &str) -> Selected<Self>
    where
        Self: Sized,
    {
        Selected::new(self).only(pattern)
    }

    /// This one, but not for methods that the pattern matches, such as `grpc.health.v1.Health`; see
    /// [`Pattern`].
    ///
    /// # Panics
    /// If the pattern is none.
    fn except(self, pattern: &str) -> Selected<Self>
    where
        Self: Sized,
    {
        Selected::new(self).except(pattern)
    }
}

/// Services by which operators look at a server. Interceptors that would keep them out leave them alone
/// unless told otherwise.
pub const OPERATORS_SERVICES: [&str; 4] =
    ["grpc.health.v1.*", "grpc.reflection.v1.*", "grpc.reflection.v1alpha.*", "grpc.channelz.v1.*"];

impl<I: Interceptor> Interceptor for Arc<I> {
    fn call(&self, cx: &mut CallContext, next: Next<'_>) -> impl Future<Output = Result<(), Status>> + Send {
        (**self).call(cx, next)
    }

    fn on_message(
        &self,
        call: &dyn CallView,
        direction: Direction,
        message: MessageRef<'_>,
    ) -> Result<(), Status> {
        (**self).on_message(call, direction, message)
    }

    fn on_start(&self, call: &dyn CallView) {
        (**self).on_start(call);
    }

    fn on_end(&self, call: &dyn CallView, result: Result<(), &Status>) {
        (**self).on_end(call, result);
    }

    fn interest(&self) -> Interest {
        (**self).interest()
    }

    fn applies_to(&self, side: Side, method: &Method) -> bool {
        (**self).applies_to(side, method)
    }

    fn on_register(&self, method: &Method) {
        (**self).on_register(method);
    }
}
