"""Where builds run: threads of this process, other processes, or a Dask cluster."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, partial
from multiprocessing.util import Finalize

from coverslip.confined import Opener
from coverslip.derive.builder import Builder
from coverslip.derive.kinds import open_catalog_of
from coverslip.derive.outcome import Outcome
from coverslip.jobs.cluster import DASK, Cluster
from coverslip.jobs.processes import Processes
from coverslip.settings import Settings
from coverslip.sources import RemoteRules, locate
from coverslip.storage import open_storage

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
        with Processes(concurrency) as pool:
            yield pool, elsewhere
    else:
        with ThreadPoolExecutor(concurrency, thread_name_prefix="builder") as threads:
            yield threads, partial(builder.build_some, should_stop=should_stop.is_set)


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
