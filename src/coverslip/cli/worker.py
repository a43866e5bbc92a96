"""``coverslip worker``."""

import signal
import threading
from typing import Annotated

import typer

from coverslip.cleanup import announce, keep_tending
from coverslip.cli.output import amount, console
from coverslip.derive import Builder, open_catalog
from coverslip.settings import Settings
from coverslip.storage import open_storage


def run(
    threads: Annotated[int | None, typer.Option(min=1, max=64, help="Artifacts built at the same time.")] = None,
    until_done: Annotated[bool, typer.Option(help="Leave when nothing is left to build.")] = False,
) -> None:
    """Build artifacts that are out of date, until Ctrl-C. Any number of workers may run."""
    settings = Settings.load()
    with open_catalog(settings.catalog_url) as catalog:
        storage = open_storage(settings.artifacts_url)
        announce(catalog, storage)
        builder = Builder(catalog, storage, lease_seconds=settings.lease_seconds)
        if until_done:
            count = _drain(builder)
            console().print(f"{amount(count, 'artifact')} built or tried; nothing is left that can be tried now.")
            return
        stop, wake = threading.Event(), threading.Event()

        def stop_soon(_number: int, _frame: object) -> None:
            stop.set()
            wake.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop_soon)
        console().print("Coverslip worker: waiting for artifacts to build (Ctrl-C stops it)")
        tending = threading.Thread(target=keep_tending, args=(catalog, storage, settings, stop), name="gc", daemon=True)
        tending.start()
        builder.run(threads=threads or settings.workers, should_stop=stop, wake=wake)


def _drain(builder: Builder) -> int:
    count = 0
    while builder.build_next() is not None:
        count += 1
    return count
