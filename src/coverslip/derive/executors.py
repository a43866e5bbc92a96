"""Where builds run: threads of this process, other processes, or a Dask cluster."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, partial
from multiprocessing import get_context, parent_process
from multiprocessing.util import Finalize

from coverslip.confined import Opener
from coverslip.derive.builder import Builder
from coverslip.derive.cluster import Cluster
from coverslip.derive.kinds import open_catalog_of
from coverslip.derive.outcome import Outcome
from coverslip.settings import Settings
from coverslip.sources import RemoteRules, locate
from coverslip.storage import open_storage

DASK = "dask://"

type Step = Callable[[int | None], list[Outcome]]
"""Claims some artifacts, at most so many, and builds them."""


@contextmanager
def open_executor(
    settings: Settings, builder: Builder, concurrency: int, should_stop: threading.Event
) -> Iterator[tuple[Executor, Step]]:
    """Give the executor of the settings, and the step it can run: claim some artifacts and build them.

    Each step claims by itself where it runs, so the lease and its heartbeat live where the work is: a machine that is
    gone loses its claims, and this process need not notice.

    Parameters
    ----------
    settings
        Says which.
    builder
        Builds in threads of this process.
    concurrency
        Threads or processes.
    should_stop
        Threads give a build up when it is set. Other processes end theirs first; a cluster is left alone with what
        takes it longer than some seconds.

    Raises
    ------
    SettingsError
        The cluster does not answer.
    MissingDependencyError
        distributed is not installed: ``pip install "coverslip[cluster]"``.
    """
    elsewhere = partial(build_some, settings)
    if settings.executor.startswith(DASK):
        with Cluster(settings.executor, settings.executor.removeprefix(DASK), should_stop) as cluster:
            yield cluster, elsewhere
    elif settings.executor == "processes":
        with _Processes(concurrency) as pool:
            yield pool, elsewhere
    else:
        with ThreadPoolExecutor(concurrency, thread_name_prefix="builder") as threads:
            yield threads, partial(builder.build_some, should_stop=should_stop.is_set)


class _Processes(Executor):
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


def build_some(settings: Settings, limit: int | None) -> list[Outcome]:
    """Claim some artifacts and build them with the builder of this process, opened when it is needed first.

    Raises
    ------
    CatalogError, StorageError
        They do not answer.
    """
    outcomes = _builder_here(settings).build_some(limit)
    return [replace(outcome, cause=None) for outcome in outcomes]  # errors of strangers need not travel


@cache
def _builder_here(settings: Settings) -> Builder:
    catalog = open_catalog_of(settings)
    opener = Opener(settings)
    Finalize(None, opener.close, exitpriority=10)
    Finalize(None, catalog.close, exitpriority=0)
    return Builder(
        catalog,
        open_storage(settings.artifacts_url),
        lease_seconds=settings.lease_seconds,
        open_file=opener.open_image,
        locate=partial(locate, rules=RemoteRules.of(settings)),
    )


def _belong_to_the_worker() -> None:
    """Leave Ctrl-C, which goes to the whole group of processes, to the worker, and end when that was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_worker, name="end with the worker", daemon=True).start()


def _end_with_the_worker() -> None:
    worker = parent_process()
    if worker is not None:
        worker.join()
        os._exit(1)  # a build under way goes the way of the worker: its lease runs out
