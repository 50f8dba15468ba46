//! Every schema in `corpora/invalid` is rejected, and what is said about it is a golden file.
//!
//! A case is `group/name.proto`, or a folder `group/name` with `main.proto` and what it imports;
//! the expectation stands beside the file that is compiled and ends in `.stderr`.

use std::path::Path;

use dunlin_compiler::loader::Sources;
use dunlin_compiler::render::Color;
use dunlin_compiler::{Compiler, Diagnostics};
use dunlin_testkit::golden::{Golden, files};

#[test]
fn invalid_schemas_are_rejected_with_a_helpful_text() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpora/invalid");
    let mut golden = Golden::new();
    for path in files(&corpus, "proto") {
        let folder = path.parent().unwrap();
        let is_folder_case = folder.join("main.proto").exists();
        if is_folder_case && path.file_name().unwrap() != "main.proto" {
            continue;
        }
        let mut sources = Sources::new();
        if is_folder_case {
            for file in files(folder, "proto") {
                let name = file.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                sources = sources.file(name, std::fs::read(&file).unwrap());
            }
        } else {
            let name = path.file_name().unwrap().to_str().unwrap();
            sources = sources.file(name, std::fs::read(&path).unwrap());
        }
        let input = path.file_name().unwrap().to_str().unwrap();
        match Compiler::new(sources).compile([input]) {
            Ok(_) => golden.fail(format!("{} is accepted", path.display())),
            Err(diagnostics) => golden.check(&path.with_extension("stderr"), &render(&diagnostics)),
        }
    }
    golden.finish(700);
}

fn render(diagnostics: &Diagnostics) -> String {
    let texts: Vec<String> =
        diagnostics.items.iter().map(|item| diagnostics.render(item, Color::Never)).collect();
    texts.join("\n")
}
