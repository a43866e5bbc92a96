"""Where a job keeps what became of its items: the catalog, or, for a job that nobody goes on with, this process."""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Protocol
from uuid import uuid4

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


class Ledger(Protocol):
    """What a job asks of it; ``catalog.Catalog`` is one."""

    def add_export(
        self, mode: ExportMode, output_dir: str, document: Mapping[str, Any], items: Sequence[PlannedExport]
    ) -> ExportJob:
        """Keep a planned job."""
        ...

    def export(self, job_id: str) -> ExportJob:
        """Return a job as it stands."""
        ...

    def export_items(
        self, job_id: str, *, state: ExportItemState | None = None, after: int = -1, limit: int | None = None
    ) -> list[ExportItem]:
        """Return items of a job in their order."""
        ...

    def claim_export(self, job_id: str, *, lease_seconds: float) -> str:
        """Return the right to work on a job."""
        ...

    def note_export(self, job_id: str, token: str, results: Iterable[ExportResult], *, lease_seconds: float) -> bool:
        """Write down what became of some items; ``False`` where the job is to stop."""
        ...

    def end_export(self, job_id: str, token: str, *, is_stopped: bool = False, message: str | None = None) -> ExportJob:
        """Let go of a job."""
        ...

    def cancel_export(self, job_id: str) -> ExportJob:
        """Have a job end after the items under way."""
        ...

    def reopen_export(self, job_id: str, *, retry_failed: bool = False) -> ExportJob:
        """Make a job one that can be worked on again."""
        ...

    def reset_items(self, job_id: str, numbers: Iterable[int]) -> None:
        """Have items made again."""
        ...

    def revise_export(self, job_id: str, document: Mapping[str, Any]) -> None:
        """Put another document in the place of a job's, while nobody works on it."""
        ...


PAGE = 5000
"""Items that are held at a time where all of them are looked at."""


def items_of(ledger: Ledger, job_id: str, *, state: ExportItemState | None = None) -> Iterator[ExportItem]:
    """Yield the items of a job in their order; only some of them are held in memory."""
    after = -1
    while some := ledger.export_items(job_id, state=state, after=after, limit=PAGE):
        yield from some
        after = some[-1].planned.number


class MemoryLedger:
    """One job, kept as long as this process runs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._job: ExportJob | None = None
        self._items: list[ExportItem] = []
        self._token: str | None = None

    def add_export(
        self, mode: ExportMode, output_dir: str, document: Mapping[str, Any], items: Sequence[PlannedExport]
    ) -> ExportJob:
        """Keep a planned job; see ``Ledger``."""
        with self._lock:
            self._items = [ExportItem(item, "pending") for item in items]
            self._job = ExportJob(
                id=str(uuid4()),
                mode=mode,
                state="pending",
                message=None,
                output_dir=output_dir,
                document=dict(document),
                total=len(items),
                succeeded=0,
                failed=0,
                created_at=datetime.now(UTC),
                started_at=None,
                ended_at=None,
            )
            return self._job

    def export(self, job_id: str) -> ExportJob:
        """Return the job; ``NotFoundError`` where it is another one."""
        with self._lock:
            return self._one(job_id)

    def export_items(
        self, job_id: str, *, state: ExportItemState | None = None, after: int = -1, limit: int | None = None
    ) -> list[ExportItem]:
        """Return items in their order; see ``Ledger``."""
        with self._lock:
            self._one(job_id)
            found = (item for item in islice(self._items, after + 1, None) if state in {None, item.state})
            return list(islice(found, limit))

    def claim_export(self, job_id: str, *, lease_seconds: float) -> str:  # nobody else can have it
        """Return the right to work on it; ``ConflictError`` where somebody does, or it has ended."""
        with self._lock:
            job = self._one(job_id)
            if job.state not in {"pending", "paused"}:
                raise ConflictError(f"export {job_id} is {job.state}: there is nothing to go on with")
            self._token = str(uuid4())
            started = job.started_at or datetime.now(UTC)
            self._job = replace(job, state="running", message=None, started_at=started, ended_at=None)
            return self._token

    def note_export(self, job_id: str, token: str, results: Iterable[ExportResult], *, lease_seconds: float) -> bool:
        """Write down what became of some items; see ``Ledger``."""
        with self._lock:
            job = self._one(job_id)
            if token != self._token:
                return False
            good, bad = job.succeeded, job.failed
            for result in results:
                self._items[result.number] = replace(
                    self._items[result.number], state="ok" if result.ok else "failed", result=result
                )
                good, bad = good + result.ok, bad + (not result.ok)
            self._job = replace(job, succeeded=good, failed=bad)
            return job.state == "running"

    def end_export(self, job_id: str, token: str, *, is_stopped: bool = False, message: str | None = None) -> ExportJob:
        """Let go of the job; see ``Ledger``."""
        with self._lock:
            job = self._one(job_id)
            if token != self._token:
                return job
            self._token = None
            state: ExportState
            if job.state == "cancelling":
                state = "cancelled"
            elif is_stopped and job.completed < job.total:
                state = "paused"
            else:
                state = "completed" if job.failed == 0 else "failed" if job.succeeded == 0 else "partial"
            self._job = replace(
                job, state=state, message=message, ended_at=datetime.now(UTC) if state in ENDED else None
            )
            return self._job

    def cancel_export(self, job_id: str) -> ExportJob:
        """Have the job end after the items under way."""
        with self._lock:
            job = self._one(job_id)
            if job.state == "running":
                job = replace(job, state="cancelling")
            elif job.state in {"pending", "paused"}:
                job = replace(job, state="cancelled", ended_at=datetime.now(UTC))
            self._job = job
            return job

    def reopen_export(self, job_id: str, *, retry_failed: bool = False) -> ExportJob:
        """Make the job one that can be worked on again."""
        with self._lock:
            job = self._one(job_id)
            if job.state in {"running", "cancelling"}:
                raise ConflictError(f"export {job_id} is {job.state}")
            if retry_failed:
                self._reset({item.planned.number for item in self._items if item.state == "failed"})
                job = self._one(job_id)
            if job.completed < job.total:
                self._job = replace(job, state="pending", message=None, ended_at=None)
            return self._one(job_id)

    def reset_items(self, job_id: str, numbers: Iterable[int]) -> None:
        """Have items made again."""
        with self._lock:
            self._one(job_id)
            self._reset(set(numbers))

    def revise_export(self, job_id: str, document: Mapping[str, Any]) -> None:
        """Put another document in the place of the job's."""
        with self._lock:
            self._job = replace(self._one(job_id), document=dict(document))

    def _reset(self, numbers: set[int]) -> None:
        for number in numbers:
            self._items[number] = replace(self._items[number], state="pending")
        states = [item.state for item in self._items]
        assert self._job is not None
        self._job = replace(self._job, succeeded=states.count("ok"), failed=states.count("failed"))

    def _one(self, job_id: str) -> ExportJob:
        if self._job is None or self._job.id != job_id:
            raise NotFoundError(f"there is no export {job_id[:64]!r}")
        return self._job
