//! Descriptors from anywhere.

use std::collections::HashSet;

use dunlin_protobuf::descriptor::DescriptorMessage;
use dunlin_protobuf::descriptor::FileDescriptorSet;
use dunlin_protobuf::pool::{DescriptorPool, EnumView, FieldKind, FieldView, MessageView};

/// Links whatever decodes as a descriptor set, and walks through what comes of it.
pub fn pool(data: &[u8]) {
    let Ok(set) = FileDescriptorSet::decode(data) else { return };
    match DescriptorPool::from_file_descriptor_set(set) {
        Ok(pool) => walk(&pool),
        Err(errors) => {
            let _ = errors.to_string();
            assert!(!errors.faults.is_empty());
        }
    }
}

fn walk(pool: &DescriptorPool) {
    let mut enums = HashSet::new();
    for file in pool.files() {
        assert_eq!(pool.file_by_path(file.path()), Some(file.id()));
        let _ = (file.package(), file.edition(), file.features(), file.has_public_imports());
        for (import, _) in file.imports() {
            let _ = pool.file(import).path();
        }
        for message in file.messages() {
            walk_message(pool, &message);
        }
        for field in file.fields() {
            walk_field(&field);
            match field.kind() {
                FieldKind::Enum(enumeration) if enums.insert(enumeration.full_name()) => {
                    walk_enum(&enumeration);
                }
                FieldKind::Message(message) => drop(message.full_name()),
                FieldKind::Unresolved => panic!("{} has a type", field.full_name()),
                _ => {}
            }
        }
        for (input, output) in file.methods() {
            assert!(input.is_some() && output.is_some(), "methods have types");
        }
    }
}

fn walk_message(pool: &DescriptorPool, message: &MessageView<'_>) {
    let name = message.full_name();
    let found = pool.message(&name).expect("a message is found by its name");
    assert_eq!(found.id(), message.id());
    let _ = (message.parent().map(|m| m.full_name()), message.is_map_entry(), message.is_message_set());
    for field in message.fields() {
        let by_name = message.field(field.name()).expect("a field is found by its name");
        assert_eq!(by_name.id(), field.id());
        let by_number = message.field_or_extension(field.number()).expect("and by its number");
        assert_eq!(by_number.id(), field.id());
        walk_field(&field);
    }
    for extension in message.declared_extensions() {
        walk_field(&extension);
    }
    let _ = message.is_reserved_name("x");
}

fn walk_field(field: &FieldView<'_>) {
    let _ = (field.full_name(), field.oneof(), field.declared_type(), field.type_name());
    let _ = (field.is_repeated(), field.is_map(), field.is_required(), field.has_presence());
    let _ = (field.is_packable(), field.is_packed(), field.is_delimited(), field.wire_type());
    let _ = (field.is_group_like(), field.features(), field.option_targets(), field.is_source_only());
    assert!(field.containing_message().is_some(), "{} belongs to a message", field.full_name());
    let _ = (field.extension_scope(), field.feature_support());
}

fn walk_enum(enumeration: &EnumView<'_>) {
    let _ = (enumeration.full_name(), enumeration.file().path(), enumeration.is_closed());
    for value in enumeration.values() {
        assert!(enumeration.value(value.name()).is_some());
        assert!(enumeration.value_by_number(value.number()).is_some());
        let _ = (value.full_name(), value.is_debug_redact(), value.feature_support());
    }
}
