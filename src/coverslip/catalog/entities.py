"""Entities of depositions: written as they are seen, found again, and what is derived from them marked."""

from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta

from sqlalchemy import and_, delete, func, or_, select, update

from coverslip.catalog.around import ANNOTATION, TOMOGRAM, images_around, numbers
from coverslip.catalog.cleaning import is_cleaned_by_others, note_seen
from coverslip.catalog.entity_marks import EntityMarks
from coverslip.catalog.entity_rows import select_entities, to_entity
from coverslip.catalog.entity_tables import Entity, IngestStep
from coverslip.catalog.entity_writing import Writing, identities_of, lock_known, remove_planned
from coverslip.catalog.events import News, write_events
from coverslip.catalog.part import Part, chunks, execute_many, new_id, upsert
from coverslip.catalog.removal_tables import Alias
from coverslip.catalog.sync import write_files
from coverslip.catalog.tables import Chore, Image
from coverslip.catalog.tombstones import removal_news
from coverslip.errors import NotFoundError
from coverslip.model.entities import EntityChanges, EntityRecord, EntitySeen, StepRecord, Surroundings
from coverslip.model.records import SyncItem
from coverslip.model.removal import CleanupPlan


class Entities(Part):
    """What depositions consist of."""

    def sync_entities(
        self,
        layout: str,
        seen: Sequence[EntitySeen],
        *,
        files: Sequence[SyncItem] = (),
        read_by: str = "",
        cause: str = "ingested",
        removing: CleanupPlan | None = None,
        allow: int = 0,
        right: str | None = None,
    ) -> EntityChanges:
        """Write entities and the image files they came with, and mark what is derived from them, in one transaction.

        An entity keeps its number for ever. What is seen as it was before is not written; what was removed and is seen
        again comes back. Nothing is removed but what ``removing`` says. While somebody cleans the layout, the revision
        of what is unchanged counts up too: that is how the cleanup learns that it was there.
        Views of a run are marked once for all of it, so they are built after everything is in.

        Parameters
        ----------
        layout
            Absolute folder or address of the layout, without a slash at the end.
        seen
            Parents before their children; parents written before need not be repeated.
        files
            Image files that are new or changed, as for ``sync_files``.
        read_by
            Versions of what read the files.
        cause
            What happened to them, in words, for those who ask why something was built.
        removing
            Rows of the layout that are gone: they become tombstones of this plan, which is kept as applied. Those that
            are seen now, or changed since it was made, stay.
        allow
            As for ``apply_plan``.
        right
            Token of the caller's own right to clean the layout. If it was lost, nothing is removed, and the plan is
            kept to be reviewed.

        Raises
        ------
        NotFoundError
            A parent is neither given nor known, or it was removed.
        """
        now = self._clock()
        going = removing.to_go(allow) if removing is not None else ()
        with self._database.writing() as connection:
            is_cleaned = is_cleaned_by_others(connection, layout, right, now)
            named = [one.identity for one in seen] + _parents(seen) + [one.identity for one in going]
            named += identities_of(connection, [one.merged_into for one in going])
            known = lock_known(connection, layout, named)
            work = Writing(connection, layout, known, now, EntityMarks(self._entity_kinds, now, cause))
            for one in seen:
                work.write(one)
            if is_cleaned:
                note_seen(connection, [known[identity].id for identity in work.unchanged])
            removed = [] if removing is None else remove_planned(connection, removing, going, seen, work, right)
            work.write_log()
            news: list[News] = []
            if files:
                write_files(connection, files, read_by, now, self._kinds, news)
            work.marks.write(connection)
            news += [] if removing is None else removal_news(removing.id, len(removed))
            write_events(connection, news)  # last, as everywhere: who numbers them waits for nobody
        return EntityChanges(tuple(work.added), tuple(work.changed), tuple(work.unchanged), tuple(removed))

    def entities(
        self,
        layout: str | None = None,
        *,
        type: str | None = None,  # noqa: A002  # the entity's own word
        under: str | None = None,
        identities: Collection[str] | None = None,
        run_id: int | None = None,
        parent_id: int | None = None,
        after: int = 0,
        limit: int | None = None,
        deleted: bool = False,
    ) -> list[EntityRecord]:
        """Return entities in the order of their numbers; deleted ones only when they are asked for.

        Parameters
        ----------
        layout
            Only those of this layout.
        type
            Only of this type.
        under
            Only what has this identity, and everything below it.
        identities
            Only what has one of these identities.
        run_id, parent_id
            Only those of this run, or directly below this entity, by public number.
        after, limit
            For pages: only numbers above this one, and so many at most.
        deleted
            Those that were removed, instead of those that are there.
        """
        conditions = [Entity.id > after]
        given = ((Entity.layout, layout), (Entity.type, type), (Entity.run_id, run_id), (Entity.parent_id, parent_id))
        conditions += [column == value for column, value in given if value is not None]
        if under is not None:
            below = and_(Entity.identity >= f"{under}/", Entity.identity < f"{under}0")
            conditions.append(or_(Entity.identity == under, below))
        if identities is not None:
            conditions.append(Entity.identity.in_(sorted(identities)))
        wanted = select_entities(deleted=deleted).where(*conditions).order_by(Entity.id).limit(limit)
        with self._database.reading() as connection:
            return [to_entity(row) for row in connection.execute(wanted)]

    def entity(self, entity_id: int) -> EntityRecord:
        """Return one entity; of one that became part of another one, that one.

        Raises
        ------
        NotFoundError
            There is no such entity, or it is deleted.
        """
        with self._database.reading() as connection:
            row = connection.execute(select_entities().where(Entity.id == entity_id)).one_or_none()
            if row is None:
                stayed = select(Alias.entity_id).where(Alias.id == entity_id).scalar_subquery()
                row = connection.execute(select_entities().where(Entity.id == stayed)).one_or_none()
        if row is None:
            raise NotFoundError(f"there is no entity {entity_id}")
        return to_entity(row)

    def entities_by_id(self, entity_ids: Iterable[int]) -> dict[int, EntityRecord]:
        """Return those of some entities that are there, by number."""
        found: dict[int, EntityRecord] = {}
        with self._database.reading() as connection:
            for some in numbers(entity_ids):
                rows = connection.execute(select_entities().where(Entity.id.in_(some)))
                found |= {row.id: to_entity(row) for row in rows}
        return found

    def survivors(self, entity_ids: Iterable[int]) -> dict[int, int]:
        """Return, of those of some numbers whose records became part of others, the numbers of these."""
        found: dict[int, int] = {}
        with self._database.reading() as connection:
            for some in numbers(entity_ids):
                wanted = select(Alias.id, Alias.entity_id).where(Alias.id.in_(some))
                found |= {row.id: row.entity_id for row in connection.execute(wanted)}
        return found

    def surroundings(self, image_id: str) -> Surroundings | None:
        """Return what is known around the image of a tomogram; ``None`` where it is of none."""
        is_tomogram = and_(Image.id == image_id, Entity.type == TOMOGRAM)
        with self._database.reading() as connection:
            row = connection.execute(select_entities().where(is_tomogram).order_by(Entity.id).limit(1)).one_or_none()
            if row is None:
                return None
            same = and_(Entity.run_id == row.run_id, Entity.alignment == row.alignment)
            rows = connection.execute(select_entities().where(same).order_by(Entity.id)).all()
            beside = [to_entity(one) for one in rows]
            annotations = tuple(one for one in beside if one.type == ANNOTATION)
            alignment = next((one for one in beside if one.type == "alignment"), None)
            spacings = {one.parent_id for one in annotations} - {None}
            named = select(Entity.id, Entity.name).where(Entity.id.in_(spacings))
            names = {one.id: one.name for one in connection.execute(named)}
            parents: dict[str, EntityRecord] = {}
            parent_id = row.parent_id
            while parent_id is not None:
                above = to_entity(connection.execute(select_entities().where(Entity.id == parent_id)).one())
                parents[above.type], parent_id = above, above.parent_id
        return Surroundings(to_entity(row), parents, alignment, annotations, names)

    def images_of_run(self, run: str) -> list[str]:
        """Return the images of the tomograms and tilt series of runs, by name, identity or public number.

        Raises
        ------
        NotFoundError
            There is no such run.
        """
        is_it = or_(Entity.name == run, Entity.identity == run)
        if run.isdecimal() and len(run) < 19:
            is_it = or_(is_it, Entity.id == int(run))
        with self._database.reading() as connection:
            is_shown = Entity.deleted_at.is_(None)
            ids = list(connection.scalars(select(Entity.id).where(Entity.type == "run", is_it, is_shown)))
            if not ids:
                raise NotFoundError(f"there is no run {run[:200]!r}")
            wanted = select_entities().where(Entity.run_id.in_(ids), Image.id.is_not(None)).order_by(Entity.id)
            return [row.image_id for row in connection.execute(wanted)]

    def images_showing(self, entity_ids: Iterable[int]) -> dict[int, list[str]]:
        """Return the images that show each of some entities; those that no image shows are left out."""
        with self._database.reading() as connection:
            return dict(images_around(connection, entity_ids))

    def count_entities(self) -> dict[str, int]:
        """Return how many entities there are, by type."""
        with self._database.reading() as connection:
            counting = select(Entity.type, func.count().label("number")).where(Entity.deleted_at.is_(None))
            rows = connection.execute(counting.group_by(Entity.type))
            return {row.type: row.number for row in rows}


class Steps(Part):
    """What ingests have done, and who ingests a run now."""

    def steps(self, layout: str, under: str = "") -> dict[str, StepRecord]:
        """Return the steps that were done in a layout, by name; those below an identity only, where one is given."""
        wanted = select(*IngestStep.__table__.columns).where(IngestStep.layout == layout)
        if under:
            wanted = wanted.where(IngestStep.name >= under, IngestStep.name < f"{under}\U0010fffd")
        with self._database.reading() as connection:
            rows = connection.execute(wanted.order_by(IngestStep.name))
            return {row.name: StepRecord(row.name, row.digest, dict(row.facts), dict(row.outputs)) for row in rows}

    def note_steps(self, layout: str, steps: Sequence[StepRecord]) -> None:
        """Note that steps were done."""
        rows = [
            {
                "layout": layout,
                "name": step.name,
                "digest": step.digest,
                "facts": dict(step.facts),
                "outputs": dict(step.outputs),
                "done_at": self._clock(),
            }
            for step in steps
        ]
        with self._database.writing() as connection:
            statement = upsert(connection, IngestStep)
            replaced = {name: statement.excluded[name] for name in ("digest", "facts", "outputs", "done_at")}
            statement = statement.on_conflict_do_update(
                index_elements=[IngestStep.layout, IngestStep.name], set_=replaced
            )
            execute_many(connection, statement, rows)

    def forget_steps(self, layout: str, names: Iterable[str]) -> None:
        """Forget that steps were done: they are done again the next time."""
        with self._database.writing() as connection:
            for some in chunks(names):
                connection.execute(delete(IngestStep).where(IngestStep.layout == layout, IngestStep.name.in_(some)))

    def take_lease(self, name: str, lease_seconds: float) -> str | None:
        """Return the right to something that one at a time may do; ``None`` while somebody else has it."""
        now, token = self._clock(), new_id()
        is_free = or_(Chore.lease_until.is_(None), Chore.lease_until <= now)
        lease = {"token": token, "lease_until": now + timedelta(seconds=lease_seconds)}
        with self._database.writing() as connection:
            row = {"id": new_id(), "name": name}
            execute_many(connection, upsert(connection, Chore).on_conflict_do_nothing(), [row])
            taken = connection.execute(update(Chore).where(Chore.name == name, is_free).values(lease))
        return token if taken.rowcount == 1 else None

    def keep_lease(self, name: str, token: str, lease_seconds: float) -> bool:
        """Return whether a right is still held, and hold it for longer."""
        with self._database.writing() as connection:
            until = self._clock() + timedelta(seconds=lease_seconds)
            is_ours = and_(Chore.name == name, Chore.token == token)
            return connection.execute(update(Chore).where(is_ours).values(lease_until=until)).rowcount == 1

    def end_lease(self, name: str, token: str) -> None:
        """Give a right back, and forget it."""
        with self._database.writing() as connection:
            connection.execute(delete(Chore).where(Chore.name == name, Chore.token == token))


def _parents(seen: Sequence[EntitySeen]) -> list[str]:
    return [one.parent for one in seen if one.parent is not None]
