//! Encoding files, with what buf's images say about a file beyond its descriptor.

use std::collections::{HashMap, HashSet};
use std::io::{self, Write};

use dunlin_compiler::{Compilation, CompiledFile, DescriptorOptions};
use dunlin_protobuf::descriptor::DescriptorMessage;
use dunlin_protobuf::descriptor::{FileDescriptorProto, FileDescriptorSet};
use dunlin_protobuf::wire::{Reader, WireType, write};

/// The number of the extension field.
const EXTENSION: u32 = 8042;
const IS_IMPORT: u32 = 1;
const IS_SYNTAX_UNSPECIFIED: u32 = 3;
const UNUSED_DEPENDENCY: u32 = 4;

/// Writes a descriptor set or an image, file by file.
pub(crate) struct Writer<'c> {
    /// The files that were asked for; `None` if the set is to be a plain one.
    inputs: Option<HashSet<&'c str>>,
    compilation: &'c Compilation,
}

impl<'c> Writer<'c> {
    pub(crate) fn new(compilation: &'c Compilation, is_image: bool) -> Self {
        let inputs = is_image.then(|| compilation.inputs().map(CompiledFile::path).collect());
        Self { inputs, compilation }
    }

    /// All that was compiled; no more than one file is held encoded.
    pub(crate) fn compiled(&self, options: DescriptorOptions, out: &mut dyn Write) -> io::Result<()> {
        let mut bytes = Vec::new();
        for id in self.compilation.select(options.include_imports) {
            let file = self.compilation.file(id);
            bytes.clear();
            file.encode(options, &mut bytes);
            self.file(file, file.unused_imports(), &mut bytes, out)?;
        }
        Ok(())
    }

    /// A set that was made from what was compiled.
    pub(crate) fn set(&self, set: &FileDescriptorSet, out: &mut dyn Write) -> io::Result<()> {
        let files = self.compilation.files().iter().map(|file| (file.path(), file));
        let compiled: HashMap<&str, &CompiledFile> = files.collect();
        let mut bytes = Vec::new();
        for file in &set.file {
            bytes.clear();
            file.encode_into(&mut bytes);
            // What is not used has been left out.
            self.file(compiled[file.name.as_deref().unwrap_or_default()], &[], &mut bytes, out)?;
        }
        Ok(())
    }

    fn file(
        &self,
        file: &CompiledFile,
        unused: &[usize],
        bytes: &mut Vec<u8>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        if let Some(inputs) = &self.inputs {
            // The number is above all fields of a descriptor, so this is where it belongs.
            append_extension(file, !inputs.contains(file.path()), unused, bytes);
        }
        let mut head = Vec::new();
        write::tag(1, WireType::Len, &mut head);
        write::varint(bytes.len() as u64, &mut head);
        out.write_all(&head)?;
        out.write_all(bytes)
    }
}

/// Whether the file is an import, says its syntax, and which of its imports are unused.
fn append_extension(file: &CompiledFile, is_import: bool, unused: &[usize], bytes: &mut Vec<u8>) {
    let mut value = Vec::new();
    write::varint_field(IS_IMPORT, u64::from(is_import), &mut value);
    write::varint_field(IS_SYNTAX_UNSPECIFIED, u64::from(!file.says_syntax()), &mut value);
    for &index in unused {
        write::varint_field(UNUSED_DEPENDENCY, index as u64, &mut value);
    }
    write::len_field(EXTENSION, &value, bytes);
}

/// Takes what an image says of a file out of it; true if the file is an import.
pub(crate) fn take_extension(file: &mut FileDescriptorProto) -> bool {
    let fields = std::mem::take(&mut file.unknown_fields);
    let mut is_import = false;
    let mut reader = fields.reader();
    let mut start = 0;
    while let Ok(Some(tag)) = reader.tag() {
        if tag.number == EXTENSION && tag.wire_type == WireType::Len {
            is_import |= reader.message().is_ok_and(says_import);
        } else if reader.skip(tag).is_ok() {
            file.unknown_fields.extend_from_wire(reader.slice(start, reader.position()));
        }
        start = reader.position();
    }
    is_import
}

fn says_import(mut reader: Reader<'_>) -> bool {
    let mut is_import = false;
    while let Ok(Some(tag)) = reader.tag() {
        if tag.number == IS_IMPORT && tag.wire_type == WireType::Varint {
            is_import = reader.varint().is_ok_and(|value| value != 0);
        } else if reader.skip(tag).is_err() {
            break;
        }
    }
    is_import
}
