"""Rows of entities and the records they become."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import Select, and_, select

from coverslip.catalog.entity_tables import Entity
from coverslip.catalog.tables import Asset, Image
from coverslip.model.entities import EntityFile, EntityRecord, EntitySeen

COLUMNS = (
    *(Entity.id, Entity.layout, Entity.identity, Entity.type, Entity.parent_id, Entity.name, Entity.deposition),
    *(Entity.number, Entity.key, Entity.document, Entity.files, Entity.alignment, Entity.image_key, Entity.revision),
    *(Entity.created_at, Entity.updated_at, Entity.run_id, Entity.deleted_at, Entity.incomplete_since),
)


def select_entities(*, deleted: bool = False) -> Select[*tuple[Any, ...]]:
    """Return the query for entities, each with its parent's identity and the image that people see of it.

    Those that are deleted are left out, or with ``deleted`` all others.
    """
    parent = select(Entity.id.label("id"), Entity.identity.label("identity")).subquery("parent")
    is_deleted = Entity.deleted_at.is_not(None) if deleted else Entity.deleted_at.is_(None)
    return (
        select(*COLUMNS, parent.c.identity.label("parent"), Image.id.label("image_id"))
        .outerjoin(parent, parent.c.id == Entity.parent_id)
        .outerjoin(Asset, Asset.path == Entity.image_path)
        .outerjoin(Image, and_(Image.asset_id == Asset.id, Image.index == 0, Image.deleted_at.is_(None)))
        .where(is_deleted)
    )


def to_entity(row: Any) -> EntityRecord:
    """Return the record of a row."""
    values = {name: value for name, value in row._mapping.items() if name not in {"files", "run_id"}}
    return EntityRecord(files=to_files(row.files), missing=tuple(row.files.get("missing", ())), **values)


def to_files(kept: Mapping[str, Any]) -> tuple[EntityFile, ...]:
    """Return files as they are in a row."""
    return tuple(EntityFile(**one) for one in kept.get("files", ()))


def values_of(seen: EntitySeen, layout: str) -> dict[str, Any]:
    """Return the columns that say what was seen of an entity, without those that point to other rows."""
    return {
        "type": seen.type,
        "name": seen.name,
        "deposition": seen.deposition,
        "number": seen.number,
        "key": seen.key,
        "document": dict(seen.document),
        "files": {"files": [asdict(file) for file in seen.files], **_missing(seen)},
        "alignment": seen.alignment,
        "image_key": seen.image_key,
        "image_path": f"{layout}/{seen.image_key}" if seen.image_key else None,
    }


def _missing(seen: EntitySeen) -> dict[str, list[str]]:
    return {"missing": list(seen.missing)} if seen.missing else {}
