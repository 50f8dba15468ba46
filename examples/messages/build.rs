//! Compiles the schema.

fn main() {
    dunlin_build::compile("proto/shop.proto");
}
