//! The command line of protoc, as it reads it: `--name=value`, `--name value`, `-Xvalue`.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use dunlin_compiler::render::LineFormat;

use super::Failure;

pub(crate) const HELP: &str = "\
Usage: protoc [OPTION] PROTO_FILES

Where files are found
  -IPATH, --proto_path=PATH        A folder in which files and imports are searched; may be
                                   repeated. VIRTUAL=PATH gives it another name. Default: .
  --descriptor_set_in=FILES        Descriptor sets to take files from, separated by ':'.

What is written
  -oFILE, --descriptor_set_out=FILE  The files as a FileDescriptorSet.
  --include_imports                The imported files too.
  --include_source_info            Positions and comments too.
  --retain_options                 Options that are meant for the compiler only too.
  --NAME_out=[PARAMETERS:]FOLDER   What generator NAME makes of the files. It is the program
                                   protoc-gen-NAME. FOLDER may be a .zip or .jar file.
  --NAME_opt=PARAMETERS            Parameters for generator NAME.
  --plugin=[NAME=]PATH             The program of a generator.
  --NAME_prefix=COMMAND            A command through which the program is run.
  --dependency_out=FILE            A make rule: outputs and the files they depend on.
  --print_free_field_numbers       The free field numbers of all messages.

Messages from standard input to standard output
  --encode=TYPE                    Text to binary.
  --deterministic_output           Entries of maps in the order of their keys; with --encode.
  --decode=TYPE                    Binary to text.
  --decode_raw                     Binary to text without a schema.

How it goes
  --error_format=FORMAT            gcc (default) or msvs.
  --fatal_warnings                 Warnings count as errors.
  --direct_dependencies=FILES      The files that may be imported, separated by ':'.
  --option_dependencies=FILES      The files that may be imported for their options.
  --disallow_services              Files with services are errors.
  --unsafe_allow_out_dir_escape    Generated files may lie outside their folder.
  @FILE                            Arguments from a file, one per line.
  --version, -h, --help

The generators that are built into other protocs (cpp, java, python and so on) are run by a protoc
from PATH, or the one that DUNLIN_PROTOC names.";

/// What the command line asks for.
#[derive(Debug)]
pub(crate) enum Action {
    Help,
    Version,
    Run(Box<Arguments>),
}

#[derive(Debug, Default)]
pub(crate) struct Arguments {
    /// Virtual path and folder.
    pub(crate) proto_path: Vec<(String, String)>,
    pub(crate) missing_folders: Vec<String>,
    pub(crate) inputs: Vec<String>,
    pub(crate) descriptor_set_in: Vec<String>,
    pub(crate) descriptor_set_out: Option<String>,
    pub(crate) include_imports: bool,
    pub(crate) include_source_info: bool,
    pub(crate) retain_options: bool,
    pub(crate) dependency_out: Option<String>,
    pub(crate) error_format: LineFormat,
    pub(crate) fatal_warnings: bool,
    pub(crate) print_free_field_numbers: bool,
    pub(crate) disallow_services: bool,
    pub(crate) allow_escape: bool,
    pub(crate) direct_dependencies: Option<HashSet<String>>,
    pub(crate) direct_dependencies_message: String,
    pub(crate) option_dependencies: Option<HashSet<String>>,
    pub(crate) option_dependencies_message: String,
    pub(crate) transcode: Option<Transcode>,
    pub(crate) deterministic_output: bool,
    pub(crate) generators: Vec<Generator>,
    /// `protoc-gen-NAME` to its program.
    pub(crate) plugins: HashMap<String, String>,
    /// NAME to the command before its program.
    pub(crate) prefixes: HashMap<String, Vec<String>>,
    parameters: HashMap<String, String>,
}

/// A message of this type, from standard input to standard output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Transcode {
    /// Text to binary.
    Encode(String),
    /// Binary to text.
    Decode(String),
    /// Binary of an unknown type to text.
    DecodeRaw,
}

/// `--NAME_out=PARAMETER:LOCATION`
#[derive(Clone, Debug)]
pub(crate) struct Generator {
    pub(crate) name: String,
    pub(crate) parameter: String,
    pub(crate) location: String,
}

impl Arguments {
    /// All parameters of a generator, those of its `_out` first.
    pub(crate) fn parameter(&self, generator: &Generator) -> String {
        let options = self.parameters.get(&generator.name).map(String::as_str).unwrap_or_default();
        let parts = [generator.parameter.as_str(), options];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(",")
    }
}

/// Flags that stand alone.
const SWITCHES: [&str; 15] = [
    "-h",
    "--help",
    "--version",
    "--disallow_services",
    "--include_imports",
    "--include_source_info",
    "--retain_options",
    "--decode_raw",
    "--notices",
    "--experimental_editions",
    "--print_free_field_numbers",
    "--experimental_allow_proto3_optional",
    "--deterministic_output",
    "--unsafe_allow_out_dir_escape",
    "--fatal_warnings",
];

pub(crate) fn parse(arguments: &[String]) -> Result<Action, Failure> {
    let mut all = Vec::new();
    for argument in arguments {
        match argument.strip_prefix('@') {
            None => all.push(argument.clone()),
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|error| format!("Failed to open argument file: {path}: {error}"))?;
                all.extend(text.lines().map(str::to_owned));
            }
        }
    }
    if all.is_empty() {
        return Ok(Action::Help);
    }
    let mut parsed = Arguments {
        direct_dependencies_message: "File is imported but not declared in --direct_dependencies: %s".into(),
        option_dependencies_message: "File is option imported but not declared in --option_dependencies: %s"
            .into(),
        ..Default::default()
    };
    let mut rest = all.into_iter().peekable();
    while let Some(argument) = rest.next() {
        let (name, value) = split(&argument);
        let value = match value {
            Some(value) => value,
            None if SWITCHES.contains(&name.as_str()) => String::new(),
            None => match rest.next_if(|next| !next.starts_with('-')) {
                Some(value) => value,
                None => return Err(format!("Missing value for flag: {name}")),
            },
        };
        if let Some(action) = parsed.take(&name, value)? {
            return Ok(action);
        }
    }
    parsed.check()?;
    Ok(Action::Run(Box::new(parsed)))
}

/// Name and value of an argument; the name of a file is empty.
fn split(argument: &str) -> (String, Option<String>) {
    if !argument.starts_with('-') || argument == "-" {
        return (String::new(), Some(argument.to_owned()));
    }
    if argument.starts_with("--") {
        return match argument.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (argument.to_owned(), None),
        };
    }
    let mut chars = argument.char_indices().skip(2);
    match chars.next() {
        Some((at, _)) => (argument[..at].to_owned(), Some(argument[at..].to_owned())),
        None => (argument.to_owned(), None),
    }
}

impl Arguments {
    fn take(&mut self, name: &str, value: String) -> Result<Option<Action>, Failure> {
        let once =
            |is_set: bool| if is_set { Err(format!("{name} may only be passed once.")) } else { Ok(()) };
        let filled = |value: &str| {
            if value.is_empty() { Err(format!("{name} requires a non-empty value.")) } else { Ok(()) }
        };
        match name {
            "" if value.is_empty() => return Err("an argument is empty, which names no file".into()),
            "" => self.inputs.push(value),
            "-h" | "--help" => return Ok(Some(Action::Help)),
            "--version" => return Ok(Some(Action::Version)),
            "-I" | "--proto_path" => self.add_folders(&value)?,
            "-o" | "--descriptor_set_out" => {
                once(self.descriptor_set_out.is_some())?;
                filled(&value)?;
                self.descriptor_set_out = Some(value);
            }
            "--descriptor_set_in" => {
                once(!self.descriptor_set_in.is_empty())?;
                filled(&value)?;
                if self.dependency_out.is_some() {
                    return Err(format!("{name} cannot be used with --dependency_out."));
                }
                self.descriptor_set_in = list(&value).collect();
            }
            "--dependency_out" => {
                once(self.dependency_out.is_some())?;
                filled(&value)?;
                if !self.descriptor_set_in.is_empty() {
                    return Err(format!("{name} cannot be used with --descriptor_set_in."));
                }
                self.dependency_out = Some(value);
            }
            "--include_imports" => {
                once(self.include_imports)?;
                self.include_imports = true;
            }
            "--include_source_info" => {
                once(self.include_source_info)?;
                self.include_source_info = true;
            }
            "--retain_options" => {
                once(self.retain_options)?;
                self.retain_options = true;
            }
            "--fatal_warnings" => {
                once(self.fatal_warnings)?;
                self.fatal_warnings = true;
            }
            "--disallow_services" => self.disallow_services = true,
            "--unsafe_allow_out_dir_escape" => self.allow_escape = true,
            "--print_free_field_numbers" => {
                if !self.generators.is_empty() || self.descriptor_set_out.is_some() {
                    return Err(format!(
                        "Cannot use {name} and generate code or descriptors at the same time."
                    ));
                }
                self.print_free_field_numbers = true;
            }
            "--direct_dependencies" => {
                once(self.direct_dependencies.is_some())?;
                self.direct_dependencies = Some(list(&value).collect());
            }
            "--direct_dependencies_violation_msg" => self.direct_dependencies_message = value,
            "--option_dependencies" => {
                once(self.option_dependencies.is_some())?;
                self.option_dependencies = Some(list(&value).collect());
            }
            "--option_dependencies_violation_msg" => self.option_dependencies_message = value,
            "--error_format" => {
                self.error_format = match value.as_str() {
                    "gcc" => LineFormat::Gcc,
                    "msvs" => LineFormat::Msvs,
                    _ => return Err(format!("Unknown error format: {value}")),
                };
            }
            "--plugin" => {
                let (plugin, path) = match value.split_once('=') {
                    Some((plugin, path)) => (plugin.to_owned(), path.to_owned()),
                    None => {
                        let base = value.rsplit('/').next().unwrap_or_default().to_owned();
                        (base, value)
                    }
                };
                self.plugins.insert(plugin, path);
            }
            // Without effect since editions and proto3 optional are part of the language.
            "--experimental_editions" | "--experimental_allow_proto3_optional" | "--enable_codegen_trace" => {
            }
            "--encode" | "--decode" | "--decode_raw" => self.set_transcode(name, value)?,
            "--deterministic_output" => self.deterministic_output = true,
            "--edition_defaults_out"
            | "--edition_defaults_minimum"
            | "--edition_defaults_maximum"
            | "--notices" => {
                return Err(format!("{name} is not supported by `dunlin protoc`"));
            }
            _ => self.take_generator(name, value)?,
        }
        Ok(None)
    }

    fn set_transcode(&mut self, name: &str, value: String) -> Result<(), Failure> {
        if self.transcode.is_some() || self.print_free_field_numbers {
            return Err("Only one of --encode and --decode can be specified.".into());
        }
        if !self.generators.is_empty() || self.descriptor_set_out.is_some() {
            return Err(format!("Cannot use {name} and generate code or descriptors at the same time."));
        }
        self.transcode = Some(match name {
            "--encode" if value.is_empty() => return Err("Type name for --encode cannot be blank.".into()),
            "--decode" if value.is_empty() => {
                return Err("Type name for --decode cannot be blank.\n\
                    To decode an unknown message, use --decode_raw."
                    .into());
            }
            "--encode" => Transcode::Encode(value),
            "--decode" => Transcode::Decode(value),
            _ if !value.is_empty() => return Err(format!("{name} does not take a parameter.")),
            _ => Transcode::DecodeRaw,
        });
        Ok(())
    }

    fn take_generator(&mut self, name: &str, value: String) -> Result<(), Failure> {
        let generator =
            |suffix: &str| name.strip_prefix("--").and_then(|n| n.strip_suffix(suffix)).map(str::to_owned);
        if let Some(generator) = generator("_out") {
            if self.print_free_field_numbers || self.transcode.is_some() {
                return Err(
                    "Cannot use --encode, --decode or print .proto info and generate code at the same time."
                        .into(),
                );
            }
            let (parameter, location) = match value.split_once(':') {
                Some((parameter, location)) => (parameter.to_owned(), location.to_owned()),
                None => (String::new(), value),
            };
            self.generators.push(Generator { name: generator, parameter, location });
        } else if let Some(generator) = generator("_opt") {
            let parameters = self.parameters.entry(generator).or_default();
            if !parameters.is_empty() {
                parameters.push(',');
            }
            parameters.push_str(&value);
        } else if let Some(generator) = generator("_prefix") {
            if self.prefixes.contains_key(&generator) {
                return Err(format!("{name} may only be passed once."));
            }
            if value.contains(['"', '\'']) {
                return Err(format!("{name}: quotes are not supported in the value; use a wrapper script"));
            }
            let words: Vec<String> = value.split_ascii_whitespace().map(str::to_owned).collect();
            if words.is_empty() {
                return Err(format!("{name} requires a non-empty value."));
            }
            self.prefixes.insert(generator, words);
        } else {
            return Err(format!("Unknown flag: {name}"));
        }
        Ok(())
    }

    fn add_folders(&mut self, value: &str) -> Result<(), Failure> {
        for part in list(value) {
            let (mut virtual_path, mut disk_path) = match part.split_once('=') {
                Some((virtual_path, disk_path)) => (virtual_path.to_owned(), disk_path.to_owned()),
                None => (String::new(), part.clone()),
            };
            if disk_path.is_empty() {
                return Err(
                    "--proto_path passed empty directory name.  (Use \".\" for current directory.)".into()
                );
            }
            if !Path::new(&disk_path).exists() {
                // The name of a folder may itself have an equals sign in it.
                if Path::new(&part).exists() {
                    (virtual_path, disk_path) = (String::new(), part);
                } else {
                    self.missing_folders.push(disk_path.clone());
                }
            }
            self.proto_path.push((virtual_path, disk_path));
        }
        Ok(())
    }

    fn check(&mut self) -> Result<(), Failure> {
        for generator in self.parameters.keys() {
            let is_used = self.generators.iter().any(|g| g.name == *generator)
                || self.plugins.contains_key(&format!("protoc-gen-{generator}"))
                || super::generate::is_builtin(generator);
            if !is_used {
                return Err(format!("Unknown flag: --{generator}_opt"));
            }
        }
        if self.proto_path.is_empty() && self.descriptor_set_in.is_empty() {
            self.proto_path.push((String::new(), ".".into()));
        }
        if self.deterministic_output && !matches!(self.transcode, Some(Transcode::Encode(_))) {
            return Err("Can only use --deterministic_output with --encode.".into());
        }
        if self.transcode.is_some() && self.descriptor_set_out.is_some() {
            return Err("Cannot use --encode or --decode and generate descriptors at the same time.".into());
        }
        if self.transcode.is_some() && self.dependency_out.is_some() {
            return Err("Can only use --dependency_out=FILE when generating code.".into());
        }
        if self.transcode == Some(Transcode::DecodeRaw) {
            let has_inputs = !self.inputs.is_empty();
            return if has_inputs {
                Err("When using --decode_raw, no input files should be given.".into())
            } else {
                Ok(())
            };
        }
        let can_do_without = self.print_free_field_numbers && !self.descriptor_set_in.is_empty();
        if self.inputs.is_empty() && !can_do_without {
            return Err("Missing input file.".into());
        }
        let has_output = !self.generators.is_empty()
            || self.transcode.is_some()
            || self.descriptor_set_out.is_some()
            || self.print_free_field_numbers;
        if !has_output {
            return Err("Missing output directives.".into());
        }
        if self.print_free_field_numbers && self.descriptor_set_out.is_some() {
            return Err(
                "Cannot use --print_free_field_numbers and write a descriptor set at the same time.".into()
            );
        }
        if self.dependency_out.is_some() {
            if self.print_free_field_numbers {
                return Err("Can only use --dependency_out=FILE when generating code.".into());
            }
            if self.inputs.len() > 1 {
                return Err("Can only process one input file when using --dependency_out=FILE.".into());
            }
        }
        Ok(())
    }
}

fn list(value: &str) -> impl Iterator<Item = String> {
    value.split(':').filter(|part| !part.is_empty()).map(str::to_owned)
}
