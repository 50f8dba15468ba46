//! Generates the types of the conformance suite's schemas, and the descriptors of those and of some
//! Google APIs; `tests/oracles/install conformance googleapis` fetches both.

use std::path::{Path, PathBuf};

use dunlin_build::{Builder, Options};

const CONFORMANCE: &[&str] = &[
    "google/protobuf/test_messages_proto2.proto",
    "google/protobuf/test_messages_proto3.proto",
    "google/protobuf/test_messages_proto2_editions.proto",
    "google/protobuf/test_messages_proto3_editions.proto",
    "google/protobuf/test_messages_edition2023.proto",
];

const APIS: &[&str] = &[
    "google/bigtable/v2/data.proto",
    "google/container/v1/cluster_service.proto",
    "google/devtools/cloudbuild/v1/cloudbuild.proto",
    "google/firestore/v1/firestore.proto",
    "google/iam/v1/policy.proto",
    "google/logging/v2/logging.proto",
    "google/monitoring/v3/metric_service.proto",
    "google/pubsub/v1/pubsub.proto",
    "google/rpc/error_details.proto",
    "google/spanner/v1/spanner.proto",
    "google/type/datetime.proto",
    "google/type/money.proto",
    "google/type/postal_address.proto",
];

fn main() {
    let oracles = std::env::var_os("ORACLES").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/oracles"),
        PathBuf::from,
    );
    println!("cargo::rerun-if-env-changed=ORACLES");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let includes = [oracles.join("protoc/include"), oracles.join("googleapis")];
    compile(&[oracles.join("conformance/include")], CONFORMANCE, &out.join("conformance"));
    compile(&includes, APIS, &out.join("apis"));
}

fn compile(includes: &[PathBuf], files: &[&str], out: &Path) {
    std::fs::create_dir_all(out).expect("OUT_DIR can be written");
    let mut builder = Builder::new().out_dir(out).descriptor_set("schemas.binpb");
    for include in includes {
        builder = builder.include(include);
    }
    let root = |file: &&str| includes.iter().map(|root| root.join(file)).find(|path| path.exists());
    let paths: Vec<_> = files.iter().map(|file| root(file).unwrap_or_else(|| (*file).into())).collect();
    // Nothing here is about services.
    let options = |options: Options| options.runtime("::dunlin_protobuf").client(false).server(false);
    let result = builder.files(paths).options(options).compile();
    if let Err(error) = result {
        panic!("{error}");
    }
}
