//! The traits of the runtime for a message or its view.

use super::slots::{slot, slot_ref};
use super::walk::{is_large, walk};
use crate::rust::code::{Code, literal};
use crate::rust::model::{Flavor, Message, Model};

/// Writes the implementations.
pub(super) fn implementation(model: &Model<'_>, message: &Message<'_>, flavor: Flavor, code: &mut Code) {
    let place = model.message_place(message.view.id());
    let from = &place.modules;
    let owned = model.path(place, &place.name, from);
    let (ty, anonymous) = match (&place.view, flavor) {
        (Some(_), Flavor::View) => {
            let ty = model.message_path(message.view.id(), Flavor::View, from);
            (ty.clone(), ty.replace("<'a>", "<'_>"))
        }
        _ => (owned.clone(), owned.clone()),
    };
    code.gap();
    if flavor == Flavor::Owned {
        code.block(format!("impl Message for {ty} {{"), "}", |code| {
            code.line(format!("const FULL_NAME: &'static str = {};", literal(message.table.full_name())));
            let view = model.message_path(message.view.id(), Flavor::View, from);
            code.line(format!("type View<'a> = {view};"));
            code.block("fn message_table() -> &'static MessageTable {", "}", |code| code.line("&TABLE"));
            if !model.has_reflection(&message.view) {
                code.block("fn as_reflect(&self) -> Option<&dyn Reflect> {", "}", |code| code.line("None"));
            }
        });
        code.gap();
    }
    if flavor == Flavor::View || place.view.is_none() {
        code.block(format!("impl<'a> View<'a> for {ty} {{"), "}", |code| {
            code.line(format!("type Owned = {owned};"));
        });
        code.gap();
    }
    if flavor == Flavor::Owned {
        walk(model, message, &ty, code);
        code.gap();
    }
    code.block(format!("impl Reflect for {anonymous} {{"), "}", |code| {
        code.block("fn table(&self) -> TableRef {", "}", |code| code.line("TableRef::Static(&TABLE)"));
        code.line("#[inline]");
        if message.fields.is_empty() {
            code.block("fn slot_ref(&self, _: usize) -> SlotRef<'_> {", "}", |code| {
                code.line("SlotRef::Absent")
            });
        } else {
            code.block("fn slot_ref(&self, index: usize) -> SlotRef<'_> {", "}", |code| {
                code.block("match index {", "}", |code| {
                    for field in &message.fields {
                        code.line(format!("{} => {},", field.index, slot_ref(model, message, field, flavor)));
                    }
                    code.line("_ => SlotRef::Absent,");
                });
            });
        }
        code.block("fn unknown_fields(&self) -> &UnknownFields {", "}", |code| {
            code.line(format!("&self.{}", message.unknown));
        });
        if flavor == Flavor::Owned {
            // Compiled where they are used, as what is generic is: a crate of many messages costs its
            // users only those that they use.
            code.line("#[inline]");
            code.block("fn measure(&self, out: &mut Measure) {", "}", |code| code.line("walk(self, out);"));
            code.line("#[inline]");
            code.block("fn write(&self, out: &mut Writer<'_>) {", "}", |code| code.line("walk(self, out);"));
        }
    });
    code.gap();
    code.block(format!("impl<'a> Fields<'a> for {ty} {{"), "}", |code| {
        code.line("#[inline(always)]");
        let index = if message.fields.is_empty() { "_" } else { "index" };
        let signature = format!("fn slot<'s>(&'s mut self, {index}: usize) -> Slot<'s, 'a> where 'a: 's {{");
        code.block(signature, "}", |code| {
            let none = "unreachable!(\"the table has no more fields\")";
            if message.fields.is_empty() {
                return code.line(none);
            }
            code.block("match index {", "}", |code| {
                for field in &message.fields {
                    code.line(format!("{} => {},", field.index, slot(model, message, field, flavor)));
                }
                code.line(format!("_ => {none},"));
            });
        });
        let oneof = if message.oneofs.is_empty() { "_" } else { "oneof" };
        code.line("#[inline]");
        code.block(format!("fn clear_oneof(&mut self, {oneof}: usize) {{"), "}", |code| {
            if message.oneofs.is_empty() {
                return;
            }
            code.block("match oneof {", "}", |code| {
                for (index, oneof) in message.oneofs.iter().enumerate() {
                    code.line(format!("{index} => self.{} = None,", oneof.ident));
                }
                code.line("_ => {}");
            });
        });
        code.block("fn unknown_fields_mut(&mut self) -> &mut UnknownFields {", "}", |code| {
            code.line(format!("&mut self.{}", message.unknown));
        });
        code.line("#[inline]");
        code.block(
            "fn merge_fields(&mut self, buf: &'a [u8], pos: usize, group: u32, cx: &mut Context<'_>) -> Result<usize, DecodeError> {",
            "}",
            |code| {
                let merge = if is_large(message) { "merge_many" } else { "merge" };
                code.line(format!("{merge}(self, &TABLE, buf, pos, group, cx)"));
            },
        );
        code.block("fn as_reflect(&self) -> &dyn Reflect {", "}", |code| code.line("self"));
    });
}
