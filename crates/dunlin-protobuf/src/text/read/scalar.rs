//! Numbers, strings and enums.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{Reader, Result};
use crate::reflect::Value;
use crate::table::{FieldTable, Kind, TableRef};
use crate::text::error::TextErrorKind;
use crate::text::lexer::Token;

impl Reader<'_, '_> {
    pub(super) fn scalar(&mut self, field: &FieldTable, of: &TableRef) -> Result<Value> {
        Ok(match field.kind {
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
                Value::I32(self.integer("a 32-bit integer", |value| i32::try_from(value).ok())?)
            }
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
                Value::I64(self.integer("a 64-bit integer", |value| i64::try_from(value).ok())?)
            }
            Kind::Uint32 | Kind::Fixed32 => {
                Value::U32(self.unsigned("an unsigned 32-bit integer", |value| u32::try_from(value).ok())?)
            }
            Kind::Uint64 | Kind::Fixed64 => {
                Value::U64(self.unsigned("an unsigned 64-bit integer", |value| u64::try_from(value).ok())?)
            }
            Kind::Float => {
                let (negative, value) = self.float(f32::INFINITY, f32::NAN)?;
                Value::F32(if negative { -value } else { value })
            }
            Kind::Double => {
                let (negative, value) = self.float(f64::INFINITY, f64::NAN)?;
                Value::F64(if negative { -value } else { value })
            }
            Kind::Bool => Value::Bool(self.boolean()?),
            Kind::Enum => Value::Enum(self.enumeration(field, of)?),
            Kind::Bytes => Value::Bytes(self.string("bytes in quotes")?.into()),
            Kind::String => {
                let start = self.lexer.start();
                match String::from_utf8(self.string("a string")?) {
                    Ok(text) => Value::String(text),
                    Err(raw) if field.unchecked => Value::Bytes(raw.into_bytes().into()),
                    Err(_) => return Err(self.lexer.error(TextErrorKind::InvalidUtf8, start)),
                }
            }
            Kind::Message | Kind::Group => return Err(self.read_only()),
        })
    }

    fn integer<T>(&mut self, kind: &'static str, fit: impl Fn(i128) -> Option<T>) -> Result<T> {
        let start = self.lexer.start();
        let negative = self.lexer.eat(b'-')?;
        if self.lexer.token() != Token::Integer {
            return Err(self.lexer.unexpected("an integer"));
        }
        let text = self.lexer.text();
        let value = magnitude(text).map(i128::from);
        let Some(value) = value.and_then(|value| fit(if negative { -value } else { value })) else {
            let sign = if negative { "-" } else { "" };
            let kind = TextErrorKind::OutOfRange { value: format!("{sign}{}", shortened(text)), kind };
            return Err(self.lexer.error(kind, start));
        };
        self.lexer.advance()?;
        Ok(value)
    }

    fn unsigned<T>(&mut self, kind: &'static str, fit: impl Fn(i128) -> Option<T>) -> Result<T> {
        if self.lexer.token() != Token::Integer {
            // Not even a zero may have a sign.
            return Err(self.lexer.unexpected(kind));
        }
        self.integer(kind, fit)
    }

    /// The sign, and the value without it.
    fn float<T: core::str::FromStr>(&mut self, infinity: T, nan: T) -> Result<(bool, T)> {
        let negative = self.lexer.eat(b'-')?;
        let text = self.lexer.text();
        let value = match self.lexer.token() {
            Token::Identifier if text.eq_ignore_ascii_case("inf") => Some(infinity),
            Token::Identifier if text.eq_ignore_ascii_case("infinity") => Some(infinity),
            Token::Identifier if text.eq_ignore_ascii_case("nan") => Some(nan),
            // Only decimal numbers: others have a zero and more in front.
            Token::Integer if text == "0" || !text.starts_with('0') => text.parse().ok(),
            Token::Float => text.trim_end_matches(['f', 'F']).parse().ok(),
            _ => None,
        };
        let Some(value) = value else {
            return Err(self.lexer.unexpected("a decimal number, `inf` or `nan`"));
        };
        self.lexer.advance()?;
        Ok((negative, value))
    }

    fn boolean(&mut self) -> Result<bool> {
        let text = self.lexer.text();
        let value = match (self.lexer.token(), text) {
            (Token::Identifier, "true" | "True" | "t") => Some(true),
            (Token::Identifier, "false" | "False" | "f") => Some(false),
            (Token::Integer, _) => magnitude(text).filter(|&value| value < 2).map(|value| value == 1),
            _ => None,
        };
        let Some(value) = value else { return Err(self.lexer.unexpected("`true` or `false`")) };
        self.lexer.advance()?;
        Ok(value)
    }

    fn enumeration(&mut self, field: &FieldTable, of: &TableRef) -> Result<i32> {
        let Some(table) = field.enum_table(of) else { return Err(self.read_only()) };
        let start = self.lexer.start();
        let unknown =
            |value: String| TextErrorKind::UnknownEnumValue { value, enumeration: table.full_name().into() };
        match self.lexer.token() {
            Token::Identifier => {
                let name = self.lexer.text();
                let Some(value) = table.by_name(name) else {
                    return Err(self.lexer.error(unknown(format!("`{name}`")), start));
                };
                self.lexer.advance()?;
                Ok(value.number())
            }
            Token::Integer | Token::Symbol(b'-') => {
                let number = self.integer("an enum", |value| i32::try_from(value).ok())?;
                if table.is_closed() && !table.has_number(number) {
                    return Err(self.lexer.error(unknown(number.to_string()), start));
                }
                Ok(number)
            }
            _ => Err(self.lexer.unexpected("the name or number of an enum value")),
        }
    }

    /// Strings that follow each other are one.
    fn string(&mut self, expected: &'static str) -> Result<Vec<u8>> {
        if self.lexer.token() != Token::String {
            return Err(self.lexer.unexpected(expected));
        }
        let mut bytes = Vec::new();
        while self.lexer.token() == Token::String {
            self.lexer.unescape(&mut bytes)?;
            self.lexer.advance()?;
        }
        self.memory(bytes.len())?;
        Ok(bytes)
    }
}

/// The value of an integer token; `None` if 64 bits do not hold it.
fn magnitude(text: &str) -> Option<u64> {
    let (digits, radix) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&text[2..], 16),
        [b'0', _, ..] => (&text[1..], 8),
        _ => (text, 10),
    };
    u64::from_str_radix(digits, radix).ok()
}

fn shortened(number: &str) -> String {
    match number.get(..40) {
        Some(start) if number.len() > 40 => format!("{start}..."),
        _ => number.to_string(),
    }
}
