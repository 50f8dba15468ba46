//! Whole files.

use dunlin_protobuf::descriptor::{Edition, Type};

use super::Printer;
use super::message::{child, extension_key, join, last};
use super::options::Setting;
use super::order::{Key, OPTIONS, Ranked, sorted};

enum Part {
    Package,
    Import(usize),
    Option(Setting),
    Message(usize),
    Enum(usize),
    Service(usize),
    Extension(usize),
}

impl Printer<'_> {
    pub(super) fn file(&mut self) {
        let proto = self.proto;
        self.before(&[12], 0);
        let syntax = match proto.syntax.as_deref() {
            Some("editions") => {
                format!("edition = \"{}\";", edition_name(proto.edition.unwrap_or_default()))
            }
            None | Some("") => "syntax = \"proto2\";".to_owned(),
            Some(syntax) => format!("syntax = \"{syntax}\";"),
        };
        self.out.push(&syntax);
        let location = self.location(&[12]);
        self.out.trailing(location, 0);
        self.out.end_line();
        self.gap();
        let parts = self.file_parts();
        let mut done = vec![false; parts.len()];
        for at in 0..parts.len() {
            if done[at] || self.is_group_of_extension(&parts[at]) {
                continue;
            }
            if at > 0 {
                self.gap();
            }
            self.file_part(&parts, at, &mut done);
        }
    }

    fn file_parts(&self) -> Vec<Part> {
        let proto = self.proto;
        let span = |step: i32, index: usize| {
            self.location(&child(&[], step, index)).map(|location| location.span.clone())
        };
        let name = |name: &Option<String>| Key::Name(name.clone().unwrap_or_default());
        let mut parts = Vec::new();
        if let Some(package) = &proto.package {
            let span = self.location(&[2]).map(|location| location.span.clone());
            parts.push(Ranked::new(Part::Package, OPTIONS - 2, Key::Name(package.clone()), span));
        }
        for (at, import) in proto.dependency.iter().enumerate() {
            parts.push(Ranked::new(Part::Import(at), OPTIONS - 1, Key::Name(import.clone()), span(3, at)));
        }
        for setting in self.options(proto.options.as_deref(), "FileOptions", &self.package) {
            let span = self.option_span(&[8], &setting);
            parts.push(Ranked::option(Part::Option(setting.clone()), &setting, span));
        }
        for (at, message) in proto.message_type.iter().enumerate() {
            parts.push(Ranked::new(Part::Message(at), 4, name(&message.name), span(4, at)));
        }
        for (at, declared) in proto.enum_type.iter().enumerate() {
            parts.push(Ranked::new(Part::Enum(at), 5, name(&declared.name), span(5, at)));
        }
        for (at, service) in proto.service.iter().enumerate() {
            parts.push(Ranked::new(Part::Service(at), 6, name(&service.name), span(6, at)));
        }
        for (at, extension) in proto.extension.iter().enumerate() {
            parts.push(Ranked::new(Part::Extension(at), 7, extension_key(extension), span(7, at)));
        }
        sorted(parts, self.style)
    }

    fn is_group_of_extension(&self, part: &Part) -> bool {
        let Part::Message(at) = part else { return false };
        let name = self.proto.message_type[*at].name.as_deref();
        self.proto.extension.iter().any(|extension| {
            extension.r#type == Some(Type::TYPE_GROUP) && extension.type_name.as_deref().map(last) == name
        })
    }

    fn file_part(&mut self, parts: &[Part], at: usize, done: &mut [bool]) {
        let proto = self.proto;
        let package = self.package.clone();
        match &parts[at] {
            Part::Package => self.line(&[2], &format!("package {package};")),
            Part::Import(index) => {
                let is_in = |list: &[i32]| list.contains(&(*index as i32));
                let modifier = if is_in(&proto.public_dependency) {
                    "public "
                } else if is_in(&proto.weak_dependency) {
                    "weak "
                } else {
                    ""
                };
                let line = format!("import {modifier}\"{}\";", proto.dependency[*index]);
                self.line(&[3, *index as i32], &line);
            }
            Part::Option(setting) => self.long_option(setting, &[8], 0),
            Part::Message(index) => {
                let message = &proto.message_type[*index];
                self.message(message, &[4, *index as i32], &join(&package, &message.name), 0);
            }
            Part::Enum(index) => {
                let declared = &proto.enum_type[*index];
                self.enumeration(declared, &[5, *index as i32], &join(&package, &declared.name), 0);
            }
            Part::Service(index) => {
                let service = &proto.service[*index];
                self.service(service, &[6, *index as i32], &join(&package, &service.name), 0);
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
                let printed = self.extend_block(&proto.extension, &[7], &package, &indexes, 0);
                printed.into_iter().for_each(|other| done[other] = true);
            }
        }
    }

    fn line(&mut self, path: &[i32], text: &str) {
        self.before(path, 0);
        self.out.push(text);
        let location = self.location(path);
        self.out.trailing(location, 0);
        self.out.end_line();
    }
}

fn edition_name(edition: Edition) -> String {
    let name = edition.name().unwrap_or_default();
    name.strip_prefix("EDITION_").unwrap_or(name).to_owned()
}
