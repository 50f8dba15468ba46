//! Messages in text format, to the letter as grpcurl writes it: messages in angle brackets, strings as ASCII.

use dunlin_protobuf::Reflect;
use dunlin_protobuf::reflect::is_written;
use dunlin_protobuf::slot::SlotRef;
use dunlin_protobuf::table::{EnumTable, FieldTable, Kind, Shape, TableRef};

use super::number::float;
use super::values::{elements, quoted_bytes};
use super::{MAX_DEPTH, too_deep};
use crate::online::schema::Types;

/// A message, without a line end.
pub(super) fn write(message: &dyn Reflect, types: &Types) -> Result<String, String> {
    let mut writer = Writer { out: String::new(), types, indent: 0, layout: Layout::Lines, is_cut: false };
    writer.message(message);
    if writer.is_cut { Err(too_deep()) } else { Ok(writer.out) }
}

/// Messages of the well-known types stand on one line within others.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    Lines,
    Compact,
}

impl Layout {
    fn of(message: &dyn Reflect) -> Self {
        match message.table().full_name().strip_prefix("google.protobuf.") {
            Some("Any" | "Duration" | "Empty" | "ListValue" | "Struct" | "Timestamp" | "Value") => {
                Self::Compact
            }
            // The wrappers: BoolValue and the like.
            Some(name) if name.ends_with("Value") => Self::Compact,
            _ => Self::Lines,
        }
    }
}

struct Writer<'t> {
    out: String,
    types: &'t Types,
    indent: usize,
    layout: Layout,
    /// Whether something was too deep.
    is_cut: bool,
}

/// One value of a field, or an entry of a map.
enum Item<'s> {
    Value(SlotRef<'s>),
    Entry(SlotRef<'s>, SlotRef<'s>),
}

impl Writer<'_> {
    fn message(&mut self, message: &dyn Reflect) {
        if self.indent > MAX_DEPTH {
            self.is_cut = true;
            return;
        }
        let table = message.table();
        let mut is_first = true;
        // Extensions are as good as fields, and stand among them.
        let mut extensions = Vec::new();
        for extension in self.types.extensions_of(message, table.full_name()) {
            if let Ok(Some(value)) = self.types.registry.extension_value(message, extension.field.number()) {
                extensions.push((extension, value));
            }
        }
        extensions.sort_by_key(|(extension, _)| extension.field.number());
        let mut extensions = extensions.into_iter().peekable();
        for (index, field) in table.fields().iter().enumerate() {
            while let Some((extension, value)) =
                extensions.next_if(|(extension, _)| extension.field.number() < field.number())
            {
                self.field(value.slot_ref(), extension.field, &extension.of, &mut is_first);
            }
            let value = message.slot_ref(index);
            if is_written(value, field) {
                self.field(value, field, &table, &mut is_first);
            }
        }
        for (extension, value) in extensions {
            self.field(value.slot_ref(), extension.field, &extension.of, &mut is_first);
        }
    }

    fn field(&mut self, value: SlotRef<'_>, field: &FieldTable, of: &TableRef, is_first: &mut bool) {
        for item in items(value) {
            if !std::mem::take(is_first) {
                self.line();
            }
            match item {
                Item::Value(value) => self.value(&name(field, of), value, field, of),
                Item::Entry(key, value) => self.entry(key, value, field, of),
            }
            self.space();
        }
    }

    fn entry(&mut self, key: SlotRef<'_>, value: SlotRef<'_>, field: &FieldTable, of: &TableRef) {
        let Some(entry) = field.message_table(of) else { return };
        let [key_field, value_field] = entry.fields() else { return };
        self.out.push_str(&name(field, of));
        self.separator();
        self.open('<');
        self.value("key", key, key_field, &entry);
        self.space();
        self.line();
        self.value("value", value, value_field, &entry);
        self.space();
        self.close('>');
    }

    fn value(&mut self, name: &str, value: SlotRef<'_>, field: &FieldTable, of: &TableRef) {
        self.out.push_str(name);
        let is_group = field.kind() == Kind::Group && field.is_group_like();
        if !is_group {
            self.separator();
        }
        let (open, close) = if is_group { ('{', '}') } else { ('<', '>') };
        match value {
            SlotRef::Message(message) => {
                self.open(open);
                let layout = self.layout;
                let inner = Layout::of(message);
                if layout == Layout::Lines && inner == Layout::Compact {
                    self.layout = inner;
                    self.message(message);
                    self.layout = layout;
                } else {
                    self.message(message);
                }
                self.close(close);
            }
            value => self.out.push_str(&scalar(value, field, field.enum_table(of))),
        }
    }

    fn separator(&mut self) {
        self.out.push_str(if self.layout == Layout::Lines { ": " } else { ":" });
    }

    fn open(&mut self, bracket: char) {
        self.out.push(bracket);
        self.indent += 1;
        self.line();
    }

    fn close(&mut self, bracket: char) {
        self.indent -= 1;
        self.line();
        self.out.push(bracket);
    }

    /// Behind each field that has no line of its own.
    fn space(&mut self) {
        if self.layout == Layout::Compact {
            self.out.push(' ');
        }
    }

    fn line(&mut self) {
        if self.layout == Layout::Lines {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n("  ", self.indent));
        }
    }
}

fn name(field: &FieldTable, of: &TableRef) -> String {
    if field.is_extension() {
        return format!("[{}]", field.name());
    }
    match field.message_table(of).filter(|_| field.is_group_like()) {
        Some(table) => table.full_name().rsplit('.').next().unwrap_or_default().to_owned(),
        None => field.name().to_owned(),
    }
}

fn items(value: SlotRef<'_>) -> Vec<Item<'_>> {
    let SlotRef::Map(map) = value else { return elements(value).into_iter().map(Item::Value).collect() };
    let mut entries = Vec::new();
    map.for_each(true, &mut |key, value| {
        entries.push(Item::Entry(key, value));
        true
    });
    entries
}

fn scalar(value: SlotRef<'_>, field: &FieldTable, enums: Option<&EnumTable>) -> String {
    let enumeration = |number: i32| match enums.and_then(|table| table.by_number(number)) {
        Some(value) => value.name().to_owned(),
        None => number.to_string(),
    };
    let decimal = |value: f64, text: String| match value {
        value if value.is_nan() => "nan".to_owned(),
        f64::INFINITY => "inf".to_owned(),
        f64::NEG_INFINITY => "-inf".to_owned(),
        _ => float(&text),
    };
    match value {
        SlotRef::Bool(value) => value.to_string(),
        SlotRef::Enum(number) => enumeration(number),
        SlotRef::I32(number) if field.kind() == Kind::Enum => enumeration(number),
        SlotRef::I32(value) => value.to_string(),
        SlotRef::I64(value) => value.to_string(),
        SlotRef::U32(value) => value.to_string(),
        SlotRef::U64(value) => value.to_string(),
        SlotRef::F32(value) => decimal(f64::from(value), format!("{value:e}")),
        SlotRef::F64(value) => decimal(value, format!("{value:e}")),
        SlotRef::String(text) => quoted_bytes(text.as_bytes()),
        SlotRef::Bytes(bytes) => quoted_bytes(bytes),
        _ => match field.cardinality() {
            // Nothing there, in a map's entry.
            Shape::Explicit if field.kind() == Kind::String => "\"\"".to_owned(),
            _ => "0".to_owned(),
        },
    }
}
