//! The wire format by example: bytes that the specification's guide shows, and the cases that go
//! wrong most often.

use std::sync::Arc;

use dunlin_compiler::Compiler;
use dunlin_compiler::loader::Sources;
use dunlin_protobuf::dynamic::{DynamicMessage, DynamicPool};
use dunlin_protobuf::slot::SlotRef;
use dunlin_protobuf::table::{FieldTable, Kind, Shape};
use dunlin_protobuf::wkt::{
    Api, Int32Value, MessageOptions, StringValue, Struct, StructView, Timestamp, Value,
};
use dunlin_protobuf::{
    DecodeError, DecodeErrorKind, DecodeOptions, Extend, Extension, LimitError, Limits, Message, Reflect,
    Registry, json,
};

/// The types of a file, given without its first line.
fn compile(syntax: &str, body: &str) -> Arc<DynamicPool> {
    let sources = Sources::new().file("t.proto", format!("{syntax}\npackage t;\n{body}"));
    DynamicPool::new(Compiler::new(sources).compile(["t.proto"]).unwrap().into_pool())
}

fn proto3(body: &str) -> Arc<DynamicPool> {
    compile("syntax = \"proto3\";", body)
}

fn proto2(body: &str) -> Arc<DynamicPool> {
    compile("syntax = \"proto2\";", body)
}

/// The bytes of the message `t.M` with this JSON.
fn encode(pool: &Arc<DynamicPool>, text: &str) -> Vec<u8> {
    let mut message = DynamicMessage::new(pool.message("t.M").unwrap());
    json::DecodeOptions::new().merge(&mut message, text).unwrap();
    message.encode_to_vec()
}

fn decode(pool: &Arc<DynamicPool>, bytes: &[u8]) -> Result<DynamicMessage, DecodeError> {
    DynamicMessage::decode(pool.message("t.M").unwrap(), bytes)
}

/// The JSON of the message `t.M` with these bytes.
fn read(pool: &Arc<DynamicPool>, bytes: &[u8]) -> String {
    json::to_string(&decode(pool, bytes).unwrap()).unwrap()
}

fn kind(result: Result<DynamicMessage, DecodeError>) -> DecodeErrorKind {
    result.unwrap_err().kind().clone()
}

/// A field with its length in front.
fn len(tag: u8, value: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let mut rest = value.len();
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
    out.extend(value);
    out
}

#[test]
fn a_field_is_a_tag_and_a_value() {
    let pool = proto3("message M { int32 id = 1; string name = 2; }");
    for (text, want) in [
        (r#"{"id": 42}"#, &[0x08, 0x2a][..]),
        (r#"{"name": "Alice"}"#, &[0x12, 0x05, 0x41, 0x6c, 0x69, 0x63, 0x65]),
        (r#"{"name": "Alice", "id": 42}"#, &[0x08, 0x2a, 0x12, 0x05, 0x41, 0x6c, 0x69, 0x63, 0x65]),
        (r#"{"id": 150}"#, &[0x08, 0x96, 0x01]),
    ] {
        assert_eq!(encode(&pool, text), want, "{text}");
    }
    assert_eq!(Int32Value::from(42).encode_to_vec(), [0x08, 0x2a]);
    assert_eq!(StringValue::from("Alice").encode_to_vec(), [0x0a, 0x05, 0x41, 0x6c, 0x69, 0x63, 0x65]);
}

#[test]
fn tags_of_fields_1_to_15_take_one_byte() {
    for (number, want) in [
        (1, &[0x08][..]),
        (15, &[0x78]),
        (16, &[0x80, 0x01]),
        (2_047, &[0xf8, 0x7f]),
        (2_048, &[0x80, 0x80, 0x01]),
        (536_870_911, &[0xf8, 0xff, 0xff, 0xff, 0x0f]),
    ] {
        let pool = proto3(&format!("message M {{ bool b = {number}; }}"));
        assert_eq!(encode(&pool, r#"{"b": true}"#), [want, &[0x01]].concat(), "field {number}");
        assert_eq!(read(&pool, &[want, &[0x01]].concat()), r#"{"b":true}"#);
    }
}

#[test]
fn a_negative_int32_takes_ten_bytes_and_a_sint32_one() {
    let pool = proto3("message M { int32 i = 1; sint32 s = 2; sfixed32 f = 3; sint64 l = 4; }");
    let minus_one = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    assert_eq!(encode(&pool, r#"{"i": -1}"#), [&[0x08][..], &minus_one].concat());
    assert_eq!(encode(&pool, r#"{"s": -1}"#), [0x10, 0x01]);
    assert_eq!(encode(&pool, r#"{"f": -1}"#), [0x1d, 0xff, 0xff, 0xff, 0xff]);
    for (value, zigzag) in [(0, None), (-1, Some(1)), (1, Some(2)), (-2, Some(3)), (2, Some(4))] {
        let want = zigzag.map_or(vec![], |zigzag| vec![0x20, zigzag]);
        assert_eq!(encode(&pool, &format!("{{\"l\": {value}}}")), want);
    }
    // Five bytes would do for 32 bits, and are read.
    assert_eq!(read(&pool, &[0x08, 0xff, 0xff, 0xff, 0xff, 0x0f]), r#"{"i":-1}"#);
}

#[test]
fn packed_and_expanded_lists_read_the_same() {
    let packed = proto3("message M { repeated int32 v = 1; }");
    let expanded = proto3("message M { repeated int32 v = 1 [packed = false]; }");
    let run = [0x0a, 0x04, 0x03, 0x8e, 0x02, 0x05];
    let single = [0x08, 0x03, 0x08, 0x8e, 0x02, 0x08, 0x05];
    let text = r#"{"v":[3,270,5]}"#;
    assert_eq!(encode(&packed, text), run);
    assert_eq!(encode(&expanded, text), single);
    for bytes in [&run[..], &single, &[0x0a, 0x01, 0x03, 0x08, 0x8e, 0x02, 0x0a, 0x00, 0x0a, 0x01, 0x05]] {
        assert_eq!(read(&packed, bytes), text);
        assert_eq!(read(&expanded, bytes), text);
    }
    // An element may not go on behind its run.
    assert_eq!(kind(decode(&packed, &[0x0a, 0x01, 0x80, 0x01])), DecodeErrorKind::Truncated);
    assert_eq!(encode(&packed, r#"{"v": []}"#), [0u8; 0]);
}

#[test]
fn a_map_is_a_list_of_entries() {
    let pool = proto3("message M { map<string, int32> m = 1; } ");
    assert_eq!(
        encode(&pool, r#"{"m": {"b": 2, "a": 0}}"#),
        [0x0a, 0x05, 0x0a, 0x01, b'a', 0x10, 0x00, 0x0a, 0x05, 0x0a, 0x01, b'b', 0x10, 0x02]
    );
    for (bytes, want) in [
        (&[0x0a, 0x00][..], r#"{"m":{"":0}}"#), // neither key nor value
        (&[0x0a, 0x05, 0x10, 0x02, 0x0a, 0x01, b'a'], r#"{"m":{"a":2}}"#), // value first
        (&[0x0a, 0x04, 0x10, 0x02, 0x10, 0x03], r#"{"m":{"":3}}"#), // value twice
        (
            &[0x0a, 0x05, 0x0a, 0x01, b'a', 0x10, 0x01, 0x0a, 0x05, 0x0a, 0x01, b'a', 0x10, 0x02],
            r#"{"m":{"a":2}}"#, // the later entry counts
        ),
    ] {
        assert_eq!(read(&pool, bytes), want, "{bytes:02x?}");
    }
}

#[test]
fn of_a_oneof_the_last_member_wins() {
    let pool = proto3("message M { oneof o { int32 a = 1; string b = 2; M c = 3; } }");
    for (bytes, want) in [
        (&[0x08, 0x01, 0x12, 0x01, b'x'][..], r#"{"b":"x"}"#),
        (&[0x12, 0x01, b'x', 0x08, 0x01], r#"{"a":1}"#),
        (&[0x1a, 0x02, 0x08, 0x01, 0x1a, 0x00], r#"{"c":{"a":1}}"#), // the same message: merged
        (&[0x1a, 0x02, 0x08, 0x01, 0x08, 0x02, 0x1a, 0x00], r#"{"c":{}}"#), // not across another member
        (&[0x08, 0x00], r#"{"a":0}"#),                               // set, though zero
    ] {
        assert_eq!(read(&pool, bytes), want, "{bytes:02x?}");
    }
    let value = Value::decode(&[0x20, 0x01, 0x1a, 0x01, b'x']).unwrap();
    assert_eq!(value, Value::from("x"));
}

#[test]
fn defaults_are_left_out_unless_presence_is_tracked() {
    let pool = proto3("message M { int32 a = 1; optional int32 b = 2; double d = 3; M m = 4; }");
    assert_eq!(encode(&pool, r#"{"a": 0, "d": 0}"#), [0u8; 0]);
    assert_eq!(encode(&pool, r#"{"b": 0}"#), [0x10, 0x00]);
    assert_eq!(encode(&pool, r#"{"m": {}}"#), [0x22, 0x00]);
    // Minus zero is another number.
    assert_eq!(encode(&pool, r#"{"d": -0.0}"#), [0x19, 0, 0, 0, 0, 0, 0, 0, 0x80]);
    assert_eq!(decode(&pool, &[0x08, 0x00]).unwrap().encode_to_vec(), b"");
    assert_eq!(Timestamp::default().encode_to_vec(), b"");
}

#[test]
fn scalars_are_replaced_and_messages_merged() {
    let pool = proto3("message M { int32 a = 1; string s = 2; M m = 3; repeated int32 v = 4; }");
    let first = [0x08, 0x01, 0x12, 0x01, b'x', 0x1a, 0x02, 0x08, 0x05, 0x22, 0x01, 0x01];
    let second = [0x08, 0x02, 0x1a, 0x03, 0x12, 0x01, b'y', 0x22, 0x01, 0x02];
    assert_eq!(
        read(&pool, &[&first[..], &second].concat()),
        r#"{"a":2,"s":"x","m":{"a":5,"s":"y"},"v":[1,2]}"#
    );
}

#[test]
fn old_and_new_schemas_read_each_other() {
    let old = proto3("message M { int32 id = 1; reserved 2; reserved \"gone\"; }");
    let new = proto3("message M { int64 id = 1; string note = 3; repeated M parts = 4; }");
    let written = encode(&new, r#"{"id": "7", "note": "n", "parts": [{"id": "1"}]}"#);
    let mut seen_by_old = decode(&old, &written).unwrap();
    assert_eq!(json::to_string(&seen_by_old).unwrap(), r#"{"id":7}"#);
    assert!(!seen_by_old.unknown_fields().is_empty());
    // What it does not know survives a change of what it knows.
    json::DecodeOptions::new().merge(&mut seen_by_old, r#"{"id": 8}"#).unwrap();
    assert_eq!(read(&new, &seen_by_old.encode_to_vec()), r#"{"id":"8","note":"n","parts":[{"id":"1"}]}"#);
    assert_eq!(read(&new, &encode(&old, r#"{"id": -1}"#)), r#"{"id":"-1"}"#);

    // A reserved number is one that is not known.
    let with_reserved = decode(&old, &[0x12, 0x01, b'x', 0x08, 0x01]).unwrap();
    assert_eq!(with_reserved.unknown_fields().as_bytes(), [0x12, 0x01, b'x']);
    assert_eq!(with_reserved.encode_to_vec(), [0x08, 0x01, 0x12, 0x01, b'x']);
    let mut message = DynamicMessage::new(old.message("t.M").unwrap());
    assert!(json::DecodeOptions::new().merge(&mut message, r#"{"gone": 1}"#).is_err());
}

#[test]
fn a_field_of_another_wire_type_is_unknown() {
    let pool = proto3("message M { int32 a = 1; }");
    let message = decode(&pool, &[0x0d, 1, 0, 0, 0, 0x08, 0x05]).unwrap();
    assert_eq!(json::to_string(&message).unwrap(), r#"{"a":5}"#);
    assert_eq!(message.unknown_fields().as_bytes(), [0x0d, 1, 0, 0, 0]);
}

#[test]
fn values_that_a_closed_enum_lacks_are_unknown() {
    let body = "enum E { ZERO = 0; ONE = 1; } message M { optional E e = 1; repeated E v = 2; map<int32, E> m = 3; }";
    let pool = proto2(body);
    let bytes = [0x08, 0x05, 0x10, 0x01, 0x10, 0x07, 0x1a, 0x04, 0x08, 0x01, 0x10, 0x09];
    let message = decode(&pool, &bytes).unwrap();
    assert_eq!(json::to_string(&message).unwrap(), r#"{"v":["ONE"]}"#);
    assert_eq!(
        message.unknown_fields().as_bytes(),
        [0x08, 0x05, 0x10, 0x07, 0x1a, 0x04, 0x08, 0x01, 0x10, 0x09]
    );
    let open = proto3(body.replace("optional ", "").as_str());
    assert_eq!(read(&open, &bytes), r#"{"e":5,"v":["ONE",7],"m":{"1":9}}"#);
}

static NOTE: FieldTable =
    FieldTable::new(50_001, "t.note", "[t.note]", Kind::String).shape(Shape::Explicit).extension();
static MARKS: FieldTable =
    FieldTable::new(50_002, "t.marks", "[t.marks]", Kind::Int32).shape(Shape::Packed).extension();
static TIME: FieldTable = FieldTable::new(50_003, "t.time", "[t.time]", Kind::Message)
    .shape(Shape::Explicit)
    .extension()
    .message(<Timestamp as Message>::message_table);

#[test]
fn extensions_are_set_read_and_cleared() {
    const NOTES: Extension<MessageOptions, String> = Extension::new(&NOTE);
    const LIST: Extension<MessageOptions, Vec<i32>> = Extension::new(&MARKS);
    const WHEN: Extension<MessageOptions, Timestamp> = Extension::new(&TIME);

    let mut options = MessageOptions::default();
    assert_eq!(options.extension(NOTES), Ok(None));
    options.set_extension(NOTES, &"first".to_owned());
    options.set_extension(NOTES, &"x".to_owned());
    options.set_extension(LIST, &vec![1, 2]);
    options.set_extension(WHEN, &Timestamp { seconds: 42, ..Default::default() });
    assert_eq!(options.extension(NOTES), Ok(Some("x".into())));
    assert_eq!(
        options.encode_to_vec(),
        [
            0x8a, 0xb5, 0x18, 0x01, b'x', // 50001
            0x92, 0xb5, 0x18, 0x02, 0x01, 0x02, // 50002
            0x9a, 0xb5, 0x18, 0x02, 0x08, 0x2a, // 50003
        ]
    );

    // Expanded elements, and a message in two pieces.
    let bytes = [
        0x90, 0xb5, 0x18, 0x07, 0x92, 0xb5, 0x18, 0x01, 0x08, //
        0x9a, 0xb5, 0x18, 0x02, 0x08, 0x01, 0x9a, 0xb5, 0x18, 0x02, 0x10, 0x02,
    ];
    let mut options = MessageOptions::decode(&bytes).unwrap();
    assert_eq!(options.extension(LIST), Ok(Some(vec![7, 8])));
    assert_eq!(options.extension(WHEN), Ok(Some(Timestamp { seconds: 1, nanos: 2, ..Default::default() })));
    options.clear_extension(LIST);
    assert!(!options.has_extension(LIST) && options.has_extension(WHEN));
}

#[test]
fn text_of_an_extension_is_checked_when_it_is_known() {
    const NOTES: Extension<DynamicMessage, String> = Extension::new(&NOTE);
    let body = "syntax = \"proto3\"; package t; import \"google/protobuf/descriptor.proto\";
        extend google.protobuf.MessageOptions { optional string note = 50001; }";
    let sources = Sources::new().file("t.proto", body);
    let pool = DynamicPool::new(Compiler::new(sources).compile(["t.proto"]).unwrap().into_pool());
    let mut registry = Registry::new();
    registry.add_pool(pool.clone());
    let table = pool.message("google.protobuf.MessageOptions").unwrap();
    let bytes = [0x8a, 0xb5, 0x18, 0x01, 0xff];

    let message = DynamicMessage::decode(table.clone(), &bytes).unwrap();
    assert_eq!(*message.extension(NOTES).unwrap_err().kind(), DecodeErrorKind::InvalidUtf8);

    let options = DecodeOptions::new().registry(&registry);
    let error = DynamicMessage::decode_with(table, &bytes, &options).unwrap_err();
    assert_eq!(*error.kind(), DecodeErrorKind::InvalidUtf8);
    assert_eq!(*options.decode::<MessageOptions>(&bytes).unwrap_err().kind(), DecodeErrorKind::InvalidUtf8);
}

#[test]
fn the_first_type_and_message_of_a_message_set_entry_count() {
    let pool = proto2(
        "message M { option message_set_wire_format = true; extensions 4 to max; }
         message Item { extend M { optional Item item = 5; } optional int32 id = 1; }",
    );
    let mut registry = Registry::new();
    registry.add_pool(pool.clone());
    let entry = [
        0x0b, // group 1
        0x10, 0x05, 0x10, 0x06, // type 5, then 6
        0x1a, 0x02, 0x08, 0x01, 0x1a, 0x02, 0x08, 0x02, // id 1, then 2
        0x0c,
    ];
    let message_first = [0x0b, 0x1a, 0x02, 0x08, 0x01, 0x10, 0x05, 0x0c];
    let options = DecodeOptions::new().registry(&registry);
    for bytes in [&entry[..], &message_first] {
        let message = DynamicMessage::decode_with(pool.message("t.M").unwrap(), bytes, &options).unwrap();
        let text = json::EncodeOptions::new().registry(&registry).to_string(&message).unwrap();
        assert_eq!(text, r#"{"[t.Item.item]":{"id":1}}"#);
    }
}

#[test]
fn each_limit_is_named_when_it_is_exceeded() {
    let pool = proto3("message M { M m = 1; repeated M list = 2; repeated int32 v = 3; string s = 4; }");
    let table = pool.message("t.M").unwrap();
    let limits = Limits::default();
    for (limits, bytes, setting) in [
        (limits.depth(2), len(0x0a, &len(0x0a, &len(0x0a, &[]))), "Limits::depth"),
        (limits.size(3), vec![0x18, 0x01, 0x18, 0x01], "Limits::size"),
        (limits.elements(2), len(0x1a, &[1, 2, 3]), "Limits::elements"),
        (limits.elements(2), [0x18, 0x01].repeat(3), "Limits::elements"),
        (limits.elements(2), [0x12, 0x00].repeat(3), "Limits::elements"),
        (limits.memory(64, 0), len(0x22, &[b'x'; 100]), "Limits::memory"),
        (limits.memory(64, 1), [0x12, 0x00].repeat(60), "Limits::memory"),
    ] {
        let options = DecodeOptions::new().limits(limits);
        let error = DynamicMessage::decode_with(table.clone(), &bytes, &options).unwrap_err();
        assert!(matches!(error.kind(), DecodeErrorKind::Limit(_)), "{error}");
        assert!(error.to_string().contains(setting), "{error}, not {setting}");
    }
}

#[test]
fn maps_have_limits_whoever_holds_them() {
    let bytes =
        [len(0x0a, &len(0x0a, b"a")), len(0x0a, &len(0x0a, b"b")), len(0x0a, &len(0x0a, b"c"))].concat();
    let limits = Limits::default();
    for (limits, fits) in
        [(limits.elements(3), true), (limits.elements(2), false), (limits.memory(64, 0), false)]
    {
        let options = DecodeOptions::new().limits(limits);
        assert_eq!(options.decode::<Struct>(&bytes).is_ok(), fits, "{limits:?}");
        assert_eq!(options.decode_view::<StructView<'_>>(&bytes).is_ok(), fits, "{limits:?}");
        let dynamic = DynamicMessage::decode_with(Struct::default().table(), &bytes, &options);
        assert_eq!(dynamic.is_ok(), fits, "{limits:?}");
    }
}

#[test]
fn lists_of_messages_cost_as_much_however_they_are_mixed() {
    let pool = proto2(
        "message M { repeated M a = 1; repeated M b = 2; repeated string s = 3; repeated string t = 4;
         repeated group G = 5 {} }",
    );
    let table = pool.message("t.M").unwrap();
    let limits = Limits::default().memory(1 << 20, 0);
    let options = DecodeOptions::new().limits(limits);
    let runs: [&[u8]; 4] =
        [&[0x0a, 0x00], &[0x0a, 0x00, 0x12, 0x00], &[0x2b, 0x2c], &[0x1a, 0x00, 0x22, 0x00]];
    for run in runs {
        let bytes = run.repeat(1 << 18);
        let error = DynamicMessage::decode_with(table.clone(), &bytes, &options).unwrap_err();
        let over = LimitError::Memory { memory: 1 << 20, expansion: 0 };
        assert_eq!(error.kind(), &DecodeErrorKind::Limit(over), "{run:x?}");
        assert!(DynamicMessage::decode_with(table.clone(), &run.repeat(100), &options).is_ok(), "{run:x?}");
    }
}

#[test]
fn closed_enums_have_the_numbers_that_they_declare() {
    for (values, allows) in [
        ("A = 0; B = 1; C = 2;", ""),
        ("A = -1; B = 0;", ""),
        ("A = 5; B = 6; C = 8;", ""),
        ("A = 2; B = 1; C = 0;", ""),
        ("A = 0; B = 1; C = 1; D = 2;", "option allow_alias = true;"),
        ("A = 2147483647; B = -2147483648; C = 0;", ""),
        ("A = -2147483648; B = -2147483647;", ""),
    ] {
        let pool = proto2(&format!("message M {{ optional E e = 1; }} enum E {{ {allows} {values} }}"));
        for number in [
            -2,
            -1,
            0,
            1,
            2,
            3,
            4,
            5,
            6,
            7,
            8,
            9,
            i32::MIN,
            i32::MIN + 1,
            i32::MIN + 2,
            i32::MAX - 1,
            i32::MAX,
        ] {
            let mut bytes = vec![0x08];
            dunlin_protobuf::wire::write::varint(i64::from(number) as u64, &mut bytes);
            let message = decode(&pool, &bytes).unwrap();
            let declared = values.contains(&format!("= {number};"));
            assert_eq!(!matches!(message.slot_ref(0), SlotRef::Absent), declared, "{number} of {values}");
            assert_eq!(message.encode_to_vec(), bytes);
        }
    }
}

#[test]
fn an_extension_is_no_map() {
    use dunlin_protobuf::descriptor::{FileDescriptorProto, FileDescriptorSet};
    let sources = Sources::new().file(
        "t.proto",
        "syntax = \"proto2\"; package t;
         message M { extensions 100 to max; map<string, string> ext = 1; }
         extend M { repeated M other = 100; }",
    );
    let mut set: FileDescriptorSet =
        Compiler::new(sources).compile(["t.proto"]).unwrap().file_descriptor_set(Default::default());
    let file: &mut FileDescriptorProto = &mut set.file[0];
    file.extension[0].name = Some("ext".into());
    file.extension[0].json_name = None;
    file.extension[0].type_name = Some(".t.M.ExtEntry".into());
    file.message_type[0].field.clear();
    let errors = DynamicPool::from_file_descriptor_set(set).unwrap_err();
    assert!(errors.to_string().contains("cannot be used as a type"), "{errors}");
}

#[test]
fn four_mebibytes_of_empty_messages_do_not_become_hundreds() {
    let pool = proto3("message M { repeated M list = 1; }");
    let bytes = [0x0a, 0x00].repeat(2 << 20);
    let over = DecodeErrorKind::Limit(LimitError::Memory { memory: 64 << 20, expansion: 16 });
    assert_eq!(kind(decode(&pool, &bytes)), over);
    // Methods of an Api.
    let bytes = [0x12, 0x00].repeat(2 << 20);
    assert_eq!(Api::decode(&bytes).map(|api| api.methods.len()).unwrap_err().kind(), &over);
    assert_eq!(Api::decode(&bytes[..1 << 20]).map(|api| api.methods.len()), Ok(1 << 19));
}

#[test]
fn a_hundred_levels_pass_and_one_more_does_not() {
    let pool = proto2("message M { optional M m = 1; optional group G = 2 { optional M m = 1; } }");
    let over = DecodeErrorKind::Limit(LimitError::Depth { limit: 100 });
    let nested = |depth| (0..depth).fold(Vec::new(), |inner, _| len(0x0a, &inner));
    assert!(decode(&pool, &nested(100)).is_ok());
    assert_eq!(kind(decode(&pool, &nested(101))), over);
    // Groups, known and unknown, are levels too.
    for (start, end) in [(0x13, 0x14), (0x2b, 0x2c)] {
        let groups = |depth| [vec![start; depth], vec![end; depth]].concat();
        if start == 0x2b {
            assert!(decode(&pool, &groups(100)).is_ok());
        }
        assert!(decode(&pool, &groups(101)).is_err(), "{start:#x}");
    }
}

#[test]
fn tags_are_short_and_in_range() {
    let pool = proto3("message M { int32 a = 1; }");
    for (bytes, want) in [
        (&[0x88, 0x80, 0x80, 0x80, 0x00, 0x01][..], None), // padded to five bytes: accepted
        (&[0x88, 0x80, 0x80, 0x80, 0x80, 0x00, 0x01], Some(DecodeErrorKind::VarintTooLong)),
        (&[0x00, 0x01], Some(DecodeErrorKind::InvalidTag)), // field 0
        (&[0x02, 0x00], Some(DecodeErrorKind::InvalidTag)),
        (&[0x0e], Some(DecodeErrorKind::InvalidTag)), // wire type 6
        (&[0x0f], Some(DecodeErrorKind::InvalidTag)), // wire type 7
        (&[0xf8, 0xff, 0xff, 0xff, 0x1f, 0x01], Some(DecodeErrorKind::VarintTooLong)), // field 2^29 and more
        (&[0x0c], Some(DecodeErrorKind::UnmatchedEndGroup)),
        (&[0x2b, 0x34], Some(DecodeErrorKind::UnmatchedEndGroup)), // group 5 ended as 6
        (&[0x2b], Some(DecodeErrorKind::Truncated)),
        (&[0x08], Some(DecodeErrorKind::Truncated)),
        (
            &[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
            Some(DecodeErrorKind::VarintTooLong),
        ),
        (&[0x08, 0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00], None), // a padded value
        (&[0x12, 0x05, 0x00], Some(DecodeErrorKind::Truncated)),
        (&[0x12, 0xff, 0xff, 0xff, 0xff, 0x0f], Some(DecodeErrorKind::LengthTooLarge)),
    ] {
        match (decode(&pool, bytes), want) {
            (Ok(message), None) => {
                assert_eq!(json::to_string(&message).unwrap(), r#"{"a":1}"#, "{bytes:02x?}")
            }
            (Err(error), Some(want)) => assert_eq!(*error.kind(), want, "{bytes:02x?}"),
            (got, want) => panic!("{bytes:02x?}: {got:?}, not {want:?}"),
        }
    }
}

#[test]
fn an_error_tells_the_field_and_the_byte() {
    let pool = proto3("message M { repeated M list = 1; map<string, M> m = 2; string s = 3; }");
    for (bytes, want) in [
        (&[0x1a, 0x01, 0xff][..], "t.M.s: text is not valid UTF-8, at byte 3"),
        (&[0x0a, 0x00, 0x0a, 0x03, 0x1a, 0x01, 0xff], "t.M.list.s: text is not valid UTF-8, at byte 7"),
        (&[0x0a, 0x05, 0x00], "t.M.list: the input ends in the middle of a field, at byte 2"),
    ] {
        assert_eq!(decode(&pool, bytes).unwrap_err().to_string(), want, "{bytes:02x?}");
    }
    let error = Api::decode(&[0x12, 0x02, 0x0a, 0x05]).unwrap_err();
    assert_eq!(error.path(), "google.protobuf.Api.methods.name");
    assert_eq!(error.offset(), 4);
}
