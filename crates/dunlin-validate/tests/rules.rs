//! Rules of schemas, standard ones and others: what holds, what is told, and at which path.

mod common;

use common::{file, message, pool, verdict};
use dunlin_protobuf::Message;
use dunlin_protobuf::wkt::{SourceContext, Timestamp};
use dunlin_validate::proto::{Violation, Violations};
use dunlin_validate::{ValidationError, Validator};

/// What is told of a message with one field: its rules, and its value in JSON.
fn of_field(ty: &str, rules: &str, value: &str) -> String {
    let head = "import \"google/protobuf/any.proto\"; import \"google/protobuf/duration.proto\";
        import \"google/protobuf/field_mask.proto\"; import \"google/protobuf/timestamp.proto\";
        import \"google/protobuf/wrappers.proto\"; enum E { A = 0; B = 1; }";
    let pool =
        pool(&format!("{head} message M {{ {ty} v = 1 [{}]; }}", rules.replace('@', "(buf.validate.field)")));
    let validator = Validator::builder().clock(|| Timestamp { seconds: 100, ..Default::default() }).build();
    verdict(&validator, &pool, &format!("{{\"v\": {value}}}"))
}

#[test]
fn standard_rules_say_what_they_want() {
    for (ty, rules, value, want) in [
        ("int32", "@.int32 = {gt: 1, lt: 5}", "3", ""),
        ("int32", "@.int32 = {gt: 1, lt: 5}", "5", "v: must be greater than 1 and less than 5"),
        (
            "int32",
            "@.int32 = {gte: 5, lte: 1}",
            "3",
            "v: must be greater than or equal to 5 or less than or equal to 1",
        ),
        ("int32", "@.int32 = {gte: 5, lte: 1}", "6", ""),
        ("sint64", "@.sint64.const = -1", "1", "v: must equal -1"),
        ("fixed32", "@.fixed32 = {in: [1, 2]}", "3", "v: must be in list [1, 2]"),
        ("uint64", "@.uint64 = {not_in: [3]}", "3", "v: must not be in list [3]"),
        ("double", "@.double.lt = 1.5", "1.5", "v: must be less than 1.5"),
        ("double", "@.double.gt = 1", "\"NaN\"", "v: must be greater than 1"),
        ("float", "@.float.finite = true", "\"Infinity\"", "v: must be finite"),
        ("bool", "@.bool.const = true", "false", "v: must equal true"),
        ("string", "@.string.len = 2", "\"éé\"", ""),
        ("string", "@.string.max_bytes = 3", "\"éé\"", "v: must be at most 3 bytes"),
        ("string", "@.string.pattern = \"^a+$\"", "\"ab\"", "v: does not match regex pattern `^a+$`"),
        ("string", "@.string.prefix = \"x\"", "\"ax\"", "v: does not have prefix `x`"),
        ("string", "@.string.email = true", "\"a\"", "v: must be a valid email address"),
        ("string", "@.string.email = true", "\"\"", "v: value is empty, which is not a valid email address"),
        ("string", "@.string.email = false", "\"\"", ""),
        (
            "string",
            "@.string = {well_known_regex: KNOWN_REGEX_HTTP_HEADER_NAME}",
            "\"a b\"",
            "v: must be a valid HTTP header name",
        ),
        (
            "string",
            "@.string = {well_known_regex: KNOWN_REGEX_HTTP_HEADER_NAME, strict: false}",
            "\"a b\"",
            "",
        ),
        ("bytes", "@.bytes.suffix = \"\\xff\"", "\"AA==\"", "v: does not have suffix ff"),
        ("bytes", "@.bytes.ipv4 = true", "\"AAAA\"", "v: must be a valid IPv4 address"),
        ("bytes", "@.bytes.contains = \"ab\"", "\"YWFi\"", ""),
        ("E", "@.enum.defined_only = true", "7", "v: value must be one of the defined enum values"),
        ("E", "@.enum = {in: [1]}", "\"A\"", "v: must be in list [1]"),
        (
            "repeated int32",
            "@.repeated = {min_items: 2, unique: true}",
            "[1]",
            "v: must contain at least 2 item(s)",
        ),
        (
            "repeated string",
            "@.repeated.unique = true",
            "[\"a\", \"a\"]",
            "v: repeated value must contain unique items",
        ),
        ("repeated double", "@.repeated.unique = true", "[\"NaN\", \"NaN\", 0]", ""),
        ("repeated int32", "@.repeated.items.int32.gt = 0", "[1, 0]", "v[1]: must be greater than 0"),
        ("map<string, int32>", "@.map = {max_pairs: 0}", "{\"a\": 1}", "v: map must be at most 0 entries"),
        ("map<string, int32>", "@.map.values.int32.gt = 1", "{\"a\": 1}", "v[\"a\"]: must be greater than 1"),
        ("map<uint32, int32>", "@.map.keys.uint32.gt = 7", "{\"7\": 1}", "v[7]: must be greater than 7"),
        (
            "google.protobuf.Duration",
            "@.duration.gt = {nanos: 1000}",
            "\"0s\"",
            "v: must be greater than 0.000001s",
        ),
        (
            "google.protobuf.Timestamp",
            "@.timestamp.lt = {seconds: 1}",
            "\"1970-01-01T00:00:01Z\"",
            "v: must be less than 1970-01-01T00:00:01Z",
        ),
        (
            "google.protobuf.Timestamp",
            "@.timestamp.gt_now = true",
            "\"1970-01-01T00:01:39Z\"",
            "v: must be greater than now",
        ),
        (
            "google.protobuf.Timestamp",
            "@.timestamp.within = {seconds: 1}",
            "\"1970-01-01T00:01:38Z\"",
            "v: must be within 1s of now",
        ),
        (
            "google.protobuf.FieldMask",
            "@.field_mask = {in: [\"a\"]}",
            "\"a.b,ab\"",
            "v: must only contain paths in [a]",
        ),
        (
            "google.protobuf.FieldMask",
            "@.field_mask = {not_in: [\"a\"]}",
            "\"a.b\"",
            "v: must not contain any paths in [a]",
        ),
        ("google.protobuf.Int32Value", "@.int32.gt = 1", "1", "v: must be greater than 1"),
        ("google.protobuf.Int32Value", "@.int32.gt = 1", "null", ""),
        ("string", "@.required = true", "\"\"", "v: value is required"),
        ("optional string", "@.required = true", "\"\"", ""),
        ("string", "@.string.min_len = 1, @.ignore = IGNORE_IF_ZERO_VALUE", "\"\"", ""),
        ("string", "@.string.min_len = 9, @.ignore = IGNORE_ALWAYS", "\"a\"", ""),
        (
            "repeated string",
            "@.repeated.items = {string: {min_len: 2}, ignore: IGNORE_IF_ZERO_VALUE}",
            "[\"\", \"a\"]",
            "v[1]: must be at least 2 characters",
        ),
        (
            "int32",
            "@.cel = {id: \"even\", message: \"must be even\", expression: \"this % 2 == 0\"}",
            "1",
            "v: must be even",
        ),
        (
            "int32",
            "@.cel = {id: \"e\", expression: \"this > 1 ? '' : 'got %d'.format([this])\"}",
            "1",
            "v: got 1",
        ),
        ("int32", "@.cel_expression = \"this > 1\"", "1", "v: \"this > 1\" returned false"),
    ] {
        assert_eq!(of_field(ty, rules, value), want, "{ty} {rules} {value}");
    }
}

#[test]
fn rules_that_make_no_sense_are_faults_of_the_schema() {
    for (ty, rules, reason) in [
        ("int32", "@.int64.gt = 1", "the rules are \"int64\", and for this type \"int32\""),
        ("M", "@.string.len = 1", "for this type none"),
        ("repeated int32", "@.int32.gt = 1", "for this type \"repeated\""),
        ("repeated M", "@.repeated.unique = true", "`unique` is for lists of scalars"),
        ("string", "@.string.pattern = \"(\"", "unclosed group"),
    ] {
        let text = of_field(ty, rules, "null");
        assert!(
            text.starts_with("the rules of t.M cannot be used: field \"v\": ") && text.contains(reason),
            "{text}"
        );
    }
}

#[test]
fn a_violation_has_the_path_of_the_value_and_of_the_rule() {
    let pool = pool(
        "message M { map<string, N> ns = 4; }
         message N { repeated int32 list = 2 [(buf.validate.field).repeated.items.int32 = {gt: 1, lt: 5}]; }",
    );
    let error =
        Validator::default().validate(&message(&pool, r#"{"ns": {"k": {"list": [2, 9]}}}"#)).unwrap_err();
    let Violation { field, rule, rule_id, for_key, .. } = error.violations().unwrap().violations[0].clone();
    let (field, rule) = (field.unwrap(), rule.unwrap());
    assert_eq!(field.to_string(), "ns[\"k\"].list[1]");
    assert_eq!(rule.to_string(), "repeated.items.int32.gt");
    assert_eq!((rule_id.as_deref(), for_key), (Some("int32.gt_lt"), None));
    let first = &field.elements[0];
    let types = [first.field_type, first.key_type, first.value_type].map(|ty| ty.unwrap().name().unwrap());
    assert_eq!((first.field_number(), types), (4, ["TYPE_MESSAGE", "TYPE_STRING", "TYPE_MESSAGE"]));
    // It is a message, and survives being sent.
    let violations = error.violations().unwrap();
    assert_eq!(Violations::decode(&violations.encode_to_vec()).as_ref(), Ok(violations));
}

#[test]
fn a_violation_of_a_key_says_so() {
    let pool =
        pool("message M { map<string, int32> m = 1 [(buf.validate.field).map.keys.string.min_len = 2]; }");
    let error = Validator::default().validate(&message(&pool, r#"{"m": {"k": 1}}"#)).unwrap_err();
    let violation = &error.violations().unwrap().violations[0];
    assert_eq!(violation.for_key, Some(true));
    assert_eq!(violation.rule.as_ref().unwrap().to_string(), "map.keys.string.min_len");
}

#[test]
fn oneofs_and_groups_of_fields_may_have_to_be_set() {
    let pool = pool(
        "message M {
           option (buf.validate.message).oneof = {fields: [\"a\", \"b\"], required: true};
           string a = 1; string b = 2 [(buf.validate.field).string.min_len = 3];
           oneof c { option (buf.validate.oneof).required = true; string d = 3; string e = 4; }
         }",
    );
    let check = |json| verdict(&Validator::default(), &pool, json);
    assert_eq!(check("{}"), "one of a, b must be set; c: exactly one field is required in oneof");
    assert_eq!(check(r#"{"a": "x", "b": "xyz", "d": ""}"#), "only one of a, b can be set");
    // A member of a group that is not set is not looked at.
    assert_eq!(check(r#"{"a": "x", "d": ""}"#), "");
    assert_eq!(check(r#"{"b": "x", "d": ""}"#), "b: must be at least 3 characters");
}

#[test]
fn a_schema_adds_rules_by_extensions_with_expressions() {
    let pool = file(
        "edition = \"2023\"; package t; import \"buf/validate/validate.proto\";
         extend buf.validate.Int32Rules {
           int32 multiple = 50000 [(buf.validate.predefined).cel = {
             id: \"int32.multiple\",
             expression: \"this % rule == 0 ? '' : 'must be a multiple of %s, above %s'.format([rule, rules.gt])\"
           }];
         }
         message M { int32 v = 1 [(buf.validate.field).int32 = {[t.multiple]: 3, gt: 1}]; }",
    );
    assert_eq!(verdict(&Validator::default(), &pool, "{\"v\": 6}"), "");
    let error = Validator::default().validate(&message(&pool, "{\"v\": 4}")).unwrap_err();
    assert_eq!(error.to_string(), "v: must be a multiple of 3, above 1");
    let violation = &error.violations().unwrap().violations[0];
    assert_eq!(violation.rule.as_ref().unwrap().to_string(), "int32.[t.multiple]");
}

#[test]
fn a_generated_message_is_validated_by_the_descriptors_that_the_validator_was_given() {
    let rules = "(buf.validate.field).string.prefix = \"a\"";
    let pool = file(&format!(
        "syntax = \"proto3\"; package google.protobuf; import \"buf/validate/validate.proto\";
         message SourceContext {{ string file_name = 1 [{rules}]; }}"
    ));
    let validator = Validator::new(pool);
    assert_eq!(validator.validate(&SourceContext { file_name: "a".into(), ..Default::default() }), Ok(()));
    let error = validator.validate(&SourceContext::default()).unwrap_err();
    assert_eq!(error.to_string(), "file_name: does not have prefix `a`");
}

#[test]
fn a_generated_message_without_descriptors_is_not_taken_for_valid() {
    let error = Validator::default().validate(&dunlin_validate::proto::Rule::default()).unwrap_err();
    let message = "buf.validate.Rule".to_owned();
    assert_eq!(error, ValidationError::UnknownType { message });
}

#[test]
fn a_pool_that_keeps_no_options_is_not_taken_for_one_without_rules() {
    use dunlin_compiler::{Compiler, loader::Sources};
    let sources = Sources::new().file("t.proto", "syntax = \"proto3\"; package t; message M {}");
    let pool = Compiler::new(sources).compile(["t.proto"]).unwrap().into_pool();
    let pool = dunlin_protobuf::dynamic::DynamicPool::new(pool);
    let error = Validator::default().validate(&message(&pool, "{}")).unwrap_err();
    assert!(matches!(error, ValidationError::UnknownType { .. }), "{error}");
}

#[test]
fn a_rule_that_no_descriptor_is_known_of_is_an_error_unless_that_is_allowed() {
    use dunlin_protobuf::descriptor::{DescriptorMessage, FileDescriptorSet};
    let with = file(
        "syntax = \"proto2\"; package t; import \"buf/validate/validate.proto\";
         extend buf.validate.Int32Rules { optional int32 odd = 50000; }
         message M { optional int32 v = 1 [(buf.validate.field).int32.(t.odd) = 3]; }",
    );
    // The same file without the extension, whose value stays behind.
    let mut set = FileDescriptorSet::default();
    for view in with.descriptors().files() {
        let mut proto = view.proto().unwrap().clone();
        proto.extension.retain(|extension| extension.name.as_deref() != Some("odd"));
        set.file.push(proto);
    }
    let set = FileDescriptorSet::decode(&set.encode_to_vec()).unwrap();
    let pool = dunlin_protobuf::dynamic::DynamicPool::from_file_descriptor_set(set).unwrap();
    let text = verdict(&Validator::default(), &pool, "{\"v\": 1}");
    assert!(text.contains("buf.validate.Int32Rules has the rule 50000, which is not known"), "{text}");
    let lenient = Validator::builder().allow_unknown_rules(true).build();
    assert_eq!(verdict(&lenient, &pool, "{\"v\": 1}"), "");
}

#[test]
fn limits_end_a_validation() {
    let pool = pool(
        "message M { M m = 1; repeated int32 list = 2 [(buf.validate.field).repeated.items.int32.gt = 1]; }",
    );
    let count = |validator: Validator| {
        let error = validator.validate(&message(&pool, "{\"list\": [0, 0, 0, 0]}")).unwrap_err();
        error.violations().unwrap().violations.len()
    };
    assert_eq!(count(Validator::default()), 4);
    assert_eq!(count(Validator::builder().max_violations(2).build()), 2);
    assert_eq!(count(Validator::builder().fail_fast(true).build()), 1);
    let shallow = Validator::builder().max_depth(2).build();
    assert_eq!(verdict(&shallow, &pool, "{\"m\": {}}"), "");
    assert_eq!(
        verdict(&shallow, &pool, "{\"m\": {\"m\": {}}}"),
        "messages are nested deeper than max_depth, 2"
    );
}

#[test]
fn more_types_than_are_kept_are_compiled_again_when_they_come() {
    let pool = pool(
        "message M { string s = 1 [(buf.validate.field).string.len = 1]; }
         message A { M m = 1; } message B { M m = 1; A a = 2; }",
    );
    let validator = Validator::builder().max_types(2).build();
    for _ in 0..2 {
        for name in ["t.M", "t.A", "t.B"] {
            let mut found = dunlin_protobuf::dynamic::DynamicMessage::new(pool.message(name).unwrap());
            let json = if name == "t.M" { "{}" } else { "{\"m\": {}}" };
            dunlin_protobuf::json::DecodeOptions::new().merge(&mut found, json).unwrap();
            let error = validator.validate(&found).unwrap_err().to_string();
            assert!(error.ends_with("s: must be 1 characters"), "{name}: {error}");
        }
    }
}

#[test]
fn a_validator_is_shared_between_threads() {
    fn is_shared<T: Send + Sync + 'static>() {}
    is_shared::<Validator>();
    is_shared::<ValidationError>();
}

#[test]
fn text_that_need_not_be_utf8_is_text_to_rules() {
    let pool = file(
        "syntax = \"proto2\"; package t; import \"buf/validate/validate.proto\";
         message M {
           optional string s = 1 [(buf.validate.field).string.len = 4];
           repeated string list = 2 [(buf.validate.field).repeated.items.string.min_len = 1];
           map<string, string> map = 3 [(buf.validate.field).map.keys.string.max_len = 1];
           optional string cel = 4 [(buf.validate.field).cel_expression = \"this.size() == 1 && this == '\\xc3\\xa9'\"];
           repeated string cels = 5 [(buf.validate.field).ignore = IGNORE_IF_ZERO_VALUE, (buf.validate.field).cel_expression = \"this.all(s, s.size() == 1) && 'a' in this\"];
           map<string, string> cel_map = 6 [(buf.validate.field).ignore = IGNORE_IF_ZERO_VALUE, (buf.validate.field).cel_expression = \"'a' in this && this['a'] == 'b'\"];
         }",
    );
    for (bytes, want) in [
        (&b"\x0a\x04caf\xe9"[..], ""),
        (b"\x0a\x03caf", "s: must be 4 characters"),
        (b"\x12\x01\xff\x12\x01a", ""),
        (b"\x12\x01\xff\x12\x00", "list[1]: must be at least 1 characters"),
        (b"\x1a\x06\x0a\x01\xff\x12\x01\xff", ""),
        (b"\x1a\x07\x0a\x02a\xff\x12\x01\xff", "map[\"a\u{fffd}\"]: must be at most 1 characters"),
        (b"\x22\x02\xc3\xa9", ""),
        (b"\x22\x01\xff", "cel: \"this.size() == 1 && this == '\u{e9}'\" returned false"),
        (b"\x2a\x01a\x2a\x01\xff", ""),
        (b"\x2a\x02aa\x2a\x01\xff", "cels: \"this.all(s, s.size() == 1) && 'a' in this\" returned false"),
        (b"\x32\x06\x0a\x01a\x12\x01b\x32\x06\x0a\x01\xff\x12\x01\xff", ""),
        (b"\x32\x06\x0a\x01\xff\x12\x01b", "cel_map: \"'a' in this && this['a'] == 'b'\" returned false"),
    ] {
        let table = pool.message("t.M").unwrap();
        let found = dunlin_protobuf::dynamic::DynamicMessage::decode(table, bytes).unwrap();
        let verdict = Validator::default().validate(&found).err().map(|error| error.to_string());
        assert_eq!(verdict.unwrap_or_default(), want, "{bytes:x?}");
    }
}
