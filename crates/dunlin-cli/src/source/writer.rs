//! Lines and comments.

use dunlin_protobuf::descriptor::Location;

/// Collects source text.
#[derive(Debug, Default)]
pub(super) struct Writer {
    out: String,
}

const INDENT: &str = "  ";

impl Writer {
    pub(super) fn finish(self) -> String {
        self.out
    }

    pub(super) fn push(&mut self, text: &str) {
        self.out.push_str(text);
    }

    pub(super) fn indent(&mut self, indent: usize) {
        self.out.extend(std::iter::repeat_n(INDENT, indent));
    }

    pub(super) fn blank_line(&mut self) {
        self.out.push('\n');
    }

    fn at_line_start(&self) -> bool {
        self.out.is_empty() || self.out.ends_with('\n')
    }

    /// Ends the line, if one has begun.
    pub(super) fn end_line(&mut self) {
        if !self.at_line_start() {
            self.out.push('\n');
        }
    }

    /// What stands before an element.
    pub(super) fn leading(&mut self, location: Option<&Location>, with_detached: bool, indent: usize) {
        let Some(location) = location else { return };
        if with_detached {
            for comment in &location.leading_detached_comments {
                self.comment(comment, indent);
                self.blank_line();
            }
        }
        if let Some(comment) = &location.leading_comments {
            self.comment(comment, indent);
        }
    }

    /// What stands behind an element; whether there is something.
    pub(super) fn trailing(&mut self, location: Option<&Location>, indent: usize) -> bool {
        let Some(comment) = location.and_then(|location| location.trailing_comments.as_deref()) else {
            return false;
        };
        let lines = lines(comment);
        if lines.len() == 1 && !self.at_line_start() {
            self.push(" ");
            self.push(&line(lines[0]));
            self.push("\n");
        } else {
            self.end_line();
            self.comment(comment, indent);
        }
        !comment.is_empty()
    }

    fn comment(&mut self, comment: &str, indent: usize) {
        for text in lines(comment) {
            self.indent(indent);
            self.push(&line(text));
            self.push("\n");
        }
    }
}

/// The lines of a comment, without an empty one at its ends.
fn lines(comment: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = comment.split('\n').collect();
    if lines.first() == Some(&"") {
        lines.remove(0);
    }
    if lines.last() == Some(&"") {
        lines.pop();
    }
    lines
}

fn line(text: &str) -> String {
    let space = if text.is_empty() || text.starts_with(' ') { "" } else { " " };
    format!("//{space}{text}").trim_end_matches([' ', '\t']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_lines_with_slashes() {
        let mut writer = Writer::default();
        let location = Location {
            leading_comments: Some(" one\n\n  two \t\nthree\n".into()),
            trailing_comments: Some(" behind\n".into()),
            ..Default::default()
        };
        writer.leading(Some(&location), true, 1);
        writer.push("x;");
        writer.trailing(Some(&location), 1);
        assert_eq!(writer.finish(), "  // one\n  //\n  //  two\n  // three\nx; // behind\n");
    }
}
