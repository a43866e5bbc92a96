"""Jobs that export pictures: who works on which, and what became of each item."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import batched
from typing import Any, cast

from sqlalchemy import Connection, Row, bindparam, func, insert, or_, select, update

from coverslip.catalog.export_tables import ExportItemRow, ExportJobRow
from coverslip.catalog.part import Part, execute_many, new_id
from coverslip.errors import ConflictError, NotFoundError
from coverslip.model.exporting import (
    ENDED,
    ExportItem,
    ExportItemState,
    ExportJob,
    ExportMode,
    ExportResult,
    ExportState,
    PlannedExport,
)

PAGE = 1000
"""Items that are read or written in one statement."""


class Exports(Part):
    """Jobs and their items."""

    def add_export(
        self, mode: ExportMode, output_dir: str, document: Mapping[str, Any], items: Sequence[PlannedExport]
    ) -> ExportJob:
        """Keep a planned job with all its items, in one transaction."""
        row: dict[str, Any] = {
            "id": new_id(),
            "mode": mode,
            "state": "pending",
            "output_dir": output_dir,
            "document": dict(document),
            "total": len(items),
            "created_at": self._clock(),
        }
        with self._database.writing() as connection:
            connection.execute(insert(ExportJobRow).values(row))
            for some in batched(items, PAGE):
                execute_many(connection, insert(ExportItemRow), [_new_item(row["id"], item) for item in some])
            return _jobs(connection, self._clock(), ExportJobRow.id == row["id"])[0]

    def export(self, job_id: str) -> ExportJob:
        """Return a job as it stands.

        Raises
        ------
        NotFoundError
            There is no such job.
        """
        with self._database.reading() as connection:
            return _one(connection, self._clock(), job_id)

    def exports(self, limit: int = 100) -> list[ExportJob]:
        """Return jobs, the newest first."""
        with self._database.reading() as connection:
            return _jobs(connection, self._clock(), limit=limit)

    def export_items(
        self, job_id: str, *, state: ExportItemState | None = None, after: int = -1, limit: int | None = None
    ) -> list[ExportItem]:
        """Return items of a job in their order, from the one after a number on; of one state, or all.

        Raises
        ------
        NotFoundError
            There is no such job.
        """
        wanted = select(ExportItemRow).where(ExportItemRow.job_id == job_id, ExportItemRow.number > after)
        if state is not None:
            wanted = wanted.where(ExportItemRow.state == state)
        with self._database.reading() as connection:
            _one(connection, self._clock(), job_id)
            rows = connection.execute(wanted.order_by(ExportItemRow.number).limit(limit))
            return [_item(row) for row in rows]

    def claim_export(self, job_id: str, *, lease_seconds: float) -> str:
        """Return the right to work on a job; until the lease runs out, nobody else has it.

        Raises
        ------
        NotFoundError
            There is no such job.
        ConflictError
            Somebody works on it, or it was cancelled or is done.
        """
        now, token = self._clock(), new_id()
        with self._database.writing() as connection:
            job = _one(connection, now, job_id)
            if job.state not in {"pending", "paused"}:
                raise ConflictError(f"export {job_id} is {job.state}: there is nothing to go on with")
            lease = {"token": token, "lease_until": now + timedelta(seconds=lease_seconds)}
            values = {
                "state": "running",
                "message": None,
                "ended_at": None,
                "started_at": job.started_at or now,
                **lease,
            }
            free = or_(ExportJobRow.lease_until.is_(None), ExportJobRow.lease_until <= now)
            found = connection.execute(update(ExportJobRow).where(ExportJobRow.id == job_id, free).values(values))
        if found.rowcount != 1:
            raise ConflictError(f"export {job_id}: somebody else works on it")
        return token

    def note_export(self, job_id: str, token: str, results: Iterable[ExportResult], *, lease_seconds: float) -> bool:
        """Write down what became of some items and renew the lease; ``False`` where the job is to stop.

        That is so when somebody has cancelled it, or when it is somebody else's by now; then nothing is written.
        """
        rows = [_result(job_id, result) for result in results]
        until = self._clock() + timedelta(seconds=lease_seconds)
        is_ours = (ExportJobRow.id == job_id) & (ExportJobRow.token == token)
        with self._database.writing() as connection:
            if connection.execute(update(ExportJobRow).where(is_ours).values(lease_until=until)).rowcount != 1:
                return False
            for some in batched(rows, PAGE):
                connection.execute(_NOTE, list(some))
            return connection.scalar(select(ExportJobRow.state).where(is_ours)) == "running"

    def end_export(self, job_id: str, token: str, *, is_stopped: bool = False, message: str | None = None) -> ExportJob:
        """Let go of a job: its state follows from its items.

        Parameters
        ----------
        job_id, token
            The job, and the right to work on it.
        is_stopped
            Stopped before its end: it is paused, unless somebody has cancelled it.
        message
            Why it was stopped.
        """
        now = self._clock()
        with self._database.writing() as connection:
            job = _one(connection, now, job_id)
            state: ExportState
            if job.state == "cancelling":
                state = "cancelled"
            elif is_stopped and job.completed < job.total:
                state = "paused"
            else:
                state = "completed" if job.failed == 0 else "failed" if job.succeeded == 0 else "partial"
            values: dict[str, Any] = {"state": state, "message": message, "token": None, "lease_until": None}
            values["ended_at"] = now if state in ENDED else None
            is_ours = (ExportJobRow.id == job_id) & (ExportJobRow.token == token)
            connection.execute(update(ExportJobRow).where(is_ours).values(values))
            return _one(connection, now, job_id)

    def cancel_export(self, job_id: str) -> ExportJob:
        """Have a job end after the items under way; one that nobody works on is cancelled at once.

        Raises
        ------
        NotFoundError
            There is no such job.
        """
        now = self._clock()
        with self._database.writing() as connection:
            job = _one(connection, now, job_id)
            if job.state == "running":
                connection.execute(update(ExportJobRow).where(ExportJobRow.id == job_id).values(state="cancelling"))
            elif job.state in {"pending", "paused"}:
                values = {"state": "cancelled", "ended_at": now, "token": None, "lease_until": None}
                connection.execute(update(ExportJobRow).where(ExportJobRow.id == job_id).values(values))
            return _one(connection, now, job_id)

    def reopen_export(self, job_id: str, *, retry_failed: bool = False) -> ExportJob:
        """Make a job one that can be worked on again: what was cancelled, or the items that failed.

        Raises
        ------
        NotFoundError
            There is no such job.
        ConflictError
            Somebody works on it.
        """
        now = self._clock()
        with self._database.writing() as connection:
            job = _one(connection, now, job_id)
            if job.state in {"running", "cancelling"}:
                raise ConflictError(f"export {job_id} is {job.state}")
            if retry_failed:
                is_failed = (ExportItemRow.job_id == job_id) & (ExportItemRow.state == "failed")
                connection.execute(update(ExportItemRow).where(is_failed).values(state="pending"))
                job = _one(connection, now, job_id)
            if job.completed < job.total:
                values = {"state": "pending", "message": None, "ended_at": None, "token": None, "lease_until": None}
                connection.execute(update(ExportJobRow).where(ExportJobRow.id == job_id).values(values))
            return _one(connection, now, job_id)

    def reset_items(self, job_id: str, numbers: Iterable[int]) -> None:
        """Have items made again, whose files are not what they were."""
        with self._database.writing() as connection:
            for some in batched(sorted(numbers), PAGE):
                is_meant = (ExportItemRow.job_id == job_id) & ExportItemRow.number.in_(some)
                connection.execute(update(ExportItemRow).where(is_meant).values(state="pending"))

    def revise_export(self, job_id: str, document: Mapping[str, Any]) -> None:
        """Put another document in the place of a job's: its sources have changed.

        Raises
        ------
        NotFoundError
            There is no such job.
        ConflictError
            Somebody works on it.
        """
        with self._database.writing() as connection:
            job = _one(connection, self._clock(), job_id)
            if job.state in {"running", "cancelling"}:
                raise ConflictError(f"export {job_id} is {job.state}")
            connection.execute(update(ExportJobRow).where(ExportJobRow.id == job_id).values(document=dict(document)))


_NOTE = (
    update(ExportItemRow)
    .where(ExportItemRow.job_id == bindparam("of_job"), ExportItemRow.number == bindparam("at_number"))
    .values(
        **{
            name: bindparam(name)
            for name in (
                *("state", "error_type", "message", "traceback", "is_retryable"),
                *("checksum", "size", "seconds", "attempts", "details"),
            )
        }
    )
)


def _new_item(job_id: str, item: PlannedExport) -> dict[str, Any]:
    return {
        "job_id": job_id,
        "number": item.number,
        "name": item.name,
        "path": item.path,
        "group": item.group,
        "document": item.document,
        "state": "pending",
        "is_retryable": False,
        "seconds": 0.0,
        "attempts": 0,
        "details": {},
    }


def _result(job_id: str, result: ExportResult) -> dict[str, Any]:
    return {
        "of_job": job_id,
        "at_number": result.number,
        "state": "ok" if result.ok else "failed",
        "error_type": result.error_type,
        "message": result.message,
        "traceback": result.traceback,
        "is_retryable": result.is_retryable,
        "checksum": result.checksum,
        "size": result.size,
        "seconds": result.seconds,
        "attempts": result.attempts,
        "details": result.details,
    }


def _item(row: Row[Any]) -> ExportItem:
    planned = PlannedExport(row.number, row.name, row.path, row.group, row.document)
    if row.attempts == 0:
        return ExportItem(planned, row.state)
    result = ExportResult(
        row.number,
        row.name,
        row.state == "ok",
        row.path,
        error_type=row.error_type,
        message=row.message,
        traceback=row.traceback,
        is_retryable=row.is_retryable,
        checksum=row.checksum,
        size=row.size,
        seconds=row.seconds,
        attempts=row.attempts,
        details=row.details,
    )
    return ExportItem(planned, row.state, result)


def _one(connection: Connection, now: datetime, job_id: str) -> ExportJob:
    found = _jobs(connection, now, ExportJobRow.id == job_id)
    if not found:
        raise NotFoundError(f"there is no export {job_id[:64]!r}")
    return found[0]


def _jobs(connection: Connection, now: datetime, *conditions: Any, limit: int | None = None) -> list[ExportJob]:
    wanted = select(ExportJobRow).where(*conditions).order_by(ExportJobRow.created_at.desc(), ExportJobRow.id)
    rows = list(connection.execute(wanted.limit(limit)))
    counts: dict[tuple[str, str], int] = {}
    for some in batched([row.id for row in rows], PAGE):
        counted = (
            select(ExportItemRow.job_id, ExportItemRow.state, func.count())
            .where(ExportItemRow.job_id.in_(some))
            .group_by(ExportItemRow.job_id, ExportItemRow.state)
        )
        counts |= {(job_id, state): count for job_id, state, count in connection.execute(counted)}
    return [_as_it_stands(row, counts, now) for row in rows]


def _as_it_stands(row: Row[Any], counts: Mapping[tuple[str, str], int], now: datetime) -> ExportJob:
    job = ExportJob(
        id=row.id,
        mode=cast("ExportMode", row.mode),
        state=cast("ExportState", row.state),
        message=row.message,
        output_dir=row.output_dir,
        document=row.document,
        total=row.total,
        succeeded=counts.get((row.id, "ok"), 0),
        failed=counts.get((row.id, "failed"), 0),
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
    )
    is_abandoned = row.lease_until is not None and row.lease_until <= now
    if job.state == "running" and is_abandoned:
        return replace(job, state="paused", message="the process that worked on it has ended")
    if job.state == "cancelling" and is_abandoned:
        return replace(job, state="cancelled")
    return job
