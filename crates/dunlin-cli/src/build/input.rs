//! What to compile, and where to write it.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use dunlin_compiler::Diagnostics;
use dunlin_compiler::loader::{Chain, Descriptors, IncludePaths};
use dunlin_protobuf::descriptor::DescriptorMessage;
use dunlin_protobuf::descriptor::{FileDescriptorProto, FileDescriptorSet};

use super::config::{self, Workspace};
use super::modules::ModuleFiles;
use super::{Failure, SchemaArgs, image, printed};
use crate::payload::Format;

/// Files to compile, and where they and their imports come from.
pub(crate) struct Input {
    pub(crate) loader: Chain<'static>,
    pub(crate) files: Vec<String>,
    dependencies: Vec<String>,
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

/// A path with the options behind `#`.
struct Reference<'a> {
    path: &'a str,
    format: Option<&'a str>,
}

impl<'a> Reference<'a> {
    fn parse(text: &'a str) -> Result<Self, Failure> {
        let Some((path, options)) = text.split_once('#') else {
            return Ok(Self { path: text, format: None });
        };
        // The dash of `-#format=x` is taken off on the command line.
        let path = if path.is_empty() { "-" } else { path };
        let mut format = None;
        for option in options.split(',') {
            match option.split_once('=') {
                Some(("format", value)) => format = Some(value),
                None if !option.is_empty() => format = Some(option),
                _ => {
                    return Err(Failure::Other(format!(
                        "unknown option `{option}` behind `#`; known is `format`"
                    )));
                }
            }
        }
        Ok(Self { path, format })
    }

    /// The format of a descriptor set; `None` for source files.
    fn descriptors(&self) -> Result<Option<Format>, Failure> {
        let ending = Path::new(self.path).extension().and_then(|e| e.to_str()).unwrap_or_default();
        match self.format.unwrap_or(ending) {
            "binpb" | "bin" | "pb" | "protoset" | "desc" | "fds" => Ok(Some(Format::Binary)),
            "json" => Ok(Some(Format::Json)),
            "txtpb" => Ok(Some(Format::Text)),
            format @ ("yaml" | "gz" | "zst" | "git" | "tar" | "tgz" | "zip") => Err(Failure::Other(format!(
                "format `{format}` is not supported yet; use `binpb`, `json` or `txtpb`"
            ))),
            "dir" | "mod" | "protofile" => Ok(None),
            format if self.format.is_some() => Err(Failure::Other(format!(
                "unknown format `{format}`; known are `binpb`, `json` and `txtpb`"
            ))),
            _ => Ok(None),
        }
    }
}

/// Where the result goes.
#[derive(Debug)]
pub(crate) struct Output {
    path: String,
    pub(crate) format: Format,
}

impl Output {
    /// Reads `FILE`, `FILE#format=json` or `-`.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let reference = Reference::parse(text)?;
        let format = match (reference.descriptors()?, reference.format) {
            (Some(format), _) => format,
            (None, Some(format)) => {
                return Err(Failure::Other(format!("format `{format}` is for inputs; use `binpb`")));
            }
            (None, None) => Format::Binary,
        };
        Ok(Self { path: reference.path.to_owned(), format })
    }

    /// Opens the output and lets `produce` write to it.
    pub(crate) fn write(
        &self,
        produce: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
    ) -> Result<(), Failure> {
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
    if let Some(format) = reference.descriptors()? {
        return descriptors(reference.path, format, args);
    }
    if reference.path == "-" {
        return descriptors(reference.path, Format::Binary, args);
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
    let workspace = match enclosing(folder, path)? {
        Some(workspace) => workspace,
        None if is_folder => config::single(folder),
        // Without configuration, the current folder is the root, if the file lies in it.
        None if path.is_relative() && !path.starts_with("..") => config::single(Path::new(".")),
        None => config::single(folder),
    };
    let wanted = Place::of(path);
    modules(&workspace, input, args, |file| wanted.holds(&Place::of(file)))
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

/// The configuration in `folder` or above it whose modules `wanted` is a part of.
fn enclosing(folder: &Path, wanted: &Path) -> Result<Option<Workspace>, Failure> {
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
        if canonical(&at).parent().is_none() {
            break;
        }
        at = outer(&at);
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
    workspace: &Workspace,
    input: &str,
    args: &SchemaArgs,
    is_input: impl Fn(&Path) -> bool,
) -> Result<Input, Failure> {
    let found = ModuleFiles::find(workspace)?;
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
        loader: with_includes(Chain::new(found), args),
        files,
        dependencies: workspace.dependencies.clone(),
    })
}

fn descriptors(path: &str, format: Format, args: &SchemaArgs) -> Result<Input, Failure> {
    let mut bytes = Vec::new();
    let read = match path {
        "-" => std::io::stdin().lock().read_to_end(&mut bytes).map(drop),
        path => std::fs::read(path).map(|read| bytes = read),
    };
    read.map_err(|error| format!("cannot read {path}: {error}"))?;
    let mut set = match format {
        Format::Json | Format::Text => {
            printed::read(&bytes, format, if path == "-" { "input" } else { path })?
        }
        _ => FileDescriptorSet::decode(&bytes)
            .map_err(|error| format!("{path} is not a descriptor set: {error}"))?,
    };
    if set.file.is_empty() {
        return Err(Failure::Other(format!("{path} holds no files")));
    }
    // What an image calls an import stays one.
    let is_input = |file: &mut FileDescriptorProto| !image::take_extension(file);
    let inputs: Vec<bool> = set.file.iter_mut().map(is_input).collect();
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
        dependencies: Vec::new(),
    })
}

fn with_includes(loader: Chain<'static>, args: &SchemaArgs) -> Chain<'static> {
    let folders =
        args.proto_path.iter().fold(IncludePaths::new(), |paths, folder| paths.folder(folder.as_str()));
    if folders.is_empty() { loader } else { loader.or(folders) }
}
