//! `dunlin protoc` from the outside.
//!
//! The expectations are protoc's own: `PROTOC_UNDER_TEST=PATH` runs the tests with the protoc at
//! PATH instead. Where our words are others than protoc's, only the place of what is said is
//! compared, or the test says that it is about ours.
#![cfg(unix)] // The plugins are shell scripts.

mod support;

use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use dunlin_protobuf::descriptor::DescriptorMessage;
use dunlin_protobuf::descriptor::FileDescriptorSet;
use dunlin_protobuf::plugin::{CodeGeneratorRequest, CodeGeneratorResponse, File, Version};
use support::{Folder, Run, messages, names, run};

const ITEM: &str = r#"syntax = "proto3";
package shop;
import "shop/money.proto";
// An item.
message Item {
  Money price = 2;
  reserved 4, 6 to 9;
  message Part { int32 a = 1; int32 b = 3; }
}
"#;
const MONEY: &str = "syntax = \"proto3\"; package shop; message Money { int64 units = 1; }";

fn shop() -> Folder {
    Folder::new(&[
        ("proto/shop/item.proto", ITEM),
        ("proto/shop/money.proto", MONEY),
        ("proto/unused.proto", "syntax = \"proto3\";\nimport \"shop/money.proto\";\nservice S {}\n"),
        ("proto/broken.proto", "syntax = \"proto3\";\nmessage M {\n\tFoo f = 1;\n}\n"),
        ("other/shop/money.proto", &MONEY.replace("units", "cents")),
        ("outside/apart.proto", "syntax = \"proto3\"; message Apart {}"),
    ])
}

fn foreign() -> Option<std::ffi::OsString> {
    std::env::var_os("PROTOC_UNDER_TEST")
}

fn command(folder: &Folder) -> Command {
    match foreign() {
        Some(protoc) => folder.command(protoc),
        None => {
            let mut command = folder.command(env!("CARGO_BIN_EXE_dunlin"));
            command.arg("protoc");
            command
        }
    }
}

fn protoc(folder: &Folder, arguments: &[&str]) -> Run {
    run(command(folder).args(arguments))
}

/// Compiles to a set and reads it.
#[track_caller]
fn set(folder: &Folder, arguments: &[&str]) -> FileDescriptorSet {
    assert_eq!(run(command(folder).args(arguments).arg("-oset.bin")), Run::silent(), "{arguments:?}");
    folder.set("set.bin")
}

// ---- the command line

#[test]
fn the_version_is_that_of_the_protoc_that_it_stands_for() {
    assert_eq!(protoc(&Folder::new(&[]), &["--version"]), Run::new(0, "libprotoc 36.2\n", ""));
}

#[test]
fn without_arguments_it_prints_help() {
    let folder = Folder::new(&[]);
    let help = protoc(&folder, &["--help"]);
    assert!(help.stdout.starts_with("Usage: "), "{help:?}");
    assert_eq!((help.code, help.stderr.as_str()), (0, ""));
    assert_eq!(protoc(&folder, &[]), help);
    assert_eq!(protoc(&folder, &["-h", "--nonsense"]), help);
}

#[test]
fn mistakes_on_the_command_line_are_told_in_protocs_words() {
    let folder = shop();
    for (arguments, want) in [
        (&["-Iproto", "-oset.bin"][..], "Missing input file."),
        (&["-Iproto", "shop/item.proto"], "Missing output directives."),
        (&["-Iproto", "-oset.bin", "--nonsense", "shop/item.proto"], "Unknown flag: --nonsense"),
        (&["-Iproto", "-oset.bin", "--nonsense=1", "shop/item.proto"], "Unknown flag: --nonsense"),
        (&["-Iproto", "-oset.bin", "--x_opt=1", "shop/item.proto"], "Unknown flag: --x_opt"),
        (&["-Iproto", "shop/item.proto", "-o"], "Missing value for flag: -o"),
        (&["-Iproto", "-oset.bin", "-oset.bin", "shop/item.proto"], "-o may only be passed once."),
        (
            &["-Iproto", "shop/item.proto", "--descriptor_set_out="],
            "--descriptor_set_out requires a non-empty value.",
        ),
        (&["-Iproto", "-oset.bin", "--error_format=x", "shop/item.proto"], "Unknown error format: x"),
        (
            &["-Iproto", "-oset.bin", "--dependency_out=d", "shop/item.proto", "shop/money.proto"],
            "Can only process one input file when using --dependency_out=FILE.",
        ),
        (
            &["-Iproto", "-oset.bin", "nowhere.proto"],
            "Could not make proto path relative: nowhere.proto: No such file or directory",
        ),
        (&["-Iproto", "-onowhere/set.bin", "shop/item.proto"], "nowhere/set.bin: No such file or directory"),
        (
            &["-Iproto", "-oset.bin", "--print_free_field_numbers", "shop/item.proto"],
            "Cannot use --print_free_field_numbers and generate code or descriptors at the same time.",
        ),
        (
            &["-Iproto=", "-oset.bin", "shop/item.proto"],
            "--proto_path passed empty directory name.  (Use \".\" for current directory.)",
        ),
    ] {
        let run = protoc(&folder, arguments);
        assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{arguments:?}");
        assert!(run.stderr.starts_with(want), "{arguments:?}: {}", run.stderr);
        assert_eq!(run.stderr.lines().count(), 1, "{arguments:?}: {}", run.stderr);
        assert!(!folder.has("set.bin"), "{arguments:?}");
    }
}

#[test]
fn values_stand_behind_an_equals_sign_or_apart() {
    let folder = shop();
    let want = set(&folder, &["-Iproto", "shop/item.proto"]);
    for arguments in [
        &["-I", "proto", "-o", "b", "shop/item.proto"][..],
        &["--proto_path=proto", "--descriptor_set_out=b", "shop/item.proto"],
        &["--proto_path", "proto", "--descriptor_set_out", "b", "shop/item.proto"],
        &["shop/item.proto", "-ob", "-Iproto"],
    ] {
        assert_eq!(protoc(&folder, arguments), Run::silent(), "{arguments:?}");
        assert_eq!(folder.set("b"), want, "{arguments:?}");
        std::fs::remove_file(folder.path().join("b")).unwrap();
    }
}

#[test]
fn argument_files_hold_one_argument_per_line() {
    let folder = shop();
    folder.write("with space/a b.proto", "syntax = \"proto3\";");
    folder.write("arguments", "-Iproto\nshop/item.proto\n-Iwith space\na b.proto");
    folder.write("more", "--include_imports\n");
    let set = set(&folder, &["@arguments", "@more"]);
    assert_eq!(names(&set), ["shop/money.proto", "shop/item.proto", "a b.proto"]);

    // Quotes and further `@` mean nothing in them.
    folder.write("quoted", "-Iproto\n\"shop/item.proto\"\n");
    let quoted = protoc(&folder, &["@quoted", "-oset.bin"]);
    let want = "Could not make proto path relative: \"shop/item.proto\": No such file or directory\n";
    assert_eq!(quoted, Run::new(1, "", want));

    let missing = protoc(&folder, &["@nowhere"]);
    assert_eq!(missing.code, 1);
    assert!(missing.stderr.starts_with("Failed to open argument file: nowhere"), "{}", missing.stderr);
}

// ---- where files are found

#[test]
fn inputs_are_named_by_import_path_or_by_path_on_disk() {
    let folder = shop();
    let absolute = folder.path().join("proto");
    let (root, item) = (absolute.to_str().unwrap(), absolute.join("shop/item.proto"));
    for (arguments, want) in [
        (&["-Iproto", "shop/item.proto"][..], &["shop/item.proto"][..]),
        (&["-Iproto", "proto/shop/item.proto"], &["shop/item.proto"]),
        (&["-I./proto/", "proto//shop/./item.proto"], &["shop/item.proto"]), // spelled otherwise
        (&["-I", root, item.to_str().unwrap()], &["shop/item.proto"]),
        (&["outside/apart.proto"], &["outside/apart.proto"]), // the current folder, by default
        (&["-Ioutside:proto", "apart.proto", "shop/money.proto"], &["apart.proto", "shop/money.proto"]),
        (&["-Ia/b=outside", "a/b/apart.proto"], &["a/b/apart.proto"]), // a folder under another name
        (&["-Ia/b=outside", "outside/apart.proto"], &["a/b/apart.proto"]),
        (&["-Ix.proto=outside/apart.proto", "x.proto"], &["x.proto"]), // a file under another name
        (&["-Iproto", "google/protobuf/any.proto"], &["google/protobuf/any.proto"]), // built in
    ] {
        assert_eq!(names(&set(&folder, arguments)), want, "{arguments:?}");
    }
}

#[test]
fn the_first_folder_that_has_a_file_wins() {
    let folder = shop();
    for (flags, want) in [(["-Iproto", "-Iother"], "units"), (["-Iother", "-Iproto"], "cents")] {
        let set = set(&folder, &[flags[0], flags[1], "--include_imports", "shop/item.proto"]);
        assert_eq!(set.file[0].message_type[0].field[0].name.as_deref(), Some(want), "{flags:?}");
    }
    let shadowed = protoc(&folder, &["-Iother", "-Iproto", "-oset.bin", "proto/shop/money.proto"]);
    assert_eq!(shadowed.code, 1);
    assert!(shadowed.stderr.starts_with("proto/shop/money.proto: "), "{}", shadowed.stderr);
    assert!(shadowed.stderr.contains("\"other/shop/money.proto\""), "{}", shadowed.stderr);
}

#[test]
fn an_input_outside_of_all_folders_is_refused() {
    let folder = shop();
    let run = protoc(&folder, &["-Iproto", "-oset.bin", "outside/apart.proto"]);
    assert_eq!(run.code, 1);
    assert!(run.stderr.starts_with("outside/apart.proto: "), "{}", run.stderr);
    assert!(run.stderr.contains("--proto_path (") && run.stderr.contains("exact prefix"), "{}", run.stderr);
}

#[test]
fn a_missing_folder_is_only_warned_of() {
    let folder = shop();
    let run = protoc(&folder, &["-Inowhere", "-Iproto", "-oset.bin", "shop/item.proto"]);
    assert_eq!(run, Run::new(0, "", "nowhere: warning: directory does not exist.\n"));
}

// ---- descriptor sets

#[test]
fn a_set_holds_what_is_asked_for() {
    let folder = shop();
    let file = r#"syntax = "proto2";
        import "google/protobuf/descriptor.proto";
        extend google.protobuf.MessageOptions {
          optional int32 source_only = 50000 [retention = RETENTION_SOURCE];
          optional int32 kept = 50001;
        }
        message M { option (source_only) = 1; option (kept) = 2; }"#;
    folder.write("proto/options.proto", file);
    let custom = |set: &FileDescriptorSet| -> Vec<u32> {
        let options = set.file.last().unwrap().message_type[0].options.as_ref().unwrap();
        let mut reader = options.unknown_fields.reader();
        let mut numbers = Vec::new();
        while let Some(tag) = reader.tag().unwrap() {
            numbers.push(tag.number);
            reader.skip(tag).unwrap();
        }
        numbers
    };
    for (flags, want) in [
        (&[][..], (&["options.proto"][..], false, &[50001][..])),
        (&["--include_imports"], (&["google/protobuf/descriptor.proto", "options.proto"], false, &[50001])),
        (&["--include_source_info"], (&["options.proto"], true, &[50001])),
        (&["--retain_options"], (&["options.proto"], false, &[50000, 50001])),
    ] {
        let set = set(&folder, &[flags, &["-Iproto", "options.proto"]].concat());
        let has_source_info = set.file.iter().all(|file| file.source_code_info.is_some());
        assert_eq!((names(&set).as_slice(), has_source_info, custom(&set).as_slice()), want, "{flags:?}");
    }
}

#[test]
fn comments_come_with_the_positions() {
    let folder = shop();
    let set = set(&folder, &["-Iproto", "--include_source_info", "shop/item.proto"]);
    let info = set.file[0].source_code_info.as_ref().unwrap();
    let item = info.location.iter().find(|location| location.path == [4, 0]).unwrap();
    assert_eq!(
        (item.span.as_slice(), item.leading_comments.as_deref()),
        (&[4, 0, 8, 1][..], Some(" An item.\n"))
    );
}

#[test]
fn a_set_takes_the_place_of_files() {
    let folder = shop();
    let all = set(&folder, &["-Iproto", "--include_imports", "shop/item.proto"]);
    std::fs::rename(folder.path().join("set.bin"), folder.path().join("in.bin")).unwrap();
    std::fs::remove_dir_all(folder.path().join("proto")).unwrap();
    assert_eq!(set(&folder, &["--descriptor_set_in=in.bin", "--include_imports", "shop/item.proto"]), all);
    assert_eq!(messages(&set(&folder, &["--descriptor_set_in=in.bin", "shop/money.proto"])), ["Money"]);

    let unknown = protoc(&folder, &["--descriptor_set_in=in.bin", "-oset.bin", "nowhere.proto"]);
    let want = "Could not find file in descriptor database: nowhere.proto: No such file or directory\n";
    assert_eq!(unknown, Run::new(1, "", want));
    let missing = protoc(&folder, &["--descriptor_set_in=nowhere", "-oset.bin", "shop/item.proto"]);
    assert_eq!(missing.code, 1);
    assert!(missing.stderr.starts_with("nowhere: No such file or directory"), "{}", missing.stderr);
}

#[test]
fn of_several_sets_the_first_that_has_a_file_wins() {
    let folder = shop();
    for (out, root) in [("a.bin", "-Iproto"), ("b.bin", "-Iother")] {
        protoc(&folder, &[root, &format!("-o{out}"), "shop/money.proto"]).succeeds();
    }
    protoc(&folder, &["-Iproto", "-oitem.bin", "shop/item.proto"]).succeeds();
    for (sets, want) in [("item.bin:a.bin:b.bin", "units"), ("b.bin:a.bin:item.bin", "cents")] {
        let flag = format!("--descriptor_set_in={sets}");
        let set = set(&folder, &[&flag, "--include_imports", "shop/item.proto"]);
        assert_eq!(set.file[0].message_type[0].field[0].name.as_deref(), Some(want), "{sets}");
    }
}

#[test]
fn files_on_disk_may_import_files_of_a_set() {
    let folder = shop();
    protoc(&folder, &["-Iproto", "-oin.bin", "shop/money.proto"]).succeeds();
    std::fs::remove_file(folder.path().join("proto/shop/money.proto")).unwrap();
    let arguments = ["--descriptor_set_in=in.bin", "-Iproto", "--include_imports", "shop/item.proto"];
    assert_eq!(names(&set(&folder, &arguments)), ["shop/money.proto", "shop/item.proto"]);
}

// ---- what else it writes

#[test]
fn dependencies_are_a_rule_for_make() {
    let folder = shop();
    protoc(&folder, &["-Iproto", "-oset.bin", "--dependency_out=set.d", "shop/item.proto"]).succeeds();
    let want = "set.bin: proto/shop/money.proto\\\n proto/shop/item.proto";
    assert_eq!(folder.read_text("set.d"), want);
}

#[test]
fn free_field_numbers_are_listed_inner_messages_first() {
    let folder = shop();
    let run = protoc(&folder, &["-Iproto", "--print_free_field_numbers", "shop/item.proto"]);
    let want = "shop.Item.Part                      free: 2 4-INF\n\
                shop.Item                           free: 1 3 5 10-INF\n";
    assert_eq!(run, Run::new(0, want, ""));
}

// ---- errors and warnings

/// The places at the starts of the lines on standard error.
fn places(run: &Run, end: &str) -> Vec<String> {
    run.stderr.lines().map(|line| line.split_inclusive(end).next().unwrap().to_owned()).collect()
}

#[test]
fn errors_are_printed_for_gcc_or_visual_studio() {
    let folder = shop();
    // A tab reaches to the next multiple of eight.
    let gcc = protoc(&folder, &["-Iproto", "-oset.bin", "broken.proto"]);
    assert_eq!((gcc.code, gcc.stdout.as_str()), (1, ""));
    assert_eq!(places(&gcc, ": "), ["proto/broken.proto:3:9: "], "{}", gcc.stderr);
    assert!(gcc.stderr.contains("\"Foo\" is not defined"), "{}", gcc.stderr);
    let msvs = protoc(&folder, &["-Iproto", "-oset.bin", "--error_format=msvs", "broken.proto"]);
    assert_eq!(msvs.code, 1);
    let want = "proto/broken.proto(3) : error in column=9: \"Foo\" is not defined";
    assert!(msvs.stderr.starts_with(want), "{}", msvs.stderr);
    assert!(!folder.has("set.bin"));
}

#[test]
fn warnings_are_fatal_if_asked_but_what_is_written_is_written() {
    let folder = shop();
    let place = "proto/unused.proto:2:1: warning: ";
    for (flags, want) in [(&[][..], 0), (&["--fatal_warnings"], 1)] {
        let run = protoc(&folder, &[flags, &["-Iproto", "-oset.bin", "unused.proto"]].concat());
        assert_eq!((run.code, run.stdout.as_str()), (want, ""), "{flags:?}");
        assert_eq!(places(&run, "warning: "), [place], "{}", run.stderr);
        assert!(folder.has("set.bin"));
        std::fs::remove_file(folder.path().join("set.bin")).unwrap();
    }
    let msvs = protoc(&folder, &["-Iproto", "-oset.bin", "--error_format=msvs", "unused.proto"]);
    assert_eq!(places(&msvs, "warning: "), ["proto/unused.proto(2) : warning in column=1: warning: "]);
    // Without a warning, the flag does nothing.
    protoc(&folder, &["-Iproto", "-oset.bin", "--fatal_warnings", "shop/item.proto"]).succeeds();
}

#[test]
fn all_files_are_read_before_anything_is_written() {
    let folder = shop();
    let run = protoc(&folder, &["-Iproto", "-oset.bin", "shop/item.proto", "broken.proto"]);
    assert_eq!(run.code, 1);
    assert!(!folder.has("set.bin"));
}

#[test]
fn imports_can_be_limited() {
    let folder = shop();
    for (flags, want) in [
        (&["--direct_dependencies=shop/money.proto"][..], None),
        (
            &["--direct_dependencies="],
            Some(
                "shop/item.proto: File is imported but not declared in --direct_dependencies: shop/money.proto\n",
            ),
        ),
        (
            &["--direct_dependencies=x", "--direct_dependencies_violation_msg=no %s here"],
            Some("shop/item.proto: no shop/money.proto here\n"),
        ),
    ] {
        let run = protoc(&folder, &[&["-Iproto", "-oset.bin", "shop/item.proto"], flags].concat());
        assert_eq!(run, want.map_or(Run::silent(), |want| Run::new(1, "", want)), "{flags:?}");
    }
}

#[test]
fn services_can_be_refused() {
    let folder = shop();
    folder.write("proto/service.proto", "syntax = \"proto3\"; service S {}");
    let run = protoc(&folder, &["-Iproto", "-oset.bin", "--disallow_services", "service.proto"]);
    let want = "service.proto: This file contains services, but --disallow_services was used.\n";
    assert_eq!(run, Run::new(1, "", want));
}

// ---- plugins

/// A plugin that notes what it is asked and answers what it is told.
fn plugin(folder: &Folder, path: &str, response: CodeGeneratorResponse) {
    folder.write(&format!("{path}.answer"), response.encode_to_vec());
    let here = folder.path().join(path);
    let script = format!("#!/bin/sh\ncat >'{0}.request'\nexec cat '{0}.answer'\n", here.display());
    executable(folder, path, &script);
}

fn executable(folder: &Folder, path: &str, script: &str) {
    let path = folder.write(path, script);
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn request(folder: &Folder, plugin: &str) -> CodeGeneratorRequest {
    CodeGeneratorRequest::decode(&folder.read(&format!("{plugin}.request"))).unwrap()
}

fn answer<const N: usize>(files: [File; N]) -> CodeGeneratorResponse {
    CodeGeneratorResponse {
        file: files.into(),
        supported_features: Some(3),
        minimum_edition: Some(998),
        maximum_edition: Some(1001),
        ..Default::default()
    }
}

fn generated(name: &str, content: &str) -> File {
    File { name: Some(name.into()), content: Some(content.into()), ..Default::default() }
}

fn continued(content: &str) -> File {
    File { content: Some(content.into()), ..Default::default() }
}

fn insertion(name: &str, point: &str, content: &str) -> File {
    File { insertion_point: Some(point.into()), ..generated(name, content) }
}

#[test]
fn a_plugin_is_asked_about_the_files_and_everything_they_import() {
    let folder = shop();
    plugin(&folder, "protoc-gen-x", answer([]));
    let arguments = [
        "-Iproto",
        "--plugin=./protoc-gen-x",
        "--x_opt=b,c=d",
        "--x_out=a:.",
        "--x_opt=e",
        "shop/item.proto",
    ];
    protoc(&folder, &arguments).succeeds();
    let request = request(&folder, "protoc-gen-x");
    assert_eq!(request.file_to_generate, ["shop/item.proto"]);
    assert_eq!(request.parameter.as_deref(), Some("a,b,c=d,e"));
    let version = Version {
        major: Some(7),
        minor: Some(36),
        patch: Some(2),
        suffix: Some(String::new()),
        ..Default::default()
    };
    assert_eq!(request.compiler_version.as_deref(), Some(&version));
    let files = FileDescriptorSet { file: request.proto_file, ..Default::default() };
    assert_eq!(names(&files), ["shop/money.proto", "shop/item.proto"]);
    assert!(files.file.iter().all(|file| file.source_code_info.is_some()));
    assert_eq!(request.source_file_descriptors, files.file[1..]);
}

#[test]
fn plugins_are_found_by_name_and_path() {
    let folder = shop();
    plugin(&folder, "bin/protoc-gen-x", answer([generated("x.txt", "x")]));
    let path = std::env::join_paths(
        std::iter::once(folder.path().join("bin"))
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
    );
    let path = path.unwrap();
    let absolute = format!("--plugin={}", folder.path().join("bin/protoc-gen-x").display());
    for flags in [
        &["--plugin=bin/protoc-gen-x", "--x_out=."][..],
        &[&absolute, "--x_out=."],
        &["--plugin=protoc-gen-other=bin/protoc-gen-x", "--other_out=."],
        &["--x_out=."], // on the PATH
    ] {
        let arguments = [flags, &["-Iproto", "shop/item.proto"]].concat();
        run(command(&folder).args(&arguments).env("PATH", &path)).succeeds();
        assert_eq!(folder.read_text("x.txt"), "x", "{flags:?}");
        std::fs::remove_file(folder.path().join("x.txt")).unwrap();
    }
    let unknown = protoc(&folder, &["--nobody_out=.", "-Iproto", "shop/item.proto"]);
    assert_eq!(unknown.code, 1);
    assert!(unknown.stderr.contains("--nobody_out: protoc-gen-nobody: "), "{}", unknown.stderr);
}

#[test]
fn what_a_plugin_answers_is_written() {
    let folder = shop();
    let files =
        [generated("a.txt", "one\n"), continued("two\n"), generated("deep/er/b.txt", "größe"), continued("")];
    plugin(&folder, "protoc-gen-x", answer(files));
    folder.write("out/a.txt", "something longer that was there before");
    folder.write("out/stays.txt", "");
    let arguments = ["-Iproto", "--plugin=./protoc-gen-x", "--x_out=out", "shop/item.proto"];
    protoc(&folder, &arguments).succeeds();
    assert_eq!(folder.files("out"), ["a.txt", "deep/er/b.txt", "stays.txt"]);
    assert_eq!(folder.read_text("out/a.txt"), "one\ntwo\n");
    assert_eq!(folder.read_text("out/deep/er/b.txt"), "größe");
}

#[test]
fn an_archive_is_an_output_too() {
    let folder = shop();
    plugin(&folder, "protoc-gen-x", answer([generated("a.txt", "text"), generated("b/c.txt", "")]));
    for (out, want) in
        [("out.zip", &["a.txt", "b/c.txt"][..]), ("out.jar", &["META-INF/MANIFEST.MF", "a.txt", "b/c.txt"])]
    {
        let arguments = ["-Iproto", "--plugin=./protoc-gen-x", &format!("--x_out={out}"), "shop/item.proto"];
        protoc(&folder, &arguments).succeeds();
        let file = std::fs::File::open(folder.path().join(out)).unwrap();
        let mut archive = zip::ZipArchive::new(file).unwrap();
        let mut names: Vec<String> = archive.file_names().map(|name| name.unwrap().into_owned()).collect();
        names.sort();
        assert_eq!(names, want, "{out}");
        let content = std::io::read_to_string(archive.by_name("a.txt").unwrap()).unwrap();
        assert_eq!(content, "text");
    }
}

#[test]
fn a_plugin_inserts_into_what_an_earlier_one_wrote() {
    let folder = shop();
    let text =
        "class A {\n  // @@protoc_insertion_point(body)\n}\nf(1 /* @@protoc_insertion_point(arg) */)\n";
    plugin(&folder, "protoc-gen-base", answer([generated("a.txt", text)]));
    let insertions = [
        insertion("a.txt", "body", "one\n\ntwo"),
        insertion("a.txt", "body", "three\n"),
        insertion("a.txt", "arg", ", 2"),
    ];
    plugin(&folder, "protoc-gen-more", answer(insertions));
    std::fs::create_dir(folder.path().join("out")).unwrap();
    let plugins = ["--plugin=./protoc-gen-base", "--plugin=./protoc-gen-more", "-Iproto", "shop/item.proto"];
    let run = protoc(&folder, &[&plugins[..], &["--base_out=out", "--more_out=out/"]].concat());
    assert_eq!(run, Run::silent());
    let want = "class A {\n  one\n  \n  two\n  three\n  // @@protoc_insertion_point(body)\n}\n\
                f(1 , 2\n/* @@protoc_insertion_point(arg) */)\n";
    assert_eq!(folder.read_text("out/a.txt"), want);

    // The other way round there is nothing to insert into yet.
    let run = protoc(&folder, &[&plugins[..], &["--more_out=out", "--base_out=out"]].concat());
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("a.txt: "), "{}", run.stderr);
}

#[test]
fn an_insertion_needs_its_file_and_its_point() {
    for file in [insertion("nobody.txt", "body", "x"), insertion("a.txt", "nowhere", "x")] {
        let folder = shop();
        let name = file.name.clone().unwrap();
        plugin(
            &folder,
            "protoc-gen-x",
            answer([generated("a.txt", "// @@protoc_insertion_point(body)\n"), file]),
        );
        let run = protoc(&folder, &["-Iproto", "--plugin=./protoc-gen-x", "--x_out=.", "shop/item.proto"]);
        assert_eq!(run.code, 1);
        assert!(run.stderr.contains(&format!("{name}: ")), "{}", run.stderr);
        assert!(!folder.has("a.txt"));
    }
}

#[test]
fn the_error_of_a_plugin_is_printed_and_nothing_is_written() {
    let folder = shop();
    let error = Some("first line\nsecond line".to_owned());
    plugin(&folder, "protoc-gen-x", CodeGeneratorResponse { error, ..answer([generated("a.txt", "")]) });
    let arguments = [
        "-Iproto",
        "--plugin=./protoc-gen-x",
        "--x_out=.",
        "--dependency_out=d",
        "-oset.bin",
        "shop/item.proto",
    ];
    let want = "--x_out: first line\nsecond line\n";
    assert_eq!(protoc(&folder, &arguments), Run::new(1, "", want));
    assert!(!folder.has("a.txt") && !folder.has("d") && !folder.has("set.bin"));
}

#[test]
fn a_plugin_that_fails_or_talks_nonsense_is_an_error() {
    for (script, want) in [
        ("#!/bin/sh\necho dying >&2\nexit 3\n", "dying\n--x_out: protoc-gen-x: "),
        ("#!/bin/sh\nkill -9 $$\n", "--x_out: protoc-gen-x: "),
        ("#!/bin/sh\nprintf '\\377\\377\\377'\n", "--x_out: protoc-gen-x: "),
    ] {
        let folder = shop();
        executable(&folder, "protoc-gen-x", script);
        let run = protoc(&folder, &["-Iproto", "--plugin=./protoc-gen-x", "--x_out=.", "shop/item.proto"]);
        assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{script}");
        assert!(run.stderr.starts_with(want), "{script}: {}", run.stderr);
    }
}

#[test]
fn a_plugin_has_to_know_the_language_of_the_files() {
    let folder = Folder::new(&[
        ("optional.proto", "syntax = \"proto3\"; message M { optional int32 a = 1; }"),
        ("edition.proto", "edition = \"2023\"; message N { int32 a = 1; }"),
        ("edition2024.proto", "edition = \"2024\"; message O { int32 a = 1; }"),
        ("plain.proto", "syntax = \"proto3\"; message P { int32 a = 1; }"),
    ]);
    for (features, maximum, path, is_accepted) in [
        (0, 0, "plain.proto", true),
        (0, 0, "optional.proto", false),
        (1, 0, "optional.proto", true),
        (1, 0, "edition.proto", false),
        (2, 1000, "edition.proto", true),
        (3, 1000, "edition2024.proto", false),
        (3, 1001, "edition2024.proto", true),
    ] {
        let response = CodeGeneratorResponse {
            supported_features: Some(features),
            maximum_edition: Some(maximum),
            ..answer([])
        };
        plugin(&folder, "protoc-gen-x", response);
        let run = protoc(&folder, &["--plugin=./protoc-gen-x", "--x_out=.", path]);
        assert_eq!(run.code == 0, is_accepted, "{features} {maximum} {path}: {}", run.stderr);
        assert_eq!(run.stderr.is_empty(), is_accepted, "{}", run.stderr);
        assert!(
            is_accepted || run.stderr.contains(path) && run.stderr.contains("protoc-gen-x"),
            "{}",
            run.stderr
        );
    }
}

#[test]
fn the_output_folder_has_to_exist_and_files_stay_in_it() {
    let folder = shop();
    plugin(&folder, "protoc-gen-x", answer([generated("a.txt", "")]));
    let run = protoc(&folder, &["-Iproto", "--plugin=./protoc-gen-x", "--x_out=nowhere", "shop/item.proto"]);
    assert_eq!(run, Run::new(1, "", "nowhere/: No such file or directory\n"));

    std::fs::create_dir(folder.path().join("out")).unwrap();
    plugin(&folder, "protoc-gen-x", answer([generated("../up.txt", "")]));
    let arguments = ["-Iproto", "--plugin=./protoc-gen-x", "--x_out=out", "shop/item.proto"];
    assert_eq!(protoc(&folder, &arguments).code, 1);
    assert!(!folder.has("up.txt"));
    protoc(&folder, &[&arguments[..], &["--unsafe_allow_out_dir_escape"]].concat()).succeeds();
    assert!(folder.has("up.txt"));
}

#[test]
fn dependencies_of_generated_files_are_a_rule_too() {
    let folder = shop();
    plugin(&folder, "protoc-gen-x", answer([generated("a.txt", ""), generated("b/c.txt", "")]));
    std::fs::create_dir(folder.path().join("out")).unwrap();
    let arguments =
        ["-Iproto", "--plugin=./protoc-gen-x", "--x_out=out", "--dependency_out=d", "shop/item.proto"];
    protoc(&folder, &arguments).succeeds();
    let want = "out/a.txt \\\nout/b/c.txt: proto/shop/money.proto\\\n proto/shop/item.proto";
    assert_eq!(folder.read_text("d"), want);
}

// ---- ours alone

#[test]
fn started_under_the_name_protoc_it_is_protoc() {
    if foreign().is_some() {
        return;
    }
    let folder = shop();
    symlink(env!("CARGO_BIN_EXE_dunlin"), folder.path().join("protoc")).unwrap();
    let path = folder.path().join("protoc");
    assert_eq!(run(folder.command(&path).arg("--version")), Run::new(0, "libprotoc 36.2\n", ""));
    run(folder.command(&path).args(["-Iproto", "-oset.bin", "shop/item.proto"])).succeeds();
    assert_eq!(names(&folder.set("set.bin")), ["shop/item.proto"]);
    // A name of a command of ours is a file here.
    let build = run(folder.command(&path).args(["build", "-oset.bin"]));
    let want = "Could not make proto path relative: build: No such file or directory\n";
    assert_eq!(build, Run::new(1, "", want));
}

#[test]
fn without_a_protoc_its_own_generators_are_one_clear_error() {
    if foreign().is_some() {
        return;
    }
    let folder = shop();
    let mut command = command(&folder);
    // The only protoc around is this program itself.
    std::fs::create_dir(folder.path().join("bin")).unwrap();
    symlink(env!("CARGO_BIN_EXE_dunlin"), folder.path().join("bin/protoc")).unwrap();
    command.args(["-Iproto", "--python_out=.", "shop/item.proto"]).env("PATH", folder.path().join("bin"));
    let want = "--python_out: the python generator is part of Google's protoc, and none is found; install \
                protoc so that it is on the PATH, name it by the environment variable DUNLIN_PROTOC, or use \
                --plugin=protoc-gen-python=PATH\n";
    assert_eq!(run(&mut command), Run::new(1, "", want));
    assert_eq!(run(command.env_remove("PATH")), Run::new(1, "", want));
}

#[test]
fn a_protoc_makes_what_its_own_generators_make() {
    if foreign().is_some() {
        return;
    }
    let folder = shop();
    std::fs::create_dir(folder.path().join("out")).unwrap();
    let script = r#"#!/bin/sh
        for argument; do
          case $argument in
          --python_out=*) out=${argument#*=} ;;
          --descriptor_set_in=*) cp "${argument#*=}" set.bin ;;
          *) echo "$argument" >>"$out/arguments.txt" ;;
          esac
        done
        mkdir "$out/shop" && echo python >"$out/shop/item_pb2.py"
    "#;
    executable(&folder, "their-protoc", script);
    let mut command = command(&folder);
    command.args(["-Iproto", "--python_out=a:out", "--python_opt=b", "shop/item.proto"]);
    run(command.env("DUNLIN_PROTOC", folder.path().join("their-protoc"))).succeeds();
    assert_eq!(folder.files("out"), ["arguments.txt", "shop/item_pb2.py"]);
    assert_eq!(folder.read_text("out/arguments.txt"), "--python_opt=a,b\nshop/item.proto\n");
    assert_eq!(names(&folder.set("set.bin")), ["shop/money.proto", "shop/item.proto"]);

    executable(&folder, "their-protoc", "#!/bin/sh\nexit 1\n");
    assert_eq!(run(&mut command).code, 1);
    command.env("DUNLIN_PROTOC", "/nowhere/protoc");
    let missing = run(&mut command);
    assert_eq!(missing.code, 1);
    assert!(missing.stderr.contains("/nowhere/protoc"), "{}", missing.stderr);
}
