//! The static table of a message: numbers, names, kinds, defaults.

use dunlin_protobuf::pool::{FieldKind, FieldView};
use dunlin_protobuf::table::{DefaultValue, FieldTable, Kind, Shape};

use crate::rust::code::{Code, byte_literal, literal};
use crate::rust::model::{Field, Flavor, Message, Model, entry};

/// The name of the table of a map's entry.
fn entry_name(field: &Field<'_>) -> String {
    format!("{}_ENTRY", field.ident.trim_start_matches("r#").to_uppercase())
}

/// The table of a field, whose values are held as `held`; `from` is the module that it is written in.
pub(in crate::rust) fn field_table(
    model: &Model<'_>,
    entry_of: &str,
    field: &FieldTable,
    held: Kind,
    view: &FieldView<'_>,
    from: &[String],
) -> String {
    let mut out = format!(
        "FieldTable::new({}, {}, {}, Kind::{:?})",
        field.number(),
        literal(field.name()),
        literal(field.json_name()),
        field.kind()
    );
    match field.cardinality() {
        Shape::Implicit => {}
        shape => out += &format!(".shape(Shape::{shape:?})"),
    }
    match view.kind() {
        FieldKind::Message(_) if view.is_map() => out += &format!(".message(|| &{entry_of})"),
        FieldKind::Message(message) => {
            out += &format!(
                ".message(<{} as Message>::message_table)",
                model.message_path(message.id(), Flavor::Owned, from)
            );
        }
        FieldKind::Enum(e) => {
            let place = model.enum_place(e.id());
            out += &format!(".enumeration(<{} as Enumeration>::TABLE)", model.path(place, &place.name, from));
        }
        _ => {}
    }
    if held != field.kind() {
        out += ".unchecked()";
    }
    if field.is_group_like() {
        out += ".group_like()";
    }
    if field.is_extension() {
        out += ".extension()";
    }
    if view.is_debug_redact() {
        out += ".redacted()";
    }
    match field.default_value() {
        DefaultValue::None => {}
        DefaultValue::String(text) => {
            out += &format!(".default(DefaultValue::String(Cow::Borrowed({})))", literal(text));
        }
        DefaultValue::Bytes(bytes) => {
            out += &format!(".default(DefaultValue::Bytes(Cow::Borrowed({})))", byte_literal(bytes));
        }
        DefaultValue::Enum(number) => out += &format!(".default(DefaultValue::Enum({number}))"),
        value => {
            let variant = match value {
                DefaultValue::Bool(_) => "Bool",
                DefaultValue::I32(_) => "I32",
                DefaultValue::I64(_) => "I64",
                DefaultValue::U32(_) => "U32",
                DefaultValue::U64(_) => "U64",
                DefaultValue::F32(_) => "F32",
                _ => "F64",
            };
            let value = scalar_default(value).unwrap_or_default();
            out += &format!(".default(DefaultValue::{variant}({value}))");
        }
    }
    out
}

/// Writes the table.
pub(super) fn table(model: &Model<'_>, message: &Message<'_>, code: &mut Code) {
    let from = &model.message_place(message.view.id()).modules;
    let table = &message.table;
    for field in message.fields.iter().filter(|field| field.shape == Shape::Map) {
        let FieldKind::Message(entry_view) = field.view.kind() else { continue };
        let entry_table = model.pool.message(&entry_view.full_name()).expect("the pool has all its messages");
        let name = entry_name(field);
        let parts = entry(&field.view);
        code.block(format!("static {name}_FIELDS: [FieldTable; 2] = ["), "];", |code| {
            for (part, view) in entry_table.fields().iter().zip([parts.0, parts.1]) {
                let held = model.held_kind(&view, &field.view);
                code.line(format!("{},", field_table(model, "", part, held, &view, from)));
            }
        });
        code.line(format!("static {name}_WIRE: [WireEntry; 2] = wire_entries(&{name}_FIELDS);"));
        code.line(format!("static {name}: MessageTable ="));
        let full_name = literal(&entry_view.full_name());
        let required = if entry_table.has_required_fields() { ".has_required()" } else { "" };
        code.line(format!(
            "    MessageTable::new({full_name}, &{name}_FIELDS, &{name}_WIRE).map_entry(){required};"
        ));
    }
    let count = message.fields.len();
    code.block(format!("static FIELDS: [FieldTable; {count}] = ["), "];", |code| {
        for (field, entry) in message.fields.iter().zip(table.fields()) {
            let table = field_table(model, &entry_name(field), entry, field.kind, &field.view, from);
            code.line(format!("{table},"));
        }
    });
    code.line(format!("static WIRE: [WireEntry; {count}] = wire_entries(&FIELDS);"));
    let mut text = format!(
        "static TABLE: MessageTable = MessageTable::new({}, &FIELDS, &WIRE)",
        literal(table.full_name())
    );
    let names = |names: Vec<&str>| -> String {
        names.iter().map(|name| format!("Cow::Borrowed({})", literal(name))).collect::<Vec<_>>().join(", ")
    };
    let oneof_names: Vec<_> = (0..message.oneofs.len() as u16).filter_map(|i| table.oneof_name(i)).collect();
    if !oneof_names.is_empty() {
        text += &format!("\n    .oneofs(&[{}])", names(oneof_names));
    }
    let ranges: Vec<_> = message.view.extension_ranges().map(|(a, b)| format!("({a}, {b})")).collect();
    if !ranges.is_empty() {
        text += &format!("\n    .extension_ranges(&[{}])", ranges.join(", "));
    }
    let reserved: Vec<_> = message.view.reserved_names().collect();
    if !reserved.is_empty() {
        text += &format!("\n    .reserved_names(&[{}])", names(reserved));
    }
    if table.is_message_set() {
        text += "\n    .message_set()";
    }
    if table.has_required_fields() {
        text += "\n    .has_required()";
    }
    code.line(text + ";");
}

/// A default as a literal; `None` if there is none, or it is an enum's.
pub(super) fn scalar_default(value: &DefaultValue) -> Option<String> {
    let float = |text: String, ty: &str| match text.as_str() {
        "inf" => format!("{ty}::INFINITY"),
        "-inf" => format!("{ty}::NEG_INFINITY"),
        "NaN" => format!("{ty}::NAN"),
        _ => text,
    };
    Some(match value {
        DefaultValue::None | DefaultValue::Enum(_) => return None,
        DefaultValue::Bool(value) => value.to_string(),
        DefaultValue::I32(value) => value.to_string(),
        DefaultValue::I64(value) => value.to_string(),
        DefaultValue::U32(value) => value.to_string(),
        DefaultValue::U64(value) => value.to_string(),
        DefaultValue::F32(value) => float(format!("{value:?}"), "f32"),
        DefaultValue::F64(value) => float(format!("{value:?}"), "f64"),
        DefaultValue::String(value) => literal(value),
        DefaultValue::Bytes(value) => byte_literal(value),
    })
}
