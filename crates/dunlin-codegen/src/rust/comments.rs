//! Comments of the schema as documentation.

use dunlin_protobuf::descriptor::Location;

/// The lines of documentation that a comment becomes.
///
/// Nothing in it may become a test or a broken link: fenced code is marked as text, indented code
/// is moved to the left, brackets and angle brackets are escaped outside code.
pub(super) fn lines(location: Option<&Location>) -> Vec<String> {
    let text = location.and_then(|l| l.leading_comments.as_deref().or(l.trailing_comments.as_deref()));
    let Some(text) = text else { return Vec::new() };
    // The fence that is open: its character and how many of them.
    let mut fence: Option<(char, usize)> = None;
    let mut lines: Vec<String> = text
        .trim_end()
        .lines()
        .map(|line| {
            let line = printable(line.strip_prefix(' ').unwrap_or(line));
            let line = line.trim_end();
            let trimmed = line.trim_start();
            let mark = trimmed.chars().next().filter(|c| matches!(c, '`' | '~'));
            let run = mark.map_or(0, |mark| trimmed.chars().take_while(|&c| c == mark).count());
            let rest = trimmed[run..].trim();
            match (fence, mark) {
                (Some((open, count)), _) => {
                    if mark == Some(open) && run >= count && rest.is_empty() {
                        fence = None;
                        return trimmed.to_owned();
                    }
                    return line.to_owned();
                }
                (None, Some(mark)) if run >= 3 && !rest.contains('`') => {
                    fence = Some((mark, run));
                    return format!("{}{}", &trimmed[..run], language(rest));
                }
                _ => {}
            }
            let indent = (line.len() - trimmed.len()).min(3);
            // Behind the mark of a list, more than one space could make code of the rest.
            let trimmed = match trimmed
                .starts_with(['-', '+', '*', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9'])
            {
                true => trimmed.split_whitespace().collect::<Vec<_>>().join(" "),
                false => trimmed.to_owned(),
            };
            format!("{:indent$}{}", "", escape(&trimmed))
        })
        .collect();
    if let Some((mark, count)) = fence {
        lines.push(mark.to_string().repeat(count));
    }
    let first = lines.iter().position(|line| !line.is_empty()).unwrap_or(lines.len());
    lines.split_off(first)
}

/// The language of fenced code; anything that rustdoc might take for Rust is text.
fn language(info: &str) -> &str {
    const KNOWN: &[&str] = &[
        "bash",
        "c",
        "cpp",
        "css",
        "go",
        "html",
        "http",
        "java",
        "javascript",
        "js",
        "json",
        "kotlin",
        "php",
        "proto",
        "protobuf",
        "python",
        "ruby",
        "sh",
        "shell",
        "sql",
        "toml",
        "ts",
        "typescript",
        "xml",
        "yaml",
    ];
    if KNOWN.contains(&info) { info } else { "text" }
}

/// A line without characters that the compiler refuses in comments: control characters, and those
/// that turn the direction of text.
fn printable(line: &str) -> String {
    let is_hidden =
        |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    line.chars().map(|c| if is_hidden(c) { ' ' } else { c }).collect()
}

fn escape(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut in_code = false;
    // A single backtick would swallow the rest of the paragraph.
    let balanced = line.matches('`').count().is_multiple_of(2);
    for c in line.chars() {
        match c {
            '`' if balanced => in_code = !in_code,
            '`' | '[' | ']' | '<' | '>' if !in_code => out.push('\\'),
            _ => {}
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_becomes_a_test_or_a_link() {
        let location = Location {
            leading_comments: Some(
                " See [Foo] <b>.\n\n     let x = 1;\n ```\n code[0]\n ```\n `a[b]`\n".into(),
            ),
            ..Default::default()
        };
        let want = ["See \\[Foo\\] \\<b\\>.", "", "   let x = 1;", "```text", "code[0]", "```", "`a[b]`"];
        assert_eq!(lines(Some(&location)), want);
    }
}
