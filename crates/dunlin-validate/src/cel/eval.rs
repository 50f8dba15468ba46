//! Running checked expressions.

use std::cmp::Ordering;
use std::rc::Rc;

use dunlin_protobuf::dynamic::DynamicMessage;
use dunlin_protobuf::wkt::Any;
use dunlin_protobuf::{Message, Reflect, reflect};

use super::ast::{Binary, Literal};
use super::check::{Loop, LoopKind, Node, Variable};
use super::value::{Entries, Value};
use super::{Bindings, EvalError, Surroundings, convert};

pub(super) type Evaluated<'a> = Result<Value<'a>, EvalError>;

pub(super) fn fault<T>(message: impl Into<String>) -> Result<T, EvalError> {
    Err(EvalError::Fault(message.into()))
}

pub(super) struct Evaluator<'e, 'a> {
    bindings: &'e Bindings<'a>,
    pub(super) surroundings: &'e Surroundings<'a>,
    locals: Vec<Value<'a>>,
}

impl<'e, 'a> Evaluator<'e, 'a> {
    pub(super) fn new(bindings: &'e Bindings<'a>, surroundings: &'e Surroundings<'a>) -> Self {
        Self { bindings, surroundings, locals: Vec::new() }
    }

    pub(super) fn spend(&self, amount: usize) -> Result<(), EvalError> {
        self.surroundings.budget.spend(amount)
    }

    pub(super) fn run(&mut self, node: &'a Node) -> Evaluated<'a> {
        self.spend(1)?;
        match node {
            Node::Literal(literal) => Ok(literal_value(literal)),
            Node::TypeName(name) => Ok(Value::Type(Rc::from(&**name))),
            Node::Variable(variable) => match variable {
                Variable::This => self.unpacked(self.bindings.this.clone()),
                Variable::Rules => Ok(self.bindings.rules.clone()),
                Variable::Rule => Ok(self.bindings.rule.clone()),
                Variable::Now => Ok(Value::Timestamp(self.surroundings.now())),
            },
            Node::Local(local) => Ok(self.locals[*local].clone()),
            Node::Select { operand, field, position } => {
                let operand = self.run(operand)?;
                self.select(&operand, field, *position)
            }
            Node::Has { operand, field, position } => {
                let operand = self.run(operand)?;
                self.has(&operand, field, *position).map(Value::Bool)
            }
            Node::Index { operand, index } => {
                let (operand, index) = (self.run(operand)?, self.run(index)?);
                self.index(&operand, &index)
            }
            Node::Call { function, args } => {
                // Few functions take more than two.
                let mut values = Vec::with_capacity(args.len());
                for arg in args {
                    values.push(self.run(arg)?);
                }
                self.call(*function, &values)
            }
            Node::Matches { text, pattern } => {
                let text = self.run(text)?;
                self.spend(text.weight())?;
                match text.as_str() {
                    Some(text) => Ok(Value::Bool(pattern.is_match(text))),
                    None => fault(format!("`matches` does not take {}", text.type_name())),
                }
            }
            Node::Not(operand) => Ok(Value::Bool(!self.condition(operand)?)),
            Node::Negate(operand) => match self.run(operand)? {
                Value::Int(value) => match value.checked_neg() {
                    Some(value) => Ok(Value::Int(value)),
                    None => fault("the integer overflows"),
                },
                Value::Double(value) => Ok(Value::Double(-value)),
                other => fault(format!("`-` does not take {}", other.type_name())),
            },
            Node::Binary { op, left, right } => {
                let (left, right) = (self.run(left)?, self.run(right)?);
                self.binary(*op, left, right)
            }
            Node::All(parts) => self.decide(parts, false),
            Node::Any(parts) => self.decide(parts, true),
            Node::Conditional(parts) => {
                let [condition, yes, no] = &**parts;
                if self.condition(condition)? { self.run(yes) } else { self.run(no) }
            }
            Node::List(items) => {
                let mut values = Vec::with_capacity(items.len());
                for item in items {
                    values.push(self.run(item)?);
                }
                Ok(Value::list(values))
            }
            Node::Map(entries) => {
                let mut values = Vec::with_capacity(entries.len());
                for (key, value) in entries {
                    values.push((self.run(key)?, self.run(value)?));
                }
                match Entries::new(values) {
                    Some(entries) => Ok(Value::Map(Rc::new(entries))),
                    None => fault("a key of the map comes twice, or cannot be one"),
                }
            }
            Node::Loop(of) => self.loop_through(of),
        }
    }

    fn condition(&mut self, node: &'a Node) -> Result<bool, EvalError> {
        match self.run(node)? {
            Value::Bool(value) => Ok(value),
            other => fault(format!("{} is no condition", other.type_name())),
        }
    }

    /// `&&` and `||`: one operand may decide whatever the others are, faults included.
    fn decide(&mut self, parts: &'a [Node], decisive: bool) -> Evaluated<'a> {
        let mut failed = None;
        for part in parts {
            match self.condition(part) {
                Ok(value) if value == decisive => return Ok(Value::Bool(decisive)),
                Ok(_) => {}
                Err(EvalError::Cost) => return Err(EvalError::Cost),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(Value::Bool(!decisive)), Err)
    }

    fn loop_through(&mut self, of: &'a Loop) -> Evaluated<'a> {
        let range = self.run(&of.range)?;
        let count = match &range {
            Value::Map(entries) => entries.len(),
            range if range.is_list() => range.size().unwrap_or_default(),
            other => return fault(format!("{} cannot be gone through", other.type_name())),
        };
        let keys = if let Value::Map(entries) = &range { Some(entries.clone()) } else { None };
        let (mut matching, mut failed) = (0, None);
        let mut out = Vec::new();
        for at in 0..count {
            self.spend(1)?;
            let item = match &keys {
                Some(entries) => entries.iter().nth(at).map(|(key, _)| key.clone()),
                None => range.item(at),
            };
            let item = self.unpacked(item.unwrap_or(Value::Null))?;
            self.locals.push(item);
            let verdict = of.condition.as_ref().map_or(Ok(true), |condition| self.condition(condition));
            let result = match (of.kind, verdict) {
                (_, Err(EvalError::Cost)) => Err(EvalError::Cost),
                // What a later item decides makes faults of earlier ones moot.
                (LoopKind::All | LoopKind::Exists, Err(error)) => {
                    failed = failed.or(Some(error));
                    Ok(None)
                }
                (_, Err(error)) => Err(error),
                (LoopKind::All, Ok(false)) => Ok(Some(false)),
                (LoopKind::Exists, Ok(true)) => Ok(Some(true)),
                (LoopKind::ExistsOne, Ok(true)) => {
                    matching += 1;
                    Ok(None)
                }
                (LoopKind::Filter, Ok(true)) => {
                    out.extend(self.locals.last().cloned());
                    Ok(None)
                }
                (LoopKind::Map, Ok(true)) => match &of.transform {
                    Some(transform) => self.run(transform).map(|value| {
                        out.push(value);
                        None
                    }),
                    None => Ok(None),
                },
                _ => Ok(None),
            };
            debug_assert_eq!(self.locals.len(), of.local + 1);
            self.locals.pop();
            if let Some(decided) = result? {
                return Ok(Value::Bool(decided));
            }
        }
        if let Some(error) = failed {
            return Err(error);
        }
        Ok(match of.kind {
            LoopKind::All => Value::Bool(true),
            LoopKind::Exists => Value::Bool(false),
            LoopKind::ExistsOne => Value::Bool(matching == 1),
            LoopKind::Filter | LoopKind::Map => Value::list(out),
        })
    }

    pub(super) fn select(&self, operand: &Value<'a>, name: &str, position: Option<usize>) -> Evaluated<'a> {
        match operand {
            Value::Message(message) => {
                let (index, table) = find(*message, name, position)?;
                let field = &table.fields()[index];
                match Value::of_field(*message, index, field) {
                    Some(value) => {
                        // Maps are sorted when they are read.
                        if let Value::Map(entries) = &value {
                            self.spend(entries.len())?;
                        }
                        self.unpacked(value)
                    }
                    None => Ok(self.empty(*message, index)),
                }
            }
            Value::Made(made) => {
                let message: &dyn Reflect = &**made;
                let (index, table) = find(message, name, position)?;
                match Value::of_field(message, index, &table.fields()[index]) {
                    Some(value) => {
                        self.spend(value.weight())?;
                        let value = value.to_owned_value();
                        self.unpacked(value)
                    }
                    None => Ok(self.empty(message, index)),
                }
            }
            Value::Map(entries) => match entries.get(&Value::text(name)) {
                Some(value) => Ok(value.clone()),
                None => fault(format!("no such key: {name}")),
            },
            other => fault(format!("{} has no fields: `{name}`", other.type_name())),
        }
    }

    /// What stands for a message that is not there.
    fn empty(&self, message: &dyn Reflect, index: usize) -> Value<'a> {
        let table = message.table();
        let child = table.fields().get(index).and_then(|field| field.message_table(&table));
        child.map_or(Value::Null, |child| Value::Made(Rc::new(DynamicMessage::new(child))))
    }

    fn has(&self, operand: &Value<'a>, name: &str, position: Option<usize>) -> Result<bool, EvalError> {
        if let Some(message) = operand.as_message() {
            let (index, _) = find(message, name, position)?;
            return Ok(reflect::is_set(message, index));
        }
        match operand {
            Value::Map(entries) => Ok(entries.get(&Value::text(name)).is_some()),
            other => fault(format!("{} has no fields: `{name}`", other.type_name())),
        }
    }

    fn index(&self, operand: &Value<'a>, index: &Value<'a>) -> Evaluated<'a> {
        if let Value::Map(entries) = operand {
            return match entries.get(index) {
                Some(value) => self.unpacked(value.clone()),
                None => fault("no such key"),
            };
        }
        if !operand.is_list() {
            return fault(format!("{} cannot be indexed", operand.type_name()));
        }
        let at = match index {
            Value::Int(at) => usize::try_from(*at).ok(),
            Value::Uint(at) => usize::try_from(*at).ok(),
            Value::Double(at) if at.fract() == 0.0 && *at >= 0.0 => Some(*at as usize),
            other => return fault(format!("{} is no index", other.type_name())),
        };
        match at.and_then(|at| operand.item(at)) {
            Some(item) => self.unpacked(item),
            None => fault("the index is out of bounds"),
        }
    }

    /// The message in an `Any`, if its type is known; other values as they are.
    pub(super) fn unpacked(&self, value: Value<'a>) -> Evaluated<'a> {
        let Some(message) = value.as_message() else { return Ok(value) };
        if message.table().full_name() != Any::FULL_NAME {
            return Ok(value);
        }
        let Some(registry) = self.surroundings.registry else { return Ok(value) };
        let mut any = Any::default();
        reflect::merge(message, &mut any);
        self.spend(any.value.len())?;
        match any.unpack_dynamic(registry) {
            Ok(Some(message)) => {
                let message = Value::Made(Rc::new(message));
                // Well-known types in it have values of their own.
                match message.as_message().map(Value::of_message) {
                    Some(Value::Message(_)) | None => Ok(message),
                    Some(other) => Ok(other.to_owned_value()),
                }
            }
            Ok(None) => Ok(value),
            Err(error) => fault(format!("the message in an Any cannot be read: {error}")),
        }
    }

    fn binary(&self, op: Binary, left: Value<'a>, right: Value<'a>) -> Evaluated<'a> {
        self.spend(left.weight().saturating_add(right.weight()))?;
        let order = |wanted: fn(Ordering) -> bool| match left.order(&right) {
            Some(order) => Ok(Value::Bool(wanted(order))),
            // NaN is not below, above or equal to anything.
            None if is_number(&left) && is_number(&right) => Ok(Value::Bool(false)),
            None => fault(unfit(op, &left, &right)),
        };
        match op {
            Binary::Equal => Ok(Value::Bool(left.equals(&right))),
            Binary::NotEqual => Ok(Value::Bool(!left.equals(&right))),
            Binary::Less => order(Ordering::is_lt),
            Binary::LessOrEqual => order(Ordering::is_le),
            Binary::Greater => order(Ordering::is_gt),
            Binary::GreaterOrEqual => order(Ordering::is_ge),
            Binary::In => match &right {
                Value::Map(entries) => Ok(Value::Bool(entries.get(&left).is_some())),
                Value::List(items) => Ok(Value::Bool(items.iter().any(|item| item.equals(&left)))),
                Value::Field(_) => {
                    let found = (0..right.size().unwrap_or_default())
                        .any(|at| right.item(at).is_some_and(|item| item.equals(&left)));
                    Ok(Value::Bool(found))
                }
                _ => fault(unfit(op, &left, &right)),
            },
            _ => convert::arithmetic(op, &left, &right),
        }
    }
}

/// The position of a field in the message, whose type may be another than was known.
fn find(
    message: &dyn Reflect,
    name: &str,
    position: Option<usize>,
) -> Result<(usize, dunlin_protobuf::table::TableRef), EvalError> {
    let table = message.table();
    let known = position.filter(|index| table.fields().get(*index).is_some_and(|field| field.name() == name));
    match known.or_else(|| table.index_of_name(name)) {
        Some(index) => Ok((index, table)),
        None => fault(format!("{} has no field `{name}`", table.full_name())),
    }
}

fn is_number(value: &Value<'_>) -> bool {
    matches!(value, Value::Int(_) | Value::Uint(_) | Value::Double(_))
}

pub(super) fn unfit(op: Binary, left: &Value<'_>, right: &Value<'_>) -> String {
    format!("`{}` does not take {} and {}", op.symbol(), left.type_name(), right.type_name())
}

fn literal_value(literal: &Literal) -> Value<'_> {
    match literal {
        Literal::Null => Value::Null,
        Literal::Bool(value) => Value::Bool(*value),
        Literal::Int(value) => Value::Int(*value),
        Literal::Uint(value) => Value::Uint(*value),
        Literal::Double(value) => Value::Double(*value),
        Literal::String(text) => Value::Str(text),
        Literal::Bytes(bytes) => Value::Bytes(bytes),
    }
}
