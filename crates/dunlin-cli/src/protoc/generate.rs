//! Running code generators and writing what they make.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use dunlin_codegen::output::Output;
use dunlin_codegen::plugin;
use dunlin_codegen::rust::Options;
use dunlin_compiler::{Compilation, CompiledFile, DescriptorOptions};
use dunlin_protobuf::descriptor::DescriptorMessage;
use dunlin_protobuf::descriptor::{DescriptorProto, Edition, FileDescriptorProto, FileDescriptorSet};
use dunlin_protobuf::plugin::{CodeGeneratorRequest, CodeGeneratorResponse, Version};

use super::Failure;
use super::arguments::{Arguments, Generator};
use crate::rust_plugin;

/// The generators that are part of protoc itself.
const BUILTIN: [&str; 10] =
    ["cpp", "csharp", "java", "kotlin", "objc", "php", "pyi", "python", "ruby", "rust"];
/// Generators that were once built in and are not sent the JSON names of fields.
const WITHOUT_JSON_NAMES: [&str; 4] = ["cpp", "java", "mutable_java", "python"];

const PROTO3_OPTIONAL: u64 = 1;
const EDITIONS: u64 = 2;

pub(crate) fn is_builtin(generator: &str) -> bool {
    BUILTIN.contains(&generator)
}

/// Everything that is to be written to one place.
pub(crate) type Outputs = BTreeMap<String, Output>;

/// Runs all generators, in the order of the command line.
pub(crate) fn generate(compilation: &Compilation, arguments: &Arguments) -> Result<Outputs, Failure> {
    let mut outputs = Outputs::new();
    for generator in &arguments.generators {
        let mut location = generator.location.clone();
        if !is_archive(&location) && !location.is_empty() && !location.ends_with('/') {
            location.push('/');
        }
        let output = outputs.entry(location).or_default();
        let plugin = format!("protoc-gen-{}", generator.name);
        let run = if is_builtin(&generator.name) && !arguments.plugins.contains_key(&plugin) {
            run_builtin(compilation, arguments, generator, output)
        } else {
            run_plugin(compilation, arguments, generator, &plugin, output)
        };
        run.map_err(|message| format!("--{}_out: {message}", generator.name))?;
    }
    Ok(outputs)
}

fn run_plugin(
    compilation: &Compilation,
    arguments: &Arguments,
    generator: &Generator,
    plugin: &str,
    output: &mut Output,
) -> Result<(), Failure> {
    let with_json_names = !WITHOUT_JSON_NAMES.contains(&generator.name.as_str());
    let request = request(compilation, arguments.parameter(generator), with_json_names);
    // Our own generator needs no program, unless one is named.
    if generator.name == "dunlin"
        && !arguments.plugins.contains_key(plugin)
        && !arguments.prefixes.contains_key(&generator.name)
    {
        return take(rust_plugin::respond(request, Options::default()), compilation, plugin, output);
    }
    let program = arguments.plugins.get(plugin).cloned().unwrap_or_else(|| plugin.to_owned());
    let mut command = match arguments.prefixes.get(&generator.name) {
        Some(prefix) => {
            let mut command = Command::new(&prefix[0]);
            command.args(&prefix[1..]).arg(&program);
            command
        }
        // A path that was given is taken as it is, also without a slash in it.
        None if arguments.plugins.contains_key(plugin) && !program.contains('/') => {
            Command::new(format!("./{program}"))
        }
        None => Command::new(&program),
    };
    let response = plugin::run(&mut command, &request).map_err(|error| {
        let cure = match &error {
            plugin::PluginError::Start { .. } => {
                format!("; it has to be on the PATH, or named by --plugin={plugin}=PATH")
            }
            _ => String::new(),
        };
        format!("{plugin}: {error}{cure}")
    })?;
    take(response, compilation, plugin, output)
}

/// Takes over what a plugin answered.
fn take(
    mut response: CodeGeneratorResponse,
    compilation: &Compilation,
    plugin: &str,
    output: &mut Output,
) -> Result<(), Failure> {
    let error = response.error.take().filter(|error| !error.is_empty());
    let support = check_support(compilation.inputs().map(CompiledFile::proto), plugin, &response);
    output.apply(response).map_err(|error| error.to_string())?;
    support?;
    error.map_or(Ok(()), Err)
}

/// What a plugin is asked.
fn request(compilation: &Compilation, parameter: String, with_json_names: bool) -> CodeGeneratorRequest {
    let full = DescriptorOptions { include_imports: true, include_source_info: true, retain_options: true };
    let kept = DescriptorOptions { retain_options: false, ..full };
    let inputs: HashSet<&str> = compilation.inputs().map(CompiledFile::path).collect();
    let mut request = CodeGeneratorRequest {
        file_to_generate: compilation.inputs().map(|file| file.path().to_owned()).collect(),
        parameter: Some(parameter).filter(|parameter| !parameter.is_empty()),
        compiler_version: Some(Box::new(Version {
            major: Some(7),
            minor: Some(36),
            patch: Some(2),
            suffix: Some(String::new()),
            ..Default::default()
        })),
        ..Default::default()
    };
    for id in compilation.select(true) {
        let file = compilation.file(id);
        let is_input = inputs.contains(file.path());
        let finish = |mut proto: FileDescriptorProto| {
            if !with_json_names {
                drop_derived_json_names(&mut proto);
            }
            proto
        };
        request.proto_file.push(finish(file.descriptor(if is_input { kept } else { full })));
        if is_input {
            request.source_file_descriptors.push(finish(file.descriptor(full)));
        }
    }
    request
}

// Only names that were written out are left.
fn drop_derived_json_names(proto: &mut FileDescriptorProto) {
    fn fields(fields: &mut [dunlin_protobuf::descriptor::FieldDescriptorProto]) {
        for field in fields {
            let derived = dunlin_protobuf::names::json_name(field.name.as_deref().unwrap_or_default());
            if field.json_name.as_ref() == Some(&derived) {
                field.json_name = None;
            }
        }
    }
    fields(&mut proto.extension);
    let mut queue: Vec<&mut DescriptorProto> = proto.message_type.iter_mut().collect();
    while let Some(message) = queue.pop() {
        fields(&mut message.field);
        fields(&mut message.extension);
        queue.extend(message.nested_type.iter_mut());
    }
}

/// A plugin has to know the language that the files are written in.
pub(crate) fn check_support<'f>(
    files: impl Iterator<Item = &'f FileDescriptorProto>,
    plugin: &str,
    response: &CodeGeneratorResponse,
) -> Result<(), Failure> {
    let features = response.supported_features.unwrap_or_default();
    for proto in files {
        let path = proto.name.as_deref().unwrap_or_default();
        if features & PROTO3_OPTIONAL == 0 && proto.syntax.as_deref() == Some("proto3") && has_optional(proto)
        {
            return Err(format!(
                "{path}: this proto3 file has `optional` fields, which code generator {plugin} does not support"
            ));
        }
        let Some(edition) = proto.edition else { continue };
        if features & EDITIONS == 0 {
            return Err(format!(
                "{path}: this file uses editions, which code generator {plugin} does not support"
            ));
        }
        let minimum = Edition(response.minimum_edition.unwrap_or_default());
        let maximum = Edition(response.maximum_edition.unwrap_or_default());
        let name =
            |edition: Edition| edition.name().unwrap_or("unknown").trim_start_matches("EDITION_").to_owned();
        if edition < minimum || edition > maximum {
            return Err(format!(
                "{path}: this file uses edition {}, but code generator {plugin} supports {} to {}",
                name(edition),
                name(minimum),
                name(maximum)
            ));
        }
    }
    Ok(())
}

fn has_optional(proto: &FileDescriptorProto) -> bool {
    let mut queue: Vec<&DescriptorProto> = proto.message_type.iter().collect();
    while let Some(message) = queue.pop() {
        if message.field.iter().any(|field| field.proto3_optional == Some(true)) {
            return true;
        }
        queue.extend(&message.nested_type);
    }
    false
}

// ---- generators of a real protoc

fn run_builtin(
    compilation: &Compilation,
    arguments: &Arguments,
    generator: &Generator,
    output: &mut Output,
) -> Result<(), Failure> {
    let options =
        DescriptorOptions { include_imports: true, include_source_info: true, retain_options: true };
    let set = compilation.file_descriptor_set(options);
    let files: Vec<&str> = compilation.inputs().map(CompiledFile::path).collect();
    let generated = builtin_files(&generator.name, &[], &arguments.parameter(generator), &set, &files)?;
    for (name, content) in generated {
        output.add(&name, content).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// What a generator that is built into a real protoc makes of files; `protoc` is the command, or
/// empty to look for one.
pub(crate) fn builtin_files(
    language: &str,
    protoc: &[String],
    parameter: &str,
    set: &FileDescriptorSet,
    files: &[&str],
) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let mut command = match (protoc, find_protoc()) {
        ([program, arguments @ ..], _) => {
            let mut command = Command::new(program);
            command.args(arguments);
            command
        }
        ([], Some(found)) => Command::new(found),
        ([], None) => {
            return Err(format!(
                "the {language} generator is part of Google's protoc, and none is found; install protoc so that it \
                 is on the PATH, name it by the environment variable DUNLIN_PROTOC, or use \
                 --plugin=protoc-gen-{language}=PATH"
            ));
        }
    };
    let shown = command.get_program().to_string_lossy().into_owned();
    let scratch = tempfile::tempdir().map_err(|error| format!("cannot make a temporary folder: {error}"))?;
    let descriptors = scratch.path().join("descriptors");
    let folder = scratch.path().join("out");
    let write = || -> std::io::Result<()> {
        std::fs::write(&descriptors, set.encode_to_vec())?;
        std::fs::create_dir(&folder)
    };
    write().map_err(|error| format!("cannot write to a temporary folder: {error}"))?;
    command.arg(format!("--descriptor_set_in={}", descriptors.display()));
    command.arg(format!("--{language}_out={}", folder.display()));
    if !parameter.is_empty() {
        command.arg(format!("--{language}_opt={parameter}"));
    }
    command.args(files);
    let status = command.status().map_err(|error| format!("cannot start {shown}: {error}"))?;
    if !status.success() {
        return Err(format!("{shown} failed: {status}"));
    }
    let mut generated = Vec::new();
    for file in walkdir::WalkDir::new(&folder).sort_by_file_name().into_iter().flatten() {
        if !file.file_type().is_file() {
            continue;
        }
        let name = file.path().strip_prefix(&folder).unwrap_or(file.path()).to_string_lossy().into_owned();
        let content = std::fs::read(file.path()).map_err(|error| format!("{name}: {error}"))?;
        generated.push((name, content));
    }
    Ok(generated)
}

/// A protoc that is not this program.
fn find_protoc() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("DUNLIN_PROTOC") {
        return Some(path.into());
    }
    let own = std::env::current_exe().ok().and_then(|path| path.canonicalize().ok());
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join("protoc"))
        .find(|candidate| candidate.canonicalize().is_ok_and(|path| path.is_file() && Some(path) != own))
}

// ---- writing

fn is_archive(location: &str) -> bool {
    [".zip", ".jar", ".srcjar"].iter().any(|ending| location.ends_with(ending))
}

/// Writes all outputs; returns the paths of the files.
pub(crate) fn write(outputs: &mut Outputs, arguments: &Arguments) -> Result<Vec<String>, Failure> {
    let mut written = Vec::new();
    for (location, output) in outputs {
        if !arguments.allow_escape {
            output.check_paths().map_err(|error| error.to_string())?;
        }
        if is_archive(location) {
            if location.ends_with(".jar") {
                output.add_jar_manifest();
            }
            write_archive(location, output).map_err(|error| format!("{location}: {error}"))?;
        } else {
            write_folder(location, output)?;
        }
        for name in output.files().keys() {
            let path = format!("{location}{name}");
            written.push(path.strip_prefix("./").unwrap_or(&path).to_owned());
        }
    }
    Ok(written)
}

fn write_folder(location: &str, output: &Output) -> Result<(), Failure> {
    if !Path::new(location).is_dir() {
        return Err(format!("{location}: No such file or directory"));
    }
    for (name, content) in output.files() {
        let path = Path::new(location).join(name);
        let write = || {
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            std::fs::write(&path, content)
        };
        write().map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

pub(crate) fn write_archive(location: &str, output: &Output) -> Result<(), zip::result::ZipError> {
    use std::io::Write;
    let mut archive = zip::ZipWriter::new(std::fs::File::create(location)?);
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, content) in output.files() {
        archive.start_file(name.as_str(), options)?;
        archive.write_all(content)?;
    }
    archive.finish()?;
    Ok(())
}
