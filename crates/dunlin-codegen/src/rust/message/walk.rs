//! The walk over the fields, which measures and writes a message.

use dunlin_protobuf::table::{Kind, Shape};

use super::slots::oneof_member;
use crate::rust::code::Code;
use crate::rust::model::{Flavor, Message, Model, entry};

/// Whether the code for its fields is so much that a copy of it wherever it is used costs more time to compile than it
/// saves to run.
pub(super) fn is_large(message: &Message<'_>) -> bool {
    message.fields.len() > 8
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
pub(super) fn walk(model: &Model<'_>, message: &Message<'_>, ty: &str, code: &mut Code) {
    if !is_large(message) {
        code.line("#[inline]");
    }
    code.block(format!("fn walk(message: &{ty}, out: &mut impl Walk) {{"), "}", |code| {
        for field in &message.fields {
            let (number, ident) = (field.number, &field.ident);
            let kind = match field.wrapped {
                Some(wrapped) => format!("Wrapped<{}>", walk_kind(wrapped)),
                None => walk_kind(field.kind),
            };
            match field.shape {
                Shape::Implicit => code.line(format!("out.implicit::<{kind}>({number}, &message.{ident});")),
                Shape::Explicit | Shape::Required => {
                    code.line(format!("out.explicit::<{kind}>({number}, &message.{ident});"));
                }
                Shape::Repeated => code.line(format!("out.repeated::<{kind}>({number}, &message.{ident});")),
                Shape::Packed => code.line(format!("out.packed::<{kind}>({number}, &message.{ident});")),
                Shape::Map => {
                    let (key, value) = entry(&field.view);
                    let [key, value] =
                        [key, value].map(|part| walk_kind(model.held_kind(&part, &field.view)));
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
