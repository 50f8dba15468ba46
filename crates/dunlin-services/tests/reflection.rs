//! Reflection from end to end: what servers tell, and what the client makes of it and of servers that
//! mean it ill.

mod hostile;

use std::time::Duration;

use dunlin_client::dynamic::DynamicClient;
use dunlin_client::{Channel, Client};
use dunlin_compiler::loader::Sources;
use dunlin_compiler::{Compiler, DescriptorOptions};
use dunlin_grpc::{CallKind, Code, Method, Receiver, Sender};
use dunlin_proto::grpc::reflection::v1::server_reflection_request::MessageRequest;
use dunlin_proto::grpc::reflection::v1::server_reflection_response::MessageResponse;
use dunlin_proto::grpc::reflection::v1::{
    ExtensionRequest, ServerReflectionRequest, ServerReflectionResponse,
};
use dunlin_proto::grpc::reflection::v1alpha;
use dunlin_protobuf::descriptor::{DescriptorMessage, FileDescriptorProto, FileDescriptorSet};
use dunlin_protobuf::dynamic::DynamicPool;
use dunlin_server::dynamic::DynamicService;
use dunlin_server::{Builder, Server};
use dunlin_services::{HealthReporter, Reflection, ReflectionClient};

pub(crate) const V1: Method = Method::new(
    "grpc.reflection.v1.ServerReflection",
    "ServerReflectionInfo",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    CallKind::BidiStreaming,
);
pub(crate) const V1_ALPHA: Method = Method::new(
    "grpc.reflection.v1alpha.ServerReflection",
    "ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    CallKind::BidiStreaming,
);

const SHOP: &str = r#"syntax = "proto2"; package shop.v1;
    import "money.proto"; import "google/protobuf/timestamp.proto";
    message Product {
        optional string name = 1; optional Money price = 2;
        optional google.protobuf.Timestamp since = 3;
        extensions 100 to 200;
    }
    extend Product { optional int32 weight = 120; optional int32 height = 110; }
    message Query { optional string name = 1; }
    service Shop { rpc Get(Query) returns (Product); }"#;
const MONEY: &str = r#"syntax = "proto3"; package shop.v1; message Money { int64 units = 1; }"#;

pub(crate) fn set() -> FileDescriptorSet {
    let sources = Sources::new().file("shop.proto", SHOP).file("money.proto", MONEY);
    let compilation = Compiler::new(sources).compile(["shop.proto"]).unwrap();
    compilation.file_descriptor_set(DescriptorOptions { include_imports: true, ..Default::default() })
}

/// Serves the shop by its descriptors.
fn shop() -> Builder {
    let pool = DynamicPool::from_file_descriptor_set(set()).unwrap();
    let mut service = DynamicService::new(pool);
    let get = service.method("shop.v1.Shop/Get").unwrap();
    service
        .unary("shop.v1.Shop/Get", move |cx, _| {
            let product = get.response_from_json(r#"{"name": "cup", "price": {"units": "3"}}"#).unwrap();
            async move { (cx, Ok(product)) }
        })
        .unwrap();
    Server::builder().methods(|methods| service.register(methods))
}

/// Lives as long as the runtime.
pub(crate) fn channel(builder: Builder) -> Channel {
    Channel::in_process(builder.build().unwrap().in_process().connector())
}

pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("it takes far too long")
}

struct Stream {
    sender: Sender<ServerReflectionRequest>,
    receiver: Receiver<ServerReflectionResponse>,
}

impl Stream {
    async fn open(channel: Channel) -> Self {
        let (sender, receiver) = Client::new(channel).bidi_streaming(V1).await.unwrap();
        Self { sender, receiver }
    }

    async fn ask(&mut self, question: MessageRequest) -> MessageResponse {
        let request = ServerReflectionRequest {
            host: "example".into(),
            message_request: Some(question),
            ..Default::default()
        };
        self.sender.send(request.clone()).await.unwrap();
        let response = soon(self.receiver.next()).await.unwrap().unwrap();
        assert_eq!(response.valid_host, "example");
        assert_eq!(response.original_request, Some(request.into()));
        response.message_response.unwrap()
    }

    async fn paths(&mut self, question: MessageRequest) -> Vec<String> {
        match self.ask(question).await {
            MessageResponse::FileDescriptorResponse(files) => {
                let decoded = files.file_descriptor_proto.iter().map(|b| FileDescriptorProto::decode(b));
                decoded.map(|file| file.unwrap().name.unwrap()).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    async fn error(&mut self, question: MessageRequest) -> (i32, String) {
        match self.ask(question).await {
            MessageResponse::ErrorResponse(error) => (error.error_code, error.error_message),
            other => panic!("{other:?}"),
        }
    }
}

fn extension(message: &str, number: i32) -> MessageRequest {
    MessageRequest::FileContainingExtension(ExtensionRequest {
        containing_type: message.into(),
        extension_number: number,
        ..Default::default()
    })
}

#[tokio::test]
async fn all_services_of_a_server_are_listed_and_their_schemas_told_with_nothing_said() {
    let health = HealthReporter::new();
    let client =
        ReflectionClient::new(channel(shop().add_service(Reflection::new()).add_service(health.service())));
    assert_eq!(
        client.list_services().await.unwrap(),
        [
            "grpc.health.v1.Health",
            "grpc.reflection.v1.ServerReflection",
            "grpc.reflection.v1alpha.ServerReflection",
            "shop.v1.Shop",
        ]
    );
    let pool = client.pool().await.unwrap();
    for name in [
        "shop.v1.Product",
        "shop.v1.Money",
        "google.protobuf.Timestamp",
        "grpc.health.v1.HealthCheckRequest",
        "grpc.reflection.v1.ServerReflectionRequest",
        "grpc.reflection.v1alpha.ServerReflectionRequest",
    ] {
        assert!(pool.message(name).is_some(), "{name}");
    }
}

#[tokio::test]
async fn a_client_that_knows_nothing_calls_a_method() {
    let channel = channel(shop().add_service(Reflection::new()));
    let pool = ReflectionClient::new(channel.clone()).pool_for_symbol("shop.v1.Shop").await.unwrap();
    let client = DynamicClient::new(channel, pool);
    let method = client.method("shop.v1.Shop/Get").unwrap();
    let request = method.request_from_json(r#"{"name": "cup"}"#).unwrap();
    let product = method.unary(request).unwrap().await.unwrap();
    assert_eq!(method.to_json(&product).unwrap(), r#"{"name":"cup","price":{"units":"3"}}"#);
}

#[tokio::test]
async fn every_question_has_its_answer_over_one_stream() {
    let mut stream = Stream::open(channel(shop().add_service(Reflection::new()))).await;
    let time = "google/protobuf/timestamp.proto";
    let symbol = |name: &str| MessageRequest::FileContainingSymbol(name.into());
    let path = |path: &str| MessageRequest::FileByFilename(path.into());
    assert_eq!(stream.paths(symbol("shop.v1.Money")).await, ["money.proto"]);
    // The import that is there already does not come again; what was asked for does.
    assert_eq!(stream.paths(symbol("shop.v1.Shop.Get")).await, ["shop.proto", time]);
    assert_eq!(stream.paths(path("shop.proto")).await, ["shop.proto"]);
    assert_eq!(stream.paths(extension("shop.v1.Product", 120)).await, ["shop.proto"]);
    let numbers = |name: &str| MessageRequest::AllExtensionNumbersOfType(name.into());
    for (name, wanted) in [("shop.v1.Product", &[110, 120][..]), ("shop.v1.Query", &[])] {
        let MessageResponse::AllExtensionNumbersResponse(found) = stream.ask(numbers(name)).await else {
            panic!("another answer");
        };
        assert_eq!((found.base_type_name.as_str(), &found.extension_number[..]), (name, wanted));
    }
    // Errors are answers, and the stream goes on.
    let not_found = Code::NotFound as i32;
    for (question, text) in [
        (symbol("shop.v1.Nothing"), "no file declares shop.v1.Nothing"),
        (path("nothing.proto"), "no file nothing.proto"),
        (extension("shop.v1.Product", 121), "no file declares extension 121 of shop.v1.Product"),
        (numbers("shop.v1.Shop"), "no message shop.v1.Shop"),
    ] {
        assert_eq!(stream.error(question).await, (not_found, text.to_owned()));
    }
    let (_, text) = stream.error(symbol(&"x".repeat(10_000))).await;
    assert!(text.len() < 300, "{text}");
    let Stream { sender, mut receiver } = stream;
    sender.finish();
    assert_eq!(soon(receiver.next()).await.unwrap(), None);
}

#[tokio::test]
async fn the_schema_of_the_details_of_errors_is_told_by_every_server() {
    let mut stream = Stream::open(channel(shop().add_service(Reflection::new()))).await;
    let symbol = |name: &str| MessageRequest::FileContainingSymbol(name.into());
    let paths = stream.paths(symbol("google.rpc.RetryInfo")).await;
    assert_eq!(paths, ["google/rpc/error_details.proto", "google/protobuf/duration.proto"]);
    assert_eq!(stream.paths(symbol("google.rpc.Status")).await[0], "google/rpc/status.proto");
}

#[tokio::test]
async fn a_request_that_asks_nothing_ends_the_call() {
    let mut stream = Stream::open(channel(shop().add_service(Reflection::new()))).await;
    stream.sender.send(ServerReflectionRequest::default()).await.unwrap();
    assert_eq!(soon(stream.receiver.next()).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn the_older_version_has_the_same_answers() {
    let client = Client::new(channel(shop().add_service(Reflection::new())));
    let (mut sender, mut receiver): (_, Receiver<v1alpha::ServerReflectionResponse>) =
        client.bidi_streaming(V1_ALPHA).await.unwrap();
    let question = v1alpha::server_reflection_request::MessageRequest::FileByFilename("money.proto".into());
    let request = v1alpha::ServerReflectionRequest { message_request: Some(question), ..Default::default() };
    sender.send(request.clone()).await.unwrap();
    let response = soon(receiver.next()).await.unwrap().unwrap();
    assert_eq!(response.original_request, Some(request.into()));
    let Some(v1alpha::server_reflection_response::MessageResponse::FileDescriptorResponse(files)) =
        response.message_response
    else {
        panic!("another answer");
    };
    let file = FileDescriptorProto::decode(&files.file_descriptor_proto[0]).unwrap();
    assert_eq!(file, set().file.into_iter().find(|f| f.name.as_deref() == Some("money.proto")).unwrap());
}

#[tokio::test]
async fn schemas_and_services_may_be_given_by_hand() {
    let pool = DynamicPool::from_file_descriptor_set(set()).unwrap();
    let given = Reflection::builder().pool(pool.descriptors()).services(["shop.v1.Shop", "a.A", "a.A"]);
    let client = ReflectionClient::new(channel(Server::builder().add_service(given.build().unwrap())));
    assert_eq!(client.list_services().await.unwrap(), ["a.A", "shop.v1.Shop"]);
    let files = client.file_by_name("shop.proto").await.unwrap();
    assert_eq!(files[0], set().file.into_iter().find(|f| f.name.as_deref() == Some("shop.proto")).unwrap());
    assert_eq!(client.file_containing_extension(".shop.v1.Product", 110).await.unwrap(), files);
    assert_eq!(client.file_containing_symbol("shop.v1.weight").await.unwrap(), files);
    assert_eq!(client.extension_numbers("shop.v1.Product").await.unwrap(), [110, 120]);
    let error = Reflection::builder().file_descriptor_set(set().encode_to_vec()).file_descriptor_set(b"\x0a");
    let text = error.build().unwrap_err().to_string();
    assert!(text.starts_with("the file descriptor set number 2 can not be read: "), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_silent_stream_does_not_keep_a_server_from_its_end() {
    let server = shop().add_service(Reflection::new()).build().unwrap().in_process();
    let mut stream = Stream::open(Channel::in_process(server.connector())).await;
    let question = || MessageRequest::ListServices(String::new());
    stream.ask(question()).await;
    let begun = tokio::time::Instant::now();
    server.shutdown_handle().shut_down(Duration::from_secs(3600));
    // Who still asks is answered.
    stream.ask(question()).await;
    assert_eq!(stream.receiver.next().await.unwrap_err().code(), Code::Unavailable);
    assert!(begun.elapsed() < Duration::from_secs(60));
}
