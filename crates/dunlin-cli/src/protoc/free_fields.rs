//! `--print_free_field_numbers`.

use dunlin_protobuf::descriptor::{DescriptorProto, FileDescriptorProto};
use dunlin_protobuf::wire::MAX_FIELD_NUMBER;

use crate::print::say;

/// Prints the free numbers of all messages, nested ones first.
pub(crate) fn print(file: &FileDescriptorProto) {
    let package = file.package.as_deref().unwrap_or_default();
    for message in &file.message_type {
        print_message(package, message);
    }
}

fn print_message(scope: &str, message: &DescriptorProto) {
    let name = message.name.as_deref().unwrap_or_default();
    let full_name = if scope.is_empty() { name.to_owned() } else { format!("{scope}.{name}") };
    for nested in &message.nested_type {
        print_message(&full_name, nested);
    }
    say(&format!("{full_name:<35} free:{}", free_numbers(message)));
}

fn free_numbers(message: &DescriptorProto) -> String {
    let fields = message.field.iter().filter_map(|field| field.number).map(|n| (n, n.saturating_add(1)));
    let extensions = message.extension_range.iter().map(|r| (r.start, r.end));
    let reserved = message.reserved_range.iter().map(|r| (r.start, r.end));
    let ranges = extensions.chain(reserved).filter_map(|(start, end)| Some((start?, end?)));
    let mut taken: Vec<(i32, i32)> = fields.chain(ranges).collect();
    taken.sort_unstable();
    let mut free = String::new();
    let mut next = 1;
    for (start, end) in taken {
        if next >= end {
            continue;
        }
        if next + 1 == start {
            free.push_str(&format!(" {next}"));
        } else if next < start {
            free.push_str(&format!(" {next}-{}", start - 1));
        }
        next = end;
    }
    if next <= MAX_FIELD_NUMBER as i32 {
        free.push_str(&format!(" {next}-INF"));
    }
    free
}
