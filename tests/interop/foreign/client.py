"""The interop client on C-core (Python's grpcio), without generated code.

Runs one test case against a server and exits with 0 if all was as the interop specification wants.
"""

import argparse
import os
import sys
import traceback

import grpc

from testing import (
    ECHO_INITIAL,
    ECHO_TRAILING,
    OPTIONS,
    SERVICE,
    UNIMPLEMENTED_SERVICE,
    Codec,
    Requests,
    boolean,
    read_file,
    serialize,
)

GZIP = grpc.Compression.Gzip
REQUEST_SIZE, RESPONSE_SIZE = 271828, 314159
# No call may outlast this; what is then seen is better than what a killed client leaves behind.
TIMEOUT = 20  # seconds


class Client:
    def __init__(self, channel, codec):
        self.codec = codec

        def method(kind, name, response, service=SERVICE):
            return kind(f"/{service}/{name}", serialize, codec.reader(response))

        self.empty_call = method(channel.unary_unary, "EmptyCall", "Empty")
        self.unary_call = method(channel.unary_unary, "UnaryCall", "SimpleResponse")
        self.input_call = method(channel.stream_unary, "StreamingInputCall", "StreamingInputCallResponse")
        self.output_call = method(channel.unary_stream, "StreamingOutputCall", "StreamingOutputCallResponse")
        self.duplex_call = method(channel.stream_stream, "FullDuplexCall", "StreamingOutputCallResponse")
        self.absent_method = method(channel.unary_unary, "UnimplementedCall", "Empty")
        self.absent_service = method(channel.unary_unary, "UnimplementedCall", "Empty", UNIMPLEMENTED_SERVICE)

    # ------------------------------------------------------------ one unary call

    def empty_unary(self):
        received, _ = self.empty_call.with_call(self.codec.Empty(), timeout=TIMEOUT)
        equal("the message", received.message, self.codec.Empty())

    def large_unary(self):
        self.large_call()

    def client_compressed_unary(self):
        # The probe: a server that does not look at the compression of requests is found out.
        lie = self.codec.SimpleRequest(expect_compressed=self.flag(True))
        self.fails(grpc.StatusCode.INVALID_ARGUMENT, None, lambda: self.large_call(lie))
        self.large_call(self.codec.SimpleRequest(expect_compressed=self.flag(True)), compression=GZIP)
        self.large_call(self.codec.SimpleRequest(expect_compressed=self.flag(False)))

    def server_compressed_unary(self):
        for compressed in (True, False):
            request = self.codec.SimpleRequest(response_compressed=self.flag(compressed))
            received = self.large_call(request)
            equal("the response's compression", received.compressed, compressed)

    # ------------------------------------------------------------ streams

    def client_streaming(self):
        sizes = [27182, 8, 1828, 45904]
        requests = (self.input_request(self.codec.payload(size)) for size in sizes)
        received = self.input_call(requests, timeout=TIMEOUT)
        equal("aggregated_payload_size", received.message.aggregated_payload_size, 74922)

    def client_compressed_streaming(self):
        compressed = self.input_request(self.codec.payload(27182), expect_compressed=self.flag(True))
        # The probe: it is sent uncompressed.
        self.fails(
            grpc.StatusCode.INVALID_ARGUMENT, None, lambda: self.input_call(iter([compressed]), timeout=TIMEOUT)
        )
        # grpcio's clients compress a whole call or nothing of it. But C-core sends a message as it
        # is if that is shorter, and no coding makes random bytes shorter.
        noise = self.codec.Payload(body=os.urandom(45904))
        uncompressed = self.input_request(noise, expect_compressed=self.flag(False))
        received = self.input_call(iter([compressed, uncompressed]), timeout=TIMEOUT, compression=GZIP)
        equal("aggregated_payload_size", received.message.aggregated_payload_size, 73086)

    def server_streaming(self):
        sizes = [31415, 9, 2653, 58979]
        responses = list(self.output_call(self.output_request(sizes), timeout=TIMEOUT))
        equal("the responses' sizes", [self.size(response) for response in responses], sizes)

    def server_compressed_streaming(self):
        request = self.codec.StreamingOutputCallRequest()
        for size, compressed in [(31415, True), (92653, False)]:
            request.response_parameters.add(size=size, compressed=self.flag(compressed))
        responses = list(self.output_call(request, timeout=TIMEOUT))
        equal("the responses' sizes", [self.size(response) for response in responses], [31415, 92653])
        equal("the responses' compression", [response.compressed for response in responses], [True, False])

    def ping_pong(self):
        requests = Requests()
        responses = self.duplex_call(requests, timeout=TIMEOUT)
        for response_size, request_size in [(31415, 27182), (9, 8), (2653, 1828), (58979, 45904)]:
            requests.send(self.output_request([response_size], request_size))
            equal("the response's size", self.size(next(responses)), response_size)
        requests.close()
        equal("further responses", list(responses), [])

    def empty_stream(self):
        equal("the responses", list(self.duplex_call(iter([]), timeout=TIMEOUT)), [])

    # ------------------------------------------------------------ metadata and status

    def custom_metadata(self):
        initial = (ECHO_INITIAL, "test_initial_metadata_value")
        trailing = (ECHO_TRAILING, b"\xab\xab\xab")

        def check(call):
            echoed = [tuple(pair) for pair in call.initial_metadata() if pair[0] == ECHO_INITIAL]
            equal("the initial metadata", echoed, [initial])
            echoed = [tuple(pair) for pair in call.trailing_metadata() if pair[0] == ECHO_TRAILING]
            equal("the trailing metadata", echoed, [trailing])

        request = self.codec.SimpleRequest(
            response_size=RESPONSE_SIZE, payload=self.codec.payload(REQUEST_SIZE)
        )
        received, call = self.unary_call.with_call(request, timeout=TIMEOUT, metadata=[initial, trailing])
        equal("the response's size", self.size(received), RESPONSE_SIZE)
        check(call)

        requests = iter([self.output_request([RESPONSE_SIZE], REQUEST_SIZE)])
        responses = self.duplex_call(requests, timeout=TIMEOUT, metadata=[initial, trailing])
        equal("the responses' sizes", [self.size(response) for response in responses], [RESPONSE_SIZE])
        check(responses)

    def status_code_and_message(self):
        message = "test status message"
        status = self.codec.EchoStatus(code=2, message=message)
        request = self.codec.SimpleRequest(response_status=status)
        self.fails(grpc.StatusCode.UNKNOWN, message, lambda: self.unary_call(request, timeout=TIMEOUT))
        requests = iter([self.codec.StreamingOutputCallRequest(response_status=status)])
        self.fails(grpc.StatusCode.UNKNOWN, message, lambda: list(self.duplex_call(requests, timeout=TIMEOUT)))

    def special_status_message(self):
        message = "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n"
        request = self.codec.SimpleRequest(response_status=self.codec.EchoStatus(code=2, message=message))
        self.fails(grpc.StatusCode.UNKNOWN, message, lambda: self.unary_call(request, timeout=TIMEOUT))

    def unimplemented_method(self):
        self.fails(
            grpc.StatusCode.UNIMPLEMENTED, None, lambda: self.absent_method(self.codec.Empty(), timeout=TIMEOUT)
        )

    def unimplemented_service(self):
        self.fails(
            grpc.StatusCode.UNIMPLEMENTED, None, lambda: self.absent_service(self.codec.Empty(), timeout=TIMEOUT)
        )

    # ------------------------------------------------------------ calls that end early

    # After each comes another call on the same channel: that one must not have suffered.

    def cancel_after_begin(self):
        requests = Requests()
        call = self.input_call.future(requests, timeout=TIMEOUT)
        call.cancel()
        equal("the code", call.code(), grpc.StatusCode.CANCELLED)
        requests.close()
        self.empty_unary()

    def cancel_after_first_response(self):
        requests = Requests()
        responses = self.duplex_call(requests, timeout=TIMEOUT)
        requests.send(self.output_request([31415], 27182))
        equal("the response's size", self.size(next(responses)), 31415)
        responses.cancel()
        equal("the code", responses.code(), grpc.StatusCode.CANCELLED)
        requests.close()
        self.empty_unary()

    def timeout_on_sleeping_server(self):
        requests = Requests()
        requests.send(self.output_request([], 27182))
        self.fails(
            grpc.StatusCode.DEADLINE_EXCEEDED, None, lambda: list(self.duplex_call(requests, timeout=0.001))
        )
        requests.close()
        self.empty_unary()

    # ------------------------------------------------------------ many calls

    def pick_first_unary(self):
        request = self.codec.SimpleRequest(response_size=1, payload=self.codec.payload(1), fill_server_id=True)
        servers = {self.unary_call(request, timeout=TIMEOUT).message.server_id for _ in range(100)}
        if len(servers) != 1 or "" in servers:
            raise AssertionError(f"answered by the servers {servers}")

    # ------------------------------------------------------------ their steps

    def large_call(self, request=None, compression=None):
        request = request or self.codec.SimpleRequest()
        request.response_size = RESPONSE_SIZE
        request.payload.body = bytes(REQUEST_SIZE)
        received = self.unary_call(request, timeout=TIMEOUT, compression=compression)
        equal("the response's size", self.size(received), RESPONSE_SIZE)
        return received

    def flag(self, value):
        return self.codec.BoolValue(value=value)

    def input_request(self, payload, **fields):
        return self.codec.StreamingInputCallRequest(payload=payload, **fields)

    def output_request(self, response_sizes, request_size=None):
        request = self.codec.StreamingOutputCallRequest()
        for size in response_sizes:
            request.response_parameters.add(size=size)
        if request_size is not None:
            request.payload.body = bytes(request_size)
        return request

    def size(self, received):
        """The size of a response's body, which has to be all zeros."""
        payload = received.message.payload
        equal("the payload type", payload.type, 0)
        if payload.body.count(0) != len(payload.body):
            raise AssertionError("the response's body is not all zeros")
        return len(payload.body)

    def fails(self, code, message, call):
        """The call has to fail with this code, and with this message unless that is None."""
        try:
            call()
        except grpc.RpcError as error:
            equal("the code", error.code(), code)
            if message is not None:
                equal("the status message", error.details(), message)
            return
        raise AssertionError(f"succeeded instead of failing with {code.name}")


def equal(what, seen, wanted):
    if seen != wanted:
        raise AssertionError(f"{what}: got {seen!r:.300}, want {wanted!r:.300}")


CASES = [
    "empty_unary",
    "large_unary",
    "client_streaming",
    "server_streaming",
    "ping_pong",
    "empty_stream",
    "client_compressed_unary",
    "server_compressed_unary",
    "client_compressed_streaming",
    "server_compressed_streaming",
    "custom_metadata",
    "status_code_and_message",
    "special_status_message",
    "unimplemented_method",
    "unimplemented_service",
    "cancel_after_begin",
    "cancel_after_first_response",
    "timeout_on_sleeping_server",
    "pick_first_unary",
]


def connect(args):
    address = f"{args.server_host}:{args.server_port}"
    options = list(OPTIONS)
    if not args.use_tls:
        if args.server_host_override:
            options.append(("grpc.default_authority", args.server_host_override))
        return grpc.insecure_channel(address, options=options)
    if args.server_host_override:
        options.append(("grpc.ssl_target_name_override", args.server_host_override))
    roots = read_file(args.ca_file) if args.use_test_ca else None
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(roots), options=options)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server_host", default="localhost")
    parser.add_argument("--server_port", type=int, required=True)
    parser.add_argument("--server_host_override")
    parser.add_argument("--test_case", choices=CASES, default="large_unary")
    parser.add_argument("--use_tls", type=boolean, default=False)
    parser.add_argument("--use_test_ca", type=boolean, default=False)
    parser.add_argument("--ca_file", help="for --use_test_ca")
    parser.add_argument("--descriptor_set", required=True)
    args = parser.parse_args()

    with connect(args) as channel:
        # So that the calls with short timeouts are not over before there is a connection.
        try:
            grpc.channel_ready_future(channel).result(timeout=10)
        except grpc.FutureTimeoutError:
            sys.exit("no connection within 10 s")
        try:
            getattr(Client(channel, Codec(args.descriptor_set)), args.test_case)()
        except (AssertionError, grpc.RpcError):
            traceback.print_exc()
            sys.exit(1)


if __name__ == "__main__":
    main()
