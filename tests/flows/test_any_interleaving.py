"""Saves, builds, crashes at every boundary and leases that run out, in any order: views are always fresh.

Builders, catalog and storage are real; only who goes on next, and what time it is, is decided here. ``pytest -s`` shows
what was done how often, ``--long`` does more of it.
"""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.catalog.making import LEASE
from tests.flows.advancing import ALL, BOUNDARIES, Advancing
from tests.flows.interleaving import Place

SELDOM = {
    "recipe_fails": ["catalog.fail"],
    "must_stop": ["catalog.release"],
    "damaged": ["storage.delete", "catalog.mark"],
    "other_version": ["catalog.distrust"],
}
"""What has to happen for a build to come to these calls."""
WAITING = "while waiting"


@contextmanager
def counted(place: Place) -> Iterator[None]:
    """Print what was done how often, and how long it took."""
    started = time.monotonic()
    try:
        yield
    finally:
        print(f"\nin {time.monotonic() - started:.1f} s")
        for what, count in sorted(place.tally.items()):
            print(f"{count:7} {what}")


def test_any_interleaving(place: Place, request: pytest.FixtureRequest) -> None:
    is_long = request.config.getoption("--long")
    number = request.config.getoption("--hypothesis-seed") or (random.randrange(2**32) if is_long else 1)

    class Here(Advancing):
        def __init__(self) -> None:
            super().__init__(place)

    print(f"\nseed {number}: --hypothesis-seed={number} does the same again")
    with counted(place):
        run_state_machine_as_test(
            seed(int(number))(Here),
            settings=settings(
                max_examples=200 if is_long else 8,
                stateful_step_count=40,
                deadline=None,
                database=None,
                report_multiple_bugs=False,
                suppress_health_check=list(HealthCheck),
            ),
        )
    crashed = {name.removeprefix("crash ") for name in place.tally if name.startswith("crash ")} - {"start"}
    assert crashed <= set(BOUNDARIES), "a boundary that is not in the list"
    if is_long:
        assert WAITING in crashed
        assert place.tally["equal output"]
        assert place.tally["other output"]
        assert place.tally["leases expired"]
        assert place.tally["finish after the claim was lost"]
        assert place.tally["ends written together"]


def crash(machine: Advancing) -> None:
    machine.kill(machine.actors[0])


def change_sources(machine: Advancing) -> None:
    machine.change([("change_file", 0, 1), ("move", 0, 3)])


def overtake(machine: Advancing) -> None:
    """Its lease runs out, sources change, and others build everything."""
    machine.let_time_pass(LEASE)
    machine.change([("change_file", 0, 1)])
    machine.drain()
    machine.world.check()


def ask_for_all(machine: Advancing, steps: int) -> None:
    """Build an artifact with all that it needs, for somebody who waits."""
    machine.ask("small", 0, 2 * LEASE, steps)


def claim_a_few(machine: Advancing, steps: int) -> None:
    """Build what a worker claims at once."""
    machine.build(False, steps, claims=4)


@pytest.mark.parametrize("begin", [ask_for_all, claim_a_few])
@pytest.mark.parametrize("happens", [crash, change_sources, overtake])
def test_at_every_boundary(
    place: Place,
    happens: Callable[[Advancing], None],
    begin: Callable[[Advancing, int], None],
    request: pytest.FixtureRequest,
) -> None:
    """A build stops after each of its steps in turn, and something happens.

    The short form tries every fourth: fewer than there are between looking again at what has changed and the last
    byte that is read.
    """
    is_done, steps = False, 0
    with counted(place):
        while not is_done:
            steps += 1 if request.config.getoption("--long") else 4
            machine = Advancing(place)
            machine.create(0, 9)
            begin(machine, steps)
            is_done = not machine.actors
            if not is_done:
                happens(machine)
                machine.world.check()
                for actor in tuple(machine.actors):
                    machine.advance(actor, ALL)
                machine.world.check()
            machine.teardown()
    if begin is claim_a_few:
        assert place.tally["ends written together"]
    elif happens is crash and request.config.getoption("--long"):
        seldom = {f"{when} {name}" for names in SELDOM.values() for name in names for when in ("before", "after")}
        missed = {one for one in BOUNDARIES if not place.tally[f"crash {one}"]}
        assert missed == seldom | {WAITING}, "boundaries at which nobody crashed"


@pytest.mark.parametrize("what", list(SELDOM))
def test_crashes_where_builds_seldom_come(place: Place, what: str, request: pytest.FixtureRequest) -> None:
    """Killed at each step of a build that fails or is told to stop, of looking at damaged bytes, of an unknown file."""
    if not request.config.getoption("--long"):
        pytest.skip("long form only")
    is_done, steps = False, 0
    with counted(place):
        while not is_done:
            steps += 1
            machine = Advancing(place)
            machine.create(0, 9)
            if what == "damaged":
                machine.ask("thumbnail", 0, 2 * LEASE, ALL)
                machine.lose_bytes(0, 1)
                machine.ask("thumbnail", 0, 2 * LEASE, 0)
            elif what == "other_version":
                machine.write_file(0, 0)
                machine.build(False, 0)
            else:
                machine.build(False, 0)
                machine.disturb(0, what)
            machine.advance(machine.actors[0], steps)
            is_done = not machine.actors
            machine.teardown()
    for name in SELDOM[what]:
        assert place.tally[f"crash before {name}"]
        assert place.tally[f"crash after {name}"]
