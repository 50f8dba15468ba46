"""Files, in pieces. The shop takes up to 1 MiB."""

import hashlib

from shop.v1.upload_service_pb2 import DownloadFileRequest, UploadFileRequest

from check import case, equal, fails, refused

MIB = 1 << 20


def pattern(size):
    return bytes(number * 31 % 251 for number in range(size))


def parts(content, piece=50_000, **header):
    if header:
        yield UploadFileRequest(header=UploadFileRequest.Header(**header))
    for at in range(0, len(content), piece):
        yield UploadFileRequest(chunk=content[at : at + piece])


def upload(client, content, **header):
    return client.files.UploadFile(parts(content, **header))


def download(client, id, offset=0, limit=0):
    """What is known of a file, and its bytes."""
    first, *rest = client.files.DownloadFile(DownloadFileRequest(id=id, offset=offset, limit=limit))
    equal({part.WhichOneof("part") for part in rest} | {"chunk"}, {"chunk"})
    return first.file, b"".join(part.chunk for part in rest)


@case("files/upload")
def uploads(shop):
    content = pattern(300_000)
    sha256 = hashlib.sha256(content).digest()
    file = upload(shop.bob, content, name="kettle.png", content_type="image/png", sha256=sha256)
    equal((file.name, file.content_type, file.size), ("kettle.png", "image/png", 300_000))
    equal((file.sha256, file.owner), (sha256, "bob"))
    equal(download(shop.bob, file.id), (file, content))
    equal(download(shop.ann, file.id), (file, content))
    # It is not Eve's.
    equal(fails("NOT_FOUND", lambda: download(shop.eve, file.id)).resource, ("file", file.id))
    empty = upload(shop.bob, b"", name="empty")
    equal((empty.size, empty.content_type), (0, "application/octet-stream"))
    equal(download(shop.bob, empty.id), (empty, b""))
    # Exactly as much as the shop takes.
    equal(upload(shop.bob, bytes(MIB), name="whole").size, MIB)


@case("files/refused")
def refuses(shop):
    wrong = hashlib.sha256(b"other").digest()
    failed = fails("DATA_LOSS", lambda: upload(shop.bob, b"bytes", name="a", sha256=wrong))
    found = {"wanted": wrong.hex(), "found": hashlib.sha256(b"bytes").hexdigest()}
    equal((failed.reason, dict(failed.details["ErrorInfo"].metadata)), ("CHECKSUM", found))
    # By a byte, and so much that the answer comes long before the end.
    for size in [MIB + 1, 64 * MIB]:
        failed = fails("RESOURCE_EXHAUSTED", lambda: upload(shop.bob, bytes(size), name="large"))
        equal((failed.reason, failed.details["ErrorInfo"].metadata["max_bytes"]), ("FILE_TOO_LARGE", str(MIB)))
        equal([violation.subject for violation in failed.details["QuotaFailure"].violations], ["file"])
    refused(["header.name"], lambda: upload(shop.bob, b"x", name=""))
    refused(["header.sha256"], lambda: upload(shop.bob, b"x", name="a", sha256=b"short"))
    refused(["part"], lambda: upload(shop.bob, b"no header"))
    twice = [*parts(b"", name="a"), *parts(b"", name="b")]
    refused(["part"], lambda: shop.bob.files.UploadFile(iter(twice)))


@case("files/ranges")
def ranges(shop):
    content = pattern(200_000)
    id = upload(shop.bob, content, name="ranges").id
    for offset, limit, wanted in [
        (70_000, 100_001, content[70_000:170_001]),
        (199_999, 100, content[-1:]),
        (0, 1, content[:1]),
        (150_000, 0, content[150_000:]),
        (200_000, 0, b""),
    ]:
        file, found = download(shop.bob, id, offset, limit)
        equal((file.size, found == wanted), (200_000, True))
    fails("OUT_OF_RANGE", lambda: download(shop.bob, id, 200_001))
    refused(["offset", "limit"], lambda: download(shop.bob, id, -1, -1))
    fails("NOT_FOUND", lambda: download(shop.bob, "f-999999999"))
