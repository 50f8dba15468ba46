//! Reading past what is not known.

use alloc::vec::Vec;

use super::{Close, Reader, Result};
use crate::text::lexer::Token;

impl Reader<'_, '_> {
    /// Reads past what stands behind the name of a field that is not known.
    pub(super) fn skip_field(&mut self) -> Result<()> {
        let colon = self.lexer.eat(b':')?;
        if self.lexer.token() != Token::Symbol(b'[') {
            return self.skip_value(colon);
        }
        self.lexer.advance()?;
        if self.lexer.eat(b']')? {
            return Ok(());
        }
        loop {
            self.skip_value(colon)?;
            if self.lexer.eat(b']')? {
                return Ok(());
            }
            if !self.lexer.eat(b',')? {
                return Err(self.lexer.unexpected("`,` or `]`"));
            }
        }
    }

    fn skip_value(&mut self, colon: bool) -> Result<()> {
        match self.lexer.token() {
            Token::Symbol(b'{' | b'<') => return self.skip_message(),
            _ if !colon => return Err(self.lexer.unexpected("`:` or a message")),
            Token::String => {
                let mut bytes = Vec::new();
                while self.lexer.token() == Token::String {
                    bytes.clear();
                    self.lexer.unescape(&mut bytes)?;
                    self.lexer.advance()?;
                }
                return Ok(());
            }
            Token::Symbol(b'-') => self.lexer.advance()?,
            _ => {}
        }
        match self.lexer.token() {
            Token::Identifier | Token::Integer | Token::Float => self.lexer.advance(),
            _ => Err(self.lexer.unexpected("a value")),
        }
    }

    fn skip_message(&mut self) -> Result<()> {
        let close = self.open()?;
        loop {
            match self.lexer.token() {
                Token::Identifier => self.lexer.advance()?,
                Token::Symbol(b'[') => drop(self.lexer.bracketed()?),
                Token::Symbol(symbol) if close == Close::Symbol(symbol) => return self.close(),
                _ => return Err(self.no_field(close)),
            }
            self.skip_field()?;
            self.separator()?;
        }
    }
}
