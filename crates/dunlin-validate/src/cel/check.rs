//! Gives every part of an expression its type, and refuses what cannot make sense.

use std::rc::Rc;

use dunlin_protobuf::pool::DescriptorPool;
use regex::Regex;

use super::ast::{Binary, Expr, ExprKind, Literal, Unary};
use super::functions::{Function, result};
use super::parse::qualified_name;
use super::types::Type;
use super::{CompileError, fault, pattern, text};

/// A checked part of an expression.
#[derive(Debug)]
pub(super) enum Node {
    Literal(Literal),
    /// The name of a type.
    TypeName(Box<str>),
    Variable(Variable),
    /// What a macro binds, counted from the outermost.
    Local(usize),
    /// The position is that of the type that is known; another type's field is found by name.
    Select {
        operand: Box<Node>,
        field: Box<str>,
        position: Option<usize>,
    },
    Has {
        operand: Box<Node>,
        field: Box<str>,
        position: Option<usize>,
    },
    Index {
        operand: Box<Node>,
        index: Box<Node>,
    },
    Call {
        function: Function,
        args: Vec<Node>,
    },
    /// `matches` with a pattern that is known.
    Matches {
        text: Box<Node>,
        pattern: Regex,
    },
    Not(Box<Node>),
    Negate(Box<Node>),
    Binary {
        op: Binary,
        left: Box<Node>,
        right: Box<Node>,
    },
    All(Vec<Node>),
    Any(Vec<Node>),
    Conditional(Box<[Node; 3]>),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
    Loop(Box<Loop>),
}

/// A macro that looks at every item of a list or key of a map.
#[derive(Debug)]
pub(super) struct Loop {
    pub(super) kind: LoopKind,
    pub(super) range: Node,
    /// Where the item is bound.
    pub(super) local: usize,
    /// The condition; of a `map` without one, nothing.
    pub(super) condition: Option<Node>,
    /// What `map` makes of an item.
    pub(super) transform: Option<Node>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LoopKind {
    All,
    Exists,
    ExistsOne,
    Filter,
    Map,
}

/// What an expression is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variable {
    This,
    Rules,
    Rule,
    Now,
}

/// The types of what an expression is given; a variable without one is not known.
#[derive(Debug, Default)]
pub(crate) struct Environment<'p> {
    pub(crate) this: Option<Type>,
    pub(crate) rules: Option<Type>,
    pub(crate) rule: Option<Type>,
    /// Where enum values are looked up.
    pub(crate) pool: Option<&'p DescriptorPool>,
}

pub(super) struct Checker<'e> {
    pub(super) environment: &'e Environment<'e>,
    pub(super) locals: Vec<(Rc<str>, Type)>,
}

type Checked = Result<(Node, Type), CompileError>;

impl Checker<'_> {
    pub(super) fn check(&mut self, expr: &Expr) -> Checked {
        match &expr.kind {
            ExprKind::Literal(literal) => Ok((Node::Literal(literal.clone()), literal_type(literal))),
            ExprKind::Ident(name) => {
                self.name(name).ok_or_else(|| fault(expr.at, format!("undeclared reference to `{name}`")))
            }
            ExprKind::Select { operand, field } => self.select(expr, operand, field),
            ExprKind::Index { operand, index } => self.index(expr.at, operand, index),
            ExprKind::Call { target, function, args } => {
                self.call(expr.at, target.as_deref(), function, args)
            }
            ExprKind::Unary { op, operand } => self.unary(expr.at, *op, operand),
            ExprKind::Binary { op, left, right } => self.binary(expr.at, *op, left, right),
            ExprKind::All(parts) => Ok((Node::All(self.conditions("&&", parts)?), Type::Bool)),
            ExprKind::Any(parts) => Ok((Node::Any(self.conditions("||", parts)?), Type::Bool)),
            ExprKind::Conditional(parts) => {
                let [condition, yes, no] = &**parts;
                let condition = self.condition("?:", condition)?;
                let (yes_node, yes) = self.check(yes)?;
                let (no_node, no) = self.check(no)?;
                if !yes.meets(&no) {
                    return Err(fault(expr.at, format!("`?:` chooses between {yes} and {no}")));
                }
                Ok((Node::Conditional(Box::new([condition, yes_node, no_node])), yes.join(no)))
            }
            ExprKind::List(items) => {
                let (nodes, item) = self.items(items)?;
                Ok((Node::List(nodes), Type::list(item)))
            }
            ExprKind::Map(entries) => {
                let (mut nodes, mut types) = (Vec::new(), None);
                for (key, value) in entries {
                    let (key_node, key_type) = self.check(key)?;
                    let is_key =
                        matches!(key_type, Type::Dyn | Type::Bool | Type::Int | Type::Uint | Type::String);
                    if !is_key {
                        return Err(fault(key.at, format!("{key_type} cannot be a key")));
                    }
                    let (value_node, value_type) = self.check(value)?;
                    nodes.push((key_node, value_node));
                    types = Some(match types {
                        None => (key_type, value_type),
                        Some((a, b)) => (Type::join(a, key_type), Type::join(b, value_type)),
                    });
                }
                let (key, value) = types.unwrap_or((Type::Dyn, Type::Dyn));
                Ok((Node::Map(nodes), Type::Map(Box::new(key), Box::new(value))))
            }
        }
    }

    fn items(&mut self, items: &[Expr]) -> Result<(Vec<Node>, Type), CompileError> {
        let (mut nodes, mut item) = (Vec::new(), None);
        for expr in items {
            let (node, ty) = self.check(expr)?;
            nodes.push(node);
            item = Some(match item {
                None => ty,
                Some(item) => Type::join(item, ty),
            });
        }
        Ok((nodes, item.unwrap_or(Type::Dyn)))
    }

    fn name(&self, name: &str) -> Option<(Node, Type)> {
        let local = self.locals.iter().rposition(|(local, _)| **local == *name);
        if let Some(local) = local {
            return Some((Node::Local(local), self.locals[local].1.clone()));
        }
        let name = name.strip_prefix('.').unwrap_or(name);
        let Environment { this, rules, rule, .. } = self.environment;
        let (variable, ty) = match name {
            "this" => (Variable::This, this.clone()?),
            "rules" => (Variable::Rules, rules.clone()?),
            "rule" => (Variable::Rule, rule.clone()?),
            "now" => (Variable::Now, Type::Timestamp),
            "bool" | "int" | "uint" | "double" | "string" | "bytes" | "list" | "map" | "type"
            | "null_type" => {
                return Some((Node::TypeName(name.into()), Type::Meta));
            }
            _ => return None,
        };
        Some((Node::Variable(variable), ty))
    }

    /// A name with points that is not a field: a type, or the value of an enum.
    fn qualified(&self, name: &str) -> Option<(Node, Type)> {
        if matches!(name, "google.protobuf.Timestamp" | "google.protobuf.Duration") {
            return Some((Node::TypeName(name.into()), Type::Meta));
        }
        let pool = self.environment.pool?;
        if pool.message(name).is_some() {
            return Some((Node::TypeName(name.into()), Type::Meta));
        }
        let (scope, value) = name.rsplit_once('.')?;
        let number = pool.enumeration(scope)?.values().find(|other| other.name() == value)?.number();
        Some((Node::Literal(Literal::Int(number.into())), Type::Int))
    }

    fn select(&mut self, expr: &Expr, operand: &Expr, field: &str) -> Checked {
        // A variable wins over a qualified name that begins like it.
        if let Some(name) = qualified_name(expr)
            && name.split('.').next().is_some_and(|root| self.name(root).is_none())
            && let Some(found) = self.qualified(&name)
        {
            return Ok(found);
        }
        let (node, ty) = self.check(operand)?;
        let (position, ty) = self.field(expr.at, &ty, field)?;
        Ok((Node::Select { operand: Box::new(node), field: field.into(), position }, ty))
    }

    fn field(&self, at: u32, of: &Type, field: &str) -> Result<(Option<usize>, Type), CompileError> {
        match of {
            Type::Dyn => Ok((None, Type::Dyn)),
            Type::Map(key, value) if key.meets(&Type::String) => Ok((None, (**value).clone())),
            Type::Message(table) => match table.index_of_name(field) {
                Some(index) => Ok((Some(index), Type::of_field(&table.fields()[index], table))),
                None => Err(fault(at, format!("{} has no field `{field}`", table.full_name()))),
            },
            other => Err(fault(at, format!("{other} has no fields: `{field}`"))),
        }
    }

    fn index(&mut self, at: u32, operand: &Expr, index: &Expr) -> Checked {
        let (node, ty) = self.check(operand)?;
        let (index_node, index) = self.check(index)?;
        let ty = match ty {
            Type::Dyn => Type::Dyn,
            Type::List(item) if index.is_numeric() => *item,
            Type::Map(key, value) if key.meets(&index) || (key.is_numeric() && index.is_numeric()) => *value,
            other => return Err(fault(at, format!("{other} cannot be indexed by {index}"))),
        };
        Ok((Node::Index { operand: Box::new(node), index: Box::new(index_node) }, ty))
    }

    fn condition(&mut self, whose: &str, expr: &Expr) -> Result<Node, CompileError> {
        let (node, ty) = self.check(expr)?;
        match ty.unwrapped() {
            Type::Bool | Type::Dyn => Ok(node),
            other => Err(fault(expr.at, format!("`{whose}` takes bool, not {other}"))),
        }
    }

    fn conditions(&mut self, whose: &str, exprs: &[Expr]) -> Result<Vec<Node>, CompileError> {
        exprs.iter().map(|expr| self.condition(whose, expr)).collect()
    }

    fn unary(&mut self, at: u32, op: Unary, operand: &Expr) -> Checked {
        if op == Unary::Not {
            return Ok((Node::Not(Box::new(self.condition("!", operand)?)), Type::Bool));
        }
        let (node, ty) = self.check(operand)?;
        match ty.unwrapped() {
            Type::Int | Type::Double | Type::Dyn => {
                Ok((Node::Negate(Box::new(node)), ty.unwrapped().clone()))
            }
            other => Err(fault(at, format!("`-` takes int or double, not {other}"))),
        }
    }

    fn binary(&mut self, at: u32, op: Binary, left: &Expr, right: &Expr) -> Checked {
        let (left_node, left) = self.check(left)?;
        let (right_node, right) = self.check(right)?;
        let ty = binary_type(op, left.unwrapped(), right.unwrapped(), &left, &right)
            .ok_or_else(|| fault(at, format!("`{}` does not take {left} and {right}", op.symbol())))?;
        Ok((Node::Binary { op, left: Box::new(left_node), right: Box::new(right_node) }, ty))
    }

    fn call(&mut self, at: u32, target: Option<&Expr>, name: &str, args: &[Expr]) -> Checked {
        if let Some(node) = self.macros(at, target, name, args)? {
            return Ok(node);
        }
        // `strings.quote(x)` looks like a call on something.
        let qualified = target.and_then(qualified_name).map(|scope| format!("{scope}.{name}"));
        let namespaced = qualified.as_deref().and_then(Function::of).filter(|_| name.len() < 64);
        let (function, target) = match (namespaced, name) {
            (Some(function), _) => (Some(function), None),
            // Names with points are reached by their scope only.
            (None, name) => (Function::of(name.strip_prefix('.').unwrap_or(name)), target),
        };
        let Some(function) = function else {
            return Err(fault(at, format!("undeclared reference to function `{name}`")));
        };
        let (mut nodes, mut types) = (Vec::new(), Vec::new());
        for expr in target.into_iter().chain(args) {
            let (node, ty) = self.check(expr)?;
            nodes.push(node);
            types.push(ty);
        }
        let Some(ty) = result(function, target.is_some(), &types) else {
            let types: Vec<_> = types.iter().map(ToString::to_string).collect();
            return Err(fault(at, format!("`{}` does not take ({})", function.name(), types.join(", "))));
        };
        if function == Function::Matches
            && let Some(Node::Literal(Literal::String(source))) = nodes.get(1)
        {
            let pattern = pattern::compile(source).map_err(|error| fault(at, error.to_string()))?;
            return Ok((Node::Matches { text: Box::new(nodes.swap_remove(0)), pattern }, ty));
        }
        if function == Function::Format
            && let [Node::Literal(Literal::String(template)), Node::List(values)] = &nodes[..]
        {
            text::check_format(template, values.len()).map_err(|message| fault(at, message))?;
        }
        if matches!(function, Function::Duration | Function::Timestamp)
            && let [Node::Literal(Literal::String(source))] = &nodes[..]
        {
            text::check_time(function, source).map_err(|message| fault(at, message))?;
        }
        Ok((Node::Call { function, args: nodes }, ty))
    }

    fn macros(
        &mut self,
        at: u32,
        target: Option<&Expr>,
        name: &str,
        args: &[Expr],
    ) -> Result<Option<(Node, Type)>, CompileError> {
        let Some(target) = target else {
            return if name == "has" && args.len() == 1 { self.has(&args[0]).map(Some) } else { Ok(None) };
        };
        let kind = match (name, args.len()) {
            ("all", 2) => LoopKind::All,
            ("exists", 2) => LoopKind::Exists,
            ("exists_one" | "existsOne", 2) => LoopKind::ExistsOne,
            ("filter", 2) => LoopKind::Filter,
            ("map", 2 | 3) => LoopKind::Map,
            _ => return Ok(None),
        };
        let ExprKind::Ident(variable) = &args[0].kind else {
            return Err(fault(args[0].at, format!("`{name}` takes the name of a variable first")));
        };
        if variable.starts_with('.') {
            return Err(fault(args[0].at, format!("`{name}` takes a plain name first")));
        }
        let (range, ty) = self.check(target)?;
        let (item, list) = match ty {
            Type::Dyn => (Type::Dyn, Type::list(Type::Dyn)),
            Type::List(item) => ((*item).clone(), Type::List(item)),
            Type::Map(key, _) => ((*key).clone(), Type::List(key)),
            other => return Err(fault(at, format!("`{name}` goes through lists and maps, not {other}"))),
        };
        let local = self.locals.len();
        self.locals.push((variable.as_str().into(), item));
        let condition = match (kind, args.len()) {
            (LoopKind::Map, 2) => None,
            _ => Some(self.condition(name, &args[1])?),
        };
        let transform = match kind {
            LoopKind::Map => Some(self.check(&args[args.len() - 1])?),
            _ => None,
        };
        self.locals.pop();
        let (transform, gives) = match transform {
            Some((node, ty)) => (Some(node), Type::list(ty)),
            None if kind == LoopKind::Filter => (None, list),
            None => (None, Type::Bool),
        };
        Ok(Some((Node::Loop(Box::new(Loop { kind, range, local, condition, transform })), gives)))
    }

    fn has(&mut self, arg: &Expr) -> Checked {
        let ExprKind::Select { operand, field } = &arg.kind else {
            return Err(fault(arg.at, "`has` takes a field, as in `has(this.name)`"));
        };
        let (node, ty) = self.check(operand)?;
        let (position, _) = self.field(arg.at, &ty, field)?;
        Ok((Node::Has { operand: Box::new(node), field: field.as_str().into(), position }, Type::Bool))
    }
}

fn literal_type(literal: &Literal) -> Type {
    match literal {
        Literal::Null => Type::Null,
        Literal::Bool(_) => Type::Bool,
        Literal::Int(_) => Type::Int,
        Literal::Uint(_) => Type::Uint,
        Literal::Double(_) => Type::Double,
        Literal::String(_) => Type::String,
        Literal::Bytes(_) => Type::Bytes,
    }
}

/// What an operator gives; `None` if it does not take such operands.
fn binary_type(op: Binary, a: &Type, b: &Type, left: &Type, right: &Type) -> Option<Type> {
    use Type::{Bytes, Double, Duration, Dyn, Int, List, String, Timestamp, Uint};
    match op {
        Binary::Equal | Binary::NotEqual => left.meets(right).then_some(Type::Bool),
        Binary::Less | Binary::LessOrEqual | Binary::Greater | Binary::GreaterOrEqual => {
            let ordered = |ty: &Type| {
                ty.is_numeric() || matches!(ty, Type::Bool | String | Bytes | Duration | Timestamp)
            };
            // Numbers are compared by value, whatever their types.
            let fit = a.meets(b) || (a.is_numeric() && b.is_numeric());
            (ordered(a) && ordered(b) && fit).then_some(Type::Bool)
        }
        Binary::In => match b {
            Dyn => Some(Type::Bool),
            List(item) | Type::Map(item, _) => {
                (item.meets(left) || (item.is_numeric() && a.is_numeric())).then_some(Type::Bool)
            }
            _ => None,
        },
        Binary::Add => match (a, b) {
            (Dyn, _) | (_, Dyn) => Some(Dyn),
            (List(x), List(y)) => Some(Type::list(Type::join((**x).clone(), (**y).clone()))),
            (Timestamp, Duration) | (Duration, Timestamp) => Some(Timestamp),
            (Int | Uint | Double | String | Bytes | Duration, _) if a == b => Some(a.clone()),
            _ => None,
        },
        Binary::Subtract => match (a, b) {
            (Dyn, _) | (_, Dyn) => Some(Dyn),
            (Timestamp, Duration) => Some(Timestamp),
            (Timestamp, Timestamp) => Some(Duration),
            (Int | Uint | Double | Duration, _) if a == b => Some(a.clone()),
            _ => None,
        },
        Binary::Multiply | Binary::Divide | Binary::Modulo => match (a, b) {
            (Dyn, _) if b.is_numeric() => Some(b.clone()),
            (_, Dyn) if a.is_numeric() => Some(a.clone()),
            (Double, Double) if op == Binary::Modulo => None,
            (Int | Uint | Double, _) if a == b => Some(a.clone()),
            _ => None,
        },
    }
}
