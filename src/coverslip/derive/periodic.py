"""Building all the time: the server's own builder in threads, and workers, whose builds run where an executor does."""

import logging
import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait

from coverslip.derive.builder import Builder
from coverslip.derive.executors import Step
from coverslip.derive.outcome import Outcome
from coverslip.derive.sweeping import sweep_daily
from coverslip.derive.telling import Telling, tell
from coverslip.errors import BuildError, CoverslipError
from coverslip.jobs import run_workers
from coverslip.jobs.processes import has_died

log = logging.getLogger(__name__)

IDLE_SECONDS = 2.0
"""How often a builder that hears of nothing looks for changes made by other processes."""


def run_builder(
    builder: Builder,
    threads: int,
    should_stop: threading.Event,
    wake: threading.Event | None = None,
    except_images: Callable[[], Collection[str]] = tuple,
) -> None:
    """Build what becomes stale until ``should_stop`` is set; then claims are given back within one read.

    What the threads have built until nothing is left is a batch, which writes one line to the log.

    Parameters
    ----------
    builder
        Builds it.
    threads
        Artifacts built at the same time.
    should_stop
        Ends it.
    wake
        Set by whoever has made something stale.
    except_images
        Asked before each claim: images that somebody else takes care of.
    """
    start_sweeping(builder, should_stop)
    telling = Telling(log)

    def step() -> bool:
        began = time.monotonic()
        outcomes = builder.build_some(except_images=except_images(), should_stop=should_stop.is_set)
        telling.note(outcomes, began)
        return bool(outcomes)

    run_workers(
        step,
        threads=threads,
        should_stop=should_stop,
        idle_seconds=IDLE_SECONDS,
        wake=wake,
    )
    telling.close()


def start_sweeping(builder: Builder, should_stop: threading.Event) -> None:
    """Remove abandoned work from the storage every day, in a thread that nobody waits for.

    A sweep lists everything, which takes minutes in a large bucket.
    """
    words = (builder.storage, should_stop)
    threading.Thread(target=sweep_daily, args=words, name="storage sweep", daemon=True).start()


def keep_building(
    step: Step,
    executor: Executor,
    *,
    concurrency: int,
    interval: float,
    max_batch: int | None,
    should_stop: threading.Event,
    on_outcome: Callable[[Outcome], None] | None = None,
) -> None:
    """Build what is stale, look again every so often, and write one line to the log for each batch.

    Returns once ``should_stop`` is set and the builds under way have ended; those of a cluster may go on there.

    Parameters
    ----------
    step
        Claims some artifacts, at most so many, and builds them, wherever the executor runs it.
    executor
        Runs steps: threads, processes or a cluster.
    concurrency
        Steps under way at the same time.
    interval
        Seconds from the beginning of one batch to that of the next.
    max_batch
        Artifacts of one batch, at most; ``None`` is as many as are stale.
    should_stop
        Ends it.
    on_outcome
        Told what became of each.
    """
    under_way: set[Future[list[Outcome]]] = set()
    while not should_stop.is_set():
        started = time.monotonic()
        under_way, outcomes = _batch(
            step,
            executor,
            under_way,
            concurrency=concurrency,
            most=max_batch,
            should_stop=should_stop,
            ends=started + interval,
            result=_result,
        )
        if on_outcome is not None:
            for outcome in outcomes:
                on_outcome(outcome)
        tell(log, outcomes, time.monotonic() - started)
        should_stop.wait(max(0.0, started + interval - time.monotonic()))
    for future in wait(under_way).done:
        for last in _result(future):
            if on_outcome is not None:
                on_outcome(last)


def build_all(step: Step, executor: Executor, *, concurrency: int, should_stop: threading.Event) -> list[Outcome]:
    """Build what is stale until nothing is left that can be claimed, and return what became of each.

    Parameters
    ----------
    step
        Claims some artifacts, at most so many, and builds them, wherever the executor runs it.
    executor
        Runs steps: threads, processes or a cluster.
    concurrency
        Steps under way at the same time.
    should_stop
        Ends it early; what is under way then ends first.

    Raises
    ------
    CatalogError
        The catalog does not answer.
    BuildError
        A process that was building has died, or the cluster is away.
    """
    started = time.monotonic()
    under_way, outcomes = _batch(
        step,
        executor,
        set(),
        concurrency=concurrency,
        most=None,
        should_stop=should_stop,
        ends=None,
        result=_result_or_error,
    )
    for future in wait(under_way).done:
        outcomes += _result_or_error(future)
    tell(log, outcomes, time.monotonic() - started)
    return outcomes


def _batch(
    step: Step,
    executor: Executor,
    under_way: set[Future[list[Outcome]]],
    *,
    concurrency: int,
    most: int | None,
    should_stop: threading.Event,
    ends: float | None,
    result: Callable[[Future[list[Outcome]]], list[Outcome]],
) -> tuple[set[Future[list[Outcome]]], list[Outcome]]:
    """Return the steps that are still under way when the batch is over, and what became of the others.

    A batch is over when as many were begun as may be and have ended, or when nothing is left to claim; one long build
    does not keep the next batch from beginning. What a step finds may be what another has just given back, so nothing
    is left only when no step of a round has found anything.
    """
    outcomes: list[Outcome] = []
    begun, is_dry = 0, False
    each = None if most is None else 1  # a batch of a given size is counted out
    while True:
        while not is_dry and (most is None or begun < most) and len(under_way) < concurrency:
            if should_stop.is_set():
                return under_way, outcomes
            try:
                under_way.add(executor.submit(step, each))
            except BuildError as error:  # the cluster is away, and the worker is to end
                log.warning("nothing is built now: %s", error)
                return under_way, outcomes
            begun += 1
        if not under_way:
            return under_way, outcomes
        is_full = is_dry or (most is not None and begun >= most)
        left = max(0.0, ends - time.monotonic()) if is_full and ends is not None else None
        done, under_way = wait(under_way, timeout=left, return_when=FIRST_COMPLETED)
        found = [outcome for future in done for outcome in result(future)]
        outcomes += found
        is_dry = not found if done else is_dry
        if not done:
            return under_way, outcomes


def _result_or_error(future: Future[list[Outcome]]) -> list[Outcome]:
    try:
        return future.result()
    except CoverslipError:
        raise
    except Exception as error:
        if has_died(error):
            raise BuildError(
                "a process that was building has died; what is left is built by the next worker"
            ) from error
        raise


def _result(future: Future[list[Outcome]]) -> list[Outcome]:
    try:
        return future.result()
    except CoverslipError as error:
        log.warning("nothing is built now: %s", error)
        return []
    except Exception as error:  # the outer edge of a worker: one bad step must not end the others
        if has_died(error):
            log.warning("a process that was building has died; what it had claimed is built when its lease has run out")
        else:
            log.exception("a step of the worker failed")
        return []
