//! The messages of `google/protobuf/descriptor.proto`: schemas as data.
//!
//! Names, numbers and meaning are those of the schema. Enums are open: a number with named
//! constants. Options hold what the schema declares as members and everything else, custom options
//! among it, in `unknown_fields`.
#![allow(missing_docs)] // The members are documented by the schema they mirror.

pub(crate) mod codec;
mod message;

pub use message::{DescriptorMessage, Lengths};

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use codec::{enums, messages};

messages! {
    /// A set of files, dependencies before their users.
    FileDescriptorSet {
        1 file: repeated_message Vec<FileDescriptorProto>,
    }

    /// One schema file.
    FileDescriptorProto {
        1 name: text Option<String>,
        2 package: text Option<String>,
        3 dependency: repeated_text Vec<String>,
        4 message_type: repeated_message Vec<DescriptorProto>,
        5 enum_type: repeated_message Vec<EnumDescriptorProto>,
        6 service: repeated_message Vec<ServiceDescriptorProto>,
        7 extension: repeated_message Vec<FieldDescriptorProto>,
        8 options: message Option<Box<FileOptions>>,
        9 source_code_info: message Option<Box<SourceCodeInfo>>,
        10 public_dependency: repeated_varint Vec<i32>,
        11 weak_dependency: repeated_varint Vec<i32>,
        12 syntax: text Option<String>,
        14 edition: varint Option<Edition>,
        15 option_dependency: repeated_text Vec<String>,
    }

    /// A message type.
    DescriptorProto {
        1 name: text Option<String>,
        2 field: repeated_message Vec<FieldDescriptorProto>,
        3 nested_type: repeated_message Vec<DescriptorProto>,
        4 enum_type: repeated_message Vec<EnumDescriptorProto>,
        5 extension_range: repeated_message Vec<ExtensionRange>,
        6 extension: repeated_message Vec<FieldDescriptorProto>,
        7 options: message Option<Box<MessageOptions>>,
        8 oneof_decl: repeated_message Vec<OneofDescriptorProto>,
        9 reserved_range: repeated_message Vec<ReservedRange>,
        10 reserved_name: repeated_text Vec<String>,
        11 visibility: varint Option<SymbolVisibility>,
    }

    /// Field numbers set aside for extensions.
    ExtensionRange {
        1 start: varint Option<i32>,
        2 end: varint Option<i32>,
        3 options: message Option<Box<ExtensionRangeOptions>>,
    }

    /// Field numbers that may not be used again.
    ReservedRange {
        1 start: varint Option<i32>,
        2 end: varint Option<i32>,
    }

    /// Options of an extension range.
    ExtensionRangeOptions {
        2 declaration: repeated_message Vec<Declaration>,
        3 verification: varint Option<VerificationState>,
        50 features: message Option<Box<FeatureSet>>,
        999 uninterpreted_option: repeated_message Vec<UninterpretedOption>,
    }

    /// An extension that a range announces.
    Declaration {
        1 number: varint Option<i32>,
        2 full_name: text Option<String>,
        3 r#type: text Option<String>,
        5 reserved: varint Option<bool>,
        6 repeated: varint Option<bool>,
    }

    /// A field of a message, or an extension.
    FieldDescriptorProto {
        1 name: text Option<String>,
        2 extendee: text Option<String>,
        3 number: varint Option<i32>,
        4 label: varint Option<Label>,
        5 r#type: varint Option<Type>,
        6 type_name: text Option<String>,
        /// The default as text. Bytes, because a string literal in a source may hold any bytes.
        7 default_value: text Option<Vec<u8>>,
        8 options: message Option<Box<FieldOptions>>,
        9 oneof_index: varint Option<i32>,
        10 json_name: text Option<String>,
        17 proto3_optional: varint Option<bool>,
    }

    /// A oneof.
    OneofDescriptorProto {
        1 name: text Option<String>,
        2 options: message Option<Box<OneofOptions>>,
    }

    /// An enum type.
    EnumDescriptorProto {
        1 name: text Option<String>,
        2 value: repeated_message Vec<EnumValueDescriptorProto>,
        3 options: message Option<Box<EnumOptions>>,
        4 reserved_range: repeated_message Vec<EnumReservedRange>,
        5 reserved_name: repeated_text Vec<String>,
        6 visibility: varint Option<SymbolVisibility>,
    }

    /// Enum numbers that may not be used again; both ends belong to it.
    EnumReservedRange {
        1 start: varint Option<i32>,
        2 end: varint Option<i32>,
    }

    /// A value of an enum.
    EnumValueDescriptorProto {
        1 name: text Option<String>,
        2 number: varint Option<i32>,
        3 options: message Option<Box<EnumValueOptions>>,
    }

    /// A service.
    ServiceDescriptorProto {
        1 name: text Option<String>,
        2 method: repeated_message Vec<MethodDescriptorProto>,
        3 options: message Option<Box<ServiceOptions>>,
    }

    /// A method of a service.
    MethodDescriptorProto {
        1 name: text Option<String>,
        2 input_type: text Option<String>,
        3 output_type: text Option<String>,
        4 options: message Option<Box<MethodOptions>>,
        5 client_streaming: varint Option<bool>,
        6 server_streaming: varint Option<bool>,
    }

    /// Options of a file.
    FileOptions {
        1 java_package: text Option<String>,
        8 java_outer_classname: text Option<String>,
        9 optimize_for: varint Option<OptimizeMode>,
        10 java_multiple_files: varint Option<bool>,
        11 go_package: text Option<String>,
        16 cc_generic_services: varint Option<bool>,
        17 java_generic_services: varint Option<bool>,
        18 py_generic_services: varint Option<bool>,
        20 java_generate_equals_and_hash: varint Option<bool>,
        23 deprecated: varint Option<bool>,
        27 java_string_check_utf8: varint Option<bool>,
        31 cc_enable_arenas: varint Option<bool>,
        36 objc_class_prefix: text Option<String>,
        37 csharp_namespace: text Option<String>,
        39 swift_prefix: text Option<String>,
        40 php_class_prefix: text Option<String>,
        41 php_namespace: text Option<String>,
        44 php_metadata_namespace: text Option<String>,
        45 ruby_package: text Option<String>,
        50 features: message Option<Box<FeatureSet>>,
        999 uninterpreted_option: repeated_message Vec<UninterpretedOption>,
    }

    /// Options of a message.
    MessageOptions {
        1 message_set_wire_format: varint Option<bool>,
        2 no_standard_descriptor_accessor: varint Option<bool>,
        3 deprecated: varint Option<bool>,
        7 map_entry: varint Option<bool>,
        11 deprecated_legacy_json_field_conflicts: varint Option<bool>,
        12 features: message Option<Box<FeatureSet>>,
        999 uninterpreted_option: repeated_message Vec<UninterpretedOption>,
    }

    /// Options of a field.
    FieldOptions {
        1 ctype: varint Option<CType>,
        2 packed: varint Option<bool>,
        3 deprecated: varint Option<bool>,
        5 lazy: varint Option<bool>,
        6 jstype: varint Option<JsType>,
        10 weak: varint Option<bool>,
        15 unverified_lazy: varint Option<bool>,
        16 debug_redact: varint Option<bool>,
        17 retention: varint Option<OptionRetention>,
        19 targets: repeated_varint Vec<OptionTargetType>,
        20 edition_defaults: repeated_message Vec<EditionDefault>,
        21 features: message Option<Box<FeatureSet>>,
        22 feature_support: message Option<Box<FeatureSupport>>,
        999 uninterpreted_option: repeated_message Vec<UninterpretedOption>,
    }

    /// The default of a feature from an edition on.
    EditionDefault {
        2 value: text Option<String>,
        3 edition: varint Option<Edition>,
    }

    /// The editions in which something may be used.
    FeatureSupport {
        1 edition_introduced: varint Option<Edition>,
        2 edition_deprecated: varint Option<Edition>,
        3 deprecation_warning: text Option<String>,
        4 edition_removed: varint Option<Edition>,
        5 removal_error: text Option<String>,
    }

    /// Options of a oneof.
    OneofOptions {
        1 features: message Option<Box<FeatureSet>>,
        999 uninterpreted_option: repeated_message Vec<UninterpretedOption>,
    }

    /// Options of an enum.
    EnumOptions {
        2 allow_alias: varint Option<bool>,
        3 deprecated: varint Option<bool>,
        6 deprecated_legacy_json_field_conflicts: varint Option<bool>,
        7 features: message Option<Box<FeatureSet>>,
        999 uninterpreted_option: repeated_message Vec<UninterpretedOption>,
    }

    /// Options of an enum value.
    EnumValueOptions {
        1 deprecated: varint Option<bool>,
        2 features: message Option<Box<FeatureSet>>,
        3 debug_redact: varint Option<bool>,
        4 feature_support: message Option<Box<FeatureSupport>>,
        999 uninterpreted_option: repeated_message Vec<UninterpretedOption>,
    }

    /// Options of a service.
    ServiceOptions {
        33 deprecated: varint Option<bool>,
        34 features: message Option<Box<FeatureSet>>,
        999 uninterpreted_option: repeated_message Vec<UninterpretedOption>,
    }

    /// Options of a method.
    MethodOptions {
        33 deprecated: varint Option<bool>,
        34 idempotency_level: varint Option<IdempotencyLevel>,
        35 features: message Option<Box<FeatureSet>>,
        999 uninterpreted_option: repeated_message Vec<UninterpretedOption>,
    }

    /// An option whose name has not been resolved yet.
    UninterpretedOption {
        2 name: repeated_message Vec<NamePart>,
        3 identifier_value: text Option<String>,
        4 positive_int_value: varint Option<u64>,
        5 negative_int_value: varint Option<i64>,
        6 double_value: double Option<f64>,
        7 string_value: text Option<Vec<u8>>,
        8 aggregate_value: text Option<String>,
    }

    /// A part of an option name.
    NamePart {
        1 name_part: text Option<String>,
        2 is_extension: varint Option<bool>,
    }

    /// Features set on an element, or resolved for it.
    FeatureSet {
        1 field_presence: varint Option<FieldPresence>,
        2 enum_type: varint Option<EnumType>,
        3 repeated_field_encoding: varint Option<RepeatedFieldEncoding>,
        4 utf8_validation: varint Option<Utf8Validation>,
        5 message_encoding: varint Option<MessageEncoding>,
        6 json_format: varint Option<JsonFormat>,
        7 enforce_naming_style: varint Option<EnforceNamingStyle>,
        8 default_symbol_visibility: varint Option<DefaultSymbolVisibility>,
        9 enforce_proto_limits: varint Option<EnforceProtoLimits>,
    }

    /// Namespace of [`DefaultSymbolVisibility`].
    VisibilityFeature {
    }

    /// Namespace of [`EnforceProtoLimits`].
    ProtoLimitsFeature {
    }

    /// The features of every edition.
    FeatureSetDefaults {
        1 defaults: repeated_message Vec<FeatureSetEditionDefault>,
        4 minimum_edition: varint Option<Edition>,
        5 maximum_edition: varint Option<Edition>,
    }

    /// The features of the editions from one on.
    FeatureSetEditionDefault {
        3 edition: varint Option<Edition>,
        4 overridable_features: message Option<Box<FeatureSet>>,
        5 fixed_features: message Option<Box<FeatureSet>>,
    }

    /// Where everything stands in the source.
    SourceCodeInfo {
        1 location: repeated_message Vec<Location>,
    }

    /// The span and the comments of one element.
    Location {
        1 path: packed_varint Vec<i32>,
        2 span: packed_varint Vec<i32>,
        3 leading_comments: text Option<String>,
        4 trailing_comments: text Option<String>,
        6 leading_detached_comments: repeated_text Vec<String>,
    }

    /// How generated text maps to descriptors.
    GeneratedCodeInfo {
        1 annotation: repeated_message Vec<Annotation>,
    }

    /// One span of generated text.
    Annotation {
        1 path: packed_varint Vec<i32>,
        2 source_file: text Option<String>,
        3 begin: varint Option<i32>,
        4 end: varint Option<i32>,
        5 semantic: varint Option<Semantic>,
    }
}

enums! {
    /// Whether every extension of a range has to be declared.
    VerificationState {
        DECLARATION = 0,
        UNVERIFIED = 1,
    }

    /// The type of a field.
    Type {
        TYPE_DOUBLE = 1,
        TYPE_FLOAT = 2,
        TYPE_INT64 = 3,
        TYPE_UINT64 = 4,
        TYPE_INT32 = 5,
        TYPE_FIXED64 = 6,
        TYPE_FIXED32 = 7,
        TYPE_BOOL = 8,
        TYPE_STRING = 9,
        TYPE_GROUP = 10,
        TYPE_MESSAGE = 11,
        TYPE_BYTES = 12,
        TYPE_UINT32 = 13,
        TYPE_ENUM = 14,
        TYPE_SFIXED32 = 15,
        TYPE_SFIXED64 = 16,
        TYPE_SINT32 = 17,
        TYPE_SINT64 = 18,
    }

    /// How many values a field has.
    Label {
        LABEL_OPTIONAL = 1,
        LABEL_REPEATED = 3,
        LABEL_REQUIRED = 2,
    }

    /// What generated code is optimised for.
    OptimizeMode {
        SPEED = 1,
        CODE_SIZE = 2,
        LITE_RUNTIME = 3,
    }

    /// How C++ holds a string field.
    CType {
        STRING = 0,
        CORD = 1,
        STRING_PIECE = 2,
    }

    /// How JavaScript holds a 64-bit integer.
    JsType {
        JS_NORMAL = 0,
        JS_STRING = 1,
        JS_NUMBER = 2,
    }

    /// How far an option is kept.
    OptionRetention {
        RETENTION_UNKNOWN = 0,
        RETENTION_RUNTIME = 1,
        RETENTION_SOURCE = 2,
    }

    /// Which kind of element an option may be set on.
    OptionTargetType {
        TARGET_TYPE_UNKNOWN = 0,
        TARGET_TYPE_FILE = 1,
        TARGET_TYPE_EXTENSION_RANGE = 2,
        TARGET_TYPE_MESSAGE = 3,
        TARGET_TYPE_FIELD = 4,
        TARGET_TYPE_ONEOF = 5,
        TARGET_TYPE_ENUM = 6,
        TARGET_TYPE_ENUM_ENTRY = 7,
        TARGET_TYPE_SERVICE = 8,
        TARGET_TYPE_METHOD = 9,
    }

    /// Whether a method may be repeated.
    IdempotencyLevel {
        IDEMPOTENCY_UNKNOWN = 0,
        NO_SIDE_EFFECTS = 1,
        IDEMPOTENT = 2,
    }

    /// How the presence of a singular field is tracked.
    FieldPresence {
        FIELD_PRESENCE_UNKNOWN = 0,
        EXPLICIT = 1,
        IMPLICIT = 2,
        LEGACY_REQUIRED = 3,
    }

    /// Whether unknown numbers are values of an enum.
    EnumType {
        ENUM_TYPE_UNKNOWN = 0,
        OPEN = 1,
        CLOSED = 2,
    }

    /// How repeated scalars are written.
    RepeatedFieldEncoding {
        REPEATED_FIELD_ENCODING_UNKNOWN = 0,
        PACKED = 1,
        EXPANDED = 2,
    }

    /// Whether strings are checked.
    Utf8Validation {
        UTF8_VALIDATION_UNKNOWN = 0,
        VERIFY = 2,
        NONE = 3,
    }

    /// How a message field is written.
    MessageEncoding {
        MESSAGE_ENCODING_UNKNOWN = 0,
        LENGTH_PREFIXED = 1,
        DELIMITED = 2,
    }

    /// Whether ProtoJSON is supported for certain.
    JsonFormat {
        JSON_FORMAT_UNKNOWN = 0,
        ALLOW = 1,
        LEGACY_BEST_EFFORT = 2,
    }

    /// Which naming style is enforced.
    EnforceNamingStyle {
        ENFORCE_NAMING_STYLE_UNKNOWN = 0,
        STYLE2024 = 1,
        STYLE_LEGACY = 2,
        STYLE2026 = 3,
    }

    /// What is visible outside its file when nothing is written.
    DefaultSymbolVisibility {
        DEFAULT_SYMBOL_VISIBILITY_UNKNOWN = 0,
        EXPORT_ALL = 1,
        EXPORT_TOP_LEVEL = 2,
        LOCAL_ALL = 3,
        STRICT = 4,
    }

    /// Which size limits are enforced.
    EnforceProtoLimits {
        PROTO_LIMITS_UNKNOWN = 0,
        LEGACY_NO_EXPLICIT_LIMITS = 1,
        PROTO_LIMITS2026 = 2,
    }

    /// What generated code does with the annotated element.
    Semantic {
        NONE = 0,
        SET = 1,
        ALIAS = 2,
    }

    /// An edition of the language.
    Edition {
        EDITION_UNKNOWN = 0,
        EDITION_LEGACY = 900,
        EDITION_PROTO2 = 998,
        EDITION_PROTO3 = 999,
        EDITION_2023 = 1000,
        EDITION_2024 = 1001,
        EDITION_2026 = 1002,
        EDITION_UNSTABLE = 9999,
        EDITION_1_TEST_ONLY = 1,
        EDITION_2_TEST_ONLY = 2,
        EDITION_99997_TEST_ONLY = 99997,
        EDITION_99998_TEST_ONLY = 99998,
        EDITION_99999_TEST_ONLY = 99999,
        EDITION_MAX = 2147483647,
    }

    /// Visibility written before a type.
    SymbolVisibility {
        VISIBILITY_UNSET = 0,
        VISIBILITY_LOCAL = 1,
        VISIBILITY_EXPORT = 2,
    }
}
