"""A real web server on loopback that gives parts of files, counts what it sends, and fails as it is told to."""

import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

Fault = Literal["", "cut", "busy", "forbidden", "short", "whole", "moved", "slow", "too-much", "nameless", "unable"]


@dataclass
class WebFolder:
    """What the server shows, and how it misbehaves."""

    folder: Path
    url: str = ""
    fault: Fault = ""
    fault_count: int = 1 << 30
    """How many requests fail before all is well again."""
    requests: int = 0
    sent: int = 0
    """Bytes of bodies."""
    asked: list[str] = field(default_factory=list)

    def takes_fault(self) -> Fault:
        """Return what happens to this request."""
        if not self.fault or self.fault_count <= 0:
            return ""
        self.fault_count -= 1
        return self.fault


@contextmanager
def serve_web(folder: Path, certificate: Path | None = None) -> Iterator[WebFolder]:
    """Serve a folder until the block ends; by TLS where there is a certificate with its key."""
    shown = WebFolder(folder)
    handler = type("Handler", (_Handler,), {"shown": shown})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        shown.url = f"{'https' if certificate else 'http'}://localhost:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield shown
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    shown: WebFolder
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  as the library names it
        """Say nothing."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:  # noqa: C901  one fault after the other
        shown = self.shown
        shown.requests += 1
        shown.asked.append(f"{self.command} {self.path} {self.headers.get('Range', '')}".strip())
        fault = shown.takes_fault()
        path = shown.folder / unquote(self.path).lstrip("/")
        if fault in ("busy", "forbidden", "moved", "unable"):
            return self._say({"busy": 503, "forbidden": 403, "moved": 302, "unable": 501}[fault])
        if not path.is_file():
            return self._say(404)
        data = path.read_bytes()
        start, stop, status = 0, len(data), 200
        if (wanted := self.headers.get("Range")) and fault != "whole":
            first, last = wanted.removeprefix("bytes=").split("-")
            start, stop, status = int(first), min(len(data), int(last) + 1), 206
        if start >= len(data):
            return self._say(416)
        body = data[start:stop]
        self.send_response(status)
        if fault == "short":
            body = body[: len(body) // 2]
        if fault == "too-much":
            body = data
        self.send_header("Content-Length", str(len(body)))
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(data)}")
        if fault != "nameless":
            self.send_header("ETag", f'"{md5(data, usedforsecurity=False).hexdigest()}"')
        self.end_headers()
        if self.command == "HEAD":
            return None
        if fault == "slow":
            time.sleep(0.2)
        if fault == "cut":
            body = body[: len(body) // 2]
            self.close_connection = True
        shown.sent += len(body)
        with suppress(OSError):  # whoever asked may have gone
            self.wfile.write(body)
        return None

    def _say(self, status: int) -> None:
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "http://169.254.169.254/latest/meta-data")
        self.send_header("Content-Length", "0")
        self.end_headers()
