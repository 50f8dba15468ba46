//! Messages outside: where they are, in which format, and how many there are.

use std::io::{Read, Write};
use std::path::Path;

use crate::build::Failure;

/// How messages are written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// One message in wire format.
    Binary,
    /// ProtoJSON, one value behind the other.
    Json,
    /// Text format, with U+001E between messages.
    Text,
    /// ProtoJSON written as YAML, a document for each message.
    Yaml,
    /// One message in wire format, as hexadecimal digits.
    Hex,
    /// One message in wire format, in base64.
    Base64,
    /// Messages in wire format, each behind its length as a varint.
    Delimited,
    /// Messages as gRPC frames them: a byte that says whether it is compressed, four of length.
    Grpc,
}

const KNOWN: &str = "binpb, json, txtpb, yaml, hex, base64, delimited, grpc";

impl Format {
    fn by_name(name: &str) -> Result<Self, String> {
        Ok(match name {
            "binpb" | "bin" | "pb" => Self::Binary,
            "json" => Self::Json,
            "txtpb" | "text" | "textproto" | "pbtxt" => Self::Text,
            "yaml" | "yml" => Self::Yaml,
            "hex" => Self::Hex,
            "base64" => Self::Base64,
            "delimited" => Self::Delimited,
            "grpc" => Self::Grpc,
            _ => return Err(format!("unknown format `{name}`; known are {KNOWN}")),
        })
    }

    fn by_extension(path: &str) -> Option<Self> {
        Some(match Path::new(path).extension()?.to_str()? {
            "binpb" | "bin" | "pb" => Self::Binary,
            "json" | "jsonl" | "ndjson" => Self::Json,
            "txtpb" | "textproto" | "textpb" | "pbtxt" | "prototxt" => Self::Text,
            "yaml" | "yml" => Self::Yaml,
            "hex" => Self::Hex,
            "b64" | "base64" => Self::Base64,
            _ => return None,
        })
    }

    /// True for what can hold any number of messages.
    pub(crate) fn is_stream(self) -> bool {
        matches!(self, Self::Json | Self::Text | Self::Yaml | Self::Delimited | Self::Grpc)
    }
}

/// `PATH`, `PATH#format=json,use_proto_names=true` or `-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Location {
    pub(crate) path: String,
    /// What was asked for, or what the file's name tells.
    pub(crate) format: Option<Format>,
    /// JSON and YAML: names as in the schema instead of lowerCamelCase.
    pub(crate) proto_names: bool,
    /// JSON and YAML: enum values as numbers.
    pub(crate) enum_numbers: bool,
}

impl Location {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (path, options) = text.split_once('#').unwrap_or((text, ""));
        // The dash of `-#format=x` is taken off on the command line.
        let path = if path.is_empty() { "-" } else { path };
        let mut location = Self {
            path: path.to_owned(),
            format: Format::by_extension(path),
            proto_names: false,
            enum_numbers: false,
        };
        for option in options.split(',').filter(|option| !option.is_empty()) {
            match option.split_once('=') {
                Some(("format", name)) => location.format = Some(Format::by_name(name)?),
                Some(("use_proto_names", value)) => location.proto_names = boolean(option, value)?,
                Some(("use_enum_numbers", value)) => location.enum_numbers = boolean(option, value)?,
                None => location.format = Some(Format::by_name(option)?),
                _ => {
                    return Err(format!(
                        "unknown option `{option}` behind `#`; known are format, use_proto_names and use_enum_numbers"
                    ));
                }
            }
        }
        Ok(location)
    }

    pub(crate) fn is_standard(&self) -> bool {
        self.path == "-"
    }

    /// The name in messages.
    pub(crate) fn shown(&self) -> &str {
        if self.is_standard() { "input" } else { &self.path }
    }

    pub(crate) fn read(&self) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        let read = if self.is_standard() {
            std::io::stdin().lock().read_to_end(&mut bytes).map(drop)
        } else {
            std::fs::read(&self.path).map(|read| bytes = read)
        };
        read.map_err(|error| Failure::Other(format!("cannot read {}: {error}", self.path)))?;
        Ok(bytes)
    }

    pub(crate) fn write(&self, bytes: &[u8]) -> Result<(), Failure> {
        let written = if self.is_standard() {
            let mut out = std::io::stdout().lock();
            out.write_all(bytes).and_then(|()| out.flush())
        } else {
            std::fs::write(&self.path, bytes)
        };
        written.map_err(|error| match error.kind() {
            std::io::ErrorKind::BrokenPipe => Failure::ClosedPipe,
            _ => Failure::Other(format!("cannot write {}: {error}", self.path)),
        })
    }
}

fn boolean(option: &str, value: &str) -> Result<bool, String> {
    value.parse().map_err(|_| format!("`{option}`: the value has to be true or false"))
}

/// The bytes that hexadecimal digits stand for; space, `:` and a leading `0x` are skipped.
pub(crate) fn from_hex(text: &[u8]) -> Result<Vec<u8>, String> {
    let text = text.trim_ascii();
    let text = text.strip_prefix(b"0x").unwrap_or(text);
    let digits = text.iter().filter(|byte| !byte.is_ascii_whitespace() && **byte != b':');
    let digits: Vec<u8> = digits
        .map(|&byte| match char::from(byte).to_digit(16) {
            Some(digit) => Ok(digit as u8),
            None => Err(format!("`{}` is no hexadecimal digit", byte.escape_ascii())),
        })
        .collect::<Result<_, _>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    if !rest.is_empty() {
        return Err("the number of hexadecimal digits is odd".into());
    }
    Ok(pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The bytes of base64, standard or URL-safe, with or without padding.
pub(crate) fn from_base64(text: &[u8]) -> Result<Vec<u8>, String> {
    let text: Vec<u8> = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let end = text.iter().rposition(|&byte| byte != b'=').map_or(0, |at| at + 1);
    let mut out = Vec::with_capacity(end / 4 * 3);
    let mut bits = 0u32;
    let mut count = 0;
    for &byte in &text[..end] {
        let byte = match byte {
            b'-' => b'+',
            b'_' => b'/',
            byte => byte,
        };
        let Some(value) = ALPHABET.iter().position(|&letter| letter == byte) else {
            return Err(format!("`{}` is no base64", byte.escape_ascii()));
        };
        bits = bits << 6 | value as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    if count >= 6 || bits != 0 {
        return Err("the base64 is cut off".into());
    }
    Ok(out)
}

pub(crate) fn to_base64(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0u32, |word, &byte| word << 8 | u32::from(byte)) << (8 * (3 - chunk.len()));
        for index in 0..4 {
            let letter = ALPHABET[(word >> (18 - 6 * index)) as usize & 63];
            out.push(if index <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_says_its_format_or_its_extension_does() {
        for (text, want) in [
            ("-", Ok(("-", None))),
            ("a.binpb", Ok(("a.binpb", Some(Format::Binary)))),
            ("a.txtpb", Ok(("a.txtpb", Some(Format::Text)))),
            ("a.bin#format=json", Ok(("a.bin", Some(Format::Json)))),
            ("#format=delimited", Ok(("-", Some(Format::Delimited)))),
            ("a#grpc", Ok(("a", Some(Format::Grpc)))),
            ("a#format=x", Err(())),
            ("a#x=y", Err(())),
        ] {
            let got = Location::parse(text);
            let got = got.as_ref().map(|l| (l.path.as_str(), l.format)).map_err(|_| ());
            assert_eq!(got, want, "{text}");
        }
    }

    #[test]
    fn hex_and_base64_round_trip_and_refuse_what_they_are_not() {
        for len in 0..9u8 {
            let bytes: Vec<u8> = (0..len).map(|byte| byte.wrapping_mul(37) ^ 0xfb).collect();
            assert_eq!(from_hex(to_hex(&bytes).as_bytes()), Ok(bytes.clone()));
            assert_eq!(from_base64(to_base64(&bytes).as_bytes()), Ok(bytes.clone()));
        }
        assert_eq!(from_hex(b" 0x08:2a\n"), Ok(vec![8, 42]));
        assert_eq!(from_base64(b"-_8="), from_base64(b"+/8"));
        for bad in ["0", "zz"] {
            assert!(from_hex(bad.as_bytes()).is_err(), "{bad}");
        }
        for bad in ["A", "A=A=", "AB", "?"] {
            assert!(from_base64(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
