"""Steps are repeated by several threads, woken, survive errors, and stop when told."""

import logging
import threading
import time
from collections import deque

import pytest

from coverslip.errors import CatalogError
from coverslip.jobs import run_workers


def started(target: object, **options: object) -> threading.Thread:
    thread = threading.Thread(target=run_workers, args=(target,), kwargs=options)
    thread.start()
    return thread


def test_all_work_is_done_and_stopping_is_quick() -> None:
    work = deque(range(200))
    done: list[int] = []
    empty = threading.Event()
    stop = threading.Event()

    def step() -> bool:
        try:
            done.append(work.popleft())
        except IndexError:
            empty.set()
            return False
        return True

    crew = started(step, threads=3, should_stop=stop, idle_seconds=60)
    assert empty.wait(10)
    asked = time.monotonic()
    stop.set()
    crew.join(10)
    assert not crew.is_alive()
    assert time.monotonic() - asked < 5
    assert sorted(done) == list(range(200))


def test_as_many_steps_at_once_as_threads() -> None:
    stop = threading.Event()
    together = threading.Barrier(3, action=stop.set)

    def step() -> bool:
        together.wait(10)
        return False

    crew = started(step, threads=3, should_stop=stop, idle_seconds=60)
    crew.join(10)
    assert not crew.is_alive()
    assert not together.broken


def test_new_work_wakes_a_waiting_thread() -> None:
    stop, wake, looked, found = (threading.Event() for _ in range(4))
    work: deque[int] = deque()

    def step() -> bool:
        if work:
            work.popleft()
            found.set()
            return True
        looked.set()
        return False

    crew = started(step, threads=2, should_stop=stop, idle_seconds=60, wake=wake)
    assert looked.wait(10)
    work.append(1)
    wake.set()
    assert found.wait(10)
    stop.set()
    crew.join(10)
    assert not crew.is_alive()


def test_without_a_bell_idle_threads_look_again() -> None:
    stop = threading.Event()
    looks = 0

    def step() -> bool:
        nonlocal looks
        looks += 1
        if looks == 3:
            stop.set()
        return False

    crew = started(step, threads=1, should_stop=stop, idle_seconds=0.01)
    crew.join(10)
    assert not crew.is_alive()
    assert looks == 3


def test_a_failing_step_is_logged_and_the_thread_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    stop = threading.Event()
    calls = 0

    def step() -> bool:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise ZeroDivisionError("a bad step")
        stop.set()
        return True

    with caplog.at_level(logging.ERROR):
        crew = started(step, threads=1, should_stop=stop, idle_seconds=0.01)
        crew.join(10)
    assert not crew.is_alive()
    assert calls == 2
    assert "a bad step" in caplog.text


def test_a_step_under_way_is_waited_for() -> None:
    stop, begun, finish = (threading.Event() for _ in range(3))
    ended: list[bool] = []

    def step() -> bool:
        begun.set()
        ended.append(finish.wait(10))
        return True

    crew = started(step, threads=1, should_stop=stop, idle_seconds=1)
    assert begun.wait(10)
    stop.set()
    crew.join(0.1)
    assert crew.is_alive()
    finish.set()
    crew.join(10)
    assert not crew.is_alive()
    assert ended == [True]


def test_a_database_that_is_away_is_a_sentence_and_no_traceback(caplog: pytest.LogCaptureFixture) -> None:
    stop = threading.Event()
    calls = 0

    def step() -> bool:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise CatalogError("the catalog is away")
        stop.set()
        return True

    crew = started(step, threads=1, should_stop=stop, idle_seconds=0.01)
    crew.join(10)
    assert not crew.is_alive()
    found = [(record.levelname, record.getMessage(), record.exc_info) for record in caplog.records]
    assert found == [("WARNING", "nothing is built now: the catalog is away", None)]
