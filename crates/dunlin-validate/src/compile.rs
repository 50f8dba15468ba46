//! Rules as they are run: read from the options of a schema once, for each message type.

mod arena;
mod field;
mod predefined;

use std::sync::Arc;

use dunlin_protobuf::dynamic::DynamicPool;
use dunlin_protobuf::pool::MessageView;
use dunlin_protobuf::slot::SlotRef;
use dunlin_protobuf::table::{Shape, TableRef};
use dunlin_protobuf::wkt::field_descriptor_proto::Type as FieldType;
use dunlin_protobuf::wkt::{FieldOptions, MessageOptions, OneofOptions};
use dunlin_protobuf::{Extend, ExtensionValue, Reflect, Registry};

pub(crate) use arena::{Arena, Sources};

use crate::cel::{Environment, Program, Type, Value};
use crate::proto::{self, FieldPathElement, MessageRules, OneofRules, Rule};
use crate::rules::Standard;
use crate::violation::element_of;

/// Where a type's schema is, and what expressions look types up in.
#[derive(Debug)]
pub(crate) struct Origin {
    pub(crate) pool: Arc<DynamicPool>,
    pub(crate) registry: Registry,
}

/// What holds for a message type.
#[derive(Debug)]
pub(crate) struct TypeRules {
    pub(crate) table: TableRef,
    pub(crate) origin: Option<Arc<Origin>>,
    /// Why the rules cannot be used.
    pub(crate) fault: Option<Fault>,
    pub(crate) expressions: Vec<Expression>,
    pub(crate) groups: Vec<Group>,
    pub(crate) oneofs: Vec<Oneof>,
    pub(crate) fields: Vec<FieldRules>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fault {
    /// There is no descriptor.
    Unknown,
    /// The rules make no sense.
    Rules(String),
}

/// Fields of which one may be set.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) positions: Vec<usize>,
    /// Their names, with commas between them.
    pub(crate) names: String,
    pub(crate) is_required: bool,
}

/// A oneof of which a member has to be set.
#[derive(Debug)]
pub(crate) struct Oneof {
    pub(crate) name: String,
    pub(crate) positions: Vec<usize>,
}

/// What holds for a field.
#[derive(Debug)]
pub(crate) struct FieldRules {
    /// The position in the table.
    pub(crate) position: usize,
    pub(crate) element: FieldPathElement,
    /// The types of a map's keys and values.
    pub(crate) entry: Option<[FieldType; 2]>,
    pub(crate) is_required: bool,
    /// Whether the rules are passed over if the field is not set.
    pub(crate) skips_unset: bool,
    /// Why the rules cannot be used.
    pub(crate) fault: Option<String>,
    pub(crate) value: ValueRules,
}

/// What holds for a value: of a field, an item, a key.
#[derive(Debug, Default)]
pub(crate) struct ValueRules {
    /// Whether the rules are passed over if the value is zero or empty.
    pub(crate) skips_zero: bool,
    /// How rule paths begin.
    pub(crate) prefix: Vec<FieldPathElement>,
    /// Whether the schema calls the value a string, its items or those in its entries.
    pub(crate) is_text: bool,
    /// Whether the value is the message around a scalar.
    pub(crate) is_wrapper: bool,
    pub(crate) standard: Option<StandardRules>,
    pub(crate) expressions: Vec<Expression>,
    pub(crate) inner: Inner,
}

/// The standard rules of a value, and how paths to them are made.
#[derive(Debug)]
pub(crate) struct StandardRules {
    pub(crate) check: Standard,
    /// The member of `FieldRules`.
    pub(crate) element: FieldPathElement,
    /// The table of the message of rules.
    pub(crate) table: TableRef,
}

/// What is in a value.
#[derive(Debug, Default)]
pub(crate) enum Inner {
    #[default]
    Nothing,
    /// A message of the type at this position of the arena.
    Message(u32),
    Items(Box<ValueRules>),
    Entries(Box<[ValueRules; 2]>),
}

/// A rule in CEL.
#[derive(Debug)]
pub(crate) struct Expression {
    pub(crate) program: Program,
    pub(crate) id: String,
    /// What to tell if the expression is false.
    pub(crate) message: String,
    /// The rule's place in the rules of the field; nothing for one of a message.
    pub(crate) path: Vec<FieldPathElement>,
    pub(crate) predefined: Option<Predefined>,
}

/// What a predefined rule is given.
#[derive(Debug)]
pub(crate) struct Predefined {
    rules: Arc<proto::FieldRules>,
    position: usize,
    value: ExtensionValue,
}

impl Predefined {
    pub(crate) fn rules(&self) -> Value<'_> {
        match self.rules.slot_ref(self.position) {
            SlotRef::Message(rules) => Value::Message(rules),
            _ => Value::Null,
        }
    }

    pub(crate) fn value(&self) -> Value<'_> {
        Value::of_item(self.value.slot_ref())
    }
}

impl Expression {
    fn compile(
        rule: &Rule,
        environment: &Environment<'_>,
        path: Vec<FieldPathElement>,
    ) -> Result<Self, String> {
        let (id, source) = (rule.id(), rule.expression());
        let program =
            Program::compile(source, environment).map_err(|error| format!("expression {id:?}: {error}"))?;
        if !program.gives().meets(&Type::Bool) && !program.gives().meets(&Type::String) {
            return Err(format!("expression {id:?} gives {}, and not bool or string", program.gives()));
        }
        let message = match rule.message() {
            "" => format!("{source:?} returned false"),
            message => message.to_owned(),
        };
        Ok(Self { program, id: id.to_owned(), message, path, predefined: None })
    }
}

/// A rule whose text is its name too.
fn bare_rule(source: &str) -> Rule {
    Rule { id: Some(source.to_owned()), expression: Some(source.to_owned()), ..Default::default() }
}

/// Compiles one message type.
pub(crate) struct Compiler<'c> {
    pub(crate) origin: &'c Arc<Origin>,
    pub(crate) allow_unknown: bool,
    /// The position in the arena of a type of a field.
    pub(crate) child: &'c mut dyn FnMut(TableRef) -> u32,
}

impl Compiler<'_> {
    pub(crate) fn message(&mut self, table: TableRef, view: MessageView<'_>) -> TypeRules {
        let mut compiled = TypeRules {
            table,
            origin: Some(self.origin.clone()),
            fault: None,
            expressions: Vec::new(),
            groups: Vec::new(),
            oneofs: Vec::new(),
            fields: Vec::new(),
        };
        if let Err(reason) = self.fill(&mut compiled, view) {
            compiled.fault = Some(Fault::Rules(reason));
        }
        compiled
    }

    fn fill(&mut self, compiled: &mut TypeRules, view: MessageView<'_>) -> Result<(), String> {
        let table = compiled.table.clone();
        let rules = message_rules(view)?;
        let environment = Environment {
            this: Some(Type::of_message(table.clone())),
            pool: Some(self.origin.pool.descriptors()),
            ..Default::default()
        };
        let bare = rules.cel_expression.iter().map(|source| bare_rule(source));
        for rule in bare.chain(rules.cel.iter().cloned()) {
            compiled.expressions.push(Expression::compile(&rule, &environment, Vec::new())?);
        }
        for group in &rules.oneof {
            compiled.groups.push(self.group(&table, &group.fields, group.required())?);
        }
        compiled.oneofs = required_oneofs(&table, view)?;
        for field in view.fields() {
            let Some(position) = table.index_of(field.number()) else { continue };
            let options = field.proto().and_then(|proto| proto.options.as_deref());
            let options = FieldOptions {
                unknown_fields: options.map(|options| options.unknown_fields.clone()).unwrap_or_default(),
                ..Default::default()
            };
            let found = options.extension(proto::FIELD).map_err(|error| error.to_string());
            let is_in_group =
                rules.oneof.iter().any(|group| group.fields.iter().any(|name| name == field.name()));
            let made = match found {
                Ok(rules) => self.field(&table, position, rules.unwrap_or_default(), is_in_group),
                Err(reason) => {
                    let (element, entry) = element_of(&table.fields()[position], &table);
                    FieldRules {
                        position,
                        element,
                        entry,
                        is_required: false,
                        skips_unset: false,
                        fault: Some(reason),
                        value: ValueRules::default(),
                    }
                }
            };
            compiled.fields.push(made);
        }
        Ok(())
    }

    fn group(&self, table: &TableRef, names: &[String], is_required: bool) -> Result<Group, String> {
        if names.is_empty() {
            return Err("a oneof rule names no field".into());
        }
        let mut positions = Vec::with_capacity(names.len());
        for name in names {
            let Some(position) = table.index_of_name(name).filter(|at| table.fields()[*at].name() == name)
            else {
                return Err(format!("a oneof rule names {name:?}, which is no field"));
            };
            if positions.contains(&position) {
                return Err(format!("a oneof rule names {name:?} twice"));
            }
            positions.push(position);
        }
        Ok(Group { positions, names: names.join(", "), is_required })
    }
}

fn message_rules(view: MessageView<'_>) -> Result<MessageRules, String> {
    let options = view.proto().and_then(|proto| proto.options.as_deref());
    let Some(options) = options.filter(|options| !options.unknown_fields.is_empty()) else {
        return Ok(MessageRules::default());
    };
    let options = MessageOptions { unknown_fields: options.unknown_fields.clone(), ..Default::default() };
    let rules = options.extension(proto::MESSAGE).map_err(|error| error.to_string())?;
    Ok(rules.unwrap_or_default())
}

fn required_oneofs(table: &TableRef, view: MessageView<'_>) -> Result<Vec<Oneof>, String> {
    let mut required = Vec::new();
    for oneof in view.proto().into_iter().flat_map(|proto| &proto.oneof_decl) {
        let Some(options) = oneof.options.as_deref() else { continue };
        let options = OneofOptions { unknown_fields: options.unknown_fields.clone(), ..Default::default() };
        let rules: OneofRules =
            options.extension(proto::ONEOF).map_err(|error| error.to_string())?.unwrap_or_default();
        if !rules.required() {
            continue;
        }
        let name = oneof.name.clone().unwrap_or_default();
        let is_member = |shape: Shape| match shape {
            Shape::Oneof(index) => table.oneof_name(index) == Some(name.as_str()),
            _ => false,
        };
        let fields = table.fields().iter().enumerate();
        let positions =
            fields.filter(|(_, field)| is_member(field.cardinality())).map(|(at, _)| at).collect();
        required.push(Oneof { name, positions });
    }
    Ok(required)
}
