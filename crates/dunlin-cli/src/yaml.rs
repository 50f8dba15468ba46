//! YAML and JSON: the same values, written differently.

use std::borrow::Cow;

use saphyr::{Scalar, ScalarStyle, Yaml, YamlEmitter, YamlLoader};
use saphyr_parser::{Event, Parser};

/// How deep values may lie in each other. Messages are not decoded as deep.
const MAX_DEPTH: usize = 200;
/// How many values may lie in others with an anchor.
const MAX_COPIES: usize = 100_000;

/// The documents of a YAML text, each as JSON. Numbers keep their digits.
///
/// # Errors
/// What is wrong with the text, and where.
pub(crate) fn to_json(yaml: &[u8]) -> Result<Vec<String>, String> {
    let text = std::str::from_utf8(yaml).map_err(|error| error.to_string())?;
    let json = |document: &Yaml<'_>| {
        let mut out = String::new();
        write(document, MAX_DEPTH, &mut out).map(|()| out)
    };
    load(text)?.iter().map(json).collect()
}

/// One JSON value as a YAML document, in the order of its keys.
///
/// # Errors
/// The text is no JSON.
pub(crate) fn from_json(json: &str) -> Result<String, String> {
    // Every JSON value is one of YAML.
    let mut documents = load(json)?;
    let mut document = documents.pop().unwrap_or(Yaml::Value(Scalar::Null));
    unquote(&mut document);
    let mut out = String::new();
    YamlEmitter::new(&mut out).dump(&document).map_err(|error| error.to_string())?;
    Ok(out.trim_start_matches("---\n").trim_end().to_owned() + "\n")
}

/// The documents, with scalars as they are written.
fn load(text: &str) -> Result<Vec<Yaml<'_>>, String> {
    check(text)?;
    let mut loader = YamlLoader::default();
    loader.early_parse(false);
    Parser::new_from_str(text).load(&mut loader, true).map_err(|error| error.to_string())?;
    match loader.error() {
        Some(error) => Err(error.to_string()),
        None => Ok(loader.into_documents()),
    }
}

/// Refuses what could not be loaded: values of any depth are made and dropped by functions that call themselves, and
/// what has an anchor is copied, with all that has one inside of it.
///
/// # Errors
/// What is wrong with the text.
pub(crate) fn check(text: &str) -> Result<(), String> {
    // Whether what is open has an anchor.
    let mut open: Vec<bool> = Vec::new();
    let (mut anchors, mut copies) = (0usize, 0usize);
    for event in Parser::new_from_str(text) {
        match event.map_err(|error| error.to_string())?.0 {
            Event::MappingStart(anchor, _) | Event::SequenceStart(anchor, _) => {
                open.push(anchor > 0);
                anchors += usize::from(anchor > 0);
                copies += anchors;
            }
            Event::MappingEnd | Event::SequenceEnd => anchors -= usize::from(open.pop() == Some(true)),
            Event::Scalar(..) | Event::Alias(_) => copies += anchors,
            _ => {}
        }
        if open.len() > MAX_DEPTH {
            return Err(too_deep());
        }
        if copies > MAX_COPIES {
            return Err(format!("anchors stand for more than {MAX_COPIES} values"));
        }
    }
    Ok(())
}

fn too_deep() -> String {
    format!("values lie in each other more than {MAX_DEPTH} deep")
}

fn write(node: &Yaml<'_>, depth: usize, out: &mut String) -> Result<(), String> {
    // Aliases can make values deeper than the text is.
    let depth = depth.checked_sub(1).ok_or_else(too_deep)?;
    match node {
        Yaml::Representation(text, ScalarStyle::Plain, None) => out.push_str(&plain(text)),
        Yaml::Representation(text, ..) | Yaml::Value(Scalar::String(text)) => out.push_str(&quoted(text)),
        Yaml::Tagged(_, node) => write(node, depth, out)?,
        Yaml::Sequence(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(item, depth, out)?;
            }
            out.push(']');
        }
        Yaml::Mapping(entries) => {
            out.push('{');
            for (index, (key, value)) in entries.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                match key {
                    Yaml::Representation(text, ..) | Yaml::Value(Scalar::String(text)) => {
                        out.push_str(&quoted(text));
                    }
                    _ => return Err("a key has to be a text".into()),
                }
                out.push(':');
                write(value, depth, out)?;
            }
            out.push('}');
        }
        _ => out.push_str("null"),
    }
    Ok(())
}

/// A scalar without quotes, by the core schema of YAML 1.2.
fn plain(text: &str) -> Cow<'_, str> {
    if text.is_empty() {
        return "null".into();
    }
    if is_json_number(text) {
        return text.into();
    }
    match Scalar::parse_from_cow(text.into()) {
        Scalar::Null => "null".into(),
        Scalar::Boolean(value) => value.to_string().into(),
        Scalar::Integer(value) => value.to_string().into(),
        Scalar::FloatingPoint(value) if value.is_nan() => "\"NaN\"".into(),
        Scalar::FloatingPoint(value) if value.is_infinite() => {
            if *value > 0.0 { "\"Infinity\"" } else { "\"-Infinity\"" }.into()
        }
        Scalar::FloatingPoint(value) => value.to_string().into(),
        Scalar::String(text) => quoted(&text).into(),
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Whether these are the characters of a number in JSON (RFC 8259 §6).
fn is_json_number(text: &str) -> bool {
    fn digits(text: &str) -> Option<&str> {
        let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
        (rest.len() < text.len()).then_some(rest)
    }
    let number = text.strip_prefix('-').unwrap_or(text);
    let has_leading_zero =
        number.len() > 1 && number.starts_with('0') && number.as_bytes()[1].is_ascii_digit();
    let Some(mut rest) = digits(number).filter(|_| !has_leading_zero) else { return false };
    if let Some(fraction) = rest.strip_prefix('.') {
        let Some(behind) = digits(fraction) else { return false };
        rest = behind;
    }
    if let Some(exponent) = rest.strip_prefix(['e', 'E']) {
        let Some(behind) = digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)) else {
            return false;
        };
        rest = behind;
    }
    rest.is_empty()
}

/// Leaves quotes to the writer, which knows where they are needed.
fn unquote(node: &mut Yaml<'_>) {
    match node {
        Yaml::Representation(text, ScalarStyle::DoubleQuoted, None) => {
            *node = Yaml::Value(Scalar::String(std::mem::take(text)));
        }
        Yaml::Sequence(items) => items.iter_mut().for_each(unquote),
        Yaml::Mapping(entries) => {
            for (mut key, mut value) in std::mem::take(entries) {
                unquote(&mut key);
                unquote(&mut value);
                entries.insert(key, value);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_become_what_they_are_in_json() {
        let yaml =
            b"a: 18446744073709551615\nb: 0x1f\nc: .inf\nd: yes\ne: 'true'\nf: true\ng: ~\nn:\nh: 1.50\ni: 007\n\
                     j: {k: [1, -2e3]}\n";
        let json = r#"{"a":18446744073709551615,"b":31,"c":"Infinity","d":"yes","e":"true","f":true,"g":null,"n":null,"h":1.50,"i":7,"j":{"k":[1,-2e3]}}"#;
        assert_eq!(to_json(yaml), Ok(vec![json.to_owned()]));
        assert_eq!(to_json(b"1\n---\n2\n").map(|documents| documents.len()), Ok(2));
        assert_eq!(to_json(b"").map(|documents| documents.len()), Ok(0));
    }

    #[test]
    fn json_comes_back_with_quotes_where_they_are_needed() {
        let json =
            r#"{"id":"42","name":"Ä \"x\"\n","tags":["true","plain"],"price":1.5,"empty":{},"none":[]}"#;
        let yaml = from_json(json).unwrap();
        assert!(yaml.starts_with("id: \"42\"\n") && yaml.contains("- plain\n"), "{yaml}");
        assert_eq!(to_json(yaml.as_bytes()), Ok(vec![json.to_owned()]));
    }

    #[test]
    fn what_is_wrong_is_said_and_depth_is_bounded() {
        assert!(to_json(b"a: [1\n").is_err());
        assert!(to_json(b"[1]: 2\n").unwrap_err().contains("a key"));
        assert!(to_json("[".repeat(1_000_000).as_bytes()).is_err());
        let deep = to_json("- ".repeat(100_000).as_bytes()).unwrap_err();
        assert!(deep.contains("200 deep"), "{deep}");
        let copies = "&a [".repeat(199) + &"x,".repeat(100_000) + &"]".repeat(199);
        assert!(to_json(copies.as_bytes()).unwrap_err().contains("anchors"));
        let laughs = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b]\n\
                      d: &d [*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e]\n";
        assert!(to_json(laughs.as_bytes()).is_err());
    }
}
