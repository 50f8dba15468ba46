//! Calls whose messages are known by their descriptors only, or not at all.

use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use dunlin::client::Client;
use dunlin::client::dynamic::{DynamicClient, DynamicMethod, MethodDescriptor, MethodError};
use dunlin::grpc::Idempotency;
use dunlin::grpc::codec::{CodecRef, Raw};
use dunlin::protobuf::dynamic::{DynamicMessage, DynamicPool};
use dunlin::server::ServerContext;
use dunlin::server::dynamic::DynamicService;
use dunlin::{CallKind, CallOptions, Channel, Code, Receiver, ResultExt, Sender, Server, Status};
use dunlin_compiler::loader::Sources;
use dunlin_compiler::{Compiler, DescriptorOptions};

use crate::harness::{ask, code, in_process, soon, text};

fn pool() -> Arc<DynamicPool> {
    let sources = Sources::new().file("schema.proto", include_str!("schema.proto"));
    let compilation = Compiler::new(sources).compile(["schema.proto"]).expect("a valid schema");
    let with_imports = DescriptorOptions { include_imports: true, ..Default::default() };
    DynamicPool::from_file_descriptor_set(compilation.file_descriptor_set(with_imports)).expect("a pool")
}

fn channel(server: Server) -> Channel {
    Channel::in_process(server.in_process().connector())
}

/// Every message that comes, as JSON.
async fn all(
    method: &MethodDescriptor,
    receiver: &mut Receiver<DynamicMessage>,
) -> Result<Vec<String>, Status> {
    let mut out = Vec::new();
    while let Some(message) = receiver.next().await? {
        out.push(method.to_json(&message).status(Code::Internal)?);
    }
    Ok(out)
}

#[tokio::test]
async fn methods_of_generated_messages_are_called_by_their_descriptors() {
    let (client, _seen) = in_process();
    let client = DynamicClient::new(client, pool());
    let method = |name: &str| client.method(&format!("test.Echo/{name}")).unwrap();

    let unary = method("Unary");
    let request = unary.request_from_json(r#""hi""#).unwrap();
    let response = soon(unary.unary(request).unwrap()).await.unwrap();
    assert_eq!(unary.to_json(&response).unwrap(), r#""echo hi""#);

    let list = method("List");
    let request = list.request_from_json(r#""3 2""#).unwrap();
    let mut receiver = soon(list.server_streaming(request).unwrap()).await.unwrap();
    assert_eq!(soon(all(&list, &mut receiver)).await.unwrap(), [r#""00""#, r#""01""#, r#""02""#]);

    let upload = method("Upload");
    let mut sender = soon(upload.client_streaming().unwrap()).await.unwrap();
    for part in [r#""one""#, r#""three""#] {
        soon(sender.send(upload.request_from_json(part).unwrap())).await.unwrap();
    }
    let response = soon(sender.finish()).await.unwrap();
    assert_eq!(upload.to_json(&response).unwrap(), r#""2 8""#);

    let chat = method("Chat");
    let (mut sender, mut receiver) = soon(chat.bidi_streaming().unwrap()).await.unwrap();
    let hello = soon(receiver.next()).await.unwrap().unwrap();
    assert_eq!(chat.to_json(&hello).unwrap(), r#""hello""#);
    soon(sender.send(chat.request_from_json(r#""back""#).unwrap())).await.unwrap();
    let back = soon(receiver.next()).await.unwrap().unwrap();
    assert_eq!(chat.to_json(&back).unwrap(), r#""back""#);
    sender.finish();
    assert_eq!(soon(receiver.next()).await.unwrap(), None);
}

#[tokio::test]
async fn a_failed_call_ends_with_its_status() {
    let (client, _seen) = in_process();
    let unary = DynamicClient::new(client, pool()).method("/test.Echo/Unary").unwrap();
    let request = unary.request_from_json(r#""fail nothing here""#).unwrap();
    let status = soon(unary.unary(request).unwrap()).await.unwrap_err();
    assert_eq!(status.to_string(), "NOT_FOUND: nothing here");
    assert_eq!(status.metadata().get("x-why"), Some("because"));
}

/// The answer to these orders.
fn receipt(method: &MethodDescriptor, orders: &[String]) -> Result<DynamicMessage, Status> {
    method.response_from_json(&format!(r#"{{"orders":[{}]}}"#, orders.join(","))).status(Code::Internal)
}

/// A shop of which nothing was generated.
fn shop() -> Channel {
    let mut service = DynamicService::new(pool());
    let method = |name: &str| service.method(name).unwrap();
    let (get, fill, split, haggle) = (
        method("test.Shop/Get"),
        method("test.Shop/Fill"),
        method("test.Shop/Split"),
        method("test.Shop/Haggle"),
    );
    let unary = move |cx: ServerContext, order: DynamicMessage| {
        let get = get.clone();
        async move {
            let result = get.to_json(&order).status(Code::Internal).and_then(|order| receipt(&get, &[order]));
            (cx, result)
        }
    };
    service.unary("test.Shop/Get", unary).unwrap();
    let fill = move |cx: ServerContext, mut orders: Receiver<DynamicMessage>| {
        let fill = fill.clone();
        async move {
            let result = all(&fill, &mut orders).await.and_then(|orders| receipt(&fill, &orders));
            (cx, result)
        }
    };
    service.client_streaming("test.Shop/Fill", fill).unwrap();
    let split = move |cx: ServerContext, order: DynamicMessage, mut out: Sender<DynamicMessage>| {
        let split = split.clone();
        async move {
            let result = async {
                let order = split.to_json(&order).status(Code::Internal)?;
                out.send(receipt(&split, std::slice::from_ref(&order))?).await?;
                out.send(receipt(&split, &[order.clone(), order])?).await
            };
            let result = result.await;
            (cx, result)
        }
    };
    service.server_streaming("test.Shop/Split", split).unwrap();
    let haggle =
        move |cx: ServerContext, mut orders: Receiver<DynamicMessage>, mut out: Sender<DynamicMessage>| {
            let haggle = haggle.clone();
            async move {
                let result = async {
                    while let Some(order) = orders.next().await? {
                        let order = haggle.to_json(&order).status(Code::Internal)?;
                        out.send(receipt(&haggle, &[order])?).await?;
                    }
                    Ok(())
                };
                let result = result.await;
                (cx, result)
            }
        };
    service.bidi_streaming("test.Shop/Haggle", haggle).unwrap();
    channel(Server::builder().methods(|methods| service.register(methods)).build().expect("a server"))
}

#[tokio::test]
async fn a_service_needs_no_generated_code_on_either_side() {
    let client = DynamicClient::new(shop(), pool());
    let method = |name: &str| client.method(&format!("test.Shop/{name}")).unwrap();
    let order = |method: &DynamicMethod, count: i32| {
        method.request_from_json(&format!(r#"{{"product": "cup", "count": {count}}}"#)).unwrap()
    };
    let one = r#"{"orders":[{"product":"cup","count":1}]}"#;
    let two = r#"{"orders":[{"product":"cup","count":2}]}"#;

    let get = method("Get");
    let response = soon(get.unary(order(&get, 1)).unwrap()).await.unwrap();
    assert_eq!(get.to_json(&response).unwrap(), one);

    let fill = method("Fill");
    let mut upload = soon(fill.client_streaming().unwrap()).await.unwrap();
    for count in 1..=2 {
        soon(upload.send(order(&fill, count))).await.unwrap();
    }
    let response = soon(upload.finish()).await.unwrap();
    let both = r#"{"orders":[{"product":"cup","count":1},{"product":"cup","count":2}]}"#;
    assert_eq!(fill.to_json(&response).unwrap(), both);

    let split = method("Split");
    let mut receiver = soon(split.server_streaming(order(&split, 1)).unwrap()).await.unwrap();
    let twice = r#"{"orders":[{"product":"cup","count":1},{"product":"cup","count":1}]}"#;
    assert_eq!(soon(all(&split, &mut receiver)).await.unwrap(), [one, twice]);

    let haggle = method("Haggle");
    let (mut sender, mut receiver) = soon(haggle.bidi_streaming().unwrap()).await.unwrap();
    for (count, expected) in [(1, one), (2, two)] {
        soon(sender.send(order(&haggle, count))).await.unwrap();
        let receipt = soon(receiver.next()).await.unwrap().unwrap();
        assert_eq!(haggle.to_json(&receipt).unwrap(), expected);
    }
    sender.finish();
    assert_eq!(soon(receiver.next()).await.unwrap(), None);
}

#[tokio::test]
async fn any_is_json_by_the_types_of_the_schema() {
    let client = DynamicClient::new(shop(), pool());
    let get = client.method("test.Shop/Get").unwrap();
    for extra in [
        r#"{"@type":"type.googleapis.com/test.Order","product":"saucer"}"#,
        // Not imported by the schema.
        r#"{"@type":"type.googleapis.com/google.protobuf.Duration","value":"1.500s"}"#,
    ] {
        let request = get.request_from_json(&format!(r#"{{"extra":{extra}}}"#)).unwrap();
        let response = soon(get.unary(request).unwrap()).await.unwrap();
        assert_eq!(get.to_json(&response).unwrap(), format!(r#"{{"orders":[{{"extra":{extra}}}]}}"#));
    }
}

#[tokio::test]
async fn a_method_is_called_and_served_as_the_kind_that_it_is() {
    let (client, _seen) = in_process();
    let client = DynamicClient::new(client, pool());
    let kind = |error: MethodError| error.to_string();
    let unary = client.method("test.Echo/Unary").unwrap();
    assert_eq!(
        [
            kind(unary.server_streaming(unary.request()).unwrap_err()),
            kind(unary.client_streaming().unwrap_err()),
            kind(unary.bidi_streaming().unwrap_err()),
            kind(client.method("test.Echo/Chat").unwrap().unary(unary.request()).unwrap_err()),
        ],
        [
            "/test.Echo/Unary is unary, not server streaming",
            "/test.Echo/Unary is unary, not client streaming",
            "/test.Echo/Unary is unary, not bidirectional streaming",
            "/test.Echo/Chat is bidirectional streaming, not unary",
        ],
    );
    let mut service = DynamicService::new(pool());
    let error = service.unary("test.Shop/Fill", |cx, order| async { (cx, Ok(order)) }).unwrap_err();
    assert_eq!(error.to_string(), "/test.Shop/Fill is client streaming, not unary");
    let get = service.method("test.Shop/Get").unwrap();
    assert_eq!(get.kind(), CallKind::Unary);
    assert_eq!(get.method().idempotency(), Idempotency::NoSideEffects);
}

#[tokio::test]
async fn messages_of_another_type_are_not_sent() {
    let client = DynamicClient::new(shop(), pool());
    let get = client.method("test.Shop/Get").unwrap();
    let (found, message) = code(soon(get.unary(get.response()).unwrap()).await);
    assert_eq!(found, Code::Internal);
    assert_eq!(message, "a message of type test.Receipt where test.Order is sent");

    let mut service = DynamicService::new(pool());
    service.unary("test.Shop/Get", |cx, order| async { (cx, Ok(order)) }).unwrap();
    let server = Server::builder().methods(|methods| service.register(methods)).build().unwrap();
    let get = DynamicClient::new(channel(server), pool()).method("test.Shop/Get").unwrap();
    let (found, message) = code(soon(get.unary(get.request()).unwrap()).await);
    assert_eq!(found, Code::Internal);
    assert_eq!(message, "a message of type test.Order where test.Receipt is sent");
}

#[cfg(feature = "proto")]
#[tokio::test]
async fn a_file_is_enough_to_call() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/calls");
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/calls/schema.proto");
    for folders in [vec![], vec![folder]] {
        let client = DynamicClient::from_proto(shop(), file, folders).unwrap();
        let get = client.method("test.Shop/Get").unwrap();
        let request = get.request_from_json(r#"{"product": "cup"}"#).unwrap();
        let response = soon(get.unary(request).unwrap()).await.unwrap();
        assert_eq!(get.to_json(&response).unwrap(), r#"{"orders":[{"product":"cup"}]}"#);
    }
    let error = DynamicClient::from_proto(shop(), "there/shop.proto", ["here"]).unwrap_err();
    assert_eq!(error.to_string(), "there/shop.proto lies below none of the import folders here");
    let error = DynamicClient::from_proto(shop(), "here/shop.proto", ["here"]).unwrap_err();
    assert!(error.to_string().contains("shop.proto"), "{error}");
}

/// Passes a call on, whatever its messages are.
async fn forward(
    client: Client,
    mut cx: ServerContext,
    mut requests: Receiver<Bytes>,
    mut responses: Sender<Bytes>,
) -> (ServerContext, Result<(), Status>) {
    let result = pass_on(&client, &mut cx, &mut requests, &mut responses).await;
    (cx, result)
}

async fn pass_on(
    client: &Client,
    cx: &mut ServerContext,
    requests: &mut Receiver<Bytes>,
    responses: &mut Sender<Bytes>,
) -> Result<(), Status> {
    let raw = || CodecRef::<Bytes>::Static(&Raw);
    let options = CallOptions::new().extend_metadata(cx.metadata());
    let call = client.bidi_streaming_with(cx.method().clone(), raw(), raw()).options(options);
    let (mut sender, mut receiver) = call.await?;
    let there = async move {
        while let Some(message) = requests.next().await? {
            sender.send(message).await?;
        }
        sender.finish();
        Ok::<_, Status>(())
    };
    let back = async {
        cx.extend_headers(receiver.headers().await)?;
        while let Some(message) = receiver.next().await? {
            responses.send(message).await?;
        }
        cx.trailers_mut().extend(receiver.trailers());
        Ok(())
    };
    let mut back = pin!(back);
    tokio::select! {
        biased;
        result = &mut back => result,
        // The server may end before it has all requests, and its status is the one that counts.
        _ = there => back.await,
    }
}

/// A client of a server that knows no method, and passes everything on to the harness.
fn through_a_proxy() -> Client {
    let (behind, _seen) = in_process();
    let proxy = Server::builder()
        .methods(|methods| {
            methods.fallback(move |cx, requests, responses| forward(behind.clone(), cx, requests, responses));
        })
        .build()
        .expect("a server");
    Client::new(channel(proxy))
}

#[tokio::test]
async fn a_proxy_passes_on_what_it_does_not_know() {
    use crate::harness::{CHAT, LIST, UNARY, UPLOAD};
    use dunlin::protobuf::wkt::StringValue;

    let client = through_a_proxy();
    assert_eq!(soon(ask(&client, "hi")).await.unwrap(), "echo hi");
    assert_eq!(soon(ask(&client, &"y".repeat(1 << 20))).await.unwrap().len(), (1 << 20) + 5);

    let call = client.unary::<_, StringValue>(UNARY, text("metadata x-a")).metadata("x-a", "1, 2");
    let response = soon(call.response()).await.unwrap();
    assert_eq!(response.headers().get("x-header"), Some("1, 2"));
    assert_eq!(response.trailers().get_bin("x-trailer-bin"), Some(b"1, 2".to_vec()));

    let status = soon(ask(&client, "fail no such thing")).await.unwrap_err();
    assert_eq!(status.to_string(), "NOT_FOUND: no such thing");
    assert_eq!(&status.details()[..], b"\x08\x05");
    assert_eq!(status.metadata().get("x-why"), Some("because"));

    let mut list: Receiver<StringValue> =
        soon(client.server_streaming(LIST, text("100 1000"))).await.unwrap();
    for number in 0..100 {
        let message = soon(list.next()).await.unwrap().unwrap();
        assert_eq!(message.value.parse::<usize>(), Ok(number));
    }
    assert_eq!(soon(list.next()).await.unwrap(), None);

    let mut upload = soon(client.client_streaming::<StringValue, StringValue>(UPLOAD)).await.unwrap();
    for _ in 0..100 {
        soon(upload.send(text("z".repeat(10_000)))).await.unwrap();
    }
    assert_eq!(soon(upload.finish()).await.unwrap().value, "100 1000000");
    let mut upload = soon(client.client_streaming::<StringValue, StringValue>(UPLOAD)).await.unwrap();
    soon(upload.send(text("enough"))).await.unwrap();
    assert_eq!(soon(upload.finish()).await.unwrap_err().to_string(), "OUT_OF_RANGE: that is enough");

    let (mut sender, mut receiver) =
        soon(client.bidi_streaming::<StringValue, StringValue>(CHAT)).await.unwrap();
    assert_eq!(soon(receiver.next()).await.unwrap().unwrap().value, "hello");
    for number in 0..10 {
        soon(sender.send(text(number.to_string()))).await.unwrap();
        assert_eq!(soon(receiver.next()).await.unwrap().unwrap().value, number.to_string());
    }
    sender.finish();
    assert_eq!(soon(receiver.next()).await.unwrap(), None);
}

#[tokio::test]
async fn the_deadline_goes_through_a_proxy() {
    let client = through_a_proxy();
    let call = client
        .unary::<_, dunlin::protobuf::wkt::StringValue>(crate::harness::UNARY, text("remaining"))
        .timeout(std::time::Duration::from_secs(10));
    let remaining: u64 = soon(call).await.unwrap().value.parse().unwrap();
    assert!((1..=10_000).contains(&remaining), "{remaining} ms");
}
