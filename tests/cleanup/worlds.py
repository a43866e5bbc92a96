"""Random catalogs with random buckets behind them, whose answers fail, are cut off, forget and repeat themselves."""

import os
import random
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import obstore
from obstore.exceptions import BaseError, PreconditionError
from obstore.store import MemoryStore

from coverslip.cleanup.existence import Existence, look
from coverslip.cleanup.existence_remote import NOTHING
from coverslip.errors import UnreadableFileError
from coverslip.ingest.deposition import identities
from coverslip.model.entities import EntityFile, EntitySeen
from coverslip.model.records import SyncItem
from coverslip.sources import Found, RemotePath, RemoteRules
from coverslip.sources.address import Address
from coverslip.sources.bucket import Bucket
from tests.catalog.making import item

RULES = RemoteRules((), Path("/nowhere"), 0)
PAGE = 7
"""Objects in a page of a listing."""
FAULTS = frozenset({"refused", "cut", "forgets", "repeats", "nothing", "unordered"})


class MemoryBucket(Bucket):
    """A bucket in memory. Any answer may fail, and any page of a listing may be wrong; single answers do not lie."""

    def __init__(self, chance: random.Random) -> None:
        self._obstore = obstore
        self._failures = (BaseError, OSError, ValueError)
        self._changed = PreconditionError
        self.url = "s3://memory"
        self._store = MemoryStore()
        self.chance = chance
        self.rate = 0.0
        """Share of the answers that are wrong."""
        self.kinds = FAULTS
        self.faults = 0

    def put(self, keys: Collection[str]) -> None:
        """Write objects."""
        for key in keys:
            obstore.put(self._store, key, b"{}")

    def objects(self) -> set[str]:
        """Return what is there, whatever the answers are."""
        return {one["path"] for page in obstore.list(self._store) for one in page}

    def find(self, key: str) -> Found:
        """Return what is under a key, or fail."""
        self._refuse(key)
        return super().find(key)

    def below(self, key: str) -> Iterator[Found]:
        """Yield what lies below a key, or fail."""
        self._refuse(key)
        yield from super().below(key)

    def folder(self, key: str) -> tuple[list[Found], list[str]]:
        """Return what lies directly in a folder, or some of it, or fail."""
        self._refuse(key)
        found, folders = super().folder(key)
        if self._goes_wrong("forgets"):
            found = [one for one in found if self.chance.random() < 0.6]
            folders = [one for one in folders if self.chance.random() < 0.6]
        return found, folders

    def pages(self, key: str, after: str = "") -> Iterator[list[tuple[str, int]]]:
        """Yield pages, some of them wrong."""
        whole = [one for page in super().pages(key, after) for one in page]
        pages = [whole[first : first + PAGE] for first in range(0, len(whole), PAGE)]
        if len(pages) > 1 and self._goes_wrong("unordered"):
            self.chance.shuffle(pages)
        if pages and self._goes_wrong("nothing"):
            return
        for page in pages:
            self._refuse(key)
            if self._goes_wrong("cut"):
                return
            if self._goes_wrong("forgets"):
                left = [one for one in page if self.chance.random() < 0.6]
                if left:
                    yield left
                continue
            yield page
            if self._goes_wrong("repeats"):
                yield page

    def _refuse(self, key: str) -> None:
        if self._goes_wrong("refused"):
            raise UnreadableFileError(f"{self.url}/{key}: the server answers {self.chance.choice((403, 500, 503))}")

    def _goes_wrong(self, fault: str) -> bool:
        if (
            self.rate == 0.0
            or fault not in self.kinds
            or self.chance.random() >= self.rate / (1 if fault == "refused" else 2)
        ):
            return False
        self.faults += 1
        return True


class MemoryPath(RemotePath):
    """A path in such a bucket."""

    bucket: MemoryBucket

    def with_segments(self, *segments: "str | os.PathLike[str]") -> "MemoryPath":
        """Return another path in the same bucket."""
        return MemoryPath(*segments, origin=self._origin, rules=self.rules).into(self.bucket)

    def into(self, bucket: MemoryBucket) -> "MemoryPath":
        """Return this path, in a bucket."""
        self.bucket = bucket
        return self

    @property
    def _transport(self) -> MemoryBucket:
        return self.bucket


@dataclass
class World:
    """One layout: what the catalog is told of it, and what is in the bucket."""

    layout: str
    chance: random.Random
    bucket: MemoryBucket
    entities: list[EntitySeen] = field(default_factory=list)

    def add(
        self, kind: str, identity: str, parent: str | None, key: str, *files: str, alignment: str = "", image: str = ""
    ) -> None:
        """Add an entity."""
        made = tuple(EntityFile(file, file.rpartition(".")[2], "Point", "1") for file in files)
        name = identity.rpartition("/")[2]
        self.entities.append(
            EntitySeen(kind, identity, parent, name, "10301", None, key, {}, made, alignment=alignment, image_key=image)
        )

    def fill(self) -> None:
        """Begin with another bucket, in which some of the documents and files are missing, and others are too much."""
        chance = self.chance
        missing, missing_files = chance.choice((0.0, 0.05, 0.2, 0.5, 1.0)), chance.choice((0.0, 0.1, 0.6))
        kept: set[str] = set()
        for one in self.entities:
            if one.key.endswith(".json") and (one.type in ("dataset", "run") or chance.random() >= missing):
                kept.add(one.key)
            for file in one.files:
                if chance.random() >= missing_files:
                    inside = (f"{file.key}/zarr.json", f"{file.key}/0/0") if file.format == "zarr" else (file.key,)
                    kept.update(inside)
            if one.type == "voxel_spacing" and chance.random() < 0.1:
                kept.add(f"{one.key}/Annotations/900/unknown-1.0.json")
        self.bucket = MemoryBucket(chance)
        if chance.random() >= 0.03:
            self.put(kept)

    def look(
        self, layout: str, keys: Collection[str], prefixes: Collection[str], only_with: Mapping[str, str] = NOTHING
    ) -> Existence:
        """Ask the bucket."""
        assert layout == self.layout
        name = layout.rpartition("/")[2]
        top = MemoryPath(f"/{name}", origin=Address("s3", "memory", name), rules=RULES).into(self.bucket)
        return look(top, keys, prefixes=prefixes, only_with=only_with)

    def images(self) -> list[SyncItem]:
        """Return the images of its tomograms, which artifacts of annotations are made for."""
        return [item(f"{self.layout}/{one.image_key}") for one in self.entities if one.image_key]

    def there(self) -> set[str]:
        """Return the keys that are in the bucket now, below the top."""
        start = len(self.layout.rpartition("/")[2]) + 1
        return {key[start:] for key in self.bucket.objects()}

    def is_valid(self, key: str, files: Collection[str], there: Collection[str]) -> bool:
        """Return whether the document of a row is there, or of a row without one any of its files."""
        if key.endswith(".json"):
            return key in there
        return not files or any(one == file or one.startswith(f"{file}/") for one in there for file in files)

    def put(self, keys: Collection[str]) -> None:
        """Write objects below the top."""
        name = self.layout.rpartition("/")[2]
        self.bucket.put([f"{name}/{key}" for key in keys])


def make_world(chance: random.Random, name: str) -> World:
    """Return a layout with shared ingest ids, several runs, spacings and depositions; its bucket is empty."""
    world = World(f"s3://memory/{name}", chance, MemoryBucket(chance))
    ids = [f"id-{number}" for number in range(4)]
    for dataset, run in product(range(1, chance.choice((2, 2, 3))), range(1, chance.choice((2, 3)))):
        d, r = identities.dataset(str(dataset)), f"{dataset}/TS_{run}"
        if run == 1:
            world.add("dataset", d, None, f"{dataset}/dataset_metadata.json")
        of_run = identities.run(d, f"TS_{run}")
        world.add("run", of_run, d, f"{r}/run_metadata.json")
        world.add("gain", f"{of_run}/gains/a.mrc", of_run, f"{r}/Gains", f"{r}/Gains/a.mrc")
        world.add("tiltseries", f"{of_run}/tiltseries/1", of_run, f"{r}/TiltSeries/100/tiltseries_metadata.json")
        alignment = f"{r}/Alignments/100/alignment_metadata.json"
        world.add("alignment", f"{of_run}/alignments/1", of_run, alignment)
        for spacing in chance.sample(("5.000", "10.000", "13.480"), chance.randint(1, 2)):
            s, folder = identities.spacing(of_run, spacing), f"{r}/Reconstructions/VoxelSpacing{spacing}"
            world.add("voxel_spacing", s, of_run, folder)
            for number in range(100, 100 + chance.randint(1, 2)):
                at = f"{folder}/Tomograms/{number}"
                files = (f"{at}/TS.mrc", f"{at}/TS.zarr")
                key, shown = f"{at}/tomogram_metadata.json", files[1]
                world.add("tomogram", f"{s}/tomograms/{number}", s, key, *files, alignment=alignment, image=shown)
            number = 100
            for deposition, one in product(range(chance.randint(1, 2)), ids[: chance.randint(0, 4)]):
                at, number = f"{folder}/Annotations/{number}/a-1.0", number + 1
                shapes = chance.choice(((), ("point.ndjson",), ("mask.zarr", "mask.mrc")))
                identity = identities.annotation(s, deposition, one, "100")
                made = [f"{at}_{shape}" for shape in shapes]
                world.add("annotation", identity, s, f"{at}.json", *made, alignment=alignment)
                if chance.random() < 0.1:  # an earlier import called it differently
                    again = identities.annotation(s, deposition, f"{one}-again", "100")
                    made = made or [f"{at}_point.ndjson"]  # the later one alone has an artifact
                    world.add("annotation", again, s, f"{at}.json", *made, alignment=alignment)
    return world
