//! Expressions: what they mean, what is refused before they are run, and what they may cost.

mod common;

use common::{evaluate, message, pool, verdict};
use dunlin_validate::{ValidationError, Validator};

const MEMBERS: &str = r#"
import "google/protobuf/any.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
enum Color { NONE = 0; RED = 1; }
message M {
  int32 i = 1; uint64 u = 2; double d = 3; string s = 4; bytes b = 5; bool f = 6; Color color = 7;
  repeated int32 list = 8; map<string, int32> map = 9; N m = 10; repeated N ms = 11;
  google.protobuf.Timestamp time = 12; google.protobuf.Duration span = 13;
  google.protobuf.Int32Value wrapped = 14; google.protobuf.Any any = 15; google.protobuf.Value value = 16;
  optional string maybe = 17; repeated string texts = 18; map<int32, N> by_number = 19;
  repeated google.protobuf.Any anys = 20;
}
message N { int32 i = 1; N m = 2; google.protobuf.Int32Value wrapped = 3; }
"#;

const JSON: &str = r#"{
  "i": 5, "u": "7", "d": 1.5, "s": "héllo", "b": "AAE=", "f": true, "color": "RED", "list": [3, 1, 2],
  "map": {"a": 1, "b": 2}, "m": {"i": 9}, "ms": [{"i": 1}, {"i": 2}], "time": "2024-02-29T12:30:00Z",
  "span": "90s", "wrapped": 0, "value": {"k": [1, "x"]}, "texts": ["x", "y"], "byNumber": {"3": {"i": 4}}
}"#;

#[test]
fn expressions_mean_what_cel_says() {
    for expression in [
        "1 + 2 * 3 - 4 / 2 == 5 && 7 % 4 == 3 && -this.i == -5",
        "this.i == 5 && this.u == 7u && this.d == 1.5 && this.f && !(!this.f)",
        "this.i < this.u && this.d < this.i && this.u > this.d", // numbers of different types
        "this.s.size() == 5 && size(this.b) == 2 && size('') == 0",
        "this.color == 1 && this.color == t.Color.RED",
        "this.list == [3, 1, 2] && this.list[1] == 1 && 2 in this.list && !(4 in this.list)",
        "this.list + [9] == [3, 1, 2, 9] && size(this.list) == 3 && this.list.size() == 3",
        "this.map['a'] == 1 && 'b' in this.map && this.map.b == 2 && this.map == {'b': 2, 'a': 1}",
        "this.by_number[3].i == 4 && 3 in this.by_number && !(4 in this.by_number)",
        "this.m.i == 9 && this.m.m.m.i == 0 && !has(this.m.m) && has(this.m)",
        "has(this.s) && !has(this.maybe) && this.maybe == '' && has(this.list) && !has(this.anys)",
        "this.ms.all(x, x.i > 0) && this.ms.exists(x, x.i == 2) && this.ms.exists_one(x, x.i == 1)",
        "this.list.map(x, x * 2) == [6, 2, 4] && this.list.filter(x, x > 1) == [3, 2]",
        "this.list.map(x, x > 1, x + 1) == [4, 3] && this.map.all(k, this.map[k] > 0)",
        "this.list.all(x, this.list.exists(y, y == x))", // loops in loops
        "this.time > timestamp('2024-01-01T00:00:00Z') && this.time.getMonth() == 1",
        "this.time.getHours('+01:00') == 13 && this.time.getDayOfWeek() == 4",
        "this.time + duration('1h') - this.time == duration('3600s')",
        "this.span == duration('1m30s') && this.span.getSeconds() == 90 && this.span < duration('2m')",
        "this.wrapped == 0 && this.m.wrapped == null && has(this.wrapped)",
        "this.value.k[1] == 'x' && this.value.k[0] == 1.0",
        "this.s.startsWith('h') && this.s.endsWith('o') && this.s.contains('éll') && this.b.startsWith(b'\\x00')",
        "this.s.matches('^h.l+o$') && !this.s.matches('x') && matches('a1', r'^\\w\\d$')",
        "true || 1 / 0 == 1", // what decides makes faults moot
        "1 / 0 == 1 || true", // in both orders
        "!(1 / 0 == 1 && false)",
        "[0, 1].exists(x, 1 / x == 1)",
        "(this.i > 3 ? 'big' : 'small') == 'big'",
        "int('5') == 5 && uint(5) == 5u && double('1.5') == 1.5 && string(5) == '5' && string(1.5) == '1.5'",
        "int(1.9) == 1 && int(-1.9) == -1 && bool('true') && bytes('a') == b'a' && string(b'a') == 'a'",
        "type(1) == int && type(this.s) == string && type(this) == t.M && type([]) == list",
        "dyn(1) == 1u && dyn(1) != 'a' && dyn([1, 2.0]) == [1.0, 2]",
        "'%s is %d, %.2f, %x, %e, %%'.format(['a', 1, 1.005, 255, 1234.5]) == 'a is 1, 1.00, ff, 1.234500e+03, %'",
        "'%s'.format([[1, 'a', {'k': true}, null, duration('1.5s')]]) == '[1, a, {k: true}, null, 1.5s]'",
        "'a-b-c'.split('-') == ['a', 'b', 'c'] && this.texts.join('+') == 'x+y' && ' a '.trim() == 'a'",
        "'abc'.substring(1) == 'bc' && 'abc'.substring(0, 2) == 'ab' && 'abc'.charAt(1) == 'b'",
        "'abab'.indexOf('b') == 1 && 'abab'.lastIndexOf('b') == 3 && 'abab'.indexOf('b', 2) == 3",
        "'abab'.replace('a', 'x') == 'xbxb' && 'AB'.lowerAscii() == 'ab' && 'abc'.reverse() == 'cba'",
        "strings.quote('a\"\\n') == '\"a\\\\\"\\\\n\"'",
        "(0.0 / 0.0).isNan() && (1.0 / 0.0).isInf() && (-1.0 / 0.0).isInf(-1) && !(1.0).isInf()",
        "[1, 2].unique() && ![1, 1].unique() && ['a', 'b'].unique() && this.list.unique()",
        "'::1'.isIp() && '127.0.0.1'.isIp(4) && 'a@b.c'.isEmail() && 'a:1'.isHostAndPort(true)",
        "now == now && now > timestamp(0)",
        "this.value != null && 9223372036854775807 > 0 && -9223372036854775808 < 0 && 0xffu == 255u",
        "this.ms == [this.ms[0], this.ms[1]] && this.ms[0] != this.ms[1] && this == this",
    ] {
        match evaluate(MEMBERS, expression, JSON) {
            Ok(true) => {}
            other => panic!("{expression}: {other:?}"),
        }
    }
}

#[test]
fn expressions_that_cannot_make_sense_are_refused_when_they_are_compiled() {
    for (expression, reason) in [
        ("this.nothing > 0", "t.M has no field `nothing`"),
        ("this.i.startsWith('a')", "`startsWith` does not take (int, string)"),
        ("this.i == 'a'", "`==` does not take int and string"),
        ("this.i == 1u", "`==` does not take int and uint"),
        ("this.s + 1", "`+` does not take string and int"),
        ("this.i", "gives int, and not bool or string"),
        ("nothing", "undeclared reference to `nothing`"),
        ("rules.a == 1", "undeclared reference to `rules`"),
        ("this.s.nothing()", "undeclared reference to function `nothing`"),
        ("!this.i", "`!` takes bool, not int"),
        ("this.list.all(x, x)", "`all` takes bool, not int"),
        ("this.s.all(c, true)", "`all` goes through lists and maps, not string"),
        ("this.s.matches('(')", "unclosed group"),
        ("'%s'.format([]) == ''", "`format` wants 1 values and has 0"),
        ("'%q'.format([1]) == ''", "`format` does not know `%q`"),
        ("timestamp('yesterday') == now", "is not a time of RFC 3339"),
        ("t.M{i: 1} == this", "making messages is not supported"),
        ("this.i ==", "expected a value, found the end"),
        ("1 + + 2 == 3", "expected a value, found `+`"),
        ("'a", "a string without its end"),
        ("9223372036854775808 > 0", "does not fit 64 bits"),
        ("this.i > 0 ? true : 'x'", "`?:` chooses between bool and string"),
        ("has(this)", "`has` takes a field"),
        ("for == 1", "`for` is a reserved word"),
    ] {
        match evaluate(MEMBERS, expression, JSON) {
            Err(ValidationError::Compilation { reason: found, .. }) => {
                assert!(found.contains(reason), "{expression}: {found}");
            }
            other => panic!("{expression}: {other:?}"),
        }
    }
}

#[test]
fn expressions_without_a_value_are_errors_and_no_violations() {
    for expression in [
        "this.i / (this.i - 5) == 1",
        "this.list[9] == 0",
        "this.map['z'] == 0",
        "dyn(this).nothing == 1",
        "int(this.s) == 1",
        "9223372036854775807 + this.i > 0",
        "string(b'\\xff') == ''",
        "this.list.map(x, 1 / (x - 1)) == []",
    ] {
        let result = evaluate(MEMBERS, expression, JSON);
        assert!(matches!(result, Err(ValidationError::Runtime { .. })), "{expression}: {result:?}");
    }
}

#[test]
fn expressions_nested_without_end_are_refused_and_do_not_overflow_the_stack() {
    let many = 20_000;
    for expression in [
        format!("{}true{}", "(".repeat(many), ")".repeat(many)),
        format!("{}true", "!(".repeat(many)),
        format!("1{} > 0", "+1".repeat(many)),
        format!("{}1 == 1", "[".repeat(many)),
        format!("this{}.i == 1", ".m".repeat(many)),
        format!("{}true", "true ? true : ".repeat(many / 8)),
    ] {
        let result = evaluate(MEMBERS, &expression, JSON);
        assert!(
            matches!(result, Err(ValidationError::Compilation { .. })),
            "{}: {result:?}",
            &expression[..20]
        );
    }
    // As many as one likes side by side.
    let wide = format!("true{}", " && true".repeat(5_000));
    assert_eq!(evaluate(MEMBERS, &wide, JSON), Ok(true));
    assert_eq!(evaluate(MEMBERS, &format!("{}true", "!".repeat(20_000)), JSON), Ok(true));
}

#[test]
fn what_a_message_makes_expressions_cost_is_bounded() {
    let rule =
        "[(buf.validate.field).cel_expression = \"this.all(a, this.all(b, this.all(c, a + b + c >= 0)))\"]";
    let pool = pool(&format!("message M {{ repeated int32 list = 1 {rule}; }}"));
    let numbers = vec!["1"; 1_000].join(",");
    let validator = Validator::builder().max_cost(100_000).build();
    let error = validator.validate(&message(&pool, &format!("{{\"list\": [{numbers}]}}"))).unwrap_err();
    assert!(matches!(error, ValidationError::Cost { limit: 100_000, .. }), "{error}");
    assert_eq!(verdict(&validator, &pool, "{\"list\": [1, 2, 3]}"), "");
}

#[test]
fn the_cost_is_not_taken_for_a_fault_that_something_else_decides() {
    let rule = "[(buf.validate.field).cel_expression = \"this.all(a, this.all(b, a == b)) || true\"]";
    let pool = pool(&format!("message M {{ repeated int32 list = 1 {rule}; }}"));
    let numbers = vec!["1"; 1_000].join(",");
    let validator = Validator::builder().max_cost(1_000).build();
    let error = validator.validate(&message(&pool, &format!("{{\"list\": [{numbers}]}}"))).unwrap_err();
    assert!(matches!(error, ValidationError::Cost { .. }), "{error}");
}

#[test]
fn a_message_in_any_is_seen_by_its_own_type() {
    let any = r#"{"any": {"@type": "type.googleapis.com/t.M", "i": 3}}"#;
    let pool = pool(&MEMBERS.replacen(
        "message M {",
        "message M { option (buf.validate.message).cel_expression = \"!has(this.any) || this.any.i == 3\";",
        1,
    ));
    let mut registry = dunlin_protobuf::Registry::new();
    registry.add_pool(pool.clone());
    let mut message = dunlin_protobuf::dynamic::DynamicMessage::new(pool.message("t.M").unwrap());
    dunlin_protobuf::json::DecodeOptions::new().registry(&registry).merge(&mut message, any).unwrap();
    assert_eq!(Validator::default().validate(&message), Ok(()));
}
