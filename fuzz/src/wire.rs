//! The wire format and the messages that are written in it.

use dunlin_protobuf::UnknownFields;
use dunlin_protobuf::descriptor::DescriptorMessage;
use dunlin_protobuf::descriptor::{FileDescriptorProto, FileDescriptorSet, SourceCodeInfo};
use dunlin_protobuf::plugin::{CodeGeneratorRequest, CodeGeneratorResponse};
use dunlin_protobuf::wire::{Reader, Tag, WireError, WireType, write};

/// Reads bytes as fields and as messages; what was read can be written, and then reads the same.
pub fn wire(data: &[u8]) {
    if let Ok(fields) = fields(Reader::new(data)) {
        let mut written = Vec::new();
        for field in &fields {
            field.write(&mut written);
        }
        assert!(written.len() <= data.len(), "writing makes tags and lengths no longer");
        let again = self::fields(Reader::new(&written)).expect("what was written can be read");
        assert_eq!(again, fields);
        skip_agrees(data);
    }
    let mut unknown = UnknownFields::default();
    unknown.extend_from_wire(data);
    assert_eq!(unknown.as_bytes(), data);
    assert_eq!(unknown.is_empty(), data.is_empty());
    message::<FileDescriptorSet>(data);
    message::<FileDescriptorProto>(data);
    message::<SourceCodeInfo>(data);
    message::<CodeGeneratorRequest>(data);
    message::<CodeGeneratorResponse>(data);
}

/// One field, as far as the wire alone tells.
#[derive(Debug, PartialEq)]
struct Field<'d> {
    number: u32,
    value: Value<'d>,
}

#[derive(Debug, PartialEq)]
enum Value<'d> {
    Varint(u64),
    I64(u64),
    Len(&'d [u8]),
    Group(Vec<Field<'d>>),
    I32(u32),
}

fn fields<'d>(mut reader: Reader<'d>) -> Result<Vec<Field<'d>>, WireError> {
    let mut fields = Vec::new();
    while let Some(tag) = reader.tag()? {
        let value = match tag.wire_type {
            WireType::Varint => Value::Varint(reader.varint()?),
            WireType::I64 => Value::I64(reader.fixed64()?),
            WireType::Len => Value::Len(reader.bytes()?),
            WireType::StartGroup => Value::Group(self::fields(reader.group(tag.number)?)?),
            WireType::I32 => Value::I32(reader.fixed32()?),
            WireType::EndGroup => {
                reader.skip(tag)?;
                unreachable!("an end without a start cannot be skipped");
            }
        };
        fields.push(Field { number: tag.number, value });
    }
    assert!(reader.rest().is_empty());
    Ok(fields)
}

impl Field<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        let from = out.len();
        match &self.value {
            Value::Varint(value) => {
                write::varint_field(self.number, *value, out);
                assert_eq!(out.len() - from, write::tag_len(self.number) + write::varint_len(*value));
            }
            Value::I64(value) => write::fixed64_field(self.number, *value, out),
            Value::Len(bytes) => write::len_field(self.number, bytes, out),
            Value::Group(fields) => {
                write::tag(self.number, WireType::StartGroup, out);
                for field in fields {
                    field.write(out);
                }
                write::tag(self.number, WireType::EndGroup, out);
            }
            Value::I32(value) => write::fixed32_field(self.number, *value, out),
        }
    }
}

/// Skipping ends where reading ends. Call with bytes that can be read.
fn skip_agrees(data: &[u8]) {
    let (mut skipping, mut reading) = (Reader::new(data), Reader::new(data));
    while let Some(tag) = skipping.tag().expect("it could be read") {
        assert_eq!(reading.tag(), Ok(Some(tag)));
        skipping.skip(tag).expect("what can be read can be skipped");
        let rest = read_past(&mut reading, tag);
        assert_eq!(skipping.position(), rest);
        assert_eq!(skipping.offset(), rest, "the outermost message starts at 0");
    }
}

fn read_past(reader: &mut Reader<'_>, tag: Tag) -> usize {
    let read = match tag.wire_type {
        WireType::Varint => reader.varint().map(drop),
        WireType::I64 => reader.fixed64().map(drop),
        WireType::Len => reader.bytes().map(drop),
        WireType::StartGroup => reader.group(tag.number).map(drop),
        WireType::I32 => reader.fixed32().map(drop),
        WireType::EndGroup => reader.skip(tag),
    };
    read.expect("it could be read");
    reader.position()
}

/// Compared as bytes, since NaN is not equal to itself.
fn message<M: DescriptorMessage>(data: &[u8]) {
    let Ok(message) = M::decode(data) else { return };
    let encoded = message.encode_to_vec();
    let again = M::decode(&encoded).expect("what was encoded can be decoded");
    assert!(again.encode_to_vec() == encoded, "decoding loses nothing");
    // Merging twice is reading the bytes twice.
    let doubled = [data, data].concat();
    let mut merged = message;
    merged.merge(data).expect("it decoded before");
    let whole = M::decode(&doubled).expect("two messages in a row are one");
    assert!(merged.encode_to_vec() == whole.encode_to_vec(), "merging is decoding what is appended");
}
