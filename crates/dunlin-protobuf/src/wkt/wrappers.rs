//! The messages that wrap one scalar: conversions from and to it.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use super::{
    BoolValue, BytesValue, DoubleValue, FloatValue, Int32Value, Int64Value, StringValue, UInt32Value,
    UInt64Value,
};

macro_rules! wrappers {
    ($($wrapper:ident => $scalar:ty;)*) => {$(
        impl From<$scalar> for $wrapper {
            fn from(value: $scalar) -> Self {
                Self { value, ..Self::default() }
            }
        }

        /// Drops unknown fields.
        impl From<$wrapper> for $scalar {
            fn from(wrapper: $wrapper) -> Self {
                wrapper.value
            }
        }
    )*};
}

wrappers! {
    BoolValue => bool;
    BytesValue => Bytes;
    DoubleValue => f64;
    FloatValue => f32;
    Int32Value => i32;
    Int64Value => i64;
    StringValue => String;
    UInt32Value => u32;
    UInt64Value => u64;
}

impl From<&str> for StringValue {
    fn from(value: &str) -> Self {
        Self { value: value.into(), ..Self::default() }
    }
}

impl From<Vec<u8>> for BytesValue {
    fn from(value: Vec<u8>) -> Self {
        Self { value: value.into(), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_go_in_and_come_out() {
        assert_eq!(i32::from(Int32Value::from(-7)), -7);
        assert_eq!(u64::from(UInt64Value::from(u64::MAX)), u64::MAX);
        assert!(bool::from(BoolValue::from(true)));
        assert_eq!(f32::from(FloatValue::from(0.5)).to_bits(), 0.5f32.to_bits());
        assert_eq!(String::from(StringValue::from("word")), "word");
        assert_eq!(Bytes::from(BytesValue::from(vec![1, 2])), Bytes::from_static(&[1, 2]));
    }
}
