"""A job in a thread of its own, and what a page is told of it a few times a second."""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from coverslip.errors import ConflictError, CoverslipError
from coverslip.export import Job
from coverslip.export.manifest import manifest_paths
from coverslip.model.exporting import ENDED, ExportJob, ExportResult
from coverslip.notebook.panel import in_words

TELL_SECONDS = 0.2
"""How often a page is told; more would only make it flicker."""
LOG_LINES = 200
"""Newest items that are listed on a page. The manifest and ``results`` have all."""
IDLE: Mapping[str, Any] = {"state": "idle", "total": 0, "succeeded": 0, "failed": 0, "message": None, "folder": None}

type Tell = Callable[[Mapping[str, Any], list[dict[str, Any]]], None]
"""Takes how the job stands and the newest lines of its log."""


class Running:
    """One job that is planned, run and watched in a thread.

    Parameters
    ----------
    make
        Gives the job; may take its time.
    begin
        Runs it and returns how it stands.
    tell
        Told how it stands, from several threads.
    """

    def __init__(self, make: Callable[[], Job], begin: Callable[[Job], ExportJob], tell: Tell) -> None:
        self._make, self._begin, self._tell = make, begin, tell
        self.job: Job | None = None
        self._lock = threading.Lock()
        self._log: deque[dict[str, Any]] = deque(maxlen=LOG_LINES)
        self._counts = {"succeeded": 0, "failed": 0}
        self._is_cancelled = False
        self._began = self._told = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="notebook export", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether it is still at work."""
        return self._thread.is_alive()

    def join(self, timeout: float) -> None:
        """Wait until it is not, at most so many seconds."""
        self._thread.join(timeout)

    def cancel(self) -> None:
        """Have it end after the items under way. Not for the kernel's thread: a catalog may take its time."""
        with self._lock:
            self._is_cancelled = True
            job = self.job
        if job is not None:
            job.cancel()

    def _run(self) -> None:
        try:
            self._tell({**IDLE, "state": "planning"}, [])
            job = self._make()
            record = job.status()
            with self._lock:
                self.job = job
            self._counts = {"succeeded": record.succeeded, "failed": record.failed}
            job.on_item = self._note
            self._tell_of(record, "running")
            try:
                record = job.cancel() if self._is_cancelled else self._begin(job)
            except ConflictError:
                record = job.status()
                if not self._is_cancelled or record.state != "cancelled":  # before it had begun: that is no conflict
                    raise
            self._tell_of(record, record.state)
        except CoverslipError as error:
            self._tell(self._failed(in_words(error)), list(self._log))
        except Exception as error:  # noqa: BLE001  # the edge of a thread: a page shows it
            self._tell(self._failed(in_words(error)), list(self._log))

    def _note(self, result: ExportResult) -> None:
        """Take what became of an item, in the thread of the job."""
        self._log.append(_line(result))
        self._counts["succeeded" if result.ok else "failed"] += 1
        if time.monotonic() - self._told >= TELL_SECONDS and self.job is not None:
            record = self.job.status()
            self._tell_of(record, "cancelling" if self._is_cancelled else "running")

    def _tell_of(self, record: ExportJob, state: str) -> None:
        self._told = time.monotonic()
        counts = {"succeeded": record.succeeded, "failed": record.failed} if state in ENDED else self._counts
        document = {
            "id": record.id,
            "mode": record.mode,
            "state": state,
            "message": record.message,
            "folder": record.output_dir,
            "total": record.total,
            **counts,
            "seconds": round(time.monotonic() - self._began, 2),
            "manifest": manifest_paths(Path(record.output_dir), record.id)[0].name if state in ENDED else None,
        }
        self._tell(document, list(self._log))

    def _failed(self, message: str) -> dict[str, Any]:
        return {**IDLE, **self._counts, "state": "failed", "message": message}


def _line(result: ExportResult) -> dict[str, Any]:
    """Return what the log says of an item."""
    if not result.ok:
        said = f"{result.error_type}: {result.message}"[:500]
        return {"item": result.item_id, "path": result.path, "ok": False, "text": said}
    details = result.details
    size = f"{details['width']} x {details['height']}" if "width" in details else "kept as it was"
    parts = [size, f"{(result.size or 0) / 1024:,.0f} KiB"]
    if "scale_bar_um" in details:
        parts.append(f"bar {details['scale_bar_um']:g} µm")
    return {"item": result.item_id, "path": result.path, "ok": True, "text": " · ".join(parts)}
