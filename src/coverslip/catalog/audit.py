"""The log of removals: lines that are only added, each with a digest over itself and the line before."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Connection, Select, func, insert, select, text, update

from coverslip.catalog.database import WHO
from coverslip.catalog.part import LARGEST, Part
from coverslip.catalog.removal_tables import Audit as AuditRow
from coverslip.catalog.removal_tables import AuditHead
from coverslip.catalog.removal_tables import Plan as PlanRow
from coverslip.catalog.types import CleanText
from coverslip.model.removed import AuditEntry, AuditProblem
from coverslip.model.speaking import Who

BEGINNING = "0" * 64
"""What the first line has for the digest of the line before."""
PAGE = 1000
MOST_TRIED = 64
"""Lines among which it is tried whether they have changed places."""
_LOCK_NUMBER = 0x6175646974
"""Names the advisory lock of the numbering in PostgreSQL: the letters of "audit"."""


@dataclass(frozen=True, slots=True)
class Line:
    """What is to be added to the log. Where actor or command is empty, the one is named who opened the catalog."""

    actor: str
    action: Literal["plan", "remove", "merge", "restore", "purge"]
    plan_id: str
    command: str
    scope: str
    reason: str
    record: dict[str, Any]


def canonical(value: Any) -> str:
    """Return a value as JSON in the one form that is digested: sorted, without spaces, in ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=_spelled)


def digest(before: str, seq: int, at: datetime, words: Sequence[str], record: str) -> str:
    """Return the digest of a line: SHA-256 over the digest before it and its canonical JSON."""
    said = canonical([seq, at.astimezone(UTC).isoformat(timespec="microseconds"), *words, record])
    return hashlib.sha256(f"{before}\n{said}".encode()).hexdigest()


def lock_log(connection: Connection) -> None:
    """Let nobody else add lines until the end of the transaction. After entities are locked, before files are."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK_NUMBER})"))


def append(connection: Connection, lines: Iterable[Line], now: datetime) -> tuple[int, str]:
    """Add lines to the log; return number and digest of the last one. Before events are written.

    They go on from the noted head, not from the line that is last: where somebody removed or rewrote lines at the end,
    the ones that come later do not follow from what is there, and that stays to be seen.
    """
    lock_log(connection)
    last = connection.execute(select(AuditRow.seq, AuditRow.hash).order_by(AuditRow.seq.desc()).limit(1)).first()
    head = _head(connection)
    seq = max((row.seq for row in (last, head) if row is not None), default=0)
    before = next((row.hash for row in (head, last) if row is not None), BEGINNING)
    who: Who = connection.get_execution_options().get(WHO, Who())
    rows: list[dict[str, Any]] = []
    for line in lines:
        seq += 1
        said = (line.actor or who.actor, line.action, line.plan_id, line.command or who.command)
        words = [_clean(word) for word in (*said, line.scope, line.reason)]
        record = canonical(line.record)
        before = digest(before, seq, now, words, record)
        named = zip(("actor", "action", "plan_id", "command", "scope", "reason"), words, strict=True)
        rows.append({"seq": seq, "at": now, **dict(named), "record": record, "hash": before})
    if rows:
        connection.execute(insert(AuditRow), rows)
        if head is None and last is None:
            connection.execute(insert(AuditHead).values(id=1, seq=seq, hash=before))
        else:  # a head that somebody removed is not made again
            connection.execute(update(AuditHead).values(seq=seq, hash=before))
    return seq, before


class Audit(Part):
    """Reading the log, and checking it."""

    def audit(
        self,
        *,
        plan_id: str | None = None,
        after: int = 0,
        before: int | None = None,
        newest: bool = False,
        limit: int = 100,
    ) -> list[AuditEntry]:
        """Return lines of the log in their order.

        Parameters
        ----------
        plan_id
            Only those of this plan.
        after
            Only lines with a number above this one.
        before
            Only lines with a number below this one.
        newest
            Whether they are given newest first.
        limit
            How many at most.
        """
        wanted = select(*AuditRow.__table__.columns).where(AuditRow.seq > min(after, LARGEST)).limit(limit)
        wanted = wanted.order_by(AuditRow.seq.desc() if newest else AuditRow.seq)
        if before is not None:
            wanted = wanted.where(AuditRow.seq < min(before, LARGEST))
        if plan_id is not None:
            wanted = wanted.where(AuditRow.plan_id == plan_id)
        with self._database.reading() as connection:
            return [_entry(row) for row in connection.execute(wanted)]

    def verify_audit(self) -> tuple[int, tuple[AuditProblem, ...]]:
        """Return how many lines the log has, and which were changed, removed or put elsewhere.

        The head of the log is noted apart, and plans know the last line that was written for them, so lines missing at
        the end are noticed too, and a chain that was made anew from a changed line on.
        """
        count, problems, odd = 0, list[AuditProblem](), list[tuple[Any, str]]()
        seq, before = 0, BEGINNING
        with self._database.reading() as connection:
            if connection.dialect.name == "postgresql":  # lines that are added meanwhile are not half seen
                connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
            for row in _every_row(connection):
                count += 1
                if row.seq != seq + 1:
                    problems.append(AuditProblem(seq + 1, "missing", f"lines {seq + 1} to {row.seq - 1} are missing"))
                elif digest(before, row.seq, row.at, _words(row), row.record) != row.hash:
                    odd.append((row, before))
                seq, before = row.seq, row.hash
            problems += _explained(odd)
            told = {one.seq for one in problems}
            for one in (*_unlike_head(connection, seq, before), *_unlike_plans(connection, seq)):
                if one.seq not in told:
                    problems.append(one)
                    told.add(one.seq)
        return count, tuple(sorted(problems, key=lambda one: one.seq))


def _lines() -> Select[*tuple[Any, ...]]:
    return select(*AuditRow.__table__.columns).order_by(AuditRow.seq)


def _every_row(connection: Connection) -> Iterator[Any]:
    seq = 0
    while rows := connection.execute(_lines().where(AuditRow.seq > seq).limit(PAGE)).all():
        yield from rows
        seq = rows[-1].seq


def _explained(odd: Sequence[tuple[Any, str]]) -> Iterator[AuditProblem]:
    """Yield what became of lines that do not follow from the one before."""
    some = odd[:MOST_TRIED]
    places = [row.seq for row, _ in some]
    digests = [*(before for _, before in some), *(row.hash for row, _ in some)]
    for row, _ in odd:
        was = next(
            (
                place
                for place in places
                for before in digests
                if digest(before, place, row.at, _words(row), row.record) == row.hash
            ),
            None,
        )
        if was is not None and was != row.seq:
            yield AuditProblem(row.seq, "reordered", f"line {row.seq} was line {was}")
        elif was is None:  # otherwise it is as it was, and the one before it is not
            yield AuditProblem(row.seq, "changed", f"line {row.seq} was changed, or the one before it")


def _head(connection: Connection) -> Any:
    """Return number and digest of the newest line as they are noted apart from it; ``None`` before the first line."""
    return connection.execute(select(AuditHead.seq, AuditHead.hash)).one_or_none()


def _unlike_head(connection: Connection, last: int, digest_of_last: str) -> Iterator[AuditProblem]:
    """Yield what the note of the newest line tells of the end of the log."""
    head = _head(connection)
    if head is None and last:
        yield AuditProblem(last, "missing", f"the note that line {last} is the newest is missing")
    elif head is not None and head.seq > last:
        yield AuditProblem(last + 1, "missing", f"lines {last + 1} to {head.seq} are missing at the end")
    elif head is not None and head.seq < last:
        yield AuditProblem(head.seq + 1, "changed", f"lines {head.seq + 1} to {last} were added by something else")
    elif head is not None and head.hash != digest_of_last:
        yield AuditProblem(last, "changed", f"line {last} is another one than was noted as the newest")


def _unlike_plans(connection: Connection, last: int) -> Iterator[AuditProblem]:
    """Yield what plans know of the log and it does not have."""
    highest = connection.scalar(select(func.max(PlanRow.audit_seq))) or 0
    if highest > last:
        yield AuditProblem(last + 1, "missing", f"lines {last + 1} to {highest} are missing at the end")
    held = connection.execute(
        select(AuditRow.seq)
        .join(PlanRow, PlanRow.audit_seq == AuditRow.seq)
        .where(PlanRow.audit_hash != AuditRow.hash)
        .group_by(AuditRow.seq)
        .order_by(AuditRow.seq)
    )
    for seq in held.scalars():
        yield AuditProblem(seq, "changed", f"line {seq} is another one than its plan knows")


def _words(row: Any) -> list[str]:
    return [row.actor, row.action, row.plan_id, row.command, row.scope, row.reason]


def _entry(row: Any) -> AuditEntry:
    return AuditEntry(**{**row._mapping, "record": json.loads(row.record)})


def _clean(word: str) -> str:
    """Return the text as it will be when read back."""
    kept = CleanText().process_bind_param(word, None)  # type: ignore[arg-type]  # the same on both databases
    return kept or ""


def _spelled(value: Any) -> str:
    return value.astimezone(UTC).isoformat(timespec="microseconds") if isinstance(value, datetime) else str(value)
