//! The client, and servers that lack something or mean it ill.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use dunlin_client::Channel;
use dunlin_grpc::{Code, Method, Receiver, Sender, Status};
use dunlin_proto::grpc::reflection::v1::server_reflection_request::MessageRequest;
use dunlin_proto::grpc::reflection::v1::server_reflection_response::MessageResponse;
use dunlin_proto::grpc::reflection::v1::{
    ErrorResponse, FileDescriptorResponse, ServerReflectionRequest, ServerReflectionResponse,
};
use dunlin_protobuf::descriptor::{DescriptorMessage, DescriptorProto, FieldDescriptorProto, Type};
use dunlin_protobuf::descriptor::{FileDescriptorProto, Label};
use dunlin_server::{Methods, Server, ServerContext};
use dunlin_services::ReflectionClient;
use dunlin_services::reflection::FetchError;

use crate::{V1, V1_ALPHA, channel, set, soon};

type Answer = Result<Option<MessageResponse>, Status>;

/// A reflection of this version, or half of one.
fn add(
    methods: &mut Methods,
    method: Method,
    answer: impl Fn(MessageRequest) -> Answer + Send + Sync + 'static,
) {
    let answer = Arc::new(answer);
    methods.bidi_streaming(
        method,
        move |cx: ServerContext,
              mut requests: Receiver<ServerReflectionRequest>,
              mut out: Sender<ServerReflectionResponse>| {
            let answer = Arc::clone(&answer);
            async move {
                let all = async {
                    while let Some(request) = requests.next().await? {
                        let message_response = answer(request.message_request.unwrap())?;
                        out.send(ServerReflectionResponse { message_response, ..Default::default() }).await?;
                    }
                    Ok(())
                };
                let result = all.await;
                (cx, result)
            }
        },
    );
}

fn client(answer: impl Fn(MessageRequest) -> Answer + Send + Sync + 'static) -> ReflectionClient {
    ReflectionClient::new(channel(Server::builder().methods(|methods| add(methods, V1, answer))))
}

fn files(files: impl IntoIterator<Item = FileDescriptorProto>) -> Answer {
    let file_descriptor_proto = files.into_iter().map(|file| file.encode_to_vec().into()).collect();
    let response = FileDescriptorResponse { file_descriptor_proto, ..Default::default() };
    Ok(Some(MessageResponse::FileDescriptorResponse(response)))
}

fn error(code: Code) -> Answer {
    let error = ErrorResponse { error_code: code as i32, error_message: "no".into(), ..Default::default() };
    Ok(Some(MessageResponse::ErrorResponse(error)))
}

/// One file at a time, without its imports, and without some.
fn one_by_one(lacks: &'static [&'static str]) -> ReflectionClient {
    client(move |question| {
        let path = match question {
            MessageRequest::FileContainingSymbol(_) => "shop.proto".to_owned(),
            MessageRequest::FileByFilename(path) => path,
            other => panic!("{other:?}"),
        };
        let found = set().file.into_iter().find(|f| f.name.as_ref() == Some(&path));
        match found.filter(|_| !lacks.contains(&path.as_str())) {
            Some(file) => files([file]),
            None => error(Code::NotFound),
        }
    })
}

#[tokio::test]
async fn imports_that_were_not_sent_are_asked_for_and_well_known_ones_are_built_in() {
    let pool =
        one_by_one(&["google/protobuf/timestamp.proto"]).pool_for_symbol("shop.v1.Shop").await.unwrap();
    assert!(pool.message("shop.v1.Money").is_some() && pool.message("google.protobuf.Timestamp").is_some());
}

#[tokio::test]
async fn an_error_says_which_imports_the_server_does_not_have() {
    let error = one_by_one(&["money.proto"]).pool_for_symbol("shop.v1.Shop").await.unwrap_err();
    assert!(matches!(&error, FetchError::Schema { missing, .. } if missing == &["money.proto"]), "{error:?}");
    let text = error.to_string();
    assert!(text.ends_with("; it does not have money.proto"), "{text}");
}

#[tokio::test]
async fn servers_with_the_older_version_only_are_asked_in_that_one_from_then_on() {
    // What proxies have said of services that they do not know.
    for code in [Code::Unimplemented, Code::Unavailable, Code::Unauthenticated, Code::Internal] {
        let refused = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&refused);
        let client = ReflectionClient::new(channel(Server::builder().methods(|methods| {
            add(methods, V1, move |_| {
                counted.fetch_add(1, Ordering::Relaxed);
                Err(Status::new(code, "not here"))
            });
            add(methods, V1_ALPHA, |_| files(set().file));
        })));
        for _ in 0..3 {
            assert_eq!(soon(client.file_by_name("shop.proto")).await.unwrap().len(), 3, "{code}");
        }
        assert_eq!(refused.load(Ordering::Relaxed), 1, "{code}");
    }
}

#[tokio::test]
async fn a_server_without_reflection_and_one_that_is_not_there_are_told_apart() {
    let error = ReflectionClient::new(channel(Server::builder())).list_services().await.unwrap_err();
    let FetchError::Unsupported { v1, v1_alpha } = &error else { panic!("{error:?}") };
    assert_eq!([v1.code(), v1_alpha.code()], [Code::Unimplemented; 2]);
    let bound = Server::builder().bind("127.0.0.1:0").await.unwrap();
    let address = bound.local_addr().to_string();
    drop(bound);
    let client = ReflectionClient::new(Channel::builder(address).connect_lazy().unwrap());
    let error = soon(client.list_services()).await.unwrap_err();
    assert!(matches!(&error, FetchError::Call(status) if status.code() == Code::Unavailable), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_is_not_waited_for_without_end() {
    let server = Server::builder().methods(|methods| {
        methods.bidi_streaming(
            V1,
            |cx: ServerContext,
             _requests: Receiver<ServerReflectionRequest>,
             _out: Sender<ServerReflectionResponse>| async move {
                std::future::pending::<()>().await;
                (cx, Ok(()))
            },
        );
    });
    let error = ReflectionClient::new(channel(server)).list_services().await.unwrap_err();
    assert!(
        matches!(&error, FetchError::Call(status) if status.code() == Code::DeadlineExceeded),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_schema_without_end_ends_at_the_limit() {
    let count = AtomicUsize::new(0);
    let endless = client(move |_| {
        // Each file imports two more.
        let number = count.fetch_add(1, Ordering::Relaxed);
        let name = |number: usize| format!("{number}.proto");
        files([FileDescriptorProto {
            name: Some(name(number)),
            dependency: vec![name(2 * number + 1), name(2 * number + 2)],
            ..Default::default()
        }])
    });
    let limited = |client: ReflectionClient| async move { client.pool_for_symbol("a").await.unwrap_err() };
    for (client, text) in [
        (
            endless.clone().max_requests(50),
            "had to be asked more than 50 times, which is the limit (`max_requests`)",
        ),
        (endless.clone().max_files(50), "sent more than 50 files, which is the limit (`max_files`)"),
        (
            endless.max_bytes(1000),
            "sent more than 1000 bytes of descriptors, which is the limit (`max_bytes`)",
        ),
    ] {
        assert_eq!(soon(limited(client)).await.to_string(), format!("the server {text}"));
    }
    // One message that is larger than everything together may be.
    let large =
        client(|_| files([FileDescriptorProto { name: Some("x".repeat(1 << 20)), ..Default::default() }]));
    let error = limited(large.max_bytes(1000)).await;
    assert!(matches!(error, FetchError::TooMuch { setting: "max_bytes", limit: 1000 }), "{error:?}");
}

#[tokio::test]
async fn answers_that_do_not_fit_are_errors_that_say_to_what() {
    let nothing = client(|_| files([]));
    let text = nothing.pool_for_symbol("a.B").await.unwrap_err().to_string();
    assert_eq!(text, "file that declares a.B: the server sent another kind of response");
    let other = client(|_| files(set().file)).list_services().await.unwrap_err().to_string();
    assert_eq!(other, "list of services: the server sent another kind of response");
    let none = client(|_| Ok(None)).file_by_name("a").await.unwrap_err().to_string();
    assert_eq!(none, "file a: the server sent another kind of response");
    let refused = client(|_| error(Code::PermissionDenied)).file_by_name("a").await.unwrap_err().to_string();
    assert_eq!(refused, "file a: PERMISSION_DENIED: no");
    let bytes = client(|_| {
        let file_descriptor_proto = vec![Bytes::from_static(b"\x0a\xff")];
        let response = FileDescriptorResponse { file_descriptor_proto, ..Default::default() };
        Ok(Some(MessageResponse::FileDescriptorResponse(response)))
    });
    let text = bytes.pool_for_symbol("a").await.unwrap_err().to_string();
    assert!(text.starts_with("the server sent a file descriptor that can not be read: "), "{text}");
}

#[tokio::test]
async fn descriptors_that_contradict_themselves_are_refused() {
    let field = |number| FieldDescriptorProto {
        name: Some("twice".into()),
        number: Some(number),
        r#type: Some(Type::TYPE_INT32),
        label: Some(Label::LABEL_OPTIONAL),
        ..Default::default()
    };
    let message =
        DescriptorProto { name: Some("M".into()), field: vec![field(1), field(1)], ..Default::default() };
    let file = FileDescriptorProto {
        name: Some("a.proto".into()),
        // A cycle too.
        dependency: vec!["a.proto".into()],
        message_type: vec![message],
        ..Default::default()
    };
    let error = client(move |_| files([file.clone()])).pool_for_symbol("M").await.unwrap_err();
    assert!(matches!(&error, FetchError::Schema { missing, .. } if missing.is_empty()), "{error:?}");
}
