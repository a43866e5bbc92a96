"""What was done and is not written down yet, and what tells a job to stop."""

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from coverslip.export.ledger import Ledger
from coverslip.model.exporting import ExportResult

LEASE_SECONDS = 15.0
"""How long a process may say nothing before its job is somebody else's."""
NOTE_SECONDS = 0.5
"""How often what was done is written down; so much is made again after a kill."""
NOTE_ITEMS = 500

type Tell = Callable[[ExportResult], None]


@dataclass
class Stop:
    """Says that a job is to stop, and why."""

    flag: threading.Event = field(default_factory=threading.Event)
    message: str | None = None

    def now(self, message: str | None = None) -> None:
        """Have it stop after the items under way."""
        if not self.flag.is_set():
            self.message = message
        self.flag.set()


class Notes:
    """What was done and is not written down yet. Filled by any thread, written by the one that runs the job."""

    def __init__(self, ledger: Ledger, job_id: str, token: str, on_item: Tell | None, stop: Stop) -> None:
        self._ledger, self._job_id, self._token = ledger, job_id, token
        self._on_item, self._stop = on_item, stop
        self._queue: queue.SimpleQueue[tuple[ExportResult, bool]] = queue.SimpleQueue()
        self._waiting: list[ExportResult] = []
        self._at = time.monotonic()

    def tell(self, result: ExportResult, *, is_shown: bool = False) -> None:
        """Take what became of an item, from any thread; the listener is told unless it has been."""
        self._queue.put((result, is_shown))

    def show(self, result: ExportResult) -> None:
        """Tell the listener only, in the thread that runs the job, and keep the right to it."""
        if self._on_item is not None:
            self._on_item(result)
        self.pass_on()

    def pass_on(self) -> None:
        """Tell the listener what is new, and write it down when it is time."""
        while not self._queue.empty():
            result, is_shown = self._queue.get()
            self._waiting.append(result)
            if self._on_item is not None and not is_shown:
                self._on_item(result)
        if len(self._waiting) >= NOTE_ITEMS or time.monotonic() - self._at >= NOTE_SECONDS:
            self._write()

    def flush(self) -> None:
        """Write down everything."""
        self.pass_on()
        self._write()

    def _write(self) -> None:
        some, self._waiting, self._at = self._waiting, [], time.monotonic()
        if not self._ledger.note_export(self._job_id, self._token, some, lease_seconds=LEASE_SECONDS):
            self._stop.now()
