"""Batches of a worker: no more than asked for, one after the other, and one bad step ends none of the others."""

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from coverslip.derive import Builder, Outcome, build_all, keep_building, run_builder
from coverslip.derive.answering import answer
from coverslip.errors import CatalogError
from tests.derive.lab import Lab, Recipe

NEVER = 3600.0


def work_until(lab: Lab, number: int, *, interval: float, max_batch: int | None, recipe: Recipe | None = None) -> None:
    """Let a worker build until that many outcomes were told of."""
    stop, told = threading.Event(), list[Outcome]()
    builder: Builder = lab.builder(recipe)

    def hear(outcome: Outcome) -> None:
        told.append(outcome)
        if len(told) >= number:
            stop.set()

    with ThreadPoolExecutor(2) as pool:
        keep_building(
            builder.build_some,
            pool,
            concurrency=2,
            interval=interval,
            max_batch=max_batch,
            should_stop=stop,
            on_outcome=hear,
        )


def test_a_batch_is_no_larger_than_asked_for_and_says_so(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="coverslip.derive.periodic")
    for number in range(5):
        lab.add(f"{number}.tif")
    work_until(lab, 3, interval=NEVER, max_batch=3)
    assert lab.catalog.stale_by_kind({"thumbnail": 1})["thumbnail"].count == 2
    assert [record.getMessage()[:27] for record in caplog.records] == ["3 artifacts built, 0 failed"]


def test_the_next_batch_builds_the_rest(lab: Lab) -> None:
    for number in range(5):
        lab.add(f"{number}.tif")
    work_until(lab, 5, interval=0.01, max_batch=2)
    assert lab.catalog.stale_by_kind({"thumbnail": 1})["thumbnail"].count == 0


def test_without_a_limit_one_batch_builds_everything(lab: Lab) -> None:
    for number in range(5):
        lab.add(f"{number}.tif")
    work_until(lab, 5, interval=NEVER, max_batch=None)
    assert lab.catalog.stale_by_kind({"thumbnail": 1})["thumbnail"].count == 0


def test_a_step_that_fails_is_logged_and_the_next_batch_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    stop, steps = threading.Event(), [0]

    def step(_limit: int | None) -> list[Outcome]:
        steps[0] += 1
        if steps[0] == 1:
            raise CatalogError("the catalog is away")
        stop.set()
        return []

    with ThreadPoolExecutor(1) as pool:
        keep_building(step, pool, concurrency=1, interval=0.01, max_batch=None, should_stop=stop)
    assert steps[0] == 2
    assert [record.getMessage() for record in caplog.records] == ["nothing is built now: the catalog is away"]
    assert caplog.records[0].exc_info is None


def test_all_is_built_by_several_at_once(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="coverslip.derive.periodic")
    for number in range(5):
        lab.add(f"{number}.tif")
    both = threading.Barrier(2, timeout=60)
    first = threading.local()

    def meet(*_: object) -> bytes:
        if not hasattr(first, "was"):  # a thread alone would wait here for ever
            first.was = True
            both.wait()
        return b"picture"

    builder = lab.builder(Recipe(meet))
    with ThreadPoolExecutor(2) as pool:
        outcomes = build_all(lambda _limit: builder.build_some(1), pool, concurrency=2, should_stop=threading.Event())
    assert [outcome.state for outcome in outcomes] == ["built"] * 5
    assert [record.getMessage()[:27] for record in caplog.records] == ["5 artifacts built, 0 failed"]


def test_what_builds_all_does_not_hide_that_it_could_not() -> None:
    def step(_limit: int | None) -> list[Outcome]:
        raise CatalogError("the catalog is away")

    with ThreadPoolExecutor(2) as pool, pytest.raises(CatalogError, match="is away"):
        build_all(step, pool, concurrency=2, should_stop=threading.Event())


def test_every_builder_writes_one_line_for_a_batch_and_none_for_nothing(
    lab: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="coverslip.derive")
    stop, builder = threading.Event(), lab.builder()
    lab.add()
    answer(builder, None, stop)
    answer(builder, None, stop)
    assert [line[:26] for line in caplog.messages] == ["1 artifact built, 0 failed"]
    caplog.clear()
    for number in range(3):
        lab.add(f"{number}.tif")
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run_builder, builder, 1, stop)
        deadline = time.monotonic() + 60
        while not caplog.messages and time.monotonic() < deadline:
            time.sleep(0.01)
        stop.set()
        running.result()
    assert [line[:27] for line in caplog.messages] == ["3 artifacts built, 0 failed"]


def test_whoever_rings_hears_of_each_change_after_it_is_kept(lab: Lab) -> None:
    heard: list[set[str]] = []
    lab.catalog.when_marked(lambda ids: heard.append(set(ids)))
    image_id = lab.add()
    assert heard == [{image_id}]
    assert lab.catalog.mark("thumbnail", [image_id]) == 1
    lab.catalog.rebuild(image_id=image_id)
    lab.catalog.rebuild()
    assert heard[1:] == [{image_id}, {image_id}, {""}]
    assert lab.builder().build_next() is not None
    assert len(heard) == 4
