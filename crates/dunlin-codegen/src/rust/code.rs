//! Source text with indentation.

use std::fmt::Write;

/// Lines of source.
#[derive(Debug, Default)]
pub(super) struct Code {
    text: String,
    depth: usize,
}

impl Code {
    /// A line at the current indentation; several, if `line` has line breaks.
    pub(super) fn line(&mut self, line: impl AsRef<str>) {
        for line in line.as_ref().split('\n') {
            if line.is_empty() {
                self.text.push('\n');
            } else {
                let _ = writeln!(self.text, "{:1$}{line}", "", self.depth * 4);
            }
        }
    }

    /// A line that opens a block, the block, and the line that closes it.
    pub(super) fn block(
        &mut self,
        open: impl AsRef<str>,
        close: impl AsRef<str>,
        body: impl FnOnce(&mut Self),
    ) {
        self.line(open);
        self.depth += 1;
        body(self);
        self.depth -= 1;
        self.line(close);
    }

    /// An empty line, unless something has just been opened.
    pub(super) fn gap(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with("{\n") && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    /// A doc comment of these lines.
    pub(super) fn doc<'l>(&mut self, lines: impl IntoIterator<Item = &'l str>) {
        for line in lines {
            self.line(if line.is_empty() { "///".to_owned() } else { format!("/// {line}") });
        }
    }

    /// The text.
    pub(super) fn into_text(self) -> String {
        self.text
    }
}

/// A string literal of Rust.
pub(super) fn literal(text: &str) -> String {
    format!("{text:?}")
}

/// A byte string literal of Rust.
pub(super) fn byte_literal(bytes: &[u8]) -> String {
    format!("b\"{}\"", bytes.escape_ascii())
}
