//! Types of expressions.

use dunlin_protobuf::table::{FieldTable, Kind, Shape, TableRef};

/// What is known of a value before there is one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Type {
    /// Nothing; it is seen when the value is there.
    Dyn,
    Null,
    Bool,
    Int,
    Uint,
    Double,
    String,
    Bytes,
    Duration,
    Timestamp,
    /// A value of another type, or null.
    Wrapper(Box<Type>),
    List(Box<Type>),
    Map(Box<Type>, Box<Type>),
    Message(TableRef),
    /// The type of types, which are values too.
    Meta,
}

impl Type {
    pub(crate) fn list(item: Self) -> Self {
        Self::List(Box::new(item))
    }

    /// The type of one value of a field; of a map, the map.
    pub(crate) fn of_item(field: &FieldTable, of: &TableRef) -> Self {
        match field.kind() {
            Kind::Double | Kind::Float => Self::Double,
            Kind::Int32 | Kind::Int64 | Kind::Sint32 | Kind::Sint64 | Kind::Sfixed32 | Kind::Sfixed64 => {
                Self::Int
            }
            Kind::Enum => Self::Int,
            Kind::Uint32 | Kind::Uint64 | Kind::Fixed32 | Kind::Fixed64 => Self::Uint,
            Kind::Bool => Self::Bool,
            Kind::String => Self::String,
            Kind::Bytes => Self::Bytes,
            Kind::Group | Kind::Message => match field.message_table(of) {
                Some(table) => Self::of_message(table),
                None => Self::Dyn,
            },
        }
    }

    /// True for strings, lists of them, and maps of them.
    pub(crate) fn is_text(&self) -> bool {
        match self {
            Self::List(item) | Self::Map(_, item) => **item == Self::String,
            one => *one == Self::String,
        }
    }

    /// The type of a field as a whole.
    pub(crate) fn of_field(field: &FieldTable, of: &TableRef) -> Self {
        if field.cardinality() == Shape::Map {
            let Some(entry) = field.message_table(of) else { return Self::Dyn };
            let part = |number| {
                let field = entry.index_of(number).and_then(|index| entry.fields().get(index));
                field.map_or(Self::Dyn, |field| Self::of_item(field, &entry))
            };
            return Self::Map(Box::new(part(1)), Box::new(part(2)));
        }
        let item = Self::of_item(field, of);
        if field.cardinality().is_list() { Self::list(item) } else { item }
    }

    /// What a message of this type is to expressions.
    pub(crate) fn of_message(table: TableRef) -> Self {
        let wrapper = |inner| Self::Wrapper(Box::new(inner));
        match table.full_name() {
            "google.protobuf.Timestamp" => Self::Timestamp,
            "google.protobuf.Duration" => Self::Duration,
            "google.protobuf.Any" | "google.protobuf.Value" => Self::Dyn,
            "google.protobuf.Struct" => Self::Map(Box::new(Self::String), Box::new(Self::Dyn)),
            "google.protobuf.ListValue" => Self::list(Self::Dyn),
            "google.protobuf.BoolValue" => wrapper(Self::Bool),
            "google.protobuf.Int32Value" | "google.protobuf.Int64Value" => wrapper(Self::Int),
            "google.protobuf.UInt32Value" | "google.protobuf.UInt64Value" => wrapper(Self::Uint),
            "google.protobuf.FloatValue" | "google.protobuf.DoubleValue" => wrapper(Self::Double),
            "google.protobuf.StringValue" => wrapper(Self::String),
            "google.protobuf.BytesValue" => wrapper(Self::Bytes),
            _ => Self::Message(table),
        }
    }

    /// True if a value of the one type may be one of the other.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Dyn, _) | (_, Self::Dyn) => true,
            (Self::Wrapper(_) | Self::Message(_), Self::Null)
            | (Self::Null, Self::Wrapper(_) | Self::Message(_)) => true,
            (Self::Duration | Self::Timestamp, Self::Null)
            | (Self::Null, Self::Duration | Self::Timestamp) => true,
            (Self::Wrapper(a), b) | (b, Self::Wrapper(a)) => match b {
                Self::Wrapper(b) => a.meets(b),
                b => a.meets(b),
            },
            (Self::List(a), Self::List(b)) => a.meets(b),
            (Self::Map(a, b), Self::Map(c, d)) => a.meets(c) && b.meets(d),
            (Self::Message(a), Self::Message(b)) => a.full_name() == b.full_name(),
            (a, b) => a == b,
        }
    }

    /// The type of what may be of either; `Dyn` if they have nothing in common.
    pub(crate) fn join(self, other: Self) -> Self {
        match (self, other) {
            (Self::Null, b) if Self::Null.meets(&b) => b,
            (a, Self::Null) if a.meets(&Self::Null) => a,
            (Self::Wrapper(a), b) if *a == b => Self::Wrapper(a),
            (a, Self::Wrapper(b)) if a == *b => Self::Wrapper(b),
            (Self::List(a), Self::List(b)) => Self::list(a.join(*b)),
            (Self::Map(a, b), Self::Map(c, d)) => Self::Map(Box::new(a.join(*c)), Box::new(b.join(*d))),
            (a, b) if a == b => a,
            _ => Self::Dyn,
        }
    }

    /// The type without null.
    pub(crate) fn unwrapped(&self) -> &Self {
        match self {
            Self::Wrapper(inner) => inner,
            other => other,
        }
    }

    pub(crate) fn is_numeric(&self) -> bool {
        matches!(self.unwrapped(), Self::Int | Self::Uint | Self::Double | Self::Dyn)
    }
}

impl std::fmt::Display for Type {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Dyn => "dyn",
            Self::Null => "null_type",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Uint => "uint",
            Self::Double => "double",
            Self::String => "string",
            Self::Bytes => "bytes",
            Self::Duration => "google.protobuf.Duration",
            Self::Timestamp => "google.protobuf.Timestamp",
            Self::Meta => "type",
            Self::Wrapper(inner) => return write!(f, "wrapper({inner})"),
            Self::List(item) => return write!(f, "list({item})"),
            Self::Map(key, value) => return write!(f, "map({key}, {value})"),
            Self::Message(table) => return f.write_str(table.full_name()),
        })
    }
}
