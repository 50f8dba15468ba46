//! Text into tokens, one at a time.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::error::{TextError, TextErrorKind};

/// The kind of a token; its text is a range of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Identifier,
    /// Decimal, octal with a leading 0, or hexadecimal with 0x; without sign.
    Integer,
    /// With a point, an exponent or an `f` behind it; without sign.
    Float,
    /// With its quotes.
    String,
    /// Any other byte.
    Symbol(u8),
    End,
}

/// Holds the token that stands next.
pub(super) struct Lexer<'t> {
    text: &'t [u8],
    token: Token,
    start: usize,
    end: usize,
}

/// At most this much of a token is shown in an error.
const SHOWN: usize = 40;

impl<'t> Lexer<'t> {
    pub(super) fn new(text: &'t [u8]) -> Result<Self, TextError> {
        let end = if text.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        let mut lexer = Self { text, token: Token::End, start: end, end };
        lexer.advance()?;
        Ok(lexer)
    }

    pub(super) fn token(&self) -> Token {
        self.token
    }

    /// Where the token starts.
    pub(super) fn start(&self) -> usize {
        self.start
    }

    /// The text of a token that is ASCII: identifier, number.
    pub(super) fn text(&self) -> &'t str {
        core::str::from_utf8(&self.text[self.start..self.end]).unwrap_or_default()
    }

    pub(super) fn advance(&mut self) -> Result<(), TextError> {
        self.start = self.skip_space(self.end);
        self.end = self.start;
        let Some(&byte) = self.text.get(self.start) else {
            self.token = Token::End;
            return Ok(());
        };
        let digit_follows = self.byte(self.start + 1).is_ascii_digit();
        (self.token, self.end) = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => (Token::Identifier, self.skip(self.start, is_identifier)),
            b'0'..=b'9' => self.number()?,
            b'.' if digit_follows => self.number()?,
            b'"' | b'\'' => (Token::String, self.string(byte)?),
            other => (Token::Symbol(other), self.start + 1),
        };
        Ok(())
    }

    /// Goes past `symbol`, if that is the token.
    pub(super) fn eat(&mut self, symbol: u8) -> Result<bool, TextError> {
        let found = self.token == Token::Symbol(symbol);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    #[cold]
    pub(super) fn error(&self, kind: TextErrorKind, offset: usize) -> TextError {
        TextError::new(kind, self.text, offset)
    }

    #[cold]
    pub(super) fn unexpected(&self, expected: &'static str) -> TextError {
        let found = match self.token {
            Token::End => "the end of the input".to_string(),
            _ => {
                let shown = String::from_utf8_lossy(&self.text[self.start..self.end.min(self.start + SHOWN)]);
                let more = if self.end - self.start > SHOWN { "..." } else { "" };
                format!("`{shown}{more}`")
            }
        };
        self.error(TextErrorKind::Unexpected { expected, found }, self.start)
    }

    #[cold]
    fn malformed(&self, what: &'static str, offset: usize) -> TextError {
        self.error(TextErrorKind::Malformed(what), offset)
    }

    /// Zero behind the end: no rule below accepts that byte.
    fn byte(&self, at: usize) -> u8 {
        self.text.get(at).copied().unwrap_or(0)
    }

    fn skip(&self, from: usize, accepts: impl Fn(u8) -> bool) -> usize {
        let rest = self.text.get(from..).unwrap_or_default();
        from + rest.iter().position(|&byte| !accepts(byte)).unwrap_or(rest.len())
    }

    fn skip_space(&self, mut at: usize) -> usize {
        loop {
            at = self.skip(at, |byte| matches!(byte, b' ' | b'\t'..=b'\r'));
            if self.byte(at) != b'#' {
                return at;
            }
            at = self.skip(at, |byte| byte != b'\n');
        }
    }

    fn number(&self) -> Result<(Token, usize), TextError> {
        let start = self.start;
        let (token, end) = match (self.byte(start), self.byte(start + 1)) {
            (b'0', b'x' | b'X') => {
                let end = self.skip(start + 2, |byte| byte.is_ascii_hexdigit());
                if end == start + 2 {
                    return Err(self.malformed("0x needs hexadecimal digits behind it", start));
                }
                (Token::Integer, end)
            }
            (b'0', b'0'..=b'9') => {
                let end = self.skip(start, |byte| byte.is_ascii_digit());
                if self.text[start..end].iter().any(|&digit| digit > b'7') {
                    return Err(
                        self.malformed("a number that starts with 0 is octal, without 8 and 9", start)
                    );
                }
                (Token::Integer, end)
            }
            _ => self.decimal(start)?,
        };
        match self.byte(end) {
            byte if is_identifier(byte) => {
                Err(self.malformed("a space is needed between a number and a name", end))
            }
            b'.' => Err(self.malformed("a point does not belong here", end)),
            _ => Ok((token, end)),
        }
    }

    fn decimal(&self, start: usize) -> Result<(Token, usize), TextError> {
        let digits = |from| self.skip(from, |byte| byte.is_ascii_digit());
        let mut token = Token::Integer;
        let mut end = digits(start);
        if self.byte(end) == b'.' {
            token = Token::Float;
            end = digits(end + 1);
        }
        if matches!(self.byte(end), b'e' | b'E') {
            token = Token::Float;
            let sign = usize::from(matches!(self.byte(end + 1), b'+' | b'-'));
            let exponent = end + 1 + sign;
            end = digits(exponent);
            if end == exponent {
                return Err(self.malformed("the exponent has no digits", start));
            }
        }
        if matches!(self.byte(end), b'f' | b'F') {
            token = Token::Float;
            end += 1;
        }
        Ok((token, end))
    }

    /// The end of the string that starts here.
    fn string(&self, quote: u8) -> Result<usize, TextError> {
        let mut at = self.start + 1;
        loop {
            match self.text.get(at) {
                Some(&byte) if byte == quote => return Ok(at + 1),
                // What is escaped cannot end the string; a line break is wrong in any case.
                Some(b'\\') if !matches!(self.byte(at + 1), 0 | b'\n') => at += 2,
                Some(b'\n') => {
                    return Err(self.malformed("a string cannot go over the end of a line; write \\n", at));
                }
                Some(0) => return Err(self.malformed("a string cannot have a zero byte; write \\000", at)),
                Some(_) => at += 1,
                None => return Err(self.malformed("the string has no closing quote", self.start)),
            }
        }
    }

    /// Appends what the string that is the token stands for.
    pub(super) fn unescape(&self, out: &mut Vec<u8>) -> Result<(), TextError> {
        let end = self.end - 1;
        let mut at = self.start + 1;
        while at < end {
            let run = self.text[at..end].iter().position(|&byte| byte == b'\\').unwrap_or(end - at);
            out.extend_from_slice(&self.text[at..at + run]);
            at += run;
            if at < end {
                at = self.escape(at, end, out)?;
            }
        }
        Ok(())
    }

    /// Resolves the escape at `at`; gives the position behind it.
    fn escape(&self, at: usize, end: usize, out: &mut Vec<u8>) -> Result<usize, TextError> {
        let value = at + 2;
        let plain = match self.byte(at + 1) {
            b'a' => 0x07,
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 0x0b,
            byte @ (b'?' | b'\\' | b'\'' | b'"') => byte,
            b'0'..=b'7' => {
                let (octal, after) = self.digits(at + 1, end, 3, 8);
                let Ok(byte) = u8::try_from(octal) else {
                    return Err(self.malformed("an octal escape goes up to \\377", at));
                };
                out.push(byte);
                return Ok(after);
            }
            b'x' => {
                let (hex, after) = self.digits(value, end, 2, 16);
                if after == value {
                    return Err(self.malformed("\\x needs hexadecimal digits behind it", at));
                }
                out.push(hex as u8);
                return Ok(after);
            }
            letter @ (b'u' | b'U') => {
                let len = if letter == b'u' { 4 } else { 8 };
                let (code, after) = self.digits(value, end, len, 16);
                if after != value + len {
                    return Err(self.malformed("\\u needs four hexadecimal digits, and \\U eight", at));
                }
                // Surrogates are no characters, not even in pairs: \U reaches every plane.
                let Some(character) = char::from_u32(code) else {
                    return Err(self.malformed("the escape is no Unicode character", at));
                };
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                return Ok(after);
            }
            _ => return Err(self.malformed("there is no such escape in a string", at)),
        };
        out.push(plain);
        Ok(value)
    }

    /// The value of at most `most` digits, and the position behind them.
    fn digits(&self, from: usize, end: usize, most: usize, radix: u32) -> (u32, usize) {
        let mut value = 0;
        let mut at = from;
        while at < end.min(from + most)
            && let Some(digit) = char::from(self.byte(at)).to_digit(radix)
        {
            value = value * radix + digit;
            at += 1;
        }
        (value, at)
    }

    /// What stands between the bracket that is the token and the closing one, without spaces and
    /// comments; goes past it. The characters are those of extension names and type URLs.
    pub(super) fn bracketed(&mut self) -> Result<String, TextError> {
        let mut name = String::new();
        let mut at = self.end;
        loop {
            at = self.skip_space(at);
            match self.byte(at) {
                b']' => break,
                b'%' if !(self.byte(at + 1).is_ascii_hexdigit() && self.byte(at + 2).is_ascii_hexdigit()) => {
                    return Err(self.malformed("% needs two hexadecimal digits behind it", at));
                }
                byte if is_url(byte) => name.push(char::from(byte)),
                _ if at >= self.text.len() => {
                    return Err(self.malformed("the bracket has no closing one", self.start));
                }
                _ => return Err(self.malformed("only names and type URLs stand in brackets", at)),
            }
            at += 1;
        }
        if name.is_empty() {
            return Err(self.malformed("there is no name in the brackets", self.start));
        }
        self.end = at + 1;
        self.advance()?;
        Ok(name)
    }
}

fn is_identifier(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// True for what may stand in the brackets of an expanded `Any`.
pub(super) fn is_url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-.~_!$&()*+,;=%/".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &[u8]) -> Result<Vec<(Token, &str)>, TextError> {
        let mut lexer = Lexer::new(text)?;
        let mut found = Vec::new();
        while lexer.token() != Token::End {
            found.push((lexer.token(), lexer.text()));
            lexer.advance()?;
        }
        Ok(found)
    }

    #[test]
    fn the_longest_token_wins() {
        use Token::{Float, Identifier, Integer, Symbol};
        for (text, want) in [
            (
                "a1_ :-0x1F",
                vec![(Identifier, "a1_"), (Symbol(b':'), ":"), (Symbol(b'-'), "-"), (Integer, "0x1F")],
            ),
            ("017 0 10f", vec![(Integer, "017"), (Integer, "0"), (Float, "10f")]),
            (".5 5. 1.5e-3F 1e9", vec![(Float, ".5"), (Float, "5."), (Float, "1.5e-3F"), (Float, "1e9")]),
            ("a # b\n\x0b\x0c\r\tc", vec![(Identifier, "a"), (Identifier, "c")]),
            ("\u{feff}a", vec![(Identifier, "a")]), // a byte order mark at the start is no text
        ] {
            assert_eq!(tokens(text.as_bytes()), Ok(want), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_token_is_an_error() {
        for text in [
            "10bar", "0x", "0xg", "08", "1.2.3", "1e", "1e+", "0x1.5", "01.5", "\"a", "'a\nb'", "'a\\\nb'",
            "'a\0b'", "'a\\", "1_000",
        ] {
            assert!(tokens(text.as_bytes()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn escapes_stand_for_bytes() {
        for (text, want) in [
            (r#"'\a\b\f\n\r\t\v\?\\\'\"'"#, Some(&b"\x07\x08\x0c\n\r\t\x0b?\\'\""[..])),
            (r"'\1\12\1234\x1\x41g'", Some(b"\x01\x0aS4\x01Ag")),
            (r"'\377\xff'", Some(b"\xff\xff")),
            (r"'\u00e9\U0001F600'", Some("\u{e9}\u{1f600}".as_bytes())),
            (r"'\400'", None),         // more than a byte
            (r"'\xg'", None),          // no digit
            (r"'\u12'", None),         // too few digits
            (r"'\U00110000'", None),   // behind the last plane
            (r"'\ud83d\ude00'", None), // surrogates, paired or not
            (r"'\c'", None),
        ] {
            let mut out = Vec::new();
            let result = Lexer::new(text.as_bytes()).and_then(|lexer| lexer.unescape(&mut out));
            assert_eq!(result.ok().map(|()| &out[..]), want, "{text}");
        }
    }
}
