"""A plan is carried out: what changed is written, and what cannot be read stops nothing but what needs it."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from coverslip.errors import CoverslipError
from coverslip.ingest.deposition.fingerprints import Fingerprints, Places
from coverslip.ingest.deposition.outcomes import Report, StepOutcome
from coverslip.ingest.deposition.ports import LEASE_SECONDS, EntityLog, Leases, StepLog
from coverslip.ingest.deposition.recipes.work import Facts, Tally
from coverslip.ingest.deposition.run import HeldError, Run, Shared
from coverslip.ingest.deposition.steps import Step, Target
from coverslip.jobs.heartbeat import Heartbeat
from coverslip.model.entities import EntityChanges
from coverslip.sources import RemoteRules
from coverslip.storage import Storage

log = logging.getLogger(__name__)


class Planned(Protocol):
    """What is to be done."""

    @property
    def steps(self) -> Sequence[Step]:
        """Steps, those that others need before them."""
        ...

    @property
    def targets(self) -> Sequence[Target]:
        """Entities, parents before children."""
        ...

    @property
    def unselected(self) -> frozenset[str]:
        """Names of steps that are not done now, and whose earlier results count."""
        ...


def apply(
    plan: Planned,
    source: Path,
    destination: Storage,
    *,
    steps: StepLog,
    entities: EntityLog,
    leases: Leases,
    given: Mapping[str, str] | None = None,
    workers: int = 1,
    rules: RemoteRules | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    on_step: Callable[[StepOutcome], None] = lambda _: None,
    now: Callable[[], float] = time.time,
    lease_seconds: float = LEASE_SECONDS,
) -> Report:
    """Carry out a plan and return what was done. What fails is in the report and stops nothing else.

    Parameters
    ----------
    plan
        Entities and steps.
    source
        The folder of the ``source_prefix``, of this machine or of a bucket.
    destination
        The top of the layout.
    steps, entities, leases
        What remembers for this layout.
    given
        What each numbered folder was given to when the plan was made, see ``reserved``.
    workers
        How many runs at a time.
    rules
        Which remote files may be opened; those of the environment when left out.
    should_stop
        Asked often; once it says yes nothing more is begun, and what was done is kept.
    on_step
        Told of each step, one at a time, from any thread.
    now
        Seconds since 1970, for ``last_updated_at``.
    lease_seconds
        How long a run stays taken after the process that had it was killed.
    """
    began = time.perf_counter()
    places = Places(source, destination, rules)
    ingest = _Ingest(
        Shared(
            places,
            Fingerprints(places),
            Tally(),
            steps,
            {step.name: step for step in plan.steps},
            plan.unselected,
            given or {},
            should_stop,
            now,
        ),
        entities,
        leases,
        lease_seconds,
        on_step,
        plan.targets,
    )
    first, others = _grouped(plan)
    for name, group in first:
        ingest.do(name, *group)
    with ThreadPoolExecutor(max_workers=max(workers, 1), thread_name_prefix="ingest") as pool:
        for done in [pool.submit(ingest.do, name, *group) for name, group in others]:
            done.result()
    return ingest.report(time.perf_counter() - began)


type Group = tuple[list[Target], list[Step]]


def _grouped(plan: Planned) -> tuple[list[tuple[str, Group]], list[tuple[str, Group]]]:
    """Return what lies above runs, by deposition and dataset, and what lies in them, by run."""
    above: dict[str, Group] = {}
    runs: dict[str, Group] = {}
    group_of: dict[str, Group] = {}
    for target in plan.targets:
        top = next(one for one in target.entity.chain() if one.type in ("run", "dataset", "deposition"))
        name = target.run or (top.place or f"deposition {top.name}")
        group = (runs if target.run else above).setdefault(name, ([], []))
        group[0].append(target)
        group_of[target.identity] = group
    for step in plan.steps:
        group_of[step.target][1].append(step)
    return list(above.items()), list(runs.items())


class _Ingest:
    """What all runs share, and what became of them."""

    def __init__(
        self,
        shared: Shared,
        entities: EntityLog,
        leases: Leases,
        lease_seconds: float,
        on_step: Callable[[StepOutcome], None],
        targets: Sequence[Target],
    ) -> None:
        self._targets = {target.identity: target for target in targets}
        self._shared = shared
        self._entities = entities
        self._leases = leases
        self._lease_seconds = lease_seconds
        self._on_step = on_step
        self._lock = threading.Lock()
        self._steps: list[StepOutcome] = []
        self._held: list[str] = []
        self._failed: dict[str, str] = {}
        self._changes: list[EntityChanges] = []
        self._facts: dict[str, Facts] = {}
        self._stopped = False

    def do(self, name: str, targets: Sequence[Target], steps: Sequence[Step]) -> None:
        """Do the steps of a run, then write its entities."""
        try:
            if self._shared.should_stop():
                self._stopped = True
                return
            with self._lease(name) as is_lost:
                run = Run(
                    name, targets, steps, self._outside(targets), self._shared, earlier=self._facts, is_lost=is_lost
                )
                for outcome in run.do():
                    self._take(outcome)
                self._facts.update(run.facts)
                self._stopped |= run.is_stopped
                if is_lost():
                    raise HeldError(name)
                changes = self._entities.sync(*run.seen())
                with self._lock:
                    self._changes.append(changes)
        except HeldError:
            with self._lock:
                self._held.append(name)
        except CoverslipError as error:
            log.warning("%s: %s", name, error)
            with self._lock:
                self._failed[name] = str(error)
        except Exception as error:  # a library that stumbles must not take the report of the other runs along
            log.exception("%s", name)
            with self._lock:
                self._failed[name] = f"{type(error).__name__}: {error}"

    def report(self, seconds: float) -> Report:
        """Return what was done."""
        shared = self._shared
        return Report(
            steps=tuple(self._steps),
            held=tuple(sorted(self._held)),
            failed_runs=dict(sorted(self._failed.items())),
            changes=_joined(self._changes),
            is_stopped=self._stopped,
            volumes_opened=shared.tally.volumes_opened,
            files_opened=shared.tally.files_opened,
            files_hashed=shared.fingerprints.files_read,
            bytes_read=shared.tally.bytes_read + shared.fingerprints.bytes_read,
            seconds=seconds,
        )

    def _outside(self, targets: Sequence[Target]) -> list[Target]:
        """Return what contains the first of some entities, parents first."""
        found: list[Target] = []
        parent = self._targets.get(targets[0].parent or "")
        while parent is not None:
            found.insert(0, parent)
            parent = self._targets.get(parent.parent or "")
        return found

    def _take(self, outcome: StepOutcome) -> None:
        with self._lock:
            self._steps.append(outcome)
            self._on_step(outcome)

    @contextmanager
    def _lease(self, name: str) -> Iterator[Callable[[], bool]]:
        """Have a run alone; gives whether it was lost meanwhile."""
        seconds = self._lease_seconds
        lease = self._leases.take(f"ingest {self._shared.places.destination.url} {name}", seconds)
        if lease is None:
            raise HeldError(name)
        try:
            with Heartbeat(f"ingest {name}", lease.renew, seconds / 3) as heartbeat:
                yield lambda: heartbeat.lost
        finally:
            lease.release()


def _joined(changes: Iterable[EntityChanges]) -> EntityChanges:
    found: Mapping[str, list[str]] = {"added": [], "changed": [], "unchanged": []}
    for one in changes:
        for kind, names in found.items():
            names.extend(getattr(one, kind))
    return EntityChanges(**{kind: tuple(names) for kind, names in found.items()})
