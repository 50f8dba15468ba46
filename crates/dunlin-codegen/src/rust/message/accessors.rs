//! Methods of fields with presence.

use dunlin_protobuf::table::{DefaultValue, Kind, Shape};

use super::table::scalar_default;
use crate::rust::code::{Code, byte_literal, literal};
use crate::rust::enumeration::value_name;
use crate::rust::model::{Flavor, Message, Model};

/// Methods that give a field with presence, or its default.
pub(super) fn accessors(model: &Model<'_>, message: &Message<'_>, code: &mut Code) {
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
                    let text = match default {
                        // A `String` cannot hold any other.
                        DefaultValue::String(text) => literal(text),
                        _ => "\"\"".into(),
                    };
                    ("&str".to_owned(), format!("self.{ident}.as_deref().unwrap_or({text})"))
                }
                Kind::Bytes => {
                    let bytes = match default {
                        DefaultValue::String(text) => byte_literal(text.as_bytes()),
                        _ => value.unwrap_or_else(|| "b\"\"".into()),
                    };
                    ("&[u8]".to_owned(), format!("self.{ident}.as_deref().unwrap_or({bytes})"))
                }
                Kind::Enum => {
                    let ty = model.value_type(&field.view, field.kind, Flavor::Owned, &place.modules);
                    let body = match default {
                        DefaultValue::Enum(number) => {
                            let value = value_name(model, &field.view, *number);
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
