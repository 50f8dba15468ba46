"""Tools that call the shop without generated code: grpcurl, `buf curl`, and our own `dunlin`.

Each tool is a class that lists, describes and calls; what they have to get is the same for all.
"""

import base64
import json
import re
from dataclasses import dataclass, field
from functools import partial

from opened import GOOGLE, ORACLES, Failure, contains, equal, run, values

SERVICES = [
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
    *(f"shop.v1.{name}Service" for name in ["Chat", "Order", "Price", "Product", "Upload"]),
]
PRODUCT = {"sku": "TOOL-1", "name": "a kettle", "category": "CATEGORY_HOME", "price": {"units": 10}}
ADDRESS = {"recipient": "Bob", "lines": ["1 Shore Road"], "city": "Northhaven", "countryCode": "NO"}
CODES = {"invalid_argument": 3, "deadline_exceeded": 4, "not_found": 5, "permission_denied": 7, "unauthenticated": 16}


@dataclass
class Answer:
    """What came of a call: messages, and how it ended."""

    messages: list
    code: int = 0
    message: str = ""
    details: dict = field(default_factory=dict)  # by the name of their type


def json_mask(*paths):
    return ",".join(re.sub("_(.)", lambda found: found[1].upper(), path) for path in paths)


class Grpcurl:
    """grpcurl, and `dunlin`, which takes the same flags behind the name of a command."""

    def __init__(self, program=ORACLES / "grpcurl/bin/grpcurl", commands=False):
        self.program, self.has_commands = program, commands

    def mask(self, *paths):
        # grpcurl knows this form of masks only; `dunlin` takes that of JSON as well.
        return {"paths": paths}

    def run(self, command, *arguments):
        if self.has_commands:
            return run(self.program, command, *arguments)
        at = [] if command == "call" else [command]
        # Its commands stand behind the address.
        where = next(index for index, word in enumerate(arguments) if word.startswith("127.0.0.1:")) + 1
        return run(self.program, *arguments[:where], *at, *arguments[where:])

    def said(self, command, *arguments):
        done = self.run(command, *arguments)
        if done.returncode != 0:
            raise Failure(f"exit code {done.returncode}: {command} {' '.join(map(str, arguments))}\n{done.stderr}")
        return done.stdout

    def list(self, address, *of):
        return self.said("list", "-plaintext", address, *of).split()

    def describe(self, address, symbol):
        return self.said("describe", "-plaintext", address, symbol)

    def call(self, address, method, *messages, token=None, timeout=None):
        flags = ["-plaintext", "-format-error", "-d", "".join(map(json.dumps, messages))]
        flags += ["-H", f"authorization: Bearer {token}"] if token else []
        flags += ["-max-time", str(timeout)] if timeout else []
        done = self.run("call", *flags, address, f"shop.v1.{method}")
        answer = Answer(values(done.stdout))
        if done.returncode != 0:
            status = json.loads(done.stderr)
            answer.code, answer.message = status["code"], status["message"]
            equal(done.returncode, 64 + answer.code)
            for detail in status.get("details", []):
                answer.details[detail["@type"].rpartition(".")[2]] = detail
        return answer


class Buf:
    """`buf curl`."""

    program = ORACLES / "buf/bin/buf"

    def mask(self, *paths):
        return json_mask(*paths)

    def run(self, *arguments):
        return run(self.program, "curl", "--protocol", "grpc", "--http2-prior-knowledge", *arguments)

    def run_encrypted(self, *arguments):
        return run(self.program, "curl", "--protocol", "grpc", *arguments)

    def list(self, address, *of):
        if not of:
            return self.run("--list-services", f"http://{address}").stdout.split()
        methods = self.run("--list-methods", f"http://{address}").stdout.split()
        return [method.replace("/", ".") for method in methods if method.startswith(f"{of[0]}/")]

    def call(self, address, method, *messages, token=None, timeout=None):
        flags = ["-d", "".join(map(json.dumps, messages))]
        flags += ["-H", f"authorization: Bearer {token}"] if token else []
        flags += ["--timeout", f"{timeout}s"] if timeout else []
        done = self.run(*flags, f"http://{address}/shop.v1.{method}")
        answer = Answer(values(done.stdout))
        if done.returncode != 0:
            status = json.loads(done.stderr)
            answer.code, answer.message = CODES[status["code"]], status.get("message", "")
            for detail in status.get("details", []):
                answer.details[detail["type"].rpartition(".")[2]] = detail
        return answer


def calls(tool, address):
    """A call of each kind, and how calls fail."""
    call = partial(tool.call, address)
    ann, bob = partial(call, token="ann-token"), partial(call, token="bob-token")

    def well(answer):
        if answer.code:
            raise Failure(f"{answer.code}: {answer.message}")
        return answer.messages

    def unary():
        [made] = well(ann("ProductService/CreateProduct", {"product": PRODUCT}))
        change = {"product": {"id": made["id"], "name": "a pot", "brand": "Tern"}, "updateMask": tool.mask("discount")}
        refused = ann("ProductService/UpdateProduct", change)
        equal((refused.code, [*refused.details]), (3, ["BadRequest"]))
        change["updateMask"] = tool.mask("name", "brand", "percent_off")
        [found] = well(ann("ProductService/UpdateProduct", change))
        equal((found["name"], found["brand"], found["sku"]), ("a pot", "Tern", "TOOL-1"))
        equal(well(call("ProductService/GetProduct", {"id": made["id"]})), [found])
        equal(well(ann("ProductService/DeleteProduct", {"id": made["id"]})), [{}])

    def pages():
        [first] = well(call("ProductService/ListProducts", {"pageSize": 2}))
        [second] = well(call("ProductService/ListProducts", {"pageSize": 2, "pageToken": first["nextPageToken"]}))
        equal([product["id"] for product in first["products"] + second["products"]], ["p-1", "p-2", "p-3", "p-4"])

    def server_streaming():
        [listed] = well(call("ProductService/ListProducts", {"pageSize": 500, "category": "CATEGORY_TOYS"}))
        found = well(call("ProductService/StreamProducts", {"category": "CATEGORY_TOYS"}))
        equal((len(found), found[: len(listed["products"])]), (listed["totalSize"], listed["products"]))

    def client_streaming():
        skus = ["TOOL-A", "no spaces", "TOOL-B"]
        found = well(ann("ProductService/BulkCreateProducts", *({"product": PRODUCT | {"sku": sku}} for sku in skus)))
        equal((len(found), len(found[0]["ids"])), (1, 2))
        [error] = found[0]["errors"]
        equal((error["index"], error["code"], error["field"]), (1, 3, "product.sku"))

    def bidirectional():
        steps = [
            {"sequence": 1, "create": PRODUCT | {"sku": "TOOL-C"}},
            {"sequence": 2, "deleteId": "p-999999999"},
            {"sequence": 3, "setPrice": {"productId": "p-1", "price": {"units": 7}}},
        ]
        found = well(ann("ProductService/ProcessProductBatch", *steps))
        results = [(answer["sequence"], [*answer][1]) for answer in found]
        equal(results, [("1", "product"), ("2", "error"), ("3", "product")])
        equal((found[1]["error"]["code"], found[2]["product"]["price"]["units"]), (5, "7"))

    def chat():
        found = well(bob("ChatService/Chat", {"join": {"room": "tools"}}, {"say": {"text": "hello"}}))
        equal([event.get("joined") or event.get("said") for event in found], [
            {"name": "bob", "members": 1},
            {"name": "bob", "text": "hello"},
        ])

    def order():
        lines = [{"productId": "p-2", "quantity": 1}]
        wanted = {"lines": lines, "giftCard": {"code": "X"}, "shippingAddress": ADDRESS}
        request = {"order": wanted, "idempotencyKey": "tools"}
        [made] = well(bob("OrderService/CreateOrder", request))
        equal(well(bob("OrderService/CreateOrder", request)), [made])
        equal(made["lines"][0]["unitPrice"], made["total"])
        for client, key, status in [(ann, "id", "PAID"), (bob, "id", "CANCELLED")]:
            well(client("OrderService/UpdateOrderStatus", {key: made["id"], "status": f"STATUS_{status}"}))
        [event] = well(bob("OrderService/TrackOrder", {"id": made["id"]}))
        equal((event["orderId"], event["status"]), (made["id"], "STATUS_CANCELLED"))
        [listed] = well(bob("OrderService/ListOrders", {"status": "STATUS_CANCELLED"}))
        equal([order["id"] for order in listed["orders"]], [made["id"]])

    def files():
        content = bytes(range(256)) * 300
        chunks = [content[at : at + 30_000] for at in range(0, len(content), 30_000)]
        parts = [{"chunk": base64.b64encode(chunk).decode()} for chunk in chunks]
        [file] = well(bob("UploadService/UploadFile", {"header": {"name": "tools"}}, *parts))
        first, *rest = well(bob("UploadService/DownloadFile", {"id": file["id"], "offset": 1, "limit": 70_000}))
        equal(first, {"file": file})
        equal(b"".join(base64.b64decode(part["chunk"]) for part in rest) == content[1:70_001], True)

    def quote():
        [found] = well(call("PriceService/GetQuote", {"productId": "p-3", "quantity": 2}))
        equal((found["quantity"], found.get("degraded", False), len(found["sources"])), (2, False, 2))

    def errors():
        missing = call("ProductService/GetProduct", {"id": "p-0"})
        equal((missing.code, [*missing.details]), (5, ["ErrorInfo", "ResourceInfo"]))
        invalid = call("ProductService/ListProducts", {"pageToken": "x"})
        equal((invalid.code, [*invalid.details]), (3, ["BadRequest"]))
        equal(call("OrderService/ListOrders", {}).code, 16)
        equal(bob("ProductService/DeleteProduct", {"id": "p-1"}).code, 7)

    def deadline():
        equal(call("ProductService/WatchProducts", {}, timeout=0.5).code, 4)

    def lists():
        equal(tool.list(address), SERVICES)
        equal(tool.list(address, "shop.v1.PriceService"), ["shop.v1.PriceService.GetQuote"])

    yield "services and methods are listed", lists
    yield "one request, one response; some fields are changed", unary
    yield "page by page", pages
    yield "many responses", server_streaming
    yield "many requests", client_streaming
    yield "many of both", bidirectional
    yield "a room", chat
    yield "an order, from its key to its end", order
    yield "a file, there and back", files
    yield "a quote", quote
    yield "errors with details", errors
    yield "a deadline", deadline


def describes(tool, address):
    def described():
        contains(
            tool.describe(address, "shop.v1.Product"),
            "shop.v1.Product is a message:",
            "map<string, string> attributes = 11;",
            ".google.protobuf.DoubleValue weight_kg = 14;",
            "oneof discount {",
            "message Dimensions {",
        )
        stream = "rpc BulkCreateProducts ( stream .shop.v1.BulkCreateProductsRequest )"
        contains(tool.describe(address, "shop.v1.ProductService"), "is a service:", stream)

    yield "a message and a service are described", described


def encrypted(tool, shop, certificates):
    """Over TLS with certificates on both sides. Health checks stay in clear text on an address of their own."""
    ca = ["-cacert", str(certificates / "ca.pem")]

    def shown(name):
        return ["-cert", str(certificates / f"{name}.pem"), "-key", str(certificates / f"{name}.key")]

    def lists():
        equal(tool.said("list", *ca, *shown("client"), shop.address).split(), SERVICES)

    def refuses():
        for flags in [ca, [*ca, *shown("stranger")], shown("client"), ["-plaintext"]]:
            done = tool.run("list", "-connect-timeout", "2", *flags, shop.address)
            equal((flags, done.returncode, done.stdout), (flags, 1, ""))
            contains(done.stderr, ":")

    def probes():
        schema = ["-import-path", str(GOOGLE), "-proto", "grpc/health/v1/health.proto"]
        found = tool.said("call", "-plaintext", *schema, shop.probes, "grpc.health.v1.Health/Check")
        equal(json.loads(found), {"status": "SERVING"})
        other = tool.run("call", "-plaintext", *schema, "-d", "{}", shop.probes, "grpc.health.v1.Health/Nothing")
        equal(other.returncode, 1)
        equal(tool.run("list", "-plaintext", shop.probes).returncode, 1)

    yield "TLS with certificates on both sides", lists
    yield "TLS: who has no certificate, or another's, is not let in", refuses
    yield "the probes' address has health checks, and nothing else", probes


def encrypted_buf(tool, shop, certificates):
    """The same with `buf curl`, whose flags have other names."""
    ca = ["--cacert", str(certificates / "ca.pem")]

    def shown(name):
        return ["--cert", str(certificates / f"{name}.pem"), "--key", str(certificates / f"{name}.key")]

    def lists():
        found = tool.run_encrypted("--list-services", *ca, *shown("client"), f"https://{shop.address}")
        equal((found.returncode, found.stdout.split()), (0, SERVICES))

    def refuses():
        for flags in [ca, [*ca, *shown("stranger")], shown("client")]:
            done = tool.run_encrypted("--list-services", *flags, f"https://{shop.address}")
            equal((flags, done.returncode != 0, done.stdout), (flags, True, ""))

    yield "TLS with certificates on both sides", lists
    yield "TLS: who has no certificate, or another's, is not let in", refuses


def health(program, address):
    """`dunlin health`, which other tools have no command for."""

    def serving():
        done = run(program, "health", "-addr", address)
        equal((done.returncode, "SERVING" in done.stdout + done.stderr), (0, True))
        done = run(program, "health", "-addr", address, "-service", "nothing")
        equal((done.returncode, "nothing" in done.stdout + done.stderr), (3, True))
        listed = run(program, "health", "--list", address).stdout
        contains(listed, *(name for name in SERVICES if name.startswith("shop.")))

    yield "health, of the server and of services", serving
