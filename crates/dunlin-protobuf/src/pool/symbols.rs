//! The symbol table: every full name of a pool, as a tree of scopes.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use core::hash::{BuildHasher, Hash, Hasher};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::{FileId, table::File};

/// A node of the scope tree. Conflicting declarations have nodes too, but cannot be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SymbolId(u32);

impl SymbolId {
    /// The scope that holds the first parts of all names.
    pub(crate) const ROOT: Self = Self(0);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SymbolKind {
    Package,
    Message,
    Field,
    Oneof,
    Enum,
    EnumValue,
    Service,
    Method,
}

impl SymbolKind {
    /// True for what a field's type can be.
    pub(crate) fn is_type(self) -> bool {
        matches!(self, Self::Message | Self::Enum)
    }

    /// True for what can hold further names; a longer name does not look past it.
    pub(crate) fn is_aggregate(self) -> bool {
        matches!(self, Self::Message | Self::Package | Self::Enum | Self::Service)
    }

    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Package => "package",
            Self::Message => "message",
            Self::Field => "field",
            Self::Oneof => "oneof",
            Self::Enum => "enum",
            Self::EnumValue => "enum value",
            Self::Service => "service",
            Self::Method => "method",
        }
    }
}

/// What a name stands for: an entry `index` of the kind's table in `file`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Symbol {
    pub(crate) kind: SymbolKind,
    pub(crate) parent: SymbolId,
    /// The file that declares it; of a package, the first one.
    pub(crate) file: FileId,
    pub(crate) index: u32,
    name: (u32, u32),
}

#[derive(Clone, Debug)]
pub(crate) struct SymbolTable {
    symbols: Vec<Symbol>,
    by_name: HashTable<SymbolId>,
    hasher: RandomState,
}

impl Default for SymbolTable {
    fn default() -> Self {
        let root = Symbol {
            kind: SymbolKind::Package,
            parent: SymbolId::ROOT,
            file: FileId(u32::MAX),
            index: 0,
            name: (0, 0),
        };
        Self { symbols: vec![root], by_name: HashTable::new(), hasher: RandomState::default() }
    }
}

impl SymbolTable {
    pub(crate) fn get(&self, id: SymbolId) -> &Symbol {
        &self.symbols[id.0 as usize]
    }

    pub(crate) fn reserve(&mut self, files: &[File], additional: usize) {
        self.symbols.reserve(additional);
        let Self { symbols, by_name, hasher } = self;
        by_name.reserve(additional, |&id| {
            let symbol = &symbols[id.0 as usize];
            hash_of(hasher, symbol.parent, symbol.name(files))
        });
    }

    pub(crate) fn find(&self, files: &[File], parent: SymbolId, name: &str) -> Option<SymbolId> {
        self.by_name
            .find(self.hash(parent, name), |&id| {
                let symbol = self.get(id);
                symbol.parent == parent && symbol.name(files) == name
            })
            .copied()
    }

    /// Declares `name` in `parent`; `Err` holds the new node and the one that has the name.
    pub(crate) fn declare(
        &mut self,
        files: &[File],
        parent: SymbolId,
        name: (u32, u32),
        kind: SymbolKind,
        file: FileId,
        index: u32,
    ) -> Result<SymbolId, (SymbolId, SymbolId)> {
        let id = SymbolId(self.symbols.len() as u32);
        let symbol = Symbol { kind, parent, file, index, name };
        self.symbols.push(symbol);
        let text = symbol.name(files);
        if let Some(existing) = self.find(files, parent, text) {
            return Err((id, existing));
        }
        let hash = self.hash(parent, text);
        let Self { symbols, by_name, hasher } = self;
        by_name.insert_unique(hash, id, |&id| {
            let symbol = &symbols[id.0 as usize];
            hash_of(hasher, symbol.parent, symbol.name(files))
        });
        Ok(id)
    }

    /// The full name, without a leading dot.
    pub(crate) fn full_name(&self, files: &[File], id: SymbolId) -> String {
        let mut parts = Vec::new();
        let mut at = id;
        while at != SymbolId::ROOT {
            let symbol = self.get(at);
            parts.push(symbol.name(files));
            at = symbol.parent;
        }
        parts.reverse();
        parts.join(".")
    }

    fn hash(&self, parent: SymbolId, name: &str) -> u64 {
        hash_of(&self.hasher, parent, name)
    }
}

impl Symbol {
    pub(crate) fn name<'f>(&self, files: &'f [File]) -> &'f str {
        // Packages of a file are kept in its arena as well, so this holds for every kind.
        files[self.file.index()].text(self.name)
    }
}

fn hash_of(hasher: &RandomState, parent: SymbolId, name: &str) -> u64 {
    let mut state = hasher.build_hasher();
    parent.0.hash(&mut state);
    state.write(name.as_bytes());
    state.finish()
}
