//! What a server tells.

use std::sync::Arc;

use dunlin_protobuf::descriptor::{DescriptorMessage, FileDescriptorProto, FileDescriptorSet};
use dunlin_protobuf::pool::DescriptorPool;
use dunlin_server::{Served, ServedSchema};

use super::Reflection;
use super::index::Index;

/// Why there is no reflection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReflectionError {
    /// Bytes that are no descriptor set.
    #[error("the file descriptor set number {number} can not be read: {why}")]
    DescriptorSet {
        /// Which of those that were given, from 1.
        number: usize,
        /// What is wrong with it.
        why: String,
    },
    /// A pool that was not made of descriptors.
    #[error("the pool has no descriptor of {path}: it was not made of a descriptor set")]
    Pool {
        /// The file.
        path: String,
    },
}

/// Collects what a [`Reflection`] tells.
///
/// ```
/// use dunlin_services::Reflection;
///
/// let reflection = Reflection::builder()
///     // As `dunlin build` or `protoc --include_imports --descriptor_set_out` writes it.
///     .file_descriptor_set(dunlin_proto::FILE_DESCRIPTOR_SET)
///     .services(["grpc.health.v1.Health"])
///     .build()?;
/// # Ok::<(), dunlin_services::reflection::ReflectionError>(())
/// ```
#[derive(Debug, Default)]
#[must_use]
pub struct ReflectionBuilder {
    index: Index,
    services: Option<Vec<String>>,
    sets: usize,
    error: Option<ReflectionError>,
}

impl ReflectionBuilder {
    /// Adds the files of an encoded `google.protobuf.FileDescriptorSet`. Of several files with one path the
    /// first counts. Comments are left out.
    pub fn file_descriptor_set(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.sets += 1;
        match FileDescriptorSet::decode(bytes.as_ref()) {
            Ok(set) => set.file.into_iter().for_each(|file| self.index.add(file)),
            Err(error) => {
                let error = ReflectionError::DescriptorSet { number: self.sets, why: error.to_string() };
                self.error.get_or_insert(error);
            }
        }
        self
    }

    /// Adds one file.
    pub fn file(mut self, file: FileDescriptorProto) -> Self {
        self.index.add(file);
        self
    }

    /// Adds the files of a pool.
    pub fn pool(mut self, pool: &DescriptorPool) -> Self {
        for file in pool.files() {
            match file.proto() {
                Some(proto) => self.index.add(proto.clone()),
                None => {
                    let error = ReflectionError::Pool { path: file.path().to_owned() };
                    self.error.get_or_insert(error);
                }
            }
        }
        self
    }

    /// Lists these services and no others. Without it, all that the server has are listed. The schema of
    /// others can still be asked for, by those who know their names.
    pub fn services(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.services = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// The reflection, to be added to a server. It also tells what the services of that server bring along.
    ///
    /// # Errors
    /// Descriptors that can not be read.
    pub fn build(self) -> Result<Reflection, ReflectionError> {
        match self.error {
            Some(error) => Err(error),
            None => Ok(Reflection::of(self)),
        }
    }

    /// What is told, by a server that has all this.
    pub(super) fn told(self, served: &Served) -> Told {
        let mut index = self.index;
        for schema in &served.schemas {
            match schema {
                ServedSchema::Encoded(bytes) => match FileDescriptorSet::decode(bytes) {
                    Ok(set) => set.file.into_iter().for_each(|file| index.add(file)),
                    Err(error) => tracing::error!(%error, "descriptors of a service can not be read"),
                },
                ServedSchema::Pool(pool) => {
                    let protos = pool.descriptors().files().filter_map(|file| file.proto().cloned());
                    protos.for_each(|file| index.add(file));
                }
                _ => {}
            }
        }
        // Those of the services come first; who has a file of this path means that one.
        if let Ok(set) = FileDescriptorSet::decode(dunlin_proto::FILE_DESCRIPTOR_SET) {
            let of_details = |file: &FileDescriptorProto| file.name.as_deref().is_some_and(is_of_details);
            set.file.into_iter().filter(of_details).for_each(|file| index.add(file));
        }
        let mut services = self.services.unwrap_or_else(|| served.services.iter().cloned().collect());
        services.sort();
        services.dedup();
        Told { index, services }
    }
}

/// Whether a file has the details of errors, or is imported by it: tools that show the failures of any call
/// ask for them.
fn is_of_details(path: &str) -> bool {
    const DETAILS: [&str; 2] = ["google/rpc/error_details.proto", "google/rpc/status.proto"];
    const IMPORTS: [&str; 2] = ["google/protobuf/any.proto", "google/protobuf/duration.proto"];
    DETAILS.contains(&path) || IMPORTS.contains(&path)
}

/// What is told.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) index: Index,
    /// Sorted.
    pub(super) services: Vec<String>,
}

/// Known once the server is built.
pub(super) type SharedTold = Arc<std::sync::OnceLock<Told>>;
