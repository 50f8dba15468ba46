//! Listening, and the end of it.

use std::sync::Arc;
use std::time::Duration;

use dunlin::client::Client;
use dunlin::protobuf::wkt::StringValue;
use dunlin::server::{BuildError, Drained, Placement};
use dunlin::{Channel, Code, Encoding, Server};

use crate::harness::{self, Seen, UNARY, ask, code, soon, text};

fn client(address: impl ToString) -> Client {
    Client::new(Channel::builder(address.to_string()).connect_lazy().unwrap())
}

#[tokio::test]
async fn a_graceful_end_waits_for_calls_and_takes_no_more() {
    let seen = Arc::new(Seen::default());
    let bound = Server::builder().methods(|methods| harness::add(methods, Arc::clone(&seen)));
    let bound = bound.bind("127.0.0.1:0").await.unwrap();
    let (address, handle) = (bound.local_addr().clone(), bound.shutdown_handle());
    let serving = tokio::spawn(bound.serve());
    let client = client(&address);
    let (mut sender, mut receiver) =
        soon(client.bidi_streaming::<StringValue, StringValue>(harness::CHAT)).await.unwrap();
    assert_eq!(soon(receiver.next()).await.unwrap().unwrap().value, "hello");
    handle.shut_down(Duration::from_secs(20));
    // What is at work goes on.
    for word in ["one", "two"] {
        soon(sender.send(text(word))).await.unwrap();
        assert_eq!(soon(receiver.next()).await.unwrap().unwrap().value, word);
    }
    assert_eq!(code(soon(ask(&client, "new")).await).0, Code::Unavailable);
    sender.finish();
    assert_eq!(soon(receiver.next()).await.unwrap(), None);
    assert_eq!(soon(serving).await.unwrap().unwrap(), Drained { cut_off: 0 });
}

#[tokio::test]
async fn what_does_not_end_in_time_is_cut_off_and_counted() {
    let seen = Arc::new(Seen::default());
    let bound = Server::builder().methods(|methods| harness::add(methods, Arc::clone(&seen)));
    let bound = bound.bind("127.0.0.1:0").await.unwrap();
    let (address, handle) = (bound.local_addr().clone(), bound.shutdown_handle());
    let serving = tokio::spawn(bound.serve());
    let call = tokio::spawn(client(&address).unary::<_, StringValue>(UNARY, text("wait")));
    soon(seen.waits.notified()).await;
    handle.shut_down(Duration::from_millis(20));
    assert_eq!(soon(serving).await.unwrap().unwrap(), Drained { cut_off: 1 });
    assert_eq!(code(soon(call).await.unwrap()).0, Code::Unavailable);
    soon(seen.dropped.notified()).await;
}

#[tokio::test]
async fn a_server_serves_several_addresses_of_several_kinds() {
    let folder = tempfile::tempdir().unwrap();
    let path = format!("unix:{}", folder.path().join("echo.sock").display());
    let server = Server::builder().methods(|methods| harness::add(methods, Arc::default()));
    let bound = server.bind("127.0.0.1:0").await.unwrap().and_bind(&path).await.unwrap();
    let addresses: Vec<String> = bound.local_addrs().map(ToString::to_string).collect();
    assert_eq!(addresses[1], path);
    let handle = bound.shutdown_handle();
    let serving = tokio::spawn(bound.serve());
    for address in &addresses {
        assert_eq!(soon(ask(&client(address), "hi")).await.unwrap(), "echo hi", "{address}");
    }
    handle.shut_down(Duration::from_secs(5));
    let _ = soon(serving).await.unwrap().unwrap();
}

#[tokio::test]
async fn requests_that_were_read_do_not_count_any_longer() {
    let server = Server::builder().max_assembling_bytes(5 << 20).methods(|methods| {
        harness::add(methods, Arc::default());
    });
    let server = server.build().unwrap().in_process();
    let client = Client::new(Channel::in_process(server.connector()));
    // Larger than all windows, so they are released before they are read.
    let mut upload =
        soon(client.client_streaming::<StringValue, StringValue>(harness::UPLOAD)).await.unwrap();
    for _ in 0..6 {
        soon(upload.send(text("z".repeat(3 << 20)))).await.unwrap();
    }
    assert_eq!(soon(upload.finish()).await.unwrap().value, format!("6 {}", 18 << 20));
    for _ in 0..4 {
        assert_eq!(soon(ask(&client, &"y".repeat(3 << 20))).await.unwrap().len(), (3 << 20) + 5);
    }
}

#[test]
fn settings_that_contradict_each_other_are_refused_by_name() {
    let text = |error: BuildError| error.to_string();
    let wanted = [
        (Server::builder().max_concurrent_streams(0), "`max_concurrent_streams` is 0"),
        (Server::builder().stream_window_size(1), "`stream_window_size` is 1"),
        (Server::builder().max_timeout(Duration::ZERO), "`max_timeout` is 0"),
        (Server::builder().max_connection_age(Duration::ZERO), "`max_connection_age` is 0"),
        (Server::builder().max_requests_per_connection(0), "`max_requests_per_connection` is 0"),
        (
            Server::builder().max_connection_age_grace(Duration::from_secs(1)),
            "`max_connection_age_grace` and `max_connection_age`",
        ),
        (Server::builder().max_assembling_bytes(10), "`max_receive_message_size` and `max_assembling_bytes`"),
        (
            Server::builder().accept_compressed([]).send_compressed(Encoding::Gzip),
            "`send_compressed` and `accept_compressed`",
        ),
        (Server::builder().placement("/a/b", Placement::Spawn), "`placement` names /a/b"),
        (
            Server::builder()
                .methods(|methods| harness::add(methods, Arc::default()))
                .methods(|methods| harness::add(methods, Arc::default())),
            "`/test.Echo/",
        ),
    ];
    for (builder, part) in wanted {
        let found = text(builder.build().unwrap_err());
        assert!(found.starts_with(part), "{found}");
    }
}
