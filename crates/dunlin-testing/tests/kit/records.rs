//! Calls that are recorded, on both sides.

use dunlin_client::Client;
use dunlin_grpc::intercept::{CallContext, Interceptor, Next, Side};
use dunlin_grpc::{Code, Status};
use dunlin_protobuf::wkt::{Int32Value, StringValue};
use dunlin_testing::{Recorder, TestServer};

use crate::harness::{CHAT, Echo, LIST, UNARY, UPLOAD, ask, chat_all, list_all, panic_of, send, soon, text};

/// A recorder on each side, and the client.
fn recorded() -> (TestServer, Client, [Recorder; 2]) {
    let (server, client) = (Recorder::new(), Recorder::new());
    let test = TestServer::builder()
        .add_service(Echo)
        .interceptor(server.clone())
        .channel_interceptor(client.clone())
        .start();
    let calls = Client::new(test.channel());
    (test, calls, [server, client])
}

#[tokio::test]
async fn both_sides_see_calls_of_all_kinds_in_the_same_way() {
    let (_test, client, recorders) = recorded();
    let call = client.unary::<_, StringValue>(UNARY, text("hi")).metadata("x-from", "me");
    assert_eq!(soon(call).await.unwrap().value, "echo hi");
    assert!(ask(&client, "fail").await.is_err());
    assert_eq!(send(&client, &["a", "b"]).await.unwrap(), "ab");
    assert!(list_all(&client, "c d").await.1.is_ok());
    assert!(chat_all(&client, &["e", "f"]).await.1.is_ok());
    for (recorder, side) in recorders.iter().zip([Side::Server, Side::Client]) {
        let calls = soon(recorder.ended("test.Echo", 5)).await;
        let calls = calls.assert_order(&["Unary", "Unary", "Upload", "List", "Chat"]);
        assert!(calls.iter().all(|call| call.side() == side));
        let unary = &calls[0];
        unary.assert_request(&text("hi")).assert_response(&text("echo hi")).assert_code(Code::Ok);
        unary.assert_metadata("x-from", "me").assert_no_metadata("x-other");
        assert_eq!(unary.trailers().get("x-to"), Some("me"));
        calls[1].assert_request(&text("fail")).assert_code(Code::NotFound);
        assert_eq!((calls[1].request_count(), calls[1].response_count()), (1, 0));
        let upload = recorder.of(UPLOAD).only();
        upload.assert_requests(&[text("a"), text("b")]).assert_response(&text("ab"));
        let list = recorder.of(LIST).only();
        list.assert_request(&text("c d")).assert_responses(&[text("c"), text("d")]);
        recorder.of(CHAT).only().assert_requests(&[text("e"), text("f")]).assert_code(Code::Ok);
        recorder.of("other.*").assert_count(0);
        recorder.clear();
        recorder.calls().assert_count(0);
    }
}

#[tokio::test]
async fn metadata_that_interceptors_add_is_seen_by_a_recorder_within_them() {
    #[derive(Clone)]
    struct Tagged;
    impl Interceptor for Tagged {
        async fn call(&self, cx: &mut CallContext, next: Next<'_>) -> Result<(), Status> {
            cx.append_header("x-tag", "added")?;
            next.run(cx).await
        }
    }
    let (outer, inner) = (Recorder::new(), Recorder::new());
    let test = TestServer::builder()
        .add_service(Echo)
        .channel_interceptor(outer.clone())
        .channel_interceptor(Tagged)
        .channel_interceptor(inner.clone())
        .start();
    assert_eq!(ask(&Client::new(test.channel()), "hi").await.unwrap(), "echo hi");
    outer.of(UNARY).only().assert_no_metadata("x-tag").assert_request(&text("hi"));
    inner.of(UNARY).only().assert_metadata("x-tag", "added").assert_request(&text("hi"));
}

#[tokio::test]
async fn a_call_that_is_at_work_or_cancelled_is_seen_as_that() {
    let (_test, client, recorders) = recorded();
    let waiting = tokio::spawn(client.unary::<_, StringValue>(UNARY, text("wait")));
    for recorder in &recorders {
        let call = soon(recorder.begun(UNARY, 1)).await.only();
        assert!(!call.is_over() && call.code().is_none());
        assert!(call.to_string().ends_with("-> at work"), "{call}");
    }
    waiting.abort();
    for recorder in &recorders {
        soon(recorder.ended(UNARY, 1)).await[0].assert_code(Code::Cancelled);
    }
}

#[tokio::test]
async fn assertions_that_fail_tell_what_was_seen() {
    let (_test, client, [recorder, _]) = recorded();
    assert!(ask(&client, "fail").await.is_err());
    let shown =
        r#"/test.Echo/Unary(google.protobuf.StringValue { value: "fail" }) -> NOT_FOUND: no such thing"#;
    let call = recorder.of(UNARY).only();
    assert_eq!(call.to_string(), shown);
    let failing: [(&str, &dyn Fn()); 7] = [
        ("wanted 2 calls of test.Echo/Unary, saw 1:", &|| drop(recorder.of(UNARY).assert_count(2))),
        ("wanted 1 calls of test.Echo/Chat, saw 0: none", &|| drop(recorder.of(CHAT).only())),
        ("wanted OK, in", &|| _ = call.assert_code(Code::Ok)),
        ("wanted `x-a: b`, saw []", &|| _ = call.assert_metadata("x-a", "b")),
        ("wanted the requests", &|| _ = call.assert_request(&text("other"))),
        ("wanted one response, saw 0", &|| drop(call.response::<StringValue>())),
        ("is read as google.protobuf.Int32Value", &|| drop(call.requests::<Int32Value>())),
    ];
    for (wanted, assertion) in failing {
        let told = panic_of(assertion);
        assert!(told.contains(wanted), "{told}");
    }
    let told = panic_of(|| drop(recorder.of(UNARY).assert_count(0)));
    assert!(told.ends_with(shown), "{told}");
}

#[tokio::test]
async fn a_recorder_that_is_full_does_not_look_as_if_nothing_had_been() {
    let recorder = Recorder::with_limit(4);
    let test = TestServer::builder().add_service(Echo).interceptor(recorder.clone()).start();
    let client = Client::new(test.channel());
    assert_eq!(ask(&client, "hi").await.unwrap(), "echo hi");
    recorder.of(UNARY).assert_count(1);
    assert_eq!(ask(&client, "hi").await.unwrap(), "echo hi");
    let told = panic_of(|| drop(recorder.of(UNARY)));
    assert!(told.contains("more than 4 calls and messages") && told.contains("with_limit"), "{told}");
}
