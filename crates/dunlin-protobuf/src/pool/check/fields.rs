use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::Check;
use super::ranges::implementation_number;
use crate::descriptor::{
    Edition, FeatureSupport, FieldDescriptorProto, FieldOptions, FieldPresence, JsType, Label,
    MessageEncoding, RepeatedFieldEncoding, Type, Utf8Validation,
};
use crate::names::{json_name, map_entry_name};
use crate::pool::fault::Path;
use crate::pool::table::{Field, Target, join};
use crate::pool::view::{FieldKind, FieldView, MessageView};
use crate::pool::{Features, FieldId};

impl<'c> Check<'c> {
    pub(super) fn fields(&mut self) {
        for index in 0..self.fields.len() {
            let proto = self.fields[index];
            self.field(index as u32, proto);
        }
    }

    fn field(&mut self, index: u32, proto: &FieldDescriptorProto) {
        let file = self.file;
        let entry = &file.fields[index as usize];
        let view = self.pool.field_by_id(FieldId { file: self.id, index });
        let path = |steps: &[i32]| join(file.field_path(index), steps);
        if entry.is_extension {
            self.extension(index, entry, proto);
        }
        if let Some(default) = &proto.default_value {
            self.default_value(entry, default, view, path(&[7]));
        }
        if self.is_proto3() {
            self.proto3_field(entry, view, &path);
        }
        if let Some(options) = proto.options.as_deref() {
            self.field_options(entry, options, view, &path);
        }
        if !self.is_legacy() {
            self.editions_field(entry, proto, view, &path);
        }
        if let FieldKind::Message(message) = view.kind() {
            self.message_field(index, entry, view, message, &path);
        }
        self.message_set_member(entry, view, &path);
    }

    fn extension(&mut self, index: u32, entry: &Field, proto: &FieldDescriptorProto) {
        let file = self.file;
        let path = |steps: &[i32]| join(file.field_path(index), steps);
        if proto.label == Some(Label::LABEL_REQUIRED) {
            self.error("required-extension", path(&[4]), "extensions cannot be required");
        }
        if proto.oneof_index.is_some() {
            self.error("extension-in-oneof", path(&[9]), "extensions cannot be in a oneof");
        }
        if entry.number <= 0 {
            self.error("field-number-out-of-range", path(&[3]), "field numbers have to be positive");
        } else if let Some(message) = implementation_number(entry.number, self.scope) {
            self.error("field-number-out-of-range", path(&[3]), message);
        }
        if proto
            .json_name
            .as_deref()
            .is_some_and(|n| *n != json_name(proto.name.as_deref().unwrap_or_default()))
        {
            self.error("json-name-on-extension", path(&[10]), "`json_name` cannot be set on extensions")
                .help
                .replace("the JSON name of an extension is its full name in brackets".into());
        }
        let Some(extendee) = entry.extendee else { return };
        let extended = self.pool.tables(extendee.file);
        let message = &extended.messages[extendee.index as usize];
        if !message.extension_ranges.iter().any(|r| (r.start..r.end).contains(&entry.number)) {
            let name = self.pool.message_name(extendee);
            let message = format!("\"{name}\" does not declare {} as an extension number", entry.number);
            self.error("not-an-extension-number", path(&[3]), message);
            return;
        }
        if file.options.lite && !extended.options.lite {
            self.error("lite-extension", path(&[2]), "a lite file cannot extend a type that is not lite");
        }
        self.declared_extension(index);
    }

    fn default_value(&mut self, entry: &Field, default: &[u8], view: FieldView<'_>, place: Path) {
        if entry.label == Label::LABEL_REPEATED {
            self.error("default-on-repeated", place, "repeated fields cannot have a default");
            return;
        }
        let text = String::from_utf8_lossy(default);
        match view.kind() {
            FieldKind::Message(_) => {
                self.error("default-on-message", place, "message fields cannot have a default");
            }
            FieldKind::Enum(enumeration) => {
                if !crate::names::is_identifier(&text) {
                    self.error(
                        "invalid-default",
                        place,
                        "the default of an enum field has to be the name of a value",
                    );
                } else if enumeration.value(&text).is_none() {
                    let name = enumeration.full_name();
                    let similar = crate::names::closest(&text, enumeration.values().map(|v| v.name()));
                    let fault = self.error(
                        "unknown-enum-value",
                        place,
                        format!("enum \"{name}\" has no value \"{text}\""),
                    );
                    if let Some(name) = similar {
                        fault.help = Some(format!("did you mean \"{name}\"?"));
                        fault.replacement = Some(name.to_owned());
                    }
                }
            }
            FieldKind::Scalar(ty) => {
                if !scalar_default_is_valid(ty, &text) {
                    self.error(
                        "invalid-default",
                        place,
                        format!("\"{text}\" is not a value of the field's type"),
                    );
                }
            }
            FieldKind::Unresolved => {}
        }
    }

    fn proto3_field(&mut self, entry: &Field, view: FieldView<'_>, path: &dyn Fn(&[i32]) -> Path) {
        if let Some(extendee) = entry.extendee {
            let extended = self.pool.tables(extendee.file);
            let message = &extended.messages[extendee.index as usize];
            let is_options = extended.package() == "google.protobuf"
                && message.parent.is_none()
                && is_option_message(extended.text(message.name));
            if !is_options {
                self.error(
                    "proto3-extension",
                    path(&[2]),
                    "in proto3, only the option messages of descriptor.proto can be extended",
                );
            }
        }
        if entry.label == Label::LABEL_REQUIRED {
            self.error("proto3-required", path(&[4]), "required fields are not allowed in proto3");
        }
        if self.fields_default(view) {
            self.error("proto3-default", path(&[7]), "explicit defaults are not allowed in proto3");
        }
        if let FieldKind::Enum(enumeration) = view.kind()
            && enumeration.is_closed()
        {
            let name = enumeration.full_name();
            self.error(
                "proto3-closed-enum",
                path(&[6]),
                format!("enum \"{name}\" is closed and cannot be used in proto3"),
            );
        }
        if entry.ty == Type::TYPE_GROUP {
            self.error("proto3-group", path(&[5]), "groups are not supported in proto3");
        }
    }

    fn fields_default(&self, view: FieldView<'_>) -> bool {
        self.fields[view.id().index as usize].default_value.is_some()
    }

    fn field_options(
        &mut self,
        entry: &Field,
        options: &FieldOptions,
        view: FieldView<'_>,
        path: &dyn Fn(&[i32]) -> Path,
    ) {
        if self.edition() >= Edition::EDITION_2024 && options.ctype.is_some() {
            self.error("option-removed", path(&[8, 1]), "`ctype` is not allowed from edition 2024 on")
                .help
                .replace("use `features.(pb.cpp).string_type`".into());
        }
        let is_message = matches!(view.kind(), FieldKind::Message(_)) && !view.is_delimited();
        for (set, number, name) in
            [(options.lazy, 5, "lazy"), (options.unverified_lazy, 15, "unverified_lazy")]
        {
            if set == Some(true) && !is_message {
                let message = format!("`{name}` can only be set on message fields");
                self.error("option-on-wrong-type", path(&[8, number]), message);
            }
        }
        if options.unverified_lazy == Some(true) && entry.is_extension {
            self.error("option-on-wrong-type", path(&[8, 15]), "extensions cannot be `unverified_lazy`");
        }
        if options.packed == Some(true) && !view.is_packable() {
            self.error(
                "option-on-wrong-type",
                path(&[8, 2]),
                "`packed` can only be set on repeated numbers, booleans and enums",
            );
        }
        let jstype = options.jstype.unwrap_or_default();
        let is_64_bit = matches!(
            entry.ty,
            Type::TYPE_INT64
                | Type::TYPE_UINT64
                | Type::TYPE_SINT64
                | Type::TYPE_FIXED64
                | Type::TYPE_SFIXED64
        );
        if jstype != JsType::JS_NORMAL && !is_64_bit {
            self.error("option-on-wrong-type", path(&[8, 6]), "`jstype` can only be set on 64-bit integers");
        }
        self.feature_support(view, path);
    }

    // Fields of option messages say in which editions they may be used; that has to make sense.
    fn feature_support(&mut self, view: FieldView<'_>, path: &dyn Fn(&[i32]) -> Path) {
        let Some(support) = view.feature_support() else { return };
        let place = || path(&[8, 22]);
        for fault in support_faults(support, &view.full_name()) {
            self.error("feature-support", place(), fault);
        }
        let FieldKind::Enum(enumeration) = view.kind() else { return };
        for value in enumeration.values() {
            let Some(own) = value.feature_support() else { continue };
            let (name, field) = (value.full_name(), view.full_name());
            // What a value does not say, it takes from the field.
            let merged = FeatureSupport {
                edition_introduced: own.edition_introduced.or(support.edition_introduced),
                edition_deprecated: own.edition_deprecated.or(support.edition_deprecated),
                deprecation_warning: own.deprecation_warning.clone().or(support.deprecation_warning.clone()),
                edition_removed: own.edition_removed.or(support.edition_removed),
                removal_error: own.removal_error.clone().or(support.removal_error.clone()),
                ..Default::default()
            };
            for fault in support_faults(&merged, &name) {
                self.error("feature-support", place(), fault);
            }
            let later =
                |own: Option<Edition>, of_field: Option<Edition>| of_field.is_some() && own > of_field;
            let what = if merged.edition_introduced < support.edition_introduced {
                "introduced before"
            } else if later(merged.edition_removed, support.edition_removed) {
                "removed after"
            } else if later(merged.edition_deprecated, support.edition_deprecated) {
                "deprecated after"
            } else {
                continue;
            };
            self.error("feature-support", place(), format!("\"{name}\" is {what} \"{field}\""));
        }
    }

    fn editions_field(
        &mut self,
        entry: &Field,
        proto: &FieldDescriptorProto,
        view: FieldView<'_>,
        path: &dyn Fn(&[i32]) -> Path,
    ) {
        if proto.label == Some(Label::LABEL_REQUIRED) {
            self.error("label-in-editions", path(&[4]), "the label `required` does not exist in editions")
                .help
                .replace("set `features.field_presence = LEGACY_REQUIRED`".into());
        }
        if proto.r#type == Some(Type::TYPE_GROUP) {
            self.error("group-in-editions", path(&[5]), "groups do not exist in editions")
                .help
                .replace("set `features.message_encoding = DELIMITED` on a message field".into());
        }
        if entry.packed.is_some() {
            self.error("option-removed", path(&[8, 2]), "the option `packed` does not exist in editions")
                .help
                .replace("set `features.repeated_field_encoding`".into());
        }
        if !view.is_repeated() && !view.has_presence() {
            if proto.default_value.is_some() {
                self.error(
                    "implicit-default",
                    path(&[7]),
                    "fields with implicit presence cannot have a default",
                );
            }
            if matches!(view.kind(), FieldKind::Enum(e) if e.is_closed()) {
                self.error(
                    "implicit-closed-enum",
                    path(&[6]),
                    "fields with implicit presence need an open enum",
                );
            }
        }
        if entry.is_extension && entry.features.field_presence == FieldPresence::LEGACY_REQUIRED {
            self.error("required-extension", path(&[8, 21, 1]), "extensions cannot be required");
        }
        // The key and value fields of a map entry carry the features of the map field, whatever
        // they are; the map field itself is checked.
        if view.containing_message().is_some_and(|m| m.is_map_entry()) {
            return;
        }
        self.explicit_features(entry, view, path);
    }

    fn explicit_features(&mut self, entry: &Field, view: FieldView<'_>, path: &dyn Fn(&[i32]) -> Path) {
        let Features { field_presence, repeated_field_encoding, utf8_validation, message_encoding, .. } =
            entry.own_features;
        let is_message = matches!(view.kind(), FieldKind::Message(_));
        if field_presence != FieldPresence::default() {
            let what = if entry.oneof.is_some() {
                Some("fields of a oneof cannot set `field_presence`")
            } else if view.is_repeated() {
                Some("repeated fields cannot set `field_presence`")
            } else if entry.is_extension && field_presence != FieldPresence::LEGACY_REQUIRED {
                Some("extensions cannot set `field_presence`")
            } else if is_message && field_presence == FieldPresence::IMPLICIT {
                Some("message fields cannot have implicit presence")
            } else {
                None
            };
            if let Some(what) = what {
                self.error("misplaced-feature", path(&[8, 21, 1]), what);
            }
        }
        if !view.is_repeated() && repeated_field_encoding != RepeatedFieldEncoding::default() {
            let what = "only repeated fields can set `repeated_field_encoding`";
            self.error("misplaced-feature", path(&[8, 21, 3]), what);
        } else if !view.is_packable() && repeated_field_encoding == RepeatedFieldEncoding::PACKED {
            let what = "only repeated numbers, booleans and enums can be packed";
            self.error("misplaced-feature", path(&[8, 21, 3]), what);
        }
        if utf8_validation != Utf8Validation::default() && !holds_strings(view) {
            self.error(
                "misplaced-feature",
                path(&[8, 21, 4]),
                "only string fields can set `utf8_validation`",
            );
        }
        if message_encoding != MessageEncoding::default() && (!is_message || view.is_map()) {
            self.error(
                "misplaced-feature",
                path(&[8, 21, 5]),
                "only message fields can set `message_encoding`",
            );
        }
    }

    fn message_field(
        &mut self,
        index: u32,
        entry: &Field,
        view: FieldView<'_>,
        message: MessageView<'_>,
        path: &dyn Fn(&[i32]) -> Path,
    ) {
        if !message.is_map_entry() {
            return;
        }
        let file = self.file;
        if entry.ty == Type::TYPE_GROUP {
            self.error("group-of-map-entry", path(&[5]), "groups cannot be map entries");
            return;
        }
        let is_own = view.is_repeated()
            && !view.is_extension()
            && message.name() == map_entry_name(view.name())
            && message.parent().map(|m| m.id()) == view.containing_message().map(|m| m.id());
        if !is_own {
            self.error(
                "map-entry-as-type",
                path(&[6]),
                format!(
                    "\"{}\" is the entry of a map field and cannot be used as a type",
                    message.full_name()
                ),
            );
        }
        let fields: Vec<FieldView<'_>> = message.fields().collect();
        let well_formed = |field: &FieldView<'_>, number: u32, name: &str| {
            field.number() == number && field.name() == name && !field.is_repeated()
        };
        let [key, value] = &fields[..] else {
            self.error(
                "explicit-map-entry",
                path(&[6]),
                "`map_entry` cannot be set by hand; use `map<K, V>`",
            );
            return;
        };
        if !well_formed(key, 1, "key") || !well_formed(value, 2, "value") {
            self.error(
                "explicit-map-entry",
                path(&[6]),
                "`map_entry` cannot be set by hand; use `map<K, V>`",
            );
            return;
        }
        match key.kind() {
            FieldKind::Enum(_) => {
                self.error("invalid-map-key", path(&[6]), "the key of a map cannot be an enum");
            }
            FieldKind::Message(_) => {
                self.error("invalid-map-key", path(&[6]), "the key of a map cannot be a message");
            }
            FieldKind::Scalar(Type::TYPE_FLOAT | Type::TYPE_DOUBLE | Type::TYPE_BYTES) => {
                let what = "the key of a map has to be an integer, a boolean or a string";
                self.error("invalid-map-key", path(&[6]), what);
            }
            FieldKind::Scalar(_) | FieldKind::Unresolved => {}
        }
        if let FieldKind::Enum(enumeration) = value.kind()
            && enumeration.values().next().is_some_and(|first| first.number() != 0)
        {
            self.error(
                "map-enum-first-value",
                path(&[6]),
                format!("enum \"{}\" has to start with 0 to be the value of a map", enumeration.full_name()),
            );
        }
        debug_assert!((index as usize) < file.fields.len());
    }

    fn message_set_member(&mut self, entry: &Field, view: FieldView<'_>, path: &dyn Fn(&[i32]) -> Path) {
        if !view.containing_message().is_some_and(|m| m.is_message_set()) {
            return;
        }
        if !entry.is_extension {
            self.error("message-set-field", path(&[1]), "message sets cannot have fields, only extensions");
        } else if !matches!(entry.target, Target::Message(_))
            || entry.label != Label::LABEL_OPTIONAL
            || view.is_required()
            || view.is_delimited()
        {
            self.error(
                "message-set-extension",
                path(&[6]),
                "extensions of a message set have to be optional messages",
            );
        }
    }
}

fn is_option_message(name: &str) -> bool {
    matches!(
        name,
        "FileOptions"
            | "MessageOptions"
            | "FieldOptions"
            | "EnumOptions"
            | "EnumValueOptions"
            | "ServiceOptions"
            | "MethodOptions"
            | "OneofOptions"
            | "ExtensionRangeOptions"
            | "StreamOptions"
    )
}

fn holds_strings(view: FieldView<'_>) -> bool {
    let is_string = |f: FieldView<'_>| matches!(f.kind(), FieldKind::Scalar(Type::TYPE_STRING));
    match view.kind() {
        FieldKind::Message(entry) if view.is_map() => entry.fields().any(is_string),
        _ => is_string(view),
    }
}

fn scalar_default_is_valid(ty: Type, text: &str) -> bool {
    match ty {
        Type::TYPE_BOOL => matches!(text, "true" | "false"),
        Type::TYPE_STRING => true,
        Type::TYPE_BYTES => escapes_are_valid(text),
        Type::TYPE_FLOAT | Type::TYPE_DOUBLE => {
            matches!(text, "inf" | "-inf" | "nan" | "-nan") || text.parse::<f64>().is_ok()
        }
        Type::TYPE_INT32 | Type::TYPE_SINT32 | Type::TYPE_SFIXED32 => text.parse::<i32>().is_ok(),
        Type::TYPE_INT64 | Type::TYPE_SINT64 | Type::TYPE_SFIXED64 => text.parse::<i64>().is_ok(),
        Type::TYPE_UINT32 | Type::TYPE_FIXED32 => text.parse::<u32>().is_ok(),
        Type::TYPE_UINT64 | Type::TYPE_FIXED64 => text.parse::<u64>().is_ok(),
        _ => true,
    }
}

fn escapes_are_valid(text: &str) -> bool {
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let fine =
            c != '\\' || chars.next().is_some_and(|e| e.is_digit(8) || "abfnrtvxX?'\"\\uU".contains(e));
        if !fine {
            return false;
        }
    }
    true
}

/// What is wrong with the editions in which an option or a feature may be used.
pub(super) fn support_faults(support: &FeatureSupport, name: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let (introduced, deprecated, removed) =
        (support.edition_introduced, support.edition_deprecated, support.edition_removed);
    if let Some(deprecated) = deprecated {
        if introduced.is_some_and(|introduced| deprecated < introduced) {
            faults.push(format!("\"{name}\" is deprecated before it is introduced"));
        }
        if support.deprecation_warning.is_none() {
            faults.push(format!("\"{name}\" is deprecated without a deprecation warning"));
        }
    } else if support.deprecation_warning.is_some() {
        faults.push(format!("\"{name}\" has a deprecation warning but is not deprecated"));
    }
    if let Some(removed) = removed {
        if deprecated.is_some_and(|deprecated| deprecated >= removed) {
            faults.push(format!("\"{name}\" is deprecated after it is removed"));
        }
        if introduced.is_some_and(|introduced| removed < introduced) {
            faults.push(format!("\"{name}\" is removed before it is introduced"));
        }
        if introduced.unwrap_or_default() != removed && support.removal_error.is_none() {
            faults.push(format!("\"{name}\" is removed without a removal error"));
        }
    } else if support.removal_error.is_some() {
        faults.push(format!("\"{name}\" has a removal error but is not removed"));
    }
    faults
}
