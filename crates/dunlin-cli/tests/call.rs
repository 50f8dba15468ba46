//! `dunlin call` against a server of this process, over real sockets.

mod kennel;
mod support;

use std::sync::{Arc, Mutex};

use dunlin_grpc::intercept::{CallView, Interceptor, Interest};
use dunlin_grpc::{Code, Status};
use dunlin_server::Server;
use dunlin_services::Reflection;
use kennel::{KENNEL, Refuse, Served, kennel, reflection, serve, serve_on, set};
use serde_json::Value;
use support::{Folder, Run};

use dunlin_protobuf::Message;
use dunlin_protobuf::descriptor::DescriptorMessage;
use dunlin_protobuf::wkt::Any;

/// Runs `dunlin call -plaintext ADDRESS METHOD` with more arguments.
fn call(server: &Served, method: &str, more: &[&str]) -> Run {
    let mut arguments = vec!["call", "-plaintext", "ADDRESS", method];
    arguments.extend(more);
    server.run(&arguments)
}

#[test]
fn one_request_gives_one_response_however_the_line_is_written() {
    let server = serve();
    let want = Run::new(0, "{\n  \"name\": \"Rex\"\n}\n", "");
    let url = format!("http://{}/kennel.v1.Kennel/Echo", server.address);
    let grpc = format!("grpc://{}", server.address);
    let data = r#"{"name": "Rex"}"#;
    for arguments in [
        vec!["call", "-plaintext", "-d", data, "ADDRESS", "kennel.v1.Kennel/Echo"],
        vec!["call", "--plaintext", "--d", data, "ADDRESS", "kennel.v1.Kennel.Echo"],
        vec!["call", "ADDRESS", "/kennel.v1.Kennel/Echo", "-plaintext=true", "--data", data],
        vec!["curl", "ADDRESS", "Kennel/Echo", "-d", data, "-plaintext"], // the end of a name
        vec!["call", "ADDRESS", "Echo", "-d", data, "-plaintext"],
        vec!["call", &url, "-d", data],
        vec!["call", &grpc, "Kennel.Echo", "-d", data],
        vec!["call", "-d", data, "dns:///ADDRESS", "Kennel/Echo", "-plaintext", "-max-time", "1m30s"],
    ] {
        assert_eq!(server.run(&arguments), want, "{arguments:?}");
    }
}

#[test]
fn nothing_given_is_an_empty_request() {
    let server = serve();
    assert_eq!(call(&server, "Kennel/Echo", &[]), Run::new(0, "{}\n", ""));
    assert_eq!(call(&server, "Kennel/Collect", &[]), Run::new(0, "{}\n", ""));
    assert_eq!(call(&server, "Kennel/Chat", &[]), Run::new(0, "", ""));
}

#[test]
fn responses_of_streams_stand_one_behind_the_other() {
    let server = serve();
    let found = call(&server, "Kennel/Repeat", &["-d", r#"{"age": 2}"#]);
    assert_eq!(found, Run::new(0, "{\n  \"age\": 2\n}\n{\n  \"age\": 2\n}\n", ""));
    let found = call(&server, "Kennel/Repeat", &["-d", r#"{"age": 2}"#, "--output-format", "ndjson"]);
    assert_eq!(found, Run::new(0, "{\"age\":2}\n{\"age\":2}\n", ""));
}

#[test]
fn requests_of_streams_come_from_everywhere() {
    let server = serve();
    let dogs = "{\"name\": \"a\"}{\"name\": \"b\"}\n\n{\"name\": \"c\"}";
    let folder = Folder::new(&[("dogs.json", dogs)]);
    let want = Run::new(0, "{\n  \"name\": \"a+b+c\",\n  \"age\": 3\n}\n", "");
    for (data, stdin) in [(dogs, ""), ("@", dogs), ("@-", dogs), ("@dogs.json", "")] {
        let arguments = ["call", "-plaintext", "ADDRESS", "Kennel/Collect", "-d", data];
        assert_eq!(server.run_in(&folder, &arguments, stdin), want, "-d {data}");
    }
    let found = server.run_in(&folder, &["call", "-plaintext", "ADDRESS", "Kennel/Chat", "-d", "@"], dogs);
    assert_eq!((found.code, found.stdout.matches("\"name\"").count()), (0, 3), "{found:?}");
}

#[test]
fn json_has_all_types_and_escapes_as_grpcurl_does() {
    let server = serve();
    let given = r#"{"name": "<a>&\"é", "scores": {"z": 1, "a": "9223372036854775807"}, "ring": "5", "photo": "AQI",
        "size": "SIZE_SMALL", "weight": 2500000, "born": "2020-01-02T03:04:05.5Z", "mother": {"toys": ["x"]},
        "extra": {"@type": "type.googleapis.com/kennel.v1.Dog", "toys": [], "name": "in", "age": 3}}"#;
    let want = r#"{
  "name": "\u003ca\u003e\u0026\"é",
  "scores": {
    "a": "9223372036854775807",
    "z": "1"
  },
  "ring": "5",
  "extra": {
    "@type": "type.googleapis.com/kennel.v1.Dog",
    "age": 3,
    "name": "in"
  },
  "born": "2020-01-02T03:04:05.500Z",
  "photo": "AQI=",
  "size": "SIZE_SMALL",
  "weight": 2.5e+06,
  "mother": {
    "toys": [
      "x"
    ]
  }
}
"#;
    assert_eq!(call(&server, "Kennel/Echo", &["-d", given]), Run::new(0, want, ""));
}

#[test]
fn defaults_are_printed_where_that_is_asked_for() {
    let server = serve();
    let found = call(&server, "Kennel/Echo", &["-emit-defaults"]);
    let found: Value = serde_json::from_str(&found.stdout).unwrap();
    let want = serde_json::json!({
        "name": "", "age": 0, "toys": [], "scores": {}, "extra": null, "born": null, "photo": "",
        "size": "SIZE_UNSPECIFIED", "mother": null,
    });
    assert_eq!(found, want);
}

#[test]
fn text_format_goes_in_and_out() {
    let server = serve();
    let given = "name: 'a' scores { key: 'k' value: 1 }\u{1e}toys: 'b'";
    let want = "name: \"a\"\nscores: <\n  key: \"k\"\n  value: 1\n>\n\u{1e}toys: \"b\"\n";
    let found = call(&server, "Kennel/Chat", &["-format", "text", "-d", given]);
    assert_eq!(found, Run::new(0, want, ""));
}

#[test]
fn fields_that_there_are_not_can_be_skipped() {
    let server = serve();
    let data = r#"{"name": "a", "nme": 1}"#;
    let found = call(&server, "Kennel/Echo", &["-d", data]);
    assert_eq!((found.code, found.stdout.as_str()), (1, ""));
    assert!(found.stderr.starts_with("error: encode: request 1"), "{found:?}");
    assert!(found.stderr.contains("`nme`") && found.stderr.contains("-allow-unknown-fields"), "{found:?}");
    let found = call(&server, "Kennel/Echo", &["-d", data, "-allow-unknown-fields"]);
    assert_eq!(found.code, 0, "{found:?}");
}

#[test]
fn fields_are_set_one_by_one_and_out_of_files() {
    let server = serve();
    let folder = Folder::new(&[("a.txt", "Rex"), ("a.bin", "\u{1}\u{2}")]);
    let arguments = [
        "call",
        "-plaintext",
        "ADDRESS",
        "Kennel/Echo",
        "--output-format=ndjson",
        "--set",
        "name=@a.txt",
        "--set",
        "age=3",
        "--set",
        "mother.toys[1]=ball",
        "--set",
        "mother.toys[0]=7",
        "--set",
        "photo=@a.bin",
        "--set",
        "scores.x=5",
        "-d",
        r#"{"name": "no", "size": "SIZE_SMALL"}"#,
    ];
    let want = "{\"name\":\"Rex\",\"age\":3,\"scores\":{\"x\":\"5\"},\"photo\":\"AQI=\",\"size\":\"SIZE_SMALL\",\
        \"mother\":{\"toys\":[\"7\",\"ball\"]}}\n";
    assert_eq!(server.run_in(&folder, &arguments, ""), Run::new(0, want, ""));
    let data = r#"{"mother": {"photo": {"$file": "a.bin"}}}"#;
    let file = ["call", "-plaintext", "ADDRESS", "Kennel/Echo", "--output-format=ndjson", "-d"];
    let found = server.run_in(&folder, &[&file[..], &[data]].concat(), "");
    assert_eq!(found, Run::new(0, "{\"mother\":{\"photo\":\"AQI=\"}}\n", ""));
    // What comes from elsewhere reads no files.
    assert_eq!(server.run_in(&folder, &[&file[..], &["@"]].concat(), data).code, 1);
}

#[test]
fn a_broken_request_is_told_by_its_number_and_place() {
    let server = serve();
    let found = call(&server, "Kennel/Collect", &["-d", "{\"name\": \"a\"}\n {\"age\": \"x\"}"]);
    assert_eq!(found.code, 1);
    assert!(found.stderr.contains("request 2, from line 2 column 2 on"), "{found:?}");
    let found = call(&server, "Kennel/Echo", &["-d", "{}{}"]);
    assert_eq!(found.code, 1);
    assert!(found.stderr.contains("takes one request"), "{found:?}");
}

#[test]
fn errors_are_told_with_details_and_give_the_exit_code() {
    let server = serve();
    let data = r#"{"code": 5, "message": "no such dog", "withDetails": true}"#;
    let want = "ERROR:\n  Code: NotFound\n  Message: no such dog\n  Details:\n  \
        1)\t{\n    \t  \"@type\": \"type.googleapis.com/google.rpc.BadRequest\",\n    \t  \"fieldViolations\": [\n    \t    {\n    \
        \t      \"field\": \"dog.name\",\n    \t      \"description\": \"must \\u003cnot\\u003e be empty\"\n    \t    }\n    \t  ]\n    \t}\n  \
        2)\t{\n    \t  \"@type\": \"type.googleapis.com/google.rpc.ErrorInfo\",\n    \t  \"domain\": \"kennel.example\",\n    \
        \t  \"metadata\": {\n    \t    \"age\": \"1\"\n    \t  },\n    \t  \"reason\": \"TOO_WILD\"\n    \t}\n  \
        3)\t{\n    \t  \"@error\": \"kennel.v1.Secret is not recognized; see @value for raw binary message data\",\n    \
        \t  \"@type\": \"type.googleapis.com/kennel.v1.Secret\",\n    \t  \"@value\": \"CAE=\"\n    \t}\n";
    assert_eq!(call(&server, "Kennel/Fail", &["-d", data]), Run::new(69, "", want));
    for code in 1..=16 {
        let data = format!(r#"{{"code": {code}}}"#);
        assert_eq!(call(&server, "Kennel/Fail", &["-d", &data]).code, 64 + code, "{code}");
    }
}

#[test]
fn errors_can_be_formatted_as_messages() {
    let server = serve();
    let found = call(&server, "Kennel/Fail", &["-format-error", "-d", r#"{"code": 3, "message": "m"}"#]);
    assert_eq!(found, Run::new(67, "", "{\n  \"code\": 3,\n  \"message\": \"m\"\n}"));
}

#[test]
fn json_lines_tell_messages_and_the_end() {
    let server = serve();
    let found = call(&server, "Kennel/Repeat", &["-json", "-d", r#"{"age": 1}"#, "-H", "x-a: 1"]);
    let lines: Vec<Value> = found.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((found.code, lines.len()), (0, 2), "{found:?}");
    assert_eq!(lines[0]["type"], "message");
    assert_eq!(lines[0]["message"], serde_json::json!({ "age": 1 }));
    assert_eq!(lines[1]["type"], "end");
    assert_eq!(lines[1]["method"], "kennel.v1.Kennel/Repeat");
    assert_eq!(lines[1]["status"]["name"], "OK");
    assert_eq!((&lines[1]["requests"], &lines[1]["responses"]), (&1.into(), &1.into()));
    assert!(lines[1]["timing"]["totalMs"].as_f64().unwrap() > 0.0);

    let data = r#"{"code": 9, "message": "no", "withDetails": true}"#;
    let found = call(&server, "Kennel/Fail", &["--json", "-d", data]);
    let end: Value = serde_json::from_str(&found.stdout).unwrap();
    assert_eq!((found.code, found.stderr.as_str()), (73, ""));
    assert_eq!(end["status"]["code"], 9);
    assert_eq!(end["status"]["name"], "FAILED_PRECONDITION");
    assert_eq!(end["status"]["details"][1]["reason"], "TOO_WILD");
}

#[test]
fn a_message_too_deep_to_write_is_told_and_the_line_stays_an_object() {
    let server = serve();
    let mut bytes = Vec::new();
    for _ in 0..300 {
        let type_url = "type.googleapis.com/google.protobuf.Any".into();
        let inner = Any { type_url, value: bytes.into(), ..Default::default() };
        bytes = inner.encode_to_vec();
    }
    let octal: String = bytes.iter().map(|byte| format!("\\{byte:03o}")).collect();
    let text = format!("extra {{ type_url: 'type.googleapis.com/google.protobuf.Any' value: '{octal}' }}");
    let arguments = ["-format", "text", "-d", &text, "-output-format"];
    let found = call(&server, "Kennel/Echo", &[&arguments[..], &["json"]].concat());
    let line: Value = serde_json::from_str(found.stdout.lines().next().unwrap()).unwrap();
    assert!(line["error"].as_str().unwrap().contains("200 levels deep"), "{found:?}");
    assert!(line["message"].is_null(), "{line}");
    let found = call(&server, "Kennel/Echo", &[&arguments[..], &["pretty"]].concat());
    assert!(found.stdout.starts_with("Failed to format response message 1: messages are"), "{found:?}");
}

#[test]
fn local_failures_are_objects_too() {
    let server = serve();
    let found = call(&server, "Kennel/Nothing", &["--json"]);
    let error: Value = serde_json::from_str(&found.stdout).unwrap();
    assert_eq!((found.code, &error["stage"]), (1, &"schema".into()), "{found:?}");
}

#[test]
fn metadata_goes_there_and_comes_back() {
    let server = serve();
    let folder = Folder::new(&[("headers", "# those of the team\nx-file: yes\n\n")]);
    let arguments = [
        "call",
        "-plaintext",
        "-v",
        "ADDRESS",
        "Kennel/Echo",
        "-H",
        "X-One: 1",
        "-rpc-header",
        "x-two:2",
        "-H",
        "@headers",
        "-reflect-header",
        "x-three: 3",
        "-H",
        "x-raw-bin: AQI=",
    ];
    let found = server.run_in(&folder, &arguments, "");
    let want = "
Resolved method descriptor:
rpc Echo ( .kennel.v1.Dog ) returns ( .kennel.v1.Dog );

Request metadata to send:
x-file: yes
x-one: 1
x-raw-bin: AQI=
x-two: 2

Response headers received:
";
    assert!(found.stdout.starts_with(want), "{found:?}");
    for part in ["x-file: yes\nx-one: 1\nx-two: 2\n", "\nResponse contents:\n{}\n", "t-count: 4\n"] {
        assert!(found.stdout.contains(part), "{part} in {found:?}");
    }
    assert!(found.stdout.ends_with("Sent 0 requests and received 1 response\n"), "{found:?}");
    assert!(!found.stdout.contains("x-three"), "{found:?}");
}

#[test]
fn sizes_and_times_are_told_where_twice_as_much_is_asked_for() {
    let server = serve();
    let found = call(&server, "Kennel/Echo", &["-vv", "-d", r#"{"name": "ab"}"#]);
    assert!(found.stdout.contains("\nEstimated response size: 4 bytes\n"), "{found:?}");
    assert!(found.stdout.contains("Sent 1 request and received 1 response\nTiming Data: "), "{found:?}");
}

#[test]
fn headers_take_in_environment_variables() {
    let server = serve();
    let folder = Folder::new(&[]);
    let mut command = kennel::command(&folder);
    command.env("TOKEN", "secret").args([
        "call",
        "-plaintext",
        "-v",
        "-expand-headers",
        "-H",
        "x-t: ${TOKEN}",
    ]);
    let found = support::run(command.args([server.address.as_str(), "Kennel/Echo"]));
    assert!(found.stdout.contains("x-t: secret\n"), "{found:?}");
    let found = call(&server, "Kennel/Echo", &["-expand-headers", "-H", "x-t: ${DUNLIN_NOT_SET}"]);
    assert_eq!(found.code, 1);
    assert!(found.stderr.contains("DUNLIN_NOT_SET"), "{found:?}");
}

#[test]
fn requests_can_be_compressed_and_responses_limited() {
    let server = serve();
    let data = format!(r#"{{"name": "{}"}}"#, "a".repeat(2000));
    assert_eq!(call(&server, "Kennel/Echo", &["--gzip", "-d", &data]).code, 0);
    let found = call(&server, "Kennel/Echo", &["-max-msg-sz", "1000", "-d", &data]);
    assert_eq!(found.code, 64 + 8);
    assert!(found.stderr.contains("-max-msg-sz"), "{found:?}");
}

#[test]
fn bytes_can_be_had_as_they_are() {
    let server = serve();
    let found = call(&server, "Kennel/Echo", &["--output-format", "binpb", "-d", r#"{"name": "a"}"#]);
    assert_eq!(found.stdout.as_bytes(), b"\x0a\x01a");
    let found = call(&server, "Kennel/Repeat", &["--output-format", "binpb", "-d", r#"{"age": 2}"#]);
    assert_eq!(found.stdout.as_bytes(), b"\x02\x10\x02\x02\x10\x02");
}

#[test]
fn old_reflection_will_do_and_so_will_one_behind_a_refusal() {
    const V1: &str = "/grpc.reflection.v1.";
    for code in [Code::Unimplemented, Code::Unauthenticated, Code::Unavailable, Code::PermissionDenied] {
        let server = kennel().add_service(reflection()).interceptor(Refuse(V1, code));
        let server = serve_on("127.0.0.1:0", server);
        assert_eq!(call(&server, "Kennel/Echo", &[]), Run::new(0, "{}\n", ""), "{code:?}");
    }
}

#[test]
fn without_reflection_files_say_the_schema() {
    let server = serve_on("127.0.0.1:0", kennel());
    let folder = Folder::new(&[("kennel.proto", KENNEL), ("deep/kennel.proto", KENNEL)]);
    folder.write("kennel.binpb", set().encode_to_vec());
    let found = server.run_in(&folder, &["call", "-plaintext", "ADDRESS", "kennel.v1.Kennel/Echo"], "");
    assert_eq!(found.code, 1);
    assert!(found.stderr.starts_with("error: reflection: "), "{found:?}");
    assert!(found.stderr.contains("-proto FILE"), "{found:?}");
    for source in [
        vec!["-proto", "kennel.proto"],
        vec!["-import-path", "deep", "-proto", "kennel.proto"],
        vec!["-import-path", "deep", "-proto", "deep/kennel.proto"],
        vec!["-protoset", "kennel.binpb"],
        vec!["--schema", "deep"],
        vec!["-protoset=kennel.binpb", "-use-reflection=false"],
        vec!["-proto", "kennel.proto", "-use-reflection"], // files help where reflection does not
    ] {
        let mut arguments = vec!["call", "-plaintext", "ADDRESS", "kennel.v1.Kennel/Echo"];
        arguments.extend(&source);
        assert_eq!(server.run_in(&folder, &arguments, ""), Run::new(0, "{}\n", ""), "{source:?}");
    }
}

#[test]
fn what_reflection_says_is_not_hidden() {
    let refused = Refuse("/grpc.reflection.", Code::Unauthenticated);
    let server =
        serve_on("127.0.0.1:0", Server::builder().add_service(Reflection::new()).interceptor(refused));
    let found = call(&server, "Kennel/Echo", &[]);
    assert_eq!(found.code, 1);
    assert!(found.stderr.contains("not for you") && found.stderr.contains("-reflect-header"), "{found:?}");
}

#[test]
fn a_wrong_name_is_told_with_the_right_one() {
    let server = serve();
    for (method, hint) in [
        ("kennel.v1.Kennel/Ecko", "`kennel.v1.Kennel/Echo`"),
        ("kennel.v1.kennel/Echo", "`kennel.v1.Kennel`"),
        ("kennel.v2.Kennel/Echo", "`kennel.v1.Kennel`"),
        ("kennel.v1.Dog/Echo", "is a message"),
    ] {
        let found = call(&server, method, &[]);
        assert_eq!(found.code, 1, "{method}");
        assert!(
            found.stderr.starts_with("error: schema: ") && found.stderr.contains(hint),
            "{method}: {found:?}"
        );
    }
}

#[test]
fn nobody_there_is_a_failure_of_connecting() {
    let server = serve();
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let found = server.run(&["call", "-plaintext", &gone, "Kennel/Echo", "-connect-timeout", "2s"]);
    assert_eq!(found.code, 1);
    assert!(found.stderr.starts_with("error: connect: ") && found.stderr.contains("running"), "{found:?}");
}

#[test]
fn the_time_for_all_of_it_can_be_limited() {
    let server = serve();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().map(|address| (silent, address.to_string())).unwrap();
    let found = server.run(&["call", "-plaintext", &silent.1, "Kennel/Echo", "-connect-timeout", "0.2"]);
    assert_eq!(found.code, 1);
    assert!(found.stderr.contains("-connect-timeout"), "{found:?}");
}

#[test]
fn lines_that_make_no_sense_end_with_2() {
    let server = serve();
    for (arguments, hint) in [
        (vec!["call"], "ADDRESS"),
        (vec!["call", "ADDRESS"], "no method"),
        (vec!["call", "-plaintext", "-insecure", "ADDRESS", "a/b"], "-insecure"),
        (vec!["call", "-plaintext", "-cert", "x", "ADDRESS", "a/b"], "-cert"),
        (vec!["call", "-cert", "x", "ADDRESS", "a/b"], "-key"),
        (vec!["call", "-protoset", "a", "-proto", "b", "ADDRESS", "a/b"], "-protoset"),
        (vec!["call", "-use-reflection=false", "ADDRESS", "a/b"], "-use-reflection"),
        (vec!["call", "-format", "yaml", "ADDRESS", "a/b"], "json"),
        (vec!["call", "-max-time", "-1", "ADDRESS", "a/b"], "max-time"),
        (vec!["call", "-max-time", "soon", "ADDRESS", "a/b"], "1m30s"),
        (vec!["call", "-plaintex", "ADDRESS", "a/b"], "--plaintext"),
        (vec!["call", "https://ADDRESS", "-plaintext", "a/b"], "-plaintext"),
        (vec!["call", "http://ADDRESS/a/b", "c/d"], "behind the host"),
        (vec!["call", "xds:///x", "a/b"], "xDS"),
        (vec!["call", "-alts", "ADDRESS", "a/b"], "leave out -alts"),
        (vec!["call", "-alts-target-service-account", "me", "ADDRESS", "a/b"], "ALTS"),
        (vec!["call", "-H", "bad name: x", "-plaintext", "ADDRESS", "a/b"], "name"),
        (vec!["call", "-plaintext", "ADDRESS", "list"], "dunlin list"),
    ] {
        let found = server.run(&arguments);
        assert_eq!((found.code, found.stdout.as_str()), (2, ""), "{arguments:?}: {found:?}");
        assert!(found.stderr.contains(hint), "{arguments:?}: {found:?}");
    }
}

#[test]
fn a_server_may_come_later_and_may_be_a_unix_socket() {
    let folder = Folder::new(&[]);
    let socket = folder.path().join("a.sock").to_str().unwrap().to_owned();
    let mut command = kennel::command(&folder);
    command.args(["call", "-plaintext", "-unix", &socket, "Kennel/Echo", "--wait-for-ready"]);
    let child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(100)); // most likely it has tried by then
    let server = serve_on(&format!("unix:{socket}"), kennel().add_service(reflection()));
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b"{}\n"[..]));
    for target in [format!("unix:{socket}"), format!("unix://{socket}")] {
        assert_eq!(server.run(&["call", "-plaintext", &target, "Kennel/Echo"]).code, 0, "{target}");
    }
}

#[test]
fn the_last_flag_counts() {
    let server = serve();
    for more in [vec!["-plaintext=false", "-plaintext"], vec!["-max-time", "0.000001", "-max-time", "9"]] {
        let mut arguments = vec!["call", "-plaintext", "ADDRESS", "Kennel/Echo"];
        arguments.extend(&more);
        assert_eq!(server.run(&arguments).code, 0, "{more:?}");
    }
}

#[test]
fn a_stream_is_answered_while_it_lasts_and_ctrl_c_ends_it() {
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Command, Stdio};
    let server = serve();
    let folder = Folder::new(&[]);
    let mut command = kennel::command(&folder);
    command.args([
        "call",
        "-plaintext",
        &server.address,
        "Kennel/Chat",
        "-d",
        "@",
        "--output-format",
        "ndjson",
    ]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut requests = child.stdin.take().unwrap();
    let mut responses = BufReader::new(child.stdout.take().unwrap());
    for name in ["a", "b"] {
        writeln!(requests, "{{\"name\": \"{name}\"}}").unwrap();
        let mut line = String::new();
        responses.read_line(&mut line).unwrap();
        assert_eq!(line, format!("{{\"name\":\"{name}\"}}\n"));
    }
    // Of the shell: `kill` is not a program everywhere.
    let kill = format!("kill -INT {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

/// A call, and how it ended.
type Seen = (String, Option<Code>);

#[derive(Clone, Default)]
struct Ends(Arc<Mutex<Vec<Seen>>>);

impl Interceptor for Ends {
    fn interest(&self) -> Interest {
        Interest::ENDS
    }

    fn on_start(&self, call: &dyn CallView) {
        self.0.lock().unwrap().push((call.method().name().to_owned(), None));
    }

    fn on_end(&self, call: &dyn CallView, result: Result<(), &Status>) {
        let code = result.map_or_else(Status::code, |()| Code::Ok);
        let mut calls = self.0.lock().unwrap();
        let open = calls.iter_mut().find(|(name, end)| name == call.method().name() && end.is_none());
        open.unwrap().1 = Some(code);
    }
}

#[test]
fn servers_see_calls_that_end_and_none_that_is_cancelled() {
    let ends = Ends::default();
    let server = serve_on("127.0.0.1:0", kennel().add_service(reflection()).interceptor(ends.clone()));
    for arguments in [vec!["list"], vec!["describe"], vec!["call", "Kennel/Echo"]] {
        let (command, more) = arguments.split_first().unwrap();
        let found = server.run(&[&[command, "-plaintext", "ADDRESS"], more].concat());
        assert_eq!(found.code, 0, "{found:?}");
        while ends.0.lock().unwrap().iter().any(|(_, end)| end.is_none()) {
            std::thread::yield_now();
        }
        let ends = std::mem::take(&mut *ends.0.lock().unwrap());
        assert!(ends.iter().any(|(method, _)| method == "ServerReflectionInfo"), "{ends:?}");
        assert!(ends.iter().all(|(_, code)| *code == Some(Code::Ok)), "{command}: {ends:?}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure_to_talk_about() {
    use std::process::Stdio;
    let server = serve();
    let folder = Folder::new(&[]);
    let mut command = kennel::command(&folder);
    command.args(["call", "-plaintext", &server.address, "Kennel/Repeat", "-d", r#"{"age": 100000}"#]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(141), &b""[..]));
}
