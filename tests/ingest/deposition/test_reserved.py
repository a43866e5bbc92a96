"""Numbers that were given stay with what they were given to."""

import pytest

from coverslip.errors import ConflictError
from coverslip.ingest.deposition.expand import Entity
from coverslip.ingest.deposition.known import Known
from coverslip.ingest.deposition.reserved import reserve, reserved, with_reserved
from coverslip.ingest.deposition.steps import Target
from tests.ingest.deposition.ingests import Memory

RUN = "datasets/1/runs/A"
TOMOGRAMS = "1/A/Tomograms"


def target(identity: str, number: int | None, *, is_written: bool = True) -> Target:
    folder = TOMOGRAMS if number is None else f"{TOMOGRAMS}/{number}"
    entity = Entity("tomogram", identity, None)
    return Target(entity, f"{RUN}/{identity}", RUN, "1", number, folder, is_written=is_written)


def test_numbers_are_noted_before_anything_is_written_and_found_again() -> None:
    memory = Memory()
    reserve(
        memory, RUN, [target("a", 100), target("b", 101), target("c", 102, is_written=False), target("d", None)], {}
    )
    found = reserved(memory)
    assert found == {f"{TOMOGRAMS}/100": f"{RUN}/a", f"{TOMOGRAMS}/101": f"{RUN}/b"}
    assert reserved(memory, f"{RUN}/") == found
    assert reserved(memory, "datasets/2/") == {}
    known = with_reserved(Known(), found)
    assert known.numbers == {TOMOGRAMS: {f"{RUN}/a": 100, f"{RUN}/b": 101}}
    assert known.taken == {TOMOGRAMS: frozenset({100, 101})}
    reserve(memory, RUN, [target("a", 100)], found)
    assert len(memory.records) == 2


def test_a_document_counts_for_more_than_a_note() -> None:
    known = Known(numbers={TOMOGRAMS: {f"{RUN}/a": 105}}, taken={TOMOGRAMS: frozenset({105})})
    found = with_reserved(known, {f"{TOMOGRAMS}/100": f"{RUN}/a", f"{TOMOGRAMS}/105": f"{RUN}/b"})
    assert found.numbers == {TOMOGRAMS: {f"{RUN}/a": 105}}
    assert found.taken == {TOMOGRAMS: frozenset({100, 105})}


@pytest.mark.parametrize("mine", [target("b", 100), target("a", 101)])
def test_a_number_that_was_given_away_meanwhile_is_a_conflict(mine: Target) -> None:
    memory = Memory()
    reserve(memory, RUN, [target("a", 100)], {})
    before = dict(memory.records)
    with pytest.raises(ConflictError, match="Plan and apply again"):
        reserve(memory, RUN, [mine], {})
    assert memory.records == before
    reserve(memory, RUN, [mine], reserved(memory))
    assert reserved(memory)[mine.folder] == mine.identity
