//! Names of the schema as names of Rust.

/// Words that cannot be names.
const KEYWORDS: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn", "else",
    "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro",
    "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "static", "struct", "trait",
    "true", "try", "type", "typeof", "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

/// Keywords that no raw identifier stands for.
const NEVER_RAW: &[&str] = &["self", "Self", "super", "crate", "_"];

/// A name as an identifier: keywords become raw, those that cannot get a `_` behind.
pub(super) fn identifier(name: &str) -> String {
    if KEYWORDS.contains(&name) {
        format!("r#{name}")
    } else if NEVER_RAW.contains(&name) || name.is_empty() {
        format!("{name}_")
    } else {
        name.to_owned()
    }
}

/// The name of a field: the schema's, in snake case.
pub(super) fn field(name: &str) -> String {
    identifier(&snake_case(name))
}

/// The name of a module: a part of a package, or a message, in snake case.
pub(super) fn module(name: &str) -> String {
    identifier(&snake_case(name))
}

/// The name of a type: each `_` is dropped and the letter behind it is upper case, as is the
/// first; the rest stays, so that `HTTPServer` is still itself.
pub(super) fn type_name(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut upper = true;
    for c in name.chars() {
        if c == '_' {
            upper = true;
        } else if upper {
            out.extend(c.to_uppercase());
            upper = false;
        } else {
            out.push(c);
        }
    }
    if out.is_empty() || out.starts_with(|c: char| c.is_ascii_digit()) {
        out.insert(0, '_');
    }
    identifier(&out)
}

/// The name of a constant: upper case, words apart.
pub(super) fn constant(name: &str) -> String {
    if name.chars().any(|c| c.is_ascii_lowercase()) && name.chars().any(|c| c.is_ascii_uppercase()) {
        return identifier(&snake_case(name).to_uppercase());
    }
    identifier(&name.to_uppercase())
}

/// Lower case with `_` where a word starts: before an upper-case letter behind a lower-case one or
/// a digit, and before the last upper-case letter of a run that a lower-case one follows.
pub(super) fn snake_case(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut out = String::with_capacity(name.len() + 4);
    for (i, &c) in chars.iter().enumerate() {
        if c.is_ascii_uppercase() && i > 0 {
            let before = chars[i - 1];
            let next_is_lower = chars.get(i + 1).is_some_and(char::is_ascii_lowercase);
            let starts_word = before.is_ascii_lowercase()
                || before.is_ascii_digit()
                || (before.is_ascii_uppercase() && next_is_lower);
            if starts_word && before != '_' {
                out.push('_');
            }
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// `wanted`, with as many `_` behind as make it different from all in `taken`; it is then taken.
pub(super) fn unique(wanted: String, taken: &mut Vec<String>) -> String {
    let mut name = wanted;
    while taken.contains(&name) {
        name.push('_');
    }
    taken.push(name.clone());
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rules_of_rust() {
        for (name, field_name, type_name_) in [
            ("foo_bar", "foo_bar", "FooBar"),
            ("fooBar", "foo_bar", "FooBar"),
            ("HTTPServer", "http_server", "HTTPServer"),
            ("type", "r#type", "Type"),
            ("self", "self_", "Self_"),
            ("Self", "self_", "Self_"),
            ("_foo", "_foo", "Foo"),
            ("a1B", "a1_b", "A1B"),
        ] {
            assert_eq!(field(name), field_name, "{name}");
            assert_eq!(type_name(name), type_name_, "{name}");
        }
    }
}
