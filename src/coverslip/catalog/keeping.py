"""What the storage holds for the catalog: which artifacts are wanted, when they were last used, who clears up."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from sqlalchemy import and_, delete, func, or_, select, update

from coverslip.catalog.annotation_rows import one_annotation
from coverslip.catalog.entity_tables import Entity
from coverslip.catalog.marks import new_artifact, note_marked
from coverslip.catalog.part import Part, chunks, execute_many, known_form, new_id, no_such_image, upsert
from coverslip.catalog.tables import Artifact, Chore, Image
from coverslip.errors import CatalogError, NotFoundError

USE_SECONDS = 3600.0
"""A use is written down when the last one was longer ago: who serves a thousand pictures an hour writes each once."""


class Keeping(Part):
    """Artifacts that are made when asked for, uses, and chores that one process at a time does."""

    def want(self, kind: str, image_id: str, annotation_id: str | None = None, entity_id: int | None = None) -> None:
        """Give an image, annotation or entity an artifact that not every one has; it is kept fresh from now on.

        That of an entity goes along with the image.

        Raises
        ------
        NotFoundError
            There is no such image, annotation or entity, or it is deleted.
        """
        with self._database.writing() as connection:
            found = select(Image.id).where(Image.id == known_form(image_id), Image.deleted_at.is_(None))
            if connection.execute(found).first() is None:
                raise no_such_image(image_id)
            if annotation_id is not None and one_annotation(connection, annotation_id).deleted_at is not None:
                raise NotFoundError(f"annotation {annotation_id} is deleted")
            if entity_id is not None:
                is_there = (Entity.id == entity_id, Entity.deleted_at.is_(None))
                if connection.execute(select(Entity.id).where(*is_there)).first() is None:
                    raise NotFoundError(f"there is no entity {entity_id}")
                is_it = and_(Artifact.entity_id == entity_id, Artifact.kind == kind)
                connection.execute(update(Artifact).where(is_it).values(image_id=image_id))
            row = new_artifact(kind, image_id, self._clock(), "asked for the first time", annotation_id, entity_id)
            execute_many(connection, upsert(connection, Artifact).on_conflict_do_nothing(), [row])
            note_marked(connection, [image_id])

    def note_uses(self, artifact_ids: Iterable[str]) -> None:
        """Note that these artifacts were used just now; at most one write an hour for each."""
        now = self._clock()
        is_old = or_(Artifact.used_at.is_(None), Artifact.used_at < now - timedelta(seconds=USE_SECONDS))
        for some in chunks(artifact_ids):
            due = select(Artifact.id).where(Artifact.id.in_(some), is_old)
            with self._database.reading() as connection:
                ids = connection.scalars(due).all()
            if ids:
                free = select(Artifact.id).where(Artifact.id.in_(ids)).with_for_update(skip_locked=True)
                with self._database.writing() as connection:  # waits for nobody: a use is noted the next time too
                    noted = connection.scalars(free).all()
                    connection.execute(update(Artifact).where(Artifact.id.in_(noted)).values(used_at=now))

    def artifact_uses(self) -> Mapping[str, datetime | None]:
        """Return the storage name of everything that is published, with its last use; ``None`` where none is known."""
        wanted = select(Artifact.key, func.max(Artifact.used_at).label("used_at"))
        with self._database.reading() as connection:
            rows = connection.execute(wanted.where(Artifact.key.is_not(None)).group_by(Artifact.key))
            return {row.key: row.used_at for row in rows if row.key is not None}

    def let_go(self, keys: Iterable[str]) -> None:
        """Want artifacts of these storage names no more, where not every image has one of their kind.

        The others keep their row: their bytes are made again when somebody asks for them, not before.
        """
        kinds = (*self._kinds, *self._annotation_kinds, *self._entity_kinds.of_tomograms)
        always = (*kinds, *(kind for some in self._entity_kinds.of_shapes.values() for kind in some))
        for some in chunks(keys):
            is_idle = or_(Artifact.lease_until.is_(None), Artifact.lease_until <= self._clock())
            extra = delete(Artifact).where(Artifact.key.in_(some), Artifact.kind.not_in(always), is_idle)
            with self._database.writing() as connection:
                connection.execute(extra)

    def chore_id(self, name: str) -> str:
        """Return the identifier of a chore; that of ``gc`` names this catalog where several share a storage."""
        wanted = select(Chore.id).where(Chore.name == name)
        with self._database.reading() as connection:
            found = connection.scalar(wanted)
        if found is None:
            with self._database.writing() as connection:
                row = {"id": new_id(), "name": name}
                execute_many(connection, upsert(connection, Chore).on_conflict_do_nothing(), [row])
                found = connection.scalar(wanted)
        if found is None:
            raise CatalogError(f"the catalog has no chore {name!r}")
        return found

    def claim_chore(self, name: str, *, every_seconds: float, lease_seconds: float) -> str | None:
        """Return the right to do a chore that was not done for so long; ``None`` when it is not its time.

        Parameters
        ----------
        name
            Of the chore.
        every_seconds
            How often it is done, by whichever process.
        lease_seconds
            When somebody else may do it, should this process be killed.
        """
        now = self._clock()
        token = new_id()
        is_ours = Chore.id == self.chore_id(name)
        is_free = or_(Chore.lease_until.is_(None), Chore.lease_until <= now)
        is_due = or_(Chore.done_at.is_(None), Chore.done_at <= now - timedelta(seconds=every_seconds))
        with self._database.reading() as connection:
            if connection.execute(select(Chore.id).where(is_ours, is_free, is_due)).first() is None:
                return None
        lease = {"token": token, "lease_until": now + timedelta(seconds=lease_seconds)}
        with self._database.writing() as connection:
            claimed = connection.execute(update(Chore).where(is_ours, is_free, is_due).values(lease))
        return token if claimed.rowcount == 1 else None

    def finish_chore(self, name: str, token: str) -> None:
        """Note that a chore is done, unless the claim was lost."""
        done = {"token": None, "lease_until": None, "done_at": self._clock()}
        with self._database.writing() as connection:
            connection.execute(update(Chore).where(Chore.name == name, Chore.token == token).values(done))
