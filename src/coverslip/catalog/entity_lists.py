"""Lists of entities that people look through, a page at a time."""

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import aliased

from coverslip.catalog.entity_rows import select_entities, to_entity
from coverslip.catalog.entity_tables import Entity
from coverslip.catalog.part import LARGEST, Part
from coverslip.model.entities import EntityRecord

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

    def count_children(self, entity_id: int) -> dict[str, int]:
        """Return how many entities are directly below one, by type."""
        count = func.count().label("number")
        wanted = select(Entity.type, count).where(Entity.parent_id == entity_id).group_by(Entity.type)
        with self._database.reading() as connection:
            return {row.type: row.number for row in connection.execute(wanted.order_by(Entity.type))}
