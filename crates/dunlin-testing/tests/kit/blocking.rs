//! Calls from plain threads.

use std::sync::mpsc;
use std::time::Duration;

use dunlin_client::blocking::{self, Blocking};
use dunlin_client::{Channel, Client};
use dunlin_grpc::Code;
use dunlin_protobuf::wkt::StringValue;
use dunlin_testing::TestServer;

use crate::harness::{CHAT, Echo, LIST, UNARY, UPLOAD, code, text};

/// A server on a runtime of its own, and a client for this thread.
fn with_server(work: impl FnOnce(Client)) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let test = {
        let _entered = runtime.enter();
        TestServer::tcp(Echo)
    };
    work(Client::new(Channel::builder(test.target()).connect_lazy().unwrap()));
    drop(test);
}

#[test]
fn a_thread_makes_calls_of_all_kinds() {
    with_server(|client| {
        let reply = client.unary::<_, StringValue>(UNARY, text("hi")).timeout(Duration::from_secs(20)).wait();
        assert_eq!(reply.unwrap().value, "echo hi");
        let response = client.unary::<_, StringValue>(UNARY, text("hi")).metadata("x-from", "me").response();
        assert_eq!(response.wait().unwrap().trailers().get("x-to"), Some("me"));
        assert_eq!(code(client.unary::<_, StringValue>(UNARY, text("fail")).wait()).0, Code::NotFound);

        let mut list = client.server_streaming::<_, StringValue>(LIST, text("a b c")).wait().unwrap();
        assert!(list.headers().unwrap().is_empty());
        let all: Result<Vec<StringValue>, _> = list.by_ref().collect();
        assert_eq!(all.unwrap(), [text("a"), text("b"), text("c")]);
        assert!(list.next().is_none());

        let mut upload = client.client_streaming::<_, StringValue>(UPLOAD).wait().unwrap();
        for part in ["a", "bc"] {
            upload.send(text(part)).unwrap();
        }
        assert_eq!(upload.finish().unwrap().value, "abc");

        let (mut sender, mut responses) =
            client.bidi_streaming::<StringValue, StringValue>(CHAT).wait().unwrap();
        for word in ["x", "y"] {
            sender.send(text(word)).unwrap();
            assert_eq!(responses.next().unwrap().unwrap().value, word);
        }
        sender.finish();
        assert!(responses.next().is_none());
    });
}

#[test]
fn a_deadline_ends_a_wait() {
    with_server(|client| {
        let call = client.unary::<_, StringValue>(UNARY, text("wait")).timeout(Duration::from_millis(20));
        assert_eq!(code(call.wait()).0, Code::DeadlineExceeded);
    });
}

#[test]
fn many_threads_share_a_client_and_its_connection() {
    with_server(|client| {
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|number| {
                    let client = client.clone();
                    scope.spawn(move || {
                        for _ in 0..20 {
                            let call = client.unary::<_, StringValue>(UNARY, text(number.to_string()));
                            assert_eq!(call.wait().unwrap().value, format!("echo {number}"));
                        }
                    })
                })
                .collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        });
    });
}

#[test]
fn sending_waits_while_the_peer_does_not_read() {
    with_server(|client| {
        let (mut sender, mut responses) =
            client.bidi_streaming::<StringValue, StringValue>(CHAT).wait().unwrap();
        // The server reads no more once it can not write, as nobody reads here until then.
        let (sent, count) = mpsc::channel();
        let writer = std::thread::spawn(move || {
            for _ in 0..400 {
                sender.send(text("x".repeat(100_000))).unwrap();
                sent.send(()).unwrap();
            }
            sender.finish();
        });
        for response in responses.by_ref().take(3) {
            assert_eq!(response.unwrap().value.len(), 100_000);
        }
        // Of 40 MB, what fits into windows and sockets may be sent, but not all.
        assert!(count.try_iter().count() < 400);
        let rest: Result<Vec<StringValue>, _> = responses.collect();
        assert_eq!(rest.unwrap().len(), 397);
        writer.join().unwrap();
    });
}

#[test]
fn a_server_that_goes_ends_a_stream_with_an_error() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let test = {
        let _entered = runtime.enter();
        TestServer::tcp(Echo)
    };
    let client = Client::new(Channel::builder(test.target()).connect_lazy().unwrap());
    let (mut sender, mut responses) = client.bidi_streaming::<StringValue, StringValue>(CHAT).wait().unwrap();
    sender.send(text("x")).unwrap();
    assert_eq!(responses.next().unwrap().unwrap().value, "x");
    drop(test);
    assert_eq!(code(responses.next().unwrap()).0, Code::Unavailable);
    assert!(responses.next().is_none());
    drop(sender);
}

#[tokio::test]
async fn within_a_runtime_nothing_blocks() {
    let test = TestServer::new(Echo);
    let client = Client::new(test.channel());
    let refused = |found: (Code, String)| {
        assert_eq!(found.0, Code::FailedPrecondition);
        assert!(found.1.contains("within an async runtime"), "{}", found.1);
    };
    refused(code(client.unary::<_, StringValue>(UNARY, text("hi")).wait()));
    refused(code(client.server_streaming::<_, StringValue>(LIST, text("a")).wait()));
    refused(code(client.client_streaming::<StringValue, StringValue>(UPLOAD).wait()));
    refused(code(client.bidi_streaming::<StringValue, StringValue>(CHAT).wait()));
    refused(code(blocking::block_on(test.channel().connect())));
    // Threads that a runtime lends for work that blocks are told from others no better.
    let lent = tokio::task::spawn_blocking({
        let client = client.clone();
        move || client.unary::<_, StringValue>(UNARY, text("hi")).wait()
    });
    refused(code(lent.await.unwrap()));
    let on_its_own = tokio::task::spawn_blocking(move || {
        tokio::runtime::Handle::current().block_on(client.unary::<_, StringValue>(UNARY, text("hi")))
    });
    assert_eq!(on_its_own.await.unwrap().unwrap().value, "echo hi");
}
