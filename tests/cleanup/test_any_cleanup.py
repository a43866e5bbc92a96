"""Random catalogs, random buckets, answers that are wrong and a database that fails: no valid row is ever removed.

A row is valid while its document is in the bucket; of a type without documents, while any of its files is. Of several
rows of one document the oldest is; the others become part of it.
"""

import random
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from itertools import count, islice
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from coverslip.catalog import Catalog
from coverslip.cleanup.planning import apply_plan, make_plan
from coverslip.errors import CatalogError, ConflictError, InvalidRequestError
from coverslip.model.entities import EntityKinds, EntityRecord
from coverslip.model.removal import CLEANED, CleanupPlan, Scope
from tests.cleanup.worlds import PAGE, World, make_world

SHORT, LONG = 2_000, 100_000
LAYOUTS_OF_A_CATALOG = 50
BUCKETS_OF_A_LAYOUT = 20
EVERYTHING = 1 << 30
"""More statements than there are."""
ACTOR = "somebody"
PROVED = (
    "faults of the bucket",
    "database faults",
    "rows removed",
    "duplicates merged",
    "plans applied",
    "plans undone",
    "artifacts given back",
)
STATEMENTS = ("INSERT INTO", "UPDATE entity", "UPDATE cleanup_plan", "DELETE FROM")
"""How statements begin of which some have to have failed: those that write plans, rows, the log and events."""


class Disk:
    """Lets one statement of the catalog fail, or its commit."""

    def __init__(self, catalog: Catalog) -> None:
        self.left = EVERYTHING
        self.faults = 0
        self.failed: set[str] = set()
        """Texts of the statements that failed once or more."""
        engine = catalog._database._reader
        event.listen(engine, "before_cursor_execute", self._step)
        event.listen(engine, "commit", self._step)

    def _step(self, *given: Any, **__: object) -> None:
        """Count a statement (its text is the third argument) or a commit (which has one)."""
        self.left -= 1
        if self.left == 0:
            self.faults += 1
            self.failed.add(given[2] if len(given) > 1 else "COMMIT")
            raise OperationalError("", {}, sqlite3.OperationalError("disk I/O error"))

    @contextmanager
    def failing(self, step: int) -> Iterator[None]:
        """Let the statement of this number fail; 0 is none."""
        self.left = step or EVERYTHING
        try:
            yield
        finally:
            self.left = EVERYTHING


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coverslip.sources.bucket.LISTING_CHUNK", PAGE)
    monkeypatch.setattr("coverslip.sources.bucket.ONCE_MORE", ())
    monkeypatch.setattr("coverslip.cleanup.existence_remote.PAUSES", (0.0,))
    monkeypatch.setattr("coverslip.cleanup.existence_remote.AT_ONCE", 1)
    monkeypatch.setattr("coverslip.cleanup.parts.PARTED", 8)


def opened(folder: Path, number: int) -> tuple[Catalog, Disk]:
    kinds = EntityKinds(of_shapes={"Point": ("points",)})
    catalog = Catalog.open(f"sqlite:///{folder / f'{number}.sqlite'}", versions={}, entity_kinds=kinds)
    event.listen(catalog._database._reader, "connect", _hurry)
    catalog._database._reader.dispose()
    return catalog, Disk(catalog)


def _hurry(connection: Any, _entry: object) -> None:
    connection.execute("PRAGMA synchronous=OFF")  # no power fails here


class Case:
    """One catalog of one layout with one bucket, from the plan to the undo."""

    def __init__(
        self,
        catalog: Catalog,
        disk: Disk,
        world: World,
        records: Mapping[int, EntityRecord],
        counts: Counter[str],
    ) -> None:
        self.catalog, self.disk, self.world, self.records, self.counts = catalog, disk, world, records, counts
        self.chance = world.chance
        kind = self.chance.choice(("healthy", "healthy", "bucket", "database", "both"))
        self.is_healthy = kind == "healthy"
        self.rewritten: set[int] = set()
        world.fill()
        world.bucket.rate = self.chance.choice((0.02, 0.1, 0.3)) if kind in ("bucket", "both") else 0.0
        self.steps = self.chance.choice((10, 40, 120)) if kind in ("database", "both") else 0

    def run(self) -> bool:
        """Plan, change something, apply, undo; whatever fails is tried again. Return whether all is as before."""
        scope = self._scope()
        plan = self._patiently(lambda: make_plan(self.catalog, scope, self.world.look, actor=ACTOR))
        assert self._removed() == set()
        if plan is None:
            return True
        valid_before = self._valid()
        is_changed = not self.is_healthy and self.chance.random() < 0.3 and self._change(plan)
        before = self._rows()
        reviewed = len(plan.removals)
        allow = self.chance.choice((0, reviewed, reviewed))
        self._patiently(lambda: apply_plan(self.catalog, plan.id, self.world.look, actor=ACTOR, allow=allow))
        state = self.catalog.plan(plan.id).state
        removed = self._removed()
        merged = self._merged(plan, removed)
        assert not removed & self._valid() - merged, "a valid row was removed"
        assert not removed & valid_before - merged or is_changed
        assert not removed & self.rewritten, "a row was removed that is another one than in the plan"
        assert removed in (set(), {one.id for one in plan.to_go(allow)}), "half a plan was applied"
        assert (state == "applied") or not removed
        if self.is_healthy and allow == reviewed:
            assert removed == self._stale(scope)
        self.counts["rows removed"] += len(removed - merged)
        self.counts["duplicates merged"] += len(merged)
        self.counts["plans applied"] += state == "applied"
        self.counts["valid rows at risk"] += len(self._valid() & self._in(scope))
        return state != "applied" or self._undo(plan, before, len(removed))

    def _undo(self, plan: CleanupPlan, before: list[tuple[Any, ...]], removed: int) -> bool:
        after = self._rows()
        self._patiently(lambda: self.catalog.undo_plan(plan.id, actor=ACTOR))
        is_undone = self.catalog.plan(plan.id).state == "undone"
        assert self._rows() == (before if is_undone else after), "undo did not restore exactly"
        self.counts["plans undone"] += is_undone
        self.counts["artifacts given back"] += is_undone * len(_owners(before) - _owners(after))
        self.counts["rows brought back"] += is_undone * removed
        return is_undone

    def _patiently[T](self, call: Callable[[], T]) -> T | None:
        """Return what a call returns, tried again where the database failed; ``None`` where it is refused."""
        for _ in range(4):
            try:
                with self.disk.failing(self.chance.randint(0, self.steps) if self.steps else 0):
                    return call()
            except CatalogError:
                self.counts["database faults"] += 1
                self._free()
            except ConflictError:
                self.counts["refused"] += 1
                return None
            except InvalidRequestError as error:
                raise AssertionError from error
        return None

    def _free(self) -> None:
        """Let the rights run out that a failing call could not give back."""
        with self.catalog._database.writing() as connection:
            connection.exec_driver_sql("DELETE FROM chore")

    def _scope(self) -> Scope:
        kind = self.chance.choice((*sorted(CLEANED & {one.type for one in self.records.values()}), "annotation"))
        by_type: dict[str, list[int]] = {}
        for one in self.records.values():
            by_type.setdefault(one.type, []).append(one.id)
        whole = Scope(kind, layout=self.world.layout)
        narrow = self.chance.choice(("dataset", "run", "voxel_spacing", "layout", "layout", "records"))
        if narrow == "layout" or (narrow == "voxel_spacing" and kind not in ("annotation", "tomogram")):
            return whole
        if narrow == "records":
            some = by_type.get(kind, [])
            chosen = tuple(self.chance.sample(some, self.chance.randint(1, len(some)))) if some else ()
            return replace(whole, entity_ids=chosen) if chosen else whole
        number = self.chance.choice(by_type[narrow])
        return replace(whole, **{f"{narrow}_id": number})  # type: ignore[arg-type]  # all three are numbers

    def _in(self, scope: Scope) -> set[int]:
        """Return the rows of a scope, by what they are called."""
        named = [scope.dataset_id, scope.run_id, scope.voxel_spacing_id]
        under = [self.records[number].identity for number in named if number is not None]
        return {
            one.id
            for one in self.records.values()
            if one.type == scope.type
            and all(one.identity.startswith(f"{above}/") for above in under)
            and (not scope.entity_ids or one.id in scope.entity_ids)
        }

    def _is_valid(self, one: EntityRecord, there: set[str]) -> bool:
        return self.world.is_valid(one.key, [file.key for file in one.files], there)

    def _valid(self) -> set[int]:
        there = self.world.there()
        return {one.id for one in self.records.values() if self._is_valid(one, there)}

    def _stale(self, scope: Scope) -> set[int]:
        """Return the rows that have to go when everybody answers rightly; where nothing lies at all, none."""
        if not self.world.there():
            return set()
        there, seen = self._in(scope), set[str]()
        later = set[int]()
        for number in sorted(there):
            key = self.records[number].key
            later |= {number} if key in seen and key.endswith(".json") else set()
            seen.add(key)
        return (there - self._valid()) | later

    def _merged(self, plan: CleanupPlan, removed: set[int]) -> set[int]:
        """Return the removed rows of which another one of the same document is left, and older."""
        merges = {one.id: one.merged_into for one in plan.removals if one.merged_into is not None and one.id in removed}
        for number, into in merges.items():
            assert into < number
            assert into not in removed
            assert self.records[into].key == self.records[number].key
        return set(merges)

    def _removed(self) -> set[int]:
        return {row[0] for row in self._asked("SELECT id FROM entity WHERE layout = ? AND deleted_at IS NOT NULL")}

    def _rows(self) -> list[tuple[Any, ...]]:
        """Return every row of the layout just as it is, whose its artifacts are, and which numbers lead to others."""
        artifacts = "SELECT entity_id, a.id, kind FROM artifact a JOIN entity e ON e.id = entity_id WHERE layout = ?"
        aliases = (
            "SELECT 'alias', a.id, entity_id FROM entity_alias a JOIN entity e ON e.id = entity_id WHERE layout = ?"
        )
        return [
            *self._asked("SELECT * FROM entity WHERE layout = ? ORDER BY id"),
            *self._asked(f"{artifacts} ORDER BY a.id"),
            *self._asked(f"{aliases} ORDER BY a.id"),
        ]

    def _asked(self, statement: str) -> list[tuple[Any, ...]]:
        with self.catalog._database.reading() as connection:
            cursor = connection.connection.cursor()
            found: list[tuple[Any, ...]] = cursor.execute(statement, (self.world.layout,)).fetchall()
            return found

    def _change(self, plan: CleanupPlan) -> bool:
        """Bring documents back or write rows anew between a plan and its application; return whether anything was."""
        chosen = [one for one in plan.removals if self.chance.random() < 0.3]
        for one in chosen:
            record = self.records[one.id]
            if self.chance.random() < 0.5 or not record.key.endswith(".json"):
                self.world.put([record.key if record.key.endswith(".json") else record.files[0].key])
            else:
                self.rewritten.add(one.id)
                seen = next(seen for seen in self.world.entities if seen.identity == record.identity)
                written = replace(seen, document={"revision": one.revision})
                assert self.catalog.sync_entities(self.world.layout, [written]).changed
        return bool(chosen)


def _owners(rows: list[tuple[Any, ...]]) -> set[tuple[Any, ...]]:
    return {row for row in rows if len(row) == 3 and row[0] != "alias"}


def of_layout(catalog: Catalog, disk: Disk, number: int, counts: Counter[str], most: int) -> None:
    """Go through some buckets for one layout, until an undo that was not to be done leaves the rest of no use."""
    world = make_world(random.Random(number), f"layout-{number}")
    catalog.sync_entities(world.layout, world.entities, files=world.images(), read_by="test")
    records = {one.id: one for one in catalog.entities(world.layout)}
    for bucket in range(BUCKETS_OF_A_LAYOUT):
        if counts["cases"] == most:
            return
        case = Case(catalog, disk, world, records, counts)
        try:
            is_as_before = case.run()
        except BaseException as error:
            error.add_note(f"with bucket {bucket} of layout {number}")
            raise
        counts["faults of the bucket"] += world.bucket.faults
        counts["cases"] += 1
        if not is_as_before:
            return


def test_no_valid_row_is_ever_removed(
    tmp_path: Path, request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> None:
    cases = LONG if request.config.getoption("--long") else SHORT
    counts: Counter[str] = Counter()
    layouts = count()
    failed = set[str]()
    while counts["cases"] < cases:
        first = next(layouts)
        catalog, disk = opened(tmp_path, first)
        with catalog:
            for number in (first, *islice(layouts, LAYOUTS_OF_A_CATALOG)):
                of_layout(catalog, disk, number, counts, cases)
            assert catalog.verify_audit()[1] == ()
        failed |= disk.failed
        for left in tmp_path.glob(f"{first}.sqlite*"):
            left.unlink()
    counts["valid rows lost"] = 0  # any would have failed
    counts["different statements that failed"] = len(failed)
    record_property("proof", ", ".join(f"{name} {number:,}" for name, number in sorted(counts.items())))
    assert {"COMMIT", *STATEMENTS} <= {" ".join(one.split()[:2]) for one in failed} | failed
    assert all(counts[name] > 0 for name in PROVED)
