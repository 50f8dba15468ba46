"""Makes mutants of small .proto files and compares which of them two compilers accept.

Only the standard library is used. The mutants depend on the seed files and on --seed alone:
mutant I of a run is a function of (seed, I), so a smaller --count is a prefix of a larger one.
"""

import argparse
import hashlib
import os
import random
import re
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from threading import get_ident, local

HERE = Path(__file__).resolve().parent
TIMEOUT = 10

# ---------------------------------------------------------------- tokens and statements

TOKEN = re.compile(
    r"""(?P<space>(?:\s|//[^\n]*|/\*.*?\*/)+)
      | (?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')
      | (?P<number>\.?[0-9](?:[eE][+-]|[0-9A-Za-z_.])*)
      | (?P<word>[A-Za-z_][A-Za-z_0-9]*)
      | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)


class Token:
    """A token with its kind and the space and comments before it."""

    __slots__ = ("kind", "text", "space")

    def __init__(self, kind, text, space=" "):
        self.kind, self.text, self.space = kind, text, space


def tokenize(text):
    tokens, space = [], ""
    for match in TOKEN.finditer(text):
        if match.lastgroup == "space":
            space = match.group()
        else:
            tokens.append(Token(match.lastgroup, match.group(), space))
            space = ""
    return tokens


def render(tokens):
    return "".join(token.space + token.text for token in tokens) + "\n"


def statements(tokens):
    """The statements as (start, end, depth): to their semicolon or closing brace, blocks and
    what is inside them both. Braces of option values are part of their statement."""
    found, starts, values = [], [0], 0
    for at, token in enumerate(tokens):
        text = token.text
        if values:
            values += (text in "{<[") - (text in "}>]")
        elif text == "[" or (text == "{" and at and tokens[at - 1].text in ("=", ":")):
            values = 1
        elif text == "{":
            starts.append(at + 1)
        elif text in (";", "}"):
            if text == "}" and len(starts) > 1:
                starts.pop()
            if at + 1 > starts[-1]:
                found.append((starts[-1], at + 1, len(starts) - 1))
            starts[-1] = at + 1
    return found


def brackets(tokens):
    """The spans of `[...]` and of `{...}` and `<...>` values, brackets included."""
    found, stack = [], []
    for at, token in enumerate(tokens):
        if token.text in ("[", "{", "<"):
            stack.append(at)
        elif token.text in ("]", "}", ">") and stack:
            start = stack.pop()
            if token.text != "}" or (start and tokens[start - 1].text in ("=", ":")):
                found.append((start, at + 1))
    return found


# ---------------------------------------------------------------- mutants

HEADERS = [
    'syntax = "proto2";',
    'syntax = "proto3";',
    'edition = "2023";',
    'edition = "2024";',
    'edition = "2026";',
]
ODD_HEADERS = [
    "",
    'syntax = "proto4";',
    'syntax = "editions";',
    'edition = "proto2";',
    'edition = "2022";',
    'edition = "2025";',
    'edition = "UNSTABLE";',
    'edition = "99999_TEST_ONLY";',
    'edition = "EDITION_2023";',
    'syntax = "2023";',
    "syntax = 'proto3';",
    'syntax = "proto3"; syntax = "proto3";',
    'edition = "2023"; syntax = "proto3";',
]
HEADER = re.compile(r"^[ \t]*(?:syntax|edition)\b[^;]*;", re.MULTILINE)

WORDS = """
    syntax edition import public weak option package message enum service rpc returns stream
    extend extensions reserved to max oneof map group optional required repeated export local
    double float int32 int64 uint32 uint64 sint32 sint64 fixed32 fixed64 sfixed32 sfixed64 bool
    string bytes true false inf nan infinity default json_name packed lazy unverified_lazy
    deprecated weak ctype jstype debug_redact retention targets edition_defaults feature_support
    allow_alias map_entry message_set_wire_format deprecated_legacy_json_field_conflicts
    uninterpreted_option verification declaration number full_name type features field_presence
    enum_type repeated_field_encoding utf8_validation message_encoding json_format
    enforce_naming_style default_symbol_visibility enforce_proto_limits EXPLICIT IMPLICIT
    LEGACY_REQUIRED OPEN CLOSED PACKED EXPANDED VERIFY NONE LENGTH_PREFIXED DELIMITED ALLOW
    LEGACY_BEST_EFFORT STYLE2024 STYLE_LEGACY STYLE2026 EXPORT_ALL EXPORT_TOP_LEVEL LOCAL_ALL
    STRICT PROTO_LIMITS2026 DECLARATION UNVERIFIED RETENTION_SOURCE RETENTION_RUNTIME
    TARGET_TYPE_FIELD TARGET_TYPE_FILE TARGET_TYPE_ENUM optimize_for LITE_RUNTIME
    java_multiple_files cc_enable_arenas java_string_check_utf8 idempotency_level
    EDITION_2023 EDITION_2024 EDITION_2026 EDITION_PROTO2 EDITION_UNSTABLE CORD STRING_PIECE
    JS_STRING JS_NUMBER _ __a A a1 camelCase Under_Score X_ 名
""".split()
OTHERS = list("{}[]()<>=;,.:-+/*#@!") + ["::", "//", "/*", "*/"]
NUMBERS = """
    0 1 2 -1 00 01 010 08 0x 0x0 0xg 0x7FFFFFFF 0x80000000 0xFFFFFFFFFFFFFFFF 1. .1 1.5 1e3 1e
    1e+ 1E-400 1e400 1f 1.5F 1.f 0.0 -0 -0.0 18999 19000 19999 20000 536870911 536870912
    2147483646 2147483647 2147483648 -2147483648 -2147483649 4294967295 4294967296
    9223372036854775807 9223372036854775808 -9223372036854775808 -9223372036854775809
    18446744073709551615 18446744073709551616 340282346638528859811704183484516925440.0
    3.5e38 1e309 99999999999999999999999999 0777777777777777777777777 0b1 1_000 1a 1.2.3
""".split()
STRINGS = [
    '""', "''", '"x"', '"a b"', '"a.b"', '".a.b"', '"int32"', '"0"', '"_a"', '"1a"', '"ä"',
    r'"\x"', r'"\xg"', r'"\xff"', r'"\400"', r'"\777"', r'"\8"', r'"\u12"', r'"\u00e4"',
    r'"\ud83d\ude00"', r'"\ud800"', r'"\U00110000"', r'"\U0010FFFF"', r'"\U0001f600"', r'"\q"',
    r'"\0"', '"\\', '"open', "'open", '"a\nb"', '"\x00"', '"\x7f"', '"\udcff"', '"a" "b"',
    '"a" + "b"', '"google/protobuf/any.proto"', '"google/protobuf/descriptor.proto"',
    '"types.proto"', '"vis.proto"', '"strict.proto"', '"missing.proto"', '"m.proto"',
    '"./types.proto"', '"../types.proto"', r'"pub\x2eproto"', '"proto2"', '"proto3"', '"2023"',
]
# Options by kind of element: NAME=VALUE VALUE..., each a candidate; `file.proto!` in front names
# what has to be imported.
FEATURES = """
    features.field_presence=EXPLICIT,IMPLICIT,LEGACY_REQUIRED,FIELD_PRESENCE_UNKNOWN
    features.enum_type=OPEN,CLOSED,ENUM_TYPE_UNKNOWN
    features.repeated_field_encoding=PACKED,EXPANDED
    features.utf8_validation=VERIFY,NONE
    features.message_encoding=DELIMITED,LENGTH_PREFIXED
    features.json_format=ALLOW,LEGACY_BEST_EFFORT
    features.enforce_naming_style=STYLE2024,STYLE2026,STYLE_LEGACY
    features.default_symbol_visibility=EXPORT_ALL,EXPORT_TOP_LEVEL,LOCAL_ALL,STRICT
    features.enforce_proto_limits=PROTO_LIMITS2026,LEGACY_NO_EXPLICIT_LIMITS
    feats.proto!features.(feats.mine).mode=FAST,SLOW,NEWER,MODE_UNKNOWN
    feats.proto!features.(feats.mine).flag=true
    feats.proto!features.(feats.mine).removed=false
    google/protobuf/java_features.proto!features.(pb.java).legacy_closed_enum=true
    google/protobuf/java_features.proto!features.(pb.java).use_old_outer_classname_default=true
    google/protobuf/java_features.proto!features.(pb.java).nest_in_file_class=YES,NO,LEGACY
    google/protobuf/java_features.proto!features.(pb.java).large_enum=true
    google/protobuf/cpp_features.proto!features.(pb.cpp).string_type=VIEW,CORD,STRING
    google/protobuf/cpp_features.proto!features.(pb.cpp).repeated_type=PROXY
    google/protobuf/go_features.proto!features.(pb.go).api_level=API_OPEN
    google/protobuf/c_sharp_features.proto!features.(pb.csharp).nullable_reference_types=true
"""
OPTIONS = {
    "file": """
        java_package="a.b" java_outer_classname="A" java_multiple_files=true,false
        java_string_check_utf8=true optimize_for=SPEED,CODE_SIZE,LITE_RUNTIME go_package="a"
        cc_generic_services=true deprecated=true cc_enable_arenas=true,false php_namespace="A"
        ruby_package="A::B" opts.proto!(opts.file_s)="x","\\xff" opts.proto!(opts.file_list)=1
        opts.proto!(opts.file).deep.i=2 opts.proto!(opts.file).list=3
        google/protobuf/cpp_file_options.proto!(pb.file.cpp).namespace="x"
        optonly.proto!(optonly.checked)=true
    """,
    "message": """
        message_set_wire_format=true,false no_standard_descriptor_accessor=true deprecated=true
        map_entry=true,false deprecated_legacy_json_field_conflicts=true
        opts.proto!(opts.msg_level)=LOW,-5 opts.proto!(opts.msg_d)=1,nan,-inf,"1"
        opts.proto!(opts.msg)={i:1},{},"",{deep:{}},{counts:{}},{left:1,right:""}
        opts.proto!(opts.msg).left=1 opts.proto!(opts.msg).(opts.more).i=1 optonly.proto!(optonly.note).text="x"
    """,
    "field": """
        ctype=STRING,CORD,STRING_PIECE packed=true,false jstype=JS_NORMAL,JS_STRING,JS_NUMBER
        lazy=true,false unverified_lazy=true deprecated=true,false weak=true debug_redact=true
        retention=RETENTION_SOURCE,RETENTION_RUNTIME,RETENTION_UNKNOWN
        targets=TARGET_TYPE_FIELD,TARGET_TYPE_UNKNOWN json_name="x","aB","","[x]","a\\0","\\xff"
        default=0,1,-1,1.5,true,inf,-inf,nan,-nan,"x","\\xff",2147483648,-2147483649,4294967296
        default=18446744073709551616,1e400,ONE,A,KIND_NONE,-9223372036854775809,{}
        edition_defaults={edition:EDITION_2023,value:"x"} edition_defaults={}
        feature_support={edition_introduced:EDITION_2023}
        feature_support={edition_introduced:EDITION_2024,edition_removed:EDITION_2023}
        feature_support={edition_deprecated:EDITION_2023}
        opts.proto!(opts.fld_i32)=1,-1,2147483648,1.0 opts.proto!(opts.fld_u64)=1,-1,-0
        opts.proto!(opts.fld_f)=1,-1,inf,-inf,nan,1e400 opts.proto!(opts.fld_b)=true,True,1,t
        opts.proto!(opts.fld_levels)=HIGH,5 opts.proto!(opts.fld_deeps)={} opts.proto!(opts.fld_s)="\\xff",x
        opts.proto!(opts.fld_x32)=4294967295,4294967296,-1 opts.proto!(opts.fld_bytes)="\\xff"
        opts.proto!(opts.fld).level=LOW,0,-5,HIGHER opts.proto!(opts.fld).list=1 opts.proto!(opts.fld).deeps.i=1
        optonly.proto!(optonly.hint)="x"
    """,
    "oneof": 'opts.proto!(opts.one_i)=1,-1 opts.proto!(opts.one).b=true deprecated=true',
    "enum": """
        allow_alias=true,false deprecated=true deprecated_legacy_json_field_conflicts=true
        opts.proto!(opts.enm_b)=true opts.proto!(opts.enm)={i:1}
    """,
    "value": """
        deprecated=true debug_redact=true opts.proto!(opts.val_s)="x" opts.proto!(opts.val).i=1
        feature_support={edition_introduced:EDITION_2023} feature_support={edition_removed:EDITION_2024}
        google/protobuf/json_enumvalue_options.proto!(pb.enumvalue.json).string="x"
    """,
    "service": 'deprecated=true opts.proto!(opts.svc_u)=1,-1 opts.proto!(opts.svc)={i:1}',
    "rpc": """
        deprecated=true idempotency_level=IDEMPOTENT,NO_SIDE_EFFECTS opts.proto!(opts.mtd_level)=LOW
        opts.proto!(opts.mtd).raw="x"
    """,
    "range": """
        verification=DECLARATION,UNVERIFIED opts.proto!(opts.rng_s)="x" opts.proto!(opts.rng).i=1
        declaration={number:5,full_name:".a.b",type:"int32"} declaration={number:6,reserved:true}
        declaration={full_name:"a",type:".b"} declaration={number:7,full_name:".a",type:"x",repeated:true}
    """,
}


def candidates(lines):
    """(import or None, name, value) of each option of a list."""
    found = []
    for word in lines.split():
        name, values = word.split("=", 1)
        needed, _, name = name.rpartition("!")
        depth, parts = 0, [""]
        for letter in values:
            depth += (letter in "{") - (letter in "}")
            if letter == "," and not depth:
                parts.append("")
            else:
                parts[-1] += letter
        found += [(needed or None, name, value) for value in parts]
    return found


FEATURES = candidates(FEATURES)
OPTIONS = {kind: candidates(lines) for kind, lines in OPTIONS.items()}

# Statements by the block they belong to. n: a number, t: a type, T: a declared type, w: a name,
# l: a label of the file's syntax, x: what is extended.
TEMPLATES = {
    "message": [
        "@l @t @w = @n;", "@l @t @w = @n;", "repeated @t @w = @n;", "optional @t @w = @n;",
        "map<@t, @t> @w = @n;", "map<string, @T> @w = @n;", "oneof @w { @t @w = @n; }",
        "oneof @w { @t @w = @n; @t @w = @n; }", "reserved @n;", "reserved @n to @n;",
        "reserved @n to max;", 'reserved "@w";', "reserved @w;", "extensions @n;",
        "extensions @n to @n;", "extensions @n to max;", "message @w {}", "message @w { @l @t @w = @n; }",
        "enum @w { @w = 0; }", "enum @w { @w = @n; @w = @n; }", "extend @x { @l @t @w = @n; }",
        "@l group @w = @n {}", "repeated group @w = @n { @l @t @w = @n; }", "local message @w {}",
        "export message @w {}", "export enum @w { @w = 0; }", "local enum @w { @w = 0; }",
        "oneof @w { group @w = @n {} }", "oneof @w {}", "oneof @w { option deprecated = true; @t @w = @n; }",
        "local @l @T @w = @n;", "@l @T @w = @n [deprecated = true, default = @n];",
    ],
    "enum": [
        "@w = @n;", "@w = -@n;", "reserved @n;", "reserved @n to @n;", "reserved -@n to @n;",
        "reserved @n to max;", 'reserved "@w";', "reserved @w;", "option allow_alias = true;",
    ],
    "oneof": ["@t @w = @n;", "group @w = @n {}", "repeated @t @w = @n;", "map<string, @t> @w = @n;", "optional @t @w = @n;"],
    "service": [
        "rpc @w(@T) returns (@T);", "rpc @w(stream @T) returns (stream @T) {}", "rpc @w(@t) returns (@T);",
        "rpc @w(@T) returns (@T) { option deprecated = true; }", "stream @w(@T, @T);",
    ],
    "extend": ["@l @t @w = @n;", "repeated @T @w = @n;", "@l group @w = @n {}", "required @t @w = @n;"],
    "file": [
        "message @w { @l @t @w = @n; }", "message @w {}", "enum @w { @w = 0; }", "enum @w { @w = @n; }",
        "service @w { rpc @w(@T) returns (@T); }", "extend @x { @l @t @w = @n; }", "extend @T { @l @t @w = @n; }",
        "extend @x { @l group @w = @n { @l @t @w = @n; } }", 'import "types.proto";', 'import public "types.proto";',
        'import weak "types.proto";', 'import option "opts.proto";', 'import "vis.proto";', 'import "strict.proto";',
        'import "google/protobuf/any.proto";', "package @w;", "package @w.@w;", "local message @w {}", "export enum @w { @w = 0; }",
        "message @w { @l vis.Secret @w = @n; @l vis.Shown.Hidden @w = @n; }", "message @w { @l strict.v1.Hidden @w = @n; }",
        "message @w { option message_set_wire_format = true; extensions 4 to max; extend @w { @l @T @w = @n; } }",
        "message @w { option map_entry = true; @l int32 key = 1; @l int32 value = 2; }",
    ],
}
EXTENDEES = """
    lib.Extendable lib.Declared lib.Set google.protobuf.FieldOptions google.protobuf.MessageOptions
    google.protobuf.FeatureSet google.protobuf.EnumValueOptions
""".split()
SCALARS = """
    double float int32 int64 uint32 uint64 sint32 sint64 fixed32 fixed64 sfixed32 sfixed64 bool
    string bytes
""".split()
LIBRARY = """
    lib.Plain lib.Pub lib.Closed lib.Open lib.Set lib.Plain.Inner.Kind vis.Shown vis.Secret
    vis.Color strict.v1.Shown strict.v1.Hidden opts.Deep google.protobuf.Any
""".split()
CHARACTERS = list("\"'\\\n\r\t\v\f\0 /*#;{}[]()<>=.,:-+_~$`0x9eE\ufeff\u00a0\u2028é") + ["\udcff", "\udc80", "\x01", "\x7f"]


def edge(rng, token):
    """A literal at the edge of what it was."""
    if token.kind == "string":
        body = token.text[1:-1]
        quote = token.text[0]
        return rng.choice([
            body if re.fullmatch(r"[\w.]+", body) else "x",
            rng.choice(STRINGS),
            quote + body + body + quote,
            quote + body[:-1] + quote,
            quote + body.upper() + quote,
            quote + body + rng.choice(["\\", "\\x1", "\\u1", ".", " ", "\0", "ä", "\\n", "_"]) + quote,
            quote + body + ("'" if quote == '"' else '"'),
            body + quote,
        ])
    try:
        value = int(token.text, 0)
    except ValueError:
        try:
            value = int(token.text, 8)
        except ValueError:
            return rng.choice(NUMBERS)
    return rng.choice([
        str(value + 1), str(value - 1), "0", "-1", str(-value), str(value * 2), str(value << 32),
        str(value) + ".0", hex(value), "0%o" % value, "+" + token.text, "'%d'" % value, "x",
        rng.choice(NUMBERS), rng.choice(NUMBERS),
    ])


class Maker:
    def __init__(self, files):
        # (name, tokens, statements) of each file; the statements of all are what is spliced.
        self.files = [(path.name, text) for path, text in files]
        self.parsed = [tokenize(text) for _, text in self.files]
        self.pool = []
        self.values = []
        for tokens in self.parsed:
            self.pool += [tokens[start:end] for start, end, _ in statements(tokens) if end - start < 60]
            self.values += [tokens[start:end] for start, end in brackets(tokens) if end - start < 40]

    def make(self, seed, index):
        """The name of the seed file and the text of the mutant."""
        rng = random.Random(f"{seed}:{index}")
        which = rng.randrange(len(self.files))
        name, text = self.files[which]
        if rng.random() < 0.2:
            header = rng.choice(HEADERS if rng.random() < 0.8 else ODD_HEADERS)
            text = HEADER.sub(lambda _: header, text, count=1) if HEADER.search(text) else header + text
            # Labels are what most often keeps a file from another syntax.
            if "edition" in header and rng.random() < 0.8:
                text = re.sub(r"\b(optional|required) ", "", text)
            elif header == HEADERS[1] and rng.random() < 0.5:
                text = re.sub(r"\brequired ", "", text)
            elif header == HEADERS[0] and rng.random() < 0.7:
                text = re.sub(r"(?<=[{;])(\s*)([.\w]+) (\w+) = (\d)", r"\1optional \2 \3 = \4", text)
            again = 0.5
        else:
            again = 1.0
        tokens = [Token(token.kind, token.text, token.space) for token in tokenize(text)]
        while rng.random() < again:
            tokens = self.mutate(rng, tokens)
            again = 0.2
        text = render(tokens)
        if rng.random() < 0.02:
            at = rng.randrange(len(text))
            character = rng.choice(CHARACTERS)
            text = text[:at] + character + text[at + rng.randrange(2):]
        return name, text

    def mutate(self, rng, tokens):
        if len(tokens) < 2:
            return tokens + [Token("word", rng.choice(WORDS))]
        how = rng.choices(
            [self.drop, self.double, self.swap, self.replace_same_kind, self.replace_any,
             self.replace_listed, self.literal, self.insert, self.glue, self.statement,
             self.splice, self.bracket, self.rename, self.option, self.template, self.type,
             self.number, self.label, self.variant, self.deep],
            [5, 3, 3, 10, 3, 8, 12, 3, 1, 12, 6, 8, 4, 22, 22, 10, 6, 4, 5, 1],
        )[0]
        return how(rng, tokens)

    @staticmethod
    def drop(rng, tokens):
        at = rng.randrange(len(tokens))
        return tokens[:at] + tokens[at + 1:]

    @staticmethod
    def double(rng, tokens):
        at = rng.randrange(len(tokens))
        return tokens[:at] + [tokens[at], Token(tokens[at].kind, tokens[at].text)] + tokens[at + 1:]

    @staticmethod
    def swap(rng, tokens):
        at = rng.randrange(len(tokens) - 1)
        first, second = tokens[at], tokens[at + 1]
        return tokens[:at] + [
            Token(second.kind, second.text, first.space),
            Token(first.kind, first.text, second.space or " "),
        ] + tokens[at + 2:]

    @staticmethod
    def put(tokens, at, kind, text):
        old = tokens[at]
        return tokens[:at] + [Token(kind, text, old.space or " ")] + tokens[at + 1:]

    def replace_same_kind(self, rng, tokens):
        at = rng.randrange(len(tokens))
        same = [token for token in tokens if token.kind == tokens[at].kind]
        other = rng.choice(same)
        return self.put(tokens, at, other.kind, other.text)

    def replace_any(self, rng, tokens):
        at, other = rng.randrange(len(tokens)), rng.choice(tokens)
        return self.put(tokens, at, other.kind, other.text)

    @staticmethod
    def listed(rng, kind):
        if rng.random() < 0.2:
            kind = rng.choice(["word", "number", "string", "other"])
        listed = {"word": WORDS, "number": NUMBERS, "string": STRINGS}.get(kind, OTHERS)
        return kind, rng.choice(listed)

    def replace_listed(self, rng, tokens):
        at = rng.randrange(len(tokens))
        return self.put(tokens, at, *self.listed(rng, tokens[at].kind))

    def literal(self, rng, tokens):
        places = [at for at, token in enumerate(tokens) if token.kind in ("string", "number")]
        if not places:
            return self.drop(rng, tokens)
        at = rng.choice(places)
        return self.put(tokens, at, tokens[at].kind, edge(rng, tokens[at]))

    def insert(self, rng, tokens):
        at = rng.randrange(len(tokens) + 1)
        kind, text = self.listed(rng, rng.choice(["word", "other", "number", "string"]))
        return tokens[:at] + [Token(kind, text)] + tokens[at:]

    @staticmethod
    def glue(rng, tokens):
        at = rng.randrange(1, len(tokens))
        return tokens[:at] + [Token(tokens[at].kind, tokens[at].text, "")] + tokens[at + 1:]

    def statement(self, rng, tokens):
        """Drops, doubles or moves one statement."""
        spans = statements(tokens)
        if not spans:
            return self.drop(rng, tokens)
        start, end, _ = rng.choice(spans)
        part = tokens[start:end]
        how = rng.randrange(3)
        if how == 0:
            return tokens[:start] + tokens[end:]
        target = rng.choice(spans)[rng.randrange(2)]
        if how == 1:
            return tokens[:target] + part + tokens[target:]
        if start <= target <= end:
            return tokens[:end] + part + tokens[end:]
        rest = tokens[:start] + tokens[end:]
        target -= (end - start) if target > end else 0
        return rest[:target] + part + rest[target:]

    def splice(self, rng, tokens):
        """Puts in a statement of any seed file, or a statement instead of one."""
        spans = statements(tokens)
        part = rng.choice(self.pool)
        if not spans:
            return tokens + part
        start, end, _ = rng.choice(spans)
        return tokens[:start] + part + tokens[end if rng.randrange(2) else start:]

    def bracket(self, rng, tokens):
        """Drops, swaps or adds the options in brackets or the value in braces."""
        spans = brackets(tokens)
        how = rng.randrange(3)
        if how == 2 or not spans:
            places = [at for at in range(1, len(tokens))
                      if tokens[at].text == ";" and tokens[at - 1].kind == "number"]
            lists = [value for value in self.values if value[0].text == "["]
            if not places:
                return self.drop(rng, tokens)
            at = rng.choice(places)
            return tokens[:at] + rng.choice(lists) + tokens[at:]
        start, end = rng.choice(spans)
        if how == 0:
            return tokens[:start] + tokens[end:]
        same = [value for value in self.values if value[0].text == tokens[start].text]
        return tokens[:start] + rng.choice(same or self.values) + tokens[end:]

    def rename(self, rng, tokens):
        """Replaces every occurrence of one word."""
        words = sorted({token.text for token in tokens if token.kind == "word"})
        if not words:
            return self.drop(rng, tokens)
        old, new = rng.choice(words), rng.choice(words + WORDS)
        return [Token(t.kind, new if t.text == old else t.text, t.space) for t in tokens]


    # What follows keeps the grammar and aims at the rules above it.

    @staticmethod
    def blocks(tokens):
        """(kind, where its inside starts, where it ends) of the file and each block in it."""
        kinds = ("message", "enum", "service", "oneof", "extend", "group", "rpc")
        found = [("file", 1 + next((at for at, t in enumerate(tokens) if t.text == ";"), -1), len(tokens))]
        for start, end, _ in statements(tokens):
            inside = next((at for at in range(start, end) if tokens[at].text == "{"), None)
            if tokens[end - 1].text != "}" or inside is None:
                continue
            kind = next((t.text for t in tokens[start:inside] if t.text in kinds), None)
            if kind:
                found.append(("message" if kind == "group" else kind, inside + 1, end - 1))
        return found

    @staticmethod
    def syntax(tokens):
        return next((t.text[1:-1] for t in tokens[:6] if t.kind == "string"), "proto2")

    @staticmethod
    def declared(tokens):
        """The names of the file's own messages and enums."""
        return [tokens[at + 1].text for at in range(len(tokens) - 1)
                if tokens[at].text in ("message", "enum", "group") and tokens[at + 1].kind == "word"] or ["M"]

    def some_type(self, rng, tokens):
        how = rng.random()
        if how < 0.5:
            return rng.choice(SCALARS)
        return rng.choice(self.declared(tokens) if how < 0.85 else LIBRARY)

    def some_number(self, rng, tokens):
        if rng.random() < 0.6:
            return str(rng.choice([rng.randrange(200, 900), rng.randrange(200, 900), 9000]))
        if rng.random() < 0.8:
            return rng.choice([t.text for t in tokens if t.kind == "number"] or ["1"])
        return rng.choice(NUMBERS)

    def some_name(self, rng, tokens):
        if rng.random() < 0.7:
            number = rng.randrange(100)
            return rng.choice(["name%d", "Name%d", "NAME%d", "name_%d"]) % number
        return rng.choice([t.text for t in tokens if t.kind == "word"] or ["x"])

    @staticmethod
    def needing(tokens, needed):
        """The tokens with an import of a file, if it is not there already."""
        if not needed or any(t.text == '"%s"' % needed for t in tokens):
            return tokens
        at = 1 + next((at for at, t in enumerate(tokens) if t.text == ";"), -1)
        if at and tokens[0].text not in ("syntax", "edition"):
            at = 0
        return tokens[:at] + tokenize(' import "%s";' % needed) + tokens[at:]

    def option(self, rng, tokens):
        """Adds an option of the right kind to some element."""
        features = rng.random() < (0.5 if self.syntax(tokens).startswith("2") else 0.05)
        if rng.random() < 0.5:
            kind, inside, _ = rng.choice(self.blocks(tokens))
            if kind == "extend":
                kind = "message"
            needed, name, value = rng.choice(FEATURES if features else OPTIONS[kind])
            new = tokens[:inside] + tokenize(" option %s = %s;" % (name, value)) + tokens[inside:]
            return self.needing(new, needed)
        places = []
        for block, inside, end in self.blocks(tokens):
            for start, stop, _ in statements(tokens[inside:end]):
                start, stop = start + inside, stop + inside
                first = tokens[start].text
                if tokens[stop - 1].text != ";" or first in ("option", "reserved", "rpc", ";"):
                    continue
                if block == "enum":
                    places.append(("value", stop - 1))
                elif block in ("message", "oneof", "extend"):
                    places.append(("range" if first == "extensions" else "field", stop - 1))
        if not places:
            return self.drop(rng, tokens)
        kind, at = rng.choice(places)
        needed, name, value = rng.choice(FEATURES if features else OPTIONS[kind])
        text = "%s = %s" % (name, value)
        if tokens[at - 1].text == "]":
            new = tokens[:at - 1] + tokenize(", " + text) + tokens[at - 1:]
        else:
            new = tokens[:at] + tokenize(" [" + text + "]") + tokens[at:]
        return self.needing(new, needed)

    def template(self, rng, tokens):
        """Adds a statement that fits its block."""
        kind, inside, end = rng.choice([block for block in self.blocks(tokens) if block[0] in TEMPLATES])
        spans = [stop for _, stop, depth in statements(tokens[inside:end]) if depth == 0]
        at = inside + rng.choice(spans + [0])
        plain = "optional" if self.syntax(tokens) not in ("proto3", "2023", "2024", "2026") else ""
        fill = {
            "n": lambda: self.some_number(rng, tokens),
            "t": lambda: self.some_type(rng, tokens),
            "T": lambda: rng.choice(self.declared(tokens)),
            "w": lambda: self.some_name(rng, tokens),
            "l": lambda: plain if rng.random() < 0.9 else rng.choice(["optional", "required", "repeated", ""]),
            "x": lambda: rng.choice(EXTENDEES) if rng.random() < 0.7 else rng.choice(self.declared(tokens)),
        }
        text = re.sub(r"@([ntTwlx])", lambda match: fill[match.group(1)](), rng.choice(TEMPLATES[kind]))
        return self.imports_for(tokens[:at] + tokenize(" " + text) + tokens[at:], text)

    def imports_for(self, tokens, text):
        for prefix, needed in (("lib.", "types.proto"), ("vis.", "vis.proto"), ("strict.", "strict.proto"),
                               ("opts.", "opts.proto"), ("google.protobuf.Any", "google/protobuf/any.proto"),
                               ("google.protobuf.", "google/protobuf/descriptor.proto")):
            if prefix in text:
                return self.needing(tokens, needed)
        return tokens

    def fields(self, tokens):
        """Where the names of fields and enum values stand: a word, `=` and a number."""
        return [at for at in range(1, len(tokens) - 2) if tokens[at].kind == "word"
                and tokens[at + 1].text == "=" and tokens[at + 2].kind == "number"]

    def type(self, rng, tokens):
        """Gives one field another type."""
        places = [at - 1 for at in self.fields(tokens) if tokens[at - 1].kind == "word"]
        if not places:
            return self.drop(rng, tokens)
        at = rng.choice(places)
        first = at
        while tokens[first - 1].text == "." or (tokens[first].text == "." and tokens[first - 1].kind == "word"):
            first -= 1
        text = self.some_type(rng, tokens)
        if rng.random() < 0.1:
            text = "map<%s, %s>" % (rng.choice(SCALARS), text)
        return self.imports_for(tokens[:first] + tokenize(" " + text) + tokens[at + 1:], text)

    def number(self, rng, tokens):
        """Gives one field the number of another one, or one at the edge."""
        places = self.fields(tokens)
        if not places:
            return self.drop(rng, tokens)
        at = rng.choice(places) + 2
        other = tokens[rng.choice(places) + 2].text
        return self.put(tokens, at, "number", other if rng.random() < 0.4 else self.some_number(rng, tokens))

    def label(self, rng, tokens):
        """Adds, changes or takes away a label."""
        places = [at - 1 for at in self.fields(tokens) if tokens[at - 1].kind == "word"]
        if not places:
            return self.drop(rng, tokens)
        at = rng.choice(places)
        while tokens[at - 1].text == "." or (tokens[at].text == "." and tokens[at - 1].kind == "word"):
            at -= 1
        before = at - 1 if tokens[at - 1].text in ("optional", "required", "repeated") else at
        label = rng.choice(["optional", "required", "repeated", ""])
        return tokens[:before] + tokenize(" " + label) + tokens[at:]

    def variant(self, rng, tokens):
        """Gives one field or enum value the name of another one, or one close to it."""
        places = self.fields(tokens)
        if not places:
            return self.drop(rng, tokens)
        name = tokens[rng.choice(places)].text
        name = rng.choice([
            name, name.upper(), name.lower(), name + "_", "_" + name, name.replace("_", ""), name + "_1", name + "1",
            name.replace("_", "__"), re.sub(r"_(\w)", lambda match: match.group(1).upper(), name), name.title(),
            re.sub(r"(?<=[a-z])([A-Z])", r"_\1", name).lower(), rng.choice(WORDS), "has_" + name, name + "_count",
            name[0].upper() + name[1:], name + "Entry", rng.choice(self.declared(tokens)),
        ])
        return self.put(tokens, rng.choice(places), "word", name)


    def deep(self, rng, tokens):
        """Adds something that is nested near the depths at which protoc gives up."""
        n = rng.choice([rng.randrange(28, 36), rng.randrange(45, 53), rng.randrange(94, 104)])
        text = rng.choice([
            "message @N { " * n + "}" * n,
            "message @N { option (opts.msg)" + ".deep" * n + ".i = 1; }",
            "message @N { option (opts.msg)" + ".(opts.more)" * (n // 2) + ".deep" * (n // 2) + " = { deep {} }; }",
            "message @N { option (opts.msg) = { " + "deep { " * n + "}" * n + " }; }",
            "message @N { option (opts.msg) = { " + "deeps: [{ " * n + "}]" * n + " }; }",
            "message @N { option (opts.msg) = { " + "tree { key: 1 value { " * (n // 2) + "} }" * (n // 2) + " }; }",
            "message @N { option (opts.msg) = { " + "any { [type.googleapis.com/opts.Deep] { " * n + "} }" * n + " }; }",
            "message @N { option (opts.msg) = { any { [type.googleapis.com/opts.Deep] { " + "deep { " * n + "}" * n + " } } }; }",
        ]).replace("@N", "Name%d" % rng.randrange(100), 1).replace("@N", "N")
        return self.imports_for(tokens + tokenize(" " + text), text)


# ---------------------------------------------------------------- the two compilers

LOCATION = re.compile(r"^\S*?\.proto:(?:\d+:\d+:)?\s*")


class Verdict:
    def __init__(self, accepted, text, fault=None):
        self.accepted, self.text, self.fault = accepted, text, fault

    def errors(self):
        lines = [line for line in self.text.splitlines() if "warning: " not in line.lower()]
        return [LOCATION.sub("", line) for line in lines if line.strip()]

    def first_error(self):
        errors = self.errors()
        return errors[0] if errors else ""


class Compilers:
    def __init__(self, protoc, dunlin, work):
        protoc, lib = Path(protoc).resolve(), str(HERE / "seeds" / "lib")
        self.protoc = [str(protoc / "bin/protoc"), "-I.", "-I" + lib, "-I" + str(protoc / "include")]
        self.dunlin = [str(Path(dunlin).resolve()), "protoc", "-I.", "-I" + lib]
        self.work, self.threads = Path(work), local()

    def folder(self):
        if not hasattr(self.threads, "folder"):
            self.threads.folder = self.work / ("job-%d" % get_ident())
            self.threads.folder.mkdir(exist_ok=True)
        return self.threads.folder

    @staticmethod
    def start(command, folder):
        try:
            done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            return None, "no end after %d seconds" % TIMEOUT
        return done.returncode, done.stdout.decode("utf-8", "replace")

    def compare(self, text):
        """What protoc and we make of one file."""
        folder = self.folder()
        (folder / "m.proto").write_bytes(text.encode("utf-8", "surrogateescape"))
        code, output = self.start(self.protoc + ["-o", "protoc.out", "m.proto"], folder)
        theirs = Verdict(code == 0, output, "protoc: " + output if code is None else None)
        code, output = self.start(self.dunlin + ["-o", "dunlin.out", "m.proto"], folder)
        fault = None
        if code is None:
            fault = output
        elif "panicked" in output:
            fault = "panic: " + next(line for line in output.splitlines() if "panicked" in line)
        elif code not in (0, 1):
            fault = "exit status %d" % code
        return theirs, Verdict(code == 0, output, fault)


def normal(text):
    """An error's text without the names, numbers and values of its file."""
    text = re.sub(r"^[EFIW]\d{4} \S+ +\d+ (\S+):\d+\]", r"\1", text)
    text = re.sub(r'"(?:\\.|[^"\\])*"|`[^`]*`|\'[^\']*\'', "“”", text)
    text = re.sub(r"(?<![\w])[.\w]*[._()][.\w()]*(?=\W|$)(?<![.)])", "N", text)
    return re.sub(r"-?\b\d[\w.]*", "0", text)


def signature(theirs, ours):
    """What two verdicts have in common with those of the same cause; None if they agree."""
    if theirs.fault:
        return ("protoc", "fault", normal(theirs.fault))
    if ours.fault:
        return ("ours", "fault", re.sub(r"\d+", "0", ours.fault))
    if theirs.accepted == ours.accepted:
        return None
    if theirs.accepted:
        return ("protoc accepts", "we reject", normal(ours.first_error()))
    return ("protoc rejects", "we accept", normal(theirs.first_error()))


# ---------------------------------------------------------------- classes

class Class:
    def __init__(self, folder):
        self.name = folder.name
        settings = dict(re.findall(r"^(protoc|text): *(.*)$", (folder / "class.txt").read_text(), re.MULTILINE))
        if settings.get("protoc") not in ("accept", "reject") or "text" not in settings:
            sys.exit(f"{folder}/class.txt needs the lines `protoc: accept|reject` and `text: REGEX`")
        self.accept = settings["protoc"] == "accept"
        self.text = re.compile(settings["text"])
        self.case = (folder / "case.proto").read_bytes().decode("utf-8", "surrogateescape")
        self.count = 0

    def fits(self, theirs, ours):
        if theirs.fault or ours.fault or theirs.accepted == ours.accepted or theirs.accepted != self.accept:
            return False
        return bool(self.text.search((ours if theirs.accepted else theirs).first_error()))


# ---------------------------------------------------------------- minimal cases

def minimize(text, holds, budget=600):
    """A smaller text for which `holds` still does: statements, then runs of tokens."""
    left = [budget]

    def test(tokens):
        if left[0] <= 0:
            return False
        left[0] -= 1
        return holds(render(tokens))

    tokens = [Token(t.kind, t.text, re.sub(r"//[^\n]*|/\*.*?\*/", " ", t.space, flags=re.DOTALL)) for t in tokenize(text)]
    if not test(tokens):
        return text
    changed = True
    while changed and left[0] > 0:
        changed = False
        spans = sorted(statements(tokens), key=lambda span: span[0] - span[1])
        for start, end, _ in spans:
            shorter = tokens[:start] + tokens[end:]
            if shorter and test(shorter):
                tokens, changed = shorter, True
                break
        if changed:
            continue
        for start, end in sorted(brackets(tokens), key=lambda span: span[0] - span[1]):
            shorter = tokens[:start] + tokens[end:]
            if shorter and test(shorter):
                tokens, changed = shorter, True
                break
        if changed:
            continue
        for size in (8, 5, 4, 3, 2, 1):
            at = 0
            while at < len(tokens):
                shorter = tokens[:at] + tokens[at + size:]
                if shorter and test(shorter):
                    tokens, changed = shorter, True
                else:
                    at += 1
    return re.sub(r"\n\s*\n+", "\n", render(tokens)).strip() + "\n"


# ---------------------------------------------------------------- the run

def show(title, text):
    print(f"  {title}:")
    for line in text.rstrip("\n").split("\n"):
        print("    | " + line.encode("utf-8", "backslashreplace").decode())


def one_case(compilers, path):
    theirs, ours = compilers.compare(Path(path).read_bytes().decode("utf-8", "surrogateescape"))
    for name, verdict in (("protoc", theirs), ("ours", ours)):
        print(name, "accepts" if verdict.accepted else "rejects", verdict.fault or "")
        show("text", verdict.text)
    return 1 if signature(theirs, ours) else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=20000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seeds", help="only these seed files, by the start of their names, with commas between")
    parser.add_argument("--report", help="also write every disagreeing mutant below this folder")
    parser.add_argument("--errors", help="also write how often protoc's errors occurred to this file")
    parser.add_argument("--case", help="compare one file only")
    parser.add_argument("--protoc", required=True)
    parser.add_argument("--dunlin", required=True)
    parser.add_argument("--work", required=True)
    arguments = parser.parse_args()

    compilers = Compilers(arguments.protoc, arguments.dunlin, arguments.work)
    if arguments.case:
        return one_case(compilers, arguments.case)

    failures = 0
    classes = [Class(path.parent) for path in sorted((HERE / "classes").glob("*/class.txt"))]
    for known in classes:
        if not known.fits(*compilers.compare(known.case)):
            failures += 1
            print(f"class {known.name}: its case is no longer of this class")

    files = [(path, path.read_text(encoding="utf-8")) for path in sorted((HERE / "seeds").glob("*.proto"))]
    maker = Maker(files)
    for path, text in files:
        theirs, ours = compilers.compare(text)
        if not theirs.accepted or not ours.accepted:
            failures += 1
            print(f"seed {path.name}: protoc {'accepts' if theirs.accepted else 'rejects'} it, "
                  f"we {'accept' if ours.accepted else 'reject'} it")
            show("protoc", theirs.text)
            show("ours", ours.text)

    wanted = tuple(arguments.seeds.split(",")) if arguments.seeds else ("",)
    seen = {hashlib.sha1(text.encode()).digest() for _, text in files}

    def mutants():
        """The mutants, each text once."""
        index = made = 0
        while made < arguments.count and index < 50 * arguments.count + 1000:
            name, text = maker.make(arguments.seed, index)
            index += 1
            digest = hashlib.sha1(text.encode("utf-8", "surrogateescape")).digest()
            if name.startswith(wanted) and digest not in seen:
                seen.add(digest)
                made += 1
                yield name, text

    def judge(mutant):
        return mutant, compilers.compare(mutant[1])

    total = accepted = rejected = 0
    errors = Counter()
    found = {}  # signature: the mutants with it, smallest first
    with ThreadPoolExecutor(arguments.jobs) as threads:
        source = mutants()
        while batch := list(islice(source, 256)):
            for (name, text), (theirs, ours) in threads.map(judge, batch):
                total += 1
                if arguments.errors:
                    errors.update({normal(error) for error in theirs.errors()})
                key = signature(theirs, ours)
                if key is None:
                    accepted += theirs.accepted
                    rejected += not theirs.accepted
                    continue
                for known in classes:
                    if known.fits(theirs, ours):
                        known.count += 1
                        break
                else:
                    found.setdefault(key, []).append((len(text), name, text))

        print(f"mutation: seed {arguments.seed}, {total} mutants: {accepted} accepted by both, "
              f"{rejected} rejected by both, {total - accepted - rejected} disagreements")
        for known in classes:
            print(f"mutation: class {known.name}: {known.count} mutants (kept on purpose)")

        def smallest(item):
            key, cases = item
            _, name, text = min(cases)
            first = compilers.compare(text)

            def holds(other):
                # Where we fail, protoc's error is kept too, for a case that is still readable.
                verdicts = compilers.compare(other)
                return signature(*verdicts) == key and (
                    key[1] != "fault" or normal(verdicts[0].first_error()) == normal(first[0].first_error()))

            small = text if "no end" in key[2] else minimize(text, holds)
            return key, cases, name, small, compilers.compare(small)

        for number, (key, cases, name, small, (theirs, ours)) in enumerate(
                threads.map(smallest, sorted(found.items())), 1):
            print(f"\n[{number}] {', '.join(key)}: {len(cases)} mutants, from {name}")
            show("file", small)
            show("protoc " + ("accepts" if theirs.accepted else "rejects"), theirs.text)
            show("ours " + ("accepts" if ours.accepted else "rejects"), ours.text)
            if arguments.report:
                folder = Path(arguments.report) / str(number)
                folder.mkdir(parents=True, exist_ok=True)
                for position, (_, _, text) in enumerate(sorted(cases)):
                    (folder / f"{position}.proto").write_bytes(text.encode("utf-8", "surrogateescape"))
                (folder / "min.proto").write_bytes(small.encode("utf-8", "surrogateescape"))

    if arguments.errors:
        lines = [f"{count:6} {error}\n" for error, count in errors.most_common()]
        Path(arguments.errors).write_text("".join(lines), encoding="utf-8", errors="backslashreplace")
    failures += len(found)
    print(f"mutation: {len(found)} unlisted classes of disagreement, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
