use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::pool::{HashMap, HashSet};

use super::Check;
use super::fields::support_faults;
use crate::descriptor::{Edition, EnumDescriptorProto, EnumType};
use crate::names::{EnumPrefix, enum_value_key};
use crate::pool::table::join;
use crate::wire::WireType;

/// `(pb.enumvalue.json)`, an extension of `EnumValueOptions`, and `string` in it.
const JSON_EXTENSION: u32 = 998;
const JSON_STRING: u32 = 1;

impl Check<'_> {
    pub(super) fn enums(&mut self) {
        for index in 0..self.enums.len() {
            let proto = self.enums[index];
            self.enumeration(index as u32, proto);
        }
    }

    fn enumeration(&mut self, index: u32, proto: &EnumDescriptorProto) {
        let file = self.file;
        let Some(first) = proto.value.first() else {
            let place = join(file.enum_path(index), &[1]);
            self.error("empty-enum", place, "an enum needs at least one value");
            return;
        };
        let open = file.enums[index as usize].features.enum_type != EnumType::CLOSED;
        if open && first.number.unwrap_or_default() != 0 {
            let place = join(file.enum_path(index), &[2, 0, 2]);
            self.error("first-enum-value-not-zero", place, "the first value of an open enum has to be 0")
                .help
                .replace("start with a value such as `UNSPECIFIED = 0`".into());
        }
        self.enum_aliases(index, proto);
        self.enum_reserved(index, proto);
        self.enum_value_names(index, proto);
        self.enum_json_strings(index, proto);
        for (position, value) in proto.value.iter().enumerate() {
            let Some(support) = value.options.as_deref().and_then(|o| o.feature_support.as_deref()) else {
                continue;
            };
            for fault in support_faults(support, value.name.as_deref().unwrap_or_default()) {
                let place = join(file.enum_path(index), &[2, position as i32, 3, 4]);
                self.error("feature-support", place, fault);
            }
        }
    }

    fn enum_aliases(&mut self, index: u32, proto: &EnumDescriptorProto) {
        if proto.options.as_deref().is_some_and(|o| o.allow_alias == Some(true)) {
            return;
        }
        let file = self.file;
        let mut seen: HashMap<i32, usize> =
            HashMap::with_capacity_and_hasher(proto.value.len(), Default::default());
        let mut next = None;
        for (position, value) in proto.value.iter().enumerate() {
            let number = value.number.unwrap_or_default();
            let Some(&first) = seen.get(&number) else {
                seen.insert(number, position);
                continue;
            };
            let next = *next.get_or_insert_with(|| {
                let largest = proto.value.iter().map(|v| i64::from(v.number.unwrap_or_default())).max();
                largest.unwrap_or_default() + 1
            });
            let names = [position, first].map(|p| proto.value[p].name.as_deref().unwrap_or_default());
            let (id, other) = (self.id, join(file.enum_path(index), &[2, first as i32, 2]));
            let place = join(file.enum_path(index), &[2, position as i32, 2]);
            let fault = self.error(
                "duplicate-enum-number",
                place,
                format!("number {number} of \"{}\" is already used by \"{}\"", names[0], names[1]),
            );
            fault.related.push((id, other, "first used here".into()));
            fault.help = Some(format!(
                "the next free number is {next}; for two names of one value, set `option allow_alias = true;`"
            ));
        }
    }

    fn enum_reserved(&mut self, index: u32, proto: &EnumDescriptorProto) {
        let file = self.file;
        let path = || file.enum_path(index);
        let mut ranges = Vec::with_capacity(proto.reserved_range.len());
        for (position, range) in proto.reserved_range.iter().enumerate() {
            let (start, end) = (range.start.unwrap_or_default(), range.end.unwrap_or_default());
            if start > end {
                let place = join(path(), &[4, position as i32]);
                self.error("range-reversed", place, "reserved range ends before it starts");
            } else {
                ranges.push((start, end, position as i32));
            }
        }
        ranges.sort_unstable();
        let mut widest: Option<(i32, i32, i32)> = None;
        for &(start, end, position) in &ranges {
            if let Some((_, _, other)) = widest.filter(|w| w.1 >= start) {
                let (id, related) = (self.id, join(path(), &[4, other]));
                let place = join(path(), &[4, position]);
                let fault = self.error("range-overlap", place, "reserved ranges overlap");
                fault.related.push((id, related, "overlaps this range".into()));
            }
            if widest.is_none_or(|w| w.1 < end) {
                widest = Some((start, end, position));
            }
        }
        let mut names = HashSet::default();
        for (position, name) in proto.reserved_name.iter().enumerate() {
            if !names.insert(name.as_str()) {
                let place = join(path(), &[5, position as i32]);
                self.error(
                    "duplicate-reserved-name",
                    place,
                    format!("enum value \"{name}\" is reserved twice"),
                );
            }
        }
        for (position, value) in proto.value.iter().enumerate() {
            let (name, number) =
                (value.name.as_deref().unwrap_or_default(), value.number.unwrap_or_default());
            // Ranges that do not overlap: only the last one that starts at or before can hold it.
            let after = ranges.partition_point(|r| r.0 <= number);
            if let Some(&(_, _, range)) = ranges[..after].last().filter(|r| r.1 >= number) {
                let (id, related) = (self.id, join(path(), &[4, range]));
                let place = join(path(), &[2, position as i32, 2]);
                let fault = self.error(
                    "reserved-number",
                    place,
                    format!("number {number} of enum value \"{name}\" is reserved"),
                );
                fault.related.push((id, related, "reserved here".into()));
            }
            if names.contains(name) {
                let place = join(path(), &[2, position as i32, 1]);
                self.error("reserved-name", place, format!("enum value \"{name}\" is reserved"));
            }
        }
    }

    // Code generators strip the enum's name from its values and change their case.
    fn enum_value_names(&mut self, index: u32, proto: &EnumDescriptorProto) {
        let file = self.file;
        let prefix = EnumPrefix::new(proto.name.as_deref().unwrap_or_default());
        let mut seen: HashMap<String, usize> =
            HashMap::with_capacity_and_hasher(proto.value.len(), Default::default());
        for (position, value) in proto.value.iter().enumerate() {
            let name = value.name.as_deref().unwrap_or_default();
            if !name.is_ascii() {
                continue; // reported as an invalid name
            }
            let key = enum_value_key(&prefix, name);
            let Some(&other) = seen.get(&key) else {
                seen.insert(key, position);
                continue;
            };
            let first = &proto.value[other];
            let first_name = first.name.as_deref().unwrap_or_default();
            if first_name == name || first.number == value.number {
                continue;
            }
            let message = format!(
                "enum values \"{name}\" and \"{first_name}\" are the same without the enum's name and letter case"
            );
            let place = join(file.enum_path(index), &[2, position as i32, 1]);
            let legacy = proto.options.as_deref().and_then(|o| o.deprecated_legacy_json_field_conflicts);
            if legacy == Some(true) && self.edition() == Edition::EDITION_PROTO2 {
                self.warning("enum-value-conflict", place, message);
            } else {
                let (id, related) = (self.id, join(file.enum_path(index), &[2, other as i32, 1]));
                let fault = self.error("enum-value-conflict", place, message);
                fault.related.push((id, related, "the other value".into()));
                fault.help = Some("rename one, or give both the same number".into());
            }
        }
    }

    fn enum_json_strings(&mut self, index: u32, proto: &EnumDescriptorProto) {
        let strings: Vec<Option<String>> = proto.value.iter().map(json_string).collect();
        if strings.iter().all(Option::is_none) {
            return;
        }
        let file = self.file;
        let alias = proto.options.as_deref().is_some_and(|o| o.allow_alias == Some(true));
        let mut by_number: HashMap<i32, usize> = HashMap::default();
        let mut by_text: HashMap<&str, usize> = HashMap::default();
        for (position, value) in proto.value.iter().enumerate() {
            let (name, number) =
                (value.name.as_deref().unwrap_or_default(), value.number.unwrap_or_default());
            let place = || join(file.enum_path(index), &[2, position as i32, 3, JSON_EXTENSION as i32]);
            let custom = strings[position].as_deref();
            if let Some(text) = custom {
                if text.contains('\0') {
                    self.error("json-string-nul", place(), "a JSON string cannot contain NUL");
                }
                if text.trim().parse::<i32>().is_ok_and(|parsed| parsed != number) {
                    self.error(
                        "json-string-number",
                        place(),
                        format!(
                            "JSON string \"{text}\" reads as a number, but the value's number is {number}"
                        ),
                    );
                }
            }
            let first = *by_number.entry(number).or_insert(position);
            if alias && strings[first] != strings[position] {
                self.error(
                    "json-string-alias",
                    place(),
                    format!("aliases of number {number} need the same JSON string"),
                );
            }
            for text in [Some(name), custom].into_iter().flatten() {
                let other = *by_text.entry(text).or_insert(position);
                if proto.value[other].number != value.number {
                    let other_name = proto.value[other].name.as_deref().unwrap_or_default();
                    self.error(
                        "json-string-conflict",
                        place(),
                        format!("JSON string \"{text}\" of \"{name}\" already stands for \"{other_name}\""),
                    );
                }
            }
        }
    }
}

fn json_string(value: &crate::descriptor::EnumValueDescriptorProto) -> Option<String> {
    let mut found = None;
    let mut reader = value.options.as_deref()?.unknown_fields.reader();
    while let Ok(Some(tag)) = reader.tag() {
        if tag.number != JSON_EXTENSION || tag.wire_type != WireType::Len {
            reader.skip(tag).ok()?;
            continue;
        }
        let mut message = reader.message().ok()?;
        found.get_or_insert_with(String::new);
        while let Ok(Some(tag)) = message.tag() {
            if tag.number == JSON_STRING && tag.wire_type == WireType::Len {
                found = Some(String::from_utf8_lossy(message.bytes().ok()?).into_owned());
            } else {
                message.skip(tag).ok()?;
            }
        }
    }
    found
}
