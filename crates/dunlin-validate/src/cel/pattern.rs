//! Patterns as CEL has them: those of RE2, in which `\d`, `\s`, `\w` and `\b` know ASCII only, and a
//! bracket in a class stands for itself.

use regex::{Regex, RegexBuilder};

/// How much memory a compiled pattern may take, in bytes.
const SIZE: usize = 1 << 20;

pub(crate) fn compile(source: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(&translate(source)).size_limit(SIZE).dfa_size_limit(SIZE).nest_limit(64).build()
}

/// The pattern in the words of the crate `regex`.
fn translate(source: &str) -> String {
    let mut out = String::with_capacity(source.len() + 16);
    let mut rest = source.chars().peekable();
    let mut in_class = false;
    while let Some(c) = rest.next() {
        match c {
            '\\' => match rest.next() {
                None => out.push('\\'),
                Some('Q') => {
                    let quoted: String = rest.clone().collect();
                    let text = quoted.split("\\E").next().unwrap_or_default();
                    out.push_str(&regex::escape(text));
                    let skip = text.chars().count() + if quoted.contains("\\E") { 2 } else { 0 };
                    rest.by_ref().take(skip).for_each(drop);
                }
                Some('E') => {}
                Some(kind) => match ascii(kind, in_class) {
                    Some(class) => out.push_str(class),
                    None => out.extend(['\\', kind]),
                },
            },
            '[' if in_class && rest.peek() != Some(&':') => out.push_str("\\["),
            '[' if in_class => {
                // A class of POSIX is in brackets of its own.
                out.push('[');
                for c in rest.by_ref() {
                    out.push(c);
                    if c == ']' {
                        break;
                    }
                }
            }
            '[' => {
                in_class = true;
                out.push('[');
                if rest.next_if_eq(&'^').is_some() {
                    out.push('^');
                }
                // At the start it does not end the class.
                if rest.next_if_eq(&']').is_some() {
                    out.push_str("\\]");
                }
            }
            ']' if in_class => {
                in_class = false;
                out.push(']');
            }
            // Pairs of these have a meaning of their own in classes of the crate.
            '&' | '~' if in_class => out.extend(['\\', c]),
            '-' if in_class && rest.peek() == Some(&'-') => out.push_str("\\-"),
            c => out.push(c),
        }
    }
    out
}

fn ascii(kind: char, in_class: bool) -> Option<&'static str> {
    Some(match (kind, in_class) {
        ('d', false) => "[0-9]",
        ('d', true) => "0-9",
        ('D', _) => "[^0-9]",
        ('s', false) => "[\\t\\n\\f\\r ]",
        ('s', true) => "\\t\\n\\f\\r ",
        ('S', _) => "[^\\t\\n\\f\\r ]",
        ('w', false) => "[0-9A-Za-z_]",
        ('w', true) => "0-9A-Za-z_",
        ('W', _) => "[^0-9A-Za-z_]",
        ('b', false) => "(?-u:\\b)",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_re2_means() {
        for (pattern, text, want) in [
            ("^\\d$", "1", true),
            ("^\\d$", "\u{664}", false), // ARABIC-INDIC DIGIT FOUR
            ("^[\\d\\w]$", "_", true),
            ("^\\w+$", "ä", false),
            ("^.$", "ä", true),
            ("^[[]$", "[", true),
            ("^[]a]+$", "a]", true),
            ("^[[:alpha:]]$", "b", true),
            ("^[a&&b]$", "&", true),
            ("\\bä", "xä", true), // no letter of ASCII, so a word ends before it
            ("^\\Qa.b\\E$", "axb", false),
            ("^\\Qa.b\\Ec$", "a.bc", true),
            ("(?i)^[a-z]+$", "ABC", true),
        ] {
            let compiled = compile(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
            assert_eq!(compiled.is_match(text), want, "{pattern} on {text:?}");
        }
    }

    #[test]
    fn a_pattern_that_would_take_much_memory_is_refused() {
        assert!(compile("((a{1000}){1000}){1000}").is_err());
        assert!(compile(&"(".repeat(1000)).is_err());
    }
}
