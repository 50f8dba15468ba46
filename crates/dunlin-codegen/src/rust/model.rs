//! What the schema's types are in Rust: paths, members, boxes.

mod layout;
mod paths;
mod services;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use dunlin_protobuf::descriptor::{Location, Utf8Validation};
use dunlin_protobuf::dynamic::DynamicPool;
use dunlin_protobuf::pool::{
    EnumId, EnumView, FieldKind, FieldView, FileId, FileView, MessageId, MessageView,
};
use dunlin_protobuf::table::{Kind, Shape, TableRef};

use super::names::{field, module, type_name, unique};
use super::options::{Outside, Rules, schema};
use super::well_known;
use layout::{borrowing, boxes, sorted};
use services::ServiceNames;
pub(super) use services::{CallKind, Rpc, Service, services};

/// Who owns strings, bytes and messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flavor {
    Owned,
    View,
}

/// Where a type is.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// Starts a path from the root of a crate; empty for what is generated here.
    external: Option<String>,
    pub(super) modules: Vec<String>,
    pub(super) name: String,
    /// The name of the view; `None` if the owned type borrows nothing and is its own view.
    pub(super) view: Option<String>,
}

impl Place {
    /// Moves the place to where an option says that it is.
    fn move_outside(&mut self, outside: Outside<'_>, full_name: &str, is_type: impl Fn(&str) -> bool) {
        let (prefix, path) = match outside {
            Outside::Root(path) => {
                self.external = Some(path.to_owned());
                return;
            }
            Outside::Below(prefix, path) => (prefix, path),
        };
        self.external = Some(match path.rsplit_once("::") {
            Some((around, name)) if prefix == full_name => {
                // The type is said by name: its view has the name beside it.
                self.name = name.to_owned();
                self.view = self.view.take().map(|_| format!("{name}View"));
                self.modules.clear();
                around.to_owned()
            }
            around_and_name => {
                // What the path already stands for is not said again.
                let skip = prefix.split('.').filter(|part| !part.is_empty()).count();
                self.modules = self.modules.split_off(skip.min(self.modules.len()));
                match around_and_name.filter(|_| is_type(prefix)) {
                    // What is declared in a type is in the module named like it.
                    Some((around, name)) => format!("{around}::{}", module(name)),
                    None => path.to_owned(),
                }
            }
        });
    }
}

/// One field of a message.
#[derive(Clone, Debug)]
pub(super) struct Field<'p> {
    pub(super) view: FieldView<'p>,
    pub(super) index: usize,
    pub(super) number: u32,
    pub(super) ident: String,
    /// How values are held, see [`Model::held_kind`].
    pub(super) kind: Kind,
    pub(super) shape: Shape,
    pub(super) boxed: bool,
    /// The scalar that stands in the place of the message that wraps it.
    pub(super) wrapped: Option<Kind>,
    /// Whether its strings, and those in it, are shared ones.
    pub(super) shared: bool,
    /// Whether its bytes, and those in it, are a `Vec`.
    pub(super) byte_vec: bool,
}

/// A oneof of a message.
#[derive(Clone, Debug)]
pub(super) struct Oneof {
    pub(super) in_schema: String,
    /// The member of the struct.
    pub(super) ident: String,
    /// The name of its enum in the message's module.
    pub(super) name: String,
    /// The name of its enum in views; `None` if nothing in it borrows.
    pub(super) view: Option<String>,
}

/// A message with its members.
#[derive(Clone, Debug)]
pub(super) struct Message<'p> {
    pub(super) view: MessageView<'p>,
    pub(super) table: TableRef,
    pub(super) fields: Vec<Field<'p>>,
    pub(super) oneofs: Vec<Oneof>,
    pub(super) unknown: String,
}

/// All types of a schema.
pub(super) struct Model<'p> {
    pub(super) pool: &'p Arc<DynamicPool>,
    pub(super) options: &'p Rules,
    messages: HashMap<MessageId, Place>,
    enums: HashMap<EnumId, Place>,
    boxed: HashMap<MessageId, Vec<bool>>,
    /// The module of each package.
    packages: HashMap<String, Vec<String>>,
    /// The module of what is declared inside a message.
    inner: HashMap<MessageId, Vec<String>>,
    /// The enums of a message's oneofs, and those of its view.
    oneofs: HashMap<MessageId, Vec<(String, Option<String>)>>,
    /// What the services of a file are called, in the order of declaration.
    services: HashMap<FileId, Vec<ServiceNames>>,
    /// Type names that are taken, by module.
    taken: HashMap<Vec<String>, Vec<String>>,
    /// Names of modules that are taken, by module.
    taken_modules: HashMap<Vec<String>, Vec<String>>,
    /// What has comments, by path: there are as many locations as there is to generate, and each
    /// search through all of them would make the whole quadratic.
    commented: HashMap<FileId, HashMap<&'p [i32], &'p Location>>,
}

impl<'p> Model<'p> {
    pub(super) fn new(pool: &'p Arc<DynamicPool>, options: &'p Rules) -> Self {
        let mut model = Self {
            pool,
            options,
            messages: HashMap::new(),
            enums: HashMap::new(),
            boxed: boxes(pool, options),
            packages: HashMap::new(),
            inner: HashMap::new(),
            oneofs: HashMap::new(),
            services: HashMap::new(),
            taken: HashMap::new(),
            taken_modules: HashMap::new(),
            commented: pool.descriptors().files().map(|file| (file.id(), commented(&file))).collect(),
        };
        let files = || pool.descriptors().files();
        // Packages first, then messages: what another file declares changes no package's module.
        let packages: BTreeSet<String> = files().map(|file| file.package().to_owned()).collect();
        for package in &packages {
            model.claim_package(package);
        }
        // Types first, then views, then oneofs and services: a type is called what the schema calls it.
        for file in files() {
            for message in file.messages().filter(|m| !m.is_map_entry()) {
                let modules = model.scope(&file, message.parent());
                let place = model.place(modules, message.name());
                model.messages.insert(message.id(), place);
            }
            for e in file.enums() {
                let modules = model.scope(&file, e.parent());
                let place = model.place(modules, e.name());
                model.enums.insert(e.id(), place);
            }
        }
        let borrowing = borrowing(pool, options);
        for message in files().flat_map(|file| file.messages()).filter(|m| borrowing.contains(&m.id())) {
            if let Some(place) = model.messages.get_mut(&message.id()) {
                let taken = model.taken.entry(place.modules.clone()).or_default();
                place.view = Some(unique(format!("{}View", place.name), taken));
            }
        }
        for message in files().flat_map(|file| file.messages()).filter(|m| !m.is_map_entry()) {
            model.name_oneofs(message, &borrowing);
        }
        model.name_services();
        model.move_outside();
        model
    }

    /// Moves the types that are elsewhere. Their names follow the same rules, below the path that leads
    /// there.
    fn move_outside(&mut self) {
        let own = well_known::Types::new(self.options);
        let is_type = |name: &str| self.pool.descriptors().message(name).is_some();
        for file in self.pool.descriptors().files() {
            let outside = |name: &str, outermost: &str| {
                let outside = self.options.outside(name, file.path());
                outside.or_else(|| own.outside(outermost))
            };
            let parent_name = |mut message: MessageView<'p>| {
                while let Some(parent) = message.parent() {
                    message = parent;
                }
                message.full_name()
            };
            for message in file.messages().filter(|m| !m.is_map_entry()) {
                let full_name = message.full_name();
                if let Some(outside) = outside(&full_name, &parent_name(message)) {
                    let place = self.messages.get_mut(&message.id()).expect("all messages have a place");
                    place.move_outside(outside, &full_name, is_type);
                }
            }
            for e in file.enums() {
                let full_name = e.full_name();
                let outermost = e.parent().map_or_else(|| full_name.clone(), parent_name);
                if let Some(outside) = outside(&full_name, &outermost) {
                    let place = self.enums.get_mut(&e.id()).expect("all enums have a place");
                    place.move_outside(outside, &full_name, is_type);
                }
            }
        }
    }

    /// True if nothing of a file is generated here.
    pub(super) fn is_file_outside(&self, file: &FileView<'p>) -> bool {
        let is_elsewhere = self.options.outside(file.package(), file.path()).is_some();
        if is_elsewhere || file.path() == schema::FILE {
            return true;
        }
        let (messages, enums) = top_level(file);
        let has_types = !messages.is_empty() || !enums.is_empty();
        let has_others = file.fields().any(|field| field.is_extension())
            || file.proto().is_some_and(|proto| !proto.service.is_empty());
        has_types
            && !has_others
            && messages.iter().all(|m| self.is_external(self.message_place(m.id())))
            && enums.iter().all(|e| self.is_external(self.enum_place(e.id())))
    }

    /// True if a message shows itself to what reads any message.
    pub(super) fn has_reflection(&self, message: &MessageView<'p>) -> bool {
        self.options.flag("reflection", &message.full_name()) != Some(false)
    }

    /// Gives a package, and those around it, a module each.
    fn claim_package(&mut self, package: &str) {
        if self.packages.contains_key(package) {
            return;
        }
        let modules = match package.rsplit_once('.') {
            _ if package.is_empty() => Vec::new(),
            None => self.claim_module(&[], package),
            Some((around, name)) => {
                self.claim_package(around);
                let around = self.packages[around].clone();
                self.claim_module(&around, name)
            }
        };
        self.packages.insert(package.to_owned(), modules);
    }

    /// A module of this name in another.
    fn claim_module(&mut self, parent: &[String], name: &str) -> Vec<String> {
        let mut modules = parent.to_vec();
        modules.push(unique(module(name), self.taken_modules.entry(parent.to_vec()).or_default()));
        modules
    }

    /// The module that holds what is declared in a message, or in a file outside messages.
    fn scope(&mut self, file: &FileView<'p>, message: Option<MessageView<'p>>) -> Vec<String> {
        let Some(message) = message else { return self.packages[file.package()].clone() };
        if let Some(known) = self.inner.get(&message.id()) {
            return known.clone();
        }
        let parent = self.scope(file, message.parent());
        let modules = self.claim_module(&parent, message.name());
        self.inner.insert(message.id(), modules.clone());
        modules
    }

    fn place(&mut self, modules: Vec<String>, name: &str) -> Place {
        let name = unique(type_name(name), self.taken.entry(modules.clone()).or_default());
        Place { external: None, modules, name, view: None }
    }

    fn name_oneofs(&mut self, message: MessageView<'p>, borrowing: &HashSet<MessageId>) {
        let table = self.pool.message(&message.full_name()).expect("the pool has all its messages");
        let modules = self.scope(&message.file(), Some(message));
        let taken = self.taken.entry(modules).or_default();
        let has_view = borrowing.contains(&message.id());
        let mut names = Vec::new();
        while let Some(name) = table.oneof_name(names.len() as u16) {
            let this = Shape::Oneof(names.len() as u16);
            let borrows = sorted(&message).iter().zip(table.fields()).any(|(field, entry)| {
                entry.cardinality() == this
                    && match field.kind() {
                        FieldKind::Message(m) => borrowing.contains(&m.id()),
                        _ => matches!(entry.kind(), Kind::String | Kind::Bytes),
                    }
            });
            let name = unique(type_name(name), taken);
            let view = (borrows && has_view).then(|| unique(format!("{name}View"), taken));
            names.push((name, view));
        }
        self.oneofs.insert(message.id(), names);
    }

    /// The module of a package.
    pub(super) fn package_module(&self, package: &str) -> &[String] {
        self.packages.get(package).map_or(&[], Vec::as_slice)
    }

    /// A name for a constant beside the types of a module, whose constructors are values too.
    pub(super) fn constant_name(&self, wanted: String, module: &[String], taken: &mut Vec<String>) -> String {
        let types = self.taken.get(module).map_or(&[][..], Vec::as_slice);
        taken.extend(types.iter().filter(|name| **name == wanted).cloned());
        unique(wanted, taken)
    }

    pub(super) fn message_place(&self, id: MessageId) -> &Place {
        &self.messages[&id]
    }

    pub(super) fn enum_place(&self, id: EnumId) -> &Place {
        &self.enums[&id]
    }

    /// True for a well-known type that the runtime has.
    pub(super) fn is_of_runtime(&self, place: &Place) -> bool {
        place.external.as_deref().is_some_and(|path| path == format!("{}::wkt", self.options.runtime()))
    }

    /// True for a type that another crate has.
    pub(super) fn is_external(&self, place: &Place) -> bool {
        place.external.is_some()
    }

    /// A message with its members.
    pub(super) fn message(&self, view: MessageView<'p>) -> Message<'p> {
        let table = self.pool.message(&view.full_name()).expect("the pool has all its messages");
        let mut views: Vec<_> = view.fields().collect();
        views.sort_by_key(FieldView::number);
        let boxed = self.boxed.get(&view.id());
        let mut taken = Vec::new();
        let mut fields: Vec<Field<'p>> = Vec::new();
        let mut variants: HashMap<u16, Vec<String>> = HashMap::new();
        for (index, (view, entry)) in views.into_iter().zip(table.fields()).enumerate() {
            let ident = match entry.cardinality() {
                // A member of a oneof is a variant.
                Shape::Oneof(oneof) => unique(type_name(view.name()), variants.entry(oneof).or_default()),
                _ => unique(field(view.name()), &mut taken),
            };
            let wrapped = self.wrapped(&view);
            let is_on =
                |option| wrapped.is_none() && self.options.flag(option, &view.full_name()) == Some(true);
            let (shared, byte_vec) = (is_on("shared_strings"), is_on("byte_vec"));
            fields.push(Field {
                view,
                index,
                number: entry.number(),
                ident,
                kind: self.held_kind(&view, &view),
                shape: entry.cardinality(),
                boxed: wrapped.is_none() && boxed.is_some_and(|boxed| boxed[index]),
                wrapped,
                shared,
                byte_vec,
            });
        }
        let mut oneofs = Vec::new();
        for (index, (name, view)) in self.oneofs[&view.id()].iter().cloned().enumerate() {
            let in_schema = table.oneof_name(index as u16).expect("the names were made from the table");
            let ident = unique(field(in_schema), &mut taken);
            oneofs.push(Oneof { in_schema: in_schema.to_owned(), ident, name, view });
        }
        let unknown = unique("unknown_fields".into(), &mut taken);
        Message { view, table, fields, oneofs, unknown }
    }

    /// How the values of a field, or of a part of the map field `of`, are held: as the schema says, but text that need
    /// not be UTF-8 is bytes if the options want that.
    pub(super) fn held_kind(&self, view: &FieldView<'p>, of: &FieldView<'p>) -> Kind {
        match kind_of(view) {
            Kind::String
                if view.features().utf8_validation == Utf8Validation::NONE
                    && self.options.flag("raw_strings", &of.full_name()) == Some(true) =>
            {
                Kind::Bytes
            }
            kind => kind,
        }
    }

    /// The kind of scalar in the wrapper of the runtime that a field holds, if it is to be that scalar.
    fn wrapped(&self, view: &FieldView<'p>) -> Option<Kind> {
        let FieldKind::Message(message) = view.kind() else { return None };
        if view.is_repeated() || self.options.flag("wrappers", &view.full_name()) != Some(true) {
            return None;
        }
        let full_name = message.full_name();
        if self.options.outside(&full_name, message.file().path()).is_some()
            || !self.options.has_runtime_types()
        {
            return None;
        }
        well_known::wrapped(&full_name)
    }

    /// Where the comments are of what is at `path` of a file; `None` if it has none.
    pub(super) fn comments_at(&self, file: FileId, path: &[i32]) -> Option<&'p Location> {
        self.commented.get(&file)?.get(path).copied()
    }

    /// The module of what is declared inside a message.
    pub(super) fn inner_module(&self, view: MessageView<'p>) -> &[String] {
        &self.inner[&view.id()]
    }

    /// The path of a oneof's enum from the message's own module.
    pub(super) fn oneof_path(&self, message: &Message<'p>, oneof: &Oneof, flavor: Flavor) -> String {
        let inner = self.inner_module(message.view).last().expect("the module of a message has a name");
        match (&oneof.view, flavor) {
            (Some(view), Flavor::View) => format!("{inner}::{view}"),
            _ => format!("{inner}::{}", oneof.name),
        }
    }
}

/// The locations of a file that have comments, by path; the first where several have the same.
fn commented<'p>(file: &FileView<'p>) -> HashMap<&'p [i32], &'p Location> {
    let info = file.proto().and_then(|proto| proto.source_code_info.as_deref());
    let mut found = HashMap::new();
    for location in info.iter().flat_map(|info| &info.location) {
        if location.leading_comments.is_some() || location.trailing_comments.is_some() {
            found.entry(location.path.as_slice()).or_insert(location);
        }
    }
    found
}

/// Key and value of a map field.
pub(super) fn entry<'p>(field: &FieldView<'p>) -> (FieldView<'p>, FieldView<'p>) {
    let FieldKind::Message(entry) = field.kind() else { unreachable!("a map field has an entry type") };
    let (key, value) = (entry.field("key"), entry.field("value"));
    (key.expect("an entry has a key"), value.expect("an entry has a value"))
}

/// The type of a field by number.
pub(super) fn kind_of(field: &FieldView<'_>) -> Kind {
    match field.kind() {
        FieldKind::Message(_) if field.is_delimited() => Kind::Group,
        FieldKind::Message(_) => Kind::Message,
        FieldKind::Enum(_) => Kind::Enum,
        FieldKind::Scalar(ty) => Kind::from_type(ty),
        FieldKind::Unresolved => unreachable!("the pool linked every type"),
    }
}

/// All enums and messages of the file that are declared outside messages.
pub(super) fn top_level<'p>(file: &FileView<'p>) -> (Vec<MessageView<'p>>, Vec<EnumView<'p>>) {
    let messages = file.messages().filter(|m| m.parent().is_none()).collect();
    let enums = file.enums().filter(|e| e.parent().is_none()).collect();
    (messages, enums)
}
