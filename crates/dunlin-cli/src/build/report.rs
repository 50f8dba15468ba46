//! Printing diagnostics, all on standard error.

use std::io::IsTerminal;

use dunlin_compiler::diagnostic::{Diagnostic, Location, Severity};
use dunlin_compiler::render::{Color, LineFormat};
use dunlin_compiler::{Diagnostics, syntax};
use serde_json::{Value, json};

use super::{ErrorFormat, SchemaArgs, When};
use crate::print::complain;

/// More than this many diagnostics are not shown for people to read.
const MAX_SHOWN: usize = 200;

pub(crate) fn report(diagnostics: &Diagnostics, args: &SchemaArgs) {
    let items = diagnostics.items.iter();
    match args.error_format() {
        ErrorFormat::Json => items.for_each(|item| complain(&json_of(diagnostics, item).to_string())),
        ErrorFormat::Text => items.for_each(|item| complain(&diagnostics.line(item, LineFormat::Gcc))),
        ErrorFormat::Msvs => items.for_each(|item| complain(&diagnostics.line(item, LineFormat::Msvs))),
        ErrorFormat::GithubActions => items.for_each(|item| complain(&github(diagnostics, item))),
        ErrorFormat::Human => human(diagnostics, args),
    }
}

fn human(diagnostics: &Diagnostics, args: &SchemaArgs) {
    let color = match args.color {
        When::Always => Color::Always,
        When::Never => Color::Never,
        When::Auto => {
            let forced = std::env::var_os("CLICOLOR_FORCE").is_some_and(|v| v != "0");
            let refused = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
            if forced || !refused && std::io::stderr().is_terminal() { Color::Always } else { Color::Never }
        }
    };
    // Errors are what has to be seen, if not everything can be.
    let many = diagnostics.items.len() > MAX_SHOWN;
    let errors = diagnostics.items.iter().filter(|d| d.severity == Severity::Error);
    let shown: Vec<&Diagnostic> =
        if many { errors.take(MAX_SHOWN).collect() } else { diagnostics.items.iter().collect() };
    for item in shown {
        complain(&diagnostics.render(item, color));
    }
    let count = |number: usize, noun: &str| format!("{number} {noun}{}", if number == 1 { "" } else { "s" });
    let (errors, warnings) = (diagnostics.error_count(), diagnostics.warning_count());
    if errors > 0 {
        complain(&format!("{} and {}", count(errors, "error"), count(warnings, "warning")));
    } else if warnings > 0 {
        complain(&count(warnings, "warning"));
    }
}

/// One object: buf's keys, and what we know beyond them.
fn json_of(diagnostics: &Diagnostics, item: &Diagnostic) -> Value {
    let mut value = json!({
        "severity": severity(item),
        "type": item.code,
        "message": item.message,
    });
    let mut put = |key: &str, new: Value| {
        if let Some(object) = value.as_object_mut() {
            object.insert(key.to_owned(), new);
        }
    };
    if let Some(location) = item.location {
        for (key, new) in place(diagnostics, location) {
            put(key, new);
        }
    }
    if !item.labels.is_empty() {
        let labels: Vec<Value> = item
            .labels
            .iter()
            .map(|(location, label)| {
                let mut object: serde_json::Map<String, Value> =
                    place(diagnostics, *location).map(|(key, value)| (key.to_owned(), value)).collect();
                object.insert("message".into(), json!(label));
                Value::Object(object)
            })
            .collect();
        put("labels", json!(labels));
    }
    if !item.notes.is_empty() {
        put("notes", json!(item.notes));
    }
    if let Some(help) = &item.help {
        put("help", json!(help));
    }
    if let Some(replacement) = &item.replacement {
        put("replacement", json!(replacement));
    }
    value
}

fn place(diagnostics: &Diagnostics, location: Location) -> impl Iterator<Item = (&'static str, Value)> {
    let path = json!(diagnostics.source(location.source).display_path);
    let end =
        location.span.map(|span| Location { span: Some(syntax::Span::new(span.end, span.end)), ..location });
    let start = diagnostics.line_column(location);
    let end = end.and_then(|end| diagnostics.line_column(end));
    let numbers = start.zip(end).map(|((start_line, start_column), (end_line, end_column))| {
        [
            ("start_line", json!(start_line)),
            ("start_column", json!(start_column)),
            ("end_line", json!(end_line)),
            ("end_column", json!(end_column)),
        ]
    });
    std::iter::once(("path", path)).chain(numbers.into_iter().flatten())
}

fn severity(item: &Diagnostic) -> &'static str {
    match item.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

/// A workflow command of GitHub Actions.
fn github(diagnostics: &Diagnostics, item: &Diagnostic) -> String {
    let data = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
    let mut properties = Vec::new();
    if let Some(location) = item.location {
        properties.push(format!("file={}", property(&diagnostics.source(location.source).display_path)));
        if let Some((line, column)) = diagnostics.line_column(location) {
            properties.push(format!("line={line},col={column}"));
        }
    }
    format!("::{} {}::{}", severity(item), properties.join(","), data(&item.message))
}
