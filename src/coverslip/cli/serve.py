"""``coverslip serve``."""

import socket
from typing import Annotated

import typer
import uvicorn

from coverslip.api import create_app
from coverslip.cli.output import console
from coverslip.derive import open_catalog_of
from coverslip.errors import SettingsError
from coverslip.settings import Settings
from coverslip.storage import open_storage


def run(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on; 0 picks a free one.")] = None,
    build: Annotated[bool, typer.Option(help="Build artifacts in the background.")] = True,
) -> None:
    """Serve the web page and the HTTP API until Ctrl-C."""
    overrides = {key: value for key, value in (("host", host), ("port", port)) if value is not None}
    serve(Settings.load(**overrides), build=build)


def serve(settings: Settings, *, build: bool = True) -> None:
    """Serve until the process is told to stop.

    Raises
    ------
    SettingsError
        The address cannot be listened on.
    CatalogError, StorageError
        The catalog or the storage cannot be opened.
    """
    with open_catalog_of(settings):  # says what is wrong in a sentence, before there is an address
        open_storage(settings.artifacts_url)
    listener = _listen(settings)
    app = create_app(settings, build_in_background=build)
    # the access log is below the level that is shown, and a third of the work of a chunk
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, timeout_graceful_shutdown=5, server_header=False
    )
    address, port = listener.getsockname()[:2]
    shown = f"[{address}]" if ":" in address else address
    console().print(f"Coverslip is at http://{shown}:{port}/ (Ctrl-C stops it)")
    if build and settings.queue_url:
        console().print("Artifacts are built in the pauses of annotators, and by `coverslip queue-worker`")
    with listener:
        uvicorn.Server(config).run(sockets=[listener])


def _listen(settings: Settings) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        listener = socket.create_server((settings.host, settings.port), family=family, backlog=2048)
    except OSError as error:
        raise SettingsError(
            f"cannot listen on {settings.host} port {settings.port}: {error.strerror or error}. "
            "Choose another with --port (0 picks a free one)"
        ) from error
    # inherited by connections; asyncio sets it only on sockets that it made itself, and without it small answers
    # wait 40 ms for an acknowledgement
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
