//! Generates the services of `dunlin-services`: `cargo run -p dunlin-build --example services`.

fn main() -> Result<(), dunlin_build::Error> {
    dunlin_build::product_services("crates/dunlin-proto", "crates/dunlin-services/src/generated")
}
