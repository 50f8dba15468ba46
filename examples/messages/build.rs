//! Compiles the schema.

fn main() {
    dunlin_build::Builder::new()
        .file("proto/shop.proto")
        .options(|options| options.runtime("::dunlin_protobuf"))
        .compile()
        .unwrap_or_else(|error| panic!("{error}"));
}
