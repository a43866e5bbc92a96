"""A proxy in front of a real S3-protocol server that understands requests and changes single answers."""

import http.client
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

DROPPED = ("connection", "keep-alive", "transfer-encoding", "content-length")


@dataclass(frozen=True)
class Asked:
    """A request."""

    method: str
    path: str
    """Decoded, with the bucket."""
    query: dict[str, str]
    number: int
    """Counts requests of all kinds from 0."""

    @property
    def is_listing(self) -> bool:
        """Whether it asks for a page of a listing."""
        return self.query.get("list-type") == "2"


@dataclass
class Answer:
    """What the server said."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    is_reset: bool = False
    """Whether the connection is reset instead."""
    stated: int | None = None
    """A length to state instead of that of the body; the connection ends after the body."""


type Change = Callable[[Asked, Answer], Answer]


@dataclass
class Altering:
    """What the proxy has seen, and what it does to answers."""

    upstream: tuple[str, int]
    url: str = ""
    change: Change | None = None
    asked: list[Asked] = field(default_factory=list)
    changed: int = 0
    """How many answers were changed."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, method: str, target: str) -> Asked:
        """Note a request and return it."""
        parts = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        with self._lock:
            self.asked.append(Asked(method, unquote(parts.path), query, len(self.asked)))
            return self.asked[-1]

    def altered(self, asked: Asked, answer: Answer) -> Answer:
        """Return what is answered."""
        if self.change is None:
            return answer
        with self._lock:
            other = self.change(asked, answer)
            self.changed += other is not answer
            return other


def refusal(status: int) -> Answer:
    """Return a refusal of the S3 protocol."""
    code = {403: "AccessDenied", 404: "NoSuchBucket", 500: "InternalError", 503: "SlowDown"}[status]
    return Answer(status, f"<Error><Code>{code}</Code></Error>".encode(), {"Content-Type": "application/xml"})


def without_continuation(answer: Answer, *, admits: bool) -> Answer:
    """Return a page that does not say how to go on; ``admits`` is whether it says that there is more."""
    body = re.sub(rb"<NextContinuationToken>.*?</NextContinuationToken>", b"", answer.body)
    if not admits:
        body = body.replace(b"<IsTruncated>true<", b"<IsTruncated>false<")
    return Answer(answer.status, body, answer.headers)


def without_keys(answer: Answer, pattern: str) -> Answer:
    """Return a page without the objects whose key matches: one that is older than they are."""
    entries = re.compile(rb"<Contents>.*?</Contents>", re.DOTALL)
    wanted = re.compile(pattern.encode())
    body = entries.sub(lambda found: b"" if wanted.search(found[0]) else found[0], answer.body)
    return Answer(answer.status, body, answer.headers) if body != answer.body else answer


@contextmanager
def altering_proxy(url: str) -> Iterator[Altering]:
    """Run a proxy in front of a server until the block ends."""
    parts = urlsplit(url)
    state = Altering((parts.hostname or "", parts.port or 0))
    handler = type("Handler", (_Handler,), {"state": state})
    with _Server(("127.0.0.1", 0), handler) as server:
        state.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of connections that the proxy or the client ended."""


class _Handler(BaseHTTPRequestHandler):
    state: Altering
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  as the library names it
        """Say nothing."""

    def do_GET(self) -> None:
        self._pass_on()

    def do_HEAD(self) -> None:
        self._pass_on()

    def _pass_on(self) -> None:
        asked = self.state.note(self.command, self.path)
        server = http.client.HTTPConnection(*self.state.upstream, timeout=30)
        try:
            server.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():  # the host too: it is signed
                server.putheader(name, value)
            server.endheaders()
            found = server.getresponse()
            headers = {name: value for name, value in found.getheaders() if name.lower() not in DROPPED}
            if self.command == "HEAD":
                headers["Content-Length"] = found.getheader("Content-Length") or "0"
            answer = self.state.altered(asked, Answer(found.status, found.read(), headers))
        finally:
            server.close()
        self._say(answer)

    def _say(self, answer: Answer) -> None:
        if answer.is_reset:
            self.close_connection = True
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RD)
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if "Content-Length" not in answer.headers:
            self.send_header("Content-Length", str(len(answer.body) if answer.stated is None else answer.stated))
        self.end_headers()
        if self.command != "HEAD":
            with suppress(OSError):
                self.wfile.write(answer.body)
        if answer.stated is not None:
            self.close_connection = True
