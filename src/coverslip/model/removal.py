"""What a cleanup looks at, and what it would remove, as frozen values."""

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

PlanState = Literal["open", "applied", "undone", "purged"]
"""``open``: nothing was removed yet. ``applied``: its rows are tombstones. ``undone``: they were brought back.
``purged``: they are gone for good, so that nothing can be brought back."""
Reason = Literal["absent", "duplicate", "unnamed"]
"""``absent``: a complete listing does not show its document. ``duplicate``: another row is of the same document.
``unnamed``: what it was written from names it no more."""
StopReason = Literal["empty", "failed", "many"]
"""``empty``: the listing showed nothing at all of the run or voxel spacing. ``failed``: it could not be listed to the
end. ``many``: more than the allowed share of the scope would go."""

SHARE = 0.2
"""The brake: no more of the rows of one scope than this go by themselves ..."""
AT_LEAST = 5
"""... where there are at least so many of them to remove."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which records a cleanup looks at. What is not given does not narrow it."""

    type: str
    """Their type: ``annotation``, ``tomogram``, ``alignment`` ...; ``record`` is every type that is cleaned."""
    dataset_id: int | None = None
    """Public number of a dataset, a run, a voxel spacing."""
    run_id: int | None = None
    voxel_spacing_id: int | None = None
    layout: str = ""
    """Folder or address of the layout; empty for all layouts. Of images: the folder that they lie below."""
    entity_ids: tuple[int, ...] = ()
    """These records alone, by public number."""
    everything: bool = False
    """Whether the whole catalog is meant; without this, something of the above has to be given."""

    @property
    def is_narrow(self) -> bool:
        """Whether anything narrows it."""
        return any((self.dataset_id, self.run_id, self.voxel_spacing_id, self.layout, self.entity_ids))

    def __str__(self) -> str:
        given = {
            "dataset": self.dataset_id,
            "run": self.run_id,
            "voxel spacing": self.voxel_spacing_id,
            "layout": self.layout,
            "records": ",".join(map(str, self.entity_ids)),
        }
        words = [f"{name} {value}" for name, value in given.items() if value]
        return f"{self.type} of {', '.join(words) or ('everything' if self.everything else 'nothing')}"


@dataclass(frozen=True, slots=True)
class Group:
    """Siblings: what the brake counts together. A voxel spacing for annotations and tomograms, a run for the rest."""

    dataset: str
    """Names, empty where there is none."""
    run: str
    spacing: str
    number: int = 0
    """Public number of the voxel spacing or run (or what else contains them)."""
    dataset_id: int = 0
    run_id: int = 0
    layout: str = ""
    type: str = ""
    """Of the rows that are counted."""


DOCUMENTED = frozenset(
    {"deposition", "dataset", "run", "frame", "tiltseries", "alignment", "identified_object", "tomogram", "annotation"}
)
"""Types of which every entity has a document, which says whether it is there. Of the others the files say it."""
OF_SPACINGS = frozenset({"tomogram", "annotation"})
"""Types that lie in a voxel spacing."""
CLEANED = frozenset({"frame", "gain", "tiltseries", "alignment", "identified_object", "tomogram", "annotation"})
"""Types of which stale rows are removed. What contains others is not among them."""
RECORD = "record"
"""Of scopes: all types that are cleaned."""
IMAGE = "image"
"""Of scopes: images whose files are gone. They are no records of a layout, and are cleaned by themselves."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """What a plan needs to know of one row: of a type that is cleaned, or beside one."""

    type: str
    id: int
    identity: str
    layout: str
    key: str
    """Place of its document below the top of the layout; of its folder, where its type has none."""
    files: tuple[str, ...] = ()
    """Places of its files below the top of the layout."""
    shapes: int = 0
    alignment: str = ""
    parent_id: int | None = None
    revision: int = 1
    group: Group = Group("", "", "")
    is_incomplete: bool = False
    """Whether it is marked as incomplete already."""
    image_id: str = ""
    """Of an image: its identifier. It has no number."""

    @property
    def document(self) -> str:
        """Place of its document; empty where its type has none."""
        return self.key if self.type in DOCUMENTED else ""

    @property
    def keys(self) -> tuple[str, ...]:
        """Everything whose existence has to be known to judge it."""
        return (self.document, *self.files) if self.document else self.files


class Answers(Protocol):
    """What is known of the existence of keys, however it was asked. What is in none of the three is unknown."""

    @property
    def present(self) -> AbstractSet[str]:
        """Keys that are there."""

    @property
    def absent(self) -> AbstractSet[str]:
        """Keys that are certainly not there."""

    @property
    def unknown(self) -> Mapping[str, str]:
        """Keys that nobody knows about, and why."""

    @property
    def orphans(self) -> AbstractSet[str]:
        """What is there and no key names."""


class Named(Protocol):
    """What a permission is asked for: a row that may be removed or brought back."""

    @property
    def type(self) -> str: ...  # noqa: D102  # as in Candidate and Removal
    @property
    def id(self) -> int: ...  # noqa: D102
    @property
    def identity(self) -> str: ...  # noqa: D102
    @property
    def layout(self) -> str: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Whose:
    """The least that a permission is asked for: a row that is known by its number alone, or bytes that no row names."""

    type: str
    id: int
    identity: str
    layout: str


Permit = Callable[[str, Named], bool]
"""Tells whether an actor may remove a row. Rows that may not be removed are neither removed nor told of."""


def anything(_actor: str, _row: Named) -> bool:
    """Permit everything: the one user of a catalog on this machine."""
    return True


@dataclass(frozen=True, slots=True)
class Dependent:
    """Something that shows a row or is made of it. It is marked when the row goes, and stays."""

    kind: str
    """``view``, ``export``, ``annotation``, or the kind of an artifact: ``neuroglancer_state``, ``key_photo`` ..."""
    id: str
    """Of a view, export or annotation its identifier; of an artifact that of its image."""
    name: str
    """What people call it, or the image that it is of; may be empty."""

    def __str__(self) -> str:
        return f"{self.kind} {self.id}" + (f" ({self.name})" if self.name else "")


@dataclass(frozen=True, slots=True)
class Removal:
    """One row that would go."""

    type: str
    id: int
    """Public number; 0 of an image."""
    identity: str
    """Of an image: the path of its file and its place in it."""
    layout: str
    key: str
    """Place of its document, or of the file of an image, below the top of the layout."""
    revision: int
    """Its revision when the plan was made: with another one it stays."""
    reason: Reason = "absent"
    group: Group = Group("", "", "")
    shapes: int = 0
    """How many of these go along with it."""
    files: int = 0
    authors: int = 0
    links: int = 0
    bytes: int = 0
    """Size of the artifacts made of it, which a purge frees."""
    dependents: tuple[str, ...] = ()
    """What is derived from it or refers to it, in words; it is marked, and stays."""
    merged_into: int | None = None
    """Of a duplicate: the row that stays instead, to which everything is pointed."""
    image_id: str = ""
    """Of an image: its identifier."""
    depending: tuple[Dependent, ...] = ()
    """Some of what shows it or is made of it, by name."""
    more_depending: int = 0
    """How many more there are."""

    @property
    def path(self) -> str:
        """Where its document is, or was."""
        return f"{self.layout.rstrip('/')}/{self.key}"

    @property
    def label(self) -> str:
        """What people call it by: its public number, or the identifier of an image."""
        return self.image_id or str(self.id)


@dataclass(frozen=True, slots=True)
class Kept:
    """One row that stays although it is not as it should be."""

    type: str
    id: int
    identity: str
    layout: str
    key: str
    why: str
    """Of ``unknown``: why nobody knows. Of ``incomplete``: which files are missing."""
    image_id: str = ""
    """Of an image: its identifier."""

    @property
    def label(self) -> str:
        """What people call it by: its public number, or the identifier of an image."""
        return self.image_id or str(self.id)


@dataclass(frozen=True, slots=True)
class BrakeStop:
    """A scope in which nothing is removed until somebody has looked."""

    group: Group
    reason: StopReason
    removed: int
    """How many rows would go."""
    rows: int
    """How many there are."""

    def __str__(self) -> str:
        where = "/".join(part for part in (self.group.dataset, self.group.run, self.group.spacing) if part)
        words = {
            "empty": "the listing shows nothing of it",
            "failed": "it could not be listed to the end",
            "many": f"more than {SHARE:.0%} would go",
        }[self.reason]
        rows = f"{self.group.type} rows".strip()
        return f"{where or self.group.layout}: {self.removed} of {self.rows} {rows} would be removed, {words}"


@dataclass(frozen=True, slots=True)
class CleanupPlan:
    """What a cleanup would do, kept to be reviewed and applied by its id."""

    id: str
    scope: Scope
    created_at: datetime
    actor: str
    state: PlanState = "open"
    command: str = ""
    """The command or request that it was made by."""
    removals: tuple[Removal, ...] = ()
    unknown: tuple[Kept, ...] = ()
    """Rows that nobody knows about. They stay."""
    incomplete: tuple[Kept, ...] = ()
    """Rows with a document whose data files are certainly not there. They stay, and are shown as incomplete."""
    complete: tuple[int, ...] = ()
    """Rows that were incomplete and are no more, by public number."""
    orphans: tuple[str, ...] = ()
    """Documents that the catalog lacks, as places."""
    stops: tuple[BrakeStop, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    """``rows`` looked at, ``found`` (removals), ``unknown``, ``incomplete``, ``orphans``, ``requests``,
    ``milliseconds``."""
    applied_at: datetime | None = None
    undone_at: datetime | None = None

    @property
    def stopped(self) -> frozenset[Group]:
        """Scopes in which the brake holds."""
        return frozenset(stop.group for stop in self.stops)

    def to_go(self, allow: int = 0) -> tuple[Removal, ...]:
        """Return what is removed when the plan is applied; ``allow`` as for ``held``."""
        held = {stop.group for stop in self.held(allow)}
        return tuple(one for one in self.removals if one.group not in held)

    def held(self, allow: int = 0) -> tuple[BrakeStop, ...]:
        """Return the stops that hold when the plan is applied.

        Parameters
        ----------
        allow
            A number that was reviewed. Scopes of which many would go are let through if no more rows than this go in
            all of the plan; empty ones, if exactly so many go; and those that could not be listed, never: looking again
            may show what is there.
        """
        number = len(self.removals)
        let_through = {"many": number <= allow, "empty": number == allow, "failed": False}
        return tuple(stop for stop in self.stops if not let_through[stop.reason])
