//! The text format over dynamic messages of a schema that is compiled here.

use std::sync::Arc;

use dunlin_compiler::loader::Sources;
use dunlin_compiler::{Compiler, DescriptorOptions};
use dunlin_protobuf::dynamic::{DynamicMessage, DynamicPool};
use dunlin_protobuf::text::{self, TextErrorKind};
use dunlin_protobuf::{Limits, Registry};

const PROTO2: &str = r#"
syntax = "proto2";
package t;
import "google/protobuf/any.proto";
enum Closed { ZERO = 0; ONE = 1; NEG = -1; }
message All {
  optional int32 i32 = 1;
  optional int64 i64 = 2;
  optional uint32 u32 = 3;
  optional uint64 u64 = 4;
  optional float f32 = 5;
  optional double f64 = 6;
  optional bool b = 7;
  optional string s = 8;
  optional bytes raw = 9;
  optional Closed e = 10;
  optional All m = 11;
  repeated int32 ns = 12;
  repeated string ss = 13;
  repeated All ms = 14;
  repeated Closed es = 15;
  optional group MyGroup = 16 { optional int32 a = 1; }
  repeated group Many = 17 { optional int32 a = 1; }
  map<string, int32> si = 18;
  map<int32, All> im = 19;
  map<bool, Closed> be = 20;
  oneof choice { int32 one = 21; All two = 22; }
  optional google.protobuf.Any any = 23;
  optional Need need = 24;
  optional Set set = 25;
  reserved "gone", "lost";
  extensions 100 to 200;
}
message Need { required int32 id = 1; }
message Set { option message_set_wire_format = true; extensions 4 to max; }
message Item { optional string text = 1; extend Set { optional Item item = 1000; } }
message Older { }
extend All {
  optional int32 ext = 100;
  repeated int32 exts = 101;
  optional All ext_m = 102;
  optional group ExtGroup = 103 { optional int32 a = 1; }
  optional Need ext_need = 104;
}
"#;

const PROTO3: &str = r#"
syntax = "proto3";
package t3;
enum Open { ZERO = 0; ONE = 1; }
message Plain { int32 n = 1; Open e = 2; repeated Open es = 3; string s = 4; optional int32 o = 5; }
"#;

const EDITIONS: &str = r#"
edition = "2023";
package te;
message Outer {
  message GroupLike { int32 a = 1; }
  GroupLike grouplike = 1 [features.message_encoding = DELIMITED];
  GroupLike other = 2 [features.message_encoding = DELIMITED];
}
"#;

fn pool() -> Arc<DynamicPool> {
    let sources = Sources::new().file("t.proto", PROTO2).file("t3.proto", PROTO3).file("te.proto", EDITIONS);
    let compilation =
        Compiler::new(sources).compile(["t.proto", "t3.proto", "te.proto"]).expect("the schema compiles");
    let options = DescriptorOptions { include_imports: true, ..Default::default() };
    DynamicPool::from_file_descriptor_set(compilation.file_descriptor_set(options)).expect("the schema links")
}

struct Fixture {
    pool: Arc<DynamicPool>,
    registry: Registry,
}

impl Fixture {
    fn new() -> Self {
        let pool = pool();
        let mut registry = Registry::new();
        registry.add_pool(pool.clone());
        Self { pool, registry }
    }

    fn empty(&self, name: &str) -> DynamicMessage {
        DynamicMessage::new(self.pool.message(name).expect("the type is declared"))
    }

    fn read_with(
        &self,
        name: &str,
        text: &[u8],
        options: text::DecodeOptions<'_>,
    ) -> Result<DynamicMessage, text::TextError> {
        let mut message = self.empty(name);
        options.registry(&self.registry).merge_bytes(&mut message, text)?;
        Ok(message)
    }

    fn read(&self, name: &str, text: &str) -> Result<DynamicMessage, text::TextError> {
        self.read_with(name, text.as_bytes(), text::DecodeOptions::new())
    }

    fn printer(&self) -> text::EncodeOptions<'_> {
        text::EncodeOptions::new().registry(&self.registry).single_line(true)
    }

    /// What is printed of what was read.
    fn again(&self, name: &str, text: &str) -> String {
        match self.read(name, text) {
            Ok(message) => self.printer().to_string(&message),
            Err(error) => format!("error: {error}"),
        }
    }
}

#[test]
fn values_are_read_in_every_spelling_and_printed_in_one() {
    let fixture = Fixture::new();
    for (text, want) in [
        (
            "i32: 0x7fffffff i64: -0777 u32: 037777777777 u64: 18446744073709551615",
            "i32: 2147483647 i64: -511 u32: 4294967295 u64: 18446744073709551615",
        ),
        (
            "i32: -2147483648 i64: - # sign apart\n 9223372036854775808",
            "i32: -2147483648 i64: -9223372036854775808",
        ),
        ("f32: .5 f64: 5.", "f32: 0.5 f64: 5"),
        ("f32: 1e39 f64: -1e999", "f32: inf f64: -inf"), // overflow
        ("f32: 1e-99 f64: -1e-999", "f32: 0 f64: -0"),   // underflow
        ("f32: 1.5f f64: 12F", "f32: 1.5 f64: 12"),
        ("f32: -InFiNiTy f64: NAN", "f32: -inf f64: nan"),
        ("f64: -nan", "f64: nan"), // protoc keeps the sign too and does not print it
        ("f64: 123456789012345678901234567890", "f64: 1.2345678901234568e+29"),
        ("b: t", "b: true"),
        ("b: False", "b: false"),
        ("b: 0x1", "b: true"),
        ("b: 00", "b: false"),
        ("e: NEG", "e: NEG"),
        ("e: -1", "e: NEG"),
        ("es: [ONE, 0]", "es: ONE es: ZERO"),
        ("s: 'a' \"b\"\n'c'", "s: \"abc\""),
        ("s: '\\303\\251'", "s: \"\u{e9}\""),
        ("s: 'it\\'s \\u00e9'", "s: \"it\\'s \u{e9}\""),
        ("raw: '\\xff\\000'", "raw: \"\\377\\000\""),
        ("i32: 1, i64: 2; u32: 3", "i32: 1 i64: 2 u32: 3"),
        ("ns: [] ns: 1 ns: [2, 3] ss: ['a' 'b', 'c']", "ns: 1 ns: 2 ns: 3 ss: \"ab\" ss: \"c\""),
        (
            "m { i32: 1 } ms: < > ms [{ i32: 2 }, < i32: 3 >,]",
            "error: 1:49: ms: expected a message in `{}` or `<>`, found `]`",
        ),
        (
            "m { i32: 1 } ms: < > ms [{ i32: 2 }, < i32: 3 >]",
            "m { i32: 1 } ms { } ms { i32: 2 } ms { i32: 3 }",
        ),
        ("MyGroup { a: 1 } Many { a: 2 } many: { a: 3 }", "MyGroup { a: 1 } Many { a: 2 } Many { a: 3 }"),
        ("two { i32: 1 }", "two { i32: 1 }"),
        ("gone: 1 lost { a: [1, 'b'] [x.y]: -inf c < > } gone: [1.5, -x] gone: 'a' 'b' i32: 1", "i32: 1"),
    ] {
        assert_eq!(fixture.again("t.All", text), want, "{text}");
    }
}

#[test]
fn what_a_field_cannot_hold_is_an_error_that_says_where() {
    let fixture = Fixture::new();
    for (text, want) in [
        ("i32: 2147483648", "1:6: i32: 2147483648 is out of the range of a 32-bit integer"),
        ("i64: 9223372036854775808", "1:6: i64: 9223372036854775808 is out of the range of a 64-bit integer"),
        ("u32: -0", "1:6: u32: expected an unsigned 32-bit integer, found `-`"),
        ("i32: 1.0", "1:6: i32: expected an integer, found `1.0`"),
        ("i32: 1i64: 2", "1:7: i32: a space is needed between a number and a name"),
        ("f64: 0x10", "1:6: f64: expected a decimal number, `inf` or `nan`, found `0x10`"),
        ("f64: 010", "1:6: f64: expected a decimal number, `inf` or `nan`, found `010`"),
        ("b: 2", "1:4: b: expected `true` or `false`, found `2`"),
        ("b: TRUE", "1:4: b: expected `true` or `false`, found `TRUE`"),
        ("m {\n  m {\n    s: 42\n  }\n}", "3:8: m.m.s: expected a string, found `42`"),
        ("e: TWO", "1:4: e: enum t.Closed has no value `TWO`"),
        ("e: 2", "1:4: e: enum t.Closed has no value 2"),
        ("nope: 1", "1:1: t.All has no field `nope`"),
        ("m { nope: 1 }", "1:5: m: t.All has no field `nope`"),
        ("mygroup { a: 1 } MyGroup { }", "1:18: mygroup: the field has one value and is set already"),
        ("i32: 1 i32: 1", "1:8: i32: the field has one value and is set already"),
        ("one: 1 two { }", "1:8: two: oneof choice holds one field, and one is set already"),
        ("i32: [1]", "1:6: i32: the field has one value, not a list"),
        ("i32: []", "1:6: i32: the field has one value, not a list"),
        ("ns: [1,]", "1:8: ns: expected an integer, found `]`"),
        ("ns: [1 2]", "1:8: ns: expected `,` or `]`, found `2`"),
        ("ns: [1; 2]", "1:7: ns: expected `,` or `]`, found `;`"),
        ("ns: [[1]]", "1:6: ns: expected an integer, found `[`"),
        ("i32 1", "1:5: i32: expected `:`, found `1`"),
        ("i32: 1,,", "1:8: expected a field name, found `,`"),
        (", i32: 1", "1:1: expected a field name, found `,`"),
        ("m { i32: 1 >", "1:12: m: expected a field name or `}`, found `>`"),
        ("m { i32: 1", "1:11: m: expected a field name or `}`, found the end of the input"),
        ("1: 5", "1:1: expected a field name, found `1`"),
        ("[t.nope]: 5", "1:1: the registry has no extension [t.nope] of t.All"),
        ("[t.ext]: 5 [t.ext]: 5", "1:12: [t.ext]: the field has one value and is set already"),
        ("ExtGroup { a: 1 }", "1:1: t.All has no field `ExtGroup`"),
        (
            "any { [x/t.Nope] { } }",
            "1:7: any.[x/t.Nope]: the registry has no message type t.Nope, which is in an Any",
        ),
        (
            "any { [/t.Need] { id: 1 } }",
            "1:7: any.[/t.Need]: a type URL has something in front of its first `/`",
        ),
        ("any { [x%4/t.Need] { id: 1 } }", "1:9: any: % needs two hexadecimal digits behind it"),
        (
            "any { type_url: 'a' [x/t.Need] { id: 1 } }",
            "1:21: any.[x/t.Need]: the field has one value and is set already",
        ),
        ("any { [x/t.Need] { } }", "1:7: any.[x/t.Need]: required fields are missing: id"),
        ("need { }", "1:9: required fields are missing: need.id"),
        ("[t.ext_need] { }", "1:17: [t.ext_need]: required fields are missing: id"),
        ("si { key: 'a' key: 'b' }", "1:15: si.key: the field has one value and is set already"),
        ("si { key: ['a'] }", "1:11: si.key: the field has one value, not a list"),
        ("gone", "1:5: expected `:` or a message, found the end of the input"),
        ("\u{e9}: 1", "1:1: expected a field name, found `\u{fffd}`"),
    ] {
        assert_eq!(fixture.again("t.All", text), format!("error: {want}"), "{text}");
    }
}

#[test]
fn maps_are_sorted_and_the_last_of_a_key_counts() {
    let fixture = Fixture::new();
    for (text, want) in [
        (
            "si { key: 'b' value: 1 } si { value: 2 } si [{ key: 'a', value: 3 }, { key: 'b' value: 4 }]",
            "si { key: \"\" value: 2 } si { key: \"a\" value: 3 } si { key: \"b\" value: 4 }",
        ),
        (
            "im { value { i32: 1 } key: 3 } im < key: -1 >",
            "im { key: -1 value { } } im { key: 3 value { i32: 1 } }",
        ),
        ("be { key: true } be { value: ONE }", "be { key: false value: ONE } be { key: true value: ZERO }"),
    ] {
        assert_eq!(fixture.again("t.All", text), want, "{text}");
    }
}

#[test]
fn extensions_and_message_sets_are_named_in_brackets() {
    let fixture = Fixture::new();
    for (text, want) in [
        ("[t.ext]: 5", "[t.ext]: 5"),
        ("[ t . # comment\n ext ]: 5", "[t.ext]: 5"),
        ("[t.exts]: 1 i32: 2 [t.exts]: [2, 3]", "i32: 2 [t.exts]: 1 [t.exts]: 2 [t.exts]: 3"),
        ("[t.ext_m] { i32: 1 [t.ext]: 2 }", "[t.ext_m] { i32: 1 [t.ext]: 2 }"),
        ("[t.extgroup] { a: 1 }", "[t.extgroup] { a: 1 }"),
        // By the extension, or by the type that declares it of itself.
        ("set { [t.Item.item] { text: 'a' } }", "set { [t.Item] { text: \"a\" } }"),
        ("set { [t.Item] { text: 'a' } }", "set { [t.Item] { text: \"a\" } }"),
    ] {
        assert_eq!(fixture.again("t.All", text), want, "{text}");
    }
    // What a message has already is added to.
    let mut message = fixture.read("t.All", "[t.exts]: 1 [t.ext]: 1").unwrap();
    let options = text::DecodeOptions::new().registry(&fixture.registry);
    options.merge(&mut message, "[t.exts]: 2 [t.ext]: 2").unwrap();
    assert_eq!(fixture.printer().to_string(&message), "[t.ext]: 2 [t.exts]: 1 [t.exts]: 2");
}

#[test]
fn an_any_shows_its_message_where_the_type_is_known() {
    let fixture = Fixture::new();
    for url in ["type.googleapis.com/t.Need", "a.b/c-.~_!$&()*+,;=%4f/t.Need"] {
        let text = format!("any {{ [{url}] {{ id: 1 }} }}");
        assert_eq!(fixture.again("t.All", &text), text);
        let message = fixture.read("t.All", &text).unwrap();
        let raw = format!("any {{ type_url: \"{url}\" value: \"\\010\\001\" }}");
        assert_eq!(text::EncodeOptions::new().single_line(true).to_string(&message), raw);
        assert_eq!(fixture.again("t.All", &raw), text);
    }
    for (text, want) in [
        ("any { [ x # c\n / t.Need ]: < id: 1 > }", "any { [x/t.Need] { id: 1 } }"),
        (
            "any { [x/google.protobuf.Any] { [x/t.Need] { id: 1 } } }",
            "any { [x/google.protobuf.Any] { [x/t.Need] { id: 1 } } }",
        ),
        ("any { type_url: 'x/t.Nope' value: '\\x08' }", "any { type_url: \"x/t.Nope\" value: \"\\010\" }"),
        ("any { type_url: 'x/t.Need' value: '\\x08' }", "any { type_url: \"x/t.Need\" value: \"\\010\" }"),
        ("any { }", "any { }"),
    ] {
        assert_eq!(fixture.again("t.All", text), want, "{text}");
    }
}

#[test]
fn open_enums_and_fields_without_presence_follow_proto3() {
    let fixture = Fixture::new();
    for (text, want) in [
        ("n: 0 e: 42 es: [1, 7] s: ''", "e: 42 es: ONE es: 7"),
        ("e: -2147483648", "e: -2147483648"),
        ("e: 2147483648", "error: 1:4: e: 2147483648 is out of the range of an enum"),
        ("o: 0", "o: 0"),
        ("n: 0 n: 0", "error: 1:6: n: the field has one value and is set already"),
    ] {
        assert_eq!(fixture.again("t3.Plain", text), want, "{text}");
    }
}

#[test]
fn only_group_like_fields_have_the_name_of_their_type() {
    let fixture = Fixture::new();
    for (text, want) in [
        ("GroupLike { a: 1 } other { a: 2 }", "GroupLike { a: 1 } other { a: 2 }"),
        ("grouplike { a: 1 }", "GroupLike { a: 1 }"),
    ] {
        assert_eq!(fixture.again("te.Outer", text), want, "{text}");
    }
}

#[test]
fn the_layout_is_one_field_to_a_line() {
    let fixture = Fixture::new();
    let message = fixture.read("t.All", "i32: 1 m { ms { } si { key: 'a' } } s: '\u{e9}'").unwrap();
    let want = "i32: 1\ns: \"\u{e9}\"\nm {\n  ms {\n  }\n  si {\n    key: \"a\"\n    value: 0\n  }\n}\n";
    assert_eq!(text::to_string(&message), want);
    assert_eq!(fixture.read("t.All", want), Ok(message.clone()));
    let ascii = text::EncodeOptions::new().ascii(true).to_string(&message);
    assert!(ascii.contains(r#"s: "\303\251""#), "{ascii}");
}

#[test]
fn unknown_fields_are_printed_by_number_when_asked() {
    let fixture = Fixture::new();
    let bytes = [
        b"\x28\x07".as_slice(),      // 5, varint
        b"\x35\x2a\0\0\0",           // 6, four bytes
        b"\x39\x2a\0\0\0\0\0\0\0",   // 7, eight bytes
        b"\x42\x02\x08\x01",         // 8, could be a message
        b"\x42\x02\xff\xff\x42\x00", // 8, bytes and nothing
        b"\x4b\x08\x01\x53\x54\x4c", // 9, a group with a group
    ]
    .concat();
    let message = DynamicMessage::decode(fixture.pool.message("t.Older").unwrap(), &bytes).unwrap();
    assert_eq!(fixture.printer().to_string(&message), "");
    assert_eq!(
        fixture.printer().print_unknown_fields(true).to_string(&message),
        "5: 7 6: 0x0000002a 7: 0x000000000000002a 8 { 1: 1 } 8: \"\\377\\377\" 8: \"\" 9 { 1: 1 10 { } }"
    );
    // An extension is not printed a second time.
    let message = fixture.read("t.All", "[t.ext]: 5 set { [t.Item.item] { } }").unwrap();
    let want = "set { [t.Item] { } } [t.ext]: 5";
    assert_eq!(fixture.printer().print_unknown_fields(true).to_string(&message), want);
}

#[test]
fn unknown_names_and_missing_fields_are_accepted_when_asked() {
    let fixture = Fixture::new();
    let text = b"nope { a: 1, [b.c/d]: < > } [t.nope]: [1, 2] si { key: 'a' nope: 1 } need { }";
    let options = text::DecodeOptions::new().ignore_unknown(true).partial();
    let message = fixture.read_with("t.All", text, options).unwrap();
    assert_eq!(fixture.printer().to_string(&message), "si { key: \"a\" value: 0 } need { }");
}

#[test]
fn limits_hold_whatever_the_nesting() {
    let fixture = Fixture::new();
    let deep = |open: &str, levels: usize| open.repeat(levels) + &"}".repeat(levels);
    let is_limit = |text: &str| {
        let result =
            fixture.read_with("t.All", text.as_bytes(), text::DecodeOptions::new().ignore_unknown(true));
        matches!(result.map_err(|error| error.kind().clone()), Err(TextErrorKind::Limit(_)))
    };
    assert!(!is_limit(&deep("m{", 100)));
    for open in ["m{", "nope{", "gone{", "two{", "[t.ext_m]{", "im{value{", "ms:[{"] {
        assert!(is_limit(&deep(open, 101)), "{open}");
        assert!(is_limit(&open.repeat(100_000)), "{open}");
    }
    for (limits, text) in [
        (Limits::default().size(5), "i32: 1"),
        (Limits::default().elements(2), "ns: [1, 2, 3]"),
        (Limits::default().memory(0, 1), "ms {} ms {}"),
        (Limits::default().memory(0, 0), "s: 'a'"),
    ] {
        let error = fixture
            .read_with("t.All", text.as_bytes(), text::DecodeOptions::new().limits(limits))
            .unwrap_err();
        assert!(matches!(error.kind(), TextErrorKind::Limit(_)), "{text}: {error}");
    }
}

#[test]
fn any_in_any_without_end_is_printed_to_a_depth() {
    let fixture = Fixture::new();
    // Any in Any, 2000 levels: more than reading them one in another would allow.
    let mut bytes = Vec::new();
    for _ in 0..2000 {
        let url = b"x/google.protobuf.Any";
        let mut outer = vec![0x0a, url.len() as u8];
        outer.extend_from_slice(url);
        outer.push(0x12);
        let mut len = bytes.len();
        while len >= 0x80 {
            outer.push(len as u8 | 0x80);
            len >>= 7;
        }
        outer.push(len as u8);
        outer.extend_from_slice(&bytes);
        bytes = outer;
    }
    let message =
        DynamicMessage::decode(fixture.pool.message("google.protobuf.Any").unwrap(), &bytes).unwrap();
    let printed = fixture.printer().to_string(&message);
    assert_eq!(printed.matches("[x/google.protobuf.Any]").count(), 100);
}

#[test]
fn strings_for_bytes_need_not_be_utf_8() {
    let fixture = Fixture::new();
    let message = fixture.read_with("t.All", b"# \xff\nraw: '\xff'", text::DecodeOptions::new()).unwrap();
    assert_eq!(fixture.printer().to_string(&message), "raw: \"\\377\"");
    for text in [&b"s: '\xff'"[..], b"s: '\\xff'"] {
        // A string of proto2 need not be UTF-8 either.
        let message = fixture.read_with("t.All", text, text::DecodeOptions::new()).unwrap();
        assert_eq!(fixture.printer().to_string(&message), "s: \"\\377\"");
        let error = fixture.read_with("t3.Plain", text, text::DecodeOptions::new()).unwrap_err();
        assert_eq!(error.kind(), &TextErrorKind::InvalidUtf8);
        assert_eq!(
            error.to_string(),
            "1:4: s: the string is not valid UTF-8; bytes fields hold arbitrary bytes"
        );
    }
}

/// Every prefix of a text, and every text with one byte changed, is read without a panic; what is
/// accepted reads back the same from what is printed.
#[test]
fn damaged_text_never_panics_and_what_is_accepted_round_trips() {
    let fixture = Fixture::new();
    let seed = "i32: -0x1F f64: 1.5e-3f s: 'a\\u00e9' \"\\x41\" ns: [1, 02] m < b: t > MyGroup { a: 1; }\n\
                si { key: 'k' value: 1 } any { [x/t.Need] { id: 1 } } [t.exts]: [1, 2] gone: { a: [-1] } e: NEG # end";
    let check = |text: &[u8]| {
        let Ok(message) = fixture.read_with("t.All", text, text::DecodeOptions::new()) else { return };
        for options in [fixture.printer(), fixture.printer().single_line(false).ascii(true)] {
            let printed = options.to_string(&message);
            assert_eq!(fixture.read("t.All", &printed), Ok(message.clone()), "{printed}");
        }
    };
    check(seed.as_bytes());
    for len in 0..seed.len() {
        check(&seed.as_bytes()[..len]);
    }
    for at in 0..seed.len() {
        for byte in *b"\0\n \"'#%-./019:;<>[\\]aefnx_{}\xff" {
            let mut text = seed.as_bytes().to_vec();
            text[at] = byte;
            check(&text);
        }
    }
}

/// While a message of one pool is decoded, an extension of another pool is checked by its own tables.
#[test]
fn pools_are_not_mixed_up() {
    let extended = "syntax = \"proto2\"; package t; message M { extensions 100 to 200; }";
    let extension = "edition = \"2023\"; package t; import \"m.proto\"; message E { string s = 1; E e = 2; }
                     extend M { E e = 100; }";
    let linked = |files: &[&str]| {
        let sources = Sources::new().file("m.proto", extended).file("e.proto", extension);
        let compilation = Compiler::new(sources).compile(files.iter().copied()).expect("the schema compiles");
        let set = compilation.file_descriptor_set(DescriptorOptions::default());
        DynamicPool::from_file_descriptor_set(set).expect("the schema links")
    };
    let mut registry = Registry::new();
    registry.add_pool(linked(&["m.proto", "e.proto"]));
    let table = linked(&["m.proto"]).message("t.M").expect("the type is declared");
    let decode = |bytes: &[u8]| {
        let options = dunlin_protobuf::DecodeOptions::new().registry(&registry);
        DynamicMessage::decode_with(table.clone(), bytes, &options).map(|message| message.encode_to_vec())
    };
    let bytes = b"\xa2\x06\x05\x12\x03\x0a\x01a";
    assert_eq!(decode(bytes).expect("the extension is text"), bytes);
    assert!(decode(b"\xa2\x06\x05\x12\x03\x0a\x01\xff").is_err());
}
