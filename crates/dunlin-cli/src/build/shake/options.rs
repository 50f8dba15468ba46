//! Custom options that are left out: their values go with their declarations.

use std::collections::{HashMap, HashSet};

use dunlin_protobuf::UnknownFields;
use dunlin_protobuf::descriptor::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
};

/// The numbers of custom options, by the last part of the name of the options that they are in.
pub(super) type Numbers = HashMap<String, HashSet<u32>>;

/// Takes the values of these options out of a file, and what its source info says of them.
pub(super) fn strip(file: &mut FileDescriptorProto, numbers: &Numbers) {
    let mut stripper = Stripper { numbers, gone: Vec::new() };
    if let Some(options) = &mut file.options {
        stripper.strip("FileOptions", &mut options.unknown_fields, &[8]);
    }
    stripper.messages(&mut file.message_type, &[4]);
    stripper.enums(&mut file.enum_type, &[5]);
    for (at, service) in (0..).zip(&mut file.service) {
        if let Some(options) = &mut service.options {
            stripper.strip("ServiceOptions", &mut options.unknown_fields, &[6, at, 3]);
        }
        for (method_at, method) in (0..).zip(&mut service.method) {
            if let Some(options) = &mut method.options {
                stripper.strip("MethodOptions", &mut options.unknown_fields, &[6, at, 2, method_at, 4]);
            }
        }
    }
    stripper.fields(&mut file.extension, &[7]);
    if let Some(info) = &mut file.source_code_info {
        info.location.retain(|location| !stripper.gone.iter().any(|gone| location.path.starts_with(gone)));
    }
}

struct Stripper<'n> {
    numbers: &'n Numbers,
    /// The places of values that were taken out.
    gone: Vec<Vec<i32>>,
}

impl Stripper<'_> {
    fn strip(&mut self, kind: &str, options: &mut UnknownFields, place: &[i32]) {
        let Some(numbers) = self.numbers.get(kind) else { return };
        let all = std::mem::take(options);
        let mut reader = all.reader();
        let mut start = 0;
        while let Ok(Some(tag)) = reader.tag() {
            if reader.skip(tag).is_err() {
                break;
            }
            if numbers.contains(&tag.number) {
                self.gone.push([place, &[tag.number as i32]].concat());
            } else {
                options.extend_from_wire(reader.slice(start, reader.position()));
            }
            start = reader.position();
        }
    }

    fn messages(&mut self, messages: &mut [DescriptorProto], place: &[i32]) {
        for (at, message) in (0..).zip(messages) {
            let place = [place, &[at]].concat();
            let inner = |field: i32| [&place[..], &[field]].concat();
            if let Some(options) = &mut message.options {
                self.strip("MessageOptions", &mut options.unknown_fields, &inner(7));
            }
            self.fields(&mut message.field, &inner(2));
            self.fields(&mut message.extension, &inner(6));
            self.enums(&mut message.enum_type, &inner(4));
            self.messages(&mut message.nested_type, &inner(3));
            for (at, oneof) in (0..).zip(&mut message.oneof_decl) {
                if let Some(options) = &mut oneof.options {
                    let place = [&place[..], &[8, at, 2]].concat();
                    self.strip("OneofOptions", &mut options.unknown_fields, &place);
                }
            }
            for (at, range) in (0..).zip(&mut message.extension_range) {
                if let Some(options) = &mut range.options {
                    let place = [&place[..], &[5, at, 3]].concat();
                    self.strip("ExtensionRangeOptions", &mut options.unknown_fields, &place);
                }
            }
        }
    }

    fn fields(&mut self, fields: &mut [FieldDescriptorProto], place: &[i32]) {
        for (at, field) in (0..).zip(fields) {
            if let Some(options) = &mut field.options {
                self.strip("FieldOptions", &mut options.unknown_fields, &[place, &[at, 8]].concat());
            }
        }
    }

    fn enums(&mut self, enums: &mut [EnumDescriptorProto], place: &[i32]) {
        for (at, entry) in (0..).zip(enums) {
            if let Some(options) = &mut entry.options {
                self.strip("EnumOptions", &mut options.unknown_fields, &[place, &[at, 3]].concat());
            }
            for (value_at, value) in (0..).zip(&mut entry.value) {
                if let Some(options) = &mut value.options {
                    let place = [place, &[at, 2, value_at, 3]].concat();
                    self.strip("EnumValueOptions", &mut options.unknown_fields, &place);
                }
            }
        }
    }
}
