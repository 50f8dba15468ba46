//! Field numbers: used once, not reserved, not set aside for extensions.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{Check, Scope};
use crate::descriptor::DescriptorProto;
use crate::pool::fault::Path;
use crate::pool::table::join;

/// The largest field number.
const MAX_NUMBER: i32 = crate::wire::MAX_FIELD_NUMBER as i32;
/// Numbers that the implementation keeps for itself.
const IMPLEMENTATION: core::ops::RangeInclusive<i32> = 19_000..=19_999;

/// A range as written, with an exclusive end, and where it stands.
struct Stretch {
    start: i32,
    end: i32,
    kind: &'static str,
    step: [i32; 2],
}

impl Check<'_> {
    pub(super) fn message_ranges(&mut self, index: u32, proto: &DescriptorProto) {
        let file = self.file;
        let entry = &file.messages[index as usize];
        let max_extension = if entry.message_set { i64::from(i32::MAX) } else { i64::from(MAX_NUMBER) };
        let path = || file.message_path(index);
        let mut stretches = Vec::with_capacity(entry.extension_ranges.len() + entry.reserved_ranges.len());
        let mut bounds = |check: &mut Self, start: i32, end: i32, kind: &'static str, step: [i32; 2]| {
            if start <= 0 {
                let place = join(join(path(), &step), &[1]);
                check.error("range-not-positive", place, format!("{kind} numbers have to be positive"));
            }
            if start >= end {
                let place = join(path(), &step);
                check.error("range-reversed", place, format!("{kind} range ends before it starts"));
            } else {
                stretches.push(Stretch { start, end, kind, step });
            }
        };
        for (position, range) in entry.extension_ranges.iter().enumerate() {
            bounds(self, range.start, range.end, "extension", [5, position as i32]);
        }
        for (position, &(start, end)) in entry.reserved_ranges.iter().enumerate() {
            bounds(self, start, end, "reserved", [9, position as i32]);
        }
        for (position, range) in entry.extension_ranges.iter().enumerate() {
            if i64::from(range.end) > max_extension + 1 {
                let place = join(path(), &[5, position as i32, 2]);
                self.error(
                    "extension-number-too-large",
                    place,
                    format!("extension numbers cannot be greater than {max_extension}"),
                );
            }
        }
        stretches.sort_by_key(|s| (s.start, s.step));
        self.overlaps(&stretches, &path);
        self.field_numbers(index, proto, &stretches);
    }

    fn overlaps(&mut self, sorted: &[Stretch], path: &dyn Fn() -> Path) {
        let mut widest: Option<&Stretch> = None;
        for stretch in sorted {
            if let Some(before) = widest.filter(|w| w.end > stretch.start) {
                let (id, other) = (self.id, join(path(), &before.step));
                let message = format!(
                    "{} range {} overlaps {} range {}",
                    stretch.kind,
                    inclusive(stretch),
                    before.kind,
                    inclusive(before),
                );
                let fault = self.error("range-overlap", join(path(), &stretch.step), message);
                fault.related.push((id, other, "overlaps this range".into()));
            }
            if widest.is_none_or(|w| w.end < stretch.end) {
                widest = Some(stretch);
            }
        }
    }

    fn field_numbers(&mut self, index: u32, proto: &DescriptorProto, stretches: &[Stretch]) {
        let file = self.file;
        let entry = &file.messages[index as usize];
        // The largest end so far, so that one binary search finds a range that holds a number.
        let mut reach = i32::MIN;
        let reaches: Vec<i32> = stretches
            .iter()
            .map(|s| {
                reach = reach.max(s.end);
                reach
            })
            .collect();
        let mut numbers: Vec<(i32, u32)> = Vec::with_capacity(proto.field.len());
        let mut free = None;
        for field in entry.fields.clone() {
            let number = file.fields[field as usize].number;
            numbers.push((number, field));
            let place = join(file.field_path(field), &[3]);
            let name = file.text(file.fields[field as usize].name);
            if let Some(message) = out_of_bounds(number, self.scope) {
                let next = *free.get_or_insert_with(|| self.next_number(index));
                let fault = self.error("field-number-out-of-range", place, message);
                fault.help = next.map(|next| format!("the next free number is {next}"));
                continue;
            }
            let after = stretches.partition_point(|s| s.start <= number);
            if after == 0 || reaches[after - 1] <= number {
                continue;
            }
            let Some(range) = stretches[..after].iter().rev().find(|s| s.end > number) else { continue };
            let (id, other) = (self.id, join(file.message_path(index), &range.step));
            let (code, what) = match range.kind {
                "reserved" => ("reserved-number", "reserved"),
                _ => ("number-in-extension-range", "set aside for extensions"),
            };
            let next = *free.get_or_insert_with(|| self.next_number(index));
            let fault = self.error(code, place, format!("number {number} of field \"{name}\" is {what}"));
            fault.related.push((id, other, format!("{what} here")));
            fault.help = next.map(|next| format!("the next free number is {next}"));
        }
        numbers.sort_unstable();
        for pair in numbers.windows(2) {
            let [(number, first), (again, second)] = [pair[0], pair[1]];
            if number != again {
                continue;
            }
            let next = *free.get_or_insert_with(|| self.next_number(index));
            let (id, other) = (self.id, join(file.field_path(first), &[3]));
            let names = [first, second].map(|f| file.text(file.fields[f as usize].name));
            let fault = self.error(
                "duplicate-field-number",
                join(file.field_path(second), &[3]),
                format!(
                    "number {number} of field \"{}\" is already used by field \"{}\"",
                    names[1], names[0]
                ),
            );
            fault.related.push((id, other, "first used here".into()));
            fault.help = next.map(|next| format!("the next free number is {next}"));
        }
    }

    /// The number after all that are taken, or the lowest gap.
    fn next_number(&self, index: u32) -> Option<i32> {
        let entry = &self.file.messages[index as usize];
        let mut taken: Vec<(i32, i32)> = entry
            .fields
            .clone()
            .map(|f| self.file.fields[f as usize].number)
            .map(|n| (n, n.saturating_add(1)))
            .chain(entry.extension_ranges.iter().map(|r| (r.start, r.end)))
            .chain(entry.reserved_ranges.iter().copied())
            .chain([(*IMPLEMENTATION.start(), IMPLEMENTATION.end() + 1)])
            .collect();
        taken.sort_unstable();
        let mut next = 1;
        for (start, end) in taken {
            if start <= next && next < end {
                next = end;
            }
        }
        (next <= MAX_NUMBER).then_some(next)
    }
}

/// Why a field cannot have this number at all.
fn out_of_bounds(number: i32, scope: Scope) -> Option<String> {
    if number <= 0 {
        Some("field numbers have to be positive".into())
    } else if number > MAX_NUMBER {
        Some(format!("field numbers cannot be greater than {MAX_NUMBER}"))
    } else {
        implementation_number(number, scope)
    }
}

/// Why neither a field nor an extension can have this number.
pub(super) fn implementation_number(number: i32, scope: Scope) -> Option<String> {
    (scope == Scope::Input && IMPLEMENTATION.contains(&number)).then(|| {
        let (first, last) = (IMPLEMENTATION.start(), IMPLEMENTATION.end());
        format!("field numbers {first} to {last} are reserved for the implementation")
    })
}

fn inclusive(stretch: &Stretch) -> String {
    let last = i64::from(stretch.end) - 1;
    if i64::from(stretch.start) == last { last.to_string() } else { format!("{} to {last}", stretch.start) }
}
