"""What every case needs: comparisons, and the errors of calls with their details."""

from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

import grpc

# By name, in the order in which they are run.
CASES = {}


def case(name):
    def register(function):
        CASES[name] = function
        return function

    return register


def equal(found, wanted):
    assert found == wanted, f"\nfound  {found!r}\nwanted {wanted!r}"


class Failed:
    """How a call ended, if it was not well."""

    def __init__(self, error):
        self.code = error.code().name
        self.message = error.details()
        self.trailers = dict(error.trailing_metadata() or ())
        self.details = {}
        if packed := self.trailers.get("grpc-status-details-bin"):
            status = status_pb2.Status.FromString(packed)
            equal((status.code, status.message), (error.code().value[0], self.message))
            for detail in status.details:
                self.add(detail)

    def add(self, detail: any_pb2.Any):
        name = detail.TypeName().removeprefix("google.rpc.")
        message = getattr(error_details_pb2, name)()
        assert detail.Unpack(message)
        self.details[name] = message

    @property
    def fields(self):
        return [violation.field for violation in self.details["BadRequest"].field_violations]

    @property
    def reason(self):
        info = self.details["ErrorInfo"]
        equal(info.domain, "shop.example")
        return info.reason

    @property
    def resource(self):
        info = self.details["ResourceInfo"]
        return (info.resource_type, info.resource_name)

    @property
    def preconditions(self):
        return [(violation.type, violation.subject) for violation in self.details["PreconditionFailure"].violations]


def fails(code, call):
    """The end of a call, or of reading from one, that has to have this code."""
    try:
        found = call()
    except grpc.RpcError as error:
        failed = Failed(error)
        equal((failed.code, failed.message), (code, failed.message))
        assert failed.message, "an error without a message"
        return failed
    raise AssertionError(f"no error but {found!r}, wanted {code}")


def refused(fields, call):
    """A call that has to be refused for these fields."""
    failed = fails("INVALID_ARGUMENT", call)
    equal(failed.fields, fields)
