//! Compiles the schemas.

fn main() {
    dunlin_build::compile("proto/grpc/testing/test.proto");
}
