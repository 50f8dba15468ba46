//! Servers of tests, and their ends.

use std::time::Duration;

use dunlin_client::{Channel, Client};
use dunlin_grpc::Code;
use dunlin_protobuf::wkt::StringValue;
use dunlin_testing::TestServer;

use crate::harness::{Echo, UNARY, ask, chat_all, code, list_all, send, soon, text};

#[tokio::test]
async fn calls_of_all_kinds_reach_a_server_of_a_test() {
    for test in [TestServer::new(Echo), TestServer::tcp(Echo)] {
        let client = Client::new(test.channel());
        assert_eq!(ask(&client, "hi").await.unwrap(), "echo hi");
        assert_eq!(send(&client, &["a", "bc"]).await.unwrap(), "abc");
        let (listed, end) = list_all(&client, "a b c").await;
        assert_eq!((listed, end.is_ok()), (vec!["a".into(), "b".into(), "c".into()], true));
        let (said, end) = chat_all(&client, &["x", "y"]).await;
        assert_eq!((said, end.is_ok()), (vec!["x".into(), "y".into()], true));
        assert_eq!(test.connection_count(), 1);
    }
}

#[tokio::test]
async fn a_server_on_a_port_is_reached_by_any_client() {
    let test = TestServer::tcp(Echo);
    let channel = Channel::builder(test.target()).connect_lazy().unwrap();
    assert_eq!(ask(&Client::new(channel), "hi").await.unwrap(), "echo hi");
    assert_eq!(TestServer::new(Echo).target(), "in-process");
}

#[tokio::test]
async fn settings_of_both_sides_hold() {
    let test = TestServer::builder()
        .add_service(Echo)
        .server(|server| server.max_receive_message_size(8))
        .channel(|channel| channel.user_agent("a-test"))
        .start();
    let client = Client::new(test.channel());
    assert_eq!(ask(&client, "short").await.unwrap(), "echo short");
    assert_eq!(code(ask(&client, "longer than it may be").await).0, Code::ResourceExhausted);
    let other = Client::new(test.new_channel());
    assert_eq!(ask(&other, "hi").await.unwrap(), "echo hi");
    assert_eq!(test.connection_count(), 2);
    let third = test.channel_builder().idle_timeout(Duration::from_secs(1)).connect_lazy().unwrap();
    assert_eq!(ask(&Client::new(third), "hi").await.unwrap(), "echo hi");
}

#[tokio::test]
async fn a_server_that_is_dropped_cuts_off_its_calls() {
    for test in [TestServer::new(Echo), TestServer::tcp(Echo)] {
        let client = Client::new(test.channel());
        assert_eq!(ask(&client, "hi").await.unwrap(), "echo hi");
        let waiting = tokio::spawn({
            let client = client.clone();
            async move { ask(&client, "wait").await }
        });
        // Behind the first call, so it is there when the second is answered.
        assert_eq!(ask(&client, "hi").await.unwrap(), "echo hi");
        drop(test);
        assert_eq!(code(soon(waiting).await.unwrap()).0, Code::Unavailable);
        assert_eq!(code(ask(&client, "hi").await).0, Code::Unavailable);
    }
}

#[tokio::test]
async fn a_server_that_is_stopped_says_how_many_calls_it_cut_off() {
    let test = TestServer::new(Echo);
    let client = Client::new(test.channel());
    assert_eq!(ask(&client, "hi").await.unwrap(), "echo hi");
    assert_eq!(soon(test.stop(Duration::from_secs(5))).await.cut_off, 0);

    let test = TestServer::new(Echo);
    let client = Client::new(test.channel());
    let waiting = tokio::spawn(client.unary::<_, StringValue>(UNARY, text("wait")));
    assert_eq!(ask(&client, "hi").await.unwrap(), "echo hi");
    assert_eq!(soon(test.stop(Duration::ZERO)).await.cut_off, 1);
    assert_eq!(code(soon(waiting).await.unwrap()).0, Code::Unavailable);
}

#[test]
fn a_server_may_be_dropped_behind_its_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let test = runtime.block_on(async {
        let test = TestServer::new(Echo);
        assert_eq!(ask(&Client::new(test.channel()), "hi").await.unwrap(), "echo hi");
        test
    });
    drop(runtime);
    drop(test);
}

#[tokio::test(start_paused = true)]
async fn deadlines_take_no_time_where_time_is_stopped() {
    let test = TestServer::new(Echo);
    let client = Client::new(test.channel());
    let began = tokio::time::Instant::now();
    let call = client.unary::<_, StringValue>(UNARY, text("wait")).timeout(Duration::from_secs(3600));
    assert_eq!(code(call.await).0, Code::DeadlineExceeded);
    assert_eq!(began.elapsed().as_secs(), 3600);
    assert_eq!(ask(&client, "hi").await.unwrap(), "echo hi");
}
