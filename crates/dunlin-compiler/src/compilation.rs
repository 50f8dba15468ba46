//! What a successful run gives.

use std::collections::HashSet;

use dunlin_protobuf::descriptor::DescriptorMessage;
use dunlin_protobuf::descriptor::{FileDescriptorProto, FileDescriptorSet, SourceCodeInfo};
use dunlin_protobuf::pool::{DescriptorPool, FileId};
use dunlin_protobuf::wire::{Reader, WireType, write};

use crate::diagnostic::{Diagnostics, Source};
use crate::element::options_slot;
use crate::lower::location::SourceInfo;
use crate::lower::{ElementKind, PendingOptions};
use crate::options::ElementOptions;

/// Linked, checked files.
#[derive(Debug)]
pub struct Compilation {
    pool: DescriptorPool,
    files: Vec<CompiledFile>,
    inputs: Vec<FileId>,
    warnings: Diagnostics,
}

/// What goes into a descriptor set; the default is protoc's: the inputs alone, without positions,
/// and without options that are not kept in what runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DescriptorOptions {
    /// Imported files too, each before the files that import it.
    pub include_imports: bool,
    /// Positions and comments; they have to be kept when compiling, see
    /// [`Compiler::source_info`](crate::Compiler::source_info).
    pub include_source_info: bool,
    /// Options with `retention = RETENTION_SOURCE` too.
    pub retain_options: bool,
}

impl Compilation {
    pub(crate) fn new(
        pool: DescriptorPool,
        files: Vec<CompiledFile>,
        inputs: Vec<FileId>,
        warnings: Diagnostics,
    ) -> Self {
        Self { pool, files, inputs, warnings }
    }

    /// The linked schemas.
    pub fn pool(&self) -> &DescriptorPool {
        &self.pool
    }

    /// The linked schemas, without the rest.
    pub fn into_pool(self) -> DescriptorPool {
        self.pool
    }

    /// What is valid but doubtful.
    pub fn warnings(&self) -> &Diagnostics {
        &self.warnings
    }

    /// The files that were asked for, in that order.
    pub fn inputs(&self) -> impl Iterator<Item = &CompiledFile> {
        self.inputs.iter().map(|&id| self.file(id))
    }

    /// All files, each after those that it imports.
    pub fn files(&self) -> &[CompiledFile] {
        &self.files
    }

    /// The file of an id of the pool.
    pub fn file(&self, id: FileId) -> &CompiledFile {
        &self.files[id.index()]
    }

    /// The descriptors as a set.
    pub fn file_descriptor_set(&self, options: DescriptorOptions) -> FileDescriptorSet {
        let files = self.select(options.include_imports);
        let file = files.into_iter().map(|id| self.file(id).descriptor(options)).collect();
        FileDescriptorSet { file, ..Default::default() }
    }

    /// Hands the encoded set to `write`, file by file.
    ///
    /// # Errors
    /// What `write` fails with.
    pub fn encode_file_descriptor_set<E>(
        &self,
        options: DescriptorOptions,
        mut write: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut file = Vec::new();
        let mut head = Vec::new();
        for id in self.select(options.include_imports) {
            file.clear();
            head.clear();
            self.file(id).encode(options, &mut file);
            write::tag(1, WireType::Len, &mut head);
            write::varint(file.len() as u64, &mut head);
            write(&head)?;
            write(&file)?;
        }
        Ok(())
    }

    /// The files of a descriptor set: inputs in their order, each after its imports, which are
    /// left out if they are not asked for.
    pub fn select(&self, include_imports: bool) -> Vec<FileId> {
        let mut seen = HashSet::new();
        if !include_imports {
            let inputs: HashSet<FileId> = self.inputs.iter().copied().collect();
            for &input in &self.inputs {
                let imports = self.pool.file(input).imports().map(|(id, _)| id);
                seen.extend(imports.filter(|id| !inputs.contains(id)));
            }
        }
        let mut order = Vec::new();
        for &input in &self.inputs {
            // Option imports count for the inputs only.
            for (id, is_option) in self.pool.file(input).imports() {
                if is_option {
                    self.visit(id, &mut seen, &mut order);
                }
            }
            self.visit(input, &mut seen, &mut order);
        }
        order
    }

    fn visit(&self, start: FileId, seen: &mut HashSet<FileId>, order: &mut Vec<FileId>) {
        if !seen.insert(start) {
            return;
        }
        let plain =
            |id: FileId| self.pool.file(id).imports().filter(|(_, is_option)| !is_option).map(|(id, _)| id);
        let mut stack = vec![(start, plain(start).collect::<Vec<_>>().into_iter())];
        while let Some((file, imports)) = stack.last_mut() {
            match imports.next() {
                Some(import) if seen.insert(import) => {
                    stack.push((import, plain(import).collect::<Vec<_>>().into_iter()));
                }
                Some(_) => {}
                None => {
                    order.push(*file);
                    stack.pop();
                }
            }
        }
    }
}

/// One file of a [`Compilation`].
#[derive(Debug)]
pub struct CompiledFile {
    source: Source,
    /// Without source info, and with the options that are kept in what runs.
    proto: FileDescriptorProto,
    pending: Vec<PendingOptions>,
    elements: Vec<ElementOptions>,
    /// All options, of those elements that lost some.
    full_options: Vec<FullOptions>,
    source_info: Option<Box<SourceInfo>>,
    unused_imports: Vec<usize>,
    says_syntax: bool,
}

/// What a file is made of.
pub(crate) struct Parts {
    pub(crate) source: Source,
    pub(crate) proto: FileDescriptorProto,
    pub(crate) pending: Vec<PendingOptions>,
    pub(crate) elements: Vec<ElementOptions>,
    pub(crate) full_options: Vec<FullOptions>,
    pub(crate) source_info: Option<Box<SourceInfo>>,
    pub(crate) unused_imports: Vec<usize>,
    pub(crate) says_syntax: bool,
}

impl CompiledFile {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts {
            source,
            proto,
            pending,
            elements,
            full_options,
            source_info,
            unused_imports,
            says_syntax,
        } = parts;
        Self { source, proto, pending, elements, full_options, source_info, unused_imports, says_syntax }
    }

    /// The plain imports that nothing in the file needs, as indexes into `dependency`; found for
    /// inputs only.
    pub fn unused_imports(&self) -> &[usize] {
        &self.unused_imports
    }

    /// True if the source starts with a `syntax` or `edition` statement.
    pub fn says_syntax(&self) -> bool {
        self.says_syntax
    }

    /// The path under which the file is imported.
    pub fn path(&self) -> &str {
        &self.source.import_path
    }

    /// The text and where it is from.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The descriptor as it is kept in what runs, without source info.
    pub fn proto(&self) -> &FileDescriptorProto {
        &self.proto
    }

    /// The descriptor; `include_imports` has no meaning here.
    pub fn descriptor(&self, options: DescriptorOptions) -> FileDescriptorProto {
        let mut proto = self.proto.clone();
        if options.retain_options {
            self.restore_options(&mut proto);
        }
        if let Some(info) = self.encoded_source_info(options) {
            // Written by this crate, or decoded before.
            proto.source_code_info = SourceCodeInfo::decode(&info).ok().map(Box::new);
        }
        proto
    }

    /// Appends the encoded descriptor.
    pub fn encode(&self, options: DescriptorOptions, out: &mut Vec<u8>) {
        let start = out.len();
        if options.retain_options && !self.full_options.is_empty() {
            let mut proto = self.proto.clone();
            self.restore_options(&mut proto);
            proto.encode_into(out);
        } else {
            self.proto.encode_into(out);
        }
        let Some(info) = self.encoded_source_info(options) else { return };
        // Encoded by itself and put where it belongs, so that it never has to be taken apart.
        let tail = out.split_off(start + source_info_position(&out[start..]));
        write::len_field(SOURCE_CODE_INFO, &info, out);
        out.extend_from_slice(&tail);
    }

    fn restore_options(&self, proto: &mut FileDescriptorProto) {
        for FullOptions { path, kind, full } in &self.full_options {
            // It decoded before.
            let _ = options_slot(proto, path, *kind, full);
        }
    }

    fn encoded_source_info(&self, options: DescriptorOptions) -> Option<Vec<u8>> {
        let info = self.source_info.as_deref().filter(|_| options.include_source_info)?;
        Some(info.finish(|pending, statement| {
            let element = self.elements.get(pending as usize)?;
            let options_of = self.pending.get(pending as usize)?;
            match statement {
                None => {
                    let lost_all = !options.retain_options
                        && element.runtime.as_ref().is_some_and(|runtime| runtime.is_empty());
                    let mut path = options_of.path.clone();
                    path.push(options_of.kind.options_field());
                    (!lost_all).then_some(path)
                }
                Some(index) => {
                    let (path, is_kept) = element.statements.get(index as usize)?.as_ref()?;
                    (*is_kept || options.retain_options).then(|| path.clone())
                }
            }
        }))
    }
}

/// The options of an element that are more than what is kept in what runs.
#[derive(Debug)]
pub(crate) struct FullOptions {
    pub(crate) path: Vec<i32>,
    pub(crate) kind: ElementKind,
    pub(crate) full: Vec<u8>,
}

/// The number of `FileDescriptorProto.source_code_info`.
const SOURCE_CODE_INFO: u32 = 9;

/// Where the fields of an encoded file after `source_code_info` start.
fn source_info_position(file: &[u8]) -> usize {
    let mut reader = Reader::new(file);
    loop {
        let position = reader.position();
        match reader.tag() {
            Ok(Some(tag)) if tag.number < SOURCE_CODE_INFO && reader.skip(tag).is_ok() => {}
            _ => return position,
        }
    }
}
