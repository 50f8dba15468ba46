//! `Value`, `Struct` and `ListValue`: JSON as messages.

#[cfg(feature = "serde_json")]
#[path = "value/serde_json.rs"]
mod serde_json;

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Index;

#[cfg(feature = "serde_json")]
pub use self::serde_json::NotJson;
use super::value::Kind;
use super::{ListValue, NullValue, Struct, Value};

/// What indexing gives where nothing is.
static NULL: Value =
    Value { kind: Some(Kind::NullValue(NullValue::NULL_VALUE)), unknown_fields: crate::UnknownFields::EMPTY };

/// Any JSON value. Numbers are `f64`: whole ones are exact up to 2^53.
///
/// ```
/// use dunlin_protobuf::wkt::{Struct, Value};
///
/// let order = Struct::from_iter([
///     ("id", Value::from(7)),
///     ("paid", Value::from(true)),
///     ("lines", Value::from(vec!["tea", "milk"])),
/// ]);
/// assert_eq!(order["id"].as_f64(), Some(7.0));
/// assert_eq!(order["lines"][1].as_str(), Some("milk"));
/// assert!(order["lines"][2].is_null()); // nothing there
/// ```
impl Value {
    /// `null`.
    pub const NULL: Self = Self {
        kind: Some(Kind::NullValue(NullValue::NULL_VALUE)),
        unknown_fields: crate::UnknownFields::EMPTY,
    };

    /// True for `null`, and for a value whose kind is not set.
    pub fn is_null(&self) -> bool {
        matches!(self.kind, None | Some(Kind::NullValue(_)))
    }

    /// The boolean, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self.kind {
            Some(Kind::BoolValue(value)) => Some(value),
            _ => None,
        }
    }

    /// The number, if it is one.
    pub fn as_f64(&self) -> Option<f64> {
        match self.kind {
            Some(Kind::NumberValue(value)) => Some(value),
            _ => None,
        }
    }

    /// The text, if it is text.
    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            Some(Kind::StringValue(value)) => Some(value),
            _ => None,
        }
    }

    /// The object, if it is one.
    pub fn as_struct(&self) -> Option<&Struct> {
        match &self.kind {
            Some(Kind::StructValue(value)) => Some(value),
            _ => None,
        }
    }

    /// The object for writing, if it is one.
    pub fn as_struct_mut(&mut self) -> Option<&mut Struct> {
        match &mut self.kind {
            Some(Kind::StructValue(value)) => Some(value),
            _ => None,
        }
    }

    /// The elements, if it is a list.
    pub fn as_list(&self) -> Option<&[Value]> {
        match &self.kind {
            Some(Kind::ListValue(value)) => Some(&value.values),
            _ => None,
        }
    }

    /// The elements for writing, if it is a list.
    pub fn as_list_mut(&mut self) -> Option<&mut Vec<Value>> {
        match &mut self.kind {
            Some(Kind::ListValue(value)) => Some(&mut value.values),
            _ => None,
        }
    }

    /// The member of this name, if it is an object that has it.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.as_struct()?.get(name)
    }

    fn of(kind: Kind) -> Self {
        Self { kind: Some(kind), ..Self::default() }
    }
}

impl Struct {
    /// The member of this name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.fields.get(name)
    }

    /// Sets a member; gives the value that it had.
    pub fn insert(&mut self, name: impl Into<String>, value: impl Into<Value>) -> Option<Value> {
        self.fields.insert(name.into(), value.into())
    }
}

impl ListValue {
    /// The element at a position.
    pub fn get(&self, index: usize) -> Option<&Value> {
        self.values.get(index)
    }

    /// Appends an element.
    pub fn push(&mut self, value: impl Into<Value>) {
        self.values.push(value.into());
    }
}

macro_rules! values {
    ($($from:ty, $value:ident => $kind:expr;)*) => {$(
        impl From<$from> for Value {
            fn from($value: $from) -> Self {
                Self::of($kind)
            }
        }
    )*};
}

values! {
    (), _value => Kind::NullValue(NullValue::NULL_VALUE);
    bool, value => Kind::BoolValue(value);
    f64, value => Kind::NumberValue(value);
    f32, value => Kind::NumberValue(f64::from(value));
    i32, value => Kind::NumberValue(f64::from(value));
    u32, value => Kind::NumberValue(f64::from(value));
    &str, value => Kind::StringValue(value.into());
    String, value => Kind::StringValue(value);
    Struct, value => Kind::StructValue(value);
    ListValue, value => Kind::ListValue(value);
}

/// A list.
impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(values: Vec<T>) -> Self {
        ListValue::from(values).into()
    }
}

/// An object.
impl<K: Into<String>, T: Into<Value>> From<BTreeMap<K, T>> for Value {
    fn from(members: BTreeMap<K, T>) -> Self {
        Struct::from(members).into()
    }
}

/// `null` for `None`.
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::NULL, Into::into)
    }
}

impl<T: Into<Value>> From<Vec<T>> for ListValue {
    fn from(values: Vec<T>) -> Self {
        values.into_iter().collect()
    }
}

impl<K: Into<String>, T: Into<Value>> From<BTreeMap<K, T>> for Struct {
    fn from(members: BTreeMap<K, T>) -> Self {
        members.into_iter().collect()
    }
}

impl<T: Into<Value>> FromIterator<T> for ListValue {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        Self { values: values.into_iter().map(Into::into).collect(), ..Self::default() }
    }
}

/// Of two members of one name, the later one stays.
impl<K: Into<String>, T: Into<Value>> FromIterator<(K, T)> for Struct {
    fn from_iter<I: IntoIterator<Item = (K, T)>>(members: I) -> Self {
        let fields = members.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self { fields, ..Self::default() }
    }
}

/// A list.
impl<T: Into<Value>> FromIterator<T> for Value {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        ListValue::from_iter(values).into()
    }
}

impl IntoIterator for ListValue {
    type Item = Value;
    type IntoIter = alloc::vec::IntoIter<Value>;

    fn into_iter(self) -> Self::IntoIter {
        self.values.into_iter()
    }
}

impl IntoIterator for Struct {
    type Item = (String, Value);
    type IntoIter = alloc::collections::btree_map::IntoIter<String, Value>;

    fn into_iter(self) -> Self::IntoIter {
        self.fields.into_iter()
    }
}

/// The member of a name; [`Value::NULL`] where there is none.
impl Index<&str> for Value {
    type Output = Value;

    fn index(&self, name: &str) -> &Value {
        self.get(name).unwrap_or(&NULL)
    }
}

/// The element at a position; [`Value::NULL`] where there is none.
impl Index<usize> for Value {
    type Output = Value;

    fn index(&self, index: usize) -> &Value {
        self.as_list().and_then(|values| values.get(index)).unwrap_or(&NULL)
    }
}

/// The member of a name; [`Value::NULL`] where there is none.
impl Index<&str> for Struct {
    type Output = Value;

    fn index(&self, name: &str) -> &Value {
        self.get(name).unwrap_or(&NULL)
    }
}

/// The element at a position; [`Value::NULL`] where there is none.
impl Index<usize> for ListValue {
    type Output = Value;

    fn index(&self, index: usize) -> &Value {
        self.get(index).unwrap_or(&NULL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_goes_in_and_comes_out_as_itself_only() {
        let object = BTreeMap::from([("a", 1)]);
        let values = [
            Value::from(()),
            Value::from(true),
            Value::from(1.5),
            Value::from("text"),
            Value::from(vec![1, 2]),
            Value::from(object),
        ];
        let kinds = values.iter().map(|value| {
            (
                value.is_null(),
                value.as_bool().is_some(),
                value.as_f64().is_some(),
                value.as_str().is_some(),
                value.as_list().is_some(),
                value.as_struct().is_some(),
            )
        });
        assert_eq!(
            kinds.collect::<Vec<_>>(),
            [
                (true, false, false, false, false, false),
                (false, true, false, false, false, false),
                (false, false, true, false, false, false),
                (false, false, false, true, false, false),
                (false, false, false, false, true, false),
                (false, false, false, false, false, true),
            ]
        );
        assert_eq!(
            crate::json::to_string(&ListValue::from_iter(values)).unwrap(),
            r#"[null,true,1.5,"text",[1,2],{"a":1}]"#
        );
    }

    #[test]
    fn indexing_where_nothing_is_gives_null() {
        let value = Value::from(BTreeMap::from([("list", vec![1])]));
        assert_eq!(value["list"][0], Value::from(1));
        for nothing in
            [&value["list"][1], &value["other"], &value[0], &value["list"]["name"], &Value::NULL["x"][3]]
        {
            assert_eq!(nothing, &Value::NULL);
        }
        assert!(Value::default().is_null());
        assert_eq!(Value::from(None::<bool>), Value::NULL);
        assert_eq!([1, 2].into_iter().collect::<Value>(), Value::from(vec![1, 2]));
    }
}
