//! A message with one of everything in it, to be filled in.

use std::sync::Arc;

use dunlin_protobuf::descriptor::Type;
use dunlin_protobuf::dynamic::{DynamicMessage, DynamicPool};
use dunlin_protobuf::pool::{FieldKind, FieldView, MessageId, MessageView};
use dunlin_protobuf::text::DecodeOptions;

use crate::online::schema::Types;

/// Types that contain many others, which contain many others, end somewhere.
const MOST_MESSAGES: usize = 2_000;

/// A message of this type where lists and maps have one element and messages are there.
pub(crate) fn template(pool: &Arc<DynamicPool>, name: &str, types: &Types) -> Option<DynamicMessage> {
    let view = pool.descriptors().message(name)?;
    let mut filler = Filler { path: Vec::new(), messages: 0 };
    let text = filler.message(view);
    let mut message = DynamicMessage::new(pool.message(name)?);
    DecodeOptions::new().registry(&types.registry).partial().merge(&mut message, &text).ok()?;
    Some(message)
}

struct Filler {
    /// The types around, which are not filled again.
    path: Vec<MessageId>,
    messages: usize,
}

/// What has one form in JSON whatever is in it says so, as text format.
fn filled(name: &str) -> Option<&'static str> {
    Some(match name {
        "Any" => "type_url: 'type.googleapis.com/google.protobuf.Empty'",
        "Value" => {
            "struct_value { fields { key: 'google.protobuf.Value' \
             value { string_value: 'supports arbitrary JSON' } } }"
        }
        "ListValue" => {
            "values { struct_value { fields { key: 'google.protobuf.ListValue' \
             value { string_value: 'is an array of arbitrary JSON values' } } } }"
        }
        "Struct" => {
            "fields { key: 'google.protobuf.Struct' \
             value { string_value: 'supports arbitrary JSON objects' } }"
        }
        _ => return None,
    })
}

impl Filler {
    /// The content of a message, in text format.
    fn message(&mut self, view: MessageView<'_>) -> String {
        let full_name = view.full_name();
        if let Some(text) = full_name.strip_prefix("google.protobuf.").and_then(filled) {
            return text.to_owned();
        }
        self.messages += 1;
        if self.path.contains(&view.id()) || self.messages > MOST_MESSAGES {
            return String::new();
        }
        self.path.push(view.id());
        let mut members: Vec<(Option<u32>, String)> = Vec::new();
        for field in view.fields() {
            let is_message = matches!(field.kind(), FieldKind::Message(_));
            if !field.is_repeated() && !is_message {
                continue;
            }
            let oneof = field.oneof().map(|(id, _)| id);
            // One of a oneof: the last.
            members.retain(|(other, _)| oneof.is_none() || *other != oneof);
            members.push((oneof, self.member(field)));
        }
        self.path.pop();
        members.into_iter().map(|(_, member)| member).collect::<Vec<_>>().join("\n")
    }

    fn member(&mut self, field: FieldView<'_>) -> String {
        let name = match field.kind() {
            FieldKind::Message(message) if field.is_group_like() => message.name(),
            _ => field.name(),
        };
        match field.kind() {
            FieldKind::Message(entry) if field.is_map() => {
                let parts: Vec<String> = entry.fields().map(|part| self.member(part)).collect();
                format!("{name} {{ {} }}", parts.join("\n"))
            }
            FieldKind::Message(inner) => format!("{name} {{ {} }}", self.message(inner)),
            FieldKind::Scalar(Type::TYPE_STRING | Type::TYPE_BYTES) => format!("{name}: ''"),
            FieldKind::Scalar(Type::TYPE_BOOL) => format!("{name}: false"),
            FieldKind::Enum(of) => match of.value_by_number(0).or_else(|| of.values().next()) {
                Some(value) => format!("{name}: {}", value.name()),
                None => String::new(),
            },
            _ => format!("{name}: 0"),
        }
    }
}
