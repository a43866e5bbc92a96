"""Which images show which entities: those of tomograms of the same run that were made with the same alignment."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Select, and_, select
from sqlalchemy.orm import aliased

from coverslip.catalog.entity_tables import Entity
from coverslip.catalog.tables import Asset, Image
from coverslip.model.entities import EntityKinds

TOMOGRAM, ANNOTATION = "tomogram", "annotation"
_Tomogram = aliased(Entity)
NUMBERS_PER_STATEMENT = 1000


def numbers(ids: Iterable[int]) -> list[list[int]]:
    """Return distinct numbers in their order, in portions that fit one statement."""
    every = sorted(set(ids))
    return [every[start : start + NUMBERS_PER_STATEMENT] for start in range(0, len(every), NUMBERS_PER_STATEMENT)]


def images_around(
    connection: Connection, entity_ids: Iterable[int], follow: EntityKinds | None = None
) -> Mapping[int, list[str]]:
    """Return the images that show each entity, oldest tomogram first; entities that none shows are left out.

    With ``follow``, only of entities whose changes what shows them follows.
    """
    found: dict[int, list[str]] = defaultdict(list)
    for some in numbers(entity_ids):
        for row in connection.execute(_showing().where(Entity.id.in_(some))):
            if follow is None or follow.follows(row.identity):
                found[row.entity_id].append(row.image_id)
    return found


def _showing() -> Select[*tuple[Any, ...]]:
    is_shown_with = and_(
        _Tomogram.run_id == Entity.run_id, _Tomogram.alignment == Entity.alignment, _Tomogram.type == TOMOGRAM
    )
    return (
        select(Entity.id.label("entity_id"), Entity.identity, Image.id.label("image_id"))
        .join(_Tomogram, is_shown_with)
        .join(Asset, Asset.path == _Tomogram.image_path)
        .join(Image, and_(Image.asset_id == Asset.id, Image.index == 0))
        .where(Image.deleted_at.is_(None), Entity.deleted_at.is_(None), _Tomogram.deleted_at.is_(None))
        .order_by(Entity.id, _Tomogram.id, Image.id)
    )
