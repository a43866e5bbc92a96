"""A plan of a cleanup as it is looked through: what it comes to, and a page of its rows at a time."""

from dataclasses import dataclass

from coverslip.model.removal import BrakeStop, CleanupPlan, Group


@dataclass(frozen=True, slots=True)
class RowTotals:
    """What some rows that go come to, with what goes along with them."""

    rows: int = 0
    duplicates: int = 0
    """Those of them that become part of another row."""
    shapes: int = 0
    files: int = 0
    authors: int = 0
    links: int = 0
    bytes: int = 0
    """Size of the artifacts made of them."""


@dataclass(frozen=True, slots=True)
class GroupTotals:
    """Rows that go and lie beside each other."""

    index: int
    """Counts the groups of a plan from 0; it stays the same."""
    group: Group
    totals: RowTotals
    is_stopped: bool
    """Whether the brake holds them."""


@dataclass(frozen=True, slots=True)
class PlanReport:
    """What a plan comes to, and a page of its groups."""

    plan: CleanupPlan
    """Without its rows."""
    totals: RowTotals
    going: int
    """Rows that go when it is applied and no number is allowed; the brake holds the others."""
    complete: int
    """Rows that are marked as incomplete and are so no more: applying it takes the mark off."""
    stops: tuple[BrakeStop, ...]
    """The first scopes in which the brake holds; ``counts["stops"]`` tells how many there are."""
    total: int
    """Groups there are."""
    groups: tuple[GroupTotals, ...]


@dataclass(frozen=True, slots=True)
class PlanPage[T]:
    """Some rows of one sort, in the order of the plan."""

    total: int
    """How many there are of the sort."""
    rows: tuple[T, ...]
