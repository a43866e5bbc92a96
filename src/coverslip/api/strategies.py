"""Who builds in the background of a server, by its settings."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from coverslip.derive import Builder, Opportunistic, run_builder
from coverslip.settings import Settings


@contextmanager
def building(builder: Builder, settings: Settings, wake: threading.Event) -> Iterator[Opportunistic | None]:
    """Build stale artifacts in the background for the time of a ``with`` statement.

    Images that somebody annotates are built in the pauses; everything else by threads of this process, or, where
    there is a queue, by those who answer it.

    Parameters
    ----------
    builder
        Builds them.
    settings
        Say who builds.
    wake
        Set by whoever has made something stale.
    """
    opportunistic = None
    if settings.opportunistic:
        pause, batch = settings.opportunistic_pause_seconds, settings.opportunistic_batch
        opportunistic = Opportunistic(builder, pause_seconds=pause, batch=batch)
    should_stop = threading.Event()
    threads = []
    if opportunistic is not None:
        threads.append(threading.Thread(target=opportunistic.run, name="opportunistic"))
    if not settings.queue_url:
        words = {} if opportunistic is None else {"except_images": lambda: opportunistic.images}
        run = (builder, settings.workers, should_stop, wake)
        threads.append(threading.Thread(target=run_builder, args=run, kwargs=words, name="builder"))
    for thread in threads:
        thread.start()
    try:
        yield opportunistic
    finally:
        should_stop.set()
        wake.set()
        if opportunistic is not None:
            opportunistic.close()
        for thread in threads:
            thread.join()
