//! The interceptors of a method, one within the other.

use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::{CallContext, CallView, Caught, Direction, Interceptor, Interest, MessageRef, Panicked, Side};
use crate::{Metadata, Method, Status};

/// What stands innermost: the method on a server, the call itself on a client.
pub trait Core: Send {
    /// Goes on. The metadata are the trailers: to be sent on a server, received on a client.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<(Result<(), Status>, Metadata)>;
}

type CallFuture<'a> = Pin<Box<dyn Future<Output = Result<(), Status>> + Send + 'a>>;

/// [`Interceptor`], for those who do not know its type.
trait Erased: Send + Sync {
    fn call<'a>(&'a self, cx: &'a mut CallContext, next: Next<'a>) -> CallFuture<'a>;
    fn on_message(
        &self,
        call: &dyn CallView,
        direction: Direction,
        message: MessageRef<'_>,
    ) -> Result<(), Status>;
    fn on_start(&self, call: &dyn CallView);
    fn on_end(&self, call: &dyn CallView, result: Result<(), &Status>);
    fn interest(&self) -> Interest;
    fn applies_to(&self, side: Side, method: &Method) -> bool;
    fn on_register(&self, method: &Method);
}

impl<I: Interceptor> Erased for I {
    fn call<'a>(&'a self, cx: &'a mut CallContext, next: Next<'a>) -> CallFuture<'a> {
        let method = cx.method().clone();
        // A panic while the future is made is one of the future.
        Box::pin(Caught::new(method, async move { Interceptor::call(self, cx, next).await }))
    }

    fn on_message(
        &self,
        call: &dyn CallView,
        direction: Direction,
        message: MessageRef<'_>,
    ) -> Result<(), Status> {
        Interceptor::on_message(self, call, direction, message)
    }

    fn on_start(&self, call: &dyn CallView) {
        Interceptor::on_start(self, call);
    }

    fn on_end(&self, call: &dyn CallView, result: Result<(), &Status>) {
        Interceptor::on_end(self, call, result);
    }

    fn interest(&self) -> Interest {
        Interceptor::interest(self)
    }

    fn applies_to(&self, side: Side, method: &Method) -> bool {
        Interceptor::applies_to(self, side, method)
    }

    fn on_register(&self, method: &Method) {
        Interceptor::on_register(self, method);
    }
}

/// An interceptor, of whatever type. Cheap to clone.
#[derive(Clone)]
pub struct InterceptorRef(Arc<dyn Erased>);

impl InterceptorRef {
    /// Of this interceptor.
    pub fn new(interceptor: impl Interceptor) -> Self {
        Self(Arc::new(interceptor))
    }
}

impl fmt::Debug for InterceptorRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InterceptorRef").field("interest", &self.0.interest()).finish_non_exhaustive()
    }
}

/// The rest of a call: the interceptors within, and what they stand around.
#[must_use = "a call that is not run has to be answered"]
pub struct Next<'a> {
    rest: &'a [InterceptorRef],
    core: &'a mut dyn Core,
}

impl fmt::Debug for Next<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Next").field("rest", &self.rest).finish_non_exhaustive()
    }
}

impl Next<'_> {
    /// Lets the call run, to its end.
    ///
    /// # Errors
    /// The status of the call.
    pub async fn run(self, cx: &mut CallContext) -> Result<(), Status> {
        match self.rest {
            [] => {
                let (result, trailers) = poll_fn(|task| self.core.poll(task)).await;
                cx.trailers_mut().extend(&trailers);
                result
            }
            [first, rest @ ..] => first.0.call(cx, Next { rest, core: self.core }).await,
        }
    }
}

/// All interceptors of a method, sorted by what they are asked for.
pub struct Chain {
    around: Box<[InterceptorRef]>,
    messages: Box<[InterceptorRef]>,
    ends: Box<[InterceptorRef]>,
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chain")
            .field("around", &self.around.len())
            .field("messages", &self.messages.len())
            .field("ends", &self.ends.len())
            .finish()
    }
}

impl Chain {
    /// Those that the method is the business of; `None` if there are none.
    pub fn resolve<'i>(
        interceptors: impl IntoIterator<Item = &'i InterceptorRef>,
        side: Side,
        method: &Method,
    ) -> Option<Self> {
        let chosen = interceptors.into_iter().filter(|interceptor| interceptor.0.applies_to(side, method));
        let chosen: Vec<(InterceptorRef, Interest)> =
            chosen.map(|interceptor| (interceptor.clone(), interceptor.0.interest())).collect();
        let of = |wanted: fn(&Interest) -> bool| -> Box<[InterceptorRef]> {
            let wanted = chosen.iter().filter(|(_, interest)| wanted(interest));
            wanted.map(|(interceptor, _)| interceptor.clone()).collect()
        };
        let chain = Self {
            around: of(|interest| interest.calls),
            messages: of(|interest| interest.messages),
            ends: of(|interest| interest.ends),
        };
        let is_empty = chain.around.is_empty() && chain.messages.is_empty() && chain.ends.is_empty();
        (!is_empty).then_some(chain)
    }

    /// Tells those that the method is the business of that a server has it.
    pub fn register<'i>(interceptors: impl IntoIterator<Item = &'i InterceptorRef>, method: &Method) {
        for InterceptorRef(interceptor) in interceptors {
            if interceptor.applies_to(Side::Server, method) {
                interceptor.on_register(method);
            }
        }
    }

    /// Whether some stand around calls.
    pub fn is_around(&self) -> bool {
        !self.around.is_empty()
    }

    /// Whether some see messages.
    pub fn sees_messages(&self) -> bool {
        !self.messages.is_empty()
    }

    /// Runs a call within all of them.
    ///
    /// # Errors
    /// The status of the call.
    pub async fn run(&self, cx: &mut CallContext, core: &mut dyn Core) -> Result<(), Status> {
        Next { rest: &self.around, core }.run(cx).await
    }

    /// Shows a message to those who want to see it, as far as none refuses it.
    ///
    /// # Errors
    /// The status of the first that refuses it.
    pub fn message(
        &self,
        call: &dyn CallView,
        direction: Direction,
        message: MessageRef<'_>,
    ) -> Result<(), Status> {
        for interceptor in &self.messages {
            let look = AssertUnwindSafe(|| interceptor.0.on_message(call, direction, message));
            match catch_unwind(look) {
                Ok(result) => result?,
                Err(panic) => return Err(Panicked::status(call.method(), &*panic)),
            }
        }
        Ok(())
    }

    /// Tells that a call begins, those outside first.
    pub fn started(&self, call: &dyn CallView) {
        for interceptor in &self.ends {
            tell(call, || interceptor.0.on_start(call));
        }
    }

    /// Tells that a call is over, those inside first.
    pub fn ended(&self, call: &dyn CallView, result: Result<(), &Status>) {
        for interceptor in self.ends.iter().rev() {
            tell(call, || interceptor.0.on_end(call, result));
        }
    }
}

/// A panic of who is told is logged, and changes nothing.
fn tell(call: &dyn CallView, what: impl FnOnce()) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(what)) {
        Panicked::status(call.method(), &*panic);
    }
}
