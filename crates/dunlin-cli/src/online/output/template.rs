//! A message with one of everything in it, to be filled in.

use std::sync::Arc;

use dunlin_protobuf::descriptor::Type;
use dunlin_protobuf::dynamic::{DynamicMessage, DynamicPool};
use dunlin_protobuf::json::DecodeOptions;
use dunlin_protobuf::pool::{FieldKind, FieldView, MessageId, MessageView};

use super::json::string;
use crate::online::schema::Types;

/// Types that contain many others, which contain many others, end somewhere.
const MOST_MESSAGES: usize = 2_000;

/// A message of this type where lists and maps have one element and messages are there.
pub(crate) fn template(pool: &Arc<DynamicPool>, name: &str, types: &Types) -> Option<DynamicMessage> {
    let view = pool.descriptors().message(name)?;
    let mut filler = Filler { path: Vec::new(), messages: 0 };
    let json = filler.message(view);
    let mut message = DynamicMessage::new(pool.message(name)?);
    DecodeOptions::new().registry(&types.registry).merge(&mut message, &json).ok()?;
    Some(message)
}

struct Filler {
    /// The types around, which are not filled again.
    path: Vec<MessageId>,
    messages: usize,
}

impl Filler {
    fn message(&mut self, view: MessageView<'_>) -> String {
        match view.full_name().as_str() {
            "google.protobuf.Any" => {
                return r#"{"@type":"type.googleapis.com/google.protobuf.Empty","value":{}}"#.to_owned();
            }
            "google.protobuf.Value" => {
                return r#"{"google.protobuf.Value":"supports arbitrary JSON"}"#.to_owned();
            }
            "google.protobuf.ListValue" => {
                return r#"[{"google.protobuf.ListValue":"is an array of arbitrary JSON values"}]"#
                    .to_owned();
            }
            "google.protobuf.Struct" => {
                return r#"{"google.protobuf.Struct":"supports arbitrary JSON objects"}"#.to_owned();
            }
            "google.protobuf.Timestamp" => return r#""1970-01-01T00:00:00Z""#.to_owned(),
            "google.protobuf.Duration" => return r#""0s""#.to_owned(),
            "google.protobuf.FieldMask" => return r#""""#.to_owned(),
            name if name.starts_with("google.protobuf.") && name.ends_with("Value") => {
                return view.field("value").map_or("{}".to_owned(), |field| self.value(field));
            }
            _ => {}
        }
        self.messages += 1;
        if self.path.contains(&view.id()) || self.messages > MOST_MESSAGES {
            return "{}".to_owned();
        }
        self.path.push(view.id());
        let mut members: Vec<(Option<u32>, String)> = Vec::new();
        for field in view.fields() {
            let is_message = matches!(field.kind(), FieldKind::Message(_));
            if !field.is_repeated() && !is_message {
                continue;
            }
            let member = format!("{}:{}", string(&field.json_name()), self.field(field));
            let oneof = field.oneof().map(|(id, _)| id);
            // One of a oneof: the last.
            members.retain(|(other, _)| oneof.is_none() || *other != oneof);
            members.push((oneof, member));
        }
        self.path.pop();
        let members: Vec<String> = members.into_iter().map(|(_, member)| member).collect();
        format!("{{{}}}", members.join(","))
    }

    fn field(&mut self, field: FieldView<'_>) -> String {
        match field.kind() {
            FieldKind::Message(entry) if field.is_map() => {
                let mut parts = entry.fields();
                let (Some(key), Some(value)) = (parts.next(), parts.next()) else { return "{}".to_owned() };
                let key = self.value(key);
                let key = if key.starts_with('"') { key } else { format!("\"{key}\"") };
                format!("{{{key}:{}}}", self.value(value))
            }
            _ if field.is_repeated() => format!("[{}]", self.value(field)),
            _ => self.value(field),
        }
    }

    fn value(&mut self, field: FieldView<'_>) -> String {
        match field.kind() {
            FieldKind::Message(inner) => self.message(inner),
            FieldKind::Scalar(Type::TYPE_STRING | Type::TYPE_BYTES) => "\"\"".to_owned(),
            FieldKind::Scalar(Type::TYPE_BOOL) => "false".to_owned(),
            FieldKind::Enum(view) => {
                let first = view.values().next().map_or(0, |value| value.number());
                if view.is_closed() { first.to_string() } else { "0".to_owned() }
            }
            _ => "0".to_owned(),
        }
    }
}
