"""The till."""

from concurrent.futures import ThreadPoolExecutor

from google.protobuf.wrappers_pb2 import StringValue
from shop.v1 import order_pb2
from shop.v1.order_service_pb2 import (
    GetOrderRequest,
    ListOrdersRequest,
    TrackOrderRequest,
    UpdateOrderStatusRequest,
)
from shop.v1.product_pb2 import Product
from shop.v1.product_service_pb2 import UpdateProductRequest

from check import case, equal, fails, refused
from products import create, euro, order_of, stock

Order = order_pb2.Order


def update(client, id, status):
    return client.orders.UpdateOrderStatus(UpdateOrderStatusRequest(id=id, status=f"STATUS_{status}"))


@case("orders/create")
def creates(shop):
    one = create(shop, "ORDER-1", price=euro(12, 99), percent_off=10).id
    two = create(shop, "ORDER-2", 6, price=euro(0, 10)).id
    payments = [
        {"card": order_pb2.CardPayment(token="tok", last_four="4242")},
        {"bank_transfer": order_pb2.BankTransfer(iban="NO9386011117947")},
        {"gift_card": order_pb2.GiftCard(code="WELCOME")},
    ]
    for number, payment in enumerate(payments, 1):
        request = order_of(f"create-{number}", (one, 1), (two, 2), note=StringValue(value="ring"), **payment)
        order = shop.bob.orders.CreateOrder(request)
        # 10 % less than 12.99, in whole cents.
        first = {"product_id": one, "product_name": "a ORDER-1", "quantity": 1}
        second = {"product_id": two, "product_name": "a ORDER-2", "quantity": 2}
        wanted = [
            Order.Line(**first, unit_price=euro(11, 69), total=euro(11, 69)),
            Order.Line(**second, unit_price=euro(0, 10), total=euro(0, 20)),
        ]
        equal(list(order.lines), wanted)
        equal((order.customer, order.status, order.total), ("bob", Order.STATUS_PENDING, euro(11, 89)))
        equal((order.WhichOneof("payment"), order.note.value), ([*payment][0], "ring"))
        equal(order.shipping_address, request.order.shipping_address)
        equal(stock(shop, one), (5 - number, number))
        equal(stock(shop, two), (6 - 2 * number, 2 * number))
        for client in [shop.bob, shop.ann]:
            equal(client.orders.GetOrder(GetOrderRequest(id=order.id)), order)
        # That of someone else is not told of.
        failed = fails("NOT_FOUND", lambda: shop.eve.orders.GetOrder(GetOrderRequest(id=order.id)))
        equal((failed.reason, failed.resource), ("NOT_FOUND", ("order", order.id)))
    refused(["id"], lambda: shop.bob.orders.GetOrder(GetOrderRequest()))


@case("orders/refused")
def refuses(shop):
    id = create(shop, "ORDER-REFUSED").id
    bad = order_of("", (id, 0), ("", 1), (id, 1), bank_transfer=order_pb2.BankTransfer(iban="short"))
    bad.order.ClearField("shipping_address")
    fields = [
        "idempotency_key",
        "order.bank_transfer.iban",
        "order.shipping_address",
        "order.lines[0].quantity",
        "order.lines[1].product_id",
        "order.lines[2].product_id",
    ]
    refused(fields, lambda: shop.bob.orders.CreateOrder(bad))
    bad = order_of("x")
    bad.order.ClearField("payment")
    refused(["order.lines", "order.payment"], lambda: shop.bob.orders.CreateOrder(bad))
    bad.ClearField("order")
    refused(["order"], lambda: shop.bob.orders.CreateOrder(bad))
    equal(stock(shop, id), (5, 0))


@case("orders/key")
def keys(shop):
    id = create(shop, "ORDER-KEY", 100).id
    request = order_of("key", (id, 1))
    order = shop.bob.orders.CreateOrder(request)
    equal(shop.bob.orders.CreateOrder(request), order)
    update(shop.ann, order.id, "PAID")
    again = shop.bob.orders.CreateOrder(request)
    equal((again.id, again.status), (order.id, Order.STATUS_PAID))
    equal(stock(shop, id), (99, 1))
    failed = fails("ALREADY_EXISTS", lambda: shop.bob.orders.CreateOrder(order_of("key", (id, 2))))
    equal((failed.reason, failed.resource), ("IDEMPOTENCY_KEY_TAKEN", ("order", order.id)))
    # Keys are one's own.
    assert shop.eve.orders.CreateOrder(request).id != order.id
    with ThreadPoolExecutor(8) as threads:
        orders = list(threads.map(shop.bob.orders.CreateOrder, [order_of("at-once", (id, 3))] * 16))
    equal(len({order.id for order in orders}), 1)
    equal(stock(shop, id), (95, 5))


@case("orders/stock")
def stocks(shop):
    few, many = create(shop, "ORDER-FEW", 1).id, create(shop, "ORDER-MANY", 9).id
    asleep = create(shop, "ORDER-ASLEEP", status=Product.STATUS_SUSPENDED).id
    lines = [(many, 1), (few, 2), ("p-999999999", 1), (asleep, 1)]
    failed = fails("FAILED_PRECONDITION", lambda: shop.bob.orders.CreateOrder(order_of("stock", *lines)))
    equal(failed.reason, "OUT_OF_STOCK")
    violations = ["STOCK", "UNKNOWN_PRODUCT", "NOT_FOR_SALE"]
    equal(failed.preconditions, [(type, f"order.lines[{line}]") for line, type in enumerate(violations, 1)])
    equal((stock(shop, many), stock(shop, few)), ((9, 0), (1, 0)))
    # Nothing has become of the key.
    equal(shop.bob.orders.CreateOrder(order_of("stock", (few, 1))).lines[0].product_id, few)
    equal(stock(shop, few), (0, 1))


@case("orders/list")
def lists(shop):
    id = create(shop, "ORDER-LIST", 100).id
    made = [shop.eve.orders.CreateOrder(order_of(f"list-{number}", (id, 1))) for number in range(7)]
    update(shop.eve, made[3].id, "CANCELLED")

    def pages(client, **fields):
        found, token = [], ""
        while True:
            page = client.orders.ListOrders(ListOrdersRequest(page_size=3, page_token=token, **fields))
            found += page.orders
            token = page.next_page_token
            if not token:
                return [order.id for order in found if order.lines[0].product_id == id]

    newest_first = [order.id for order in reversed(made)]
    equal(pages(shop.eve), newest_first)
    equal(pages(shop.eve, customer="eve"), newest_first)
    equal(pages(shop.ann), newest_first)
    equal(pages(shop.ann, customer="eve", status=Order.STATUS_CANCELLED), [made[3].id])
    equal(pages(shop.eve, status=Order.STATUS_DELIVERED), [])
    equal(pages(shop.bob), [])
    fails("PERMISSION_DENIED", lambda: pages(shop.bob, customer="eve"))
    page = shop.eve.orders.ListOrders(ListOrdersRequest(page_size=3))
    # That of another list: all orders, and not those of Eve.
    for client, token in [(shop.eve, "x"), (shop.ann, page.next_page_token)]:
        refused(["page_token"], lambda: client.orders.ListOrders(ListOrdersRequest(page_token=token)))
    refused(["page_size", "status"], lambda: shop.eve.orders.ListOrders(ListOrdersRequest(page_size=-1, status=99)))


@case("orders/steps")
def steps(shop):
    id = create(shop, "ORDER-STEPS", 10).id
    order = shop.bob.orders.CreateOrder(order_of("steps", (id, 2))).id
    failed = fails("FAILED_PRECONDITION", lambda: update(shop.ann, order, "SHIPPED"))
    equal((failed.reason, failed.preconditions), ("NO_SUCH_STEP", [("STATUS", order)]))
    equal(dict(failed.details["ErrorInfo"].metadata), {"status": "PENDING", "next": "PAID,CANCELLED"})
    fails("PERMISSION_DENIED", lambda: update(shop.bob, order, "PAID"))
    fails("NOT_FOUND", lambda: update(shop.eve, order, "CANCELLED"))
    refused(["status"], lambda: update(shop.ann, order, "UNSPECIFIED"))
    equal(update(shop.ann, order, "PAID").status, Order.STATUS_PAID)
    equal(stock(shop, id), (8, 2))
    equal(update(shop.ann, order, "SHIPPED").status, Order.STATUS_SHIPPED)
    equal(stock(shop, id), (8, 0))
    equal(update(shop.ann, order, "DELIVERED").status, Order.STATUS_DELIVERED)
    for status in ["CANCELLED", "DELIVERED", "PENDING"]:
        fails("FAILED_PRECONDITION", lambda: update(shop.ann, order, status))
    # From here it goes back on the shelf.
    for status in [None, "PAID"]:
        order = shop.bob.orders.CreateOrder(order_of(f"back-{status}", (id, 3))).id
        if status:
            update(shop.ann, order, status)
        equal(stock(shop, id), (5, 3))
        equal(update(shop.bob, order, "CANCELLED").status, Order.STATUS_CANCELLED)
        equal(stock(shop, id), (8, 0))
    fails("NOT_FOUND", lambda: update(shop.ann, "o-999999999", "PAID"))


@case("orders/track")
def tracks(shop):
    id = create(shop, "ORDER-TRACK", 10).id
    order = shop.bob.orders.CreateOrder(order_of("track", (id, 1))).id
    track = TrackOrderRequest(id=order)
    events = shop.bob.orders.TrackOrder(track)
    for status in ["PENDING", "PAID", "SHIPPED", "DELIVERED"]:
        if status != "PENDING":
            update(shop.ann, order, status)
        event = next(events)
        equal((event.order_id, Order.Status.Name(event.status)), (order, f"STATUS_{status}"))
        assert event.time.ToSeconds() > 0
    equal(list(events), [])
    # Who comes late hears how it ended.
    equal([event.status for event in shop.ann.orders.TrackOrder(track)], [Order.STATUS_DELIVERED])
    fails("NOT_FOUND", lambda: next(shop.eve.orders.TrackOrder(track)))
    # What changes about the product is no step of the order.
    shop.ann.products.UpdateProduct(UpdateProductRequest(product=Product(id=id, name="other")))
    equal(shop.bob.orders.GetOrder(GetOrderRequest(id=order)).lines[0].product_name, "a ORDER-TRACK")
