//! Generates the services and their clients.

fn main() -> Result<(), dunlin_build::Error> {
    dunlin_build::Builder::new().files(["proto/example.proto", "proto/shop.proto"]).compile()
}
