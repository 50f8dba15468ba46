//! Generates the types of the suite's schemas, which `tests/oracles/install protovalidate` fetches:
//! those that the runner speaks, and those that it has validated.

use std::path::{Path, PathBuf};

use dunlin_build::Builder;

fn main() {
    let oracles = std::env::var_os("ORACLES").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/oracles"),
        PathBuf::from,
    );
    println!("cargo::rerun-if-env-changed=ORACLES");
    let schemas = oracles.join("protovalidate/proto");
    let testing = schemas.join("protovalidate-testing");
    let mut files = Vec::new();
    find(&testing.join("buf/validate/conformance/cases"), &mut files);
    files.sort();
    files.push(testing.join("buf/validate/conformance/harness/harness.proto"));
    let result = Builder::new()
        .include(&testing)
        .include(schemas.join("protovalidate"))
        .files(files)
        .options(|options| {
            options
                .runtime("::dunlin_protobuf")
                .embed_descriptors(true)
                .extern_path(".buf.validate.Violations", "::dunlin_validate::proto::Violations")
        })
        .compile();
    if let Err(error) = result {
        panic!("{error}");
    }
}

/// Adds the schemas below a folder.
fn find(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("the schemas are installed") {
        let path = entry.expect("a folder is readable").path();
        if path.is_dir() {
            find(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path);
        }
    }
}
