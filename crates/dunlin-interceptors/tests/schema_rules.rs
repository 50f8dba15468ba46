//! Messages refused by the rules of their schema.

use dunlin_client::Channel;
use dunlin_client::dynamic::DynamicClient;
use dunlin_compiler::loader::Sources;
use dunlin_compiler::{Compiler, DescriptorOptions};
use dunlin_grpc::{Code, Receiver, Sender, Status};
use dunlin_interceptors::Validation;
use dunlin_protobuf::dynamic::{DynamicMessage, DynamicPool};
use dunlin_server::dynamic::DynamicService;
use dunlin_server::{Server, ServerContext};
use dunlin_validate::{Validator, proto};

const SCHEMA: &str = r#"
    syntax = "proto3";
    package t;
    import "buf/validate/validate.proto";
    service Orders {
        rpc Create(Order) returns (Order);
        rpc Track(stream Order) returns (stream Order);
    }
    message Order {
        string id = 1 [(buf.validate.field).string.min_len = 3];
        repeated Item items = 2 [(buf.validate.field).repeated.max_items = 2];
    }
    message Item {
        int32 count = 1 [(buf.validate.field).cel_expression = "this % 12 == 0"];
    }"#;

async fn create(
    cx: ServerContext,
    request: DynamicMessage,
) -> (ServerContext, Result<DynamicMessage, Status>) {
    (cx, Ok(request))
}

async fn track(
    cx: ServerContext,
    mut orders: Receiver<DynamicMessage>,
    mut out: Sender<DynamicMessage>,
) -> (ServerContext, Result<(), Status>) {
    let result = async {
        while let Some(order) = orders.next().await? {
            out.send(order).await?;
        }
        Ok(())
    };
    let result = result.await;
    (cx, result)
}

#[tokio::test]
async fn rules_of_the_schema_refuse_requests_and_messages_of_streams() {
    let sources =
        Sources::new().file("t.proto", SCHEMA).file("buf/validate/validate.proto", dunlin_validate::SCHEMA);
    let options = DescriptorOptions { include_imports: true, ..Default::default() };
    let set = Compiler::new(sources).compile(["t.proto"]).unwrap().file_descriptor_set(options);
    let pool = DynamicPool::from_file_descriptor_set(set).unwrap();
    let mut service = DynamicService::new(pool.clone());
    service.unary("t.Orders/Create", create).unwrap();
    service.bidi_streaming("t.Orders/Track", track).unwrap();
    let server = Server::builder()
        .methods(|methods| service.register(methods))
        .interceptor(Validation::new().schema(Validator::new(pool.clone())));
    let server = server.build().unwrap().in_process();
    let client = DynamicClient::new(Channel::in_process(server.connector()), pool);

    let create = client.method("t.Orders/Create").unwrap();
    let order = |json: &str| create.request_from_json(json).unwrap();
    let fine = r#"{"id": "a-1", "items": [{"count": 24}]}"#;
    create.unary(order(fine)).unwrap().await.unwrap();
    let bad = order(r#"{"id": "a", "items": [{"count": 12}, {"count": 13}, {}]}"#);
    let status = create.unary(bad).unwrap().await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    let details = status.error_details().unwrap();
    let fields: Vec<_> = details.field_violations().map(|found| found.field).collect();
    assert_eq!(fields, ["id", "items", "items[1].count"]);
    let violations = details.get::<proto::Violations>().unwrap();
    assert_eq!(violations.violations[0].rule_id(), "string.min_len");

    let track = client.method("t.Orders/Track").unwrap();
    let (mut sender, mut receiver) = track.bidi_streaming().unwrap().await.unwrap();
    sender.send(order(fine)).await.unwrap();
    assert!(receiver.next().await.unwrap().is_some());
    sender.send(order(r#"{"id": ""}"#)).await.unwrap();
    assert_eq!(receiver.next().await.unwrap_err().code(), Code::InvalidArgument);
}
