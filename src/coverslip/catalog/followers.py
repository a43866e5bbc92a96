"""What shows the annotations of an image follows them."""

from datetime import datetime
from functools import cache

from sqlalchemy import Connection, Update, bindparam, or_, select

from coverslip.catalog.entity_tables import Entity
from coverslip.catalog.marks import OF_IMAGE, changing, note_marked
from coverslip.catalog.tables import Artifact, Asset, Image
from coverslip.model.entities import EntityKinds


def mark_followers(connection: Connection, image_id: str, kinds: EntityKinds, now: datetime, cause: str) -> None:
    """Count one more change of what shows the annotations of an image, where its dataset lets it follow them."""
    statement = _statement(connection.dialect.name == "sqlite", kinds.follow_annotations, kinds.unfollowed_datasets)
    given = {"now": now, "new_cause": cause, "followed_image": image_id}
    if connection.execute(statement, given).rowcount:
        note_marked(connection, [image_id])


@cache
def _statement(is_sqlite: bool, kinds: tuple[str, ...], unfollowed: frozenset[str]) -> Update:
    """Return the statement: made once, because making it takes as long as executing it."""
    whose = [Artifact.image_id == bindparam("followed_image"), Artifact.kind.in_(kinds), OF_IMAGE]
    if unfollowed:
        is_unfollowed = or_(*(Entity.identity.startswith(f"datasets/{name}/", autoescape=True) for name in unfollowed))
        owner = select(Image.id).join(Asset, Asset.id == Image.asset_id).join(Entity, Entity.image_path == Asset.path)
        whose.append(Artifact.image_id.not_in(owner.where(Image.id == bindparam("followed_image"), is_unfollowed)))
    return changing(is_sqlite, *whose)
