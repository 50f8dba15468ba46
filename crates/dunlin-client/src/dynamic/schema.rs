//! The schema, compiled from its sources when the program runs.

use std::path::{Path, PathBuf};

use dunlin_compiler::loader::{IncludePaths, VirtualPath};
use dunlin_compiler::render::Color;
use dunlin_compiler::{Compiler, DescriptorOptions, Diagnostics};
use dunlin_protobuf::dynamic::DynamicPool;
use dunlin_protobuf::pool::{PoolErrors, Severity};

use super::DynamicClient;
use crate::client::Client;

/// Why a schema can not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// Faults in it; the text shows all of them, as the compiler does.
    #[error("{}", rendered(.0))]
    Faults(Diagnostics),
    /// The file lies below none of the folders.
    #[error("{} lies below none of the import folders {}", path.display(), shown(folders))]
    Outside {
        /// The file.
        path: PathBuf,
        /// The folders.
        folders: Vec<PathBuf>,
    },
    /// Another file is imported by the same path.
    #[error("{} is imported as {by}, which an earlier import folder has", path.display())]
    Shadowed {
        /// The file.
        path: PathBuf,
        /// The other file.
        by: String,
    },
    /// Its descriptors can not be linked.
    #[error(transparent)]
    Pool(#[from] PoolErrors),
}

fn rendered(diagnostics: &Diagnostics) -> String {
    let faults = diagnostics.items.iter().filter(|item| item.severity == Severity::Error);
    faults.map(|item| diagnostics.render(item, Color::Never)).collect::<Vec<_>>().join("\n")
}

fn shown(folders: &[PathBuf]) -> String {
    folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(", ")
}

impl DynamicClient {
    /// Calls of the services of a file, and of all that it imports, which is searched in these folders; in
    /// the folder of the file if there are none. Google's well-known files are built in.
    ///
    /// It reads files and takes as long as compiling takes, so it belongs to the start of a program.
    ///
    /// ```no_run
    /// use dunlin_client::Channel;
    /// use dunlin_client::dynamic::DynamicClient;
    ///
    /// let channel = Channel::builder("localhost:50051").connect_lazy()?;
    /// let client = DynamicClient::from_proto(channel, "proto/shop/v1/shop.proto", ["proto"])?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When the file can not be found below the folders, or something is wrong with the schema.
    pub fn from_proto<F: AsRef<Path>>(
        client: impl Into<Client>,
        file: impl AsRef<Path>,
        folders: impl IntoIterator<Item = F>,
    ) -> Result<Self, SchemaError> {
        let file = file.as_ref();
        let mut folders: Vec<PathBuf> =
            folders.into_iter().map(|folder| folder.as_ref().to_owned()).collect();
        if folders.is_empty() {
            let own = file.parent().filter(|folder| !folder.as_os_str().is_empty());
            folders.push(own.unwrap_or(Path::new(".")).to_owned());
        }
        let includes = folders
            .iter()
            .fold(IncludePaths::new(), |includes, folder| includes.folder(folder.to_string_lossy()));
        let path = match includes.virtual_path(&file.to_string_lossy()) {
            VirtualPath::Found(path) => path,
            VirtualPath::Shadowed { by, .. } => {
                return Err(SchemaError::Shadowed { path: file.to_owned(), by });
            }
            VirtualPath::Outside => return Err(SchemaError::Outside { path: file.to_owned(), folders }),
        };
        let compilation = Compiler::new(includes).compile([path]).map_err(SchemaError::Faults)?;
        let with_imports = DescriptorOptions { include_imports: true, ..Default::default() };
        let pool = DynamicPool::from_file_descriptor_set(compilation.file_descriptor_set(with_imports))?;
        Ok(Self::new(client, pool))
    }
}
