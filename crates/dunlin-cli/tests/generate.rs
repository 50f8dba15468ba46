//! `dunlin generate` and `protoc-gen-dunlin`, from the outside.

mod support;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};

use support::{Folder, Run, run};

const ORDER: &str = r#"syntax = "proto3";
package shop.v1;
import "money.proto";
message Order { optional int32 id = 1; Money price = 2; }
service Till { rpc Pay(Order) returns (Money); }
"#;
const MONEY: &str = "syntax = \"proto3\"; package shop.v1; message Money { int64 units = 1; }";
const TEMPLATE: &str = "version: v2\nclean: true\nplugins:\n  - local: protoc-gen-dunlin\n    out: gen\n\
                        \x20   opt: [views=false, runtime=crate]\ninputs:\n  - directory: proto\n";

fn shop(template: &str) -> Folder {
    Folder::new(&[("proto/order.proto", ORDER), ("proto/money.proto", MONEY), ("buf.gen.yaml", template)])
}

fn generate(folder: &Folder, arguments: &[&str]) -> Run {
    run(folder.command(env!("CARGO_BIN_EXE_dunlin")).arg("generate").args(arguments))
}

#[test]
fn rust_is_generated_without_any_program() {
    let folder = shop(TEMPLATE);
    generate(&folder, &[]).succeeds();
    assert_eq!(folder.files("gen"), ["mod.rs", "shop.v1.rs"]);
    let code = folder.read_text("gen/shop.v1.rs");
    assert!(code.contains("pub struct Order {") && code.contains("pub struct Money {"), "{code}");
}

#[test]
fn check_tells_what_is_stale_and_writes_nothing() {
    let folder = shop(TEMPLATE);
    let check = generate(&folder, &["--check"]);
    assert_eq!((check.code, folder.has("gen")), (100, false));
    assert!(check.stderr.contains("gen/mod.rs: missing"), "{}", check.stderr);
    generate(&folder, &[]).succeeds();
    generate(&folder, &["--check"]).succeeds();
    folder.write("gen/mod.rs", "old");
    folder.write("gen/left.rs", "over");
    let check = generate(&folder, &["--check"]);
    assert_eq!(check, Run::new(100, "", "./gen/mod.rs: out of date\n./gen/left.rs: not generated\n"));
    generate(&folder, &[]).succeeds();
    assert_eq!(folder.files("gen"), ["mod.rs", "shop.v1.rs"]);
}

#[test]
fn the_output_folder_and_the_input_may_be_said() {
    let folder = shop("version: v1\nplugins:\n  - name: dunlin\n    out: gen\n");
    generate(&folder, &["proto", "-o", "there"]).succeeds();
    assert_eq!(folder.files("there/gen"), ["mod.rs", "shop.v1.rs"]);
    let template = "{version: v2, plugins: [{local: dunlin, out: inline}]}";
    generate(&folder, &["proto", "--template", template]).succeeds();
    assert!(folder.has("inline/mod.rs"));
}

#[test]
fn the_plugin_gives_what_the_built_in_generator_gives() {
    let folder = shop(TEMPLATE);
    for out in ["own", "plugin"] {
        std::fs::create_dir(folder.path().join(out)).unwrap();
    }
    let plugin = format!("--plugin={}", env!("CARGO_BIN_EXE_protoc-gen-dunlin"));
    let protoc = |arguments: &[&str]| {
        let mut command = folder.command(env!("CARGO_BIN_EXE_dunlin"));
        run(command.args(["protoc", "-Iproto", "proto/order.proto", "proto/money.proto"]).args(arguments))
    };
    protoc(&["--dunlin_out=own"]).succeeds();
    protoc(&["--dunlin_out=plugin", &plugin]).succeeds();
    for file in ["mod.rs", "shop.v1.rs"] {
        assert_eq!(folder.read_text(&format!("own/{file}")), folder.read_text(&format!("plugin/{file}")));
    }
    let has_services = |has_server: bool| {
        let code = folder.read_text("own/shop.v1.rs");
        assert!(code.contains("pub struct TillClient {"), "{code}");
        assert_eq!(code.contains("pub trait Till:"), has_server, "{code}");
    };
    has_services(true);
    protoc(&["--dunlin_out=own", "--dunlin_opt=server=false"]).succeeds();
    has_services(false);
    let bad = protoc(&["--dunlin_out=own", "--dunlin_opt=nope=1"]);
    assert!(bad.code == 1 && bad.stderr.contains("unknown option `nope`"), "{}", bad.stderr);
}

#[test]
fn inputs_may_be_archives_and_types_left_out() {
    let folder = shop(TEMPLATE);
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (path, text) in [("v1/proto/order.proto", ORDER), ("v1/proto/money.proto", MONEY)] {
        zip.start_file(path, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    folder.write("shop.zip", zip.finish().unwrap().into_inner());
    std::fs::remove_dir_all(folder.path().join("proto")).unwrap();
    let template = "version: v2\nplugins:\n  - local: protoc-gen-dunlin\n    out: gen\n    exclude_types: shop.v1.Money\n\
                    inputs:\n  - zip_archive: shop.zip\n    strip_components: 1\n    subdir: proto\n";
    folder.write("buf.gen.yaml", template);
    generate(&folder, &[]).succeeds();
    let code = folder.read_text("gen/shop.v1.rs");
    assert!(code.contains("pub struct Order {") && !code.contains("Money"), "{code}");
    folder.write("buf.gen.yaml", template.replace("subdir: proto", "branch: main"));
    let wrong = generate(&folder, &[]);
    assert_eq!(wrong, Run::new(1, "", "error: buf.gen.yaml: inputs[0]: unknown key `branch`\n"));
}

#[test]
fn watching_generates_again_when_a_schema_changes() {
    let folder = shop(TEMPLATE);
    // A folder that is new could hold schemas.
    generate(&folder, &[]).succeeds();
    let mut command = folder.command(env!("CARGO_BIN_EXE_dunlin"));
    let mut child = Watching(command.args(["generate", "--watch"]).stderr(Stdio::piped()).spawn().unwrap());
    let mut said = BufReader::new(child.0.stderr.take().unwrap()).lines();
    let mut next = || said.next().unwrap().unwrap();
    // All at once, as it would else be seen empty.
    let replace = |text: &str| {
        let new = folder.write("new.txt", text);
        std::fs::rename(new, folder.path().join("proto/money.proto")).unwrap();
    };
    assert_eq!(next(), "generated; waiting for changes");
    replace(&MONEY.replace("units", "cents"));
    assert_eq!(next(), "generated; waiting for changes");
    assert!(folder.read_text("gen/shop.v1.rs").contains("pub cents: i64"));
    replace("nonsense");
    let mut lines: Vec<String> =
        std::iter::from_fn(|| Some(next())).take_while(|line| !line.starts_with("not generated")).collect();
    lines.retain(|line| line.contains("error"));
    assert!(!lines.is_empty());
    replace(MONEY);
    assert_eq!(next(), "generated; waiting for changes");
    assert!(folder.read_text("gen/shop.v1.rs").contains("pub units: i64"));
}

/// A process that is ended with this.
struct Watching(Child);

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn mistakes_are_told() {
    for (template, want) in [
        ("plugins: []", "`version` is missing"),
        ("version: v9", "unknown version `v9`"),
        ("version: v2\nplugins: []", "`plugins` is empty"),
        ("version: v2\nplugins: [{out: x}]", "exactly one of `local`"),
        ("version: v2\nplugins: [{local: dunlin}]", "`out` is missing"),
        ("version: v2\nplugins: [{remote: a/b/c, out: x}]", "install it and name it by `local`"),
        ("version: v2\nplugins: [{local: dunlin, out: x, what: 1}]", "unknown key `what`"),
        ("version: v2\nclean: true\nplugins: [{local: dunlin, out: .}]", "would delete the current folder"),
        ("version: v2\nplugins: [{local: ./no-such-plugin, out: x}]", "cannot start `./no-such-plugin`"),
        (
            "version: v2\nmanaged: {override: [{file_option: nope, value: x}]}\nplugins: [{local: dunlin, out: x}]",
            "unknown option `nope`",
        ),
    ] {
        let run = generate(&shop(template), &["proto"]);
        assert!(run.code == 1 && run.stderr.contains(want), "{template}: {}", run.stderr);
    }
}

#[test]
fn options_may_stand_in_the_project_file() {
    let folder = shop(&TEMPLATE.replace("views=false, ", ""));
    folder.write("dunlin.toml", "[generate.rust]\nviews = false\nboxed = [\".shop.v1.Order.price\"]\n");
    generate(&folder, &[]).succeeds();
    let code = folder.read_text("gen/shop.v1.rs");
    assert!(code.contains("Option<Box<Money>>") && !code.contains("View<'a> {"), "{code}");
    folder.write("dunlin.toml", "[generate.rust]\nnope = 1\n");
    let bad = generate(&folder, &[]);
    assert!(bad.code == 1 && bad.stderr.contains("dunlin.toml: generate.rust"), "{}", bad.stderr);
}
