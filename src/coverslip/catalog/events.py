"""The list of what happened, for listeners: numbered without gaps, in the order of the commits, trimmed."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, func, insert, select, text

from coverslip.catalog.part import LARGEST, Part
from coverslip.catalog.tables import Event as EventRow
from coverslip.model.records import Event

KEPT = 10_000
"""Events that are always kept. A listener who was away for longer looks at everything anew."""
TRIM_EVERY = 1_000
"""Old events are removed each time the numbers pass a multiple of this."""
_ADD = insert(EventRow)
_LAST = select(func.max(EventRow.seq))
_LOCK_NUMBER = 0x6576656E7473
"""Names the advisory lock of the numbering in PostgreSQL: the letters of "events"."""


class News(NamedTuple):
    """An event that has no number yet."""

    type: str
    image_id: str
    data: dict[str, Any]


class Events(Part):
    """Reading the events."""

    def events_after(self, seq: int, limit: int = 500) -> list[Event]:
        """Return the events that follow number ``seq``, oldest first.

        A first number above ``seq + 1`` means that the ones between were trimmed.
        """
        wanted = (
            select(*(getattr(EventRow, field.name) for field in fields(Event)))
            .where(EventRow.seq > max(0, min(seq, LARGEST)))
            .order_by(EventRow.seq)
            .limit(limit)
        )
        with self._database.reading() as connection:
            return [Event(**row._mapping) for row in connection.execute(wanted)]

    def last_event(self) -> int:
        """Return the number of the newest event; 0 while nothing has happened."""
        with self._database.reading() as connection:
            return _last(connection)


def write_events(connection: Connection, news: Sequence[News]) -> None:
    """Write events. The last thing a transaction does.

    The numbers are given out under a lock that is held until the commit. Numbers from a sequence could become
    visible in another order, and a listener who has seen 8 would never see a 7 that was committed later. Because
    it comes last, nobody who holds the lock waits for anything else.
    """
    if not news:
        return
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK_NUMBER})"))
    before = _last(connection)
    rows = [{"seq": seq, **item._asdict()} for seq, item in enumerate(news, before + 1)]
    connection.execute(_ADD, rows)
    last = before + len(news)
    if last // TRIM_EVERY > before // TRIM_EVERY:
        connection.execute(delete(EventRow).where(EventRow.seq <= last - KEPT))


def _last(connection: Connection) -> int:
    return connection.execute(_LAST).scalar_one() or 0
