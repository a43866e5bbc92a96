"""Lists of entities that people look through, a page at a time."""

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import aliased

from coverslip.catalog.entity_rows import select_entities, to_entity
from coverslip.catalog.entity_tables import Entity
from coverslip.catalog.part import LARGEST, Part
from coverslip.catalog.tables import Asset, Image
from coverslip.errors import NotFoundError
from coverslip.model.entities import EntityRecord
from coverslip.model.records import ImagePlace

_Run = aliased(Entity)


class EntityLists(Part):
    """Finding entities."""

    def find_entities(
        self,
        *,
        type: str | None = None,  # noqa: A002  # the entity's own word
        run: str | None = None,
        dataset: str | None = None,
        deposition: str | None = None,
        parent_id: int | None = None,
        q: str | None = None,
        incomplete: bool = False,
        after: int = 0,
        limit: int = 100,
    ) -> list[EntityRecord]:
        """Return a page of entities in the order of their numbers; every condition narrows it.

        Parameters
        ----------
        type
            Of this type.
        run
            The run of this name, identity or public number, and everything below it.
        dataset
            The dataset of this name, and everything below it.
        deposition
            What came with the deposition of this number.
        parent_id
            Directly below this entity.
        q
            Part of the name or of the identity; letter case does not count.
        incomplete
            Only those of which files are known not to be there.
        after, limit
            Only numbers above this one, and so many at most.
        """
        conditions = [Entity.id > min(after, LARGEST)]
        equal = ((Entity.type, type), (Entity.deposition, deposition), (Entity.parent_id, parent_id))
        conditions += [column == value for column, value in equal if value is not None]
        if incomplete:
            conditions.append(Entity.incomplete_since.is_not(None))
        if run is not None:
            is_it = or_(_Run.name == run, _Run.identity == run)
            if run.isdecimal() and run.isascii() and len(run) < 19:
                is_it = or_(is_it, _Run.id == int(run))
            runs = select(_Run.id).where(_Run.type == "run", is_it)
            conditions.append(or_(Entity.run_id.in_(runs), Entity.id.in_(runs)))
        if dataset is not None:
            top = f"datasets/{dataset}"
            below = and_(Entity.identity >= f"{top}/", Entity.identity < f"{top}0")
            conditions.append(or_(Entity.identity == top, below))
        if q:
            pattern = "%" + q.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
            found = (func.lower(column).like(pattern, escape="\\") for column in (Entity.name, Entity.identity))
            conditions.append(or_(*found))
        wanted = select_entities().where(*conditions).order_by(Entity.id).limit(limit)
        with self._database.reading() as connection:
            return [to_entity(row) for row in connection.execute(wanted)]

    def images_of_dataset(self, dataset: str) -> list[ImagePlace]:
        """Return all images of a dataset that people see, in the order of their paths.

        Parameters
        ----------
        dataset
            A dataset of a deposition, by name, identity or public number; or else a folder of the library, by its
            path, with all below it.

        Raises
        ------
        NotFoundError
            There is no such dataset or folder, or no image in it.
        """
        is_it = or_(Entity.name == dataset, Entity.identity == dataset)
        if dataset.isdecimal() and dataset.isascii() and len(dataset) < 19:
            is_it = or_(is_it, Entity.id == int(dataset))
        tops = select(Entity.layout, Entity.identity).where(
            Entity.type == "dataset", is_it, Entity.deleted_at.is_(None)
        )
        wanted = (
            select(Image.id, Image.index.label("position"), Image.revision, Asset.path)
            .join(Asset, Asset.id == Image.asset_id)
            .where(Image.deleted_at.is_(None))
            .order_by(Asset.path, Image.index)
        )
        with self._database.reading() as connection:
            found = connection.execute(tops).all()
            folder = dataset.rstrip("/")
            chosen = [Asset.path >= f"{folder}/", Asset.path < f"{folder}0"] if folder.startswith("/") else []
            if found:
                below = [_below(layout, identity) for layout, identity in found]
                shown = select(Entity.image_path).where(or_(*below), Entity.deleted_at.is_(None))
                chosen = [Asset.path.in_(shown.where(Entity.image_path.is_not(None)))]
            rows = connection.execute(wanted.where(*chosen)).all() if chosen else []
        if not rows:
            what = "no image is in the dataset" if found else "there is no dataset"
            raise NotFoundError(f"{what} {dataset[:200]!r}")
        return [ImagePlace(row.id, row.position, row.path, row.revision) for row in rows]

    def count_children(self, entity_id: int) -> dict[str, int]:
        """Return how many entities are directly below one, by type."""
        count = func.count().label("number")
        wanted = select(Entity.type, count).where(Entity.parent_id == entity_id).group_by(Entity.type)
        with self._database.reading() as connection:
            return {row.type: row.number for row in connection.execute(wanted.order_by(Entity.type))}


def _below(layout: str, identity: str) -> ColumnElement[bool]:
    """Return the condition that an entity is one of a layout, or below it."""
    inside = and_(Entity.identity >= f"{identity}/", Entity.identity < f"{identity}0")
    return and_(Entity.layout == layout, or_(Entity.identity == identity, inside))
