"""What holds for calls of all methods."""

import time

from google.protobuf.empty_pb2 import Empty
from shop.v1.order_service_pb2 import TrackOrderRequest
from shop.v1.price_service_pb2 import GetQuoteRequest
from shop.v1.product_service_pb2 import (
    GetProductRequest,
    ListProductsRequest,
    StreamProductsRequest,
    WatchProductsRequest,
)

import grpc
from chat import Member, join
from check import case, equal, fails
from files import MIB, upload
from products import create, order_of


@case("calls/deadline")
def deadline(shop):
    id = create(shop, "DEADLINE").id
    order = shop.bob.orders.CreateOrder(order_of("deadline", (id, 1))).id
    for calling in [
        lambda: list(shop.bob.products.WatchProducts(WatchProductsRequest(ids=["p-1"]), timeout=0.3)),
        lambda: list(shop.bob.orders.TrackOrder(TrackOrderRequest(id=order), timeout=0.3)),
        # It has passed; with a microsecond an answer may be quicker than the clock of C-core.
        lambda: shop.bob.prices.GetQuote(GetQuoteRequest(product_id="p-1"), timeout=-1),
    ]:
        started = time.monotonic()
        fails("DEADLINE_EXCEEDED", calling)
        assert time.monotonic() - started < 5
    # Nothing is wrong with the connection.
    equal(shop.bob.products.GetProduct(GetProductRequest(id=id)).id, id)


@case("calls/cancel")
def cancel(shop):
    bob = Member(shop.bob, **join("cancel"))
    bob.hear()
    eve = Member(shop.eve, **join("cancel"))
    equal(bob.hear(), "eve joined, 2 are here")
    eve.hear()
    eve.events.cancel()
    fails("CANCELLED", eve.hear)
    equal(bob.hear(), "eve left, 1 are here")
    bob.leave()
    every = shop.eve.products.StreamProducts(StreamProductsRequest())
    for _ in range(3):
        next(every)
    every.cancel()
    fails("CANCELLED", lambda: list(every))
    quote = shop.eve.prices.GetQuote.future(GetQuoteRequest(product_id="p-1"))
    quote.cancel()
    assert quote.cancelled()
    equal(shop.eve.products.GetProduct(GetProductRequest(id="p-1")).id, "p-1")


@case("calls/metadata")
def metadata(shop):
    request = GetProductRequest(id="p-1")
    _, call = shop.nobody.products.GetProduct.with_call(request, metadata=[("x-request-id", "tern-42")])
    equal(dict(call.initial_metadata())["x-request-id"], "tern-42")
    _, call = shop.nobody.products.GetProduct.with_call(request)
    assert dict(call.initial_metadata())["x-request-id"]
    for path in ["/shop.v1.ProductService/Nothing", "/shop.v1.Nothing/GetProduct"]:
        send = shop.ann.channel.unary_unary(path, Empty.SerializeToString, Empty.FromString)
        fails("UNIMPLEMENTED", lambda: send(Empty()))


@case("calls/gzip")
def gzip(shop):
    request = ListProductsRequest(page_size=200)
    plain = shop.nobody.products.ListProducts(request)
    equal(shop.nobody.products.ListProducts(request, compression=grpc.Compression.Gzip), plain)


@case("calls/large")
def large(shop):
    # More than the 4 MiB that servers of gRPC take by default.
    requests = lambda: upload(shop.bob, bytes(5 * MIB), piece=5 * MIB, name="large")
    fails("RESOURCE_EXHAUSTED", requests)
    equal(shop.bob.products.GetProduct(GetProductRequest(id="p-1")).id, "p-1")
