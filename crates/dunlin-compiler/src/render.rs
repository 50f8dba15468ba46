//! Diagnostics as text: in the layout of rustc, or one line each.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Patch, Renderer, Snippet};

use crate::diagnostic::{Diagnostic, Diagnostics, Location, Severity, SourceId};

/// Whether to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Color {
    /// Plain text.
    #[default]
    Never,
    /// ANSI escape sequences.
    Always,
}

/// The layout of a diagnostic that stands on one line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LineFormat {
    /// `file:line:column: text`, as gcc and protoc print.
    #[default]
    Gcc,
    /// `file(line) : error in column=N: text`, as Visual Studio reads.
    Msvs,
}

/// Places further apart than this many lines are shown apart.
const MAX_WINDOW_LINES: usize = 40;
/// A line is shown up to this many bytes around what is marked on it.
const MAX_LINE_BYTES: usize = 400;

impl Diagnostics {
    /// One diagnostic in the layout of rustc, with the lines of the source that it is about.
    ///
    /// ```
    /// use dunlin_compiler::{Compiler, loader::Sources, render::Color};
    ///
    /// let sources = Sources::new().file("a.proto", "syntax = \"proto3\"; message A { strin name = 1; }");
    /// let diagnostics = Compiler::new(sources).compile(["a.proto"]).unwrap_err();
    /// let text = diagnostics.render(&diagnostics.items[0], Color::Never);
    /// assert!(text.starts_with("error[undefined-name]: \"strin\" is not defined\n --> a.proto:1:"));
    /// ```
    pub fn render(&self, diagnostic: &Diagnostic, color: Color) -> String {
        let level = match diagnostic.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let mut windows = Vec::new();
        if let Some(location) = diagnostic.location {
            windows.push(self.window(location, None));
            for (place, label) in &diagnostic.labels {
                self.add_label(&mut windows, *place, label);
            }
        }
        let mut group =
            Group::with_title(level.primary_title(diagnostic.message.as_str()).id(diagnostic.code));
        for window in &windows {
            let mut snippet =
                Snippet::source(window.text.as_str()).path(window.path.as_str()).line_start(window.line);
            for mark in &window.marks {
                let kind =
                    if mark.label.is_none() { AnnotationKind::Primary } else { AnnotationKind::Context };
                let annotation = kind.span(mark.span.clone());
                snippet = snippet.annotation(match &mark.label {
                    Some(label) => annotation.label(label.as_str()),
                    None => annotation,
                });
            }
            group = group.element(snippet);
        }
        for note in &diagnostic.notes {
            group = group.element(Level::NOTE.message(note.as_str()));
        }
        let mut groups = vec![];
        let patch = diagnostic.replacement.as_deref().zip(windows.first()).zip(diagnostic.help.as_deref());
        match patch {
            Some(((replacement, window), help)) if !window.marks.is_empty() => {
                groups.push(group);
                let snippet =
                    Snippet::source(window.text.as_str()).path(window.path.as_str()).line_start(window.line);
                let patch = Patch::new(window.marks[0].span.clone(), replacement);
                groups
                    .push(Group::with_title(Level::HELP.secondary_title(help)).element(snippet.patch(patch)));
            }
            _ => {
                if let Some(help) = &diagnostic.help {
                    group = group.element(Level::HELP.message(help.as_str()));
                }
                groups.push(group);
            }
        }
        let renderer = match color {
            Color::Never => Renderer::plain(),
            Color::Always => Renderer::styled(),
        };
        let mut text = renderer.render(&groups);
        text.push('\n');
        text
    }

    /// One diagnostic on one line, positions counted as protoc counts them.
    pub fn line(&self, diagnostic: &Diagnostic, format: LineFormat) -> String {
        let mut message = diagnostic.message.clone();
        for extra in diagnostic.notes.iter().chain(&diagnostic.help) {
            message.push_str("; ");
            message.push_str(extra);
        }
        let Some(location) = diagnostic.location else { return message };
        let path = &self.source(location.source).display_path;
        let is_warning = diagnostic.severity == Severity::Warning;
        match (format, self.line_column(location)) {
            (LineFormat::Gcc, place) => {
                let place = place.map(|(line, column)| format!(":{line}:{column}")).unwrap_or_default();
                let kind = if is_warning { "warning: " } else { "" };
                format!("{path}{place}: {kind}{message}")
            }
            (LineFormat::Msvs, place) => {
                let (line, column) = place.unwrap_or((1, 1));
                let (kind, prefix) = if is_warning { ("warning", "warning: ") } else { ("error", "") };
                format!("{path}({line}) : {kind} in column={column}: {prefix}{message}")
            }
        }
    }

    fn add_label(&self, windows: &mut Vec<Window>, place: Location, label: &str) {
        let new = self.window(place, Some(label.to_owned()));
        for window in windows.iter_mut() {
            if window.source == new.source && window.try_merge(&new, self) {
                return;
            }
        }
        windows.push(new);
    }

    /// The lines around a place.
    fn window(&self, location: Location, label: Option<String>) -> Window {
        let source = self.source(location.source);
        let text = &source.text;
        let path = source.display_path.clone();
        let Some(span) = location.span.filter(|_| !text.is_empty()) else {
            return Window {
                source: location.source,
                path,
                line: 1,
                bytes: 0..0,
                text: String::new(),
                marks: Vec::new(),
            };
        };
        let mut span = span.range();
        span.end = span.end.min(text.len());
        span.start = span.start.min(span.end);
        // Of something that spans lines, the first is enough.
        if let Some(newline) = memchr::memchr(b'\n', &text[span.clone()]) {
            span.end = span.start + newline.max(1).min(span.len());
        }
        let mut window = Window {
            source: location.source,
            path,
            line: memchr::memchr_iter(b'\n', &text[..span.start]).count() + 1,
            bytes: line_bounds(text, span.start, span.end),
            text: String::new(),
            marks: vec![Mark { bytes: span, span: 0..0, label }],
        };
        window.fill(text);
        window
    }
}

/// Some lines of a source with marks in them.
struct Window {
    source: SourceId,
    path: String,
    /// The number of the first line.
    line: usize,
    /// Which bytes of the source.
    bytes: Range<usize>,
    text: String,
    marks: Vec<Mark>,
}

struct Mark {
    /// In the source.
    bytes: Range<usize>,
    /// In the window's text.
    span: Range<usize>,
    label: Option<String>,
}

impl Window {
    /// Takes in the marks of another window of the same source, if it is near.
    fn try_merge(&mut self, other: &Self, diagnostics: &Diagnostics) -> bool {
        let text = &diagnostics.source(self.source).text;
        if self.marks.is_empty() || other.marks.is_empty() {
            return false;
        }
        let bytes = self.bytes.start.min(other.bytes.start)..self.bytes.end.max(other.bytes.end);
        let lines = memchr::memchr_iter(b'\n', &text[bytes.clone()]).count();
        let overlaps = self.bytes.start < other.bytes.end && other.bytes.start < self.bytes.end;
        if lines > MAX_WINDOW_LINES || !overlaps && bytes.len() > MAX_WINDOW_LINES * MAX_LINE_BYTES {
            return false;
        }
        self.line = self.line.min(other.line);
        self.bytes = bytes;
        self.marks.extend(other.marks.iter().map(|mark| Mark {
            bytes: mark.bytes.clone(),
            span: 0..0,
            label: mark.label.clone(),
        }));
        self.fill(text);
        true
    }

    fn fill(&mut self, source: &[u8]) {
        let base = self.bytes.start;
        // What is not UTF-8 is shown as replacement characters, which are longer.
        let shown = |to: usize| String::from_utf8_lossy(&source[base..to.max(base)]).len();
        self.text = String::from_utf8_lossy(&source[self.bytes.clone()]).into_owned();
        for mark in &mut self.marks {
            let (start, end) = (shown(mark.bytes.start), shown(mark.bytes.end));
            let limit = self.text.len();
            mark.span = start.min(limit)..end.min(limit);
            // In the middle of a broken character there is nothing to mark.
            if !self.text.is_char_boundary(mark.span.start) || !self.text.is_char_boundary(mark.span.end) {
                mark.span = 0..0;
            }
        }
    }
}

/// The line that holds `start..end`, or the part of it that can be shown.
fn line_bounds(text: &[u8], start: usize, end: usize) -> Range<usize> {
    let line_start = memchr::memrchr(b'\n', &text[..start]).map_or(0, |at| at + 1);
    let line_end = memchr::memchr(b'\n', &text[end..]).map_or(text.len(), |at| end + at);
    let is_boundary = |at: usize| text.get(at).is_none_or(|b| b & 0xc0 != 0x80);
    let mut from = line_start.max(start.saturating_sub(MAX_LINE_BYTES / 2));
    let mut to = line_end.min(end.saturating_add(MAX_LINE_BYTES / 2));
    while from > line_start && !is_boundary(from) {
        from -= 1;
    }
    while to < line_end && !is_boundary(to) {
        to += 1;
    }
    from..to
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_may_start_in_the_middle_of_a_character() {
        for (text, start, want) in [
            (&b"\x80\x80 x"[..], 3, 0..4), // nothing to go back to
            (b"a\n\x80 x", 4, 2..5),       // and not into the line before
        ] {
            assert_eq!(line_bounds(text, start, start + 1), want, "{}", text.escape_ascii());
        }
    }
}
