"""Films whose medians take a moment, and what the library must say of them at every instant."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile

FRAMES = 48
SIDE = 512
RANGES = 4
STEP = 16
"""Every so many pixels along each side are compared while others work; all of them in the end."""

type Pixels = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
type Median = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


class Noise:
    """Frames of noise, packed once so that their unpacking makes a build last and writing a film does not."""

    def __init__(self) -> None:
        chance = np.random.default_rng(7)
        self.frames: Pixels = chance.integers(0, 256, (FRAMES // 2, SIDE, SIDE), np.uint8)
        self._packed = [imagecodecs.lzma_encode(frame) for frame in self.frames]

    def write(self, path: Path, version: int) -> Pixels:
        """Write a film, whole at once, and return the pixels of it that are compared."""
        order = np.random.default_rng(version).permutation(FRAMES) % len(self.frames)
        unfinished = path.with_name(f"{path.name}.part")
        tifffile.imwrite(
            unfinished,
            iter([self._packed[index] for index in order]),
            shape=(FRAMES, SIDE, SIDE),
            dtype="uint8",
            photometric="minisblack",
            compression="lzma",
            rowsperstrip=SIDE,
            metadata={"axes": "TYX"},
            ome=True,
        )
        unfinished.replace(path)
        return self.frames[order, ::STEP, ::STEP]


WHOLE = ""
"""In place of an annotation: the film."""


@dataclass
class Film:
    """An image, and what is known of it and its annotations from what was acknowledged."""

    image_id: str
    path: Path
    pixels: Pixels
    spans: dict[str, tuple[int, int]] = field(default_factory=dict)
    revisions: dict[str, int] = field(default_factory=dict)
    guard: threading.Lock = field(default_factory=threading.Lock)
    begun: Counter[str] = field(default_factory=Counter)
    """Changes of annotations, and of the film."""
    ended: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def changing(self, one: str = WHOLE) -> Iterator[None]:
        """Say that for the time of a ``with`` statement nobody knows for certain where an annotation ends."""
        with self.guard:
            touched = {one, *self.beside(one)}
            self.begun.update(touched)
        yield
        with self.guard:
            self.ended.update(touched)

    def beside(self, one: str) -> list[str]:
        """Return the annotations that touch an annotation."""
        order = sorted(self.spans, key=self.spans.__getitem__)
        at = order.index(one) if one in order else -2
        return order[max(0, at - 1) : at] + order[at + 1 : at + 2] if at >= 0 else []

    def known(self, one: str) -> tuple[int, Median] | None:
        """Return a number that changes with an annotation, and its median; ``None`` while it changes."""
        with self.guard:
            if self.begun[one] != self.ended[one] or self.begun[WHOLE] != self.ended[WHOLE]:
                return None
            first, last = self.spans[one]
            return self.begun[one] + self.begun[WHOLE], np.rint(np.median(self.pixels[first : last + 1], axis=0))

    def learn(self, annotation: dict[str, Any]) -> None:
        """Note what an answer says of an annotation."""
        with self.guard:
            frames = annotation["frames"]
            self.revisions[annotation["id"]] = annotation["revision"]
            if annotation["deleted_at"] is None:
                self.spans[annotation["id"]] = (frames["first"], frames["last"])
            else:
                self.spans.pop(annotation["id"], None)
