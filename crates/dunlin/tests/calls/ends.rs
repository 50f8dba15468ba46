//! How calls end that do not end well.

use std::time::Duration;

use dunlin::client::Client;
use dunlin::protobuf::wkt::StringValue;
use dunlin::{CallKind, Channel, Code, Method};

use crate::harness::{CHAT, LIST, UNARY, ask, code, in_process, over_tcp, soon, text};

#[tokio::test]
async fn a_call_that_is_dropped_ends_its_method() {
    for (client, seen) in [over_tcp().await, in_process()] {
        let call = tokio::spawn(client.unary::<_, StringValue>(UNARY, text("wait")));
        soon(seen.waits.notified()).await;
        call.abort();
        soon(seen.dropped.notified()).await;
        assert_eq!(soon(ask(&client, "hi")).await.unwrap(), "echo hi");
    }
}

#[tokio::test]
async fn a_deadline_ends_both_sides() {
    for (client, seen) in [over_tcp().await, in_process()] {
        let call = client.unary::<_, StringValue>(UNARY, text("wait")).timeout(Duration::from_millis(50));
        let (found, message) = code(soon(call).await);
        assert_eq!(found, Code::DeadlineExceeded, "{message}");
        soon(seen.dropped.notified()).await;
        let call = client.unary::<_, StringValue>(UNARY, text("remaining")).timeout(Duration::from_secs(100));
        let remaining: u32 = soon(call).await.unwrap().value.parse().unwrap();
        assert!((90_000..=100_000).contains(&remaining), "{remaining}");
    }
}

#[tokio::test]
async fn a_panic_is_an_incident_and_harms_nobody_else() {
    let (client, _) = over_tcp().await;
    for request in ["panic now", "yield first", "panic again"] {
        match soon(ask(&client, request)).await {
            Ok(reply) => assert_eq!(reply, "first"),
            Err(status) => {
                assert_eq!(status.code(), Code::Internal);
                assert!(status.message().starts_with("internal error, incident "), "{status}");
            }
        }
    }
    let (mut sender, mut receiver) =
        soon(client.bidi_streaming::<StringValue, StringValue>(CHAT)).await.unwrap();
    assert_eq!(soon(receiver.next()).await.unwrap().unwrap().value, "hello");
    soon(sender.send(text("panic"))).await.unwrap();
    assert_eq!(code(soon(receiver.next()).await).0, Code::Internal);
    assert_eq!(soon(ask(&client, "hi")).await.unwrap(), "echo hi");
}

#[tokio::test]
async fn a_sender_that_is_dropped_cancels_the_call() {
    let (client, _) = over_tcp().await;
    let (sender, mut receiver) = soon(client.bidi_streaming::<StringValue, StringValue>(CHAT)).await.unwrap();
    assert_eq!(soon(receiver.next()).await.unwrap().unwrap().value, "hello");
    drop(sender);
    let (found, message) = code(soon(receiver.next()).await);
    assert_eq!((found, &*message), (Code::Cancelled, "the sender was dropped without `finish`"));
}

#[tokio::test]
async fn a_receiver_that_is_dropped_stops_the_server() {
    let (client, _) = over_tcp().await;
    let mut list = soon(client.server_streaming::<_, StringValue>(LIST, text("100000 1000"))).await.unwrap();
    soon(list.next()).await.unwrap();
    drop(list);
    assert_eq!(soon(ask(&client, "hi")).await.unwrap(), "echo hi");
}

#[tokio::test]
async fn what_is_not_served_is_unimplemented() {
    let (client, _) = over_tcp().await;
    let call = |method| client.unary::<_, StringValue>(method, text("x"));
    let method = Method::new("test.Echo", "Other", "/test.Echo/Other", CallKind::Unary);
    let (found, message) = code(soon(call(method)).await);
    assert_eq!((found, &*message), (Code::Unimplemented, "service test.Echo has no method Other"));
    let method = Method::new("test.Other", "Other", "/test.Other/Other", CallKind::Unary);
    let (found, message) = code(soon(call(method)).await);
    assert_eq!((found, &*message), (Code::Unimplemented, "service test.Other is not served here"));
    let method = Method::new("test.Echo", "Unary", "/test.Echo/Unary", CallKind::BidiStreaming);
    let (sender, mut receiver) =
        soon(client.bidi_streaming::<StringValue, StringValue>(method)).await.unwrap();
    sender.finish();
    assert_eq!(code(soon(receiver.next()).await).0, Code::Unimplemented);
}

#[tokio::test]
async fn a_call_that_finds_nobody_says_where_it_looked() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let client = Client::new(Channel::builder(format!("ipv4:{address}")).connect_lazy().unwrap());
    let (found, message) = code(soon(ask(&client, "hi")).await);
    assert_eq!(found, Code::Unavailable);
    assert!(message.starts_with(&format!("cannot connect to ipv4:{address}: {address}: ")), "{message}");
    let call = client.unary::<_, StringValue>(UNARY, text("x"));
    let status = soon(call.wait_for_ready(true).timeout(Duration::from_millis(50))).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert!(status.message().contains("queued for a connection"), "{status}");
    assert!(status.message().contains(&address.to_string()), "{status}");
}

#[tokio::test]
async fn metadata_that_cannot_be_sent_fails_the_call() {
    let (client, _) = in_process();
    let call = client.unary::<_, StringValue>(UNARY, text("x")).metadata("grpc-status", "0");
    let (found, message) = code(soon(call).await);
    assert_eq!((found, &*message), (Code::Internal, "the metadata name \"grpc-status\" is reserved"));
}
