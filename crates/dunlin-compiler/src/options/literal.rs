//! Option values in braces: messages in text format, read from the tokens of the source.

use dunlin_protobuf::descriptor::{Type, Utf8Validation};
use dunlin_protobuf::pool::{EnumView, FieldKind, FieldView, MessageView, Resolver, SymbolRef};

use super::value::{Keep, MessageValue, Value};
use crate::lower_float;
use crate::syntax::{Span, Token, TokenKind, literal};

/// How deep messages may be nested in an option: as deep as readers of its bytes will follow.
pub(super) const MAX_DEPTH: u32 = 100;

/// The same within a `google.protobuf.Any`, whose bytes are read on their own.
const MAX_DEPTH_IN_ANY: u32 = 250;

/// What is wrong with a value, and where.
pub(super) struct LiteralFault {
    pub(super) code: &'static str,
    pub(super) span: Span,
    pub(super) message: String,
}

pub(super) type Result<T> = std::result::Result<T, LiteralFault>;

/// Reads the tokens between the braces as a message of type `ty`.
pub(super) fn read<'p>(
    source: &[u8],
    tokens: &[Token],
    end: Span,
    depth: u32,
    ty: MessageView<'p>,
    resolver: &mut Resolver<'p>,
) -> Result<MessageValue<'p>> {
    // Text format knows comments to the end of the line; for the lexer they are just tokens.
    let mut kept = Vec::with_capacity(tokens.len());
    let mut comment_line = None;
    for token in tokens {
        if comment_line != Some(token.line) {
            if token.symbol == b'#' {
                comment_line = Some(token.line);
            } else {
                kept.push(*token);
            }
        }
    }
    let mut reader = Reader { source, tokens: &kept, pos: 0, end, resolver, depth, max_depth: MAX_DEPTH };
    let mut message = MessageValue::default();
    while reader.pos < reader.tokens.len() {
        reader.field(ty, &mut message)?;
    }
    message.drop_implicit_defaults();
    Ok(message)
}

struct Reader<'r, 'p> {
    source: &'r [u8],
    tokens: &'r [Token],
    pos: usize,
    /// Where the closing brace stands.
    end: Span,
    resolver: &'r mut Resolver<'p>,
    depth: u32,
    max_depth: u32,
}

impl<'r, 'p> Reader<'r, 'p> {
    fn peek(&self) -> Option<&'r Token> {
        self.tokens.get(self.pos)
    }

    fn span(&self) -> Span {
        self.peek().map_or(self.end, Token::span)
    }

    fn bytes(&self, token: &Token) -> &'r [u8] {
        &self.source[token.span().range()]
    }

    fn at(&self, symbol: u8) -> bool {
        self.peek().is_some_and(|token| token.symbol == symbol)
    }

    fn at_kind(&self, kind: TokenKind) -> bool {
        self.peek().is_some_and(|token| token.kind == kind)
    }

    fn eat(&mut self, symbol: u8) -> bool {
        let found = self.at(symbol);
        self.pos += usize::from(found);
        found
    }

    fn fault<T>(&self, code: &'static str, span: Span, message: impl Into<String>) -> Result<T> {
        Err(LiteralFault { code, span, message: message.into() })
    }

    fn found(&self) -> String {
        match self.peek() {
            Some(token) => format!("`{}`", String::from_utf8_lossy(self.bytes(token))),
            None => "the end of the value".into(),
        }
    }

    fn unexpected<T>(&self, expected: &str) -> Result<T> {
        self.fault("option-syntax", self.span(), format!("expected {expected}, found {}", self.found()))
    }

    fn expect(&mut self, symbol: u8) -> Result<()> {
        if self.eat(symbol) { Ok(()) } else { self.unexpected(&format!("`{}`", symbol as char)) }
    }

    /// One field with its value, and the separator behind it.
    fn field(&mut self, ty: MessageView<'p>, message: &mut MessageValue<'p>) -> Result<()> {
        let start = self.span();
        if self.at(b'[') {
            let name = self.bracketed()?;
            let span = start.to(self.tokens[self.pos - 1].span());
            if ty.full_name() == "google.protobuf.Any" {
                self.any(ty, &name, span, message)?;
            } else {
                let field = self.extension(ty, &name, span)?;
                self.value_of(field, span, message)?;
            }
        } else {
            let Some(token) = self.peek().filter(|t| t.kind == TokenKind::Identifier) else {
                return self.unexpected("a field name");
            };
            let name = String::from_utf8_lossy(self.bytes(token)).into_owned();
            self.pos += 1;
            match find_field(ty, &name) {
                Some(field) => self.value_of(field, start, message)?,
                // Old values stay readable.
                None if ty.is_reserved_name(&name) => self.skip_value()?,
                None => {
                    let message = format!("message \"{}\" has no field \"{name}\"", ty.full_name());
                    return self.fault("unknown-option-field", start, message);
                }
            }
        }
        let _ = self.eat(b';') || self.eat(b',');
        Ok(())
    }

    fn value_of(&mut self, field: FieldView<'p>, span: Span, message: &mut MessageValue<'p>) -> Result<()> {
        if !field.is_repeated() && message.has(field) {
            return self.fault("duplicate-option", span, format!("field \"{}\" is set twice", field.name()));
        }
        if let Some(rival) = message.oneof_rival(field) {
            let (_, oneof) = field.oneof().unwrap_or_default();
            let text = format!(
                "field \"{}\" cannot be set beside \"{}\": both are in oneof \"{oneof}\"",
                field.name(),
                rival.name()
            );
            return self.fault("oneof-conflict", span, text);
        }
        let is_message = matches!(field.kind(), FieldKind::Message(_));
        if is_message {
            self.eat(b':');
        } else {
            self.expect(b':')?;
        }
        if field.is_repeated() && self.eat(b'[') {
            if self.eat(b']') {
                return Ok(());
            }
            loop {
                let value = self.value(field)?;
                message.add(field, value);
                if self.eat(b']') {
                    return Ok(());
                }
                self.expect(b',')?;
            }
        }
        let value = self.value(field)?;
        message.add(field, value);
        Ok(())
    }

    fn value(&mut self, field: FieldView<'p>) -> Result<Value<'p>> {
        match field.kind() {
            FieldKind::Message(ty) => Ok(Value::Message(self.message(ty)?)),
            FieldKind::Enum(enumeration) => self.enum_value(enumeration),
            FieldKind::Scalar(ty) => self.scalar(ty, field),
            FieldKind::Unresolved => self.fault(
                "option-type",
                self.span(),
                format!("the type of field \"{}\" is not known", field.name()),
            ),
        }
    }

    fn message(&mut self, ty: MessageView<'p>) -> Result<MessageValue<'p>> {
        let close = if self.eat(b'<') {
            b'>'
        } else if self.eat(b'{') {
            b'}'
        } else {
            return self.unexpected("`{`");
        };
        self.depth += 1;
        if self.depth > self.max_depth {
            return self.fault(
                "nesting-too-deep",
                self.span(),
                format!("values are nested deeper than {} levels", self.max_depth),
            );
        }
        let mut message = MessageValue::default();
        while !self.at(b'>') && !self.at(b'}') {
            if self.peek().is_none() {
                return self.unexpected(&format!("`{}`", close as char));
            }
            self.field(ty, &mut message)?;
        }
        self.expect(close)?;
        self.depth -= 1;
        Ok(message)
    }

    /// `[...]`: the name of an extension, or a type URL; white space in it does not count.
    fn bracketed(&mut self) -> Result<String> {
        let start = self.span();
        self.expect(b'[')?;
        let mut name = String::new();
        while !self.at(b']') {
            let Some(token) = self.peek() else { return self.unexpected("`]`") };
            let bytes = self.bytes(token);
            let is_url = bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"_-.~!$&()*+,;=%/".contains(b));
            if !is_url {
                return self.unexpected("`]`");
            }
            name.push_str(&String::from_utf8_lossy(bytes));
            self.pos += 1;
        }
        self.pos += 1;
        let (prefix, ty) = match name.rsplit_once('/') {
            Some((prefix, ty)) => (Some(prefix), ty),
            None => (None, name.as_str()),
        };
        let span = start.to(self.tokens[self.pos - 1].span());
        if prefix.is_some_and(|p| p.is_empty() || p.starts_with('/') || !percents_are_valid(p)) {
            return self.fault("invalid-type-url", span, format!("\"{name}\" is not a valid type URL"));
        }
        if !ty.split('.').all(dunlin_protobuf::names::is_identifier) {
            return self.fault("invalid-name", span, format!("\"{ty}\" is not a valid name"));
        }
        Ok(name)
    }

    fn extension(&mut self, ty: MessageView<'p>, name: &str, span: Span) -> Result<FieldView<'p>> {
        let found = if name.contains('/') { None } else { self.resolver.find_beside(name, ty) };
        let field = match found {
            Some(SymbolRef::Field(id)) => Some(self.resolver.pool().field_by_id(id)),
            // A message set may name the message instead of the extension in it.
            Some(SymbolRef::Message(id)) if ty.is_message_set() => {
                let message = self.resolver.pool().message_by_id(id);
                message.declared_extensions().find(|e| {
                    let is_self = matches!(e.kind(), FieldKind::Message(m) if m.id() == id);
                    is_self && !e.is_repeated() && e.containing_message() == Some(ty)
                })
            }
            _ => None,
        };
        match field.filter(|f| f.containing_message() == Some(ty)) {
            Some(field) => Ok(field),
            None => {
                let message = format!("\"{name}\" is not an extension of \"{}\"", ty.full_name());
                self.fault("unknown-extension", span, message)
            }
        }
    }

    // `[type.googleapis.com/pkg.Type] { ... }`
    fn any(
        &mut self,
        ty: MessageView<'p>,
        url: &str,
        span: Span,
        message: &mut MessageValue<'p>,
    ) -> Result<()> {
        let Some((prefix, name)) = url.rsplit_once('/') else {
            return self.fault(
                "invalid-type-url",
                span,
                "the type URL lacks a prefix such as `type.googleapis.com/`",
            );
        };
        self.eat(b':');
        let known = matches!(prefix, "type.googleapis.com" | "type.googleprod.com");
        let found = if known { self.resolver.find_absolute(name) } else { None };
        let Some(SymbolRef::Message(id)) = found else {
            return self.fault("unknown-any-type", span, format!("type \"{url}\" cannot be found"));
        };
        let inner = self.resolver.pool().message_by_id(id);
        let max_depth = std::mem::replace(&mut self.max_depth, MAX_DEPTH_IN_ANY);
        let mut value = self.message(inner)?;
        self.max_depth = max_depth;
        value.drop_implicit_defaults();
        let mut missing = Vec::new();
        value.missing_required(inner, &mut missing);
        if !missing.is_empty() {
            return self.fault(
                "missing-required",
                span,
                format!("required fields are missing: {}", missing.join(", ")),
            );
        }
        let mut bytes = Vec::new();
        value.encode(Keep::Everything, inner.is_message_set(), &mut bytes);
        let (Some(url_field), Some(value_field)) = (ty.field("type_url"), ty.field("value")) else {
            return self.fault(
                "option-type",
                span,
                "this `google.protobuf.Any` has no `type_url` and `value`",
            );
        };
        if message.has(url_field) || message.has(value_field) {
            return self.fault("duplicate-option", span, "this Any is set twice");
        }
        message.add(url_field, Value::Bytes(url.as_bytes().to_vec()));
        message.add(value_field, Value::Bytes(bytes));
        Ok(())
    }

    // ---- scalars

    fn scalar(&mut self, ty: Type, field: FieldView<'p>) -> Result<Value<'p>> {
        Ok(match ty {
            Type::TYPE_STRING | Type::TYPE_BYTES => {
                let span = self.span();
                let bytes = self.string()?;
                if ty == Type::TYPE_STRING {
                    check_utf8(field, &bytes).or_else(|message| self.fault("not-utf8", span, message))?;
                }
                Value::Bytes(bytes)
            }
            Type::TYPE_BOOL => Value::Varint(u64::from(self.boolean(field)?)),
            Type::TYPE_FLOAT => Value::I32(lower_float(self.double()?).to_bits()),
            Type::TYPE_DOUBLE => Value::I64(self.double()?.to_bits()),
            Type::TYPE_UINT32 | Type::TYPE_FIXED32 => {
                Value::integer(ty, self.unsigned(u64::from(u32::MAX))? as i64)
            }
            Type::TYPE_UINT64 | Type::TYPE_FIXED64 => Value::integer(ty, self.unsigned(u64::MAX)? as i64),
            Type::TYPE_INT64 | Type::TYPE_SINT64 | Type::TYPE_SFIXED64 => {
                Value::integer(ty, self.signed(i64::MAX as u64)?)
            }
            _ => Value::integer(ty, self.signed(i32::MAX as u64)?),
        })
    }

    fn string(&mut self) -> Result<Vec<u8>> {
        if !self.at_kind(TokenKind::String) {
            return self.unexpected("a string");
        }
        let mut value = Vec::new();
        while let Some(token) = self.peek().filter(|t| t.kind == TokenKind::String) {
            literal::append_string(self.bytes(token), &mut value);
            self.pos += 1;
        }
        Ok(value)
    }

    fn boolean(&mut self, field: FieldView<'p>) -> Result<bool> {
        if self.at_kind(TokenKind::Integer) {
            return Ok(self.unsigned(1)? == 1);
        }
        let Some(token) = self.peek().filter(|t| t.kind == TokenKind::Identifier) else {
            return self.unexpected("`true` or `false`");
        };
        let value = match self.bytes(token) {
            b"true" | b"True" | b"t" => true,
            b"false" | b"False" | b"f" => false,
            _ => {
                let message = format!("field \"{}\" has to be `true` or `false`", field.name());
                return self.fault("option-type", token.span(), message);
            }
        };
        self.pos += 1;
        Ok(value)
    }

    fn unsigned(&mut self, max: u64) -> Result<u64> {
        let Some(token) = self.peek().filter(|t| t.kind == TokenKind::Integer) else {
            return self.unexpected("an integer");
        };
        match literal::integer(self.bytes(token), max) {
            Some(value) => {
                self.pos += 1;
                Ok(value)
            }
            None => self.fault(
                "integer-out-of-range",
                token.span(),
                format!("integer is out of range; the largest is {max}"),
            ),
        }
    }

    fn signed(&mut self, max: u64) -> Result<i64> {
        if self.eat(b'-') {
            return Ok((self.unsigned(max + 1)? as i64).wrapping_neg());
        }
        Ok(self.unsigned(max)? as i64)
    }

    fn double(&mut self) -> Result<f64> {
        let negative = self.eat(b'-');
        let Some(token) = self.peek() else { return self.unexpected("a number") };
        let bytes = self.bytes(token);
        let value = match token.kind {
            TokenKind::Integer if bytes.len() > 1 && bytes[0] == b'0' => {
                return self.fault(
                    "option-type",
                    token.span(),
                    "floating-point values cannot be octal or hexadecimal",
                );
            }
            TokenKind::Integer | TokenKind::Float => literal::float(bytes),
            TokenKind::Identifier => match bytes.to_ascii_lowercase().as_slice() {
                b"inf" | b"infinity" => Some(f64::INFINITY),
                b"nan" => Some(f64::NAN),
                _ => None,
            },
            _ => None,
        };
        let Some(value) = value else { return self.unexpected("a number") };
        self.pos += 1;
        Ok(if negative { -value } else { value })
    }

    fn enum_value(&mut self, enumeration: EnumView<'p>) -> Result<Value<'p>> {
        let span = self.span();
        if let Some(token) = self.peek().filter(|t| t.kind == TokenKind::Identifier) {
            let name = String::from_utf8_lossy(self.bytes(token)).into_owned();
            self.pos += 1;
            return match enumeration.value(&name) {
                Some(value) => Ok(Value::Varint(i64::from(value.number()) as u64)),
                None => {
                    let message = format!("enum \"{}\" has no value \"{name}\"", enumeration.full_name());
                    self.fault("unknown-enum-value", span, message)
                }
            };
        }
        if !self.at(b'-') && !self.at_kind(TokenKind::Integer) {
            return self.unexpected("the name of an enum value");
        }
        let number = self.signed(i32::MAX as u64)?;
        if enumeration.is_closed() && enumeration.value_by_number(number as i32).is_none() {
            let message = format!("enum \"{}\" has no value with number {number}", enumeration.full_name());
            return self.fault("unknown-enum-value", span, message);
        }
        Ok(Value::Varint(number as u64))
    }

    // ---- values of reserved fields

    fn skip_value(&mut self) -> Result<()> {
        if self.eat(b':') && !self.at(b'{') && !self.at(b'<') {
            return self.skip_scalar();
        }
        self.skip_message()
    }

    fn skip_scalar(&mut self) -> Result<()> {
        self.depth += 1;
        if self.depth > self.max_depth {
            return self.fault(
                "nesting-too-deep",
                self.span(),
                format!("values are nested deeper than {} levels", self.max_depth),
            );
        }
        if self.at_kind(TokenKind::String) {
            self.string()?;
        } else if self.eat(b'[') {
            if !self.eat(b']') {
                loop {
                    if self.at(b'{') || self.at(b'<') {
                        self.skip_message()?;
                    } else {
                        self.skip_scalar()?;
                    }
                    if self.eat(b']') {
                        break;
                    }
                    self.expect(b',')?;
                }
            }
        } else {
            let negative = self.eat(b'-');
            let Some(token) = self.peek() else { return self.unexpected("a value") };
            let fits = match token.kind {
                TokenKind::Integer | TokenKind::Float => true,
                TokenKind::Identifier => {
                    let lower = self.bytes(token).to_ascii_lowercase();
                    !negative || matches!(lower.as_slice(), b"inf" | b"infinity" | b"nan")
                }
                _ => false,
            };
            if !fits {
                return self.unexpected("a value");
            }
            self.pos += 1;
        }
        self.depth -= 1;
        Ok(())
    }

    fn skip_message(&mut self) -> Result<()> {
        let close = if self.eat(b'<') {
            b'>'
        } else if self.eat(b'{') {
            b'}'
        } else {
            return self.unexpected("`{`");
        };
        self.depth += 1;
        if self.depth > self.max_depth {
            return self.fault(
                "nesting-too-deep",
                self.span(),
                format!("values are nested deeper than {} levels", self.max_depth),
            );
        }
        while !self.at(b'>') && !self.at(b'}') {
            if self.at(b'[') {
                self.bracketed()?;
            } else if self.at_kind(TokenKind::Identifier) {
                self.pos += 1;
            } else {
                return self.unexpected("a field name");
            }
            self.skip_value()?;
            let _ = self.eat(b';') || self.eat(b',');
        }
        self.expect(close)?;
        self.depth -= 1;
        Ok(())
    }
}

/// The field with this name; a group also answers to the name of its type.
fn find_field<'p>(ty: MessageView<'p>, name: &str) -> Option<FieldView<'p>> {
    ty.field(name).or_else(|| {
        let field = ty.field(&name.to_ascii_lowercase())?;
        let is_type_name = matches!(field.kind(), FieldKind::Message(m) if m.name() == name);
        (field.is_group_like() && is_type_name).then_some(field)
    })
}

fn percents_are_valid(prefix: &str) -> bool {
    let bytes = prefix.as_bytes();
    bytes.iter().enumerate().all(|(at, &b)| {
        b != b'%' || bytes.get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit))
    })
}

/// Whether `bytes` may be the value of string field `field`.
pub(super) fn check_utf8(field: FieldView<'_>, bytes: &[u8]) -> std::result::Result<(), String> {
    let checked = field.features().utf8_validation == Utf8Validation::VERIFY;
    if checked && std::str::from_utf8(bytes).is_err() {
        return Err(format!("the value of string field \"{}\" has to be valid UTF-8", field.name()));
    }
    Ok(())
}
