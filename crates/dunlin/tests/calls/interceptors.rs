//! Interceptors on both sides, for calls of all kinds.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use dunlin::client::Client;
use dunlin::intercept::{
    CallContext, CallView, Direction, Interceptor, Interest, MessageRef, Next, Panicked, Side,
};
use dunlin::protobuf::json;
use dunlin::protobuf::wkt::StringValue;
use dunlin::{CallKind, Channel, Code, Method, Server, Status};

use crate::harness::{CHAT, LIST, Seen, UNARY, UPLOAD, add, ask, code, soon, text};

/// What happened, in order.
type Log = Arc<Mutex<Vec<String>>>;

fn note(log: &Log, line: impl Into<String>) {
    log.lock().unwrap().push(line.into());
}

fn lines(log: &Log) -> Vec<String> {
    std::mem::take(&mut log.lock().unwrap())
}

/// Waits until the log has a line that begins so; gives all lines.
async fn lines_until(log: &Log, wanted: &str) -> Vec<String> {
    let look = async {
        loop {
            if log.lock().unwrap().iter().any(|line| line.starts_with(wanted)) {
                return lines(log);
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), look)
        .await
        .unwrap_or_else(|_| panic!("no `{wanted}` in {:?}", lines(log)))
}

/// Writes down what it sees.
struct Witness {
    name: &'static str,
    log: Log,
    interest: Interest,
}

impl Witness {
    fn new(name: &'static str, log: &Log) -> Self {
        let interest = Interest::CALLS.and(Interest::MESSAGES).and(Interest::ENDS);
        Self { name, log: Arc::clone(log), interest }
    }
}

fn outcome(result: Result<(), &Status>) -> String {
    match result {
        Ok(()) => "OK".to_owned(),
        Err(status) => status.code().to_string(),
    }
}

impl Interceptor for Witness {
    async fn call(&self, cx: &mut CallContext, next: Next<'_>) -> Result<(), Status> {
        note(&self.log, format!("{} in", self.name));
        let result = next.run(cx).await;
        note(&self.log, format!("{} out {}", self.name, outcome(result.as_ref().copied())));
        result
    }

    fn on_message(&self, _: &dyn CallView, way: Direction, message: MessageRef<'_>) -> Result<(), Status> {
        note(&self.log, format!("{} {way:?} {}", self.name, json::to_string(&message.as_reflect()).unwrap()));
        Ok(())
    }

    fn on_start(&self, _: &dyn CallView) {
        note(&self.log, format!("{} start", self.name));
    }

    fn on_end(&self, call: &dyn CallView, result: Result<(), &Status>) {
        let counts = call.counts();
        note(&self.log, format!("{} end {} {}/{}", self.name, outcome(result), counts.received, counts.sent));
    }

    fn interest(&self) -> Interest {
        self.interest
    }
}

/// An interceptor out of a function that answers for some calls.
struct Gate<F>(F);

impl<F: Fn(&CallContext) -> Result<(), Status> + Send + Sync + 'static> Interceptor for Gate<F> {
    async fn call(&self, cx: &mut CallContext, next: Next<'_>) -> Result<(), Status> {
        (self.0)(cx)?;
        next.run(cx).await
    }
}

enum Transport {
    Tcp,
    InProcess,
}

const BOTH: [Transport; 2] = [Transport::Tcp, Transport::InProcess];

/// A client and a server, with interceptors.
async fn pair(
    transport: &Transport,
    of_server: impl FnOnce(dunlin::server::Builder) -> dunlin::server::Builder,
    of_client: impl FnOnce(dunlin::client::ChannelBuilder) -> dunlin::client::ChannelBuilder,
) -> Client {
    let builder = of_server(Server::builder().methods(|methods| add(methods, Arc::new(Seen::default()))));
    let channel = match transport {
        Transport::Tcp => {
            let bound = builder.bind("127.0.0.1:0").await.expect("a free port");
            let target = bound.local_addr().to_string();
            tokio::spawn(bound.serve());
            Channel::builder(target)
        }
        Transport::InProcess => {
            let server = builder.build().expect("a server").in_process();
            Channel::builder("test").in_process(server.connector())
        }
    };
    Client::new(of_client(channel).connect_lazy().expect("a channel"))
}

/// A call of each kind that goes well; what came back.
async fn call_all(client: &Client) -> Vec<Result<String, Status>> {
    let unary = ask(client, "hi").await;
    let upload = async {
        let mut upload = client.client_streaming::<StringValue, StringValue>(UPLOAD).await?;
        upload.send(text("a")).await?;
        upload.send(text("bc")).await?;
        upload.finish().await.map(|reply| reply.value)
    };
    let list = async {
        let mut list = client.server_streaming::<_, StringValue>(LIST, text("3")).await?;
        let mut all = String::new();
        while let Some(message) = list.next().await? {
            all += &message.value;
        }
        Ok(all)
    };
    let chat = async {
        let (mut sender, mut receiver) = client.bidi_streaming::<StringValue, StringValue>(CHAT).await?;
        let hello = receiver.next().await?.map(|message| message.value).unwrap_or_default();
        sender.send(text(" you")).await?;
        let echo = receiver.next().await?.map(|message| message.value).unwrap_or_default();
        sender.finish();
        match receiver.next().await? {
            None => Ok(hello + &echo),
            Some(more) => Err(Status::unknown(more.value)),
        }
    };
    vec![unary, soon(upload).await, soon(list).await, soon(chat).await]
}

#[tokio::test]
async fn interceptors_stand_around_each_other_in_the_order_in_which_they_were_added() {
    for transport in BOTH {
        let log = Log::default();
        let (outer, inner) = (Witness::new("outer", &log), Witness::new("inner", &log));
        let client =
            pair(&transport, |server| server.interceptor(outer).interceptor(inner), |channel| channel).await;
        assert_eq!(soon(ask(&client, "hi")).await.unwrap(), "echo hi");
        assert_eq!(
            lines(&log),
            [
                "outer start",
                "inner start",
                "outer in",
                "inner in",
                "outer Received \"hi\"",
                "inner Received \"hi\"",
                "outer Sent \"echo hi\"",
                "inner Sent \"echo hi\"",
                "inner out OK",
                "outer out OK",
                "inner end OK 1/1",
                "outer end OK 1/1",
            ]
        );
    }
}

#[tokio::test]
async fn both_sides_see_calls_of_all_kinds_and_their_messages() {
    for transport in BOTH {
        for is_around in [true, false] {
            let (server, client) = (Log::default(), Log::default());
            let mut witnesses = [Witness::new("s", &server), Witness::new("c", &client)];
            if !is_around {
                witnesses
                    .iter_mut()
                    .for_each(|witness| witness.interest = Interest::MESSAGES.and(Interest::ENDS));
            }
            let [of_server, of_client] = witnesses;
            let calls = pair(
                &transport,
                |builder| builder.interceptor(of_server),
                |builder| builder.interceptor(of_client),
            );
            let results = call_all(&calls.await).await;
            let texts: Vec<_> = results.into_iter().map(|result| result.unwrap()).collect();
            assert_eq!(texts, ["echo hi", "2 3", "012", "hello you"]);
            let sorted = |log: &Log, name: &str| {
                let mut lines = lines(log);
                // Messages of one direction stay in order; which direction comes first is a race.
                lines.sort_by_key(|line| (line.contains("Sent"), line.contains("Received")));
                lines.retain(|line| line.starts_with(name));
                lines
            };
            let of_server = sorted(&server, "s");
            let of_client = sorted(&client, "c");
            let ends = |lines: &[String]| -> Vec<String> {
                lines.iter().filter(|line| line.contains(" end ")).cloned().collect()
            };
            assert_eq!(ends(&of_server), ["s end OK 1/1", "s end OK 2/1", "s end OK 1/3", "s end OK 1/2"]);
            assert_eq!(ends(&of_client), ["c end OK 1/1", "c end OK 1/2", "c end OK 3/1", "c end OK 2/1"]);
            let of = |lines: &[String], way: &str| -> Vec<String> {
                let found = lines.iter().filter_map(|line| line.split_once(way));
                found.map(|(_, message)| message.trim().trim_matches('"').to_owned()).collect()
            };
            let requests = ["hi", "a", "bc", "3", " you"].map(|text| text.trim().to_owned());
            let responses = ["echo hi", "2 3", "0", "1", "2", "hello", "you"];
            for (lines, received, sent) in [
                (&of_server, &requests[..], &responses.map(str::to_owned)[..]),
                (&of_client, &responses.map(str::to_owned)[..], &requests[..]),
            ] {
                assert_eq!(
                    of(lines, "Received \"").iter().map(|text| text.trim().to_owned()).collect::<Vec<_>>(),
                    received
                );
                assert_eq!(
                    of(lines, "Sent \"").iter().map(|text| text.trim().to_owned()).collect::<Vec<_>>(),
                    sent
                );
            }
            let around = of_server.iter().chain(&of_client).filter(|line| line.contains(" out ")).count();
            assert_eq!(around, if is_around { 8 } else { 0 });
        }
    }
}

#[tokio::test]
async fn what_an_interceptor_refuses_no_method_sees() {
    for transport in BOTH {
        for on_client in [false, true] {
            let log = Log::default();
            let inner = Witness::new("inner", &log);
            let refuse = |_: &CallContext| Err(Status::permission_denied("not you"));
            let client = pair(
                &transport,
                |server| match on_client {
                    false => server.interceptor(Gate(refuse)).interceptor(inner),
                    true => server,
                },
                |channel| if on_client { channel.interceptor(Gate(refuse)) } else { channel },
            )
            .await;
            for result in call_all(&client).await {
                assert_eq!(code(result), (Code::PermissionDenied, "not you".to_owned()));
            }
            let seen = lines(&log);
            assert!(
                seen.iter().all(|line| line.contains(" start") || line.contains(" end PERMISSION")),
                "{seen:?}"
            );
        }
    }
}

#[tokio::test]
async fn the_status_of_a_call_is_what_the_outermost_says() {
    struct Translate;
    impl Interceptor for Translate {
        async fn call(&self, cx: &mut CallContext, next: Next<'_>) -> Result<(), Status> {
            let result = next.run(cx).await;
            cx.trailers_mut().insert("x-seen", "yes").unwrap();
            result.map_err(|status| Status::aborted(format!("was {}", status.code())))?;
            Err(Status::out_of_range("well, no"))
        }
    }
    for transport in BOTH {
        for on_client in [false, true] {
            let client = pair(
                &transport,
                |server| if on_client { server } else { server.interceptor(Translate) },
                |channel| if on_client { channel.interceptor(Translate) } else { channel },
            )
            .await;
            for result in call_all(&client).await {
                assert_eq!(code(result), (Code::OutOfRange, "well, no".to_owned()));
            }
            assert_eq!(code(soon(ask(&client, "fail x")).await), (Code::Aborted, "was NOT_FOUND".to_owned()));
            let mut list = soon(client.server_streaming::<_, StringValue>(LIST, text("1 13"))).await.unwrap();
            assert!(soon(list.next()).await.unwrap().is_some());
            assert_eq!(code(soon(list.next()).await), (Code::Aborted, "was DATA_LOSS".to_owned()));
            assert_eq!(list.trailers().get("x-seen"), Some("yes"));
        }
    }
}

#[tokio::test]
async fn a_panic_is_a_status_for_those_outside() {
    struct Panics;
    impl Interceptor for Panics {
        async fn call(&self, cx: &mut CallContext, next: Next<'_>) -> Result<(), Status> {
            assert!(!cx.incoming().contains("x-panic"), "in an interceptor");
            next.run(cx).await
        }
    }
    struct Texts(Log);
    impl Interceptor for Texts {
        async fn call(&self, cx: &mut CallContext, next: Next<'_>) -> Result<(), Status> {
            next.run(cx).await.inspect_err(|status| note(&self.0, &*Panicked::of(status).unwrap().text))
        }
    }
    for transport in BOTH {
        let log = Log::default();
        let texts = Texts(Arc::clone(&log));
        let client =
            pair(&transport, |server| server.interceptor(texts).interceptor(Panics), |channel| channel).await;
        let (found, message) = code(soon(ask(&client, "panic in a method")).await);
        assert_eq!(found, Code::Internal);
        assert!(message.starts_with("internal error, incident "), "{message}");
        let call = client.unary::<_, StringValue>(UNARY, text("hi")).metadata("x-panic", "1");
        assert_eq!(code(soon(call).await).0, Code::Internal);
        let (mut sender, mut receiver) =
            soon(client.bidi_streaming::<StringValue, StringValue>(CHAT)).await.unwrap();
        soon(sender.send(text("panic"))).await.unwrap();
        assert_eq!(soon(receiver.next()).await.unwrap().unwrap().value, "hello");
        assert_eq!(code(soon(receiver.next()).await).0, Code::Internal);
        assert_eq!(lines(&log), ["in a method", "in an interceptor", "in a stream"]);
        assert_eq!(soon(ask(&client, "hi")).await.unwrap(), "echo hi");
    }
}

#[tokio::test]
async fn a_call_that_is_cancelled_is_told_once() {
    for transport in BOTH {
        for is_around in [true, false] {
            let (server, client) = (Log::default(), Log::default());
            let mut witnesses = [Witness::new("s", &server), Witness::new("c", &client)];
            if !is_around {
                witnesses.iter_mut().for_each(|witness| witness.interest = Interest::ENDS);
            }
            let [of_server, of_client] = witnesses;
            let calls = pair(
                &transport,
                |builder| builder.interceptor(of_server),
                |builder| builder.interceptor(of_client),
            )
            .await;
            let waiting = tokio::spawn(calls.unary::<_, StringValue>(UNARY, text("wait")));
            lines_until(&server, "s start").await;
            waiting.abort();
            for (log, end) in [(&server, "s end CANCELLED"), (&client, "c end CANCELLED")] {
                lines_until(log, end).await;
            }
            let (sender, mut receiver) =
                soon(calls.bidi_streaming::<StringValue, StringValue>(CHAT)).await.unwrap();
            assert!(soon(receiver.next()).await.unwrap().is_some());
            drop((sender, receiver));
            for (log, end) in [(&server, "s end CANCELLED"), (&client, "c end CANCELLED")] {
                lines_until(log, end).await;
            }
            let call = calls.unary::<_, StringValue>(UNARY, text("wait")).timeout(Duration::from_millis(20));
            assert_eq!(code(soon(call).await).0, Code::DeadlineExceeded);
            lines_until(&client, "c end DEADLINE_EXCEEDED").await;
            let at_server = lines_until(&server, "s end ").await;
            assert_eq!(at_server.iter().filter(|line| line.contains(" end ")).count(), 1, "{at_server:?}");
        }
    }
}

#[tokio::test]
async fn messages_that_are_refused_do_not_pass() {
    struct Polite;
    impl Interceptor for Polite {
        fn on_message(&self, _: &dyn CallView, _: Direction, message: MessageRef<'_>) -> Result<(), Status> {
            match json::to_string(&message.as_reflect()).unwrap().contains("rude") {
                true => Err(Status::invalid_argument("be polite")),
                false => Ok(()),
            }
        }
        fn interest(&self) -> Interest {
            Interest::MESSAGES
        }
    }
    let refused = (Code::InvalidArgument, "be polite".to_owned());
    for transport in BOTH {
        for on_client in [false, true] {
            let client = pair(
                &transport,
                |server| if on_client { server } else { server.interceptor(Polite) },
                |channel| if on_client { channel.interceptor(Polite) } else { channel },
            )
            .await;
            assert_eq!(code(soon(ask(&client, "rude")).await), refused);
            let (mut sender, mut receiver) =
                soon(client.bidi_streaming::<StringValue, StringValue>(CHAT)).await.unwrap();
            assert!(soon(receiver.next()).await.unwrap().is_some());
            match soon(sender.send(text("rude"))).await {
                Err(status) => assert!(on_client, "{status}"),
                Ok(()) => assert_eq!(code(soon(receiver.next()).await), refused),
            }
            assert_eq!(soon(ask(&client, "kind")).await.unwrap(), "echo kind");
        }
    }
}

#[tokio::test]
async fn metadata_and_values_go_in_and_out() {
    struct Tagged(&'static str);
    impl Interceptor for Tagged {
        async fn call(&self, cx: &mut CallContext, next: Next<'_>) -> Result<(), Status> {
            cx.append_header("x-header", self.0)?;
            if let Some(tag) = cx.incoming().get("x-header") {
                cx.insert_extension(tag.to_owned());
                let tag = format!("{tag} at {}", cx.peer().is_some());
                cx.trailers_mut().insert("x-tag", tag).unwrap();
            }
            let result = next.run(cx).await;
            // A server sends the headers of one response with it.
            assert!(cx.side() == Side::Server || cx.insert_header("x-late", "1").is_err());
            result
        }
    }
    for transport in BOTH {
        let client = pair(
            &transport,
            |server| server.interceptor(Tagged("server")),
            |channel| channel.interceptor(Tagged("client")),
        )
        .await;
        let call = client.unary::<_, StringValue>(UNARY, text("metadata x-header"));
        let response = soon(call.response()).await.unwrap();
        assert_eq!(response.value, "client");
        // The method has replaced what the interceptor had appended.
        assert_eq!(response.headers().get("x-header"), Some("client"));
        assert_eq!(response.trailers().get("x-tag"), Some("client at true"));
        let mut list = soon(client.server_streaming::<_, StringValue>(LIST, text("1"))).await.unwrap();
        assert_eq!(soon(list.headers()).await.get("x-header"), Some("server"));
    }
}

#[tokio::test]
async fn an_interceptor_shortens_a_deadline_on_either_side() {
    struct Short;
    impl Interceptor for Short {
        async fn call(&self, cx: &mut CallContext, next: Next<'_>) -> Result<(), Status> {
            cx.limit_deadline(cx.began() + Duration::from_millis(50));
            cx.limit_deadline(cx.began() + Duration::from_secs(50));
            next.run(cx).await
        }
    }
    for transport in BOTH {
        for on_client in [false, true] {
            let client = pair(
                &transport,
                |server| if on_client { server } else { server.interceptor(Short) },
                |channel| if on_client { channel.interceptor(Short) } else { channel },
            )
            .await;
            assert_eq!(code(soon(ask(&client, "wait")).await).0, Code::DeadlineExceeded);
            let call = client.unary::<_, StringValue>(UNARY, text("remaining"));
            let remaining: u32 =
                soon(call.timeout(Duration::from_secs(9))).await.unwrap().value.parse().unwrap();
            assert!(remaining <= 50, "{remaining}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_holds_while_a_call_is_with_an_interceptor() {
    struct Slow;
    impl Interceptor for Slow {
        async fn call(&self, cx: &mut CallContext, next: Next<'_>) -> Result<(), Status> {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            next.run(cx).await
        }
    }
    for on_client in [false, true] {
        let client = pair(
            &Transport::InProcess,
            |server| if on_client { server } else { server.interceptor(Slow) },
            |channel| if on_client { channel.interceptor(Slow) } else { channel },
        )
        .await;
        let before = tokio::time::Instant::now();
        let call = client.unary::<_, StringValue>(UNARY, text("hi")).timeout(Duration::from_secs(5));
        assert_eq!(code(call.await).0, Code::DeadlineExceeded);
        let call = client.bidi_streaming::<StringValue, StringValue>(CHAT).timeout(Duration::from_secs(5));
        let found = match call.await {
            Ok((_sender, mut receiver)) => receiver.next().await.map(drop),
            Err(status) => Err(status),
        };
        assert_eq!(code(found).0, Code::DeadlineExceeded);
        assert_eq!(before.elapsed().as_secs(), 10);
    }
}

#[tokio::test]
async fn a_stream_that_an_interceptor_gives_up_is_over_for_both_sides() {
    struct Patience;
    impl Interceptor for Patience {
        async fn call(&self, cx: &mut CallContext, next: Next<'_>) -> Result<(), Status> {
            let late = |_| Err(Status::aborted("no patience"));
            tokio::time::timeout(Duration::from_millis(50), next.run(cx)).await.unwrap_or_else(late)
        }
    }
    for transport in BOTH {
        for on_client in [false, true] {
            let log = Log::default();
            let mut witness = Witness::new("s", &log);
            witness.interest = Interest::ENDS;
            let client = pair(
                &transport,
                |server| {
                    let server = server.interceptor(witness);
                    if on_client { server } else { server.interceptor(Patience) }
                },
                |channel| if on_client { channel.interceptor(Patience) } else { channel },
            )
            .await;
            let (mut sender, mut receiver) =
                soon(client.bidi_streaming::<StringValue, StringValue>(CHAT)).await.unwrap();
            assert!(soon(receiver.next()).await.unwrap().is_some());
            assert_eq!(code(soon(receiver.next()).await), (Code::Aborted, "no patience".to_owned()));
            let failed = async {
                while sender.send(text("x")).await.is_ok() {
                    tokio::task::yield_now().await;
                }
            };
            soon(failed).await;
            let end = if on_client { "s end CANCELLED" } else { "s end ABORTED" };
            lines_until(&log, end).await;
        }
    }
}

#[tokio::test]
async fn methods_that_are_not_there_are_seen_and_selected() {
    struct Knows(Log);
    impl Interceptor for Knows {
        fn on_end(&self, call: &dyn CallView, result: Result<(), &Status>) {
            note(&self.0, format!("{} {} {}", call.method(), call.is_registered(), outcome(result)));
        }
        fn interest(&self) -> Interest {
            Interest::ENDS
        }
    }
    for transport in BOTH {
        let log = Log::default();
        let all = Knows(Arc::clone(&log));
        let others = Gate(|_: &CallContext| Err(Status::unauthenticated("who are you"))).except("test.*");
        let client =
            pair(&transport, |server| server.interceptor(all).interceptor(others), |channel| channel).await;
        let call = |method| client.unary::<_, StringValue>(method, text("x"));
        let method = |path: &'static str| Method::from_path(path, CallKind::Unary).unwrap();
        assert_eq!(soon(ask(&client, "hi")).await.unwrap(), "echo hi");
        let (found, message) = code(soon(call(method("/test.Echo/Other"))).await);
        assert_eq!((found, &*message), (Code::Unimplemented, "service test.Echo has no method Other"));
        assert_eq!(code(soon(call(method("/a.B/C"))).await).0, Code::Unauthenticated);
        assert_eq!(
            lines(&log),
            [
                "/test.Echo/Unary true OK",
                "/test.Echo/Other false UNIMPLEMENTED",
                "/a.B/C false UNAUTHENTICATED"
            ]
        );
    }
}

#[tokio::test]
async fn a_call_has_interceptors_of_its_own_within_those_of_the_channel() {
    let log = Log::default();
    let names = ["channel", "client", "call"].map(|name| {
        let mut witness = Witness::new(name, &log);
        witness.interest = Interest::CALLS;
        witness
    });
    let [of_channel, of_client, of_call] = names;
    let client =
        pair(&Transport::InProcess, |server| server, |channel| channel.interceptor(of_channel)).await;
    let client = client.with_options(dunlin::CallOptions::new().interceptor(of_client));
    let options = dunlin::CallOptions::new().interceptor(of_call);
    soon(client.unary::<_, StringValue>(UNARY, text("hi")).options(options)).await.unwrap();
    let entered: Vec<_> = lines(&log).into_iter().filter(|line| line.ends_with(" in")).collect();
    assert_eq!(entered, ["channel in", "client in", "call in"]);
}

#[tokio::test]
async fn an_ok_without_a_response_is_no_success() {
    struct Lazy;
    impl Interceptor for Lazy {
        async fn call(&self, _: &mut CallContext, _: Next<'_>) -> Result<(), Status> {
            Ok(())
        }
    }
    for on_client in [false, true] {
        let client = pair(
            &Transport::InProcess,
            |server| if on_client { server } else { server.interceptor(Lazy) },
            |channel| if on_client { channel.interceptor(Lazy) } else { channel },
        )
        .await;
        let (found, message) = code(soon(ask(&client, "hi")).await);
        assert_eq!(found, Code::Internal);
        assert!(message.contains("an interceptor has answered OK"), "{message}");
    }
}
