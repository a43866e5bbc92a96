"""What the catalog knows of files: what lies below a folder, what is gone, what came back."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import fields
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Select, bindparam, or_, select, update

from coverslip.catalog.events import News, write_events
from coverslip.catalog.marks import Kinds
from coverslip.catalog.part import LARGEST, Part, chunks, execute_many
from coverslip.catalog.reviving import found_again, log_images, revive
from coverslip.catalog.tables import Asset, Image
from coverslip.catalog.types import kept_path
from coverslip.model.records import AssetRecord, SeenFile

UNKNOWN_TIME = -LARGEST
"""No file has it."""
_ASSET = tuple(getattr(Asset, field.name) for field in fields(AssetRecord))
"""The columns of a record."""


class Assets(Part):
    """Reading assets, and writing what a listing alone tells."""

    def assets_under(self, root: str) -> dict[str, AssetRecord]:
        """Return what is known of a path and of everything below it, by path."""
        wanted = select(*_ASSET).where(lies_under(root))
        with self._database.reading() as connection:
            return {row.path: AssetRecord(**row._mapping) for row in connection.execute(wanted)}

    def problems(self, limit: int = 100) -> list[AssetRecord]:
        """Return the broken files that are not missing, in the order of their paths."""
        wanted = select(*_ASSET).where(Asset.state == "broken", Asset.missing_since.is_(None))
        with self._database.reading() as connection:
            return [AssetRecord(**row._mapping) for row in connection.execute(wanted.order_by(Asset.path).limit(limit))]

    def touch_files(self, batch: Sequence[SeenFile]) -> int:
        """Note new sizes, times and checksums of files whose content is the same; return how many were known.

        Artifacts are left alone, and so are images unless they were missing: those are back.
        """
        seen = {kept_path(file.path): file for file in batch}
        statement = (
            update(Asset)
            .where(Asset.id == bindparam("known_id"))
            .values(size=bindparam("new_size"), mtime_ns=bindparam("new_mtime_ns"), checksum=bindparam("new_checksum"))
        )
        with self._database.writing() as connection:
            known = _lock_assets(connection, seen)
            rows = [{"known_id": known[path], **_seen_values(seen[path])} for path in known]
            execute_many(connection, statement, rows)
        self.mark_found(seen)  # a process that is killed in between leaves files that the next listing finds
        return len(known)

    def distrust(self, path: str) -> None:
        """Note that somebody has read another version of a file than the catalog knows.

        From now on nothing that a listing says of it is taken for unchanged: what was made of that version would
        stand as current for ever, should the file come back as the catalog knows it.
        """
        with self._database.writing() as connection:
            connection.execute(update(Asset).where(Asset.path == path).values(checksum=None, mtime_ns=UNKNOWN_TIME))

    def mark_missing(self, paths: Iterable[str]) -> int:
        """Note that a complete listing no longer shows these paths; return how many were not missing before.

        Their images are missing with them, as long as they are.
        """
        return self._set_missing(paths, self._clock(), "image.missing")

    def mark_found(self, paths: Iterable[str]) -> int:
        """Note that missing files are back as they were; return how many were missing."""
        return self._set_missing(paths, None, "image.found")

    def _set_missing(self, paths: Iterable[str], since: datetime | None, event: str) -> int:
        differs = Asset.missing_since.is_not(None) if since is None else Asset.missing_since.is_(None)
        with self._database.writing() as connection:
            paths = sorted(set(paths))
            back = [] if since is not None else found_again(connection, paths)
            known = _lock_assets(connection, paths, differs)
            news: list[News] = []
            back = [row for row in back if row.asset_id in known.values()]
            if back:
                revive(connection, [row.id for row in back], self._clock(), Kinds(self._kinds, self._annotation_kinds))
                log_images(connection, back, "restore", None, self._clock(), reason="seen again")
                news += [News("image.restored", row.id, {}) for row in back]
            for ids in chunks(known.values()):
                connection.execute(update(Asset).where(Asset.id.in_(ids)).values(missing_since=since))
                news += [News(event, image_id, {}) for image_id in connection.scalars(_present_images(ids))]
            write_events(connection, news)
        return len(known)


def lies_under(root: str) -> ColumnElement[bool]:
    """Return the condition as a range of paths, which the index answers and in which no character is special."""
    root = root.rstrip(os.sep)
    prefix = root + os.sep
    after = prefix[:-1] + chr(ord(prefix[-1]) + 1)
    return or_(Asset.path == root, (Asset.path >= prefix) & (Asset.path < after))


def _lock_assets(connection: Connection, paths: Iterable[str], *conditions: ColumnElement[bool]) -> dict[str, str]:
    """Return the identifiers of the known ones by path, locked until the end of the transaction."""
    known: dict[str, str] = {}
    for some in chunks(paths):
        wanted = select(Asset.path, Asset.id).where(Asset.path.in_(some), *conditions)
        known |= {row.path: row.id for row in connection.execute(wanted.order_by(Asset.path).with_for_update())}
    return known


def _present_images(asset_ids: Sequence[str]) -> Select[str]:
    """Return the query for images that are missing exactly when their asset is, and are not deleted."""
    return (
        select(Image.id)
        .where(Image.asset_id.in_(asset_ids), Image.missing_since.is_(None), Image.deleted_at.is_(None))
        .order_by(Image.asset_id, Image.index)
    )


def _seen_values(file: SeenFile) -> dict[str, int | str | None]:
    return {
        "new_size": file.size,
        "new_mtime_ns": kept_time(file.mtime_ns),
        "new_checksum": file.checksum,
    }


def kept_time(mtime_ns: int) -> int:
    """Return the time as far as a database can keep it: to the year 2262."""
    return max(-LARGEST, min(mtime_ns, LARGEST))
