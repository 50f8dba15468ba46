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
const MODULE_INFO: u32 = 2;
const IS_SYNTAX_UNSPECIFIED: u32 = 3;
const UNUSED_DEPENDENCY: u32 = 4;

/// Writes a descriptor set or an image, file by file.
pub(crate) struct Writer<'c> {
    /// The files that were asked for; `None` if the set is to be a plain one.
    inputs: Option<HashSet<&'c str>>,
    compilation: &'c Compilation,
    /// The names of modules, by the import paths of files.
    modules: &'c HashMap<String, String>,
}

impl<'c> Writer<'c> {
    pub(crate) fn new(
        compilation: &'c Compilation,
        modules: &'c HashMap<String, String>,
        is_image: bool,
    ) -> Self {
        let inputs = is_image.then(|| compilation.inputs().map(CompiledFile::path).collect());
        Self { inputs, compilation, modules }
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
            let module = self.modules.get(file.path()).map(String::as_str);
            append_extension(file, !inputs.contains(file.path()), module, unused, bytes);
        }
        let mut head = Vec::new();
        write::tag(1, WireType::Len, &mut head);
        write::varint(bytes.len() as u64, &mut head);
        out.write_all(&head)?;
        out.write_all(bytes)
    }
}

/// Whether the file is an import, of which module it is, whether it says its syntax, and which of its imports are
/// unused.
fn append_extension(
    file: &CompiledFile,
    is_import: bool,
    module: Option<&str>,
    unused: &[usize],
    bytes: &mut Vec<u8>,
) {
    let mut value = Vec::new();
    write::varint_field(IS_IMPORT, u64::from(is_import), &mut value);
    // Its name: server, owner and repository.
    let parts: Vec<&str> = module.map(|name| name.splitn(3, '/').collect()).unwrap_or_default();
    if parts.len() == 3 {
        let (mut name, mut info) = (Vec::new(), Vec::new());
        for (number, part) in (1..).zip(parts) {
            write::len_field(number, part.as_bytes(), &mut name);
        }
        write::len_field(1, &name, &mut info);
        write::len_field(MODULE_INFO, &info, &mut value);
    }
    write::varint_field(IS_SYNTAX_UNSPECIFIED, u64::from(!file.says_syntax()), &mut value);
    for &index in unused {
        write::varint_field(UNUSED_DEPENDENCY, index as u64, &mut value);
    }
    write::len_field(EXTENSION, &value, bytes);
}

/// What an image says of a file.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub(crate) is_import: bool,
    /// The name of its module.
    pub(crate) module: Option<String>,
}

/// Takes what an image says of a file out of it.
pub(crate) fn take_extension(file: &mut FileDescriptorProto) -> Said {
    let fields = std::mem::take(&mut file.unknown_fields);
    let mut said = Said::default();
    let mut reader = fields.reader();
    let mut start = 0;
    while let Ok(Some(tag)) = reader.tag() {
        if tag.number == EXTENSION && tag.wire_type == WireType::Len {
            if let Ok(extension) = reader.message() {
                read_extension(extension, &mut said);
            }
        } else if reader.skip(tag).is_ok() {
            file.unknown_fields.extend_from_wire(reader.slice(start, reader.position()));
        }
        start = reader.position();
    }
    said
}

fn read_extension(mut reader: Reader<'_>, said: &mut Said) {
    while let Ok(Some(tag)) = reader.tag() {
        match (tag.number, tag.wire_type) {
            (IS_IMPORT, WireType::Varint) => said.is_import = reader.varint().is_ok_and(|value| value != 0),
            (MODULE_INFO, WireType::Len) => said.module = reader.message().ok().and_then(module_name),
            _ if reader.skip(tag).is_err() => break,
            _ => {}
        }
    }
}

/// The name in a module's info, its three parts joined.
fn module_name(mut info: Reader<'_>) -> Option<String> {
    while let Ok(Some(tag)) = info.tag() {
        if (tag.number, tag.wire_type) != (1, WireType::Len) {
            info.skip(tag).ok()?;
            continue;
        }
        let mut name = info.message().ok()?;
        let mut parts = Vec::new();
        while let Ok(Some(tag)) = name.tag() {
            match tag.wire_type {
                WireType::Len => parts.push(std::str::from_utf8(name.bytes().ok()?).ok()?.to_owned()),
                _ => name.skip(tag).ok()?,
            }
        }
        return Some(parts.join("/"));
    }
    None
}
