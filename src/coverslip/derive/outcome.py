"""What becomes of one build, how long to wait after a failure, and what is said to those who ask."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from coverslip.errors import BuildError, BusyError, CoverslipError, ImageLoadError, RegionError, StorageError
from coverslip.model.records import ArtifactRecord, Claim, ImageRecord

FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 5.0, 3600.0
LONGEST_OUTAGE_RETRY_SECONDS = 300.0
"""A storage that is away says nothing about a file: soon after it is back, everything is fresh."""
EXPLICIT_RETRY_SECONDS = 2.0
"""A person who asks for a picture does not wait for the back-off, but a damaged file is not opened more often."""

MOST_REMEMBERED = 10_000

LASTING = (ImageLoadError, RegionError)
"""Failures that the same sources bring again."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one claim."""

    claim: Claim
    state: Literal["built", "failed", "lost", "released"]
    """``lost``: somebody else holds the claim now. ``released``: given back unfinished, not counted as a failure."""
    error: str | None = None
    cause: Exception | None = None
    seconds: float = 0.0
    """How long the build took."""
    lag: float | None = None
    """Seconds from the first change it had not seen to its end; ``None`` where only the recipe is newer."""


class Lasting:
    """The failures of this process that the same sources bring again. Safe from any number of threads.

    A row holds a failure in words only. What another process has seen is taken for trouble that may pass.
    """

    def __init__(self) -> None:
        self._reasons: dict[str, str] = {}

    def note(self, artifact_id: str, reason: str, error: Exception) -> None:
        """Note a failure."""
        if len(self._reasons) >= MOST_REMEMBERED:
            self._reasons.clear()
        if is_lasting(error):
            self._reasons[artifact_id] = reason

    def holds(self, record: ArtifactRecord) -> bool:
        """Return whether the present failure of an artifact is known to be one."""
        return record.error is not None and self._reasons.get(record.id) == record.error


def is_lasting(error: Exception | None) -> bool:
    """Return whether the same sources bring a failure again."""
    if isinstance(error, BuildError):
        return not error.retryable
    return isinstance(error, LASTING) and not isinstance(error, BusyError)


def retry_delay(attempts: int, error: Exception | None = None) -> float:
    """Return how many seconds to wait after a failure that ``attempts`` others came before: 5, 10, 20 ... 3600.

    Where it was the storage's, no longer than five minutes.
    """
    longest = LONGEST_OUTAGE_RETRY_SECONDS if isinstance(error, StorageError) else LONGEST_RETRY_SECONDS
    return min(FIRST_RETRY_SECONDS * 2.0 ** min(attempts, 32), longest)


def explain(error: Exception) -> str:
    """Return what to write down about a failure: our own sentence, or the type and words of a stranger's."""
    words = str(error).strip()
    if isinstance(error, CoverslipError) and words:
        return words
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


def refuse_so_soon(record: ArtifactRecord, now: datetime, *, retryable: bool) -> None:
    """Answer with the reason of a failure that happened just now instead of trying again.

    Parameters
    ----------
    record
        The artifact.
    now
        The present time.
    retryable
        Whether the failure may pass.

    Raises
    ------
    BuildError
        Less than two seconds ago somebody tried.
    """
    if record.error is None or record.next_try_at is None or record.attempts == 0:
        return
    pause = retry_delay(record.attempts - 1)
    for seconds in (pause, min(pause, LONGEST_OUTAGE_RETRY_SECONDS)):  # a row does not say whose failure it was
        since = now - (record.next_try_at - timedelta(seconds=seconds))
        if timedelta(0) <= since < timedelta(seconds=EXPLICIT_RETRY_SECONDS):
            raise BuildError(record.error, retryable=retryable)


def refuse_missing(image: ImageRecord) -> None:
    """Do not wait for what nobody can build: the catalog gives no claim on images without a file.

    Raises
    ------
    BuildError
        The file is missing.
    """
    if image.missing_since is not None:
        raise BuildError(
            f"{image.path}: the file is missing since {image.missing_since:%Y-%m-%d %H:%M} UTC. "
            f"When it is back, let the catalog know: coverslip add {image.path}",
            retryable=False,
        )


def name_of(what: Claim | ArtifactRecord) -> str:
    """Return what an artifact is, for a sentence."""
    of = f"image {what.image_id}" if what.annotation_id is None else f"annotation {what.annotation_id}"
    return f"{what.kind} of {of if what.entity_id is None else f'entity {what.entity_id}'}"


def not_in_time(record: ArtifactRecord) -> BuildError:
    """Return the error for what takes longer than somebody waits."""
    return BuildError(f"the {name_of(record)} is not built yet; ask again in a moment")
