//! An enum as a number with named constants.

use dunlin_protobuf::pool::{EnumView, FieldKind, FieldView};

use super::code::{Code, literal};
use super::comments;
use super::model::Model;
use super::names::{constant, snake_case, unique};

/// The names of the constants, in the order of declaration.
fn constants(model: &Model<'_>, e: &EnumView<'_>) -> Vec<String> {
    let mut taken = Vec::new();
    if model.is_of_runtime(model.enum_place(e.id()))
        || model.options.flag("strip_enum_prefix", &e.full_name()) != Some(true)
    {
        return e.values().map(|value| unique(constant(value.name()), &mut taken)).collect();
    }
    let prefix = format!("{}_", constant(&snake_case(e.name())));
    let whole: Vec<_> = e.values().map(|value| constant(value.name())).collect();
    let short: Vec<_> = whole.iter().map(|name| without_prefix(name, &prefix)).collect();
    // What would be the same, or hide a whole name, keeps its own.
    let is_free =
        |name: &String| short.iter().filter(|other| *other == name).count() == 1 && !whole.contains(name);
    let names = short.iter().zip(&whole).map(|(short, whole)| if is_free(short) { short } else { whole });
    names.map(|name| unique(name.clone(), &mut taken)).collect()
}

/// The rest of a name, if it has the prefix, as a name of its own.
fn without_prefix(name: &str, prefix: &str) -> String {
    match name.strip_prefix(prefix).filter(|rest| !rest.trim_matches('_').is_empty()) {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_digit()) => format!("_{rest}"),
        Some(rest) => constant(rest),
        None => name.to_owned(),
    }
}

/// The constant of the first value with this number.
pub(super) fn value_name(model: &Model<'_>, field: &FieldView<'_>, number: i32) -> String {
    let FieldKind::Enum(e) = field.kind() else { unreachable!("an enum field has an enum type") };
    let found = e.values().position(|value| value.number() == number);
    found.and_then(|at| constants(model, &e).into_iter().nth(at)).unwrap_or_default()
}

/// Writes an enum: a newtype, so that unknown numbers of open enums survive and closed ones have
/// none.
pub(super) fn enumeration(model: &Model<'_>, e: &EnumView<'_>, code: &mut Code) {
    let place = model.enum_place(e.id());
    let name = &place.name;
    let file = e.file().id();
    code.gap();
    let lines = comments::lines(model.comments_at(file, &e.path()));
    code.doc(lines.iter().map(String::as_str));
    for attribute in model.options.texts(&["type_attribute", "enum_attribute"], &e.full_name()) {
        code.line(attribute);
    }
    let options = e.proto().and_then(|p| p.options.as_deref());
    if options.and_then(|o| o.deprecated) == Some(true) {
        code.line("#[deprecated]");
    }
    let starts_at_zero = e.values().next().is_none_or(|value| value.number() == 0);
    let default = if starts_at_zero { "Default, " } else { "" };
    code.line(format!("#[derive(Clone, Copy, {default}PartialEq, Eq, PartialOrd, Ord, Hash)]"));
    code.line(format!("pub struct {name}({}i32);", if e.is_closed() { "" } else { "pub " }));
    code.gap();
    let names = constants(model, e);
    code.block(format!("impl {name} {{"), "}", |code| {
        for ((index, value), constant) in e.values().enumerate().zip(&names) {
            let mut path = e.path();
            path.extend([2, index as i32]);
            let lines = comments::lines(model.comments_at(file, &path));
            code.doc(lines.iter().map(String::as_str));
            let options = value.proto().and_then(|p| p.options.as_deref());
            if options.and_then(|o| o.deprecated) == Some(true) {
                code.line("#[deprecated]");
            }
            code.line(format!("pub const {constant}: Self = Self({});", value.number()));
        }
    });
    code.gap();
    code.block("const _: () = {", "};", |code| {
        code.line(format!("use {}::generated::*;", model.options.runtime()));
        let count = names.len();
        code.block(format!("static VALUES: [EnumValue; {count}] = ["), "];", |code| {
            for value in e.values() {
                let json =
                    value.json_name().map_or(String::new(), |json| format!(".json({})", literal(&json)));
                code.line(format!("EnumValue::new({}, {}){json},", value.number(), literal(value.name())));
            }
        });
        let closed = e.is_closed();
        code.line(format!(
            "static TABLE: EnumTable = EnumTable::new({}, {closed}, &VALUES);",
            literal(&e.full_name())
        ));
        let openness = if closed { "closed" } else { "open" };
        let own = model.path(place, name, &place.modules);
        code.line(format!("enumeration!({own}, TABLE, {openness});"));
        if model.options.flag("serde", &e.full_name()) == Some(true) {
            code.line(format!("{}::serde_enumeration!({own});", model.options.runtime()));
        }
        if !starts_at_zero {
            code.gap();
            code.block(format!("impl Default for {own} {{"), "}", |code| {
                code.block("fn default() -> Self {", "}", |code| code.line(format!("Self::{}", names[0])));
            });
        }
    });
}
