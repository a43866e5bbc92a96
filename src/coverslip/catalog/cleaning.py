"""Cleanups and writers of one layout: what is seen while a cleanup looks is noted where it finds it."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import Connection, delete, select, update

from coverslip.catalog.around import numbers
from coverslip.catalog.entity_tables import Entity
from coverslip.catalog.tables import Chore
from coverslip.errors import ConflictError


def cleanup_of(layout: str) -> str:
    """Return the name of the right to clean a layout, or of that to clean all images."""
    return f"cleanup {layout}"


def is_cleaned_by_others(connection: Connection, layout: str, own: str | None, now: datetime) -> bool:
    """Return whether somebody else has the right to clean a layout now.

    A right that nobody renewed is taken away: its owner may be about to wake up and has to notice. Asked before any row
    of a record is locked.
    """
    name = cleanup_of(layout)
    row = connection.execute(select(Chore.token, Chore.lease_until).where(Chore.name == name)).one_or_none()
    if row is None or row.token is None or row.token == own:
        return False
    if row.lease_until > now:
        return True
    over = delete(Chore).where(Chore.name == name, Chore.token == row.token, Chore.lease_until <= now)
    return connection.execute(over).rowcount == 0


def note_seen(connection: Connection, ids: Iterable[int]) -> None:
    """Count up the revisions of rows that were seen as they were, so that a cleanup under way leaves them.

    It may have asked whether they are there before they came back.
    """
    for some in numbers(ids):
        connection.execute(update(Entity).where(Entity.id.in_(some)).values(revision=Entity.revision + 1))


def is_held(connection: Connection, layout: str, token: str) -> bool:
    """Return whether a right to clean a layout is still the one that a token is of. Asked after rows are locked."""
    wanted = select(Chore.id).where(Chore.name == cleanup_of(layout), Chore.token == token)
    return connection.execute(wanted).first() is not None


def must_be_held(connection: Connection, plan_id: str, held: Mapping[str, str]) -> None:
    """Check that the rights under which a cleanup asked what is there are its own still.

    Raises
    ------
    ConflictError
        One was taken away, as from a process that stood still for a minute.
    """
    for layout, token in held.items():
        if not is_held(connection, layout, token):
            raise ConflictError(
                f"{layout}: the cleanup of plan {plan_id} took too long, and others may have written since. Nothing "
                "was removed: apply it again"
            )
