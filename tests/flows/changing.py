"""What people, time and accidents do to a world, as rules; and what must be true of it always and in the end."""

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from coverslip.cleanup import collect, plan_gc
from coverslip.derive import current
from coverslip.errors import ConflictError, RevisionConflictError
from coverslip.model.annotations import AnnotationContent, Frames
from tests.flows.cheap import FRAMES, KINDS, Name
from tests.flows.interleaving import World

MOST = 3
"""Annotations that there are at the same time."""
EVER = 1e9
"""Seconds, longer than anything has been there."""
LONG = 7200.0
"""Seconds, longer than any lease and any back-off."""

CHANGES = ["create", "move", "move", "draw_box", "delete", "undo", "change_file", "change_file", "update_program"]
ACCIDENTS = ["write_words", "come_second", "write_file", "sync_file", "delete_or_restore_image"]
ACCIDENTS += ["rebuild", "lose_bytes", "collect_garbage", "look_at_everything"]

Change = tuple[str, int, int]
"""One of these with two numbers that say how."""

numbers = st.integers(0, 9)
changes = st.tuples(st.sampled_from(CHANGES), numbers, numbers)


class Changing(RuleBasedStateMachine):
    """A world that changes."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.annotations: list[str] = []

    @property
    def first_image(self) -> str:
        return self.world.films[0].image_id

    def pick(self, number: int) -> str | None:
        """Return an annotation that is not deleted, if there is one."""
        shown = [one for one in self.annotations if one in self.world.annotations()]
        return shown[number % len(shown)] if shown else None

    @rule(changes=st.lists(changes, min_size=1, max_size=3))
    def change(self, changes: list[Change]) -> None:
        """Do what people do to sources."""
        for change, number, other in changes:
            getattr(self, change)(number, other)

    @rule(what=st.sampled_from(ACCIDENTS), number=numbers, other=numbers)
    def happen(self, what: str, number: int, other: int) -> None:
        """Do what else may happen."""
        getattr(self, what)(number, other)

    def create(self, number: int, other: int) -> None:
        if len(self.world.annotations()) < MOST:
            frames = Frames(first=number, last=min(number + other // 2, FRAMES - 1))
            with suppress(ConflictError):  # it would leave nothing of a neighbour
                self.world.catalog.create_annotation(self.first_image, AnnotationContent(frames=frames), tiled=True)
            self._note_annotations()

    def move(self, number: int, other: int) -> None:
        """Neighbours follow, and may be split."""
        self._save(number, frames={"axis": "t", "first": other, "last": min(other + number // 2, FRAMES - 1)})

    def draw_box(self, number: int, other: int) -> None:
        self._save(number, box={"x": other % 3, "y": 0, "width": 1, "height": 1} if other % 3 else None)

    def delete(self, number: int, _other: int) -> None:
        annotation_id = self.pick(number)
        if annotation_id is not None:
            revision = self.world.annotations()[annotation_id].revision
            self.world.catalog.delete_annotation(annotation_id, revision=revision, tiled=True)

    def undo(self, number: int, _other: int) -> None:
        """Take a change back, or bring back what was deleted."""
        if self.annotations:
            with suppress(ConflictError):  # nothing is left to undo, or something else has to be undone or moved first
                self.world.catalog.undo_annotation(self.annotations[number % len(self.annotations)])
            self._note_annotations()

    def change_file(self, number: int, other: int) -> None:
        film = self.world.films[number > 7]
        film.write((1, 2, -1)[other % 3])
        film.sync(self.world.catalog)

    def update_program(self, number: int, _other: int) -> None:
        """A newer version of the program has a newer recipe."""
        self.world.versions[sorted(KINDS)[number % len(KINDS)]] += 1

    def write_words(self, number: int, other: int) -> None:
        """Which change no picture."""
        before = {name: one.wanted for name, one in self.world.records().items()}
        self._save(number, label=f"word {other}")
        assert before == {name: one.wanted for name, one in self.world.records().items()}

    def come_second(self, number: int, other: int) -> None:
        """Another annotator saved first."""
        annotation_id = self.pick(number)
        if annotation_id is not None:
            revision = self.world.annotations()[annotation_id].revision + 1
            changes = {"frames": {"axis": "t", "first": other, "last": other}}
            with pytest.raises(RevisionConflictError):
                self.world.catalog.save_annotation(annotation_id, changes, revision=revision, tiled=True)

    def write_file(self, number: int, other: int) -> None:
        """Nobody has told the catalog yet."""
        self.world.films[number % 2].write((1, -1)[other % 2])

    def sync_file(self, number: int, _other: int) -> None:
        self.world.films[number % 2].sync(self.world.catalog)

    def delete_or_restore_image(self, _number: int, _other: int) -> None:
        """The second image: the other has annotations."""
        image = self.world.catalog.get_image(self.world.films[1].image_id, deleted=True)
        change = self.world.catalog.delete_image if image.deleted_at is None else self.world.catalog.restore_image
        change(image.id)

    def rebuild(self, number: int, _other: int) -> None:
        self.world.catalog.rebuild(kind=sorted(KINDS)[number % len(KINDS)], image_id=self.first_image)

    def lose_bytes(self, number: int, other: int) -> None:
        """Somebody removes or damages what is published."""
        keys = sorted({one.key for one in self.world.records().values() if one.key is not None})
        if keys:
            key = keys[number % len(keys)]
            if other % 2:
                self.world.storage.put(key, b"damaged")
            else:
                self.world.storage.delete(key)
            self.world.removed.add(key)

    def collect_garbage(self, _number: int, _other: int) -> None:
        plan = plan_gc(self.world.catalog, self.world.storage, grace_seconds=-EVER)
        collect(self.world.catalog, self.world.storage, plan)
        self.world.removed |= {item.key for item in plan.superseded}

    def look_at_everything(self, _number: int = 0, _other: int = 0) -> None:
        """Which is when lost bytes are noticed."""
        for name in self.world.records():
            self.look(name)

    def look(self, name: Name) -> bytes | None:
        """Return what is shown as current."""
        world = self.world
        record, data = current(world.catalog, world.storage, *name, versions=world.versions)
        if data is not None:
            assert record.is_fresh(world.versions[name[0]])
            assert record.key is not None
            assert data == world.contents[record.key]  # of which the invariant knows that it is right
            world.tally["served"] += 1
        return data

    @invariant()
    def nothing_is_wrong(self) -> None:
        self.world.check()

    def drain(self) -> Counter[Name]:
        """Build until nothing is to be built, and return what was."""
        builder, before = self.world.builder(), Counter(self.world.recipes)
        while (outcome := builder.build_next()) is not None:
            assert outcome.state == "built", outcome
        return self.world.recipes - before

    def settle(self) -> None:
        """Let every lease and every back-off run out, and build."""
        for film in self.world.films:
            film.sync(self.world.catalog)
        is_going_on = True
        while is_going_on:
            self.world.clock.advance(LONG)
            self.look_at_everything()
            is_going_on = bool(self.drain())
        self.world.check()

    def end(self) -> None:
        """Whatever has happened: in the end everything is what its recipe makes of its present sources."""
        world = self.world
        with suppress(ConflictError):
            world.catalog.restore_image(world.films[1].image_id)
        self.settle()
        annotations = world.annotations()
        for name, record in world.records().items():
            annotation = None if name[2] is None else annotations[name[2]]
            (film,) = (one for one in world.films if one.image_id == name[1])
            assert record.is_fresh(world.versions[name[0]]), record
            assert self.look(name) == by_recipe(name[0], film.content, annotation, world.versions)
        assert not self.drain(), "everything was fresh, and something was built"

    def _save(self, number: int, **changes: Any) -> None:
        annotation_id = self.pick(number)
        if annotation_id is not None:
            revision = self.world.annotations()[annotation_id].revision
            with suppress(ConflictError):  # it would leave nothing of a neighbour
                self.world.catalog.save_annotation(
                    annotation_id, changes, revision=revision, author=f"annotator {number % 2}", tiled=True
                )
            self._note_annotations()

    def _note_annotations(self) -> None:
        self.annotations += [one for one in self.world.annotations() if one not in self.annotations]


def by_recipe(kind: str, content: int, annotation: Any, versions: Mapping[str, int]) -> bytes:
    """Return what the present recipes make of sources, without catalog, storage and builder."""
    needed = {
        name: by_recipe(name, content, annotation if KINDS[name].of == "annotation" else None, versions)
        for name in KINDS[kind].needs
    }
    return KINDS[kind].make(content, annotation, needed, versions[kind])
