//! `--set mother.toys[0]=ball`: fields of requests, one by one; and files in requests.

use dunlin_protobuf::table::{Kind, TableRef};
use serde_json::Value;

use crate::payload::to_base64;

/// A field and what it is set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    path: Vec<Step>,
    value: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// A field, or an entry of a map.
    Name(String),
    /// An element of a list.
    Index(usize),
}

/// More elements than anyone writes by hand.
const MOST_ELEMENTS: usize = 10_000;

impl Setting {
    /// Reads `a.b[0].c=VALUE`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` sets nothing; write a.b[0]=VALUE, or a=@FILE for the content of a file");
        let (path, value) = text.split_once('=').ok_or_else(wrong)?;
        let mut steps = Vec::new();
        for part in path.split('.') {
            let (name, indexes) = part.split_at(part.find('[').unwrap_or(part.len()));
            if name.is_empty() {
                return Err(wrong());
            }
            steps.push(Step::Name(name.to_owned()));
            for index in indexes.split_terminator(']') {
                let index = index.strip_prefix('[').and_then(|index| index.parse().ok());
                steps.push(Step::Index(index.filter(|index| *index < MOST_ELEMENTS).ok_or_else(wrong)?));
            }
            if !indexes.is_empty() && !indexes.ends_with(']') {
                return Err(wrong());
            }
        }
        Ok(Self { path: steps, value: value.to_owned() })
    }

    /// Sets the field in a request of this type.
    pub(super) fn apply(&self, request: &mut Value, table: &TableRef) -> Result<(), String> {
        let value = self.json(self.kind(table))?;
        let mut at = request;
        for step in &self.path {
            at = match step {
                Step::Name(name) => {
                    if !at.is_object() {
                        *at = Value::Object(serde_json::Map::new());
                    }
                    let Value::Object(members) = at else { continue };
                    members.entry(name.clone()).or_insert(Value::Null)
                }
                Step::Index(index) => {
                    if !at.is_array() {
                        *at = Value::Array(Vec::new());
                    }
                    let Value::Array(elements) = at else { continue };
                    if elements.len() <= *index {
                        elements.resize(index + 1, Value::Null);
                    }
                    &mut elements[*index]
                }
            };
        }
        *at = value;
        Ok(())
    }

    /// The kind of the field, if the type has it.
    fn kind(&self, table: &TableRef) -> Option<Kind> {
        let mut table = table.clone();
        let mut kind = None;
        let mut names = self.path.iter().filter_map(|step| match step {
            Step::Name(name) => Some(name),
            Step::Index(_) => None,
        });
        while let Some(name) = names.next() {
            let at = table.index_of_json(name).or_else(|| table.index_of_name(name))?;
            let field = &table.fields()[at];
            kind = Some(field.kind());
            let Some(mut inner) = field.message_table(&table) else { break };
            if field.cardinality() == dunlin_protobuf::table::Shape::Map {
                // The next step is a key.
                names.next()?;
                let value = inner.fields().get(1)?;
                kind = Some(value.kind());
                match value.message_table(&inner) {
                    Some(message) => inner = message,
                    None => break,
                }
            }
            table = inner;
        }
        kind
    }

    fn json(&self, kind: Option<Kind>) -> Result<Value, String> {
        if let Some(path) = self.value.strip_prefix('@') {
            let bytes = std::fs::read(path).map_err(|error| format!("cannot read {path}: {error}"))?;
            return match kind {
                Some(Kind::String) => String::from_utf8(bytes)
                    .map(Value::String)
                    .map_err(|_| format!("{path} is not text, and the field is a string")),
                _ => Ok(Value::String(to_base64(&bytes))),
            };
        }
        Ok(match kind {
            Some(Kind::String | Kind::Bytes | Kind::Enum) => Value::String(self.value.clone()),
            _ => serde_json::from_str(&self.value).unwrap_or_else(|_| Value::String(self.value.clone())),
        })
    }
}

/// Puts the content of files in for `{"$file": "PATH"}`.
pub(super) fn read_files(value: &mut Value) -> Result<(), String> {
    // A stack of its own: the parser bounds the depth, but not for others.
    let mut stack = vec![value];
    while let Some(value) = stack.pop() {
        if let Value::Object(members) = &*value
            && members.len() == 1
            && let Some(Value::String(path)) = members.get("$file")
        {
            let bytes = std::fs::read(path).map_err(|error| format!("cannot read {path}: {error}"))?;
            *value = Value::String(to_base64(&bytes));
            continue;
        }
        match value {
            Value::Object(members) => stack.extend(members.values_mut()),
            Value::Array(elements) => stack.extend(elements),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_fields_and_elements() {
        let step = |name: &str| Step::Name(name.to_owned());
        let parsed = Setting::parse("a.b[2][0].c=x=y").unwrap();
        assert_eq!(parsed.path, [step("a"), step("b"), Step::Index(2), Step::Index(0), step("c")]);
        assert_eq!(parsed.value, "x=y");
        for wrong in ["a", "=1", "a..b=1", "a[=1", "a[x]=1", "a[1=1", "a[99999999]=1", ".a=1"] {
            assert!(Setting::parse(wrong).is_err(), "{wrong}");
        }
    }
}
