"""The services of the shop, as someone calls them."""

import collections
import itertools

import grpc
from grpc_health.v1 import health_pb2_grpc
from shop.v1 import (
    chat_service_pb2_grpc,
    order_service_pb2_grpc,
    price_service_pb2_grpc,
    product_service_pb2_grpc,
    upload_service_pb2_grpc,
)

# Paths of all methods that were called.
CALLED = set()

TIMEOUT = 60  # seconds, for calls that do not say

Details = collections.namedtuple(
    "Details", ["method", "timeout", "metadata", "credentials", "wait_for_ready", "compression"]
)


class Interceptor(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamUnaryClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    """Notes which methods are called, and adds the token."""

    def __init__(self, metadata):
        self.metadata = metadata

    def intercept(self, continuation, details, request):
        CALLED.add(details.method if isinstance(details.method, str) else details.method.decode())
        return continuation(
            Details(
                details.method,
                TIMEOUT if details.timeout is None else details.timeout,
                [*(details.metadata or ()), *self.metadata],
                details.credentials,
                details.wait_for_ready,
                details.compression,
            ),
            request,
        )

    intercept_unary_unary = intercept_unary_stream = intercept_stream_unary = intercept_stream_stream = intercept


class Client:
    """All services, called with one token or none."""

    def __init__(self, channel, token):
        self.metadata = [("authorization", f"Bearer {token}")] if token else []
        # Calls that are not noted, and without the token.
        self.plain = channel
        self.channel = grpc.intercept_channel(channel, Interceptor(self.metadata))
        self.products = product_service_pb2_grpc.ProductServiceStub(self.channel)
        self.orders = order_service_pb2_grpc.OrderServiceStub(self.channel)
        self.prices = price_service_pb2_grpc.PriceServiceStub(self.channel)
        self.chat = chat_service_pb2_grpc.ChatServiceStub(self.channel)
        self.files = upload_service_pb2_grpc.UploadServiceStub(self.channel)
        self.health = health_pb2_grpc.HealthStub(self.channel)


class Shop:
    """A shop with the admin Ann and the customers Bob and Eve, each with a connection of their own."""

    numbers = itertools.count(1)

    def __init__(self, address, ca=None, cert=None, key=None):
        self.address = address
        self.credentials = None
        if ca:
            parts = [path and path.read_bytes() for path in (ca, key, cert)]
            self.credentials = grpc.ssl_channel_credentials(*parts)
        self.nobody = Client(self.connect(), None)
        self.stranger = Client(self.connect(), "made-up")
        self.ann, self.bob, self.eve = (Client(self.connect(), f"{name}-token") for name in ["ann", "bob", "eve"])

    def connect(self, *options):
        # Channels with equal options share a connection.
        options = [*options, ("client", next(self.numbers)), ("grpc.max_receive_message_length", 16 << 20)]
        if self.credentials:
            return grpc.secure_channel(self.address, self.credentials, options)
        return grpc.insecure_channel(self.address, options)
