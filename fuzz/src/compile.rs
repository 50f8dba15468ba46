//! Whole compiler runs over files in memory.

use std::convert::Infallible;

use dunlin_compiler::loader::{Descriptors, Sources};
use dunlin_compiler::render::{Color, LineFormat};
use dunlin_compiler::{Compilation, Compiler, DescriptorOptions, Diagnostics};
use dunlin_protobuf::descriptor::DescriptorMessage;
use dunlin_protobuf::descriptor::FileDescriptorSet;
use dunlin_protobuf::pool::DescriptorPool;

const MAIN: &str = "main.proto";

/// What [`crate::tree`] asserts, and that the text as a file of its own can be lowered and linked.
pub fn parser(source: &[u8]) {
    crate::tree(source);
    let sources = Sources::new().file(MAIN, source);
    match Compiler::new(sources).threads(1).source_info(true).compile([MAIN]) {
        Ok(compilation) => render(compilation.warnings()),
        Err(diagnostics) => {
            assert!(diagnostics.error_count() > 0, "a run fails with an error");
            render(&diagnostics);
        }
    }
}

/// Compiles files in memory; see [`split`] for how the bytes become files. What comes out has to
/// be good input again, for this library as well.
pub fn compile(data: &[u8]) {
    let (files, inputs) = split(data);
    let mut sources = Sources::new();
    for (path, text) in files {
        sources = sources.file(path, text);
    }
    match Compiler::new(sources).threads(1).source_info(true).compile(inputs.clone()) {
        Ok(compilation) => {
            render(compilation.warnings());
            check_descriptors(&compilation, &inputs);
        }
        Err(diagnostics) => {
            assert!(diagnostics.error_count() > 0, "a run fails with an error");
            render(&diagnostics);
        }
    }
}

type Files<'d> = Vec<(String, &'d [u8])>;

/// The files in `data`, and the paths of those that are inputs.
///
/// What stands first is `main.proto`, an input. A line `--- path` starts a file that can be
/// imported, a line `+++ path` one that is an input as well.
fn split(data: &[u8]) -> (Files<'_>, Vec<String>) {
    let mut heads = vec![(MAIN.to_owned(), true, 0, 0)];
    let mut at = 0;
    for line in data.split_inclusive(|&b| b == b'\n') {
        let end = at + line.len();
        let is_input = line.starts_with(b"+++ ");
        if is_input || line.starts_with(b"--- ") {
            let path = String::from_utf8_lossy(&line[4..]).trim_end().to_owned();
            heads.push((path, is_input, at, end));
        }
        at = end;
    }
    let mut files = Vec::new();
    let mut inputs = Vec::new();
    for (index, (path, is_input, _, start)) in heads.iter().enumerate() {
        let end = heads.get(index + 1).map_or(data.len(), |next| next.2);
        files.push((path.clone(), &data[*start..end]));
        if *is_input {
            inputs.push(path.clone());
        }
    }
    (files, inputs)
}

fn render(diagnostics: &Diagnostics) {
    let _ = diagnostics.to_string();
    // Of many a sample, since there is a lot to do for each.
    for item in diagnostics.items.iter().step_by(1 + diagnostics.items.len() / 100) {
        for color in [Color::Never, Color::Always] {
            assert!(!diagnostics.render(item, color).is_empty());
        }
        for format in [LineFormat::Gcc, LineFormat::Msvs] {
            assert!(!diagnostics.line(item, format).is_empty());
        }
    }
}

fn check_descriptors(compilation: &Compilation, inputs: &[String]) {
    // Comments are copied as they are, and what is not UTF-8 in them cannot be decoded as text.
    let is_text = compilation.files().iter().all(|file| std::str::from_utf8(&file.source().text).is_ok());
    for bits in 0..if is_text { 8 } else { 4 } {
        let options = DescriptorOptions {
            include_imports: bits & 1 != 0,
            retain_options: bits & 2 != 0,
            include_source_info: bits & 4 != 0,
        };
        let encoded = compilation.file_descriptor_set(options).encode_to_vec();
        let mut streamed = Vec::new();
        let Ok(()) = compilation.encode_file_descriptor_set(options, |part| {
            streamed.extend_from_slice(part);
            Ok::<(), Infallible>(())
        });
        assert!(streamed == encoded, "both ways to encode agree: {options:?}");
        let decoded = FileDescriptorSet::decode(&encoded).expect("what was encoded can be decoded");
        assert!(decoded.encode_to_vec() == encoded, "decoding loses nothing: {options:?}");
        if !options.include_imports {
            continue;
        }
        if let Err(errors) = DescriptorPool::from_file_descriptor_set(decoded.clone()) {
            panic!("compiled files make a pool: {errors}");
        }
        if !options.retain_options {
            // What turns a naming style off is kept in sources only; without it the compiler,
            // which enforces styles, may refuse.
            continue;
        }
        let from_descriptors =
            Compiler::new(Descriptors::new().set(decoded)).threads(1).compile(inputs.iter().cloned());
        match from_descriptors {
            Ok(again) => assert!(
                again.file_descriptor_set(options).encode_to_vec() == encoded,
                "compiled descriptors stay as they are: {options:?}"
            ),
            Err(diagnostics) => panic!("compiled descriptors compile: {diagnostics}"),
        }
    }
}
