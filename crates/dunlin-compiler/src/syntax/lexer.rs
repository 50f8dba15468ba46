//! From bytes to tokens.

use super::token::{Keyword, Token, TokenKind};
use super::{MAX_FAULTS, Span, SyntaxFault};

/// A tab reaches to the next multiple of this.
const TAB: u32 = 8;

pub(super) struct Lexed {
    pub(super) tokens: Vec<Token>,
    pub(super) faults: Vec<SyntaxFault>,
}

/// Splits a source into tokens; the last is always [`TokenKind::End`].
pub(super) fn lex(source: &[u8]) -> Lexed {
    let mut lexer = Lexer {
        source,
        pos: 0,
        line: 0,
        line_start: 0,
        tab_shift: 0,
        tokens: Vec::with_capacity(source.len() / 6 + 8),
        faults: Vec::new(),
    };
    lexer.run();
    Lexed { tokens: lexer.tokens, faults: lexer.faults }
}

struct Lexer<'s> {
    source: &'s [u8],
    pos: usize,
    line: u32,
    /// Where the line starts.
    line_start: usize,
    /// How many columns the tabs before `pos` on this line added to their bytes.
    tab_shift: u32,
    tokens: Vec<Token>,
    faults: Vec<SyntaxFault>,
}

impl Lexer<'_> {
    fn run(&mut self) {
        if self.source.starts_with(b"\xef\xbb\xbf") {
            self.pos = 3;
        }
        loop {
            let after_comment = self.skip_trivia();
            let start = self.pos;
            let column = self.column();
            let line = self.line;
            let Some(&byte) = self.source.get(start) else {
                self.push(TokenKind::End, start, line, column, after_comment);
                return;
            };
            let kind = match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                    self.pos += 1;
                    self.skip_while(|b| b.is_ascii_alphanumeric() || b == b'_');
                    TokenKind::Identifier
                }
                b'0'..=b'9' => self.number(),
                b'.' if self.peek(1).is_some_and(|b| b.is_ascii_digit()) => {
                    self.check_dot_after_identifier();
                    self.number()
                }
                b'"' | b'\'' => {
                    self.string(byte);
                    TokenKind::String
                }
                0x21..=0x7e => {
                    self.pos += 1;
                    TokenKind::Symbol
                }
                _ => {
                    self.unknown();
                    TokenKind::Unknown
                }
            };
            self.push(kind, start, line, column, after_comment);
        }
    }

    fn push(&mut self, kind: TokenKind, start: usize, line: u32, column: u32, after_comment: bool) {
        let (keyword, symbol) = match kind {
            TokenKind::Identifier => (Keyword::of(&self.source[start..self.pos]), 0),
            TokenKind::Symbol => (Keyword::None, self.source[start]),
            _ => (Keyword::None, 0),
        };
        self.tokens.push(Token {
            kind,
            keyword,
            symbol,
            after_comment,
            start: start as u32,
            end: self.pos as u32,
            line,
            column,
            end_column: self.column(),
        });
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.source.get(self.pos + ahead).copied()
    }

    fn column(&self) -> u32 {
        (self.pos - self.line_start) as u32 + self.tab_shift
    }

    fn skip_while(&mut self, test: impl Fn(u8) -> bool) {
        let rest = &self.source[self.pos..];
        self.pos += rest.iter().position(|&b| !test(b)).unwrap_or(rest.len());
    }

    // Moves past one byte that may be a tab or end a line.
    fn bump(&mut self) {
        match self.source[self.pos] {
            b'\n' => {
                self.pos += 1;
                self.line += 1;
                self.line_start = self.pos;
                self.tab_shift = 0;
            }
            b'\t' => {
                let column = self.column();
                self.tab_shift += TAB - column % TAB - 1;
                self.pos += 1;
            }
            _ => self.pos += 1,
        }
    }

    fn fault(
        &mut self,
        code: &'static str,
        start: usize,
        message: impl Into<String>,
    ) -> Option<&mut SyntaxFault> {
        if self.faults.len() == MAX_FAULTS {
            return None;
        }
        let end = self.pos.max(start + 1).min(self.source.len().max(start));
        self.faults.push(SyntaxFault::new(code, Span::new(start as u32, end as u32), message));
        self.faults.last_mut()
    }

    /// Skips white space and comments; true if there was a comment.
    fn skip_trivia(&mut self) -> bool {
        let mut comment = false;
        while let Some(&byte) = self.source.get(self.pos) {
            match byte {
                b' ' => self.pos += 1,
                b'\n' | b'\t' | b'\r' | 0x0b | 0x0c => self.bump(),
                b'/' if self.peek(1) == Some(b'/') => {
                    comment = true;
                    self.line_comment();
                }
                b'/' if self.peek(1) == Some(b'*') => {
                    comment = true;
                    self.block_comment();
                }
                _ => break,
            }
        }
        comment
    }

    fn line_comment(&mut self) {
        let rest = &self.source[self.pos..];
        let len = memchr::memchr2(b'\n', 0, rest).unwrap_or(rest.len());
        let end = self.pos + len;
        if self.source.get(end) == Some(&b'\n') {
            // Columns no longer matter on this line, so tabs in the comment need no care.
            self.pos = end;
            return;
        }
        // The end of the source, or a NUL, which ends the comment and is reported as what it is.
        while self.pos < end {
            self.bump();
        }
    }

    fn block_comment(&mut self) {
        let start = self.pos;
        self.pos += 2;
        loop {
            let rest = &self.source[self.pos..];
            match rest {
                [] | [0, ..] => {
                    let nul = !rest.is_empty();
                    self.pos = self.source.len();
                    let fault = self.fault("unterminated-comment", start, "comment is not closed");
                    if let Some(fault) = fault {
                        fault.span.end = fault.span.start + 2;
                        fault.help = Some(if nul { "it contains a NUL byte" } else { "add `*/`" }.into());
                    }
                    return;
                }
                [b'*', b'/', ..] => {
                    self.pos += 2;
                    return;
                }
                [b'/', b'*', ..] => {
                    let at = self.pos;
                    self.pos += 1;
                    self.fault("nested-comment", at, "comments cannot be nested");
                }
                _ => self.bump(),
            }
        }
    }

    // `foo.5` would read as a name and a number.
    fn check_dot_after_identifier(&mut self) {
        let adjacent = self
            .tokens
            .last()
            .is_some_and(|token| token.kind == TokenKind::Identifier && token.end as usize == self.pos);
        if adjacent {
            let at = self.pos;
            self.fault(
                "adjacent-number",
                at,
                "a space is needed between a name and a number that starts with a point",
            );
        }
    }

    fn number(&mut self) -> TokenKind {
        let start = self.pos;
        let mut kind = TokenKind::Integer;
        let zero = self.peek(0) == Some(b'0');
        if zero && matches!(self.peek(1), Some(b'x' | b'X')) {
            self.pos += 2;
            let digits = self.pos;
            self.skip_while(|b| b.is_ascii_hexdigit());
            if self.pos == digits {
                self.fault("invalid-number", start, "`0x` has to be followed by hexadecimal digits");
            }
        } else if zero && self.peek(1).is_some_and(|b| b.is_ascii_digit()) {
            self.skip_while(|b| (b'0'..=b'7').contains(&b));
            if self.peek(0).is_some_and(|b| b.is_ascii_digit()) {
                self.skip_while(|b| b.is_ascii_digit());
                self.fault(
                    "invalid-number",
                    start,
                    "a number with a leading zero is octal and cannot contain 8 or 9",
                );
            }
        } else {
            self.skip_while(|b| b.is_ascii_digit());
            if self.peek(0) == Some(b'.') {
                kind = TokenKind::Float;
                self.pos += 1;
                self.skip_while(|b| b.is_ascii_digit());
            }
            if matches!(self.peek(0), Some(b'e' | b'E')) {
                kind = TokenKind::Float;
                self.pos += 1;
                if matches!(self.peek(0), Some(b'+' | b'-')) {
                    self.pos += 1;
                }
                let digits = self.pos;
                self.skip_while(|b| b.is_ascii_digit());
                if self.pos == digits {
                    self.fault("invalid-number", start, "`e` has to be followed by an exponent");
                }
            }
        }
        match self.peek(0) {
            Some(b) if b.is_ascii_alphabetic() || b == b'_' => {
                let at = self.pos;
                self.fault("adjacent-number", at, "a space is needed between a number and a name");
            }
            Some(b'.') => {
                let message = if kind == TokenKind::Float {
                    "a number can have only one point, before the exponent"
                } else {
                    "hexadecimal and octal numbers have to be integers"
                };
                self.fault("invalid-number", start, message);
            }
            _ => {}
        }
        kind
    }

    fn string(&mut self, quote: u8) {
        let start = self.pos;
        self.pos += 1;
        loop {
            let rest = &self.source[self.pos..];
            // Most strings are plain text up to the closing quote.
            let plain = rest.iter().position(|&b| b == quote || b < b' ' || b == b'\\').unwrap_or(rest.len());
            self.pos += plain;
            match self.peek(0) {
                None | Some(0) => {
                    self.fault("unterminated-string", start, "string is not closed");
                    return;
                }
                Some(b'\n') => {
                    let fault = self.fault(
                        "unterminated-string",
                        start,
                        "string is not closed before the end of the line",
                    );
                    if let Some(fault) = fault {
                        fault.help =
                            Some(format!("add `{}`; strings next to each other are joined", quote as char));
                    }
                    return;
                }
                Some(b'\\') => self.escape(),
                Some(b) if b == quote => {
                    self.pos += 1;
                    return;
                }
                Some(_) => self.bump(),
            }
        }
    }

    fn escape(&mut self) {
        let start = self.pos;
        self.pos += 1;
        let Some(byte) = self.peek(0) else { return };
        match byte {
            b'a' | b'b' | b'f' | b'n' | b'r' | b't' | b'v' | b'\\' | b'?' | b'\'' | b'"' | b'0'..=b'7' => {
                self.pos += 1;
            }
            b'x' | b'X' => {
                self.pos += 1;
                if !self.peek(0).is_some_and(|b| b.is_ascii_hexdigit()) {
                    self.fault("invalid-escape", start, "`\\x` has to be followed by hexadecimal digits");
                }
            }
            b'u' => self.hex_escape(start, 4),
            b'U' => self.hex_escape(start, 8),
            b'\n' | 0 => {
                self.fault("invalid-escape", start, "a backslash has to be followed by an escape character");
            }
            _ => {
                self.bump();
                let shown = &self.source[start..self.pos];
                let message = format!(
                    "`{}` is not an escape sequence",
                    shown.escape_ascii().to_string().replace("\\\\", "\\")
                );
                self.fault("invalid-escape", start, message);
            }
        }
    }

    fn hex_escape(&mut self, start: usize, digits: usize) {
        self.pos += 1;
        let text = &self.source[self.pos..];
        let valid = text.len() >= digits && text[..digits].iter().all(u8::is_ascii_hexdigit);
        let in_range = digits == 4 || valid && text[..2] == *b"00" && matches!(text[2], b'0' | b'1');
        if valid && in_range {
            self.pos += digits;
            return;
        }
        let message = if digits == 4 {
            "`\\u` has to be followed by four hexadecimal digits"
        } else {
            "`\\U` has to be followed by eight hexadecimal digits, up to 10ffff"
        };
        self.fault("invalid-escape", start, message);
    }

    // Control characters and everything beyond ASCII: one token for a run of the same sort.
    fn unknown(&mut self) {
        let start = self.pos;
        let control = self.source[start] < b' ' || self.source[start] == 0x7f;
        if control {
            self.skip_while(|b| (b < b' ' && !b.is_ascii_whitespace() && b != 0x0b) || b == 0x7f);
            self.pos = self.pos.max(start + 1);
            self.fault("control-character", start, "control characters are not allowed");
            return;
        }
        self.skip_while(|b| b >= 0x80);
        let text = String::from_utf8_lossy(&self.source[start..self.pos]).into_owned();
        if start == 0 && self.source[0] == 0xef {
            self.fault("not-utf8", start, "file starts like a byte-order mark but is not UTF-8");
            return;
        }
        let message = format!(
            "`{}` is not allowed outside strings and comments",
            text.chars().take(20).collect::<String>()
        );
        if let Some(fault) = self.fault("non-ascii", start, message) {
            fault.help = Some("names are made of ASCII letters, digits and underscores".into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tabs_count_wherever_they_are() {
        for (source, column) in [
            (&b"\ta"[..], 9),
            (b"// a\tb", 9), // a comment that ends with the source
            (b"'\t'", 9),    // a string
            (b"'\\\t'", 9),  // what should be an escape
        ] {
            let end = *lex(source).tokens.last().expect("there is an end");
            assert_eq!((end.kind, end.column), (TokenKind::End, column), "{}", source.escape_ascii());
        }
    }
}
