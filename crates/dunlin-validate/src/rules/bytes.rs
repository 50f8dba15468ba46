//! Rules of bytes.

use regex::Regex;

use super::Failures;
use crate::cel::{EvalError, contains_bytes, pattern};
use crate::proto::BytesRules;
use crate::proto::bytes_rules::WellKnown;
use crate::text;

#[derive(Debug)]
pub(crate) struct ByteStrings {
    rules: BytesRules,
    pattern: Option<Regex>,
    format: Option<Format>,
}

/// A format that is nothing but a size: the number and the name of its rule, and what it is called.
#[derive(Clone, Copy, Debug)]
struct Format {
    number: u32,
    id: &'static str,
    called: &'static str,
    sizes: &'static [usize],
}

impl Format {
    fn of(rule: &WellKnown) -> Option<Self> {
        let make = |number, id, called, sizes| Some(Self { number, id, called, sizes });
        match rule {
            WellKnown::Ip(true) => make(10, "bytes.ip", "IP address", &[4, 16]),
            WellKnown::Ipv4(true) => make(11, "bytes.ipv4", "IPv4 address", &[4]),
            WellKnown::Ipv6(true) => make(12, "bytes.ipv6", "IPv6 address", &[16]),
            WellKnown::Uuid(true) => make(15, "bytes.uuid", "UUID", &[16]),
            _ => None,
        }
    }
}

/// Bytes in hexadecimal.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes as text.
fn plain(bytes: &impl AsRef<[u8]>) -> String {
    String::from_utf8_lossy(bytes.as_ref()).into_owned()
}

impl ByteStrings {
    pub(super) fn compile(rules: &BytesRules) -> Result<Option<Self>, String> {
        let pattern = match &rules.pattern {
            Some(source) => Some(pattern::compile(source).map_err(|error| error.to_string())?),
            None => None,
        };
        let format = rules.well_known.as_ref().and_then(Format::of);
        let bare = BytesRules {
            example: rules.example.clone(),
            unknown_fields: rules.unknown_fields.clone(),
            ..Default::default()
        };
        Ok((*rules != bare).then(|| Self { rules: rules.clone(), pattern, format }))
    }

    pub(super) fn check(&self, value: &[u8], out: &mut Failures) -> Result<(), EvalError> {
        let rules = &self.rules;
        if let Some(constant) = &rules.r#const
            && value != constant
        {
            out.add(1, "bytes.const", format!("must be {}", hex(constant)));
        }
        let size = value.len() as u64;
        if let Some(len) = rules.len.filter(|len| size != *len) {
            out.add(13, "bytes.len", format!("must be {len} bytes"));
        }
        if let Some(least) = rules.min_len.filter(|least| size < *least) {
            out.add(2, "bytes.min_len", format!("must be at least {least} bytes"));
        }
        if let Some(most) = rules.max_len.filter(|most| size > *most) {
            out.add(3, "bytes.max_len", format!("must be at most {most} bytes"));
        }
        if let Some(pattern) = &self.pattern {
            let Ok(text) = std::str::from_utf8(value) else {
                return Err(EvalError::Fault("a pattern needs bytes that are UTF-8".into()));
            };
            if !pattern.is_match(text) {
                let source = rules.pattern.as_deref().unwrap_or(pattern.as_str());
                out.add(4, "bytes.pattern", format!("must match regex pattern `{source}`"));
            }
        }
        if let Some(prefix) = rules.prefix.as_deref().filter(|prefix| !value.starts_with(prefix)) {
            out.add(5, "bytes.prefix", format!("does not have prefix {}", hex(prefix)));
        }
        if let Some(suffix) = rules.suffix.as_deref().filter(|suffix| !value.ends_with(suffix)) {
            out.add(6, "bytes.suffix", format!("does not have suffix {}", hex(suffix)));
        }
        if let Some(part) = rules.contains.as_deref().filter(|part| !contains_bytes(value, part)) {
            out.add(7, "bytes.contains", format!("does not contain {}", hex(part)));
        }
        if !rules.r#in.is_empty() && !rules.r#in.iter().any(|item| value == item) {
            out.add(8, "bytes.in", format!("must be in list {}", text::list(&rules.r#in, plain)));
        }
        if rules.not_in.iter().any(|item| value == item) {
            out.add(9, "bytes.not_in", format!("must not be in list {}", text::list(&rules.not_in, plain)));
        }
        if let Some(format) = self.format
            && !format.sizes.contains(&value.len())
        {
            if value.is_empty() {
                let message = format!("value is empty, which is not a valid {}", format.called);
                out.add(format.number, format!("{}_empty", format.id), message);
            } else {
                out.add(format.number, format.id, format!("must be a valid {}", format.called));
            }
        }
        Ok(())
    }
}
