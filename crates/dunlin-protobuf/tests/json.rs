//! ProtoJSON over dynamic messages: what is read, what is written, what is refused.

use std::sync::Arc;

use dunlin_compiler::Compiler;
use dunlin_compiler::loader::Sources;
use dunlin_protobuf::dynamic::{DynamicMessage, DynamicPool};
use dunlin_protobuf::json::{DecodeOptions, EncodeOptions, JsonError};
use dunlin_protobuf::{Limits, Registry};

const SCHEMA: &str = r#"
syntax = "proto3";
package t;
import "google/protobuf/any.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/empty.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";

enum Color { COLOR_NONE = 0; RED = 1; CRIMSON = 2; }

message All {
  int32 i32 = 1;
  int64 i64 = 2;
  uint32 u32 = 3;
  uint64 u64 = 4;
  float f32 = 5;
  double f64 = 6;
  bool b = 7;
  string s = 8;
  bytes by = 9;
  Color color = 10;
  All child = 11;
  optional int32 opt = 12;
  repeated int32 ints = 13;
  repeated string strs = 14;
  repeated Color colors = 15;
  repeated All children = 16;
  map<string, int32> by_name = 17;
  map<int32, All> by_number = 18;
  map<bool, Color> by_flag = 19;
  oneof one { int32 one_int = 20; All one_child = 21; google.protobuf.NullValue one_null = 22; }
  google.protobuf.Any any = 30;
  google.protobuf.Duration duration = 31;
  google.protobuf.FieldMask mask = 32;
  google.protobuf.Struct struct = 33;
  google.protobuf.Value value = 34;
  google.protobuf.ListValue list = 35;
  google.protobuf.Timestamp time = 36;
  google.protobuf.Int64Value wrapped = 37;
  google.protobuf.BoolValue flag = 38;
  repeated google.protobuf.Value values = 39;
  repeated google.protobuf.Int32Value wrappers = 40;
  google.protobuf.Empty empty = 41;
}
"#;

const OLD: &str = r#"
syntax = "proto2";
package o;
enum Closed { ONE = 1; TWO = 2; }
message Must { required int32 id = 1; optional Closed closed = 2; repeated Must below = 3; extensions 100 to 200; }
message Set { option message_set_wire_format = true; extensions 4 to max; }
message Item { extend Set { optional Item item = 1547769; } optional string name = 1; }
extend Must { optional int32 ext = 100; repeated string words = 101; optional Must more = 102; }
"#;

struct World {
    pool: Arc<DynamicPool>,
    registry: Registry,
}

fn world() -> World {
    let sources = Sources::new().file("t.proto", SCHEMA).file("o.proto", OLD);
    let compilation = Compiler::new(sources).compile(["t.proto", "o.proto"]).unwrap();
    let pool = DynamicPool::new(compilation.into_pool());
    let mut registry = Registry::new();
    registry.add_pool(pool.clone());
    World { pool, registry }
}

impl World {
    fn parse_as(
        &self,
        ty: &str,
        options: DecodeOptions<'_>,
        text: &str,
    ) -> Result<DynamicMessage, JsonError> {
        let mut message = DynamicMessage::new(self.pool.message(ty).unwrap());
        options.merge(&mut message, text)?;
        Ok(message)
    }

    fn options(&self) -> DecodeOptions<'_> {
        DecodeOptions::new().registry(&self.registry)
    }

    fn write(&self, message: &DynamicMessage) -> Result<String, JsonError> {
        EncodeOptions::new().registry(&self.registry).to_string(message)
    }

    /// Reads, goes through the wire format and writes.
    fn round(&self, ty: &str, text: &str) -> Result<String, JsonError> {
        let message = self.parse_as(ty, self.options(), text)?;
        let again = DynamicMessage::decode(self.pool.message(ty).unwrap(), &message.encode_to_vec()).unwrap();
        let written = self.write(&message)?;
        assert_eq!(self.write(&again)?, written, "after the wire format: {text}");
        Ok(written)
    }
}

#[test]
fn what_is_accepted_is_written_in_its_normal_form() {
    let world = world();
    for (text, want) in [
        ("{}", "{}"),
        (r#" { "i32" : 1 } "#, r#"{"i32":1}"#),
        (r#"{"i32":"1","i64":2,"u32":"3e0","u64":4.0}"#, r#"{"i32":1,"i64":"2","u32":3,"u64":"4"}"#),
        (
            r#"{"i64":-9223372036854775808,"u64":"18446744073709551615"}"#,
            r#"{"i64":"-9223372036854775808","u64":"18446744073709551615"}"#,
        ),
        (r#"{"f32":"NaN","f64":"-Infinity"}"#, r#"{"f32":"NaN","f64":"-Infinity"}"#),
        (r#"{"f32":0.1,"f64":1e300}"#, r#"{"f32":0.1,"f64":1e+300}"#),
        (r#"{"f64":-0.0}"#, r#"{"f64":-0.0}"#),
        (r#"{"s":"\u00e4\ud83d\ude00\n\"\\\/\u0001"}"#, "{\"s\":\"\u{e4}\u{1f600}\\n\\\"\\\\/\\u0001\"}"),
        (r#"{"by":"-_8"}"#, r#"{"by":"+/8="}"#),
        (r#"{"color":"RED"}"#, r#"{"color":"RED"}"#),
        (r#"{"color":1.0}"#, r#"{"color":"RED"}"#),
        (r#"{"color":77}"#, r#"{"color":77}"#), // open
        (r#"{"opt":0}"#, r#"{"opt":0}"#),
        (r#"{"i32":0,"s":"","ints":[],"byName":{}}"#, "{}"),
        (r#"{"by_name":{"a":1}}"#, r#"{"byName":{"a":1}}"#), // the name of the schema
        (r#"{"\u0062yName":{"a":1}}"#, r#"{"byName":{"a":1}}"#), // escapes in a key
        (r#"{"byNumber":{"-1":{"i32":1},"2":{}}}"#, r#"{"byNumber":{"-1":{"i32":1},"2":{}}}"#),
        (r#"{"byFlag":{"true":"RED"}}"#, r#"{"byFlag":{"true":"RED"}}"#),
        (r#"{"byName":{"a":1,"a":2}}"#, r#"{"byName":{"a":2}}"#), // of a key's values the last counts
        (r#"{"colors":["RED",2]}"#, r#"{"colors":["RED","CRIMSON"]}"#),
        (r#"{"children":[{},{"s":"x"}]}"#, r#"{"children":[{},{"s":"x"}]}"#),
        (r#"{"i32":1,"i32":null}"#, "{}"),
        (r#"{"oneInt":1,"oneChild":null}"#, r#"{"oneInt":1}"#),
        (r#"{"oneNull":null}"#, r#"{"oneNull":null}"#),
        (r#"{"oneNull":"NULL_VALUE"}"#, r#"{"oneNull":null}"#),
        (r#"{"oneNull":-2}"#, r#"{"oneNull":-2}"#),
        (
            r#"{"i32":null,"s":null,"child":null,"ints":null,"byName":null,"color":null,"any":null,"time":null,"wrapped":null}"#,
            "{}",
        ),
        // Well-known types.
        (r#"{"wrapped":"5","flag":false}"#, r#"{"wrapped":"5","flag":false}"#),
        (r#"{"wrapped":0}"#, r#"{"wrapped":"0"}"#),
        (r#"{"wrappers":[0,1]}"#, r#"{"wrappers":[0,1]}"#),
        (r#"{"duration":"1.50s"}"#, r#"{"duration":"1.500s"}"#),
        (r#"{"time":"1970-01-01T01:00:00+01:00"}"#, r#"{"time":"1970-01-01T00:00:00Z"}"#),
        (r#"{"mask":"fooBar,x"}"#, r#"{"mask":"fooBar,x"}"#),
        (r#"{"mask":""}"#, r#"{"mask":""}"#),
        (r#"{"value":null}"#, r#"{"value":null}"#),
        (r#"{"value":[1,"a",true,null,{"x":{}}]}"#, r#"{"value":[1,"a",true,null,{"x":{}}]}"#),
        (r#"{"values":[null,1]}"#, r#"{"values":[null,1]}"#),
        (r#"{"struct":{"a":null,"b":[]}}"#, r#"{"struct":{"a":null,"b":[]}}"#),
        (r#"{"list":[]}"#, r#"{"list":[]}"#),
        (r#"{"empty":{}}"#, r#"{"empty":{}}"#),
        // Any.
        (r#"{"any":{}}"#, r#"{"any":{}}"#),
        (r#"{"any":{"i32":1,"@type":"x.y/t.All"}}"#, r#"{"any":{"@type":"x.y/t.All","i32":1}}"#),
        (r#"{"any":{"@type":"x/google.protobuf.Empty"}}"#, r#"{"any":{"@type":"x/google.protobuf.Empty"}}"#),
        // As others write it.
        (
            r#"{"any":{"@type":"x/google.protobuf.Empty","value":{}}}"#,
            r#"{"any":{"@type":"x/google.protobuf.Empty"}}"#,
        ),
        (
            r#"{"any":{"@type":"x/google.protobuf.Duration","value":"1s"}}"#,
            r#"{"any":{"@type":"x/google.protobuf.Duration","value":"1s"}}"#,
        ),
        (
            r#"{"any":{"@type":"x/google.protobuf.Value","value":null}}"#,
            r#"{"any":{"@type":"x/google.protobuf.Value","value":null}}"#,
        ),
        (
            r#"{"any":{"@type":"x/google.protobuf.Any","value":{"@type":"x/t.All","i32":1}}}"#,
            r#"{"any":{"@type":"x/google.protobuf.Any","value":{"@type":"x/t.All","i32":1}}}"#,
        ),
    ] {
        match world.round("t.All", text) {
            Ok(got) => assert_eq!(got, want, "{text}"),
            Err(error) => panic!("{text}: {error}"),
        }
    }
}

#[test]
fn what_is_no_message_is_refused() {
    let world = world();
    for text in [
        "",
        "null",
        "[]",
        "1",
        "{",
        "{}}",
        "{} x",
        "{\"i32\":1,}",
        "{,}",
        "{'i32':1}",
        "{i32:1}",
        "{\"i32\" 1}",
        "{\"i32\":1 \"s\":\"\"}",
        "{/**/}",
        "{\"ints\":[1,]}",
        "{\"ints\":[,1]}",
        "{\"ints\":[1 2]}",
        "{\"i32\":}",
        r#"{"nope":1}"#,
        r#"{"[t.nope]":1}"#,
        r#"{"nope":null}"#,
        r#"{"i32":1e536870000}"#,
        r#"{"i32":"1e536870000"}"#,
        r#"{"i32":0.5}"#,
        r#"{"i32":2147483648}"#,
        r#"{"i32":""}"#,
        r#"{"i32":" 1"}"#,
        r#"{"i32":"1 "}"#,
        r#"{"i32":01}"#,
        r#"{"i32":-01}"#,
        r#"{"i32":+1}"#,
        r#"{"i32":true}"#,
        r#"{"i32":1a}"#,
        r#"{"u32":-1}"#,
        r#"{"u64":18446744073709551616}"#,
        r#"{"f64":NaN}"#,
        r#"{"f64":1e309}"#,
        r#"{"f32":3.502823e38}"#,
        r#"{"f64":""}"#,
        r#"{"f64":"1x"}"#,
        r#"{"b":1}"#,
        r#"{"b":"true"}"#,
        r#"{"b":True}"#,
        r#"{"b":truex}"#,
        r#"{"s":1}"#,
        r#"{"s":"\ud800"}"#,
        r#"{"s":"\ud800\u0041"}"#,
        r#"{"s":"\udc00"}"#,
        r#"{"s":"\x"}"#,
        r#"{"s":"\u12"}"#,
        "{\"s\":\"\n\"}",
        r#"{"s":"a"#,
        r#"{"by":"@"}"#,
        r#"{"color":"red"}"#,
        r#"{"color":RED}"#,
        r#"{"color":[]}"#,
        r#"{"color":true}"#,
        r#"{"ints":1}"#,
        r#"{"ints":[null]}"#,
        r#"{"strs":[1]}"#,
        r#"{"children":[null]}"#,
        r#"{"byName":{"a":null}}"#,
        r#"{"byName":{1:1}}"#,
        r#"{"byNumber":{"x":{}}}"#,
        r#"{"byNumber":{"01":{}}}"#,
        r#"{"byFlag":{"True":1}}"#,
        r#"{"wrappers":[null]}"#,
        r#"{"empty":{"x":1}}"#,
        r#"{"duration":"1"}"#,
        r#"{"time":"now"}"#,
        r#"{"mask":"a_b"}"#,
        r#"{"struct":[]}"#,
        r#"{"list":{}}"#,
        r#"{"value":NaN}"#,
        r#"{"any":{"i32":1}}"#,
        r#"{"any":{"@type":"","i32":1}}"#,
        r#"{"any":{"@type":"t.All"}}"#,
        r#"{"any":{"@type":"x/t.Nope"}}"#,
        r#"{"any":{"@type":"x/t.All","@type":"x/t.All"}}"#,
        r#"{"any":{"@type":"x/google.protobuf.Duration","value":"1s","i32":1}}"#,
        r#"{"any":{"@type":"x/google.protobuf.Duration"}}"#,
        r#"{"any":{"@type":1}}"#,
        // A field that is there twice, under whichever name, and a oneof with two members.
        r#"{"i32":1,"i32":2}"#,
        r#"{"child":{"i32":1},"child":{"s":"x"}}"#,
        r#"{"oneInt":1,"oneInt":1}"#,
        r#"{"oneInt":1,"oneChild":{}}"#,
        r#"{"ints":[1],"ints":[2]}"#,
        r#"{"by_name":{"a":1},"byName":{"b":1}}"#,
        r#"{"any":{"@type":"x/t.All","i32":1,"i32":1}}"#,
    ] {
        let result = world.parse_as("t.All", world.options(), text);
        assert!(result.is_err(), "{text} gave {}", world.write(&result.unwrap()).unwrap());
    }
    let mut message = DynamicMessage::new(world.pool.message("t.All").unwrap());
    assert!(DecodeOptions::new().merge(&mut message, b"{\"s\":\"\xff\"}").is_err(), "not UTF-8");
}

#[test]
fn unknown_names_are_skipped_on_request() {
    let world = world();
    for (text, want) in [
        (r#"{"nope":{"a":[1,{"b":null}],"c":"d"},"i32":1}"#, r#"{"i32":1}"#),
        (r#"{"color":"NOPE","oneInt":1}"#, r#"{"oneInt":1}"#),
        (r#"{"colors":["RED","NOPE","CRIMSON"]}"#, r#"{"colors":["RED","CRIMSON"]}"#),
        (r#"{"byFlag":{"true":"NOPE","false":"RED"}}"#, r#"{"byFlag":{"false":"RED"}}"#),
        (r#"{"[t.nope]":[]}"#, "{}"),
    ] {
        let message = world.parse_as("t.All", world.options().ignore_unknown(), text).unwrap();
        assert_eq!(world.write(&message).unwrap(), want, "{text}");
    }
    for text in [r#"{"nope":[1,]}"#, r#"{"nope":"\x"}"#, r#"{"nope":01}"#, r#"{"color":true}"#] {
        assert!(world.parse_as("t.All", world.options().ignore_unknown(), text).is_err(), "{text}");
    }
}

#[test]
fn masks_are_read_as_objects_on_request() {
    let world = world();
    let object = r#"{"mask":{"paths":["foo_bar","baz.qux_quux"]}}"#;
    let read = world.parse_as("t.All", world.options().mask_objects(), object).unwrap();
    assert_eq!(world.write(&read).unwrap(), r#"{"mask":"fooBar,baz.quxQuux"}"#);
    let text = r#"{"mask":"fooBar"}"#;
    let read = world.parse_as("t.All", world.options().mask_objects(), text).unwrap();
    assert_eq!(world.write(&read).unwrap(), text);
    world.parse_as("t.All", world.options(), object).unwrap_err();
    let other = r#"{"mask":{"path":["a"]}}"#;
    let error = world.parse_as("t.All", world.options().mask_objects(), other).unwrap_err();
    assert!(error.to_string().contains("`path`"), "{error}");
}

#[test]
fn proto2_has_required_fields_closed_enums_and_extensions() {
    let world = world();
    for (text, want) in [
        (r#"{"id":1,"closed":"TWO"}"#, Some(r#"{"id":1,"closed":"TWO"}"#)),
        (r#"{"id":1,"closed":2}"#, Some(r#"{"id":1,"closed":"TWO"}"#)),
        (r#"{"id":1,"closed":3}"#, None),
        (r#"{}"#, None),
        (r#"{"id":1,"below":[{}]}"#, None),
        (
            r#"{"id":1,"[o.ext]":5,"[o.words]":["a","b"]}"#,
            Some(r#"{"id":1,"[o.ext]":5,"[o.words]":["a","b"]}"#),
        ),
        (r#"{"id":1,"[o.ext]":5,"[o.ext]":6}"#, None),
        (r#"{"id":1,"[o.ext]":null}"#, Some(r#"{"id":1}"#)),
        (r#"{"id":1,"[o.more]":{"id":2}}"#, Some(r#"{"id":1,"[o.more]":{"id":2}}"#)),
        (r#"{"id":1,"[o.more]":{}}"#, None),
    ] {
        assert_eq!(world.round("o.Must", text).ok().as_deref(), want, "{text}");
    }
    let set = r#"{"[o.Item.item]":{"name":"x"}}"#;
    assert_eq!(world.round("o.Set", set).unwrap(), set);
}

fn nested(open: &str, close: &str, levels: usize) -> String {
    format!("{}{}", open.repeat(levels), close.repeat(levels))
}

#[test]
fn depth_is_limited_whatever_nests() {
    let world = world();
    let wrap = |field: &str, inner: String| format!("{{\"{field}\":{inner}}}");
    let parse = |text: &str| world.parse_as("t.All", world.options().ignore_unknown(), text);
    for (levels, is_ok) in [(25, true), (200, false), (200_000, false)] {
        for text in [
            wrap("struct", format!("{}{{}}{}", "{\"a\":".repeat(levels), "}".repeat(levels))),
            wrap("list", nested("[", "]", levels)),
            wrap("value", nested("[", "]", levels)),
            wrap("nope", nested("[", "]", levels)),
            format!("{}{{}}{}", "{\"child\":".repeat(levels), "}".repeat(levels)),
            format!("{}{{}}{}", "{\"byNumber\":{\"1\":".repeat(levels), "}}".repeat(levels)),
            wrap(
                "any",
                format!(
                    "{}{{}}{}",
                    "{\"@type\":\"x/google.protobuf.Any\",\"value\":".repeat(levels),
                    "}".repeat(levels)
                ),
            ),
        ] {
            assert_eq!(parse(&text).is_ok(), is_ok, "{levels} levels of {}", &text[..30]);
        }
    }
    // As deep as is allowed, both ways, without harm to the stack.
    let deepest = format!("{}{{}}{}", "{\"byNumber\":{\"1\":".repeat(100), "}}".repeat(100));
    assert_eq!(world.write(&parse(&deepest).unwrap()).unwrap(), deepest);
    assert!(
        world
            .parse_as("t.All", DecodeOptions::new().limits(Limits::default().depth(0)), "{\"child\":{}}")
            .is_err()
    );
    assert!(
        world
            .parse_as(
                "t.All",
                DecodeOptions::new().limits(Limits::default().elements(2)),
                "{\"ints\":[1,2,3]}"
            )
            .is_err()
    );
    assert!(world.parse_as("t.All", DecodeOptions::new().limits(Limits::default().size(2)), "{ }").is_err());
    let poor = DecodeOptions::new().limits(Limits::default().memory(1000, 0));
    assert!(world.parse_as("t.All", poor, &format!("{{\"ints\":[{}1]}}", "1,".repeat(1000))).is_err());
}

#[test]
fn any_and_extensions_in_wire_bytes_are_limited_when_written() {
    let world = world();
    let field = |tag: u8, bytes: &[u8]| {
        let mut out = vec![tag];
        let mut len = bytes.len();
        while len >= 128 {
            out.push(len as u8 | 128);
            len >>= 7;
        }
        out.push(len as u8);
        out.extend_from_slice(bytes);
        out
    };
    let url = field(0x0a, b"x/google.protobuf.Any");
    let any = (0..2000).fold(Vec::new(), |inner, _| [url.clone(), field(0x12, &inner)].concat());
    let table = world.pool.message("google.protobuf.Any").unwrap();
    assert!(world.write(&DynamicMessage::decode(table, &any).unwrap()).is_err());

    // o.more in itself: field 102, of length-delimited wire type.
    let must = (0..2000)
        .fold(vec![0x08, 0x01], |inner, _| [vec![0x08, 0x01], vec![0xb2], field(0x06, &inner)].concat());
    let table = world.pool.message("o.Must").unwrap();
    assert!(world.write(&DynamicMessage::decode(table, &must).unwrap()).is_err());
}

#[test]
fn what_has_no_json_is_refused() {
    let world = world();
    for (ty, bytes, why) in [
        ("google.protobuf.Value", &[][..], "none of its kinds"),
        ("google.protobuf.Value", &[0x11, 0, 0, 0, 0, 0, 0, 0xf0, 0x7f], "infinity"),
        ("google.protobuf.Timestamp", &[0x10, 0x80, 0x94, 0xeb, 0xdc, 0x03], "a billion nanos"),
        ("google.protobuf.FieldMask", &[0x0a, 0x01, b'A'], "not in snake case"),
        ("google.protobuf.Any", &[0x0a, 0x01, b'A'], "no slash"),
        ("google.protobuf.Any", &[0x12, 0x01, b'A'], "no type"),
    ] {
        let message = DynamicMessage::decode(world.pool.message(ty).unwrap(), bytes).unwrap();
        assert!(world.write(&message).is_err(), "{ty}: {why}");
    }
}

#[test]
fn options_change_what_is_written() {
    let world = world();
    let message = world.parse_as("t.All", world.options(), r#"{"byName":{"a":1},"color":"RED"}"#).unwrap();
    let options = EncodeOptions::new();
    assert_eq!(
        options.preserve_proto_names().to_string(&message).unwrap(),
        r#"{"color":"RED","by_name":{"a":1}}"#
    );
    assert_eq!(options.enums_as_numbers().to_string(&message).unwrap(), r#"{"color":1,"byName":{"a":1}}"#);
    assert_eq!(
        options.pretty().to_string(&message).unwrap(),
        "{\n  \"color\": \"RED\",\n  \"byName\": {\n    \"a\": 1\n  }\n}"
    );
    let all = options.emit_unset().to_string(&message).unwrap();
    assert!(all.starts_with(r#"{"i32":0,"i64":"0","u32":0,"u64":"0","f32":0,"f64":0,"b":false,"s":"","by":"","color":"RED","ints":[],"#), "{all}");
    let mut out = String::new();
    options.write_to(&message, &mut out).unwrap();
    let mut bytes = Vec::new();
    options.write_to_io(&message, &mut bytes).unwrap();
    assert_eq!(bytes, out.as_bytes());
}

#[test]
fn errors_name_the_field_and_the_place() {
    let world = world();
    for (text, want) in [
        (
            "{\"children\":[{},\n {\"child\":{\"s\":7}}]}",
            "$.children[1].child.s: expected a string, found a number, at line 2, column 16",
        ),
        (
            "{\"byName\":{\"\u{e4}\":\"x\"}}",
            "$.byName[\"\u{e4}\"]: the value is not an integer, at line 1, column 16",
        ),
        ("{\"nope\":1}", "$: t.All has no field `nope`, at line 1, column 2"),
        ("{\"i32\":3000000000}", "$.i32: the number is out of the range of int32, at line 1, column 8"),
    ] {
        let error = world.parse_as("t.All", world.options(), text).unwrap_err();
        assert_eq!(error.to_string(), want);
    }
}
