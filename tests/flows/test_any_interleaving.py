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
                max_examples=400 if is_long else 10,
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
        assert crashed == set(BOUNDARIES), "a boundary at which nobody crashed"
        assert place.tally["equal output"]
        assert place.tally["other output"]
        assert place.tally["leases expired"]
        assert place.tally["finish after the claim was lost"]


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


@pytest.mark.parametrize("happens", [crash, change_sources, overtake])
def test_at_every_boundary(place: Place, happens: Callable[[Advancing], None], request: pytest.FixtureRequest) -> None:
    """One build of an artifact with all that it needs stops after each of its steps in turn, and something happens.

    The short form tries every fourth: fewer than there are between looking again at what has changed and the last
    byte that is read.
    """
    is_done, steps = False, 0
    with counted(place):
        while not is_done:
            steps += 1 if request.config.getoption("--long") else 4
            machine = Advancing(place)
            machine.create(0, 9)
            machine.ask("small", 0, 2 * LEASE, steps)
            is_done = not machine.actors
            if not is_done:
                happens(machine)
                machine.world.check()
                for actor in tuple(machine.actors):
                    machine.advance(actor, ALL)
                machine.world.check()
            machine.teardown()
    assert steps > 20
