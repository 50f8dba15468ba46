//! `dunlin convert`, `encode`, `decode` and protoc's `--encode`, `--decode`, from the outside.

mod support;

use support::{Folder, Run, run, run_bytes, run_with};

const SHOP: &str = r#"syntax = "proto3";
package shop;
message Order { int32 id = 1; string note = 2; map<string, int32> items = 3; Order next = 4; }
"#;
/// `id: 42`
const ORDER: &[u8] = &[0x08, 42];

fn shop() -> Folder {
    Folder::new(&[("shop.proto", SHOP)])
}

fn dunlin(folder: &Folder, arguments: &[&str], input: &[u8]) -> (Run, Vec<u8>) {
    run_bytes(folder.command(env!("CARGO_BIN_EXE_dunlin")).args(arguments), input)
}

#[track_caller]
fn output(folder: &Folder, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let (run, stdout) = dunlin(folder, arguments, input);
    assert_eq!(run, Run::silent(), "{arguments:?}");
    stdout
}

#[test]
fn one_message_goes_from_each_format_to_each_other() {
    let folder = shop();
    let formats: [(&str, &[u8]); 8] = [
        ("binpb", ORDER),
        ("json", b"{\"id\":42}\n"),
        ("txtpb", b"id: 42\n"),
        ("yaml", b"id: 42\n"),
        ("hex", b"082a\n"),
        ("base64", b"CCo=\n"),
        ("delimited", &[2, 8, 42]),
        ("grpc", &[0, 0, 0, 0, 2, 8, 42]),
    ];
    for (from, input) in formats {
        for (to, want) in formats {
            let (from, to) = (format!("-#format={from}"), format!("-#format={to}"));
            let got =
                output(&folder, &["convert", "--type", "shop.Order", "--from", &from, "--to", &to], input);
            assert_eq!(got, want, "{from} to {to}");
        }
    }
}

#[test]
fn yaml_holds_what_json_holds() {
    let folder = shop();
    let input = b"# A comment.\nid: 0x2a\nnote: |\n  two\n  lines\nitems: &some\n  a: 1\n  b: 2\nnext:\n  items: *some\n";
    let json = output(&folder, &["convert", "--type", "Order", "--from", "-#yaml"], input);
    let text = r#"{"id":42,"note":"two\nlines\n","items":{"a":1,"b":2},"next":{"items":{"a":1,"b":2}}}"#;
    assert_eq!(String::from_utf8(json.clone()).unwrap(), format!("{text}\n"));
    let yaml = output(&folder, &["convert", "--type", "Order", "--from", "-#json", "--to", "a.yaml"], &json);
    assert_eq!((yaml, folder.read_text("a.yaml").lines().next()), (vec![], Some("id: 42")));
    assert_eq!(output(&folder, &["convert", "--type", "Order", "--from", "a.yaml"], b""), json);
    let streams = output(
        &folder,
        &["convert", "--type", "Order", "--from", "-#yaml", "--to", "-#delimited"],
        b"id: 1\n---\nid: 2\n",
    );
    assert_eq!(streams, [2, 8, 1, 2, 8, 2]);
    let (wrong, _) = dunlin(&folder, &["convert", "--type", "Order", "--from", "-#yaml"], b"next: {id: x}\n");
    assert_eq!(wrong.stderr, "error: decode: input: $.next.id: the value is not an integer\n");
    let (cut, _) = dunlin(&folder, &["convert", "--type", "Order", "--from", "-#yaml"], b"next: {id: 1\n");
    assert!(cut.code == 1 && cut.stderr.starts_with("error: decode: input: "), "{}", cut.stderr);
}

#[test]
fn messages_are_validated_by_the_rules_of_their_schema() {
    let folder = Folder::new(&[(
        "user.proto",
        "syntax = \"proto3\";\nimport \"buf/validate/validate.proto\";\nmessage User {\n\
         \x20 string mail = 1 [(buf.validate.field).string.email = true];\n\
         \x20 uint32 age = 2 [(buf.validate.field).uint32.lt = 150];\n}\n",
    )]);
    let rules = format!("-I{}/../dunlin-validate/proto", env!("CARGO_MANIFEST_DIR"));
    let convert = |input: &[u8]| {
        let arguments = [
            "convert",
            "user.proto",
            &rules,
            "--type",
            "User",
            "--from",
            "-#json",
            "--to",
            "-#txtpb",
            "--validate",
        ];
        dunlin(&folder, &arguments, input)
    };
    let (good, text) = convert(br#"{"mail":"a@example.com","age":7}"#);
    assert_eq!((good, text), (Run::silent(), b"mail: \"a@example.com\"\nage: 7\n".to_vec()));
    let (bad, text) = convert(br#"{"mail":"a@example.com"} {"mail":"nobody","age":150}"#);
    assert_eq!((bad.code, text), (1, vec![]));
    let lines: Vec<&str> = bad.stderr.lines().collect();
    let [head, mail, age] = lines.as_slice() else { panic!("{}", bad.stderr) };
    assert_eq!(*head, "error: validate: input:");
    assert!(
        mail.starts_with("  message 2: mail: ") && age.starts_with("  message 2: age: "),
        "{}",
        bad.stderr
    );
}

#[test]
fn a_stream_keeps_its_messages_apart() {
    let folder = shop();
    let convert = |from: &str, to: &str, input: &[u8]| {
        output(&folder, &["convert", "--type", "Order", "--from", from, "--to", to], input)
    };
    let delimited = convert("-#format=json", "-#format=delimited", b"{\"id\":1} {\"id\":2}\n");
    assert_eq!(delimited, [2, 8, 1, 2, 8, 2]);
    assert_eq!(convert("-#delimited", "-#json", &delimited), b"{\"id\":1}\n{\"id\":2}\n");
    let text = convert("-#delimited", "-#txtpb", &delimited);
    assert_eq!(text, b"id: 1\n\x1e\nid: 2\n");
    assert_eq!(convert("-#txtpb", "-#delimited", &text), delimited);
    let (run, _) = dunlin(
        &folder,
        &["convert", "--type", "Order", "--from", "-#delimited", "--to", "-#binpb"],
        &delimited,
    );
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("the output holds one message, the input 2"), "{}", run.stderr);
}

#[test]
fn files_say_their_format_by_their_name() {
    let folder = shop();
    folder.write("in.binpb", ORDER);
    output(
        &folder,
        &["convert", "shop.proto", "--type", "Order", "--from", "in.binpb", "--to", "out.txtpb"],
        b"",
    );
    assert_eq!(folder.read("out.txtpb"), b"id: 42\n");
}

#[test]
fn encode_tells_json_from_text() {
    let folder = shop();
    for input in ["id: 42", " {\"id\": 42}"] {
        assert_eq!(output(&folder, &["encode", "--type", "Order"], input.as_bytes()), ORDER, "{input}");
    }
}

#[test]
fn unknown_fields_are_printed_left_out_with_a_word_or_refused() {
    let folder = shop();
    let unknown = [0x08, 42, 0x50, 1];
    assert_eq!(output(&folder, &["decode", "--type", "Order"], &unknown), b"id: 42\n10: 1\n");
    let (run, stdout) = dunlin(&folder, &["convert", "--type", "Order"], &unknown);
    assert_eq!((run.code, stdout.as_slice()), (0, &b"{\"id\":42}\n"[..]));
    assert!(run.stderr.contains("2 bytes of unknown fields of shop.Order are left out"), "{}", run.stderr);
    let (run, _) = dunlin(&folder, &["encode", "--type", "Order"], b"{\"nope\": 1}");
    assert!(run.code == 1 && run.stderr.contains("nope"), "{run:?}");
    assert_eq!(output(&folder, &["encode", "--type", "Order", "--ignore-unknown"], b"nope: 1 id: 42"), ORDER);
}

#[test]
fn exit_codes_tell_whose_fault_it_is() {
    let folder = shop();
    folder.write("broken/a.proto", "syntax = \"proto3\"; message A { B b = 1; }");
    for (arguments, want) in [
        (&["convert"][..], 2),                             // the type is missing
        (&["decode", "--raw", "--type", "Order"], 2),      // they exclude each other
        (&["convert", "shop.proto", "--type", "Nope"], 1), // there is no such type
        (&["convert", "shop.proto", "--type", "Order", "--from", "-#format=x"], 1),
        (&["convert", "broken", "--type", "A"], 100), // the schema has faults
        (&["decode", "shop.proto", "--type", "Order"], 1), // the input is no message
    ] {
        let (run, stdout) = dunlin(&folder, arguments, b"\xff");
        assert_eq!((run.code, stdout.len()), (want, 0), "{arguments:?}: {}", run.stderr);
    }
}

#[test]
fn raw_and_guess_need_no_type() {
    let folder = shop();
    let raw = output(&folder, &["decode", "--raw"], &[0x08, 42, 0x12, 2, b'h', b'i']);
    assert_eq!(String::from_utf8(raw).unwrap(), "     0  1: varint 42\n     2  2: len 2 \"hi\"\n");
    let guess = output(&folder, &["decode", "--guess"], ORDER);
    assert_eq!(guess, b"shop.Order: 0 unknown bytes\n");
}

#[test]
fn hostile_input_is_refused() {
    let folder = shop();
    let nested: Vec<u8> = std::iter::repeat_n(0x0b, 10_000).collect();
    let json = "{\"next\":".repeat(10_000);
    for (arguments, input) in [
        (&["decode", "--raw"][..], nested.as_slice()),
        (&["decode", "--type", "Order"], &nested),
        (&["decode", "--guess"], &nested),
        (&["encode", "--type", "Order"], json.as_bytes()),
        (&["convert", "--type", "Order", "--from", "-#grpc"], &[0, 0xff, 0xff, 0xff, 0xff, 1]),
        (&["convert", "--type", "Order", "--from", "-#delimited"], &[0xff, 0xff, 0xff, 0xff, 0x0f]),
        (&["protoc", "--decode_raw"], &nested),
    ] {
        let (run, _) = dunlin(&folder, arguments, input);
        assert_eq!(run.code, 1, "{arguments:?}: {}", run.stderr);
    }
}

#[test]
fn protoc_encodes_and_decodes() {
    let folder = shop();
    let text = "id: 42 items { key: \"b\" value: 2 } items { key: \"a\" value: 1 } note: \"\\303\\251\"";
    let encode = ["protoc", "--encode=shop.Order", "--deterministic_output", "shop.proto"];
    let bytes = output(&folder, &encode, text.as_bytes());
    assert_eq!(bytes, b"\x08\x2a\x12\x02\xc3\xa9\x1a\x05\x0a\x01a\x10\x01\x1a\x05\x0a\x01b\x10\x02");
    let want = "id: 42\nnote: \"\\303\\251\"\nitems {\n  key: \"a\"\n  value: 1\n}\nitems {\n  key: \"b\"\n  value: 2\n}\n";
    let decoded = output(&folder, &["protoc", "--decode=shop.Order", "shop.proto"], &bytes);
    assert_eq!(String::from_utf8(decoded).unwrap(), want);
    let raw = output(&folder, &["protoc", "--decode_raw"], ORDER);
    assert_eq!(raw, b"1: 42\n");
}

#[test]
fn protoc_refuses_what_does_not_go_together() {
    let folder = shop();
    for (arguments, want) in [
        (
            &["--encode=a", "--decode=a", "shop.proto"][..],
            "Only one of --encode and --decode can be specified.\n",
        ),
        (&["--decode_raw", "shop.proto"], "When using --decode_raw, no input files should be given.\n"),
        (&["--decode=x.Y", "shop.proto"], "Type not defined: x.Y\n"),
        (
            &["--deterministic_output", "--decode=shop.Order", "shop.proto"],
            "Can only use --deterministic_output with --encode.\n",
        ),
        (&["--decode=shop.Order", "shop.proto"], "Failed to parse input.\n"),
    ] {
        let mut command = folder.command(env!("CARGO_BIN_EXE_dunlin"));
        let got = run_with(command.arg("protoc").args(arguments), b"\xff");
        assert_eq!(got, Run::new(1, "", want), "{arguments:?}");
    }
}

#[test]
fn a_descriptor_set_may_be_json_or_text() {
    let folder = Folder::new(&[(
        "a.proto",
        "syntax = \"proto2\"; import \"google/protobuf/descriptor.proto\";\n\
         extend google.protobuf.FileOptions { optional string tag = 50000; } option (tag) = \"x\";",
    )]);
    let build =
        |arguments: &[&str]| run(folder.command(env!("CARGO_BIN_EXE_dunlin")).arg("build").args(arguments));
    build(&["a.proto", "-o", "set.binpb"]).succeeds();
    for printed in ["set.json", "set.txtpb"] {
        build(&["a.proto", "-o", printed]).succeeds();
        assert!(folder.read_text(printed).contains("[tag]"), "{printed}");
        build(&[printed, "-o", "again.binpb"]).succeeds();
        build(&["set.binpb", "-o", "direct.binpb"]).succeeds();
        assert_eq!(folder.read("again.binpb"), folder.read("direct.binpb"), "{printed}");
    }
}
