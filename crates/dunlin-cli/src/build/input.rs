//! What to compile, and where to write it.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use dunlin_compiler::Diagnostics;
use dunlin_compiler::loader::{Chain, Descriptors, IncludePaths};
use dunlin_protobuf::descriptor::DescriptorMessage;
use dunlin_protobuf::descriptor::{FileDescriptorProto, FileDescriptorSet};
use tempfile::TempDir;

use super::config::{self, Workspace};
use super::modules::ModuleFiles;
use super::reference::{Compression, Kind, Reference};
use super::{Failure, SchemaArgs, image, printed, unpack};
use crate::payload::Format;

/// Files to compile, and where they and their imports come from.
pub(crate) struct Input {
    pub(crate) loader: Chain<'static>,
    pub(crate) files: Vec<String>,
    /// The names of modules, by the import paths of files.
    pub(crate) modules: HashMap<String, String>,
    dependencies: Vec<String>,
    /// What was unpacked; gone with this value.
    _unpacked: Option<TempDir>,
}

impl Input {
    /// Adds what the configuration explains about missing imports.
    pub(crate) fn explain(&self, diagnostics: &mut Diagnostics) {
        if self.dependencies.is_empty() {
            return;
        }
        for item in diagnostics.items.iter_mut().filter(|item| item.code == "import-not-found") {
            item.notes.push(format!(
                "the dependencies of buf.yaml are not fetched: {}",
                self.dependencies.join(", ")
            ));
            item.help = Some("copy them into a folder and list it as a module, or pass it with -I".into());
        }
    }
}

/// Where the result goes.
#[derive(Debug)]
pub(crate) struct Output {
    path: String,
    pub(crate) format: Format,
    compression: Compression,
}

impl Output {
    /// Reads `FILE`, `FILE#format=json` or `-`.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let reference = Reference::parse(text)?;
        let format = match reference.kind {
            Kind::Descriptors(format) => format,
            Kind::Source if !text.contains('#') => Format::Binary,
            _ => {
                return Err(Failure::Other(format!(
                    "output \"{text}\": only a descriptor set can be written: binpb, json, txtpb or yaml"
                )));
            }
        };
        Ok(Self { path: reference.path.to_owned(), format, compression: reference.compression })
    }

    /// Opens the output and lets `produce` write to it.
    pub(crate) fn write(
        &self,
        produce: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
    ) -> Result<(), Failure> {
        let produce = |out: &mut dyn Write| {
            if self.compression == Compression::None {
                return produce(out);
            }
            let mut bytes = Vec::new();
            produce(&mut bytes)?;
            out.write_all(&unpack::compress(&bytes, self.compression)?)
        };
        let written = match self.path.as_str() {
            "-" => produce_buffered(std::io::stdout().lock(), produce),
            path => File::create(path).and_then(|file| produce_buffered(file, produce)),
        };
        written.map_err(|error| match error.kind() {
            std::io::ErrorKind::BrokenPipe => Failure::ClosedPipe,
            _ => Failure::Other(format!("cannot write {}: {error}", self.path)),
        })
    }
}

fn produce_buffered(
    to: impl Write,
    produce: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let mut writer = BufWriter::with_capacity(1 << 16, to);
    produce(&mut writer)?;
    writer.flush()
}

pub(crate) fn resolve(input: &str, args: &SchemaArgs) -> Result<Input, Failure> {
    let reference = Reference::parse(input)?;
    match reference.kind {
        Kind::Descriptors(format) => return descriptors(&reference, format, args),
        Kind::Source if reference.path == "-" => return descriptors(&reference, Format::Binary, args),
        Kind::Source => {}
        Kind::Tar | Kind::Zip | Kind::Git => return unpacked(&reference, args),
    }
    let path = Path::new(reference.path);
    let is_folder = path.is_dir();
    if !is_folder && !path.is_file() {
        return Err(Failure::Other(format!("input \"{}\" does not exist", reference.path)));
    }
    if !is_folder && path.extension().is_none_or(|e| e != "proto") {
        return Err(Failure::Other(format!(
            "input \"{}\" is neither a folder nor a .proto file; add `#format=binpb` if it is a descriptor set",
            reference.path
        )));
    }
    let mut folder = if is_folder { path } else { path.parent().unwrap_or(Path::new("")) };
    if folder.as_os_str().is_empty() {
        folder = Path::new(".");
    }
    let workspace = match enclosing(folder, path, None)? {
        Some(workspace) => workspace,
        None if is_folder => config::single(folder),
        // Without configuration, the current folder is the root, if the file lies in it.
        None if path.is_relative() && !path.starts_with("..") => config::single(Path::new(".")),
        None => config::single(folder),
    };
    let wanted = Place::of(path);
    let found = ModuleFiles::find(&workspace)?;
    modules(found, &workspace, input, args, |file| wanted.holds(&Place::of(file)))
}

/// What an input is made of here.
pub(crate) enum Local {
    /// The folders of modules.
    Modules(Vec<PathBuf>),
    /// A descriptor set or an archive.
    File(PathBuf),
}

/// What an input is made of, if it is here: not standard input, and no repository.
pub(crate) fn local(input: &str) -> Option<Local> {
    let reference = Reference::parse(input).ok()?;
    let path = Path::new(reference.path);
    match reference.kind {
        Kind::Git => None,
        _ if !path.exists() => None,
        Kind::Source => {
            let folder = if path.is_dir() { path } else { path.parent()? };
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            // Configuration that is wrong may be mended in a moment.
            let workspace = enclosing(folder, path, None).ok().flatten();
            let roots =
                workspace.into_iter().flat_map(|workspace| workspace.modules).map(|module| module.root);
            // Without configuration a file is imported from the current folder, or from its own.
            let own = if path.is_relative() && !path.starts_with("..") { Path::new(".") } else { folder };
            let mut folders: Vec<PathBuf> = roots.collect();
            if folders.is_empty() {
                folders.push(if path.is_dir() { folder } else { own }.to_path_buf());
            }
            Some(Local::Modules(folders))
        }
        Kind::Descriptors(_) | Kind::Tar | Kind::Zip => Some(Local::File(path.to_path_buf())),
    }
}

/// What an archive or repository holds, as if it were a folder. Its configuration ends where it does.
fn unpacked(reference: &Reference<'_>, args: &SchemaArgs) -> Result<Input, Failure> {
    let root = unpack::unpack(reference)?;
    let inside = |path: &str| -> Result<PathBuf, Failure> {
        let is_inside = Path::new(path)
            .components()
            .all(|part| matches!(part, std::path::Component::Normal(_) | std::path::Component::CurDir));
        if is_inside {
            Ok(root.path().join(path))
        } else {
            Err(Failure::Other(format!("\"{path}\" does not lie in {}", reference.path)))
        }
    };
    let folder = inside(reference.subdir.unwrap_or("."))?;
    if !folder.is_dir() {
        let subdir = reference.subdir.unwrap_or_default();
        return Err(Failure::Other(format!("{} has no .proto files in \"{subdir}\"", reference.path)));
    }
    let workspace =
        enclosing(&folder, &folder, Some(root.path()))?.unwrap_or_else(|| config::single(&folder));
    let wanted = Place::of(&folder);
    // Paths are those in the archive.
    let mut args = args.clone();
    for path in args.path.iter_mut().chain(&mut args.exclude_path) {
        *path = folder
            .join(inside(path)?.strip_prefix(root.path()).unwrap_or(Path::new("")))
            .display()
            .to_string();
    }
    let found = ModuleFiles::find(&workspace)?.shown_in(root.path(), reference.path);
    let input = modules(found, &workspace, reference.path, &args, |file| wanted.holds(&Place::of(file)))?;
    Ok(Input { _unpacked: Some(root), ..input })
}

/// A path with and without the symbolic links in it: what is a part of what may go by either.
struct Place {
    written: PathBuf,
    real: PathBuf,
}

impl Place {
    fn of(path: &Path) -> Self {
        let mut written = PathBuf::new();
        for part in std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf()).components() {
            match part {
                std::path::Component::ParentDir => drop(written.pop()),
                part => written.push(part),
            }
        }
        Self { written, real: canonical(path) }
    }

    fn holds(&self, other: &Self) -> bool {
        other.written.starts_with(&self.written) || other.real.starts_with(&self.real)
    }
}

fn canonical(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_path_buf())
}

/// The configuration in `folder` or above it, up to `root`, whose modules `wanted` is a part of.
fn enclosing(folder: &Path, wanted: &Path, root: Option<&Path>) -> Result<Option<Workspace>, Failure> {
    let wanted = Place::of(wanted);
    let mut at: PathBuf = folder.components().collect();
    let mut found: Option<Workspace> = None;
    loop {
        // A workspace further out gathers the modules that it lists.
        if (found.is_none() || at.join("buf.work.yaml").exists())
            && let Some(workspace) = config::read(&at)?
        {
            let mut roots = workspace.modules.iter().map(|module| Place::of(&module.root));
            if roots.any(|root| root.holds(&wanted) || wanted.holds(&root)) {
                found = Some(workspace);
            }
        }
        if canonical(&at).parent().is_none() || root == Some(&at) {
            break;
        }
        at = outer(&at);
    }
    if root.is_some() {
        return Ok(found);
    }
    for module in found.iter_mut().flat_map(|workspace| &mut workspace.modules) {
        straighten(&mut module.root);
        module.includes.iter_mut().chain(&mut module.excludes).for_each(straighten);
    }
    Ok(found)
}

/// Makes a path that leads out of the current folder no longer than it has to be.
fn straighten(path: &mut PathBuf) {
    if !path.starts_with("..") {
        return;
    }
    let (here, there) = (canonical(Path::new(".")), canonical(path));
    let common = here.components().zip(there.components()).take_while(|(a, b)| a == b).count();
    let ups = here.components().skip(common).map(|_| "..".as_ref());
    let straight: PathBuf = ups.chain(there.components().skip(common).map(|c| c.as_os_str())).collect();
    *path = if straight.as_os_str().is_empty() { PathBuf::from(".") } else { straight };
}

/// The folder around `at`, as seen from the current folder.
fn outer(at: &Path) -> PathBuf {
    if at == Path::new(".") {
        return PathBuf::from("..");
    }
    match at.file_name().and(at.parent()) {
        Some(parent) if parent.as_os_str().is_empty() => PathBuf::from("."),
        Some(parent) => parent.to_path_buf(),
        None => at.join(".."),
    }
}

fn modules(
    found: ModuleFiles,
    workspace: &Workspace,
    input: &str,
    args: &SchemaArgs,
    is_input: impl Fn(&Path) -> bool,
) -> Result<Input, Failure> {
    let written = |paths: &[String]| -> Vec<PathBuf> {
        paths.iter().map(|path| Place::of(Path::new(path)).written).collect()
    };
    let (wanted, unwanted) = (written(&args.path), written(&args.exclude_path));
    let within = |file: &Path, places: &[PathBuf]| {
        !places.is_empty() && {
            let file = Place::of(file).written;
            places.iter().any(|place| file.starts_with(place))
        }
    };
    let files: Vec<String> = found
        .iter()
        .into_iter()
        .filter(|(_, file)| is_input(file))
        .filter(|(_, file)| wanted.is_empty() || within(file, &wanted))
        .filter(|(_, file)| !within(file, &unwanted))
        .map(|(import, _)| import.to_owned())
        .collect();
    if files.is_empty() {
        return Err(Failure::Other(format!("\"{}\" has no .proto files to compile", input)));
    }
    Ok(Input {
        modules: found.names().clone(),
        loader: with_includes(Chain::new(found), args),
        files,
        dependencies: workspace.dependencies.clone(),
        _unpacked: None,
    })
}

fn descriptors(reference: &Reference<'_>, format: Format, args: &SchemaArgs) -> Result<Input, Failure> {
    let path = reference.path;
    let mut bytes = Vec::new();
    let read = match path {
        "-" => unpack::reader(std::io::stdin(), reference.compression),
        path => File::open(path).and_then(|file| unpack::reader(file, reference.compression)),
    };
    read.and_then(|mut reader| reader.read_to_end(&mut bytes))
        .map_err(|error| format!("cannot read {path}: {error}"))?;
    let mut set = match format {
        Format::Json | Format::Text | Format::Yaml => {
            printed::read(&bytes, format, if path == "-" { "input" } else { path })?
        }
        _ => FileDescriptorSet::decode(&bytes)
            .map_err(|error| format!("{path} is not a descriptor set: {error}"))?,
    };
    if set.file.is_empty() {
        return Err(Failure::Other(format!("{path} holds no files")));
    }
    // What an image calls an import stays one.
    let mut modules = HashMap::new();
    let mut is_input = |file: &mut FileDescriptorProto| {
        let said = image::take_extension(file);
        if let (Some(path), Some(module)) = (&file.name, said.module) {
            modules.insert(path.clone(), module);
        }
        !said.is_import
    };
    let inputs: Vec<bool> = set.file.iter_mut().map(&mut is_input).collect();
    let files =
        set.file.iter().zip(inputs).filter_map(|(file, is_input)| file.name.clone().filter(|_| is_input));
    let within = |file: &str, paths: &[String]| paths.iter().any(|path| Path::new(file).starts_with(path));
    let mut files: Vec<String> = files
        .filter(|file| args.path.is_empty() || within(file, &args.path))
        .filter(|file| !within(file, &args.exclude_path))
        .collect();
    // The order in which a folder would be compiled.
    files.sort();
    Ok(Input {
        loader: with_includes(Chain::new(Descriptors::new().set(set)), args),
        files,
        modules,
        dependencies: Vec::new(),
        _unpacked: None,
    })
}

fn with_includes(loader: Chain<'static>, args: &SchemaArgs) -> Chain<'static> {
    let folders =
        args.proto_path.iter().fold(IncludePaths::new(), |paths, folder| paths.folder(folder.as_str()));
    if folders.is_empty() { loader } else { loader.or(folders) }
}
