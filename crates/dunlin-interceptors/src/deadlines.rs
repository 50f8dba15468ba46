//! Deadlines for calls.

use std::time::Duration;

use dunlin_grpc::intercept::{CallContext, Interceptor, Next, Side};
use dunlin_grpc::{CallKind, Method, Status};
use tokio::time::Instant;

/// Gives calls a deadline, or an earlier one. On a server the method and the calls that it makes see it; when
/// it has come the method is dropped and the call ends with DEADLINE_EXCEEDED.
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct Deadlines {
    default_timeout: Option<Duration>,
    max_timeout: Option<Duration>,
    reserve: Duration,
    unary_only: bool,
}

impl Deadlines {
    /// Changes nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// For calls without a deadline.
    pub fn default_timeout(mut self, timeout: Duration) -> Self {
        self.default_timeout = Some(timeout);
        self
    }

    /// No call gets more time.
    pub fn max_timeout(mut self, timeout: Duration) -> Self {
        self.max_timeout = Some(timeout);
        self
    }

    /// Time that is kept back of a deadline that the caller gave, for the answer to reach it. A call that has
    /// no more than this left is refused with DEADLINE_EXCEEDED before any work is done.
    pub fn reserve(mut self, time: Duration) -> Self {
        self.reserve = time;
        self
    }

    /// For calls with one request and one response only: streams, which may well go on for ever, keep the
    /// deadline that their caller gives.
    pub fn unary_only(mut self) -> Self {
        self.unary_only = true;
        self
    }
}

impl Interceptor for Deadlines {
    fn applies_to(&self, _: Side, method: &Method) -> bool {
        !self.unary_only || method.kind() == CallKind::Unary
    }

    async fn call(&self, cx: &mut CallContext, next: Next<'_>) -> Result<(), Status> {
        let began = cx.began();
        let given = cx.deadline();
        if let Some(given) = given
            && !self.reserve.is_zero()
        {
            let now = Instant::now().into_std();
            match given.checked_sub(self.reserve) {
                Some(deadline) if deadline > now => cx.limit_deadline(deadline),
                _ => {
                    let left = given.saturating_duration_since(now);
                    let message =
                        format!("{left:?} are left until the deadline, and {:?} are reserved", self.reserve);
                    return Err(Status::deadline_exceeded(message));
                }
            }
        }
        let default_timeout = self.default_timeout.filter(|_| given.is_none());
        let timeout = [default_timeout, self.max_timeout].into_iter().flatten().min();
        if let Some(deadline) = timeout.and_then(|timeout| began.checked_add(timeout)) {
            cx.limit_deadline(deadline);
        }
        next.run(cx).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_may_be_left_alone() {
        let unary = Method::new("test.Echo", "Say", "/test.Echo/Say", CallKind::Unary);
        let chat = Method::new("test.Echo", "Chat", "/test.Echo/Chat", CallKind::BidiStreaming);
        let applies = |deadlines: Deadlines| [&unary, &chat].map(|of| deadlines.applies_to(Side::Server, of));
        assert_eq!(applies(Deadlines::new()), [true, true]);
        assert_eq!(applies(Deadlines::new().unary_only()), [true, false]);
    }
}
