"""What C-core (Python's grpcio) sees of a server with all standard interceptors.

    guarded.py PORT

Calls methods of all kinds of guarded-server and compares statuses, details and metadata. Prints a line for each
check, and exits with 1 if any failed.
"""

import queue
import sys
import time

import grpc
from google.protobuf import any_pb2, wrappers_pb2

Code = grpc.StatusCode
TIMEOUT = 20  # seconds
failed = 0


def text(value):
    return wrappers_pb2.StringValue(value=value)


write = wrappers_pb2.StringValue.SerializeToString
read = wrappers_pb2.StringValue.FromString
channel = grpc.insecure_channel(f"127.0.0.1:{sys.argv[1]}", [("grpc.enable_http_proxy", 0)])
say = channel.unary_unary("/test.Echo/Say", write, read)
limited = channel.unary_unary("/test.Echo/Limited", write, read)
crowded = channel.unary_unary("/test.Echo/Crowded", write, read)
absent = channel.unary_unary("/test.Echo/Absent", write, read)
health = channel.unary_unary("/grpc.health.v1.Health/Check", write, read)
upload = channel.stream_unary("/test.Echo/Upload", write, read)
listing = channel.unary_stream("/test.Echo/List", write, read)
chat = channel.stream_stream("/test.Echo/Chat", write, read)


def check(name, found, wanted):
    global failed
    is_fine = found == wanted
    failed += not is_fine
    print(f"{'ok    ' if is_fine else 'FAILED'} {name}" + ("" if is_fine else f": {found!r}, not {wanted!r}"))


def metadata(token):
    return [("authorization", f"Bearer {token}")] if token else []


def outcome(run):
    """What was received, and the status."""
    received = []
    try:
        for message in run():
            received.append(message.value)
        return received, Code.OK, ""
    except grpc.RpcError as error:
        return received, error.code(), error.details()


def kinds(request, token):
    """A call of each kind whose (second) message is the request."""
    options = {"metadata": metadata(token), "timeout": TIMEOUT}
    return {
        "unary": outcome(lambda: [say(text(request), **options)]),
        "client stream": outcome(lambda: [upload(iter([text("a"), text(request)]), **options)]),
        "server stream": outcome(lambda: listing(text(request), **options)),
        "bidi stream": outcome(lambda: talk(["a", request], options)),
    }


def talk(requests, options):
    """Sends each message when the one before was answered."""
    outgoing = queue.Queue()
    call = chat(iter(outgoing.get, None), **options)
    for request in requests:
        outgoing.put(text(request))
        yield next(call)
    outgoing.put(None)
    yield from call


def varint(data, at):
    value, shift = 0, 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def details(error):
    """The types of the details: google.rpc.Status has them in its field 3."""
    trailers = dict(error.trailing_metadata())
    data, at, found = trailers["grpc-status-details-bin"], 0, []
    while at < len(data):
        tag, at = varint(data, at)
        if tag & 7 == 0:
            _, at = varint(data, at)
            continue
        size, at = varint(data, at)
        if tag >> 3 == 3:
            found.append(any_pb2.Any.FromString(data[at : at + size]).type_url)
        at += size
    return [url.rsplit(".", 1)[-1] for url in found]


def error_of(call, request):
    try:
        call(text(request), metadata=metadata("ann"), timeout=TIMEOUT)
    except grpc.RpcError as error:
        return error
    return None


# Authentication, for all kinds, before any message is looked at.
for token, code, message in [
    (None, Code.UNAUTHENTICATED, "`authorization` is missing"),
    ("eve", Code.UNAUTHENTICATED, "unknown token"),
]:
    for kind, found in kinds("hi", token).items():
        check(f"{kind} with token {token}", found, ([], code, message))
for kind, found in kinds("hi", "bob").items():
    check(f"{kind} without permission", found[:2], ([], Code.PERMISSION_DENIED))
check("health needs no token", outcome(lambda: [health(text("up"), timeout=TIMEOUT)]), (["up"], Code.OK, ""))
check("unknown methods need one", outcome(lambda: [absent(text("x"), timeout=TIMEOUT)])[1], Code.UNAUTHENTICATED)
allowed = outcome(lambda: [absent(text("x"), metadata=metadata("ann"), timeout=TIMEOUT)])
check("and are unknown then", allowed[1], Code.UNIMPLEMENTED)

# All that goes well.
wanted = {
    "unary": ["ann"],
    "client stream": ["a,ann"],
    "server stream": ["first", "ann"],
    "bidi stream": ["a", "ann"],
}
for kind, found in kinds("who", "ann").items():
    check(f"{kind} that goes well", found, (wanted[kind], Code.OK, ""))

# Panics: an incident, what came before, and not a word of the panic.
before = {"unary": [], "client stream": [], "server stream": ["first"], "bidi stream": ["a"]}
for kind, (received, code, message) in kinds("panic", "ann").items():
    check(f"{kind} that panics", (received, code), (before[kind], Code.INTERNAL))
    check(f"{kind} that panics says", message.startswith("that was us, incident "), True)

# Validation, of messages of streams too.
before["client stream"] = []
for kind, found in kinds("rude", "ann").items():
    received = [] if kind == "server stream" else before[kind]
    check(f"{kind} that is rude", found, (received, Code.INVALID_ARGUMENT, "value: must be polite"))
check("the field is in the details", details(error_of(say, "rude")), ["BadRequest"])

# Deadlines: the client gives 20 s, the server 1 s.
began = time.monotonic()
for kind, (received, code, _) in kinds("sleep", "ann").items():
    check(f"{kind} that sleeps", (received, code), (before[kind], Code.DEADLINE_EXCEEDED))
check("deadlines are short", time.monotonic() - began < TIMEOUT, True)

# Limits.
for _ in range(2):
    limited(text("hi"), metadata=metadata("ann"), timeout=TIMEOUT)
error = error_of(limited, "hi")
check("the rate is limited", error.code(), Code.RESOURCE_EXHAUSTED)
check("and says when to come again", details(error), ["QuotaFailure", "RetryInfo"])
pushback = int(dict(error.trailing_metadata())["grpc-retry-pushback-ms"])
check("to the library too", 0 < pushback <= 2000, True)
futures = [crowded.future(text("pause"), metadata=metadata("ann"), timeout=TIMEOUT) for _ in range(6)]
codes = sorted(str(future.code()) for future in futures)
check("calls above the limit are shed", codes, [str(Code.OK)] * 2 + [str(Code.RESOURCE_EXHAUSTED)] * 4)

# Names of requests.
_, call = say.with_call(text("hi"), metadata=[*metadata("ann"), ("x-request-id", "mine")], timeout=TIMEOUT)
check("a request keeps its name", dict(call.initial_metadata()).get("x-request-id"), "mine")

# A call that is cancelled, which the log has to have.
call = chat(iter([text("a")]), metadata=[*metadata("ann"), ("x-request-id", "cancelled-one")], timeout=TIMEOUT)
stuck = say.future(text("sleep"), metadata=[*metadata("ann"), ("x-request-id", "cancelled-two")], timeout=TIMEOUT)
time.sleep(0.3)
stuck.cancel()
list(call)
channel.close()
sys.exit(1 if failed else 0)
