"""A small world in which builds interleave, and everything that happens is watched from outside."""

import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, cast

from coverslip.catalog import Catalog
from coverslip.catalog.tables import Base
from coverslip.derive import Builder
from coverslip.model.annotations import Annotation
from coverslip.model.records import ArtifactRecord, Claim
from coverslip.storage import FolderStorage, Storage, digest_of
from tests.catalog.making import LEASE, Clock
from tests.flows.cheap import DEPENDENTS, KINDS, Film, Name, open_number
from tests.flows.stepping import Actor, Steady, Stepped


@dataclass(frozen=True)
class Hold:
    """A claim that is out."""

    actor: str
    token: str
    until: datetime


@dataclass
class World:
    """A catalog and a storage, who holds what, and what was done wrong."""

    catalog: Catalog
    folder: Path
    clock: Clock
    tally: Counter[str]
    versions: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 1))
    wrong: list[str] = field(default_factory=list)
    holds: dict[str, Hold] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    """All bytes that were ever published, by key."""
    removed: set[str] = field(default_factory=set)
    """Keys that somebody removed or damaged, until they are published again."""
    built: dict[str, int] = field(default_factory=dict)
    recipes: Counter[Name] = field(default_factory=Counter)
    """How often each artifact was made."""

    def __post_init__(self) -> None:
        self.storage: Storage = FolderStorage(self.folder / "artifacts")
        self.films = [Film(self.folder / f"{name}.txt") for name in ("first", "second")]
        for film in self.films:
            film.write()
            film.sync(self.catalog)

    def builder(self, actor: Actor | None = None, *, is_old: bool = False, claims: int = 1) -> Builder:
        """Return a builder of its own process, of the present or the previous version of the program."""
        kinds = {
            name: replace(kind, version=max(1, self.versions[name] - is_old), on_build=self._count)
            for name, kind in KINDS.items()
        }
        who = actor or Actor("the builder of the test")  # in the thread of the test, which nobody stops
        catalog = cast(Catalog, Stepped(who, "catalog", self.catalog, partial(self._around_catalog, who)))
        storage = cast(Storage, Stepped(who, "storage", self.storage, self._around_storage))
        return Builder(
            *(catalog, storage),
            lease_seconds=LEASE,
            kinds=kinds,
            open_file=open_number,
            locate=Path,
            pace=Steady(claims),
        )

    def _count(self, name: Name) -> None:
        self.recipes[name] += 1
        self.tally["builds"] += 1

    def records(self) -> Mapping[Name, ArtifactRecord]:
        """Return every artifact of what is not deleted."""
        found = self.catalog.artifacts(self.versions, limit=1000).artifacts
        return {(one.kind, one.image_id, one.annotation_id): one for one in found}

    def annotations(self) -> dict[str, Annotation]:
        """Return the annotations, all of the first image."""
        return {one.id: one for one in self.catalog.annotations_of(self.films[0].image_id)}

    def possible(self, name: Name, records: Mapping[Name, ArtifactRecord], annotation: Annotation | None) -> set[bytes]:
        """Return what the recipe that made an artifact gives of the present sources."""
        kind = KINDS[name[0]]
        film = next(one for one in self.films if one.image_id == name[1])
        needed: dict[str, bytes] = {}
        for need in kind.needs:
            of = KINDS[need].of
            part: Name = (need, name[1], name[2] if of == "annotation" else None)
            key = records[part].key
            assert key is not None, f"{name} was made without {part}"
            needed[need] = self.contents[key]
            if needed[need] not in self.possible(part, records, annotation if of == "annotation" else None):
                self.wrong.append(f"{name} is fresh, {part} of which it was made says {needed[need]!r}")
        version = records[name].version
        return {kind.make(content, annotation, needed, version) for content in film.may_be}

    def check(self) -> None:
        """Compare everything that is there with what should be."""
        records, annotations = self.records(), self.annotations()
        for name, record in records.items():
            if not self.built.get(record.id, 0) <= record.built <= record.wanted:
                self.wrong.append(f"{name}: {record.built} of {record.wanted}, was {self.built.get(record.id)}")
            self.built[record.id] = record.built
            if record.key is None or record.key in self.removed:
                continue
            data = self.storage.read(record.key)
            if digest_of(data) not in record.key or data != self.contents[record.key]:
                self.wrong.append(f"{name}: {record.key} holds {data!r}")
            if record.is_fresh(max(1, self.versions[name[0]] - 1)):  # to the previous version of the program too
                of = None if name[2] is None else annotations[name[2]]
                possible = self.possible(name, records, of)
                if data not in possible:
                    self.wrong.append(f"served as current: {data!r}, should be {possible}")
        assert not self.wrong, "; ".join(self.wrong)

    def _around_storage(self, name: str, do: Callable[[], Any], args: tuple[Any, ...]) -> Any:
        if name == "put":
            self.contents[args[0]] = args[1]
            self.removed.discard(args[0])
        elif name == "delete":
            self.removed.add(args[0])
        return do()

    def _around_catalog(self, actor: Actor, name: str, do: Callable[[], Any], args: tuple[Any, ...]) -> Any:
        if name == "claim":
            given: list[Claim] = do()
            for claim in given:
                hold = self.holds.get(claim.artifact_id)
                if hold is not None and hold.until > self.clock.now:
                    self.wrong.append(f"{actor.name} claimed the {claim.kind} that {hold.actor} holds")
                self.holds[claim.artifact_id] = self._hold(actor, claim)
                self.tally["claims"] += 1
            return given
        if name not in {"finish", "fail", "release", "heartbeat"}:
            return do()
        claims: Sequence[Claim] = args if name == "release" else args[:1]
        if name == "finish":
            claims = [claim for claim, _ in args[0]]
        tokens = {claim.artifact_id: self.holds[claim.artifact_id].token for claim in claims if self._is_held(claim)}
        result = self._finish(claims, do) if name == "finish" else do()
        for claim in claims:
            is_holder = tokens.get(claim.artifact_id) == claim.token
            is_kept = claim.artifact_id in result if name == "finish" else result
            if name != "release" and is_kept != is_holder:
                self.wrong.append(f"{actor.name}: {name} of the {claim.kind} says {is_kept}, holds it: {is_holder}")
            if is_holder and name == "heartbeat":
                self.holds[claim.artifact_id] = self._hold(actor, claim)
            elif is_holder:
                del self.holds[claim.artifact_id]
            else:
                self.tally[f"{name} after the claim was lost"] += 1
        self.tally["ends written together"] += name == "finish" and len(claims) > 1
        return result

    def _is_held(self, claim: Claim) -> bool:
        return claim.artifact_id in self.holds

    def _hold(self, actor: Actor, claim: Claim) -> Hold:
        return Hold(actor.name, claim.token, self.clock.now + timedelta(seconds=LEASE))

    def _finish(self, claims: Sequence[Claim], do: Callable[[], Any]) -> Any:
        """Finish, and see that other bytes mark what is made of them and equal ones do not."""
        before = self.records()
        ours = do()
        after = self.records()
        marks: Counter[Name] = Counter()
        for claim in claims:
            name: Name = (claim.kind, claim.image_id, claim.annotation_id)
            if claim.artifact_id not in ours or not DEPENDENTS[claim.kind] or name not in before:
                continue
            is_other = before[name].etag != after[name].etag
            self.tally["other output" if is_other else "equal output"] += 1
            for other in self._made_of(name, before):
                marks[other] += is_other
        for other, count in marks.items():
            if after[other].wanted - before[other].wanted != count:
                self.wrong.append(f"{count} of what {other} is made of came out other; it is {after[other]}")
        return ours

    def _made_of(self, name: Name, records: Mapping[Name, ArtifactRecord]) -> Iterator[Name]:
        for other in records:
            is_same = name[1] == other[1] and name[2] in (None, other[2])
            if is_same and name[0] in KINDS[other[0]].needs:
                yield other


@dataclass
class Place:
    """Where one example after the other takes place, and what was done in all of them."""

    catalog: Catalog
    clock: Clock
    folder: Path
    ids: random.Random
    """Makes identifiers: catalogs order by them, and equal choices must give equal worlds."""
    tally: Counter[str] = field(default_factory=Counter)

    def new_world(self) -> World:
        """Forget everything."""
        self.ids.seed(1)
        self.clock.now = Clock().now
        with self.catalog._database.writing() as connection:
            for table in reversed(Base.metadata.sorted_tables):
                connection.execute(table.delete())
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        self.tally["examples"] += 1
        return World(self.catalog, self.folder, self.clock, self.tally)
