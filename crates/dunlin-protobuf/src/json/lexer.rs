//! Tokens of JSON text, pulled one at a time. Strings without escapes are slices of the text.

use alloc::borrow::Cow;
use alloc::string::String;

use super::error::{JsonError, JsonErrorKind};
use super::number::{self, Number};
use super::scan;

type Result<T> = core::result::Result<T, JsonError>;

#[derive(Debug)]
pub(super) struct Lexer<'j> {
    text: &'j str,
    pub(super) pos: usize,
}

/// What a value is, by its first byte.
pub(super) const fn describe(byte: Option<u8>) -> &'static str {
    match byte {
        None => "the end of the text",
        Some(b'"') => "a string",
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b'-' | b'0'..=b'9') => "a number",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        Some(_) => "something that is no JSON value",
    }
}

impl<'j> Lexer<'j> {
    pub(super) fn new(text: &'j str) -> Self {
        Self { text, pos: 0 }
    }

    /// The first byte of the next token.
    #[inline]
    pub(super) fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while let Some(&byte) = bytes.get(self.pos) {
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(byte);
            }
            self.pos += 1;
        }
        None
    }

    #[cold]
    pub(super) fn syntax(&self, what: &'static str) -> JsonError {
        JsonError::new(JsonErrorKind::Syntax(what), self.pos)
    }

    /// The error for a value that is none of the expected kind.
    #[cold]
    pub(super) fn wrong(&mut self, expected: &'static str) -> JsonError {
        let byte = self.peek();
        let found = describe(byte);
        match byte {
            None => self.syntax("the text ends in the middle of a value"),
            Some(b'"' | b'{' | b'[' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
                JsonError::new(JsonErrorKind::WrongType { expected, found }, self.pos)
            }
            Some(_) => self.syntax("expected a JSON value"),
        }
    }

    #[inline]
    pub(super) fn open_object(&mut self) -> Result<()> {
        if self.peek() != Some(b'{') {
            return Err(self.wrong("an object"));
        }
        self.pos += 1;
        Ok(())
    }

    #[inline]
    pub(super) fn open_array(&mut self) -> Result<()> {
        if self.peek() != Some(b'[') {
            return Err(self.wrong("an array"));
        }
        self.pos += 1;
        Ok(())
    }

    /// Goes to the next member of an object, false at its end.
    #[inline]
    pub(super) fn next_member(&mut self, is_first: bool) -> Result<bool> {
        match self.peek() {
            Some(b'}') => {
                self.pos += 1;
                return Ok(false);
            }
            Some(b',') if !is_first => self.pos += 1,
            Some(_) if is_first => {}
            _ => return Err(self.syntax("expected `,` or `}`")),
        }
        match self.peek() {
            Some(b'"') => Ok(true),
            _ => Err(self.syntax("expected a key in double quotes")),
        }
    }

    /// Goes to the next element of an array, false at its end.
    #[inline]
    pub(super) fn next_element(&mut self, is_first: bool) -> Result<bool> {
        match self.peek() {
            Some(b']') => {
                self.pos += 1;
                Ok(false)
            }
            Some(b',') if !is_first => {
                self.pos += 1;
                if self.peek() == Some(b']') {
                    return Err(self.syntax("expected a value after `,`"));
                }
                Ok(true)
            }
            Some(_) if is_first => Ok(true),
            _ => Err(self.syntax("expected `,` or `]`")),
        }
    }

    /// A key and the colon behind it.
    #[inline]
    pub(super) fn key(&mut self) -> Result<Cow<'j, str>> {
        let key = self.string()?;
        if self.peek() != Some(b':') {
            return Err(self.syntax("expected `:`"));
        }
        self.pos += 1;
        Ok(key)
    }

    /// Reads the key that starts here, and a colon right behind it, if it is `name`, which has
    /// nothing to escape.
    #[inline]
    pub(super) fn key_is(&mut self, name: &str) -> bool {
        let start = self.pos + 1;
        let end = start + name.len();
        // The first byte tells most names apart.
        let bytes = self.text.as_bytes();
        let is_same = bytes.get(end) == Some(&b'"')
            && bytes.get(end + 1) == Some(&b':')
            && bytes.get(start) == name.as_bytes().first()
            && bytes.get(start..end) == Some(name.as_bytes());
        if is_same {
            self.pos = end + 2;
        }
        is_same
    }

    #[inline]
    pub(super) fn string(&mut self) -> Result<Cow<'j, str>> {
        if self.peek() != Some(b'"') {
            return Err(self.wrong("a string"));
        }
        let start = self.pos + 1;
        let end = scan::special(self.text.as_bytes(), start);
        if self.text.as_bytes().get(end) == Some(&b'"') {
            self.pos = end + 1;
            return Ok(Cow::Borrowed(&self.text[start..end]));
        }
        self.escaped(start, end).map(Cow::Owned)
    }

    /// A string with an escape or a fault at `end`.
    #[cold]
    fn escaped(&mut self, mut start: usize, mut end: usize) -> Result<String> {
        let bytes = self.text.as_bytes();
        let mut out = String::new();
        loop {
            out.push_str(&self.text[start..end]);
            self.pos = end;
            match bytes.get(end) {
                Some(b'"') => {
                    self.pos = end + 1;
                    return Ok(out);
                }
                Some(b'\\') => out.push(self.escape()?),
                Some(_) => return Err(self.syntax("a control character in a string must be escaped")),
                None => return Err(self.syntax("the string does not end")),
            }
            start = self.pos;
            end = scan::special(bytes, start);
        }
    }

    /// The character of the escape that starts here.
    fn escape(&mut self) -> Result<char> {
        let escape = self.text.as_bytes().get(self.pos + 1).copied();
        let character = match escape {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape(),
            _ => return Err(self.syntax("no such escape in a string")),
        };
        self.pos += 2;
        Ok(character)
    }

    fn unicode_escape(&mut self) -> Result<char> {
        let first = self.hex(self.pos + 2)?;
        let (code, len) = match first {
            0xd800..=0xdbff => {
                let bytes = self.text.as_bytes();
                if bytes.get(self.pos + 6..self.pos + 8) != Some(b"\\u") {
                    return Err(self.syntax("half of a surrogate pair"));
                }
                let second = self.hex(self.pos + 8)?;
                if !(0xdc00..=0xdfff).contains(&second) {
                    return Err(self.syntax("half of a surrogate pair"));
                }
                (0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00), 12)
            }
            _ => (first, 6),
        };
        let character = char::from_u32(code).ok_or_else(|| self.syntax("half of a surrogate pair"))?;
        self.pos += len;
        Ok(character)
    }

    fn hex(&self, at: usize) -> Result<u32> {
        let digits =
            self.text.as_bytes().get(at..at + 4).ok_or_else(|| self.syntax("expected four hex digits"))?;
        digits.iter().try_fold(0, |code, &digit| {
            let digit =
                char::from(digit).to_digit(16).ok_or_else(|| self.syntax("expected four hex digits"))?;
            Ok(code << 4 | digit)
        })
    }

    /// A number that starts here.
    #[inline]
    pub(super) fn number(&mut self) -> Result<Number<'j>> {
        let Some((number, end)) = number::scan(self.text, self.pos) else {
            return Err(self.syntax("not a JSON number"));
        };
        self.pos = end;
        Ok(number)
    }

    /// One of the words `true`, `false` and `null`; whether it is there.
    #[inline]
    fn word(&mut self, word: &str) -> bool {
        let bytes = self.text.as_bytes();
        let end = self.pos + word.len();
        let is_word = bytes.get(self.pos..end) == Some(word.as_bytes())
            && !bytes.get(end).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        if is_word {
            self.pos = end;
        }
        is_word
    }

    #[inline]
    pub(super) fn boolean(&mut self) -> Result<bool> {
        match self.peek() {
            Some(b't') if self.word("true") => Ok(true),
            Some(b'f') if self.word("false") => Ok(false),
            Some(b't' | b'f') => Err(self.syntax("expected a JSON value")),
            _ => Err(self.wrong("a boolean")),
        }
    }

    /// `null`, whose first letter has been seen.
    #[inline]
    pub(super) fn null(&mut self) -> Result<()> {
        if self.word("null") { Ok(()) } else { Err(self.syntax("expected a JSON value")) }
    }

    /// Checks that nothing follows.
    pub(super) fn end(&mut self) -> Result<()> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.syntax("expected nothing after the value")),
        }
    }
}
