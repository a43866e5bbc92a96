"""What people see: lists of images, single ones, and their way out: deleted, restored, purged."""

import os
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Select, and_, delete, func, select, update

from coverslip.catalog.assets import UNKNOWN_TIME
from coverslip.catalog.documents import to_metadata
from coverslip.catalog.entity_marks import EntityMarks
from coverslip.catalog.events import News, write_events
from coverslip.catalog.image_removals import end_plans, lock_plans, look_around
from coverslip.catalog.listing import Wanted
from coverslip.catalog.marks import Kinds, is_stale
from coverslip.catalog.part import Part, chunks, known_form, no_such_image
from coverslip.catalog.reviving import log_images, removed_images, revive
from coverslip.catalog.tables import Artifact, Asset, Image
from coverslip.errors import ConflictError, InvalidRequestError
from coverslip.model.records import ImagePage, ImagePlace, ImageRecord, PurgedBytes, ThumbnailState
from coverslip.model.search import Cursor, ImageFilter, Sort
from coverslip.sources import is_remote

THUMBNAIL = "thumbnail"
EVERYTHING = ImageFilter()
LAST_PLACE = 2**31 - 1
"""The largest offset and limit that PostgreSQL's driver is given room for."""


class Images(Part):
    """Reading images, and deleting them."""

    def list_images(
        self,
        *,
        skip: int = 0,
        limit: int = 100,
        q: str | None = None,
        having: ImageFilter = EVERYTHING,
        sort: Sort = "-added",
        after: Cursor | None = None,
    ) -> ImagePage:
        """Return a page of the images that are not deleted: the newest batch first, a batch in its own order.

        The records come without the vendor's metadata, which may be large; ``get_image`` gives it.

        Parameters
        ----------
        skip
            How many to leave out at the beginning.
        limit
            How many to return at most.
        q
            Only images with this text in their name or file name, or with all its words in what is known of them,
            the vendor's metadata included; letter case does not count, nothing is special.
        having
            Only images like this.
        sort
            Another order.
        after
            Only what follows this place in that order; ``skip`` then counts from there. ``total`` does not depend
            on it.

        Raises
        ------
        InvalidRequestError
            ``skip`` or ``limit`` is negative or absurdly large, or ``after`` is a place in another order.
        """
        given = {"skip": skip, "limit": limit}
        wrong = [
            f"{name}: expected 0 to {LAST_PLACE}, found {value}"
            for name, value in given.items()
            if not 0 <= value <= LAST_PLACE
        ]
        if wrong:
            raise InvalidRequestError("no such page: " + "; ".join(wrong), wrong)
        if after is not None and after.sort != sort:
            raise InvalidRequestError(f"the cursor is of a list sorted by {after.sort}, not by {sort}")
        wanted = Wanted.of(q, having, sort, is_sqlite=self._database.is_sqlite)
        page = wanted.page(skip, min(limit + 1, LAST_PLACE), after)
        records = (
            self._select(*wanted.sorted_keys(page)).join(page, page.c.id == Image.id).add_columns(*wanted.keys(page))
        )
        with self._database.reading() as connection:
            total = connection.execute(wanted.count()).scalar_one()
            rows = connection.execute(records).all()
        images = tuple(_to_record(row) for row in rows[:limit])
        following = wanted.order.cursor_of(rows[limit - 1]).write() if 0 < limit < len(rows) else None
        return ImagePage(images, total, skip, limit, following)

    def get_image(self, image_id: str, *, deleted: bool = False) -> ImageRecord:
        """Return one image with all its metadata.

        Parameters
        ----------
        image_id
            Its identifier.
        deleted
            Whether a deleted one is meant too.

        Raises
        ------
        NotFoundError
            There is no such image, or it is deleted.
        """
        wanted = self._select().add_columns(Image.vendor).where(Image.id == known_form(image_id))
        if not deleted:
            wanted = wanted.where(Image.deleted_at.is_(None))
        with self._database.reading() as connection:
            row = connection.execute(wanted).one_or_none()
        if row is None:
            raise no_such_image(image_id)
        return _to_record(row)

    def get_images(self, image_ids: Iterable[str]) -> dict[str, ImageRecord]:
        """Return those of some images that are there and not deleted, with all their metadata, by identifier."""
        wanted = self._select().add_columns(Image.vendor).where(Image.deleted_at.is_(None))
        found: dict[str, ImageRecord] = {}
        with self._database.reading() as connection:
            for some in chunks(image_ids):
                found |= {row.id: _to_record(row) for row in connection.execute(wanted.where(Image.id.in_(some)))}
        return found

    def place_of(self, image_id: str) -> ImagePlace:
        """Return where the pixels of an image are; a fifth of the time that its metadata takes.

        Raises
        ------
        NotFoundError
            There is no such image, or it is deleted.
        """
        wanted = (
            select(Image.id, Image.index.label("position"), Image.revision, Asset.path)
            .join(Asset, Asset.id == Image.asset_id)
            .where(Image.id == known_form(image_id), Image.deleted_at.is_(None))
        )
        with self._database.reading() as connection:
            row = connection.execute(wanted).one_or_none()
        if row is None:
            raise no_such_image(image_id)
        return ImagePlace(row.id, row.position, row.path, row.revision)

    def images_of(self, asset_id: str) -> tuple[ImageRecord, ...]:
        """Return the images of one file with all their metadata, in the file's own order; deleted ones left out."""
        wanted = self._select(Image.index).add_columns(Image.vendor)
        with self._database.reading() as connection:
            rows = connection.execute(wanted.where(Image.asset_id == asset_id, Image.deleted_at.is_(None)))
            return tuple(_to_record(row) for row in rows)

    def delete_image(self, image_id: str) -> None:
        """Hide an image at once. Nothing is lost before it is purged.

        Raises
        ------
        NotFoundError
            There is no such image, or it is deleted already.
        """
        wanted = (Image.id == known_form(image_id)) & Image.deleted_at.is_(None)
        with self._database.writing() as connection:
            if connection.execute(update(Image).where(wanted).values(deleted_at=self._clock())).rowcount != 1:
                raise no_such_image(image_id)
            write_events(connection, [News("image.deleted", image_id, {})])

    def restore_image(self, image_id: str) -> None:
        """Show a deleted image again, with its artifacts to be built anew if they were purged.

        Raises
        ------
        NotFoundError
            There is no such image.
        ConflictError
            It is not deleted.
        """
        found = select(Image.deleted_at).where(Image.id == known_form(image_id)).with_for_update()
        with self._database.writing() as connection:
            removed = removed_images(connection, [image_id])
            row = connection.execute(found).one_or_none()
            if row is None:
                raise no_such_image(image_id)
            if row.deleted_at is None:
                raise ConflictError(f"image {image_id} is not deleted")
            marks = EntityMarks(self._entity_kinds, self._clock(), "restored")
            revive(connection, [image_id], marks.now, Kinds(self._kinds, self._annotation_kinds))
            if removed:
                log_images(connection, removed, "restore", None, marks.now, reason="restored by hand")
            look_around(connection, marks, _paths_of(connection, [image_id]))
            marks.write(connection)
            write_events(connection, [News("image.restored", image_id, {})])

    def purgeable(self, before: datetime) -> list[ImageRecord]:
        """Return the images deleted before a time and not purged yet, longest deleted first, as lists do."""
        wanted = self._select(Image.deleted_at, Image.place.desc(), Image.id)
        with self._database.reading() as connection:
            rows = connection.execute(wanted.where(Image.deleted_at < before, Image.purged_at.is_(None)))
            return [_to_record(row) for row in rows]

    def purge_images(self, image_ids: Iterable[str], *, actor: str = "") -> list[PurgedBytes]:
        """Make deletions final and return the bytes that nothing refers to any more.

        Images that are not deleted (any more) are left alone. Of a file added in place the images stay as
        tombstones, or the next ``add`` would bring them back; so do those of an uploaded file while another of its
        images is left. What was made of annotations and went along with such an image goes along with another one
        that shows them. Those that a cleanup removed are written into the log, and cannot be brought back by its undo.
        """
        now = self._clock()
        marks = EntityMarks(self._entity_kinds, now, "purged")
        with self._database.writing() as connection:
            image_ids = sorted(set(image_ids))
            plans = lock_plans(connection, image_ids)
            removed = removed_images(connection, image_ids)
            gone = _lock_purged(connection, image_ids)
            for ids in chunks(gone):
                connection.execute(update(Image).where(Image.id.in_(ids)).values(purged_at=now))
            removed = [row for row in removed if row.id in gone]
            if removed:
                log_images(connection, removed, "purge", None, now, reason="kept long enough", actor=actor)
            end_plans(connection, plans)
            look_around(connection, marks, _paths_of(connection, gone))
            marks.write(connection)
            keys = _remove_artifacts(connection, gone)
            paths = _remove_uploads(connection, set(gone.values()))
        last_of = {asset_id: image_id for image_id, asset_id in gone.items()}
        return [
            PurgedBytes(
                image_id, paths.get(asset_id) if last_of[asset_id] == image_id else None, keys.get(image_id, ())
            )
            for image_id, asset_id in gone.items()
        ]

    def _select(self, *order: Any) -> Select[*tuple[Any, ...]]:
        """Return the query for records without vendor metadata."""
        is_thumbnail = and_(Artifact.image_id == Image.id, Artifact.kind == THUMBNAIL)
        return (
            select(
                Image.id,
                Image.index.label("position"),
                Image.document,
                Image.revision,
                Image.created_at,
                Image.updated_at,
                func.coalesce(Asset.missing_since, Image.missing_since).label("missing_since"),
                Image.deleted_at,
                Asset.path,
                Asset.origin,
                Asset.size,
                Asset.mtime_ns,
                Asset.is_folder,
                Artifact.etag,
                Artifact.error,
                is_stale(self._versions).label("is_stale"),
            )
            .join(Asset, Asset.id == Image.asset_id)
            .outerjoin(Artifact, is_thumbnail)
            .order_by(*order)
        )


def _to_record(row: Any) -> ImageRecord:
    return ImageRecord(
        id=row.id,
        index=row.position,
        path=row.path,
        filename=os.path.basename(row.path),  # noqa: PTH119  # text, not a file
        origin=row.origin,
        size_bytes=row.size,
        metadata=to_metadata(row.document, row._mapping.get("vendor")),
        revision=row.revision,
        created_at=row.created_at,
        updated_at=row.updated_at,
        missing_since=row.missing_since,
        deleted_at=row.deleted_at,
        thumbnail=_to_thumbnail(row),
        mtime_ns=_time_of(row),
    )


def _time_of(row: Any) -> int | None:
    is_known = not (row.is_folder or is_remote(row.path) or row.mtime_ns == UNKNOWN_TIME)
    return row.mtime_ns if is_known else None


def _to_thumbnail(row: Any) -> ThumbnailState:
    """Return the state; there is no row while the artifacts are purged, and nothing says it is fresh then."""
    if row.is_stale is not None and not row.is_stale:
        return ThumbnailState("fresh", row.etag)
    state: Literal["stale", "failed"] = "stale" if row.error is None else "failed"
    return ThumbnailState(state, None, row.error)


def _lock_purged(connection: Connection, image_ids: Iterable[str]) -> dict[str, str]:
    """Return, of these, the images that may be purged, with their assets, locked in the order everybody locks."""
    gone: dict[str, str] = {}
    for some in chunks(image_ids):
        of_assets = select(Image.asset_id).where(Image.id.in_(some))
        connection.execute(select(Asset.id).where(Asset.id.in_(of_assets)).order_by(Asset.path).with_for_update())
        wanted = select(Image.id, Image.asset_id).where(
            Image.id.in_(some), Image.deleted_at.is_not(None), Image.purged_at.is_(None)
        )
        gone |= {row.id: row.asset_id for row in connection.execute(wanted.order_by(Image.id).with_for_update())}
    return gone


def _paths_of(connection: Connection, image_ids: Iterable[str]) -> list[str]:
    """Return the paths of the files of images."""
    wanted = select(Asset.path).join(Image, Image.asset_id == Asset.id)
    return [path for some in chunks(image_ids) for path in connection.scalars(wanted.where(Image.id.in_(some)))]


def _remove_artifacts(connection: Connection, image_ids: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Remove the artifacts of images and return their storage names, by image, that no other artifact has."""
    removed: dict[str, set[str]] = {}
    for some in chunks(image_ids):
        gone = delete(Artifact).where(Artifact.image_id.in_(some)).returning(Artifact.image_id, Artifact.key)
        for row in connection.execute(gone):
            if row.key is not None:
                removed.setdefault(row.image_id, set()).add(row.key)
    shared: set[str] = set()
    for some in chunks(key for keys in removed.values() for key in keys):
        still_there = select(Artifact.key).where(Artifact.key.in_(some), Artifact.key.is_not(None))
        shared |= set(connection.scalars(still_there))
    return {image_id: tuple(sorted(keys - shared)) for image_id, keys in removed.items()}


def _remove_uploads(connection: Connection, asset_ids: Iterable[str]) -> dict[str, str]:
    """Remove uploaded assets of which every image is purged, and return their paths."""
    removed: dict[str, str] = {}
    has_image = select(Image.id).where(Image.asset_id == Asset.id, Image.purged_at.is_(None)).exists()
    for some in chunks(asset_ids):
        gone = delete(Asset).where(Asset.id.in_(some), Asset.origin == "uploaded", ~has_image)
        removed |= {row.id: row.path for row in connection.execute(gone.returning(Asset.id, Asset.path))}
    return removed
