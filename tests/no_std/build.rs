//! Generates the messages, naming nothing of the standard library.

fn main() -> Result<(), dunlin_build::Error> {
    dunlin_build::Builder::new()
        .include(".")
        .file("station.proto")
        .options(|options| options.runtime("::dunlin_protobuf").no_std(true))
        .compile()
}
