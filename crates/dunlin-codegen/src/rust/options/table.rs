//! The names of all options, and what they take.

/// An option of the generator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OptionInfo {
    /// The name, the same in every way to set it.
    pub name: &'static str,
    /// What it takes.
    pub form: Form,
    /// What it does, in a line.
    pub about: &'static str,
}

/// What an option takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Form {
    /// `true` or `false`.
    Switch,
    /// A path, or `true` or `false`, or a path with one of these.
    Flag,
    /// A text.
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A path with a text.
    PathText,
    /// A file or folder with a text.
    FileText,
}

const fn option(name: &'static str, form: Form, about: &'static str) -> OptionInfo {
    OptionInfo { name, form, about }
}

/// All options.
pub const OPTIONS: &[OptionInfo] = &[
    option("runtime", Form::Text, "the path of the runtime"),
    option("rpc_runtime", Form::Text, "the path of the RPC runtime"),
    option("well_known_types", Form::Word(&["runtime", "generate"]), "where the well-known types are"),
    option("extern_path", Form::PathText, "where the types of a package, or a type, are"),
    option("extern_file", Form::FileText, "the module that a schema file was generated into"),
    option("include_file", Form::Text, "a schema file or folder to generate, and no other"),
    option("exclude_file", Form::Text, "a schema file or folder not to generate"),
    option("views", Form::Flag, "views that borrow"),
    option("boxed", Form::Flag, "message fields in boxes"),
    option("hash_map", Form::Flag, "map fields as HashMap"),
    option("shared_strings", Form::Flag, "string fields as SharedString"),
    option("byte_vec", Form::Flag, "bytes fields as Vec<u8>"),
    option("raw_strings", Form::Flag, "string fields that need not be UTF-8 as bytes"),
    option("wrappers", Form::Flag, "fields of wrapper messages as Option of the scalar"),
    option("strip_enum_prefix", Form::Flag, "constants of enums without the enum's name"),
    option("serde", Form::Flag, "Serialize and Deserialize by the rules of ProtoJSON"),
    option("reflection", Form::Flag, "messages that show themselves to what reads any message"),
    option("client", Form::Flag, "clients of services"),
    option("server", Form::Flag, "traits of services, and what adds them to a server"),
    option("service_descriptors", Form::Flag, "the descriptors of services, for reflection"),
    option("no_std", Form::Switch, "Box, String and Vec by their paths in alloc"),
    option("embed_descriptors", Form::Switch, "the descriptors as FILE_DESCRIPTOR_SET"),
    option("type_attribute", Form::PathText, "an attribute of messages, enums and oneofs"),
    option("message_attribute", Form::PathText, "an attribute of messages"),
    option("enum_attribute", Form::PathText, "an attribute of enums"),
    option("oneof_attribute", Form::PathText, "an attribute of oneofs"),
    option("field_attribute", Form::PathText, "an attribute of fields"),
];

pub(super) fn names() -> String {
    let names: Vec<_> = OPTIONS.iter().map(|option| option.name).collect();
    names.join(", ")
}

impl Form {
    pub(super) fn expected(self) -> String {
        match self {
            Self::Switch => "true or false".into(),
            Self::Flag => "true, false, .PATH, .PATH=true or .PATH=false".into(),
            Self::Text => "a text".into(),
            Self::Word(words) => words.join(" or "),
            Self::PathText => ".PATH=TEXT".into(),
            Self::FileText => "FILE=TEXT".into(),
        }
    }

    /// Path and value of an argument.
    pub(super) fn parse(self, argument: &str) -> Option<(&str, &str)> {
        let on_or_off = |text| matches!(text, "true" | "false").then_some(text);
        match self {
            Self::Switch | Self::Flag if argument.is_empty() => Some((".", "true")),
            Self::Flag if argument.starts_with('.') => match argument.split_once('=') {
                Some((path, value)) => Some((path, on_or_off(value)?)),
                None => Some((argument, "true")),
            },
            Self::Switch | Self::Flag => Some((".", on_or_off(argument)?)),
            Self::Text => (!argument.is_empty()).then_some((".", argument)),
            Self::Word(words) => words.contains(&argument).then_some((".", argument)),
            Self::PathText | Self::FileText => {
                let (path, value) = argument.split_once('=')?;
                let is_path = self == Self::FileText || path.starts_with('.');
                (is_path && !path.is_empty() && !value.is_empty()).then_some((path, value))
            }
        }
    }
}
