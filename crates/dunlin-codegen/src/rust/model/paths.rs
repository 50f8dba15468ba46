//! How the types of a schema are written in Rust, from a given module.

use dunlin_protobuf::pool::{FieldKind, FieldView, MessageId};
use dunlin_protobuf::table::{Kind, Shape};

use super::{Field, Flavor, Model, Place, entry};

impl<'p> Model<'p> {
    /// The path of a type from a module.
    pub(in crate::rust) fn path(&self, place: &Place, name: &str, from: &[String]) -> String {
        if let Some(external) = &place.external {
            let modules: String = place.modules.iter().map(|m| format!("{m}::")).collect();
            return format!("{external}::{modules}{name}");
        }
        let common = place.modules.iter().zip(from).take_while(|(a, b)| a == b).count();
        let up = "super::".repeat(from.len() - common);
        let down: String = place.modules[common..].iter().map(|m| format!("{m}::")).collect();
        // A name of the runtime's would be found first in the blocks that use them all.
        let own = if up.is_empty() && down.is_empty() { "self::" } else { "" };
        let own = if RUNTIME_NAMES.contains(&name) { own } else { "" };
        format!("{own}{up}{down}{name}")
    }

    /// The path of a message type from a module.
    pub(in crate::rust) fn message_path(&self, id: MessageId, flavor: Flavor, from: &[String]) -> String {
        let place = self.message_place(id);
        match (&place.view, flavor) {
            (Some(view), Flavor::View) => format!("{}<'a>", self.path(place, view, from)),
            _ => self.path(place, &place.name, from),
        }
    }

    /// The type of one value of a field.
    pub(in crate::rust) fn value_type(
        &self,
        view: &FieldView<'p>,
        kind: Kind,
        flavor: Flavor,
        from: &[String],
    ) -> String {
        self.one_type(view, kind, flavor, None, from)
    }

    /// The same, by what the options say of the field `of`.
    fn one_type(
        &self,
        view: &FieldView<'p>,
        kind: Kind,
        flavor: Flavor,
        of: Option<&Field<'p>>,
        from: &[String],
    ) -> String {
        let runtime = self.options.runtime();
        match kind {
            Kind::Bool => "bool".into(),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => "i32".into(),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => "i64".into(),
            Kind::Uint32 | Kind::Fixed32 => "u32".into(),
            Kind::Uint64 | Kind::Fixed64 => "u64".into(),
            Kind::Float => "f32".into(),
            Kind::Double => "f64".into(),
            Kind::String if flavor == Flavor::View => "&'a str".into(),
            Kind::String if of.is_some_and(|field| field.shared) => format!("{runtime}::SharedString"),
            Kind::String => self.std("String", from),
            Kind::Bytes if flavor == Flavor::View => "&'a [u8]".into(),
            Kind::Bytes if of.is_some_and(|field| field.byte_vec) => format!("{}<u8>", self.std("Vec", from)),
            Kind::Bytes => format!("{runtime}::bytes::Bytes"),
            Kind::Enum | Kind::Message | Kind::Group => match view.kind() {
                FieldKind::Message(message) => self.message_path(message.id(), flavor, from),
                FieldKind::Enum(e) => {
                    let place = self.enum_place(e.id());
                    self.path(place, &place.name, from)
                }
                _ => unreachable!("the pool linked every type"),
            },
        }
    }

    /// The type of a struct member.
    pub(in crate::rust) fn member_type(&self, field: &Field<'p>, flavor: Flavor, from: &[String]) -> String {
        if field.shape == Shape::Map {
            let (key, value) = entry(&field.view);
            let key = self.one_type(&key, self.held_kind(&key, &field.view), flavor, Some(field), from);
            let value = self.one_type(&value, self.held_kind(&value, &field.view), flavor, Some(field), from);
            let runtime = self.options.runtime();
            return match flavor {
                Flavor::Owned if self.options.flag("hash_map", &field.view.full_name()) == Some(true) => {
                    format!("::std::collections::HashMap<{key}, {value}>")
                }
                Flavor::Owned => format!("{runtime}::BTreeMap<{key}, {value}>"),
                Flavor::View => format!("{runtime}::slot::MapView<{key}, {value}>"),
            };
        }
        let kind = field.wrapped.unwrap_or(field.kind);
        let value = self.one_type(&field.view, kind, flavor, Some(field), from);
        let value = if field.boxed { format!("{}<{value}>", self.std("Box", from)) } else { value };
        match field.shape {
            Shape::Repeated | Shape::Packed => format!("{}<{value}>", self.std("Vec", from)),
            Shape::Explicit | Shape::Required => format!("{}<{value}>", self.std("Option", from)),
            _ => value,
        }
    }

    /// A name of the prelude, or its whole path where a type of the schema has the name.
    pub(in crate::rust) fn std(&self, name: &str, from: &[String]) -> String {
        let is_taken = self.taken.get(from).is_some_and(|taken| taken.iter().any(|t| t == name));
        match name {
            "Box" | "Vec" | "String" if self.options.is_no_std() => {
                let module = name.to_ascii_lowercase();
                let module = if module == "box" { "boxed" } else { &module };
                format!("{}::alloc::{module}::{name}", self.options.runtime())
            }
            _ if !is_taken => name.into(),
            "Option" => "::core::option::Option".into(),
            "Default" => "::core::default::Default".into(),
            "Err" => "::core::result::Result::Err".into(),
            "Box" => "::std::boxed::Box".into(),
            "Vec" => "::std::vec::Vec".into(),
            _ => "::std::string::String".into(),
        }
    }
}

/// What the blocks of implementations use without a path: `generated` of the runtime.
const RUNTIME_NAMES: &[&str] = &[
    "Bool",
    "Bytes",
    "Context",
    "Cow",
    "DecodeError",
    "Default",
    "DefaultValue",
    "Double",
    "EncodeOptions",
    "Entries",
    "Enum",
    "EnumTable",
    "EnumValue",
    "Enumeration",
    "Err",
    "Extension",
    "FieldTable",
    "Fields",
    "Fixed32",
    "Fixed64",
    "Float",
    "Grp",
    "Int32",
    "Int64",
    "Kind",
    "Measure",
    "Message",
    "MessageTable",
    "Msg",
    "None",
    "Ok",
    "Option",
    "Reflect",
    "Registry",
    "Result",
    "Sfixed32",
    "Sfixed64",
    "Shape",
    "Sint32",
    "Sint64",
    "Slot",
    "SlotRef",
    "Some",
    "Str",
    "TableRef",
    "Uint32",
    "Uint64",
    "UnknownFields",
    "Value",
    "Vec",
    "View",
    "Walk",
    "WireEntry",
    "Wrapped",
    "Writer",
];
