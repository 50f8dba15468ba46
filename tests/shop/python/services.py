"""What operators and tools ask."""

from google.protobuf import descriptor_pool
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from check import case, equal, fails

SERVICES = [f"shop.v1.{name}Service" for name in ["Chat", "Order", "Price", "Product", "Upload"]]


@case("services/health")
def health(shop):
    for service in ["", *SERVICES]:
        # After a start it may not be known yet.
        states = shop.nobody.health.Watch(HealthCheckRequest(service=service))
        while next(states).status != HealthCheckResponse.SERVING:
            pass
        states.cancel()
        found = shop.nobody.health.Check(HealthCheckRequest(service=service))
        equal(found.status, HealthCheckResponse.SERVING)
    fails("NOT_FOUND", lambda: shop.nobody.health.Check(HealthCheckRequest(service="nothing")))


@case("services/schema")
def schema(shop):
    found = ProtoReflectionDescriptorDatabase(shop.nobody.channel)
    equal([name for name in found.get_services() if name.startswith("shop.")], SERVICES)
    # Its pool takes nothing that is not whole.
    pool = descriptor_pool.DescriptorPool(found)
    product = pool.FindMessageTypeByName("shop.v1.Product")
    equal(product.file.name, "shop/v1/product.proto")
    equal(product.fields_by_name["warranty"].message_type.full_name, "google.protobuf.Duration")
    # For the details of errors.
    equal(pool.FindMessageTypeByName("google.rpc.ErrorInfo").fields[0].name, "reason")


def methods(shop):
    """The paths of all methods that the shop has, by reflection."""
    found = ProtoReflectionDescriptorDatabase(shop.nobody.channel)
    pool = descriptor_pool.DescriptorPool(found)
    for name in found.get_services():
        for method in pool.FindServiceByName(name).methods:
            yield f"/{name}/{method.name}"
