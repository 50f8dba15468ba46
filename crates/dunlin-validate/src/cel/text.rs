//! Functions on strings, and `format`.

use std::fmt::Write;

use super::EvalError;
use super::convert::unfitting;
use super::eval::{Evaluated, Evaluator, fault};
use super::functions::Function;
use super::time::{Instant, Span};
use super::value::Value;

/// How many decimals `%.9f` and `%.9e` may ask for.
const MAX_PRECISION: usize = 100;

pub(super) fn call<'a>(
    evaluator: &Evaluator<'_, 'a>,
    function: Function,
    args: &[Value<'a>],
) -> Evaluated<'a> {
    if function == Function::Join {
        let separator = args.get(1).map_or(Some(""), Value::as_str);
        let items = args[0].items();
        let texts: Option<Vec<_>> = items.iter().map(Value::as_str).collect();
        return match (args[0].is_list(), texts, separator) {
            (true, Some(texts), Some(separator)) => {
                let len = texts.iter().map(|text| text.len() + separator.len()).sum::<usize>();
                evaluator.spend(len / 16)?;
                Ok(Value::text(texts.join(separator)))
            }
            _ => unfitting(function, args),
        };
    }
    let Some(text) = args[0].as_str() else { return unfitting(function, args) };
    match (function, &args[1..]) {
        (Function::Format, [values]) if values.is_list() => {
            format(evaluator, text, &values.items()).map(Value::text)
        }
        (Function::LowerAscii, []) => Ok(Value::text(text.to_ascii_lowercase())),
        (Function::UpperAscii, []) => Ok(Value::text(text.to_ascii_uppercase())),
        (Function::Trim, []) => Ok(Value::text(text.trim())),
        (Function::Reverse, []) => Ok(Value::text(text.chars().rev().collect::<String>())),
        (Function::Quote, []) => Ok(Value::text(quote(text))),
        (Function::CharAt, [Value::Int(at)]) => {
            let count = text.chars().count() as i64;
            if !(0..=count).contains(at) {
                return fault("the index is out of bounds");
            }
            Ok(Value::text(text.chars().skip(*at as usize).take(1).collect::<String>()))
        }
        (Function::Substring, [Value::Int(from)]) => substring(text, *from, None),
        (Function::Substring, [Value::Int(from), Value::Int(to)]) => substring(text, *from, Some(*to)),
        (Function::IndexOf | Function::LastIndexOf, [part, from @ ..]) => {
            let from = match from {
                [] => None,
                [Value::Int(from)] => Some(*from),
                _ => return unfitting(function, args),
            };
            match part.as_str() {
                Some(part) => find(function, text, part, from),
                None => unfitting(function, args),
            }
        }
        (Function::Replace, [part, with, count @ ..]) => {
            let count = match count {
                [] => usize::MAX,
                [Value::Int(count)] => usize::try_from(*count).unwrap_or(usize::MAX),
                _ => return unfitting(function, args),
            };
            match (part.as_str(), with.as_str()) {
                (Some(part), Some(with)) => {
                    let times = text.matches(part).take(count).count();
                    evaluator.spend(times.saturating_mul(with.len()) / 16)?;
                    Ok(Value::text(text.replacen(part, with, count)))
                }
                _ => unfitting(function, args),
            }
        }
        (Function::Split, [separator, count @ ..]) => {
            let count = match count {
                [] => usize::MAX,
                [Value::Int(count)] => usize::try_from(*count).unwrap_or(usize::MAX),
                _ => return unfitting(function, args),
            };
            let Some(separator) = separator.as_str() else { return unfitting(function, args) };
            // Between characters, none before the first and behind the last.
            let parts: Vec<_> = if separator.is_empty() {
                let mut parts: Vec<_> =
                    text.chars().take(count).map(|c| Value::text(c.to_string())).collect();
                let split = text.char_indices().nth(count.saturating_sub(1)).map(|(at, _)| &text[at..]);
                if let (Some(last), Some(rest)) = (parts.last_mut(), split) {
                    *last = Value::text(rest);
                }
                parts
            } else {
                text.splitn(count, separator).map(Value::text).collect()
            };
            evaluator.spend(parts.len())?;
            Ok(Value::list(parts))
        }
        _ => unfitting(function, args),
    }
}

fn substring<'a>(text: &str, from: i64, to: Option<i64>) -> Evaluated<'a> {
    let count = text.chars().count() as i64;
    let to = to.unwrap_or(count);
    if from < 0 || to > count || from > to {
        return fault("the index is out of bounds");
    }
    Ok(Value::text(text.chars().skip(from as usize).take((to - from) as usize).collect::<String>()))
}

/// Where `part` is, counted in characters; -1 if it is nowhere.
fn find<'a>(function: Function, text: &str, part: &str, from: Option<i64>) -> Evaluated<'a> {
    let count = text.chars().count() as i64;
    if from.is_some_and(|from| from < 0 || from > count) {
        return fault("the index is out of bounds");
    }
    let byte = |at: i64| text.char_indices().nth(at as usize).map_or(text.len(), |(byte, _)| byte);
    let found = if function == Function::IndexOf {
        let start = from.map_or(0, byte);
        text[start..].find(part).map(|at| at + start)
    } else {
        // The last that begins at or before the place.
        let end = from.map_or(text.len(), |from| (byte(from) + part.len()).min(text.len()));
        let end = (end..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
        text[..end].rfind(part)
    };
    Ok(Value::Int(found.map_or(-1, |at| text[..at].chars().count() as i64)))
}

fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x0b' => out.push_str("\\v"),
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// One value in a template.
struct Directive {
    precision: usize,
    kind: char,
}

/// A template in pieces: plain text, and the directive behind it.
fn directives(template: &str) -> Result<Vec<(&str, Option<Directive>)>, String> {
    let mut pieces = Vec::new();
    let mut rest = template;
    while let Some((plain, after)) = rest.split_once('%') {
        if let Some(after) = after.strip_prefix('%') {
            // The first of the two signs belongs to the text.
            let end = plain.len() + 1;
            pieces.push((&rest[..end], None));
            rest = after;
            continue;
        }
        let (precision, after) = match after.strip_prefix('.') {
            Some(after) => {
                let digits = after.bytes().take_while(u8::is_ascii_digit).count();
                let precision = after[..digits].parse().ok().filter(|precision| *precision <= MAX_PRECISION);
                let Some(precision) = precision else {
                    return Err(format!("a precision in `format` is a number up to {MAX_PRECISION}"));
                };
                (precision, &after[digits..])
            }
            None => (6, after),
        };
        let Some(kind) = after.chars().next() else { return Err("`format` ends in `%`".into()) };
        if !"sdfeboxX".contains(kind) {
            return Err(format!("`format` does not know `%{kind}`"));
        }
        pieces.push((plain, Some(Directive { precision, kind })));
        rest = &after[kind.len_utf8()..];
    }
    pieces.push((rest, None));
    Ok(pieces)
}

/// What can be said of a template before there are values.
pub(super) fn check_format(template: &str, values: usize) -> Result<(), String> {
    let wanted = directives(template)?.iter().filter(|(_, directive)| directive.is_some()).count();
    if wanted > values {
        return Err(format!("`format` wants {wanted} values and has {values}"));
    }
    Ok(())
}

/// What can be said of a time's text before it is used.
pub(super) fn check_time(function: Function, text: &str) -> Result<(), String> {
    match function {
        Function::Duration if Span::parse(text).is_none() => Err(format!("{text:?} is not a duration")),
        Function::Timestamp if Instant::parse(text).is_none() => {
            Err(format!("{text:?} is not a time of RFC 3339"))
        }
        _ => Ok(()),
    }
}

fn format(evaluator: &Evaluator<'_, '_>, template: &str, values: &[Value<'_>]) -> Result<String, EvalError> {
    let mut out = String::new();
    let mut values = values.iter();
    for (plain, directive) in directives(template).map_err(EvalError::Fault)? {
        out.push_str(plain);
        let Some(directive) = directive else { continue };
        let Some(value) = values.next() else { return fault("`format` has too few values") };
        let before = out.len();
        show(value, &directive, &mut out)?;
        evaluator.spend(1 + (out.len() - before) / 16)?;
    }
    Ok(out)
}

fn show(value: &Value<'_>, directive: &Directive, out: &mut String) -> Result<(), EvalError> {
    let precision = directive.precision;
    let number = match value {
        Value::Int(value) => Some(*value as f64),
        Value::Uint(value) => Some(*value as f64),
        Value::Double(value) => Some(*value),
        _ => None,
    };
    let magnitude = match value {
        Value::Int(value) => Some((if *value < 0 { "-" } else { "" }, value.unsigned_abs())),
        Value::Uint(value) => Some(("", *value)),
        Value::Bool(value) if directive.kind == 'b' => Some(("", u64::from(*value))),
        _ => None,
    };
    let result = match (directive.kind, value, number, magnitude) {
        ('s', ..) => return show_plain(value, out, 0),
        ('d', Value::Int(_) | Value::Uint(_) | Value::Double(_), ..) => return show_plain(value, out, 0),
        ('f' | 'e', _, Some(number), _) if !number.is_finite() => {
            return show_plain(&Value::Double(number), out, 0);
        }
        ('f', _, Some(number), _) => write!(out, "{number:.precision$}"),
        ('e', _, Some(number), _) => {
            // Exponents have a sign and two digits at least.
            let text = format!("{number:.precision$e}");
            let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
            write!(out, "{mantissa}e{sign}{digits:0>2}")
        }
        ('b', _, _, Some((sign, value))) => write!(out, "{sign}{value:b}"),
        ('o', _, _, Some((sign, value))) => write!(out, "{sign}{value:o}"),
        ('x', _, _, Some((sign, value))) => write!(out, "{sign}{value:x}"),
        ('X', _, _, Some((sign, value))) => write!(out, "{sign}{value:X}"),
        ('x' | 'X', ..) if value.as_str().is_some() || value.as_bytes().is_some() => {
            let bytes = value.as_str().map(str::as_bytes).or(value.as_bytes()).unwrap_or_default();
            bytes.iter().try_for_each(|byte| {
                if directive.kind == 'x' { write!(out, "{byte:02x}") } else { write!(out, "{byte:02X}") }
            })
        }
        (kind, ..) => return fault(format!("`%{kind}` does not take {}", value.type_name())),
    };
    result.map_err(|_| EvalError::Fault("the text cannot be written".into()))
}

/// A value as `%s` shows it.
pub(crate) fn shown(value: &Value<'_>) -> Result<String, EvalError> {
    let mut out = String::new();
    show_plain(value, &mut out, 0)?;
    Ok(out)
}

/// How deep lists of lists are shown.
const MAX_DEPTH: usize = 32;

fn show_plain(value: &Value<'_>, out: &mut String, depth: usize) -> Result<(), EvalError> {
    if depth > MAX_DEPTH {
        return fault("the value is nested too deep to be shown");
    }
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Int(value) => out.push_str(&value.to_string()),
        Value::Uint(value) => out.push_str(&value.to_string()),
        Value::Double(value) => out.push_str(&crate::text::double(*value)),
        Value::Str(text) => out.push_str(text),
        Value::Text(text) => out.push_str(text),
        Value::Bytes(bytes) => out.push_str(&String::from_utf8_lossy(bytes)),
        Value::Blob(bytes) => out.push_str(&String::from_utf8_lossy(bytes)),
        Value::Duration(span) => out.push_str(&span.to_text()),
        Value::Timestamp(time) => out.push_str(&time.to_text()),
        Value::Type(name) => out.push_str(name),
        Value::Field(_) | Value::List(_) => {
            out.push('[');
            for (at, item) in value.items().iter().enumerate() {
                if at > 0 {
                    out.push_str(", ");
                }
                show_plain(item, out, depth + 1)?;
            }
            out.push(']');
        }
        Value::Map(entries) => {
            let mut shown = Vec::with_capacity(entries.len());
            for (key, value) in entries.iter() {
                let mut text = String::new();
                show_plain(key, &mut text, depth + 1)?;
                text.push_str(": ");
                show_plain(value, &mut text, depth + 1)?;
                shown.push(text);
            }
            shown.sort();
            out.push('{');
            out.push_str(&shown.join(", "));
            out.push('}');
        }
        Value::Message(_) | Value::Made(_) => return fault(format!("{} cannot be shown", value.type_name())),
    }
    Ok(())
}
