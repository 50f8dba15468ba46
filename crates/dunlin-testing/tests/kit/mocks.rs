//! Mocks of methods of all kinds.

use std::sync::Arc;
use std::time::Duration;

use dunlin_client::Client;
use dunlin_grpc::{Code, Status};
use dunlin_proto::grpc::health::v1::{HealthCheckRequest, HealthCheckResponse};
use dunlin_protobuf::descriptor::{DescriptorMessage, FileDescriptorSet};
use dunlin_protobuf::dynamic::DynamicPool;
use dunlin_protobuf::wkt::{Int32Value, StringValue};
use dunlin_testing::{Mock, Recorder, TestServer};

use crate::harness::{
    CHAT, LIST, UNARY, UPLOAD, ask, chat_all, code, list_all, panic_of, read, send, soon, text,
};

fn client_of(test: &TestServer) -> Client {
    Client::new(test.channel())
}

fn words(all: &[&str]) -> Vec<String> {
    all.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn methods_of_all_kinds_answer_as_they_are_told() {
    // Rules may come before the server, which knows the methods then, or after it.
    for is_early in [true, false] {
        let mock = Mock::new();
        let rules = |mock: &Mock| {
            mock.on(UNARY).reply(text("one"));
            mock.on(UPLOAD).reply(text("thanks"));
            mock.on(LIST).stream([text("a"), text("b")]);
            mock.on(CHAT).stream([text("hello"), text("bye")]);
        };
        if is_early {
            rules(&mock);
        }
        let test = TestServer::new(&mock);
        if !is_early {
            rules(&mock);
        }
        let client = client_of(&test);
        assert_eq!(ask(&client, "x").await.unwrap(), "one");
        assert_eq!(send(&client, &["x", "y"]).await.unwrap(), "thanks");
        let (listed, end) = list_all(&client, "x").await;
        assert_eq!((listed, end.is_ok()), (words(&["a", "b"]), true));
        let (said, end) = chat_all(&client, &["x"]).await;
        assert_eq!((said, end.is_ok()), (words(&["hello", "bye"]), true));

        mock.ended("test.Echo", 4).await.assert_order(&["Unary", "Upload", "List", "Chat"]);
        mock.of(UPLOAD).only().assert_requests(&[text("x"), text("y")]).assert_response(&text("thanks"));
        mock.of(LIST).only().assert_request(&text("x")).assert_code(Code::Ok);
        mock.of(CHAT).only().assert_responses(&[text("hello"), text("bye")]);
        mock.verify();
    }
}

#[tokio::test]
async fn functions_answer_with_what_they_make_of_requests() {
    let mock = Mock::new();
    mock.on(UNARY).with(|request: StringValue| match request.value.as_str() {
        "" => Err(Status::invalid_argument("nothing")),
        value => Ok(text(value.to_uppercase())),
    });
    mock.on(UPLOAD).with_all(|requests: Vec<StringValue>| Ok(text(requests.len().to_string())));
    mock.on(LIST).with_stream(|request: StringValue| Ok(request.value.chars().map(text).collect()));
    mock.on(CHAT).with_each(|request: StringValue| match request.value.as_str() {
        "stop" => Err(Status::out_of_range("enough")),
        value => Ok(vec![text(value), text("again")]),
    });
    let test = TestServer::new(&mock);
    let client = client_of(&test);
    assert_eq!(ask(&client, "x").await.unwrap(), "X");
    assert_eq!(code(ask(&client, "").await), (Code::InvalidArgument, "nothing".into()));
    assert_eq!(send(&client, &["a", "b", "c"]).await.unwrap(), "3");
    assert_eq!(list_all(&client, "abc").await.0, words(&["a", "b", "c"]));
    let (said, end) = chat_all(&client, &["x", "stop"]).await;
    assert_eq!((said, code(end)), (words(&["x", "again"]), (Code::OutOfRange, "enough".into())));
    // A function that takes another type says so.
    mock.on(UPLOAD).with_all(|_: Vec<Int32Value>| Ok(text("")));
}

#[tokio::test]
async fn rules_are_used_in_order_and_as_often_as_they_say() {
    let mock = Mock::new();
    let first = mock.on(UNARY).fail(Status::unavailable("later")).times(2);
    mock.on(UNARY).when(|request: &StringValue| request.value == "a").reply(text("for a"));
    mock.on(UNARY).reply(text("for others")).header("x-h", "1").trailer("x-t", "2");
    let test = TestServer::new(&mock);
    let client = client_of(&test);
    for _ in 0..2 {
        assert_eq!(code(ask(&client, "a").await), (Code::Unavailable, "later".into()));
    }
    assert_eq!(ask(&client, "a").await.unwrap(), "for a");
    let response = soon(client.unary::<_, StringValue>(UNARY, text("b")).response()).await.unwrap();
    assert_eq!(response.value, "for others");
    assert_eq!((response.headers().get("x-h"), response.trailers().get("x-t")), (Some("1"), Some("2")));
    assert_eq!(first.count(), 2);
    mock.verify();
}

#[tokio::test]
async fn a_stream_may_end_badly_behind_its_messages() {
    let mock = Mock::new();
    mock.on(LIST).stream([text("a")]).then_fail(Status::data_loss("gone"));
    mock.on(CHAT).stream([text("b")]).then_fail(Status::aborted("enough"));
    mock.on(UPLOAD).fail(Status::permission_denied("not you"));
    let test = TestServer::new(&mock);
    let client = client_of(&test);
    let (listed, end) = list_all(&client, "x").await;
    assert_eq!((listed, code(end)), (words(&["a"]), (Code::DataLoss, "gone".into())));
    let (mut sender, responses) =
        soon(client.bidi_streaming::<StringValue, StringValue>(CHAT)).await.unwrap();
    let (said, end) = read(responses).await;
    assert_eq!((said, code(end)), (words(&["b"]), (Code::Aborted, "enough".into())));
    assert!(soon(sender.send(text("x"))).await.is_err());
    assert_eq!(code(send(&client, &["x"]).await).0, Code::PermissionDenied);
}

#[tokio::test]
async fn calls_that_no_rule_is_for_fail_and_are_told_at_the_end() {
    let mock = Mock::new();
    mock.on(UNARY).when(|request: &StringValue| request.value == "a").reply(text("b")).times(1);
    mock.on(LIST).stream([text("a")]).times(2);
    let test = TestServer::new(&mock);
    let client = client_of(&test);
    let (found, message) = code(ask(&client, "x").await);
    assert_eq!(found, Code::Unimplemented);
    assert_eq!(
        message,
        "unexpected call of /test.Echo/Unary(\"\\n\\x01x\"): none of the mock's 1 rules is for this request, or is left"
    );
    let (found, message) = code(chat_all(&client, &["x"]).await.1);
    assert_eq!(found, Code::Unimplemented);
    assert!(message.ends_with("/test.Echo/Chat(): the mock has no rule for it"), "{message}");
    assert!(list_all(&client, "x").await.1.is_ok());
    drop(test);
    let told = panic_of(|| mock.verify());
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines.len(), 5, "{told}");
    assert!(lines[1].contains("/test.Echo/Unary: wanted 1 calls for the rule at "), "{told}");
    assert!(lines[1].ends_with(", saw 0") && lines[1].contains("mocks.rs:"), "{told}");
    assert!(lines[2].contains("/test.Echo/List: wanted 2 calls") && lines[2].ends_with("saw 1"), "{told}");
    assert!(lines[3].contains("unexpected call of /test.Echo/Unary"), "{told}");
    assert!(lines[4].contains("unexpected call of /test.Echo/Chat"), "{told}");
}

#[test]
fn a_mock_that_is_dropped_is_verified_unless_the_test_has_failed() {
    let unused = || {
        let mock = Mock::new();
        mock.on(UNARY).reply(text("x")).once();
        mock
    };
    let told = panic_of(|| drop(unused()));
    assert!(told.contains("wanted 1 calls"), "{told}");
    let told = panic_of(|| {
        let _mock = unused();
        panic!("for another reason");
    });
    assert_eq!(told, "for another reason");
}

/// A rule that can not be.
type Wrong = fn(&Mock);

#[test]
fn rules_that_can_not_be_are_refused_where_they_are_written() {
    let refused: [(&str, Wrong); 7] = [
        ("`reply` can not answer /test.Echo/List, which is server streaming", |mock| {
            mock.on(LIST).reply(text("x"));
        }),
        ("`stream` can not answer /test.Echo/Unary, which is unary", |mock| {
            mock.on(UNARY).stream([text("x")]);
        }),
        ("`with_each` can not answer", |mock| {
            mock.on(UPLOAD).with_each(|_: StringValue| Ok(vec![text("x")]));
        }),
        ("`when` looks at one request", |mock| {
            mock.on(CHAT).when(|_: &StringValue| true).stream([text("x")]);
        }),
        ("`then_fail` follows the messages of `stream`", |mock| {
            mock.on(UNARY).reply(text("x")).then_fail(Status::aborted(""));
        }),
        ("a mock without a schema can not know `a.B/C`", |mock| {
            mock.on("a.B/C").reply(text("x"));
        }),
        ("JSON can not be read without a schema", |mock| {
            mock.on(UNARY).reply_json("{}");
        }),
    ];
    for (wanted, rule) in refused {
        let mock = Mock::new();
        let told = panic_of(|| rule(&mock));
        assert!(told.contains(wanted), "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_mock_answers_late_or_never() {
    let mock = Mock::new();
    mock.on(UNARY).reply(text("late")).delay(Duration::from_secs(60)).once();
    mock.on(UNARY).never();
    let test = TestServer::new(&mock);
    let client = client_of(&test);
    let began = tokio::time::Instant::now();
    assert_eq!(ask(&client, "x").await.unwrap(), "late");
    assert_eq!(began.elapsed().as_secs(), 60);
    let call = client.unary::<_, StringValue>(UNARY, text("x")).timeout(Duration::from_secs(9));
    assert_eq!(code(call.await).0, Code::DeadlineExceeded);
    let calls = mock.ended(UNARY, 2).await;
    calls[1].assert_code(Code::Cancelled);
}

fn health() -> Arc<DynamicPool> {
    let set = FileDescriptorSet::decode(dunlin_proto::FILE_DESCRIPTOR_SET).unwrap();
    DynamicPool::from_file_descriptor_set(set).unwrap()
}

#[tokio::test]
async fn with_a_schema_messages_are_json_and_seen_by_interceptors() {
    let mock = Mock::with_schema(health());
    mock.on("grpc.health.v1.Health/Check")
        .when(|request: &HealthCheckRequest| request.service == "shop")
        .reply_json(r#"{"status": "NOT_SERVING"}"#);
    mock.on("grpc.health.v1.Health/Watch").stream_json([r#"{"status": "SERVING"}"#, "{}"]);
    let recorder = Recorder::new();
    let test = TestServer::builder().add_service(&mock).interceptor(recorder.clone()).start();
    let client = client_of(&test);
    let method = |name: &str| mock_method(name);
    let request = HealthCheckRequest { service: "shop".into(), ..Default::default() };
    let check = client.unary::<_, HealthCheckResponse>(method("Check"), request.clone());
    let response = soon(check).await.unwrap();
    let mut watch = soon(client.server_streaming::<_, HealthCheckResponse>(method("Watch"), request.clone()))
        .await
        .unwrap();
    let mut count = 0;
    while soon(watch.next()).await.unwrap().is_some() {
        count += 1;
    }
    assert_eq!(count, 2);
    recorder.of("grpc.health.v1.Health/Check").only().assert_request(&request).assert_response(&response);
    let shown = recorder.calls()[0].to_string();
    assert_eq!(
        shown,
        "/grpc.health.v1.Health/Check(grpc.health.v1.HealthCheckRequest { service: \"shop\" }) -> \
         (grpc.health.v1.HealthCheckResponse { status: NOT_SERVING }) OK"
    );
}

fn mock_method(name: &str) -> dunlin_grpc::Method {
    let schema = dunlin_grpc::dynamic::Schema::new(health());
    schema.method(&format!("grpc.health.v1.Health/{name}")).unwrap().method().clone()
}

#[test]
fn with_a_schema_names_and_types_are_checked() {
    let refused: [(&str, Wrong); 4] = [
        ("no service a.B in the schema", |mock| {
            mock.on("a.B/C").reply_json("{}");
        }),
        ("responses of /grpc.health.v1.Health/Check are grpc.health.v1.HealthCheckResponse, not", |mock| {
            mock.on("grpc.health.v1.Health/Check").reply(text("x"));
        }),
        ("requests of /grpc.health.v1.Health/Check are", |mock| {
            mock.on("grpc.health.v1.Health/Check").when(|_: &StringValue| true).reply_json("{}");
        }),
        ("is no grpc.health.v1.HealthCheckResponse", |mock| {
            mock.on("grpc.health.v1.Health/Check").reply_json(r#"{"colour": 1}"#);
        }),
    ];
    for (wanted, rule) in refused {
        let mock = Mock::with_schema(health());
        let told = panic_of(|| rule(&mock));
        assert!(told.contains(wanted), "{told}");
    }
}
