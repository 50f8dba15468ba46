//! Messages as the user reads them.

mod json;
mod number;
mod template;
mod text;
mod values;

use std::collections::BTreeSet;

use dunlin_protobuf::dynamic::DynamicMessage;
use dunlin_protobuf::slot::SlotRef;
use dunlin_protobuf::{DecodeOptions, Reflect};

use super::schema::{Source, Types};
pub(crate) use template::template;
pub(crate) use values::{elements, quoted_bytes};

/// How messages are written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// JSON on many lines, as grpcurl writes it.
    Pretty,
    /// JSON, one message to a line.
    Line,
    /// Text format, as grpcurl writes it.
    Text,
}

/// Writes messages in one style, and learns the types that they turn out to hold.
#[derive(Debug)]
pub(crate) struct Printer<'s> {
    source: &'s Source,
    style: Style,
    emit_defaults: bool,
}

/// More levels of `Any` in `Any` are not looked into.
const MAX_ANY: usize = 8;

/// Messages deeper than this are not written: those in `Any` and in extensions were bounded one by one only.
pub(crate) const MAX_DEPTH: usize = 200;

fn too_deep() -> String {
    format!(
        "messages are within each other more than {MAX_DEPTH} levels deep; -output-format binpb writes them"
    )
}

impl<'s> Printer<'s> {
    pub(crate) fn new(source: &'s Source, style: Style, emit_defaults: bool) -> Self {
        Self { source, style, emit_defaults }
    }

    pub(crate) fn style(&self) -> Style {
        self.style
    }

    /// The message, without a line end.
    pub(crate) async fn print(&self, message: &dyn Reflect, types: &mut Types) -> Result<String, String> {
        self.print_as(self.style, message, types).await
    }

    /// The message in another style.
    pub(crate) async fn print_as(
        &self,
        style: Style,
        message: &dyn Reflect,
        types: &mut Types,
    ) -> Result<String, String> {
        if style == Style::Text {
            return text::write(message, types);
        }
        self.learn(message, types).await;
        let compact = json::write(message, types, self.emit_defaults)?;
        Ok(if style == Style::Pretty { json::indent(&compact) } else { compact })
    }

    /// Asks for the types that are in an `Any`, until nothing new turns up.
    async fn learn(&self, message: &dyn Reflect, types: &mut Types) {
        for _ in 0..MAX_ANY {
            let mut names = BTreeSet::new();
            held_types(message, types, 0, &mut names);
            names.retain(|name| types.registry.table(name).is_none() && !types.was_asked(name));
            if names.is_empty() {
                return;
            }
            for name in names {
                self.source.learn(types, &name).await;
            }
        }
    }
}

/// The names of all types in `Any`s of a message.
fn held_types(message: &dyn Reflect, types: &Types, depth: usize, names: &mut BTreeSet<String>) {
    if let Some((url, bytes)) = any_parts(message) {
        let Some((_, name)) = url.rsplit_once('/') else { return };
        names.insert(name.to_owned());
        if let Some(held) = held(types, name, bytes).filter(|_| depth < MAX_ANY) {
            held_types(&held, types, depth + 1, names);
        }
        return;
    }
    for index in 0..message.table().fields().len() {
        match message.slot_ref(index) {
            SlotRef::Message(inner) => held_types(inner, types, depth, names),
            SlotRef::Messages(list) => {
                (0..list.len())
                    .filter_map(|at| list.get(at))
                    .for_each(|inner| held_types(inner, types, depth, names));
            }
            SlotRef::Map(map) => map.for_each(false, &mut |_, value| {
                if let SlotRef::Message(inner) = value {
                    held_types(inner, types, depth, names);
                }
                true
            }),
            _ => {}
        }
    }
}

/// The type and the content of an `Any` that holds something.
pub(crate) fn any_parts(message: &dyn Reflect) -> Option<(&str, &[u8])> {
    let table = message.table();
    if table.full_name() != "google.protobuf.Any" {
        return None;
    }
    let SlotRef::String(url) = message.slot_ref(table.index_of(1)?) else { return None };
    match message.slot_ref(table.index_of(2)?) {
        SlotRef::Bytes(bytes) => Some((url, bytes)),
        SlotRef::Absent => Some((url, &[])),
        _ => None,
    }
}

/// What an `Any` holds, if its type is known and the content is of that type.
pub(crate) fn held(types: &Types, name: &str, bytes: &[u8]) -> Option<DynamicMessage> {
    let table = types.registry.table(name)?;
    DynamicMessage::decode_with(table, bytes, &DecodeOptions::new().partial()).ok()
}
