"""Other processes that do the work, and what it means when one of them is killed."""

import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process


class Processes(Executor):
    """Processes that are replaced when one is killed, which ends all others of a ``ProcessPoolExecutor``."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._pool = self._new_pool()

    def submit[**P, T](self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run a function in one of them."""
        try:
            return self._pool.submit(fn, *args, **kwargs)
        except BrokenProcessPool:
            self._pool.shutdown()
            self._pool = self._new_pool()
            return self._pool.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End them after what they are at."""
        self._pool.shutdown(wait, cancel_futures=cancel_futures)

    def _new_pool(self) -> ProcessPoolExecutor:
        # spawned: a forked child of a process with threads may wait for a lock that nobody holds any more
        return ProcessPoolExecutor(self._number, mp_context=get_context("spawn"), initializer=_belong_to_the_worker)


def has_died(error: Exception) -> bool:
    """Return whether a step failed because the process that ran it is gone: its claims run out by themselves."""
    of_dask = type(error).__name__ in {"KilledWorker", "CommClosedError"}  # which is optional
    return of_dask or isinstance(error, BrokenProcessPool | CancelledError)


def _belong_to_the_worker() -> None:
    """Leave Ctrl-C, which goes to the whole group of processes, to the worker, and end when that was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_worker, name="end with the worker", daemon=True).start()


def _end_with_the_worker() -> None:
    worker = parent_process()
    if worker is not None:
        worker.join()
        os._exit(1)  # a build under way goes the way of the worker: its lease runs out
