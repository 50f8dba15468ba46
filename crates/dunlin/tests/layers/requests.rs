//! What methods see of layers, and layers of calls.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use dunlin::client::Client;
use dunlin::protobuf::wkt::StringValue;
use dunlin::server::{Drained, Peer, RequestBody};
use dunlin::{CallKind, Channel, Code, Method, Server, ServerContext, Status};
use http::Request;
use tower::ServiceBuilder;

use crate::harness::{self, CHAT, Seen, Tag, UNARY, code, in_process, layered, over_tcp, serve, soon, text};

const WHO: Method = Method::new("test.Who", "Who", "/test.Who/Who", CallKind::Unary);

async fn who(cx: ServerContext, _: StringValue) -> (ServerContext, Result<StringValue, Status>) {
    let tag = cx.call().http_extension::<Tag>();
    let missing = cx.call().http_extension::<String>();
    let id = cx.metadata().get("x-request-id").is_some_and(|id| id.len() == 36);
    let answer = text(format!("{} {tag:?} {missing:?} {id}", cx.peer().peer));
    (cx, Ok(answer))
}

#[tokio::test]
async fn methods_see_the_peer_and_what_layers_have_added() {
    let add = |methods: &mut dunlin::server::Methods| methods.unary(WHO, who);
    let (client, _, _) = serve(layered().methods(add)).await;
    let answer: StringValue = soon(client.unary(WHO, text(""))).await.unwrap();
    assert!(answer.value.starts_with("127.0.0.1:"), "{}", answer.value);
    assert!(answer.value.ends_with(r#" Some(Tag("added")) None true"#), "{}", answer.value);
}

#[tokio::test]
async fn layers_see_the_peer_and_the_path() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    let layer = ServiceBuilder::new().map_request(move |request: Request<RequestBody>| {
        let peer = request.extensions().get::<Arc<Peer>>().map(|peer| peer.peer.to_string());
        let line = format!("{} {} {:?}", request.method(), request.uri(), request.version());
        noted.lock().unwrap().push((line, peer.unwrap_or_default()));
        request
    });
    let (client, address, _) = serve(Server::builder().layer(layer)).await;
    soon(harness::ask(&client, "hi")).await.unwrap();
    let (line, peer) = seen.lock().unwrap().pop().unwrap();
    assert_eq!(line, format!("POST http://{address}/test.Echo/Unary HTTP/2.0"));
    assert!(peer.starts_with("127.0.0.1:"), "{peer}");
}

#[tokio::test]
async fn request_ids_are_made_and_come_back() {
    for (client, _) in [over_tcp().await, in_process()] {
        let call = client.unary::<_, StringValue>(UNARY, text("metadata x-request-id"));
        let response = soon(call.response()).await.unwrap();
        let id = &response.message().value;
        assert_eq!(id.len(), 36, "{id}");
        assert_eq!(response.headers().get("x-request-id"), Some(&**id));
        // One that the client brings is kept.
        let call = client.unary::<_, StringValue>(UNARY, text("metadata x-request-id"));
        let response = soon(call.metadata("x-request-id", "mine").response()).await.unwrap();
        assert_eq!(response.message().value, "mine");
        assert_eq!(response.headers().get("x-request-id"), Some("mine"));
    }
}

#[tokio::test]
async fn layers_stand_within_those_that_were_added_before() {
    let name = |name: &'static str| {
        ServiceBuilder::new().map_request(move |mut request: Request<RequestBody>| {
            request.headers_mut().append("x-order", name.parse().unwrap());
            request
        })
    };
    let (client, _, _) = serve(Server::builder().layer(name("one")).layer(name("two"))).await;
    let call = client.unary::<_, StringValue>(UNARY, text("metadata x-order"));
    // The method shows the first of them.
    assert_eq!(soon(call).await.unwrap().value, "one");
}

#[tokio::test]
async fn a_graceful_end_waits_for_calls_in_layers() {
    let bound = layered().methods(|methods| harness::add(methods, Arc::default()));
    let bound = bound.bind("127.0.0.1:0").await.unwrap();
    let (address, handle) = (bound.local_addr().to_string(), bound.shutdown_handle());
    let serving = tokio::spawn(bound.serve());
    let client = Client::new(Channel::builder(address).connect_lazy().unwrap());
    let (mut sender, mut receiver) =
        soon(client.bidi_streaming::<StringValue, StringValue>(CHAT)).await.unwrap();
    assert_eq!(soon(receiver.next()).await.unwrap().unwrap().value, "hello");
    handle.shut_down(Duration::from_secs(20));
    soon(sender.send(text("still"))).await.unwrap();
    assert_eq!(soon(receiver.next()).await.unwrap().unwrap().value, "still");
    assert_eq!(code(soon(harness::ask(&client, "new")).await).0, Code::Unavailable);
    sender.finish();
    assert_eq!(soon(receiver.next()).await.unwrap(), None);
    assert_eq!(soon(serving).await.unwrap().unwrap(), Drained { cut_off: 0 });
}

#[tokio::test]
async fn calls_in_layers_that_do_not_end_in_time_are_cut_off_and_counted() {
    let seen = Arc::new(Seen::default());
    let bound = layered().methods(|methods| harness::add(methods, Arc::clone(&seen)));
    let bound = bound.bind("127.0.0.1:0").await.unwrap();
    let (address, handle) = (bound.local_addr().to_string(), bound.shutdown_handle());
    let serving = tokio::spawn(bound.serve());
    let client = Client::new(Channel::builder(address).connect_lazy().unwrap());
    let call = tokio::spawn(client.unary::<_, StringValue>(UNARY, text("wait")));
    soon(seen.waits.notified()).await;
    handle.shut_down(Duration::from_millis(20));
    assert_eq!(soon(serving).await.unwrap().unwrap(), Drained { cut_off: 1 });
    assert_eq!(code(soon(call).await.unwrap()).0, Code::Unavailable);
    soon(seen.dropped.notified()).await;
}
