"""The aviary on Python's grpcio: server.py SCHEMA. Reflection is v1alpha, the one that it has.

SCHEMA is a descriptor set: messages are known only at run time. Says its address, and serves until it
is ended. The state of the service "changing" goes from one to the other, over and over.
"""

import itertools
import sys
import time
from concurrent import futures
from pathlib import Path

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2

SERVICES = ["aviary.v1.AviaryService", "aviary.v1.CageService", "aviary.v1.PerchService", "aviary.plain.v1.TwigService"]
CODES = {code.value[0]: code for code in grpc.StatusCode}


def schema(path):
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(Path(path).read_bytes()).file:
        pool.Add(file)
    # The built-in services, so that reflection tells of them too.
    for module in [health_pb2, reflection_pb2]:
        pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
    return pool


def seconds(duration):
    return duration.seconds + duration.nanos / 1e9


class Behaviour:
    """What methods do, by their names."""

    def __init__(self, response):
        self.response = response

    def Echo(self, request, context):
        return request

    def Ponder(self, request, context):
        return request

    def Fail(self, request, context):
        if request.code:
            if request.details:
                # google.rpc.Status, field by field: code, message, details.
                parts = [(1, request.code), (2, request.message.encode()), *((3, detail) for detail in request.details)]
                details = b"".join(varint_or_octets(number, value) for number, value in parts)
                context.set_trailing_metadata([("grpc-status-details-bin", details)])
            context.abort(CODES[request.code], request.message)
        return self.response()

    def Sleep(self, request, context):
        time.sleep(seconds(request.time))
        return self.response(time=request.time)

    def Inspect(self, request, context):
        response = self.response()
        for name, value in context.invocation_metadata():
            if name in request.names:
                response.metadata[name].values.append(f'"{value}"')
        headers = list(request.headers.items())
        if request.binary:
            headers.append(("x-binary-bin", request.binary))
        context.send_initial_metadata(headers)
        context.set_trailing_metadata(list(request.trailers.items()))
        response.has_deadline = context.time_remaining() is not None
        return response

    def Lay(self, request, context):
        if request.compress:
            context.set_compression(grpc.Compression.Gzip)
        return self.response(shell=bytes(i % 256 for i in range(request.size)))

    def Flock(self, request, context):
        for i in range(request.count):
            if i:
                time.sleep(seconds(request.pause))
            yield self.response(name=f"bird {i + 1}", large=i + 1)
        if request.code:
            context.abort(CODES[request.code], request.message)

    def Count(self, requests, context):
        names = [bird.name for bird in requests]
        return self.response(count=len(names), names=names)

    def Sing(self, requests, context):
        for song in requests:
            if song.code:
                context.abort(CODES[song.code], song.text)
            song.text = song.text.upper()
            yield song

    def Stream(self, request, context):
        yield from request.twigs


def varint_or_octets(number, value):
    if isinstance(value, int):
        return bytes([number << 3]) + varint(value)
    return bytes([number << 3 | 2]) + varint(len(value)) + value


def varint(value):
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + varint(rest) if rest else bytes([low])


def handlers(service):
    kinds = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }
    made = {}
    for method in service.methods:
        request, response = map(message_factory.GetMessageClass, [method.input_type, method.output_type])
        kind = kinds[method.client_streaming, method.server_streaming]
        behaviour = getattr(Behaviour(response), method.name)
        made[method.name] = kind(behaviour, request.FromString, lambda message: message.SerializeToString())
    return grpc.method_handlers_generic_handler(service.full_name, made)


def main():
    pool = schema(sys.argv[1])
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=10))
    server.add_generic_rpc_handlers([handlers(pool.FindServiceByName(name)) for name in SERVICES])
    states = health.HealthServicer()
    states.set("", health_pb2.HealthCheckResponse.SERVING)
    states.set(SERVICES[0], health_pb2.HealthCheckResponse.SERVING)
    states.set("broken", health_pb2.HealthCheckResponse.NOT_SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(states, server)
    reflection.enable_server_reflection([*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME], server, pool)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"listening on plain=127.0.0.1:{port}", flush=True)
    for state in itertools.cycle([health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING]):
        states.set("changing", state)
        time.sleep(0.2)


if __name__ == "__main__":
    main()
