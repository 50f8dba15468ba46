//! The files that a server sends, until nothing of a schema is missing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use dunlin_protobuf::descriptor::{DescriptorMessage, FileDescriptorProto, FileDescriptorSet};
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
        let set = FileDescriptorSet { file: self.files.into_values().collect(), ..Default::default() };
        let missing = self.missing;
        DynamicPool::from_file_descriptor_set(set).map_err(|source| FetchError::Schema { missing, source })
    }
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
