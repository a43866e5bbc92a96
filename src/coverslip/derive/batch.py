"""A batch of one image's stale artifacts, in the order an annotator wants them."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from coverslip.derive.builder import Builder
from coverslip.derive.kind import Subject
from coverslip.derive.telling import batch_words
from coverslip.model.annotations import Annotation
from coverslip.model.records import ArtifactRecord

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pending:
    """A stale artifact that can be built now, and what that costs."""

    artifact: ArtifactRecord
    annotation: Annotation | None
    """What it is of; ``None`` where it is of the whole image."""
    cost: int
    """Frames that are read to build it."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What became of a batch."""

    processed: int
    """Artifacts that are fresh now."""
    failed: int
    """Artifacts that could not be built; each is a row with its reason."""
    remaining: int
    """Artifacts of the image that can be built now. Those that failed wait for their next try."""
    total: int
    """How many could be built before."""
    seconds: float

    @property
    def seconds_each(self) -> float:
        """Seconds for each artifact that was built or tried; 0 for none."""
        number = self.processed + self.failed
        return self.seconds / number if number else 0.0


def pending(builder: Builder, image_id: str, limit: int) -> list[Pending]:
    """Return what can be built now for an image: its annotations by their first frame, then the whole image.

    Raises
    ------
    NotFoundError
        There is no such image, or it is deleted.
    """
    found = builder.catalog.pending(image_id, builder.versions, limit=limit)
    image = builder.catalog.get_image(image_id)
    return [
        Pending(one.artifact, one.annotation, builder.kinds[one.artifact.kind].cost(Subject(image, one.annotation)))
        for one in found
    ]


def process_batch(
    builder: Builder,
    image_id: str,
    max_batch: int,
    *,
    starts_no_more: Callable[[], bool] = lambda: False,
    should_stop: Callable[[], bool] = lambda: False,
) -> Batch:
    """Build some of an image's stale artifacts, one after the other, and write one line to the log if there were any.

    Parameters
    ----------
    builder
        Builds them.
    image_id
        Of which image.
    max_batch
        How many at most.
    starts_no_more
        Asked before each; when true the batch ends here.
    should_stop
        Asked between two reads of a build too; when true it is given up.

    Raises
    ------
    NotFoundError
        There is no such image, or it is deleted.
    CatalogError
        The catalog does not answer.
    """
    total = builder.catalog.count_pending(image_id, builder.versions)
    started = time.monotonic()
    states = []
    for one in builder.catalog.pending(image_id, builder.versions, limit=max_batch):
        if starts_no_more() or should_stop():
            break
        outcome = builder.build_artifact(one.artifact.id, should_stop=should_stop)
        if outcome is not None:
            states.append(outcome.state)
    seconds = time.monotonic() - started
    remaining = builder.catalog.count_pending(image_id, builder.versions)
    batch = Batch(states.count("built"), states.count("failed"), remaining, total, seconds)
    if batch.processed or batch.failed:
        log.info("image %s: %s, %d remain", image_id, batch_words(batch.processed, batch.failed, seconds), remaining)
    return batch
