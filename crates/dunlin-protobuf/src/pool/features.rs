//! Features of editions: defaults, explicit settings, inheritance.

use crate::descriptor::{
    DefaultSymbolVisibility, Edition, EnforceNamingStyle, EnforceProtoLimits, EnumType, FeatureSet,
    FieldPresence, JsonFormat, MessageEncoding, RepeatedFieldEncoding, Utf8Validation,
};

/// The nine features of the language, resolved or as set on one element.
///
/// A member that is zero (the `..._UNKNOWN` value of its enum) is not set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// How the presence of singular fields is tracked.
    pub field_presence: FieldPresence,
    /// Open or closed enums.
    pub enum_type: EnumType,
    /// Packed or expanded repeated scalars.
    pub repeated_field_encoding: RepeatedFieldEncoding,
    /// Whether strings are checked to be UTF-8.
    pub utf8_validation: Utf8Validation,
    /// Length-prefixed or delimited message fields.
    pub message_encoding: MessageEncoding,
    /// Whether ProtoJSON is guaranteed to work.
    pub json_format: JsonFormat,
    /// The naming style that is enforced.
    pub enforce_naming_style: EnforceNamingStyle,
    /// The visibility of types that do not say theirs.
    pub default_symbol_visibility: DefaultSymbolVisibility,
    /// The size limits that are enforced.
    pub enforce_proto_limits: EnforceProtoLimits,
}

impl Features {
    /// What holds in `edition` where nothing is set; `None` for an edition that does not exist.
    pub fn defaults(edition: Edition) -> Option<Self> {
        let proto2 = Self {
            field_presence: FieldPresence::EXPLICIT,
            enum_type: EnumType::CLOSED,
            repeated_field_encoding: RepeatedFieldEncoding::EXPANDED,
            utf8_validation: Utf8Validation::NONE,
            message_encoding: MessageEncoding::LENGTH_PREFIXED,
            json_format: JsonFormat::LEGACY_BEST_EFFORT,
            enforce_naming_style: EnforceNamingStyle::STYLE_LEGACY,
            default_symbol_visibility: DefaultSymbolVisibility::EXPORT_ALL,
            enforce_proto_limits: EnforceProtoLimits::LEGACY_NO_EXPLICIT_LIMITS,
        };
        let proto3 = Self {
            field_presence: FieldPresence::IMPLICIT,
            enum_type: EnumType::OPEN,
            repeated_field_encoding: RepeatedFieldEncoding::PACKED,
            utf8_validation: Utf8Validation::VERIFY,
            json_format: JsonFormat::ALLOW,
            ..proto2
        };
        let edition2023 = Self { field_presence: FieldPresence::EXPLICIT, ..proto3 };
        let edition2024 = Self {
            enforce_naming_style: EnforceNamingStyle::STYLE2024,
            default_symbol_visibility: DefaultSymbolVisibility::EXPORT_TOP_LEVEL,
            ..edition2023
        };
        let edition2026 = Self {
            enforce_naming_style: EnforceNamingStyle::STYLE2026,
            default_symbol_visibility: DefaultSymbolVisibility::STRICT,
            enforce_proto_limits: EnforceProtoLimits::PROTO_LIMITS2026,
            ..edition2024
        };
        Some(match edition {
            Edition::EDITION_PROTO2 => proto2,
            Edition::EDITION_PROTO3 => proto3,
            Edition::EDITION_2023 => edition2023,
            Edition::EDITION_2024 => edition2024,
            Edition::EDITION_2026 | Edition::EDITION_UNSTABLE => edition2026,
            _ => return None,
        })
    }

    /// What `set` says itself.
    pub fn explicit(set: &FeatureSet) -> Self {
        Self {
            field_presence: set.field_presence.unwrap_or_default(),
            enum_type: set.enum_type.unwrap_or_default(),
            repeated_field_encoding: set.repeated_field_encoding.unwrap_or_default(),
            utf8_validation: set.utf8_validation.unwrap_or_default(),
            message_encoding: set.message_encoding.unwrap_or_default(),
            json_format: set.json_format.unwrap_or_default(),
            enforce_naming_style: set.enforce_naming_style.unwrap_or_default(),
            default_symbol_visibility: set.default_symbol_visibility.unwrap_or_default(),
            enforce_proto_limits: set.enforce_proto_limits.unwrap_or_default(),
        }
    }

    /// These features, with everything that `child` sets put on top.
    #[must_use]
    pub fn merged(self, child: Self) -> Self {
        fn pick<T: Default + PartialEq>(parent: T, child: T) -> T {
            if child == T::default() { parent } else { child }
        }
        Self {
            field_presence: pick(self.field_presence, child.field_presence),
            enum_type: pick(self.enum_type, child.enum_type),
            repeated_field_encoding: pick(self.repeated_field_encoding, child.repeated_field_encoding),
            utf8_validation: pick(self.utf8_validation, child.utf8_validation),
            message_encoding: pick(self.message_encoding, child.message_encoding),
            json_format: pick(self.json_format, child.json_format),
            enforce_naming_style: pick(self.enforce_naming_style, child.enforce_naming_style),
            default_symbol_visibility: pick(self.default_symbol_visibility, child.default_symbol_visibility),
            enforce_proto_limits: pick(self.enforce_proto_limits, child.enforce_proto_limits),
        }
    }

    /// The features of `set` that are present but do not name a known value, by field name.
    pub(crate) fn unresolvable(set: &FeatureSet) -> Option<&'static str> {
        fn bad(value: Option<i32>, name: Option<&str>) -> bool {
            value.is_some_and(|number| number == 0 || name.is_none())
        }
        macro_rules! first_bad {
            ($($field:ident),*) => {
                $( if bad(set.$field.map(|v| v.0), set.$field.and_then(|v| v.name())) {
                    return Some(stringify!($field));
                } )*
            };
        }
        first_bad!(
            field_presence,
            enum_type,
            repeated_field_encoding,
            utf8_validation,
            message_encoding,
            json_format,
            enforce_naming_style,
            default_symbol_visibility,
            enforce_proto_limits
        );
        None
    }
}

/// True for proto2 and proto3.
pub(crate) fn is_legacy(edition: Edition) -> bool {
    edition < Edition::EDITION_2023
}
