//! Generates all of `awkward/`; `other.proto` on its own, as if another crate had it; and `options/`
//! with options and without.

use dunlin_build::{Builder, Options};

fn main() -> Result<(), dunlin_build::Error> {
    let out = std::env::var("OUT_DIR").unwrap_or_default();
    Builder::new()
        .include("awkward")
        .file("awkward/other.proto")
        .options(|options| options.runtime("::dunlin_protobuf"))
        .out_dir(format!("{out}/other"))
        .compile()?;
    for (folder, options) in [("options", with_options()), ("plain", Options::default())] {
        Builder::new()
            .include("options")
            .files(
                ["options", "custom", "google_own", "excluded", "raw", "raw2023"]
                    .map(|name| format!("options/{name}.proto")),
            )
            .options(|_| options.runtime("::dunlin_protobuf"))
            .out_dir(format!("{out}/{folder}"))
            .compile()?;
    }
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

fn with_options() -> Options {
    let wrappers = ["Wrappers", "Numbers", "Serde", "Texts"];
    let options = wrappers
        .iter()
        .fold(Options::default(), |options, name| options.wrappers(format!(".options.{name}")));
    options
        .wrappers((".options.Wrappers.kept", false))
        .boxed(".options.Boxes.small")
        .boxed((".options.Boxes.large", false))
        .boxed((".options.Boxes.next", false))
        .boxed(".options.Boxes.chosen")
        .strip_enum_prefix(true)
        .shared_strings(".options.Texts")
        .shared_strings((".options.Texts.owned", false))
        .hash_map(".options.Texts.hashed")
        .byte_vec(".options.Blobs")
        .raw_strings(".raw")
        // What is both is bytes.
        .shared_strings(".raw")
        .raw_strings(".raw2023")
        .raw_strings((".raw.Texts.owned", false))
        .byte_vec(".raw.Texts.vec")
        .byte_vec(".raw.Texts.hashed")
        .hash_map(".raw.Texts.hashed")
        .serde(".options.Serde")
        .serde(".options.Status")
        .message_attribute(".options.Attributes", "#[derive(Eq, Hash)]")
        .oneof_attribute(".options.Attributes.choice", "#[derive(Eq, Hash)]")
        .enum_attribute(".options.Status", "#[must_use]")
        .type_attribute(".options.Small", "#[doc = \"Small.\"]")
        .field_attribute(".options.Attributes.secret", "#[doc(alias = \"hidden\")]")
        .field_attribute(".options.Attributes.choice", "#[doc(alias = \"either\")]")
        .field_attribute(".options.Attributes.text", "#[doc(alias = \"one\")]")
        .views((".options.WithoutView", false))
        .reflection((".options.Hidden", false))
        .exclude_file("excluded.proto")
        .embed_descriptors(true)
}
