"""Files of a web server, read by ranges. Its name is resolved once, the addresses are judged, and only they are used.

HTTP ranges: RFC 9110, 14. The standard library's client is used because it can be told which address to connect to,
follows no redirect and asks no proxy.
"""

import http.client
import ipaddress
import queue
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import partial
from urllib.parse import quote, urlsplit

from coverslip.errors import RefusedAddressError, UnreadableFileError
from coverslip.sources.address import Address
from coverslip.sources.transport import Found, TransientError, absent, changed, patiently

CONNECT_SECONDS = 10.0
SILENCE_SECONDS = 20.0
"""How long a server may say nothing."""
ANSWER_SECONDS = 120.0
"""How long one answer may take."""
KEPT_CONNECTIONS = 8
PIECE = 1 << 18
DOCUMENT_BYTES = 256 << 20
"""An object that is read whole may not be larger than this (256 MiB)."""
FOLDER_MARKS = ("zarr.json", ".zgroup", ".zattrs", ".zarray")
"""A web server lists nothing: a folder that is an image is known by the documents that make it one."""
BUSY = (408, 425, 429, 500, 502, 503, 504)
SAFE = "/%:@!$&'()*+,;=~"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes
    is_cut: bool = False
    """Whether there was more than was asked for; then nothing of it is in ``body``."""


class WebServer:
    """One web server.

    Parameters
    ----------
    address
        Any address of it.
    is_trusted
        Whether a person listed it by name: then it may be a private host.
    """

    def __init__(self, address: Address, *, is_trusted: bool) -> None:
        parts = urlsplit(f"//{address.place}")
        self.url = f"{address.scheme}://{address.place}"
        self._host = parts.hostname or ""
        self._is_secure = address.scheme == "https"
        self._port = parts.port or (443 if self._is_secure else 80)
        self._is_trusted = is_trusted
        self._tls = ssl.create_default_context() if self._is_secure else None
        self._idle: queue.LifoQueue[_Connection] = queue.LifoQueue(KEPT_CONNECTIONS)
        self._lock = threading.Lock()
        self._resolved: tuple[str, ...] = ()

    def find(self, key: str) -> Found:
        """Return what is under a key; see ``Transport.find``."""
        answer = self._ask("HEAD", key)
        if answer.status in (405, 501):
            answer = self._ask("GET", key, (0, 1))
        return _found(key, answer, f"{self.url}/{key}")

    def read(self, found: Found, offset: int, length: int) -> bytes:
        """Return exactly these bytes of exactly this version; see ``Transport.read``."""
        url = f"{self.url}/{found.key}"
        answer = self._ask("GET", found.key, (offset, offset + length))
        if answer.status == 416:
            raise changed(url)
        if answer.status != 206 and (answer.status, offset, length) != (200, 0, found.size):
            raise UnreadableFileError(f"{url}: the server gives no parts of files. Download it and open the copy")
        now = _found(found.key, answer, url)
        if (now.version, now.size) != (found.version, found.size):
            raise changed(url)
        start = _range_start(answer)
        if len(answer.body) != length or start != offset:
            raise UnreadableFileError(
                f"{url}: {length} bytes were asked for at {offset}, {len(answer.body)} came from {start}"
            )
        return answer.body

    def read_whole(self, key: str) -> bytes:
        """Return a small object; see ``Transport.read_whole``."""
        url = f"{self.url}/{key}"
        answer = self._ask("GET", key)
        if answer.status != 200:
            raise UnreadableFileError(f"{url}: the server answers {answer.status}")
        if answer.is_cut:
            raise UnreadableFileError(f"{url}: more than the {DOCUMENT_BYTES} bytes that are read as a whole")
        return answer.body

    def folder(self, key: str) -> tuple[list[Found], list[str]]:
        """Refuse: a web server lists nothing."""
        raise UnreadableFileError(f"{self.url}/{key}: a web server does not list its files. Name each of them")

    def below(self, key: str) -> Iterator[Found]:
        """Refuse: a web server lists nothing."""
        raise UnreadableFileError(f"{self.url}/{key}: a web server does not list its files. Name each of them")

    def pages(self, key: str, after: str = "") -> Iterator[list[tuple[str, int]]]:
        """Refuse: a web server lists nothing."""
        raise UnreadableFileError(f"{self.url}/{key}: a web server does not list its files. Name each of them")

    def is_folder(self, key: str) -> bool:
        """Return whether one of the documents that make a folder an image lies below a key."""
        return any(self._is_there(f"{key}/{mark}") for mark in FOLDER_MARKS)

    def _is_there(self, key: str) -> bool:
        try:
            self.find(key)
        except FileNotFoundError:
            return False
        return True

    def _ask(self, method: str, key: str, span: tuple[int, int] | None = None) -> Answer:
        """Return the answer to one request; a refusal, a redirect and an absent file are errors."""
        url = f"{self.url}/{key}"
        answer = patiently(url, partial(self._attempt, method, key, span))
        if answer.status in (404, 410):
            raise absent(url)
        if answer.status in (401, 403):
            raise UnreadableFileError(f"{url}: the server refuses it ({answer.status}). Only public files can be read")
        if 300 <= answer.status < 400:
            elsewhere = str(answer.headers.get("Location", "")).partition("?")[0]
            raise UnreadableFileError(
                f"{url}: the server says it is at {elsewhere!r}. Nothing is followed; name that address if you trust it"
            )
        if answer.status >= 400 and answer.status not in (405, 416, 501):
            raise UnreadableFileError(f"{url}: the server answers {answer.status}")
        return answer

    def _attempt(self, method: str, key: str, span: tuple[int, int] | None) -> Answer:
        headers = {"Accept-Encoding": "identity", "User-Agent": "coverslip"}
        limit = DOCUMENT_BYTES
        if span is not None:
            headers["Range"] = f"bytes={span[0]}-{span[1] - 1}"
            limit = span[1] - span[0]
        try:
            with self._connection() as connection:
                connection.request(method, f"/{quote(key, safe=SAFE)}", headers=headers)
                response = connection.getresponse()
                body = b"" if method == "HEAD" else _body(response, limit)
                answer = Answer(response.status, response.headers, body or b"", is_cut=body is None)
                connection.is_reusable = response.isclosed() and not response.will_close
        except ssl.SSLCertVerificationError as error:
            raise UnreadableFileError(f"{self.url}: its certificate is not trusted: {error.verify_message}") from error
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, UnreadableFileError):
                raise
            raise TransientError(str(error) or type(error).__name__) from error
        if answer.status in BUSY:
            raise TransientError(f"the server answers {answer.status}")
        return answer

    @contextmanager
    def _connection(self) -> Iterator["_Connection"]:
        """Lend a connection; it is kept afterwards only when its answer was read to the end."""
        try:
            connection = self._idle.get_nowait()
        except queue.Empty:
            connection = _Connection(self._host, self._port, self._addresses(), self._tls)
        connection.is_reusable = False
        try:
            yield connection
        except OSError:
            with self._lock:
                self._resolved = ()  # it may have moved; the new addresses are judged like the first ones
            raise
        finally:
            if connection.is_reusable:
                try:
                    self._idle.put_nowait(connection)
                except queue.Full:
                    connection.close()
            else:
                connection.close()

    def _addresses(self) -> tuple[str, ...]:
        """Return the addresses of the host: resolved once, then used for every connection."""
        with self._lock:
            if not self._resolved:
                found = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
                addresses = tuple(dict.fromkeys(str(item[4][0]) for item in found))
                if not self._is_trusted:
                    _check_public(self.url, addresses)
                self._resolved = addresses  # what was refused is not kept: it is refused the next time too
            return self._resolved


class _Connection(http.client.HTTPConnection):
    """A connection to addresses that were judged before; the name is for the certificate and the header only."""

    def __init__(self, host: str, port: int, addresses: tuple[str, ...], tls: ssl.SSLContext | None) -> None:
        super().__init__(host, port)
        self.default_port = 443 if tls else 80
        self.is_reusable = False
        self._addresses = addresses
        self._tls = tls

    def connect(self) -> None:
        """Connect to the first address that answers."""
        failure: OSError | None = None
        for address in self._addresses:
            try:
                plain = socket.create_connection((address, self.port), CONNECT_SECONDS)
            except OSError as error:
                failure = error
                continue
            plain.settimeout(SILENCE_SECONDS)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                self.sock = self._tls.wrap_socket(plain, server_hostname=self.host) if self._tls else plain
            except OSError:
                plain.close()
                raise
            return
        raise failure or OSError("the host has no address")


def _check_public(url: str, addresses: tuple[str, ...]) -> None:
    """Refuse a host of which any address is not on the public network: it may be what a firewall protects.

    Raises
    ------
    RefusedAddressError
        Names the address.
    """
    for text in addresses:
        address = ipaddress.ip_address(text.partition("%")[0])
        inner = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None)
        if any(not one.is_global or one.is_multicast for one in (address, inner) if one is not None):
            raise RefusedAddressError(
                f"{url}: its address {text} is not on the public network. If it may be read, list {url} in "
                "COVERSLIP_REMOTE_ALLOWED"
            )


def _body(response: http.client.HTTPResponse, limit: int) -> bytes | None:
    """Return the body, ``None`` for one above the limit: a server must not decide how much memory it takes."""
    stated = response.length
    if stated is not None and stated > limit:
        return None  # not what was asked for; whoever looks at the status or the length says so
    until = time.monotonic() + ANSWER_SECONDS
    pieces, size = [], 0
    while piece := response.read1(min(PIECE, limit + 1 - size)):
        pieces.append(piece)
        size += len(piece)
        if size > limit:
            return None
        if time.monotonic() > until:
            raise TimeoutError(f"the answer took longer than {ANSWER_SECONDS:g} seconds")
    if stated is not None and size != stated:
        raise http.client.IncompleteRead(b"".join(pieces), stated - size)
    return b"".join(pieces)


def _found(key: str, answer: Answer, url: str) -> Found:
    stated = re.fullmatch(r"bytes \d+-\d+/(\d+)", answer.headers.get("Content-Range", ""))
    size = stated[1] if stated else answer.headers.get("Content-Length")
    if size is None or not size.isdecimal():
        raise UnreadableFileError(f"{url}: the server does not say how large it is. Download it and open the copy")
    modified = answer.headers.get("Last-Modified", "")
    return Found(key, int(size), answer.headers.get("ETag") or modified, _time(modified))


def _range_start(answer: Answer) -> int:
    stated = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    return int(stated[1]) if stated else 0


def _time(text: str) -> int:
    try:
        return int(parsedate_to_datetime(text).timestamp()) * 10**9
    except (ValueError, OverflowError):
        return 0
