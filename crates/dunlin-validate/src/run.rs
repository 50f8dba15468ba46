//! One validation: the walk over a message and its compiled rules.

use std::cell::OnceCell;

use dunlin_protobuf::slot::SlotRef;
use dunlin_protobuf::{Reflect, reflect};

use crate::ValidationError;
use crate::cel::time::Instant;
use crate::cel::{Bindings, Budget, EvalError, Surroundings, Value, item_slot, slot_len};
use crate::compile::{Arena, Expression, Fault, FieldRules, Inner, TypeRules, ValueRules};
use crate::proto::field_path_element::Subscript;
use crate::proto::{FieldPath, FieldPathElement, FieldRules as FieldRulesMessage, Violation, Violations};
use crate::rules::Failures;
use crate::validator::Settings;
use crate::violation::{element, element_by_number};

/// Where a value is: the fields from the outermost, each beside what it is in.
#[derive(Clone, Copy)]
struct Path<'p> {
    parent: Option<&'p Path<'p>>,
    field: &'p FieldRules,
    part: Part<'p>,
    /// Whether the key of the entry is meant.
    for_key: bool,
}

/// Which part of a field is meant.
#[derive(Clone, Copy)]
enum Part<'p> {
    Whole,
    Item(usize),
    Entry(SlotRef<'p>),
}

impl Path<'_> {
    fn elements(&self) -> Vec<FieldPathElement> {
        let mut elements = self.parent.map_or_else(Vec::new, Path::elements);
        let mut element = self.field.element.clone();
        element.subscript = match self.part {
            Part::Whole => None,
            Part::Item(index) => Some(Subscript::Index(index as u64)),
            Part::Entry(key) => match key {
                SlotRef::Bool(key) => Some(Subscript::BoolKey(key)),
                SlotRef::I32(key) => Some(Subscript::IntKey(key.into())),
                SlotRef::I64(key) => Some(Subscript::IntKey(key)),
                SlotRef::U32(key) => Some(Subscript::UintKey(key.into())),
                SlotRef::U64(key) => Some(Subscript::UintKey(key)),
                SlotRef::String(key) => Some(Subscript::StringKey(key.to_owned())),
                SlotRef::Bytes(key) => Some(Subscript::StringKey(String::from_utf8_lossy(key).into_owned())),
                _ => None,
            },
        };
        if let (Part::Entry(_), Some([key, value])) = (self.part, self.field.entry) {
            element.key_type = Some(key);
            element.value_type = Some(value);
        }
        elements.push(element);
        elements
    }
}

/// Why the walk does not go on.
enum Stop {
    /// There are enough violations.
    Enough,
    Failed(ValidationError),
}

pub(crate) struct Run<'a> {
    settings: &'a Settings,
    arena: &'a Arena,
    surroundings: Surroundings<'a>,
    violations: Vec<Violation>,
}

impl<'a> Run<'a> {
    pub(crate) fn new(settings: &'a Settings, arena: &'a Arena, clock: &'a dyn Fn() -> Instant) -> Self {
        let surroundings = Surroundings {
            budget: Budget::new(settings.max_cost),
            now: OnceCell::new(),
            clock,
            registry: None,
        };
        Self { settings, arena, surroundings, violations: Vec::new() }
    }

    pub(crate) fn validate(mut self, root: u32, message: &'a dyn Reflect) -> Result<(), ValidationError> {
        let rules = self.arena.get(root);
        self.surroundings.registry = rules.origin.as_deref().map(|origin| &origin.registry);
        match self.message(rules, message, None, 1) {
            Err(Stop::Failed(error)) => Err(error),
            Ok(()) | Err(Stop::Enough) if self.violations.is_empty() => Ok(()),
            Ok(()) | Err(Stop::Enough) => {
                let violations = self.violations;
                Err(ValidationError::Violations(Violations { violations, ..Default::default() }))
            }
        }
    }

    fn message(
        &mut self,
        rules: &'a TypeRules,
        message: &'a dyn Reflect,
        path: Option<&Path<'_>>,
        depth: usize,
    ) -> Result<(), Stop> {
        if depth > self.settings.max_depth {
            return Err(Stop::Failed(ValidationError::Depth { limit: self.settings.max_depth }));
        }
        match &rules.fault {
            None => {}
            Some(Fault::Unknown) => {
                let message = rules.table.full_name().to_owned();
                return Err(Stop::Failed(ValidationError::UnknownType { message }));
            }
            Some(Fault::Rules(reason)) => return Err(compilation(rules, reason)),
        }
        if !rules.expressions.is_empty() {
            // The message itself, also if its type has a value of its own in expressions.
            self.expressions(&rules.expressions, Value::of_message(message), None, path)?;
        }
        for group in &rules.groups {
            let set = group.positions.iter().filter(|position| reflect::is_set(message, **position)).count();
            let text = match set {
                0 if group.is_required => format!("one of {} must be set", group.names),
                0 | 1 => continue,
                _ => format!("only one of {} can be set", group.names),
            };
            self.fail(path, Vec::new(), "message.oneof", text)?;
        }
        for oneof in &rules.oneofs {
            if oneof.positions.iter().any(|position| reflect::is_set(message, *position)) {
                continue;
            }
            let mut elements = path.map_or_else(Vec::new, Path::elements);
            elements.push(FieldPathElement { field_name: Some(oneof.name.clone()), ..Default::default() });
            let text = "exactly one field is required in oneof".to_owned();
            self.push(elements, Vec::new(), "required".to_owned(), text, path)?;
        }
        for field in &rules.fields {
            self.field(rules, field, message, path, depth)?;
        }
        Ok(())
    }

    fn field(
        &mut self,
        rules: &'a TypeRules,
        field: &'a FieldRules,
        message: &'a dyn Reflect,
        path: Option<&Path<'_>>,
        depth: usize,
    ) -> Result<(), Stop> {
        if let Some(reason) = &field.fault {
            return Err(compilation(rules, reason));
        }
        let for_key = path.is_some_and(|path| path.for_key);
        let path = Path { parent: path, field, part: Part::Whole, for_key };
        if (field.is_required || field.skips_unset) && !reflect::is_set(message, field.position) {
            if !field.is_required {
                return Ok(());
            }
            let rule = vec![rule_element::<FieldRulesMessage>(25)];
            return self.fail(Some(&path), rule, "required", "value is required".into());
        }
        let slot = message.slot_ref(field.position);
        // Only a field that is told apart from its default is absent, and that was seen above.
        if matches!(slot, SlotRef::Absent) {
            return Ok(());
        }
        self.value(&field.value, slot, &path, depth)
    }

    fn value(
        &mut self,
        rules: &'a ValueRules,
        slot: SlotRef<'a>,
        path: &Path<'_>,
        depth: usize,
    ) -> Result<(), Stop> {
        if rules.skips_zero && is_zero(slot) {
            return Ok(());
        }
        if !rules.expressions.is_empty() {
            let this = Value::of_slot(slot, || rules.is_text);
            self.expressions(&rules.expressions, this, Some(rules), Some(path))?;
        }
        if let Some(standard) = &rules.standard {
            let checked = if rules.is_wrapper { wrapped(slot) } else { Some(slot) };
            if let Some(checked) = checked {
                let mut failures = Failures::default();
                let now = || self.surroundings.now();
                if let Err(error) = standard.check.check(checked, &now, &mut failures) {
                    let rule = standard.element.field_name().to_owned();
                    return Err(self.stop(error, &rule));
                }
                for failure in failures.0 {
                    let mut rule = rules.prefix.clone();
                    rule.push(standard.element.clone());
                    rule.push(element_by_number(&standard.table, failure.number));
                    self.push(path.elements(), rule, failure.id.into_owned(), failure.message, Some(path))?;
                }
            }
        }
        match (&rules.inner, slot) {
            (Inner::Message(index), SlotRef::Message(message)) => {
                self.message(self.arena.get(*index), message, Some(path), depth + 1)
            }
            (Inner::Items(items), list) => {
                for at in 0..slot_len(list) {
                    let Some(item) = item_slot(list, at) else { break };
                    self.value(items, item, &Path { part: Part::Item(at), ..*path }, depth)?;
                }
                Ok(())
            }
            (Inner::Entries(parts), SlotRef::Map(map)) => {
                let mut result = Ok(());
                map.for_each(true, &mut |key, value| {
                    let path = Path { part: Part::Entry(key), ..*path };
                    result = self
                        .value(&parts[0], key, &Path { for_key: true, ..path }, depth)
                        .and_then(|()| self.value(&parts[1], value, &path, depth));
                    result.is_ok()
                });
                result
            }
            _ => Ok(()),
        }
    }

    fn expressions(
        &mut self,
        expressions: &'a [Expression],
        this: Value<'a>,
        rules: Option<&ValueRules>,
        path: Option<&Path<'_>>,
    ) -> Result<(), Stop> {
        let mut bindings = Bindings { this, rules: Value::Null, rule: Value::Null };
        for expression in expressions {
            if let Some(predefined) = &expression.predefined {
                bindings.rules = predefined.rules();
                bindings.rule = predefined.value();
            }
            let value = match expression.program.run(&bindings, &self.surroundings) {
                Ok(value) => value,
                Err(error) => return Err(self.stop(error, &expression.id)),
            };
            let text = match &value {
                Value::Bool(true) => continue,
                Value::Bool(false) => expression.message.clone(),
                value => match value.as_str() {
                    Some("") => continue,
                    Some(text) => text.to_owned(),
                    None => {
                        let reason = format!("it gives {}, and not bool or string", value.type_name());
                        return Err(self.stop(EvalError::Fault(reason), &expression.id));
                    }
                },
            };
            let mut rule = rules.map_or_else(Vec::new, |rules| rules.prefix.clone());
            rule.extend(expression.path.iter().cloned());
            self.fail(path, rule, &expression.id, text)?;
        }
        Ok(())
    }

    fn stop(&self, error: EvalError, rule: &str) -> Stop {
        let rule = rule.to_owned();
        Stop::Failed(match error {
            EvalError::Fault(reason) => ValidationError::Runtime { rule, reason },
            EvalError::Cost => ValidationError::Cost { rule, limit: self.settings.max_cost },
        })
    }

    fn fail(
        &mut self,
        path: Option<&Path<'_>>,
        rule: Vec<FieldPathElement>,
        id: &str,
        message: String,
    ) -> Result<(), Stop> {
        self.push(path.map_or_else(Vec::new, Path::elements), rule, id.to_owned(), message, path)
    }

    fn push(
        &mut self,
        field: Vec<FieldPathElement>,
        rule: Vec<FieldPathElement>,
        id: String,
        message: String,
        path: Option<&Path<'_>>,
    ) -> Result<(), Stop> {
        let whole =
            |elements: Vec<_>| (!elements.is_empty()).then(|| FieldPath { elements, ..Default::default() });
        self.violations.push(Violation {
            field: whole(field),
            rule: whole(rule),
            rule_id: Some(id),
            message: Some(message),
            for_key: path.is_some_and(|path| path.for_key).then_some(true),
            ..Default::default()
        });
        if self.settings.fail_fast || self.violations.len() >= self.settings.max_violations {
            return Err(Stop::Enough);
        }
        Ok(())
    }
}

fn rule_element<M: dunlin_protobuf::Message>(number: u32) -> FieldPathElement {
    let table = M::message_table();
    table.index_of(number).map(|index| element(&table.fields()[index])).unwrap_or_default()
}

fn compilation(rules: &TypeRules, reason: &str) -> Stop {
    Stop::Failed(ValidationError::Compilation {
        message: rules.table.full_name().to_owned(),
        reason: reason.to_owned(),
    })
}

/// The scalar in a message that stands for it.
fn wrapped(slot: SlotRef<'_>) -> Option<SlotRef<'_>> {
    match slot {
        SlotRef::Message(message) => message.table().index_of(1).map(|index| message.slot_ref(index)),
        _ => None,
    }
}

/// True for the value that an item, a key or a value has when nothing is said of it.
fn is_zero(slot: SlotRef<'_>) -> bool {
    match slot {
        SlotRef::Bool(value) => !value,
        SlotRef::I32(value) | SlotRef::Enum(value) => value == 0,
        SlotRef::I64(value) => value == 0,
        SlotRef::U32(value) => value == 0,
        SlotRef::U64(value) => value == 0,
        SlotRef::F32(value) => value == 0.0,
        SlotRef::F64(value) => value == 0.0,
        SlotRef::String(value) => value.is_empty(),
        SlotRef::Bytes(value) => value.is_empty(),
        SlotRef::Message(message) => {
            let table = message.table();
            // A list in which nothing is, and so on: nothing would be written.
            message.unknown_fields().is_empty()
                && (0..table.fields().len()).all(|index| !reflect::is_set(message, index))
        }
        _ => false,
    }
}
