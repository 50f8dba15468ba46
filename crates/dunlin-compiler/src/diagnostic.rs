//! What the compiler has to say about schemas.

use std::sync::Arc;

use crate::syntax::Span;

/// A source that diagnostics point into.
#[derive(Clone, Debug)]
pub struct Source {
    /// The path under which the file is imported.
    pub import_path: String,
    /// What users know the file by: its path on disk, if it has one.
    pub display_path: String,
    /// The text; empty for files that come from a descriptor.
    pub text: Arc<[u8]>,
}

/// The index of a [`Source`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(pub u32);

/// How much a [`Diagnostic`] matters.
pub use dunlin_protobuf::pool::Severity;

/// A place in a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    /// The source.
    pub source: SourceId,
    /// The bytes; `None` for the file as a whole.
    pub span: Option<Span>,
}

/// One thing that is wrong or doubtful, with everything that helps to mend it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// A stable name of the rule, such as `duplicate-field-number`.
    pub code: &'static str,
    /// Error or warning.
    pub severity: Severity,
    /// What is wrong, in one sentence.
    pub message: String,
    /// Where; `None` if it is about no source, such as an input that cannot be found.
    pub location: Option<Location>,
    /// Other places that matter, with what they have to do with it.
    pub labels: Vec<(Location, String)>,
    /// Facts that explain it.
    pub notes: Vec<String>,
    /// How to mend it.
    pub help: Option<String>,
    /// What to write at `location` instead.
    pub replacement: Option<String>,
}

impl Diagnostic {
    /// A diagnostic about no place in particular.
    pub fn new(severity: Severity, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            severity,
            message: message.into(),
            location: None,
            labels: Vec::new(),
            notes: Vec::new(),
            help: None,
            replacement: None,
        }
    }

    /// An error about no place in particular.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, message)
    }
}

/// All diagnostics of a run, with the sources that they point into.
///
/// As an error it reads like its first error.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    /// By source and place; warnings included.
    pub items: Vec<Diagnostic>,
    /// The sources, by [`SourceId`].
    pub sources: Vec<Source>,
}

impl Diagnostics {
    /// The number of errors.
    pub fn error_count(&self) -> usize {
        self.items.iter().filter(|d| d.severity == Severity::Error).count()
    }

    /// The number of warnings.
    pub fn warning_count(&self) -> usize {
        self.items.len() - self.error_count()
    }

    /// A source.
    pub fn source(&self, id: SourceId) -> &Source {
        &self.sources[id.0 as usize]
    }

    /// Line and column of the start of a place, both from 1; columns count bytes, and a tab
    /// reaches to the next multiple of eight, as protoc counts.
    pub fn line_column(&self, location: Location) -> Option<(u32, u32)> {
        let text = &self.source(location.source).text;
        let start = location.span?.start as usize;
        let before = text.get(..start)?;
        let line_start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
        let line = memchr::memchr_iter(b'\n', before).count() as u32 + 1;
        // From tab to tab, since a line without a break may be the whole source.
        let text = &before[line_start..];
        let (mut column, mut from) = (0, 0);
        for tab in memchr::memchr_iter(b'\t', text) {
            column += tab - from;
            column += 8 - column % 8;
            from = tab + 1;
        }
        Some((line, (column + text.len() - from) as u32 + 1))
    }

    /// Puts the items in order and drops those that say the same about the same place.
    pub(crate) fn sort(&mut self) {
        self.items.sort_by(|a, b| (a.location, a.code, &a.message).cmp(&(b.location, b.code, &b.message)));
        self.items.dedup_by(|a, b| a.location == b.location && a.location.is_some() && a.code == b.code);
        // A number that could not be read breaks further rules, which are not worth a word.
        let unread: std::collections::HashSet<Option<Location>> =
            self.items.iter().filter(|d| d.code == "integer-out-of-range").map(|d| d.location).collect();
        self.items.retain(|d| d.code == "integer-out-of-range" || !unread.contains(&d.location));
    }
}

impl std::fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut errors = self.items.iter().filter(|d| d.severity == Severity::Error);
        let Some(first) = errors.next() else { return f.write_str("no errors") };
        if let Some(location) = first.location {
            f.write_str(&self.source(location.source).display_path)?;
            if let Some((line, column)) = self.line_column(location) {
                write!(f, ":{line}:{column}")?;
            }
            f.write_str(": ")?;
        }
        f.write_str(&first.message)?;
        match errors.count() {
            0 => Ok(()),
            more => write!(f, " (and {more} more errors)"),
        }
    }
}

impl std::error::Error for Diagnostics {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tab_reaches_to_the_next_multiple_of_eight() {
        let text: Arc<[u8]> = b"a\n\tb\t\t12345678\tc".as_slice().into();
        let source = Source { import_path: "a".into(), display_path: "a".into(), text };
        let diagnostics = Diagnostics { items: Vec::new(), sources: vec![source] };
        for (start, want) in [
            (0, (1, 1)),
            (2, (2, 1)),  // the tab itself
            (3, (2, 9)),  // b
            (4, (2, 10)), // the tab behind it
            (5, (2, 17)),
            (6, (2, 25)),  // 1
            (14, (2, 33)), // a tab right at a multiple
            (15, (2, 41)), // c
        ] {
            let location = Location { source: SourceId(0), span: Some(Span::new(start, start)) };
            assert_eq!(diagnostics.line_column(location), Some(want), "{start}");
        }
    }
}
