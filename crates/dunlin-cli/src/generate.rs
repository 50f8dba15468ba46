//! `dunlin generate`: runs the code generators that buf.gen.yaml names.

mod managed;
mod template;
mod watch;
mod write;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use clap::Args;
use dunlin_codegen::output::Output;
use dunlin_codegen::plugin;
use dunlin_compiler::{Compilation, CompiledFile, DescriptorOptions, wellknown};
use dunlin_protobuf::descriptor::{FileDescriptorProto, FileDescriptorSet};
use dunlin_protobuf::plugin::{CodeGeneratorRequest, CodeGeneratorResponse};

use crate::build::{Failure, SchemaArgs, exit_code, shake};
use crate::project;
use crate::protoc;
use crate::rust_plugin;
use template::{Input, Plugin, Program, Strategy, Template};

/// Generates code as buf.gen.yaml says.
///
/// The plugin `dunlin` (or `local: protoc-gen-dunlin`) is the Rust generator, which is built in; others
/// are programs, or parts of an installed protoc. Options of the Rust generator may stand in `dunlin.toml`
/// too, under [generate.rust]. INPUT takes the place of the inputs of buf.gen.yaml.
#[derive(Args, Debug)]
pub(crate) struct GenerateArgs {
    /// Folder, .proto file, or descriptor set; `.` if buf.gen.yaml names none
    input: Option<String>,
    /// Another buf.gen.yaml, or its text
    #[arg(long, value_name = "FILE|YAML", default_value = "buf.gen.yaml")]
    template: String,
    /// The folder that outputs are relative to
    #[arg(short, long, value_name = "FOLDER", default_value = ".")]
    output: PathBuf,
    /// Delete what is in the outputs first
    #[arg(long)]
    clean: bool,
    /// Write nothing; exit with 100 if something would change
    #[arg(long)]
    check: bool,
    /// Generate again whenever a schema or its configuration changes, until it is ended
    #[arg(long, conflicts_with = "check")]
    watch: bool,
    /// Generate for imported files too
    #[arg(long)]
    include_imports: bool,
    /// Generate for the well-known files too, if they are imported; needs --include-imports
    #[arg(long, requires = "include_imports")]
    include_wkt: bool,
    /// Keep only these types, and what they need
    #[arg(long = "type", value_name = "NAME", value_delimiter = ',')]
    types: Vec<String>,
    /// Leave out these types, and the fields and methods that need them
    #[arg(long = "exclude-type", value_name = "NAME", value_delimiter = ',')]
    exclude_types: Vec<String>,
    #[command(flatten)]
    schema: SchemaArgs,
}

pub(crate) fn main(args: &GenerateArgs) -> ExitCode {
    let result = if args.watch { watch::watch(args) } else { run(args) };
    exit_code(result, args.schema.error_format())
}

fn inputs(args: &GenerateArgs, template: &Template) -> Vec<Input> {
    match &args.input {
        Some(input) => vec![Input { location: input.clone(), ..Default::default() }],
        None if template.inputs.is_empty() => vec![Input { location: ".".into(), ..Default::default() }],
        None => template.inputs.clone(),
    }
}

fn run(args: &GenerateArgs) -> Result<(), Failure> {
    let template = template::read(&args.template)?;
    let inputs = inputs(args, &template);
    let mut outputs: BTreeMap<PathBuf, Output> = BTreeMap::new();
    for input in &inputs {
        let limited = args.schema.or_paths(&input.paths, &input.exclude_paths);
        let (compilation, modules) = limited.compile_named(&input.location, true)?;
        let schema = Schema::of(&compilation, &modules, &template);
        for plugin in &template.plugins {
            let output = outputs.entry(args.output.join(&plugin.out)).or_default();
            let mut types = input.types.clone();
            types.extend(plugin.types.iter().chain(&args.types).cloned());
            let excluded = [&input.exclude_types[..], &plugin.exclude_types, &args.exclude_types].concat();
            let runner = Runner { args, plugin, schema: &schema, types, excluded };
            runner.run(output).map_err(|message| format!("plugin {}: {message}", plugin.program))?;
        }
    }
    for output in outputs.values_mut() {
        output.check_paths().map_err(|error| error.to_string())?;
    }
    let clean = args.clean || template.clean;
    if args.check { write::check(&mut outputs, clean) } else { write::write(&mut outputs, clean) }
}

/// The descriptors of an input, as plugins get them.
struct Schema {
    /// All files, imports first, without options that are meant for the compiler only.
    files: Vec<FileDescriptorProto>,
    /// All files with all options.
    full: Vec<FileDescriptorProto>,
    inputs: HashSet<String>,
}

impl Schema {
    fn of(compilation: &Compilation, modules: &HashMap<String, String>, template: &Template) -> Self {
        let full =
            DescriptorOptions { include_imports: true, include_source_info: true, retain_options: true };
        let kept = DescriptorOptions { retain_options: false, ..full };
        let inputs: HashSet<String> = compilation.inputs().map(|file| file.path().to_owned()).collect();
        let descriptor = |file: &CompiledFile, options| {
            let mut proto = file.descriptor(options);
            template.managed.apply(&mut proto, modules.get(file.path()).map(String::as_str));
            proto
        };
        let ids = compilation.select(true);
        let all = |for_inputs: DescriptorOptions| -> Vec<FileDescriptorProto> {
            let files = ids.iter().map(|&id| compilation.file(id));
            files
                .map(|file| descriptor(file, if inputs.contains(file.path()) { for_inputs } else { full }))
                .collect()
        };
        Self { files: all(kept), full: all(full), inputs }
    }
}

struct Runner<'a> {
    args: &'a GenerateArgs,
    plugin: &'a Plugin,
    schema: &'a Schema,
    types: Vec<String>,
    excluded: Vec<String>,
}

impl Runner<'_> {
    fn run(&self, output: &mut Output) -> Result<(), String> {
        let mut files = FileDescriptorSet { file: self.schema.files.clone(), ..Default::default() };
        let mut full = FileDescriptorSet { file: self.schema.full.clone(), ..Default::default() };
        if !self.types.is_empty() || !self.excluded.is_empty() {
            shake::keep(&mut files, &self.types, &self.excluded)?;
            shake::keep(&mut full, &self.types, &self.excluded)?;
        }
        let wanted: Vec<String> = files
            .file
            .iter()
            .map(|file| file.name.clone().unwrap_or_default())
            .filter(|path| self.is_wanted(path))
            .collect();
        if wanted.is_empty() {
            return Ok(());
        }
        if let Program::Builtin { language, protoc } = &self.plugin.program {
            let paths: Vec<&str> = wanted.iter().map(String::as_str).collect();
            let generated = protoc::builtin_files(language, protoc, &self.plugin.parameter, &full, &paths)?;
            for (name, content) in generated {
                output.add(&name, content).map_err(|error| error.to_string())?;
            }
            return Ok(());
        }
        // Our own generator writes one file for a package and one for all, so it sees all at once.
        if self.plugin.strategy == Strategy::All || self.plugin.program == Program::Dunlin {
            return self.run_for(&wanted, &files, &full, output);
        }
        let mut folders: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for path in &wanted {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            folders.entry(folder).or_default().push(path.clone());
        }
        folders.values().try_for_each(|paths| self.run_for(paths, &files, &full, output))
    }

    fn is_wanted(&self, path: &str) -> bool {
        if self.schema.inputs.contains(path) {
            return true;
        }
        let imports = self.plugin.include_imports || self.args.include_imports;
        let well_known = self.plugin.include_wkt || self.args.include_wkt;
        imports && (well_known || wellknown::source(path).is_none())
    }

    fn run_for(
        &self,
        paths: &[String],
        files: &FileDescriptorSet,
        full: &FileDescriptorSet,
        output: &mut Output,
    ) -> Result<(), String> {
        let needed = with_imports(paths, files);
        let is_path =
            |file: &&FileDescriptorProto| file.name.as_ref().is_some_and(|name| paths.contains(name));
        let request = CodeGeneratorRequest {
            file_to_generate: paths.to_vec(),
            parameter: Some(self.plugin.parameter.clone()).filter(|parameter| !parameter.is_empty()),
            // As from buf, without a version: many plugins write it into what they generate.
            compiler_version: None,
            proto_file: needed.into_iter().cloned().collect(),
            source_file_descriptors: full.file.iter().filter(is_path).cloned().collect(),
            ..Default::default()
        };
        let mut response = self.ask(request)?;
        let error = response.error.take().filter(|error| !error.is_empty());
        // An old plugin mostly gets by with the `optional` of proto3, so buf lets it try.
        let mut lenient = CodeGeneratorResponse {
            supported_features: Some(response.supported_features.unwrap_or_default() | 1),
            minimum_edition: response.minimum_edition,
            maximum_edition: response.maximum_edition,
            ..Default::default()
        };
        let name = self.plugin.program.to_string();
        let generated = || full.file.iter().filter(is_path);
        if let Err(message) = protoc::check_support(generated(), &name, &response) {
            protoc::check_support(generated(), &name, &lenient)?;
            self.args.schema.warn(&message);
        }
        lenient.file = response.file;
        output.apply(lenient).map_err(|error| error.to_string())?;
        error.map_or(Ok(()), Err)
    }

    fn ask(&self, request: CodeGeneratorRequest) -> Result<CodeGeneratorResponse, String> {
        let command = match &self.plugin.program {
            Program::Dunlin => return Ok(rust_plugin::respond(request, project::rust_options()?)),
            Program::Local(command) => command,
            Program::Builtin { .. } => return Err("this runs through protoc".into()),
        };
        let [program, arguments @ ..] = command.as_slice() else { return Err("the command is empty".into()) };
        plugin::run(Command::new(program).args(arguments), &request).map_err(|error| error.to_string())
    }
}

/// The files at `paths` and all that they import, in the order of the set.
fn with_imports<'s>(paths: &[String], set: &'s FileDescriptorSet) -> Vec<&'s FileDescriptorProto> {
    let mut needed: HashSet<&str> = paths.iter().map(String::as_str).collect();
    // Imports stand before what imports them.
    for file in set.file.iter().rev() {
        if file.name.as_deref().is_some_and(|name| needed.contains(name)) {
            needed.extend(file.dependency.iter().map(String::as_str));
        }
    }
    set.file.iter().filter(|file| file.name.as_deref().is_some_and(|name| needed.contains(name))).collect()
}
