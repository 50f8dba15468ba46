//! From tokens to a tree.
//!
//! Recursive descent over the grammar of all editions at once: what an edition does not allow is
//! found when the tree is lowered. A statement that cannot be understood becomes an error node, and
//! parsing goes on behind it.

use super::token::{Keyword, Token, TokenKind};
use super::tree::{Node, NodeKind};
use super::{MAX_FAULTS, Span, SyntaxFault};

/// How deep messages and groups may be nested, the outermost included.
const MAX_DEPTH: u32 = 31;

pub(super) fn parse(source: &[u8], tokens: &[Token], faults: &mut Vec<SyntaxFault>) -> Vec<Node> {
    let mut parser = Parser {
        source,
        tokens,
        pos: 0,
        nodes: Vec::with_capacity(tokens.len() / 3 + 1),
        faults,
        unlisted: SyntaxFault::new("", Span::default(), ""),
        depth: 0,
        visibility: false,
    };
    parser.file();
    parser.nodes
}

struct Parser<'t> {
    source: &'t [u8],
    tokens: &'t [Token],
    pos: usize,
    nodes: Vec<Node>,
    faults: &'t mut Vec<SyntaxFault>,
    /// The last fault beyond [`MAX_FAULTS`].
    unlisted: SyntaxFault,
    depth: u32,
    /// Edition 2024 or later: `export` and `local` are modifiers, not type names.
    visibility: bool,
}

/// The statement cannot be understood; a fault says why.
struct Failed;
type Parsed = Result<(), Failed>;

impl Parser<'_> {
    // ---- tokens

    fn token(&self) -> &Token {
        &self.tokens[self.pos]
    }

    fn at(&self, symbol: u8) -> bool {
        self.token().symbol == symbol
    }

    fn at_keyword(&self, keyword: Keyword) -> bool {
        self.token().keyword == keyword
    }

    fn at_kind(&self, kind: TokenKind) -> bool {
        self.token().kind == kind
    }

    fn at_end(&self) -> bool {
        self.at_kind(TokenKind::End)
    }

    // The end token is never passed.
    fn advance(&mut self) {
        if !self.at_end() {
            self.pos += 1;
        }
    }

    fn eat(&mut self, symbol: u8) -> bool {
        let found = self.at(symbol);
        if found {
            self.advance();
        }
        found
    }

    fn eat_keyword(&mut self, keyword: Keyword) -> bool {
        let found = self.at_keyword(keyword);
        if found {
            self.advance();
        }
        found
    }

    fn expect(&mut self, symbol: u8) -> Parsed {
        if self.eat(symbol) {
            return Ok(());
        }
        let found = self.found();
        // What is missing belongs right behind what is there.
        let (span, message) = (self.token().span(), format!("expected `{}`, found {found}", symbol as char));
        let fault = self.fault_at("expected-token", span, message);
        if symbol == b';' {
            fault.help = Some("statements end with `;`".into());
        }
        Err(Failed)
    }

    fn expect_keyword(&mut self, keyword: Keyword) -> Parsed {
        if self.eat_keyword(keyword) {
            return Ok(());
        }
        self.fault("expected-token", format!("expected `{}`, found {}", keyword.text(), self.found()));
        Err(Failed)
    }

    fn identifier(&mut self, what: &str) -> Parsed {
        if self.at_kind(TokenKind::Identifier) {
            self.advance();
            return Ok(());
        }
        self.fault("expected-identifier", format!("expected {what}, found {}", self.found()));
        Err(Failed)
    }

    fn integer(&mut self, what: &str) -> Parsed {
        if self.at_kind(TokenKind::Integer) {
            self.advance();
            return Ok(());
        }
        self.fault("expected-integer", format!("expected {what}, found {}", self.found()));
        Err(Failed)
    }

    fn strings(&mut self, what: &str) -> Parsed {
        if !self.at_kind(TokenKind::String) {
            self.fault("expected-string", format!("expected {what}, found {}", self.found()));
            return Err(Failed);
        }
        while self.at_kind(TokenKind::String) {
            self.advance();
        }
        Ok(())
    }

    // ---- faults

    fn found(&self) -> String {
        let token = self.token();
        if token.kind == TokenKind::End {
            return "the end of the file".into();
        }
        let text = String::from_utf8_lossy(&self.source[token.span().range()]);
        let mut shown: String = text.chars().take(24).collect();
        if shown.len() < text.len() {
            shown.push_str("...");
        }
        format!("`{shown}`")
    }

    fn fault(&mut self, code: &'static str, message: impl Into<String>) -> &mut SyntaxFault {
        let span = self.token().span();
        self.fault_at(code, span, message)
    }

    fn fault_at(&mut self, code: &'static str, span: Span, message: impl Into<String>) -> &mut SyntaxFault {
        let fault = SyntaxFault::new(code, span, message);
        if self.faults.len() >= MAX_FAULTS {
            self.unlisted = fault;
            return &mut self.unlisted;
        }
        self.faults.push(fault);
        self.faults.last_mut().expect("pushed just now")
    }

    // ---- nodes

    fn open(&mut self, kind: NodeKind) -> usize {
        let first = self.pos as u32;
        self.nodes.push(Node { kind, first, end: first, next: 0 });
        self.nodes.len() - 1
    }

    fn close(&mut self, node: usize) {
        let next = self.nodes.len() as u32;
        let node = &mut self.nodes[node];
        node.end = self.pos as u32;
        node.next = next;
    }

    /// A node around what `parse` takes; an error node over the rest of the statement if it fails.
    fn statement(&mut self, kind: NodeKind, parse: impl FnOnce(&mut Self) -> Parsed) {
        let node = self.open(kind);
        self.finish(node, parse);
    }

    fn finish(&mut self, node: usize, parse: impl FnOnce(&mut Self) -> Parsed) {
        if parse(self).is_err() {
            self.nodes[node].kind = NodeKind::Error;
            self.skip_statement();
        }
        self.close(node);
    }

    /// A node inside a statement.
    fn part(&mut self, kind: NodeKind, parse: impl FnOnce(&mut Self) -> Parsed) -> Parsed {
        let node = self.open(kind);
        let parsed = parse(self);
        self.close(node);
        parsed
    }

    // Up to the end of the statement: a semicolon, or a whole block.
    fn skip_statement(&mut self) {
        loop {
            match self.token() {
                t if t.kind == TokenKind::End || t.symbol == b'}' => return,
                t if t.symbol == b';' => return self.advance(),
                t if t.symbol == b'{' => return self.skip_block(),
                _ => self.advance(),
            }
        }
    }

    fn skip_block(&mut self) {
        let mut depth = 0u32;
        while !self.at_end() {
            if self.at(b'{') {
                depth += 1;
            } else if self.at(b'}') {
                depth -= 1;
                if depth == 0 {
                    return self.advance();
                }
            }
            self.advance();
        }
    }

    /// The statements up to the closing brace.
    fn block(&mut self, what: &str, statement: impl Fn(&mut Self)) -> Parsed {
        let open = self.token().span();
        self.expect(b'{')?;
        while !self.eat(b'}') {
            if self.at_end() {
                let fault =
                    self.fault_at("unclosed-block", open, format!("the body of the {what} is not closed"));
                fault.help = Some("add `}`".into());
                return Ok(()); // what is there still counts
            }
            let before = self.pos;
            statement(self);
            if self.pos == before {
                self.advance(); // a statement always takes something
            }
        }
        Ok(())
    }

    fn empty(&mut self) -> bool {
        if !self.at(b';') {
            return false;
        }
        self.statement(NodeKind::Empty, |p| p.expect(b';'));
        true
    }

    // ---- the file

    fn file(&mut self) {
        let root = self.open(NodeKind::File);
        if self.at_keyword(Keyword::Syntax) || self.at_keyword(Keyword::Edition) {
            self.syntax();
        }
        while !self.at_end() {
            if self.at(b'}') {
                self.fault("unmatched-brace", "this `}` closes nothing");
                self.statement(NodeKind::Error, |p| {
                    p.advance();
                    Ok(())
                });
                continue;
            }
            self.top_level();
        }
        self.close(root);
    }

    fn syntax(&mut self) {
        let node = self.open(NodeKind::Syntax);
        let is_edition = self.at_keyword(Keyword::Edition);
        self.advance();
        let value = self.pos + 1; // behind the `=`
        self.finish(node, |p| {
            p.expect(b'=')?;
            p.strings("a quoted syntax or edition")?;
            p.expect(b';')
        });
        let mut edition = Vec::new();
        let strings = self.tokens.iter().skip(value).take_while(|token| token.kind == TokenKind::String);
        for token in strings {
            super::literal::append_string(&self.source[token.span().range()], &mut edition);
        }
        self.visibility = is_edition && edition.as_slice() > b"2023".as_slice();
    }

    fn top_level(&mut self) {
        if self.empty() {
            return;
        }
        let modifier = self.modifier();
        let offset = usize::from(modifier);
        match self.tokens[self.pos + offset].keyword {
            Keyword::Message => self.message(modifier),
            Keyword::Enum => self.enumeration(modifier),
            _ if modifier => self.misplaced_modifier(),
            Keyword::Service => self.service(),
            Keyword::Extend => self.extend(),
            Keyword::Import => self.statement(NodeKind::Import, Self::import),
            Keyword::Package => self.statement(NodeKind::Package, Self::package),
            Keyword::Option => self.option_statement(),
            keyword => {
                let found = self.found();
                let fault =
                    self.fault("expected-declaration", format!("expected a declaration, found {found}"));
                fault.help = Some(match keyword {
                    Keyword::Syntax | Keyword::Edition => {
                        "`syntax` and `edition` have to be the first statement".into()
                    }
                    Keyword::Export | Keyword::Local => "visibility modifiers need edition 2024".into(),
                    _ => "a file holds messages, enums, services, extensions, imports, options and a package"
                        .into(),
                });
                self.statement(NodeKind::Error, |_| Err(Failed));
            }
        }
    }

    /// True before `export` or `local` where they are modifiers.
    fn modifier(&self) -> bool {
        self.visibility && matches!(self.token().keyword, Keyword::Export | Keyword::Local)
    }

    fn misplaced_modifier(&mut self) {
        let message = format!("`{}` can only stand before `message` and `enum`", self.token().keyword.text());
        self.fault("misplaced-visibility", message);
        self.statement(NodeKind::Error, |_| Err(Failed));
    }

    fn import(&mut self) -> Parsed {
        self.expect_keyword(Keyword::Import)?;
        if matches!(self.token().keyword, Keyword::Public | Keyword::Weak | Keyword::Option) {
            self.advance();
        }
        self.strings("the quoted path of a file")?;
        self.expect(b';')
    }

    fn package(&mut self) -> Parsed {
        self.expect_keyword(Keyword::Package)?;
        self.identifier("a package name")?;
        while self.eat(b'.') {
            self.identifier("a name after the dot")?;
        }
        self.expect(b';')
    }

    // ---- options

    fn option_statement(&mut self) {
        self.statement(NodeKind::OptionStatement, |p| {
            p.expect_keyword(Keyword::Option)?;
            p.option_body()?;
            p.expect(b';')
        });
    }

    fn option_body(&mut self) -> Parsed {
        loop {
            self.part(NodeKind::OptionNamePart, Self::option_name_part)?;
            if !self.eat(b'.') {
                break;
            }
        }
        self.expect(b'=')?;
        self.part(NodeKind::Value, Self::value)
    }

    fn option_name_part(&mut self) -> Parsed {
        if !self.eat(b'(') {
            return self.identifier("an option name");
        }
        if !self.at(b'.') {
            self.identifier("the name of an extension")?;
        }
        while self.eat(b'.') {
            self.identifier("a name after the dot")?;
        }
        self.expect(b')')
    }

    fn value(&mut self) -> Parsed {
        let negative = self.eat(b'-');
        match self.token().kind {
            TokenKind::Identifier => {
                let text = &self.source[self.token().span().range()];
                if negative && !matches!(text, b"inf" | b"nan") {
                    self.fault("invalid-option-value", "only numbers, `inf` and `nan` can be negative");
                    return Err(Failed);
                }
                self.advance();
            }
            TokenKind::Integer | TokenKind::Float => self.advance(),
            TokenKind::String if negative => {
                self.fault("invalid-option-value", "a string cannot be negative");
                return Err(Failed);
            }
            TokenKind::String => self.strings("a string")?,
            TokenKind::Symbol if self.at(b'{') => return self.part(NodeKind::Aggregate, Self::aggregate),
            _ => {
                self.fault(
                    "expected-option-value",
                    format!("expected an option value, found {}", self.found()),
                );
                return Err(Failed);
            }
        }
        Ok(())
    }

    // Only braces matter here; what is in them is read when the option's type is known.
    fn aggregate(&mut self) -> Parsed {
        let open = self.token().span();
        let mut depth = 0u32;
        while !self.at_end() {
            if self.at(b'{') {
                depth += 1;
            } else if self.at(b'}') {
                depth -= 1;
                if depth == 0 {
                    self.advance();
                    return Ok(());
                }
            }
            self.advance();
        }
        self.fault_at("unclosed-block", open, "the value is not closed").help = Some("add `}`".into());
        Err(Failed)
    }

    fn compact_options(&mut self, in_field: bool) -> Parsed {
        if !self.at(b'[') {
            return Ok(());
        }
        self.part(NodeKind::CompactOptions, |p| {
            p.expect(b'[')?;
            loop {
                match p.token().keyword {
                    Keyword::Default if in_field => p.part(NodeKind::Default, |p| {
                        p.advance();
                        p.expect(b'=')?;
                        p.part(NodeKind::Value, Self::default_value)
                    })?,
                    Keyword::JsonName if in_field => p.part(NodeKind::JsonName, |p| {
                        p.advance();
                        p.expect(b'=')?;
                        p.strings("a quoted JSON name")
                    })?,
                    _ => p.part(NodeKind::CompactOption, Self::option_body)?,
                }
                if !p.eat(b',') {
                    break;
                }
            }
            p.expect(b']')
        })
    }

    // What fits depends on the field's type, so any token passes here, as long as there is one.
    fn default_value(&mut self) -> Parsed {
        self.eat(b'-');
        if self.at_kind(TokenKind::String) {
            return self.strings("a string");
        }
        if self.at_end()
            || self.at_kind(TokenKind::Unknown)
            || self.at(b']')
            || self.at(b',')
            || self.at(b';')
        {
            self.fault("expected-option-value", format!("expected a default value, found {}", self.found()));
            return Err(Failed);
        }
        self.advance();
        Ok(())
    }

    // ---- messages

    fn message(&mut self, modifier: bool) {
        self.statement(NodeKind::Message, |p| {
            if modifier {
                p.advance();
            }
            p.expect_keyword(Keyword::Message)?;
            p.identifier("a message name")?;
            p.message_body("message")
        });
    }

    fn message_body(&mut self, what: &str) -> Parsed {
        if self.depth == MAX_DEPTH {
            self.fault("nesting-too-deep", format!("messages are nested deeper than {MAX_DEPTH} levels"));
            return Err(Failed);
        }
        self.depth += 1;
        let parsed = self.block(what, Self::message_statement);
        self.depth -= 1;
        parsed
    }

    fn message_statement(&mut self) {
        if self.empty() {
            return;
        }
        let modifier = self.modifier();
        match self.tokens[self.pos + usize::from(modifier)].keyword {
            Keyword::Message => self.message(modifier),
            Keyword::Enum => self.enumeration(modifier),
            _ if modifier => self.misplaced_modifier(),
            Keyword::Extensions => self.statement(NodeKind::Extensions, Self::extensions),
            Keyword::Reserved => self.statement(NodeKind::Reserved, |p| p.reserved(false)),
            Keyword::Extend => self.extend(),
            Keyword::Option => self.option_statement(),
            Keyword::Oneof => self.oneof(),
            _ => self.field(),
        }
    }

    fn field(&mut self) {
        let node = self.open(NodeKind::Field);
        let parse = |p: &mut Self| {
            if p.token().keyword.is_label() {
                p.part(NodeKind::Label, |p| {
                    p.advance();
                    Ok(())
                })?;
            }
            let is_group = p.at_keyword(Keyword::Group);
            if p.at_keyword(Keyword::Map) && p.tokens[p.pos + 1].symbol == b'<' {
                p.part(NodeKind::MapType, Self::map_type)?;
            } else {
                p.part(NodeKind::Type, Self::field_type)?;
            }
            p.identifier("a field name")?;
            if !p.eat(b'=') {
                let found = p.found();
                let fault = p
                    .fault("missing-field-number", format!("expected `=` and a field number, found {found}"));
                fault.help = Some("every field has a number, as in `string name = 1;`".into());
                return Err(Failed);
            }
            p.integer("a field number")?;
            p.compact_options(true)?;
            if !is_group {
                return p.expect(b';');
            }
            p.nodes[node].kind = NodeKind::Group;
            if !p.at(b'{') {
                p.fault("missing-group-body", format!("expected the body of the group, found {}", p.found()));
                return Err(Failed);
            }
            p.message_body("group")
        };
        let failed = parse(self).is_err();
        if failed {
            self.nodes[node].kind = NodeKind::Error;
            self.skip_statement();
        }
        self.close(node);
    }

    fn map_type(&mut self) -> Parsed {
        self.expect_keyword(Keyword::Map)?;
        self.expect(b'<')?;
        self.part(NodeKind::Type, Self::field_type)?;
        self.expect(b',')?;
        self.part(NodeKind::Type, Self::field_type)?;
        self.expect(b'>')
    }

    fn field_type(&mut self) -> Parsed {
        if self.token().keyword.is_builtin_type() {
            self.advance();
            return Ok(());
        }
        self.type_name()
    }

    fn message_type(&mut self) -> Parsed {
        if self.token().keyword.is_builtin_type() {
            self.fault("expected-message-type", format!("expected a message type, found {}", self.found()));
            self.advance(); // understood, though wrong
            return Ok(());
        }
        self.type_name()
    }

    fn type_name(&mut self) -> Parsed {
        self.eat(b'.');
        self.identifier("a type name")?;
        while self.eat(b'.') {
            self.identifier("a name after the dot")?;
        }
        Ok(())
    }

    fn oneof(&mut self) {
        self.statement(NodeKind::Oneof, |p| {
            p.expect_keyword(Keyword::Oneof)?;
            p.identifier("a oneof name")?;
            p.block("oneof", |p| {
                if p.at_keyword(Keyword::Option) {
                    return p.option_statement();
                }
                p.field();
            })
        });
    }

    fn extend(&mut self) {
        self.statement(NodeKind::Extend, |p| {
            p.expect_keyword(Keyword::Extend)?;
            p.part(NodeKind::Type, Self::message_type)?;
            if p.at(b'{') && p.tokens.get(p.pos + 1).is_some_and(|next| next.symbol == b'}') {
                p.fault("empty-extend", "an extend block needs at least one field");
            }
            p.block("extend", Self::field)
        });
    }

    fn extensions(&mut self) -> Parsed {
        self.expect_keyword(Keyword::Extensions)?;
        self.ranges(false)?;
        self.compact_options(false)?;
        self.expect(b';')
    }

    fn ranges(&mut self, signed: bool) -> Parsed {
        loop {
            self.part(NodeKind::Range, |p| {
                p.range_end(signed, "a number")?;
                if p.eat_keyword(Keyword::To) && !p.eat_keyword(Keyword::Max) {
                    p.range_end(signed, "a number or `max`")?;
                }
                Ok(())
            })?;
            if !self.eat(b',') {
                return Ok(());
            }
        }
    }

    fn range_end(&mut self, signed: bool, what: &str) -> Parsed {
        if signed {
            self.eat(b'-');
        }
        self.integer(what)
    }

    fn reserved(&mut self, in_enum: bool) -> Parsed {
        self.expect_keyword(Keyword::Reserved)?;
        match self.token().kind {
            TokenKind::String => loop {
                self.strings("a quoted name")?;
                if !self.eat(b',') {
                    break;
                }
            },
            TokenKind::Identifier => loop {
                self.identifier("a name")?;
                if !self.eat(b',') {
                    break;
                }
            },
            TokenKind::Integer => self.ranges(in_enum)?,
            _ if in_enum && self.at(b'-') => self.ranges(true)?,
            _ => {
                self.fault(
                    "expected-reserved",
                    format!("expected names or numbers to reserve, found {}", self.found()),
                );
                return Err(Failed);
            }
        }
        self.expect(b';')
    }

    // ---- enums

    fn enumeration(&mut self, modifier: bool) {
        self.statement(NodeKind::Enum, |p| {
            if modifier {
                p.advance();
            }
            p.expect_keyword(Keyword::Enum)?;
            p.identifier("an enum name")?;
            p.block("enum", |p| {
                if p.empty() {
                    return;
                }
                match p.token().keyword {
                    Keyword::Option => p.option_statement(),
                    Keyword::Reserved => p.statement(NodeKind::Reserved, |p| p.reserved(true)),
                    _ => p.statement(NodeKind::EnumValue, Self::enum_value),
                }
            })
        });
    }

    fn enum_value(&mut self) -> Parsed {
        self.identifier("the name of an enum value")?;
        if !self.eat(b'=') {
            let found = self.found();
            let fault =
                self.fault("missing-enum-number", format!("expected `=` and a number, found {found}"));
            fault.help = Some("every enum value has a number, as in `ACTIVE = 1;`".into());
            return Err(Failed);
        }
        self.eat(b'-');
        self.integer("a number")?;
        self.compact_options(false)?;
        self.expect(b';')
    }

    // ---- services

    fn service(&mut self) {
        self.statement(NodeKind::Service, |p| {
            p.expect_keyword(Keyword::Service)?;
            p.identifier("a service name")?;
            p.block("service", |p| {
                if p.empty() {
                    return;
                }
                match p.token().keyword {
                    Keyword::Option => p.option_statement(),
                    _ => p.statement(NodeKind::Rpc, Self::rpc),
                }
            })
        });
    }

    fn rpc(&mut self) -> Parsed {
        self.expect_keyword(Keyword::Rpc)?;
        self.identifier("a method name")?;
        self.rpc_type()?;
        self.expect_keyword(Keyword::Returns)?;
        self.rpc_type()?;
        if !self.at(b'{') {
            return self.expect(b';');
        }
        self.block("method", |p| {
            if p.empty() {
                return;
            }
            p.option_statement();
        })
    }

    fn rpc_type(&mut self) -> Parsed {
        self.expect(b'(')?;
        self.eat_keyword(Keyword::Stream);
        self.part(NodeKind::Type, Self::message_type)?;
        self.expect(b')')
    }
}

#[cfg(test)]
mod tests {
    use super::super::Tree;
    use super::MAX_FAULTS;

    #[test]
    fn no_more_faults_are_listed_than_anyone_reads() {
        let (_, faults) = Tree::parse("}, b: ".repeat(5 * MAX_FAULTS).as_bytes());
        assert_eq!(faults.len(), MAX_FAULTS);
    }
}
