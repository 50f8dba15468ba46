//! Generates the types of the suite's schemas, which `tests/oracles/install conformance` fetches.

use std::path::PathBuf;

use dunlin_build::Builder;

fn main() {
    let oracles = std::env::var_os("ORACLES").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/oracles"),
        PathBuf::from,
    );
    println!("cargo::rerun-if-env-changed=ORACLES");
    let schemas = oracles.join("conformance/include");
    let files = [
        "conformance/conformance.proto",
        "google/protobuf/test_messages_proto2.proto",
        "google/protobuf/test_messages_proto3.proto",
        "google/protobuf/test_messages_proto2_editions.proto",
        "google/protobuf/test_messages_proto3_editions.proto",
        "google/protobuf/test_messages_edition2023.proto",
    ];
    let result = Builder::new()
        .include(&schemas)
        .files(files.iter().map(|file| schemas.join(file)))
        .options(|options| options.runtime("::dunlin_protobuf"))
        .descriptor_set("schemas.binpb")
        .compile();
    if let Err(error) = result {
        panic!("{error}");
    }
}
