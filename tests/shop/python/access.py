"""Who may do what."""

from google.protobuf import message_factory
from shop.v1 import chat_service_pb2, order_service_pb2, price_service_pb2, product_service_pb2, upload_service_pb2
from shop.v1.order_service_pb2 import ListOrdersRequest
from shop.v1.product_service_pb2 import GetProductRequest

import grpc
from check import case, equal, fails

MODULES = [chat_service_pb2, order_service_pb2, price_service_pb2, product_service_pb2, upload_service_pb2]
PUBLIC = {"GetProduct", "ListProducts", "StreamProducts", "WatchProducts", "GetQuote"}
FOR_ADMINS = {"CreateProduct", "UpdateProduct", "DeleteProduct", "BulkCreateProducts", "ProcessProductBatch"}


def all_methods():
    for module in MODULES:
        for service in module.DESCRIPTOR.services_by_name.values():
            yield from service.methods


def call(client, method):
    """Calls a method with a request that has nothing, and gives the code of its end."""
    request, response = (message_factory.GetMessageClass(kind) for kind in (method.input_type, method.output_type))
    kind = "_".join("stream" if many else "unary" for many in (method.client_streaming, method.server_streaming))
    path = f"/{method.containing_service.full_name}/{method.name}"
    send = getattr(client.plain, kind)(path, request.SerializeToString, response.FromString)
    try:
        answer = send(iter([]) if method.client_streaming else request(), timeout=1, metadata=client.metadata)
        if method.server_streaming:
            list(answer)
        return "OK"
    except grpc.RpcError as error:
        return error.code().name


@case("access/tokens")
def tokens(shop):
    for method in all_methods():
        is_public, is_for_admins = method.name in PUBLIC, method.name in FOR_ADMINS
        for client in [shop.nobody, shop.stranger]:
            code = call(client, method)
            equal((method.name, code == "UNAUTHENTICATED"), (method.name, not is_public))
        code = call(shop.bob, method)
        equal((method.name, code == "PERMISSION_DENIED"), (method.name, is_for_admins))
        code = call(shop.ann, method)
        equal((method.name, code in ("UNAUTHENTICATED", "PERMISSION_DENIED")), (method.name, False))
    # What is wrong with the token is told.
    missing = fails("UNAUTHENTICATED", lambda: shop.nobody.orders.ListOrders(ListOrdersRequest()))
    unknown = fails("UNAUTHENTICATED", lambda: shop.stranger.orders.ListOrders(ListOrdersRequest()))
    assert missing.message != unknown.message, missing.message


@case("access/rate")
def rate(limited):
    """Of a shop that takes 5 calls a second."""

    def many():
        for _ in range(200):
            limited.nobody.products.GetProduct(GetProductRequest(id="p-1"))

    failed = fails("RESOURCE_EXHAUSTED", many)
    delay = failed.details["RetryInfo"].retry_delay
    assert 0 < delay.ToMilliseconds() <= 1000, delay
    equal(len(failed.details["QuotaFailure"].violations), 1)
    assert 0 < int(failed.trailers["grpc-retry-pushback-ms"]) <= 1000
    # Callers with a token have calls of their own.
    limited.bob.orders.ListOrders(ListOrdersRequest())
