//! Options of elements: those of descriptor.proto, and those that schemas add.

use dunlin_protobuf::descriptor::{DescriptorMessage, Location};
use dunlin_protobuf::dynamic::DynamicMessage;
use dunlin_protobuf::reflect::is_written;
use dunlin_protobuf::{DecodeOptions, Reflect};

use super::names::Keep;
use super::{Printer, Style, literal};

/// One option of an element.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    /// The name, custom ones in parentheses.
    pub(super) name: String,
    pub(super) value: Value,
    /// The number of the option, for its place in the source.
    number: i32,
}

/// A value; messages are laid out where they stand.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    Message(Box<DynamicMessage>),
}

impl Setting {
    pub(super) fn new(name: &str, value: String, number: i32) -> Self {
        Self { name: name.to_owned(), value: Value::Text(value), number }
    }
}

/// More options than this stand on lines of their own.
const MOST_IN_LINE: usize = 3;
/// And longer ones.
const LONGEST_IN_LINE: usize = 50;

impl<'p> Printer<'p> {
    /// The options of an element, sorted by name, custom ones last.
    pub(super) fn options<O: DescriptorMessage>(
        &self,
        options: Option<&O>,
        type_name: &str,
        scope: &str,
    ) -> Vec<Setting> {
        let mut settings = Vec::new();
        let Some(options) = options else { return settings };
        let full_name = format!("google.protobuf.{type_name}");
        let Some(table) = self.types.registry.table(&full_name) else { return settings };
        let bytes = options.encode_to_vec();
        let Ok(message) = DynamicMessage::decode_with(table.clone(), &bytes, &DecodeOptions::new().partial())
        else {
            return settings;
        };
        for (index, field) in table.fields().iter().enumerate() {
            let value = message.slot_ref(index);
            // Uninterpreted ones are of no use to anyone.
            if field.number() == 999 || !is_written(value, field) {
                continue;
            }
            let values = literal::values(value, field, &table);
            settings.extend(values.into_iter().map(|value| Setting {
                name: field.name().to_owned(),
                value,
                number: field.number() as i32,
            }));
        }
        let keep = if type_name == "MessageOptions" { Keep::Enclosing } else { Keep::Needed };
        for extension in self.types.extensions_of(&message, &full_name) {
            let number = extension.field.number();
            let Ok(Some(value)) = self.types.registry.extension_value(&message, number) else { continue };
            let name = format!("({})", self.name(extension.field.name(), scope, keep));
            let values = literal::values(value.slot_ref(), extension.field, &extension.of);
            settings.extend(values.into_iter().map(|value| Setting {
                name: name.clone(),
                value,
                number: number as i32,
            }));
        }
        sort(&mut settings);
        settings
    }

    /// `option name = value;`
    pub(super) fn long_option(&mut self, setting: &Setting, path: &[i32], indent: usize) {
        let location = self.option_location(path, setting.number);
        if self.style == Style::Source {
            self.out.leading(location, true, indent);
        }
        self.out.indent(indent);
        self.out.push("option ");
        let text = self.option_text(setting, Some(indent));
        self.out.push(&text);
        self.out.push(";");
        if self.style == Style::Source {
            self.out.trailing(location, indent);
        }
        self.out.end_line();
    }

    /// ` [name = value, ...]`, or nothing.
    pub(super) fn short_options(&mut self, settings: &[Setting], indent: usize) {
        if settings.is_empty() {
            return;
        }
        if settings.len() <= MOST_IN_LINE {
            let texts: Vec<String> = settings.iter().map(|setting| self.option_text(setting, None)).collect();
            let line = texts.join(", ");
            if line.len() <= LONGEST_IN_LINE {
                self.out.push(&format!(" [{line}]"));
                return;
            }
        }
        self.out.push(" [\n");
        for (index, setting) in settings.iter().enumerate() {
            self.out.indent(indent + 1);
            let text = self.option_text(setting, Some(indent + 1));
            self.out.push(&text);
            self.out.push(if index + 1 < settings.len() { ",\n" } else { "\n" });
        }
        self.out.indent(indent);
        self.out.push("]");
    }

    fn option_text(&self, setting: &Setting, indent: Option<usize>) -> String {
        let value = match &setting.value {
            Value::Text(text) => text.clone(),
            Value::Message(message) => {
                literal::Layout::new(&self.types, &self.package, self.style == Style::Shown)
                    .message(&**message, indent)
            }
        };
        format!("{} = {value}", setting.name)
    }

    /// The order of options behind an element: in source that of the source, else that of names.
    pub(super) fn in_order(&self, mut settings: Vec<Setting>, path: &[i32]) -> Vec<Setting> {
        if self.style == Style::Source {
            settings.sort_by_cached_key(|setting| {
                let span = self.option_span(path, setting);
                (span.is_none(), span)
            });
        }
        settings
    }

    /// Where an option stands: its path goes on as the text does, so the beginning counts.
    pub(super) fn option_span(&self, path: &[i32], setting: &Setting) -> Option<Vec<i32>> {
        self.option_location(path, setting.number).map(|location| location.span.clone())
    }

    fn option_location(&self, path: &[i32], number: i32) -> Option<&'p Location> {
        if number < 0 {
            // What is only written like an option is a member of the field.
            let (_, field) = path.split_last()?;
            let mut path = field.to_vec();
            path.push(-number);
            return self.location(&path);
        }
        let info = self.proto.source_code_info.as_deref()?;
        let begins = |location: &&'p Location| {
            location.path.strip_prefix(path).is_some_and(|rest| rest.first() == Some(&number))
        };
        info.location.iter().find(begins)
    }
}

/// By name, custom ones last; of one name as they were set.
pub(super) fn sort(settings: &mut [Setting]) {
    settings.sort_by(|a, b| {
        let key = |setting: &Setting| (setting.name.starts_with('('), setting.name.clone());
        key(a).cmp(&key(b))
    });
}
