//! Faults: what goes wrong between a client and a server, when a test wants it.

mod frame;
mod meter;
mod pump;
mod relay;
mod rule;

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use dunlin_client::{BoxFuture, Dial};
use dunlin_grpc::intercept::{CallContext, Interceptor, Next, Pattern};
use dunlin_grpc::{Method, Status};
use dunlin_http2::ErrorCode;
use dunlin_transport::{ConnectionInfo, Connector, Endpoint, Io, pipe};

pub(crate) use pump::stand_before;
pub use rule::FaultRule;
use rule::{Action, Rule, WireFault, WireKind};

/// Methods: one, or all that a [`Pattern`] matches.
///
/// Made from a [`Method`], or from a text such as `shop.v1.ShopService/GetProduct`, `shop.v1.*` or `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target(Pattern);

impl Target {
    #[track_caller]
    pub(crate) fn all() -> Self {
        "*".into()
    }

    pub(crate) fn matches(&self, method: &Method) -> bool {
        self.0.matches(method)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<&str> for Target {
    /// # Panics
    /// If the text is no pattern.
    #[track_caller]
    fn from(text: &str) -> Self {
        match text.parse() {
            Ok(pattern) => Self(pattern),
            Err(error) => panic!("{error}"),
        }
    }
}

impl From<&Method> for Target {
    #[track_caller]
    fn from(method: &Method) -> Self {
        method.path().into()
    }
}

impl From<Method> for Target {
    #[track_caller]
    fn from(method: Method) -> Self {
        method.path().into()
    }
}

/// What goes wrong, and when. Clones are the same faults, and more may be added at any time.
///
/// A [`TestServer`](crate::TestServer) is given them by
/// [`faults`](crate::TestServerBuilder::faults), and then all kinds work. Elsewhere those of the upper half
/// of the table are an interceptor, on either side, and those of the lower half a
/// [`dialer`](Self::dialer) of a channel.
///
/// | fault | what the caller sees |
/// |---|---|
/// | [`delay`](On::delay) | nothing but the time, or DEADLINE_EXCEEDED |
/// | [`fail`](On::fail), [`fail_late`](On::fail_late) | the status |
/// | [`reset`](On::reset) | CANCELLED by `CANCEL`, RESOURCE_EXHAUSTED by `ENHANCE_YOUR_CALM`, UNAVAILABLE by `REFUSED_STREAM` (after one more attempt), INTERNAL by most others |
/// | [`goaway`](On::goaway) | nothing, as the call is made again on another connection; UNAVAILABLE if it can not be, or a second time |
/// | [`disconnect`](On::disconnect) | UNAVAILABLE |
/// | [`truncate`](On::truncate), [`cut_message`](On::cut_message) | INTERNAL, behind the messages that were whole |
/// | [`cut_request`](On::cut_request) | INTERNAL, from the server, whose method reads INTERNAL too |
/// | [`refuse_connections`](Self::refuse_connections) | UNAVAILABLE, or a longer wait by `wait_for_ready` |
///
/// ```
/// # use dunlin_client::Client;
/// # use dunlin_grpc::{CallKind, Code, Method, Status};
/// # use dunlin_protobuf::wkt::StringValue;
/// # use dunlin_testing::{Faults, Mock, TestServer};
/// # const LIST: Method = Method::new("shop.Shop", "List", "/shop.Shop/List", CallKind::ServerStreaming);
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Status> {
/// # let mock = Mock::new();
/// # mock.on(LIST).stream([StringValue::default(), StringValue::default()]);
/// let faults = Faults::new();
/// // The second list breaks off behind its first message.
/// let rule = faults.on(LIST).truncate().after(1).nth(2);
///
/// let test = TestServer::builder().add_service(&mock).faults(&faults).start();
/// let client = Client::new(test.channel());
/// for wanted in [Ok(2), Err(Code::Internal)] {
///     let mut list = client.server_streaming::<_, StringValue>(LIST, StringValue::default()).await?;
///     let mut count = 0;
///     let found = loop {
///         match list.next().await {
///             Ok(Some(_)) => count += 1,
///             Ok(None) => break Ok(count),
///             Err(status) => break Err(status.code()),
///         }
///     };
///     assert_eq!(found, wanted);
/// }
/// assert_eq!(rule.count(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Faults {
    rules: Arc<Mutex<Vec<Rule>>>,
}

impl Faults {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A poisoned lock is harmless: nothing that can panic leaves the state in between.
    fn rules(&self) -> MutexGuard<'_, Vec<Rule>> {
        match self.rules.lock() {
            Ok(rules) => rules,
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    /// What is to happen to calls of these methods: a method, or a pattern such as `shop.v1.*`.
    ///
    /// # Panics
    /// If the pattern is none.
    #[track_caller]
    pub fn on(&self, methods: impl Into<Target>) -> On {
        On { faults: self.clone(), target: methods.into() }
    }

    /// What is to happen to all calls.
    pub fn on_all(&self) -> On {
        self.on(Target::all())
    }

    /// Connections are closed as soon as they are made; [`times`](FaultRule::times) and its like count
    /// connections.
    pub fn refuse_connections(&self) -> FaultRule {
        self.add(Target::all(), Action::Refuse)
    }

    /// Nothing goes wrong any more.
    pub fn clear(&self) {
        // The places stay, as rules may be looked at still.
        self.rules().iter_mut().for_each(Rule::disable);
    }

    /// Connects a channel to a server elsewhere, over clear text, with the faults of connections in
    /// between: `Channel::builder(target).dial(faults.dialer(), false)`.
    pub fn dialer(&self) -> FaultyDialer {
        FaultyDialer { faults: self.clone() }
    }

    fn add(&self, target: Target, action: Action) -> FaultRule {
        let mut rules = self.rules();
        rules.push(Rule::new(target, action));
        FaultRule::new(self.clone(), rules.len() - 1)
    }

    /// What interceptors do to this call.
    fn of_call(&self, method: &Method) -> Around {
        let mut around = Around::default();
        for rule in self.rules().iter_mut().filter(|rule| rule.target.matches(method)) {
            if matches!(rule.action, Action::Wire(_) | Action::Refuse) || !rule.fires() {
                continue;
            }
            match &rule.action {
                Action::Delay(delay) => around.delay += *delay,
                Action::Fail(status) => {
                    around.before.get_or_insert_with(|| status.clone());
                }
                Action::FailLate(status) => {
                    around.behind.get_or_insert_with(|| status.clone());
                }
                Action::Wire(_) | Action::Refuse => {}
            }
        }
        around
    }

    /// What happens to the stream of this call.
    fn of_stream(&self, method: &Method) -> Option<WireFault> {
        let mut rules = self.rules();
        let of_method = rules.iter_mut().filter(|rule| rule.target.matches(method));
        of_method
            .filter_map(|rule| match rule.action {
                Action::Wire(kind) => rule.fires().then_some(WireFault { kind, after: rule.after }),
                _ => None,
            })
            .next()
    }

    /// Whether a connection that was just made is closed.
    fn refuses(&self) -> bool {
        let mut rules = self.rules();
        rules.iter_mut().any(|rule| matches!(rule.action, Action::Refuse) && rule.fires())
    }
}

/// What interceptors do.
#[derive(Default)]
struct Around {
    delay: Duration,
    before: Option<Status>,
    behind: Option<Status>,
}

impl Interceptor for Faults {
    async fn call(&self, cx: &mut CallContext, next: Next<'_>) -> Result<(), Status> {
        let around = self.of_call(cx.method());
        if !around.delay.is_zero() {
            tokio::time::sleep(around.delay).await;
        }
        if let Some(status) = around.before {
            return Err(status);
        }
        let result = next.run(cx).await;
        match around.behind {
            Some(status) => Err(status),
            None => result,
        }
    }
}

/// Some methods, to which something is to happen.
///
/// If several faults are for one call, delays add up, of statuses the first holds, and of those below calls
/// the first.
#[derive(Clone, Debug)]
#[must_use = "nothing happens until it is said what"]
pub struct On {
    faults: Faults,
    target: Target,
}

impl On {
    /// Calls wait so long before they go on. On a server that is before the method.
    pub fn delay(self, delay: Duration) -> FaultRule {
        self.add(Action::Delay(delay))
    }

    /// Calls fail without having been made. On a server the method does not run.
    pub fn fail(self, status: Status) -> FaultRule {
        self.add(Action::Fail(status))
    }

    /// Calls fail once they are done, whatever came of them: the method has run, and the client does not
    /// know. Messages of a stream have been seen by then.
    pub fn fail_late(self, status: Status) -> FaultRule {
        self.add(Action::FailLate(status))
    }

    /// Streams are reset: RST_STREAM to the client with this code, to the server with CANCEL. At the begin,
    /// before the server has a whole request, or [`after`](FaultRule::after) some responses.
    pub fn reset(self, code: ErrorCode) -> FaultRule {
        self.wire(WireKind::Reset(code))
    }

    /// The server goes away: GOAWAY with this code. At the begin, the call is the first that was not
    /// processed; [`after`](FaultRule::after) some responses, it and those that have begun may end.
    pub fn goaway(self, code: ErrorCode) -> FaultRule {
        self.wire(WireKind::GoAway(code))
    }

    /// The connection is closed, for all of its calls: at the begin, or [`after`](FaultRule::after) some
    /// responses.
    pub fn disconnect(self) -> FaultRule {
        self.wire(WireKind::Disconnect)
    }

    /// Responses end without trailers: behind the headers, or [`after`](FaultRule::after) some messages. A
    /// response that is a status only is left as it is.
    pub fn truncate(self) -> FaultRule {
        self.wire(WireKind::Truncate)
    }

    /// Responses end within a message: the first, or the one [`after`](FaultRule::after) some others. A
    /// response without that message is left as it is.
    pub fn cut_message(self) -> FaultRule {
        self.wire(WireKind::CutMessage)
    }

    /// Requests end within a message: the first, or the one [`after`](FaultRule::after) some others. Calls
    /// without that message are left as they are.
    pub fn cut_request(self) -> FaultRule {
        self.wire(WireKind::CutRequest)
    }

    fn wire(self, kind: WireKind) -> FaultRule {
        self.add(Action::Wire(kind))
    }

    fn add(self, action: Action) -> FaultRule {
        self.faults.add(self.target, action)
    }
}

/// Connects with faults in between; made by [`Faults::dialer`].
#[derive(Clone, Debug)]
pub struct FaultyDialer {
    faults: Faults,
}

impl Dial for FaultyDialer {
    fn dial<'a>(
        &'a self,
        endpoint: &'a Endpoint,
        name: &'a str,
    ) -> BoxFuture<'a, io::Result<(Io, ConnectionInfo)>> {
        Box::pin(async move {
            if self.faults.refuses() {
                return Err(io::Error::new(io::ErrorKind::ConnectionRefused, "refused by a fault"));
            }
            let (server, info) =
                Connector::new().connect_as(endpoint, name).await.map_err(io::Error::other)?;
            let (near, far) = pipe::pair(pipe::DEFAULT_CAPACITY);
            tokio::spawn(pump::pump(Io::Pipe(far), server, self.faults.clone()));
            Ok((Io::Pipe(near), info))
        })
    }
}
