//! Extension ranges that announce their extensions.

use alloc::borrow::ToOwned;
use alloc::format;

use crate::pool::HashSet;

use super::Check;
use crate::descriptor::{DescriptorProto, VerificationState};
use crate::pool::fault::Path;
use crate::pool::table::join;

const SCALARS: [&str; 16] = [
    "double", "float", "int64", "uint64", "int32", "fixed32", "fixed64", "bool", "string", "bytes", "uint32",
    "enum", "sfixed32", "sfixed64", "sint32", "sint64",
];

impl Check<'_> {
    pub(super) fn extension_declarations(&mut self, index: u32, proto: &DescriptorProto) {
        let file = self.file;
        let mut names = HashSet::default();
        for (position, range) in proto.extension_range.iter().enumerate() {
            let Some(options) = range.options.as_deref().filter(|o| !o.declaration.is_empty()) else {
                continue;
            };
            let place = || join(file.message_path(index), &[5, position as i32]);
            if options.verification == Some(VerificationState::UNVERIFIED) {
                self.error(
                    "unverified-declarations",
                    place(),
                    "a range with declarations cannot have `verification = UNVERIFIED`",
                );
                return;
            }
            let mut numbers = HashSet::default();
            for declaration in &options.declaration {
                let number = declaration.number.unwrap_or_default();
                if !(range.start.unwrap_or_default()..range.end.unwrap_or_default()).contains(&number) {
                    self.error(
                        "declaration-out-of-range",
                        place(),
                        format!("declared extension number {number} is not in the range"),
                    );
                }
                if !numbers.insert(number) {
                    self.error(
                        "duplicate-declaration",
                        place(),
                        format!("extension number {number} is declared twice"),
                    );
                }
                match (&declaration.full_name, &declaration.r#type) {
                    (Some(name), Some(ty)) => {
                        if !names.insert(name.as_str()) {
                            self.error(
                                "duplicate-declaration",
                                place(),
                                format!("extension name \"{name}\" is declared twice"),
                            );
                            return;
                        }
                        self.declared_symbol(name, &place);
                        if !SCALARS.contains(&ty.as_str()) {
                            self.declared_symbol(ty, &place);
                        }
                    }
                    (None, None) if declaration.reserved == Some(true) => {}
                    _ => {
                        self.error(
                            "incomplete-declaration",
                            place(),
                            format!("the declaration of extension number {number} needs both `full_name` and `type`"),
                        );
                    }
                }
            }
        }
    }

    fn declared_symbol(&mut self, symbol: &str, place: &dyn Fn() -> Path) {
        let Some(name) = symbol.strip_prefix('.') else {
            self.error(
                "declaration-not-qualified",
                place(),
                format!("\"{symbol}\" has to be a full name with a leading dot"),
            )
            .help
            .replace(format!("write \".{symbol}\""));
            return;
        };
        let valid =
            |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !name.split('.').all(valid) {
            self.error("invalid-name", place(), format!("\"{symbol}\" is not a valid name"));
        }
    }

    /// Holds an extension against the declarations of the range that its number is in.
    pub(super) fn declared_extension(&mut self, index: u32) {
        let (pool, file) = (self.pool, self.file);
        let field = &file.fields[index as usize];
        let Some(extendee) = field.extendee else { return };
        let extended_file = pool.tables(extendee.file);
        // The options of descriptor.proto list extensions from many places; that is not enforced.
        if extended_file.path == "google/protobuf/descriptor.proto" {
            return;
        }
        let message = &extended_file.messages[extendee.index as usize];
        let number = field.number;
        let Some(range) = message.extension_ranges.iter().find(|r| (r.start..r.end).contains(&number)) else {
            return;
        };
        let Some(rules) = range.rules.as_deref() else { return };
        let extended = pool.message_name(extendee);
        let place = join(file.field_path(index), &[2]);
        let Some(declaration) = rules.declaration.iter().find(|d| d.number == Some(number)) else {
            if !rules.declaration.is_empty() || rules.verification == Some(VerificationState::DECLARATION) {
                self.error(
                    "undeclared-extension",
                    place,
                    format!("extension number {number} of \"{extended}\" is not declared in its range"),
                )
                .help
                .replace("add a declaration to the range, or split the range".into());
            }
            return;
        };
        if declaration.reserved == Some(true) {
            self.error(
                "reserved-extension",
                place,
                format!("extension number {number} of \"{extended}\" is reserved by a declaration"),
            );
            return;
        }
        let view = pool.field_by_id(crate::pool::FieldId { file: self.id, index });
        let actual_type = match view.type_name() {
            Some(name) => format!(".{name}"),
            None => scalar_name(field.ty.0).to_owned(),
        };
        if let Some(expected) = declaration.r#type.as_deref().filter(|t| !t.is_empty()) {
            let full = if SCALARS.contains(&expected) || expected.starts_with('.') {
                expected.to_owned()
            } else {
                format!(".{expected}")
            };
            if full != actual_type {
                let message = format!(
                    "extension number {number} of \"{extended}\" is declared to have type \"{full}\", not \"{actual_type}\""
                );
                self.error("declaration-mismatch", place.clone(), message);
            }
        }
        let actual_name = format!(".{}", view.full_name());
        if let Some(expected) =
            declaration.full_name.as_deref().filter(|n| !n.is_empty() && **n != *actual_name)
        {
            let message = format!(
                "extension number {number} of \"{extended}\" is declared as \"{expected}\", not \"{actual_name}\""
            );
            self.error("declaration-mismatch", place.clone(), message);
        }
        let repeated = declaration.repeated == Some(true);
        if repeated != view.is_repeated() {
            let word = if repeated { "repeated" } else { "singular" };
            let message = format!("extension number {number} of \"{extended}\" is declared to be {word}");
            self.error("declaration-mismatch", place, message);
        }
    }
}

fn scalar_name(ty: i32) -> &'static str {
    match ty {
        1 => "double",
        2 => "float",
        3 => "int64",
        4 => "uint64",
        5 => "int32",
        6 => "fixed64",
        7 => "fixed32",
        8 => "bool",
        9 => "string",
        10 => "group",
        11 => "message",
        12 => "bytes",
        13 => "uint32",
        14 => "enum",
        15 => "sfixed32",
        16 => "sfixed64",
        17 => "sint32",
        18 => "sint64",
        _ => "unknown",
    }
}
