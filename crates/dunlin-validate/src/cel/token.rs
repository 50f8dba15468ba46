//! Expressions as tokens.

use super::ast::Literal;
use super::{CompileError, fault};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Ident(String),
    Literal(Literal),
    /// An operator or a bracket.
    Symbol(&'static str),
    End,
}

const SYMBOLS: [&str; 25] = [
    "==", "!=", "<=", ">=", "&&", "||", "<", ">", "+", "-", "*", "/", "%", "!", "?", ":", ".", ",", "(", ")",
    "[", "]", "{", "}", "=",
];

/// Words that stand for nothing yet and may not name anything.
const RESERVED: [&str; 18] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
    "in",
];

pub(super) fn is_reserved(word: &str) -> bool {
    RESERVED.contains(&word)
}

/// All tokens with the bytes where they start, an end at last.
pub(super) fn tokens(text: &str) -> Result<Vec<(u32, Token)>, CompileError> {
    let mut tokens = Vec::new();
    let mut lexer = Lexer { text, at: 0 };
    loop {
        lexer.skip_space();
        let at = lexer.at;
        let token = lexer.token()?;
        let is_end = token == Token::End;
        tokens.push((at as u32, token));
        if is_end {
            return Ok(tokens);
        }
    }
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn fault(&self, message: impl Into<String>) -> CompileError {
        fault(self.at as u32, message)
    }

    fn skip_space(&mut self) {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start_matches([' ', '\t', '\n', '\r', '\x0c']);
            self.at += rest.len() - trimmed.len();
            if !trimmed.starts_with("//") {
                return;
            }
            self.at += trimmed.find('\n').unwrap_or(trimmed.len());
        }
    }

    fn token(&mut self) -> Result<Token, CompileError> {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return Ok(Token::End) };
        if let Some((prefix, quote)) = string_start(rest) {
            return self.string(prefix, quote);
        }
        if first.is_ascii_digit() || (first == '.' && rest[1..].starts_with(|c: char| c.is_ascii_digit())) {
            return self.number();
        }
        if first == '`' {
            let Some(end) = rest[1..].find('`') else { return Err(self.fault("a ` without its end")) };
            self.at += end + 2;
            return Ok(Token::Ident(rest[1..=end].into()));
        }
        if first.is_ascii_alphabetic() || first == '_' {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            self.at += end;
            return Ok(match &rest[..end] {
                "true" => Token::Literal(Literal::Bool(true)),
                "false" => Token::Literal(Literal::Bool(false)),
                "null" => Token::Literal(Literal::Null),
                "in" => Token::Symbol("in"),
                word => Token::Ident(word.into()),
            });
        }
        let Some(symbol) = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) else {
            return Err(self.fault(format!("{first:?} has no meaning here")));
        };
        self.at += symbol.len();
        Ok(Token::Symbol(symbol))
    }

    fn number(&mut self) -> Result<Token, CompileError> {
        let rest = self.rest();
        let count = |text: &str, is: fn(&u8) -> bool| text.bytes().take_while(is).count();
        if let Some(hex) = rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X")) {
            let digits = &hex[..count(hex, u8::is_ascii_hexdigit)];
            self.at += 2 + digits.len();
            return self.integer(digits, 16);
        }
        let mut end = count(rest, u8::is_ascii_digit);
        let mut is_double = false;
        if rest[end..].starts_with('.') {
            let fraction = count(&rest[end + 1..], u8::is_ascii_digit);
            // `1.size()` is a call.
            if fraction > 0 {
                is_double = true;
                end += 1 + fraction;
            }
        }
        if rest[end..].starts_with(['e', 'E']) {
            let sign = usize::from(rest[end + 1..].starts_with(['+', '-']));
            let exponent = count(&rest[end + 1 + sign..], u8::is_ascii_digit);
            if exponent > 0 {
                is_double = true;
                end += 1 + sign + exponent;
            }
        }
        if !is_double {
            self.at += end;
            return self.integer(&rest[..end], 10);
        }
        let value = rest[..end].parse().map_err(|_| self.fault("not a number"))?;
        self.at += end;
        Ok(Token::Literal(Literal::Double(value)))
    }

    fn integer(&mut self, digits: &str, radix: u32) -> Result<Token, CompileError> {
        let value =
            u64::from_str_radix(digits, radix).map_err(|_| self.fault("the integer does not fit 64 bits"))?;
        if self.rest().starts_with(['u', 'U']) {
            self.at += 1;
            return Ok(Token::Literal(Literal::Uint(value)));
        }
        // One more than the largest is read too: the parser takes it behind a minus only.
        match i64::try_from(value) {
            Ok(value) => Ok(Token::Literal(Literal::Int(value))),
            Err(_) if value == 1 << 63 => Ok(Token::Literal(Literal::Int(i64::MIN))),
            Err(_) => Err(self.fault("the integer does not fit 64 bits")),
        }
    }

    fn string(&mut self, prefix: &str, quote: &str) -> Result<Token, CompileError> {
        let is_raw = prefix.contains(['r', 'R']);
        let is_bytes = prefix.contains(['b', 'B']);
        self.at += prefix.len() + quote.len();
        let mut out = Vec::new();
        loop {
            let rest = self.rest();
            if rest.starts_with(quote) {
                self.at += quote.len();
                break;
            }
            match rest.chars().next() {
                None => return Err(self.fault("a string without its end")),
                Some('\n' | '\r') if quote.len() == 1 => {
                    return Err(self.fault("a string without its end on the line"));
                }
                Some('\\') if !is_raw => self.escape(is_bytes, &mut out)?,
                Some(c) => {
                    out.extend_from_slice(&rest.as_bytes()[..c.len_utf8()]);
                    self.at += c.len_utf8();
                }
            }
        }
        if is_bytes {
            return Ok(Token::Literal(Literal::Bytes(out)));
        }
        let text = String::from_utf8(out).map_err(|_| self.fault("the string is not UTF-8"))?;
        Ok(Token::Literal(Literal::String(text)))
    }

    fn escape(&mut self, is_bytes: bool, out: &mut Vec<u8>) -> Result<(), CompileError> {
        let rest = self.rest();
        let kind = rest.as_bytes().get(1).copied().unwrap_or_default();
        let plain = match kind {
            b'a' => 7,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 11,
            b'\\' | b'\'' | b'"' | b'`' | b'?' => kind,
            _ => 0,
        };
        if plain != 0 {
            out.push(plain);
            self.at += 2;
            return Ok(());
        }
        let (skip, digits, radix) = match kind {
            b'x' | b'X' => (2, 2, 16),
            b'u' if !is_bytes => (2, 4, 16),
            b'U' if !is_bytes => (2, 8, 16),
            b'0'..=b'3' => (1, 3, 8),
            _ => return Err(self.fault("an unknown escape")),
        };
        let number = rest.get(skip..skip + digits).and_then(|text| u32::from_str_radix(text, radix).ok());
        let Some(number) = number else { return Err(self.fault("an escape without its digits")) };
        self.at += skip + digits;
        if is_bytes {
            out.push(number as u8);
        } else {
            let Some(c) = char::from_u32(number) else { return Err(self.fault("an escape of no character")) };
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
        Ok(())
    }
}

/// The letters in front of a string, and its quotes.
fn string_start(text: &str) -> Option<(&str, &str)> {
    let letters = text.bytes().take(2).take_while(|byte| b"rRbB".contains(byte)).count();
    let prefix = &text[..letters];
    let is_prefix = matches!(prefix.to_ascii_lowercase().as_str(), "" | "r" | "b" | "rb" | "br");
    let rest = &text[letters..];
    let quote = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quote| rest.starts_with(quote))?;
    is_prefix.then_some((prefix, quote))
}
