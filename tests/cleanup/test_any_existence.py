"""Whatever a bucket answers: what is there is never said to be absent, and nothing is left without an answer."""

import random
from collections import Counter
from collections.abc import Callable, Collection

import pytest

from coverslip.cleanup.existence import look
from coverslip.cleanup.looked import unit
from coverslip.sources.address import Address
from tests.cleanup.worlds import PAGE, RULES, MemoryPath, World, make_world

SHORT, LONG = 2_000, 100_000
BUCKETS = 40
"""Buckets for the keys of one layout."""


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coverslip.sources.bucket.LISTING_CHUNK", PAGE)
    monkeypatch.setattr("coverslip.sources.bucket.ONCE_MORE", ())
    monkeypatch.setattr("coverslip.cleanup.existence_remote.PAUSES", (0.0,))
    monkeypatch.setattr("coverslip.cleanup.existence_remote.AT_ONCE", 1)
    monkeypatch.setattr("coverslip.cleanup.parts.PARTED", 8)


def keys_of(world: World) -> list[str]:
    """Return documents and files, some of which are image folders."""
    keys = [one.key for one in world.entities if one.key.endswith(".json")]
    keys += [file.key for one in world.entities for file in one.files]
    return list(dict.fromkeys(keys))  # duplicates name the same


def test_what_is_there_is_never_absent(
    request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> None:
    cases = LONG if request.config.getoption("--long") else SHORT
    counts: Counter[str] = Counter()
    for number in range(0, cases, BUCKETS):
        chance = random.Random(number)
        world = make_world(chance, "layout")
        for bucket in range(BUCKETS):
            try:
                _one(world, chance, counts)
            except BaseException as error:
                error.add_note(f"with bucket {bucket} of layout {number}")
                raise
    counts["present called absent"] = 0  # any would have failed
    record_property("proof", ", ".join(f"{name} {number:,}" for name, number in sorted(counts.items())))
    assert (
        min(counts[name] for name in ("absent", "present", "unknown", "faults", "healthy", "left along", "orphans")) > 0
    )


def orphans(there: set[str], asked: list[str], whole: Collection[str]) -> set[str]:
    """Return what lies below some folders and neither is one of the keys nor lies in one, image folders as one."""
    named = {*asked, *(unit(key) for key in asked)}
    return {
        unit(key)
        for key in there
        if any(not folder or key.startswith(f"{folder}/") for folder in whole)
        and not named & {unit(key), *(key[:place] for place, letter in enumerate(f"{key}/") if letter == "/")}
    }


def _one(world: World, chance: random.Random, counts: Counter[str]) -> None:
    world.fill()
    bucket = world.bucket
    bucket.rate = chance.choice((0.0, 0.02, 0.1, 0.3, 0.6))
    there = world.there()
    keys = keys_of(world)
    asked = chance.sample(keys, chance.randint(1, len(keys)))
    whole = chance.choice((None, None, [""], [asked[0].partition("/")[0]], ["1/TS_1"]))
    top = MemoryPath("/layout", origin=Address("s3", "memory", "layout"), rules=RULES).into(bucket)
    documents = {file.key: one.key for one in world.entities for file in one.files if one.key.endswith(".json")}
    only_with = documents if chance.random() < 0.5 else {}
    found = look(top, asked, prefixes=whole, only_with=only_with)
    is_there = {key for key in asked if any(one == key or one.startswith(f"{key}/") for one in there)}
    assert not found.absent & is_there, "it is there, and is said to be absent"
    assert found.present <= is_there
    assert found.present | found.absent | found.unknown.keys() == set(asked)
    assert len(found.present) + len(found.absent) + len(found.unknown) == len(asked)
    if bucket.rate == 0.0 and there:
        assert found.present == is_there
        along = {key for key in found.unknown if only_with.get(key) in found.absent}
        assert found.unknown.keys() == along
        assert not found.unlisted
        assert found.orphans == orphans(there, asked, whole or ())
        counts["orphans"] += len(found.orphans)
        counts["left along"] += len(along)
        counts["healthy"] += 1
    if not there:
        assert found.unknown.keys() == set(asked)
    counts["cases"] += 1
    counts["faults"] += bucket.faults
    for name in ("present", "absent", "unknown"):
        counts[name] += len(getattr(found, name))
