//! Compiles the schema.

fn main() {
    dunlin_build::compile("proto/shop/v1/shop.proto");
}
