//! The Common Expression Language (CEL), as far as rules of messages need it.
//!
//! An expression is checked against the types of what it is given before it is run, so that most of
//! what is wrong with it is told when rules are compiled. Values are borrowed from the messages. What
//! running may cost is bounded by [`Budget`], since messages come from anywhere; patterns take time
//! linear in the text.
//!
//! Left out are making messages and optional values, and time zones by name: an offset like `+01:00`
//! is understood.

mod ast;
mod check;
mod convert;
mod eval;
mod functions;
mod parse;
pub(crate) mod pattern;
mod text;
pub(crate) mod time;
mod token;
mod types;
mod value;

use std::cell::{Cell, OnceCell};

use dunlin_protobuf::Registry;

pub(crate) use check::Environment;
pub(crate) use convert::contains_bytes;
pub(crate) use types::Type;
pub(crate) use value::{Value, item_slot, slot_len};

use time::Instant;

/// What is wrong with an expression, and at which byte of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} (at byte {at})")]
pub(crate) struct CompileError {
    pub(crate) at: u32,
    pub(crate) message: String,
}

fn fault(at: u32, message: impl Into<String>) -> CompileError {
    CompileError { at, message: message.into() }
}

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum EvalError {
    /// It makes no sense with these values.
    Fault(String),
    /// It costs more than is allowed. No operator takes this back.
    Cost,
}

/// What all expressions of a validation may still cost: about one for each operation and each item
/// that is looked at.
#[derive(Debug)]
pub(crate) struct Budget(Cell<u64>);

impl Budget {
    pub(crate) fn new(limit: u64) -> Self {
        Self(Cell::new(limit))
    }

    pub(crate) fn spend(&self, amount: usize) -> Result<(), EvalError> {
        match self.0.get().checked_sub(amount as u64) {
            Some(left) => {
                self.0.set(left);
                Ok(())
            }
            None => {
                self.0.set(0);
                Err(EvalError::Cost)
            }
        }
    }
}

/// What every expression of one validation is given.
pub(crate) struct Surroundings<'v> {
    pub(crate) budget: Budget,
    /// The time, the same for all.
    pub(crate) now: OnceCell<Instant>,
    pub(crate) clock: &'v dyn Fn() -> Instant,
    /// Where the messages in `Any` are looked up.
    pub(crate) registry: Option<&'v Registry>,
}

impl Surroundings<'_> {
    pub(crate) fn now(&self) -> Instant {
        *self.now.get_or_init(self.clock)
    }
}

/// What an expression is given.
#[derive(Clone)]
pub(crate) struct Bindings<'a> {
    pub(crate) this: Value<'a>,
    pub(crate) rules: Value<'a>,
    pub(crate) rule: Value<'a>,
}

/// A checked expression.
#[derive(Debug)]
pub(crate) struct Program {
    root: check::Node,
    gives: Type,
}

impl Program {
    /// Reads and checks an expression.
    pub(crate) fn compile(source: &str, environment: &Environment<'_>) -> Result<Self, CompileError> {
        let expr = parse::parse(source)?;
        let (root, gives) = check::Checker { environment, locals: Vec::new() }.check(&expr)?;
        Ok(Self { root, gives })
    }

    /// The type of the values.
    pub(crate) fn gives(&self) -> &Type {
        &self.gives
    }

    /// The value with these bindings.
    pub(crate) fn run<'a>(
        &'a self,
        bindings: &Bindings<'a>,
        surroundings: &Surroundings<'a>,
    ) -> Result<Value<'a>, EvalError> {
        eval::Evaluator::new(bindings, surroundings).run(&self.root)
    }
}
