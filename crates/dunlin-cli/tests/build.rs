//! `dunlin build` from the outside.

mod support;

use std::io::{Read, Write};

use dunlin_protobuf::descriptor::DescriptorMessage;
use dunlin_protobuf::descriptor::FileDescriptorSet;
use support::{Folder, Run, messages, names, run, run_bytes, run_with};

const ITEM: &str = r#"syntax = "proto3";
package shop;
import "shop/money.proto";
// An item.
message Item { Money price = 2; }
message Other { Item item = 1; }
service Till { rpc Pay(Item) returns (Money); rpc Count(Other) returns (Other); }
"#;
const MONEY: &str = "syntax = \"proto3\"; package shop; message Money { int64 units = 1; }";
const BROKEN: &str = "syntax = \"proto3\";\nmessage M {\n  Foo f = 1;\n}\n";
const UNUSED: &str = "syntax = \"proto3\";\nimport \"shop/money.proto\";\n";

fn shop() -> Folder {
    Folder::new(&[("shop/item.proto", ITEM), ("shop/money.proto", MONEY)])
}

fn build(folder: &Folder, arguments: &[&str]) -> Run {
    run(folder.command(env!("CARGO_BIN_EXE_dunlin")).arg("build").args(arguments))
}

/// Builds to a file and reads it.
#[track_caller]
fn set(folder: &Folder, arguments: &[&str]) -> FileDescriptorSet {
    let run = build(folder, &[arguments, &["-o", "set.binpb"]].concat());
    assert_eq!(run, Run::silent(), "{arguments:?}");
    folder.set("set.binpb")
}

/// What buf's extension of a file says: the file is an import, its syntax is not written out, and
/// the indices of its unused imports.
fn image_facts(set: &FileDescriptorSet) -> Vec<Option<(bool, bool, Vec<u64>)>> {
    let of_file = |file: &dunlin_protobuf::descriptor::FileDescriptorProto| {
        let mut reader = file.unknown_fields.reader();
        let tag = reader.tag().unwrap()?;
        assert_eq!(tag.number, 8042);
        let mut reader = reader.message().unwrap();
        let mut facts = (false, false, Vec::new());
        while let Some(tag) = reader.tag().unwrap() {
            let value = reader.varint().unwrap();
            match tag.number {
                1 => facts.0 = value == 1,
                3 => facts.1 = value == 1,
                4 => facts.2.push(value),
                other => panic!("field {other}"),
            }
        }
        Some(facts)
    };
    set.file.iter().map(of_file).collect()
}

// ---- inputs

#[test]
fn a_folder_is_built_with_all_its_files() {
    let folder = shop();
    folder.write("notes.txt", "no schema");
    for arguments in [&[][..], &["."], &["./"]] {
        assert_eq!(names(&set(&folder, arguments)), ["shop/money.proto", "shop/item.proto"], "{arguments:?}");
    }
    let outer = Folder::new(&[("in/shop/item.proto", ITEM), ("in/shop/money.proto", MONEY)]);
    assert_eq!(names(&set(&outer, &["in"])), ["shop/money.proto", "shop/item.proto"]);
}

#[test]
fn a_file_is_built_with_its_imports() {
    let folder = shop();
    let set = set(&folder, &["shop/item.proto"]);
    assert_eq!(names(&set), ["shop/money.proto", "shop/item.proto"]);
    assert_eq!(image_facts(&set), [Some((true, false, vec![])), Some((false, false, vec![]))]);
}

#[test]
fn a_file_of_a_module_is_imported_by_its_path_in_it() {
    let folder = Folder::new(&[
        ("buf.yaml", "version: v2\nmodules:\n  - path: proto\n"),
        ("proto/shop/item.proto", ITEM),
        ("proto/shop/money.proto", MONEY),
    ]);
    for path in ["proto/shop/item.proto", "./proto/shop/item.proto"] {
        assert_eq!(names(&set(&folder, &[path])), ["shop/money.proto", "shop/item.proto"], "{path}");
    }
    let absolute = folder.path().join("proto/shop/item.proto");
    assert_eq!(names(&set(&folder, &[absolute.to_str().unwrap()])).len(), 2);
}

#[test]
fn a_descriptor_set_is_an_input() {
    let folder = shop();
    let all = set(&folder, &["--as-file-descriptor-set"]);
    std::fs::rename(folder.path().join("set.binpb"), folder.path().join("in.binpb")).unwrap();
    std::fs::remove_dir_all(folder.path().join("shop")).unwrap();
    assert_eq!(set(&folder, &["in.binpb", "--as-file-descriptor-set"]), all);

    // The ending of the name does not matter if the format is said.
    std::fs::rename(folder.path().join("in.binpb"), folder.path().join("odd.name")).unwrap();
    assert_eq!(set(&folder, &["odd.name#format=binpb", "--as-file-descriptor-set"]), all);
    let unknown = build(&folder, &["odd.name"]);
    assert_eq!(unknown.code, 1);
    assert!(unknown.stderr.contains("`#format=binpb`"), "{}", unknown.stderr);

    let mut dunlin = folder.command(env!("CARGO_BIN_EXE_dunlin"));
    dunlin.args(["build", "-", "--as-file-descriptor-set", "-o", "set.binpb"]);
    assert_eq!(run_with(&mut dunlin, &folder.read("odd.name")), Run::silent());
    assert_eq!(folder.set("set.binpb"), all);

    dunlin = folder.command(env!("CARGO_BIN_EXE_dunlin"));
    dunlin.args(["build", "-#format=binpb", "--as-file-descriptor-set", "-o", "set2.binpb"]);
    assert_eq!(run_with(&mut dunlin, &folder.read("odd.name")), Run::silent());
    assert_eq!(folder.set("set2.binpb"), all);

    let nonsense = run_with(&mut dunlin, b"\xff\xff\xff");
    assert_eq!(nonsense.code, 1);
    assert!(nonsense.stderr.starts_with("error: - is not a descriptor set: "), "{}", nonsense.stderr);
}

#[test]
fn a_descriptor_set_may_be_compressed_and_yaml() {
    let folder = shop();
    let all = set(&folder, &[]);
    for name in [
        "a.binpb.gz",
        "a.binpb.zst",
        "a.json.gz",
        "a.yaml",
        "a.txtpb.zst",
        "odd#format=json,compression=gzip",
    ] {
        build(&folder, &["-o", name]).succeeds();
        let mut read = set(&folder, &[name]);
        // What was unused was imported once.
        read.file
            .iter_mut()
            .zip(&all.file)
            .for_each(|(file, want)| file.unknown_fields.clone_from(&want.unknown_fields));
        assert_eq!(read, all, "{name}");
    }
    assert!(folder.read("a.binpb.gz").starts_with(&[0x1f, 0x8b]));
    assert!(folder.read_text("a.yaml").starts_with("file:\n"));
    let cut = folder.read("a.binpb.gz");
    folder.write("cut.binpb.gz", &cut[..cut.len() / 2]);
    let cut = build(&folder, &["cut.binpb.gz"]);
    assert!(cut.code == 1 && cut.stderr.starts_with("error: cannot read cut.binpb.gz: "), "{}", cut.stderr);
}

/// A tar archive of these files.
fn tar(files: &[(&str, &str)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        // Paths that lead out are written as they are.
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_cksum();
        archive.append(&header, text.as_bytes()).unwrap();
    }
    archive.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    flate2::read::GzEncoder::new(bytes, flate2::Compression::fast()).read_to_end(&mut out).unwrap();
    out
}

#[test]
fn an_archive_is_an_input() {
    let folder = shop();
    let all = set(&folder, &[]);
    let outside = tempfile::tempdir().unwrap();
    let absolute = outside.path().join("evil.proto").display().to_string();
    let files = [
        ("shop-1.0/proto/shop/item.proto", ITEM),
        ("shop-1.0/proto/shop/money.proto", MONEY),
        ("shop-1.0/buf.yaml", "version: v2\nmodules:\n  - path: proto\n"),
        ("shop-1.0/README.md", "not a schema"),
        ("shop-1.0/../../evil.proto", "nonsense"),
        (&absolute, "nonsense"),
    ];
    std::fs::remove_dir_all(folder.path().join("shop")).unwrap();
    folder.write("a.tar", tar(&files));
    folder.write("a.tgz", gzip(&tar(&files)));
    folder.write("a.odd", gzip(&tar(&files)));
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (path, text) in &files[..4] {
        zip.start_file(*path, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    folder.write("a.zip", zip.finish().unwrap().into_inner());
    for input in [
        "a.tar#strip_components=1",
        "a.tar#subdir=shop-1.0",
        "a.tar#subdir=shop-1.0/proto",
        "a.tgz#strip_components=2",
        "a.odd#format=tar,compression=gzip,strip_components=1",
        "a.zip#subdir=shop-1.0",
    ] {
        assert_eq!(set(&folder, &[input]), all, "{input}");
    }
    let some = set(&folder, &["a.tgz#subdir=shop-1.0/proto", "--path", "shop/money.proto"]);
    assert_eq!(some.file.len(), 1);
    assert!(!folder.has("evil.proto") && std::fs::read_dir(outside.path()).unwrap().next().is_none());

    let missing = build(&folder, &["a.tar#subdir=nowhere"]);
    assert_eq!(missing, Run::new(1, "", "error: a.tar has no .proto files in \"nowhere\"\n"));
    assert!(build(&folder, &["a.tar#subdir=../x"]).stderr.contains("does not lie in a.tar"));
    // Faults are told by the place in the archive.
    folder.write("bad.tar", tar(&[("x/bad.proto", "syntax = \"proto3\";\nmessage {\n")]));
    let bad = build(&folder, &["bad.tar", "--error-format", "text"]);
    assert!(bad.code == 100 && bad.stderr.starts_with("bad.tar/x/bad.proto:2:"), "{}", bad.stderr);
    let none = build(&folder, &["nowhere.git"]);
    assert!(none.code == 1 && none.stderr.starts_with("error: "), "{}", none.stderr);
}

#[test]
fn types_are_left_out_with_what_needs_them() {
    let folder = Folder::new(&[(
        "a.proto",
        "syntax = \"proto3\";\npackage a;\n\
         // Kept.\nmessage Kept {\n  string id = 1;\n  Gone gone = 2;\n  map<string, Gone> by = 3;\n\
         \x20 oneof one { Gone left = 4; }\n  oneof two { Gone.In out = 5; string text = 6; }\n\
         \x20 // The last.\n  optional Color color = 7;\n}\n\
         message Gone { message In {} }\nenum Color { COLOR_NONE = 0; }\n\
         service Till { rpc Pay(Kept) returns (Gone); rpc Look(Kept) returns (Kept); }\n",
    )]);
    let file = set(&folder, &["--exclude-type", "a.Gone"]).file.remove(0);
    let message = &file.message_type[0];
    let names = |fields: &[dunlin_protobuf::descriptor::FieldDescriptorProto]| -> Vec<(String, Option<i32>)> {
        fields.iter().map(|field| (field.name.clone().unwrap(), field.oneof_index)).collect()
    };
    assert_eq!(
        names(&message.field),
        [("id".into(), None), ("text".into(), Some(0)), ("color".into(), Some(1))]
    );
    assert_eq!((file.message_type.len(), message.nested_type.len(), message.oneof_decl.len()), (1, 0, 2));
    assert_eq!(file.service[0].method.len(), 1);
    // The comment moves with the field.
    let info = file.source_code_info.as_ref().unwrap();
    let color = info.location.iter().find(|location| location.path == [4, 0, 2, 2]).unwrap();
    assert_eq!(color.leading_comments.as_deref(), Some(" The last.\n"));
    // What is left compiles.
    build(&folder, &["set.binpb"]).succeeds();

    let both = build(&folder, &["--type", "a.Gone", "--exclude-type", "a.Gone"]);
    assert_eq!(both, Run::new(1, "", "error: type \"a.Gone\" is to be kept and left out\n"));
    let some = set(&folder, &["--type", "a.Till", "--exclude-type", "a.Gone,a.Color"]);
    assert_eq!(some.file[0].message_type[0].field.len(), 2);
    assert!(build(&folder, &["--exclude-type", "a.Gon"]).stderr.contains("did you mean \"a.Gone\"?"));
}

#[test]
fn custom_options_that_are_left_out_take_their_values_along() {
    let folder = Folder::new(&[
        (
            "options.proto",
            "syntax = \"proto3\";\npackage o;\nimport \"google/protobuf/descriptor.proto\";\n\
             message Rule { string text = 1; }\n\
             extend google.protobuf.FieldOptions { string secret = 50001; Rule rule = 50002; string kept = 50003; }\n\
             extend google.protobuf.MessageOptions { Rule all = 50001; }\n",
        ),
        (
            "a.proto",
            "syntax = \"proto3\";\npackage a;\nimport \"options.proto\";\n\
             message A {\n  option (o.all).text = \"x\";\n\
             \x20 string a = 1 [(o.secret) = \"x\", (o.rule).text = \"y\", (o.kept) = \"z\"];\n}\n",
        ),
    ]);
    let out = set(&folder, &["--exclude-type", "o.secret,o.Rule"]);
    let a = out.file.iter().find(|file| file.name.as_deref() == Some("a.proto")).unwrap();
    let message = &a.message_type[0];
    assert!(message.options.as_ref().unwrap().unknown_fields.is_empty());
    let numbers: Vec<u32> = {
        let fields = &message.field[0].options.as_ref().unwrap().unknown_fields;
        let mut reader = fields.reader();
        let mut numbers = Vec::new();
        while let Some(tag) = reader.tag().unwrap() {
            numbers.push(tag.number);
            reader.skip(tag).unwrap();
        }
        numbers
    };
    assert_eq!(numbers, [50003]);
    let places: Vec<&[i32]> =
        a.source_code_info.as_ref().unwrap().location.iter().map(|location| &location.path[..]).collect();
    assert!(places.contains(&&[4, 0, 2, 0, 8, 50003][..]));
    assert!(!places.iter().any(|place| place.contains(&50001) || place.contains(&50002)), "{places:?}");

    // What is imported decides what is needed, also where it is not written.
    let times = Folder::new(&[(
        "t.proto",
        "syntax = \"proto3\";\nimport \"google/protobuf/timestamp.proto\";\n\
         message Kept { google.protobuf.Timestamp at = 1; }\nmessage Gone {}\n",
    )]);
    let kept = set(&times, &["--exclude-imports", "--exclude-type", "Gone"]);
    assert_eq!(kept.file.len(), 1);
    assert_eq!(kept.file[0].dependency, ["google/protobuf/timestamp.proto"]);
    let none = set(&times, &["--exclude-imports", "--exclude-type", "google.protobuf.Timestamp"]);
    assert!(none.file[0].dependency.is_empty() && none.file[0].message_type[0].field.is_empty());
}

#[test]
fn an_input_that_is_not_there_is_an_error() {
    let folder = Folder::new(&[("empty/a.txt", "")]);
    for (input, want) in [
        ("nowhere", "error: input \"nowhere\" does not exist\n"),
        ("nowhere.proto", "error: input \"nowhere.proto\" does not exist\n"),
        ("empty", "error: \"empty\" has no .proto files to compile\n"),
        (
            "empty#format=nonsense",
            "error: unknown format `nonsense`; known are binpb, json, txtpb, yaml, dir, protofile, tar, zip and git\n",
        ),
        ("-#format=yaml", "error: input: expected one document\n"),
        ("empty#format=tar,subdir=../x", "error: empty: Is a directory (os error 21)\n"),
        ("empty#subdir=x", "error: empty: subdir is for archives and git\n"),
    ] {
        assert_eq!(build(&folder, &[input]), Run::new(1, "", want));
    }
    let missing = build(&folder, &["nowhere.binpb"]);
    assert_eq!(missing.code, 1);
    assert!(missing.stderr.starts_with("error: cannot read nowhere.binpb: "), "{}", missing.stderr);
}

// ---- modules

#[test]
fn buf_yaml_and_buf_work_yaml_say_the_modules() {
    let plain = |package: &str| format!("syntax = \"proto3\"; package {package};");
    let folder = |config: &[(&str, &str)]| {
        let folder = Folder::new(config);
        for (path, package) in
            [("a/x/x.proto", "x"), ("a/gen/g.proto", "g"), ("b/y/y.proto", "y"), ("b/z/z.proto", "z")]
        {
            folder.write(path, plain(package));
        }
        folder
    };
    for (config, want) in [
        (&[][..], &["a/gen/g.proto", "a/x/x.proto", "b/y/y.proto", "b/z/z.proto"][..]),
        (&[("buf.yaml", "version: v2\n")], &["a/gen/g.proto", "a/x/x.proto", "b/y/y.proto", "b/z/z.proto"]),
        (
            &[(
                "buf.yaml",
                "version: v2\nmodules:\n  - path: a\n    excludes: [a/gen]\n  - path: b\n    includes: [b/z]\n",
            )],
            &["x/x.proto", "z/z.proto"],
        ),
        (&[("buf.yaml", "version: v1\nbuild:\n  excludes: [a/gen, b]\n")], &["a/x/x.proto"]),
        (
            &[("buf.yaml", "version: v1beta1\nbuild:\n  roots: [a, b]\n  excludes: [a/gen]\n")],
            &["x/x.proto", "y/y.proto", "z/z.proto"],
        ),
        (
            &[("buf.work.yaml", "version: v1\ndirectories: [a, b]\n")],
            &["gen/g.proto", "x/x.proto", "y/y.proto", "z/z.proto"],
        ),
        (
            &[
                ("buf.work.yaml", "version: v1\ndirectories: [a, b]\n"),
                ("a/buf.yaml", "version: v1\nbuild:\n  excludes: [gen]\n"),
            ],
            &["x/x.proto", "y/y.proto", "z/z.proto"],
        ),
    ] {
        assert_eq!(names(&set(&folder(config), &[])), want, "{config:?}");
    }
}

#[test]
#[cfg(unix)]
fn links_to_files_and_folders_elsewhere_are_followed() {
    let folder = Folder::new(&[("elsewhere/item.proto", ITEM), ("money.proto", MONEY), ("in/a.txt", "")]);
    let link = |to: &str, from: &str| std::os::unix::fs::symlink(to, folder.path().join(from)).unwrap();
    link("../elsewhere", "in/shop");
    link("../money.proto", "elsewhere/money.proto");
    for config in ["version: v2\n", "version: v1\n"] {
        assert_eq!(names(&set(&folder, &["in"])), ["shop/money.proto", "shop/item.proto"]);
        folder.write("in/buf.yaml", config);
    }
    assert_eq!(names(&set(&folder, &["in/shop/money.proto"])), ["shop/money.proto"]);
}

#[test]
fn modules_import_from_each_other() {
    let folder = Folder::new(&[
        ("buf.yaml", "version: v2\nmodules:\n  - path: items\n  - path: money\n"),
        ("items/shop/item.proto", ITEM),
        ("money/shop/money.proto", MONEY),
    ]);
    assert_eq!(names(&set(&folder, &[])), ["shop/money.proto", "shop/item.proto"]);
    assert_eq!(names(&set(&folder, &["items/shop/item.proto"])), ["shop/money.proto", "shop/item.proto"]);
    folder.write("items/shop/money.proto", MONEY);
    let twice = build(&folder, &[]);
    assert_eq!(twice.code, 1);
    assert!(twice.stderr.contains("\"shop/money.proto\" is in two modules: "), "{}", twice.stderr);
}

#[test]
fn a_folder_of_a_workspace_is_built_as_a_part_of_it() {
    let inner = |name: &str| format!("syntax = \"proto3\"; package {name};");
    for config in [
        &[(
            "buf.yaml",
            "version: v2\nmodules:\n  - path: items\n    excludes: [items/gen]\n  - path: money\n",
        )][..],
        &[
            ("buf.work.yaml", "version: v1\ndirectories: [items, money]\n"),
            ("items/buf.yaml", "version: v1\nbuild:\n  excludes: [gen]\n"),
        ],
    ] {
        let folder = Folder::new(config);
        folder.write("items/shop/item.proto", ITEM);
        folder.write("items/shop/deep/a.proto", inner("a"));
        folder.write("items/gen/g.proto", inner("g"));
        folder.write("items/b.proto", BROKEN.replace("Foo", "M"));
        folder.write("money/shop/money.proto", MONEY);
        folder.write("money/shop/coin.proto", inner("coin"));
        folder.write("apart/c.proto", inner("c"));
        // What it imports comes from the other module, and nothing more of that.
        let items = ["b.proto", "shop/deep/a.proto", "shop/money.proto", "shop/item.proto"];
        for input in ["items", "./items/", folder.path().join("items").to_str().unwrap()] {
            assert_eq!(names(&set(&folder, &[input])), items, "{config:?} {input}");
        }
        assert_eq!(names(&set(&folder, &["items/shop/deep"])), ["shop/deep/a.proto"], "{config:?}");
        assert_eq!(names(&set(&folder, &["items", "--path", "items/shop/deep"])), ["shop/deep/a.proto"]);
        // Not a part of it, and so on its own.
        assert_eq!(names(&set(&folder, &["apart"])), ["c.proto"], "{config:?}");
        assert_eq!(names(&set(&folder, &["apart/c.proto"])), ["apart/c.proto"], "{config:?}");

        // Paths are shown as seen from where one is.
        folder.write("items/b.proto", BROKEN);
        for (at, input, place) in [
            ("", "items", "items/b.proto:3:3: "),
            ("", "items/b.proto", "items/b.proto:3:3: "),
            ("items", ".", "b.proto:3:3: "),
            ("items", "b.proto", "b.proto:3:3: "),
            ("items/shop", "..", "../b.proto:3:3: "),
            ("money", "../items/b.proto", "../items/b.proto:3:3: "),
        ] {
            let mut dunlin = folder.command(env!("CARGO_BIN_EXE_dunlin"));
            dunlin.current_dir(folder.path().join(at)).args(["build", "--error-format", "text", input]);
            let run = run(&mut dunlin);
            assert!(run.stderr.starts_with(place), "{at} {input}: {}", run.stderr);
            assert_eq!(run.code, 100);
        }
    }
}

#[test]
fn a_missing_import_tells_of_the_dependencies_that_are_not_fetched() {
    let folder = Folder::new(&[
        ("buf.yaml", "version: v2\ndeps:\n  - example.com/shop/money\n"),
        ("shop/item.proto", ITEM),
    ]);
    let outside = Folder::new(&[("shop/money.proto", MONEY)]);
    let run = build(&folder, &["--error-format", "text"]);
    assert_eq!(run.code, 100);
    assert!(run.stderr.starts_with("shop/item.proto:3:"), "{}", run.stderr);
    assert!(
        run.stderr.contains("the dependencies of buf.yaml are not fetched: example.com/shop/money"),
        "{}",
        run.stderr
    );
    // The cure that it names.
    let set = set(&folder, &["-I", outside.path().to_str().unwrap()]);
    assert_eq!(names(&set), ["shop/money.proto", "shop/item.proto"]);
}

#[test]
fn mistakes_in_the_configuration_are_told_with_the_file() {
    for (config, want) in [
        ("version: v3\n", "unknown version \"v3\""),
        ("version: v2\nmodule: []\n", "unknown key `module`"),
        ("version: v2\nmodules:\n  - path: ../up\n", "\"../up\" leaves the folder"),
        ("version: v1beta1\nbuild:\n  roots: [a, b]\n  excludes: [c]\n", "\"c\" is not inside any root"),
        ("version: v2\nmodules:\n  - path: nowhere\n", "module folder ./nowhere does not exist"),
        ("modules: [\n", ""),
    ] {
        let folder = Folder::new(&[("buf.yaml", config), ("a.proto", "syntax = \"proto3\";")]);
        let run = build(&folder, &[]);
        assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{config}");
        let names_file = run.stderr.contains("buf.yaml: ") || config.contains("nowhere");
        assert!(names_file && run.stderr.contains(want), "{config}: {}", run.stderr);
    }
}

// ---- what is built

#[test]
fn files_are_picked_by_path_and_left_out_by_path() {
    let folder = shop();
    folder.write("shop/deep/a.proto", "syntax = \"proto3\";");
    folder.write("top.proto", "syntax = \"proto3\";");
    let both = &["shop/money.proto", "shop/item.proto"][..];
    for (arguments, want) in [
        (&["--path", "shop/money.proto"][..], &["shop/money.proto"][..]),
        (&["--path", "./shop/money.proto"], &["shop/money.proto"]),
        (&["--path", "shop/item.proto"], both), // what it imports comes along
        (&["--path", "shop/deep"], &["shop/deep/a.proto"]),
        (&["--path", "shop/deep/", "--path", "top.proto"], &["shop/deep/a.proto", "top.proto"]),
        (&["--path", "shop/deep,top.proto"], &["shop/deep/a.proto", "top.proto"]), // a list, as buf reads it
        (&["--exclude-path", "shop"], &["top.proto"]),
        (&["--exclude-path", "shop/item.proto,shop/deep"], &["shop/money.proto", "top.proto"]),
        (&["--path", "shop", "--exclude-path", "shop/deep"], both),
        // Left out as an input, it is still there to be imported.
        (&["--path", "shop", "--exclude-path", "shop/deep", "--exclude-path", "shop/money.proto"], both),
    ] {
        assert_eq!(names(&set(&folder, arguments)), want, "{arguments:?}");
    }
    // Paths are those of the current folder, wherever the input is.
    let absolute = folder.path().join("shop/deep");
    for (at, path) in [("", absolute.to_str().unwrap()), ("shop", "deep"), ("shop/deep", "../deep/a.proto")] {
        let mut dunlin = folder.command(env!("CARGO_BIN_EXE_dunlin"));
        dunlin.current_dir(folder.path().join(at)).arg("build").arg(folder.path());
        let output = folder.path().join("set.binpb");
        run(dunlin.args(["--path", path, "-o"]).arg(output)).succeeds();
        assert_eq!(names(&folder.set("set.binpb")), ["shop/deep/a.proto"], "{at} {path}");
    }
    let none = build(&folder, &["--path", "nowhere"]);
    assert_eq!(none, Run::new(1, "", "error: \".\" has no .proto files to compile\n"));
}

#[test]
fn paths_pick_from_a_descriptor_set_too() {
    let folder = shop();
    build(&folder, &["-o", "in.binpb"]).succeeds();
    let set = |arguments: &[&str]| {
        let set = set(&folder, &[&["in.binpb", "--exclude-imports"], arguments].concat());
        names(&set).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(set(&["--path", "shop/item.proto"]), ["shop/item.proto"]);
    assert_eq!(set(&["--exclude-path", "shop/item.proto"]), ["shop/money.proto"]);
}

#[test]
fn some_types_are_kept_with_what_they_need() {
    let folder = shop();
    folder.write("top.proto", "syntax = \"proto3\"; package shop.deep; message Deep {}");
    folder.write("shopping.proto", "syntax = \"proto3\"; package shopping; message Apart {}");
    for (types, want_messages, want_methods) in [
        (&["shop.Item"][..], &["Money", "Item"][..], &[][..]),
        (&["shop.Money"], &["Money"], &[]),
        (&["shop.Other"], &["Money", "Item", "Other"], &[]),
        (&["shop.Money", "shop.Item"], &["Money", "Item"], &[]),
        (&["shop.Till"], &["Money", "Item", "Other"], &["Pay", "Count"]),
        (&["shop.Till.Pay"], &["Money", "Item"], &["Pay"]), // and not the other method
        (&["shop"], &["Money", "Item", "Other"], &["Pay", "Count"]), // a package
        (&["shop.*"], &["Money", "Item", "Other"], &["Pay", "Count"]),
        (&["shop.**"], &["Money", "Item", "Other", "Deep"], &["Pay", "Count"]), // and the one inside it
        (&["shop.Till.**"], &["Money", "Item", "Other"], &["Pay", "Count"]),
        (&["shop.Money,shop.deep"], &["Money", "Deep"], &[]),
    ] {
        let flags: Vec<&str> = types.iter().flat_map(|name| ["--type", name]).collect();
        let set = set(&folder, &flags);
        let methods: Vec<&str> = set
            .file
            .iter()
            .flat_map(|file| &file.service)
            .flat_map(|service| &service.method)
            .map(|method| method.name.as_deref().unwrap())
            .collect();
        assert_eq!(
            (messages(&set).as_slice(), methods.as_slice()),
            (want_messages, want_methods),
            "{types:?}"
        );
    }
    let money = set(&folder, &["--type", "shop.Money"]);
    assert_eq!(names(&money), ["shop/money.proto"]);
    let unknown = build(&folder, &["--type", "shop.Itme"]);
    let want = "error: type \"shop.Itme\" is not in the input; did you mean \"shop.Item\"?\n";
    assert_eq!(unknown, Run::new(1, "", want));
}

// ---- outputs

#[test]
fn the_result_goes_where_it_is_told_to_go() {
    let folder = shop();
    // Nowhere: the schemas are only checked.
    build(&folder, &[]).succeeds();
    assert_eq!(folder.files("").len(), 2);

    build(&folder, &["-o", "a.binpb"]).succeeds();
    let want = folder.read("a.binpb");
    for output in ["b.bin", "b.pb", "b.protoset", "b.odd#format=binpb", "b.odd#binpb"] {
        build(&folder, &["-o", output]).succeeds();
        let path = output.split('#').next().unwrap();
        assert_eq!(folder.read(path), want, "{output}");
    }
    let mut dunlin = folder.command(env!("CARGO_BIN_EXE_dunlin"));
    for output in ["-", "-#format=binpb"] {
        let (run, stdout) = run_bytes(dunlin.args(["build", "-o", output]), b"");
        assert_eq!((run, stdout), (Run::silent(), want.clone()));
        dunlin = folder.command(env!("CARGO_BIN_EXE_dunlin"));
    }
    for (output, want) in [
        ("a#format=nonsense", "unknown format `nonsense`; known are binpb, json, txtpb, yaml, "),
        ("a#format=dir", "output \"a#format=dir\": only a descriptor set can be written: "),
        ("a.tar", "output \"a.tar\": only a descriptor set can be written: "),
        ("a#depth=1", "a: branch, tag, ref, depth and recurse_submodules are for git; "),
    ] {
        let run = build(&folder, &["-o", output]);
        assert_eq!((run.code, run.stdout.as_str()), (1, ""));
        assert!(run.stderr.starts_with(&format!("error: {want}")), "{}", run.stderr);
    }
    let unwritable = build(&folder, &["-o", "nowhere/a.binpb"]);
    assert_eq!(unwritable.code, 1);
    assert!(unwritable.stderr.starts_with("error: cannot write nowhere/a.binpb: "), "{}", unwritable.stderr);
}

#[test]
#[cfg(unix)]
fn a_reader_that_has_gone_away_is_no_error_to_print() {
    use std::io::{Read, Write};
    use std::process::Stdio;

    let folder = shop();
    build(&folder, &["-o", "in.binpb"]).succeeds();
    let mut dunlin = folder.command(env!("CARGO_BIN_EXE_dunlin"));
    dunlin.args(["build", "-", "-o", "-"]);
    let mut child =
        dunlin.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    // It writes only when it has read everything.
    child.stdin.take().unwrap().write_all(&folder.read("in.binpb")).unwrap();
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!((child.wait().unwrap().code(), stderr.as_str()), (Some(141), ""));
}

#[test]
fn flags_leave_out_imports_positions_and_what_images_add() {
    let folder = shop();
    let arguments = |flags: &[&'static str]| [flags, &["--path", "shop/item.proto"]].concat();
    for (flags, files, has_positions, is_image) in [
        (&[][..], 2, true, true),
        (&["--exclude-imports"], 1, true, true),
        (&["--exclude-source-info"], 2, false, true),
        (&["--as-file-descriptor-set"], 2, true, false),
        (&["--as-file-descriptor-set", "--exclude-imports", "--exclude-source-info"], 1, false, false),
        (&["-exclude-imports"], 1, true, true), // one dash will do
    ] {
        let set = set(&folder, &arguments(flags));
        let positions = set.file.iter().all(|file| file.source_code_info.is_some());
        let image = image_facts(&set).iter().all(Option::is_some);
        assert_eq!((set.file.len(), positions, image), (files, has_positions, is_image), "{flags:?}");
    }
}

#[test]
fn a_plain_set_has_the_bytes_of_protocs() {
    let folder = shop();
    build(&folder, &["--as-file-descriptor-set", "-o", "ours.binpb"]).succeeds();
    let mut dunlin = folder.command(env!("CARGO_BIN_EXE_dunlin"));
    dunlin.args(["protoc", "--include_imports", "--include_source_info", "--retain_options"]);
    run(dunlin.args(["-otheirs.binpb", "shop/item.proto", "shop/money.proto"])).succeeds();
    assert_eq!(folder.read("ours.binpb"), folder.read("theirs.binpb"));
}

#[test]
fn an_image_tells_of_imports_missing_syntax_and_unused_imports() {
    let folder = shop();
    folder.write("a.proto", "import \"shop/money.proto\";");
    let run = build(&folder, &["-q", "a.proto", "-o", "set.binpb"]);
    assert_eq!(run, Run::silent());
    let set = FileDescriptorSet::decode(&folder.read("set.binpb")).unwrap();
    assert_eq!(image_facts(&set), [Some((true, false, vec![])), Some((false, true, vec![0]))]);
}

// ---- errors and warnings

#[test]
fn wrong_schemas_are_findings_and_nothing_is_written() {
    let folder = shop();
    folder.write("broken.proto", BROKEN);
    folder.write("set.binpb", "before");
    let run = build(&folder, &["-o", "set.binpb"]);
    assert_eq!((run.code, run.stdout.as_str()), (100, ""));
    assert!(run.stderr.starts_with("error[undefined-name]: \"Foo\" is not defined\n"), "{}", run.stderr);
    assert!(run.stderr.ends_with("1 error and 0 warnings\n"), "{}", run.stderr);
    assert_eq!(folder.read_text("set.binpb"), "before");
}

#[test]
fn errors_are_printed_in_the_format_that_is_asked_for() {
    let folder = Folder::new(&[("in/broken.proto", BROKEN)]);
    for (format, want) in [
        ("text", "in/broken.proto:3:3: \"Foo\" is not defined\n"),
        ("msvs", "in/broken.proto(3) : error in column=3: \"Foo\" is not defined\n"),
        ("github-actions", "::error file=in/broken.proto,line=3,col=3::\"Foo\" is not defined\n"),
        (
            "human",
            "error[undefined-name]: \"Foo\" is not defined\n --> in/broken.proto:3:3\n  |\n3 |   Foo f = 1;\n  |   ^^^\n\n1 error and 0 warnings\n",
        ),
    ] {
        assert_eq!(build(&folder, &["in", "--error-format", format]), Run::new(100, "", want), "{format}");
    }
    for flags in [&["--error-format", "json"][..], &["--json"], &["-json"]] {
        let run = build(&folder, &[&["in"], flags].concat());
        assert_eq!(
            (run.code, run.stdout.as_str(), run.stderr.lines().count()),
            (100, "", 1),
            "{}",
            run.stderr
        );
        let object: serde_json::Value = serde_json::from_str(&run.stderr).unwrap();
        let want = serde_json::json!({
            "path": "in/broken.proto",
            "start_line": 3,
            "start_column": 3,
            "end_line": 3,
            "end_column": 6,
            "type": "undefined-name",
            "severity": "error",
            "message": "\"Foo\" is not defined",
        });
        assert_eq!(object, want, "{flags:?}");
    }
    // What is about no file is an object too.
    let run = build(&folder, &["nowhere", "--json"]);
    let object: serde_json::Value = serde_json::from_str(&run.stderr).unwrap();
    let message = "input \"nowhere\" does not exist";
    assert_eq!((run.code, object), (1, serde_json::json!({ "severity": "error", "message": message })));
}

#[test]
fn all_errors_of_all_files_are_told_at_once() {
    let folder =
        Folder::new(&[("a.proto", BROKEN), ("b.proto", "syntax = \"proto3\"; message B { Bar b = 0; }")]);
    let run = build(&folder, &["--error-format", "text"]);
    let places: Vec<&str> = run.stderr.lines().map(|line| line.split_once(": ").unwrap().0).collect();
    assert_eq!(
        (run.code, places),
        (100, vec!["a.proto:3:3", "b.proto:1:32", "b.proto:1:40"]),
        "{}",
        run.stderr
    );
}

#[test]
fn warnings_are_told_unless_it_is_to_be_quiet() {
    let folder = shop();
    folder.write("unused.proto", UNUSED);
    let run = build(&folder, &["--error-format", "text", "unused.proto"]);
    let want = "unused.proto:2:1: warning: import \"shop/money.proto\" is not used; remove it\n";
    assert_eq!(run, Run::new(0, "", want));
    build(&folder, &["-q", "unused.proto"]).succeeds();
    let human = build(&folder, &["unused.proto"]);
    assert!(human.stderr.starts_with("warning[unused-import]: "), "{}", human.stderr);
    assert!(human.stderr.ends_with("1 warning\n"), "{}", human.stderr);
}

#[test]
fn colours_are_for_terminals_and_for_those_who_ask() {
    let folder = Folder::new(&[("broken.proto", BROKEN)]);
    for (flags, variables, is_coloured) in [
        (&[][..], &[][..], false),
        (&["--color", "always"], &[], true),
        (&["--color", "never"], &[("CLICOLOR_FORCE", "1")], false),
        (&[], &[("CLICOLOR_FORCE", "1")], true),
        (&["--color", "always"], &[("NO_COLOR", "1")], true), // a flag is stronger
    ] {
        let mut dunlin = folder.command(env!("CARGO_BIN_EXE_dunlin"));
        let run = run(dunlin.arg("build").args(flags).envs(variables.iter().copied()));
        assert_eq!(run.stderr.contains('\u{1b}'), is_coloured, "{flags:?} {variables:?}");
    }
}

#[test]
fn usage_errors_have_a_code_of_their_own() {
    let folder = shop();
    for arguments in [
        &["build", "--nonsense"][..],
        &["build", "a", "b"],
        &["build", "-o"],
        &["build", "--error-format", "nonsense"],
        &["nonsense"],
        &[],
    ] {
        let run = run(folder.command(env!("CARGO_BIN_EXE_dunlin")).args(arguments));
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{arguments:?}: {}", run.stderr);
        assert!(run.stderr.contains("--help"), "{arguments:?}: {}", run.stderr);
    }
    let help = build(&folder, &["--help"]);
    assert_eq!((help.code, help.stderr.as_str()), (0, ""));
    assert!(help.stdout.contains("Usage: dunlin build"), "{}", help.stdout);
}
