//! Numbers and names that are set aside.

use dunlin_protobuf::descriptor::DescriptorProto;

use super::Printer;
use super::literal::quoted;
use super::message::child;

/// The largest field number, and that of message sets.
const MAX_NUMBER: i32 = 536_870_911;
const MAX_SET_NUMBER: i32 = i32::MAX - 1;

pub(super) fn max_number(message: &DescriptorProto) -> i32 {
    let is_set =
        message.options.as_deref().is_some_and(|options| options.message_set_wire_format == Some(true));
    if is_set { MAX_SET_NUMBER } else { MAX_NUMBER }
}

fn range(first: i32, last: i32, max: i32) -> String {
    match last {
        last if last == first => first.to_string(),
        last if last == max => format!("{first} to max"),
        last => format!("{first} to {last}"),
    }
}

impl<'p> Printer<'p> {
    /// `extensions 100 to 199 [...];` for ranges that have the same options.
    pub(super) fn extension_ranges(
        &mut self,
        message: &'p DescriptorProto,
        path: &[i32],
        full_name: &str,
        indexes: &[usize],
        indent: usize,
    ) {
        let max = max_number(message);
        self.out.indent(indent);
        self.out.push("extensions ");
        for (at, index) in indexes.iter().enumerate() {
            if at > 0 {
                self.out.push(", ");
            }
            // Comments stay in the line.
            let location = self.location(&child(path, 5, *index));
            if let Some(comment) = location.and_then(|location| location.leading_comments.as_deref()) {
                let comment = comment.trim();
                if !comment.is_empty() && !comment.contains(['\n', '*']) {
                    self.out.push(&format!("/* {comment} */ "));
                }
            }
            let extensions = &message.extension_range[*index];
            let last = extensions.end.unwrap_or_default().saturating_sub(1);
            let last = if last == i32::MAX - 1 { max } else { last };
            self.out.push(&range(extensions.start.unwrap_or_default(), last, max));
        }
        let Some(first) = indexes.first().map(|index| &message.extension_range[*index]) else { return };
        let settings = self.options(first.options.as_deref(), "ExtensionRangeOptions", full_name);
        let mut options_path = child(path, 5, indexes[0]);
        options_path.push(3);
        let settings = self.in_order(settings, &options_path);
        self.short_options(&settings, indent);
        self.out.push(";\n");
    }

    pub(super) fn reserved_ranges(&mut self, ranges: &[(i32, i32)], max: i32, indent: usize) {
        let texts: Vec<String> = ranges.iter().map(|(first, last)| range(*first, *last, max)).collect();
        self.out.indent(indent);
        self.out.push(&format!("reserved {};\n", texts.join(", ")));
    }

    pub(super) fn reserved_names(&mut self, names: &[&str], indent: usize) {
        let in_quotes = self.quotes_reserved_names();
        let texts: Vec<String> =
            names.iter().map(|name| if in_quotes { quoted(name) } else { (*name).to_owned() }).collect();
        self.out.indent(indent);
        self.out.push(&format!("reserved {};\n", texts.join(", ")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_as_short_as_they_may_be() {
        assert_eq!(range(1, 1, 9), "1");
        assert_eq!(range(1, 8, 9), "1 to 8");
        assert_eq!(range(1, 9, 9), "1 to max");
    }
}
