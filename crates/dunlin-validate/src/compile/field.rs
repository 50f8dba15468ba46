//! The rules of a field and of what is in it.

use std::sync::Arc;

use dunlin_protobuf::slot::SlotRef;
use dunlin_protobuf::table::{FieldTable, Kind, MessageTable, Shape, TableRef};
use dunlin_protobuf::{Message, Reflect, reflect};

use super::{Compiler, Expression, FieldRules, Inner, StandardRules, ValueRules, bare_rule};
use crate::cel::{Environment, Type};
use crate::proto::field_path_element::Subscript;
use crate::proto::{self, FieldPathElement, Ignore, field_rules};
use crate::rules::{Items, Standard};
use crate::violation::{element, element_by_number, element_of};

/// The numbers of members of `FieldRules`.
const CEL: u32 = 23;
const CEL_EXPRESSION: u32 = 29;
const REPEATED: u32 = 18;
const MAP: u32 = 19;

/// What a value is part of.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    /// A field as a whole.
    Field,
    /// An item, a key or a value of a map.
    Part,
}

fn table_of<M: Message>() -> TableRef {
    let table: &'static MessageTable = M::message_table();
    TableRef::Static(table)
}

/// The member of `FieldRules` for values of this kind.
fn scalar_member(kind: Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::Double => "double",
        Kind::Float => "float",
        Kind::Int64 => "int64",
        Kind::Uint64 => "uint64",
        Kind::Int32 => "int32",
        Kind::Fixed64 => "fixed64",
        Kind::Fixed32 => "fixed32",
        Kind::Bool => "bool",
        Kind::String => "string",
        Kind::Bytes => "bytes",
        Kind::Uint32 => "uint32",
        Kind::Enum => "enum",
        Kind::Sfixed32 => "sfixed32",
        Kind::Sfixed64 => "sfixed64",
        Kind::Sint32 => "sint32",
        Kind::Sint64 => "sint64",
        Kind::Group | Kind::Message => return None,
    })
}

/// The member of `FieldRules` for messages of this type, and whether they stand for scalars.
fn message_member(full_name: &str) -> Option<(&'static str, bool)> {
    Some(match full_name.strip_prefix("google.protobuf.")? {
        "Any" => ("any", false),
        "Duration" => ("duration", false),
        "FieldMask" => ("field_mask", false),
        "Timestamp" => ("timestamp", false),
        "BoolValue" => ("bool", true),
        "BytesValue" => ("bytes", true),
        "DoubleValue" => ("double", true),
        "FloatValue" => ("float", true),
        "Int32Value" => ("int32", true),
        "Int64Value" => ("int64", true),
        "StringValue" => ("string", true),
        "UInt32Value" => ("uint32", true),
        "UInt64Value" => ("uint64", true),
        _ => return None,
    })
}

impl Compiler<'_> {
    pub(super) fn field(
        &mut self,
        table: &TableRef,
        position: usize,
        mut rules: proto::FieldRules,
        is_in_group: bool,
    ) -> FieldRules {
        let field = &table.fields()[position];
        if is_in_group && rules.ignore.is_none() {
            rules.ignore = Some(Ignore::IGNORE_IF_ZERO_VALUE);
        }
        let shape = field.cardinality();
        let has_presence = shape.has_presence() || (field.kind().is_message() && shape == Shape::Implicit);
        let (element, entry) = element_of(field, table);
        let mut made = FieldRules {
            position,
            element,
            entry,
            is_required: rules.required() && rules.ignore() != Ignore::IGNORE_ALWAYS,
            skips_unset: has_presence || rules.ignore() == Ignore::IGNORE_IF_ZERO_VALUE,
            fault: None,
            value: ValueRules::default(),
        };
        match self.value(table, field, Place::Field, &Arc::new(rules), Vec::new()) {
            Ok(value) => made.value = value,
            Err(reason) => made.fault = Some(format!("field {:?}: {reason}", field.name())),
        }
        made
    }

    fn value(
        &mut self,
        of: &TableRef,
        field: &FieldTable,
        place: Place,
        rules: &Arc<proto::FieldRules>,
        prefix: Vec<FieldPathElement>,
    ) -> Result<ValueRules, String> {
        let mut made = ValueRules { prefix, ..Default::default() };
        if rules.ignore() == Ignore::IGNORE_ALWAYS {
            return Ok(made);
        }
        made.skips_zero = place == Place::Part && rules.ignore() == Ignore::IGNORE_IF_ZERO_VALUE;
        let whole = place == Place::Field;
        let this = if whole { Type::of_field(field, of) } else { Type::of_item(field, of) };
        made.is_text = this.is_text();
        made.expressions = self.expressions(rules, this)?;

        let is_map = whole && field.cardinality() == Shape::Map;
        let is_list = whole && field.cardinality().is_list();
        let message = if is_map || is_list { None } else { field.message_table(of) };
        let (expected, is_wrapper) = match &message {
            _ if is_map => (Some("map"), false),
            _ if is_list => (Some("repeated"), false),
            Some(message) => {
                message_member(message.full_name()).map_or((None, false), |(name, is)| (Some(name), is))
            }
            None => (scalar_member(field.kind()), false),
        };
        made.is_wrapper = is_wrapper;
        self.standard(&mut made, expected, of, field, message.as_ref(), rules)?;
        made.inner = self.inner(&made.prefix, of, field, message, is_map, is_list, rules)?;
        Ok(made)
    }

    fn expressions(&self, rules: &proto::FieldRules, this: Type) -> Result<Vec<Expression>, String> {
        let environment = Environment {
            this: Some(this),
            pool: Some(self.origin.pool.descriptors()),
            ..Default::default()
        };
        let table = table_of::<proto::FieldRules>();
        let path = |number, at: usize| {
            let element = element_by_number(&table, number);
            vec![FieldPathElement { subscript: Some(Subscript::Index(at as u64)), ..element }]
        };
        let mut made = Vec::new();
        for (at, source) in rules.cel_expression.iter().enumerate() {
            made.push(Expression::compile(&bare_rule(source), &environment, path(CEL_EXPRESSION, at))?);
        }
        for (at, rule) in rules.cel.iter().enumerate() {
            made.push(Expression::compile(rule, &environment, path(CEL, at))?);
        }
        Ok(made)
    }

    fn standard(
        &self,
        made: &mut ValueRules,
        expected: Option<&'static str>,
        of: &TableRef,
        field: &FieldTable,
        message: Option<&TableRef>,
        rules: &Arc<proto::FieldRules>,
    ) -> Result<(), String> {
        let unknown = |fields: &dunlin_protobuf::UnknownFields| !fields.is_empty() && !self.allow_unknown;
        if unknown(&rules.unknown_fields) {
            return Err("the field has rules that are not known".into());
        }
        let Some(kind) = &rules.r#type else { return Ok(()) };
        let table = table_of::<proto::FieldRules>();
        let set = (0..table.fields().len()).find(|at| {
            matches!(table.fields()[*at].cardinality(), Shape::Oneof(_)) && reflect::is_set(&**rules, *at)
        });
        let Some(position) = set else { return Ok(()) };
        let member = &table.fields()[position];
        if expected != Some(member.name()) {
            let expected = expected.map_or_else(|| "none".to_owned(), |name| format!("{name:?}"));
            return Err(format!("the rules are {:?}, and for this type {expected}", member.name()));
        }
        // The items of a wrapper are those of its field.
        let scalar = match message.filter(|_| made.is_wrapper) {
            Some(wrapper) => wrapper.index_of(1).map(|at| (wrapper, &wrapper.fields()[at])),
            None => Some((of, field)),
        };
        let Some((of, field)) = scalar else { return Ok(()) };
        let SlotRef::Message(found) = rules.slot_ref(position) else { return Ok(()) };
        if let Some(check) = Standard::compile(kind, Items { field, of })? {
            made.standard = Some(StandardRules { check, element: element(member), table: found.table() });
        }
        let this = match kind {
            field_rules::Type::Repeated(_) => Type::list(Type::Dyn),
            field_rules::Type::Map(_) => Type::Map(Box::new(Type::Dyn), Box::new(Type::Dyn)),
            _ => Type::of_item(field, of),
        };
        made.expressions.extend(self.predefined(rules, position, found, this)?);
        Ok(())
    }

    #[allow(clippy::too_many_arguments)] // What is known of the field.
    fn inner(
        &mut self,
        prefix: &[FieldPathElement],
        of: &TableRef,
        field: &FieldTable,
        message: Option<TableRef>,
        is_map: bool,
        is_list: bool,
        rules: &proto::FieldRules,
    ) -> Result<Inner, String> {
        let below = |member: u32, part: u32, table: TableRef| {
            let mut path = prefix.to_vec();
            path.push(element_by_number(&table_of::<proto::FieldRules>(), member));
            path.push(element_by_number(&table, part));
            path
        };
        if is_list {
            let items = match &rules.r#type {
                Some(field_rules::Type::Repeated(rules)) => {
                    rules.items.as_deref().cloned().unwrap_or_default()
                }
                _ => proto::FieldRules::default(),
            };
            let prefix = below(REPEATED, 4, table_of::<proto::RepeatedRules>());
            return Ok(Inner::Items(Box::new(self.value(
                of,
                field,
                Place::Part,
                &Arc::new(items),
                prefix,
            )?)));
        }
        if is_map {
            let Some(entry) = field.message_table(of) else { return Ok(Inner::Nothing) };
            let (keys, values) = match &rules.r#type {
                Some(field_rules::Type::Map(rules)) => {
                    (rules.keys.as_deref().cloned(), rules.values.as_deref().cloned())
                }
                _ => (None, None),
            };
            let mut part = |number: u32, member: u32, rules: Option<proto::FieldRules>| {
                let Some(at) = entry.index_of(number) else { return Ok(ValueRules::default()) };
                let prefix = below(MAP, member, table_of::<proto::MapRules>());
                self.value(
                    &entry,
                    &entry.fields()[at],
                    Place::Part,
                    &Arc::new(rules.unwrap_or_default()),
                    prefix,
                )
            };
            let (keys, values) = (part(1, 4, keys)?, part(2, 5, values)?);
            return Ok(Inner::Entries(Box::new([keys, values])));
        }
        Ok(match message {
            Some(message) => Inner::Message((self.child)(message)),
            None => Inner::Nothing,
        })
    }
}
