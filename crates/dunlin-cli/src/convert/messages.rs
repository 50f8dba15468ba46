//! Reading and writing messages of one type.

use std::sync::Arc;

use dunlin_protobuf::dynamic::{DynamicMessage, DynamicPool};
use dunlin_protobuf::table::TableRef;
use dunlin_protobuf::wire::{Reader, write};
use dunlin_protobuf::{DecodeOptions, EncodeOptions, Registry, json, text};
use dunlin_validate::{ValidationError, Validator};

use super::guess;
use crate::build::Failure;
use crate::payload::{self, Format, Location};
use crate::yaml;

/// What stands between messages in text format; grpcurl's choice.
const SEPARATOR: u8 = 0x1e;

/// What to do with fields that the type does not have when text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unknown {
    /// Tell that they are left out.
    Warn,
    /// Print them by their numbers.
    Print,
}

/// A message type, and the types that may be in its extensions and `Any`s.
pub(super) struct Codec {
    table: TableRef,
    pool: Arc<DynamicPool>,
    registry: Registry,
    ignore_unknown: bool,
}

impl Codec {
    pub(super) fn new(pool: Arc<DynamicPool>, table: TableRef, ignore_unknown: bool) -> Self {
        let mut registry = Registry::new();
        registry.add_pool(pool.clone());
        Self { table, pool, registry, ignore_unknown }
    }

    pub(super) fn type_name(&self) -> &str {
        self.table.full_name()
    }

    pub(super) fn unknown_bytes(&self, message: &DynamicMessage) -> usize {
        guess::unknown_bytes(message, &self.pool)
    }

    pub(super) fn read(
        &self,
        bytes: &[u8],
        format: Format,
        shown: &str,
    ) -> Result<Vec<DynamicMessage>, Failure> {
        let fail = |message: String| Failure::Other(format!("decode: {message}"));
        match format {
            Format::Json => self.read_json(bytes).map_err(|error| fail(format!("{shown}: {error}"))),
            Format::Yaml => {
                let documents =
                    yaml::to_json(bytes).map_err(|message| fail(format!("{shown}: {message}")))?;
                let messages = documents.iter().map(|json| self.decode_json(json.as_bytes()));
                // Lines and columns would be those of the JSON in between.
                let place = |error: json::JsonError| format!("{shown}: {}: {}", error.path(), error.kind());
                messages.collect::<Result<_, _>>().map_err(|error| fail(place(error)))
            }
            Format::Text => {
                let parts = bytes.split(|&byte| byte == SEPARATOR);
                let messages = parts.map(|part| self.read_text(part));
                messages.collect::<Result<_, _>>().map_err(|error| fail(format!("{shown}:{error}")))
            }
            _ => {
                let options = DecodeOptions::new().registry(&self.registry);
                let parts = split(bytes, format, shown)?;
                let decode = |(index, part): (usize, &Vec<u8>)| {
                    DynamicMessage::decode_with(self.table.clone(), part, &options).map_err(|error| {
                        let which =
                            if parts.len() > 1 { format!("message {}: ", index + 1) } else { String::new() };
                        fail(format!("{shown}: {which}{error}"))
                    })
                };
                parts.iter().enumerate().map(decode).collect()
            }
        }
    }

    /// Whether all messages keep the rules of their schema.
    pub(super) fn validate(&self, messages: &[DynamicMessage], shown: &str) -> Result<(), Failure> {
        let validator = Validator::new(self.pool.clone());
        let mut faults = String::new();
        for (index, message) in messages.iter().enumerate() {
            let which = if messages.len() > 1 { format!("message {}: ", index + 1) } else { String::new() };
            match validator.validate(message) {
                Ok(()) => {}
                Err(ValidationError::Violations(violations)) => {
                    for violation in &violations.violations {
                        faults.push_str(&format!("\n  {which}{violation}"));
                    }
                }
                Err(error) => return Err(Failure::Other(format!("validate: {shown}: {which}{error}"))),
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(Failure::Other(format!("validate: {shown}:{faults}"))) }
    }

    fn decode_json(&self, bytes: &[u8]) -> Result<DynamicMessage, json::JsonError> {
        let mut options = json::DecodeOptions::new().registry(&self.registry);
        if self.ignore_unknown {
            options = options.ignore_unknown();
        }
        let mut message = DynamicMessage::new(self.table.clone());
        options.merge(&mut message, bytes).map(|()| message)
    }

    fn read_json(&self, bytes: &[u8]) -> Result<Vec<DynamicMessage>, json::JsonError> {
        let first = self.decode_json(bytes);
        if first.is_ok() {
            return first.map(|message| vec![message]);
        }
        // Several values, one behind the other?
        let mut values = serde_json::Deserializer::from_slice(bytes).into_iter::<serde_json::Value>();
        let mut parts = Vec::new();
        let mut start = 0;
        while let Some(Ok(_)) = values.next() {
            parts.push(&bytes[start..values.byte_offset()]);
            start = values.byte_offset();
        }
        if parts.len() < 2 || !bytes[start..].trim_ascii().is_empty() {
            return first.map(|message| vec![message]);
        }
        parts.into_iter().map(|part| self.decode_json(part)).collect()
    }

    fn read_text(&self, bytes: &[u8]) -> Result<DynamicMessage, text::TextError> {
        let options = text::DecodeOptions::new().registry(&self.registry).ignore_unknown(self.ignore_unknown);
        let mut message = DynamicMessage::new(self.table.clone());
        options.merge_bytes(&mut message, bytes).map(|()| message)
    }

    pub(super) fn write(
        &self,
        messages: &[DynamicMessage],
        to: &Location,
        format: Format,
        unknown: Unknown,
    ) -> Result<Vec<u8>, Failure> {
        if !format.is_stream() && messages.len() != 1 {
            return Err(Failure::Other(format!(
                "encode: the output holds one message, the input {}; use `#format=delimited` for streams",
                messages.len()
            )));
        }
        let binary = |message: &DynamicMessage| EncodeOptions::new().deterministic().encode_to_vec(message);
        let mut out = Vec::new();
        for (index, message) in messages.iter().enumerate() {
            match format {
                Format::Binary => out.extend(binary(message)),
                Format::Hex => out.extend(format!("{}\n", payload::to_hex(&binary(message))).into_bytes()),
                Format::Base64 => {
                    out.extend(format!("{}\n", payload::to_base64(&binary(message))).into_bytes())
                }
                Format::Delimited => {
                    let bytes = binary(message);
                    write::varint(bytes.len() as u64, &mut out);
                    out.extend(bytes);
                }
                Format::Grpc => {
                    let bytes = binary(message);
                    let len = u32::try_from(bytes.len())
                        .map_err(|_| Failure::Other("encode: a message is too large for gRPC".into()))?;
                    out.push(0);
                    out.extend(len.to_be_bytes());
                    out.extend(bytes);
                }
                Format::Json => {
                    out.extend(self.json(message, to)?.into_bytes());
                    out.push(b'\n');
                }
                Format::Yaml => {
                    if index > 0 {
                        out.extend(b"---\n");
                    }
                    let yaml = yaml::from_json(&self.json(message, to)?)
                        .map_err(|message| Failure::Other(format!("encode: {message}")))?;
                    out.extend(yaml.into_bytes());
                }
                Format::Text => {
                    if index > 0 {
                        out.extend([SEPARATOR, b'\n']);
                    }
                    let options = text::EncodeOptions::new()
                        .registry(&self.registry)
                        .print_unknown_fields(unknown == Unknown::Print);
                    out.extend(options.to_string(message).into_bytes());
                }
            }
        }
        Ok(out)
    }

    fn json(&self, message: &DynamicMessage, to: &Location) -> Result<String, Failure> {
        let mut options = json::EncodeOptions::new().registry(&self.registry);
        if to.proto_names {
            options = options.preserve_proto_names();
        }
        if to.enum_numbers {
            options = options.enums_as_numbers();
        }
        options.to_string(message).map_err(|error| Failure::Other(format!("encode: {error}")))
    }
}

/// The messages in bytes of a binary format.
pub(super) fn split(bytes: &[u8], format: Format, shown: &str) -> Result<Vec<Vec<u8>>, Failure> {
    let fail = |message: String| Failure::Other(format!("decode: {shown}: {message}"));
    let mut parts = Vec::new();
    match format {
        Format::Binary => parts.push(bytes.to_vec()),
        Format::Hex => parts.push(payload::from_hex(bytes).map_err(fail)?),
        Format::Base64 => parts.push(payload::from_base64(bytes).map_err(fail)?),
        Format::Delimited => {
            let mut reader = Reader::new(bytes);
            while !reader.rest().is_empty() {
                let part =
                    reader.bytes().map_err(|error| fail(format!("message {}: {error}", parts.len() + 1)))?;
                parts.push(part.to_vec());
            }
        }
        Format::Grpc => {
            let mut rest = bytes;
            while !rest.is_empty() {
                let which = parts.len() + 1;
                let cut = || fail(format!("frame {which} is cut off"));
                let (head, body) = rest.split_first_chunk::<5>().ok_or_else(cut)?;
                let [compressed, len @ ..] = *head;
                if compressed != 0 {
                    return Err(fail(format!("frame {which} is compressed, which is not supported")));
                }
                let (part, behind) =
                    body.split_at_checked(u32::from_be_bytes(len) as usize).ok_or_else(cut)?;
                parts.push(part.to_vec());
                rest = behind;
            }
        }
        Format::Json | Format::Text | Format::Yaml => {
            return Err(fail(
                "this needs messages in wire format: binpb, hex, base64, delimited or grpc".into(),
            ));
        }
    }
    Ok(parts)
}
