"""A plain HTTP server for packed precomputes and the Neuroglancer that comes with its package."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from mimetypes import guess_type

from coverslip.api.neuroglancer import client_folder
from coverslip.errors import NotFoundError
from coverslip.neuroglancer.precomputed import Packed

CLIENT = "/v/x/"
DATA = "/data/"


class Handler(BaseHTTPRequestHandler):
    """Answers GET, with ranges where it is asked for them."""

    protocol_version = "HTTP/1.1"

    def __init__(self, precomputes: Mapping[str, Packed], stopped: threading.Event, *rest: object) -> None:
        self.precomputes = precomputes
        self.stopped = stopped
        super().__init__(*rest)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        """Answer with a file of the client, a range of a precompute, or a silent stream of events."""
        path = self.path.partition("?")[0]
        if path.startswith("/events/"):
            self._stay_silent()
        elif path.startswith(CLIENT):
            self._send_client(path.removeprefix(CLIENT) or "index.html")
        else:
            self._send_part(path.removeprefix(DATA))

    def log_message(self, *words: object) -> None:
        """Say nothing."""

    def _send_client(self, name: str) -> None:
        content = (client_folder() / name).read_bytes()
        self._send(HTTPStatus.OK, content, guess_type(name)[0] or "application/octet-stream")

    def _send_part(self, path: str) -> None:
        precompute, _, name = path.partition("/")
        try:
            packed = self.precomputes[precompute]
            size = packed.size(name)
        except (KeyError, NotFoundError):
            self._send(HTTPStatus.NOT_FOUND, b"")
            return
        asked = self.headers.get("Range")
        if asked is None:
            self._send(HTTPStatus.OK, packed.read(name))
            return
        first, _, last = asked.removeprefix("bytes=").partition("-")
        start, stop = (int(first), int(last or size - 1) + 1) if first else (size - int(last), size)
        content = packed.read(name, start, stop)
        self._send(HTTPStatus.PARTIAL_CONTENT, content, span=f"bytes {start}-{start + len(content) - 1}/{size}")

    def _send(self, status: HTTPStatus, content: bytes, kind: str = "application/octet-stream", span: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        if span:
            self.send_header("Content-Range", span)
        self.end_headers()
        self.wfile.write(content)

    def _stay_silent(self) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.wfile.write(b": nothing\n\n")
        self.wfile.flush()
        self.stopped.wait()
        self.close_connection = True


@contextmanager
def serving(precomputes: Mapping[str, Packed]) -> Iterator[str]:
    """Serve precomputes by name; give the address."""
    stopped = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, precomputes, stopped))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        stopped.set()
        server.shutdown()
        server.server_close()
        thread.join()
