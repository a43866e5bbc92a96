"""A small laboratory for derive tests: a real catalog and storage, images without pixels, recipes that count."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from coverslip.catalog import Catalog
from coverslip.derive import Builder, Inputs, Kind, OpenSource, Subject
from coverslip.derive.held import Pace
from coverslip.derive.kind import Follows, Of
from coverslip.model import ImageMetadata
from coverslip.model.records import ArtifactRecord, ImageRecord, SeenFile, SyncItem
from coverslip.storage import Storage, open_storage

KIND = "thumbnail"
LEASE = 30.0


def recipe_of_revision(record: ImageRecord, _open_source: OpenSource) -> bytes:
    """Return bytes that tell which revision they were made from."""
    return f"{record.filename} revision {record.revision}".encode()


@dataclass
class Recipe:
    """A kind whose work a test decides; counts how often it is done."""

    work: Callable[[ImageRecord, OpenSource], bytes] = recipe_of_revision
    version: int = 1
    name: str = KIND
    media_type: str = "image/png"
    suffix: str = ".png"
    of: Of = "image"
    needs: tuple[str, ...] = ()
    allows_stale: bool = False
    follows: tuple[Follows, ...] = ()
    builds: int = 0
    guard: threading.Lock = field(default_factory=threading.Lock)

    def cost(self, subject: Subject) -> int:
        return subject.image.metadata.size_z

    def build(self, subject: Subject, inputs: Inputs) -> bytes:
        with self.guard:
            self.builds += 1
        return self.work(subject.image, inputs.open_source)


class Clock:
    """The present, moved ahead by hand."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def pass_seconds(self, seconds: float) -> None:
        self.ahead += timedelta(seconds=seconds)


@dataclass
class Lab:
    """A catalog and a storage in one folder."""

    folder: Path
    clock: Clock
    catalog: Catalog
    storage: Storage

    @classmethod
    def open(cls, folder: Path, catalog_url: str = "", storage_url: str = "") -> "Lab":
        """Return another view of the laboratory in a folder, as another process has it."""
        clock = Clock()
        catalog = Catalog.open(catalog_url or f"sqlite:///{folder / 'catalog.sqlite'}", versions={KIND: 1}, clock=clock)
        return cls(folder, clock, catalog, open_storage(storage_url or str(folder / "artifacts")))

    def place_of(self, image_id: str) -> Path:
        """Return where a published artifact is, in a storage that is a folder."""
        return Path(self.storage.url) / str(self.artifact(image_id).key)

    def builder(self, recipe: Recipe | None = None, lease_seconds: float = LEASE, pace: Pace | None = None) -> Builder:
        return self.builder_of({KIND: recipe or Recipe()}, lease_seconds, pace)

    def builder_of(self, kinds: Mapping[str, Kind], lease_seconds: float = LEASE, pace: Pace | None = None) -> Builder:
        return Builder(self.catalog, self.storage, lease_seconds=lease_seconds, kinds=kinds, pace=pace)

    def add(self, name: str = "cells.tif", mtime_ns: int = 1) -> str:
        """Catalog a file that need not exist, or a change of it; return the image's id."""
        seen = SeenFile(path=str(self.folder / name), size=1, mtime_ns=mtime_ns)
        metadata = ImageMetadata(name=name, file_format="TIFF", size_y=4, size_x=4, dtype="uint8")
        self.catalog.sync_files([SyncItem(seen, "ok", None, (metadata,))], read_by="test")
        return next(image.id for image in self.catalog.list_images(limit=1000).images if image.filename == name)

    def artifact(self, image_id: str) -> ArtifactRecord:
        return self.catalog.artifact(KIND, image_id)

    def content(self, image_id: str) -> bytes:
        """Return what is published, fresh or not."""
        key = self.artifact(image_id).key
        assert key is not None
        return self.storage.read(key)

    def is_fresh(self, image_id: str, version: int = 1) -> bool:
        return self.artifact(image_id).is_fresh(version)
