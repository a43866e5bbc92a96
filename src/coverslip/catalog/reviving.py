"""Images that cleanups removed come back when their files are found again, or when somebody says so."""

import os
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from coverslip.catalog.audit import Line, append, lock_log
from coverslip.catalog.marks import Kinds, add_missing_artifacts
from coverslip.catalog.part import chunks
from coverslip.catalog.tables import Asset, Image
from coverslip.model.removal import IMAGE, CleanupPlan, Scope

LOGGED = tuple(column for column in Image.__table__.columns if column.name not in {"vendor", "search"})
"""What the log keeps of an image. Its row is never removed, so that the vendor's megabytes need no second copy."""


def revive(connection: Connection, image_ids: Iterable[str], now: datetime, kinds: Kinds) -> None:
    """Show images again, with artifacts to be built anew if they were purged."""
    back = {"deleted_at": None, "purged_at": None, "removed_by": None}
    for some in chunks(image_ids):
        connection.execute(update(Image).where(Image.id.in_(some)).values(back))
        add_missing_artifacts(connection, kinds, now, Image.id.in_(some))


def found_again(connection: Connection, paths: Iterable[str]) -> list[Any]:
    """Return the images that cleanups removed of files that are there again; the log is locked where there are any.

    To be asked before anything else of them is locked: everybody locks the log before files.
    """
    return _locked(connection, Asset.path, paths)


def removed_images(connection: Connection, image_ids: Iterable[str]) -> list[Any]:
    """Return those of some images that cleanups removed, as ``found_again``."""
    return _locked(connection, Image.id, image_ids)


def _locked(connection: Connection, column: Any, values: Iterable[str]) -> list[Any]:
    wanted = (
        select(*LOGGED, Asset.path)
        .join(Asset, Asset.id == Image.asset_id)
        .where(Image.removed_by.is_not(None), Image.deleted_at.is_not(None))
    )
    found = [row for some in chunks(values) for row in connection.execute(wanted.where(column.in_(some)))]
    if found:
        lock_log(connection)
    return found


def log_images(
    connection: Connection,
    rows: Iterable[Any],
    action: Any,
    plan: CleanupPlan | None,
    now: datetime,
    *,
    reason: str = "absent",
    actor: str = "",
) -> tuple[int, str]:
    """Write down what became of images; return number and digest of the last line."""
    lines = [
        Line(
            actor if plan is None else plan.actor,
            action,
            row.removed_by or "" if plan is None else plan.id,
            "" if plan is None else plan.command,
            str(Scope(IMAGE, layout=os.path.dirname(row.path)) if plan is None else plan.scope),  # noqa: PTH120  # text
            reason,
            {**row._mapping, "type": IMAGE, "identity": f"{row.path}#{row._mapping['index']}"},
        )
        for row in rows
    ]
    return append(connection, lines, now)
