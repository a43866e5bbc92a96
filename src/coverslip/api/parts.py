"""The first lines of an answer with an ETag: all of it, a part (``Range``), or nothing new (``If-None-Match``)."""

from collections.abc import Iterable
from typing import NamedTuple, Self

from starlette.responses import Response

from coverslip.api.downloads import BAD_RANGE, byte_range
from coverslip.api.errors import problem
from coverslip.api.kept import is_known

RawHeaders = list[tuple[bytes, bytes]]


class Asked(NamedTuple):
    """The headers of a request that say which bytes it wants."""

    known: str | None = None
    span: str | None = None
    condition: str | None = None

    @classmethod
    def of(cls, headers: Iterable[tuple[bytes, bytes]]) -> Self:
        """Return them from the raw headers of a request; of a header that is sent twice the first one counts."""
        known = span = condition = None
        for name, value in headers:
            if name == b"if-none-match":
                known = known or value.decode("latin-1")
            elif name == b"range":
                span = span or value.decode("latin-1")
            elif name == b"if-range":
                condition = condition or value.decode("latin-1")
        return cls(known, span, condition)


NOTHING = Asked()


class Head(NamedTuple):
    """Status and headers, and which bytes follow."""

    status: int
    headers: RawHeaders
    start: int = 0
    stop: int = 0


def head_of(etag: str, size: int, media_type: bytes, asked: Asked = NOTHING) -> Head:
    """Return how a request for something of this ETag and size is answered; 416 where it has none of the bytes."""
    headers = [(b"etag", etag.encode("latin-1")), (b"accept-ranges", b"bytes"), (b"cache-control", b"no-cache")]
    if asked is NOTHING or asked == NOTHING:
        return Head(200, [*headers, (b"content-length", b"%d" % size), (b"content-type", media_type)], 0, size)
    if is_known(etag, asked.known):
        return Head(304, headers)
    wanted = byte_range(asked.span if asked.condition in (None, etag) else None, size)
    if wanted is None:
        return Head(416, [*headers, (b"content-range", b"bytes */%d" % size)])
    start, stop = wanted
    status = 200
    if (start, stop) != (0, size):
        status = 206
        headers.append((b"content-range", b"bytes %d-%d/%d" % (start, stop - 1, size)))
    headers += [(b"content-length", b"%d" % (stop - start)), (b"content-type", media_type)]
    return Head(status, headers, start, stop)


def bodiless(head: Head, key: str, size: int, span: str | None) -> Response:
    """Return the answer of a head that no bytes follow: ``HEAD``, 304 and 416."""
    if head.status == 416:
        headers = {name.decode(): value.decode("latin-1") for name, value in head.headers}
        return problem(BAD_RANGE, f"{key} has {size} bytes; asked for: {span}", headers=headers)
    return with_head(head, b"")


def with_head(head: Head, body: bytes | bytearray) -> Response:
    """Return an answer with exactly these headers."""
    response = Response(bytes(body), head.status)
    response.raw_headers = head.headers
    return response
