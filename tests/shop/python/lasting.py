"""A shop that closes, and one that comes back."""

import queue
import threading

from shop.v1.order_service_pb2 import GetOrderRequest, TrackOrderRequest
from shop.v1.price_service_pb2 import GetQuoteRequest
from shop.v1.product_service_pb2 import GetProductRequest, WatchProductsRequest

from chat import Member, join
from check import equal, fails
from files import download, pattern, upload
from products import create, order_of


def ends(shop):
    """Calls that would go on for ever are told that the shop closes; those that end by themselves do."""
    id = create(shop, "ENDS").id
    order = shop.bob.orders.CreateOrder(order_of("ends", (id, 1))).id
    watch = shop.bob.products.WatchProducts(WatchProductsRequest())
    watch.initial_metadata()
    track = shop.bob.orders.TrackOrder(TrackOrderRequest(id=order))
    next(track)
    member = Member(shop.eve, **join("ends"))
    member.hear()
    quotes = queue.SimpleQueue()
    ask = lambda: quotes.put(shop.eve.prices.GetQuote(GetQuoteRequest(product_id="p-1")))
    threading.Thread(target=ask, daemon=True).start()
    # The quote is being worked on once a later call on its connection is answered.
    shop.eve.products.GetProduct(GetProductRequest(id=id))
    print("watching", flush=True)
    for stream in [watch, track, member.events]:
        failed = fails("UNAVAILABLE", lambda: next(stream))
        equal(failed.reason, "UNAVAILABLE")
        equal(failed.details["RetryInfo"].retry_delay.ToMilliseconds(), 1000)
    equal(quotes.get(timeout=10).degraded, False)


def keep(shop):
    """Leaves a product, an order and a file, and tells their ids."""
    id = create(shop, "KEPT", 5).id
    order = shop.bob.orders.CreateOrder(order_of("kept", (id, 2)))
    file = upload(shop.bob, pattern(100_000), name="kept")
    return id, order.id, file.id


def kept(shop, product_id, order_id, file_id):
    """Finds what was left, and gets the same order for the same key."""
    found = shop.nobody.products.GetProduct(GetProductRequest(id=product_id))
    equal((found.sku, found.inventory.available, found.inventory.reserved), ("KEPT", 3, 2))
    order = shop.bob.orders.GetOrder(GetOrderRequest(id=order_id))
    equal(shop.bob.orders.CreateOrder(order_of("kept", (product_id, 2))), order)
    file, content = download(shop.bob, file_id)
    equal((file.name, content == pattern(100_000)), ("kept", True))
