//! Schema text, changed by tokens and phrases.

use dunlin_compiler::syntax::{NodeKind, TokenKind, Tree};

use super::Random;

/// Sentences and parts of sentences of the grammar, to be put between tokens.
const PHRASES: &[&str] = &[
    "syntax = \"proto2\";",
    "syntax = \"proto3\";",
    "edition = \"2023\";",
    "edition = \"2024\";",
    "edition = \"2026\";",
    "package a.b;",
    "import \"b.proto\";",
    "import public \"b.proto\";",
    "import weak \"b.proto\";",
    "import option \"b.proto\";",
    "import \"google/protobuf/descriptor.proto\";",
    "import \"google/protobuf/any.proto\";",
    "import \"google/protobuf/cpp_features.proto\";",
    "\n--- b.proto\n",
    "\n+++ c.proto\n",
    "message M { }",
    "message M { optional int32 a = 1; repeated M b = 2; }",
    "message M { option message_set_wire_format = true; extensions 4 to max; }",
    "export message M { }",
    "local enum E { A = 0; }",
    "enum E { A = 0; }",
    "enum E { option allow_alias = true; A = 0; B = 0; C = -1; }",
    "service S { rpc R(M) returns (stream M) { option deprecated = true; } }",
    "extend M { optional M e = 100; }",
    "extend google.protobuf.FileOptions { optional M o = 50000; repeated int32 r = 50001; }",
    "extend google.protobuf.FieldOptions { optional string f = 50000; }",
    "oneof o { int32 x = 7; M y = 8; }",
    "optional group G = 9 { optional int32 g = 1; }",
    "map<string, M> m = 10;",
    "map<int32, int32> n = 11;",
    "int32 f = 1;",
    "optional string s = 2 [default = \"x\\377\"];",
    "repeated int32 p = 3 [packed = true, deprecated = true];",
    "optional double d = 4 [default = -inf, json_name = \"dd\"];",
    "optional E e = 5 [default = A];",
    "extensions 100 to 199, 500 to max;",
    "extensions 4 to 9 [verification = DECLARATION, declaration = { number: 4, full_name: \".a\", type: \".b\" }];",
    "reserved 1, 3 to 5, 1000 to max;",
    "reserved \"a\", \"b\";",
    "reserved a, b;",
    "option (o) = { a: 1 b { a: 2 } };",
    "option (o).b = { [a.e]: { a: 1 }, b: [{}, <>] };",
    "option (o).b.(e).a = 5;",
    "option (r) = 1; option (r) = 2;",
    "option java_package = \"j\";",
    "option optimize_for = LITE_RUNTIME;",
    "option features.field_presence = IMPLICIT;",
    "option features = { enum_type: CLOSED };",
    "[features.message_encoding = DELIMITED]",
    "[features.(pb.cpp).string_type = VIEW]",
    "[(f) = \"v\", lazy = true]",
    "[[a.b/c.d]: { }]",
    "{ [type.googleapis.com/a.M] { a: 1 } }",
    "/* c */",
    "// c\n",
    "\n\n",
    "\t",
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    "<",
    ">",
    ";",
    ",",
    "=",
    ".",
    ":",
    "/",
    "-",
    "\"",
    "'",
];

/// Words that may stand for one another.
const WORDS: &[&str] = &[
    "M",
    "E",
    "A",
    "a",
    "b",
    "a.b",
    ".a.b.M",
    "x",
    "optional",
    "required",
    "repeated",
    "group",
    "oneof",
    "map",
    "extend",
    "message",
    "enum",
    "service",
    "rpc",
    "returns",
    "stream",
    "option",
    "reserved",
    "extensions",
    "to",
    "max",
    "import",
    "public",
    "weak",
    "package",
    "syntax",
    "edition",
    "export",
    "local",
    "default",
    "json_name",
    "packed",
    "deprecated",
    "features",
    "int32",
    "int64",
    "uint32",
    "sint64",
    "fixed32",
    "sfixed64",
    "float",
    "double",
    "bool",
    "string",
    "bytes",
    "true",
    "false",
    "inf",
    "nan",
    "google",
    "protobuf",
    "M.M",
    "FieldOptions",
    "java_package",
    "lazy",
    "ctype",
    "jstype",
    "retention",
    "targets",
];

const NUMBERS: &[&str] = &[
    "0",
    "1",
    "2",
    "3",
    "15",
    "16",
    "999",
    "1000",
    "18999",
    "19000",
    "19999",
    "20000",
    "65535",
    "65536",
    "536870911",
    "536870912",
    "2147483647",
    "2147483648",
    "4294967295",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "0x7fffffff",
    "017",
    "09",
    "1.5",
    "1e400",
    "1e-400",
    ".5",
    "1.",
    "0x",
    "1e",
    "340282356779733661637539395458142568448",
    "5f",
];

const STRINGS: &[&str] = &[
    "\"\"",
    "\"a\"",
    "'b'",
    "\"b.proto\"",
    "\"main.proto\"",
    "\"\\xff\"",
    "\"\\u00e9\"",
    "\"\\U0010ffff\"",
    "\"\\ud800\"",
    "\"\\400\"",
    "\"\\?\"",
    "\"a\" 'b'",
    "\"\\0\"",
    "\"2023\"",
    "\"proto3\"",
    "\"\\ud83d\\ude00\"",
];

/// A changed text of at most `max` bytes, or nothing if the engine should change it itself.
pub fn text(input: &[u8], max: usize, seed: u32) -> Option<Vec<u8>> {
    let mut random = Random::new(seed);
    if random.one_in(3) {
        return None;
    }
    let mut out = input.to_vec();
    for _ in 0..1 + random.below(4) {
        out = change(&out, max, &mut random);
    }
    (out != input && out.len() <= max).then_some(out)
}

fn change(input: &[u8], max: usize, random: &mut Random) -> Vec<u8> {
    let (tree, _) = Tree::parse(input);
    // A token with the gap before it, so that what is moved keeps its spaces and comments.
    let bounds: Vec<usize> = std::iter::once(0).chain(tree.tokens().iter().map(|t| t.end as usize)).collect();
    let count = tree.tokens().len() - 1;
    if count == 0 {
        return [input, random.pick(PHRASES).as_bytes()].concat();
    }
    let place = bounds[random.below(count + 1)];
    match random.below(9) {
        0 | 1 => insert(input, place, random.pick(PHRASES).as_bytes()),
        2 => {
            let cut = random.stretch(count);
            splice(input, bounds[cut.start], bounds[cut.end], &[])
        }
        3 => {
            let copied = random.stretch(count);
            insert(input, place, &input[bounds[copied.start]..bounds[copied.end]])
        }
        4 => {
            // Many copies of a little: what is slow for many shows.
            let copied = random.stretch(count);
            let copied = &input[bounds[copied.start]..bounds[copied.end]];
            let room = max.saturating_sub(input.len()) / (copied.len() + 1);
            let times = random.copies(room);
            insert(input, place, &copied.repeat(times))
        }
        5 => match node(&tree, random) {
            // A whole declaration goes, is doubled, or moves.
            Some((first, end)) if first < end => {
                let (from, to) = (bounds[first as usize], bounds[end as usize]);
                match random.below(3) {
                    0 => splice(input, from, to, &[]),
                    1 => insert(input, to, &input[from..to]),
                    _ => insert(input, place, &input[from..to]),
                }
            }
            _ => input.to_vec(),
        },
        _ => {
            let index = random.below(count) as u32;
            let span = tree.token(index).span().range();
            let words = match tree.token(index).kind {
                TokenKind::Identifier => WORDS,
                TokenKind::Integer | TokenKind::Float => NUMBERS,
                TokenKind::String => STRINGS,
                _ => PHRASES,
            };
            // As often as not a word from elsewhere in the text.
            let other = random.below(count) as u32;
            let word = if random.one_in(2) && tree.token(other).kind == tree.token(index).kind {
                tree.bytes(other)
            } else {
                random.pick(words).as_bytes()
            };
            splice(input, span.start, span.end, word)
        }
    }
}

fn node(tree: &Tree<'_>, random: &mut Random) -> Option<(u32, u32)> {
    let count = tree.node(tree.root()).next;
    let node = tree.node(random.below(count as usize) as u32);
    (node.kind != NodeKind::File).then_some((node.first, node.end))
}

fn splice(input: &[u8], from: usize, to: usize, with: &[u8]) -> Vec<u8> {
    [&input[..from], with, &input[to..]].concat()
}

fn insert(input: &[u8], at: usize, what: &[u8]) -> Vec<u8> {
    [&input[..at], b" ", what, &input[at..]].concat()
}
