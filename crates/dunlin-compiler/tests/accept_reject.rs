//! The cases of `corpora/accept_reject.txt`: what is accepted, with or without a warning, and what
//! is not. The form of a line is explained there.

use std::path::Path;

use dunlin_compiler::diagnostic::Severity;
use dunlin_compiler::loader::Sources;
use dunlin_compiler::{Compiler, Diagnostics};

#[test]
fn schemas_are_accepted_warned_of_and_rejected_as_the_table_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpora/accept_reject.txt");
    let table = std::fs::read_to_string(path).unwrap();
    let cases: Vec<(usize, &str)> = table
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(index, line)| (index + 1, line))
        .collect();
    assert!(cases.len() >= 280, "only {} cases were found", cases.len());
    let wrong: Vec<String> = cases.iter().filter_map(|(number, line)| mismatch(*number, line)).collect();
    assert!(wrong.is_empty(), "{} of {} cases are wrong:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// What is wrong with the verdict about a line of the table.
fn mismatch(number: usize, line: &str) -> Option<String> {
    let (wanted, files) = line.split_once(" | ").unwrap_or_else(|| panic!("line {number} has no verdict"));
    let mut sources = Sources::new();
    for file in files.split("||") {
        let (name, text) = match file.trim().split_once(": ") {
            Some((name, text)) if is_file_name(name) => (name, text),
            _ => ("a.proto", file.trim()),
        };
        sources = sources.file(name, expand(text));
    }
    let (verdict, said) = match Compiler::new(sources).compile(["a.proto"]) {
        Ok(compilation) => match compilation.warnings() {
            warnings if warnings.items.is_empty() => ("accept", String::new()),
            // protoc has no such warning.
            warnings if warnings.items.iter().all(|item| item.code == "missing-syntax") => {
                ("advise", list(warnings))
            }
            warnings => ("warn", list(warnings)),
        },
        Err(diagnostics) => ("reject", list(&diagnostics)),
    };
    (verdict != wanted.trim()).then(|| format!("line {number}: {verdict}: {line}\n{said}"))
}

fn is_file_name(text: &str) -> bool {
    text.strip_suffix(".proto").is_some_and(|stem| stem.bytes().all(|b| b.is_ascii_lowercase()))
}

fn list(diagnostics: &Diagnostics) -> String {
    let line = |item: &dunlin_compiler::Diagnostic| {
        let kind = if item.severity == Severity::Error { "error" } else { "warning" };
        format!("    {kind}[{}]: {}\n", item.code, item.message)
    };
    diagnostics.items.iter().map(line).collect()
}

/// The text of a file, its abbreviations written out.
fn expand(text: &str) -> String {
    let (start, rest) = text.split_once(' ').unwrap_or((text, ""));
    let start = match start {
        "P2" => "syntax = \"proto2\"; package a;",
        "P3" => "syntax = \"proto3\"; package a;",
        "E23" => "edition = \"2023\"; package a;",
        "E24" => "edition = \"2024\"; package a;",
        "E26" => "edition = \"2026\"; package a;",
        other => other,
    };
    let text = format!("{start} {rest}");
    let mut parts = text.split('«');
    let mut expanded = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (inner, rest) = part.split_once('»').expect("what « opens, » closes");
        match inner.split_once(": ") {
            Some((times, text)) => {
                let times: u32 = times.parse().expect("a number stands before the colon");
                expanded.extend((1..=times).map(|n| text.replace('#', &n.to_string())));
            }
            None => {
                assert_eq!(inner, "BOM");
                expanded.push('\u{feff}');
            }
        }
        expanded.push_str(rest);
    }
    expanded
}
