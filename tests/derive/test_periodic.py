"""Batches of a worker: no more than asked for, one after the other, and one bad step ends none of the others."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from coverslip.derive import Builder, Outcome, keep_building
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
