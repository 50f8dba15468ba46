//! `.proto` files to Rust, from a build script, with nothing but cargo.
//!
//! ```no_run
//! // in `main` of build.rs
//! dunlin_build::compile("proto/shop.proto");
//! ```
//!
//! ```ignore
//! // src/main.rs
//! include!(concat!(env!("OUT_DIR"), "/mod.rs"));
//!
//! let order = shop::v1::Order { id: "42".into(), ..Default::default() };
//! ```
//!
//! Types of a dependency that has published its schemas ([`Builder::publish`]) are used from there.
//!
//! [`Builder`] has what the one call does not: import folders, several files, options of the
//! generator. This crate is a thin face of `dunlin-compiler` and `dunlin-codegen`.

mod publish;

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

pub use dunlin_codegen::rust::{OptionError, Options, Scope};
use dunlin_codegen::rust::{generate, published_options};
use dunlin_compiler::loader::{IncludePaths, VirtualPath};
use dunlin_compiler::render::Color;
use dunlin_compiler::{Compiler, DescriptorOptions, Diagnostics, wellknown};
use dunlin_protobuf::descriptor::DescriptorMessage;
use dunlin_protobuf::dynamic::DynamicPool;
use dunlin_protobuf::pool::Severity;

use publish::Published;

/// Compiles a file and what it imports to `OUT_DIR`; ends the build script with a message if
/// something is wrong with it.
///
/// Imports are searched from the folder that the file's package lies in: `proto/shop/v1/a.proto`
/// of package `shop.v1` is `shop/v1/a.proto` below `proto`.
///
/// # Panics
/// When the file has faults; the message shows all of them.
pub fn compile(file: impl AsRef<Path>) {
    if let Err(error) = Builder::new().file(file).compile() {
        // A build script has no better way to fail.
        panic!("\n{error}");
    }
}

/// Why nothing was generated.
///
/// `Debug` shows the same text as `Display`: it is what cargo prints for a build script whose
/// `main` returns the error.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Faults in the schema.
    #[error("{}", rendered(.0))]
    Schema(Diagnostics),
    /// A file that lies below none of the import folders.
    #[error("{path} lies below none of the import folders {folders}; name one with Builder::include")]
    Outside {
        /// The file.
        path: String,
        /// The folders.
        folders: String,
    },
    /// A file that is not there.
    #[error("there is no file {path}; the folder of Cargo.toml is where paths begin")]
    Missing {
        /// The file.
        path: String,
    },
    /// The descriptors could not be linked again.
    #[error(transparent)]
    Pool(#[from] dunlin_protobuf::pool::PoolErrors),
    /// A dependency publishes what this version does not know.
    #[error("a dependency was built with another version of dunlin-build: {0}")]
    Published(#[from] OptionError),
    /// There is no place to write to.
    #[error("OUT_DIR is not set; outside build scripts, name a folder with Builder::out_dir")]
    NoOutDir,
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The faults alone: with thousands of files, warnings would bury them.
fn rendered(diagnostics: &Diagnostics) -> impl fmt::Display {
    let faults = diagnostics.items.iter().filter(|item| item.severity == Severity::Error);
    let parts: Vec<_> = faults.map(|item| diagnostics.render(item, Color::Never)).collect();
    parts.join("\n")
}

/// What to compile, and how.
#[derive(Debug, Default)]
#[must_use]
pub struct Builder {
    files: Vec<PathBuf>,
    includes: Vec<PathBuf>,
    out_dir: Option<PathBuf>,
    options: Options,
    descriptor_set: Option<String>,
    publish: Option<String>,
}

impl Builder {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Compiles `file` too.
    pub fn file(mut self, file: impl AsRef<Path>) -> Self {
        self.files.push(file.as_ref().to_owned());
        self
    }

    /// Compiles these files too.
    pub fn files(mut self, files: impl IntoIterator<Item = impl AsRef<Path>>) -> Self {
        self.files.extend(files.into_iter().map(|file| file.as_ref().to_owned()));
        self
    }

    /// Searches imports in `folder`, after the folders before it.
    pub fn include(mut self, folder: impl AsRef<Path>) -> Self {
        self.includes.push(folder.as_ref().to_owned());
        self
    }

    /// Writes to this folder instead of `OUT_DIR`.
    pub fn out_dir(mut self, folder: impl AsRef<Path>) -> Self {
        self.out_dir = Some(folder.as_ref().to_owned());
        self
    }

    /// Changes the options of the generator.
    pub fn options(mut self, change: impl FnOnce(Options) -> Options) -> Self {
        self.options = change(self.options);
        self
    }

    /// Writes the descriptors of everything that was compiled to a file of this name, beside the
    /// generated ones.
    pub fn descriptor_set(mut self, name: impl Into<String>) -> Self {
        self.descriptor_set = Some(name.into());
        self
    }

    /// Lets the crates that depend on this one use its types; `rust_path` is the module that includes the
    /// generated code, as they name it.
    ///
    /// The manifest has to say `links = "SOME_NAME"`, so that cargo passes the news on to the build
    /// scripts of direct dependents. Those find the schemas as imports and the types in this crate, with
    /// nothing said; the import folders have to be part of the package.
    ///
    /// ```no_run
    /// // build.rs of the crate `shop-types`, whose src/lib.rs includes the code at its root
    /// dunlin_build::Builder::new()
    ///     .include("proto")
    ///     .file("proto/shop/v1/order.proto")
    ///     .publish("::shop_types")
    ///     .compile()
    ///     .unwrap();
    /// ```
    pub fn publish(mut self, rust_path: impl Into<String>) -> Self {
        self.publish = Some(rust_path.into());
        self
    }

    /// Compiles, generates and writes; tells cargo which files to watch.
    ///
    /// # Errors
    /// Faults in the schema, all at once; files that cannot be read or written.
    pub fn compile(self) -> Result<(), Error> {
        let mut includes = IncludePaths::new();
        let mut folders: Vec<PathBuf> = self.includes.clone();
        for file in &self.files {
            if self.includes.is_empty() && file.exists() {
                folders.push(root_of(file));
            }
        }
        let mut seen = BTreeSet::new();
        folders.retain(|folder| seen.insert(folder.clone()));
        let published = Published::of_dependencies().map_err(|(path, source)| Error::Io { path, source })?;
        let own_folders = folders.clone();
        folders.extend(published.includes.iter().filter(|folder| seen.insert((*folder).clone())).cloned());
        for folder in &folders {
            includes = includes.folder(folder.to_string_lossy());
        }
        let mut inputs = Vec::new();
        for file in &self.files {
            match includes.virtual_path(&file.to_string_lossy()) {
                VirtualPath::Found(path) => inputs.push(path),
                _ if wellknown::source(&file.to_string_lossy()).is_some() => {
                    inputs.push(file.to_string_lossy().into_owned());
                }
                _ if !file.exists() && self.includes.is_empty() => {
                    return Err(Error::Missing { path: file.display().to_string() });
                }
                _ => {
                    let folders: Vec<_> = folders.iter().map(|folder| folder.display().to_string()).collect();
                    return Err(Error::Outside {
                        path: file.display().to_string(),
                        folders: folders.join(", "),
                    });
                }
            }
        }
        let options = self.options.after(published.options(&inputs)?);
        let compilation =
            Compiler::new(includes.clone()).source_info(true).compile(inputs).map_err(Error::Schema)?;
        let mut generated = Vec::new();
        for id in compilation.select(true) {
            let path = compilation.file(id).path();
            if let Some(disk) = includes.disk_path(path) {
                println(format_args!("cargo::rerun-if-changed={}", disk.display()));
            }
            generated.push(path.to_owned());
        }
        let with_imports =
            DescriptorOptions { include_imports: true, include_source_info: true, ..Default::default() };
        let set = compilation.file_descriptor_set(with_imports);
        let encoded = self.descriptor_set.as_ref().map(|_| set.encode_to_vec());
        let pool = DynamicPool::from_file_descriptor_set(set)?;
        let out_dir = match self.out_dir {
            Some(folder) => folder,
            None => std::env::var_os("OUT_DIR").map(PathBuf::from).ok_or(Error::NoOutDir)?,
        };
        let io = |path: &Path| {
            let path = path.to_owned();
            |source| Error::Io { path, source }
        };
        std::fs::create_dir_all(&out_dir).map_err(io(&out_dir))?;
        if let (Some(name), Some(encoded)) = (&self.descriptor_set, encoded) {
            let path = out_dir.join(name);
            std::fs::write(&path, encoded).map_err(io(&path))?;
        }
        for file in generate(&pool, &generated, &options) {
            let path = out_dir.join(&file.name);
            // Left alone where nothing changed, so that nothing is compiled again.
            if std::fs::read_to_string(&path).is_ok_and(|old| old == file.content) {
                continue;
            }
            std::fs::write(&path, file.content).map_err(io(&path))?;
        }
        if let Some(rust_path) = &self.publish {
            let path = out_dir.join(publish::FILE);
            let own = published_options(&pool, &generated, &options, rust_path);
            std::fs::write(&path, published.text(&own_folders, &own)).map_err(io(&path))?;
            println(format_args!("cargo::metadata={}={}", publish::KEY, path.display()));
        }
        Ok(())
    }
}

// Standard output is how a build script talks to cargo.
#[allow(clippy::print_stdout)]
fn println(line: fmt::Arguments<'_>) {
    if std::env::var_os("OUT_DIR").is_some() {
        println!("{line}");
    }
}

/// The folder that imports start from: where the folders named like the file's package end.
fn root_of(file: &Path) -> PathBuf {
    let folder = file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let package = text.lines().find_map(|line| {
        let rest = line.trim().strip_prefix("package ")?;
        Some(rest.split(';').next()?.trim().replace('.', "/"))
    });
    let below = package
        .and_then(|package| Some(folder.to_str()?.strip_suffix(&package)?.trim_end_matches('/').to_owned()));
    match below {
        Some(root) if root.is_empty() => ".".into(),
        Some(root) => root.into(),
        None => folder.to_owned(),
    }
}

/// Generates the well-known types as the runtime has them.
#[doc(hidden)]
pub fn well_known(folder: impl AsRef<Path>) -> Result<(), Error> {
    let own = ["google/protobuf/"];
    Builder::new()
        .files(wellknown::paths().filter(|path| {
            own.iter().any(|prefix| path.starts_with(prefix))
                && !LANGUAGE_FEATURES.iter().any(|name| path.ends_with(name))
        }))
        .out_dir(folder)
        .options(|options| options.runtime("crate").no_std(true).runtime_well_known_types(false))
        .compile()
}

/// Generates the messages of `dunlin-proto`, whose folder is `package`, as it has them.
#[doc(hidden)]
pub fn product_messages(package: impl AsRef<Path>, folder: impl AsRef<Path>) -> Result<(), Error> {
    let schemas = package.as_ref().join("proto");
    let mut files = Vec::new();
    schema_files(&schemas, &mut files)?;
    Builder::new()
        .include(schemas)
        .files(files)
        .out_dir(folder)
        .options(|options| options.runtime("::dunlin_protobuf").no_std(true).embed_descriptors(true))
        .compile()
}

/// Generates the services of `dunlin-services`, whose messages are those of `dunlin-proto` in the folder
/// `proto`: servers and clients apart, since each is a feature, and the descriptors of the well-known types.
#[doc(hidden)]
pub fn product_services(proto: impl AsRef<Path>, folder: impl AsRef<Path>) -> Result<(), Error> {
    const SERVICES: &[&str] = &["grpc/health/v1", "grpc/reflection/v1", "grpc/reflection/v1alpha"];
    let (schemas, folder) = (proto.as_ref().join("proto"), folder.as_ref());
    let mut files = Vec::new();
    for service in SERVICES {
        schema_files(&schemas.join(service), &mut files)?;
    }
    let compiled = |includes, inputs: Vec<String>| {
        let compilation = Compiler::new(includes).compile(inputs).map_err(Error::Schema)?;
        Ok::<_, Error>(compilation.file_descriptor_set(DescriptorOptions::default()))
    };
    let inputs = files.iter().filter_map(|file| file.strip_prefix(&schemas).ok());
    let inputs = inputs.map(|path| path.to_string_lossy().into_owned()).collect();
    let set = compiled(IncludePaths::new().folder(schemas.to_string_lossy()), inputs)?;
    let mut options = Options::default().runtime("::dunlin_protobuf").rpc_runtime("crate::rpc");
    for file in &set.file {
        let package = file.package.as_deref().unwrap_or_default();
        for name in file.message_type.iter().filter_map(|message| message.name.as_deref()) {
            let path = format!("{package}.{name}");
            options = options
                .extern_path(format!(".{path}"), format!("::dunlin_proto::{}", path.replace('.', "::")));
        }
    }
    for (side, options) in
        [("server", options.clone().client(false)), ("client", options.clone().server(false))]
    {
        let builder = Builder::new().include(&schemas).files(&files).out_dir(folder.join(side));
        builder.options(|_| options).compile()?;
    }
    let paths = wellknown::paths().filter(|path| path.starts_with("google/protobuf/"));
    let paths = paths.filter(|path| !LANGUAGE_FEATURES.iter().any(|name| path.ends_with(name)));
    let set = compiled(IncludePaths::new(), paths.map(str::to_owned).collect())?;
    let path = folder.join("well_known.binpb");
    std::fs::write(&path, set.encode_to_vec()).map_err(|source| Error::Io { path, source })
}

/// Adds the schema files below `folder`, in the order of their paths.
fn schema_files(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Error> {
    let io = |source| Error::Io { path: folder.to_owned(), source };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        paths.push(entry.map_err(io)?.path());
    }
    paths.sort();
    for path in paths {
        if path.is_dir() {
            schema_files(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path);
        }
    }
    Ok(())
}

/// Well-known files that only tell generators of other languages something.
const LANGUAGE_FEATURES: &[&str] = &[
    "_features.proto",
    "cpp_file_options.proto",
    "cpp_options.proto",
    "json_options.proto",
    "json_enumvalue_options.proto",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_there_is_told_as_such() {
        let error = Builder::new().file("proto/nothing.proto").compile().unwrap_err();
        let want = "there is no file proto/nothing.proto; the folder of Cargo.toml is where paths begin";
        assert_eq!(error.to_string(), want);
    }

    #[test]
    fn comments_of_the_schema_become_documentation() {
        let folder = tempfile::tempdir().unwrap();
        let schema = folder.path().join("shop.proto");
        let text = "syntax = \"proto3\";\npackage shop;\n\n// What was bought.\nmessage Order {\n  // Its number.\n  int32 id = 1;\n}\n";
        std::fs::write(&schema, text).unwrap();
        Builder::new().include(folder.path()).file(schema).out_dir(folder.path()).compile().unwrap();
        let generated = std::fs::read_to_string(folder.path().join("shop.rs")).unwrap();
        assert!(generated.contains("/// What was bought.\n#[derive"), "{generated}");
        assert!(generated.contains("    /// Its number.\n    pub id: i32,"), "{generated}");
    }
}
