"""The shelves."""

import queue
import time

from google.protobuf.duration_pb2 import Duration
from google.protobuf.empty_pb2 import Empty
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.wrappers_pb2 import DoubleValue, StringValue
from shop.v1 import order_pb2, order_service_pb2
from shop.v1.money_pb2 import Money
from shop.v1.product_pb2 import CATEGORY_BOOKS, CATEGORY_GARDEN, CATEGORY_HOME, Product
from shop.v1.product_service_pb2 import (
    BulkCreateProductsRequest,
    CreateProductRequest,
    DeleteProductRequest,
    GetProductRequest,
    ListProductsRequest,
    ProcessProductBatchRequest,
    ProductEvent,
    StreamProductsRequest,
    UpdateProductRequest,
    WatchProductsRequest,
)

from check import case, equal, fails, refused


def euro(units, cents=0):
    return Money(currency_code="EUR", units=units, nanos=cents * 10_000_000)


def product(sku, available=5, **fields):
    """A product for 10 EUR."""
    wanted = {"category": CATEGORY_HOME, "price": euro(10), "name": f"a {sku}"} | fields
    return Product(sku=sku, inventory=Product.Inventory(available=available), **wanted)


def create(shop, *args, **fields):
    return shop.ann.products.CreateProduct(CreateProductRequest(product=product(*args, **fields)))


def stock(shop, id):
    inventory = shop.nobody.products.GetProduct(GetProductRequest(id=id)).inventory
    return (inventory.available, inventory.reserved)


@case("products/create")
def creates(shop):
    wanted = product(
        "CREATE-1",
        description="for tea\nand coffee",
        attributes={"colour": "blue", "größe": "groß"},
        tags=["kitchen", "gift"],
        brand=StringValue(value="Northhaven"),
        weight_kg=DoubleValue(value=1.25),
        dimensions=Product.Dimensions(width_mm=100, height_mm=200, depth_mm=300),
        warranty=Duration(seconds=63_072_000),
        percent_off=10,
    )
    wanted.inventory.reorder_level = 2
    found = shop.ann.products.CreateProduct(CreateProductRequest(product=wanted))
    assert found.id.startswith("p-")
    assert abs(found.create_time.ToSeconds() - time.time()) < 60
    equal(found.create_time, found.update_time)
    equal(shop.nobody.products.GetProduct(GetProductRequest(id=found.id)), found)
    id = found.id
    for field in ["id", "create_time", "update_time"]:
        found.ClearField(field)
    wanted.status = Product.STATUS_ACTIVE
    equal(found, wanted)
    failed = fails("ALREADY_EXISTS", lambda: create(shop, "CREATE-1"))
    equal((failed.reason, failed.resource), ("SKU_TAKEN", ("product", id)))
    equal(dict(failed.details["ErrorInfo"].metadata), {"sku": "CREATE-1", "product": id})


@case("products/refused")
def refuses(shop):
    bad = Product(sku="no spaces", percent_off=95, tags=[""], weight_kg=DoubleValue(value=-1))
    fields = ["sku", "name", "category", "price", "percent_off", "tags", "weight_kg"]
    bad_request = CreateProductRequest(product=bad)
    refused([f"product.{field}" for field in fields], lambda: shop.ann.products.CreateProduct(bad_request))
    refused(["product"], lambda: shop.ann.products.CreateProduct(CreateProductRequest()))
    for price in [euro(0), euro(-1), euro(1, -1), Money(currency_code="USD", units=1), Money(nanos=1_000_000_000)]:
        refused(["product.price"], lambda: create(shop, "BAD", price=price))
    refused(["product.amount_off"], lambda: create(shop, "BAD", amount_off=euro(10)))


@case("products/get")
def gets(shop):
    equal(shop.nobody.products.GetProduct(GetProductRequest(id="p-1")).id, "p-1")
    for id in ["p-999999999", "p-01", "o-1", "nothing"]:
        failed = fails("NOT_FOUND", lambda: shop.nobody.products.GetProduct(GetProductRequest(id=id)))
        equal((failed.message, failed.reason), (f"there is no product {id}", "NOT_FOUND"))
        equal(failed.resource, ("product", id))
    refused(["id"], lambda: shop.nobody.products.GetProduct(GetProductRequest()))


@case("products/update")
def updates(shop):
    made = create(shop, "UPDATE-1", percent_off=10, brand=StringValue(value="Tern"), description="old")

    def update(paths=None, **fields):
        mask = None if paths is None else FieldMask(paths=paths)
        changed = Product(id=made.id, **fields)
        return shop.ann.products.UpdateProduct(UpdateProductRequest(product=changed, update_mask=mask))

    # Those of the mask: one is in a message, one of a oneof, and one is cleared.
    found = update(
        ["price", "inventory.available", "amount_off", "brand"],
        price=euro(20),
        inventory=Product.Inventory(available=7, reorder_level=9),
        amount_off=euro(1, 50),
        description="not of the mask",
    )
    assert found.update_time.ToNanoseconds() > made.update_time.ToNanoseconds()
    equal(found.WhichOneof("discount"), "amount_off")
    equal((found.price, found.amount_off, found.description), (euro(20), euro(1, 50), "old"))
    equal((found.inventory.available, found.inventory.reorder_level), (7, 0))
    assert not found.HasField("brand")
    # Without a mask: those that are there, but never the inventory.
    found = update(description="new", inventory=Product.Inventory(available=1))
    equal((found.description, found.inventory.available, found.price), ("new", 7, euro(20)))
    equal(shop.nobody.products.GetProduct(GetProductRequest(id=made.id)), found)

    for path in ["nothing", "inventory.nothing", "price.", "create_time", "inventory.reserved", "id"]:
        refused(["update_mask"], lambda: update([path]))
    refused(["product.price", "product.amount_off"], lambda: update(["price"], price=euro(-1)))
    refused(["product.name"], lambda: update(["name"]))
    refused(["product"], lambda: shop.ann.products.UpdateProduct(UpdateProductRequest()))
    create(shop, "UPDATE-2")
    equal(fails("ALREADY_EXISTS", lambda: update(["sku"], sku="UPDATE-2")).reason, "SKU_TAKEN")
    gone = UpdateProductRequest(product=Product(id="p-999999999", name="x"))
    equal(fails("NOT_FOUND", lambda: shop.ann.products.UpdateProduct(gone)).resource, ("product", "p-999999999"))


@case("products/delete")
def deletes(shop):
    id = create(shop, "DELETE-1").id
    order = shop.bob.orders.CreateOrder(order_of("delete", (id, 1)))
    delete = lambda: shop.ann.products.DeleteProduct(DeleteProductRequest(id=id))
    failed = fails("FAILED_PRECONDITION", delete)
    equal((failed.reason, failed.preconditions), ("RESERVED", [("RESERVED", id)]))
    cancelled = order_service_pb2.UpdateOrderStatusRequest(id=order.id, status=order_pb2.Order.STATUS_CANCELLED)
    shop.bob.orders.UpdateOrderStatus(cancelled)
    equal(delete(), Empty())
    fails("NOT_FOUND", delete)
    fails("NOT_FOUND", lambda: shop.nobody.products.GetProduct(GetProductRequest(id=id)))


def order_of(key, *lines, **fields):
    """So many pieces of some products."""
    wanted = order_pb2.Order(
        lines=[order_pb2.Order.Line(product_id=id, quantity=quantity) for id, quantity in lines],
        shipping_address=order_pb2.Address(
            recipient="Bob", lines=["1 Shore Road"], postal_code="12345", city="Northhaven", country_code="NO"
        ),
    )
    wanted.MergeFrom(order_pb2.Order(**({"gift_card": order_pb2.GiftCard(code="WELCOME")} | fields)))
    return order_service_pb2.CreateOrderRequest(order=wanted, idempotency_key=key)


def pages(shop, **fields):
    """All products of a list, with how many there are said to be."""
    found, token = [], ""
    while True:
        page = shop.nobody.products.ListProducts(ListProductsRequest(page_token=token, **fields))
        assert len(page.products) <= (fields.get("page_size") or 50)
        found += page.products
        token = page.next_page_token
        if not token:
            return found, page.total_size


@case("products/pages")
def lists(shop):
    found, total = pages(shop, page_size=37, category=CATEGORY_BOOKS)
    numbers = [int(product.id[2:]) for product in found]
    equal(numbers, sorted(set(numbers)))
    equal(len(found), total)
    equal({product.category for product in found}, {CATEGORY_BOOKS})
    first = shop.nobody.products.ListProducts(ListProductsRequest())
    equal((len(first.products), first.total_size > 1000), (50, True))
    most = shop.nobody.products.ListProducts(ListProductsRequest(page_size=1_000_000))
    equal(len(most.products), 500)

    bad = [("x", 0), ("0" * 32, 0), (first.next_page_token[:-1], 0), (first.next_page_token, CATEGORY_BOOKS)]
    for token, category in bad:
        request = ListProductsRequest(page_token=token, category=category)
        refused(["page_token"], lambda: shop.nobody.products.ListProducts(request))
    worse = ListProductsRequest(page_size=-1, category=99)
    refused(["page_size", "category"], lambda: shop.nobody.products.ListProducts(worse))


@case("products/stream")
def streams(shop):
    books = list(shop.nobody.products.StreamProducts(StreamProductsRequest(category=CATEGORY_BOOKS)))
    equal(books, pages(shop, page_size=500, category=CATEGORY_BOOKS)[0])
    every = [product.id for product in shop.nobody.products.StreamProducts(StreamProductsRequest())]
    equal((len(every), len(set(every))), (pages(shop, page_size=500)[1],) * 2)


@case("products/watch")
def watches(shop):
    events = shop.eve.products.WatchProducts(WatchProductsRequest(category=CATEGORY_GARDEN))
    events.initial_metadata()  # From now on nothing is missed.

    def hear(type):
        event = next(events)
        equal((ProductEvent.Type.Name(event.type), event.product.id), (f"TYPE_{type}", made.id))
        assert event.time.ToSeconds() > 0
        return event.product

    create(shop, "WATCH-1")  # It is on another shelf.
    made = create(shop, "WATCH-2", 2, category=CATEGORY_GARDEN)
    equal(hear("CREATED"), made)
    changed = Product(id=made.id, name="a rake")
    shop.ann.products.UpdateProduct(UpdateProductRequest(product=changed))
    equal(hear("UPDATED").name, "a rake")
    order = shop.bob.orders.CreateOrder(order_of("watch", (made.id, 2)))
    equal(hear("UPDATED").inventory.available, 0)
    hear("OUT_OF_STOCK")
    cancelled = order_service_pb2.UpdateOrderStatusRequest(id=order.id, status=order_pb2.Order.STATUS_CANCELLED)
    shop.bob.orders.UpdateOrderStatus(cancelled)
    equal(hear("UPDATED").inventory.available, 2)
    shop.ann.products.DeleteProduct(DeleteProductRequest(id=made.id))
    equal(hear("DELETED").name, "a rake")
    events.cancel()
    fails("CANCELLED", lambda: next(events))

    one = shop.nobody.products.WatchProducts(WatchProductsRequest(ids=["p-2"]))
    one.initial_metadata()
    for id in ["p-1", "p-2"]:
        shop.ann.products.UpdateProduct(UpdateProductRequest(product=Product(id=id, description="watched")))
    equal(next(one).product.id, "p-2")
    one.cancel()
    crowd = WatchProductsRequest(ids=["p-1"] * 101)
    refused(["ids"], lambda: next(shop.nobody.products.WatchProducts(crowd)))
    fails("NOT_FOUND", lambda: next(shop.nobody.products.WatchProducts(WatchProductsRequest(ids=["x"]))))


@case("products/bulk")
def bulk(shop):
    def requests():
        for number in range(250):
            if number == 240:
                yield BulkCreateProductsRequest()
            else:
                sku = {7: "no spaces", 8: "BULK-3"}.get(number, f"BULK-{number}")
                yield BulkCreateProductsRequest(product=product(sku))

    response = shop.ann.products.BulkCreateProducts(requests())
    equal((len(response.ids), len(set(response.ids))), (247, 247))
    errors = [(error.index, error.code, error.field) for error in response.errors]
    equal(errors, [(7, 3, "product.sku"), (8, 6, ""), (240, 3, "product")])
    assert all(error.message for error in response.errors)
    first = shop.nobody.products.GetProduct(GetProductRequest(id=response.ids[0]))
    equal((first.sku, first.inventory.available), ("BULK-0", 5))
    nothing = shop.ann.products.BulkCreateProducts(iter([]))
    equal((len(nothing.ids), len(nothing.errors)), (0, 0))


@case("products/batch")
def batch(shop):
    steps = queue.SimpleQueue()
    answers = shop.ann.products.ProcessProductBatch(iter(steps.get, None))

    def ask(sequence, **operation):
        steps.put(ProcessProductBatchRequest(sequence=sequence, **operation))
        answer = next(answers)
        equal(answer.sequence, sequence)
        return answer

    def adjust(by):
        return {"adjust_stock": ProcessProductBatchRequest.AdjustStock(product_id=made.id, by=by)}

    def price(units):
        return {"set_price": ProcessProductBatchRequest.SetPrice(product_id=made.id, price=euro(units))}

    def error(answer):
        equal(answer.WhichOneof("result"), "error")
        return (answer.error.index, answer.error.code, answer.error.field)

    made = ask(2**64 - 1, create=product("BATCH-1")).product
    equal(ask(20, **adjust(-4)).product.inventory.available, 1)
    equal(error(ask(30, **adjust(-2))), (2, 9, ""))
    equal(error(ask(31, **adjust(2**31 - 1)))[:2], (3, 9))
    equal(ask(40, **price(12)).product.price, euro(12))
    equal(error(ask(50, **price(0))), (5, 3, "set_price.price"))
    equal(error(ask(60)), (6, 3, "operation"))
    equal(ask(70, delete_id=made.id).deleted_id, made.id)
    equal(error(ask(80, delete_id=made.id)), (8, 5, ""))
    steps.put(None)
    equal(list(answers), [])
