//! Paths and texts of violations.

use std::fmt;

use dunlin_protobuf::table::{FieldTable, Kind, Shape, TableRef};
use dunlin_protobuf::wkt::field_descriptor_proto::Type;

use crate::proto::field_path_element::Subscript;
use crate::proto::{FieldPath, FieldPathElement, Violation, Violations};

/// A field as a step of a path.
pub(crate) fn element(field: &FieldTable) -> FieldPathElement {
    let name = if field.is_extension() { format!("[{}]", field.name()) } else { field.name().to_owned() };
    FieldPathElement {
        field_number: i32::try_from(field.number()).ok(),
        field_name: Some(name),
        field_type: kind_type(field.kind()),
        ..Default::default()
    }
}

/// A field as a step of a path, a map with the types of its keys and values.
pub(crate) fn element_of(field: &FieldTable, of: &TableRef) -> (FieldPathElement, Option<[Type; 2]>) {
    let entry = (field.cardinality() == Shape::Map).then(|| field.message_table(of)).flatten();
    let kinds = entry.and_then(|entry| {
        let kind = |number| entry.index_of(number).and_then(|index| kind_type(entry.fields()[index].kind()));
        Some([kind(1)?, kind(2)?])
    });
    (element(field), kinds)
}

/// The field of a generated message as a step of a path.
pub(crate) fn element_by_number(table: &TableRef, number: u32) -> FieldPathElement {
    table.index_of(number).map(|index| element(&table.fields()[index])).unwrap_or_default()
}

fn kind_type(kind: Kind) -> Option<Type> {
    use dunlin_protobuf::slot::Enumeration;
    // The numbers are those of descriptors.
    Type::from_number(kind as i32)
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, element) in self.elements.iter().enumerate() {
            if at > 0 {
                f.write_str(".")?;
            }
            f.write_str(element.field_name())?;
            match &element.subscript {
                None => {}
                Some(Subscript::Index(index)) => write!(f, "[{index}]")?,
                Some(Subscript::BoolKey(key)) => write!(f, "[{key}]")?,
                Some(Subscript::IntKey(key)) => write!(f, "[{key}]")?,
                Some(Subscript::UintKey(key)) => write!(f, "[{key}]")?,
                Some(Subscript::StringKey(key)) => write!(f, "[{key:?}]")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(field) = &self.field {
            write!(f, "{field}: ")?;
        }
        match (self.message(), self.rule_id()) {
            ("", id) => f.write_str(id),
            (message, _) => f.write_str(message),
        }
    }
}

/// All violations, with semicolons between them.
impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, violation) in self.violations.iter().enumerate() {
            if at > 0 {
                f.write_str("; ")?;
            }
            violation.fmt(f)?;
        }
        Ok(())
    }
}
