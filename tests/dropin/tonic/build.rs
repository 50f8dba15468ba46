use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    tonic_prost_build::configure()
        .build_client(true)
        .build_server(true)
        .protoc_arg("--experimental_allow_proto3_optional")
        .file_descriptor_set_path(out.join("fleet_descriptor.bin"))
        .compile_protos(
            &["proto/fleet/v1/fleet.proto", "proto/fleet/v1/health.proto"],
            &["proto"],
        )?;
    Ok(())
}
