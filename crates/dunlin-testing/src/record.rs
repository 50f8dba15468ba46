//! What was called, and how it went.

mod call;

use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use dunlin_grpc::intercept::{
    CallContext, CallView, Direction, Interceptor, Interest, MessageRef, Next, Side,
};
use dunlin_grpc::{Metadata, Method, Status};
use dunlin_protobuf::{EncodeOptions, text};
use tokio::sync::watch;

pub use call::RecordedCall;
pub(crate) use call::RecordedMessage;

use crate::fault::Target;

/// Writes down calls: what was called, with which metadata and messages, and how it ended.
///
/// It is an interceptor for either side, of a server or of a channel; one that is added last sees what the
/// others have changed. Clones are one recorder.
///
/// Messages without reflection are not seen by interceptors, so they are missing here: those of a
/// [`Mock`](crate::Mock) without a schema are seen on the channel only, and by the mock itself.
///
/// ```
/// # use dunlin_client::Client;
/// # use dunlin_grpc::{CallKind, Code, Method, Status};
/// # use dunlin_protobuf::wkt::StringValue;
/// # use dunlin_testing::{Mock, Recorder, TestServer};
/// # const GREET: Method = Method::new("hello.Greeter", "Greet", "/hello.Greeter/Greet", CallKind::Unary);
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Status> {
/// # let mock = Mock::new();
/// # mock.on(GREET).reply(StringValue::default());
/// # let name = StringValue::default();
/// let recorder = Recorder::new();
/// let test = TestServer::builder().add_service(&mock).channel_interceptor(recorder.clone()).start();
/// let client = Client::new(test.channel());
/// let _: StringValue = client.unary(GREET, name.clone()).metadata("x-tenant", "a").await?;
///
/// recorder.of(GREET).only().assert_request(&name).assert_metadata("x-tenant", "a").assert_code(Code::Ok);
/// recorder.of("other.Service").assert_count(0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Recorder {
    log: Arc<Log>,
}

/// Calls and messages that a recorder keeps.
const LIMIT: usize = 100_000;

impl Default for Recorder {
    fn default() -> Self {
        Self::new()
    }
}

impl Recorder {
    /// One that has seen nothing, and keeps 100,000 calls and messages.
    pub fn new() -> Self {
        Self::with_limit(LIMIT)
    }

    /// One that keeps so many calls and messages, taken together. Once there are more, asking for calls
    /// panics: what is missing must not look as if it had not been.
    pub fn with_limit(limit: usize) -> Self {
        Self { log: Arc::new(Log::new(limit)) }
    }

    /// All calls, in the order of their begins.
    ///
    /// # Panics
    /// If there were more than it keeps.
    #[track_caller]
    pub fn calls(&self) -> Calls {
        self.log.calls(&Target::all())
    }

    /// The calls of a method, or of all that a pattern such as `shop.v1.*` matches.
    ///
    /// # Panics
    /// If the pattern is none, or there were more calls than it keeps.
    #[track_caller]
    pub fn of(&self, methods: impl Into<Target>) -> Calls {
        self.log.calls(&methods.into())
    }

    /// Waits until so many calls of these methods are over, and gives all that have begun.
    ///
    /// # Panics
    /// As [`of`](Self::of).
    pub async fn ended(&self, methods: impl Into<Target>, count: usize) -> Calls {
        self.log.ended(&methods.into(), count).await
    }

    /// Waits until so many calls of these methods have begun, and gives them.
    ///
    /// # Panics
    /// As [`of`](Self::of).
    pub async fn begun(&self, methods: impl Into<Target>, count: usize) -> Calls {
        self.log.begun(&methods.into(), count).await
    }

    /// Forgets what it has seen. Calls that are at work are not seen any more.
    pub fn clear(&self) {
        self.log.clear();
    }
}

/// Some of the calls that were recorded, as they were when they were asked for; a slice of them.
#[derive(Clone, Debug)]
pub struct Calls {
    calls: Vec<RecordedCall>,
    of: String,
}

impl Deref for Calls {
    type Target = [RecordedCall];

    fn deref(&self) -> &[RecordedCall] {
        &self.calls
    }
}

impl IntoIterator for Calls {
    type Item = RecordedCall;
    type IntoIter = std::vec::IntoIter<RecordedCall>;

    fn into_iter(self) -> Self::IntoIter {
        self.calls.into_iter()
    }
}

impl Calls {
    /// Panics unless there are so many.
    #[track_caller]
    pub fn assert_count(self, wanted: usize) -> Self {
        let found = self.calls.len();
        assert!(found == wanted, "wanted {wanted} calls of {}, saw {found}:{}", self.of, self.list());
        self
    }

    /// The one call there is.
    ///
    /// # Panics
    /// If there are others, or none.
    #[track_caller]
    pub fn only(self) -> RecordedCall {
        self.assert_count(1).calls.remove(0)
    }

    /// Panics unless the methods were called in this order, by their names without the service.
    #[track_caller]
    pub fn assert_order(self, wanted: &[&str]) -> Self {
        let found: Vec<&str> = self.calls.iter().map(|call| call.method().name()).collect();
        assert!(found == wanted, "wanted calls of {wanted:?}, saw {found:?}:{}", self.list());
        self
    }

    fn list(&self) -> String {
        match &self.calls[..] {
            [] => " none".to_owned(),
            calls => calls.iter().map(|call| format!("\n  {call}")).collect(),
        }
    }
}

/// What a recorder or a mock has seen.
#[derive(Debug)]
pub(crate) struct Log {
    inner: Mutex<Inner>,
    /// Counts changes.
    changes: watch::Sender<u64>,
}

#[derive(Debug)]
struct Inner {
    calls: Vec<RecordedCall>,
    /// Of the first call.
    first: u64,
    kept: usize,
    limit: usize,
    is_full: bool,
}

/// A call in the log.
pub(crate) type CallId = u64;

impl Log {
    fn new(limit: usize) -> Self {
        let inner = Inner { calls: Vec::new(), first: 0, kept: 0, limit, is_full: false };
        Self { inner: Mutex::new(inner), changes: watch::Sender::new(0) }
    }

    /// A poisoned lock is harmless: nothing that can panic leaves the state in between.
    fn inner(&self) -> MutexGuard<'_, Inner> {
        match self.inner.lock() {
            Ok(inner) => inner,
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    pub(crate) fn begin(&self, side: Side, method: Method, metadata: Metadata) -> CallId {
        let mut inner = self.inner();
        let id = inner.first + inner.calls.len() as u64;
        if !inner.has_room() {
            return CallId::MAX;
        }
        inner.calls.push(RecordedCall::new(side, method, metadata));
        drop(inner);
        self.changed();
        id
    }

    /// A message, or something else that is found out about a call.
    pub(crate) fn change(&self, id: CallId, change: impl FnOnce(&mut RecordedCall)) {
        let mut inner = self.inner();
        let place = id.checked_sub(inner.first).and_then(|place| usize::try_from(place).ok());
        if let Some(call) = place.and_then(|place| inner.calls.get_mut(place)) {
            change(call);
            drop(inner);
            self.changed();
        }
    }

    fn changed(&self) {
        self.changes.send_modify(|changes| *changes += 1);
    }

    pub(crate) fn message(&self, id: CallId, direction: Direction, message: RecordedMessage) {
        if self.inner().has_room() {
            self.change(id, |call| call.add(direction, message));
        }
    }

    #[track_caller]
    pub(crate) fn calls(&self, of: &Target) -> Calls {
        let inner = self.inner();
        let (is_full, limit) = (inner.is_full, inner.limit);
        let calls = inner.calls.iter().filter(|call| of.matches(call.method())).cloned().collect();
        drop(inner);
        assert!(!is_full, "more than {limit} calls and messages were recorded: raise `Recorder::with_limit`");
        Calls { calls, of: of.to_string() }
    }

    pub(crate) async fn ended(&self, of: &Target, count: usize) -> Calls {
        self.until(of, |calls| calls.iter().filter(|call| call.is_over()).count() >= count).await
    }

    pub(crate) async fn begun(&self, of: &Target, count: usize) -> Calls {
        self.until(of, |calls| calls.len() >= count).await
    }

    async fn until(&self, of: &Target, is_enough: impl Fn(&[RecordedCall]) -> bool) -> Calls {
        let mut changes = self.changes.subscribe();
        loop {
            let calls = self.calls(of);
            if is_enough(&calls) {
                return calls;
            }
            // The sender is here, so this fails never.
            let _ = changes.changed().await;
        }
    }

    fn clear(&self) {
        let mut inner = self.inner();
        inner.first += inner.calls.len() as u64;
        inner.calls.clear();
        (inner.kept, inner.is_full) = (0, false);
    }
}

impl Default for Log {
    fn default() -> Self {
        Self::new(LIMIT)
    }
}

impl Inner {
    /// Whether one more call or message is kept.
    fn has_room(&mut self) -> bool {
        self.kept += 1;
        self.is_full |= self.kept > self.limit;
        !self.is_full
    }
}

/// What the recorders of a call have made of it: each its own log.
#[derive(Default)]
struct Marks(Mutex<Vec<(usize, CallId)>>);

impl Recorder {
    fn key(&self) -> usize {
        Arc::as_ptr(&self.log).addr()
    }

    fn id(&self, call: &dyn CallView) -> CallId {
        let Some(marks) = call.extension::<Marks>() else { return CallId::MAX };
        let marks = marks.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let own = marks.iter().find(|(recorder, _)| *recorder == self.key());
        own.map_or(CallId::MAX, |(_, id)| *id)
    }
}

/// The metadata of the request, before it is on its way.
fn of_request(call: &dyn CallView) -> Metadata {
    match call.side() {
        Side::Server => call.incoming().clone(),
        Side::Client => {
            let mut metadata = Metadata::new();
            // Once it is on its way there is nothing to be read, and nothing is read.
            let _ = call.change_outgoing(&mut |outgoing| metadata = outgoing.clone());
            metadata
        }
    }
}

impl Interceptor for Recorder {
    async fn call(&self, cx: &mut CallContext, next: Next<'_>) -> Result<(), Status> {
        let id = self.id(&**cx.view());
        if cx.side() == Side::Client {
            // The interceptors around this one have added theirs by now.
            let metadata = of_request(&**cx.view());
            self.log.change(id, |call| call.set_metadata(metadata));
        }
        let result = next.run(cx).await;
        let headers = (cx.side() == Side::Client).then(|| cx.incoming().clone());
        let trailers = cx.trailers().clone();
        self.log.change(id, |call| call.set_response_metadata(headers, trailers));
        result
    }

    fn on_message(
        &self,
        call: &dyn CallView,
        direction: Direction,
        message: MessageRef<'_>,
    ) -> Result<(), Status> {
        let message = message.as_reflect();
        let bytes: Bytes = EncodeOptions::new().encode_to_vec(message).into();
        let table = message.table();
        let kept = RecordedMessage::new(bytes, table.full_name(), text::to_string(message));
        self.log.message(self.id(call), direction, kept);
        Ok(())
    }

    fn on_start(&self, call: &dyn CallView) {
        let id = self.log.begin(call.side(), call.method().clone(), of_request(call));
        if call.extension::<Marks>().is_none() {
            call.insert_extension(Marks::default());
        }
        if let Some(marks) = call.extension::<Marks>() {
            let mut marks = marks.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            marks.push((self.key(), id));
        }
    }

    fn on_end(&self, call: &dyn CallView, result: Result<(), &Status>) {
        let result = result.map_err(Clone::clone);
        self.log.change(self.id(call), |call| call.set_result(result));
    }

    fn interest(&self) -> Interest {
        Interest::CALLS.and(Interest::MESSAGES).and(Interest::ENDS)
    }
}
