//! A message as a struct, and how the runtime reaches its members.

mod accessors;
mod implementation;
mod slots;
mod table;
mod walk;

use dunlin_protobuf::table::Shape;

use super::code::Code;
use super::comments;
use super::model::{Field, Flavor, Message, Model, Oneof};
use accessors::accessors;
use implementation::implementation;
pub(super) use table::field_table;
use table::table;

/// Writes the struct of a message, its view, and their implementations.
pub(super) fn message(model: &Model<'_>, message: &Message<'_>, code: &mut Code) {
    let place = model.message_place(message.view.id()).clone();
    structure(model, message, Flavor::Owned, code);
    accessors(model, message, code);
    if place.view.is_some() {
        structure(model, message, Flavor::View, code);
    }
    let runtime = model.options.runtime();
    code.gap();
    code.block("const _: () = {", "};", |code| {
        code.line(format!("use {runtime}::generated::*;"));
        table(model, message, code);
        implementation(model, message, Flavor::Owned, code);
        if place.view.is_some() {
            implementation(model, message, Flavor::View, code);
        }
        if model.options.flag("serde", &message.view.full_name()) == Some(true) {
            let name = model.path(&place, &place.name, &place.modules);
            code.line(format!("{runtime}::serde_message!({name});"));
        }
    });
}

fn structure(model: &Model<'_>, message: &Message<'_>, flavor: Flavor, code: &mut Code) {
    let place = model.message_place(message.view.id());
    let from = &place.modules;
    let full_name = message.view.full_name();
    code.gap();
    let (name, life) = match (&place.view, flavor) {
        (Some(view), Flavor::View) => (view, "<'a>"),
        _ => (&place.name, ""),
    };
    if flavor == Flavor::View {
        code.doc([format!("A [`{}`] that borrows from its encoded bytes.", place.name).as_str()]);
    } else {
        let lines = comments::lines(model.comments_at(message.view.file().id(), &message.view.path()));
        code.doc(lines.iter().map(String::as_str));
        for attribute in model.options.texts(&["type_attribute", "message_attribute"], &full_name) {
            code.line(attribute);
        }
    }
    let deprecated = message.view.proto().and_then(|p| p.options.as_deref()).and_then(|o| o.deprecated);
    if deprecated == Some(true) && flavor == Flavor::Owned {
        code.line("#[deprecated]");
    }
    code.line("#[derive(Clone, Debug, Default, PartialEq)]");
    code.block(format!("pub struct {name}{life} {{"), "}", |code| {
        for member in members(message) {
            match member {
                Member::Field(field) => {
                    if flavor == Flavor::Owned {
                        let lines =
                            comments::lines(model.comments_at(message.view.file().id(), &field.view.path()));
                        code.doc(lines.iter().map(String::as_str));
                        for attribute in model.options.texts(&["field_attribute"], &field.view.full_name()) {
                            code.line(attribute);
                        }
                        let options = field.view.proto().and_then(|p| p.options.as_deref());
                        if options.and_then(|o| o.deprecated) == Some(true) {
                            code.line("#[deprecated]");
                        }
                    }
                    let ty = model.member_type(field, flavor, from);
                    code.line(format!("pub {}: {ty},", field.ident));
                }
                Member::Oneof(oneof) => {
                    if flavor == Flavor::Owned {
                        let path = format!("{full_name}.{}", oneof.in_schema);
                        model
                            .options
                            .texts(&["field_attribute"], &path)
                            .iter()
                            .for_each(|line| code.line(line));
                    }
                    let life = if flavor == Flavor::View && oneof.view.is_some() { "<'a>" } else { "" };
                    let path = model.oneof_path(message, oneof, flavor);
                    code.line(format!("pub {}: {}<{path}{life}>,", oneof.ident, model.std("Option", from)));
                }
            }
        }
        code.line(format!("pub {}: {}::UnknownFields,", message.unknown, model.options.runtime()));
    });
}

enum Member<'m, 'p> {
    Field(&'m Field<'p>),
    Oneof(&'m Oneof),
}

/// Fields and oneofs in the order of the schema.
fn members<'m, 'p>(message: &'m Message<'p>) -> Vec<Member<'m, 'p>> {
    let mut seen = vec![false; message.oneofs.len()];
    let mut out = Vec::new();
    for view in message.view.fields() {
        let Some(field) = message.fields.iter().find(|field| field.number == view.number()) else { continue };
        match field.shape {
            Shape::Oneof(oneof) => {
                let oneof = usize::from(oneof);
                if !std::mem::replace(&mut seen[oneof], true) {
                    out.push(Member::Oneof(&message.oneofs[oneof]));
                }
            }
            _ => out.push(Member::Field(field)),
        }
    }
    out
}

/// Writes the enums of a message's oneofs, into the message's module.
pub(super) fn oneofs(model: &Model<'_>, message: &Message<'_>, code: &mut Code) {
    let from = model.inner_module(message.view).to_vec();
    for (index, oneof) in message.oneofs.iter().enumerate() {
        for flavor in [Flavor::Owned, Flavor::View] {
            let (name, life) = match (&oneof.view, flavor) {
                (_, Flavor::Owned) => (&oneof.name, ""),
                (Some(view), Flavor::View) => (view, "<'a>"),
                (None, Flavor::View) => continue,
            };
            code.gap();
            if flavor == Flavor::Owned {
                let path = format!("{}.{}", message.view.full_name(), oneof.in_schema);
                let attributes = model.options.texts(&["type_attribute", "oneof_attribute"], &path);
                attributes.iter().for_each(|line| code.line(line));
            }
            code.line("#[derive(Clone, Debug, PartialEq)]");
            code.block(format!("pub enum {name}{life} {{"), "}", |code| {
                for field in message.fields.iter().filter(|f| f.shape == Shape::Oneof(index as u16)) {
                    if flavor == Flavor::Owned {
                        let lines =
                            comments::lines(model.comments_at(message.view.file().id(), &field.view.path()));
                        code.doc(lines.iter().map(String::as_str));
                        let path = field.view.full_name();
                        model
                            .options
                            .texts(&["field_attribute"], &path)
                            .iter()
                            .for_each(|line| code.line(line));
                    }
                    let ty = model.member_type(field, flavor, &from);
                    code.line(format!("{}({ty}),", field.ident));
                }
            });
        }
    }
}
