"""Several claims in one hand: built one after the other, written down together, given back where one takes long."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from coverslip.derive import OpenSource
from coverslip.derive.held import MOST_CLAIMS, HeldClaims, Pace
from coverslip.errors import ReadError
from coverslip.model.records import ImageRecord
from tests.derive.lab import KIND, Lab, Recipe, recipe_of_revision


class Steady(Pace):
    """The same number whatever the machine does meanwhile."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def note(self, number: int, seconds: float) -> None:
        """Keep it."""


def test_quick_builds_are_claimed_together_and_long_ones_alone() -> None:
    pace = Pace()
    numbers = []
    for _ in range(8):
        numbers.append(pace.number)
        pace.note(pace.number, 0.0001 * pace.number)
    assert numbers == [1, 2, 4, 8, 16, 32, 64, MOST_CLAIMS]
    pace.note(64, 6.4)
    assert pace.number == 1
    pace.note(1, 0.01)
    pace.note(2, 0.1)
    assert pace.number == 2
    pace.note(0, 0.0)
    assert pace.number == 1


def test_many_are_built_in_few_steps(lab: Lab) -> None:
    images = [lab.add(f"{number}.tif") for number in range(20)]
    builder = lab.builder(recipe := Recipe(), pace=Steady(8))
    sizes = []
    while outcomes := builder.build_some():
        assert {outcome.state for outcome in outcomes} == {"built"}
        assert all(outcome.lag is not None for outcome in outcomes)
        sizes.append(len(outcomes))
    assert sizes == [8, 8, 4]
    assert recipe.builds == 20
    assert all(lab.is_fresh(image) for image in images)


def test_no_more_are_claimed_than_asked_for(lab: Lab) -> None:
    for number in range(20):
        lab.add(f"{number}.tif")
    builder = lab.builder(pace=Steady(8))
    assert [len(builder.build_some(limit)) for limit in (3, None, 9, 9)] == [3, 8, 8, 1]


def test_what_waits_behind_a_long_build_is_given_to_others(lab: Lab) -> None:
    """And what was built before it in the same hand is shown without waiting for it."""
    begun, may_end = threading.Event(), threading.Event()
    slow = "none.tif"

    def work(record: ImageRecord, open_source: OpenSource) -> bytes:
        if record.filename == slow:
            begun.set()
            assert may_end.wait(20)
        return recipe_of_revision(record, open_source)

    images = {f"{number}.tif": lab.add(f"{number}.tif") for number in range(9)}
    builder = lab.builder(Recipe(work), pace=Steady(7))
    left = [name for name in images if name not in ("0.tif", "1.tif")]
    assert [outcome.state for outcome in builder.build_some(2)] == ["built", "built"]
    slow = left[2]
    with ThreadPoolExecutor(1) as pool:
        holder = pool.submit(builder.build_some)
        assert begun.wait(10)
        other = lab.builder(recipe := Recipe())
        deadline = time.monotonic() + 20
        while sum(lab.is_fresh(images[name]) for name in left) < 6 and time.monotonic() < deadline:
            other.build_some()
            time.sleep(0.02)
        assert not lab.is_fresh(images[slow])
        may_end.set()
        outcomes = holder.result(20)
    assert recipe.builds == 4
    assert [outcome.state for outcome in outcomes] == ["built"] * 3
    assert all(lab.is_fresh(image) for image in images.values())


def test_one_failure_ends_none_of_the_others(lab: Lab) -> None:
    def work(record: ImageRecord, open_source: OpenSource) -> bytes:
        if record.filename == "9.tif":
            raise ReadError("damaged")
        return recipe_of_revision(record, open_source)

    images = [lab.add(f"{number}.tif") for number in range(15)]
    states = [outcome.state for outcome in lab.builder(Recipe(work), pace=Steady(15)).build_some()]
    assert sorted(states) == ["built"] * 14 + ["failed"]
    assert [lab.is_fresh(image) for image in images] == [number != 9 for number in range(15)]


def test_what_is_deleted_meanwhile_is_given_back_and_the_rest_is_built(lab: Lab) -> None:
    images = [lab.add(f"{number}.tif") for number in range(3)]
    claims = lab.catalog.claim({KIND: 1}, lease_seconds=30, limit=3)
    lab.catalog.delete_image(images[1])
    states = {outcome.claim.image_id: outcome.state for outcome in lab.builder().build_claimed(claims)}
    assert states == {images[0]: "built", images[1]: "released", images[2]: "built"}
    lab.catalog.restore_image(images[1])
    assert lab.artifact(images[1]).lease_until is None


def test_when_it_must_stop_nothing_more_is_begun(lab: Lab) -> None:
    images = [lab.add(f"{number}.tif") for number in range(3)]
    claims = lab.catalog.claim({KIND: 1}, lease_seconds=30, limit=3)
    stops = iter([False, False, True])  # before the first, after its work, before the second
    outcomes = lab.builder(recipe := Recipe()).build_claimed(claims, lambda: next(stops))
    assert [outcome.state for outcome in outcomes] == ["built"]
    assert recipe.builds == 1
    assert {lab.artifact(image).lease_until for image in images} == {None}


def test_what_may_be_somebody_elses_by_now_is_not_begun(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("coverslip.derive.held.time", SimpleNamespace(monotonic=lambda: now))
    images = [lab.add(f"{number}.tif") for number in range(2)]
    claims = lab.catalog.claim({KIND: 1}, lease_seconds=30, limit=2)
    held = HeldClaims(lab.catalog, claims, 30, {})
    assert held.next() == claims[0]
    now = 15.0  # without a sign of life, as when the process was stopped
    assert held.next() is None
    held.let_go()
    assert lab.artifact(images[1]).lease_until is None


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_when_the_process_is_ended_all_is_given_back(lab: Lab, error: type[BaseException]) -> None:
    def work(record: ImageRecord, open_source: OpenSource) -> bytes:
        if record.filename == "1.tif":
            raise error
        return recipe_of_revision(record, open_source)

    images = [lab.add(f"{number}.tif") for number in range(3)]
    claims = sorted(
        lab.catalog.claim({KIND: 1}, lease_seconds=30, limit=3), key=lambda claim: images.index(claim.image_id)
    )
    with pytest.raises(error):
        lab.builder(Recipe(work)).build_claimed(claims)
    assert [lab.is_fresh(image) for image in images] == [True, False, False]
    assert {lab.artifact(image).lease_until for image in images} == {None}


def test_what_others_are_made_of_is_built_first(lab: Lab) -> None:
    order: list[str] = []

    def noted(name: str) -> Recipe:
        def work(record: ImageRecord, open_source: OpenSource) -> bytes:
            order.append(name)
            return name.encode() + recipe_of_revision(record, open_source)

        return Recipe(work, name=name)

    kinds = {KIND: noted(KIND), "small": noted("small")}
    kinds["small"].needs = (KIND,)
    image = lab.add()
    lab.catalog.want("small", image)
    claims = lab.catalog.claim({KIND: 1, "small": 1}, lease_seconds=30, limit=2)
    claims.sort(key=lambda claim: claim.kind)
    assert [claim.kind for claim in claims] == ["small", KIND]
    outcomes = lab.builder_of(kinds).build_claimed(claims)
    assert order == [KIND, "small"]
    assert [outcome.state for outcome in outcomes] == ["built", "built"]
