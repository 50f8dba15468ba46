//! Generates the well-known types of the runtime: `cargo run -p dunlin-build --example wellknown FOLDER`.

fn main() -> Result<(), dunlin_build::Error> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "crates/dunlin-protobuf/src/wkt".into());
    dunlin_build::well_known(folder)
}
