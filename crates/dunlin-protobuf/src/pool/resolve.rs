//! What names stand for: the lookup rules of the language.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::declare::edition_is_known;
use super::fault::{Fault, Path};
use super::symbols::{SymbolId, SymbolKind};
use super::table::{Target, fields_in_order, join, messages_in_order};
use super::{DescriptorPool, EnumId, FieldId, FileId, MessageId, MessageView};
use crate::descriptor::{FieldDescriptorProto, FileDescriptorProto, Type};
use crate::names::edit_distance;

/// What the names in one file stand for; see [`DescriptorPool::resolve`].
#[derive(Clone, Debug, Default)]
pub struct Links {
    /// Per field: its type, what the type is, and what it extends.
    fields: Vec<(Type, Target, Option<MessageId>)>,
    methods: Vec<(Option<MessageId>, Option<MessageId>)>,
    /// The files whose symbols were found.
    pub used: BTreeSet<FileId>,
    /// Names that stand for nothing, or for the wrong thing.
    pub faults: Vec<Fault>,
}

/// A symbol as a lookup finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SymbolRef {
    /// A message type.
    Message(MessageId),
    /// An enum type.
    Enum(EnumId),
    /// A field or an extension.
    Field(FieldId),
    /// Anything else.
    Other,
}

/// Why a name was not found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookupFailure {
    /// Nothing that can be seen has this name.
    Undefined,
    /// It exists, but in a file that is not imported.
    NotImported {
        /// The full name that was found.
        name: String,
        /// The path of the file that has it.
        path: String,
    },
    /// The first part of the name was found in an inner scope, which lacks the rest.
    Shadowed {
        /// The full name that was looked for there.
        resolved: String,
    },
}

/// Looks names up on behalf of one file.
#[derive(Debug)]
pub struct Resolver<'p> {
    pool: &'p DescriptorPool,
    file: FileId,
    /// The files whose symbols were found.
    pub used: BTreeSet<FileId>,
    hidden: Option<SymbolId>,
    shadow: Option<(SymbolId, usize)>,
}

#[derive(Clone, Copy, PartialEq)]
enum Want {
    Types,
    Anything,
}

impl<'p> Resolver<'p> {
    /// The pool in which names are looked up.
    pub fn pool(&self) -> &'p DescriptorPool {
        self.pool
    }

    /// Finds what `name` stands for beside message `neighbour`: in the scope that holds it. Nothing
    /// in this pool stands beside a message of another one.
    pub fn find_beside(&mut self, name: &str, neighbour: MessageView<'p>) -> Option<SymbolRef> {
        if !core::ptr::eq(neighbour.pool(), self.pool) {
            return None;
        }
        let id = neighbour.id();
        let symbol = self.pool.files[id.file.index()].messages[id.index as usize].symbol;
        let scope = self.pool.symbols.get(symbol).parent;
        self.find_in(name, scope, Want::Anything).map(|symbol| self.pool.symbol_ref(symbol))
    }

    /// Looks up names that are written in `file`.
    pub fn new(pool: &'p DescriptorPool, file: FileId) -> Self {
        Self { pool, file, used: BTreeSet::new(), hidden: None, shadow: None }
    }

    /// Finds what `name` stands for when it is written inside message `scope`, or at the top of
    /// the file.
    ///
    /// # Errors
    /// Why nothing was found.
    pub fn find(&mut self, name: &str, scope: Option<MessageId>) -> Result<SymbolRef, LookupFailure> {
        let scope = match scope {
            Some(id) => self.pool.files[id.file.index()].messages[id.index as usize].symbol,
            None => self.pool.scope_of_file(self.file),
        };
        self.find_in(name, scope, Want::Anything)
            .map(|symbol| self.pool.symbol_ref(symbol))
            .ok_or_else(|| self.failure(name))
    }

    /// Finds a full name without a leading dot, among what the file can see.
    pub fn find_absolute(&mut self, name: &str) -> Option<SymbolRef> {
        let symbol = self.walk(SymbolId::ROOT, name)?;
        self.see(symbol).map(|symbol| self.pool.symbol_ref(symbol))
    }

    /// Marks a file as used, as if one of its symbols had been found.
    pub fn mark(&mut self, file: FileId) {
        self.used.insert(file);
    }

    fn find_in(&mut self, name: &str, scope: SymbolId, want: Want) -> Option<SymbolId> {
        self.hidden = None;
        self.shadow = None;
        if let Some(absolute) = name.strip_prefix('.') {
            let symbol = self.walk(SymbolId::ROOT, absolute)?;
            return self.see(symbol);
        }
        let (first, rest) = match name.split_once('.') {
            Some((first, rest)) => (first, Some(rest)),
            None => (name, None),
        };
        let mut scope = scope;
        while scope != SymbolId::ROOT {
            if let Some(found) = self.child(scope, first).and_then(|symbol| self.see(symbol)) {
                let kind = self.pool.symbols.get(found).kind;
                match rest {
                    // The innermost scope that has the first part decides about the rest.
                    Some(rest) if kind.is_aggregate() => {
                        let symbol = self.walk(found, rest).and_then(|symbol| self.see(symbol));
                        if symbol.is_none() {
                            self.shadow = Some((found, first.len()));
                        }
                        return symbol;
                    }
                    Some(_) => {}
                    None if want == Want::Types && !kind.is_type() => {}
                    None => return Some(found),
                }
            }
            scope = self.pool.symbols.get(scope).parent;
        }
        let symbol = self.walk(SymbolId::ROOT, name)?;
        self.see(symbol)
    }

    fn child(&self, scope: SymbolId, name: &str) -> Option<SymbolId> {
        self.pool.symbols.find(&self.pool.files, scope, name)
    }

    fn walk(&self, from: SymbolId, name: &str) -> Option<SymbolId> {
        name.split('.').try_fold(from, |scope, part| self.child(scope, part))
    }

    // A symbol counts only if the file imports the one that declares it.
    fn see(&mut self, symbol: SymbolId) -> Option<SymbolId> {
        let file = &self.pool.files[self.file.index()];
        let entry = self.pool.symbols.get(symbol);
        if entry.kind == SymbolKind::Package {
            if file.visible_packages.binary_search(&symbol).is_ok() {
                return Some(symbol);
            }
        } else if file.visible.binary_search(&entry.file).is_ok() {
            self.used.insert(entry.file);
            return Some(symbol);
        } else if file.option_visible.binary_search(&entry.file).is_ok() {
            self.used.insert(entry.file);
            // An option import brings option names, not types.
            if entry.kind == SymbolKind::Field {
                return Some(symbol);
            }
        }
        self.hidden = Some(symbol);
        None
    }

    fn failure(&self, name: &str) -> LookupFailure {
        let pool = self.pool;
        if let Some((scope, first_len)) = self.shadow {
            let resolved = format!(
                "{}{}",
                pool.symbols.full_name(&pool.files, scope),
                name.get(first_len..).unwrap_or_default()
            );
            return LookupFailure::Shadowed { resolved };
        }
        match self.hidden.map(|symbol| (symbol, pool.symbols.get(symbol))) {
            Some((symbol, entry)) if entry.kind != SymbolKind::Package => LookupFailure::NotImported {
                name: pool.symbols.full_name(&pool.files, symbol),
                path: pool.files[entry.file.index()].path.clone(),
            },
            _ => LookupFailure::Undefined,
        }
    }
}

impl DescriptorPool {
    /// Finds what the names in `proto`, which is `file`, stand for.
    pub fn resolve(&self, file: FileId, proto: &FileDescriptorProto) -> Links {
        let mut links = Links::default();
        let mut resolver = Resolver::new(self, file);
        let tables = &self.files[file.index()];
        let messages = messages_in_order(proto);
        let fields = fields_in_order(proto, &messages);
        if !edition_is_known(tables.edition) {
            let what = match proto.edition {
                Some(edition) => format!("edition {edition:?} is not supported"),
                None => format!("unknown syntax {:?}", proto.syntax.as_deref().unwrap_or_default()),
            };
            links.faults.push(Fault::error(file, "unknown-edition", vec![12], what));
        }
        links.fields.reserve(fields.len());
        // Extensions of the file stand first, as in the table.
        for (index, field) in fields.iter().enumerate() {
            let link = self.resolve_field(file, index as u32, field, &mut resolver, &mut links.faults);
            links.fields.push(link);
        }
        for (index, method) in proto.service.iter().flat_map(|s| &s.method).enumerate() {
            let scope = tables.services[tables.methods[index].parent as usize].symbol;
            let mut find = |name: Option<&str>, part: i32| {
                let place = || join(tables.method_path(index as u32), &[part]);
                self.resolve_message(file, name, scope, place, &mut resolver, &mut links.faults)
            };
            let input = find(method.input_type.as_deref(), 2);
            let output = find(method.output_type.as_deref(), 3);
            links.methods.push((input, output));
        }
        links.used = resolver.used;
        links
    }

    fn resolve_field(
        &self,
        file: FileId,
        index: u32,
        proto: &FieldDescriptorProto,
        resolver: &mut Resolver<'_>,
        faults: &mut Vec<Fault>,
    ) -> (Type, Target, Option<MessageId>) {
        let tables = &self.files[file.index()];
        let entry = &tables.fields[index as usize];
        let scope = match entry.parent {
            Some(parent) => tables.messages[parent as usize].symbol,
            None => self.scope_of_file(file),
        };
        let extendee = if entry.is_extension {
            let place = || join(tables.field_path(index), &[2]);
            match &proto.extendee {
                None => {
                    faults.push(Fault::error(
                        file,
                        "missing-extendee",
                        place(),
                        "extension does not say what it extends",
                    ));
                    None
                }
                Some(name) => self.resolve_message(file, Some(name), scope, place, resolver, faults),
            }
        } else {
            if proto.extendee.is_some() {
                let place = join(tables.field_path(index), &[2]);
                faults.push(Fault::error(
                    file,
                    "unexpected-extendee",
                    place,
                    "field of a message has an extendee",
                ));
            }
            None
        };
        let place = || join(tables.field_path(index), &[6]);
        let Some(name) = &proto.type_name else {
            if matches!(entry.ty, Type::TYPE_MESSAGE | Type::TYPE_GROUP | Type::TYPE_ENUM) || entry.ty.0 == 0
            {
                faults.push(Fault::error(
                    file,
                    "missing-type",
                    tables.field_path(index),
                    "field does not say its type",
                ));
            }
            return (entry.ty, Target::None, extendee);
        };
        let Some(symbol) = resolver.find_in(name, scope, Want::Types) else {
            faults.push(self.not_found(file, name, place(), resolver.failure(name), SymbolKind::is_type));
            return (entry.ty, Target::None, extendee);
        };
        let target = match self.symbol_ref(symbol) {
            SymbolRef::Message(id) => Target::Message(id),
            SymbolRef::Enum(id) => Target::Enum(id),
            SymbolRef::Field(_) | SymbolRef::Other => {
                let noun = self.symbols.get(symbol).kind.noun();
                faults.push(Fault::error(
                    file,
                    "not-a-type",
                    place(),
                    format!("\"{name}\" is a {noun}, not a type"),
                ));
                return (entry.ty, Target::None, extendee);
            }
        };
        let ty = match (entry.ty, target) {
            (Type(0), Target::Message(_)) => Type::TYPE_MESSAGE,
            (Type(0), Target::Enum(_)) => Type::TYPE_ENUM,
            (Type::TYPE_MESSAGE | Type::TYPE_GROUP, Target::Message(_)) => entry.ty,
            (Type::TYPE_ENUM, Target::Enum(_)) => entry.ty,
            (declared, _) => {
                let what = match declared {
                    Type::TYPE_MESSAGE | Type::TYPE_GROUP => "is not a message type",
                    Type::TYPE_ENUM => "is not an enum type",
                    _ => "is the type of a field that is declared to be a scalar",
                };
                faults.push(Fault::error(file, "not-a-type", place(), format!("\"{name}\" {what}")));
                return (entry.ty, Target::None, extendee);
            }
        };
        (ty, target, extendee)
    }

    fn resolve_message(
        &self,
        file: FileId,
        name: Option<&str>,
        scope: SymbolId,
        place: impl Fn() -> Path,
        resolver: &mut Resolver<'_>,
        faults: &mut Vec<Fault>,
    ) -> Option<MessageId> {
        let name = name.unwrap_or_default();
        let Some(symbol) = resolver.find_in(name, scope, Want::Anything) else {
            let failure = resolver.failure(name);
            faults.push(self.not_found(file, name, place(), failure, |kind| kind == SymbolKind::Message));
            return None;
        };
        let SymbolRef::Message(id) = self.symbol_ref(symbol) else {
            let noun = self.symbols.get(symbol).kind.noun();
            let article = if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
            let message = format!("\"{name}\" is {article} {noun}, not a message type");
            faults.push(Fault::error(file, "not-a-message", place(), message));
            return None;
        };
        Some(id)
    }

    fn not_found(
        &self,
        file: FileId,
        name: &str,
        place: Path,
        failure: LookupFailure,
        suits: impl Fn(SymbolKind) -> bool,
    ) -> Fault {
        let fault = |message| Fault::error(file, "undefined-name", place.clone(), message);
        match failure {
            LookupFailure::NotImported { name: found, path } => {
                fault(format!("\"{found}\" is defined in \"{path}\", which is not imported"))
                    .help(format!("add `import \"{path}\";`"))
            }
            LookupFailure::Shadowed { resolved } => fault(format!(
                "\"{name}\" is resolved to \"{resolved}\", which is not defined"
            ))
            .help(format!(
                "the innermost scope is searched first; write \".{name}\" to start from the outermost"
            )),
            LookupFailure::Undefined => {
                let fault = fault(format!("\"{name}\" is not defined"));
                match self.similar(file, name, suits) {
                    Some(similar) => fault.help(format!("did you mean \"{similar}\"?")).replacement(similar),
                    None => fault,
                }
            }
        }
    }

    // The visible name that differs least, if it differs by little.
    fn similar(&self, file: FileId, name: &str, suits: impl Fn(SymbolKind) -> bool) -> Option<String> {
        /// Names longer than this, and files with more symbols than this, are not searched.
        const MAX_LEN: usize = 64;
        const MAX_CANDIDATES: usize = 2_000;
        let wanted = name.rsplit('.').next().unwrap_or(name);
        if wanted.len() > MAX_LEN {
            return None;
        }
        let tables = &self.files[file.index()];
        let mut best: Option<(usize, SymbolId)> = None;
        let mut left = MAX_CANDIDATES;
        for &id in core::iter::once(&file).chain(tables.visible.iter().filter(|&&id| id != file)) {
            let other = &self.files[id.index()];
            let messages = other.messages.iter().filter(|m| !m.map_entry).map(|m| (m.name, m.symbol));
            let enums = other.enums.iter().map(|e| (e.name, e.symbol));
            for (candidate, symbol) in messages.chain(enums) {
                let kind = self.symbols.get(symbol).kind;
                let text = other.text(candidate);
                if !suits(kind) || text.len().abs_diff(wanted.len()) > 2 {
                    continue;
                }
                left -= 1;
                if left == 0 {
                    return None;
                }
                let distance = edit_distance(wanted, text);
                if distance <= (wanted.len() / 3).min(2) && best.is_none_or(|(least, _)| distance < least) {
                    best = Some((distance, symbol));
                }
            }
        }
        let (_, symbol) = best?;
        let full = self.symbols.full_name(&self.files, symbol);
        // As short as it may be written: without the file's own package.
        let package = tables.package();
        let short = full.strip_prefix(package).and_then(|rest| rest.strip_prefix('.'));
        Some(short.filter(|_| !package.is_empty()).map_or(full.clone(), str::to_owned))
    }

    /// Takes over what [`DescriptorPool::resolve`] found; returns its faults.
    pub fn set_links(&mut self, file: FileId, links: Links) -> Vec<Fault> {
        let mut faults = links.faults;
        let tables = &mut self.files[file.index()];
        for (entry, (ty, target, extendee)) in tables.fields.iter_mut().zip(links.fields) {
            entry.ty = ty;
            entry.target = target;
            entry.extendee = extendee;
        }
        for (entry, (input, output)) in tables.methods.iter_mut().zip(links.methods) {
            entry.input = input;
            entry.output = output;
        }
        self.index_extensions(file, &mut faults);
        faults
    }

    fn index_extensions(&mut self, file: FileId, faults: &mut Vec<Fault>) {
        for index in 0..self.files[file.index()].fields.len() as u32 {
            let field = &self.files[file.index()].fields[index as usize];
            let Some(extendee) = field.extendee else { continue };
            let (number, id) = (field.number, FieldId::new(file, index));
            let existing = *self.extensions.entry((extendee, number)).or_insert(id);
            if existing == id {
                continue;
            }
            let place = join(self.files[file.index()].field_path(index), &[3]);
            let extended = self.message_name(extendee);
            let other = self.field_name(existing);
            let other_file = &self.files[existing.file.index()];
            let message =
                format!("extension number {number} of \"{extended}\" is already used by \"{other}\"");
            // Between files it is only a warning: there are such schemas, and they never meet.
            let fault = if existing.file == file {
                Fault::error(file, "duplicate-extension-number", place, message)
            } else {
                Fault::warning(
                    file,
                    "duplicate-extension-number",
                    place,
                    format!("{message} in \"{}\"", other_file.path),
                )
            };
            let other_place = join(other_file.field_path(existing.index), &[3]);
            faults.push(fault.related(existing.file, other_place, "first used here"));
        }
    }

    pub(crate) fn symbol_ref(&self, symbol: SymbolId) -> SymbolRef {
        let entry = self.symbols.get(symbol);
        match entry.kind {
            SymbolKind::Message => SymbolRef::Message(MessageId { file: entry.file, index: entry.index }),
            SymbolKind::Enum => SymbolRef::Enum(EnumId { file: entry.file, index: entry.index }),
            SymbolKind::Field => SymbolRef::Field(FieldId { file: entry.file, index: entry.index }),
            _ => SymbolRef::Other,
        }
    }
}
