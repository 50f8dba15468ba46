//! What follows a call to the calls made on its behalf: the deadline.
//!
//! It stands in a variable of the thread while a handler is polled, so that nothing has to be passed
//! along. It crosses a spawn only where that is asked for.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

/// What the calls within a call are given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ambient {
    /// When the call that is being handled has to be over.
    pub deadline: Option<Instant>,
}

thread_local! {
    static CURRENT: Cell<Ambient> = const { Cell::new(Ambient { deadline: None }) };
}

/// Of the call that is being handled on this thread.
pub fn current() -> Ambient {
    CURRENT.try_with(Cell::get).unwrap_or_default()
}

/// Puts back what was there.
struct Restore(Ambient);

impl Drop for Restore {
    fn drop(&mut self) {
        let _ = CURRENT.try_with(|current| current.set(self.0));
    }
}

/// Runs `run` with this as the current one.
pub fn enter<R>(ambient: Ambient, run: impl FnOnce() -> R) -> R {
    let before = CURRENT.try_with(|current| current.replace(ambient)).unwrap_or_default();
    let _restore = Restore(before);
    run()
}

/// A future that is always polled with the same [`Ambient`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct Scoped<F> {
    ambient: Ambient,
    future: Pin<Box<F>>,
}

impl<F: Future> Scoped<F> {
    /// `future` within this.
    pub fn new(ambient: Ambient, future: F) -> Self {
        Self { ambient, future: Box::pin(future) }
    }
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        enter(self.ambient, || self.future.as_mut().poll(cx))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_there_comes_back_even_after_a_panic() {
        let inner = Ambient { deadline: Some(Instant::now()) };
        let _ = std::panic::catch_unwind(|| enter(inner, || panic!("in the handler")));
        assert_eq!(current(), Ambient::default());
        enter(inner, || assert_eq!(current(), inner));
    }
}
