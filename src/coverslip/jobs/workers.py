"""Threads that repeat a step until they are told to stop."""

import logging
import threading
from collections.abc import Callable

from coverslip.errors import CoverslipError

log = logging.getLogger(__name__)

JOIN_SECONDS = 0.05


def run_workers(
    step: Callable[[], bool],
    *,
    threads: int,
    should_stop: threading.Event,
    idle_seconds: float,
    wake: threading.Event | None = None,
) -> None:
    """Repeat a step in several threads; returns when ``should_stop`` is set and the last step has ended.

    Parameters
    ----------
    step
        Does one piece of work; ``False`` means there was none. What it raises is logged and counts as none, so
        that a database that is away for a minute costs a minute. Our own errors say all there is to say in a
        sentence; others are mistakes and come with their traceback.
    threads
        How many steps may run at once.
    should_stop
        Set by the caller. Steps under way are waited for: give the step a way to notice, if it can be long.
    idle_seconds
        How long a thread waits after it found no work.
    wake
        Set by whoever knows of new work: ends the waiting. Missing one costs ``idle_seconds``, nothing else.
    """
    doorbell = wake or threading.Event()

    def work() -> None:
        while not should_stop.is_set():
            if not _attempt(step) and not should_stop.is_set():
                doorbell.wait(idle_seconds)
                doorbell.clear()

    crew = [threading.Thread(target=work, name=f"worker {number}", daemon=True) for number in range(threads)]
    for thread in crew:
        thread.start()
    try:
        should_stop.wait()
    finally:
        should_stop.set()
        for thread in crew:
            while thread.is_alive():
                doorbell.set()
                thread.join(JOIN_SECONDS)


def _attempt(step: Callable[[], bool]) -> bool:
    try:
        return step()
    except CoverslipError as error:
        log.warning("nothing is built now: %s", error)
        return False
    except Exception:  # the outer edge of a worker: one bad step must not end the others
        log.exception("a step of the worker failed")
        return False
