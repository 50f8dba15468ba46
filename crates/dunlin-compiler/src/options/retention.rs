//! Options of files that came as descriptors: which of them are kept in what runs.

use dunlin_protobuf::descriptor::DescriptorMessage;
use dunlin_protobuf::descriptor::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
};
use dunlin_protobuf::pool::{DescriptorPool, FieldKind, FieldView, MessageView};
use dunlin_protobuf::wire::WireError;
use dunlin_protobuf::wire::{Reader, Tag, WireType};

use super::BUILTIN;
use super::value::{Keep, MessageValue, Value};
use crate::lower::ElementKind;

/// The options of one element, in both forms.
#[derive(Debug)]
pub(crate) struct Stripped {
    pub(crate) path: Vec<i32>,
    pub(crate) kind: ElementKind,
    pub(crate) full: Vec<u8>,
    pub(crate) runtime: Vec<u8>,
}

/// The elements of `proto` that have options with `retention = RETENTION_SOURCE`.
pub(crate) fn source_only(pool: &DescriptorPool, proto: &FileDescriptorProto) -> Vec<Stripped> {
    let mut walk = Walk { pool, found: Vec::new() };
    walk.file(proto);
    walk.found
}

struct Walk<'p> {
    pool: &'p DescriptorPool,
    found: Vec<Stripped>,
}

impl Walk<'_> {
    fn file(&mut self, file: &FileDescriptorProto) {
        self.options(&file.options, ElementKind::File, &[]);
        for (at, message) in file.message_type.iter().enumerate() {
            self.message(message, &[4, at as i32]);
        }
        self.enums(&file.enum_type, &[], 5);
        self.fields(&file.extension, &[], 7);
        for (at, service) in file.service.iter().enumerate() {
            let path = [6, at as i32];
            self.options(&service.options, ElementKind::Service, &path);
            for (at, method) in service.method.iter().enumerate() {
                self.options(&method.options, ElementKind::Method, &step(&path, 2, at));
            }
        }
    }

    fn message(&mut self, message: &DescriptorProto, path: &[i32]) {
        self.options(&message.options, ElementKind::Message, path);
        self.fields(&message.field, path, 2);
        self.fields(&message.extension, path, 6);
        self.enums(&message.enum_type, path, 4);
        for (at, range) in message.extension_range.iter().enumerate() {
            self.options(&range.options, ElementKind::ExtensionRange, &step(path, 5, at));
        }
        for (at, oneof) in message.oneof_decl.iter().enumerate() {
            self.options(&oneof.options, ElementKind::Oneof, &step(path, 8, at));
        }
        // Descriptors nest no deeper than decoding lets them.
        for (at, nested) in message.nested_type.iter().enumerate() {
            self.message(nested, &step(path, 3, at));
        }
    }

    fn enums(&mut self, enums: &[EnumDescriptorProto], path: &[i32], number: i32) {
        for (at, entry) in enums.iter().enumerate() {
            let path = step(path, number, at);
            self.options(&entry.options, ElementKind::Enum, &path);
            for (at, value) in entry.value.iter().enumerate() {
                self.options(&value.options, ElementKind::EnumValue, &step(&path, 2, at));
            }
        }
    }

    fn fields(&mut self, fields: &[FieldDescriptorProto], path: &[i32], number: i32) {
        for (at, field) in fields.iter().enumerate() {
            self.options(&field.options, ElementKind::Field, &step(path, number, at));
        }
    }

    fn options<M: DescriptorMessage>(&mut self, options: &Option<Box<M>>, kind: ElementKind, path: &[i32]) {
        let Some(options) = options else { return };
        let name = kind.options_message();
        let Some(schema) = self.pool.message(name).or_else(|| BUILTIN.message(name)) else { return };
        let full = options.encode_to_vec();
        // What does not read as its type says is left as it is.
        let Ok(value) = read(schema, Reader::new(&full)) else { return };
        let mut runtime = Vec::with_capacity(full.len());
        value.encode(Keep::Runtime, false, &mut runtime);
        if runtime != full {
            self.found.push(Stripped { path: path.to_vec(), kind, full, runtime });
        }
    }
}

fn step(path: &[i32], number: i32, at: usize) -> Vec<i32> {
    [path, &[number, at as i32]].concat()
}

/// Reads a message by its type, so that it can be encoded as one that was just compiled.
fn read<'p>(of: MessageView<'p>, mut reader: Reader<'_>) -> Result<MessageValue<'p>, WireError> {
    let whole = reader.clone();
    let mut message = MessageValue::default();
    let mut start = reader.position();
    while let Some(tag) = reader.tag()? {
        // The items of a message set are not fields.
        let field = of.field_or_extension(tag.number).filter(|_| !of.is_message_set());
        let is_read = match field {
            Some(field) => read_field(field, tag, &mut reader, &mut message)?,
            None => false,
        };
        if !is_read {
            reader.skip(tag)?;
            message.unknown.extend_from_slice(whole.slice(start, reader.position()));
        }
        start = reader.position();
    }
    Ok(message)
}

/// False if the wire type is none that the field can have.
fn read_field<'p>(
    field: FieldView<'p>,
    tag: Tag,
    reader: &mut Reader<'_>,
    message: &mut MessageValue<'p>,
) -> Result<bool, WireError> {
    let scalar = |wire_type: WireType, reader: &mut Reader<'_>| {
        Ok::<_, WireError>(match wire_type {
            WireType::I32 => Value::I32(reader.fixed32()?),
            WireType::I64 => Value::I64(reader.fixed64()?),
            _ => Value::Varint(reader.varint()?),
        })
    };
    let value = match (field.kind(), tag.wire_type) {
        (FieldKind::Message(inner), WireType::Len) => Value::Message(read(inner, reader.message()?)?),
        (FieldKind::Message(inner), WireType::StartGroup) => {
            Value::Message(read(inner, reader.group(tag.number)?)?)
        }
        (FieldKind::Message(_), _) => return Ok(false),
        (_, wire_type) if field.wire_type() == Some(wire_type) && wire_type != WireType::Len => {
            scalar(wire_type, reader)?
        }
        (_, WireType::Len) if field.wire_type() == Some(WireType::Len) => {
            Value::Bytes(reader.bytes()?.to_vec())
        }
        (_, WireType::Len) if field.is_repeated() => {
            let Some(wire_type) = field.wire_type() else { return Ok(false) };
            let mut run = reader.message()?;
            while !run.rest().is_empty() {
                message.add(field, scalar(wire_type, &mut run)?);
            }
            return Ok(true);
        }
        _ => return Ok(false),
    };
    message.add(field, value);
    Ok(true)
}
