//! The files that a server sends, until nothing of a schema is missing.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use dunlin_protobuf::descriptor::{
    DescriptorMessage, DescriptorProto, FileDescriptorProto, FileDescriptorSet,
};
use dunlin_protobuf::dynamic::DynamicPool;

use super::client::FetchError;

/// What one fetch may cost, whatever the server sends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) max_files: usize,
    pub(super) max_bytes: usize,
    pub(super) max_requests: usize,
}

/// The files so far, and what has to be asked for.
#[derive(Debug)]
pub(super) struct Collected {
    limits: Limits,
    files: BTreeMap<String, FileDescriptorProto>,
    /// Paths of imports that were not among what was sent.
    wanted: VecDeque<String>,
    /// All imports that were ever seen.
    known: BTreeSet<String>,
    missing: Vec<String>,
    received: usize,
    bytes: usize,
}

impl Collected {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            files: BTreeMap::new(),
            wanted: VecDeque::new(),
            known: BTreeSet::new(),
            missing: Vec::new(),
            received: 0,
            bytes: 0,
        }
    }

    /// Takes in the files of a response. Of those with one path the first counts.
    pub(super) fn add(&mut self, files: Vec<Bytes>) -> Result<(), FetchError> {
        for bytes in files {
            self.received += 1;
            self.bytes = self.bytes.saturating_add(bytes.len());
            self.check("max_files", self.received, self.limits.max_files)?;
            self.check("max_bytes", self.bytes, self.limits.max_bytes)?;
            let file = FileDescriptorProto::decode(&bytes)
                .map_err(|error| FetchError::Malformed { why: error.to_string() })?;
            let path = file.name.clone().unwrap_or_default();
            if self.files.contains_key(&path) {
                continue;
            }
            for import in file.dependency.iter().chain(&file.option_dependency) {
                if self.known.insert(import.clone()) {
                    self.wanted.push_back(import.clone());
                }
            }
            self.files.insert(path, file);
        }
        Ok(())
    }

    fn check(&self, setting: &'static str, found: usize, limit: usize) -> Result<(), FetchError> {
        if found > limit { Err(FetchError::TooMuch { setting, limit }) } else { Ok(()) }
    }

    /// The path of an import to ask for, if one is missing that is not built in.
    pub(super) fn next_wanted(&mut self) -> Option<String> {
        while let Some(path) = self.wanted.pop_front() {
            if self.files.contains_key(&path) {
                continue;
            }
            match well_known().get(&path) {
                Some(file) => {
                    for import in &file.dependency {
                        if self.known.insert(import.clone()) {
                            self.wanted.push_back(import.clone());
                        }
                    }
                    self.files.insert(path, file.clone());
                }
                None => return Some(path),
            }
        }
        None
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    /// The server does not have this import. Often nothing but options needs it, which stay as they are, so
    /// an empty file takes its place.
    pub(super) fn set_missing(&mut self, path: String) {
        let file = FileDescriptorProto { name: Some(path.clone()), ..Default::default() };
        self.files.insert(path.clone(), file);
        self.missing.push(path);
    }

    /// All files, linked.
    pub(super) fn pool(self) -> Result<Arc<DynamicPool>, FetchError> {
        let files: Vec<_> = self.files.into_values().collect();
        let missing = self.missing;
        let linked =
            |file| DynamicPool::from_file_descriptor_set(FileDescriptorSet { file, ..Default::default() });
        let fault = |source| FetchError::Schema { missing, source };
        let limit = self.limits.max_bytes;
        let lost = lost_imports(&files, limit).ok_or(FetchError::TooMuch { setting: "max_bytes", limit })?;
        if lost.is_empty() {
            return linked(files).map_err(fault);
        }
        // They may be there by public imports of others.
        linked(files.clone()).or_else(|source| {
            let mut files = files;
            for (index, path) in lost {
                files[index].dependency.push(path);
            }
            // What is wrong with the files as they came says more.
            linked(files).map_err(|_| fault(source))
        })
    }
}

/// Files that use types of others without an import, and the paths of those: some servers split a schema
/// anew by its packages, and lose the imports. `None` if the full names of types and extensions, which a pool
/// keeps, are longer than `room` together: a long name may stand around many short ones.
fn lost_imports(files: &[FileDescriptorProto], mut room: usize) -> Option<Vec<(usize, String)>> {
    let mut declared = HashMap::new();
    let mut used = Vec::new();
    for (index, file) in files.iter().enumerate() {
        let scope = file.package.as_deref().map_or(String::new(), |package| format!(".{package}"));
        let full_name =
            |scope: &str, name: &Option<String>| format!("{scope}.{}", name.as_deref().unwrap_or_default());
        // The same servers leave out the dot in front of full names.
        let mut uses = |name: &Option<String>| {
            let name = name.as_deref().map(|name| name.strip_prefix('.').unwrap_or(name));
            used.extend(name.map(|name| (index, format!(".{name}"))));
        };
        // A queue, as messages may be nested without end.
        let mut messages: VecDeque<(String, &DescriptorProto)> = VecDeque::new();
        messages.extend(file.message_type.iter().map(|message| (full_name(&scope, &message.name), message)));
        while let Some((name, message)) = messages.pop_front() {
            let inside = 1 + message.nested_type.len() + message.enum_type.len() + message.extension.len();
            room = room.checked_sub(name.len().saturating_mul(inside))?;
            let nested = message.nested_type.iter();
            messages.extend(nested.map(|nested| (full_name(&name, &nested.name), nested)));
            let enums = message.enum_type.iter().map(|declared| (full_name(&name, &declared.name), index));
            declared.extend(enums);
            for field in message.field.iter().chain(&message.extension) {
                uses(&field.type_name);
                uses(&field.extendee);
            }
            declared.insert(name, index);
        }
        declared.extend(file.enum_type.iter().map(|declared| (full_name(&scope, &declared.name), index)));
        for field in &file.extension {
            uses(&field.type_name);
            uses(&field.extendee);
        }
        for method in file.service.iter().flat_map(|service| &service.method) {
            uses(&method.input_type);
            uses(&method.output_type);
        }
    }
    let mut lost = BTreeSet::new();
    for (index, name) in used {
        if let Some(&other) = declared.get(&name)
            && other != index
        {
            lost.insert((index, other));
        }
    }
    let imports: Vec<BTreeSet<&str>> =
        files.iter().map(|file| file.dependency.iter().map(String::as_str).collect()).collect();
    let path = |file: usize| files[file].name.as_deref().unwrap_or_default();
    let lost = lost.into_iter().filter(|(index, other)| !imports[*index].contains(path(*other)));
    Some(lost.map(|(index, other)| (index, path(other).to_owned())).collect())
}

/// The files of the well-known types, which some servers do not send.
fn well_known() -> &'static BTreeMap<String, FileDescriptorProto> {
    static FILES: OnceLock<BTreeMap<String, FileDescriptorProto>> = OnceLock::new();
    FILES.get_or_init(|| {
        let set = FileDescriptorSet::decode(include_bytes!("../generated/well_known.binpb"));
        let files = set.map(|set| set.file).unwrap_or_default();
        files.into_iter().map(|file| (file.name.clone().unwrap_or_default(), file)).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { max_files: 4, max_bytes: 1000, max_requests: 10 };

    fn file(name: &str, imports: &[&str]) -> Bytes {
        let dependency = imports.iter().map(|path| path.to_string()).collect();
        let file = FileDescriptorProto { name: Some(name.into()), dependency, ..Default::default() };
        file.encode_to_vec().into()
    }

    #[test]
    fn the_well_known_types_are_built_in() {
        assert_eq!(well_known().len(), 12, "{:?}", well_known().keys());
        let mut collected = Collected::new(LIMITS);
        collected.add(vec![file("a.proto", &["google/protobuf/api.proto"])]).unwrap();
        assert_eq!(collected.next_wanted(), None);
        let pool = collected.pool().unwrap();
        assert!(pool.message("google.protobuf.Api").is_some());
        // Its own imports.
        assert!(pool.message("google.protobuf.SourceContext").is_some());
    }

    #[test]
    fn each_missing_import_is_asked_for_once_and_need_not_be_there() {
        let mut collected = Collected::new(LIMITS);
        collected.add(vec![file("a.proto", &["b.proto", "c.proto"]), file("b.proto", &["c.proto"])]).unwrap();
        assert_eq!(collected.next_wanted().as_deref(), Some("c.proto"));
        collected.set_missing("c.proto".into());
        assert_eq!(collected.next_wanted(), None);
        assert_eq!(collected.pool().unwrap().descriptors().file_count(), 3);
    }

    /// A message of this name, with a field of this type.
    fn using(path: &str, package: &str, name: &str, type_name: Option<&str>) -> FileDescriptorProto {
        use dunlin_protobuf::descriptor::{FieldDescriptorProto, Label, Type};
        let field = type_name.map(|type_name| FieldDescriptorProto {
            name: Some("field".into()),
            number: Some(1),
            label: Some(Label::LABEL_OPTIONAL),
            r#type: Some(Type::TYPE_MESSAGE),
            type_name: Some(type_name.into()),
            ..Default::default()
        });
        let message = DescriptorProto {
            name: Some(name.into()),
            field: field.into_iter().collect(),
            ..Default::default()
        };
        FileDescriptorProto {
            name: Some(path.into()),
            package: Some(package.into()),
            message_type: vec![message],
            ..Default::default()
        }
    }

    #[test]
    fn imports_that_a_server_has_lost_are_found_again() {
        let pool_of = |files: &[FileDescriptorProto]| {
            let mut collected = Collected::new(LIMITS);
            collected.add(files.iter().map(|file| file.encode_to_vec().into()).collect()).unwrap();
            while let Some(path) = collected.next_wanted() {
                collected.set_missing(path);
            }
            collected.pool()
        };
        let (user, used) = (using("a.proto", "a", "A", Some(".b.B")), using("b.proto", "b", "B", None));
        let pool = pool_of(&[user.clone(), used.clone()]).unwrap();
        assert!(pool.message("a.A").is_some());
        let without_dot = using("a.proto", "a", "A", Some("b.B"));
        assert!(pool_of(&[without_dot, used.clone()]).unwrap().message("a.A").is_some());
        // Nothing is added where nothing is lost.
        let public = FileDescriptorProto {
            dependency: vec!["b.proto".into()],
            public_dependency: vec![0],
            ..using("c.proto", "c", "C", None)
        };
        let user = FileDescriptorProto { dependency: vec!["c.proto".into()], ..user };
        let pool = pool_of(&[user.clone(), used, public]).unwrap();
        let file = pool.descriptors().file_by_path("a.proto").unwrap();
        assert_eq!(pool.descriptors().file(file).proto(), Some(&user));
        // Two that need each other are told as they came.
        let cycle = [using("a.proto", "a", "A", Some(".b.B")), using("b.proto", "b", "B", Some(".a.A"))];
        let error = pool_of(&cycle).unwrap_err().to_string();
        assert!(error.contains("which is not imported"), "{error}");
    }

    #[test]
    fn long_names_around_many_messages_count_for_each_of_them() {
        let long = using("b.proto", "b", &"B".repeat(500), None);
        let user = using("a.proto", "a", "A", Some(&format!(".b.{}", "B".repeat(500))));
        assert_eq!(lost_imports(&[user.clone(), long.clone()], 1000), Some(vec![(0, "b.proto".to_owned())]));
        let mut nested = long;
        nested.message_type[0].nested_type = vec![DescriptorProto::default(); 10];
        assert_eq!(lost_imports(&[user, nested.clone()], 1000), None);
        let mut collected = Collected::new(LIMITS);
        collected.add(vec![nested.encode_to_vec().into()]).unwrap();
        let error = collected.pool().unwrap_err();
        assert!(matches!(error, FetchError::TooMuch { setting: "max_bytes", limit: 1000 }), "{error}");
    }

    #[test]
    fn what_a_server_sends_has_limits_that_errors_name() {
        let error = |files| Collected::new(LIMITS).add(files).unwrap_err().to_string();
        assert_eq!(
            error(vec![file("a.proto", &[]); 5]),
            "the server sent more than 4 files, which is the limit (`max_files`)"
        );
        assert_eq!(
            error(vec![file(&"x".repeat(1000), &[])]),
            "the server sent more than 1000 bytes of descriptors, which is the limit (`max_bytes`)"
        );
        let text = error(vec![Bytes::from_static(b"\x0a\xff")]);
        assert!(text.starts_with("the server sent a file descriptor that can not be read: "), "{text}");
    }
}
