//! Options of files that came as descriptors: which of them are kept in what runs.

use dunlin_protobuf::descriptor::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
};
use dunlin_protobuf::pool::{DescriptorPool, FieldKind, MessageView};
use dunlin_protobuf::wire::{Reader, Tag, WireType, write};
use dunlin_protobuf::{DecodeError, Message};

use super::BUILTIN;
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

    fn options<M: Message>(&mut self, options: &Option<Box<M>>, kind: ElementKind, path: &[i32]) {
        let Some(options) = options else { return };
        let name = kind.options_message();
        let Some(schema) = self.pool.message(name).or_else(|| BUILTIN.message(name)) else { return };
        let full = options.encode_to_vec();
        let mut runtime = Vec::with_capacity(full.len());
        // What does not read as its type says is left as it is.
        if strip(schema, Reader::new(&full), &mut runtime).is_ok() && runtime != full {
            self.found.push(Stripped { path: path.to_vec(), kind, full, runtime });
        }
    }
}

fn step(path: &[i32], number: i32, at: usize) -> Vec<i32> {
    [path, &[number, at as i32]].concat()
}

/// Copies a message without the fields that are for sources only.
fn strip(of: MessageView<'_>, mut reader: Reader<'_>, out: &mut Vec<u8>) -> Result<(), DecodeError> {
    let whole = reader.clone();
    let mut start = reader.position();
    while let Some(Tag { number, wire_type }) = reader.tag()? {
        let field = of.field_or_extension(number);
        let inner = match field.map(|field| field.kind()) {
            Some(FieldKind::Message(inner)) => Some(inner),
            _ => None,
        };
        let is_dropped = field.is_some_and(|field| field.is_source_only());
        match (inner, wire_type) {
            (Some(inner), WireType::Len) if !is_dropped => {
                let mut bytes = Vec::new();
                strip(inner, reader.message()?, &mut bytes)?;
                write::len_field(number, &bytes, out);
            }
            (Some(inner), WireType::StartGroup) if !is_dropped => {
                write::tag(number, WireType::StartGroup, out);
                strip(inner, reader.group(number)?, out)?;
                write::tag(number, WireType::EndGroup, out);
            }
            _ => {
                reader.skip(Tag { number, wire_type })?;
                if !is_dropped {
                    out.extend_from_slice(whole.slice(start, reader.position()));
                }
            }
        }
        start = reader.position();
    }
    Ok(())
}
