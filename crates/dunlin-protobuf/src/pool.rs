//! The descriptor pool: schemas linked, checked and indexed.
//!
//! A pool is built in stages, each of which reads what the earlier ones left and touches one file
//! at a time, so that a driver may run a stage over many files in parallel:
//!
//! 1. [`FileTables::new`] lays one file out in flat tables;
//! 2. [`DescriptorPool::declare`] enters all names of all files into one tree of scopes;
//! 3. [`DescriptorPool::resolve`] finds what the names in a file stand for;
//! 4. [`DescriptorPool::apply_options`] takes over the options of a file that matter to others and
//!    resolves its features, after everything that it imports;
//! 5. [`DescriptorPool::check`] holds a file against the rules of the language.
//!
//! [`DescriptorPool::from_file_descriptor_set`] does all of it for descriptors from anywhere, also
//! hostile ones: nothing here panics, recurses or takes more than linear memory.

mod check;
mod declare;
mod fault;
pub mod features;
mod options;
mod resolve;
mod symbols;
mod table;
mod view;

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use foldhash::fast::RandomState;

use crate::descriptor::{FileDescriptorProto, FileDescriptorSet};
pub use check::Scope;
pub use fault::{Fault, Path, Severity};
pub use features::Features;
pub use options::DerivedOptions;
pub use resolve::{Links, LookupFailure, Resolver, SymbolRef};
use symbols::SymbolTable;
use table::File;
pub use view::{EnumView, FieldKind, FieldView, FileView, MessageView, ValueView};

/// Their keys come from foreign schemas, so hashing is seeded.
type HashMap<K, V> = hashbrown::HashMap<K, V, RandomState>;
type HashSet<T> = hashbrown::HashSet<T, RandomState>;

/// A file of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u32);

impl FileId {
    /// The position among the files of the pool.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A message type of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId {
    pub(crate) file: FileId,
    pub(crate) index: u32,
}

/// An enum type of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnumId {
    pub(crate) file: FileId,
    pub(crate) index: u32,
}

/// A field or an extension of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldId {
    pub(crate) file: FileId,
    pub(crate) index: u32,
}

/// Linked schemas.
#[derive(Clone, Debug, Default)]
pub struct DescriptorPool {
    files: Vec<File>,
    symbols: SymbolTable,
    by_path: HashMap<Arc<str>, FileId>,
    /// Extensions by the message they extend and their number.
    extensions: HashMap<(MessageId, i32), FieldId>,
    /// The descriptors of the files, where the pool was made from them alone.
    protos: Vec<Arc<FileDescriptorProto>>,
}

/// One file laid out in tables; see [`FileTables::new`].
#[derive(Debug)]
pub struct FileTables(File);

impl FileTables {
    /// Lays out `proto`; names in it need not be resolved yet.
    pub fn new(proto: &FileDescriptorProto) -> Self {
        Self(File::new(proto))
    }
}

/// What is wrong with descriptors that should have become a pool.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.summary())]
pub struct PoolErrors {
    /// Every fault, warnings included, with the path of the file it is in.
    pub faults: Vec<(String, Fault)>,
}

impl PoolErrors {
    fn summary(&self) -> String {
        let mut errors = self.faults.iter().filter(|(_, fault)| fault.severity == Severity::Error);
        let Some((path, first)) = errors.next() else { return "no errors".into() };
        match errors.count() {
            0 => format!("{path}: {}", first.message),
            more => format!("{path}: {} (and {more} more errors)", first.message),
        }
    }
}

impl DescriptorPool {
    /// Links the files of a descriptor set, in which imports may stand in any order.
    ///
    /// # Errors
    /// All faults of all files, if any file breaks a rule of the language.
    pub fn from_file_descriptor_set(set: FileDescriptorSet) -> Result<Self, PoolErrors> {
        let mut pool = Self::default();
        let mut faults = Vec::new();
        let mut protos = Vec::new();
        let mut paths = Vec::new();
        for proto in set.file {
            let path: String = proto.name.clone().unwrap_or_default();
            let tables = FileTables::new(&proto);
            match pool.add_file(&path, tables) {
                Ok(_) => {
                    protos.push(proto);
                    paths.push(path);
                }
                Err(existing) => faults.push(Fault::error(
                    existing,
                    "duplicate-file",
                    vec![],
                    format!("file \"{path}\" is given twice"),
                )),
            }
        }
        for (index, proto) in protos.iter().enumerate() {
            let id = FileId(index as u32);
            pool.connect(id, proto, &mut faults);
        }
        let order = pool.import_order(&mut faults);
        pool.see();
        pool.declare(&mut faults);
        for (index, proto) in protos.iter().enumerate() {
            let links = pool.resolve(FileId(index as u32), proto);
            faults.extend(pool.set_links(FileId(index as u32), links));
        }
        for id in order {
            faults.extend(pool.apply_options(id, &protos[id.index()]));
        }
        for (index, proto) in protos.iter().enumerate() {
            pool.check(FileId(index as u32), proto, Scope::Compiled, &mut faults);
        }
        if faults.iter().any(|fault| fault.severity == Severity::Error) {
            let faults = faults
                .into_iter()
                .map(|fault| (paths.get(fault.file.index()).cloned().unwrap_or_default(), fault))
                .collect();
            return Err(PoolErrors { faults });
        }
        pool.protos = protos.into_iter().map(Arc::new).collect();
        Ok(pool)
    }

    /// Adds a file; imports are connected later.
    ///
    /// # Errors
    /// The file that already has this path.
    pub fn add_file(&mut self, path: &str, tables: FileTables) -> Result<FileId, FileId> {
        if let Some(&existing) = self.by_path.get(path) {
            return Err(existing);
        }
        let id = FileId(self.files.len() as u32);
        self.by_path.insert(path.into(), id);
        self.files.push(tables.0);
        Ok(id)
    }

    /// The file with this path.
    pub fn file_by_path(&self, path: &str) -> Option<FileId> {
        self.by_path.get(path).copied()
    }

    /// The number of files.
    pub fn file_count(&self) -> usize {
        self.files.len()
    }

    pub(crate) fn tables(&self, file: FileId) -> &File {
        &self.files[file.index()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::descriptor::{DescriptorProto, Edition};

    #[test]
    fn descriptors_are_not_held_to_styles_that_an_option_lost_since_may_have_turned_off() {
        let file = FileDescriptorProto {
            name: Some("a.proto".into()),
            edition: Some(Edition::EDITION_2024),
            syntax: Some("editions".into()),
            message_type: vec![DescriptorProto { name: Some("lower".into()), ..Default::default() }],
            ..Default::default()
        };
        let set = FileDescriptorSet { file: vec![file], ..Default::default() };
        assert!(DescriptorPool::from_file_descriptor_set(set).is_ok());
    }
}
