//! Schemas out of files: sources and descriptor sets.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use dunlin_compiler::loader::{IncludePaths, VirtualPath};
use dunlin_compiler::{Compiler, DescriptorOptions, Diagnostics};
use dunlin_protobuf::descriptor::{DescriptorMessage, FileDescriptorProto, FileDescriptorSet};
use dunlin_protobuf::dynamic::DynamicPool;

use crate::build::{SchemaArgs, report};
use crate::online::failure::{Failure, Stage};
use crate::online::flags::SourceArgs;

const EVERYTHING: DescriptorOptions =
    DescriptorOptions { include_imports: true, include_source_info: true, retain_options: true };

/// All files that the flags name, and what they import, as one schema.
pub(crate) fn read(args: &SourceArgs) -> Result<Arc<DynamicPool>, Failure> {
    let mut all = Vec::new();
    for path in &args.protoset {
        all.extend(descriptor_set(path)?);
    }
    if !args.proto.is_empty() {
        all.extend(sources(&args.proto, &args.import_path)?);
    }
    for input in &args.schema {
        let compilation = SchemaArgs::with_proto_path(&args.import_path).compile(input, true)?;
        all.extend(compilation.file_descriptor_set(EVERYTHING).file);
    }
    // A file may be imported by several; the first counts.
    let mut seen = HashSet::new();
    all.retain(|file| seen.insert(file.name.clone().unwrap_or_default()));
    DynamicPool::from_file_descriptor_set(FileDescriptorSet { file: all, ..Default::default() }).map_err(
        |error| {
            Failure::local(
                Stage::Schema,
                format!("the descriptors do not fit together: {error}; do they have all imports?"),
            )
        },
    )
}

fn descriptor_set(path: &str) -> Result<Vec<FileDescriptorProto>, Failure> {
    let bytes = std::fs::read(path)
        .map_err(|error| Failure::local(Stage::Schema, format!("cannot read {path}: {error}")))?;
    match FileDescriptorSet::decode(&bytes) {
        Ok(set) if !set.file.is_empty() => Ok(set.file),
        Ok(_) => Err(Failure::local(Stage::Schema, format!("{path} holds no files"))),
        Err(error) => Err(Failure::local(
            Stage::Schema,
            format!(
                "{path} is no descriptor set: {error}; `dunlin build --as-file-descriptor-set -o FILE` makes one"
            ),
        )),
    }
}

/// Compiles .proto files. With folders, names are paths on disk or as imports have them. Without, the folder
/// is looked for from which all imports are found: that of the file, or one around it.
fn sources(files: &[String], folders: &[String]) -> Result<Vec<FileDescriptorProto>, Failure> {
    if let Some(missing) = folders.iter().find(|folder| !Path::new(folder).is_dir()) {
        return Err(Failure::local(Stage::Schema, format!("the -import-path {missing} is no folder")));
    }
    if !folders.is_empty() {
        return compile(files, folders).map_err(tell);
    }
    let around = Path::new(&files[0]).ancestors().skip(1);
    let mut roots: Vec<String> =
        around
            .map(|folder| {
                if folder.as_os_str().is_empty() { ".".into() } else { folder.to_string_lossy().into_owned() }
            })
            .collect();
    roots.dedup();
    let mut first_fault = None;
    for root in roots {
        match compile(files, &[root]) {
            Ok(compiled) => return Ok(compiled),
            Err(fault) => first_fault = first_fault.or(Some(fault)),
        }
    }
    Err(first_fault.map_or(Failure::Told, tell))
}

enum Fault {
    Place(Failure),
    Schema(Box<Diagnostics>),
}

fn tell(fault: Fault) -> Failure {
    match fault {
        Fault::Place(failure) => failure,
        Fault::Schema(diagnostics) => {
            report::report(&diagnostics, &SchemaArgs::default());
            Failure::Told
        }
    }
}

fn compile(files: &[String], folders: &[String]) -> Result<Vec<FileDescriptorProto>, Fault> {
    let includes =
        folders.iter().fold(IncludePaths::new(), |includes, folder| includes.folder(folder.as_str()));
    let mut paths = Vec::new();
    for file in files {
        paths.push(import_path(&includes, file, folders)?);
    }
    match Compiler::new(includes).source_info(true).compile(paths) {
        Ok(compilation) => Ok(compilation.file_descriptor_set(EVERYTHING).file),
        Err(diagnostics) => Err(Fault::Schema(Box::new(diagnostics))),
    }
}

fn import_path(includes: &IncludePaths, file: &str, folders: &[String]) -> Result<String, Fault> {
    let fault = |message: String| Err(Fault::Place(Failure::local(Stage::Schema, message)));
    match includes.virtual_path(file) {
        VirtualPath::Found(path) => Ok(path),
        // As an import would name it.
        _ if includes.disk_path(file).is_some() => Ok(file.to_owned()),
        VirtualPath::Shadowed { by, .. } => {
            fault(format!("{file} is hidden by {by}, which comes first in the order of -import-path"))
        }
        VirtualPath::Outside if Path::new(file).is_file() => {
            fault(format!("{file} lies in none of the -import-path folders {}", folders.join(", ")))
        }
        VirtualPath::Outside => fault(format!("there is no file {file}; is the -import-path right?")),
    }
}
