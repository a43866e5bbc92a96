"""Building while an annotator thinks: small batches of the image somebody has just worked on, in the pauses."""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

from coverslip.derive.batch import Pending, pending, process_batch
from coverslip.derive.builder import Builder
from coverslip.errors import CatalogError, NotFoundError

log = logging.getLogger(__name__)

BATCH_FRAMES = 50
"""Frames that a batch reads; an annotation of more is a batch alone."""
MOST_SUBJECTS = 1000
"""Images and annotations that are watched at the same time; those not used for longest are left to other builders."""


class Opportunistic:
    """Builds what is stale of an image once nobody has worked on it for a moment, and stops when somebody goes on.

    While it has an image in its care, the server's own builder leaves that image alone.

    Parameters
    ----------
    builder
        Builds them.
    pause_seconds
        How long nobody may have worked on an image before a batch begins.
    batch
        Artifacts of one batch, at most.
    clock
        Tells seconds.
    """

    def __init__(
        self, builder: Builder, *, pause_seconds: float, batch: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._builder = builder
        self._pause = pause_seconds
        self._batch = batch
        self._clock = clock
        self._guard = threading.Lock()
        self._seen: OrderedDict[str, float] = OrderedDict()
        self._annotations: OrderedDict[str, float] = OrderedDict()
        self._images_of: OrderedDict[str, str] = OrderedDict()
        self._wake = threading.Event()
        self._is_closed = False

    @property
    def images(self) -> Sequence[str]:
        """The images in its care: worked on just now, or with something left to build."""
        with self._guard:
            return tuple(self._seen)

    def notice(self, image_id: str) -> None:
        """Note that somebody works on an image now. Returns at once."""
        with self._guard:
            self._note(image_id)
        self._wake.set()

    def notice_annotation(self, annotation_id: str) -> None:
        """Note that somebody works on an annotation now. Returns at once: which image it is of is found out later."""
        with self._guard:
            image_id = self._images_of.get(annotation_id)
            if image_id is not None:
                self._note(image_id)
            else:
                self._annotations[annotation_id] = self._clock()
                while len(self._annotations) > MOST_SUBJECTS:
                    self._annotations.popitem(last=False)
        self._wake.set()

    def is_active(self, image_id: str) -> bool:
        """Return whether somebody worked on an image less than a pause ago."""
        self._resolve()
        with self._guard:
            seen = self._seen.get(image_id)
        return seen is not None and self._clock() - seen < self._pause

    def run(self) -> None:
        """Build in the pauses until ``close`` is called; a build under way is given up within one read then."""
        while not self._is_closed:
            self._wake.wait(self._seconds_to_wait())
            self._wake.clear()
            self.step()

    def close(self) -> None:
        """End ``run``."""
        self._is_closed = True
        self._wake.set()

    def step(self) -> None:
        """Build a batch of each image that nobody has worked on for long enough."""
        self._resolve()
        now = self._clock()
        with self._guard:
            due = [image_id for image_id, seen in self._seen.items() if now - seen >= self._pause]
        for image_id in due:
            if self._is_closed:
                return
            self._attempt(image_id)

    def _attempt(self, image_id: str) -> None:
        with self._guard:
            seen = self._seen.get(image_id)
        try:
            is_done = self._build(image_id)
        except NotFoundError:
            is_done = True
        except CatalogError as error:
            log.warning("nothing is built in the pauses now: %s", error)
            is_done = False
        except Exception:  # one bad image must not end the building of the others
            log.exception("image %s is left to other builders", image_id)
            is_done = True
        with self._guard:
            if is_done and self._seen.get(image_id) == seen:
                self._seen.pop(image_id, None)
            elif not is_done and self._seen.get(image_id) == seen:
                self._note(image_id)
            else:
                self._wake.set()

    def _build(self, image_id: str) -> bool:
        """Build batches until somebody goes on or nothing is left; return whether nothing is left."""
        while not self._is_closed and not self.is_active(image_id):
            number = affordable(pending(self._builder, image_id, self._batch))
            if number == 0:
                return True
            batch = process_batch(
                self._builder,
                image_id,
                number,
                starts_no_more=lambda: self.is_active(image_id),
                should_stop=lambda: self._is_closed,
            )
            if batch.remaining == 0:
                return True
            if batch.processed + batch.failed == 0:
                return False
        return False

    def _note(self, image_id: str) -> None:
        self._seen[image_id] = self._clock()
        self._seen.move_to_end(image_id)
        while len(self._seen) > MOST_SUBJECTS:
            self._seen.popitem(last=False)

    def _resolve(self) -> None:
        """Find out which images the annotations are of that somebody worked on."""
        with self._guard:
            asked, self._annotations = self._annotations, OrderedDict()
        for annotation_id, seen in asked.items():
            try:
                image_id = self._builder.catalog.annotation(annotation_id).image_id
            except (NotFoundError, CatalogError):
                continue  # the others still build it
            with self._guard:
                self._images_of[annotation_id] = image_id
                while len(self._images_of) > MOST_SUBJECTS:
                    self._images_of.popitem(last=False)
                if self._seen.get(image_id, seen) <= seen:
                    self._seen[image_id] = seen
                    self._seen.move_to_end(image_id)

    def _seconds_to_wait(self) -> float | None:
        with self._guard:
            if self._annotations:
                return 0.0
            first = min(self._seen.values(), default=None)
        return None if first is None else max(0.01, first + self._pause - self._clock())


def affordable(waiting: Sequence[Pending]) -> int:
    """Return how many of these, from the first on, are one batch: the first, and others while they read few frames."""
    frames = 0
    for number, one in enumerate(waiting):
        frames += one.cost
        if number > 0 and frames > BATCH_FRAMES:
            return number
    return len(waiting)
