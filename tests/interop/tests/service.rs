//! What the server does that no case of the matrix looks at.

use std::time::{Duration, Instant};

use dunlin::{Channel, Code, Receiver, Server};
use dunlin_interop::proto::{
    BoolValue, EchoStatus, Payload, PayloadType, ResponseParameters, SimpleRequest,
    StreamingOutputCallRequest, StreamingOutputCallResponse, TestServiceClient, TestServiceServer,
};
use dunlin_interop::service::Interop;

/// A client of the service over TCP, which lives as long as the runtime.
async fn client() -> TestServiceClient {
    let server = Server::builder().add_service(TestServiceServer::new(Interop::new()));
    let bound = server.bind("127.0.0.1:0").await.unwrap();
    let target = bound.local_addr().to_string();
    tokio::spawn(bound.serve());
    TestServiceClient::new(Channel::builder(target).connect().await.unwrap())
}

fn output(parameters: impl IntoIterator<Item = ResponseParameters>) -> StreamingOutputCallRequest {
    StreamingOutputCallRequest { response_parameters: parameters.into_iter().collect(), ..Default::default() }
}

fn sized(size: i32) -> ResponseParameters {
    ResponseParameters { size, ..Default::default() }
}

fn wants_status(code: i32) -> Option<EchoStatus> {
    Some(EchoStatus { code, message: "as asked".into(), ..Default::default() })
}

async fn sizes(receiver: &mut Receiver<StreamingOutputCallResponse>) -> Vec<usize> {
    let mut sizes = Vec::new();
    while let Some(response) = receiver.next().await.unwrap() {
        sizes.push(response.payload.unwrap().body.len());
    }
    sizes
}

#[tokio::test]
async fn half_duplex_calls_are_answered_behind_the_last_request() {
    let client = client().await;
    let (mut sender, mut receiver) = client.half_duplex_call().await.unwrap();
    sender.send(output([sized(1), sized(2)])).await.unwrap();
    sender.send(output([sized(3)])).await.unwrap();
    let early = tokio::time::timeout(Duration::from_millis(100), receiver.next()).await;
    assert!(early.is_err(), "{early:?}");
    sender.finish();
    assert_eq!(sizes(&mut receiver).await, [1, 2, 3]);
}

#[tokio::test]
async fn intervals_add_up() {
    let client = client().await;
    let parameters = [5_000, 0, 5_000].map(|interval_us| ResponseParameters { interval_us, ..sized(1) });
    let began = Instant::now();
    let mut receiver = client.streaming_output_call(output(parameters)).await.unwrap();
    assert_eq!(sizes(&mut receiver).await, [1, 1, 1]);
    assert!(began.elapsed() >= Duration::from_millis(10));
}

#[tokio::test]
async fn calls_of_one_connection_have_the_same_peer_address() {
    let client = client().await;
    let mut seen = Vec::new();
    for _ in 0..2 {
        let fill_peer_socket_address = Some(BoolValue { value: true, ..Default::default() });
        let request = output([ResponseParameters { fill_peer_socket_address, ..sized(1) }]);
        let mut receiver = client.streaming_output_call(request).await.unwrap();
        seen.push(receiver.next().await.unwrap().unwrap().peer_socket_address);
    }
    assert!(seen[0].starts_with("127.0.0.1:"), "{seen:?}");
    assert_eq!(seen[0], seen[1]);
}

#[tokio::test]
async fn a_status_ends_a_stream_when_its_request_comes() {
    let client = client().await;
    let (mut sender, mut receiver) = client.full_duplex_call().await.unwrap();
    sender.send(output([sized(1)])).await.unwrap();
    sender
        .send(StreamingOutputCallRequest { response_status: wants_status(0), ..output([sized(2)]) })
        .await
        .unwrap();
    sender
        .send(StreamingOutputCallRequest { response_status: wants_status(9), ..output([sized(3)]) })
        .await
        .unwrap();
    for size in [1, 2] {
        assert_eq!(receiver.next().await.unwrap().unwrap().payload.unwrap().body.len(), size);
    }
    let status = receiver.next().await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::FailedPrecondition, "as asked"));
}

#[tokio::test]
async fn metadata_is_sent_back_with_failures_too() {
    const NAME: &str = "x-grpc-test-echo-trailing-bin";
    let client = client().await;
    let request = SimpleRequest { response_status: wants_status(99), ..Default::default() };
    let call = client.unary_call(request).metadata_bin(NAME, [1]).metadata_bin(NAME, [2, 3]);
    let status = call.await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Unknown, "as asked"));
    assert_eq!(status.metadata().get_all_bin(NAME).collect::<Vec<_>>(), [vec![1], vec![2, 3]]);
}

#[tokio::test]
async fn what_can_not_be_answered_is_an_invalid_argument() {
    let client = client().await;
    for request in [
        SimpleRequest { response_type: PayloadType(1), ..Default::default() },
        SimpleRequest { response_size: -1, ..Default::default() },
        SimpleRequest { response_size: i32::MAX, ..Default::default() },
    ] {
        let status = client.unary_call(request).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    }
}

#[tokio::test]
async fn what_may_be_cached_says_so() {
    let client = client().await;
    let payload = Some(Payload { body: "1".into(), ..Default::default() });
    let request = SimpleRequest { payload, ..Default::default() };
    let mut seen = Vec::new();
    for _ in 0..2 {
        let response = client.cacheable_unary_call(request.clone()).response().await.unwrap();
        assert_eq!(response.headers().get("cache-control"), Some("max-age=60, public"));
        let body = response.into_inner().payload.unwrap().body;
        seen.push(String::from_utf8(body.to_vec()).unwrap().parse::<u128>().unwrap());
    }
    assert!(seen[0] < seen[1], "{seen:?}");
}
