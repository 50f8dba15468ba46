//! Where `dunlin protoc` finds files: folders first, then descriptor sets, then what is built in.

use std::path::{Path, PathBuf};

use dunlin_compiler::loader::{Descriptors, IncludePaths, LoadError, LoadResult, Loader, VirtualPath};
use dunlin_compiler::wellknown;
use dunlin_protobuf::descriptor::DescriptorMessage;
use dunlin_protobuf::descriptor::FileDescriptorSet;

use super::Failure;
use super::arguments::Arguments;

pub(crate) struct Inputs {
    folders: IncludePaths,
    descriptors: Descriptors,
}

impl Inputs {
    pub(crate) fn open(arguments: &Arguments) -> Result<Self, Failure> {
        let mut folders = IncludePaths::new();
        for (virtual_path, disk_path) in &arguments.proto_path {
            // `.` and the like mean the same as no prefix at all.
            folders = folders.mapping(virtual_path.as_str(), disk_path.as_str());
        }
        if !arguments.proto_path.is_empty()
            && let Some(folder) = installed()
        {
            folders = folders.mapping("", folder.to_string_lossy());
        }
        let mut descriptors = Descriptors::new();
        for path in &arguments.descriptor_set_in {
            let bytes = std::fs::read(path).map_err(|error| format!("{path}: {error}"))?;
            let set = FileDescriptorSet::decode(&bytes)
                .map_err(|error| format!("{path}: not a descriptor set: {error}"))?;
            descriptors = descriptors.set(set);
        }
        Ok(Self { folders, descriptors })
    }

    /// The paths under which the files of the command line are imported.
    pub(crate) fn virtual_paths(&self, files: &[String]) -> Result<Vec<String>, Failure> {
        files.iter().map(|file| self.virtual_path(file)).collect()
    }

    fn virtual_path(&self, file: &str) -> Result<String, Failure> {
        let is_known = |path: &str| {
            self.folders.disk_path(path).is_some()
                || self.descriptors.contains(path)
                || wellknown::source(path).is_some()
        };
        if self.folders.is_empty() {
            return if self.descriptors.contains(file) {
                Ok(file.to_owned())
            } else {
                Err(format!("Could not find file in descriptor database: {file}: No such file or directory"))
            };
        }
        if !Path::new(file).exists() {
            return if is_known(file) {
                Ok(file.to_owned())
            } else {
                Err(format!("Could not make proto path relative: {file}: No such file or directory"))
            };
        }
        match self.folders.virtual_path(file) {
            VirtualPath::Found(path) => Ok(path),
            VirtualPath::Shadowed { by, .. } => Err(format!(
                "{file}: this input is shadowed by \"{by}\", which is found first; \
                 name that file instead, or put the folder of this one first in --proto_path"
            )),
            VirtualPath::Outside if is_known(file) => Ok(file.to_owned()),
            VirtualPath::Outside => Err(format!(
                "{file}: this file is in none of the folders of --proto_path (-I); \
                 a folder has to be an exact prefix of the path, as text"
            )),
        }
    }

    /// The file on disk that is imported as `path`.
    pub(crate) fn disk_path(&self, path: &str) -> Option<String> {
        Some(self.folders.disk_path(path)?.to_string_lossy().into_owned())
    }
}

/// The well-known files that lie beside the binary in an installation of protoc; with their
/// comments, which those that are built in lack.
fn installed() -> Option<PathBuf> {
    let binary = std::env::current_exe().ok()?;
    let folder = binary.parent()?;
    [Some(folder.to_owned()), folder.parent().map(|parent| parent.join("include"))]
        .into_iter()
        .flatten()
        .find(|folder| folder.join("google/protobuf/descriptor.proto").is_file())
}

impl Loader for &Inputs {
    fn load(&self, path: &str) -> LoadResult {
        match self.folders.load(path) {
            Err(LoadError::NotFound { mut searched }) => match self.descriptors.load(path) {
                Err(_) => {
                    if !self.descriptors.paths().is_empty() {
                        searched.push("the descriptor sets".into());
                    }
                    Err(LoadError::NotFound { searched })
                }
                found => found,
            },
            found => found,
        }
    }
}
