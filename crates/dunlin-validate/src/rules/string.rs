//! Rules of strings.

use regex::Regex;

use super::Failures;
use crate::cel::pattern;
use crate::formats;
use crate::proto::string_rules::WellKnown;
use crate::proto::{KnownRegex, StringRules};
use crate::text;

#[derive(Debug)]
pub(crate) struct Strings {
    rules: StringRules,
    pattern: Option<Regex>,
    format: Option<Format>,
    /// Whether characters have to be counted.
    counts: bool,
}

/// A well-known format: the number and the name of its rule, what it is called, and whether the
/// empty text has a name of its own.
#[derive(Debug)]
struct Format {
    number: u32,
    id: &'static str,
    called: &'static str,
    /// Of the text that is empty.
    called_if_empty: Option<&'static str>,
    holds: fn(&str) -> bool,
}

impl Format {
    fn of(rule: &WellKnown, strict: bool) -> Option<Self> {
        let make = |number, id, called, holds| {
            Some(Self { number, id, called, called_if_empty: Some(called), holds })
        };
        match rule {
            WellKnown::Email(true) => make(12, "string.email", "email address", formats::is_email),
            WellKnown::Hostname(true) => make(13, "string.hostname", "hostname", formats::is_hostname),
            WellKnown::Ip(true) => make(14, "string.ip", "IP address", |text| formats::is_ip(text, 0)),
            WellKnown::Ipv4(true) => make(15, "string.ipv4", "IPv4 address", |text| formats::is_ip(text, 4)),
            WellKnown::Ipv6(true) => make(16, "string.ipv6", "IPv6 address", |text| formats::is_ip(text, 6)),
            WellKnown::Uri(true) => make(17, "string.uri", "URI", formats::is_uri),
            WellKnown::UriRef(true) => Some(Self {
                number: 18,
                id: "string.uri_ref",
                called: "URI Reference",
                called_if_empty: None,
                holds: formats::is_uri_reference,
            }),
            WellKnown::Address(true) => make(21, "string.address", "hostname, or ip address", |text| {
                formats::is_hostname(text) || formats::is_ip(text, 0)
            }),
            WellKnown::Uuid(true) => make(22, "string.uuid", "UUID", formats::is_uuid),
            WellKnown::Tuuid(true) => make(33, "string.tuuid", "trimmed UUID", formats::is_trimmed_uuid),
            WellKnown::IpWithPrefixlen(true) => make(26, "string.ip_with_prefixlen", "IP prefix", |text| {
                formats::is_ip_prefix(text, 0, false)
            }),
            WellKnown::Ipv4WithPrefixlen(true) => {
                make(27, "string.ipv4_with_prefixlen", "IPv4 address with prefix length", |text| {
                    formats::is_ip_prefix(text, 4, false)
                })
            }
            WellKnown::Ipv6WithPrefixlen(true) => {
                make(28, "string.ipv6_with_prefixlen", "IPv6 address with prefix length", |text| {
                    formats::is_ip_prefix(text, 6, false)
                })
            }
            WellKnown::IpPrefix(true) => {
                make(29, "string.ip_prefix", "IP prefix", |text| formats::is_ip_prefix(text, 0, true))
            }
            WellKnown::Ipv4Prefix(true) => {
                make(30, "string.ipv4_prefix", "IPv4 prefix", |text| formats::is_ip_prefix(text, 4, true))
            }
            WellKnown::Ipv6Prefix(true) => {
                make(31, "string.ipv6_prefix", "IPv6 prefix", |text| formats::is_ip_prefix(text, 6, true))
            }
            WellKnown::HostAndPort(true) => Some(Self {
                number: 32,
                id: "string.host_and_port",
                called: "host (hostname or IP address) and port pair",
                called_if_empty: Some("host and port pair"),
                holds: |text| formats::is_host_and_port(text, true),
            }),
            WellKnown::Ulid(true) => make(35, "string.ulid", "ULID", formats::is_ulid),
            WellKnown::ProtobufFqn(true) => {
                make(37, "string.protobuf_fqn", "fully-qualified Protobuf name", formats::is_protobuf_name)
            }
            WellKnown::ProtobufDotFqn(true) => make(
                38,
                "string.protobuf_dot_fqn",
                "fully-qualified Protobuf name with a leading dot",
                |text| text.strip_prefix('.').is_some_and(formats::is_protobuf_name),
            ),
            WellKnown::WellKnownRegex(KnownRegex::KNOWN_REGEX_HTTP_HEADER_NAME) => make(
                24,
                "string.well_known_regex.header_name",
                "HTTP header name",
                if strict {
                    |text| formats::is_header_name(text, true)
                } else {
                    |text| formats::is_header_name(text, false)
                },
            ),
            WellKnown::WellKnownRegex(KnownRegex::KNOWN_REGEX_HTTP_HEADER_VALUE) => Some(Self {
                number: 24,
                id: "string.well_known_regex.header_value",
                called: "HTTP header value",
                called_if_empty: None,
                holds: if strict {
                    |text| formats::is_header_value(text, true)
                } else {
                    |text| formats::is_header_value(text, false)
                },
            }),
            _ => None,
        }
    }

    fn check(&self, value: &str, out: &mut Failures) {
        match self.called_if_empty {
            Some(called) if value.is_empty() => {
                let message = format!("value is empty, which is not a valid {called}");
                out.add(self.number, format!("{}_empty", self.id), message);
            }
            _ if !(self.holds)(value) => {
                out.add(self.number, self.id, format!("must be a valid {}", self.called));
            }
            _ => {}
        }
    }
}

impl Strings {
    pub(super) fn compile(rules: &StringRules) -> Result<Option<Self>, String> {
        let pattern = match &rules.pattern {
            Some(source) => Some(pattern::compile(source).map_err(|error| error.to_string())?),
            None => None,
        };
        let strict = rules.strict.unwrap_or(true);
        let format = rules.well_known.as_ref().and_then(|rule| Format::of(rule, strict));
        let counts = rules.len.or(rules.min_len).or(rules.max_len).is_some();
        let compiled = Self { rules: rules.clone(), pattern, format, counts };
        // Examples and `strict` alone ask for nothing.
        let bare = StringRules {
            strict: rules.strict,
            example: rules.example.clone(),
            unknown_fields: rules.unknown_fields.clone(),
            ..Default::default()
        };
        Ok((*rules != bare).then_some(compiled))
    }

    pub(super) fn check(&self, value: &str, out: &mut Failures) {
        let rules = &self.rules;
        if let Some(constant) = &rules.r#const
            && value != constant
        {
            out.add(1, "string.const", format!("must equal `{constant}`"));
        }
        if self.counts {
            let count = value.chars().count() as u64;
            if let Some(len) = rules.len.filter(|len| count != *len) {
                out.add(19, "string.len", format!("must be {len} characters"));
            }
            if let Some(least) = rules.min_len.filter(|least| count < *least) {
                out.add(2, "string.min_len", format!("must be at least {least} characters"));
            }
            if let Some(most) = rules.max_len.filter(|most| count > *most) {
                out.add(3, "string.max_len", format!("must be at most {most} characters"));
            }
        }
        let size = value.len() as u64;
        if let Some(len) = rules.len_bytes.filter(|len| size != *len) {
            out.add(20, "string.len_bytes", format!("must be {len} bytes"));
        }
        if let Some(least) = rules.min_bytes.filter(|least| size < *least) {
            out.add(4, "string.min_bytes", format!("must be at least {least} bytes"));
        }
        if let Some(most) = rules.max_bytes.filter(|most| size > *most) {
            out.add(5, "string.max_bytes", format!("must be at most {most} bytes"));
        }
        if let Some(pattern) = self.pattern.as_ref().filter(|pattern| !pattern.is_match(value)) {
            let source = rules.pattern.as_deref().unwrap_or(pattern.as_str());
            out.add(6, "string.pattern", format!("does not match regex pattern `{source}`"));
        }
        if let Some(prefix) = rules.prefix.as_deref().filter(|prefix| !value.starts_with(prefix)) {
            out.add(7, "string.prefix", format!("does not have prefix `{prefix}`"));
        }
        if let Some(suffix) = rules.suffix.as_deref().filter(|suffix| !value.ends_with(suffix)) {
            out.add(8, "string.suffix", format!("does not have suffix `{suffix}`"));
        }
        if let Some(part) = rules.contains.as_deref().filter(|part| !value.contains(part)) {
            out.add(9, "string.contains", format!("does not contain substring `{part}`"));
        }
        if let Some(part) = rules.not_contains.as_deref().filter(|part| value.contains(part)) {
            out.add(23, "string.not_contains", format!("contains substring `{part}`"));
        }
        let is_in = |list: &[String]| list.iter().any(|item| item == value);
        if !rules.r#in.is_empty() && !is_in(&rules.r#in) {
            out.add(10, "string.in", format!("must be in list {}", text::list(&rules.r#in, String::clone)));
        }
        if is_in(&rules.not_in) {
            out.add(
                11,
                "string.not_in",
                format!("must not be in list {}", text::list(&rules.not_in, String::clone)),
            );
        }
        if let Some(format) = &self.format {
            format.check(value, out);
        }
    }
}
