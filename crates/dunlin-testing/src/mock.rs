//! Services that answer as a test wants.

mod message;
mod method;
mod rule;
mod serve;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use dunlin_grpc::dynamic::Schema;
use dunlin_grpc::{CallKind, Method, Receiver, Sender, Status};
use dunlin_protobuf::dynamic::DynamicPool;
use dunlin_server::{Methods, ServerContext, Service};

use crate::fault::Target;
use crate::record::{Calls, Log};
use message::{Mocked, Plain, Typed};
pub use method::{MockMethod, MockRule};
use rule::Rule;
use serve::{Requests, Responses};

/// A service, or several, that answer as a test says.
///
/// ```
/// # use dunlin_client::Client;
/// # use dunlin_grpc::{CallKind, Code, Method, Status};
/// # use dunlin_protobuf::wkt::StringValue;
/// # use dunlin_testing::{Mock, TestServer};
/// # const GET: Method = Method::new("shop.Shop", "Get", "/shop.Shop/Get", CallKind::Unary);
/// # const LIST: Method = Method::new("shop.Shop", "List", "/shop.Shop/List", CallKind::ServerStreaming);
/// # fn text(value: &str) -> StringValue { StringValue { value: value.into(), ..Default::default() } }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Status> {
/// let mock = Mock::new();
/// mock.on(GET).fail(Status::unavailable("try again")).times(1);
/// mock.on(GET).when(|id: &StringValue| id.value == "1").reply(text("cup"));
/// mock.on(LIST).stream([text("cup"), text("pot")]);
///
/// let test = TestServer::new(&mock);
/// let client = Client::new(test.channel());
/// let get = |id| client.unary::<_, StringValue>(GET, text(id));
/// assert_eq!(get("1").await.unwrap_err().code(), Code::Unavailable);
/// assert_eq!(get("1").await?.value, "cup");
///
/// mock.of(GET).assert_count(2);
/// mock.verify();
/// # Ok(())
/// # }
/// ```
///
/// Of the rules for a method, the first that fits answers; one with [`times`](MockRule::times) fits so often
/// only, and has to be used so often. A call that none fits fails with UNIMPLEMENTED, with what it was
/// looking for in the message, and is a fault of the test: [`verify`](Self::verify) panics then, or else
/// dropping the mock does.
///
/// Rules may be added while the server is running. With the [schema](Self::with_schema) methods are named by
/// texts, messages may be written as JSON, and types are checked.
pub struct Mock {
    state: Arc<State>,
    is_verified: bool,
}

pub(crate) struct State {
    inner: Mutex<Inner>,
    log: Log,
    schema: Option<Schema>,
}

#[derive(Default)]
struct Inner {
    rules: Vec<Rule>,
    /// Calls that no rule was for.
    unexpected: Vec<String>,
    unexpected_count: usize,
}

/// Unexpected calls that are told one by one.
const TOLD: usize = 20;

impl fmt::Debug for Mock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mock").field("rules", &self.state.inner().rules.len()).finish_non_exhaustive()
    }
}

impl State {
    /// A poisoned lock is harmless: nothing that can panic leaves the state in between.
    fn inner(&self) -> MutexGuard<'_, Inner> {
        match self.inner.lock() {
            Ok(inner) => inner,
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    /// What is wrong with how the mock was used; empty if nothing is.
    fn faults(&self) -> Vec<String> {
        let inner = self.inner();
        let unused = inner.rules.iter().filter_map(Rule::fault);
        let mut faults: Vec<String> = unused.chain(inner.unexpected.iter().cloned()).collect();
        if inner.unexpected_count > inner.unexpected.len() {
            faults.push(format!("and {} more", inner.unexpected_count - inner.unexpected.len()));
        }
        faults
    }
}

impl Default for Mock {
    fn default() -> Self {
        Self::new()
    }
}

impl Mock {
    /// One without rules.
    pub fn new() -> Self {
        Self::of_schema(None)
    }

    /// One of the services of this pool, without rules. The pool has to be made of a set of descriptors, such
    /// as `dunlin build` writes ([`DynamicPool::from_file_descriptor_set`]).
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use dunlin_protobuf::dynamic::DynamicPool;
    /// # use dunlin_testing::{Mock, TestServer};
    /// # async fn serve(pool: Arc<DynamicPool>) {
    /// let mock = Mock::with_schema(pool);
    /// mock.on("shop.v1.ShopService/GetProduct").reply_json(r#"{"name": "cup", "cents": 500}"#);
    /// let test = TestServer::new(&mock);
    /// # }
    /// ```
    pub fn with_schema(pool: Arc<DynamicPool>) -> Self {
        Self::of_schema(Some(Schema::new(pool)))
    }

    fn of_schema(schema: Option<Schema>) -> Self {
        let state = State { inner: Mutex::default(), log: Log::default(), schema };
        Self { state: Arc::new(state), is_verified: false }
    }

    /// What is to be answered to calls of this method: a constant of generated code, or with the schema a
    /// text such as `shop.v1.ShopService/GetProduct`.
    ///
    /// # Panics
    /// If the schema does not have the method, or there is a text, but no schema.
    #[track_caller]
    pub fn on(&self, method: impl MethodName) -> MockMethod {
        let (method, descriptor) = match &self.state.schema {
            Some(schema) => match schema.method(method.path()) {
                Ok(descriptor) => (descriptor.method().clone(), Some(descriptor)),
                Err(error) => panic!("{error}"),
            },
            None => match method.method() {
                Some(method) => (method, None),
                None => panic!(
                    "a mock without a schema can not know `{}`: use its constant, or `Mock::with_schema`",
                    method.path()
                ),
            },
        };
        MockMethod::new(Arc::clone(&self.state), method, descriptor)
    }

    /// All calls so far, in the order of their begins.
    #[track_caller]
    pub fn calls(&self) -> Calls {
        self.state.log.calls(&Target::all())
    }

    /// The calls of a method, or of all that a pattern such as `shop.v1.*` matches.
    ///
    /// # Panics
    /// If the pattern is none.
    #[track_caller]
    pub fn of(&self, methods: impl Into<Target>) -> Calls {
        self.state.log.calls(&methods.into())
    }

    /// Waits until so many calls of these methods are over, and gives all that have begun.
    pub async fn ended(&self, methods: impl Into<Target>, count: usize) -> Calls {
        self.state.log.ended(&methods.into(), count).await
    }

    /// Waits until so many calls of these methods have begun, and gives them.
    pub async fn begun(&self, methods: impl Into<Target>, count: usize) -> Calls {
        self.state.log.begun(&methods.into(), count).await
    }

    /// Checks that no call was unexpected, and every rule with [`times`](MockRule::times) was used so often.
    ///
    /// # Panics
    /// If that is not so, with all that is wrong.
    #[track_caller]
    pub fn verify(mut self) {
        self.is_verified = true;
        self.check();
    }

    #[track_caller]
    fn check(&self) {
        let faults = self.state.faults();
        assert!(
            faults.is_empty(),
            "the mock was not used as the test says:{}",
            faults.iter().map(|fault| format!("\n  - {fault}")).collect::<String>()
        );
    }
}

impl Drop for Mock {
    /// As [`verify`](Self::verify), unless the test has failed already.
    fn drop(&mut self) {
        if !self.is_verified && !std::thread::panicking() {
            self.check();
        }
    }
}

/// What names a method.
#[diagnostic::on_unimplemented(
    message = "`{Self}` names no method: take a `Method`, or a text with a schema"
)]
pub trait MethodName {
    /// With or without the slash before the service.
    fn path(&self) -> &str;

    /// The method, if it is known without a schema.
    fn method(&self) -> Option<Method> {
        None
    }
}

impl MethodName for Method {
    fn path(&self) -> &str {
        self.path()
    }

    fn method(&self) -> Option<Method> {
        Some(self.clone())
    }
}

impl MethodName for &Method {
    fn path(&self) -> &str {
        (*self).path()
    }

    fn method(&self) -> Option<Method> {
        Some((*self).clone())
    }
}

impl MethodName for &str {
    fn path(&self) -> &str {
        self
    }
}

impl Service for &Mock {
    fn name(&self) -> &'static str {
        "mock"
    }

    /// Adds the methods of the schema, or those that have rules, and a fallback for all others.
    fn register(self, methods: &mut Methods) {
        match &self.state.schema {
            Some(schema) => {
                for method in schema.methods() {
                    let requests = Typed::codec(method.request_type().clone());
                    let responses = Typed::codec(method.response_type().clone());
                    self.add(methods, method.method().clone(), requests, responses);
                }
            }
            None => {
                let mut known: Vec<Method> = Vec::new();
                for rule in &self.state.inner().rules {
                    if !known.contains(rule.method()) {
                        known.push(rule.method().clone());
                    }
                }
                known
                    .into_iter()
                    .for_each(|method| self.add(methods, method, Plain::codec(), Plain::codec()));
            }
        }
        let state = Arc::clone(&self.state);
        methods.fallback(move |cx, requests, sender| {
            let state = Arc::clone(&state);
            async move {
                let requests = Requests::Bytes(requests);
                let responses = Responses::Bytes(sender);
                let (cx, result, _) = serve::serve(state, cx, requests, responses).await;
                (cx, result)
            }
        });
    }
}

type CodecRef = dunlin_grpc::codec::CodecRef<Mocked>;

impl Mock {
    fn add(&self, methods: &mut Methods, method: Method, requests: CodecRef, responses: CodecRef) {
        let state = Arc::clone(&self.state);
        let one = |(cx, result, response): (ServerContext, Result<(), Status>, Option<Mocked>)| {
            let result = result.and_then(|()| response.ok_or_else(|| Status::internal("no response")));
            (cx, result)
        };
        match method.kind() {
            CallKind::Unary => methods.unary_with(method, requests, responses, move |cx, request| {
                let (requests, responses) = (Requests::One(Some(request)), Responses::One(None));
                let served = serve::serve(Arc::clone(&state), cx, requests, responses);
                async move { one(served.await) }
            }),
            CallKind::ClientStreaming => {
                let serve = move |cx: ServerContext, requests: Receiver<Mocked>| {
                    let (requests, responses) = (Requests::Many(requests), Responses::One(None));
                    let served = serve::serve(Arc::clone(&state), cx, requests, responses);
                    async move { one(served.await) }
                };
                methods.client_streaming_with(method, requests, responses, serve);
            }
            CallKind::ServerStreaming => {
                let serve = move |cx: ServerContext, request: Mocked, sender: Sender<Mocked>| {
                    let (requests, responses) = (Requests::One(Some(request)), Responses::Many(sender));
                    let served = serve::serve(Arc::clone(&state), cx, requests, responses);
                    async move {
                        let (cx, result, _) = served.await;
                        (cx, result)
                    }
                };
                methods.server_streaming_with(method, requests, responses, serve);
            }
            CallKind::BidiStreaming => {
                let serve = move |cx: ServerContext, requests: Receiver<Mocked>, sender: Sender<Mocked>| {
                    let (requests, responses) = (Requests::Many(requests), Responses::Many(sender));
                    let served = serve::serve(Arc::clone(&state), cx, requests, responses);
                    async move {
                        let (cx, result, _) = served.await;
                        (cx, result)
                    }
                };
                methods.bidi_streaming_with(method, requests, responses, serve);
            }
        }
    }
}
