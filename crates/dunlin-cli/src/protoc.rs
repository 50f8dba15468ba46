//! `dunlin protoc`: protoc's own command line.

mod arguments;
mod free_fields;
mod generate;
mod inputs;
mod transcode;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::process::ExitCode;

use dunlin_compiler::diagnostic::{Diagnostic, Severity};
use dunlin_compiler::{Compilation, Compiler, DescriptorOptions, Diagnostics};

use crate::print::{complain, say};
pub(crate) use generate::{builtin_files, check_support, write_archive};

use arguments::{Action, Arguments, Transcode};

/// The release of protoc whose language and command line this is.
pub(crate) const VERSION: &str = "36.2";

/// What went wrong, as it is printed.
pub(crate) type Failure = String;

pub(crate) fn main(arguments: &[String]) -> ExitCode {
    let parsed = match arguments::parse(arguments) {
        Ok(Action::Help) => {
            say(arguments::HELP);
            return ExitCode::SUCCESS;
        }
        Ok(Action::Version) => {
            say(&format!("libprotoc {VERSION}"));
            return ExitCode::SUCCESS;
        }
        Ok(Action::Run(parsed)) => parsed,
        Err(message) => return fail(&message),
    };
    for folder in &parsed.missing_folders {
        complain(&format!("{folder}: warning: directory does not exist."));
    }
    match run(&parsed) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => fail(&message),
    }
}

fn fail(message: &str) -> ExitCode {
    if !message.is_empty() {
        complain(message);
    }
    ExitCode::FAILURE
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.transcode == Some(Transcode::DecodeRaw) {
        return transcode::decode_raw();
    }
    let loader = inputs::Inputs::open(arguments)?;
    let paths = loader.virtual_paths(&arguments.inputs)?;
    let needs_positions = arguments.include_source_info || !arguments.generators.is_empty();
    let compilation = Compiler::new(&loader)
        .source_info(needs_positions)
        .compile(paths)
        .map_err(|diagnostics| print(&diagnostics, arguments).err().unwrap_or_default())?;
    print(compilation.warnings(), arguments)?;
    check_dependencies(&compilation, arguments)?;
    if let Some(transcode) = &arguments.transcode {
        return transcode::run(compilation, transcode, arguments);
    }
    let mut outputs = generate::generate(&compilation, arguments)?;
    let generated = generate::write(&mut outputs, arguments)?;
    if let Some(path) = &arguments.dependency_out {
        let mut targets = generated;
        targets.extend(arguments.descriptor_set_out.clone());
        write_dependencies(&compilation, &loader, &targets, path)?;
    }
    if let Some(path) = &arguments.descriptor_set_out {
        write_descriptor_set(&compilation, arguments, path)?;
    }
    if arguments.print_free_field_numbers {
        for file in compilation.inputs() {
            free_fields::print(file.proto());
        }
    }
    let has_warnings = told(compilation.warnings()).any(|item| item.severity == Severity::Warning);
    // The process ends here; there is no use in taking everything apart.
    std::mem::forget(compilation);
    if arguments.fatal_warnings && has_warnings { Err(String::new()) } else { Ok(()) }
}

/// What is printed: protoc says nothing of a missing `syntax`.
fn told(diagnostics: &Diagnostics) -> impl Iterator<Item = &Diagnostic> {
    diagnostics.items.iter().filter(|item| item.code != "missing-syntax")
}

/// Prints diagnostics, one line each; fails if one is an error.
fn print(diagnostics: &Diagnostics, arguments: &Arguments) -> Result<(), Failure> {
    for item in told(diagnostics) {
        complain(&diagnostics.line(item, arguments.error_format));
    }
    let failed = diagnostics.items.iter().any(|item| item.severity == Severity::Error);
    if failed { Err(String::new()) } else { Ok(()) }
}

fn check_dependencies(compilation: &Compilation, arguments: &Arguments) -> Result<(), Failure> {
    for file in compilation.inputs() {
        let proto = file.proto();
        if arguments.disallow_services && !proto.service.is_empty() {
            return Err(format!(
                "{}: This file contains services, but --disallow_services was used.",
                file.path()
            ));
        }
        for (allowed, imports, message) in [
            (&arguments.direct_dependencies, &proto.dependency, &arguments.direct_dependencies_message),
            (
                &arguments.option_dependencies,
                &proto.option_dependency,
                &arguments.option_dependencies_message,
            ),
        ] {
            let Some(allowed) = allowed else { continue };
            let missing: Vec<String> = imports
                .iter()
                .filter(|import| !allowed.contains(*import))
                .map(|import| format!("{}: {}", file.path(), message.replace("%s", import)))
                .collect();
            if !missing.is_empty() {
                return Err(missing.join("\n"));
            }
        }
    }
    Ok(())
}

fn write_descriptor_set(compilation: &Compilation, arguments: &Arguments, path: &str) -> Result<(), Failure> {
    let options = DescriptorOptions {
        include_imports: arguments.include_imports,
        include_source_info: arguments.include_source_info,
        retain_options: arguments.retain_options,
    };
    let write = || -> std::io::Result<()> {
        let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
        compilation.encode_file_descriptor_set(options, |bytes| out.write_all(bytes))?;
        out.flush()
    };
    write().map_err(|error| format!("{path}: {error}"))
}

/// A rule for make: the outputs depend on all files that were read.
fn write_dependencies(
    compilation: &Compilation,
    loader: &inputs::Inputs,
    targets: &[String],
    path: &str,
) -> Result<(), Failure> {
    let mut rule = String::new();
    if !targets.is_empty() {
        rule.push_str(&targets.join(" \\\n"));
        rule.push(':');
        let files: Vec<String> = compilation
            .select(true)
            .into_iter()
            .filter_map(|id| loader.disk_path(compilation.file(id).path()))
            .collect();
        let files: Vec<String> = files.iter().map(|file| format!(" {file}")).collect();
        rule.push_str(&files.join("\\\n"));
    }
    std::fs::write(path, rule).map_err(|error| format!("{path}: {error}"))
}
