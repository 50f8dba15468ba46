//! How rules of a mock are written.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dunlin_grpc::dynamic::MethodDescriptor;
use dunlin_grpc::{CallKind, Method, Status};
use dunlin_protobuf::table::TableRef;
use dunlin_protobuf::{Message, Reflect};

use super::State;
use super::rule::{Answer, Condition, Rule};

/// A method of a [`Mock`](crate::Mock), to say what it answers.
#[must_use = "no rule is made until it is said what is answered"]
pub struct MockMethod {
    state: Arc<State>,
    method: Method,
    descriptor: Option<MethodDescriptor>,
    condition: Option<Condition>,
}

impl fmt::Debug for MockMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockMethod").field("method", &self.method).finish_non_exhaustive()
    }
}

/// A request as the type that a function of the test takes.
fn read<Q: Message>(bytes: &[u8]) -> Result<Q, Status> {
    Q::decode(bytes).map_err(|error| {
        let message = format!("the mock reads requests as {}, and this is none: {error}", Q::FULL_NAME);
        Status::internal(message).with_source(error)
    })
}

impl MockMethod {
    pub(super) fn new(state: Arc<State>, method: Method, descriptor: Option<MethodDescriptor>) -> Self {
        Self { state, method, descriptor, condition: None }
    }

    /// Only for such requests. A request of another type is none.
    ///
    /// # Panics
    /// If the client streams: the rule is chosen before its requests come.
    #[track_caller]
    pub fn when<Q: Message>(mut self, condition: impl Fn(&Q) -> bool + Send + Sync + 'static) -> Self {
        let kind = self.method.kind();
        assert!(kind.has_one_request(), "`when` looks at one request, and {} is {kind}", self.method);
        self.check_request::<Q>();
        self.condition =
            Some(Arc::new(move |bytes| Q::decode(bytes).is_ok_and(|request| condition(&request))));
        self
    }

    /// Answers with one message, and OK. The requests of a client that streams are read first.
    ///
    /// # Panics
    /// If the server streams, or the schema has another type.
    #[track_caller]
    pub fn reply<R: Message>(self, message: R) -> MockRule {
        self.check_kind("reply", &[CallKind::Unary, CallKind::ClientStreaming]);
        self.check_response::<R>();
        self.add(Answer::Messages(vec![message.encode_to_bytes()], Ok(())))
    }

    /// [`reply`](Self::reply), with the message as JSON.
    ///
    /// # Panics
    /// As there, and if there is no schema, or the JSON is no such message.
    #[track_caller]
    pub fn reply_json(self, json: &str) -> MockRule {
        self.check_kind("reply_json", &[CallKind::Unary, CallKind::ClientStreaming]);
        let message = self.response_of(json);
        self.add(Answer::Messages(vec![message], Ok(())))
    }

    /// Answers with these messages, and OK, or what [`then_fail`](MockRule::then_fail) says. Where both sides
    /// stream, the messages come first, and the end once the client has come to its own.
    ///
    /// # Panics
    /// If the server does not stream, or the schema has another type.
    #[track_caller]
    pub fn stream<R: Message>(self, messages: impl IntoIterator<Item = R>) -> MockRule {
        self.check_kind("stream", &[CallKind::ServerStreaming, CallKind::BidiStreaming]);
        self.check_response::<R>();
        let messages = messages.into_iter().map(|message| message.encode_to_bytes()).collect();
        self.add(Answer::Messages(messages, Ok(())))
    }

    /// [`stream`](Self::stream), with the messages as JSON.
    ///
    /// # Panics
    /// As there, and if there is no schema, or the JSON is no such message.
    #[track_caller]
    pub fn stream_json<'j>(self, messages: impl IntoIterator<Item = &'j str>) -> MockRule {
        self.check_kind("stream_json", &[CallKind::ServerStreaming, CallKind::BidiStreaming]);
        let mut read = Vec::new();
        for json in messages {
            read.push(self.response_of(json));
        }
        self.add(Answer::Messages(read, Ok(())))
    }

    /// Answers with this status. The requests of a client that streams are not waited for.
    #[track_caller]
    pub fn fail(self, status: Status) -> MockRule {
        self.add(Answer::Fail(status))
    }

    /// Does not answer, for tests of deadlines and of who gives up.
    #[track_caller]
    pub fn never(self) -> MockRule {
        self.add(Answer::Never)
    }

    /// Answers with what a function makes of the request.
    ///
    /// # Panics
    /// If the method is not unary, or the schema has other types.
    #[track_caller]
    pub fn with<Q: Message, R: Message>(
        self,
        answer: impl Fn(Q) -> Result<R, Status> + Send + Sync + 'static,
    ) -> MockRule {
        self.check_kind("with", &[CallKind::Unary]);
        self.check_request::<Q>();
        self.check_response::<R>();
        self.add(Answer::Of(Box::new(move |request| Ok(vec![answer(read(&request)?)?.encode_to_bytes()]))))
    }

    /// Answers with the messages that a function makes of the request.
    ///
    /// # Panics
    /// If the method is not server streaming, or the schema has other types.
    #[track_caller]
    pub fn with_stream<Q: Message, R: Message>(
        self,
        answer: impl Fn(Q) -> Result<Vec<R>, Status> + Send + Sync + 'static,
    ) -> MockRule {
        self.check_kind("with_stream", &[CallKind::ServerStreaming]);
        self.check_request::<Q>();
        self.check_response::<R>();
        self.add(Answer::Of(Box::new(move |request| {
            Ok(answer(read(&request)?)?.iter().map(Message::encode_to_bytes).collect())
        })))
    }

    /// Answers with what a function makes of all requests.
    ///
    /// # Panics
    /// If the method is not client streaming, or the schema has other types.
    #[track_caller]
    pub fn with_all<Q: Message, R: Message>(
        self,
        answer: impl Fn(Vec<Q>) -> Result<R, Status> + Send + Sync + 'static,
    ) -> MockRule {
        self.check_kind("with_all", &[CallKind::ClientStreaming]);
        self.check_request::<Q>();
        self.check_response::<R>();
        self.add(Answer::OfAll(Box::new(move |requests| {
            let requests = requests.iter().map(|request| read(request)).collect::<Result<_, _>>()?;
            Ok(answer(requests)?.encode_to_bytes())
        })))
    }

    /// Answers each request, as it comes, with the messages that a function makes of it; a status ends the
    /// call.
    ///
    /// # Panics
    /// If not both sides stream, or the schema has other types.
    #[track_caller]
    pub fn with_each<Q: Message, R: Message>(
        self,
        answer: impl Fn(Q) -> Result<Vec<R>, Status> + Send + Sync + 'static,
    ) -> MockRule {
        self.check_kind("with_each", &[CallKind::BidiStreaming]);
        self.check_request::<Q>();
        self.check_response::<R>();
        self.add(Answer::OfEach(Box::new(move |request| {
            Ok(answer(read(&request)?)?.iter().map(Message::encode_to_bytes).collect())
        })))
    }

    #[track_caller]
    fn add(self, answer: Answer) -> MockRule {
        let Self { state, method, descriptor, condition } = self;
        let responses = descriptor.map(|descriptor| descriptor.response_type().clone());
        let rule = Rule::new(method, answer, condition, responses, Location::caller());
        let place = {
            let mut inner = state.inner();
            inner.rules.push(rule);
            inner.rules.len() - 1
        };
        MockRule { state, place }
    }

    #[track_caller]
    fn check_kind(&self, what: &str, wanted: &[CallKind]) {
        let kind = self.method.kind();
        assert!(wanted.contains(&kind), "`{what}` can not answer {}, which is {kind}", self.method);
    }

    #[track_caller]
    fn check_request<Q: Message>(&self) {
        let wanted = self.descriptor.as_ref().map(MethodDescriptor::request_type);
        self.check_type("requests", wanted, Q::FULL_NAME);
    }

    #[track_caller]
    fn check_response<R: Message>(&self) {
        let wanted = self.descriptor.as_ref().map(MethodDescriptor::response_type);
        self.check_type("responses", wanted, R::FULL_NAME);
    }

    #[track_caller]
    fn check_type(&self, what: &str, wanted: Option<&TableRef>, found: &str) {
        if let Some(wanted) = wanted.map(|table| table.full_name()) {
            assert!(wanted == found, "the {what} of {} are {wanted}, not {found}", self.method);
        }
    }

    #[track_caller]
    fn response_of(&self, json: &str) -> Bytes {
        let Some(descriptor) = &self.descriptor else {
            panic!("JSON can not be read without a schema: use `Mock::with_schema`");
        };
        match descriptor.response_from_json(json) {
            Ok(message) => message.encode_to_vec().into(),
            Err(error) => panic!("{json} is no {}: {error}", descriptor.response().table().full_name()),
        }
    }
}

/// A rule of a mock, to say more of it.
pub struct MockRule {
    state: Arc<State>,
    place: usize,
}

impl fmt::Debug for MockRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockRule").field("place", &self.place).finish_non_exhaustive()
    }
}

impl MockRule {
    fn change(self, change: impl FnOnce(&mut Rule)) -> Self {
        change(&mut self.state.inner().rules[self.place]);
        self
    }

    /// For so many calls, neither more nor less: further ones go to the rules behind, and fewer are a fault.
    /// Any number by default, also none. 0 makes the rule one that is never used.
    pub fn times(self, calls: u64) -> Self {
        self.change(|rule| rule.times = Some(calls))
    }

    /// For one call.
    pub fn once(self) -> Self {
        self.times(1)
    }

    /// Answers that much later.
    pub fn delay(self, delay: Duration) -> Self {
        self.change(|rule| rule.chosen.delay = delay)
    }

    /// Metadata before the messages.
    ///
    /// # Panics
    /// If the name or value can not be metadata.
    #[track_caller]
    pub fn header(self, name: &str, value: &str) -> Self {
        let mut result = Ok(());
        let rule = self.change(|rule| result = rule.chosen.headers.append(name, value));
        if let Err(error) = result {
            panic!("{error}");
        }
        rule
    }

    /// Metadata behind the messages.
    ///
    /// # Panics
    /// If the name or value can not be metadata.
    #[track_caller]
    pub fn trailer(self, name: &str, value: &str) -> Self {
        let mut result = Ok(());
        let rule = self.change(|rule| result = rule.chosen.trailers.append(name, value));
        if let Err(error) = result {
            panic!("{error}");
        }
        rule
    }

    /// Ends with this status behind the messages of [`stream`](MockMethod::stream).
    ///
    /// # Panics
    /// If the rule has no such messages.
    #[track_caller]
    pub fn then_fail(self, status: Status) -> Self {
        let mut is_stream = false;
        let rule = self.change(|rule| {
            if let (false, Answer::Messages(messages, _)) =
                (rule.chosen.kind.has_one_response(), &*rule.chosen.answer)
            {
                is_stream = true;
                rule.chosen.answer = Arc::new(Answer::Messages(messages.clone(), Err(status)));
            }
        });
        assert!(is_stream, "`then_fail` follows the messages of `stream`");
        rule
    }

    /// How often it has answered so far.
    pub fn count(&self) -> u64 {
        self.state.inner().rules[self.place].used()
    }
}
