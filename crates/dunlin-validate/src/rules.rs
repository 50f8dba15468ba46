//! The standard rules, in Rust: what the schema of protovalidate says in CEL, and to the same effect.

mod bytes;
mod number;
mod other;
mod string;
mod time;

use std::borrow::Cow;

use dunlin_protobuf::slot::SlotRef;

use crate::cel::EvalError;
use crate::cel::time::Instant;
use crate::proto::field_rules::Type;
pub(crate) use other::Items;

/// A rule that does not hold.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The number of the rule in the message of rules of its type.
    pub(crate) number: u32,
    pub(crate) id: Cow<'static, str>,
    pub(crate) message: String,
}

/// What does not hold, so far.
#[derive(Debug, Default)]
pub(crate) struct Failures(pub(crate) Vec<Failure>);

impl Failures {
    fn add(&mut self, number: u32, id: impl Into<Cow<'static, str>>, message: impl Into<String>) {
        self.0.push(Failure { number, id: id.into(), message: message.into() });
    }
}

/// The standard rules of one value.
#[derive(Debug)]
pub(crate) enum Standard {
    Int(number::Numbers<i64>),
    Uint(number::Numbers<u64>),
    Double(number::Numbers<f64>),
    Bool(bool),
    String(Box<string::Strings>),
    Bytes(Box<bytes::ByteStrings>),
    Enum(other::Enums),
    Repeated(other::Lists),
    Map(other::Maps),
    Any(other::Anys),
    Duration(Box<time::Durations>),
    Timestamp(Box<time::Timestamps>),
    FieldMask(Box<other::FieldMasks>),
}

impl Standard {
    /// The rules that stand in a message of rules; `None` if nothing has to be checked.
    ///
    /// # Errors
    /// What is wrong with the rules.
    pub(crate) fn compile(rules: &Type, items: Items<'_>) -> Result<Option<Self>, String> {
        macro_rules! numbers {
            ($rules:expr, $variant:ident, $name:literal, $module:ident) => {
                number::compile!($rules, $name, $module).map(Self::$variant)
            };
        }
        Ok(match rules {
            Type::Int32(rules) => numbers!(rules, Int, "int32", int32_rules),
            Type::Int64(rules) => numbers!(rules, Int, "int64", int64_rules),
            Type::Sint32(rules) => numbers!(rules, Int, "sint32", s_int32_rules),
            Type::Sint64(rules) => numbers!(rules, Int, "sint64", s_int64_rules),
            Type::Sfixed32(rules) => numbers!(rules, Int, "sfixed32", s_fixed32_rules),
            Type::Sfixed64(rules) => numbers!(rules, Int, "sfixed64", s_fixed64_rules),
            Type::Uint32(rules) => numbers!(rules, Uint, "uint32", u_int32_rules),
            Type::Uint64(rules) => numbers!(rules, Uint, "uint64", u_int64_rules),
            Type::Fixed32(rules) => numbers!(rules, Uint, "fixed32", fixed32_rules),
            Type::Fixed64(rules) => numbers!(rules, Uint, "fixed64", fixed64_rules),
            Type::Float(rules) => {
                let numbers = number::compile!(rules, "float", float_rules);
                number::finite(numbers, "float", rules.finite()).map(Self::Double)
            }
            Type::Double(rules) => {
                let numbers = number::compile!(rules, "double", double_rules);
                number::finite(numbers, "double", rules.finite()).map(Self::Double)
            }
            Type::Bool(rules) => rules.r#const.map(Self::Bool),
            Type::String(rules) => string::Strings::compile(rules)?.map(Box::new).map(Self::String),
            Type::Bytes(rules) => bytes::ByteStrings::compile(rules)?.map(Box::new).map(Self::Bytes),
            Type::Enum(rules) => other::Enums::compile(rules, items).map(Self::Enum),
            Type::Repeated(rules) => other::Lists::compile(rules, items)?.map(Self::Repeated),
            Type::Map(rules) => other::Maps::compile(rules).map(Self::Map),
            Type::Any(rules) => other::Anys::compile(rules).map(Self::Any),
            Type::Duration(rules) => time::Durations::compile(rules).map(Box::new).map(Self::Duration),
            Type::Timestamp(rules) => time::Timestamps::compile(rules).map(Box::new).map(Self::Timestamp),
            Type::FieldMask(rules) => other::FieldMasks::compile(rules).map(Box::new).map(Self::FieldMask),
        })
    }

    /// Checks a value, which is of the type of the rules: that was seen when they were compiled.
    ///
    /// # Errors
    /// When a rule has no answer for the value.
    pub(crate) fn check(
        &self,
        value: SlotRef<'_>,
        now: &dyn Fn() -> Instant,
        out: &mut Failures,
    ) -> Result<(), EvalError> {
        match (self, value) {
            (Self::Int(rules), SlotRef::I32(value)) => rules.check(value.into(), out),
            (Self::Int(rules), SlotRef::I64(value)) => rules.check(value, out),
            (Self::Uint(rules), SlotRef::U32(value)) => rules.check(value.into(), out),
            (Self::Uint(rules), SlotRef::U64(value)) => rules.check(value, out),
            (Self::Double(rules), SlotRef::F32(value)) => rules.check(value.into(), out),
            (Self::Double(rules), SlotRef::F64(value)) => rules.check(value, out),
            (Self::Bool(wanted), SlotRef::Bool(value)) => {
                if value != *wanted {
                    out.add(1, "bool.const", format!("must equal {wanted}"));
                }
            }
            (Self::String(rules), SlotRef::String(value)) => rules.check(value, out),
            (Self::String(rules), SlotRef::Bytes(value)) => rules.check(&String::from_utf8_lossy(value), out),
            (Self::Bytes(rules), SlotRef::Bytes(value)) => return rules.check(value, out),
            (Self::Enum(rules), SlotRef::Enum(value) | SlotRef::I32(value)) => rules.check(value, out),
            (Self::Any(rules), SlotRef::Message(message)) => rules.check(message, out),
            (Self::Duration(rules), SlotRef::Message(message)) => rules.check(message, out),
            (Self::Timestamp(rules), SlotRef::Message(message)) => rules.check(message, now, out),
            (Self::FieldMask(rules), SlotRef::Message(message)) => rules.check(message, out),
            (Self::Map(rules), SlotRef::Map(map)) => rules.check(map.len(), out),
            (Self::Repeated(rules), list) => rules.check(list, out),
            // A generated type that is not of the schema that the rules are from.
            _ => return Err(EvalError::Fault("the value is not of the type that the schema says".into())),
        }
        Ok(())
    }
}
