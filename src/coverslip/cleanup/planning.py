"""Plans of cleanups: which records are asked about, what is known of them, what would go; and applying them."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from typing import Protocol
from uuid import uuid4

from coverslip.catalog import Catalog
from coverslip.catalog.cleaning import cleanup_of
from coverslip.catalog.planning import Planned, plan_removals
from coverslip.cryoet.layout import parse
from coverslip.errors import ConflictError, InvalidRequestError
from coverslip.jobs.heartbeat import Heartbeat
from coverslip.model.removal import (
    CLEANED,
    IMAGE,
    RECORD,
    Answers,
    Candidate,
    CleanupPlan,
    Permit,
    Removal,
    Scope,
    anything,
)
from coverslip.model.removed import Applied

__all__ = ["Asked", "Look", "apply_plan", "excluding_others", "make_plan", "plan_removals", "told"]

LEASE_SECONDS = 60.0
"""How long a cleanup that was killed keeps others from its layout."""


class Asked(Answers, Protocol):
    """Answers, and what they cost."""

    @property
    def requests(self) -> int:
        """Pages of listings, and looks at single keys."""

    @property
    def seconds(self) -> float:
        """How long it took."""

    @property
    def sizes(self) -> Mapping[str, int]:
        """Bytes of each orphan."""

    @property
    def unlisted(self) -> Mapping[str, str]:
        """Folders that could not be listed to the end, and why: orphans may be missing."""


class Look(Protocol):
    """Asks what is there."""

    def __call__(
        self, layout: str, keys: Collection[str], prefixes: Collection[str], only_with: Mapping[str, str] = ..., /
    ) -> Asked:
        """Return what is known of keys.

        Parameters
        ----------
        layout
            Where the layout lies.
        keys
            Below its top.
        prefixes
            Folders of it that are listed for orphans.
        only_with
            Keys that matter only while another one is there, and that one.
        """


def make_plan(
    catalog: Catalog,
    scope: Scope,
    look: Look,
    *,
    actor: str,
    command: str = "",
    permitted: Permit = anything,
) -> CleanupPlan:
    """Return what a cleanup would do, kept in the catalog to be reviewed and applied by its id. Nothing is removed.

    Parameters
    ----------
    catalog
        What is cleaned.
    scope
        Which records are looked at.
    look
        Asks what is there.
    actor, command
        Who wants to know, and how it was said.
    permitted
        Tells whether the actor may remove a row. Of the others the plan says nothing.

    Raises
    ------
    InvalidRequestError
        Nothing narrows the scope, or records of its type are not cleaned.
    NotFoundError
        There is no such dataset, run, voxel spacing or record.
    ConflictError
        Another cleanup of the same layout is under way.
    """
    if scope.type not in {*CLEANED, RECORD, IMAGE}:
        raise InvalidRequestError(
            f"records of type {scope.type!r} are not cleaned, but {', '.join(sorted(CLEANED))} are"
        )
    candidates, beside = (
        (catalog.image_candidates(scope), list[Candidate]()) if scope.type == IMAGE else catalog.candidates(scope)
    )
    mine, hidden = told(candidates, actor, permitted)
    beside, more_hidden = told(beside, actor, permitted)
    planned: list[Planned] = []
    requests, seconds = 0, 0.0
    by_layout = _by_layout(mine)
    near_by = _by_layout(beside)
    untold = _by_layout([*hidden, *more_hidden])
    with excluding_others(catalog, _exclusive(scope, by_layout)):
        for layout, rows in by_layout.items():
            near, others = near_by.get(layout, []), untold.get(layout, [])
            around = [*near, *others]
            keys = {key for one in rows for key in one.keys} | {key for one in around for key in _witnesses(one)}
            asked = look(layout, keys, _prefixes(scope, rows, near), _only_with(rows, around))
            requests, seconds = requests + asked.requests, seconds + asked.seconds
            found = plan_removals(rows, asked, beside=near, hidden=others)
            planned.append(replace(found, orphans=_documents(layout, found.orphans)))
    plan = _complete(catalog, _joined(scope, planned, catalog, actor, command), permitted)
    counts = {**plan.counts, "requests": requests, "milliseconds": round(seconds * 1000)}
    plan = replace(plan, counts=counts)
    catalog.keep_plan(plan)
    return plan


def apply_plan(
    catalog: Catalog,
    plan_id: str,
    look: Look,
    *,
    actor: str,
    permitted: Permit = anything,
    allow: int = 0,
) -> Applied:
    """Remove what a plan says, once more sure that it is not there.

    Parameters
    ----------
    allow
        A number that was reviewed, as for ``CleanupPlan.held``.

    Raises
    ------
    NotFoundError
        There is no such plan.
    ConflictError
        Something in the plan changed since it was made, or its layout is being cleaned. Nothing is removed then.
    """
    plan = catalog.plan(plan_id, actor=actor, permitted=permitted)
    if plan.state != "open":
        raise ConflictError(f"plan {plan.id} is {plan.state}: make a new one")
    by_layout: dict[str, list[Removal]] = defaultdict(list)
    for one in plan.to_go(allow):
        by_layout[one.layout] += [one] if one.merged_into is None else []
    with excluding_others(catalog, _exclusive(plan.scope, by_layout)) as held:
        for layout, rows in by_layout.items():
            _must_still_be_absent(catalog, plan, layout, rows, look)
        return catalog.apply_plan(plan_id, actor=actor, permitted=permitted, allow=allow, held=held)


def told(rows: Iterable[Candidate], actor: str, permitted: Permit) -> tuple[list[Candidate], list[Candidate]]:
    """Return the rows that an actor may remove and is told of, and the others."""
    mine: list[Candidate] = []
    hidden: list[Candidate] = []
    for one in rows:
        (mine if permitted(actor, one) else hidden).append(one)
    return mine, hidden


@contextmanager
def excluding_others(catalog: Catalog, layouts: Iterable[str]) -> Iterator[Mapping[str, str]]:
    """Hold the right to clean some layouts for the time of a ``with`` statement; its value has a token for each.

    Raises
    ------
    ConflictError
        Another cleanup has the right to one of them.
    """
    tokens: dict[str, str] = {}
    with ExitStack() as held:
        for layout in sorted(layouts):
            name = cleanup_of(layout)
            token = catalog.take_lease(name, LEASE_SECONDS)
            if token is None:
                raise ConflictError(f"{layout}: another cleanup of it is under way")
            tokens[layout] = token
            held.callback(catalog.end_lease, name, token)
            beat = partial(catalog.keep_lease, name, token, LEASE_SECONDS)
            held.enter_context(Heartbeat(name, beat, LEASE_SECONDS / 3))
        yield tokens


def _exclusive(scope: Scope, layouts: Iterable[str]) -> list[str]:
    """Return what a cleanup has for itself: layouts, or all images, of which every folder is asked by itself."""
    return ["images"] if scope.type == IMAGE else list(layouts)


def _must_still_be_absent(
    catalog: Catalog, plan: CleanupPlan, layout: str, rows: Sequence[Removal], look: Look
) -> None:
    if plan.scope.type == IMAGE:
        images = catalog.image_candidates(plan.scope, {one.image_id for one in rows})
        keys = {key for one in images for key in one.files}
    else:
        keys = catalog.keys_that_judge(one.id for one in rows)
    asked = look(layout, keys, ())
    back = sorted(key for key in keys if key not in asked.absent)
    if back:
        many = f" and {len(back) - 1:,} more" if len(back) > 1 else ""
        why = asked.unknown.get(back[0], "it is there again")
        raise ConflictError(f"{layout}/{back[0]}{many} of plan {plan.id}: {why}. Nothing was removed: make a new plan")


def _by_layout(rows: Iterable[Candidate]) -> dict[str, list[Candidate]]:
    found: dict[str, list[Candidate]] = defaultdict(list)
    for one in rows:
        found[one.layout].append(one)
    return found


def _witnesses(one: Candidate) -> Iterator[str]:
    """Yield the keys that tell whether anything of a run is there; of what has no document all that may go along."""
    if one.document:
        yield one.document
    else:
        yield from one.files


def _only_with(rows: Sequence[Candidate], near: Sequence[Candidate]) -> dict[str, str]:
    """Return the files that say nothing about a row whose document is gone, with that document.

    A file that several rows name, or that stands for a row without a document, is none of them.
    """
    found: dict[str, str] = {}
    named = {key for one in near for key in _witnesses(one)}
    for one in rows:
        for file in one.files:
            found[file] = one.document if file not in found and file not in named else ""
    return {file: document for file, document in found.items() if document}


def _prefixes(scope: Scope, rows: Sequence[Candidate], near: Sequence[Candidate]) -> list[str]:
    """Return the folders of a layout that are listed as a whole."""
    if scope.entity_ids or scope.type == IMAGE:
        return []
    if scope.voxel_spacing_id is not None:
        return [one.key for one in near if one.id == scope.voxel_spacing_id and one.key]
    folders = {"/".join(one.key.split("/", 2)[:2]) for one in rows if one.key.count("/") > 1}
    if scope.run_id is not None:
        return sorted(folders)
    if scope.dataset_id is not None:
        return sorted({folder.partition("/")[0] for folder in folders})
    return [""]


def _documents(layout: str, orphans: Iterable[str]) -> tuple[str, ...]:
    """Return the metadata documents among what no record names, as places."""
    places = ((key, parse(key)) for key in orphans)
    return tuple(f"{layout}/{key}" for key, place in places if place is not None and place.part == "document")


def _joined(scope: Scope, planned: Sequence[Planned], catalog: Catalog, actor: str, command: str) -> CleanupPlan:
    removals = tuple(row for one in planned for row in one.removals)
    unknown = tuple(row for one in planned for row in one.unknown)
    incomplete = tuple(row for one in planned for row in one.incomplete)
    orphans = tuple(row for one in planned for row in one.orphans)
    counts = {
        "rows": sum(one.rows for one in planned),
        "found": len(removals),
        "unknown": len(unknown),
        "incomplete": len(incomplete),
        "orphans": len(orphans),
        "stops": sum(len(one.stops) for one in planned),
    }
    return CleanupPlan(
        id=uuid4().hex[:12],
        scope=scope,
        created_at=catalog.now(),
        actor=actor,
        command=command,
        removals=removals,
        unknown=unknown,
        incomplete=incomplete,
        complete=tuple(row for one in planned for row in one.complete),
        orphans=orphans,
        stops=tuple(stop for one in planned for stop in one.stops),
        counts=counts,
    )


def _complete(catalog: Catalog, plan: CleanupPlan, permitted: Permit) -> CleanupPlan:
    """Return the plan with what goes along with each row, and what depends on it."""
    along = catalog.along(one.id for one in plan.removals if not one.image_id)
    sizes = catalog.bytes_of_images(one.image_id for one in plan.removals if one.image_id)
    removals = tuple(
        replace(one, bytes=sizes.get(one.image_id, 0))
        if one.image_id
        else replace(one, authors=more.authors, links=more.links, bytes=more.bytes)
        if (more := along.get(one.id))
        else one
        for one in plan.removals
    )
    return replace(plan, removals=catalog.with_dependents(removals, actor=plan.actor, permitted=permitted))
