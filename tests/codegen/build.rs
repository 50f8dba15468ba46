//! Generates all of `awkward/`; `other.proto` on its own, as if another crate had it.

use dunlin_build::Builder;

fn main() -> Result<(), dunlin_build::Error> {
    let out = std::env::var("OUT_DIR").unwrap_or_default();
    Builder::new()
        .include("awkward")
        .file("awkward/other.proto")
        .options(|options| options.runtime("::dunlin_protobuf"))
        .out_dir(format!("{out}/other"))
        .compile()?;
    let names = [
        "collisions",
        "comments",
        "cycles",
        "defaults",
        "editions2023",
        "editions2024",
        "enums",
        "keywords",
        "large",
        "maps",
        "nesting",
        "nopackage",
        "package_b",
        "package_case",
        "proto2",
        "proto3",
        "std_names",
        "uses_other",
    ];
    Builder::new()
        .include("awkward")
        .files(names.iter().map(|name| format!("awkward/{name}.proto")))
        .options(|options| {
            options
                .runtime("::dunlin_protobuf")
                .extern_path(".other", "crate::other::other")
                .hash_map(".awkward.maps.Hashed")
        })
        .compile()
}
