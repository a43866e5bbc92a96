"""Plans made by hand, and what an ingest asks of whoever remembers for it, kept in dictionaries."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from coverslip.ingest.deposition.applying import apply
from coverslip.ingest.deposition.expand import Entity
from coverslip.ingest.deposition.outcomes import Report
from coverslip.ingest.deposition.ports import Lease
from coverslip.ingest.deposition.steps import Input, Recipe, Step, Target
from coverslip.model.entities import EntityChanges, EntitySeen, StepRecord
from coverslip.storage import Storage


@dataclass
class Memory:
    """Remembers steps, entities and leases."""

    records: dict[str, StepRecord] = field(default_factory=dict)
    entities: dict[str, EntitySeen] = field(default_factory=dict)
    synced: list[list[str]] = field(default_factory=list)
    """Identities of each time that entities were written."""
    held: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def steps(self, prefix: str) -> Mapping[str, StepRecord]:
        with self.lock:
            return {name: record for name, record in self.records.items() if name.startswith(prefix)}

    def note(self, record: StepRecord) -> None:
        with self.lock:
            self.records[record.name] = record

    def sync(self, seen: Sequence[EntitySeen], above: Sequence[EntitySeen]) -> EntityChanges:
        with self.lock:
            assert not {one.identity for one in seen} & {one.identity for one in above}
            self.synced.append([one.identity for one in seen])
            added = tuple(one.identity for one in seen if one.identity not in self.entities)
            same = tuple(one.identity for one in seen if self.entities.get(one.identity) == one)
            changed = tuple(one.identity for one in seen if one.identity not in {*added, *same})
            self.entities.update({one.identity: one for one in seen})
            return EntityChanges(added, changed, same)

    def take(self, name: str, seconds: float) -> Lease | None:
        assert seconds > 0
        with self.lock:
            if name in self.held:
                return None
            self.held.add(name)
        return Held(self, name)


@dataclass
class Held:
    """A lease of a ``Memory``; taken away it cannot be renewed."""

    memory: Memory
    name: str

    def renew(self) -> bool:
        with self.memory.lock:
            return self.name in self.memory.held

    def release(self) -> None:
        with self.memory.lock:
            self.memory.held.discard(self.name)


@dataclass
class Planned:
    """A plan made by hand: a deposition with a dataset, and what is added to its runs."""

    targets: list[Target] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    unselected: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        deposition = Entity("deposition", "10301", None)
        self.dataset = Entity("dataset", "30001", deposition)
        self.targets.append(Target(deposition, "depositions/10301", None, "10301", None, "depositions_metadata/10301"))
        self.targets.append(Target(self.dataset, "datasets/30001", None, "10301", None, "30001"))

    def run(self, name: str) -> Target:
        """Return a run, added if it is new."""
        identity = f"datasets/30001/runs/{name}"
        for target in self.targets:
            if target.identity == identity:
                return target
        entity = Entity("run", name, self.dataset)
        target = Target(entity, identity, "datasets/30001", "10301", None, f"30001/{name}")
        self.targets.append(target)
        return target

    def child(self, parent: Target, kind: str, name: str, folder: str) -> Target:
        """Add an entity to another."""
        entity = Entity(kind, name, parent.entity)
        identity = f"{parent.identity}/{kind}/{name}"
        target = Target(entity, identity, parent.identity, "10301", None, f"{parent.folder}/{folder}")
        self.targets.append(target)
        return target

    def step(
        self,
        target: Target,
        recipe: Recipe,
        inputs: Sequence[str] = (),
        outputs: Sequence[str] = (),
        after: Sequence[Step] = (),
        **options: object,
    ) -> Step:
        """Add a step; outputs lie in the folder of the target."""
        step = Step(
            f"{target.identity}#{recipe}:{len(self.steps)}",
            recipe,
            target.identity,
            tuple(Input(path) for path in inputs),
            options,
            tuple(f"{target.folder}/{name}" for name in outputs),
            tuple(one.name for one in after),
        )
        self.steps.append(step)
        return step


def applied(plan: Planned, source: Path, destination: Storage, memory: Memory, **options: object) -> Report:
    """Carry out a plan."""
    return apply(plan, source, destination, steps=memory, entities=memory, leases=memory, **options)  # type: ignore[arg-type]


def contents(storage: Storage) -> dict[str, bytes]:
    """Return everything in a storage."""
    return {found.key: storage.read(found.key) for found in storage.list()}
