"""What depends on rows that a cleanup would remove: views people kept, viewer states, key photos, exports; by name."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, and_, select
from sqlalchemy.orm import aliased

from coverslip.catalog.annotation_tables import Annotation
from coverslip.catalog.around import ANNOTATION, TOMOGRAM, numbers
from coverslip.catalog.entity_tables import Entity, View
from coverslip.catalog.export_tables import ExportJobRow
from coverslip.catalog.marks import OF_IMAGE
from coverslip.catalog.part import Part, chunks
from coverslip.catalog.tables import Artifact, Asset, Image
from coverslip.model.removal import Dependent, Permit, Removal, Whose, anything

SHOWN = 10
"""Dependents of one row that are named."""
_SHOWN_WITH = frozenset({TOMOGRAM, ANNOTATION, "alignment"})
"""Types that views show, or show others with."""
_OVER = ("completed", "cancelled")
"""States of exports that need their images no more."""
_Tomogram = aliased(Entity)


class Dependents(Part):
    """Naming what depends on rows."""

    def with_dependents(
        self, removals: Sequence[Removal], *, actor: str = "", permitted: Permit = anything
    ) -> tuple[Removal, ...]:
        """Return removals with the names of what depends on each.

        Of a record these are the artifacts and the kept views of the images that show it, just those that its removal
        marks. A frozen view depends on the records it names. Of an image these are its own kept views, the annotations
        that people made of it, and the exports that are not done with it.

        Parameters
        ----------
        removals
            Rows that would go.
        actor, permitted
            Images of records that the actor may not remove are not named.
        """
        with self._database.reading() as connection:
            shown = self._showing(connection, removals, actor, permitted)
            every = {image_id for images in shown.values() for image_id in images}
            names = _names(connection, every)
            views = _views(connection, every)
            artifacts = self._artifacts(connection, every)
            exports = _exports(connection, {name[1] for name in names.values()})
            drawn = _annotations(connection, {one.image_id for one in removals if one.image_id})
        found: list[Removal] = []
        for position, one in enumerate(removals):
            depending: list[Dependent] = []
            for image_id in shown.get(position, ()):
                name, path = names.get(image_id, ("", ""))
                depending += [view for view, states in views.get(image_id, ()) if _names_it(states, one)]
                if one.image_id or one.type == TOMOGRAM:
                    depending += exports.get(path, ())
                if one.image_id:
                    depending += drawn.get(image_id, ())
                else:
                    depending += [Dependent(kind, image_id, name) for kind in artifacts.get(image_id, ())]
            several = list(dict.fromkeys(depending))
            found.append(replace(one, depending=tuple(several[:SHOWN]), more_depending=len(several[SHOWN:])))
        return tuple(found)

    def _showing(
        self, connection: Connection, removals: Sequence[Removal], actor: str, permitted: Permit
    ) -> dict[int, list[str]]:
        """Return the images that show each row, by its position."""
        positions = {one.id: position for position, one in enumerate(removals) if one.type in _SHOWN_WITH}
        found: dict[int, list[str]] = {
            position: [one.image_id] for position, one in enumerate(removals) if one.image_id
        }
        for some in numbers(positions):
            for row in connection.execute(_showing().where(Entity.id.in_(some))):
                tomogram = Whose(TOMOGRAM, row.tomogram_id, row.tomogram, row.layout)
                is_followed = row.type != ANNOTATION or self._entity_kinds.follows(row.identity)
                if is_followed and permitted(actor, tomogram):
                    found.setdefault(positions[row.entity_id], []).append(row.image_id)
        return found

    def _artifacts(self, connection: Connection, image_ids: Iterable[str]) -> dict[str, list[str]]:
        """Return the kinds of the artifacts of images that show records, as far as they were ever built."""
        found: dict[str, list[str]] = defaultdict(list)
        kinds = self._entity_kinds.follow_entities
        for some in chunks(image_ids):
            wanted = select(Artifact.image_id, Artifact.kind).where(
                Artifact.image_id.in_(some), Artifact.kind.in_(kinds), Artifact.built > 0, OF_IMAGE
            )
            for row in connection.execute(wanted.order_by(Artifact.image_id, Artifact.kind)):
                found[row.image_id].append(row.kind)
        return found


def _showing() -> Any:
    is_shown_with = and_(
        _Tomogram.run_id == Entity.run_id, _Tomogram.alignment == Entity.alignment, _Tomogram.type == TOMOGRAM
    )
    return (
        select(
            *(Entity.id.label("entity_id"), Entity.type, Entity.identity, Image.id.label("image_id")),
            *(_Tomogram.id.label("tomogram_id"), _Tomogram.identity.label("tomogram"), _Tomogram.layout),
        )
        .join(_Tomogram, is_shown_with)
        .join(Asset, Asset.path == _Tomogram.image_path)
        .join(Image, and_(Image.asset_id == Asset.id, Image.index == 0))
        .where(Image.deleted_at.is_(None), _Tomogram.deleted_at.is_(None))
        .order_by(Entity.id, _Tomogram.id, Image.id)
    )


def _names(connection: Connection, image_ids: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return the name of each image, and the path of its file."""
    wanted = select(Image.id, Image.name, Asset.path).join(Asset, Asset.id == Image.asset_id)
    return {
        row.id: (row.name, row.path)
        for some in chunks(image_ids)
        for row in connection.execute(wanted.where(Image.id.in_(some)))
    }


def _views(connection: Connection, image_ids: Iterable[str]) -> dict[str, list[tuple[Dependent, str]]]:
    """Return the kept views of images, each with the text of its state where it is frozen, else an empty one."""
    found: dict[str, list[tuple[Dependent, str]]] = defaultdict(list)
    for some in chunks(image_ids):
        wanted = select(View.id, View.image_id, View.name, View.is_frozen, View.state).where(View.image_id.in_(some))
        for row in connection.execute(wanted.order_by(View.created_at, View.id)):
            found[row.image_id].append((Dependent("view", row.id, row.name), str(row.state) if row.is_frozen else ""))
    return found


def _names_it(state: str, one: Removal) -> bool:
    """Return whether a view depends on a row: frozen ones only where their state has its address."""
    return bool(one.image_id) or not state or one.type != ANNOTATION or f"/entities/{one.id}/" in state


def _exports(connection: Connection, paths: Iterable[str]) -> dict[str, list[Dependent]]:
    """Return the exports that are not done with files, by path."""
    asked = set(paths)
    found: dict[str, list[Dependent]] = defaultdict(list)
    if not asked:
        return found
    wanted = select(ExportJobRow.id, ExportJobRow.output_dir, ExportJobRow.document)
    for row in connection.execute(wanted.where(ExportJobRow.state.not_in(_OVER)).order_by(ExportJobRow.created_at)):
        for path in {str(source.get("path")) for source in _sources(row.document)} & asked:
            found[path].append(Dependent("export", row.id, row.output_dir))
    return found


def _sources(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    listed = document.get("sources")
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def _annotations(connection: Connection, image_ids: Iterable[str]) -> dict[str, list[Dependent]]:
    """Return the annotations that people made of images."""
    found: dict[str, list[Dependent]] = defaultdict(list)
    for some in chunks(image_ids):
        there = (Annotation.image_id.in_(some), Annotation.deleted_at.is_(None))
        wanted = select(Annotation.id, Annotation.image_id, Annotation.track).where(*there)
        for row in connection.execute(wanted.order_by(Annotation.created_at, Annotation.id)):
            found[row.image_id].append(Dependent("annotation", row.id, row.track))
    return found
