"""Kinds of artifact that cost nothing to make, and files that hold one number: bytes tell which sources they are of."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coverslip.catalog import Catalog
from coverslip.derive import Inputs, Subject
from coverslip.derive.kind import Follows, Of, dependents_of
from coverslip.errors import ReadError
from coverslip.ingest.decide import decide
from coverslip.model import ImageMetadata, Region
from coverslip.model.annotations import Annotation
from coverslip.model.records import SeenFile, SyncItem
from coverslip.readers import ImageFile
from tests.flows.stepping import present

FRAMES = 12
Name = tuple[str, str, str | None]
"""An artifact: kind, image, annotation."""


def coarse(content: int, _annotation: Annotation | None) -> str:
    return f"content {content // 2}"


def exact(content: int, annotation: Annotation | None) -> str:
    assert annotation is not None
    frames, box = annotation.frames, annotation.box
    return f"content {content} frames {frames.first}-{frames.last} box {box.x if box else None}"


def rough(content: int, annotation: Annotation | None) -> str:
    assert annotation is not None
    return f"content {content // 2} around {annotation.frames.first // 2}"


def last(_content: int, annotation: Annotation | None) -> str:
    assert annotation is not None
    return f"to {annotation.frames.last}"


@dataclass(frozen=True)
class Cheap:
    """A kind whose bytes tell which sources they were made from."""

    name: str
    of: Of
    tells: Callable[[int, Annotation | None], str]
    """Some let different sources come out the same."""
    needs: tuple[str, ...] = ()
    version: int = 1
    on_build: Callable[[Name], None] = lambda _: None
    allows_stale: bool = False
    follows: tuple[Follows, ...] = ()
    media_type: str = "text/plain"
    suffix: str = ".txt"

    def cost(self, _subject: Subject) -> int:
        return 1

    def make(self, content: int, annotation: Annotation | None, needed: Mapping[str, bytes], version: int) -> bytes:
        parts = [f"{self.name} {version}: {self.tells(content, annotation)}".encode()]
        return b" + ".join(parts + [b"(" + needed[name] + b")" for name in self.needs])

    def build(self, subject: Subject, inputs: Inputs) -> bytes:
        actor = present()
        if actor is not None:
            actor.stop_at("before recipe.build")
            if actor.recipe_fails:
                actor.recipe_fails = False
                raise ReadError("the file cannot be read just now")
        annotation = subject.annotation
        self.on_build((self.name, subject.image.id, None if annotation is None else annotation.id))
        with inputs.open_source() as image:
            content = int(image.read(0, Region.at_plane()).flat[0])
        return self.make(content, annotation, inputs.artifacts, self.version)


ALWAYS_OF_IMAGES, ALWAYS_OF_ANNOTATIONS = {"thumbnail": 1}, {"small": 1}
KINDS: Mapping[str, Cheap] = {
    "thumbnail": Cheap("thumbnail", "image", coarse),
    "combined": Cheap("combined", "annotation", exact),
    "rough": Cheap("rough", "annotation", rough),
    "small": Cheap("small", "annotation", last, needs=("rough", "thumbnail")),
}
"""The others are made when somebody asks for them, as whoever builds a small one asks for a rough one."""
DEPENDENTS = dependents_of(KINDS)


class _Number:
    """An image every pixel of which is the number that the file holds."""

    metadata = ImageMetadata(name="number", file_format="none", size_t=FRAMES, size_y=4, size_x=4, dtype="uint16")

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, _level: int, region: Region) -> NDArray[Any]:
        actor = present()
        if actor is not None:
            actor.stop_at("before source.read")
        return np.full(region.resolve(self.metadata.shape).shape, int(self.path.read_text()), np.uint16)


class _Opened:
    def __init__(self, path: Path) -> None:
        self.images = (_Number(path),)
        self.files = (path,)

    def close(self) -> None:
        pass


def open_number(path: Path) -> ImageFile:
    actor = present()
    if actor is not None:
        actor.stop_at("before source.open")
    return ImageFile(_Opened(path), path, "number", open_number)


@dataclass
class Film:
    """A file with one image, and what may be in it as far as the catalog can know."""

    path: Path
    content: int = 0
    image_id: str = ""
    may_be: set[int] = field(default_factory=set)
    """What it held when the catalog looked, and since."""
    time: int = 0

    def write(self, more: int = 1) -> None:
        """Change it; with a negative number an earlier content may come back, at another time."""
        self.content = max(0, self.content + more)
        self.time += 1
        self.path.write_text(f"{self.content:04}")
        os.utime(self.path, ns=(self.time, self.time))
        self.may_be.add(self.content)

    def sync(self, catalog: Catalog) -> None:
        """Let the catalog look at it, as ``coverslip add`` does: only other content marks anything."""
        checksum = blake2b(str(self.content).encode()).hexdigest()
        seen = SeenFile(str(self.path), self.path.stat().st_size, self.time, checksum=checksum)
        known = catalog.assets_under(str(self.path)).get(str(self.path))
        decision = decide(seen, known, "test", refresh=False)
        if known is not None and decision == "hash" and known.checksum == checksum:
            catalog.touch_files([seen])
        elif decision != "settled":
            (change,) = catalog.sync_files([SyncItem(seen, "ok", None, (_Number.metadata,))], "test")
            self.image_id = self.image_id or catalog.images_of(change.asset_id)[0].id
        self.may_be = {self.content}
