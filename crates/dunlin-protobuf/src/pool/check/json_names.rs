//! ProtoJSON names have to be unique within a message.

use alloc::format;
use alloc::string::String;

use crate::pool::HashMap;

use super::Check;
use crate::descriptor::{DescriptorProto, FieldDescriptorProto, JsonFormat};
use crate::names::json_name;
use crate::pool::table::join;

#[derive(Clone, Copy, PartialEq)]
enum Names {
    Default,
    Effective,
}

impl Check<'_> {
    pub(super) fn json_names(&mut self, index: u32, proto: &DescriptorProto) {
        let off = proto.options.as_deref().and_then(|o| o.deprecated_legacy_json_field_conflicts);
        if off == Some(true) {
            return;
        }
        // With and without custom names: field masks, for one, do not use custom names.
        self.unique_json_names(index, proto, Names::Default);
        if proto.field.iter().any(|f| f.json_name.is_some()) {
            self.unique_json_names(index, proto, Names::Effective);
        }
    }

    fn unique_json_names(&mut self, index: u32, proto: &DescriptorProto, which: Names) {
        let file = self.file;
        let best_effort =
            file.messages[index as usize].features.json_format == JsonFormat::LEGACY_BEST_EFFORT;
        let mut seen: HashMap<String, (usize, bool)> =
            HashMap::with_capacity_and_hasher(proto.field.len(), Default::default());
        for (position, field) in proto.field.iter().enumerate() {
            let (name, custom) = effective(field, which);
            let place = |position: usize, custom: bool| {
                join(file.message_path(index), &[2, position as i32, if custom { 10 } else { 1 }])
            };
            if custom && name.starts_with('[') && name.ends_with(']') {
                self.error(
                    "json-name-like-extension",
                    place(position, true),
                    format!("JSON name \"{name}\" looks like the name of an extension: it starts with '[' and ends with ']'"),
                );
                continue;
            }
            let Some(&(other, other_custom)) = seen.get(&name) else {
                seen.insert(name, (position, custom));
                continue;
            };
            if which == Names::Effective && !custom && !other_custom {
                continue; // reported by the pass over default names
            }
            let kind = |custom| if custom { "custom" } else { "default" };
            let names = [position, other].map(|p| proto.field[p].name.as_deref().unwrap_or_default());
            let message = format!(
                "{} JSON name \"{name}\" of field \"{}\" is the same as the {} JSON name of field \"{}\"",
                kind(custom),
                names[0],
                kind(other_custom),
                names[1],
            );
            let at = place(position, custom);
            if best_effort && !(custom && other_custom) {
                self.warning("json-name-conflict", at, message);
            } else {
                let (id, related) = (self.id, place(other, other_custom));
                let fault = self.error("json-name-conflict", at, message);
                fault.related.push((id, related, "the other field".into()));
            }
        }
    }
}

fn effective(field: &FieldDescriptorProto, which: Names) -> (String, bool) {
    let default = json_name(field.name.as_deref().unwrap_or_default());
    match &field.json_name {
        Some(custom) if which == Names::Effective && *custom != default => (custom.clone(), true),
        _ => (default, false),
    }
}
