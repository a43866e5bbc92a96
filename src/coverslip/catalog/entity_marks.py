"""What a change of entities makes stale: the precomputes of annotations, and the views of images that show them."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, case, delete, select, update

from coverslip.catalog.around import ANNOTATION, TOMOGRAM, images_around, numbers
from coverslip.catalog.entity_rows import to_files
from coverslip.catalog.entity_tables import Entity
from coverslip.catalog.marks import LOCK_ORDER, OF_IMAGE, new_artifact, note_marked
from coverslip.catalog.part import chunks, execute_many, upsert
from coverslip.catalog.tables import Artifact, Asset, Image
from coverslip.catalog.types import UtcTime
from coverslip.model.entities import EntityFile, EntityKinds

_OF_PICTURES = ("annotation_object", "annotation_method", "ground_truth_status")
"""What a document says that precomputes show: names, sizes and colours. What files hold is told by their versions."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What matters of an entity to those who are derived from it."""

    id: int
    type: str
    identity: str
    run_id: int | None
    alignment: str
    document: Mapping[str, Any]
    files: tuple[EntityFile, ...]

    def shapes(self) -> dict[str, tuple[tuple[str, str], ...]]:
        """Return the files of each shape, with what tells their content apart."""
        found: dict[str, tuple[tuple[str, str], ...]] = {}
        for file in self.files:
            if file.shape:
                found[file.shape] = (*found.get(file.shape, ()), (file.key, file.version))
        return found

    def picture(self) -> dict[str, Any]:
        """Return what the document says that can be seen in a precompute."""
        return {name: self.document.get(name) for name in _OF_PICTURES}


@dataclass(slots=True)
class EntityMarks:
    """Changes of entities, collected while they are written; then what follows from them, all at once."""

    kinds: EntityKinds
    now: datetime
    cause: str
    runs: set[int] = field(default_factory=set)
    shapes: set[tuple[int, str]] = field(default_factory=set)
    """Entities, and the kinds of theirs that changed."""
    scopes: Counter[tuple[int, str]] = field(default_factory=Counter)
    """How many changes there were among the entities of a run and alignment."""
    words: dict[tuple[int, str], list[str]] = field(default_factory=lambda: defaultdict(list))

    def look_at(self, run_id: int | None) -> None:
        """Look whether the annotations of a run have all the artifacts they should have."""
        if run_id is not None:
            self.runs.add(run_id)

    def note(self, before: Seen | None, after: Seen) -> None:
        """Note one change."""
        self.look_at(after.run_id)
        if after.run_id is None or after.type not in {TOMOGRAM, ANNOTATION, "alignment"}:
            return
        if after.type == ANNOTATION:
            self.note_shapes(before, after)
            if not self.kinds.follows(after.identity):
                return
        if before is None:
            what = "added"
        else:
            what = "changed"
            if (before.run_id, before.alignment) != (after.run_id, after.alignment) and before.run_id is not None:
                self._note_scope((before.run_id, before.alignment), f"{after.type} {after.id} left")
        self._note_scope((after.run_id, after.alignment), f"{after.type} {after.id} {what}")

    def note_gone(self, gone: Seen) -> None:
        """Note that an entity was removed: what shows it, or is shown with it, follows."""
        if gone.run_id is None or gone.type not in {TOMOGRAM, ANNOTATION, "alignment"}:
            return
        if gone.type != ANNOTATION or self.kinds.follows(gone.identity):
            self._note_scope((gone.run_id, gone.alignment), f"{gone.type} {gone.id} removed")

    def write(self, connection: Connection) -> None:
        """Give annotations and tomograms the artifacts they lack, and mark what the changes made stale."""
        self._mark_shapes(connection)
        if self.runs:
            self._complete(connection)
        self._mark_images(connection)

    def note_shapes(self, before: Seen | None, after: Seen) -> None:
        """Note the shapes of an annotation that are other ones now."""
        if before is None:
            return  # it has no artifacts yet
        old, new = before.shapes(), after.shapes()
        is_other = before.picture() != after.picture()
        for shape, files in new.items():
            if is_other or old.get(shape) != files:
                self.shapes |= {(after.id, kind) for kind in self.kinds.of_shapes.get(shape, ())}

    def _note_scope(self, scope: tuple[int, str], words: str) -> None:
        self.scopes[scope] += 1
        self.words[scope].append(words)

    def _mark_shapes(self, connection: Connection) -> None:
        kinds: dict[str, list[int]] = defaultdict(list)
        for entity_id, kind in self.shapes:
            kinds[kind].append(entity_id)
        for kind, ids in sorted(kinds.items()):
            for some in numbers(ids):
                whose = and_(Artifact.entity_id.in_(some), Artifact.kind == kind)
                _count(connection, self.now, {"number": 1, "new_cause": f"annotation {self.cause}"}, whose)

    def _complete(self, connection: Connection) -> None:
        """Add what annotations and tomograms of the runs lack: an artifact goes along with an image that shows it."""
        rows: list[dict[str, Any]] = []
        never = "never built before"
        for some in numbers(self.runs):
            there = (Entity.run_id.in_(some), Entity.deleted_at.is_(None))
            annotations = select(Entity.id, Entity.files).where(*there, Entity.type == ANNOTATION)
            wanted = {
                row.id: sorted(
                    {kind for file in to_files(row.files) for kind in self.kinds.of_shapes.get(file.shape, ())}
                )
                for row in connection.execute(annotations)
            }
            _retire(connection, wanted)
            shown = images_around(connection, wanted)
            self._follow(connection, shown)
            for entity_id, images in shown.items():
                rows += [
                    new_artifact(kind, images[0], self.now, never, entity_id=entity_id) for kind in wanted[entity_id]
                ]
            tomograms = (
                select(Image.id)
                .join(Asset, Asset.id == Image.asset_id)
                .join(Entity, Entity.image_path == Asset.path)
                .where(*there, Entity.type == TOMOGRAM, Image.index == 0, Image.purged_at.is_(None))
            )
            for image_id in connection.scalars(tomograms):
                rows += [new_artifact(kind, image_id, self.now, never) for kind in self.kinds.of_tomograms]
        execute_many(connection, upsert(connection, Artifact).on_conflict_do_nothing(), rows)
        note_marked(connection, {row["image_id"] for row in rows})

    def _follow(self, connection: Connection, shown: Mapping[int, list[str]]) -> None:
        """Let artifacts of annotations go along with another image where theirs shows them no more."""
        for some in numbers(shown):
            rows = connection.execute(
                select(Artifact.id, Artifact.entity_id, Artifact.image_id)
                .where(Artifact.entity_id.in_(some))
                .order_by(*LOCK_ORDER)
                .with_for_update()
            ).all()
            for row in rows:
                images = shown[row.entity_id] if row.entity_id is not None else ()
                if images and row.image_id not in images:
                    moved = update(Artifact).where(Artifact.id == row.id).values(image_id=images[0])
                    connection.execute(moved)

    def _mark_images(self, connection: Connection) -> None:
        """Count the changes of every scope once for each image that shows it."""
        counted: dict[tuple[int, str], list[str]] = defaultdict(list)
        for (run_id, alignment), number in self.scopes.items():
            words = self.words[run_id, alignment]
            said = words[-1] if number == 1 else f"{words[-1]} and {number - 1} more"
            for image_id in _images_in(connection, run_id, alignment):
                counted[number, f"{self.cause}: {said}"].append(image_id)
        for (number, cause), images in sorted(counted.items()):
            for some in chunks(images):
                whose = and_(Artifact.image_id.in_(some), Artifact.kind.in_(self.kinds.follow_entities), OF_IMAGE)
                _count(connection, self.now, {"number": number, "new_cause": cause}, whose)
                note_marked(connection, some)


def _retire(connection: Connection, wanted: Mapping[int, Collection[str]]) -> None:
    """Remove the artifacts of shapes that annotations do not have any more; nothing could build them."""
    gone: list[str] = []
    for some in numbers(wanted):
        chosen = select(Artifact.id, Artifact.entity_id, Artifact.kind).where(Artifact.entity_id.in_(some))
        gone += [row.id for row in connection.execute(chosen) if row.kind not in wanted[row.entity_id]]
    for ids in chunks(gone):
        connection.execute(delete(Artifact).where(Artifact.id.in_(ids)))


def _images_in(connection: Connection, run_id: int, alignment: str) -> Iterable[str]:
    wanted = (
        select(Image.id)
        .join(Asset, Asset.id == Image.asset_id)
        .join(Entity, Entity.image_path == Asset.path)
        .where(Entity.run_id == run_id, Entity.type == TOMOGRAM, Entity.alignment == alignment, Image.index == 0)
    )
    return list(connection.scalars(wanted))


def _count(connection: Connection, now: datetime, given: Mapping[str, Any], whose: Any) -> None:
    """Count several changes; what nobody has begun to build has them all before it."""
    is_no_news = and_(
        Artifact.built == 0, Artifact.lease_until.is_(None), Artifact.error.is_(None), Artifact.ignored_at.is_(None)
    )
    changed = update(Artifact).values(
        wanted=Artifact.wanted + bindparam("number"),
        marked_at=case((Artifact.built < Artifact.wanted, Artifact.marked_at), else_=bindparam("now", type_=UtcTime())),
        cause=bindparam("new_cause"),
        attempts=0,
        next_try_at=None,
        error=None,
        ignored_at=None,
    )
    if connection.dialect.name == "sqlite":
        changed = changed.where(whose, ~is_no_news)
    else:
        chosen = select(Artifact.id).where(whose, ~is_no_news).order_by(*LOCK_ORDER).with_for_update().subquery()
        changed = changed.where(Artifact.id == chosen.c.id)
    connection.execute(changed, {"now": now, **given})
