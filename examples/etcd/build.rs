//! The schema becomes messages and clients; nobody serves it here.

fn main() -> Result<(), dunlin_build::Error> {
    dunlin_build::Builder::new().file("proto/rpc.proto").options(|options| options.server(false)).compile()
}
