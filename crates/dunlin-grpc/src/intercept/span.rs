//! The span of a call.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tracing::Span;

use super::CallView;

/// The span of a call, as an extension of it: what is logged of the call belongs into it. Who traces calls keeps
/// it there, from the begin of the call to its end.
#[derive(Debug)]
pub struct CallSpan(Mutex<Option<Span>>);

impl CallSpan {
    /// For [`insert_extension`](CallView#method.insert_extension).
    pub fn new(span: Span) -> Self {
        Self(Mutex::new(Some(span)))
    }

    /// That of a call; `None` if nobody traces it, or it is over.
    pub fn of(call: &dyn CallView) -> Option<Span> {
        call.extension::<Self>()?.slot().clone()
    }

    /// Takes that of a call away, so that it does not stay open for as long as someone has the call.
    pub fn close(call: &dyn CallView) -> Option<Span> {
        call.extension::<Self>()?.slot().take()
    }

    fn slot(&self) -> MutexGuard<'_, Option<Span>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
