//! Options: names resolved, values checked against their types, both turned into wire bytes.
//!
//! The files that a file imports have to be finished before its own options can be read, since
//! they may declare the options.

mod literal;
pub(crate) mod retention;
pub(crate) mod value;

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

use dunlin_protobuf::descriptor::{Edition, Type};
use dunlin_protobuf::names::closest;
use dunlin_protobuf::pool::{
    DescriptorPool, FieldKind, FieldView, FileId, LookupFailure, MessageView, Resolver, SymbolRef,
};
use dunlin_protobuf::wire::{WireType, write};

use crate::lower::{ElementKind, NamePart, OptionStatement, OptionValue, PendingOptions};
use crate::syntax::{Span, SyntaxFault};
use value::{Keep, MessageValue, Value};

/// Extensions of option messages that every compiler knows, whether or not they are imported.
const WELL_KNOWN_EXTENSIONS: [(ElementKind, u32); 2] =
    [(ElementKind::File, 990), (ElementKind::EnumValue, 998)];

/// The options of a file, interpreted.
#[derive(Debug, Default)]
pub(crate) struct Interpreted {
    /// One for each entry of the pending options.
    pub(crate) elements: Vec<ElementOptions>,
    pub(crate) faults: Vec<SyntaxFault>,
    /// Files whose declarations were used.
    pub(crate) used: BTreeSet<FileId>,
}

/// The options of one element.
#[derive(Debug, Default)]
pub(crate) struct ElementOptions {
    /// All of them, encoded.
    pub(crate) encoded: Vec<u8>,
    /// Those that are kept in what runs, in canonical form, if that is not the same.
    pub(crate) runtime: Option<Vec<u8>>,
    /// Per statement, the path of the option, and whether it is kept in what runs.
    pub(crate) statements: Vec<Option<(Vec<i32>, bool)>>,
}

/// What interpreting needs to know about a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OptionContext<'c> {
    pub(crate) pool: &'c DescriptorPool,
    pub(crate) file: FileId,
    pub(crate) source: &'c [u8],
    /// Compiled for its own sake, not only imported.
    pub(crate) is_input: bool,
    /// Some import could not be found or read, so names may be unknown for that reason.
    pub(crate) lacks_imports: bool,
}

/// descriptor.proto, for files that set options without importing it.
static BUILTIN: LazyLock<DescriptorPool> = LazyLock::new(crate::wellknown::descriptor_pool);

/// Interprets the options of a file; with `plain_only`, those whose names start with no extension.
pub(crate) fn interpret(
    context: OptionContext<'_>,
    pending: &[PendingOptions],
    plain_only: bool,
) -> Interpreted {
    let mut out = Interpreted::default();
    let mut interpreter = Interpreter {
        context,
        resolver: Resolver::new(context.pool, context.file),
        edition: context.pool.file(context.file).edition(),
        indexes: HashMap::new(),
        passes: if plain_only { &[Pass::Plain] } else { &[Pass::Plain, Pass::Extensions] },
        faults: &mut out.faults,
    };
    for options in pending {
        let element = interpreter.element(options);
        out.elements.push(element);
    }
    out.used = interpreter.resolver.used;
    out
}

struct Interpreter<'c> {
    context: OptionContext<'c>,
    resolver: Resolver<'c>,
    edition: Edition,
    /// How often each repeated option was set.
    indexes: HashMap<Vec<i32>, i32>,
    passes: &'static [Pass],
    faults: &'c mut Vec<SyntaxFault>,
}

/// Plain names first: among them are the features, which custom options may depend on.
#[derive(Clone, Copy, PartialEq)]
enum Pass {
    Plain,
    Extensions,
}

impl<'c> Interpreter<'c> {
    fn element(&mut self, options: &PendingOptions) -> ElementOptions {
        let mut out =
            ElementOptions { statements: vec![None; options.statements.len()], ..Default::default() };
        let Some(schema) = self.schema(options.kind) else { return out };
        let mut all = MessageValue::default();
        let mut pieces = Vec::new();
        for &pass in self.passes {
            let mut of_pass = MessageValue::default();
            for (index, statement) in options.statements.iter().enumerate() {
                let is_extension = statement.name.first().is_some_and(|part| part.is_extension);
                if is_extension != (pass == Pass::Extensions) {
                    continue;
                }
                let Some(set) = self.statement(options, schema, statement, &of_pass) else { continue };
                let known = pass == Pass::Plain
                    || WELL_KNOWN_EXTENSIONS.contains(&(options.kind, set.fields[0].number()));
                if !known {
                    set.append_piece(&mut pieces);
                }
                out.statements[index] = Some((self.path(options, &set.fields), set.is_kept()));
                of_pass.merge(set.into_message());
            }
            all.merge(of_pass);
        }
        self.check(options, schema, &all);
        let known = |number: &u32, value: &value::FieldValue<'_>| {
            !value.field.is_extension() || WELL_KNOWN_EXTENSIONS.contains(&(options.kind, *number))
        };
        let mut runtime = Vec::new();
        all.encode(Keep::Runtime, false, &mut runtime);
        all.fields.retain(|number, value| known(number, value));
        all.encode(Keep::Everything, false, &mut out.encoded);
        out.encoded.extend_from_slice(&pieces);
        out.runtime = (runtime != out.encoded).then_some(runtime);
        out
    }

    /// The message that describes an element's options.
    fn schema(&mut self, kind: ElementKind) -> Option<MessageView<'c>> {
        let name = kind.options_message();
        if let Some(schema) = self.context.pool.message(name) {
            // Setting any option counts as using descriptor.proto, if it is imported.
            if self.context.pool.file(self.context.file).imports().any(|(id, _)| id == schema.file().id()) {
                self.resolver.mark(schema.file().id());
            }
            return Some(schema);
        }
        let builtin: &'static DescriptorPool = &BUILTIN;
        builtin.message(name)
    }

    fn statement(
        &mut self,
        options: &PendingOptions,
        schema: MessageView<'c>,
        statement: &OptionStatement,
        before: &MessageValue<'c>,
    ) -> Option<Setting<'c>> {
        let fields = self.name(options, schema, statement)?;
        let (&leaf, parents) = fields.split_last()?;
        if !leaf.is_repeated() && is_set(before, parents, leaf) {
            let message = format!("option `{}` is set twice", statement.display_name());
            self.fault("duplicate-option", statement.name_span, message);
            return None;
        }
        let depth = fields.iter().filter(|field| matches!(field.kind(), FieldKind::Message(_))).count();
        if depth > literal::MAX_DEPTH as usize {
            let message = format!("values are nested deeper than {} levels", literal::MAX_DEPTH);
            self.fault("nesting-too-deep", statement.name_span, message);
            return None;
        }
        let value = self.value(leaf, depth as u32, statement)?;
        Some(Setting { fields, value })
    }

    // ---- names

    fn name(
        &mut self,
        options: &PendingOptions,
        schema: MessageView<'c>,
        statement: &OptionStatement,
    ) -> Option<Vec<FieldView<'c>>> {
        let mut message = schema;
        let mut fields: Vec<FieldView<'c>> = Vec::with_capacity(statement.name.len());
        let first = statement.name.first()?;
        if !first.is_extension && first.text == "uninterpreted_option" {
            self.fault("reserved-option", statement.name_span, "`uninterpreted_option` cannot be set");
            return None;
        }
        for (index, part) in statement.name.iter().enumerate() {
            let shown = crate::lower::display_name(&statement.name[..=index]);
            if let Some(&parent) = fields.last() {
                match parent.kind() {
                    FieldKind::Message(_) if parent.is_repeated() => {
                        let shown = crate::lower::display_name(&statement.name[..index]);
                        let message =
                            format!("option `{shown}` is repeated and has to be set as a whole, in braces");
                        self.fault("option-path", statement.name_span, message);
                        return None;
                    }
                    FieldKind::Message(inner) => message = inner,
                    _ => {
                        let shown = crate::lower::display_name(&statement.name[..index]);
                        let message = format!("option `{shown}` is not a message and has no fields");
                        self.fault("option-path", statement.name_span, message);
                        return None;
                    }
                }
            }
            let field = if part.is_extension {
                self.extension(options, part, &shown, statement.name_span)?
            } else {
                self.plain_field(options, message, part, statement, index)?
            };
            if field.containing_message() != Some(message) {
                let text = format!("`{shown}` is not an option of `{}`", message.full_name());
                self.fault("not-an-option", statement.name_span, text);
                return None;
            }
            let is_own =
                field.file().id() == self.context.file && std::ptr::eq(self.context.pool, field.pool());
            if first.text == "features" && !first.is_extension && is_own {
                let text = format!("feature `{shown}` cannot be used in the file that defines it");
                self.fault("feature-in-own-file", statement.name_span, text);
                return None;
            }
            fields.push(field);
        }
        Some(fields)
    }

    fn extension(
        &mut self,
        options: &PendingOptions,
        part: &NamePart,
        shown: &str,
        span: Span,
    ) -> Option<FieldView<'c>> {
        let pool = self.context.pool;
        let scope_len = options.path.len().saturating_sub(match options.kind {
            ElementKind::File => 0,
            ElementKind::ExtensionRange | ElementKind::EnumValue | ElementKind::Method => 4,
            _ => 2,
        });
        let scope = pool.message_at(self.context.file, &options.path[..scope_len]);
        let failure = match self.resolver.find(&part.text, scope) {
            Ok(SymbolRef::Field(id)) => return Some(pool.field_by_id(id)),
            Ok(_) => None,
            Err(failure) => Some(failure),
        };
        if self.context.lacks_imports {
            return None;
        }
        let fault = match failure {
            Some(LookupFailure::NotImported { name, path }) => {
                let import = if self.edition >= Edition::EDITION_2024 { "import option" } else { "import" };
                self.fault(
                    "unknown-option",
                    span,
                    format!("option `({name})` is defined in \"{path}\", which is not imported"),
                )
                .help
                .replace(format!("add `{import} \"{path}\";`"));
                return None;
            }
            Some(LookupFailure::Shadowed { resolved }) => self.fault(
                "unknown-option",
                span,
                format!("option `{shown}` is resolved to `({resolved})`, which is not defined"),
            ),
            Some(LookupFailure::Undefined) => {
                self.fault("unknown-option", span, format!("unknown option `{shown}`"))
            }
            None => self.fault("unknown-option", span, format!("`{}` is not an option", part.text)),
        };
        fault.help = Some(format!(
            "the file that defines it has to be imported; `(.{})` starts from the outermost scope",
            part.text
        ));
        None
    }

    fn plain_field(
        &mut self,
        options: &PendingOptions,
        message: MessageView<'c>,
        part: &NamePart,
        statement: &OptionStatement,
        index: usize,
    ) -> Option<FieldView<'c>> {
        if let Some(field) = message.field(&part.text) {
            return Some(field);
        }
        let names: Vec<&str> = message.fields().map(|f| f.name()).collect();
        let similar = closest(&part.text, names.iter().copied());
        let text = if index == 0 {
            format!("unknown {} option `{}`", options.kind.noun(), part.text)
        } else {
            format!(
                "option `{}` has no field `{}`",
                crate::lower::display_name(&statement.name[..index]),
                part.text
            )
        };
        let replaces_all = statement.name.len() == 1;
        let fault = self.fault("unknown-option", statement.name_span, text);
        match similar {
            Some(similar) => {
                fault.help = Some(format!("did you mean `{similar}`?"));
                fault.replacement = replaces_all.then(|| similar.to_owned());
            }
            None if index == 0 => {
                fault.help = Some("the names of custom options stand in parentheses".into())
            }
            None => {}
        }
        None
    }

    // ---- values

    fn value(&mut self, field: FieldView<'c>, depth: u32, statement: &OptionStatement) -> Option<Value<'c>> {
        let span = statement.value_span;
        match field.kind() {
            FieldKind::Unresolved => None, // reported where the option is declared
            FieldKind::Message(ty) => self.message(ty, depth, statement),
            FieldKind::Enum(enumeration) => {
                let OptionValue::Identifier(name) = &statement.value else {
                    self.mistyped(field, span, "the name of a value of enum", &enumeration.full_name());
                    return None;
                };
                let id = enumeration.file().id();
                if std::ptr::eq(self.context.pool, field.pool())
                    && self.context.pool.file(self.context.file).imports().any(|(import, _)| import == id)
                {
                    self.resolver.mark(id);
                }
                let Some(value) = enumeration.value(name) else {
                    let text = format!("enum \"{}\" has no value \"{name}\"", enumeration.full_name());
                    let names: Vec<&str> = enumeration.values().map(|v| v.name()).take(2_000).collect();
                    let similar = closest(name, names.iter().copied());
                    let fault = self.fault("unknown-enum-value", span, text);
                    if let Some(similar) = similar {
                        fault.help = Some(format!("did you mean `{similar}`?"));
                        fault.replacement = Some(similar.to_owned());
                    }
                    return None;
                };
                Some(Value::Varint(i64::from(value.number()) as u64))
            }
            FieldKind::Scalar(ty) => self.scalar(field, ty, statement),
        }
    }

    fn message(&mut self, ty: MessageView<'c>, depth: u32, statement: &OptionStatement) -> Option<Value<'c>> {
        let OptionValue::Aggregate(tokens) = &statement.value else {
            let name = statement.display_name();
            let text = format!("option `{name}` is a message");
            let fault = self.fault("option-type", statement.value_span, text);
            fault.help =
                Some(format!("write `{name} = {{ ... }}`, or set single fields as in `{name}.field = ...`"));
            return None;
        };
        let end = Span::new(statement.value_span.end - 1, statement.value_span.end);
        match literal::read(self.context.source, tokens, end, depth, ty, &mut self.resolver) {
            Ok(message) => Some(Value::Message(message)),
            Err(fault) => {
                self.fault(fault.code, fault.span, fault.message);
                None
            }
        }
    }

    fn scalar(&mut self, field: FieldView<'c>, ty: Type, statement: &OptionStatement) -> Option<Value<'c>> {
        let span = statement.value_span;
        let integer = match statement.value {
            OptionValue::Positive(value) => Some(i128::from(value)),
            OptionValue::Negative(value) => Some(i128::from(value)),
            _ => None,
        };
        let range = match ty {
            Type::TYPE_INT32 | Type::TYPE_SINT32 | Type::TYPE_SFIXED32 => {
                Some((i32::MIN.into(), i32::MAX.into()))
            }
            Type::TYPE_INT64 | Type::TYPE_SINT64 | Type::TYPE_SFIXED64 => {
                Some((i64::MIN.into(), i64::MAX.into()))
            }
            Type::TYPE_UINT32 | Type::TYPE_FIXED32 => Some((0, u32::MAX.into())),
            Type::TYPE_UINT64 | Type::TYPE_FIXED64 => Some((0, i128::from(u64::MAX))),
            _ => None,
        };
        if let Some((min, max)) = range {
            let is_unsigned = min == 0;
            // `-0` is a negative number as far as unsigned options go.
            let fits = |value: &i128| (min..=max).contains(value);
            let is_negative = matches!(statement.value, OptionValue::Negative(_));
            let Some(value) = integer.filter(fits).filter(|_| !(is_unsigned && is_negative)) else {
                let what = format!("an integer from {min} to {max}");
                self.mistyped(field, span, &what, "");
                return None;
            };
            return Some(Value::integer(ty, value as i64));
        }
        match (ty, &statement.value) {
            (Type::TYPE_FLOAT | Type::TYPE_DOUBLE, value) => {
                let number = match value {
                    OptionValue::Double(value) => Some(*value),
                    OptionValue::Identifier(name) if name == "inf" => Some(f64::INFINITY),
                    OptionValue::Identifier(name) if name == "nan" => Some(f64::NAN),
                    // Integers are rounded once, straight to the type.
                    OptionValue::Positive(value) if ty == Type::TYPE_FLOAT => {
                        return Some(Value::I32((*value as f32).to_bits()));
                    }
                    OptionValue::Negative(value) if ty == Type::TYPE_FLOAT => {
                        return Some(Value::I32((*value as f32).to_bits()));
                    }
                    OptionValue::Positive(value) => Some(*value as f64),
                    OptionValue::Negative(value) => Some(*value as f64),
                    _ => None,
                };
                let Some(number) = number else {
                    self.mistyped(field, span, "a number", "");
                    return None;
                };
                Some(if ty == Type::TYPE_FLOAT {
                    Value::I32((number as f32).to_bits())
                } else {
                    Value::I64(number.to_bits())
                })
            }
            (Type::TYPE_BOOL, OptionValue::Identifier(name)) if name == "true" => Some(Value::Varint(1)),
            (Type::TYPE_BOOL, OptionValue::Identifier(name)) if name == "false" => Some(Value::Varint(0)),
            (Type::TYPE_BOOL, _) => {
                self.mistyped(field, span, "`true` or `false`", "");
                None
            }
            (Type::TYPE_STRING | Type::TYPE_BYTES, OptionValue::String(bytes)) => {
                if ty == Type::TYPE_STRING {
                    // The options of descriptor.proto are text in memory as well.
                    let text = literal::check_utf8(field, bytes);
                    let builtin =
                        !field.is_extension() && std::str::from_utf8(bytes).is_err() && is_descriptor(field);
                    if let Err(message) = text {
                        self.fault("not-utf8", span, message);
                        return None;
                    }
                    if builtin {
                        let message = format!("the value of option `{}` has to be valid UTF-8", field.name());
                        self.fault("not-utf8", span, message);
                        return None;
                    }
                }
                Some(Value::Bytes(bytes.clone()))
            }
            (Type::TYPE_STRING | Type::TYPE_BYTES, _) => {
                self.mistyped(field, span, "a quoted string", "");
                None
            }
            _ => None,
        }
    }

    fn mistyped(&mut self, field: FieldView<'_>, span: Span, what: &str, name: &str) {
        let name = if name.is_empty() { String::new() } else { format!(" \"{name}\"") };
        let option =
            if field.is_extension() { format!("({})", field.full_name()) } else { field.name().to_owned() };
        self.fault("option-type", span, format!("the value of option `{option}` has to be {what}{name}"));
    }

    // ---- the whole

    fn check(&mut self, options: &PendingOptions, schema: MessageView<'c>, all: &MessageValue<'c>) {
        let Some(span) = options.statements.first().map(|s| s.name_span.to(s.value_span)) else { return };
        let mut missing = Vec::new();
        all.missing_required(schema, &mut missing);
        if !missing.is_empty() {
            let text = format!("required fields of an option are missing: {}", missing.join(", "));
            self.fault("missing-required", span, text);
        }
        for FieldAt { field, span } in top_fields(options, all) {
            self.lifetimes(field, span);
            if self.context.is_input {
                self.targets(options.kind, field, span);
            }
        }
    }

    /// Whether a field, and what is set in it, may be used in the edition of the file.
    fn lifetimes(&mut self, value: &value::FieldValue<'c>, span: Span) {
        self.lifetime(&value.field.full_name(), value.field.feature_support(), span);
        for inner in &value.values {
            match (inner, value.field.kind()) {
                (Value::Message(message), _) => {
                    for value in message.fields.values() {
                        self.lifetimes(value, span);
                    }
                }
                (Value::Varint(number), FieldKind::Enum(enumeration)) => {
                    if let Some(value) = enumeration.value_by_number(*number as i32) {
                        self.lifetime(&value.full_name(), value.feature_support(), span);
                    }
                }
                _ => {}
            }
        }
    }

    fn lifetime(
        &mut self,
        name: &str,
        support: Option<&dunlin_protobuf::descriptor::FeatureSupport>,
        span: Span,
    ) {
        let Some(support) = support else { return };
        let edition = self.edition;
        if support.edition_introduced.is_some_and(|introduced| edition < introduced) {
            let introduced = edition_name(support.edition_introduced.unwrap_or_default());
            let text = format!(
                "`{name}` cannot be used in {} because it is introduced in {introduced}",
                edition_name(edition)
            );
            self.fault("option-too-new", span, text);
        }
        if let Some(removed) = support.edition_removed.filter(|&removed| edition >= removed) {
            let text = format!("`{name}` is removed from {} on", edition_name(removed));
            self.fault("option-removed", span, text).help = support.removal_error.clone();
        } else if let Some(deprecated) =
            support.edition_deprecated.filter(|&deprecated| edition >= deprecated)
            && self.context.is_input
        {
            let text = format!("`{name}` is deprecated from {} on", edition_name(deprecated));
            let fault = self.fault("deprecated-option", span, text);
            fault.is_warning = true;
            fault.help = support.deprecation_warning.clone();
        }
    }

    /// Whether a field, and what is set in it, may be set on this kind of element.
    fn targets(&mut self, kind: ElementKind, value: &value::FieldValue<'c>, span: Span) {
        let allowed = value.field.option_targets();
        if allowed != 0 && allowed & kind.target() == 0 {
            let text = format!("option `{}` cannot be set on a {}", value.field.full_name(), kind.noun());
            self.fault("option-target", span, text);
        }
        for inner in &value.values {
            if let Value::Message(message) = inner {
                for value in message.fields.values() {
                    self.targets(kind, value, span);
                }
            }
        }
    }

    fn path(&mut self, options: &PendingOptions, fields: &[FieldView<'_>]) -> Vec<i32> {
        let mut path = options.path.clone();
        path.push(options.kind.options_field());
        path.extend(fields.iter().map(|field| field.number() as i32));
        if fields.last().is_some_and(|leaf| leaf.is_repeated()) {
            let next = self.indexes.entry(path.clone()).or_default();
            path.push(*next);
            *next += 1;
        }
        path
    }

    fn fault(&mut self, code: &'static str, span: Span, message: impl Into<String>) -> &mut SyntaxFault {
        self.faults.push(SyntaxFault {
            code,
            span,
            message: message.into(),
            help: None,
            replacement: None,
            is_warning: false,
        });
        self.faults.last_mut().expect("pushed just now")
    }
}

/// One option with its value: the fields on the way to it, outermost first.
struct Setting<'p> {
    fields: Vec<FieldView<'p>>,
    value: Value<'p>,
}

impl<'p> Setting<'p> {
    fn is_kept(&self) -> bool {
        !self.fields.iter().any(|field| field.is_source_only())
    }

    /// The value inside the messages that lead to it.
    fn into_message(self) -> MessageValue<'p> {
        let mut value = self.value;
        let mut fields = self.fields.into_iter().rev().peekable();
        loop {
            let mut message = MessageValue::default();
            let Some(field) = fields.next() else { return message };
            message.add(field, value);
            if fields.peek().is_none() {
                return message;
            }
            value = Value::Message(message);
        }
    }

    /// Appends the option as one field of its own, as written: not merged with others, not packed.
    fn append_piece(&self, out: &mut Vec<u8>) {
        let mut piece = Vec::new();
        for (index, field) in self.fields.iter().enumerate().rev() {
            let inner = std::mem::take(&mut piece);
            let number = field.number();
            let is_leaf = index + 1 == self.fields.len();
            let body = match &self.value {
                Value::Varint(value) if is_leaf => {
                    write::varint_field(number, *value, &mut piece);
                    continue;
                }
                Value::I32(value) if is_leaf => {
                    write::fixed32_field(number, *value, &mut piece);
                    continue;
                }
                Value::I64(value) if is_leaf => {
                    write::fixed64_field(number, *value, &mut piece);
                    continue;
                }
                Value::Bytes(bytes) if is_leaf => bytes.clone(),
                Value::Message(message) if is_leaf => value::bytes_of(message, *field, Keep::Everything),
                _ => inner,
            };
            if field.is_delimited() {
                write::tag(number, WireType::StartGroup, &mut piece);
                piece.extend_from_slice(&body);
                write::tag(number, WireType::EndGroup, &mut piece);
            } else {
                write::len_field(number, &body, &mut piece);
            }
        }
        out.extend_from_slice(&piece);
    }
}

fn is_set(message: &MessageValue<'_>, parents: &[FieldView<'_>], leaf: FieldView<'_>) -> bool {
    let mut message = message;
    for parent in parents {
        let Some(value::FieldValue { values, .. }) = message.fields.get(&parent.number()) else {
            return false;
        };
        let Some(Value::Message(inner)) = values.first() else { return false };
        message = inner;
    }
    message.fields.contains_key(&leaf.number())
}

struct FieldAt<'v, 'p> {
    field: &'v value::FieldValue<'p>,
    span: Span,
}

/// The fields that are set, with the first statement that sets each.
fn top_fields<'v, 'p>(
    options: &'v PendingOptions,
    all: &'v MessageValue<'p>,
) -> impl Iterator<Item = FieldAt<'v, 'p>> {
    all.fields.values().map(|field| {
        let name = field.field.name();
        let statement = options.statements.iter().find(|statement| {
            statement.name.first().is_some_and(|part| part.text.rsplit('.').next() == Some(name))
        });
        let span = statement.or(options.statements.first()).map(|s| s.name_span.to(s.value_span));
        FieldAt { field, span: span.unwrap_or_default() }
    })
}

fn is_descriptor(field: FieldView<'_>) -> bool {
    field.file().path() == "google/protobuf/descriptor.proto"
}

fn edition_name(edition: Edition) -> String {
    match edition {
        Edition::EDITION_PROTO2 => "proto2".into(),
        Edition::EDITION_PROTO3 => "proto3".into(),
        edition => match edition.name() {
            Some(name) => format!("edition {}", name.trim_start_matches("EDITION_")),
            None => format!("edition {}", edition.0),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use crate::{Compiler, loader::Sources};

    fn codes(text: &str) -> Vec<&'static str> {
        let errors = Compiler::new(Sources::new().file("a.proto", text)).compile(["a.proto"]).unwrap_err();
        errors.items.iter().map(|item| item.code).collect()
    }

    // Without the import, the messages of options are in a pool of their own, whose ids also mean
    // something in the pool of the file.
    #[test]
    fn extensions_need_the_import_of_what_they_extend() {
        let aggregate = "edition = \"2023\"; option features = { [pb.cpp] { } };";
        assert_eq!(codes(aggregate), ["unknown-extension"]);
        let mut text = String::from("syntax = \"proto2\";");
        for index in 0..60 {
            let _ = write!(
                text,
                "message M{index} {{ extensions 1; }} extend M{index} {{ optional int32 x{index} = 1; }}
                option (x{index}) = 1;"
            );
        }
        assert_eq!(codes(&text), ["not-an-option"; 60]);
    }
}
