"""Those who work while processes are killed: one who annotates, one who changes a file, and one who looks at pictures.

The first two know at every instant what the library must say; the third asks for pictures and compares.
"""

import hashlib
import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import cv2
import httpx
import numpy as np

from tests.flows.builders import SECONDS, Ground
from tests.flows.watched_films import FRAMES, RANGES, STEP, Film, Median, Noise


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
            self.end()
        except BaseException as error:  # noqa: BLE001  raised by whoever waits for the end
            self.error = error

    def work(self) -> None:
        """Do something, and pause."""
        raise NotImplementedError

    def end(self) -> None:
        """Do what is done last."""

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
        for _ in range(self.chance.randrange(2, 10)):
            self.change(*self.choose())
            self.should_stop.wait(self.chance.uniform(0.01, 0.25))
        # sometimes long enough for the server's own building in the pauses
        self.should_stop.wait(self.chance.choice((0.2, 0.6, 2.5)))

    def choose(self) -> tuple[Film, str]:
        """Return an annotation, mostly one whose picture is being built: what that shows is over before it is there."""
        built = self.place.being_built() if self.chance.random() < 0.8 else []
        choice = [(film, one) for film in self.films for one in sorted(film.spans) if not built or one in built]
        return self.chance.choice(choice) if choice else self.choose()

    def end(self) -> None:
        """Change what is being built, as fast as it goes: nothing comes after it that would make good what is lost."""
        for _ in range(20):
            self.change(*self.choose())

    def change(self, film: Film, one: str) -> None:
        """Save one annotation, and sometimes take it back."""
        what = self.chance.random()
        path, revision = f"/api/annotations/{one}", film.revisions[one]
        if what < 0.15:
            self.save(film, "PATCH", path, revision=revision, label=f"label {self.chance.randrange(100)}")
        elif what < 0.25:
            with film.changing(one):
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
        with film.changing(path.split("/")[3]):
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
            assert not self.place.is_over, "the test has ended"
            time.sleep(0.05)


class Reader(AtWork):
    """Asks for combined images as they are now, and compares them with what they must be at that instant."""

    compared: int = 0

    def work(self) -> None:
        film = self.chance.choice(self.films)
        one = self.chance.choice(sorted(film.revisions))
        before = film.known(one)
        if before is not None:
            with self.place.asking:
                data = self.ask(f"/api/annotations/{one}/combined", {"format": "png"})
            if data is not None and (after := film.known(one)) is not None and before[0] == after[0]:
                self.compare(one, data, before[1])
        self.should_stop.wait(self.chance.uniform(0.02, 0.2))

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

    def compare(self, one: str, data: bytes, expected: Median) -> None:
        """Fail when a picture is not that of the frames."""
        shown = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        assert shown is not None
        is_right = np.array_equal((shown if shown.ndim == 2 else shown[..., 0])[::STEP, ::STEP], expected)
        assert is_right, f"annotation {one}: a picture was shown as current that is not the median of its frames"
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
