//! Generates the services and their clients.

fn main() {
    dunlin_build::compile("proto/example.proto");
}
