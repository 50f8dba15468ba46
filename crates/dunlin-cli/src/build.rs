//! `dunlin build`: schema files to a descriptor set.

mod config;
mod image;
mod input;
mod modules;
mod printed;
mod progress;
mod reference;
pub(crate) mod report;
pub(crate) mod shake;
mod unpack;

use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use dunlin_compiler::{Compilation, CompiledFile, Compiler, DescriptorOptions};

use crate::payload::Format;
use crate::print::complain;
use input::Output;
pub(crate) use input::{Local, local};

/// Compiles schema files to a descriptor set.
///
/// INPUT is a folder, a .proto file, a descriptor set, an archive (.tar, .tar.gz, .tgz, .tar.zst, .zip), a git
/// repository, or `-` for a descriptor set on standard input. Options stand behind `#`, with commas between
/// them: format, compression, strip_components and subdir, and for git also branch, tag, ref, depth and
/// recurse_submodules: `.git#branch=main,subdir=proto`. In a folder, buf.yaml and buf.work.yaml say which
/// modules there are; without them, the folder is the one module.
#[derive(Args, Debug)]
pub(crate) struct BuildArgs {
    /// Folder, .proto file, descriptor set, archive, git repository, or `-`
    #[arg(default_value = ".")]
    input: String,
    /// Where to write the descriptor set: FILE, `-`, or FILE#format=json (binpb, json, txtpb, yaml); compressed
    /// if the name ends in .gz or .zst
    #[arg(short, long, value_name = "FILE[#format]")]
    output: Option<String>,
    /// Write a plain FileDescriptorSet, without what buf's images say beyond that
    #[arg(long)]
    as_file_descriptor_set: bool,
    /// Leave out imported files
    #[arg(long)]
    exclude_imports: bool,
    /// Leave out positions and comments
    #[arg(long)]
    exclude_source_info: bool,
    /// Keep only these types, and what they need; PACKAGE.** names inner packages too
    #[arg(long = "type", value_name = "NAME", value_delimiter = ',')]
    types: Vec<String>,
    /// Leave out these types, and the fields and methods that need them
    #[arg(long = "exclude-type", value_name = "NAME", value_delimiter = ',')]
    exclude_types: Vec<String>,
    #[command(flatten)]
    schema: SchemaArgs,
}

/// How diagnostics are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ErrorFormat {
    /// With the lines they are about, as rustc prints
    Human,
    /// path:line:column: message
    Text,
    /// One JSON object per line
    Json,
    /// path(line) : error in column=N: message
    Msvs,
    /// Annotations of GitHub Actions
    GithubActions,
}

/// When to do something that suits a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    /// On a terminal
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// What ended a command early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The schemas are wrong; it has been said how.
    Findings,
    /// The reader of standard output has gone away, which is nothing to talk about.
    ClosedPipe,
    /// Something else, in one sentence.
    Other(String),
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self::Other(message)
    }
}

/// The exit code for wrong schemas.
const FINDINGS: u8 = 100;

/// The exit code that shells give to a program which SIGPIPE ended.
const CLOSED_PIPE: u8 = 141;

pub(crate) fn main(args: BuildArgs) -> ExitCode {
    exit_code(run(&args), args.schema.error_format())
}

/// How schemas are compiled and errors printed.
#[derive(Args, Clone, Debug)]
pub(crate) struct SchemaArgs {
    /// Compile only these files and folders of the input
    #[arg(long, value_name = "PATH", value_delimiter = ',')]
    path: Vec<String>,
    /// Do not compile these files and folders of the input
    #[arg(long, value_name = "PATH", value_delimiter = ',')]
    exclude_path: Vec<String>,
    /// Another folder in which imports are searched
    #[arg(short = 'I', long = "proto-path", value_name = "FOLDER")]
    proto_path: Vec<String>,
    /// How to print errors
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    error_format: ErrorFormat,
    /// Short for `--error-format json`
    #[arg(long)]
    json: bool,
    /// When to use colours
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    color: When,
    /// When to show progress; `auto` is on a terminal, after half a second
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    progress: When,
    /// Print errors only
    #[arg(short, long)]
    quiet: bool,
}

impl SchemaArgs {
    /// With more folders in which imports are searched.
    pub(crate) fn with_proto_path(folders: &[String]) -> Self {
        Self { proto_path: folders.to_vec(), ..Self::default() }
    }
}

/// What nobody has said otherwise.
impl Default for SchemaArgs {
    fn default() -> Self {
        Self {
            path: Vec::new(),
            exclude_path: Vec::new(),
            proto_path: Vec::new(),
            error_format: ErrorFormat::Human,
            json: false,
            color: When::Auto,
            progress: When::Auto,
            quiet: false,
        }
    }
}

impl SchemaArgs {
    /// How errors are printed.
    pub(crate) fn error_format(&self) -> ErrorFormat {
        if self.json { ErrorFormat::Json } else { self.error_format }
    }

    /// Prints a warning, unless only errors are wanted.
    pub(crate) fn warn(&self, message: &str) {
        match self.error_format() {
            _ if self.quiet => {}
            ErrorFormat::Json => {
                complain(&serde_json::json!({ "severity": "warning", "message": message }).to_string())
            }
            _ => complain(&format!("warning: {message}")),
        }
    }

    /// Compiles an input with everything that it imports, and tells of its faults.
    pub(crate) fn compile(&self, input: &str, source_info: bool) -> Result<Compilation, Failure> {
        self.compile_named(input, source_info).map(|(compilation, _)| compilation)
    }

    /// Like [`SchemaArgs::compile`], with the names of modules by the import paths of their files.
    pub(crate) fn compile_named(
        &self,
        input: &str,
        source_info: bool,
    ) -> Result<(Compilation, HashMap<String, String>), Failure> {
        let input = input::resolve(input, self)?;
        let progress = progress::Progress::start(self);
        let loader = progress.watch(&input.loader);
        let compiler = Compiler::new(loader).source_info(source_info);
        let result = compiler.compile(input.files.iter().cloned());
        progress.finish();
        match result {
            Ok(compilation) => {
                if !self.quiet {
                    report::report(compilation.warnings(), self);
                }
                Ok((compilation, input.modules))
            }
            Err(mut diagnostics) => {
                input.explain(&mut diagnostics);
                report::report(&diagnostics, self);
                Err(Failure::Findings)
            }
        }
    }

    /// The folders in which imports are searched beyond the input's.
    pub(crate) fn proto_path(&self) -> &[String] {
        &self.proto_path
    }

    /// With these limits on files, unless the command line has others.
    pub(crate) fn or_paths(&self, path: &[String], exclude_path: &[String]) -> Self {
        let mut limited = self.clone();
        if limited.path.is_empty() {
            limited.path = path.to_vec();
        }
        if limited.exclude_path.is_empty() {
            limited.exclude_path = exclude_path.to_vec();
        }
        limited
    }
}

/// Tells why a command ended, and with which code.
pub(crate) fn exit_code(result: Result<(), Failure>, format: ErrorFormat) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Findings) => ExitCode::from(FINDINGS),
        Err(Failure::ClosedPipe) => ExitCode::from(CLOSED_PIPE),
        Err(Failure::Other(message)) => {
            match format {
                ErrorFormat::Json => {
                    complain(&serde_json::json!({ "severity": "error", "message": message }).to_string())
                }
                _ => complain(&format!("error: {message}")),
            }
            ExitCode::FAILURE
        }
    }
}

fn run(args: &BuildArgs) -> Result<(), Failure> {
    let output = args.output.as_deref().map(Output::parse).transpose()?;
    let (compilation, modules) = args.schema.compile_named(&args.input, !args.exclude_source_info)?;
    let options = DescriptorOptions {
        include_imports: !args.exclude_imports,
        include_source_info: !args.exclude_source_info,
        retain_options: true,
    };
    let writer = image::Writer::new(&compilation, &modules, !args.as_file_descriptor_set);
    let mut kept = None;
    if !args.types.is_empty() || !args.exclude_types.is_empty() {
        // What is imported may be named, and decides which imports are needed.
        let mut set = compilation.file_descriptor_set(DescriptorOptions { include_imports: true, ..options });
        shake::keep(&mut set, &args.types, &args.exclude_types)?;
        if args.exclude_imports {
            let inputs: HashSet<&str> = compilation.inputs().map(CompiledFile::path).collect();
            set.file.retain(|file| file.name.as_deref().is_some_and(|name| inputs.contains(name)));
        }
        kept = Some(set);
    }
    let produce = |out: &mut dyn Write| match &kept {
        Some(set) => writer.set(set, out),
        None => writer.compiled(options, out),
    };
    match output {
        None => {}
        Some(output) if output.format == Format::Binary => output.write(produce)?,
        Some(output) => {
            let mut bytes = Vec::new();
            produce(&mut bytes).map_err(|error| error.to_string())?;
            let text = printed::print(&bytes, compilation.into_pool(), output.format)?;
            output.write(|out| out.write_all(&text))?;
            return Ok(());
        }
    }
    // The process ends here; there is no use in taking everything apart.
    std::mem::forget(compilation);
    let _ = std::io::stderr().flush();
    Ok(())
}
