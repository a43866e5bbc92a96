"""What the commands that build share."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Annotated

import typer

from coverslip.catalog import Catalog
from coverslip.cleanup import announce, keep_checking, keep_tending
from coverslip.confined import Opener
from coverslip.derive import EXPOSITION_TYPE, Builder, exposition, open_catalog_of
from coverslip.errors import CatalogError, SettingsError
from coverslip.jobs.queue import RedisQueue
from coverslip.settings import Settings
from coverslip.sources import RemoteRules, locate
from coverslip.storage import open_storage

MetricsPort = Annotated[
    int | None, typer.Option(min=1, max=65535, help="Answer GET /metrics on this port of this machine.")
]


@contextmanager
def open_builder(settings: Settings) -> Iterator[tuple[Catalog, Builder]]:
    """Give the catalog and a builder of the settings.

    Raises
    ------
    CatalogError, StorageError
        They cannot be opened.
    """
    with open_catalog_of(settings) as catalog, Opener(settings) as opener:
        storage = open_storage(settings.artifacts_url)
        announce(catalog, storage)
        yield (
            catalog,
            Builder(
                catalog,
                storage,
                lease_seconds=settings.lease_seconds,
                open_file=opener.open_image,
                locate=partial(locate, rules=RemoteRules.of(settings)),
            ),
        )


@contextmanager
def showing_metrics(port: int | None, builder: Builder, queue: RedisQueue | None) -> Iterator[None]:
    """Answer ``GET /metrics`` on a port of this machine alone for the time of a ``with`` statement; none for None.

    Raises
    ------
    SettingsError
        The port cannot be listened on.
    """
    if port is None:
        yield
        return

    class Metrics(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            try:
                depth = None if queue is None else queue.depth()
                text = exposition(builder.catalog, builder.versions, builder.metrics.counts(), queue_depth=depth)
            except CatalogError as error:
                self.send_error(503, explain=str(error))
                return
            self.send_response(200)
            self.send_header("Content-Type", EXPOSITION_TYPE)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_words: object) -> None:
            """Say nothing: whoever watches asks every few seconds."""

    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), Metrics)
    except OSError as error:
        raise SettingsError(f"cannot listen on port {port} for metrics: {error.strerror or error}") from error
    with server:
        thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def until_told_to_stop() -> threading.Event:
    """Return an event that Ctrl-C and SIGTERM set."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stop.set())
    return stop


def tend(builder: Builder, settings: Settings, stop: threading.Event) -> None:
    """Clear up the storage and look for stale records now and then, in threads that nobody waits for."""
    words = (builder.catalog, builder.storage, settings, stop)
    threading.Thread(target=keep_tending, args=words, name="gc", daemon=True).start()
    checking = (builder.catalog, settings, stop)
    threading.Thread(target=keep_checking, args=checking, name="cleanup", daemon=True).start()
