//! From and to the values of `serde_json`.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Map, Number};

use super::{Kind, ListValue, Struct, Value};

/// A [`Value`] that JSON has no text for.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NotJson {
    /// NaN or an infinity.
    #[error("JSON has no number {0}")]
    Number(f64),
    /// No kind is set.
    #[error("the value has no kind")]
    NoKind,
}

/// Numbers become `f64`: whole ones beyond 2^53 are rounded.
///
/// ```
/// use dunlin_protobuf::wkt::Value;
///
/// let value = Value::from(serde_json::json!({"id": 7, "lines": ["tea", null]}));
/// assert_eq!(value["lines"][0].as_str(), Some("tea"));
/// assert_eq!(serde_json::Value::try_from(value)?, serde_json::json!({"id": 7, "lines": ["tea", null]}));
/// # Ok::<(), dunlin_protobuf::wkt::NotJson>(())
/// ```
impl From<serde_json::Value> for Value {
    fn from(value: serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::NULL,
            serde_json::Value::Bool(value) => value.into(),
            serde_json::Value::Number(value) => number(&value).into(),
            serde_json::Value::String(value) => value.into(),
            serde_json::Value::Array(values) => values.into_iter().collect(),
            serde_json::Value::Object(members) => Struct::from(members).into(),
        }
    }
}

fn number(value: &Number) -> f64 {
    // None only with serde_json's `arbitrary_precision`, for what is out of range.
    value.as_f64().unwrap_or_else(|| {
        let is_negative = value.to_string().starts_with('-');
        if is_negative { f64::NEG_INFINITY } else { f64::INFINITY }
    })
}

impl From<Map<String, serde_json::Value>> for Struct {
    fn from(members: Map<String, serde_json::Value>) -> Self {
        members.into_iter().collect()
    }
}

/// Whole numbers up to 2^53 become integers. Fails for NaN, infinities and a value without a kind.
impl TryFrom<Value> for serde_json::Value {
    type Error = NotJson;

    fn try_from(value: Value) -> Result<Self, NotJson> {
        Ok(match value.kind.ok_or(NotJson::NoKind)? {
            Kind::NullValue(_) => Self::Null,
            Kind::BoolValue(value) => Self::Bool(value),
            Kind::NumberValue(value) => Self::Number(to_number(value)?),
            Kind::StringValue(value) => Self::String(value),
            Kind::ListValue(list) => Self::Array(list.try_into()?),
            Kind::StructValue(object) => Self::Object(object.try_into()?),
        })
    }
}

/// As for a [`Value`].
impl TryFrom<Struct> for Map<String, serde_json::Value> {
    type Error = NotJson;

    fn try_from(object: Struct) -> Result<Self, NotJson> {
        object.into_iter().map(|(name, value)| Ok((name, value.try_into()?))).collect()
    }
}

/// As for a [`Value`].
impl TryFrom<ListValue> for Vec<serde_json::Value> {
    type Error = NotJson;

    fn try_from(list: ListValue) -> Result<Self, NotJson> {
        list.into_iter().map(TryInto::try_into).collect()
    }
}

fn to_number(value: f64) -> Result<Number, NotJson> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let whole = value as i64;
    // Compared by bits, so that -0 stays what it is.
    if (-EXACT..=EXACT).contains(&value) && (whole as f64).to_bits() == value.to_bits() {
        return Ok(whole.into());
    }
    Number::from_f64(value).ok_or(NotJson::Number(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_survives() {
        for value in [
            json!(null),
            json!(true),
            json!(-7),
            json!(0.5),
            json!(-0.0),
            json!(1e300),
            json!(9_007_199_254_740_992_i64),
            json!("text"),
            json!([1, [], {}]),
            json!({"a": {"b": [null]}}),
        ] {
            assert_eq!(serde_json::Value::try_from(Value::from(value.clone())), Ok(value));
        }
    }

    #[test]
    fn what_json_lacks_is_refused() {
        assert_eq!(serde_json::Value::try_from(Value::default()), Err(NotJson::NoKind));
        let nested = Value::from(alloc::vec![f64::INFINITY]);
        assert_eq!(serde_json::Value::try_from(nested), Err(NotJson::Number(f64::INFINITY)));
        assert!(serde_json::Value::try_from(Value::from(f64::NAN)).is_err());
    }
}
