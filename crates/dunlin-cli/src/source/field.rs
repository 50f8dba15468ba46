//! Fields and extensions.

use dunlin_protobuf::descriptor::{Edition, FieldDescriptorProto, Label, Type};
use dunlin_protobuf::names::json_name;
use dunlin_protobuf::table::DefaultValue;

use super::literal::{decimal, quoted};
use super::message::{child, is_map_entry, last, real_oneof};
use super::names::Keep;
use super::options::{Setting, sort};
use super::{Printer, Style};
use crate::online::output::quoted_bytes;

impl<'p> Printer<'p> {
    fn is_proto2(&self) -> bool {
        matches!(self.proto.syntax.as_deref(), None | Some("" | "proto2")) && self.proto.edition.is_none()
    }

    /// Whether names that are reserved stand in quotes.
    pub(super) fn quotes_reserved_names(&self) -> bool {
        self.proto.edition.is_none_or(|edition| edition < Edition::EDITION_2023)
    }

    /// The field at a path.
    pub(super) fn field_at(&mut self, path: &[i32], scope: &str) {
        let (parent, own) = path.split_at(path.len() - 2);
        if let Some(field) = self.message_of(parent).and_then(|message| message.field.get(own[1] as usize)) {
            self.field(field, path, scope, 0);
        }
    }

    /// The extension at a path, in its block.
    pub(super) fn extension_at(&mut self, path: &[i32], scope: &str) {
        let (parent, own) = path.split_at(path.len() - 2);
        let list = match self.message_of(parent) {
            Some(message) => &message.extension,
            None => &self.proto.extension,
        };
        let Some(field) = list.get(own[1] as usize) else { return };
        let extendee = self.name(&self.extendee(field, path), scope, Keep::Needed);
        self.out.push(&format!("extend {extendee} {{\n"));
        self.field(field, path, scope, 1);
        self.out.push("}\n");
    }

    pub(super) fn field(
        &mut self,
        field: &'p FieldDescriptorProto,
        path: &[i32],
        scope: &str,
        indent: usize,
    ) {
        let group = self.group_path(field, path);
        // A group has its comments where its message is.
        let own_path = group.clone().unwrap_or_else(|| path.to_vec());
        self.before(&own_path, indent);
        self.out.indent(indent);
        let is_map = self.map_types(field, path).is_some();
        let in_oneof = real_oneof(field).is_some();
        let is_optional = !matches!(field.label, Some(Label::LABEL_REPEATED | Label::LABEL_REQUIRED));
        let has_label =
            field.proto3_optional == Some(true) || !is_map && !in_oneof && (!is_optional || self.is_proto2());
        if has_label {
            self.out.push(match field.label {
                Some(Label::LABEL_REPEATED) => "repeated ",
                Some(Label::LABEL_REQUIRED) => "required ",
                _ => "optional ",
            });
        }
        let type_text = self.type_text(field, path, scope);
        if group.is_some() {
            self.out.push(&format!("group {type_text}"));
        } else {
            self.out.push(&format!("{type_text} {}", field.name.as_deref().unwrap_or_default()));
        }
        self.out.push(&format!(" = {}", field.number.unwrap_or_default()));
        let mut options_path = path.to_vec();
        options_path.push(8);
        let settings = self.in_order(self.field_options(field, path, scope), &options_path);
        self.short_options(&settings, indent);
        let Some(group) = group else {
            self.out.push(";");
            if self.style == Style::Source {
                let location = self.location(path);
                self.out.trailing(location, indent);
            }
            self.out.end_line();
            return;
        };
        self.out.push(" {\n");
        self.behind_brace(&group, indent + 1);
        if let Some(message) = self.message_of(&group) {
            let full_name = self.type_name(field, path);
            self.message_body(message, &group, &full_name, indent + 1);
        }
        self.out.indent(indent);
        self.out.push("}\n");
    }

    /// The path of a group's message, which lies beside the field.
    fn group_path(&self, field: &FieldDescriptorProto, path: &[i32]) -> Option<Vec<i32>> {
        if field.r#type != Some(Type::TYPE_GROUP) {
            return None;
        }
        let parent = &path[..path.len() - 2];
        let (list, step) = match self.message_of(parent) {
            Some(message) => (&message.nested_type, 3),
            None => (&self.proto.message_type, 4),
        };
        let name = field.type_name.as_deref().map(last);
        list.iter().position(|message| message.name.as_deref() == name).map(|at| child(parent, step, at))
    }

    /// Key and value of a map field.
    fn map_types(
        &self,
        field: &FieldDescriptorProto,
        path: &[i32],
    ) -> Option<(&'p FieldDescriptorProto, &'p FieldDescriptorProto)> {
        if field.label != Some(Label::LABEL_REPEATED) || field.r#type != Some(Type::TYPE_MESSAGE) {
            return None;
        }
        let message = self.message_of(&path[..path.len() - 2])?;
        let name = last(field.type_name.as_deref()?);
        let entry = message
            .nested_type
            .iter()
            .find(|nested| nested.name.as_deref() == Some(name) && is_map_entry(nested))?;
        Some((entry.field.first()?, entry.field.get(1)?))
    }

    fn type_text(&self, field: &FieldDescriptorProto, path: &[i32], scope: &str) -> String {
        if let Some((key, value)) = self.map_types(field, path) {
            let entry = self.map_entry_path(field, path).unwrap_or_default();
            let value_type = self.plain_type(value, &child(&entry, 2, 1), scope);
            return format!("map<{}, {value_type}>", self.plain_type(key, &[], scope));
        }
        self.plain_type(field, path, scope)
    }

    fn map_entry_path(&self, field: &FieldDescriptorProto, path: &[i32]) -> Option<Vec<i32>> {
        let parent = &path[..path.len() - 2];
        let name = last(field.type_name.as_deref()?);
        let nested = &self.message_of(parent)?.nested_type;
        let at = nested.iter().position(|nested| nested.name.as_deref() == Some(name))?;
        Some(child(parent, 3, at))
    }

    /// The full name of a field's type. Some servers have names in descriptors that have to be looked up.
    fn type_name(&self, field: &FieldDescriptorProto, path: &[i32]) -> String {
        let given = field.type_name.as_deref().unwrap_or_default();
        let resolved = || self.view.fields().find(|view| view.path() == path)?.type_name();
        match given.strip_prefix('.') {
            Some(full) => full.to_owned(),
            None => resolved().unwrap_or_else(|| given.to_owned()),
        }
    }

    /// The full name of the message that an extension is for.
    fn extendee(&self, field: &FieldDescriptorProto, path: &[i32]) -> String {
        let given = field.extendee.as_deref().unwrap_or_default();
        let resolved = || {
            let view = self.view.fields().find(|view| view.path() == path)?;
            Some(view.containing_message()?.full_name())
        };
        match given.strip_prefix('.') {
            Some(full) => full.to_owned(),
            None => resolved().unwrap_or_else(|| given.to_owned()),
        }
    }

    fn plain_type(&self, field: &FieldDescriptorProto, path: &[i32], scope: &str) -> String {
        let text = match field.r#type {
            Some(Type::TYPE_DOUBLE) => "double",
            Some(Type::TYPE_FLOAT) => "float",
            Some(Type::TYPE_INT64) => "int64",
            Some(Type::TYPE_UINT64) => "uint64",
            Some(Type::TYPE_INT32) => "int32",
            Some(Type::TYPE_FIXED64) => "fixed64",
            Some(Type::TYPE_FIXED32) => "fixed32",
            Some(Type::TYPE_BOOL) => "bool",
            Some(Type::TYPE_STRING) => "string",
            Some(Type::TYPE_BYTES) => "bytes",
            Some(Type::TYPE_UINT32) => "uint32",
            Some(Type::TYPE_SFIXED32) => "sfixed32",
            Some(Type::TYPE_SFIXED64) => "sfixed64",
            Some(Type::TYPE_SINT32) => "sint32",
            Some(Type::TYPE_SINT64) => "sint64",
            Some(Type::TYPE_GROUP) => last(field.type_name.as_deref().unwrap_or_default()),
            _ => return self.name(&self.type_name(field, path), scope, Keep::Needed),
        };
        text.to_owned()
    }

    /// Options, and what is written like one: the default and the name in JSON.
    fn field_options(&self, field: &FieldDescriptorProto, path: &[i32], scope: &str) -> Vec<Setting> {
        let name = field.name.as_deref().unwrap_or_default();
        let own_scope = format!("{scope}.{name}");
        let mut settings = self.options(field.options.as_deref(), "FieldOptions", &own_scope);
        if let Some(text) = &field.default_value {
            settings.push(Setting::new("default", self.default_text(field, path, text), -7));
        }
        if let Some(given) = field.json_name.as_deref().filter(|given| *given != json_name(name)) {
            settings.push(Setting::new("json_name", quoted(given), -10));
        }
        sort(&mut settings);
        settings
    }

    fn default_text(&self, field: &FieldDescriptorProto, path: &[i32], text: &[u8]) -> String {
        let plain = String::from_utf8_lossy(text).into_owned();
        match field.r#type {
            Some(Type::TYPE_STRING) => quoted(&plain),
            Some(Type::TYPE_FLOAT | Type::TYPE_DOUBLE) => match plain.as_str() {
                "inf" => decimal(f64::INFINITY),
                "-inf" => decimal(f64::NEG_INFINITY),
                "nan" => decimal(f64::NAN),
                number => match number.parse() {
                    Ok(value) => decimal(value),
                    Err(_) => plain,
                },
            },
            Some(Type::TYPE_BYTES) => {
                // Escaped in the descriptor; the pool knows what that means.
                let view = self.view.fields().find(|view| view.path() == path);
                match view.map(|view| view.default_value()) {
                    Some(DefaultValue::Bytes(bytes)) => quoted_bytes(&bytes),
                    _ => format!("\"{plain}\""),
                }
            }
            _ => plain,
        }
    }

    /// A block of extensions: those of the list that stand in one block with the first, or extend the same
    /// message. The list has positions among the parts around, and in `extensions`; gives the former.
    pub(super) fn extend_block(
        &mut self,
        extensions: &'p [FieldDescriptorProto],
        path: &[i32],
        scope: &str,
        indexes: &[(usize, usize)],
        indent: usize,
    ) -> Vec<usize> {
        let Some(&(_, first)) = indexes.first() else { return Vec::new() };
        let block_of = |index: usize| self.block_of(path, index);
        let block = block_of(first);
        let extendee = extensions[first].extendee.clone();
        let members: Vec<(usize, usize)> = indexes
            .iter()
            .copied()
            .filter(|(_, index)| extensions[*index].extendee == extendee && block_of(*index) == block)
            .collect();
        let info = self.proto.source_code_info.as_deref();
        let location = block.and_then(|at| info?.location.get(at));
        self.out.leading(location, self.style == Style::Source, indent);
        self.out.indent(indent);
        let mut first_path = path.to_vec();
        first_path.push(first as i32);
        let name = self.name(&self.extendee(&extensions[first], &first_path), scope, Keep::Needed);
        self.out.push(&format!("extend {name} {{\n"));
        if self.style == Style::Source && self.out.trailing(location, indent + 1) {
            self.out.blank_line();
        }
        for (at, (_, index)) in members.iter().enumerate() {
            if at > 0 {
                self.gap();
            }
            let mut field_path = path.to_vec();
            field_path.push(*index as i32);
            self.field(&extensions[*index], &field_path, scope, indent + 1);
        }
        self.out.indent(indent);
        self.out.push("}\n");
        members.into_iter().map(|(part, _)| part).collect()
    }

    /// The location of the `extend` block around an extension.
    fn block_of(&self, path: &[i32], index: usize) -> Option<usize> {
        let mut own = path.to_vec();
        own.push(index as i32);
        let span = &self.location(&own)?.span;
        let info = self.proto.source_code_info.as_deref()?;
        info.location.iter().position(|block| block.path == path && is_within(span, &block.span))
    }
}

fn is_within(span: &[i32], block: &[i32]) -> bool {
    let start = |span: &[i32]| Some((*span.first()?, *span.get(1)?));
    let end = |span: &[i32]| match span {
        [line, _, column] => Some((*line, *column)),
        [_, _, line, column] => Some((*line, *column)),
        _ => None,
    };
    start(span) >= start(block) && end(span) <= end(block)
}
