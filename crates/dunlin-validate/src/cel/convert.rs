//! Arithmetic, conversions and the other functions.

use super::ast::Binary;
use super::eval::{Evaluated, Evaluator, fault, unfit};
use super::functions::Function;
use super::time::{Instant, Span, offset};
use super::value::Value;
use super::{EvalError, pattern, text};
use crate::formats;

pub(super) fn arithmetic<'a>(op: Binary, left: &Value<'a>, right: &Value<'a>) -> Evaluated<'a> {
    let checked = |value: Option<Value<'a>>| value.map_or_else(|| fault("the result overflows"), Ok);
    if let (Some(a), Some(b), Binary::Add) = (left.as_str(), right.as_str(), op) {
        return Ok(Value::text([a, b].concat()));
    }
    if let (Some(a), Some(b), Binary::Add) = (left.as_bytes(), right.as_bytes(), op) {
        return Ok(Value::Blob([a, b].concat().into()));
    }
    if left.is_list() && right.is_list() && op == Binary::Add {
        return Ok(Value::list([left.items(), right.items()].concat()));
    }
    match (left, right) {
        (_, Value::Int(0) | Value::Uint(0)) if matches!(op, Binary::Divide | Binary::Modulo) => {
            fault("division by zero")
        }
        (Value::Int(a), Value::Int(b)) => checked(
            match op {
                Binary::Add => a.checked_add(*b),
                Binary::Subtract => a.checked_sub(*b),
                Binary::Multiply => a.checked_mul(*b),
                Binary::Divide => a.checked_div(*b),
                _ => a.checked_rem(*b),
            }
            .map(Value::Int),
        ),
        (Value::Uint(a), Value::Uint(b)) => checked(
            match op {
                Binary::Add => a.checked_add(*b),
                Binary::Subtract => a.checked_sub(*b),
                Binary::Multiply => a.checked_mul(*b),
                Binary::Divide => a.checked_div(*b),
                _ => a.checked_rem(*b),
            }
            .map(Value::Uint),
        ),
        (Value::Double(a), Value::Double(b)) => Ok(Value::Double(match op {
            Binary::Add => a + b,
            Binary::Subtract => a - b,
            Binary::Multiply => a * b,
            Binary::Divide => a / b,
            _ => return fault(unfit(op, left, right)),
        })),
        (Value::Timestamp(a), Value::Duration(b)) if op == Binary::Add => {
            checked(a.plus(*b).map(Value::Timestamp))
        }
        (Value::Duration(a), Value::Timestamp(b)) if op == Binary::Add => {
            checked(b.plus(*a).map(Value::Timestamp))
        }
        (Value::Timestamp(a), Value::Duration(b)) if op == Binary::Subtract => {
            checked(a.minus(*b).map(Value::Timestamp))
        }
        (Value::Timestamp(a), Value::Timestamp(b)) if op == Binary::Subtract => {
            checked(Span::from_nanos(a.nanos() - b.nanos()).map(Value::Duration))
        }
        (Value::Duration(a), Value::Duration(b)) if op == Binary::Add => {
            checked(Span::from_nanos(a.nanos() + b.nanos()).map(Value::Duration))
        }
        (Value::Duration(a), Value::Duration(b)) if op == Binary::Subtract => {
            checked(Span::from_nanos(a.nanos() - b.nanos()).map(Value::Duration))
        }
        _ => fault(unfit(op, left, right)),
    }
}

impl<'a> Evaluator<'_, 'a> {
    pub(super) fn call(&self, function: Function, args: &[Value<'a>]) -> Evaluated<'a> {
        let weight = args.iter().map(Value::weight).fold(0, usize::saturating_add);
        self.spend(weight)?;
        match function {
            Function::Dyn => args.first().cloned().map_or_else(|| unfitting(function, args), Ok),
            Function::Type => match args {
                [value] => Ok(Value::Type(value.type_name().into())),
                _ => unfitting(function, args),
            },
            Function::GetField => match args {
                [message, name] => match name.as_str() {
                    Some(name) => self.select(message, name, None),
                    None => unfitting(function, args),
                },
                _ => unfitting(function, args),
            },
            Function::Size => match args.first().and_then(Value::size) {
                Some(size) => Ok(Value::Int(size as i64)),
                None => unfitting(function, args),
            },
            Function::Unique => unique(&args[0]),
            Function::Matches => match (args[0].as_str(), args[1].as_str()) {
                (Some(text), Some(source)) => {
                    // Patterns that come in messages are compiled each time.
                    self.spend(source.len().saturating_mul(64))?;
                    match pattern::compile(source) {
                        Ok(pattern) => Ok(Value::Bool(pattern.is_match(text))),
                        Err(error) => fault(format!("not a pattern: {error}")),
                    }
                }
                _ => unfitting(function, args),
            },
            Function::Int | Function::Uint | Function::Double | Function::Bool => number(function, args),
            Function::String => string(args),
            Function::Bytes => match &args[0] {
                Value::Bytes(_) | Value::Blob(_) => Ok(args[0].clone()),
                Value::Str(text) => Ok(Value::Bytes(text.as_bytes())),
                Value::Text(text) => Ok(Value::Blob(text.as_bytes().into())),
                _ => unfitting(function, args),
            },
            Function::Duration => match &args[0] {
                Value::Duration(_) => Ok(args[0].clone()),
                value => match value.as_str().map(Span::parse) {
                    Some(Some(span)) => Ok(Value::Duration(span)),
                    Some(None) => fault("not a duration"),
                    None => unfitting(function, args),
                },
            },
            Function::Timestamp => match &args[0] {
                Value::Timestamp(_) => Ok(args[0].clone()),
                Value::Int(seconds) => match Instant::from_nanos(i128::from(*seconds) * 1_000_000_000) {
                    Some(time) => Ok(Value::Timestamp(time)),
                    None => fault("the time is out of range"),
                },
                value => match value.as_str().map(Instant::parse) {
                    Some(Some(time)) => Ok(Value::Timestamp(time)),
                    Some(None) => fault("not a time of RFC 3339"),
                    None => unfitting(function, args),
                },
            },
            Function::Contains | Function::StartsWith | Function::EndsWith => contains(function, args),
            Function::IsNan => match args[0] {
                Value::Double(value) => Ok(Value::Bool(value.is_nan())),
                _ => unfitting(function, args),
            },
            Function::IsInf => match args {
                [Value::Double(value)] => Ok(Value::Bool(value.is_infinite())),
                [Value::Double(value), Value::Int(sign)] => {
                    let sign = sign.signum() as f64;
                    Ok(Value::Bool(value.is_infinite() && (sign == 0.0 || sign == value.signum())))
                }
                _ => unfitting(function, args),
            },
            Function::IsHostname
            | Function::IsEmail
            | Function::IsIp
            | Function::IsIpPrefix
            | Function::IsUri
            | Function::IsUriRef
            | Function::IsHostAndPort => is_format(function, args),
            Function::GetFullYear
            | Function::GetMonth
            | Function::GetDate
            | Function::GetDayOfMonth
            | Function::GetDayOfWeek
            | Function::GetDayOfYear
            | Function::GetHours
            | Function::GetMinutes
            | Function::GetSeconds
            | Function::GetMilliseconds => time_part(function, args),
            _ => text::call(self, function, args),
        }
    }
}

pub(super) fn unfitting<'a>(function: Function, args: &[Value<'_>]) -> Evaluated<'a> {
    let types: Vec<_> = args.iter().map(|arg| arg.type_name()).collect();
    fault(format!("`{}` does not take ({})", function.name(), types.join(", ")))
}

fn unique<'a>(list: &Value<'a>) -> Evaluated<'a> {
    if !list.is_list() {
        return unfitting(Function::Unique, std::slice::from_ref(list));
    }
    let items = list.items();
    let mut order: Vec<usize> = (0..items.len()).collect();
    // NaN is unlike everything, itself included; it may stand anywhere.
    order.sort_by(|a, b| {
        items[*a].order(&items[*b]).unwrap_or_else(|| is_nan(&items[*a]).cmp(&is_nan(&items[*b])))
    });
    let repeats = order.windows(2).any(|pair| items[pair[0]].equals(&items[pair[1]]));
    Ok(Value::Bool(!repeats))
}

fn is_nan(value: &Value<'_>) -> bool {
    matches!(value, Value::Double(value) if value.is_nan())
}

fn number<'a>(function: Function, args: &[Value<'a>]) -> Evaluated<'a> {
    let range = || fault(format!("the value does not fit {}", function.name()));
    let value = &args[0];
    let parsed = |value: Option<Value<'a>>| {
        value.map_or_else(|| fault(format!("not a text of {}", function.name())), Ok)
    };
    match (function, value) {
        (Function::Int, Value::Int(_)) | (Function::Uint, Value::Uint(_)) => Ok(value.clone()),
        (Function::Double, Value::Double(_)) | (Function::Bool, Value::Bool(_)) => Ok(value.clone()),
        (Function::Int, Value::Uint(value)) => {
            i64::try_from(*value).map_or_else(|_| range(), |v| Ok(Value::Int(v)))
        }
        (Function::Uint, Value::Int(value)) => {
            u64::try_from(*value).map_or_else(|_| range(), |v| Ok(Value::Uint(v)))
        }
        (Function::Int, Value::Double(value)) => {
            // Both ends of the range are open: they are no doubles of their own.
            if *value > -(2f64.powi(63)) && *value < 2f64.powi(63) {
                Ok(Value::Int(*value as i64))
            } else {
                range()
            }
        }
        (Function::Uint, Value::Double(value)) => {
            if *value > -1.0 && *value < 2f64.powi(64) {
                Ok(Value::Uint(*value as u64))
            } else {
                range()
            }
        }
        (Function::Double, Value::Int(value)) => Ok(Value::Double(*value as f64)),
        (Function::Double, Value::Uint(value)) => Ok(Value::Double(*value as f64)),
        (Function::Int, Value::Timestamp(time)) => Ok(Value::Int(time.seconds())),
        (_, value) => match (function, value.as_str()) {
            (_, None) => unfitting(function, args),
            (Function::Int, Some(text)) => parsed(text.parse().ok().map(Value::Int)),
            (Function::Uint, Some(text)) => parsed(text.parse().ok().map(Value::Uint)),
            (Function::Double, Some(text)) => parsed(text.parse().ok().map(Value::Double)),
            (_, Some(text)) => parsed(match text {
                "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(Value::Bool(true)),
                "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(Value::Bool(false)),
                _ => None,
            }),
        },
    }
}

fn string<'a>(args: &[Value<'a>]) -> Evaluated<'a> {
    match &args[0] {
        Value::Str(_) | Value::Text(_) => Ok(args[0].clone()),
        Value::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Value::Str(text)),
            Err(_) => fault("the bytes are not UTF-8"),
        },
        Value::Blob(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Value::text(text)),
            Err(_) => fault("the bytes are not UTF-8"),
        },
        Value::Bool(_)
        | Value::Int(_)
        | Value::Uint(_)
        | Value::Double(_)
        | Value::Duration(_)
        | Value::Timestamp(_) => text::shown(&args[0]).map(Value::text),
        _ => unfitting(Function::String, args),
    }
}

fn contains<'a>(function: Function, args: &[Value<'a>]) -> Evaluated<'a> {
    if let (Some(text), Some(part)) = (args[0].as_str(), args[1].as_str()) {
        return Ok(Value::Bool(match function {
            Function::Contains => text.contains(part),
            Function::StartsWith => text.starts_with(part),
            _ => text.ends_with(part),
        }));
    }
    match (args[0].as_bytes(), args[1].as_bytes()) {
        (Some(bytes), Some(part)) => Ok(Value::Bool(match function {
            Function::Contains => contains_bytes(bytes, part),
            Function::StartsWith => bytes.starts_with(part),
            _ => bytes.ends_with(part),
        })),
        _ => unfitting(function, args),
    }
}

/// True if `part` is somewhere in `bytes`. Linear, as the patterns are.
pub(crate) fn contains_bytes(bytes: &[u8], part: &[u8]) -> bool {
    // How far a mismatch lets the search go back: the table of Knuth, Morris and Pratt.
    let mut back = vec![0; part.len()];
    let mut matched = 0;
    for at in 1..part.len() {
        while matched > 0 && part[at] != part[matched] {
            matched = back[matched - 1];
        }
        matched += usize::from(part[at] == part[matched]);
        back[at] = matched;
    }
    matched = 0;
    part.is_empty()
        || bytes.iter().any(|byte| {
            while matched > 0 && *byte != part[matched] {
                matched = back[matched - 1];
            }
            matched += usize::from(*byte == part[matched]);
            matched == part.len()
        })
}

fn is_format<'a>(function: Function, args: &[Value<'a>]) -> Evaluated<'a> {
    let Some(text) = args[0].as_str() else { return unfitting(function, args) };
    let holds = match (function, &args[1..]) {
        (Function::IsHostname, []) => formats::is_hostname(text),
        (Function::IsEmail, []) => formats::is_email(text),
        (Function::IsUri, []) => formats::is_uri(text),
        (Function::IsUriRef, []) => formats::is_uri_reference(text),
        (Function::IsIp, []) => formats::is_ip(text, 0),
        (Function::IsIp, [Value::Int(version)]) => formats::is_ip(text, *version),
        (Function::IsIpPrefix, []) => formats::is_ip_prefix(text, 0, false),
        (Function::IsIpPrefix, [Value::Int(version)]) => formats::is_ip_prefix(text, *version, false),
        (Function::IsIpPrefix, [Value::Bool(strict)]) => formats::is_ip_prefix(text, 0, *strict),
        (Function::IsIpPrefix, [Value::Int(version), Value::Bool(strict)]) => {
            formats::is_ip_prefix(text, *version, *strict)
        }
        (Function::IsHostAndPort, [Value::Bool(port)]) => formats::is_host_and_port(text, *port),
        _ => return unfitting(function, args),
    };
    Ok(Value::Bool(holds))
}

fn time_part<'a>(function: Function, args: &[Value<'a>]) -> Evaluated<'a> {
    if let [Value::Duration(span)] = args {
        let nanos = span.nanos();
        let part = match function {
            Function::GetHours => nanos / 3_600_000_000_000,
            Function::GetMinutes => nanos / 60_000_000_000,
            Function::GetSeconds => nanos / 1_000_000_000,
            Function::GetMilliseconds => nanos / 1_000_000 % 1_000,
            _ => return unfitting(function, args),
        };
        return Ok(Value::Int(part as i64));
    }
    let (time, zone) = match args {
        [Value::Timestamp(time)] => (time, 0),
        [Value::Timestamp(time), zone] => match zone.as_str().map(offset) {
            Some(Some(zone)) => (time, zone),
            Some(None) => return Err(EvalError::Fault("the time zone is no offset like `+01:00`".into())),
            None => return unfitting(function, args),
        },
        _ => return unfitting(function, args),
    };
    let civil = time.civil(zone);
    Ok(Value::Int(match function {
        Function::GetFullYear => civil.year,
        Function::GetMonth => civil.month - 1,
        Function::GetDate => civil.day,
        Function::GetDayOfMonth => civil.day - 1,
        Function::GetDayOfWeek => civil.day_of_week,
        Function::GetDayOfYear => civil.day_of_year,
        Function::GetHours => civil.hour,
        Function::GetMinutes => civil.minute,
        Function::GetSeconds => civil.second,
        _ => civil.millisecond,
    }))
}
