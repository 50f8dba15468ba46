//! The types that have a form of their own in JSON.

/// The types that ProtoJSON writes in a form of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WellKnown {
    /// All other types.
    None,
    Any,
    Timestamp,
    Duration,
    FieldMask,
    Struct,
    Value,
    ListValue,
    /// `Int32Value` and its like.
    Wrapper,
}

impl WellKnown {
    /// What the type with this full name is.
    pub(crate) const fn of(full_name: &str) -> Self {
        const NAMES: [(&str, WellKnown); 16] = [
            ("Any", WellKnown::Any),
            ("Timestamp", WellKnown::Timestamp),
            ("Duration", WellKnown::Duration),
            ("FieldMask", WellKnown::FieldMask),
            ("Struct", WellKnown::Struct),
            ("Value", WellKnown::Value),
            ("ListValue", WellKnown::ListValue),
            ("DoubleValue", WellKnown::Wrapper),
            ("FloatValue", WellKnown::Wrapper),
            ("Int64Value", WellKnown::Wrapper),
            ("UInt64Value", WellKnown::Wrapper),
            ("Int32Value", WellKnown::Wrapper),
            ("UInt32Value", WellKnown::Wrapper),
            ("BoolValue", WellKnown::Wrapper),
            ("StringValue", WellKnown::Wrapper),
            ("BytesValue", WellKnown::Wrapper),
        ];
        const PACKAGE: &[u8] = b"google.protobuf.";
        let name = full_name.as_bytes();
        if name.len() <= PACKAGE.len() || !same(name, 0, PACKAGE) {
            return Self::None;
        }
        let mut i = 0;
        while i < NAMES.len() {
            let candidate = NAMES[i].0.as_bytes();
            if name.len() == PACKAGE.len() + candidate.len() && same(name, PACKAGE.len(), candidate) {
                return NAMES[i].1;
            }
            i += 1;
        }
        Self::None
    }
}

/// True if `part` stands in `text` at `from`; there is room for it.
const fn same(text: &[u8], from: usize, part: &[u8]) -> bool {
    let mut i = 0;
    while i < part.len() {
        if text[from + i] != part[i] {
            return false;
        }
        i += 1;
    }
    true
}
