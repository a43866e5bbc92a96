"""The line that each batch writes to the log, whoever builds it."""

import logging
import threading
import time
from collections.abc import Collection

from coverslip.derive.outcome import Outcome

LONGEST_SECONDS = 10.0
"""A batch that is still going on is told of this often."""


def batch_words(built: int, failed: int, seconds: float) -> str:
    """Return what became of a batch: ``"3 artifacts built, 0 failed in 242 ms (81 ms each)"``."""
    noun = "artifact" if built == 1 else "artifacts"
    each = seconds / max(1, built + failed)
    return f"{built} {noun} built, {failed} failed in {1000 * seconds:.0f} ms ({1000 * each:.0f} ms each)"


def tell(log: logging.Logger, outcomes: Collection[Outcome], seconds: float) -> None:
    """Write the line of a batch; none where nothing was built or tried."""
    built = sum(outcome.state == "built" for outcome in outcomes)
    failed = sum(outcome.state == "failed" for outcome in outcomes)
    if built or failed:
        log.info("%s", batch_words(built, failed, seconds))


class Telling:
    """Adds up what the steps of one or several threads build, and tells of it when one of them finds nothing more.

    A step takes a tenth of a second: a line for each would hide everything else while thousands are built.

    Parameters
    ----------
    log
        Where the lines go.
    """

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._outcomes: list[Outcome] = []
        self._began = self._ended = 0.0

    def note(self, outcomes: Collection[Outcome], began: float) -> None:
        """Add what a step has built since a time of ``time.monotonic()``."""
        now = time.monotonic()
        with self._lock:
            if outcomes:
                self._began = min(self._began, began) if self._outcomes else began
                self._ended = now
                self._outcomes += outcomes
            is_over = not outcomes or now - self._began > LONGEST_SECONDS
        if is_over:
            self.close()

    def close(self) -> None:
        """Tell of what was not told of yet."""
        with self._lock:
            outcomes, self._outcomes = self._outcomes, []
            seconds = self._ended - self._began
        tell(self._log, outcomes, seconds)
