//! How each member is lent: for writing as a slot, for reading as a slot reference.

use dunlin_protobuf::pool::FieldKind;
use dunlin_protobuf::table::{Kind, Shape};

use crate::rust::model::{Field, Flavor, Message, Model};

/// The part of a slot's name that says the type in Rust.
fn slot_name(field: &Field<'_>, flavor: Flavor) -> &'static str {
    match field.kind {
        Kind::Bool => "Bool",
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => "I32",
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => "I64",
        Kind::Uint32 | Kind::Fixed32 => "U32",
        Kind::Uint64 | Kind::Fixed64 => "U64",
        Kind::Float => "F32",
        Kind::Double => "F64",
        Kind::String if flavor == Flavor::View => "Str",
        Kind::String if field.shared => "Shared",
        Kind::String => "String",
        Kind::Bytes if flavor == Flavor::View => "Slice",
        Kind::Bytes if field.byte_vec => "ByteVec",
        Kind::Bytes => "Bytes",
        Kind::Enum => "Enum",
        Kind::Message | Kind::Group => "Message",
    }
}

fn list_name(field: &Field<'_>, flavor: Flavor) -> String {
    match slot_name(field, flavor) {
        name @ ("Bytes" | "Shared") => format!("{name}List"),
        name => format!("{name}s"),
    }
}

pub(super) fn oneof_member(
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

/// Lends a member for writing.
pub(super) fn slot(model: &Model<'_>, message: &Message<'_>, field: &Field<'_>, flavor: Flavor) -> String {
    let ident = &field.ident;
    let name = slot_name(field, flavor);
    match field.shape {
        Shape::Map => format!("Slot::Map(&mut self.{ident})"),
        Shape::Repeated | Shape::Packed => {
            format!("Slot::{}(&mut self.{ident})", list_name(field, flavor))
        }
        Shape::Oneof(oneof) => {
            let member = oneof_member(model, message, oneof, field, flavor);
            let place = format!("select!(self.{}, {member})", message.oneofs[usize::from(oneof)].ident);
            match field.kind {
                _ if field.wrapped.is_some() => format!("Slot::wrapped({place})"),
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
fn ref_name(field: &Field<'_>) -> &'static str {
    match slot_name(field, Flavor::Owned) {
        "Shared" => "String",
        "ByteVec" => "Bytes",
        name => name,
    }
}

/// Lends a member for reading.
pub(super) fn slot_ref(
    model: &Model<'_>,
    message: &Message<'_>,
    field: &Field<'_>,
    flavor: Flavor,
) -> String {
    let ident = &field.ident;
    let name = ref_name(field);
    match field.shape {
        Shape::Map => format!("SlotRef::Map(&self.{ident})"),
        Shape::Repeated | Shape::Packed => {
            format!("SlotRef::{}(&self.{ident})", list_name(field, flavor))
        }
        Shape::Oneof(oneof) => {
            let member = oneof_member(model, message, oneof, field, flavor);
            let name = if field.wrapped.is_some() { "wrapped" } else { name };
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
            _ if field.wrapped.is_some() => format!("SlotRef::opt_wrapped(self.{ident}.as_ref())"),
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
