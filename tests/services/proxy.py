"""A proxy in front of a real server, whose faults a test sets while connections are open."""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Proxy:
    """How the proxy misbehaves."""

    upstream: tuple[str, int]
    url: str = ""
    cut_after: int | None = None
    """Cut a connection after so many bytes of answers."""
    cuts: int = 1 << 30
    """How many connections are cut before all is well again."""
    answer: bytes = b""
    """Said to every request, instead of asking the server."""
    refused: dict[str, int] = field(default_factory=dict)
    """Status of the S3 protocol with which requests for a path that ends so are answered."""
    received: int = 0
    """Bytes of all answers."""
    asked: list[str] = field(default_factory=list)
    """Method and path of every request."""
    _open: list[socket.socket] = field(default_factory=list)

    def refuses(self) -> bool:
        """Return whether the proxy answers by itself now."""
        return bool(self.answer)

    def say(self, status: int) -> None:
        """Answer every request with a status of the S3 protocol."""
        self.answer = _refusal(status)

    def note(self, data: bytes) -> bytes:
        """Note the requests in what a client sends, and return the answer to one that is refused."""
        answer = b""
        for method, path in _REQUEST.findall(data):
            asked = path.decode("latin-1")
            self.asked.append(f"{method.decode()} {asked}")
            for end, status in self.refused.items():
                if asked.partition("?")[0].endswith(end):
                    answer = _refusal(status)
        return answer


_REQUEST = re.compile(rb"(GET|HEAD|PUT|POST|DELETE) (\S+) HTTP/1\.1\r\n")


def _refusal(status: int) -> bytes:
    text = {403: "AccessDenied", 500: "InternalError", 503: "SlowDown"}[status]
    body = f"<Error><Code>{text}</Code></Error>"
    head = f"HTTP/1.1 {status} {text}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return (head + body).encode()


@contextmanager
def proxy_to(host: str, port: int) -> Iterator[Proxy]:
    """Run a proxy until the block ends."""
    proxy = Proxy((host, port))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread = threading.Thread(target=_accept, args=(proxy, listener), daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            for one in proxy._open:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
            thread.join()


def _accept(proxy: Proxy, listener: socket.socket) -> None:
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            proxy._open.append(client)
            threading.Thread(target=_serve, args=(proxy, client), daemon=True).start()


def _serve(proxy: Proxy, client: socket.socket) -> None:
    if proxy.refuses():
        with client, suppress(OSError):
            asked = b""
            while b"\r\n\r\n" not in asked and (more := client.recv(1 << 16)):
                asked += more
            client.sendall(proxy.answer)
        return
    server = socket.create_connection(proxy.upstream)
    proxy._open.append(server)
    threading.Thread(target=_pump, args=(proxy, client, server), daemon=True).start()
    passed = 0
    with client, server, _shut(client), _shut(server), suppress(OSError):
        while data := server.recv(1 << 14):
            passed += len(data)
            proxy.received += len(data)
            if proxy.cut_after is not None and passed > proxy.cut_after and proxy.cuts > 0:
                proxy.cuts -= 1
                return
            if proxy.refuses():  # set meanwhile: the next request has to come by a new connection
                return
            client.sendall(data)


@contextmanager
def _shut(one: socket.socket) -> Iterator[None]:
    """End a connection at the end of the block, also where another thread waits for what it says."""
    try:
        yield
    finally:
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


def _pump(proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
    with suppress(OSError):
        while data := client.recv(1 << 14):
            if answer := proxy.note(data):
                client.sendall(answer)
                break
            server.sendall(data)
    with suppress(OSError):
        server.shutdown(socket.SHUT_WR)
