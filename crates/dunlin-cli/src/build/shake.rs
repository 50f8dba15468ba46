//! `--type` and `--exclude-type`: some types of a descriptor set, and what they need.

mod options;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use dunlin_protobuf::UnknownFields;
use dunlin_protobuf::descriptor::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet,
    MethodDescriptorProto, ServiceDescriptorProto, SourceCodeInfo,
};
use dunlin_protobuf::names::closest;

/// Keeps the named types, services, methods, extensions or packages, and everything they refer to; all that there
/// is if none are named. Leaves out what is excluded, and the fields and methods that need it.
pub(crate) fn keep(set: &mut FileDescriptorSet, names: &[String], excluded: &[String]) -> Result<(), String> {
    // Before it is asked what is needed: the value of an option may need types and imports.
    let excluded = exclude(set, excluded)?;
    let kept = {
        let index = Index::new(set);
        let mut closure = Closure {
            index: &index,
            excluded: &excluded,
            kept: HashSet::new(),
            used: HashMap::new(),
            queue: Vec::new(),
        };
        for name in names {
            let elements = index.named(name)?;
            if let [element] = elements.as_slice()
                && excluded.contains(*element)
            {
                return Err(format!("type \"{element}\" is to be kept and left out"));
            }
            elements.into_iter().for_each(|element| closure.need(element, None));
        }
        if names.is_empty() {
            index.elements.keys().for_each(|element| closure.need(element, None));
        }
        closure.run();
        let names = closure.kept.iter().map(|n| (*n).to_owned()).collect();
        let used = owned(&closure.used);
        Kept { names, used, excluded }
    };
    let mut pruners = Vec::with_capacity(set.file.len());
    for mut file in std::mem::take(&mut set.file) {
        let is_empty = |file: &FileDescriptorProto| {
            file.message_type.is_empty()
                && file.enum_type.is_empty()
                && file.service.is_empty()
                && file.extension.is_empty()
        };
        let was_empty = is_empty(&file);
        let mut pruner = Pruner { kept: &kept, moved: HashMap::new() };
        pruner.elements(&mut file);
        if !is_empty(&file) || (was_empty && names.is_empty()) {
            pruners.push(pruner);
            set.file.push(file);
        }
    }
    let files: HashSet<String> = set.file.iter().filter_map(|file| file.name.clone()).collect();
    for (file, mut pruner) in set.file.iter_mut().zip(pruners) {
        pruner.imports(file, &files);
        if let Some(info) = &mut file.source_code_info {
            pruner.source_info(info);
        }
    }
    Ok(())
}

/// Takes the values of options that are excluded out of the set, and returns all that is.
fn exclude(set: &mut FileDescriptorSet, names: &[String]) -> Result<HashSet<String>, String> {
    if names.is_empty() {
        return Ok(HashSet::new());
    }
    let index = Index::new(set);
    let excluded = excluded_elements(&index, names)?;
    let numbers = excluded_options(&index, &excluded);
    if !numbers.is_empty() {
        set.file.iter_mut().for_each(|file| options::strip(file, &numbers));
    }
    Ok(excluded)
}

/// What is left out: what is named, all in it, and what cannot be without it.
fn excluded_elements(index: &Index<'_>, names: &[String]) -> Result<HashSet<String>, String> {
    let mut excluded = HashSet::new();
    for name in names {
        for element in index.named(name)? {
            let inner = format!("{element}.");
            excluded.extend(index.elements.keys().filter(|other| other.starts_with(&inner)).cloned());
            excluded.insert(element.to_owned());
        }
    }
    // Nothing needs one of these but fields, so once is enough.
    let is_excluded = |name: &Option<String>| excluded.contains(full(name.as_deref()));
    let mut more = Vec::new();
    for (name, (element, _)) in &index.elements {
        let cannot_be = match element {
            Element::Message(message) => {
                let is_entry =
                    message.options.as_ref().is_some_and(|options| options.map_entry == Some(true));
                is_entry && message.field.iter().any(|field| is_excluded(&field.type_name))
            }
            Element::Method(method, _) => is_excluded(&method.input_type) || is_excluded(&method.output_type),
            Element::Extension(field) => is_excluded(&field.extendee) || is_excluded(&field.type_name),
            Element::Enum(_) | Element::Service(_) => false,
        };
        if cannot_be {
            more.push(name.clone());
        }
    }
    excluded.extend(more);
    Ok(excluded)
}

/// The numbers of custom options that are left out.
fn excluded_options(index: &Index<'_>, excluded: &HashSet<String>) -> options::Numbers {
    let mut numbers = options::Numbers::new();
    for (extended, extensions) in &index.extensions {
        let Some(kind) = extended.strip_prefix("google.protobuf.") else { continue };
        let gone = extensions.iter().filter(|(_, name)| excluded.contains(*name));
        for (number, _) in gone {
            numbers.entry(kind.to_owned()).or_default().insert(*number as u32);
        }
    }
    numbers
}

fn owned(used: &HashMap<&str, BTreeSet<&str>>) -> HashMap<String, BTreeSet<String>> {
    used.iter()
        .map(|(file, others)| ((*file).to_owned(), others.iter().map(|o| (*o).to_owned()).collect()))
        .collect()
}

#[derive(Clone, Copy)]
enum Element<'s> {
    Message(&'s DescriptorProto),
    Enum(&'s EnumDescriptorProto),
    Service(&'s ServiceDescriptorProto),
    Method(&'s MethodDescriptorProto, &'s ServiceDescriptorProto),
    Extension(&'s FieldDescriptorProto),
}

struct Index<'s> {
    /// Full name to element and path of its file.
    elements: HashMap<String, (Element<'s>, &'s str)>,
    /// Extended message to the numbers and names of its extensions.
    extensions: HashMap<String, BTreeMap<i32, String>>,
    files: HashMap<&'s str, &'s FileDescriptorProto>,
}

fn joined(scope: &str, name: Option<&str>) -> String {
    let name = name.unwrap_or_default();
    if scope.is_empty() { name.to_owned() } else { format!("{scope}.{name}") }
}

fn full(name: Option<&str>) -> &str {
    name.unwrap_or_default().trim_start_matches('.')
}

impl<'s> Index<'s> {
    fn new(set: &'s FileDescriptorSet) -> Self {
        let mut index = Self { elements: HashMap::new(), extensions: HashMap::new(), files: HashMap::new() };
        for file in &set.file {
            let path = file.name.as_deref().unwrap_or_default();
            let package = file.package.as_deref().unwrap_or_default();
            index.files.insert(path, file);
            let mut queue: Vec<(String, &DescriptorProto)> =
                file.message_type.iter().map(|m| (package.to_owned(), m)).collect();
            while let Some((scope, message)) = queue.pop() {
                let name = joined(&scope, message.name.as_deref());
                index.enums(&name, &message.enum_type, path);
                index.extend(&name, &message.extension, path);
                queue.extend(message.nested_type.iter().map(|m| (name.clone(), m)));
                index.elements.insert(name, (Element::Message(message), path));
            }
            index.enums(package, &file.enum_type, path);
            index.extend(package, &file.extension, path);
            for service in &file.service {
                let name = joined(package, service.name.as_deref());
                for method in &service.method {
                    index.elements.insert(
                        joined(&name, method.name.as_deref()),
                        (Element::Method(method, service), path),
                    );
                }
                index.elements.insert(name, (Element::Service(service), path));
            }
        }
        index
    }

    fn enums(&mut self, scope: &str, enums: &'s [EnumDescriptorProto], path: &'s str) {
        for entry in enums {
            self.elements.insert(joined(scope, entry.name.as_deref()), (Element::Enum(entry), path));
        }
    }

    fn extend(&mut self, scope: &str, extensions: &'s [FieldDescriptorProto], path: &'s str) {
        for extension in extensions {
            let name = joined(scope, extension.name.as_deref());
            let extended = full(extension.extendee.as_deref()).to_owned();
            let number = extension.number.unwrap_or_default();
            self.extensions.entry(extended).or_default().insert(number, name.clone());
            self.elements.insert(name, (Element::Extension(extension), path));
        }
    }
}

impl Index<'_> {
    /// What a name stands for: one element, or all of a package; with `.**`, of inner packages too.
    fn named(&self, name: &str) -> Result<Vec<&str>, String> {
        let name = name.strip_prefix('.').unwrap_or(name);
        if let Some((name, _)) = self.elements.get_key_value(name) {
            return Ok(vec![name]);
        }
        let is_meant = |element: &str, path: &str| match name.strip_suffix(".**") {
            // The element itself and everything below its name.
            Some(base) => {
                element.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            }
            None => {
                let package = name.strip_suffix(".*").unwrap_or(name);
                self.files[path].package.as_deref() == Some(package)
            }
        };
        let elements = self.elements.iter().filter(|(element, (_, path))| is_meant(element, path));
        let found: Vec<&str> = elements.map(|(element, _)| element.as_str()).collect();
        if !found.is_empty() {
            return Ok(found);
        }
        let names = self.elements.keys().map(String::as_str);
        let hint = closest(name, names).map(|n| format!("; did you mean \"{n}\"?")).unwrap_or_default();
        Err(format!("type \"{name}\" is not in the input{hint}"))
    }
}

struct Closure<'i, 's> {
    index: &'i Index<'s>,
    excluded: &'i HashSet<String>,
    kept: HashSet<&'i str>,
    /// Per file, the files whose elements it needs.
    used: HashMap<&'i str, BTreeSet<&'i str>>,
    queue: Vec<&'i str>,
}

impl<'i, 's: 'i> Closure<'i, 's> {
    fn need(&mut self, name: &str, by: Option<&'i str>) {
        let Some((name, (_, path))) = self.index.elements.get_key_value(name) else { return };
        if self.excluded.contains(name) {
            return;
        }
        if let Some(by) = by
            && by != *path
        {
            self.used.entry(by).or_default().insert(path);
        }
        if self.kept.insert(name) {
            self.queue.push(name);
        }
    }

    fn run(&mut self) {
        while let Some(name) = self.queue.pop() {
            let (element, path) = self.index.elements[name];
            match element {
                Element::Message(message) => {
                    for field in &message.field {
                        self.field(field, path);
                    }
                    self.extensions(name, path);
                    self.options("MessageOptions", message.options.as_ref().map(|o| &o.unknown_fields), path);
                    for oneof in &message.oneof_decl {
                        self.options("OneofOptions", oneof.options.as_ref().map(|o| &o.unknown_fields), path);
                    }
                    for range in &message.extension_range {
                        self.options(
                            "ExtensionRangeOptions",
                            range.options.as_ref().map(|o| &o.unknown_fields),
                            path,
                        );
                    }
                }
                Element::Enum(entry) => {
                    self.options("EnumOptions", entry.options.as_ref().map(|o| &o.unknown_fields), path);
                    for value in &entry.value {
                        self.options(
                            "EnumValueOptions",
                            value.options.as_ref().map(|o| &o.unknown_fields),
                            path,
                        );
                    }
                }
                Element::Service(service) => {
                    self.options("ServiceOptions", service.options.as_ref().map(|o| &o.unknown_fields), path);
                    for method in &service.method {
                        let method = joined(name, method.name.as_deref());
                        self.need(&method, Some(path));
                    }
                }
                Element::Method(method, service) => {
                    // The service stands around the methods that are kept, without its others.
                    self.options("ServiceOptions", service.options.as_ref().map(|o| &o.unknown_fields), path);
                    self.need(full(method.input_type.as_deref()), Some(path));
                    self.need(full(method.output_type.as_deref()), Some(path));
                    self.options("MethodOptions", method.options.as_ref().map(|o| &o.unknown_fields), path);
                }
                Element::Extension(extension) => {
                    self.need(full(extension.extendee.as_deref()), Some(path));
                    self.field(extension, path);
                }
            }
            let options = self.index.files[path].options.as_ref();
            self.options("FileOptions", options.map(|o| &o.unknown_fields), path);
        }
    }

    fn field(&mut self, field: &'s FieldDescriptorProto, path: &'i str) {
        if let Some(name) = &field.type_name {
            self.need(full(Some(name)), Some(path));
        }
        self.options("FieldOptions", field.options.as_ref().map(|o| &o.unknown_fields), path);
    }

    // What extends a message is part of it, but a custom option is needed only where it is set.
    fn extensions(&mut self, message: &str, path: &str) {
        if path == "google/protobuf/descriptor.proto" {
            return;
        }
        for extension in self.index.extensions.get(message).into_iter().flat_map(BTreeMap::values) {
            self.need(extension, None);
        }
    }

    // Custom options need the extensions that declare them.
    fn options(&mut self, message: &str, unknown: Option<&UnknownFields>, path: &'i str) {
        let Some(unknown) = unknown else { return };
        let Some(extensions) = self.index.extensions.get(&format!("google.protobuf.{message}")) else {
            return;
        };
        let mut reader = unknown.reader();
        while let Ok(Some(tag)) = reader.tag() {
            if let Some(extension) = extensions.get(&(tag.number as i32)) {
                self.need(extension, Some(path));
            }
            if reader.skip(tag).is_err() {
                return;
            }
        }
    }
}

struct Kept {
    names: HashSet<String>,
    used: HashMap<String, BTreeSet<String>>,
    excluded: HashSet<String>,
}

impl Kept {
    fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }
}

/// Takes out of a file what is not kept.
struct Pruner<'k> {
    kept: &'k Kept,
    /// Old paths of elements to their new ones; `None` for those that are gone.
    moved: HashMap<Vec<i32>, Option<Vec<i32>>>,
}

impl Pruner<'_> {
    fn elements(&mut self, file: &mut FileDescriptorProto) {
        let package = file.package.clone().unwrap_or_default();
        self.messages(&package, &mut file.message_type, (&[], 4), (&[], 4));
        self.enums(&package, &mut file.enum_type, (&[], 5), (&[], 5));
        self.extensions(&package, &mut file.extension, (&[], 7), (&[], 7));
        self.services(&package, &mut file.service);
    }

    fn place(&mut self, (old_base, old_field): (&[i32], i32), old: usize, new: Option<(&[i32], i32, usize)>) {
        let old = [old_base, &[old_field, old as i32]].concat();
        let new = new.map(|(base, field, index)| [base, &[field, index as i32]].concat());
        self.moved.insert(old, new);
    }

    fn messages(
        &mut self,
        scope: &str,
        messages: &mut Vec<DescriptorProto>,
        old: (&[i32], i32),
        new: (&[i32], i32),
    ) {
        let mut kept = Vec::new();
        for (index, mut message) in std::mem::take(messages).into_iter().enumerate() {
            let name = joined(scope, message.name.as_deref());
            let old_path = [old.0, &[old.1, index as i32]].concat();
            let new_path = [new.0, &[new.1, kept.len() as i32]].concat();
            self.messages(&name, &mut message.nested_type, (&old_path, 3), (&new_path, 3));
            self.enums(&name, &mut message.enum_type, (&old_path, 4), (&new_path, 4));
            self.extensions(&name, &mut message.extension, (&old_path, 6), (&new_path, 6));
            let is_kept = self.kept.has(&name);
            let holds_kept = !message.nested_type.is_empty()
                || !message.enum_type.is_empty()
                || !message.extension.is_empty();
            if !is_kept && !holds_kept {
                self.place(old, index, None);
                continue;
            }
            if !is_kept {
                // Only a namespace for what is in it.
                for (field, count) in [
                    (2, message.field.len()),
                    (5, message.extension_range.len()),
                    (8, message.oneof_decl.len()),
                    (9, message.reserved_range.len()),
                    (10, message.reserved_name.len()),
                ] {
                    self.moved.insert([&old_path[..], &[field]].concat(), None);
                    (0..count).for_each(|gone| self.place((&old_path, field), gone, None));
                }
                message.field.clear();
                message.oneof_decl.clear();
                message.extension_range.clear();
                message.reserved_range.clear();
                message.reserved_name.clear();
                message.options = None;
            }
            if !self.kept.excluded.is_empty() {
                self.fields(&mut message, &old_path, &new_path);
            }
            self.place(old, index, Some((new.0, new.1, kept.len())));
            kept.push(message);
        }
        *messages = kept;
    }

    /// Takes out the fields whose types are left out, and oneofs that have no fields then.
    fn fields(&mut self, message: &mut DescriptorProto, old: &[i32], new: &[i32]) {
        let mut kept = Vec::new();
        for (index, field) in std::mem::take(&mut message.field).into_iter().enumerate() {
            if self.kept.excluded.contains(full(field.type_name.as_deref())) {
                self.place((old, 2), index, None);
            } else {
                self.place((old, 2), index, Some((new, 2, kept.len())));
                kept.push(field);
            }
        }
        message.field = kept;
        let mut oneofs = Vec::new();
        for (index, oneof) in std::mem::take(&mut message.oneof_decl).into_iter().enumerate() {
            let mut members =
                message.field.iter_mut().filter(|field| field.oneof_index == Some(index as i32)).peekable();
            if members.peek().is_none() {
                self.place((old, 8), index, None);
                continue;
            }
            members.for_each(|field| field.oneof_index = Some(oneofs.len() as i32));
            self.place((old, 8), index, Some((new, 8, oneofs.len())));
            oneofs.push(oneof);
        }
        message.oneof_decl = oneofs;
    }

    fn enums(
        &mut self,
        scope: &str,
        enums: &mut Vec<EnumDescriptorProto>,
        old: (&[i32], i32),
        new: (&[i32], i32),
    ) {
        self.retain(enums, old, new, |entry| joined(scope, entry.name.as_deref()));
    }

    fn extensions(
        &mut self,
        scope: &str,
        extensions: &mut Vec<FieldDescriptorProto>,
        old: (&[i32], i32),
        new: (&[i32], i32),
    ) {
        self.retain(extensions, old, new, |field| joined(scope, field.name.as_deref()));
    }

    fn services(&mut self, package: &str, services: &mut Vec<ServiceDescriptorProto>) {
        let mut kept: Vec<ServiceDescriptorProto> = Vec::new();
        for (index, mut service) in std::mem::take(services).into_iter().enumerate() {
            let name = joined(package, service.name.as_deref());
            let (old, new) = ([6, index as i32], [6, kept.len() as i32]);
            self.retain(&mut service.method, (&old, 2), (&new, 2), |method| {
                joined(&name, method.name.as_deref())
            });
            if self.kept.has(&name) || !service.method.is_empty() {
                self.place((&[], 6), index, Some((&[], 6, kept.len())));
                kept.push(service);
            } else {
                self.place((&[], 6), index, None);
            }
        }
        *services = kept;
    }

    fn retain<T>(
        &mut self,
        items: &mut Vec<T>,
        old: (&[i32], i32),
        new: (&[i32], i32),
        name: impl Fn(&T) -> String,
    ) {
        let mut kept = Vec::new();
        for (index, item) in std::mem::take(items).into_iter().enumerate() {
            if self.kept.has(&name(&item)) {
                self.place(old, index, Some((new.0, new.1, kept.len())));
                kept.push(item);
            } else {
                self.place(old, index, None);
            }
        }
        *items = kept;
    }

    /// Keeps the imports that are needed or public, if their files are still there, and names
    /// directly what came through a public import.
    fn imports(&mut self, file: &mut FileDescriptorProto, files: &HashSet<String>) {
        let none = BTreeSet::new();
        let needed = self.kept.used.get(file.name.as_deref().unwrap_or_default()).unwrap_or(&none);
        let public: HashSet<i32> = file.public_dependency.iter().copied().collect();
        let mut new_index = HashMap::new();
        let mut kept = Vec::new();
        for (index, import) in std::mem::take(&mut file.dependency).into_iter().enumerate() {
            let is_public = public.contains(&(index as i32));
            if files.contains(&import) && (is_public || needed.contains(&import)) {
                new_index.insert(index as i32, kept.len() as i32);
                self.place((&[], 3), index, Some((&[], 3, kept.len())));
                kept.push(import);
            } else {
                self.place((&[], 3), index, None);
            }
        }
        file.dependency = kept;
        for list in [&mut file.public_dependency, &mut file.weak_dependency] {
            *list = list.iter().filter_map(|index| new_index.get(index).copied()).collect();
        }
        file.option_dependency.retain(|import| needed.contains(import));
        let missing: Vec<String> = needed
            .iter()
            .filter(|path| !file.dependency.contains(path) && !file.option_dependency.contains(path))
            .cloned()
            .collect();
        file.dependency.extend(missing);
    }

    fn source_info(&self, info: &mut SourceCodeInfo) {
        info.location.retain_mut(|location| {
            // The innermost element around the place decides.
            for len in (1..=location.path.len()).rev() {
                match self.moved.get(&location.path[..len]) {
                    Some(None) => return false,
                    Some(Some(new)) => {
                        let rest = location.path.split_off(len);
                        location.path = [&new[..], &rest].concat();
                        return true;
                    }
                    None => {}
                }
            }
            true
        });
    }
}
