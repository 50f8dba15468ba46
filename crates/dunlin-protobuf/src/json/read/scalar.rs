//! Numbers, text and enums.

use alloc::string::{String, ToString};

use bytes::Bytes;

use super::{Reader, Result};
use crate::SharedString;
use crate::json::base64;
use crate::json::error::{JsonError, JsonErrorKind};
use crate::json::number::{self, NotInteger, Number};
use crate::json::write::is_null_value;
use crate::table::{FieldTable, Kind, TableRef};

impl Reader<'_, '_> {
    /// A number, bare or in quotes, as an integer type.
    #[inline]
    fn integer<T>(
        &mut self,
        ty: &'static str,
        convert: impl FnOnce(&Number<'_>) -> core::result::Result<T, NotInteger>,
    ) -> Result<T> {
        let (at, number) = match self.lex.peek() {
            Some(b'-' | b'0'..=b'9') => (self.lex.pos, self.lex.number()?),
            Some(b'"') => {
                let at = self.lex.pos;
                let text = self.lex.string()?;
                let Some(number) = number::whole(&text) else {
                    return Err(not_integer(NotInteger::Fraction, ty, at));
                };
                return convert(&number).map_err(|fault| not_integer(fault, ty, at));
            }
            _ => return Err(self.lex.wrong("a number")),
        };
        convert(&number).map_err(|fault| not_integer(fault, ty, at))
    }

    #[inline]
    pub(super) fn i32(&mut self) -> Result<i32> {
        self.integer("int32", |number| narrow(number.signed()))
    }

    #[inline]
    pub(super) fn i64(&mut self) -> Result<i64> {
        self.integer("int64", |number| number.signed())
    }

    #[inline]
    pub(super) fn u32(&mut self) -> Result<u32> {
        self.integer("uint32", |number| narrow(number.unsigned()))
    }

    #[inline]
    pub(super) fn u64(&mut self) -> Result<u64> {
        self.integer("uint64", |number| number.unsigned())
    }

    #[inline]
    pub(super) fn f64(&mut self) -> Result<f64> {
        self.real("double", [f64::NAN, f64::INFINITY, f64::NEG_INFINITY], |number| number.double())
    }

    #[inline]
    pub(super) fn f32(&mut self) -> Result<f32> {
        self.real("float", [f32::NAN, f32::INFINITY, f32::NEG_INFINITY], |number| number.float())
    }

    #[inline]
    fn real<T: Copy>(
        &mut self,
        ty: &'static str,
        [nan, infinity, minus_infinity]: [T; 3],
        convert: impl FnOnce(&Number<'_>) -> Option<T>,
    ) -> Result<T> {
        let out_of_range = |at| JsonError::new(JsonErrorKind::OutOfRange { ty }, at);
        match self.lex.peek() {
            Some(b'-' | b'0'..=b'9') => {
                let at = self.lex.pos;
                convert(&self.lex.number()?).ok_or_else(|| out_of_range(at))
            }
            Some(b'"') => {
                let at = self.lex.pos;
                let text = self.lex.string()?;
                match &*text {
                    "NaN" => Ok(nan),
                    "Infinity" => Ok(infinity),
                    "-Infinity" => Ok(minus_infinity),
                    text => match number::whole(text) {
                        Some(number) => convert(&number).ok_or_else(|| out_of_range(at)),
                        None => {
                            Err(JsonError::new(JsonErrorKind::InvalidValue("the string is not a number"), at))
                        }
                    },
                }
            }
            _ => Err(self.lex.wrong("a number")),
        }
    }

    #[inline]
    pub(super) fn text(&mut self) -> Result<String> {
        let text = self.lex.string()?;
        self.memory(text.len())?;
        Ok(text.into_owned())
    }

    pub(super) fn shared(&mut self) -> Result<SharedString> {
        let text = self.lex.string()?;
        self.memory(text.len())?;
        Ok(SharedString::from(&*text))
    }

    pub(super) fn bytes(&mut self, field: &FieldTable) -> Result<Bytes> {
        self.lex.peek();
        let at = self.lex.pos;
        if field.kind == Kind::String {
            return self.text().map(|text| text.into_bytes().into());
        }
        let text = self.lex.string()?;
        self.memory(text.len())?;
        match base64::decode(&text) {
            Some(bytes) => Ok(bytes.into()),
            None => Err(JsonError::new(JsonErrorKind::InvalidValue("the string is not base64"), at)),
        }
    }

    /// The number of an enum value; none for a name that is to be ignored.
    pub(super) fn enumeration(&mut self, field: &FieldTable, of: &TableRef) -> Result<Option<i32>> {
        let Some(table) = field.enum_table(of) else { return Err(self.odd_type()) };
        let unknown = |value: String, at| {
            JsonError::new(JsonErrorKind::UnknownEnumValue { value, of: table.full_name().to_string() }, at)
        };
        match self.lex.peek() {
            Some(b'"') => {
                let at = self.lex.pos;
                let name = self.lex.string()?;
                match table.by_json_name(&name) {
                    Some(value) => Ok(Some(value.number())),
                    None if self.options.ignore_unknown => Ok(None),
                    None => Err(unknown(name.into_owned(), at)),
                }
            }
            Some(b'-' | b'0'..=b'9') => {
                let at = self.lex.pos;
                let number = self.i32()?;
                if !table.is_closed() || table.has_number(number) {
                    return Ok(Some(number));
                }
                if self.options.ignore_unknown { Ok(None) } else { Err(unknown(number.to_string(), at)) }
            }
            Some(b'n') if is_null_value(table) => {
                self.lex.null()?;
                Ok(Some(0))
            }
            _ => Err(self.lex.wrong("the name or number of an enum value")),
        }
    }
}

pub(super) fn narrow<W, N: TryFrom<W>>(
    value: core::result::Result<W, NotInteger>,
) -> core::result::Result<N, NotInteger> {
    N::try_from(value?).map_err(|_| NotInteger::OutOfRange)
}

#[cold]
pub(super) fn not_integer(fault: NotInteger, ty: &'static str, at: usize) -> JsonError {
    let kind = match fault {
        NotInteger::Fraction => JsonErrorKind::InvalidValue("the value is not an integer"),
        NotInteger::OutOfRange => JsonErrorKind::OutOfRange { ty },
    };
    JsonError::new(kind, at)
}
