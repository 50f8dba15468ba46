"""The interop server on C-core (Python's grpcio), without generated code.

Prints `listening on ADDRESS` and serves until it is ended. It does all that the interop
specification asks of a server but what needs an account or a load balancer: user names, OAuth
scopes, routes of grpclb, and load reports (ORCA).

One limit is grpcio's: a call's coding has to be set before its initial metadata, so whether a
FullDuplexCall is compressed is decided by its first request.
"""

import argparse
import time
import urllib.parse
import uuid
from concurrent import futures

import grpc

from testing import ECHO_INITIAL, ECHO_TRAILING, OPTIONS, SERVICE, Codec, boolean, read_file, serialize

CODES = {code.value[0]: code for code in grpc.StatusCode}


class TestService:
    def __init__(self, codec):
        self.codec = codec
        self.id = str(uuid.uuid4())

    def handlers(self):
        kinds = {
            "EmptyCall": (grpc.unary_unary_rpc_method_handler, self.empty_call, "Empty"),
            "UnaryCall": (grpc.unary_unary_rpc_method_handler, self.unary_call, "SimpleRequest"),
            "CacheableUnaryCall": (grpc.unary_unary_rpc_method_handler, self.cacheable_unary_call, "SimpleRequest"),
            "StreamingInputCall": (
                grpc.stream_unary_rpc_method_handler,
                self.streaming_input_call,
                "StreamingInputCallRequest",
            ),
            "StreamingOutputCall": (
                grpc.unary_stream_rpc_method_handler,
                self.streaming_output_call,
                "StreamingOutputCallRequest",
            ),
            "FullDuplexCall": (
                grpc.stream_stream_rpc_method_handler,
                self.full_duplex_call,
                "StreamingOutputCallRequest",
            ),
            "HalfDuplexCall": (
                grpc.stream_stream_rpc_method_handler,
                self.half_duplex_call,
                "StreamingOutputCallRequest",
            ),
        }
        methods = {
            name: handler(behaviour, self.codec.reader(request), serialize)
            for name, (handler, behaviour, request) in kinds.items()
        }
        return grpc.method_handlers_generic_handler(SERVICE, methods)

    # ------------------------------------------------------------ the methods

    def empty_call(self, request, context):
        start(context, compressed=False)
        return self.codec.Empty()

    def unary_call(self, received, context):
        request = received.message
        compressed = request.response_compressed.value
        start(context, compressed)
        check_compression(received, context)
        check_status(request, context)
        response = self.codec.SimpleResponse(payload=self.body(request, request.response_size, context))
        if request.fill_server_id:
            response.server_id = self.id
        return response

    def cacheable_unary_call(self, received, context):
        start(context, compressed=False, more=[("cache-control", "max-age=60, public")])
        now = str(time.time_ns()).encode()
        return self.codec.SimpleResponse(payload=self.codec.Payload(body=now))

    def streaming_input_call(self, requests, context):
        start(context, compressed=False)
        size = 0
        for received in requests:
            check_compression(received, context)
            size += len(received.message.payload.body)
        return self.codec.StreamingInputCallResponse(aggregated_payload_size=size)

    def streaming_output_call(self, received, context):
        compressed = wants_compression(received.message)
        start(context, compressed)
        yield from self.responses(received.message, compressed, context)

    def full_duplex_call(self, requests, context):
        compressed = None
        for received in requests:
            if compressed is None:
                compressed = wants_compression(received.message)
                start(context, compressed)
            yield from self.responses(received.message, compressed, context)
        if compressed is None:
            start(context, compressed=False)

    def half_duplex_call(self, requests, context):
        requests = [received.message for received in requests]
        compressed = any(wants_compression(request) for request in requests)
        start(context, compressed)
        for request in requests:
            yield from self.responses(request, compressed, context)

    # ------------------------------------------------------------ their steps

    def responses(self, request, can_compress, context):
        """The responses that a request asks for. A status ends the call in their place."""
        check_status(request, context)
        for parameters in request.response_parameters:
            time.sleep(parameters.interval_us / 1e6)
            if not parameters.compressed.value:
                context.disable_next_message_compression()
            elif not can_compress:
                context.abort(grpc.StatusCode.FAILED_PRECONDITION, "compression has to be asked for at first")
            payload = self.body(request, parameters.size, context)
            response = self.codec.StreamingOutputCallResponse(payload=payload)
            if parameters.fill_peer_socket_address.value:
                # ipv4:ADDRESS or ipv6:ADDRESS, percent-encoded
                response.peer_socket_address = urllib.parse.unquote(context.peer().partition(":")[2])
            yield response

    def body(self, request, size, context):
        if request.response_type != 0:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"no payload type {request.response_type}")
        return self.codec.payload(size)


def start(context, compressed, more=()):
    """Sets what goes into initial and trailing metadata."""
    if compressed:
        context.set_compression(grpc.Compression.Gzip)
    # Pairs, not a map: a name may come more than once.
    metadata = context.invocation_metadata()
    context.set_trailing_metadata([pair for pair in metadata if pair[0] == ECHO_TRAILING])
    initial = [pair for pair in metadata if pair[0] == ECHO_INITIAL] + list(more)
    if initial:
        context.send_initial_metadata(initial)


def check_compression(received, context):
    request, compressed = received
    if request.HasField("expect_compressed") and request.expect_compressed.value != compressed:
        seen = "compressed" if compressed else "uncompressed"
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"the request came {seen}")


def check_status(request, context):
    status = request.response_status
    if status.code != 0:
        context.abort(CODES.get(status.code, grpc.StatusCode.UNKNOWN), status.message)


def wants_compression(request):
    return any(parameters.compressed.value for parameters in request.response_parameters)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--use_tls", type=boolean, default=False)
    parser.add_argument("--tls_cert_file")
    parser.add_argument("--tls_key_file")
    parser.add_argument("--descriptor_set", required=True)
    args = parser.parse_args()

    # A call holds a thread until it ends; the cases have at most a few calls at once.
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=32), options=OPTIONS)
    server.add_generic_rpc_handlers((TestService(Codec(args.descriptor_set)).handlers(),))
    address = f"127.0.0.1:{args.port}"
    if args.use_tls:
        pair = (read_file(args.tls_key_file), read_file(args.tls_cert_file))
        port = server.add_secure_port(address, grpc.ssl_server_credentials([pair]))
    else:
        port = server.add_insecure_port(address)
    server.start()
    print(f"listening on 127.0.0.1:{port}", flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
