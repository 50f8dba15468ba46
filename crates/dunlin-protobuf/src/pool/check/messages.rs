use alloc::format;

use crate::pool::HashSet;

use super::Check;
use crate::descriptor::{DescriptorProto, Label};
use crate::pool::table::join;

/// Messages may nest this deep, the outermost included.
const MAX_MESSAGE_DEPTH: u32 = 31;
/// More fields than any message may have.
const MAX_FIELDS: usize = 65_535;

impl Check<'_> {
    pub(super) fn messages(&mut self) {
        for index in 0..self.messages.len() {
            let proto = self.messages[index];
            self.message(index as u32, proto);
        }
    }

    fn message(&mut self, index: u32, proto: &DescriptorProto) {
        let file = self.file;
        let entry = &file.messages[index as usize];
        let path = || file.message_path(index);
        if entry.depth == MAX_MESSAGE_DEPTH {
            self.error(
                "nesting-too-deep",
                join(path(), &[1]),
                format!("messages are nested deeper than {MAX_MESSAGE_DEPTH} levels"),
            );
        }
        if proto.field.len() > MAX_FIELDS {
            self.error(
                "too-many-fields",
                join(path(), &[1]),
                format!("message has {} fields; the limit is {MAX_FIELDS}", proto.field.len()),
            );
        }
        self.reserved_names(index, proto);
        self.message_ranges(index, proto);
        self.oneofs(index, proto);
        self.json_names(index, proto);
        self.extension_declarations(index, proto);
        if self.is_proto3() {
            if !proto.extension_range.is_empty() {
                self.error(
                    "proto3-extension-range",
                    join(path(), &[5, 0]),
                    "extension ranges are not allowed in proto3",
                );
            }
            if entry.message_set {
                self.error(
                    "proto3-message-set",
                    join(path(), &[1]),
                    "message sets are not supported in proto3",
                );
            }
        }
    }

    fn reserved_names(&mut self, index: u32, proto: &DescriptorProto) {
        if proto.reserved_name.is_empty() {
            return;
        }
        let file = self.file;
        let mut seen = HashSet::default();
        for (position, name) in proto.reserved_name.iter().enumerate() {
            if !seen.insert(name.as_str()) {
                let place = join(file.message_path(index), &[10, position as i32]);
                self.error(
                    "duplicate-reserved-name",
                    place,
                    format!("field name \"{name}\" is reserved twice"),
                );
            }
        }
        for (position, field) in proto.field.iter().enumerate() {
            let name = field.name.as_deref().unwrap_or_default();
            if seen.contains(name) {
                let place = join(file.message_path(index), &[2, position as i32, 1]);
                self.error("reserved-name", place, format!("field name \"{name}\" is reserved"));
            }
        }
    }

    fn oneofs(&mut self, index: u32, proto: &DescriptorProto) {
        let file = self.file;
        let entry = &file.messages[index as usize];
        let mut last: Option<u32> = None;
        let mut finished = HashSet::default();
        let mut first_synthetic = None;
        for (position, field) in entry.fields.clone().enumerate() {
            let field_proto = &proto.field[position];
            let oneof = file.fields[field as usize].oneof;
            if field_proto.oneof_index.is_some() && oneof.is_none() {
                let place = join(file.field_path(field), &[9]);
                self.error("invalid-oneof-index", place, "the oneof of the field does not exist");
            }
            if oneof != last {
                if let Some(done) = last {
                    finished.insert(done);
                }
                if let Some(again) = oneof.filter(|o| finished.contains(o)) {
                    let name = file.text(file.oneofs[again as usize].name);
                    let place = join(file.field_path(field), &[1]);
                    self.error(
                        "oneof-not-consecutive",
                        place,
                        format!("the fields of oneof \"{name}\" have to stand one after the other"),
                    );
                }
                last = oneof;
            }
            if oneof.is_some() && field_proto.label.is_some_and(|label| label != Label::LABEL_OPTIONAL) {
                let place = join(file.field_path(field), &[4]);
                self.error("oneof-label", place, "fields of a oneof have no label");
            }
            if field_proto.proto3_optional == Some(true) {
                if !self.is_proto3() {
                    let place = file.field_path(field);
                    self.error(
                        "proto3-optional-elsewhere",
                        place,
                        "`proto3_optional` can only be set in proto3 files",
                    );
                }
                if !oneof.is_some_and(|o| file.oneofs[o as usize].synthetic) {
                    let place = file.field_path(field);
                    self.error(
                        "proto3-optional-oneof",
                        place,
                        "a field with `proto3_optional` has to be alone in a oneof",
                    );
                }
            }
        }
        for oneof in entry.oneofs.clone() {
            let oneof_entry = &file.oneofs[oneof as usize];
            if oneof_entry.field_count == 0 {
                let place = join(file.oneof_path(oneof), &[1]);
                self.error("empty-oneof", place, "a oneof needs at least one field");
            }
            match (oneof_entry.synthetic, first_synthetic) {
                (true, None) => first_synthetic = Some(oneof),
                (false, Some(_)) => {
                    let place = file.oneof_path(oneof);
                    self.error(
                        "oneof-order",
                        place,
                        "oneofs of optional fields have to come after all others",
                    );
                }
                _ => {}
            }
        }
    }
}
