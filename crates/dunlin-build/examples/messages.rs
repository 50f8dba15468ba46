//! Generates the messages of `dunlin-proto`: `cargo run -p dunlin-build --example messages`.

fn main() -> Result<(), dunlin_build::Error> {
    dunlin_build::product_messages("crates/dunlin-proto", "crates/dunlin-proto/src/generated")
}
