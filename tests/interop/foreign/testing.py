"""What the C-core server and client have in common: messages, compression, transport security."""

import gzip
import threading
import zlib
from typing import NamedTuple

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

SERVICE = "grpc.testing.TestService"
UNIMPLEMENTED_SERVICE = "grpc.testing.UnimplementedService"

ECHO_INITIAL = "x-grpc-test-echo-initial"
ECHO_TRAILING = "x-grpc-test-echo-trailing-bin"

# grpcio decompresses below its Python surface and does not say that it did. With this option
# C-core hands on the payload as it came from the wire, and `Codec` finds out. Which codings the
# peer may use, and that one is declared at all, is still C-core's business.
OPTIONS = [
    ("grpc.per_message_decompression", 0),
    ("grpc.so_reuseport", 0),  # a port that is taken is an error
    ("grpc.enable_http_proxy", 0),
]


class Received(NamedTuple):
    """A message, and whether it was compressed on the wire."""

    message: object
    compressed: bool


class Codec:
    """The messages of a descriptor set, by their names in the package grpc.testing."""

    def __init__(self, path):
        with open(path, "rb") as file:
            files = descriptor_pb2.FileDescriptorSet.FromString(file.read())
        self._pool = descriptor_pool.DescriptorPool()
        for file in files.file:
            self._pool.Add(file)

    def __getattr__(self, name):
        message = message_factory.GetMessageClass(self._pool.FindMessageTypeByName(f"grpc.testing.{name}"))
        setattr(self, name, message)
        return message

    def payload(self, size):
        return self.Payload(body=bytes(size))

    def reader(self, name):
        """A deserializer for grpcio that returns `Received`."""
        message = getattr(self, name)

        def read(data):
            raw = decompressed(data)
            return Received(message.FromString(data if raw is None else raw), raw is not None)

        return read


def decompressed(data):
    """What was compressed into `data`, or nothing if it is a message as it is.

    The declared coding is not visible either, so the bytes have to tell. gzip begins with 1f, which
    would be a tag of wire type 7 and so no message at all. zlib (that is what `deflate` is) begins
    with 78, which would be field 15, and no message of these schemas has one.
    """
    if data[:2] == b"\x1f\x8b":
        return gzip.decompress(data)
    if data[:1] == b"\x78":
        return zlib.decompress(data)
    return None


def serialize(message):
    return message.SerializeToString()


def boolean(text):
    """For flags as other interop programs take them: --use_tls=true."""
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return text.lower() == "true"


def read_file(path):
    with open(path, "rb") as file:
        return file.read()


class Requests:
    """A stream of requests that the caller fills step by step; grpcio reads it on a thread of its own."""

    def __init__(self):
        self._changed = threading.Condition()
        self._queue = []
        self._closed = False

    def send(self, message):
        with self._changed:
            self._queue.append(message)
            self._changed.notify()

    def close(self):
        with self._changed:
            self._closed = True
            self._changed.notify()

    def __iter__(self):
        return self

    def __next__(self):
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closed)
            if not self._queue:
                raise StopIteration
            return self._queue.pop(0)
