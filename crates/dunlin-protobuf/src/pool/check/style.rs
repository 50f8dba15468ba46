//! Naming styles and size limits, which editions turn on.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use crate::pool::HashSet;

use super::Check;
use crate::descriptor::{EnforceNamingStyle, EnforceProtoLimits};
use crate::names::{StyleFault, check_lower_snake_case, check_title_case, check_upper_snake_case};
use crate::pool::fault::Path;
use crate::pool::table::join;

const MAX_FIELDS: u32 = 1500;
const MAX_ONEOFS: usize = 1000;
const MAX_ONEOF_FIELDS: u32 = 1200;
const MAX_ENUM_VALUES: u32 = 1700;

impl Check<'_> {
    pub(super) fn style(&mut self) {
        if self.is_legacy() {
            return;
        }
        let file = self.file;
        let package = file.package();
        if enforced(file.features.enforce_naming_style) && !package.is_empty() {
            self.named("package", package, check_lower_snake_case, vec![2]);
        }
        for extension in file.top.extensions.clone() {
            self.extension_collision(extension);
        }
        for (index, message) in file.messages.iter().enumerate() {
            let path = file.message_path(index as u32);
            if enforced(message.features.enforce_naming_style) && !message.map_entry {
                self.named("message", file.text(message.name), check_title_case, join(path.clone(), &[1]));
            }
            if limited(message.features.enforce_proto_limits) {
                self.limit("fields", message.fields.len() as u32, MAX_FIELDS, join(path.clone(), &[1]));
                let real = message.oneofs.clone().filter(|&o| !file.oneofs[o as usize].synthetic).count();
                self.limit("oneofs", real as u32, MAX_ONEOFS as u32, join(path, &[1]));
            }
            self.collisions(index as u32);
        }
        for (index, oneof) in file.oneofs.iter().enumerate() {
            let place = join(file.oneof_path(index as u32), &[1]);
            if enforced(oneof.features.enforce_naming_style) {
                self.named("oneof", file.text(oneof.name), check_lower_snake_case, place.clone());
            }
            if limited(oneof.features.enforce_proto_limits) {
                self.limit("fields", oneof.field_count, MAX_ONEOF_FIELDS, place);
            }
        }
        for (index, field) in file.fields.iter().enumerate() {
            if enforced(field.features.enforce_naming_style) {
                let place = join(file.field_path(index as u32), &[1]);
                self.named("field", file.text(field.name), check_lower_snake_case, place);
            }
        }
        for (index, entry) in file.enums.iter().enumerate() {
            let place = join(file.enum_path(index as u32), &[1]);
            if enforced(entry.features.enforce_naming_style) {
                self.named("enum", file.text(entry.name), check_title_case, place.clone());
            }
            if limited(entry.features.enforce_proto_limits) {
                self.limit("values", entry.values.len() as u32, MAX_ENUM_VALUES, place);
            }
        }
        for (index, value) in file.values.iter().enumerate() {
            if enforced(value.features.enforce_naming_style) {
                let place = join(file.value_path(index as u32), &[1]);
                self.named("enum value", file.text(value.name), check_upper_snake_case, place);
            }
        }
        for (index, service) in file.services.iter().enumerate() {
            if enforced(service.features.enforce_naming_style) {
                self.named("service", file.text(service.name), check_title_case, vec![6, index as i32, 1]);
            }
        }
        for (index, method) in file.methods.iter().enumerate() {
            if enforced(method.features.enforce_naming_style) {
                let place = join(file.method_path(index as u32), &[1]);
                self.named("method", file.text(method.name), check_title_case, place);
            }
        }
    }

    fn named(&mut self, noun: &str, name: &str, check: fn(&str) -> Result<(), StyleFault>, place: Path) {
        if let Err(style) = check(name) {
            self.error("naming-style", place, format!("{noun} name \"{name}\" {style}"))
                .help
                .replace("`features.enforce_naming_style = STYLE_LEGACY` turns this rule off".into());
        }
    }

    fn limit(&mut self, what: &str, count: u32, limit: u32, place: Path) {
        if count > limit {
            self.error("proto-limit", place, format!("{count} {what}; the limit of the edition is {limit}"))
                .help
                .replace(
                    "`features.enforce_proto_limits = LEGACY_NO_EXPLICIT_LIMITS` turns this rule off".into(),
                );
        }
    }

    // Names that clash with what generators derive from a field or oneof next to them.
    fn collisions(&mut self, message: u32) {
        let file = self.file;
        let entry = &file.messages[message as usize];
        let is_2026 = |style| style == EnforceNamingStyle::STYLE2026;
        let members: Vec<(&'static str, &str, bool, Path)> = entry
            .fields
            .clone()
            .map(|f| {
                let field = &file.fields[f as usize];
                let on = is_2026(field.features.enforce_naming_style);
                ("field", file.text(field.name), on, if on { join(file.field_path(f), &[1]) } else { vec![] })
            })
            .chain(entry.oneofs.clone().map(|o| {
                let oneof = &file.oneofs[o as usize];
                let on = is_2026(oneof.features.enforce_naming_style);
                ("oneof", file.text(oneof.name), on, if on { join(file.oneof_path(o), &[1]) } else { vec![] })
            }))
            .collect();
        // Extensions have no siblings to clash with in their extendee.
        let extensions = entry.members.extensions.clone();
        let names: HashSet<&str> = members.iter().map(|m| m.1).collect();
        for (noun, name, on, place) in members {
            if on {
                self.collision(noun, name, &names, place);
            }
        }
        for extension in extensions {
            self.extension_collision(extension);
        }
    }

    fn extension_collision(&mut self, extension: u32) {
        let file = self.file;
        let field = &file.fields[extension as usize];
        if field.features.enforce_naming_style == EnforceNamingStyle::STYLE2026 {
            // Its siblings are the fields of the message that it extends.
            let names: HashSet<&str> = field
                .extendee
                .map(|id| {
                    let tables = self.pool.tables(id.file);
                    let message = &tables.messages[id.index as usize];
                    let fields = message.fields.clone().map(|f| tables.text(tables.fields[f as usize].name));
                    let oneofs = message.oneofs.clone().map(|o| tables.text(tables.oneofs[o as usize].name));
                    fields.chain(oneofs).collect()
                })
                .unwrap_or_default();
            let place = join(file.field_path(extension), &[1]);
            self.collision("field", file.text(field.name), &names, place);
        }
    }

    fn collision(&mut self, noun: &str, name: &str, siblings: &HashSet<&str>, place: Path) {
        let prefixed = ["has_", "get_", "set_", "clear_"]
            .iter()
            .find_map(|prefix| name.strip_prefix(prefix).filter(|rest| siblings.contains(rest)));
        let clash = prefixed.or_else(|| name.strip_suffix("_value").filter(|rest| siblings.contains(rest)));
        let message = if let Some(sibling) = clash {
            format!("{noun} name \"{name}\" clashes in generated code with \"{sibling}\" beside it")
        } else if name == "descriptor" {
            format!("{noun} name \"descriptor\" clashes in generated code")
        } else {
            return;
        };
        self.error("naming-collision", place, message)
            .help
            .replace("`features.enforce_naming_style = STYLE2024` turns this rule off".into());
    }
}

fn enforced(style: EnforceNamingStyle) -> bool {
    style != EnforceNamingStyle::STYLE_LEGACY && style != EnforceNamingStyle::default()
}

fn limited(limits: EnforceProtoLimits) -> bool {
    limits == EnforceProtoLimits::PROTO_LIMITS2026
}
