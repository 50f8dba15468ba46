"""Python's clients of health and reflection, with what they have to find at our server: client.py
ADDRESS CASE. Fails with an AssertionError if it is something else.

`ends` prints `watching` once it does, and expects the server to end then.
"""

import sys

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

NAMES = health_pb2.HealthCheckResponse.ServingStatus


def request(service):
    return health_pb2.HealthCheckRequest(service=service)


def state(response):
    return NAMES.Name(response.status)


def equal(found, wanted):
    assert found == wanted, f"found {found!r}, wanted {wanted!r}"


def shop(channel):
    """The pool of the server's schema, and a function that calls the shop."""
    pool = descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
    service = pool.FindServiceByName("shop.v1.ShopService")

    def call(name, text):
        method = service.FindMethodByName(name)
        asked, told = (message_factory.GetMessageClass(kind) for kind in (method.input_type, method.output_type))
        path = f"/{service.full_name}/{name}"
        send = channel.unary_unary(path, asked.SerializeToString, told.FromString)
        return send(json_format.Parse(text, asked()), timeout=10)

    return pool, call


def health(channel):
    stub = health_pb2_grpc.HealthStub(channel)
    equal(state(stub.Check(request(""), timeout=10)), "SERVING")
    equal(state(stub.Check(request("broken"), timeout=10)), "NOT_SERVING")
    try:
        stub.Check(request("nothing"), timeout=10)
        raise AssertionError("no error")
    except grpc.RpcError as error:
        equal((error.code(), error.details()), (grpc.StatusCode.NOT_FOUND, "unknown service nothing"))
    if hasattr(stub, "List"):
        statuses = stub.List(health_pb2.HealthListRequest(), timeout=10).statuses
        found = {name: state(response) for name, response in statuses.items()}
        equal(found, {"": "SERVING", "broken": "NOT_SERVING", "shop.v1.ShopService": "SERVING"})


def watch(channel):
    _, call = shop(channel)
    states = health_pb2_grpc.HealthStub(channel).Watch(request("python"), timeout=30)
    equal(state(next(states)), "SERVICE_UNKNOWN")
    for text, wanted in [
        ('{"service": "python", "is_serving": true}', "SERVING"),
        ('{"service": "python", "is_serving": false}', "NOT_SERVING"),
        ('{"service": "python"}', "SERVICE_UNKNOWN"),
        ('{"service": "python", "is_serving": true}', "SERVING"),
    ]:
        call("SetHealth", text)
        equal(state(next(states)), wanted)
    states.cancel()
    call("SetHealth", '{"service": "python"}')


def reflection(channel):
    database = ProtoReflectionDescriptorDatabase(channel)
    wanted = [
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
        "shop.v1.ShopService",
    ]
    equal(list(database.get_services()), wanted)
    numbers = database.FindAllExtensionNumbers("shop.v1.Product")
    equal(sorted(numbers), [110, 120])
    # The database does not ask for extensions, so by hand, with more over the same stream.
    extension = reflection_pb2.ExtensionRequest(containing_type="shop.v1.Product", extension_number=120)
    questions = [
        reflection_pb2.ServerReflectionRequest(file_containing_symbol="shop.v1.Money"),
        reflection_pb2.ServerReflectionRequest(host="me", file_containing_extension=extension),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol="shop.v1.Nothing"),
    ]
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    answers = list(stub.ServerReflectionInfo(iter(questions), timeout=10))
    equal([answer.original_request for answer in answers], questions)
    equal(answers[1].valid_host, "me")
    sent = answers[1].file_descriptor_response.file_descriptor_proto
    files = [descriptor_pb2.FileDescriptorProto.FromString(file).name for file in sent]
    # Not the file that the first answer had.
    equal(files, ["shop/v1/shop.proto", "google/protobuf/timestamp.proto"])
    equal(answers[2].error_response.error_code, grpc.StatusCode.NOT_FOUND.value[0])
    for name in ["nothing.proto", "shop.v1.Nothing"]:
        find = database.FindFileByName if name.endswith(".proto") else database.FindFileContainingSymbol
        try:
            find(name)
            raise AssertionError(f"{name} was found")
        except KeyError:
            pass
    pool, call = shop(channel)
    equal(pool.FindMessageTypeByName("shop.v1.Product").file.name, "shop/v1/shop.proto")
    equal(pool.FindFileByName("shop/v1/money.proto").package, "shop.v1")
    found = json_format.MessageToDict(call("GetProduct", '{"name": "cup"}'))
    price = {"currency": "EUR", "units": "3"}
    equal(found, {"name": "cup", "price": price, "since": "1970-01-01T00:00:42Z", "size": "SIZE_LARGE"})


def ends(channel):
    _, call = shop(channel)
    states = health_pb2_grpc.HealthStub(channel).Watch(request("shop.v1.ShopService"), timeout=60)
    equal(state(next(states)), "SERVING")
    print("watching", flush=True)
    equal(state(next(states)), "NOT_SERVING")
    # The server is still there for those who have not noticed.
    equal(call("GetProduct", '{"name": "late"}').name, "late")
    try:
        equal(next(states), None)
    except grpc.RpcError as error:
        equal((error.code(), error.details()), (grpc.StatusCode.UNAVAILABLE, "the server is shutting down"))


address, case = sys.argv[1:]
with grpc.insecure_channel(address) as connected:
    {"health": health, "watch": watch, "reflection": reflection, "ends": ends}[case](connected)
