//! What callers are told of a panic.

use std::borrow::Cow;
use std::fmt;

use dunlin_grpc::Status;
use dunlin_grpc::intercept::{CallContext, CallView, Interceptor, Next, Panicked};

type Hook = Box<dyn Fn(&dyn CallView, &Panicked) -> Option<Status> + Send + Sync>;

/// Says what callers are told of a panic, and tells who wants to hear of it.
///
/// Panics are caught without it: they become INTERNAL, with the number of an incident that the log has too,
/// and never a word of the panic itself.
#[derive(Default)]
#[must_use]
pub struct Recovery {
    message: Option<Cow<'static, str>>,
    hook: Option<Hook>,
}

impl fmt::Debug for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recovery").field("message", &self.message).finish_non_exhaustive()
    }
}

impl Recovery {
    /// Leaves everything as it is.
    pub fn new() -> Self {
        Self::default()
    }

    /// What callers are told in place of `internal error`, before the incident.
    pub fn message(mut self, message: impl Into<Cow<'static, str>>) -> Self {
        self.message = Some(message.into());
        self
    }

    /// Is called for each panic, with its text; what it gives is the status of the call. It sees what
    /// callers must not: a text of a panic may hold anything.
    pub fn on_panic(
        mut self,
        hook: impl Fn(&dyn CallView, &Panicked) -> Option<Status> + Send + Sync + 'static,
    ) -> Self {
        self.hook = Some(Box::new(hook));
        self
    }

    fn status(&self, call: &dyn CallView, status: Status) -> Status {
        let Some(panicked) = Panicked::of(&status) else { return status };
        if let Some(status) = self.hook.as_ref().and_then(|hook| hook(call, panicked)) {
            return status;
        }
        match &self.message {
            Some(message) => {
                let told = format!("{message}, incident {}", panicked.incident);
                Status::internal(told).with_source(panicked.clone())
            }
            None => status,
        }
    }
}

impl Interceptor for Recovery {
    async fn call(&self, cx: &mut CallContext, next: Next<'_>) -> Result<(), Status> {
        let result = next.run(cx).await;
        result.map_err(|status| self.status(&**cx, status))
    }
}
