#!/usr/bin/env python3
"""A protoc plugin for the drop-in suite; needs nothing but Python.

It takes its orders from the parameter, a list of actions separated by commas:

    emit            a file NAME.txt with insertion points for each input NAME.proto
    emit-meta       the same with NAME.txt.pb.meta, annotations of the first line
    insert          text at these insertion points
    insert-meta     text at one of them, with an annotation
    insert-unknown  text at a point which is not there
    insert-early    an insertion into a file which nobody writes
    chunks          one file in several chunks
    twice           one file written twice
    file=PATH       a file of this name
    binary          a file which is no UTF-8
    request=PATH    writes the request as it came to PATH, below the working folder
    describe        a file request.txt which describes the request
    say=TEXT        says TEXT on standard error
    error           an error in the answer, with a file which must not be written
    exit=N          ends with this status
    kill            ends itself by a signal
    garbage         an answer which is no message
    truncated       an answer which ends in the middle of a field
    silent          an empty answer
    features=N      the answer's supported_features (if not given: 3)
    nofeatures      an answer without supported_features
    editions=A-B    the answer's minimum_edition and maximum_edition (else 998-1001)
    noeditions      an answer without those

What is no action is ignored; it is shown by `describe`.
"""

import os
import signal
import sys


def read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def fields(data):
    """The fields of a message: number and value."""
    at = 0
    while at < len(data):
        key, at = read_varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = read_varint(data, at)
        elif kind == 2:
            size, at = read_varint(data, at)
            value, at = data[at : at + size], at + size
        else:
            size = {1: 8, 5: 4}[kind]
            value, at = data[at : at + size], at + size
        yield key >> 3, value


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, str):
        value = value.encode()
    return varint(number << 3 | 2) + varint(len(value)) + value


def file(name=None, content=None, point=None, info=None):
    out = b""
    if name is not None:
        out += field(1, name)
    if point is not None:
        out += field(2, point)
    if content is not None:
        out += field(15, content)
    if info is not None:
        out += field(16, info)
    return field(15, out)


def annotation(source, begin, end):
    """A GeneratedCodeInfo with one annotation, for the first message of source."""
    path = varint(4) + varint(0)
    return field(1, field(1, path) + field(2, source) + field(3, begin) + field(4, end))


def describe(request):
    out = []
    for number, value in fields(request):
        if number == 1:
            out.append("to generate: " + value.decode())
        elif number == 2:
            out.append("parameter: " + value.decode())
        elif number == 3:
            version = dict(fields(value))
            suffix = version.get(4)
            out.append(f"compiler: {version.get(1)}.{version.get(2)}.{version.get(3)} suffix {suffix}")
        elif number in (15, 17):
            what = {15: "file", 17: "source file"}[number]
            kept = [(n, v) for n, v in fields(value)]
            name = b"".join(v for n, v in kept if n == 1).decode()
            numbers = " ".join(str(n) for n, _ in kept)
            out.append(f"{what}: {name}, {len(value)} bytes, fields {numbers}")
        else:
            out.append(f"field {number}")
    return "".join(line + "\n" for line in out)


TEXT = """\
// {name}
message {{
  // @@protoc_insertion_point(body)
\t  /* @@protoc_insertion_point(tabbed) */
  before @@protoc_insertion_point(inline) after
}}
// @@protoc_insertion_point(end)"""


def main():
    request = sys.stdin.buffer.read()
    inputs = [v.decode() for n, v in fields(request) if n == 1]
    parameter = b"".join(v for n, v in fields(request) if n == 2).decode()
    out = b""
    features, editions = 3, (998, 1001)
    status = 0
    for action in parameter.split(","):
        word, _, value = action.partition("=")
        for name in inputs if word.startswith(("emit", "insert")) else [None]:
            text = name and name.removesuffix(".proto") + ".txt"
            if word in ("emit", "emit-meta"):
                content = TEXT.format(name=name)
                out += file(text, content)
                if word == "emit-meta":
                    first = content.index("message")
                    info = annotation(name, first, first + 7) + annotation(name, 0, 2)
                    end = content.rindex("}")
                    out += file(text + ".pb.meta", info + annotation(name, end, end + 1))
            elif word == "insert":
                out += file(text, f"one {name}\n\n  two\n", "body")
                out += file(text, "three\n", "body")
                out += file(text, "four\n", "tabbed")
                out += file(text, "[five]", "inline")
                out += file(text, "six", "end")
                out += file(text, "", "end")
            elif word == "insert-meta":
                out += file(text, "one\ntwo\n", "body", annotation(name, 4, 7))
            elif word == "insert-unknown":
                out += file(text, "lost\n", "nowhere")
            elif word == "insert-early":
                out += file("nobody.txt", "lost\n", "body")
        if word == "chunks":
            out += file("chunks.txt", "one\n") + file(None, "two\n") + file("", "three\n")
            out += file("other.txt", "") + file(None, "four\n")
        elif word == "twice":
            out += file("twice.txt", "one\n") + file("twice.txt", "two\n")
        elif word == "file":
            out += file(value, "content of " + value + "\n")
        elif word == "binary":
            out += file("binary.bin", b"\x00\xff\r\n\xc3")
        elif word == "request":
            with open(value, "wb") as handle:
                handle.write(request)
        elif word == "describe":
            out += file("request.txt", describe(request))
        elif word == "say":
            print(value, file=sys.stderr)
        elif word == "error":
            out += field(1, "first line\nsecond line") + file("error.txt", "not written\n")
        elif word == "exit":
            status = int(value)
        elif word == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif word == "features":
            features = int(value)
        elif word == "nofeatures":
            features = None
        elif word == "editions":
            editions = tuple(int(edition) for edition in value.split("-"))
        elif word == "noeditions":
            editions = None
        if word == "garbage":
            sys.stdout.buffer.write(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")
            return 0
        if word == "truncated":
            sys.stdout.buffer.write(file("truncated.txt", "content")[:-3])
            return 0
        if word == "silent":
            return 0
    if features is not None:
        out += field(2, features)
    if editions is not None:
        out += field(3, editions[0]) + field(4, editions[1])
    sys.stdout.buffer.write(out)
    return status


sys.exit(main())
