//! Panics of methods and interceptors, as statuses.

use std::any::Any;
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use crate::{Method, Status};

/// The cause of a status that stands for a panic. The peer is told the incident and not the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("panicked: {text} (incident {incident})")]
#[non_exhaustive]
pub struct Panicked {
    /// What the log and the status both have.
    pub incident: String,
    /// What the panic said.
    pub text: String,
}

impl Panicked {
    /// A panic while a call of this method was at work. It is logged, and becomes INTERNAL with a number
    /// that the log has too.
    pub fn status(method: &Method, panic: &(dyn Any + Send)) -> Status {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let incident = format!("{:016x}", RandomState::new().hash_one(count));
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no text");
        tracing::error!(method = method.path(), incident, panic = text, "a call panicked");
        let status = Status::internal(format!("internal error, incident {incident}"));
        status.with_source(Self { incident, text: text.to_owned() })
    }

    /// The panic that a status stands for.
    pub fn of(status: &Status) -> Option<&Self> {
        std::error::Error::source(status)?.downcast_ref()
    }
}

/// A future whose panic is a status.
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct Caught<F> {
    future: Pin<Box<F>>,
    method: Method,
}

impl<F> Caught<F> {
    /// On behalf of a call of this method.
    pub fn new(method: Method, future: F) -> Self {
        Self { future: Box::pin(future), method }
    }
}

impl<T, F: Future<Output = Result<T, Status>>> Future for Caught<F> {
    type Output = Result<T, Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        match catch_unwind(AssertUnwindSafe(|| this.future.as_mut().poll(cx))) {
            Ok(poll) => Poll::Ready(ready!(poll)),
            Err(panic) => Poll::Ready(Err(Panicked::status(&this.method, &*panic))),
        }
    }
}
