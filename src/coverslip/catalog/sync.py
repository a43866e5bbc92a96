"""Writing what was found in files: a batch of files is one transaction and a handful of statements."""

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, literal_column, null, select, update

from coverslip.catalog.assets import kept_time
from coverslip.catalog.documents import to_documents
from coverslip.catalog.events import News, write_events
from coverslip.catalog.facts import facts_of
from coverslip.catalog.marks import Kinds, mark_stale, new_artifacts, note_marked
from coverslip.catalog.part import Part, chunks, execute_many, new_id, upsert
from coverslip.catalog.reviving import found_again, log_images, revive
from coverslip.catalog.tables import Artifact, Asset, Facts, Image
from coverslip.catalog.types import folded, kept_path
from coverslip.model.metadata import ImageMetadata
from coverslip.model.records import Change, SyncItem


class Sync(Part):
    """Writing files with their images and marks."""

    def sync_files(self, batch: Sequence[SyncItem], read_by: str) -> list[Change]:
        """Write files and their images, and mark the artifacts of images that changed, in one transaction.

        Images keep their identity: the image of the same index in the same path is the same image, updated in
        place. Images that a file no longer has, or that can no longer be read, become missing. Deleted images are
        updated too, without events, and stay deleted. What is written again as it was (another process was faster, or
        somebody asked for everything to be read again) is no change.

        Parameters
        ----------
        batch
            Files that are new or changed. Of a path given twice, what was seen last counts.
        read_by
            Versions of what read them.

        Returns
        -------
        list of Change
            What was done, in the order of ``batch``.
        """
        now = self._clock()
        with self._database.writing() as connection:
            return write_files(connection, batch, read_by, now, self._kinds)


def write_files(
    connection: Connection,
    batch: Sequence[SyncItem],
    read_by: str,
    now: datetime,
    kinds: Sequence[str],
    news: list[News] | None = None,
) -> list[Change]:
    """Write files and their images, and mark what is made of images that changed; see ``Sync.sync_files``.

    ``kinds`` are those that every image has. Events are written at once, or added to ``news`` for whoever has more to
    lock before.
    """
    paths = [kept_path(item.seen.path) for item in batch]
    latest = dict(zip(paths, batch, strict=True))
    work = _Work(now, kinds)
    removed = found_again(connection, (path for path, one in latest.items() if one.images))
    missing = _lock_missing(connection, latest)
    same = _written_before(connection, latest)
    ids = _write_assets(connection, latest, read_by)
    _hand_over(connection, latest, ids)
    before = _images_by_asset(connection, ids.values())
    changes = {
        path: Change(ids[path], rows_written=1)
        if path in same
        else work.take(item, ids[path], before[ids[path]], was_missing=path in missing)
        for path, item in latest.items()
    }
    back = {row.id: row for row in removed} if removed else {}
    back = {image_id: back[image_id] for image_id in work.changed if image_id in back}
    if back:
        revive(connection, back, now, Kinds(tuple(kinds), ()))
        log_images(connection, back.values(), "restore", None, now, reason="seen again")
        work.news += [News("image.restored", image_id, {}) for image_id in back]
    work.write(connection, news)
    is_last = {path: position for position, path in enumerate(paths)}
    return [changes[path] if is_last[path] == position else Change(ids[path]) for position, path in enumerate(paths)]


@dataclass(frozen=True, slots=True)
class _Before:
    """An image as it was before the batch."""

    id: str
    revision: int
    is_missing: bool
    """Whether it was missing by itself, its file being there."""
    is_deleted: bool
    is_purged: bool


@dataclass(slots=True)
class _Work:
    """What a batch comes to: rows collected file by file, then written table by table."""

    now: datetime
    kinds: Sequence[str]
    images: list[dict[str, Any]] = field(default_factory=list)
    facts: list[dict[str, Any]] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    news: list[News] = field(default_factory=list)

    def take(self, item: SyncItem, asset_id: str, before: Mapping[int, _Before], *, was_missing: bool) -> Change:
        """Plan one file and return what it comes to."""
        rows = 1
        for index, metadata in enumerate(item.images):
            image_id = self._put(item.seen.path, asset_id, index, metadata)
            if index in before:
                self.facts[-1]["image_id"] = before[index].id
                self._change(before[index], was_missing=was_missing)
                rows += 1 if before[index].is_purged else 1 + len(self.kinds)
            else:
                self.added.append(image_id)
                self.news.append(News("image.added", image_id, {"revision": 1}))
                rows += 1 + len(self.kinds)
        gone = [image for index, image in before.items() if index >= len(item.images) and not image.is_missing]
        for image in gone:
            self._lose(image, was_missing=was_missing)
        changed = sum(index in before for index in range(len(item.images)))
        return Change(asset_id, len(item.images) - changed, changed, len(gone), rows + len(gone))

    def write(self, connection: Connection, news: list[News] | None) -> None:
        """Write everything."""
        statement = upsert(connection, Image)
        new = statement.excluded
        replaced = {name: new[name] for name in ("name", "search", "document", "vendor", "updated_at")}
        statement = statement.on_conflict_do_update(
            index_elements=[Image.asset_id, Image.index],
            set_={**replaced, "revision": Image.revision + literal_column("1"), "missing_since": null()},
        )
        execute_many(connection, statement, self.images)
        execute_many(connection, put_facts(connection), self.facts)
        execute_many(connection, insert(Artifact), new_artifacts(self.added, self.kinds, self.now))
        note_marked(connection, self.added)
        mark_stale(connection, self.changed, self.now, cause="the file has changed")
        for ids in chunks(self.missing):
            connection.execute(update(Image).where(Image.id.in_(ids)).values(missing_since=self.now))
        if news is None:
            write_events(connection, self.news)
        else:
            news += self.news

    def _put(self, path: str, asset_id: str, index: int, metadata: ImageMetadata) -> str:
        """Add a row and return the identifier the image gets if it is new."""
        document, vendor = to_documents(metadata)
        image_id = new_id()
        filename = os.path.basename(path)  # noqa: PTH119  # text, not a file
        self.facts.append({"image_id": image_id, **facts_of(filename, document, vendor)})
        self.images.append(
            {
                "id": image_id,
                "asset_id": asset_id,
                "index": index,
                "place": -len(self.images),
                "name": metadata.name,
                "search": folded(metadata.name, filename),
                "document": document,
                "vendor": vendor,
                "revision": 1,
                "created_at": self.now,
                "updated_at": self.now,
            }
        )
        return image_id

    def _change(self, image: _Before, *, was_missing: bool) -> None:
        self.changed.append(image.id)
        if image.is_deleted:
            return
        if was_missing or image.is_missing:
            self.news.append(News("image.found", image.id, {}))
        self.news.append(News("image.changed", image.id, {"revision": image.revision + 1}))

    def _lose(self, image: _Before, *, was_missing: bool) -> None:
        self.missing.append(image.id)
        if not (was_missing or image.is_deleted):
            self.news.append(News("image.missing", image.id, {}))


def put_facts(connection: Connection) -> Any:
    """Return the statement that writes facts of images, in place where there are some."""
    statement = upsert(connection, Facts)
    names = [one.key for one in Facts.__table__.columns if one.key not in {"id", "image_id"}]
    return statement.on_conflict_do_update(
        index_elements=[Facts.image_id], set_={name: statement.excluded[name] for name in names}
    )


def _lock_missing(connection: Connection, paths: Iterable[str]) -> set[str]:
    """Lock the rows of known paths in the order of the paths, and return those that were missing."""
    missing: set[str] = set()
    for some in chunks(paths):
        wanted = select(Asset.path, Asset.missing_since).where(Asset.path.in_(some)).order_by(Asset.path)
        rows = connection.execute(wanted.with_for_update())
        missing |= {row.path for row in rows if row.missing_since is not None}
    return missing


def _written_before(connection: Connection, items: Mapping[str, SyncItem]) -> set[str]:
    """Return the paths whose content and images are in the catalog just as they are to be written.

    Only where the checksum is that of the content: not for sets, of whose other files it says nothing, and not for
    folders, where it is that of the listing.
    """
    wholes = {item.part_of for item in items.values()}
    may_be = [
        path
        for path, item in items.items()
        if item.images and item.seen.checksum and not item.seen.is_folder and path not in wholes
    ]
    there: dict[str, list[Any]] = defaultdict(list)
    for some in chunks(may_be):
        wanted = select(Asset.path, Asset.checksum, Image.document, Image.vendor, Image.missing_since)
        wanted = wanted.join(Image, Image.asset_id == Asset.id).where(
            Asset.path.in_(some), Asset.missing_since.is_(None)
        )
        for row in connection.execute(wanted.where(Asset.state == "ok").order_by(Asset.path, Image.index)):
            there[row.path].append((row.checksum, row.missing_since, row.document, row.vendor))
    return {
        path
        for path in may_be
        if there[path] == [(items[path].seen.checksum, None, *to_documents(image)) for image in items[path].images]
    }


def _write_assets(connection: Connection, items: Mapping[str, SyncItem], read_by: str) -> dict[str, str]:
    """Write one row a path and return the identifiers by path. Where a file came from never changes."""
    statement = upsert(connection, Asset)
    new = statement.excluded
    names = ("is_folder", "size", "mtime_ns", "checksum", "state", "reason", "part_of", "read_by")
    statement = statement.on_conflict_do_update(
        index_elements=[Asset.path], set_={**{name: new[name] for name in names}, "missing_since": null()}
    )
    rows = [_asset_row(items[path], read_by) for path in sorted(items)]
    if not rows:
        return {}
    written = connection.execute(statement.returning(Asset.path, Asset.id), rows)
    return {row.path: row.id for row in written}


def _hand_over(connection: Connection, items: Mapping[str, SyncItem], ids: Mapping[str, str]) -> None:
    """Let images follow when a set turns out to begin with another file than the one they were cataloged under.

    Only to a file that has no images yet: an image is never merged with another one.
    """
    heirs = {ids[path]: ids.get(kept_path(item.part_of)) for path, item in items.items() if item.part_of is not None}
    having: set[str] = set()
    for some in chunks(dict.fromkeys(asset for pair in heirs.items() for asset in pair if asset is not None)):
        having |= set(connection.scalars(select(Image.asset_id).where(Image.asset_id.in_(some)).distinct()))
    for part, heir in heirs.items():
        if part in having and heir is not None and heir not in having:
            connection.execute(update(Image).where(Image.asset_id == part).values(asset_id=heir))
            having.add(heir)


def _asset_row(item: SyncItem, read_by: str) -> dict[str, Any]:
    seen = item.seen
    return {
        "id": new_id(),
        "path": seen.path,
        "origin": seen.origin,
        "is_folder": seen.is_folder,
        "size": seen.size,
        "mtime_ns": kept_time(seen.mtime_ns),
        "checksum": seen.checksum,
        "state": item.state,
        "reason": item.reason,
        "part_of": item.part_of,
        "read_by": read_by,
    }


def _images_by_asset(connection: Connection, asset_ids: Iterable[str]) -> dict[str, dict[int, _Before]]:
    """Return what is there of each asset, by index, locked until the end of the transaction."""
    found: dict[str, dict[int, _Before]] = defaultdict(dict)
    for some in chunks(asset_ids):
        wanted = select(
            Image.asset_id,
            Image.index.label("position"),
            Image.id,
            Image.revision,
            Image.missing_since,
            Image.deleted_at,
            Image.purged_at,
        ).where(Image.asset_id.in_(some))
        for row in connection.execute(wanted.order_by(Image.asset_id, Image.index).with_for_update()):
            found[row.asset_id][row.position] = _Before(
                row.id,
                row.revision,
                row.missing_since is not None,
                row.deleted_at is not None,
                row.purged_at is not None,
            )
    return found
