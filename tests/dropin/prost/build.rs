use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    prost_build::Config::new()
        .btree_map(["."])
        .bytes([".inventory.v1.Attachment.data"])
        .type_attribute(".legacy.Order.Status", "#[allow(dead_code)]")
        .include_file("_includes.rs")
        .file_descriptor_set_path(out.join("descriptors.bin"))
        .compile_protos(
            &[
                "proto/inventory/v1/inventory.proto",
                "proto/inventory/v1/types.proto",
                "proto/legacy/order.proto",
            ],
            &["proto"],
        )
}
