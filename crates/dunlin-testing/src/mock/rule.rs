//! What a mock answers, and when.

use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dunlin_grpc::{CallKind, Metadata, Method, Status};
use dunlin_protobuf::table::TableRef;

/// What a function of a test makes of requests.
type Function<Q, R> = Box<dyn Fn(Q) -> Result<R, Status> + Send + Sync>;

/// What is answered.
pub(super) enum Answer {
    /// These messages, and then OK or a status.
    Messages(Vec<Bytes>, Result<(), Status>),
    /// A status at once.
    Fail(Status),
    /// Nothing, ever.
    Never,
    /// What a function makes of one request.
    Of(Function<Bytes, Vec<Bytes>>),
    /// What a function makes of all requests.
    OfAll(Function<Vec<Bytes>, Bytes>),
    /// What a function makes of each request.
    OfEach(Function<Bytes, Vec<Bytes>>),
}

/// Which requests a rule is for.
pub(super) type Condition = Arc<dyn Fn(&[u8]) -> bool + Send + Sync>;

/// What a call gets that a rule is for.
#[derive(Clone)]
pub(super) struct Chosen {
    pub(super) kind: CallKind,
    pub(super) answer: Arc<Answer>,
    pub(super) delay: Duration,
    pub(super) headers: Metadata,
    pub(super) trailers: Metadata,
    /// Of the responses, if there is a schema.
    pub(super) responses: Option<TableRef>,
}

pub(super) struct Rule {
    method: Method,
    pub(super) chosen: Chosen,
    condition: Option<Condition>,
    pub(super) times: Option<u64>,
    used: u64,
    at: &'static Location<'static>,
}

impl Rule {
    pub(super) fn new(
        method: Method,
        answer: Answer,
        condition: Option<Condition>,
        responses: Option<TableRef>,
        at: &'static Location<'static>,
    ) -> Self {
        let chosen = Chosen {
            kind: method.kind(),
            answer: Arc::new(answer),
            delay: Duration::ZERO,
            headers: Metadata::new(),
            trailers: Metadata::new(),
            responses,
        };
        Self { method, chosen, condition, times: None, used: 0, at }
    }

    pub(super) fn method(&self) -> &Method {
        &self.method
    }

    pub(super) fn is_for(&self, path: &str) -> bool {
        self.method.path() == path
    }

    pub(super) fn used(&self) -> u64 {
        self.used
    }

    pub(super) fn condition(&self) -> Option<Condition> {
        self.condition.clone()
    }

    /// Whether a rule with this condition is for such a request.
    pub(super) fn accepts(condition: Option<&Condition>, request: Option<&Bytes>) -> bool {
        match (condition, request) {
            (None, _) => true,
            (Some(condition), Some(request)) => condition(request),
            (Some(_), None) => false,
        }
    }

    /// What one more call gets; `None` if the rule is used up.
    pub(super) fn take(&mut self) -> Option<Chosen> {
        if self.times.is_some_and(|times| self.used >= times) {
            return None;
        }
        self.used += 1;
        Some(self.chosen.clone())
    }

    /// Why it was not used as it should have been.
    pub(super) fn fault(&self) -> Option<String> {
        let wanted = self.times.filter(|times| *times != self.used)?;
        let Self { method, used, at, .. } = self;
        Some(format!("{method}: wanted {wanted} calls for the rule at {at}, saw {used}"))
    }
}
