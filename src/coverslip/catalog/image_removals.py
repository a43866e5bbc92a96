"""Images whose files are gone: which ones a cleanup looks at, their tombstones, and their way back."""

import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select, update

from coverslip.catalog import plan_rows
from coverslip.catalog.around import numbers
from coverslip.catalog.assets import lies_under
from coverslip.catalog.audit import lock_log
from coverslip.catalog.candidates import conditions_of
from coverslip.catalog.entity_marks import EntityMarks
from coverslip.catalog.entity_tables import Entity
from coverslip.catalog.events import News
from coverslip.catalog.marks import Kinds
from coverslip.catalog.part import Part, chunks
from coverslip.catalog.removal_tables import Plan as PlanRow
from coverslip.catalog.reviving import LOGGED, log_images, revive
from coverslip.catalog.tables import Artifact, Asset, Image
from coverslip.errors import ConflictError, InvalidRequestError
from coverslip.model.removal import IMAGE, Candidate, CleanupPlan, Group, Removal, Scope


class ImageCandidates(Part):
    """Looking at images that may be removed."""

    def image_candidates(self, scope: Scope, image_ids: Collection[str] | None = None) -> list[Candidate]:
        """Return the images of a scope that are not deleted, in the order of their files. Uploads are left out.

        The layout of each is the folder that is asked for its file: that of the scope, or the one the file lies in.

        Parameters
        ----------
        scope
            ``layout`` is a folder or address that they lie below. A dataset, run or voxel spacing stands for the
            images of its records.
        image_ids
            Only these.

        Raises
        ------
        NotFoundError
            There is no such dataset, run or voxel spacing.
        InvalidRequestError
            Nothing narrows the scope, and it is not said that everything is meant.
        """
        if not scope.is_narrow and not scope.everything:
            raise InvalidRequestError("name a dataset, run, voxel spacing or folder, or say that everything is meant")
        wanted = (
            select(Image.id, Image.index.label("position"), Image.revision, Asset.path)
            .join(Asset, Asset.id == Image.asset_id)
            .where(Asset.origin == "added", Image.deleted_at.is_(None))
            .order_by(Asset.path, Image.index)
        )
        with self._database.reading() as connection:
            wanted = wanted.where(*_conditions(connection, scope))
            if image_ids is None:
                rows = connection.execute(wanted).all()
            else:
                rows = [
                    row for some in chunks(image_ids) for row in connection.execute(wanted.where(Image.id.in_(some)))
                ]
            parts = _parts(connection, {row.path for row in rows})
        return [_candidate(row, scope.layout, parts.get(row.path, ())) for row in rows]

    def bytes_of_images(self, image_ids: Iterable[str]) -> dict[str, int]:
        """Return the size of the artifacts of images, which a purge frees."""
        found: dict[str, int] = {}
        size = func.sum(Artifact.size).label("size")
        with self._database.reading() as connection:
            for some in chunks(image_ids):
                wanted = select(Artifact.image_id, size).where(Artifact.image_id.in_(some)).group_by(Artifact.image_id)
                found |= {row.image_id: int(row._mapping["size"] or 0) for row in connection.execute(wanted)}
        return found


def remove_images(
    connection: Connection, plan: CleanupPlan, going: Sequence[Removal], marks: EntityMarks
) -> tuple[dict[str, Any], list[News]]:
    """Turn images into tombstones, and note what follows; return what an undo needs to know, and events.

    Their files are known to be missing from now on, so that whoever finds them again brings the images back.

    Raises
    ------
    ConflictError
        One of them changed since the plan was made.
    """
    if not going:
        return {}, []
    lock_log(connection)
    rows = _lock(connection, [one.image_id for one in going])
    changed = [one for one in going if not _is_as_planned(one, rows.get(one.image_id))]
    if changed:
        many = f" and {len(changed) - 1:,} more" if len(changed) > 1 else ""
        raise ConflictError(
            f"image {changed[0].image_id}{many} of plan {plan.id} changed since it was made. Nothing was removed: "
            "make a new plan"
        )
    missed: list[str] = []
    for some in chunks(rows):
        connection.execute(update(Image).where(Image.id.in_(some)).values(deleted_at=marks.now, removed_by=plan.id))
    for some in chunks(row.asset_id for row in rows.values()):
        there = (Asset.id.in_(some), Asset.missing_since.is_(None))
        missed += connection.scalars(update(Asset).where(*there).values(missing_since=marks.now).returning(Asset.id))
    look_around(connection, marks, (row.path for row in rows.values()))
    log_images(connection, rows.values(), "remove", plan, marks.now)
    news = [News("image.deleted", one.image_id, {}) for one in going]
    return {"missing": sorted(missed), "since": marks.now.isoformat()}, news


def restore_images(
    connection: Connection,
    plan: CleanupPlan,
    named: Sequence[Removal],
    before: Mapping[str, Any],
    marks: EntityMarks,
    kinds: Kinds,
) -> tuple[tuple[str, ...], list[News]]:
    """Bring images back that a plan removed and that are not purged; return which, and events."""
    if not named:
        return (), []
    lock_log(connection)
    rows = {
        image_id: row
        for image_id, row in _lock(connection, [one.image_id for one in named]).items()
        if row.removed_by == plan.id and row.deleted_at is not None and row.purged_at is None
    }
    revive(connection, rows, marks.now, kinds)
    since = before.get("since")
    for some in chunks(before.get("missing", ())):
        if since is not None:
            noted = (Asset.id.in_(some), Asset.missing_since == datetime.fromisoformat(since))
            shown = select(Image.asset_id).where(Image.id.in_(sorted(rows)))
            connection.execute(update(Asset).where(*noted, Asset.id.in_(shown)).values(missing_since=None))
    look_around(connection, marks, (row.path for row in rows.values()))
    log_images(connection, rows.values(), "restore", plan, marks.now, reason="undone")
    back = tuple(one.image_id for one in named if one.image_id in rows)
    return back, [News("image.restored", image_id, {}) for image_id in back]


def purged_of(connection: Connection, plan: CleanupPlan) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Return the numbers of rows and the identifiers of images of a plan that were removed for good."""
    ids = [one.id for one in plan.removals if not one.image_id]
    there = {
        number for some in numbers(ids) for number in connection.scalars(select(Entity.id).where(Entity.id.in_(some)))
    }
    images = {
        image_id
        for some in chunks(one.image_id for one in plan.removals if one.image_id)
        for image_id in connection.scalars(
            select(Image.id).where(Image.id.in_(some), Image.removed_by == plan.id, Image.purged_at.is_not(None))
        )
    }
    return (
        tuple(number for number in ids if number not in there),
        tuple(one.image_id for one in plan.removals if one.image_id in images),
    )


def lock_plans(connection: Connection, image_ids: Iterable[str]) -> list[str]:
    """Lock the plans that removed some images, before the log as everybody does; return their identifiers."""
    ids: set[str] = set()
    for some in chunks(image_ids):
        found = connection.scalars(select(Image.removed_by).where(Image.id.in_(some), Image.removed_by.is_not(None)))
        ids |= {plan_id for plan_id in found if plan_id is not None}
    return [plan_id for plan_id in sorted(ids) if plan_rows.find(connection, plan_id) is not None]


def end_plans(connection: Connection, plan_ids: Iterable[str]) -> None:
    """Note of plans of which nothing can be brought back any more that they are purged."""
    left = (
        select(Image.id).where(
            Image.removed_by == PlanRow.id, Image.deleted_at.is_not(None), Image.purged_at.is_(None)
        ),
        select(Entity.id).where(Entity.removed_by == PlanRow.id, Entity.deleted_at.is_not(None)),
    )
    for some in chunks(plan_ids):
        over = update(PlanRow).where(PlanRow.id.in_(some), PlanRow.state == "applied", *(~one.exists() for one in left))
        connection.execute(over.values(state="purged"))


def look_around(connection: Connection, marks: EntityMarks, paths: Iterable[str]) -> None:
    """Look whether the annotations shown by images of these files have an image to go along with."""
    for some in chunks(paths):
        wanted = select(Entity.run_id).where(Entity.image_path.in_(some), Entity.run_id.is_not(None)).distinct()
        for run_id in connection.scalars(wanted):
            marks.look_at(run_id)


def _lock(connection: Connection, image_ids: Iterable[str]) -> dict[str, Any]:
    """Return images with the paths of their files, locked in the order in which everybody locks."""
    found: dict[str, Any] = {}
    for some in chunks(image_ids):
        of_assets = select(Image.asset_id).where(Image.id.in_(some))
        connection.execute(select(Asset.id).where(Asset.id.in_(of_assets)).order_by(Asset.path).with_for_update())
        wanted = select(*LOGGED, Asset.path).join(Asset, Asset.id == Image.asset_id).where(Image.id.in_(some))
        rows = connection.execute(wanted.order_by(Image.asset_id, Image.index).with_for_update(of=Image))
        found |= {row.id: row for row in rows}
    return found


def _is_as_planned(one: Removal, row: Any) -> bool:
    if row is None or row.deleted_at is not None:
        return False
    return bool(row.revision == one.revision and row.path == one.path)


def _conditions(connection: Connection, scope: Scope) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if scope.layout:
        found.append(lies_under(scope.layout))
    if any((scope.dataset_id, scope.run_id, scope.voxel_spacing_id)):
        records = Scope(IMAGE, scope.dataset_id, scope.run_id, scope.voxel_spacing_id)
        whose = [Entity.deleted_at.is_(None), Entity.image_path.is_not(None), *conditions_of(connection, records)]
        if scope.voxel_spacing_id is not None:
            whose.append(Entity.parent_id == scope.voxel_spacing_id)
        found.append(Asset.path.in_(select(Entity.image_path).where(*whose)))
    return found


def _parts(connection: Connection, wholes: Iterable[str]) -> dict[str, list[str]]:
    """Return the other files of sets, as far as they are not known to be missing."""
    found: dict[str, list[str]] = defaultdict(list)
    for some in chunks(wholes):
        wanted = select(Asset.path, Asset.part_of).where(Asset.part_of.in_(some), Asset.missing_since.is_(None))
        for row in connection.execute(wanted.order_by(Asset.path)):
            if row.part_of is not None and row.path != row.part_of:
                found[row.part_of].append(row.path)
    return found


def _candidate(row: Any, folder: str, parts: Iterable[str]) -> Candidate:
    own = row.path.rpartition("/")[0] or os.sep
    above = folder.rstrip("/")
    top = above if above and row.path.startswith(f"{above}/") else own
    key = _below(row.path, top)
    return Candidate(
        IMAGE,
        0,
        f"{row.path}#{row.position}",
        top,
        key,
        (key, *(_below(path, top) for path in parts)),
        revision=row.revision,
        group=Group("", "", "", layout=own, type=IMAGE),
        image_id=row.id,
    )


def _below(path: str, top: str) -> str:
    """Return a path as a key below a folder; another place stays as it is, and nobody knows about it then."""
    return path.removeprefix(f"{top.rstrip('/')}/")
