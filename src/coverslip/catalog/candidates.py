"""The rows that a cleanup looks at, without their documents."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from coverslip.catalog.around import numbers
from coverslip.catalog.entity_tables import Entity
from coverslip.catalog.part import Part
from coverslip.catalog.tables import Artifact
from coverslip.errors import InvalidRequestError, NotFoundError
from coverslip.model.removal import CLEANED, DOCUMENTED, OF_SPACINGS, RECORD, Along, Candidate, Group, Scope

_LEAN = (
    *(Entity.id, Entity.type, Entity.identity, Entity.layout, Entity.key, Entity.files, Entity.alignment),
    *(Entity.parent_id, Entity.run_id, Entity.revision, Entity.name, Entity.incomplete_since),
)
_NAMES = (Entity.id, Entity.type, Entity.name, Entity.parent_id)


class Candidates(Part):
    """Looking at rows that may be removed."""

    def candidates(self, scope: Scope) -> tuple[list[Candidate], list[Candidate]]:
        """Return the rows of a scope, and the other rows of their runs, in the order of their numbers.

        Raises
        ------
        NotFoundError
            There is no such dataset, run, voxel spacing or record.
        InvalidRequestError
            Nothing narrows the scope, and it is not said that everything is meant.
        """
        if not scope.is_narrow and not scope.everything:
            raise InvalidRequestError("name a dataset, run, voxel spacing or layout, or say that everything is meant")
        with self._database.reading() as connection:
            where = conditions_of(connection, scope)
            rows = connection.execute(select(*_LEAN).where(Entity.deleted_at.is_(None), *where).order_by(Entity.id))
            found = rows.all()
            groups = _Groups(connection, found)
            every = [_candidate(row, groups.of(row)) for row in found]
        named = frozenset(scope.entity_ids)
        chosen = [one for one in every if _is_chosen(one, scope, named)]
        ids = {one.id for one in chosen}
        return chosen, [one for one in every if one.id not in ids]

    def keys_that_judge(self, entity_ids: Iterable[int]) -> set[str]:
        """Return the keys whose absence makes rows stale: of each its document, or all files where it has none."""
        found: set[str] = set()
        with self._database.reading() as connection:
            for some in numbers(entity_ids):
                wanted = select(Entity.type, Entity.key, Entity.files).where(Entity.id.in_(some))
                for row in connection.execute(wanted):
                    files = [one["key"] for one in row.files.get("files", ())]
                    found |= {row.key} if row.type in DOCUMENTED else {*files, *row.files.get("missing", ())}
        return found

    def along(self, entity_ids: Iterable[int]) -> dict[int, Along]:
        """Return what goes along with some rows: authors, links of methods, bytes of their artifacts."""
        found: dict[int, Along] = {}
        with self._database.reading() as connection:
            for some in numbers(entity_ids):
                size = func.sum(Artifact.size).label("size")
                sizes = connection.execute(
                    select(Artifact.entity_id, size).where(Artifact.entity_id.in_(some)).group_by(Artifact.entity_id)
                )
                by_id = {row.entity_id: int(row._mapping["size"] or 0) for row in sizes}
                for row in connection.execute(select(Entity.id, Entity.document).where(Entity.id.in_(some))):
                    authors, links = (_count(row.document, name) for name in ("authors", "method_links"))
                    found[row.id] = Along(authors, links, by_id.get(row.id, 0))
        return found


def _is_chosen(one: Candidate, scope: Scope, named: frozenset[int]) -> bool:
    types = CLEANED if scope.type == RECORD else {scope.type}
    if one.type not in types or (named and one.id not in named):
        return False
    return scope.voxel_spacing_id is None or one.parent_id == scope.voxel_spacing_id


def conditions_of(connection: Connection, scope: Scope) -> list[ColumnElement[bool]]:
    """Return the conditions for all rows of the runs that a scope touches.

    Raises
    ------
    NotFoundError, InvalidRequestError
        As ``Candidates.candidates``.
    """
    found: list[ColumnElement[bool]] = []
    if scope.layout:
        found.append(Entity.layout == scope.layout)
    if scope.dataset_id is not None:
        row = _one(connection, scope.dataset_id, "dataset")
        below = and_(Entity.identity >= f"{row.identity}/", Entity.identity < f"{row.identity}0")
        found += [Entity.layout == row.layout, or_(Entity.id == row.id, below)]
    runs = [] if scope.run_id is None else [_one(connection, scope.run_id, "run").id]
    if scope.voxel_spacing_id is not None:
        runs.append(_one(connection, scope.voxel_spacing_id, "voxel_spacing").run_id)
    if len(set(runs)) > 1:
        raise InvalidRequestError(f"voxel spacing {scope.voxel_spacing_id} does not lie in run {scope.run_id}")
    if scope.entity_ids:
        wanted = select(Entity.run_id).where(Entity.id.in_(scope.entity_ids), Entity.deleted_at.is_(None))
        of_records = list(connection.scalars(wanted))
        if len(of_records) < len(set(scope.entity_ids)):
            raise NotFoundError("some of these records are not there")
        found.append(or_(Entity.run_id.in_(set(of_records) - {None}), Entity.id.in_(scope.entity_ids)))
    if runs:
        found.append(or_(Entity.run_id.in_(runs), Entity.id.in_(runs)))
    return found


def _one(connection: Connection, number: int, kind: str) -> Any:
    wanted = select(Entity.id, Entity.identity, Entity.layout, Entity.run_id)
    is_it = (Entity.id == number, Entity.type == kind, Entity.deleted_at.is_(None))
    row = connection.execute(wanted.where(*is_it)).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no {kind.replace('_', ' ')} {number}")
    return row


class _Groups:
    """What rows lie in, found by climbing from one to the next."""

    def __init__(self, connection: Connection, rows: Iterable[Any]) -> None:
        self._above: dict[int, Any] = {}
        self._known: dict[tuple[str, int | None, str], Group] = {}
        missing = {row.parent_id for row in rows} - {None}
        while missing:
            for some in numbers(missing):
                for row in connection.execute(select(*_NAMES).where(Entity.id.in_(some))):
                    self._above[row.id] = row
            missing = {row.parent_id for row in self._above.values()} - self._above.keys() - {None}

    def of(self, row: Any) -> Group:
        """Return the siblings of a row: those of its voxel spacing, of its run, or of what else contains it."""
        whose = (row.layout, row.parent_id, row.type)
        known = self._known.get(whose)
        if known is None:
            known = self._known[whose] = self._climb(*whose)
        return known

    def _climb(self, layout: str, parent_id: int | None, type_: str) -> Group:
        names: dict[str, tuple[str, int]] = defaultdict(lambda: ("", 0))
        above = parent_id
        while above is not None and (row := self._above.get(above)) is not None:
            names.setdefault(row.type, (row.name, row.id))
            above = row.parent_id
        (dataset, dataset_id), (run, run_id) = names["dataset"], names["run"]
        spacing, spacing_id = names["voxel_spacing"]
        number = spacing_id or run_id or parent_id or 0
        return Group(dataset, run, spacing, number, dataset_id, run_id, layout, type_)


def _candidate(row: Any, group: Group) -> Candidate:
    files = row.files.get("files", ())
    return Candidate(
        row.type,
        row.id,
        row.identity,
        row.layout,
        row.key,
        (*(one["key"] for one in files), *row.files.get("missing", ())),
        len({one["shape"] for one in files} - {""}) if row.type in OF_SPACINGS else 0,
        row.alignment,
        row.parent_id,
        row.revision,
        group,
        row.incomplete_since is not None,
    )


def _count(document: Mapping[str, Any], name: str) -> int:
    listed = document.get(name)
    return len(listed) if isinstance(listed, list) else 0
