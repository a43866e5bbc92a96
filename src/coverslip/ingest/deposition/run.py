"""The steps of one run, one after the other: which of them have something to do, and what becomes of them."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from coverslip.errors import BuildError, ConflictError, CoverslipError, NotFoundError, ReadError
from coverslip.ingest.deposition.digests import step_digest
from coverslip.ingest.deposition.fingerprints import Fingerprint, Fingerprints, Places, key_of
from coverslip.ingest.deposition.marks import by_output, mark_of
from coverslip.ingest.deposition.noted import Noted
from coverslip.ingest.deposition.outcomes import Outcome, StepOutcome
from coverslip.ingest.deposition.ports import StepLog
from coverslip.ingest.deposition.recipes import RECIPES
from coverslip.ingest.deposition.recipes.work import Facts, StoppedError, Tally, Work
from coverslip.ingest.deposition.reserved import reserve
from coverslip.ingest.deposition.seen import entities_seen
from coverslip.ingest.deposition.steps import Input, Step, Target
from coverslip.model.entities import EntitySeen, StepRecord
from coverslip.storage import StoredObject

log = logging.getLogger(__name__)


class HeldError(ConflictError):
    """Another ingest is at work on a run."""

    def __init__(self, run: str) -> None:
        super().__init__(f"{run}: another ingest is at work on this run")


@dataclass(frozen=True, slots=True)
class Shared:
    """What all runs of an ingest have in common."""

    places: Places
    fingerprints: Fingerprints
    tally: Tally
    log: StepLog
    planned: Mapping[str, Step]
    """All steps of the plan, by name."""
    unselected: frozenset[str]
    """Steps that are not done now, and whose earlier results count."""
    given: Mapping[str, str]
    """What numbered folders were given to when it was made."""
    should_stop: Callable[[], bool]
    now: Callable[[], float]


class Run:
    """The steps of one run, or of a dataset or deposition alone.

    Parameters
    ----------
    name
        Its place.
    targets, steps
        Its entities, parents first, and its steps, those that others need first.
    outside
        What contains it: deposition and dataset.
    shared
        What all runs have in common.
    earlier
        Facts of steps of other runs that are done.
    is_lost
        Whether somebody else has the run now.
    """

    def __init__(
        self,
        name: str,
        targets: Sequence[Target],
        steps: Sequence[Step],
        outside: Sequence[Target],
        shared: Shared,
        *,
        earlier: Mapping[str, Facts],
        is_lost: Callable[[], bool],
    ) -> None:
        self._name = name
        self._targets = {target.identity: target for target in targets}
        self._steps = steps
        self._outside = outside
        self._shared = shared
        self._earlier = earlier
        self._is_lost = is_lost
        self._run = next((one.identity for one in targets if one.entity.type == "run"), "")
        unselected = {name for name in shared.unselected if name.rpartition("#")[0] in self._targets}
        self._noted = _read_log(shared.log, [*(step.name for step in steps), *sorted(unselected)], self._run)
        """What was noted before, of other steps too."""
        self._unselected = [noted for name, noted in self._noted.items() if name in unselected]
        self._inputs = {key: pair for noted in self._noted.values() for key, pair in noted.inputs.items()}
        self._failed: dict[str, str] = {}
        self._done: MutableMapping[str, Noted] = {}
        self._work: Work | None = None
        self.is_stopped = False

    @property
    def facts(self) -> dict[str, Facts]:
        """What is known of the results of the steps that are done."""
        return {name: noted.facts for name, noted in self._done.items()}

    def do(self) -> Iterator[StepOutcome]:
        """Do each step that has something to do, and yield what became of it."""
        if self._run:
            # nobody else writes here while the lease is ours: what lies unfinished is of one that was killed
            self._shared.places.destination.sweep(0, self._name)
            reserve(self._shared.log, self._run, list(self._targets.values()), self._shared.given)
        for step in self._steps:
            if self._shared.should_stop() or self._is_lost():
                self.is_stopped = True
                return
            outcome = self._tried(step)
            if outcome is None:
                return
            if outcome.outcome in ("failed", "skipped"):
                self._failed[step.name] = outcome.reason
            yield outcome

    def seen(self) -> tuple[list[EntitySeen], list[EntitySeen]]:
        """Return the entities whose steps are all done, and what contains them; what failed stays as it was."""
        broken = {self._shared.planned[name].target for name in self._failed}
        undone = {step.target for step in self._steps if step.name not in self._done}
        whole = [target for target in self._targets.values() if target.identity not in broken | undone]
        steps = [step for step in self._steps if step.name in self._done]
        return entities_seen(whole, steps, self._done, self._unselected, self._outside)

    def _tried(self, step: Step) -> StepOutcome | None:
        """Return what became of a step, or ``None`` where it was stopped."""
        began = time.perf_counter()
        self._work = None
        try:
            return self._do(step, began)
        except StoppedError:
            self.is_stopped = True
            return None
        except CoverslipError as error:
            return self._outcome(step, "failed", began, reason=str(error), work=self._work)
        except Exception as error:  # a library that stumbles over what a stranger wrote must not stop the other runs
            log.exception("%s", step.name)
            return self._outcome(step, "failed", began, reason=f"{type(error).__name__}: {error}", work=self._work)

    def _do(self, step: Step, began: float) -> StepOutcome:
        needs: dict[str, Facts] = {}
        for name in step.after:
            if name in self._failed:
                return self._outcome(step, "skipped", began, reason=f"it needs {name}, which was not done")
            needs[name] = self._facts_of(name)
        recipe = RECIPES[step.recipe]
        fingerprints = {one: self._shared.fingerprints.of(one, self._inputs) for one in step.inputs}
        target = self._targets[step.target]
        before = self._noted.get(step.name)
        work = Work(
            step,
            target,
            needs=needs,
            places=self._shared.places,
            sizes={one: found.size for one, found in fingerprints.items()},
            tally=self._shared.tally,
            is_stopped=lambda: self._shared.should_stop() or self._is_lost(),
            before=before,
            now=self._shared.now,
            verify=lambda: self._verify(fingerprints),
        )
        self._work = work
        contents = {one: found.digest for one, found in fingerprints.items()}
        said = recipe.depends(step, needs) if recipe.depends else None
        digest = step_digest(step, recipe.version, contents, needs, said)
        inputs = {key_of(one): (found.mark, found.digest) for one, found in fingerprints.items() if found.mark}
        if before is not None and before.digest == digest and self._are_there(step, before):
            now = Noted(step.name, digest, before.facts, before.outputs, inputs, before.marks, before.shape)
            if before.inputs != now.inputs:
                self._shared.log.note(now.record())
            self._done[step.name] = now
            return self._outcome(step, "unchanged", began)
        work.digest = digest
        facts = recipe.do(work)
        self._check(step, work, fingerprints)
        marks = {key: self._look(key) for key in step.outputs}
        done = Noted(step.name, digest, facts, dict(work.outputs), inputs, marks, str(step.options.get("shape") or ""))
        work.go_on()
        self._shared.log.note(done.record())
        self._done[step.name] = done
        kind: Outcome = "written" if before is None else "updated"
        is_new = before is None or work.objects
        return self._outcome(step, kind if is_new else "unchanged", began, work=work)

    def _check(self, step: Step, work: Work, fingerprints: Mapping[Input, Fingerprint]) -> None:
        """Raise an error when a recipe did not keep to the plan, or a source changed while it was read."""
        if work.outputs.keys() != set(step.outputs):
            raise BuildError(f"{step.name}: planned were {sorted(step.outputs)}, written {sorted(work.outputs)}")
        self._verify(fingerprints)

    def _verify(self, fingerprints: Mapping[Input, Fingerprint]) -> None:
        """Raise an error when a source has changed since it was looked at: what was made of it is not published."""
        for one in fingerprints:
            if not self._shared.fingerprints.is_as_it_was(one):
                raise ReadError(f"{one.path}: was changed while it was read")

    def _facts_of(self, name: str) -> Facts:
        """Return the facts of a step that is done, now or by an earlier ingest.

        Raises
        ------
        NotFoundError
            It was never done.
        """
        if name in self._done:
            return self._done[name].facts
        if name in self._earlier:
            return self._earlier[name]
        noted = _read_log(self._shared.log, [name]).get(name)
        if noted is None or name in self._shared.planned:
            raise NotFoundError(f"it needs {name}, which was not done")
        return noted.facts

    def _are_there(self, step: Step, before: Noted) -> bool:
        """Return whether every output is as it was when it had been written."""
        return all(before.marks.get(key) == self._listed_mark(key) for key in step.outputs)

    @cached_property
    def _listed(self) -> dict[str, list[StoredObject]] | None:
        """Everything below a run, by folder, from one listing; ``None`` above runs, where a listing would be of all."""
        if not self._run:
            return None
        return by_output(self._shared.places.destination.list(self._name))

    def _listed_mark(self, key: str) -> str:
        listed = self._listed
        if listed is None or not key.startswith(f"{self._name}/"):
            try:
                return self._look(key)
            except NotFoundError:
                return ""
        return mark_of(key, listed.get(key, []))

    def _look(self, key: str) -> str:
        """Return what the destination says of an output now."""
        destination = self._shared.places.destination
        found = list(destination.list(key)) if key.endswith(".zarr") else [destination.find(key)]
        return mark_of(key, found)

    def _outcome(
        self, step: Step, outcome: Outcome, began: float, *, reason: str = "", work: Work | None = None
    ) -> StepOutcome:
        objects, size = (work.objects, work.bytes) if work else (0, 0)
        seconds = round(time.perf_counter() - began, 3)
        return StepOutcome(step.name, step.recipe, self._name, outcome, reason, objects, size, seconds)


def _read_log(log: StepLog, names: Sequence[str], run: str = "") -> dict[str, Noted]:
    """Return what is noted of steps, by name, and of all others of a run, where one is given."""
    records: dict[str, StepRecord] = {}
    for prefix in (f"{run}/", f"{run}#") if run else names:
        records.update(log.steps(prefix))
    found = {name: Noted.of(record) for name, record in records.items()}
    return {name: noted for name, noted in found.items() if noted is not None}
