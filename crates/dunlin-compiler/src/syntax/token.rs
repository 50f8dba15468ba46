use super::Span;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum TokenKind {
    /// A name or a keyword; keywords are not reserved.
    Identifier,
    /// A decimal, hexadecimal or octal integer.
    Integer,
    /// A number with a point or an exponent.
    Float,
    /// A quoted string, quotes included.
    String,
    /// One ASCII character.
    Symbol,
    /// Bytes that are no token at all; a fault says so.
    Unknown,
    /// The end of the source.
    End,
}

/// A piece of the source, with its place in lines and columns.
#[derive(Clone, Copy, Debug)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Which keyword an identifier is.
    pub keyword: Keyword,
    /// Which character a symbol is; 0 for anything else.
    pub symbol: u8,
    /// True if a comment stands between the token before and this one.
    pub after_comment: bool,
    /// The first byte.
    pub start: u32,
    /// The byte after the last.
    pub end: u32,
    /// The line, from 0.
    pub line: u32,
    /// The column in bytes, from 0; a tab reaches to the next multiple of eight.
    pub column: u32,
    /// The column after the last byte.
    pub end_column: u32,
}

impl Token {
    /// Where the token stands.
    pub const fn span(&self) -> Span {
        Span::new(self.start, self.end)
    }
}

/// Identifiers that mean something in some place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs)] // Each is the word it is named after.
pub enum Keyword {
    /// Any other identifier.
    #[default]
    None,
    Syntax,
    Edition,
    Package,
    Import,
    Public,
    Weak,
    Option,
    Export,
    Local,
    Message,
    Enum,
    Service,
    Extend,
    Extensions,
    Reserved,
    Oneof,
    Rpc,
    Stream,
    Returns,
    Optional,
    Required,
    Repeated,
    Map,
    Group,
    To,
    Max,
    Default,
    JsonName,
    Double,
    Float,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Sint64,
    Fixed32,
    Fixed64,
    Sfixed32,
    Sfixed64,
    Bool,
    String,
    Bytes,
}

impl Keyword {
    pub(super) fn of(text: &[u8]) -> Self {
        match text {
            b"syntax" => Keyword::Syntax,
            b"edition" => Keyword::Edition,
            b"package" => Keyword::Package,
            b"import" => Keyword::Import,
            b"public" => Keyword::Public,
            b"weak" => Keyword::Weak,
            b"option" => Keyword::Option,
            b"export" => Keyword::Export,
            b"local" => Keyword::Local,
            b"message" => Keyword::Message,
            b"enum" => Keyword::Enum,
            b"service" => Keyword::Service,
            b"extend" => Keyword::Extend,
            b"extensions" => Keyword::Extensions,
            b"reserved" => Keyword::Reserved,
            b"oneof" => Keyword::Oneof,
            b"rpc" => Keyword::Rpc,
            b"stream" => Keyword::Stream,
            b"returns" => Keyword::Returns,
            b"optional" => Keyword::Optional,
            b"required" => Keyword::Required,
            b"repeated" => Keyword::Repeated,
            b"map" => Keyword::Map,
            b"group" => Keyword::Group,
            b"to" => Keyword::To,
            b"max" => Keyword::Max,
            b"default" => Keyword::Default,
            b"json_name" => Keyword::JsonName,
            b"double" => Keyword::Double,
            b"float" => Keyword::Float,
            b"int32" => Keyword::Int32,
            b"int64" => Keyword::Int64,
            b"uint32" => Keyword::Uint32,
            b"uint64" => Keyword::Uint64,
            b"sint32" => Keyword::Sint32,
            b"sint64" => Keyword::Sint64,
            b"fixed32" => Keyword::Fixed32,
            b"fixed64" => Keyword::Fixed64,
            b"sfixed32" => Keyword::Sfixed32,
            b"sfixed64" => Keyword::Sfixed64,
            b"bool" => Keyword::Bool,
            b"string" => Keyword::String,
            b"bytes" => Keyword::Bytes,
            _ => Self::None,
        }
    }

    /// The word.
    pub const fn text(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Syntax => "syntax",
            Self::Edition => "edition",
            Self::Package => "package",
            Self::Import => "import",
            Self::Public => "public",
            Self::Weak => "weak",
            Self::Option => "option",
            Self::Export => "export",
            Self::Local => "local",
            Self::Message => "message",
            Self::Enum => "enum",
            Self::Service => "service",
            Self::Extend => "extend",
            Self::Extensions => "extensions",
            Self::Reserved => "reserved",
            Self::Oneof => "oneof",
            Self::Rpc => "rpc",
            Self::Stream => "stream",
            Self::Returns => "returns",
            Self::Optional => "optional",
            Self::Required => "required",
            Self::Repeated => "repeated",
            Self::Map => "map",
            Self::Group => "group",
            Self::To => "to",
            Self::Max => "max",
            Self::Default => "default",
            Self::JsonName => "json_name",
            Self::Double => "double",
            Self::Float => "float",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Uint32 => "uint32",
            Self::Uint64 => "uint64",
            Self::Sint32 => "sint32",
            Self::Sint64 => "sint64",
            Self::Fixed32 => "fixed32",
            Self::Fixed64 => "fixed64",
            Self::Sfixed32 => "sfixed32",
            Self::Sfixed64 => "sfixed64",
            Self::Bool => "bool",
            Self::String => "string",
            Self::Bytes => "bytes",
        }
    }
}

impl Keyword {
    /// True for the names of scalar types, and for `group`.
    pub const fn is_builtin_type(self) -> bool {
        matches!(
            self,
            Self::Double
                | Self::Float
                | Self::Int32
                | Self::Int64
                | Self::Uint32
                | Self::Uint64
                | Self::Sint32
                | Self::Sint64
                | Self::Fixed32
                | Self::Fixed64
                | Self::Sfixed32
                | Self::Sfixed64
                | Self::Bool
                | Self::String
                | Self::Bytes
                | Self::Group
        )
    }

    /// True for `optional`, `required` and `repeated`.
    pub const fn is_label(self) -> bool {
        matches!(self, Self::Optional | Self::Required | Self::Repeated)
    }
}
