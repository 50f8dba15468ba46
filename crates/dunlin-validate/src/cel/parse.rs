//! Expressions from text, by the grammar of CEL.
//!
//! Nothing here recurses deeper than [`MAX_DEPTH`], whatever the text: schemas may come from
//! anywhere.

use super::ast::{Binary, Expr, ExprKind, Literal, Unary};
use super::token::{Token, is_reserved, tokens};
use super::{CompileError, fault};

/// How deep expressions may be nested, chains of operators included.
pub(super) const MAX_DEPTH: usize = 96;

/// How long the text of an expression may be, in bytes.
pub(super) const MAX_TEXT: usize = 64 << 10;

pub(super) fn parse(text: &str) -> Result<Expr, CompileError> {
    if text.len() > MAX_TEXT {
        return Err(fault(0, format!("the expression is longer than {MAX_TEXT} bytes")));
    }
    let mut parser = Parser { tokens: tokens(text)?, next: 0, depth: 0 };
    let expr = parser.expr()?;
    match parser.peek() {
        Token::End => Ok(expr.0),
        _ => Err(parser.unexpected("the end")),
    }
}

/// An expression, and how many levels it has.
type Deep = (Expr, usize);

struct Parser {
    tokens: Vec<(u32, Token)>,
    next: usize,
    depth: usize,
}

/// Operators that bind alike.
const LEVELS: [&[(&str, Binary)]; 3] = [
    &[
        ("==", Binary::Equal),
        ("!=", Binary::NotEqual),
        ("<=", Binary::LessOrEqual),
        (">=", Binary::GreaterOrEqual),
        ("<", Binary::Less),
        (">", Binary::Greater),
        ("in", Binary::In),
    ],
    &[("+", Binary::Add), ("-", Binary::Subtract)],
    &[("*", Binary::Multiply), ("/", Binary::Divide), ("%", Binary::Modulo)],
];

impl Parser {
    fn peek(&self) -> &Token {
        &self.tokens[self.next].1
    }

    fn at(&self) -> u32 {
        self.tokens[self.next].0
    }

    fn advance(&mut self) -> Token {
        let token = self.tokens[self.next].1.clone();
        // The end is never passed.
        self.next = (self.next + 1).min(self.tokens.len() - 1);
        token
    }

    fn take(&mut self, symbol: &str) -> bool {
        let is_it = matches!(self.peek(), Token::Symbol(found) if *found == symbol);
        if is_it {
            self.advance();
        }
        is_it
    }

    fn expect(&mut self, symbol: &str) -> Result<(), CompileError> {
        if self.take(symbol) { Ok(()) } else { Err(self.unexpected(&format!("`{symbol}`"))) }
    }

    fn unexpected(&self, wanted: &str) -> CompileError {
        let found = match self.peek() {
            Token::End => "the end".into(),
            Token::Symbol(symbol) => format!("`{symbol}`"),
            Token::Ident(name) => format!("`{name}`"),
            Token::Literal(_) => "a literal".into(),
        };
        fault(self.at(), format!("expected {wanted}, found {found}"))
    }

    fn deeper(at: u32, kind: ExprKind, below: usize) -> Result<Deep, CompileError> {
        if below >= MAX_DEPTH {
            return Err(fault(at, format!("the expression is nested deeper than {MAX_DEPTH} levels")));
        }
        Ok((Expr { at, kind }, below + 1))
    }

    fn expr(&mut self) -> Result<Deep, CompileError> {
        if self.depth >= MAX_DEPTH {
            return Err(fault(self.at(), format!("the expression is nested deeper than {MAX_DEPTH} levels")));
        }
        self.depth += 1;
        let at = self.at();
        let condition = self.or()?;
        let result = if self.take("?") {
            let yes = self.or()?;
            self.expect(":")?;
            let no = self.expr()?;
            let below = condition.1.max(yes.1).max(no.1);
            Self::deeper(at, ExprKind::Conditional(Box::new([condition.0, yes.0, no.0])), below)
        } else {
            Ok(condition)
        };
        self.depth -= 1;
        result
    }

    fn or(&mut self) -> Result<Deep, CompileError> {
        self.chain("||", Self::and, ExprKind::Any)
    }

    fn and(&mut self) -> Result<Deep, CompileError> {
        self.chain("&&", |parser| parser.binary(0), ExprKind::All)
    }

    fn chain(
        &mut self,
        symbol: &str,
        part: impl Fn(&mut Self) -> Result<Deep, CompileError>,
        make: fn(Vec<Expr>) -> ExprKind,
    ) -> Result<Deep, CompileError> {
        let at = self.at();
        let (first, mut depth) = part(self)?;
        let mut parts = vec![first];
        while self.take(symbol) {
            let (expr, below) = part(self)?;
            parts.push(expr);
            depth = depth.max(below);
        }
        match parts.len() {
            1 => Ok((parts.swap_remove(0), depth)),
            _ => Self::deeper(at, make(parts), depth),
        }
    }

    fn binary(&mut self, level: usize) -> Result<Deep, CompileError> {
        let Some(operators) = LEVELS.get(level) else { return self.unary() };
        let at = self.at();
        let mut left = self.binary(level + 1)?;
        while let Some((symbol, op)) =
            operators.iter().find(|(symbol, _)| *self.peek() == Token::Symbol(symbol))
        {
            self.take(symbol);
            let right = self.binary(level + 1)?;
            let below = left.1.max(right.1);
            let kind = ExprKind::Binary { op: *op, left: Box::new(left.0), right: Box::new(right.0) };
            left = Self::deeper(at, kind, below)?;
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Deep, CompileError> {
        let at = self.at();
        let (symbol, op) = match self.peek() {
            Token::Symbol("!") => ("!", Unary::Not),
            Token::Symbol("-") => ("-", Unary::Negate),
            _ => return self.member(),
        };
        let mut count = 0;
        while self.take(symbol) {
            count += 1;
        }
        let (mut operand, depth) = if op == Unary::Negate {
            // The least integer has no positive twin.
            if let Token::Literal(Literal::Int(i64::MIN)) = self.peek() {
                self.advance();
                count -= 1;
                (Expr { at, kind: ExprKind::Literal(Literal::Int(i64::MIN)) }, 1)
            } else {
                self.member()?
            }
        } else {
            self.member()?
        };
        // Two of a kind undo each other; what is left is one or two, which keeps the type checked.
        for _ in 0..if count > 2 { 2 - count % 2 } else { count } {
            operand.kind = match operand.kind {
                ExprKind::Literal(Literal::Int(value)) if op == Unary::Negate && value != i64::MIN => {
                    ExprKind::Literal(Literal::Int(-value))
                }
                ExprKind::Literal(Literal::Double(value)) if op == Unary::Negate => {
                    ExprKind::Literal(Literal::Double(-value))
                }
                kind => ExprKind::Unary { op, operand: Box::new(Expr { at: operand.at, kind }) },
            };
            operand.at = at;
        }
        let depth = depth + 2;
        if depth > MAX_DEPTH {
            return Err(fault(at, format!("the expression is nested deeper than {MAX_DEPTH} levels")));
        }
        Ok((operand, depth))
    }

    fn member(&mut self) -> Result<Deep, CompileError> {
        let at = self.at();
        let (mut expr, mut depth) = self.primary()?;
        loop {
            if self.take(".") {
                if self.take("?") {
                    return Err(fault(self.at(), "optional values are not supported"));
                }
                let Token::Ident(field) = self.advance() else {
                    self.next -= 1;
                    return Err(self.unexpected("a field or a function"));
                };
                let (kind, below) = if self.take("(") {
                    let (args, below) = self.arguments(")")?;
                    let target = Some(Box::new(expr));
                    (ExprKind::Call { target, function: field, args }, below)
                } else {
                    (ExprKind::Select { operand: Box::new(expr), field }, 0)
                };
                (expr, depth) = Self::deeper(at, kind, depth.max(below))?;
            } else if self.take("[") {
                let (index, below) = self.expr()?;
                self.expect("]")?;
                let kind = ExprKind::Index { operand: Box::new(expr), index: Box::new(index) };
                (expr, depth) = Self::deeper(at, kind, depth.max(below))?;
            } else if matches!(self.peek(), Token::Symbol("{")) {
                let Some(name) = qualified_name(&expr) else { return Err(self.unexpected("an operator")) };
                return Err(fault(at, format!("making messages is not supported: {name}")));
            } else {
                return Ok((expr, depth));
            }
        }
    }

    fn arguments(&mut self, end: &str) -> Result<(Vec<Expr>, usize), CompileError> {
        let (mut args, mut depth) = (Vec::new(), 0);
        while !self.take(end) {
            if !args.is_empty() {
                self.expect(",")?;
                // Lists may end in a comma.
                if end == "]" && self.take(end) {
                    break;
                }
            }
            let (arg, below) = self.expr()?;
            args.push(arg);
            depth = depth.max(below);
        }
        Ok((args, depth))
    }

    fn primary(&mut self) -> Result<Deep, CompileError> {
        let at = self.at();
        match self.advance() {
            Token::Literal(Literal::Int(i64::MIN)) => Err(fault(at, "the integer does not fit 64 bits")),
            Token::Literal(literal) => Ok((Expr { at, kind: ExprKind::Literal(literal) }, 1)),
            Token::Symbol("(") => {
                let expr = self.expr()?;
                self.expect(")")?;
                Ok(expr)
            }
            Token::Symbol("[") => {
                let (items, depth) = self.arguments("]")?;
                Self::deeper(at, ExprKind::List(items), depth)
            }
            Token::Symbol("{") => {
                let (mut entries, mut depth) = (Vec::new(), 0);
                while !self.take("}") {
                    if !entries.is_empty() {
                        self.expect(",")?;
                        if self.take("}") {
                            break;
                        }
                    }
                    let key = self.expr()?;
                    self.expect(":")?;
                    let value = self.expr()?;
                    depth = depth.max(key.1).max(value.1);
                    entries.push((key.0, value.0));
                }
                Self::deeper(at, ExprKind::Map(entries), depth)
            }
            Token::Symbol(".") => {
                let Token::Ident(name) = self.advance() else {
                    self.next -= 1;
                    return Err(self.unexpected("a name"));
                };
                self.named(at, format!(".{name}"))
            }
            Token::Ident(name) if is_reserved(&name) => {
                Err(fault(at, format!("`{name}` is a reserved word")))
            }
            Token::Ident(name) => self.named(at, name),
            Token::Symbol(_) | Token::End => {
                self.next = self.tokens.iter().position(|(start, _)| *start == at).unwrap_or(self.next);
                Err(self.unexpected("a value"))
            }
        }
    }

    fn named(&mut self, at: u32, name: String) -> Result<Deep, CompileError> {
        if self.take("(") {
            let (args, depth) = self.arguments(")")?;
            return Self::deeper(at, ExprKind::Call { target: None, function: name, args }, depth);
        }
        Ok((Expr { at, kind: ExprKind::Ident(name) }, 1))
    }
}

/// `a.b.c`, if the expression is names with points between them.
pub(super) fn qualified_name(expr: &Expr) -> Option<String> {
    let mut parts = Vec::new();
    let mut expr = expr;
    loop {
        match &expr.kind {
            ExprKind::Ident(name) => {
                parts.push(name.strip_prefix('.').unwrap_or(name));
                break;
            }
            ExprKind::Select { operand, field } => {
                parts.push(field);
                expr = operand;
            }
            _ => return None,
        }
    }
    parts.reverse();
    Some(parts.join("."))
}
