//! Rules that schemas add to the messages of rules, as extensions with expressions of their own.

use std::sync::Arc;

use dunlin_protobuf::wkt::FieldOptions;
use dunlin_protobuf::{Extend, Reflect};

use super::{Compiler, Expression, Predefined};
use crate::cel::{Environment, Type};
use crate::proto::{self, PredefinedRules};
use crate::violation::element;
use dunlin_protobuf::table::Shape;
use dunlin_protobuf::{Message, table::TableRef};

impl Compiler<'_> {
    /// The rules among the extensions of `found`, which is the member at `position` of `rules`.
    pub(super) fn predefined(
        &self,
        rules: &Arc<proto::FieldRules>,
        position: usize,
        found: &dyn Reflect,
        this: Type,
    ) -> Result<Vec<Expression>, String> {
        let mut numbers = Vec::new();
        let mut reader = found.unknown_fields().reader();
        while let Ok(Some(tag)) = reader.tag() {
            if !numbers.contains(&tag.number) {
                numbers.push(tag.number);
            }
            if reader.skip(tag).is_err() {
                break;
            }
        }
        let table = found.table();
        let mut made = Vec::new();
        for number in numbers {
            made.extend(self.extension(rules, position, found, &table, number, &this)?);
        }
        Ok(made)
    }

    fn extension(
        &self,
        rules: &Arc<proto::FieldRules>,
        position: usize,
        found: &dyn Reflect,
        table: &TableRef,
        number: u32,
        this: &Type,
    ) -> Result<Vec<Expression>, String> {
        let pool = &self.origin.pool;
        let view = pool.descriptors().message(table.full_name());
        let view = view.and_then(|message| message.field_or_extension(number));
        let described = pool.extension_table(table.full_name(), number);
        let (Some(view), Some(described)) = (view, described) else {
            return if self.allow_unknown {
                Ok(Vec::new())
            } else {
                Err(format!("{} has the rule {number}, which is not known", table.full_name()))
            };
        };
        let Some(of) = pool.message(table.full_name()) else { return Ok(Vec::new()) };
        let options = view.proto().and_then(|proto| proto.options.as_deref());
        let options = FieldOptions {
            unknown_fields: options.map(|options| options.unknown_fields.clone()).unwrap_or_default(),
            ..Default::default()
        };
        let predefined: PredefinedRules =
            options.extension(proto::PREDEFINED).map_err(|error| error.to_string())?.unwrap_or_default();
        let value = || self.origin.registry.extension_value(found, number).map_err(|error| error.to_string());
        let rule_type = match described.cardinality() {
            Shape::Repeated | Shape::Packed => Type::list(Type::Dyn),
            _ => Type::of_item(described, &of),
        };
        let environment = Environment {
            this: Some(this.clone()),
            rules: Some(Type::Message(table.clone())),
            rule: Some(rule_type),
            pool: Some(pool.descriptors()),
        };
        let members = TableRef::Static(proto::FieldRules::message_table());
        let mut made = Vec::new();
        for rule in &predefined.cel {
            let path = vec![element(&members.fields()[position]), element(described)];
            let mut expression = Expression::compile(rule, &environment, path)?;
            let Some(value) = value()? else { continue };
            expression.predefined = Some(Predefined { rules: rules.clone(), position, value });
            made.push(expression);
        }
        Ok(made)
    }
}
