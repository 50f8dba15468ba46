//! Imports and names: which files see which, and one entry per name.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use super::fault::{Fault, Path};
use super::symbols::{SymbolId, SymbolKind};
use super::table::{Dependency, File, Name, join};
use super::{DescriptorPool, FileId};
use crate::descriptor::{Edition, FileDescriptorProto};

/// The longest package name, in bytes.
const MAX_PACKAGE_LEN: usize = 511;
/// How many parts a package may have.
const MAX_PACKAGE_PARTS: usize = 101;
/// The longest full name, in bytes.
const MAX_FULL_NAME_LEN: usize = u16::MAX as usize;

impl DescriptorPool {
    /// Connects the imports of a file to the files of the pool.
    pub fn connect(&mut self, file: FileId, proto: &FileDescriptorProto, faults: &mut Vec<Fault>) {
        let mut dependencies: Vec<Dependency> = proto
            .dependency
            .iter()
            .map(|path| Dependency { file: self.file_by_path(path), public: false, option: false })
            .collect();
        for (list, code, public) in [
            (&proto.public_dependency, "invalid-public-dependency", true),
            (&proto.weak_dependency, "invalid-weak-dependency", false),
        ] {
            for &index in list {
                match usize::try_from(index).ok().and_then(|index| dependencies.get_mut(index)) {
                    Some(dependency) => dependency.public |= public,
                    None => faults.push(Fault::error(
                        file,
                        code,
                        vec![],
                        format!("import number {index} does not exist"),
                    )),
                }
            }
        }
        dependencies.extend(proto.option_dependency.iter().map(|path| Dependency {
            file: self.file_by_path(path),
            public: false,
            option: true,
        }));
        let mut seen = hashbrown::HashMap::<&str, usize, foldhash::fast::RandomState>::default();
        for (index, path) in proto.dependency.iter().chain(&proto.option_dependency).enumerate() {
            if let Some(first) = seen.insert(path, index) {
                let place = import_path(proto, index);
                let fault =
                    Fault::error(file, "duplicate-import", place, format!("\"{path}\" is imported twice"));
                faults.push(fault.related(file, import_path(proto, first), "first imported here"));
            }
        }
        self.files[file.index()].dependencies = dependencies;
    }

    /// The files so that each comes after its imports. Cycles are reported, and broken where they
    /// close.
    pub fn import_order(&self, faults: &mut Vec<Fault>) -> Vec<FileId> {
        #[derive(Clone, Copy, PartialEq)]
        enum State {
            New,
            Open,
            Done,
        }
        let mut state = vec![State::New; self.files.len()];
        let mut order = Vec::with_capacity(self.files.len());
        for start in 0..self.files.len() {
            // Depth first with the open files on a stack of our own: import chains may be long.
            let mut stack: Vec<(usize, usize)> = vec![(start, 0)];
            while let Some((file, next)) = stack.last_mut() {
                let file = *file;
                if *next == 0 {
                    if state[file] == State::Done {
                        stack.pop();
                        continue;
                    }
                    state[file] = State::Open;
                }
                let Some(dependency) = self.files[file].dependencies.get(*next) else {
                    state[file] = State::Done;
                    order.push(FileId(file as u32));
                    stack.pop();
                    continue;
                };
                *next += 1;
                let Some(target) = dependency.file.map(FileId::index) else { continue };
                match state[target] {
                    State::New => stack.push((target, 0)),
                    State::Done => {}
                    State::Open => {
                        let index = *next - 1;
                        let from = stack.iter().position(|&(open, _)| open == target).unwrap_or_default();
                        faults.push(self.cycle_fault(&stack[from..], file, index));
                    }
                }
            }
        }
        order
    }

    fn cycle_fault(&self, cycle: &[(usize, usize)], file: usize, dependency: usize) -> Fault {
        let mut names: Vec<&str> = cycle.iter().map(|&(open, _)| self.files[open].path.as_str()).collect();
        names.push(names[0]);
        let plain = self.files[file].dependencies.iter().filter(|d| !d.option).count();
        let place = if dependency < plain {
            vec![3, dependency as i32]
        } else {
            vec![15, (dependency - plain) as i32]
        };
        Fault::error(
            FileId(file as u32),
            "import-cycle",
            place,
            format!("import cycle: {}", names.join(" -> ")),
        )
    }

    /// Works out which files and packages each file sees. Call after [`DescriptorPool::connect`].
    pub fn see(&mut self) {
        for index in 0..self.files.len() {
            let mut visible = vec![FileId(index as u32)];
            let mut option_visible = Vec::new();
            for dependency in &self.files[index].dependencies {
                let Some(target) = dependency.file else { continue };
                let list = if dependency.option { &mut option_visible } else { &mut visible };
                list.push(target);
            }
            self.files[index].visible = self.publicly(visible);
            self.files[index].option_visible = self.publicly(option_visible);
        }
    }

    // Everything reachable from `seeds` through public imports, sorted.
    fn publicly(&self, mut queue: Vec<FileId>) -> Vec<FileId> {
        queue.sort_unstable();
        queue.dedup();
        // The usual case: no public imports in sight.
        let own_public = |id: &FileId| self.files[id.index()].dependencies.iter().any(|d| d.public);
        if !queue.iter().any(own_public) {
            return queue;
        }
        let mut seen: alloc::collections::BTreeSet<FileId> = queue.iter().copied().collect();
        while let Some(file) = queue.pop() {
            for dependency in self.files[file.index()].dependencies.iter().filter(|d| d.public) {
                if let Some(target) = dependency.file
                    && seen.insert(target)
                {
                    queue.push(target);
                }
            }
        }
        seen.into_iter().collect()
    }

    /// Enters the names of all files; reports names that are taken, malformed or too long.
    pub fn declare(&mut self, faults: &mut Vec<Fault>) {
        let total = self.files.iter().map(|f| {
            f.messages.len()
                + f.fields.len()
                + f.oneofs.len()
                + f.enums.len()
                + f.values.len()
                + f.methods.len()
                + f.services.len()
        });
        let total = total.sum();
        self.symbols.reserve(&self.files, total);
        for index in 0..self.files.len() {
            let id = FileId(index as u32);
            self.declare_package(id, faults);
        }
        for index in 0..self.files.len() {
            self.declare_file(FileId(index as u32), faults);
        }
        for index in 0..self.files.len() {
            let file = &self.files[index];
            let mut packages: Vec<SymbolId> = file
                .visible
                .iter()
                .chain(&file.option_visible)
                .flat_map(|id| self.files[id.index()].package_scopes.iter().copied())
                .collect();
            packages.sort_unstable();
            packages.dedup();
            self.files[index].visible_packages = packages;
        }
    }

    fn declare_package(&mut self, id: FileId, faults: &mut Vec<Fault>) {
        let file = &self.files[id.index()];
        if file.package().len() > MAX_PACKAGE_LEN {
            faults.push(Fault::error(
                id,
                "package-too-long",
                vec![2],
                format!("package name has {} bytes; the limit is {MAX_PACKAGE_LEN}", file.package().len()),
            ));
        }
        let parts = file.package_parts();
        if parts.len() > MAX_PACKAGE_PARTS {
            faults.push(Fault::error(
                id,
                "package-too-deep",
                vec![2],
                format!("package name has {} parts; the limit is {MAX_PACKAGE_PARTS}", parts.len()),
            ));
        }
        let mut scopes = Vec::with_capacity(parts.len());
        let mut parent = SymbolId::ROOT;
        for part in parts {
            let file = &self.files[id.index()];
            let text = file.text(part);
            check_name(id, text, || vec![2], faults);
            parent = match self.symbols.find(&self.files, parent, text) {
                Some(existing) => existing,
                // The parts of packages are entered before anything else, so nothing is in the way.
                None => match self.symbols.declare(&self.files, parent, part, SymbolKind::Package, id, 0) {
                    Ok(symbol) | Err((symbol, _)) => symbol,
                },
            };
            scopes.push(parent);
        }
        self.files[id.index()].package_scopes = scopes;
    }

    fn declare_file(&mut self, id: FileId, faults: &mut Vec<Fault>) {
        // The tables are moved out so that names can be entered while they are updated; the names
        // themselves stay reachable through the arena, which is what comparing needs.
        let scope = self.scope_of_file(id);
        let counts = {
            let file = &self.files[id.index()];
            (file.messages.len(), file.enums.len(), file.services.len(), file.fields.len(), file.oneofs.len())
        };
        for index in 0..counts.0 {
            let message = &self.files[id.index()].messages[index];
            let parent = message.parent.map_or(scope, |p| self.files[id.index()].messages[p as usize].symbol);
            let name = message.name;
            let symbol = self.enter(id, parent, name, SymbolKind::Message, index, faults);
            self.files[id.index()].messages[index].symbol = symbol;
        }
        for index in 0..counts.1 {
            let entry = &self.files[id.index()].enums[index];
            let parent = entry.parent.map_or(scope, |p| self.files[id.index()].messages[p as usize].symbol);
            let (name, values) = (entry.name, entry.values.clone());
            let symbol = self.enter(id, parent, name, SymbolKind::Enum, index, faults);
            self.files[id.index()].enums[index].symbol = symbol;
            // Values live beside their enum, not in it.
            for value in values {
                let name = self.files[id.index()].values[value as usize].name;
                let symbol = self.enter(id, parent, name, SymbolKind::EnumValue, value as usize, faults);
                self.files[id.index()].values[value as usize].symbol = symbol;
            }
        }
        for index in 0..counts.2 {
            let entry = &self.files[id.index()].services[index];
            let (name, methods) = (entry.name, entry.methods.clone());
            let symbol = self.enter(id, scope, name, SymbolKind::Service, index, faults);
            self.files[id.index()].services[index].symbol = symbol;
            for method in methods {
                let name = self.files[id.index()].methods[method as usize].name;
                let symbol = self.enter(id, symbol, name, SymbolKind::Method, method as usize, faults);
                self.files[id.index()].methods[method as usize].symbol = symbol;
            }
        }
        for index in 0..counts.3 {
            let entry = &self.files[id.index()].fields[index];
            let parent = entry.parent.map_or(scope, |p| self.files[id.index()].messages[p as usize].symbol);
            let name = entry.name;
            let symbol = self.enter(id, parent, name, SymbolKind::Field, index, faults);
            self.files[id.index()].fields[index].symbol = symbol;
        }
        for index in 0..counts.4 {
            let entry = &self.files[id.index()].oneofs[index];
            let parent = self.files[id.index()].messages[entry.parent as usize].symbol;
            let name = entry.name;
            let symbol = self.enter(id, parent, name, SymbolKind::Oneof, index, faults);
            self.files[id.index()].oneofs[index].symbol = symbol;
        }
    }

    pub(crate) fn scope_of_file(&self, id: FileId) -> SymbolId {
        self.files[id.index()].package_scopes.last().copied().unwrap_or(SymbolId::ROOT)
    }

    fn enter(
        &mut self,
        id: FileId,
        parent: SymbolId,
        name: Name,
        kind: SymbolKind,
        index: usize,
        faults: &mut Vec<Fault>,
    ) -> SymbolId {
        let file = &self.files[id.index()];
        check_name(id, file.text(name), || join(file.declaration(kind, index as u32), &[1]), faults);
        match self.symbols.declare(&self.files, parent, name, kind, id, index as u32) {
            Ok(symbol) => {
                // Thirty-two levels of names this short cannot exceed the limit.
                if name.1 > 1024 {
                    let mut len = self.symbols.full_name(&self.files, symbol).len();
                    let text = self.files[id.index()].text(name);
                    if kind == SymbolKind::Field && text.bytes().any(|b| b.is_ascii_uppercase()) {
                        // Its other spellings, in lower case, camel case and JSON, count as well.
                        len += 3 * (text.len() + 1);
                    }
                    if len > MAX_FULL_NAME_LEN {
                        faults.push(Fault::error(
                            id,
                            "name-too-long",
                            self.files[id.index()].declaration(kind, index as u32),
                            format!("full name has {len} bytes; the limit is {MAX_FULL_NAME_LEN}"),
                        ));
                    }
                }
                symbol
            }
            Err((symbol, existing)) => {
                faults.push(self.conflict(id, parent, symbol, existing));
                symbol
            }
        }
    }

    fn conflict(&self, id: FileId, parent: SymbolId, symbol: SymbolId, existing: SymbolId) -> Fault {
        let (new, old) = (self.symbols.get(symbol), self.symbols.get(existing));
        let file = &self.files[id.index()];
        let name = new.name(&self.files);
        let scope = self.symbols.full_name(&self.files, parent);
        let place = join(file.declaration(new.kind, new.index), &[1]);
        let scope_text = if scope.is_empty() { "the global scope".into() } else { format!("\"{scope}\"") };
        let code = if old.kind == SymbolKind::Package { "name-is-package" } else { "duplicate-name" };
        let message = if old.file == id {
            format!("{} \"{name}\" is already defined in {scope_text}", new.kind.noun())
        } else {
            let other = &self.files[old.file.index()].path;
            let full = self.symbols.full_name(&self.files, symbol);
            let what = if old.kind == SymbolKind::Package { " as a package" } else { "" };
            format!("\"{full}\" is already defined{what} in file \"{other}\"")
        };
        let old_file = &self.files[old.file.index()];
        let old_place = match old.kind {
            SymbolKind::Package => vec![2],
            kind => join(old_file.declaration(kind, old.index), &[1]),
        };
        let label = format!("{} \"{name}\" first defined here", old.kind.noun());
        let fault = Fault::error(id, code, place, message).related(old.file, old_place, label);
        if new.kind == SymbolKind::EnumValue {
            fault.help(format!(
                "enum values are siblings of their enum: \"{name}\" has to be unique in {scope_text}; \
                 prefix it with the name of its enum"
            ))
        } else {
            fault
        }
    }
}

impl File {
    /// Where the entry `index` of a kind's table is declared.
    pub(crate) fn declaration(&self, kind: SymbolKind, index: u32) -> Path {
        match kind {
            SymbolKind::Package => vec![2],
            SymbolKind::Message => self.message_declaration(index),
            SymbolKind::Field => self.field_path(index),
            SymbolKind::Oneof => self.oneof_declaration(index),
            SymbolKind::Enum => self.enum_path(index),
            SymbolKind::EnumValue => self.value_path(index),
            SymbolKind::Service => vec![6, index as i32],
            SymbolKind::Method => self.method_path(index),
        }
    }

    // The entry of a map is written nowhere; the map field stands for it.
    fn message_declaration(&self, index: u32) -> Path {
        match self.messages[index as usize].map_field {
            Some(field) => self.field_path(field),
            None => self.message_path(index),
        }
    }

    // Nor is the oneof of a proto3 `optional` field.
    fn oneof_declaration(&self, index: u32) -> Path {
        let oneof = &self.oneofs[index as usize];
        match oneof.first_field.filter(|_| oneof.synthetic) {
            Some(field) => self.field_path(field),
            None => self.oneof_path(index),
        }
    }
}

/// The place of import `index`, counted through plain imports and then option imports.
pub(crate) fn import_path(proto: &FileDescriptorProto, index: usize) -> Path {
    match index.checked_sub(proto.dependency.len()) {
        None => vec![3, index as i32],
        Some(index) => vec![15, index as i32],
    }
}

fn check_name(file: FileId, name: &str, place: impl Fn() -> Path, faults: &mut Vec<Fault>) {
    if name.is_empty() {
        faults.push(Fault::error(file, "missing-name", place(), "name is missing"));
    } else if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        faults.push(Fault::error(
            file,
            "invalid-name",
            place(),
            format!("{name:?} is not a valid identifier"),
        ));
    }
}

pub(crate) fn edition_is_known(edition: Edition) -> bool {
    super::Features::defaults(edition).is_some()
}
