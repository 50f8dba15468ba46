"""Random messages through Google's Python runtime and ours, there and back.

Makes messages of the types in a descriptor set, writes them in binary, JSON and text, has the
`roundtrip` program read and write them, reads what it wrote and compares.
"""

import argparse
import random
import struct
import subprocess
import sys
import tempfile
import time

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory, text_format
from google.protobuf.descriptor import FieldDescriptor as F
from google.protobuf.internal import api_implementation

CONFORMANCE = "protobuf_test_messages."
DEPTH = 3

# Of the conformance types, so that they make up about half of all messages.
WEIGHT = 40


def load(descriptors):
    pool = descriptor_pool.DescriptorPool()
    files = descriptor_pb2.FileDescriptorSet.FromString(descriptors)
    types, extensions = [], []

    def add(message):
        if not message.GetOptions().map_entry:
            types.append(message)
            for nested in message.nested_types:
                add(nested)
            extensions.extend(message.extensions)

    for file in files.file:
        pool.AddSerializedFile(file.SerializeToString())
    for file in files.file:
        linked = pool.FindFileByName(file.name)
        for message in linked.message_types_by_name.values():
            add(message)
        extensions.extend(linked.extensions_by_name.values())
    return pool, types, extensions


class Maker:
    """Random messages; what the two runtimes may read differently by the specification is left out."""

    def __init__(self, seed, types, extensions):
        self.random = random.Random(seed)
        self.classes = {}
        self.fields = {}
        self.extensions = {}
        for extension in extensions:
            self.extensions.setdefault(extension.containing_type.full_name, []).append(extension)
        # What options hold is not for messages of programs.
        self.packable = [
            t for t in types if t.file.name != "google/protobuf/descriptor.proto" and not self.is_endless(t, ())
        ]
        self.types = [t for t in self.packable if t.full_name != "google.protobuf.Any"]
        self.weights = [
            WEIGHT if t.containing_type is None and t.full_name.startswith(CONFORMANCE) else 1
            for t in self.types
        ]
        self.well_known = {
            "google.protobuf.Any": self.any,
            "google.protobuf.Duration": self.duration,
            "google.protobuf.FieldMask": self.field_mask,
            "google.protobuf.Timestamp": self.timestamp,
            "google.protobuf.Value": self.value,
        }

    def top(self):
        descriptor = self.random.choices(self.types, self.weights)[0]
        message = self.cls(descriptor)()
        self.fill(message, descriptor, 0)
        return message

    def cls(self, descriptor):
        made = self.classes.get(descriptor.full_name)
        if made is None:
            made = self.classes[descriptor.full_name] = message_factory.GetMessageClass(descriptor)
        return made

    def fields_of(self, descriptor):
        """All fields and extensions, then the required ones."""
        found = self.fields.get(descriptor.full_name)
        if found is None:
            every = list(descriptor.fields) + self.extensions.get(descriptor.full_name, [])
            usable = [
                field
                for field in every
                if not self.is_null_list(field)
                and not (field.message_type and self.is_endless(field.message_type, ()))
            ]
            found = self.fields[descriptor.full_name] = (usable, [f for f in every if f.is_required])
        return found

    def is_endless(self, descriptor, above):
        """A message that must hold one of its own type cannot be written at all."""
        if descriptor.full_name in above:
            return True
        above = above + (descriptor.full_name,)
        return any(f.message_type and self.is_endless(f.message_type, above) for f in descriptor.fields if f.is_required)

    def is_null_list(self, field):
        # Lists of nulls are not read by Python.
        if field.is_repeated and field.message_type and field.message_type.GetOptions().map_entry:
            field = field.message_type.fields_by_name["value"]
            return field.enum_type is not None and field.enum_type.full_name == "google.protobuf.NullValue"
        return bool(field.is_repeated and field.enum_type and field.enum_type.full_name == "google.protobuf.NullValue")

    def fill(self, message, descriptor, depth):
        special = self.well_known.get(descriptor.full_name)
        if special:
            return special(message, depth)
        fields, required = self.fields_of(descriptor)
        count = min(len(fields), self.random.choice((0, 1, 1, 2, 3, 5, 8) if depth == 0 else (0, 1, 1, 2)))
        chosen = self.random.sample(fields, count)
        for field in required + [field for field in chosen if not field.is_required]:
            if field.message_type and depth >= DEPTH and not field.is_required:
                continue
            self.field(message, field, depth)

    def field(self, message, field, depth):
        inner = field.message_type
        if field.is_extension:
            if not field.is_repeated and not inner:
                message.Extensions[field] = self.scalar(field)
                return
            place = message.Extensions[field]
        elif not field.is_repeated and not inner:
            setattr(message, field.name, self.scalar(field))
            return
        else:
            place = getattr(message, field.name)
        if not field.is_repeated:
            place.SetInParent()
            self.fill(place, inner, depth + 1)
            return
        count = self.random.choice((1, 1, 2, 3))
        if inner and inner.GetOptions().map_entry:
            key, value = inner.fields_by_name["key"], inner.fields_by_name["value"]
            for _ in range(count):
                if value.message_type:
                    self.fill(place[self.scalar(key)], value.message_type, depth + 1)
                else:
                    place[self.scalar(key)] = self.scalar(value)
        elif inner:
            for _ in range(count):
                self.fill(place.add(), inner, depth + 1)
        else:
            place.extend(self.scalar(field) for _ in range(count))

    def scalar(self, field):
        rand = self.random
        kind = field.type
        if kind == F.TYPE_STRING:
            return self.text()
        if kind == F.TYPE_BYTES:
            return rand.randbytes(rand.choice((0, 1, 2, 3, 10, 70)))
        if kind == F.TYPE_BOOL:
            return rand.random() < 0.5
        if kind == F.TYPE_ENUM:
            enum = field.enum_type
            if not enum.is_closed and enum.full_name != "google.protobuf.NullValue" and rand.random() < 0.1:
                return self.integer(32, True)
            return rand.choice(enum.values).number
        if kind == F.TYPE_DOUBLE:
            return self.double()
        if kind == F.TYPE_FLOAT:
            if rand.random() < 0.5:
                return self.small()
            return struct.unpack("<f", self.no_nan(rand.getrandbits(32).to_bytes(4, "little"), "<f"))[0]
        if kind in (F.TYPE_INT64, F.TYPE_SINT64, F.TYPE_SFIXED64):
            return self.integer(64, True)
        if kind in (F.TYPE_UINT64, F.TYPE_FIXED64):
            return self.integer(64, False)
        if kind in (F.TYPE_UINT32, F.TYPE_FIXED32):
            return self.integer(32, False)
        return self.integer(32, True)

    def integer(self, bits, signed):
        value = self.random.getrandbits(self.random.randint(0, bits - signed))
        if signed and self.random.random() < 0.4:
            return -value - 1
        return value

    def small(self):
        return self.random.choice((0.0, -0.0, 1.0, -1.5, 0.1, 1e10, 16777216.0, float("inf"), float("-inf"), float("nan")))

    def no_nan(self, raw, form):
        # Formats keep that it is one, not which.
        return raw if struct.unpack(form, raw)[0] == struct.unpack(form, raw)[0] else b"\0" * len(raw)

    def double(self):
        rand = self.random
        if rand.random() < 0.5:
            return self.small()
        if rand.random() < 0.5:
            return rand.uniform(-1e6, 1e6)
        return struct.unpack("<d", self.no_nan(rand.getrandbits(64).to_bytes(8, "little"), "<d"))[0]

    def text(self):
        rand = self.random
        length = rand.choice((0, 1, 3, 8, 20, 100))
        if rand.random() < 0.6:
            return "".join(rand.choices("abcXYZ 0189_-./", k=length))
        return "".join(self.character() for _ in range(length))

    def character(self):
        rand = self.random
        limit = rand.choice((0x20, 0x80, 0x80, 0x800, 0x10000, 0x110000))
        code = rand.randrange(limit)
        return "\u00e4" if 0xD800 <= code < 0xE000 else chr(code)

    def any(self, message, depth):
        if depth >= DEPTH:
            return
        descriptor = self.random.choice(self.packable)
        held = self.cls(descriptor)()
        self.fill(held, descriptor, depth + 1)
        prefix = self.random.choice(("type.googleapis.com", "example.com/types"))
        message.type_url = prefix + "/" + descriptor.full_name
        message.value = held.SerializeToString(deterministic=True)

    def nanos(self):
        return self.random.choice((0, 1, 500_000_000, 120_000, 999_999_999, self.random.randrange(1_000_000_000)))

    def timestamp(self, message, _):
        message.seconds = self.random.choice(
            (0, -1, -62135596800, 253402300799, self.random.randrange(-62135596800, 253402300800))
        )
        message.nanos = self.nanos()

    def duration(self, message, _):
        sign = self.random.choice((1, -1))
        message.seconds = sign * self.random.choice((0, 1, 315576000000, self.random.randrange(315576000001)))
        message.nanos = sign * self.nanos()

    def field_mask(self, message, _):
        for _ in range(self.random.choice((0, 1, 2, 3))):
            parts = self.random.choices(("a", "foo_bar", "name", "x1", "a_b_c"), k=self.random.choice((1, 2)))
            message.paths.append(".".join(parts))

    def value(self, message, depth):
        kind = self.random.randrange(6 if depth < DEPTH else 4)
        if kind == 0:
            message.null_value = 0
        elif kind == 1:
            value = self.double()
            message.number_value = value if abs(value) < float("inf") else 1.5
        elif kind == 2:
            message.string_value = self.text()
        elif kind == 3:
            message.bool_value = self.random.random() < 0.5
        elif kind == 4:
            message.struct_value.SetInParent()
            for _ in range(self.random.choice((0, 1, 2))):
                self.value(message.struct_value.fields[self.text()], depth + 1)
        else:
            message.list_value.SetInParent()
            for _ in range(self.random.choice((0, 1, 2))):
                self.value(message.list_value.values.add(), depth + 1)


def put(out, *parts):
    for part in parts:
        out.write(struct.pack("<I", len(part)))
        out.write(part)


def parts(data):
    at = 0
    while at < len(data):
        record = []
        for _ in range(4):
            (size,) = struct.unpack_from("<I", data, at)
            record.append(data[at + 4 : at + 4 + size])
            at += 4 + size
        yield record


class Check:
    def __init__(self, args, pool, maker):
        self.args, self.pool, self.maker = args, pool, maker
        self.total = self.bytes = self.differences = self.same_bytes = 0
        self.types = {}

    def write(self, message, out, index):
        rand = self.maker.random
        binary = message.SerializeToString(deterministic=True)
        json = json_format.MessageToJson(
            message,
            indent=None,
            preserving_proto_field_name=rand.random() < 0.2,
            use_integers_for_enums=rand.random() < 0.1,
            ensure_ascii=rand.random() < 0.5,
            descriptor_pool=self.pool,
        )
        # The writer of the C library, and the slower one that is written in Python.
        text = text_format.MessageToString(message, descriptor_pool=self.pool) if index % 8 == 0 else str(message)
        put(out, message.DESCRIPTOR.full_name.encode(), binary, json.encode(), text.encode())
        return message, binary, json, text

    def batch(self, count):
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as answers:
            made = [self.write(self.maker.top(), given, index) for index in range(count)]
            given.seek(0)
            done = subprocess.run([self.args.program, "check"], stdin=given, stdout=answers)
            answers.seek(0)
            data = answers.read()
        if done.returncode:
            self.fault(made[0], f"the program ended with {done.returncode}", [])
        compared = 0
        for theirs, ours in zip(made, parts(data)):
            self.compare(theirs, ours)
            compared += 1
        if compared != count:
            self.fault(made[min(compared, count - 1)], f"only {compared} answers to {count} messages", [])

    def compare(self, theirs, ours):
        message, want = theirs[0], theirs[1]
        name = message.DESCRIPTOR.full_name
        self.total += 1
        self.bytes += len(want)
        self.types[name] = self.types.get(name, 0) + 1
        fault, binary, json, text = ours
        if fault:
            return self.fault(theirs, fault.decode(errors="replace"), ours)
        self.same_bytes += binary == want
        for form, read in (("binary", self.read_binary), ("JSON", self.read_json), ("text", self.read_text)):
            given = {"binary": binary, "JSON": json, "text": text}[form]
            if form == "binary" and given == want:
                continue
            again = type(message)()
            try:
                read(again, given)
                got = again.SerializeToString(deterministic=True)
            except Exception as error:  # whatever it says is a difference
                self.fault(theirs, f"Python does not read our {form}: {error}", ours)
                continue
            if got != want and not (form != "binary" and self.same_held(again, message)):
                self.fault(theirs, f"Python reads another message from our {form}:\n  {again}", ours)

    def same_held(self, a, b):
        """Equal but for the order of maps inside of Any, which Python packs in any order."""
        return self.dictionary(a) == self.dictionary(b)

    def dictionary(self, message):
        return json_format.MessageToDict(message, descriptor_pool=self.pool)

    def read_binary(self, message, given):
        message.ParseFromString(given)

    def read_json(self, message, given):
        json_format.Parse(given, message, descriptor_pool=self.pool)

    def read_text(self, message, given):
        text_format.Parse(given.decode(), message, descriptor_pool=self.pool)

    def fault(self, theirs, what, ours):
        self.differences += 1
        if self.differences <= self.args.show:
            message, binary, json, text = theirs
            print(f"--- {message.DESCRIPTOR.full_name}: {what}"[:3000])
            print(f"  Python: {binary.hex()[:2000]}\n  {json[:2000]}\n  {text[:2000]}")
            if len(ours) == 4 and not ours[0]:
                print(f"  ours: {ours[1].hex()[:2000]}\n  {ours[2].decode()[:2000]}\n  {ours[3].decode()[:2000]}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--count", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--batch", type=int, default=5_000)
    parser.add_argument("--show", type=int, default=10, help="how many differences to print")
    args = parser.parse_args()
    start = time.monotonic()
    descriptors = subprocess.run([args.program, "descriptors"], stdout=subprocess.PIPE, check=True).stdout
    pool, types, extensions = load(descriptors)
    check = Check(args, pool, Maker(args.seed, types, extensions))
    left = args.count
    while left > 0:
        check.batch(min(left, args.batch))
        left -= args.batch
    conformance = sum(count for name, count in check.types.items() if name.startswith(CONFORMANCE))
    print(
        f"{check.total} messages of {len(check.types)} types ({conformance} of the conformance suite), "
        f"{check.bytes} bytes, seed {args.seed}, {api_implementation.Type()} runtime: "
        f"{check.differences} differences; binary the same to the byte: {check.same_bytes}; "
        f"{time.monotonic() - start:.0f} s"
    )
    return 1 if check.differences or check.total < args.count else 0


if __name__ == "__main__":
    sys.exit(main())
