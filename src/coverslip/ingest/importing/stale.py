"""Records whose documents a complete listing no longer shows, removed while their run is imported."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from posixpath import normpath
from typing import Literal
from uuid import uuid4

from coverslip.catalog import Catalog
from coverslip.catalog.cleaning import cleanup_of
from coverslip.catalog.planning import plan_removals
from coverslip.ingest.examine import Locate
from coverslip.ingest.importing.listing import Listing
from coverslip.ingest.look import is_gone
from coverslip.model.removal import RECORD, BrakeStop, Candidate, CleanupPlan, Permit, Scope, anything

CleanupMode = Literal["on", "report", "off"]
"""``on``: stale records are removed with the import of their run. ``report``: a plan is kept to be reviewed."""
WAIT_SECONDS = 5.0
"""How long an import waits for a cleanup of its layout before it goes on without removing anything."""
PAUSE_SECONDS = 0.1
LEASE_SECONDS = 60.0
"""How long an import has the right to clean a run; one that took longer still notices, and removes nothing."""
MORE_THAN_LISTED = "it is not in the listing, and yet it may be there"


@dataclass(slots=True)
class Cleaned:
    """What became of stale records during an import."""

    removed: int = 0
    planned: int = 0
    """Rows that plans to review would remove."""
    unknown: int = 0
    let_through: int = 0
    """Rows of plans that the brake would have stopped without the number that was allowed."""
    plans: list[str] = field(default_factory=list)
    stops: list[BrakeStop] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Sweeping:
    """How an import treats stale records.

    Parameters
    ----------
    mode_of
        What is done in a dataset, by its name.
    actor, command
        Who imports, and how it was said.
    allow
        A number of removals that was reviewed, for all runs together: what a run removes that the brake would have
        stopped counts, and the next run has the rest. See ``CleanupPlan.held``.
    permitted
        Tells whether the actor may remove a row. The others stay and are not told.
    """

    mode_of: Callable[[str], CleanupMode]
    actor: str = ""
    command: str = ""
    allow: int = 0
    permitted: Permit = anything


@dataclass(frozen=True, slots=True)
class _Listed:
    """What a listing says of keys, as answers."""

    present: frozenset[str]
    absent: frozenset[str]
    unknown: Mapping[str, str]
    orphans: frozenset[str] = frozenset()


def find_stale(
    catalog: Catalog, run_id: int, listing: Listing, locate: Locate, sweeping: Sweeping
) -> CleanupPlan | None:
    """Return a plan for the stale records of a run; ``None`` where nothing is to be removed or told.

    The rows are read first, then each document that the listing lacks is looked for once more: what was written since
    the listing began is no longer taken for gone.

    Raises
    ------
    CatalogError
        The catalog does not answer.
    """
    scope = Scope(RECORD, run_id=run_id)
    candidates, beside = catalog.candidates(scope)
    mine, near, hidden = _told(candidates, beside, sweeping)
    layout = str(listing.root)
    every = [*mine, *near, *hidden]
    first = plan_removals(mine, _answers(listing, every, {}), beside=near, hidden=hidden)
    if not first.removals and not first.stops:
        return None
    going = {one.id for one in first.removals if one.merged_into is None}
    doubtful = {
        key: MORE_THAN_LISTED
        for one in every
        if one.id in going  # the document of a duplicate is there, and stays so
        for key in ((one.document,) if one.document else one.files)
        if not is_gone(f"{layout}/{key}", locate)
    }
    answers = _answers(listing, every, doubtful, _run_folders(every))
    found = plan_removals(mine, answers, beside=near, hidden=hidden)
    if not found.removals and not found.stops:
        return None
    along = catalog.along(one.id for one in found.removals)
    removals = tuple(
        replace(one, authors=more.authors, links=more.links, bytes=more.bytes) if (more := along.get(one.id)) else one
        for one in found.removals
    )
    removals = catalog.with_dependents(removals, actor=sweeping.actor, permitted=sweeping.permitted)
    counts = {"rows": found.rows, "found": len(removals), "unknown": len(found.unknown)}
    return CleanupPlan(
        id=uuid4().hex[:12],
        scope=scope,
        created_at=catalog.now(),
        actor=sweeping.actor,
        command=sweeping.command,
        removals=removals,
        unknown=found.unknown,
        stops=found.stops,
        counts={**counts, "incomplete": 0, "orphans": 0, "stops": len(found.stops)},
    )


@contextmanager
def right_to_clean(catalog: Catalog, layout: str) -> Iterator[str | None]:
    """Hold the right to clean a layout for the time of a ``with`` statement; its value is a token of it.

    ``None`` where others have it and do not give it back soon: an import goes on without removing anything.
    """
    name = cleanup_of(layout)
    deadline = time.monotonic() + WAIT_SECONDS
    while (token := catalog.take_lease(name, LEASE_SECONDS)) is None and time.monotonic() < deadline:
        time.sleep(PAUSE_SECONDS)
    try:
        yield token
    finally:
        if token is not None:
            catalog.end_lease(name, token)


def _told(
    candidates: Iterable[Candidate], beside: Iterable[Candidate], sweeping: Sweeping
) -> tuple[list[Candidate], list[Candidate], list[Candidate]]:
    """Return the rows to judge and those beside them that may be told of, and all others."""
    mine, near, hidden = list[Candidate](), list[Candidate](), list[Candidate]()
    for rows, kept in ((candidates, mine), (beside, near)):
        for one in rows:
            (kept if sweeping.permitted(sweeping.actor, one) else hidden).append(one)
    return mine, near, hidden


def _run_folders(rows: Iterable[Candidate]) -> set[str]:
    return {"/".join(parts[:2]) for one in rows for key in one.keys if len(parts := key.split("/", 2)) > 2}


def _answers(
    listing: Listing, rows: Iterable[Candidate], doubtful: Mapping[str, str], folders: Iterable[str] = ()
) -> _Listed:
    """Return what a listing says of the keys of some rows, and what else it shows below some folders."""
    keys = {key for one in rows for key in one.keys}
    unknown = {key: why for key in keys if (why := doubtful.get(key) or _why_unknown(listing, key))}
    present = {key for key in keys if key in listing.files and key not in unknown}
    others = frozenset(key for folder in folders for key in listing.below(folder) if key not in keys)
    return _Listed(frozenset(present), frozenset(keys - present - unknown.keys()), unknown, others)


def _why_unknown(listing: Listing, key: str) -> str:
    """Return why a listing does not tell whether a key is there; empty where it does."""
    if key in listing.files:
        return ""
    if listing.is_unlisted(key):
        return "its folder could not be listed"
    if key != normpath(key) or key.startswith(("/", "..")):
        return "no listing shows a place that is written so"
    if any(part.startswith(".") for part in key.split("/")) or _is_inside(key):
        return "listings leave it out"
    return ""


def _is_inside(key: str) -> bool:
    """Return whether a key lies inside of what a listing counts as one thing."""
    return any(part.endswith(".zarr") or part == "NeuroglancerPrecompute" for part in key.split("/")[:-1])
