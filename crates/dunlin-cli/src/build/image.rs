//! What buf's images say about a file beyond its descriptor.

use std::collections::HashMap;

use dunlin_compiler::{Compilation, CompiledFile};
use dunlin_protobuf::descriptor::FileDescriptorSet;
use dunlin_protobuf::wire::write;

/// The number of the extension field.
const EXTENSION: u32 = 8042;
const IS_IMPORT: u32 = 1;
const IS_SYNTAX_UNSPECIFIED: u32 = 3;
const UNUSED_DEPENDENCY: u32 = 4;

/// Adds to each file whether it is an import, says its syntax, and which of its imports are unused.
pub(crate) fn annotate(set: &mut FileDescriptorSet, compilation: &Compilation) {
    let inputs: HashMap<&str, &CompiledFile> = compilation.inputs().map(|file| (file.path(), file)).collect();
    let all: HashMap<&str, &CompiledFile> =
        compilation.files().iter().map(|file| (file.path(), file)).collect();
    for file in &mut set.file {
        let path = file.name.as_deref().unwrap_or_default();
        let Some(compiled) = all.get(path) else { continue };
        let mut value = Vec::new();
        write::varint_field(IS_IMPORT, u64::from(!inputs.contains_key(path)), &mut value);
        write::varint_field(IS_SYNTAX_UNSPECIFIED, u64::from(!compiled.says_syntax()), &mut value);
        for &index in compiled.unused_imports() {
            write::varint_field(UNUSED_DEPENDENCY, index as u64, &mut value);
        }
        let mut field = Vec::new();
        write::len_field(EXTENSION, &value, &mut field);
        file.unknown_fields.extend_from_wire(&field);
    }
}
