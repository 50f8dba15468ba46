//! Messages, and what is in them.

use dunlin_protobuf::descriptor::{DescriptorProto, FieldDescriptorProto, Type};

use super::Printer;
use super::options::Setting;
use super::order::{Key, Ranked, sorted};

/// A part of a message.
#[derive(Clone, Debug)]
pub(super) enum Part {
    Option(Setting),
    ReservedRange(usize),
    ReservedName(usize),
    ExtensionRange(usize),
    Field(usize),
    Message(usize),
    Enum(usize),
    Extension(usize),
}

/// A path with one more step.
pub(super) fn child(path: &[i32], step: i32, index: usize) -> Vec<i32> {
    let mut path = path.to_vec();
    path.extend([step, index as i32]);
    path
}

/// The last part of a full name.
pub(super) fn last(full: &str) -> &str {
    full.rsplit('.').next().unwrap_or(full)
}

pub(super) fn join(scope: &str, name: &Option<String>) -> String {
    let name = name.as_deref().unwrap_or_default();
    if scope.is_empty() { name.to_owned() } else { format!("{scope}.{name}") }
}

impl<'p> Printer<'p> {
    /// The message at a path.
    pub(super) fn message_of(&self, path: &[i32]) -> Option<&'p DescriptorProto> {
        let mut steps = path.chunks_exact(2);
        let mut at = self.proto.message_type.get(steps.next()?[1] as usize)?;
        for step in steps {
            at = at.nested_type.get(step[1] as usize)?;
        }
        Some(at)
    }

    pub(super) fn message_at(&mut self, path: &[i32], full_name: &str) {
        if let Some(message) = self.message_of(path) {
            self.message(message, path, full_name, 0);
        }
    }

    /// The field that a message is declared with: a map or a group.
    pub(super) fn group_or_map(&self, path: &[i32]) -> Option<Vec<i32>> {
        let parent_path = path.get(..path.len().checked_sub(2)?).filter(|path| !path.is_empty())?;
        let parent = self.message_of(parent_path)?;
        let message = self.message_of(path)?;
        let is_map = is_map_entry(message);
        let is_it = |field: &FieldDescriptorProto| {
            (is_map || field.r#type == Some(Type::TYPE_GROUP))
                && field.type_name.as_deref().map(last) == message.name.as_deref()
        };
        parent.field.iter().position(is_it).map(|index| child(parent_path, 2, index))
    }

    pub(super) fn message(
        &mut self,
        message: &'p DescriptorProto,
        path: &[i32],
        full_name: &str,
        indent: usize,
    ) {
        self.before(path, indent);
        self.out.indent(indent);
        self.out.push(&format!("message {} {{\n", message.name.as_deref().unwrap_or_default()));
        self.behind_brace(path, indent + 1);
        self.message_body(message, path, full_name, indent + 1);
        self.out.indent(indent);
        self.out.push("}\n");
    }

    /// The comments in front of an element.
    pub(super) fn before(&mut self, path: &[i32], indent: usize) {
        let location = self.location(path);
        self.out.leading(location, self.style == super::Style::Source, indent);
    }

    /// The comment behind the brace of an element, and an empty line.
    pub(super) fn behind_brace(&mut self, path: &[i32], indent: usize) {
        let location = self.location(path);
        if self.style == super::Style::Source && self.out.trailing(location, indent) {
            self.out.blank_line();
        }
    }

    pub(super) fn message_body(
        &mut self,
        message: &'p DescriptorProto,
        path: &[i32],
        full_name: &str,
        indent: usize,
    ) {
        let parts = self.parts(message, path, full_name);
        let mut done = vec![false; parts.len()];
        for at in 0..parts.len() {
            if done[at] || self.is_part_of_a_field(message, path, &parts[at]) {
                continue;
            }
            if at > 0 {
                self.gap();
            }
            self.part(message, path, full_name, &parts, at, &mut done, indent);
        }
    }

    fn parts(&self, message: &'p DescriptorProto, path: &[i32], full_name: &str) -> Vec<Part> {
        let mut parts = Vec::new();
        let span = |step: i32, index: usize| {
            self.location(&child(path, step, index)).map(|location| location.span.clone())
        };
        let mut options_path = path.to_vec();
        options_path.push(7);
        for setting in self.options(message.options.as_deref(), "MessageOptions", full_name) {
            let span = self.option_span(&options_path, &setting);
            parts.push(Ranked::option(Part::Option(setting.clone()), &setting, span));
        }
        let number = |number: Option<i32>| Key::Number(i64::from(number.unwrap_or_default()));
        let name = |name: &Option<String>| Key::Name(name.clone().unwrap_or_default());
        for (at, range) in message.reserved_range.iter().enumerate() {
            parts.push(Ranked::new(Part::ReservedRange(at), 9, number(range.start), span(9, at)));
        }
        for (at, reserved) in message.reserved_name.iter().enumerate() {
            parts.push(Ranked::new(Part::ReservedName(at), 10, Key::Name(reserved.clone()), span(10, at)));
        }
        for (at, range) in message.extension_range.iter().enumerate() {
            parts.push(Ranked::new(Part::ExtensionRange(at), 5, number(range.start), span(5, at)));
        }
        for (at, field) in message.field.iter().enumerate() {
            parts.push(Ranked::new(Part::Field(at), 2, number(field.number), span(2, at)));
        }
        for (at, nested) in message.nested_type.iter().enumerate() {
            parts.push(Ranked::new(Part::Message(at), 3, name(&nested.name), span(3, at)));
        }
        for (at, declared) in message.enum_type.iter().enumerate() {
            parts.push(Ranked::new(Part::Enum(at), 4, name(&declared.name), span(4, at)));
        }
        for (at, extension) in message.extension.iter().enumerate() {
            let key = extension_key(extension);
            parts.push(Ranked::new(Part::Extension(at), 6, key, span(6, at)));
        }
        sorted(parts, self.style)
    }

    /// Messages of maps and groups are printed with their fields.
    fn is_part_of_a_field(&self, message: &DescriptorProto, path: &[i32], part: &Part) -> bool {
        let Part::Message(at) = part else { return false };
        let nested = &message.nested_type[*at];
        let is_group_of = |field: &FieldDescriptorProto| {
            field.r#type == Some(Type::TYPE_GROUP)
                && field.type_name.as_deref().map(last) == nested.name.as_deref()
        };
        is_map_entry(nested)
            || self.group_or_map(&child(path, 3, *at)).is_some()
            || message.extension.iter().any(is_group_of)
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one loop")]
    fn part(
        &mut self,
        message: &'p DescriptorProto,
        path: &[i32],
        full_name: &str,
        parts: &[Part],
        at: usize,
        done: &mut [bool],
        indent: usize,
    ) {
        match &parts[at] {
            Part::Option(setting) => {
                let mut path = path.to_vec();
                path.push(7);
                self.long_option(setting, &path, indent);
            }
            Part::Field(index) => {
                let field = &message.field[*index];
                match real_oneof(field) {
                    None => self.field(field, &child(path, 2, *index), full_name, indent),
                    Some(oneof) => {
                        let mut members = Vec::new();
                        for (other, part) in parts.iter().enumerate().skip(at) {
                            if let Part::Field(index) = part
                                && message.field[*index].oneof_index == Some(oneof)
                            {
                                members.push(*index);
                                done[other] = true;
                            }
                        }
                        self.oneof(message, path, full_name, oneof as usize, &members, indent);
                    }
                }
            }
            Part::Message(index) => {
                let nested = &message.nested_type[*index];
                self.message(nested, &child(path, 3, *index), &join(full_name, &nested.name), indent);
            }
            Part::Enum(index) => {
                let declared = &message.enum_type[*index];
                self.enumeration(declared, &child(path, 4, *index), &join(full_name, &declared.name), indent);
            }
            Part::Extension(_) => {
                let indexes: Vec<(usize, usize)> = parts
                    .iter()
                    .enumerate()
                    .skip(at)
                    .filter_map(|(other, part)| match part {
                        Part::Extension(index) => Some((other, *index)),
                        _ => None,
                    })
                    .collect();
                let mut ext_path = path.to_vec();
                ext_path.push(6);
                let printed = self.extend_block(&message.extension, &ext_path, full_name, &indexes, indent);
                printed.into_iter().for_each(|other| done[other] = true);
            }
            Part::ExtensionRange(first) => {
                let mut indexes = vec![*first];
                for (other, part) in parts.iter().enumerate().skip(at + 1) {
                    let Part::ExtensionRange(index) = part else { break };
                    if message.extension_range[*index].options != message.extension_range[*first].options {
                        break;
                    }
                    indexes.push(*index);
                    done[other] = true;
                }
                self.extension_ranges(message, path, full_name, &indexes, indent);
            }
            Part::ReservedRange(first) => {
                let mut ranges = Vec::new();
                let range = |index: usize| {
                    let range = &message.reserved_range[index];
                    (range.start.unwrap_or_default(), range.end.unwrap_or_default() - 1)
                };
                ranges.push(range(*first));
                for (other, part) in parts.iter().enumerate().skip(at + 1) {
                    let Part::ReservedRange(index) = part else { break };
                    ranges.push(range(*index));
                    done[other] = true;
                }
                self.reserved_ranges(&ranges, super::ranges::max_number(message), indent);
            }
            Part::ReservedName(first) => {
                let mut names = vec![message.reserved_name[*first].as_str()];
                for (other, part) in parts.iter().enumerate().skip(at + 1) {
                    let Part::ReservedName(index) = part else { break };
                    names.push(&message.reserved_name[*index]);
                    done[other] = true;
                }
                self.reserved_names(&names, indent);
            }
        }
    }

    /// A oneof with these fields.
    pub(super) fn oneof(
        &mut self,
        message: &'p DescriptorProto,
        path: &[i32],
        full_name: &str,
        index: usize,
        members: &[usize],
        indent: usize,
    ) {
        let Some(oneof) = message.oneof_decl.get(index) else { return };
        let own_path = child(path, 8, index);
        self.before(&own_path, indent);
        self.out.indent(indent);
        self.out.push(&format!("oneof {} {{\n", oneof.name.as_deref().unwrap_or_default()));
        self.behind_brace(&own_path, indent + 1);
        let mut options_path = own_path.clone();
        options_path.push(2);
        let scope = join(full_name, &oneof.name);
        let mut parts = Vec::new();
        for setting in self.options(oneof.options.as_deref(), "OneofOptions", &scope) {
            let span = self.option_span(&options_path, &setting);
            parts.push(Ranked::option(Part::Option(setting.clone()), &setting, span));
        }
        for &member in members {
            let number = i64::from(message.field[member].number.unwrap_or_default());
            let span = self.location(&child(path, 2, member)).map(|location| location.span.clone());
            parts.push(Ranked::new(Part::Field(member), 2, Key::Number(number), span));
        }
        for (at, part) in sorted(parts, self.style).into_iter().enumerate() {
            if at > 0 {
                self.gap();
            }
            match part {
                Part::Option(setting) => self.long_option(&setting, &options_path, indent + 1),
                Part::Field(member) => {
                    self.field(&message.field[member], &child(path, 2, member), full_name, indent + 1);
                }
                _ => {}
            }
        }
        self.out.indent(indent);
        self.out.push("}\n");
    }

    pub(super) fn oneof_at(&mut self, path: &[i32], scope: &str) {
        let (parent, own) = path.split_at(path.len() - 2);
        let Some(message) = self.message_of(parent) else { return };
        // Alone, it has no comments: they are for the message that they stand in.
        self.locations.clear();
        let members: Vec<usize> =
            (0..message.field.len()).filter(|at| message.field[*at].oneof_index == Some(own[1])).collect();
        self.oneof(message, parent, scope, own[1] as usize, &members, 0);
    }
}

pub(super) fn extension_key(extension: &FieldDescriptorProto) -> Key {
    Key::Extension {
        of: extension.extendee.clone().unwrap_or_default(),
        number: extension.number.unwrap_or_default(),
    }
}

pub(super) fn is_map_entry(message: &DescriptorProto) -> bool {
    message.options.as_deref().is_some_and(|options| options.map_entry == Some(true))
}

/// The oneof that a field is a member of, unless it only stands for presence.
pub(super) fn real_oneof(field: &FieldDescriptorProto) -> Option<i32> {
    field.oneof_index.filter(|_| field.proto3_optional != Some(true))
}
