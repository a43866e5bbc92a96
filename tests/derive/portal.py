"""A deposition in a folder, laid out as in the portal: files by hand, a real catalog, builds counted."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from coverslip.catalog import Catalog
from coverslip.cryoet import Points, to_ndjson
from coverslip.cryoet.pointset import PointShape
from coverslip.derive import KINDS, Builder, Inputs, Kind, Subject
from coverslip.derive.kinds import ENTITY_KINDS, open_catalog
from coverslip.derive.outcome import Outcome
from coverslip.derive.viewing.states import NEUROGLANCER_STATE
from coverslip.ingest.deposition.remembered import CatalogLog
from coverslip.model.entities import EntityChanges, EntityFile, EntityKinds, EntitySeen
from coverslip.storage import open_storage
from tests.readers.generate_ome_zarr import write_image

RUN = "datasets/1/runs/TS_1"
FINE, COARSE = "10.000", "20.000"
OURS, OTHER = (f"1/TS_1/Alignments/{number}/alignment_metadata.json" for number in (100, 101))
Xyz = Sequence[tuple[float, float, float]]
Shown = Literal["Point", "OrientedPoint", "InstanceSegmentation", "SegmentationMask", "InstanceSegmentationMask"]
SIZE = (50, 48, 64)
"""Z, Y, X of a tomogram."""


def spacing_of(spacing: str, run: str = RUN) -> str:
    """Return the identity of a voxel spacing."""
    return f"{run}/spacings/{spacing}"


def folder_of(spacing: str) -> str:
    """Return the folder of a voxel spacing."""
    return f"1/TS_1/Reconstructions/VoxelSpacing{spacing}"


class Counted:
    """A kind that notes how often it is built."""

    def __init__(self, kind: Kind, counts: Counter[str]) -> None:
        self._kind, self._counts = kind, counts

    def __getattr__(self, name: str) -> Any:
        return getattr(self._kind, name)

    def build(self, subject: Subject, inputs: Inputs) -> bytes:
        self._counts[self._kind.name] += 1
        return self._kind.build(subject, inputs)


@dataclass
class Portal:
    """One run in a layout, its catalog and a builder."""

    folder: Path
    catalog: Catalog
    builder: Builder
    log: CatalogLog
    counts: Counter[str]
    """How often each kind was built."""
    seen: dict[str, EntitySeen] = field(default_factory=dict)

    @classmethod
    def open(cls, folder: Path, kinds: EntityKinds = ENTITY_KINDS) -> "Portal":
        """Begin with a dataset, a run and two voxel spacings."""
        (folder / "layout").mkdir(parents=True)
        catalog = open_catalog(f"sqlite:///{folder / 'catalog.sqlite'}", entity_kinds=kinds)
        counts: Counter[str] = Counter()
        counted: dict[str, Kind] = {name: cast("Kind", Counted(kind, counts)) for name, kind in KINDS.items()}
        builder = Builder(catalog, open_storage(str(folder / "artifacts")), lease_seconds=30, kinds=counted)
        found = cls(folder, catalog, builder, CatalogLog(catalog, open_storage(str(folder / "layout"))), counts)
        found.put("dataset", "datasets/1", None)
        found.put("run", RUN, "datasets/1")
        for spacing in (FINE, COARSE):
            found.put("voxel_spacing", spacing_of(spacing), RUN)
        return found

    @property
    def top(self) -> Path:
        """The top of the layout."""
        return self.folder / "layout"

    @property
    def layout(self) -> str:
        """What the catalog calls the layout."""
        return str(self.top)

    def put(self, kind: str, identity: str, parent: str | None, **more: Any) -> str:
        """Note an entity; the catalog hears of it by ``sync``."""
        name = identity.rsplit("/", 1)[-1]
        self.seen[identity] = EntitySeen(kind, identity, parent, **{"name": name, "deposition": "7", **more})
        return identity

    def tomogram(
        self,
        number: int = 100,
        spacing: str = FINE,
        alignment: str = OURS,
        pixels: np.ndarray[Any, np.dtype[Any]] | None = None,
    ) -> str:
        """Write a tomogram; noise where nothing else is given."""
        place = f"{folder_of(spacing)}/Tomograms/{number}"
        noise = np.random.default_rng(number).normal(size=SIZE).astype(np.float32)
        key = f"{place}/TS_1.zarr"
        if not (self.top / key).exists():
            write_image(self.top / key, noise if pixels is None else pixels, "zyx", 2)
        return self.put(
            "tomogram",
            f"{spacing_of(spacing)}/tomograms/{number}",
            spacing_of(spacing),
            number=number,
            key=f"{place}/tomogram_metadata.json",
            document={"omezarr_dir": key},
            alignment=alignment,
            image_key=key,
        )

    def annotation(
        self,
        name: str = "ribosome",
        shapes: Mapping[Shown, Any] | None = None,
        *,
        number: int = 100,
        spacing: str = FINE,
        alignment: str = OURS,
        version: str = "1",
        hidden: Sequence[str] = (),
    ) -> str:
        """Write an annotation: places for points, an array for masks; all but ``hidden`` are shown from the start."""
        place = f"{folder_of(spacing)}/Annotations/{number}/{name}-1.0"
        given: Mapping[Shown, Any] = {"Point": [(10, 10, 25)]} if shapes is None else shapes
        files = tuple(self._file(place, shape, content, version) for shape, content in given.items())
        said = [{"shape": one.shape, "is_visualization_default": one.shape not in hidden} for one in files]
        return self.put(
            "annotation",
            f"{spacing_of(spacing)}/annotations/7/{name}",
            spacing_of(spacing),
            number=number,
            key=f"{place}.json",
            document={"annotation_object": {"name": name}, "files": said},
            files=files,
            alignment=alignment,
        )

    def _file(self, place: str, shape: Shown, content: Any, version: str) -> EntityFile:
        if shape.endswith("Mask"):
            key = f"{place}_{shape.lower()}.zarr"
            if not (self.top / key).exists():
                write_image(self.top / key, np.asarray(content), "zyx", 2)
            return EntityFile(key, "zarr", shape, version)
        key = f"{place}_{shape.lower()}.ndjson"
        (self.top / key).parent.mkdir(parents=True, exist_ok=True)
        (self.top / key).write_text("".join(to_ndjson(points(shape, content))))  # type: ignore[arg-type]  # no mask
        return EntityFile(key, "ndjson", shape, version)

    def sync(self, *identities: str) -> EntityChanges:
        """Tell the catalog of some entities, or of all, in one transaction as an ingest does."""
        chosen = identities or tuple(self.seen)
        return self.log.sync([self.seen[one] for one in chosen], [])

    def build(self) -> Counter[str]:
        """Build everything that is stale, as a worker does; return how often each kind was built."""
        before = self.counts.copy()
        found: list[Outcome] = []
        while outcomes := self.builder.build_some():
            found += outcomes
        assert [(one.claim.kind, one.error) for one in found if one.state != "built"] == []
        return self.counts - before

    def image_of(self, identity: str) -> str:
        """Return the image of a tomogram."""
        (found,) = self.catalog.entities(self.layout, identities=[identity])
        assert found.image_id is not None
        return found.image_id

    def number_of(self, identity: str) -> int:
        """Return the public number of an entity."""
        (found,) = self.catalog.entities(self.layout, identities=[identity])
        return found.id

    def artifact(self, kind: str, identity: str) -> bytes:
        """Return an artifact of the image of a tomogram, fresh."""
        return self.builder.read_artifact(kind, self.image_of(identity), 60)[1]

    def state(self, identity: str) -> dict[str, Any]:
        """Return the viewer state of a tomogram, fresh."""
        found: dict[str, Any] = json.loads(self.artifact(NEUROGLANCER_STATE, identity))
        return found

    def layers(self, identity: str) -> list[str]:
        """Return the names of the layers of a tomogram's state, without the tomogram's own."""
        return [one["name"] for one in self.state(identity)["layers"]][1:]


def points(shape: PointShape, places: Xyz) -> Points:
    """Return points; instances are numbered from 1, orientations turn nothing."""
    turned = np.tile(np.eye(3), (len(places), 1, 1)) if shape == "OrientedPoint" else None
    numbers = np.arange(1, len(places) + 1) if shape == "InstanceSegmentation" else None
    return Points(shape, np.array(places, np.float64).reshape(-1, 3), turned, numbers)
