use alloc::string::String;
use alloc::vec::Vec;

use super::FileId;

/// A place in a file's descriptor: field numbers and indexes from the file down, as in
/// `google.protobuf.SourceCodeInfo.Location.path`.
pub type Path = Vec<i32>;

/// How much a [`Fault`] matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The schema is valid, but probably not what was meant.
    Warning,
    /// The schema is not valid.
    Error,
}

/// Something wrong with a schema, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// A stable name of the rule that was broken, such as `duplicate-field-number`.
    pub code: &'static str,
    /// Error or warning.
    pub severity: Severity,
    /// The file at fault.
    pub file: FileId,
    /// The element at fault.
    pub path: Path,
    /// What is wrong, in one sentence.
    pub message: String,
    /// Other places that matter, with what they have to do with it.
    pub related: Vec<(FileId, Path, String)>,
    /// How to mend it.
    pub help: Option<String>,
    /// What to write at `path` instead.
    pub replacement: Option<String>,
}

impl Fault {
    /// An error at `path`.
    pub fn error(file: FileId, code: &'static str, path: Path, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            file,
            path,
            message: message.into(),
            related: Vec::new(),
            help: None,
            replacement: None,
        }
    }

    /// A warning at `path`.
    pub fn warning(file: FileId, code: &'static str, path: Path, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(file, code, path, message) }
    }

    /// Adds another place that matters.
    #[must_use]
    pub fn related(mut self, file: FileId, path: Path, label: impl Into<String>) -> Self {
        self.related.push((file, path, label.into()));
        self
    }

    /// Adds what to write instead.
    #[must_use]
    pub fn replacement(mut self, replacement: impl Into<String>) -> Self {
        self.replacement = Some(replacement.into());
        self
    }

    /// Adds how to mend it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}
