//! A message as a struct, and how the runtime reaches its members.

use dunlin_protobuf::pool::FieldKind;
use dunlin_protobuf::table::{DefaultValue, Kind, Shape};

use super::code::{Code, byte_literal, literal};
use super::comments;
use super::model::{Field, Flavor, Message, Model, Oneof, entry, kind_of};

/// Writes the struct of a message, its view, and their implementations.
pub(super) fn message(model: &Model<'_>, message: &Message<'_>, code: &mut Code) {
    let place = model.message_place(message.view.id()).clone();
    structure(model, message, Flavor::Owned, code);
    accessors(model, message, code);
    if place.view.is_some() {
        structure(model, message, Flavor::View, code);
    }
    let runtime = &model.options.runtime;
    code.gap();
    code.block("const _: () = {", "};", |code| {
        code.line(format!("use {runtime}::generated::*;"));
        table(model, message, code);
        implementation(model, message, Flavor::Owned, code);
        if place.view.is_some() {
            implementation(model, message, Flavor::View, code);
        }
    });
}

fn structure(model: &Model<'_>, message: &Message<'_>, flavor: Flavor, code: &mut Code) {
    let place = model.message_place(message.view.id());
    let from = &place.modules;
    let full_name = message.view.full_name();
    code.gap();
    let (name, life) = match (&place.view, flavor) {
        (Some(view), Flavor::View) => (view, "<'a>"),
        _ => (&place.name, ""),
    };
    if flavor == Flavor::View {
        code.doc([format!("A [`{}`] that borrows from its encoded bytes.", place.name).as_str()]);
    } else {
        let lines = comments::lines(message.view.file().location(&message.view.path()));
        code.doc(lines.iter().map(String::as_str));
        for attribute in model.options.attributes(&full_name) {
            code.line(attribute);
        }
    }
    let deprecated = message.view.proto().and_then(|p| p.options.as_deref()).and_then(|o| o.deprecated);
    if deprecated == Some(true) && flavor == Flavor::Owned {
        code.line("#[deprecated]");
    }
    code.line("#[derive(Clone, Debug, Default, PartialEq)]");
    code.block(format!("pub struct {name}{life} {{"), "}", |code| {
        for member in members(message) {
            match member {
                Member::Field(field) => {
                    if flavor == Flavor::Owned {
                        let lines = comments::lines(message.view.file().location(&field.view.path()));
                        code.doc(lines.iter().map(String::as_str));
                        for attribute in model.options.attributes(&field.view.full_name()) {
                            code.line(attribute);
                        }
                        let options = field.view.proto().and_then(|p| p.options.as_deref());
                        if options.and_then(|o| o.deprecated) == Some(true) {
                            code.line("#[deprecated]");
                        }
                    }
                    let ty = model.member_type(field, flavor, from);
                    code.line(format!("pub {}: {ty},", field.ident));
                }
                Member::Oneof(oneof) => {
                    let life = if flavor == Flavor::View && oneof.view.is_some() { "<'a>" } else { "" };
                    let path = model.oneof_path(message, oneof, flavor);
                    code.line(format!("pub {}: {}<{path}{life}>,", oneof.ident, model.std("Option", from)));
                }
            }
        }
        code.line(format!("pub {}: {}::UnknownFields,", message.unknown, model.options.runtime));
    });
}

enum Member<'m, 'p> {
    Field(&'m Field<'p>),
    Oneof(&'m Oneof),
}

/// Fields and oneofs in the order of the schema.
fn members<'m, 'p>(message: &'m Message<'p>) -> Vec<Member<'m, 'p>> {
    let mut seen = vec![false; message.oneofs.len()];
    let mut out = Vec::new();
    for view in message.view.fields() {
        let Some(field) = message.fields.iter().find(|field| field.number == view.number()) else { continue };
        match field.shape {
            Shape::Oneof(oneof) => {
                let oneof = usize::from(oneof);
                if !std::mem::replace(&mut seen[oneof], true) {
                    out.push(Member::Oneof(&message.oneofs[oneof]));
                }
            }
            _ => out.push(Member::Field(field)),
        }
    }
    out
}

/// Writes the enums of a message's oneofs, into the message's module.
pub(super) fn oneofs(model: &Model<'_>, message: &Message<'_>, code: &mut Code) {
    let from = model.inner_module(message.view).to_vec();
    for (index, oneof) in message.oneofs.iter().enumerate() {
        for flavor in [Flavor::Owned, Flavor::View] {
            let (name, life) = match (&oneof.view, flavor) {
                (_, Flavor::Owned) => (&oneof.name, ""),
                (Some(view), Flavor::View) => (view, "<'a>"),
                (None, Flavor::View) => continue,
            };
            code.gap();
            code.line("#[derive(Clone, Debug, PartialEq)]");
            code.block(format!("pub enum {name}{life} {{"), "}", |code| {
                for field in message.fields.iter().filter(|f| f.shape == Shape::Oneof(index as u16)) {
                    if flavor == Flavor::Owned {
                        let lines = comments::lines(message.view.file().location(&field.view.path()));
                        code.doc(lines.iter().map(String::as_str));
                    }
                    let ty = model.member_type(field, flavor, &from);
                    code.line(format!("{}({ty}),", field.ident));
                }
            });
        }
    }
}

/// Methods that give a field with presence, or its default.
fn accessors(model: &Model<'_>, message: &Message<'_>, code: &mut Code) {
    let place = model.message_place(message.view.id());
    let with_default: Vec<_> = message
        .fields
        .iter()
        .filter(|field| matches!(field.shape, Shape::Explicit | Shape::Required) && !field.kind.is_message())
        .collect();
    if with_default.is_empty() {
        return;
    }
    let idents: Vec<&str> = with_default.iter().map(|field| field.ident.as_str()).collect();
    code.gap();
    code.block(format!("impl {} {{", place.name), "}", |code| {
        for field in with_default {
            let ident = &field.ident;
            let method = accessor_name(ident, &idents);
            let default = message.table.fields()[field.index].default_value();
            let value = scalar_default(default);
            code.gap();
            code.line(format!("/// `{}`, or its default.", field.view.name()));
            let body = match field.kind {
                Kind::String => {
                    let text = value.unwrap_or_else(|| "\"\"".into());
                    ("&str".to_owned(), format!("self.{ident}.as_deref().unwrap_or({text})"))
                }
                Kind::Bytes => {
                    let bytes = value.unwrap_or_else(|| "b\"\"".into());
                    ("&[u8]".to_owned(), format!("self.{ident}.as_deref().unwrap_or({bytes})"))
                }
                Kind::Enum => {
                    let ty = model.value_type(&field.view, field.kind, Flavor::Owned, &place.modules);
                    let body = match default {
                        DefaultValue::Enum(number) => {
                            let value = super::enumeration::value_name(&field.view, *number);
                            format!("self.{ident}.unwrap_or({ty}::{value})")
                        }
                        _ => format!("self.{ident}.unwrap_or_default()"),
                    };
                    (ty, body)
                }
                _ => {
                    let ty = model.value_type(&field.view, field.kind, Flavor::Owned, &place.modules);
                    let body = match value {
                        Some(value) => format!("self.{ident}.unwrap_or({value})"),
                        None => format!("self.{ident}.unwrap_or_default()"),
                    };
                    (ty, body)
                }
            };
            code.block(format!("pub fn {method}(&self) -> {} {{", body.0), "}", |code| code.line(body.1));
        }
    });
}

/// Functions that every message has; a method of the same name would hide them.
const EVERY_MESSAGE: &[&str] = &[
    "as_reflect",
    "clone",
    "decode",
    "decode_bytes",
    "decode_delimited",
    "default",
    "encode_delimited",
    "encode_into",
    "encode_into_bytes",
    "encode_to_bytes",
    "encode_to_vec",
    "encoded_len",
    "eq",
    "extension",
    "fmt",
    "merge",
    "message_table",
    "set_extension",
    "clear_extension",
    "has_extension",
];

/// The name of a field's method.
fn accessor_name(ident: &str, idents: &[&str]) -> String {
    let mut name = ident.to_owned();
    while EVERY_MESSAGE.contains(&name.as_str()) || (name != ident && idents.contains(&name.as_str())) {
        name.push('_');
    }
    name
}

fn scalar_default(value: &DefaultValue) -> Option<String> {
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

/// The name of the table of a map's entry.
fn entry_name(field: &Field<'_>) -> String {
    format!("{}_ENTRY", field.ident.trim_start_matches("r#").to_uppercase())
}

/// The table of a field; `from` is the module that it is written in.
pub(super) fn field_table(
    model: &Model<'_>,
    entry_of: &str,
    field: &dunlin_protobuf::table::FieldTable,
    view: &dunlin_protobuf::pool::FieldView<'_>,
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
    if field.is_group_like() {
        out += ".group_like()";
    }
    if field.is_extension() {
        out += ".extension()";
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

fn table(model: &Model<'_>, message: &Message<'_>, code: &mut Code) {
    let from = &model.message_place(message.view.id()).modules;
    let table = &message.table;
    for field in message.fields.iter().filter(|field| field.shape == Shape::Map) {
        let FieldKind::Message(entry_view) = field.view.kind() else { continue };
        let entry_table = model.pool.message(&entry_view.full_name()).expect("the pool has all its messages");
        let name = entry_name(field);
        let parts = entry(&field.view);
        code.block(format!("static {name}_FIELDS: [FieldTable; 2] = ["), "];", |code| {
            for (field, view) in entry_table.fields().iter().zip([parts.0, parts.1]) {
                code.line(format!("{},", field_table(model, "", field, &view, from)));
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
            code.line(format!("{},", field_table(model, &entry_name(field), entry, &field.view, from)));
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

fn implementation(model: &Model<'_>, message: &Message<'_>, flavor: Flavor, code: &mut Code) {
    let place = model.message_place(message.view.id());
    let from = &place.modules;
    let owned = model.path(place, &place.name, from);
    let (ty, anonymous) = match (&place.view, flavor) {
        (Some(_), Flavor::View) => {
            let ty = model.message_path(message.view.id(), Flavor::View, from);
            (ty.clone(), ty.replace("<'a>", "<'_>"))
        }
        _ => (owned.clone(), owned.clone()),
    };
    code.gap();
    if flavor == Flavor::Owned {
        code.block(format!("impl Message for {ty} {{"), "}", |code| {
            code.line(format!("const FULL_NAME: &'static str = {};", literal(message.table.full_name())));
            let view = model.message_path(message.view.id(), Flavor::View, from);
            code.line(format!("type View<'a> = {view};"));
            code.block("fn message_table() -> &'static MessageTable {", "}", |code| code.line("&TABLE"));
        });
        code.gap();
    }
    if flavor == Flavor::View || place.view.is_none() {
        code.block(format!("impl<'a> View<'a> for {ty} {{"), "}", |code| {
            code.line(format!("type Owned = {owned};"));
        });
        code.gap();
    }
    if flavor == Flavor::Owned {
        walk(model, message, &ty, code);
        code.gap();
    }
    code.block(format!("impl Reflect for {anonymous} {{"), "}", |code| {
        code.block("fn table(&self) -> TableRef {", "}", |code| code.line("TableRef::Static(&TABLE)"));
        code.line("#[inline]");
        if message.fields.is_empty() {
            code.block("fn slot_ref(&self, _: usize) -> SlotRef<'_> {", "}", |code| {
                code.line("SlotRef::Absent")
            });
        } else {
            code.block("fn slot_ref(&self, index: usize) -> SlotRef<'_> {", "}", |code| {
                code.block("match index {", "}", |code| {
                    for field in &message.fields {
                        code.line(format!("{} => {},", field.index, slot_ref(model, message, field, flavor)));
                    }
                    code.line("_ => SlotRef::Absent,");
                });
            });
        }
        code.block("fn unknown_fields(&self) -> &UnknownFields {", "}", |code| {
            code.line(format!("&self.{}", message.unknown));
        });
        if flavor == Flavor::Owned {
            code.block("fn measure(&self, out: &mut Measure) {", "}", |code| code.line("walk(self, out);"));
            code.block("fn write(&self, out: &mut Writer<'_, '_>) {", "}", |code| {
                code.line("walk(self, out);")
            });
        }
    });
    code.gap();
    code.block(format!("impl<'a> Fields<'a> for {ty} {{"), "}", |code| {
        code.line("#[inline(always)]");
        let index = if message.fields.is_empty() { "_" } else { "index" };
        let signature = format!("fn slot<'s>(&'s mut self, {index}: usize) -> Slot<'s, 'a> where 'a: 's {{");
        code.block(signature, "}", |code| {
            let none = "unreachable!(\"the table has no more fields\")";
            if message.fields.is_empty() {
                return code.line(none);
            }
            code.block("match index {", "}", |code| {
                for field in &message.fields {
                    code.line(format!("{} => {},", field.index, slot(model, message, field, flavor)));
                }
                code.line(format!("_ => {none},"));
            });
        });
        let oneof = if message.oneofs.is_empty() { "_" } else { "oneof" };
        code.block(format!("fn clear_oneof(&mut self, {oneof}: usize) {{"), "}", |code| {
            if message.oneofs.is_empty() {
                return;
            }
            code.block("match oneof {", "}", |code| {
                for (index, oneof) in message.oneofs.iter().enumerate() {
                    code.line(format!("{index} => self.{} = None,", oneof.ident));
                }
                code.line("_ => {}");
            });
        });
        code.block("fn unknown_fields_mut(&mut self) -> &mut UnknownFields {", "}", |code| {
            code.line(format!("&mut self.{}", message.unknown));
        });
        code.block(
            "fn merge_fields(&mut self, buf: &'a [u8], pos: usize, group: u32, cx: &mut Context<'_>) -> Result<usize, DecodeError> {",
            "}",
            |code| code.line("merge(self, &TABLE, buf, pos, group, cx)"),
        );
        code.block("fn as_reflect(&self) -> &dyn Reflect {", "}", |code| code.line("self"));
    });
}

/// The part of a slot's name that says the type in Rust.
fn slot_name(kind: Kind, flavor: Flavor) -> &'static str {
    match kind {
        Kind::Bool => "Bool",
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => "I32",
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => "I64",
        Kind::Uint32 | Kind::Fixed32 => "U32",
        Kind::Uint64 | Kind::Fixed64 => "U64",
        Kind::Float => "F32",
        Kind::Double => "F64",
        Kind::String if flavor == Flavor::View => "Str",
        Kind::String => "String",
        Kind::Bytes if flavor == Flavor::View => "Slice",
        Kind::Bytes => "Bytes",
        Kind::Enum => "Enum",
        Kind::Message | Kind::Group => "Message",
    }
}

fn list_name(kind: Kind, flavor: Flavor) -> String {
    match slot_name(kind, flavor) {
        "Bytes" => "BytesList".into(),
        name => format!("{name}s"),
    }
}

fn oneof_member(
    model: &Model<'_>,
    message: &Message<'_>,
    index: u16,
    field: &Field<'_>,
    flavor: Flavor,
) -> String {
    let oneof = &message.oneofs[usize::from(index)];
    format!("{}::{}", model.oneof_path(message, oneof, flavor), field.ident)
}

fn is_open(field: &Field<'_>) -> bool {
    matches!(field.view.kind(), FieldKind::Enum(e) if !e.is_closed())
}

fn slot(model: &Model<'_>, message: &Message<'_>, field: &Field<'_>, flavor: Flavor) -> String {
    let ident = &field.ident;
    let name = slot_name(field.kind, flavor);
    match field.shape {
        Shape::Map => format!("Slot::Map(&mut self.{ident})"),
        Shape::Repeated | Shape::Packed => {
            format!("Slot::{}(&mut self.{ident})", list_name(field.kind, flavor))
        }
        Shape::Oneof(oneof) => {
            let member = oneof_member(model, message, oneof, field, flavor);
            let place = format!("select!(self.{}, {member})", message.oneofs[usize::from(oneof)].ident);
            match field.kind {
                Kind::Message | Kind::Group => format!("Slot::Present({place})"),
                Kind::Enum if is_open(field) => format!("Slot::I32(&mut {place}.0)"),
                _ => format!("Slot::{name}({place})"),
            }
        }
        Shape::Explicit | Shape::Required => match field.kind {
            Kind::Message | Kind::Group => format!("Slot::Message(&mut self.{ident})"),
            Kind::Enum => format!("Slot::Enum(&mut self.{ident})"),
            _ => format!("Slot::Opt{name}(&mut self.{ident})"),
        },
        Shape::Implicit => match field.kind {
            Kind::Enum if is_open(field) => format!("Slot::I32(&mut self.{ident}.0)"),
            _ => format!("Slot::{name}(&mut self.{ident})"),
        },
    }
}

/// The part of a slot reference's name.
fn ref_name(kind: Kind) -> &'static str {
    match slot_name(kind, Flavor::Owned) {
        "Str" => "String",
        "Slice" => "Bytes",
        name => name,
    }
}

fn slot_ref(model: &Model<'_>, message: &Message<'_>, field: &Field<'_>, flavor: Flavor) -> String {
    let ident = &field.ident;
    let name = ref_name(field.kind);
    match field.shape {
        Shape::Map => format!("SlotRef::Map(&self.{ident})"),
        Shape::Repeated | Shape::Packed => {
            format!("SlotRef::{}(&self.{ident})", list_name(field.kind, flavor))
        }
        Shape::Oneof(oneof) => {
            let member = oneof_member(model, message, oneof, field, flavor);
            let value = match field.kind {
                Kind::Message | Kind::Group | Kind::String | Kind::Bytes => "v",
                Kind::Enum => "v.number()",
                _ => "*v",
            };
            let oneof = &message.oneofs[usize::from(oneof)].ident;
            format!(
                "match &self.{oneof} {{ Some({member}(v)) => SlotRef::{name}({value}), _ => SlotRef::Absent }}"
            )
        }
        Shape::Explicit | Shape::Required => match field.kind {
            Kind::Message | Kind::Group => format!("SlotRef::opt_message(self.{ident}.as_ref())"),
            Kind::Enum => format!("SlotRef::opt_enum(self.{ident})"),
            Kind::String | Kind::Bytes if flavor == Flavor::Owned => {
                format!("self.{ident}.as_deref().into()")
            }
            _ => format!("self.{ident}.into()"),
        },
        Shape::Implicit => match field.kind {
            Kind::String | Kind::Bytes if flavor == Flavor::Owned => {
                format!("SlotRef::{name}(&self.{ident})")
            }
            Kind::Enum => format!("SlotRef::Enum(self.{ident}.0)"),
            _ => format!("SlotRef::{name}(self.{ident})"),
        },
    }
}

fn walk_kind(kind: Kind) -> String {
    match kind {
        Kind::String => "Str".into(),
        Kind::Message => "Msg".into(),
        Kind::Group => "Grp".into(),
        kind => format!("{kind:?}"),
    }
}

/// The function that shows every field to a walker, in the order of numbers.
fn walk(model: &Model<'_>, message: &Message<'_>, ty: &str, code: &mut Code) {
    code.line("#[inline]");
    code.block(format!("fn walk(message: &{ty}, out: &mut impl Walk) {{"), "}", |code| {
        for field in &message.fields {
            let (number, ident, kind) = (field.number, &field.ident, walk_kind(field.kind));
            match field.shape {
                Shape::Implicit => code.line(format!("out.implicit::<{kind}>({number}, &message.{ident});")),
                Shape::Explicit | Shape::Required => {
                    code.line(format!("out.explicit::<{kind}>({number}, &message.{ident});"));
                }
                Shape::Repeated => code.line(format!("out.repeated::<{kind}>({number}, &message.{ident});")),
                Shape::Packed => code.line(format!("out.packed::<{kind}>({number}, &message.{ident});")),
                Shape::Map => {
                    let (key, value) = entry(&field.view);
                    let (key, value) = (walk_kind(kind_of(&key)), walk_kind(kind_of(&value)));
                    code.line(format!("out.map::<{key}, {value}>({number}, &message.{ident});"));
                }
                Shape::Oneof(oneof) => {
                    let member = oneof_member(model, message, oneof, field, Flavor::Owned);
                    let place = &message.oneofs[usize::from(oneof)].ident;
                    code.block(format!("if let Some({member}(value)) = &message.{place} {{"), "}", |code| {
                        code.line(format!("out.member::<{kind}>({number}, value);"));
                    });
                }
            }
        }
        code.line(format!("out.unknown(&message.{});", message.unknown));
    });
}
