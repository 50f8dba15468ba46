//! Comments of the schema as documentation.

use dunlin_protobuf::descriptor::Location;

/// The lines of documentation that a comment becomes.
///
/// Nothing in it may become a test or a broken link: fenced code is marked as text, indented code
/// is moved to the left, brackets and angle brackets are escaped outside code.
pub(super) fn lines(location: Option<&Location>) -> Vec<String> {
    let text = location.and_then(|l| l.leading_comments.as_deref().or(l.trailing_comments.as_deref()));
    let Some(text) = text else { return Vec::new() };
    let mut fenced = false;
    let mut lines: Vec<String> = text
        .trim_end()
        .lines()
        .map(|line| {
            let line = line.strip_prefix(' ').unwrap_or(line).trim_end();
            let trimmed = line.trim_start();
            if let Some(info) = trimmed.strip_prefix("```") {
                fenced = !fenced;
                let language = if fenced && (info.is_empty() || info == "rust") { "text" } else { info };
                return format!("```{language}");
            }
            if fenced {
                return line.to_owned();
            }
            let indent = (line.len() - trimmed.len()).min(3);
            format!("{:indent$}{}", "", escape(trimmed))
        })
        .collect();
    if fenced {
        lines.push("```".into());
    }
    let first = lines.iter().position(|line| !line.is_empty()).unwrap_or(lines.len());
    lines.split_off(first)
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
            '\t' => {
                out.push(' ');
                continue;
            }
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
            leading_comments: Some(" See [Foo] <b>.\n\n     let x = 1;\n ```\n code[0]\n ```\n `a[b]`\n".into()),
            ..Default::default()
        };
        let want = ["See \\[Foo\\] \\<b\\>.", "", "   let x = 1;", "```text", "code[0]", "```", "`a[b]`"];
        assert_eq!(lines(Some(&location)), want);
    }
}
