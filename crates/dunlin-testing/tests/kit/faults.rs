//! Faults of each kind, and what the client makes of them.

use std::time::Duration;

use dunlin_client::{Channel, Client};
use dunlin_grpc::intercept::Interceptor;
use dunlin_grpc::{Code, Status};
use dunlin_protobuf::wkt::StringValue;
use dunlin_testing::{ErrorCode, FaultRule, Faults, Recorder, TestServer};

use crate::harness::{
    CHAT, Echo, LIST, UNARY, UPLOAD, ask, chat_all, code, list_all, panic_of, send, soon, text,
};

/// A server with faults, and a client of it.
fn faulty(is_tcp: bool) -> (TestServer, Client, Faults, Recorder) {
    let (faults, recorder) = (Faults::new(), Recorder::new());
    let builder = TestServer::builder().add_service(Echo).faults(&faults).interceptor(recorder.clone());
    let test = if is_tcp { builder.tcp() } else { builder }.start();
    let client = Client::new(test.channel());
    (test, client, faults, recorder)
}

/// The ends of a call of each kind.
async fn ends(client: &Client) -> [Result<(), Status>; 4] {
    [
        ask(client, "hi").await.map(drop),
        send(client, &["a", "b"]).await.map(drop),
        list_all(client, "a b").await.1,
        chat_all(client, &["a", "b"]).await.1,
    ]
}

#[tokio::test]
async fn each_fault_is_the_status_that_is_documented_for_calls_of_all_kinds() {
    type Fault = fn(&Faults) -> FaultRule;
    let rows: [(&str, Fault, Code, &str); 13] = [
        ("fail", |faults| faults.on_all().fail(Status::aborted("no")), Code::Aborted, "no"),
        ("fail late", |faults| faults.on_all().fail_late(Status::aborted("no")), Code::Aborted, "no"),
        ("cancel", |faults| faults.on_all().reset(ErrorCode::CANCEL), Code::Cancelled, "CANCEL"),
        (
            "calm",
            |faults| faults.on_all().reset(ErrorCode::ENHANCE_YOUR_CALM),
            Code::ResourceExhausted,
            "ENHANCE_YOUR_CALM",
        ),
        (
            "refused",
            |faults| faults.on_all().reset(ErrorCode::REFUSED_STREAM),
            Code::Unavailable,
            "REFUSED_STREAM",
        ),
        (
            "internal",
            |faults| faults.on_all().reset(ErrorCode::INTERNAL_ERROR),
            Code::Internal,
            "INTERNAL_ERROR",
        ),
        (
            "reset behind a message",
            |faults| faults.on_all().reset(ErrorCode::CANCEL).after(1),
            Code::Cancelled,
            "CANCEL",
        ),
        ("goaway", |faults| faults.on_all().goaway(ErrorCode::NO_ERROR), Code::Unavailable, "goes away"),
        ("disconnect", |faults| faults.on_all().disconnect(), Code::Unavailable, "lost"),
        (
            "disconnect behind a message",
            |faults| faults.on_all().disconnect().after(1),
            Code::Unavailable,
            "lost",
        ),
        ("truncate", |faults| faults.on_all().truncate(), Code::Internal, "without trailers"),
        ("truncate behind", |faults| faults.on_all().truncate().after(1), Code::Internal, "without trailers"),
        ("cut", |faults| faults.on_all().cut_message(), Code::Internal, "within a message"),
    ];
    for is_tcp in [false, true] {
        for (why, fault, wanted, part) in rows {
            let (_test, client, faults, _) = faulty(is_tcp);
            let rule = fault(&faults);
            for (place, end) in ends(&client).await.into_iter().enumerate() {
                let (found, message) = code(end);
                assert!(found == wanted && message.contains(part), "{why}, {place}: {found}: {message}");
            }
            assert!(rule.count() >= 4, "{why}");
            // What has gone wrong has left nothing behind.
            faults.clear();
            for end in ends(&client).await {
                end.unwrap_or_else(|status| panic!("behind {why}: {status}"));
            }
        }
    }
}

#[tokio::test]
async fn a_stream_that_is_cut_has_the_messages_before_and_no_success() {
    type Fault = fn(&Faults) -> FaultRule;
    let rows: [(&str, Fault, Code, usize); 6] = [
        ("truncate", |faults| faults.on(LIST).truncate().after(2), Code::Internal, 2),
        // All messages are there, and still it does not look complete.
        ("at the end", |faults| faults.on(LIST).truncate().after(3), Code::Internal, 3),
        ("behind the end", |faults| faults.on(LIST).truncate().after(9), Code::Internal, 3),
        ("within", |faults| faults.on(LIST).cut_message().after(2), Code::Internal, 2),
        ("reset", |faults| faults.on(LIST).reset(ErrorCode::CANCEL).after(1), Code::Cancelled, 1),
        ("disconnect", |faults| faults.on(LIST).disconnect().after(2), Code::Unavailable, 2),
    ];
    for (why, fault, wanted, count) in rows {
        let (_test, client, faults, _) = faulty(false);
        fault(&faults);
        let (listed, end) = list_all(&client, "a bb ccc").await;
        assert_eq!(listed, ["a", "bb", "ccc"][..count], "{why}");
        assert_eq!(code(end).0, wanted, "{why}");
    }
    // Of a message that never comes nothing is cut.
    let (_test, client, faults, _) = faulty(false);
    faults.on(LIST).cut_message().after(3);
    assert!(list_all(&client, "a bb ccc").await.1.is_ok());
}

#[tokio::test]
async fn large_streams_are_cut_at_the_message_that_was_said() {
    for is_tcp in [false, true] {
        let (_test, client, faults, _) = faulty(is_tcp);
        faults.on(CHAT).truncate().after(7);
        let large = "x".repeat(300_000);
        // Again and again: what the cut streams had sent is given back to the connection.
        for _ in 0..20 {
            let (mut sender, mut responses) =
                soon(client.bidi_streaming::<StringValue, StringValue>(CHAT)).await.unwrap();
            let writing = tokio::spawn({
                let large = large.clone();
                async move { while sender.send(text(large.clone())).await.is_ok() {} }
            });
            for _ in 0..7 {
                assert_eq!(soon(responses.next()).await.unwrap().unwrap().value.len(), large.len());
            }
            assert_eq!(code(soon(responses.next()).await).0, Code::Internal);
            soon(writing).await.unwrap();
        }
        assert_eq!(ask(&client, &large).await.unwrap().len(), large.len() + 5);
    }
}

#[tokio::test]
async fn a_request_that_is_cut_is_no_request_for_the_server() {
    for is_tcp in [false, true] {
        let (_test, client, faults, recorder) = faulty(is_tcp);
        faults.on(UPLOAD).cut_request().after(1);
        let (found, message) = code(send(&client, &["a", "bcd", "e"]).await);
        assert!(found == Code::Internal && message.contains("within a message"), "{found}: {message}");
        soon(recorder.ended(UPLOAD, 1)).await[0].assert_requests(&[text("a")]).assert_code(Code::Internal);
        faults.on(UNARY).cut_request();
        assert_eq!(code(ask(&client, "hi").await).0, Code::Internal);
        // Such a method has not run: there was no request for it.
        faults.clear();
        assert_eq!(ask(&client, "hi").await.unwrap(), "echo hi");
        assert_eq!(recorder.of(UNARY).iter().filter(|call| call.code() == Some(Code::Ok)).count(), 1);
    }
}

#[tokio::test]
async fn a_call_that_was_not_processed_is_made_again() {
    type Fault = fn(&Faults) -> FaultRule;
    let rows: [(&str, Fault); 2] = [
        ("refused", |faults| faults.on(UNARY).reset(ErrorCode::REFUSED_STREAM).once()),
        ("going away", |faults| faults.on(UNARY).goaway(ErrorCode::NO_ERROR).once()),
    ];
    for (why, fault) in rows {
        let (_test, client, faults, recorder) = faulty(false);
        assert_eq!(ask(&client, "before").await.unwrap(), "echo before");
        let rule = fault(&faults);
        assert_eq!(ask(&client, "hi").await.unwrap(), "echo hi", "{why}");
        assert_eq!(rule.count(), 1, "{why}");
        let calls = recorder.of(UNARY);
        assert_eq!(calls.iter().filter(|call| call.code() == Some(Code::Ok)).count(), 2, "{why}");
    }
}

#[tokio::test]
async fn calls_that_have_begun_end_well_while_the_server_goes_away() {
    let (test, client, faults, _) = faulty(false);
    let rule = faults.on(LIST).goaway(ErrorCode::NO_ERROR).after(1).once();
    let (mut sender, mut responses) =
        soon(client.bidi_streaming::<StringValue, StringValue>(CHAT)).await.unwrap();
    soon(sender.send(text("a"))).await.unwrap();
    assert_eq!(soon(responses.next()).await.unwrap(), Some(text("a")));
    let (listed, end) = list_all(&client, "a b c").await;
    assert_eq!((listed.len(), end.is_ok(), rule.count()), (3, true, 1));
    // The next call is on another connection, the one before on its own still.
    assert_eq!(ask(&client, "hi").await.unwrap(), "echo hi");
    assert_eq!(test.connection_count(), 2);
    soon(sender.send(text("b"))).await.unwrap();
    assert_eq!(soon(responses.next()).await.unwrap(), Some(text("b")));
    sender.finish();
    assert_eq!(soon(responses.next()).await.unwrap(), None);
}

#[tokio::test]
async fn a_connection_that_is_lost_takes_all_its_calls_along() {
    let (_test, client, faults, _) = faulty(false);
    let waiting = tokio::spawn(client.unary::<_, StringValue>(UNARY, text("wait")));
    assert_eq!(ask(&client, "hi").await.unwrap(), "echo hi");
    faults.on(LIST).disconnect().once();
    assert_eq!(code(list_all(&client, "a").await.1).0, Code::Unavailable);
    assert_eq!(code(soon(waiting).await.unwrap()).0, Code::Unavailable);
    assert!(list_all(&client, "a").await.1.is_ok());
}

#[tokio::test]
async fn a_status_before_the_method_keeps_it_from_running_and_one_behind_does_not() {
    let (_test, client, faults, recorder) = faulty(false);
    faults.on(UNARY).fail(Status::unavailable("early")).once();
    faults.on(UNARY).fail_late(Status::unavailable("late")).nth(1);
    assert_eq!(code(ask(&client, "a").await), (Code::Unavailable, "early".into()));
    faults.clear();
    // The recorder stands within the faults.
    assert_eq!(recorder.of(UNARY).iter().filter(|call| call.response_count() > 0).count(), 0);
    faults.on(UNARY).fail_late(Status::unavailable("late")).once();
    assert_eq!(code(ask(&client, "b").await), (Code::Unavailable, "late".into()));
    let calls = recorder.of(UNARY);
    assert_eq!(calls.iter().filter(|call| call.response_count() == 1).count(), 1);
}

#[tokio::test]
async fn faults_happen_once_to_the_nth_call_or_by_chance() {
    let fails = |faults: Faults, calls: usize| async move {
        let test = TestServer::builder().add_service(Echo).faults(&faults).start();
        let client = Client::new(test.channel());
        let mut failed = Vec::new();
        for call in 1..=calls {
            if ask(&client, "hi").await.is_err() {
                failed.push(call);
            }
        }
        failed
    };
    let fault = |change: fn(FaultRule) -> FaultRule| {
        let faults = Faults::new();
        change(faults.on("test.*").reset(ErrorCode::CANCEL));
        faults
    };
    assert_eq!(fails(fault(FaultRule::once), 4).await, [1]);
    assert_eq!(fails(fault(|rule| rule.times(2)), 4).await, [1, 2]);
    assert_eq!(fails(fault(|rule| rule.nth(3)), 4).await, [3]);
    let by_chance = |seed| {
        let faults = Faults::new();
        faults.on_all().fail(Status::unavailable("")).chance(0.25, seed);
        fails(faults, 200)
    };
    let failed = by_chance(7).await;
    assert!((20..80).contains(&failed.len()), "{}", failed.len());
    assert_eq!(by_chance(7).await, failed);
    assert_ne!(by_chance(8).await, failed);
    assert!(by_chance_of(0.0).await.is_empty());
    let told = panic_of(|| drop(Faults::new().on_all().delay(Duration::ZERO).after(1)));
    assert!(told.contains("`after` counts messages"), "{told}");

    async fn by_chance_of(probability: f64) -> Vec<Result<(), Status>> {
        let faults = Faults::new();
        faults.on_all().fail(Status::unavailable("")).chance(probability, 1);
        let test = TestServer::builder().add_service(Echo).faults(&faults).start();
        let client = Client::new(test.channel());
        ends(&client).await.into_iter().filter(Result::is_err).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn delays_and_deadlines_take_no_time_where_time_is_stopped() {
    let (_test, client, faults, _) = faulty(false);
    faults.on(UNARY).delay(Duration::from_secs(3600)).times(2);
    let began = tokio::time::Instant::now();
    assert_eq!(ask(&client, "hi").await.unwrap(), "echo hi");
    assert_eq!(began.elapsed().as_secs(), 3600);
    let call = client.unary::<_, StringValue>(UNARY, text("hi")).timeout(Duration::from_secs(5));
    assert_eq!(code(call.await).0, Code::DeadlineExceeded);
    assert_eq!(began.elapsed().as_secs(), 3605);
}

#[tokio::test(start_paused = true)]
async fn connections_that_are_refused_are_tried_again() {
    let (_test, client, faults, _) = faulty(false);
    let rule = faults.refuse_connections().times(3);
    assert_eq!(code(ask(&client, "hi").await).0, Code::Unavailable);
    let began = tokio::time::Instant::now();
    let call = client.unary::<_, StringValue>(UNARY, text("hi")).wait_for_ready(true);
    assert_eq!(soon(call).await.unwrap().value, "echo hi");
    assert_eq!(rule.count(), 3);
    // It has waited between the attempts.
    assert!(began.elapsed() > Duration::from_millis(500));
}

#[tokio::test]
async fn a_client_has_faults_of_its_own() {
    let test = TestServer::tcp(Echo);
    let faults = Faults::new();
    let channel = Channel::builder(test.target())
        .interceptor(faults.clone().except("test.Echo/Chat"))
        .dial(faults.dialer(), false)
        .connect_lazy()
        .unwrap();
    let client = Client::new(channel);
    assert_eq!(ask(&client, "hi").await.unwrap(), "echo hi");
    faults.on_all().fail(Status::unavailable("here")).once();
    assert_eq!(code(ask(&client, "hi").await), (Code::Unavailable, "here".into()));
    faults.on(LIST).truncate().after(1);
    let (listed, end) = list_all(&client, "a b").await;
    assert_eq!((listed.len(), code(end).0), (1, Code::Internal));
    faults.on(UNARY).disconnect().once();
    faults.refuse_connections();
    assert_eq!(code(ask(&client, "hi").await).0, Code::Unavailable);
    assert_eq!(code(ask(&client, "hi").await).0, Code::Unavailable);
}
