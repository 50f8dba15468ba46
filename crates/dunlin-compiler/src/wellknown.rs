//! The schema files that can be imported without being anywhere on disk.

use dunlin_protobuf::pool::DescriptorPool;

macro_rules! files {
    ($($path:literal,)*) => {
        /// Path and text of every built-in file.
        const FILES: &[(&str, &str)] = &[
            $(($path, include_str!(concat!("wellknown/", $path))),)*
        ];
    };
}

files! {
    "dunlin/options.proto",
    "google/protobuf/any.proto",
    "google/protobuf/api.proto",
    "google/protobuf/c_sharp_features.proto",
    "google/protobuf/compiler/plugin.proto",
    "google/protobuf/cpp_features.proto",
    "google/protobuf/cpp_file_options.proto",
    "google/protobuf/cpp_options.proto",
    "google/protobuf/descriptor.proto",
    "google/protobuf/duration.proto",
    "google/protobuf/empty.proto",
    "google/protobuf/field_mask.proto",
    "google/protobuf/go_features.proto",
    "google/protobuf/java_features.proto",
    "google/protobuf/json_enumvalue_options.proto",
    "google/protobuf/json_options.proto",
    "google/protobuf/source_context.proto",
    "google/protobuf/struct.proto",
    "google/protobuf/timestamp.proto",
    "google/protobuf/type.proto",
    "google/protobuf/wrappers.proto",
}

/// The text of a built-in file, by the path under which it is imported.
///
/// ```
/// assert!(dunlin_compiler::wellknown::source("google/protobuf/any.proto").is_some());
/// ```
pub fn source(path: &str) -> Option<&'static str> {
    FILES.iter().find(|(name, _)| *name == path).map(|(_, text)| *text)
}

/// The paths of all built-in files.
pub fn paths() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|(path, _)| *path)
}

/// A pool with descriptor.proto alone.
///
/// Its own options are interpreted against itself, since that is the only schema of options that
/// there is.
pub(crate) fn descriptor_pool() -> DescriptorPool {
    crate::compile::descriptor_only()
}
