//! Enums.

use dunlin_protobuf::descriptor::{EnumDescriptorProto, EnumValueDescriptorProto};

use super::message::child;
use super::options::Setting;
use super::order::{Key, Ranked, sorted};
use super::{Printer, Style};

enum Part {
    Option(Setting),
    Value(usize),
    ReservedRange(usize),
    ReservedName(usize),
}

impl<'p> Printer<'p> {
    /// The enum at a path.
    pub(super) fn enum_of(&self, path: &[i32]) -> Option<&'p EnumDescriptorProto> {
        let (parent, own) = path.split_at(path.len().checked_sub(2)?);
        match self.message_of(parent) {
            Some(message) => message.enum_type.get(own[1] as usize),
            None => self.proto.enum_type.get(own[1] as usize),
        }
    }

    pub(super) fn enumeration_at(&mut self, path: &[i32], full_name: &str) {
        if let Some(declared) = self.enum_of(path) {
            self.enumeration(declared, path, full_name, 0);
        }
    }

    pub(super) fn enumeration(
        &mut self,
        declared: &'p EnumDescriptorProto,
        path: &[i32],
        full_name: &str,
        indent: usize,
    ) {
        self.before(path, indent);
        self.out.indent(indent);
        self.out.push(&format!("enum {} {{\n", declared.name.as_deref().unwrap_or_default()));
        self.behind_brace(path, indent + 1);
        let mut options_path = path.to_vec();
        options_path.push(3);
        let parts = self.enum_parts(declared, path, full_name, &options_path);
        let mut at = 0;
        while at < parts.len() {
            if at > 0 {
                self.gap();
            }
            let mut next = at + 1;
            match &parts[at] {
                Part::Option(setting) => self.long_option(setting, &options_path, indent + 1),
                Part::Value(index) => {
                    let value = &declared.value[*index];
                    self.enum_value(value, &child(path, 2, *index), full_name, indent + 1);
                }
                Part::ReservedRange(_) => {
                    let mut ranges = Vec::new();
                    next = at;
                    while let Some(Part::ReservedRange(index)) = parts.get(next) {
                        let range = &declared.reserved_range[*index];
                        ranges.push((range.start.unwrap_or_default(), range.end.unwrap_or_default()));
                        next += 1;
                    }
                    self.reserved_ranges(&ranges, i32::MAX, indent + 1);
                }
                Part::ReservedName(_) => {
                    let mut names = Vec::new();
                    next = at;
                    while let Some(Part::ReservedName(index)) = parts.get(next) {
                        names.push(declared.reserved_name[*index].as_str());
                        next += 1;
                    }
                    self.reserved_names(&names, indent + 1);
                }
            }
            at = next;
        }
        self.out.indent(indent);
        self.out.push("}\n");
    }

    fn enum_parts(
        &self,
        declared: &'p EnumDescriptorProto,
        path: &[i32],
        full_name: &str,
        options_path: &[i32],
    ) -> Vec<Part> {
        let view = self.descriptors.enumeration(full_name);
        let is_open = view.is_some_and(|view| !view.is_closed());
        let span = |step: i32, index: usize| {
            self.location(&child(path, step, index)).map(|location| location.span.clone())
        };
        let mut parts = Vec::new();
        for setting in self.options(declared.options.as_deref(), "EnumOptions", full_name) {
            let span = self.option_span(options_path, &setting);
            parts.push(Ranked::option(Part::Option(setting.clone()), &setting, span));
        }
        for (at, value) in declared.value.iter().enumerate() {
            let number = value.number.unwrap_or_default();
            let key = Key::Value {
                is_behind_zero: is_open && number != 0,
                number,
                name: value.name.clone().unwrap_or_default(),
            };
            parts.push(Ranked::new(Part::Value(at), 2, key, span(2, at)));
        }
        for (at, range) in declared.reserved_range.iter().enumerate() {
            let key = Key::Number(i64::from(range.start.unwrap_or_default()));
            parts.push(Ranked::new(Part::ReservedRange(at), 4, key, span(4, at)));
        }
        for (at, name) in declared.reserved_name.iter().enumerate() {
            parts.push(Ranked::new(Part::ReservedName(at), 5, Key::Name(name.clone()), span(5, at)));
        }
        sorted(parts, self.style)
    }

    pub(super) fn enum_value(
        &mut self,
        value: &'p EnumValueDescriptorProto,
        path: &[i32],
        scope: &str,
        indent: usize,
    ) {
        self.before(path, indent);
        self.out.indent(indent);
        let name = value.name.as_deref().unwrap_or_default();
        self.out.push(&format!("{name} = {}", value.number.unwrap_or_default()));
        let mut options_path = path.to_vec();
        options_path.push(3);
        let settings = self.options(value.options.as_deref(), "EnumValueOptions", &format!("{scope}.{name}"));
        let settings = self.in_order(settings, &options_path);
        self.short_options(&settings, indent);
        self.out.push(";");
        if self.style == Style::Source {
            let location = self.location(path);
            self.out.trailing(location, indent);
        }
        self.out.end_line();
    }
}
