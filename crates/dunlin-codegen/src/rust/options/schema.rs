//! Options that a schema says of itself, by the custom options of `dunlin/options.proto`.

use std::sync::Arc;

use dunlin_protobuf::dynamic::{DynamicMessage, DynamicPool};
use dunlin_protobuf::pool::{FieldView, FileView, MessageView};
use dunlin_protobuf::slot::SlotRef;
use dunlin_protobuf::wire::WireType;
use dunlin_protobuf::{Reflect, UnknownFields};

use super::{OPTIONS, Rules};
use crate::rust::model::services;

/// The file that declares the custom options; it is for the generator alone.
pub(crate) const FILE: &str = "dunlin/options.proto";
/// The number of every extension in it.
const NUMBER: u32 = 56640;

/// What the files of a pool say.
pub(crate) fn rules(pool: &Arc<DynamicPool>) -> Rules {
    let mut reader = Reader { pool, rules: Rules::default() };
    let Some(declarations) = pool.descriptors().file_by_path(FILE) else { return reader.rules };
    let is_user = |file: &FileView<'_>| file.imports().any(|(import, _)| import == declarations);
    for file in pool.descriptors().files().filter(is_user) {
        // Outer elements first: a path says more the longer it is, and of equal ones the last counts.
        if let Some(options) = file.proto().and_then(|proto| proto.options.as_deref()) {
            let messages = file.messages().filter(|m| m.parent().is_none()).map(|m| m.full_name());
            let enums = file.enums().filter(|e| e.parent().is_none()).map(|e| e.full_name());
            let services = services(&file).map(|(name, _)| name);
            for name in messages.chain(enums).chain(services) {
                reader.read("dunlin.FileOptions", &options.unknown_fields, &name);
            }
        }
        file.messages().for_each(|message| reader.message(message));
        for field in file.fields() {
            reader.field(field);
        }
        for e in file.enums() {
            if let Some(options) = e.proto().and_then(|proto| proto.options.as_deref()) {
                reader.read("dunlin.EnumOptions", &options.unknown_fields, &e.full_name());
            }
        }
        for (full_name, service) in services(&file) {
            if let Some(options) = service.options.as_deref() {
                reader.read("dunlin.ServiceOptions", &options.unknown_fields, &full_name);
            }
        }
    }
    reader.rules
}

struct Reader<'p> {
    pool: &'p Arc<DynamicPool>,
    rules: Rules,
}

impl Reader<'_> {
    fn message(&mut self, message: MessageView<'_>) {
        let Some(proto) = message.proto() else { return };
        let full_name = message.full_name();
        if let Some(options) = proto.options.as_deref() {
            self.read("dunlin.MessageOptions", &options.unknown_fields, &full_name);
        }
        for oneof in &proto.oneof_decl {
            if let (Some(name), Some(options)) = (&oneof.name, oneof.options.as_deref()) {
                self.read("dunlin.OneofOptions", &options.unknown_fields, &format!("{full_name}.{name}"));
            }
        }
    }

    fn field(&mut self, field: FieldView<'_>) {
        if let Some(options) = field.proto().and_then(|proto| proto.options.as_deref()) {
            self.read("dunlin.FieldOptions", &options.unknown_fields, &field.full_name());
        }
    }

    /// Reads the options of an element out of its unknown fields.
    fn read(&mut self, ty: &str, unknown: &UnknownFields, full_name: &str) {
        let mut bytes = Vec::new();
        let mut reader = unknown.reader();
        while let Ok(Some(tag)) = reader.tag() {
            // A message that comes in parts is the parts joined.
            let is_ours = tag.number == NUMBER && tag.wire_type == WireType::Len;
            let read = if is_ours { reader.bytes().map(|part| bytes.extend(part)) } else { reader.skip(tag) };
            if read.is_err() {
                return;
            }
        }
        let Some(table) = self.pool.message(ty).filter(|_| !bytes.is_empty()) else { return };
        // The compiler wrote these bytes; from elsewhere, what cannot be read says nothing.
        let Ok(message) = DynamicMessage::decode(table.clone(), &bytes) else { return };
        for (index, field) in table.fields().iter().enumerate() {
            let Some(option) = OPTIONS.iter().find(|option| option.name == field.name()) else { continue };
            match message.slot_ref(index) {
                SlotRef::Bool(on) => self.rules.push(option.name, full_name, on.to_string()),
                value => value.texts().into_iter().flatten().for_each(|text| {
                    self.rules.push(option.name, full_name, text);
                }),
            }
        }
    }
}
