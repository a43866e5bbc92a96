"""Records, and what is known of their existence -> rows that go and rows that stay. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from coverslip.model.removal import (
    AT_LEAST,
    DOCUMENTED,
    OF_SPACINGS,
    SHARE,
    Answers,
    BrakeStop,
    Candidate,
    Group,
    Kept,
    Removal,
)

RECONSTRUCTIONS = "Reconstructions"
"""The folder of a run that its voxel spacings lie in."""
State = Literal["there", "absent", "unknown"]


@dataclass(frozen=True, slots=True)
class Planned:
    """What a cleanup of one layout comes to."""

    rows: int = 0
    """Candidates that were looked at."""
    removals: tuple[Removal, ...] = ()
    unknown: tuple[Kept, ...] = ()
    incomplete: tuple[Kept, ...] = ()
    complete: tuple[int, ...] = ()
    stops: tuple[BrakeStop, ...] = ()
    orphans: tuple[str, ...] = ()


def plan_removals(
    candidates: Sequence[Candidate],
    answers: Answers,
    *,
    beside: Iterable[Candidate] = (),
    hidden: Iterable[Candidate] = (),
) -> Planned:
    """Return what a cleanup of one layout would do. Nothing but a certain *absent* removes a row.

    A row is absent when its document is, and of a type without documents when all of its files are and it has some. It
    stays while anything lies in it that is not absent too; what lies in it and is absent goes along with it. A row
    whose document is there and whose files are not is incomplete, and stays.

    Rows of the same document, called differently by different imports, become part of the oldest of them.

    The brake counts siblings: rows of one voxel spacing, or of one run, by type and those of all types together. It
    stops them where the listing shows nothing at all of their spacing or run, however few they are, and where at least
    five of them and more than a fifth would go.

    Parameters
    ----------
    candidates
        Rows to judge, of one layout.
    answers
        What is known of their keys.
    beside
        Other rows of the same runs: they tell whether anything of a run is there, what depends on what goes, and what
        lies in it.
    hidden
        Rows that are not told of: they are neither counted nor named, and what contains one stays.
    """
    others = list(beside)
    inside: dict[int, list[Candidate]] = defaultdict(list)
    for one in others:
        if one.parent_id is not None:
            inside[one.parent_id].append(one)
    judge = _Judge(
        answers, _seen_folders(answers), frozenset(one.parent_id for one in hidden if one.parent_id is not None)
    )
    shown = _shown_with([*candidates, *others])
    duplicates = _duplicates(candidates)
    for one in sorted(
        candidates, key=lambda one: (one.layout, one.group.dataset, one.group.run, one.group.spacing, one.type, one.id)
    ):
        judge.take(one, inside, shown, duplicates.get(one.id))
    orphans = tuple(sorted(answers.orphans))
    return Planned(
        len(candidates),
        tuple(judge.removals),
        tuple(judge.unknown),
        tuple(judge.incomplete),
        tuple(judge.complete),
        tuple(judge.stops()),
        orphans,
    )


@dataclass(slots=True)
class _Judge:
    answers: Answers
    seen: frozenset[str]
    """Folders of runs and of voxel spacings of which anything is there."""
    holding: frozenset[int] = frozenset()
    """Rows that contain some that are not told of."""
    removals: list[Removal] = field(default_factory=list)
    unknown: list[Kept] = field(default_factory=list)
    incomplete: list[Kept] = field(default_factory=list)
    complete: list[int] = field(default_factory=list)
    rows: dict[Group, list[State]] = field(default_factory=lambda: defaultdict(list))
    folders: dict[Group, set[str]] = field(default_factory=lambda: defaultdict(set))

    def take(
        self,
        one: Candidate,
        inside: Mapping[int, Sequence[Candidate]],
        shown: Mapping[int, int],
        merged_into: int | None,
    ) -> None:
        """Judge one row; one of the same document as an older row becomes part of that if the document is there."""
        state, why = self.state(one)
        within = [(below, *self.state(below)) for below in inside.get(one.id, ())]
        if state == "absent" and (left := [below for below, how, _ in within if how != "absent"]):
            state, why = "unknown", f"it is not there, but what lies in it may be: {left[0].identity}"
        if state == "absent" and one.id in self.holding:
            state, why = "unknown", "it is not there, but what lies in it may be"
        self.rows[one.group].append(state)
        self.folders[one.group].add(_scope_of(one))
        if state == "unknown":
            self.unknown.append(_kept(one, why))
        elif state == "absent":
            self.removals += [_removal(below, one.group, shown) for below, _, _ in within]
            self.removals.append(_removal(one, one.group, shown))
        elif merged_into is not None:
            row = _removal(one, one.group, shown)
            self.removals.append(replace(row, reason="duplicate", merged_into=merged_into))
        else:
            self._look_at_files(one)

    def state(self, one: Candidate) -> tuple[State, str]:
        """Return how a row stands, and of an unknown one why."""
        keys = (one.document,) if one.type in DOCUMENTED else one.files
        if one.type in DOCUMENTED and not one.document:
            return "unknown", "nobody knows where its document would be"
        if not keys:
            return "there", ""  # nothing says that it is gone
        if any(key in self.answers.present for key in keys):
            return "there", ""
        doubtful = next((key for key in keys if key not in self.answers.absent), None)
        if doubtful is None:
            return "absent", ""
        return "unknown", self.answers.unknown.get(doubtful, "nobody looked for it")

    def stops(self) -> Iterable[BrakeStop]:
        """Yield the scopes in which the brake holds."""
        together: dict[Group, list[State]] = defaultdict(list)
        for group, states in self.rows.items():
            together[replace(group, type="")] += states
        for group, states in self.rows.items():
            going = states.count("absent")
            if going and not self.folders[group] & self.seen:
                yield BrakeStop(group, "empty", going, len(states))
            elif going and (_are_many(states) or _are_many(together[replace(group, type="")])):
                yield BrakeStop(group, "many", going, len(states))
            elif states.count("unknown") == len(states):
                yield BrakeStop(group, "failed", going, len(states))

    def _look_at_files(self, one: Candidate) -> None:
        missing = [file for file in one.files if file in self.answers.absent]
        if missing:
            more = f" and {len(missing) - 1:,} more" if len(missing) > 1 else ""
            self.incomplete.append(_kept(one, f"{missing[0]}{more}: not there"))
        elif one.is_incomplete and all(file in self.answers.present for file in one.files):
            self.complete.append(one.id)


def _duplicates(rows: Iterable[Candidate]) -> dict[int, int]:
    """Return the rows that are of the same document as an older one, and that one."""
    first: dict[tuple[str, str], int] = {}
    found: dict[int, int] = {}
    for one in sorted(rows, key=lambda one: one.id):
        if one.document:
            oldest = first.setdefault((one.type, one.document), one.id)
            if oldest != one.id:
                found[one.id] = oldest
    return found


def _kept(one: Candidate, why: str) -> Kept:
    return Kept(one.type, one.id, one.identity, one.layout, one.key, why, one.image_id)


def _removal(one: Candidate, group: Group, shown: Mapping[int, int]) -> Removal:
    return Removal(
        one.type,
        one.id,
        one.identity,
        one.layout,
        one.key,
        one.revision,
        group=group,
        shapes=one.shapes,
        files=len(one.files),
        dependents=_dependents(one, shown.get(one.id, 0)),
        image_id=one.image_id,
    )


def _dependents(one: Candidate, number: int) -> tuple[str, ...]:
    if not number:
        return ()
    nouns = {"annotation": ("tomogram shows it", "tomograms show it")}
    one_word, many = nouns.get(one.type, ("record was made with it", "records were made with it"))
    return (f"{number:,} {one_word if number == 1 else many}",)


def _shown_with(rows: Iterable[Candidate]) -> dict[int, int]:
    """Return how many tomograms show each annotation, and how many records were made with each alignment."""
    tomograms: dict[tuple[int, str], int] = defaultdict(int)
    made_with: dict[tuple[int, str], int] = defaultdict(int)
    every = list(rows)
    for one in every:
        whose = (one.group.run_id, one.alignment)
        tomograms[whose] += one.type == "tomogram"
        made_with[whose] += one.type in ("tomogram", "annotation")
    counts = {"annotation": tomograms, "alignment": made_with}
    return {one.id: counts[one.type][one.group.run_id, one.alignment] for one in every if one.type in counts}


def _are_many(states: Sequence[State]) -> bool:
    going = states.count("absent")
    return going >= AT_LEAST and going > SHARE * len(states)


def _seen_folders(answers: Answers) -> frozenset[str]:
    """Return the folders of runs and of voxel spacings of which anything is there."""
    return frozenset(folder for keys in (answers.present, answers.orphans) for key in keys for folder in _above(key))


def _scope_of(one: Candidate) -> str:
    """Return the folder whose emptiness would say that a row is not withdrawn, but out of reach."""
    run, *spacing = _above(one.document or next(iter(one.files), one.key))
    return spacing[0] if spacing and one.type in OF_SPACINGS else run


def _above(key: str) -> Iterator[str]:
    """Yield the folder of the run that a key lies in, and below it that of the voxel spacing."""
    parts = key.split("/", 4)
    yield "/".join(parts[:2])
    if len(parts) > 4 and parts[2] == RECONSTRUCTIONS:
        yield "/".join(parts[:4])
