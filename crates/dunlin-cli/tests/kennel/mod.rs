//! A server of this process whose methods are all kinds, and `dunlin` run against it.
#![allow(dead_code, missing_docs, unreachable_pub)] // Each test binary uses a part.

use std::process::{Command, Stdio};

use dunlin_compiler::loader::Sources;
use dunlin_compiler::{Compiler, DescriptorOptions};
use dunlin_grpc::details::ErrorDetails;
use dunlin_grpc::intercept::{CallContext, Interceptor, Next};
use dunlin_grpc::{Code, Status};
use dunlin_protobuf::descriptor::{DescriptorMessage, FileDescriptorSet};
use dunlin_protobuf::dynamic::{DynamicMessage, DynamicPool};
use dunlin_protobuf::wkt::Any;
use dunlin_server::dynamic::DynamicService;
use dunlin_server::{Builder, Server};
use dunlin_services::Reflection;
use tokio::runtime::Runtime;

use crate::support::{Folder, Run};

pub const KENNEL: &str = r#"// Dogs.
syntax = "proto3";
package kennel.v1;
import "google/protobuf/any.proto";
import "google/protobuf/timestamp.proto";

// Looks after dogs.
service Kennel {
  // Gives back what it gets.
  rpc Echo(Dog) returns (Dog);
  rpc Repeat(Dog) returns (stream Dog);
  rpc Collect(stream Dog) returns (Dog);
  rpc Chat(stream Dog) returns (stream Dog);
  // Fails as it is told.
  rpc Fail(Fault) returns (Dog) {
    option deprecated = true;
  }
}

// A dog.
message Dog {
  // What it hears to.
  string name = 1;
  int32 age = 2;
  repeated string toys = 3;
  map<string, int64> scores = 4;
  oneof tag {
    string chip = 5;
    int64 ring = 6;
  }
  google.protobuf.Any extra = 7;
  google.protobuf.Timestamp born = 8;
  bytes photo = 9;
  Size size = 10;
  optional double weight = 11;
  Dog mother = 12;
  enum Size {
    SIZE_UNSPECIFIED = 0;
    SIZE_SMALL = 1 [deprecated = true];
  }
  reserved 20, 30 to 39;
  reserved "tail";
}

message Fault {
  int32 code = 1;
  string message = 2;
  bool with_details = 3;
  // Responses before the end.
  int32 after = 4;
}
"#;

/// The schema with all that it imports.
pub fn set() -> FileDescriptorSet {
    let compiler = Compiler::new(Sources::new().file("kennel.proto", KENNEL));
    let compilation = compiler.compile(["kennel.proto"]).unwrap();
    compilation.file_descriptor_set(DescriptorOptions { include_imports: true, ..Default::default() })
}

/// Refuses calls of one path.
pub struct Refuse(pub &'static str, pub Code);

impl Interceptor for Refuse {
    async fn call(&self, cx: &mut CallContext, next: Next<'_>) -> Result<(), Status> {
        if cx.method().path().starts_with(self.0) {
            return Err(Status::new(self.1, "not for you"));
        }
        next.run(cx).await
    }
}

fn text(message: &DynamicMessage, method: &dunlin_grpc::dynamic::MethodDescriptor) -> serde_json::Value {
    serde_json::from_str(&method.to_json(message).unwrap()).unwrap()
}

fn status(fault: &serde_json::Value) -> Status {
    let code = Code::from(fault["code"].as_i64().unwrap_or_default() as i32);
    let status = Status::new(code, fault["message"].as_str().unwrap_or_default().to_owned());
    if fault["withDetails"] != true {
        return status;
    }
    let mut details = ErrorDetails::new().bad_request([("dog.name", "must <not> be empty")]).error_info(
        "TOO_WILD",
        "kennel.example",
        [("age", "1")],
    );
    details.push_any(Any {
        type_url: "type.googleapis.com/kennel.v1.Secret".into(),
        value: vec![8, 1].into(),
        ..Default::default()
    });
    status.with_details(details)
}

/// The service alone, without reflection.
pub fn kennel() -> Builder {
    let pool = DynamicPool::from_file_descriptor_set(set()).unwrap();
    let mut service = DynamicService::new(pool);
    let echo = service.method("kennel.v1.Kennel/Echo").unwrap();
    let fail = service.method("kennel.v1.Kennel/Fail").unwrap();
    service
        .unary("kennel.v1.Kennel/Echo", |mut cx, dog| {
            let sent: Vec<(String, String)> = cx
                .metadata()
                .iter()
                .filter(|(name, _)| name.starts_with("x-"))
                .map(|(name, value)| (name.to_owned(), String::from_utf8_lossy(value).into_owned()))
                .collect();
            async move {
                for (name, value) in sent.iter().filter(|(name, _)| !name.ends_with("-bin")) {
                    cx.append_header(name, value).unwrap();
                    cx.insert_trailer("t-count", sent.len().to_string()).unwrap();
                }
                (cx, Ok(dog))
            }
        })
        .unwrap();
    let of = echo.clone();
    service
        .server_streaming("kennel.v1.Kennel/Repeat", move |cx, dog, mut out| {
            let times = text(&dog, &of)["age"].as_i64().unwrap_or_default();
            async move {
                for _ in 0..times {
                    if let Err(status) = out.send(dog.clone()).await {
                        return (cx, Err(status));
                    }
                }
                (cx, Ok(()))
            }
        })
        .unwrap();
    let of = echo.clone();
    service
        .client_streaming("kennel.v1.Kennel/Collect", move |cx, mut dogs| {
            let of = of.clone();
            async move {
                let mut names = Vec::new();
                loop {
                    match dogs.next().await {
                        Ok(Some(dog)) => {
                            names.push(text(&dog, &of)["name"].as_str().unwrap_or("?").to_owned())
                        }
                        Ok(None) => break,
                        Err(status) => return (cx, Err(status)),
                    }
                }
                let json = serde_json::json!({ "name": names.join("+"), "age": names.len() });
                (cx, Ok(of.response_from_json(&json.to_string()).unwrap()))
            }
        })
        .unwrap();
    service
        .bidi_streaming("kennel.v1.Kennel/Chat", |cx, mut dogs, mut out| async move {
            loop {
                match dogs.next().await {
                    Ok(Some(dog)) => {
                        if let Err(status) = out.send(dog).await {
                            return (cx, Err(status));
                        }
                    }
                    Ok(None) => return (cx, Ok(())),
                    Err(status) => return (cx, Err(status)),
                }
            }
        })
        .unwrap();
    service
        .unary("kennel.v1.Kennel/Fail", move |cx, fault| {
            let status = status(&text(&fault, &fail));
            async move { (cx, Err(status)) }
        })
        .unwrap();
    Server::builder().methods(|methods| service.register(methods))
}

pub fn reflection() -> Reflection {
    Reflection::builder()
        .file_descriptor_set(set().encode_to_vec())
        .services(["kennel.v1.Kennel"])
        .build()
        .unwrap()
}

/// A server that lives as long as this.
#[derive(Debug)]
pub struct Served {
    pub address: String,
    _runtime: Runtime,
}

pub fn serve_on(address: &str, builder: Builder) -> Served {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let bound = runtime.block_on(builder.bind(address)).unwrap();
    let address = bound.local_addr().to_string();
    runtime.spawn(bound.serve());
    Served { address, _runtime: runtime }
}

/// The service with its reflection.
pub fn serve() -> Served {
    serve_on("127.0.0.1:0", kennel().add_service(reflection()))
}

/// The binary, away from proxies and colours.
pub fn command(folder: &Folder) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dunlin"));
    command.current_dir(folder.path()).stdin(Stdio::null()).env("NO_COLOR", "1");
    for name in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env_remove(name);
    }
    command
}

impl Served {
    /// Runs `dunlin`; `ADDRESS` among the arguments is that of the server.
    pub fn run(&self, arguments: &[&str]) -> Run {
        let folder = Folder::new(&[("kennel.proto", KENNEL)]);
        self.run_in(&folder, arguments, "")
    }

    /// The same, in a folder and with something on standard input.
    pub fn run_in(&self, folder: &Folder, arguments: &[&str], stdin: &str) -> Run {
        let arguments = arguments.iter().map(|argument| argument.replace("ADDRESS", &self.address));
        let mut command = command(folder);
        command.args(arguments);
        crate::support::run_with(&mut command, stdin.as_bytes())
    }
}
