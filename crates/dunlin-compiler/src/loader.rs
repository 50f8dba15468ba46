//! Where files come from.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use dunlin_protobuf::descriptor::{FileDescriptorProto, FileDescriptorSet};

use crate::wellknown;

/// Finds the files that inputs and imports name.
///
/// Implement it to compile schemas from anywhere; a closure does as well.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot load schema files",
    note = "use `IncludePaths`, `Sources`, or a closure from an import path to `LoadResult`"
)]
pub trait Loader: Sync {
    /// Loads the file that is imported as `path`, such as `google/protobuf/any.proto`.
    fn load(&self, path: &str) -> LoadResult;
}

/// What became of a file that was asked for.
pub type LoadResult = Result<Loaded, LoadError>;

/// A file.
#[derive(Clone, Debug)]
pub enum Loaded {
    /// Its text, with what users know it by.
    Text {
        /// The path on disk, or the import path again.
        display_path: String,
        /// The bytes.
        text: Vec<u8>,
    },
    /// Its descriptor, already linked.
    Descriptor(Box<FileDescriptorProto>),
}

/// Why a file was not loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoadError {
    /// It is in none of these places.
    NotFound {
        /// Where it was looked for.
        searched: Vec<String>,
    },
    /// It is there but cannot be read.
    Unreadable {
        /// What stands in the way.
        reason: String,
    },
}

impl<F: Fn(&str) -> LoadResult + Sync> Loader for F {
    fn load(&self, path: &str) -> LoadResult {
        self(path)
    }
}

/// Folders in which files are searched, in order: protoc's `-I`.
///
/// ```
/// use dunlin_compiler::loader::IncludePaths;
/// let paths = IncludePaths::new().folder("proto").mapping("vendor/google", "third_party/google");
/// ```
#[derive(Clone, Debug, Default)]
pub struct IncludePaths {
    mappings: Vec<Mapping>,
}

#[derive(Clone, Debug)]
struct Mapping {
    /// The start of the import path; empty for all.
    virtual_path: String,
    disk_path: String,
}

/// How a path on disk relates to import paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VirtualPath {
    /// The path under which the file is imported.
    Found(String),
    /// An earlier folder has another file with the same import path.
    Shadowed {
        /// The import path.
        virtual_path: String,
        /// The file that would be found instead.
        by: String,
    },
    /// The file lies below none of the folders.
    Outside,
}

impl IncludePaths {
    /// No folders.
    pub fn new() -> Self {
        Self::default()
    }

    /// Searches `folder` too, after those before it.
    #[must_use]
    pub fn folder(self, folder: impl Into<String>) -> Self {
        self.mapping("", folder)
    }

    /// Searches `disk_path` for import paths that start with `virtual_path`, which is replaced.
    #[must_use]
    pub fn mapping(mut self, virtual_path: impl Into<String>, disk_path: impl Into<String>) -> Self {
        let disk_path = canonical(&disk_path.into());
        self.mappings.push(Mapping { virtual_path: virtual_path.into(), disk_path });
        self
    }

    /// True if there are no folders.
    pub fn is_empty(&self) -> bool {
        self.mappings.is_empty()
    }

    /// The import path of the file at `disk_path`.
    ///
    /// Paths are compared as text, as protoc does: the folder has to be an exact prefix.
    pub fn virtual_path(&self, disk_path: &str) -> VirtualPath {
        let disk_path = canonical(disk_path);
        let mut hit = self
            .mappings
            .iter()
            .enumerate()
            .filter_map(|(index, m)| Some((index, remap(&disk_path, &m.disk_path, &m.virtual_path)?)));
        let Some((index, virtual_path)) = hit.next() else { return VirtualPath::Outside };
        for mapping in &self.mappings[..index] {
            if let Some(other) = remap(&virtual_path, &mapping.virtual_path, &mapping.disk_path)
                && Path::new(&other).exists()
            {
                return VirtualPath::Shadowed { virtual_path, by: other };
            }
        }
        VirtualPath::Found(virtual_path)
    }

    /// The file on disk that is imported as `path`.
    pub fn disk_path(&self, path: &str) -> Option<PathBuf> {
        self.candidates(path).find(|candidate| candidate.is_file())
    }

    fn candidates(&self, path: &str) -> impl Iterator<Item = PathBuf> {
        self.mappings
            .iter()
            .filter_map(move |m| remap(path, &m.virtual_path, &m.disk_path))
            .map(PathBuf::from)
    }
}

impl Loader for IncludePaths {
    fn load(&self, path: &str) -> LoadResult {
        check_import_path(path)?;
        for candidate in self.candidates(path) {
            match std::fs::read(&candidate) {
                Ok(text) => {
                    let display_path = candidate.to_string_lossy().into_owned();
                    return Ok(Loaded::Text { display_path, text });
                }
                Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                    let reason = format!("{}: {error}", candidate.display());
                    return Err(LoadError::Unreadable { reason });
                }
                Err(_) => {}
            }
        }
        let place = |m: &Mapping| {
            let folder = if m.disk_path.is_empty() { "." } else { &m.disk_path };
            if m.virtual_path.is_empty() {
                folder.to_owned()
            } else {
                format!("{folder} (for {})", m.virtual_path)
            }
        };
        Err(LoadError::NotFound { searched: self.mappings.iter().map(place).collect() })
    }
}

/// Files in memory, by import path.
///
/// ```
/// use dunlin_compiler::loader::Sources;
/// let sources = Sources::new().file("a.proto", "syntax = \"proto3\"; message A {}");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: HashMap<String, Vec<u8>>,
}

impl Sources {
    /// No files.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file.
    #[must_use]
    pub fn file(mut self, path: impl Into<String>, text: impl Into<Vec<u8>>) -> Self {
        self.files.insert(path.into(), text.into());
        self
    }
}

impl Loader for Sources {
    fn load(&self, path: &str) -> LoadResult {
        match self.files.get(path) {
            Some(text) => Ok(Loaded::Text { display_path: path.to_owned(), text: text.clone() }),
            None => Err(LoadError::NotFound { searched: vec!["the sources in memory".into()] }),
        }
    }
}

/// The files of descriptor sets; of two with the same path, the first counts.
#[derive(Clone, Debug, Default)]
pub struct Descriptors {
    files: HashMap<String, FileDescriptorProto>,
}

impl Descriptors {
    /// No files.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the files of a set.
    #[must_use]
    pub fn set(mut self, set: FileDescriptorSet) -> Self {
        for file in set.file {
            self.files.entry(file.name.clone().unwrap_or_default()).or_insert(file);
        }
        self
    }

    /// True if a file is imported as `path`.
    pub fn contains(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    /// The paths of all files, sorted.
    pub fn paths(&self) -> Vec<&str> {
        let mut paths: Vec<&str> = self.files.keys().map(String::as_str).collect();
        paths.sort_unstable();
        paths
    }
}

impl Loader for Descriptors {
    fn load(&self, path: &str) -> LoadResult {
        match self.files.get(path) {
            Some(file) => Ok(Loaded::Descriptor(Box::new(file.clone()))),
            None => Err(LoadError::NotFound { searched: vec!["the descriptor sets".into()] }),
        }
    }
}

/// Several loaders; the first that has a file gives it.
pub struct Chain<'l>(Vec<Box<dyn Loader + 'l>>);

impl std::fmt::Debug for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Chain").field(&self.0.len()).finish()
    }
}

impl<'l> Chain<'l> {
    /// Asks `first`, and nobody else yet.
    pub fn new(first: impl Loader + 'l) -> Self {
        Self(vec![Box::new(first)])
    }

    /// Asks `next` for what those before it do not have.
    #[must_use]
    pub fn or(mut self, next: impl Loader + 'l) -> Self {
        self.0.push(Box::new(next));
        self
    }
}

impl Loader for Chain<'_> {
    fn load(&self, path: &str) -> LoadResult {
        let mut places = Vec::new();
        for loader in &self.0 {
            match loader.load(path) {
                Err(LoadError::NotFound { searched }) => places.extend(searched),
                other => return other,
            }
        }
        Err(LoadError::NotFound { searched: places })
    }
}

/// The files that are built in; see [`wellknown`].
#[derive(Clone, Copy, Debug, Default)]
pub struct WellKnown;

impl Loader for WellKnown {
    fn load(&self, path: &str) -> LoadResult {
        match wellknown::source(path) {
            Some(text) => Ok(Loaded::Text { display_path: path.to_owned(), text: text.into() }),
            None => Err(LoadError::NotFound { searched: Vec::new() }),
        }
    }
}

/// An import path names a file in one way only.
fn check_import_path(path: &str) -> Result<(), LoadError> {
    let is_plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    if path.is_empty() || path.starts_with('/') || path.contains('\\') || !path.split('/').all(is_plain) {
        let reason = "an import path has no backslashes, no empty parts, and no `.` or `..` in it".into();
        return Err(LoadError::Unreadable { reason });
    }
    Ok(())
}

/// Without `.` parts and doubled slashes.
fn canonical(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    if path.starts_with('/') {
        out.push('/');
    }
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if !out.is_empty() && !out.ends_with('/') {
            out.push('/');
        }
        out.push_str(part);
    }
    out
}

/// Replaces the leading `old` of a path by `new`.
fn remap(path: &str, old: &str, new: &str) -> Option<String> {
    let rest = if old.is_empty() {
        (!path.starts_with('/')).then_some(path)?
    } else {
        let rest = path.strip_prefix(old)?;
        if rest.is_empty() {
            return Some(new.to_owned());
        }
        if old.ends_with('/') { rest } else { rest.strip_prefix('/')? }
    };
    if rest.split('/').any(|part| part == "..") {
        return None;
    }
    Some(match new {
        "" => rest.to_owned(),
        new if new.ends_with('/') => format!("{new}{rest}"),
        new => format!("{new}/{rest}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_replaced_as_whole_parts() {
        for (path, old, new, want) in [
            ("foo/bar", "", "baz", Some("baz/foo/bar")),
            ("foo/bar", "foo", "baz", Some("baz/bar")),
            ("foo", "foo", "bar", Some("bar")),
            ("foobar", "foo", "baz", None),
            ("foo/../bar", "", "baz", None), // would leave the folder
            ("/abs/a.proto", "", "baz", None),
            ("/abs/a.proto", "/abs", "", Some("a.proto")),
            ("/a.proto", "/", "", Some("a.proto")),
        ] {
            assert_eq!(remap(path, old, new).as_deref(), want, "{path} {old} {new}");
        }
    }

    #[test]
    fn folders_are_compared_without_dots_and_doubled_slashes() {
        for (path, want) in [("./a//b/.", "a/b"), ("/a/", "/a"), (".", ""), ("../x", "../x")] {
            assert_eq!(canonical(path), want);
        }
    }
}
