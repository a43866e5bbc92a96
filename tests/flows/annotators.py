"""Those who work while processes are killed: one who annotates, one who changes a file, and one who looks at pictures.

The first two know at every instant what the library must say; the third asks for pictures and compares.
"""

import hashlib
import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import cv2
import httpx
import imagecodecs
import numpy as np
import tifffile

from tests.flows.builders import SECONDS, Ground

FRAMES = 48
SIDE = 512
RANGES = 4
STEP = 16
"""Every so many pixels along each side are compared while others work; all of them in the end."""

type Pixels = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


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


@dataclass
class Film:
    """An image, and what is known of it and its annotations from what was acknowledged."""

    image_id: str
    path: Path
    pixels: Pixels
    spans: dict[str, tuple[int, int]] = field(default_factory=dict)
    revisions: dict[str, int] = field(default_factory=dict)
    guard: threading.Lock = field(default_factory=threading.Lock)
    begun: int = 0
    ended: int = 0

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Say that for the time of a ``with`` statement nobody knows for certain what the library must say."""
        with self.guard:
            self.begun += 1
        yield
        with self.guard:
            self.ended += 1

    def known(self) -> tuple[int, dict[str, tuple[int, int]], Pixels] | None:
        """Return a number of this state, the frames of all annotations, and pixels; ``None`` while it changes."""
        with self.guard:
            return (self.begun, dict(self.spans), self.pixels) if self.begun == self.ended else None

    def learn(self, annotation: dict[str, Any]) -> None:
        """Note what an answer says of an annotation."""
        with self.guard:
            frames = annotation["frames"]
            self.revisions[annotation["id"]] = annotation["revision"]
            if annotation["deleted_at"] is None:
                self.spans[annotation["id"]] = (frames["first"], frames["last"])
            else:
                self.spans.pop(annotation["id"], None)


class AtWork(threading.Thread):
    """Somebody who works until told to stop. What goes wrong is raised by ``finish``."""

    def __init__(self, place: Ground, films: Sequence[Film], seed: int) -> None:
        super().__init__(name=type(self).__name__)
        self.place = place
        self.films = films
        self.chance = random.Random(seed)
        self.client = httpx.Client(timeout=30)
        self.should_stop = threading.Event()
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            while not self.should_stop.is_set():
                self.work()
        except BaseException as error:  # noqa: BLE001  raised by whoever waits for the end
            self.error = error

    def work(self) -> None:
        """Do something, and pause."""
        raise NotImplementedError

    def check(self) -> None:
        """Raise what went wrong until now."""
        if self.error is not None:
            raise self.error

    def finish(self) -> None:
        """End what is under way."""
        self.should_stop.set()
        self.join()
        self.client.close()
        self.check()


@dataclass(frozen=True)
class Acknowledged:
    """A revision that an answer spoke of."""

    annotation_id: str
    revision: int
    content: dict[str, Any]


class Annotator(AtWork):
    """Moves boundaries, writes words, takes back; sends every save again until it is answered."""

    saves: list[str]
    acknowledged: list[Acknowledged]
    resent: int = 0

    def begin(self) -> None:
        """Mark the ranges."""
        self.saves, self.acknowledged = [], []
        width = FRAMES // RANGES
        for film in self.films:
            for first in range(0, FRAMES, width):
                frames = {"axis": "t", "first": first, "last": first + width - 1}
                self.save(film, "POST", f"/api/images/{film.image_id}/annotations", frames=frames)

    def work(self) -> None:
        film = self.chance.choice(self.films)
        for _ in range(self.chance.randrange(2, 8)):
            self.change(film, self.chance.choice(sorted(film.spans)))
            self.should_stop.wait(self.chance.uniform(0.01, 0.25))
        # sometimes long enough for the server's own building in the pauses
        self.should_stop.wait(self.chance.choice((0.2, 0.6, 2.5)))

    def change(self, film: Film, one: str) -> None:
        """Save one annotation, and sometimes take it back."""
        what = self.chance.random()
        path, revision = f"/api/annotations/{one}", film.revisions[one]
        if what < 0.15:
            self.save(film, "PATCH", path, revision=revision, label=f"label {self.chance.randrange(100)}")
        elif what < 0.25:
            with film.changing():
                words = {"revision": revision, "save_id": self.new_id()}
                self.learn(film, self.send("DELETE", path, params=words))
                self.save(film, "POST", f"{path}/undo")
        else:
            first, last = film.spans[one]
            frames = {"axis": "t", "first": first, "last": last}
            frames |= self.chance.choice(self.moves(film, one))
            self.save(film, "PATCH", path, revision=revision, frames=frames)
            if what > 0.85:
                self.save(film, "POST", f"{path}/undo")

    def moves(self, film: Film, one: str) -> list[dict[str, int]]:
        """Return where the boundaries of an annotation may go without one that is left with fewer than 3 frames."""
        spans = sorted(film.spans.values())
        at = spans.index(film.spans[one])
        (first, last), found = spans[at], []
        if at > 0:
            found += [{"first": frame} for frame in range(spans[at - 1][0] + 3, last - 1)]
        if at + 1 < len(spans):
            found += [{"last": frame} for frame in range(first + 2, spans[at + 1][1] - 2)]
        return found

    def save(self, film: Film, method: str, path: str, **body: Any) -> None:
        """Send one save until it is answered."""
        with film.changing():
            self.learn(film, self.send(method, path, json={**body, "author": "ada", "save_id": self.new_id()}))

    def new_id(self) -> str:
        """Return the name of a new save."""
        self.saves.append(str(uuid4()))
        return self.saves[-1]

    def learn(self, film: Film, saved: dict[str, Any]) -> None:
        """Note what was acknowledged."""
        for annotation in (saved["annotation"], *saved["neighbours"]):
            film.learn(annotation)
            content = {name: annotation[name] for name in ("frames", "label")}
            self.acknowledged.append(Acknowledged(annotation["id"], annotation["revision"], content))

    def send(self, method: str, path: str, **words: Any) -> dict[str, Any]:
        """Return the answer to a request that is sent until there is one."""
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                answer = self.client.request(method, f"{self.place.address}{path}", **words)
            except httpx.TransportError:
                self.resent += 1
            else:
                if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                    assert answer.is_success, f"{method} {path} {words}: {answer.text}"
                    found: dict[str, Any] = answer.json()
                    return found
            assert time.monotonic() < deadline, f"{method} {path}: nobody answers"
            time.sleep(0.05)


class Reader(AtWork):
    """Asks for combined images as they are now, and compares them with what they must be at that instant."""

    compared: int = 0

    def work(self) -> None:
        film = self.chance.choice(self.films)
        before = film.known()
        if before is not None:
            one = self.chance.choice(sorted(before[1]))
            with self.place.asking:
                data = self.ask(f"/api/annotations/{one}/combined", {"format": "png"})
            if data is not None:
                self.compare(film, before, one, data)
        self.should_stop.wait(self.chance.uniform(0.05, 0.3))

    def ask(self, path: str, words: dict[str, str]) -> bytes | None:
        """Return a picture; ``None`` where the server says that there is none now, or says nothing."""
        try:
            answer = self.client.get(f"{self.place.address}{path}", params=words)
        except httpx.TransportError:
            return None
        if answer.status_code in {httpx.codes.NOT_FOUND, httpx.codes.SERVICE_UNAVAILABLE}:
            return None
        assert answer.status_code == httpx.codes.OK, answer.text
        assert "X-Coverslip-Stale" not in answer.headers
        assert answer.headers["ETag"].strip('"') == hashlib.sha256(answer.content).hexdigest()[:32], "a torn picture"
        return answer.content

    def compare(
        self, film: Film, before: tuple[int, dict[str, tuple[int, int]], Pixels], one: str, data: bytes
    ) -> None:
        """Fail when a picture is not that of the frames, where nothing has changed since it was asked for."""
        number, spans, pixels = before
        after = film.known()
        if after is None or after[0] != number:
            return
        first, last = spans[one]
        shown = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        assert shown is not None
        expected = np.rint(np.median(pixels[first : last + 1], axis=0))
        is_right = np.array_equal((shown if shown.ndim == 2 else shown[..., 0])[::STEP, ::STEP], expected)
        assert is_right, f"annotation {one} was shown as current, and is not the median of frames {first} to {last}"
        self.compared += 1


class Changer(AtWork):
    """Writes the first film anew now and then, and tells the catalog."""

    noise: Noise
    version: int = 0

    def work(self) -> None:
        if self.should_stop.wait(self.chance.uniform(8, 20)):
            return
        film = self.films[0]
        with film.changing():
            self.version += 1
            pixels = self.noise.write(film.path, self.version)
            self.place.add(film.path)
            with film.guard:
                film.pixels = pixels
