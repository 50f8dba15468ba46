//! `dunlin list` and `dunlin describe` against a server of this process, and of files.

mod kennel;
mod support;

use dunlin_protobuf::descriptor::{DescriptorMessage, FileDescriptorSet};
use dunlin_server::Server;
use dunlin_services::Reflection;
use kennel::{KENNEL, serve, serve_on, set};
use serde_json::Value;
use support::{Folder, Run};

#[test]
fn services_and_their_methods_are_listed() {
    let server = serve();
    let found = server.run(&["list", "-plaintext", "ADDRESS"]);
    assert_eq!(found, Run::new(0, "kennel.v1.Kennel\n", ""));
    let methods = ["Chat", "Collect", "Echo", "Fail", "Repeat"];
    let want: String = methods.iter().map(|name| format!("kennel.v1.Kennel.{name}\n")).collect();
    for service in ["kennel.v1.Kennel", "Kennel", ".kennel.v1.Kennel"] {
        assert_eq!(
            server.run(&["list", "ADDRESS", service, "-plaintext"]),
            Run::new(0, &want, ""),
            "{service}"
        );
    }
    let none = serve_on("127.0.0.1:0", Server::builder().add_service(hidden()));
    assert_eq!(none.run(&["list", "-plaintext", "ADDRESS"]), Run::new(0, "(No services)\n", ""));
}

/// A reflection that lists nothing.
fn hidden() -> Reflection {
    let none: [&str; 0] = [];
    Reflection::builder().services(none).build().unwrap()
}

#[test]
fn trees_and_objects_tell_what_methods_take_and_give() {
    let server = serve();
    let found = server.run(&["list", "-plaintext", "ADDRESS", "--tree"]);
    assert!(
        found.stdout.starts_with("kennel.v1.Kennel\n├── Echo(kennel.v1.Dog) -> kennel.v1.Dog\n"),
        "{found:?}"
    );
    let last = "└── Fail(kennel.v1.Fault) -> kennel.v1.Dog\n";
    assert!(found.stdout.contains("Chat(stream kennel.v1.Dog) -> stream kennel.v1.Dog"), "{found:?}");
    assert!(found.stdout.ends_with(last), "{found:?}");
    let found = server.run(&["list", "-plaintext", "ADDRESS", "--json"]);
    let service: Value = serde_json::from_str(&found.stdout).unwrap();
    assert_eq!(service["service"], "kennel.v1.Kennel");
    assert_eq!(service["methods"][1]["serverStreaming"], true);
}

#[test]
fn elements_are_described_as_source() {
    let server = serve();
    for (name, want) in [
        (
            "kennel.v1.Kennel.Fail",
            "kennel.v1.Kennel.Fail is a method:\n\
             rpc Fail ( .kennel.v1.Fault ) returns ( .kennel.v1.Dog ) {\n  option deprecated = true;\n}\n",
        ),
        (
            "kennel.v1.Dog.Size",
            "kennel.v1.Dog.Size is an enum:\n\
             enum Size {\n  SIZE_UNSPECIFIED = 0;\n  SIZE_SMALL = 1 [deprecated = true];\n}\n",
        ),
        (".kennel.v1.Dog.scores", "kennel.v1.Dog.scores is a field:\nmap<string, int64> scores = 4;\n"),
        (
            "kennel.v1.Dog.ScoresEntry",
            "kennel.v1.Dog.ScoresEntry is the entry type for a map field:\nmap<string, int64> scores = 4;\n",
        ),
        (
            "kennel.v1.Dog.tag",
            "kennel.v1.Dog.tag is a one-of:\noneof tag {\n  string chip = 5;\n  int64 ring = 6;\n}\n",
        ),
        (
            "kennel.v1.Dog.SIZE_SMALL",
            "kennel.v1.Dog.Size.SIZE_SMALL is an enum value:\nSIZE_SMALL = 1 [deprecated = true];\n",
        ),
        ("kennel.v1.Dog.weight", "kennel.v1.Dog.weight is a field:\noptional double weight = 11;\n"),
    ] {
        let found = server.run(&["describe", "-plaintext", "ADDRESS", name]);
        assert_eq!(found, Run::new(0, want, ""), "{name}");
    }
}

#[test]
fn messages_of_files_have_their_comments() {
    let folder = Folder::new(&[("kennel.proto", KENNEL)]);
    let found =
        support::run(kennel::command(&folder).args(["describe", "-proto", "kennel.proto", "kennel.v1.Dog"]));
    let want = "kennel.v1.Dog is a message:
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
  .google.protobuf.Any extra = 7;
  .google.protobuf.Timestamp born = 8;
  bytes photo = 9;
  .kennel.v1.Dog.Size size = 10;
  optional double weight = 11;
  .kennel.v1.Dog mother = 12;
  enum Size {
    SIZE_UNSPECIFIED = 0;
    SIZE_SMALL = 1 [deprecated = true];
  }
  reserved 20, 30 to 39;
  reserved \"tail\";
}
";
    assert_eq!(found, Run::new(0, want, ""));
}

#[test]
fn templates_show_everything_once() {
    let server = serve();
    let found = server.run(&["describe", "-plaintext", "-msg-template", "ADDRESS", "kennel.v1.Dog"]);
    let (_, template) = found.stdout.split_once("\nMessage template:\n").unwrap();
    let template: Value = serde_json::from_str(template).unwrap();
    assert_eq!(template["toys"], serde_json::json!([""]));
    assert_eq!(template["scores"], serde_json::json!({ "": "0" }));
    assert_eq!(template["mother"]["mother"], Value::Null); // not without end
    // What it shows can be sent.
    let found = server.run(&["call", "-plaintext", "ADDRESS", "Kennel/Echo", "-d", &template.to_string()]);
    assert_eq!(found.code, 0, "{found:?}");
}

#[test]
fn all_services_are_described_where_no_name_is_given() {
    let server = serve();
    let found = server.run(&["describe", "-plaintext", "ADDRESS"]);
    assert!(
        found.stdout.starts_with("kennel.v1.Kennel is a service:\nservice Kennel {\n  rpc Chat ( stream ")
    );
    let found = server.run(&["describe", "-plaintext", "ADDRESS", "--json"]);
    let object: Value = serde_json::from_str(&found.stdout).unwrap();
    assert_eq!((&object["kind"], &object["file"]), (&"service".into(), &"kennel.proto".into()));
}

#[test]
fn schemas_are_written_as_sets_and_as_sources_that_mean_the_same() {
    let server = serve();
    let folder = Folder::new(&[]);
    let arguments = [
        "describe",
        "-plaintext",
        "ADDRESS",
        "kennel.v1.Kennel",
        "-protoset-out",
        "a.binpb",
        "-proto-out-dir",
        "out",
    ];
    assert_eq!(server.run_in(&folder, &arguments, "").code, 0);
    let written = FileDescriptorSet::decode(&std::fs::read(folder.path().join("a.binpb")).unwrap()).unwrap();
    let names: Vec<_> = written.file.iter().map(|file| file.name.as_deref().unwrap()).collect();
    assert_eq!(names, ["google/protobuf/any.proto", "google/protobuf/timestamp.proto", "kennel.proto"]);
    // Each behind what it imports, and compiled again the same.
    let build = ["build", "out", "--path", "out/kennel.proto", "--exclude-source-info", "-o", "b.binpb"];
    let found = support::run(kennel::command(&folder).args(build).arg("--as-file-descriptor-set"));
    found.succeeds();
    let again = FileDescriptorSet::decode(&std::fs::read(folder.path().join("b.binpb")).unwrap()).unwrap();
    let kennel = |set: &FileDescriptorSet| {
        set.file.iter().find(|file| file.name.as_deref() == Some("kennel.proto")).cloned().unwrap()
    };
    assert_eq!(kennel(&again), kennel(&written));
    assert_eq!(kennel(&again), kennel(&set()));
}

#[test]
fn a_schema_that_names_files_elsewhere_is_not_written() {
    let mut files = set();
    files.file.iter_mut().for_each(|file| {
        if file.name.as_deref() == Some("kennel.proto") {
            file.name = Some("../kennel.proto".into());
        }
    });
    let folder = Folder::new(&[]);
    folder.write("set.binpb", files.encode_to_vec());
    let arguments = ["list", "-protoset", "set.binpb", "-proto-out-dir", "out"];
    let found = support::run(kennel::command(&folder).args(arguments));
    assert_eq!(found.code, 1);
    assert!(found.stderr.contains("outside"), "{found:?}");
}

#[test]
fn files_need_no_server() {
    let folder = Folder::new(&[("kennel.proto", KENNEL)]);
    folder.write("set.binpb", set().encode_to_vec());
    for source in ["-proto=kennel.proto", "-protoset=set.binpb", "--schema=."] {
        let found = support::run(kennel::command(&folder).args(["list", source]));
        assert_eq!(found, Run::new(0, "kennel.v1.Kennel\n", ""), "{source}");
    }
    let found = support::run(kennel::command(&folder).args(["list", "-proto", "no.proto"]));
    assert_eq!(found.code, 1);
    assert!(found.stderr.contains("no.proto"), "{found:?}");
    let found = support::run(kennel::command(&folder).args(["describe", "-protoset", "kennel.proto"]));
    assert!(found.code == 1 && found.stderr.contains("is no descriptor set"), "{found:?}");
}

#[test]
fn types_are_found_by_the_end_of_their_names_and_hinted_at_if_that_is_misspelt() {
    let server = serve();
    let found = server.run(&["describe", "-plaintext", "ADDRESS", "Dog"]);
    assert_eq!(found, server.run(&["describe", "-plaintext", "ADDRESS", "kennel.v1.Dog"]));
    assert!(found.stdout.starts_with("kennel.v1.Dog is a message:"), "{found:?}");
    for misspelt in ["kennel.v1.Dogg", "Dgo", "kennel.v2.Dog"] {
        let found = server.run(&["describe", "-plaintext", "ADDRESS", misspelt]);
        assert!(found.code == 1 && found.stderr.contains("did you mean `kennel.v1.Dog`?"), "{found:?}");
    }
}

#[test]
fn unknown_names_are_told_with_those_that_are_meant() {
    let server = serve();
    let found = server.run(&["describe", "-plaintext", "ADDRESS", "kennel.v1.Kennels"]);
    assert_eq!(found.code, 1);
    assert!(found.stderr.contains("did you mean `kennel.v1.Kennel`?"), "{found:?}");
    let found = server.run(&["list"]);
    assert!(found.code == 2 && found.stderr.contains("Usage: dunlin list"), "{found:?}");
}

#[test]
fn flags_of_calls_do_no_harm() {
    let server = serve();
    let found = server.run(&["list", "-v", "-format", "text", "-emit-defaults", "-plaintext", "ADDRESS"]);
    assert_eq!(found, Run::new(0, "kennel.v1.Kennel\n", ""));
    let found = server.run(&["describe", "-vv", "-d", "{}", "-plaintext", "ADDRESS", "kennel.v1.Dog.age"]);
    let warning = "warning: -d is for `dunlin call`, and not used here\n";
    assert_eq!(found, Run::new(0, "kennel.v1.Dog.age is a field:\nint32 age = 2;\n", warning));
}
