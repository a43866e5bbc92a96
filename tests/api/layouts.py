"""A small layout of a deposition, made by hand, and its way into the catalog of a server."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np

from coverslip.catalog import Catalog
from coverslip.cryoet import Mesh, Points, to_glb, to_ndjson
from coverslip.derive import open_catalog
from coverslip.ingest import add
from coverslip.model.entities import EntityFile, EntitySeen
from coverslip.settings import Settings

RUN = "datasets/1/runs/TS_1"
SPACING = f"{RUN}/spacings/10.000"
ALIGNMENT = "1/TS_1/Alignments/100/alignment_metadata.json"
SIZE = (32, 48, 64)
"""Z, Y, X of the tomogram, in voxels of 10 angstrom."""
SPOT = (40, 24, 16)
"""X, Y, Z of its one bright voxel, of a point and of the middle of a mesh."""
ARROW = (20, 36, 16)
"""Of a point with an orientation."""
MASK = ((30, 36), (6, 14), (12, 20))
"""X, Y, Z of a box of ones: first and last, half-open."""
MESH = (52, 36, 16)
"""The middle of a cube of 8 voxels."""
SIDES = [[0, 1, 3], [0, 3, 2], [4, 7, 5], [4, 6, 7], [0, 4, 5], [0, 5, 1]]
SIDES += [[2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]]


@dataclass
class Layout:
    """A folder of files and the entities that they are of."""

    top: Path
    seen: list[EntitySeen] = field(default_factory=list)

    def add(self, type_: str, identity: str, parent: str | None, **facts: Any) -> None:
        """Add an entity."""
        name = facts.pop("name", identity.rsplit("/", 1)[-1])
        self.seen.append(EntitySeen(type_, identity, parent, name=name, **facts))

    def annotate(self, name: str, shape: str, content: bytes, ending: str, *, spacing: str = SPACING) -> None:
        """Add an annotation of one shape."""
        key = f"1/TS_1/Annotations/{name}.{ending}"
        (self.top / key).parent.mkdir(parents=True, exist_ok=True)
        (self.top / key).write_bytes(content)
        document = {
            "annotation_object": {"name": name, "id": f"GO:{len(self.seen):07}"},
            "files": [{"shape": shape, "format": ending, "is_visualization_default": True}],
        }
        files = (EntityFile(key, ending, shape, "1"),)
        identity = f"{spacing}/annotations/7/{name}"
        self.add(
            "annotation",
            identity,
            spacing,
            alignment=ALIGNMENT,
            document=document,
            files=files,
            deposition="7",
            key=key,
        )

    def sync(self, catalog: Catalog) -> None:
        """Write everything into a catalog, as an ingest does."""
        catalog.sync_entities(str(self.top), self.seen)


def points(*places: tuple[float, float, float]) -> bytes:
    """Return points as ndjson."""
    return "".join(to_ndjson(Points("Point", np.array(places, float)))).encode()


def oriented(*places: tuple[float, float, float]) -> bytes:
    """Return points that are not turned, as ndjson."""
    turned = np.tile(np.eye(3), (len(places), 1, 1))
    return "".join(to_ndjson(Points("OrientedPoint", np.array(places, float), turned))).encode()


def cube(middle: tuple[float, float, float], half: float) -> bytes:
    """Return the surface of a cube, in voxels, as GLB."""
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
    return to_glb([Mesh(corners * half + middle, np.array(SIDES))])


def write_volume(path: Path, volume: "np.ndarray[Any, Any]") -> None:
    """Write an MRC of voxels of 10 angstrom."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with mrcfile.new(path) as file:
        file.set_data(volume)
        file.voxel_size = 10


def tomogram() -> "np.ndarray[Any, Any]":
    """Return the pixels of the tomogram: dark but for one voxel."""
    volume = np.random.default_rng(1).normal(0, 1, SIZE).astype(np.float32)
    volume[SPOT[2], SPOT[1], SPOT[0]] = 500
    return volume


def mask(folder: Path) -> bytes:
    """Return the mask as MRC, written in a folder first."""
    volume = np.zeros(SIZE, np.int8)
    (x0, x1), (y0, y1), (z0, z1) = MASK
    volume[z0:z1, y0:y1, x0:x1] = 1
    write_volume(folder / "mask.mrc", volume)
    return (folder / "mask.mrc").read_bytes()


def write_layout(top: Path) -> Layout:
    """Write a tomogram with a point, an oriented point, a mask and a mesh."""
    layout = Layout(top)
    write_volume(top / "1/TS_1/Tomograms/a.mrc", tomogram())
    layout.add("dataset", "datasets/1", None)
    layout.add("run", RUN, "datasets/1")
    layout.add("voxel_spacing", SPACING, RUN)
    layout.add("alignment", f"{RUN}/alignments/100", RUN, alignment=ALIGNMENT)
    image_key = "1/TS_1/Tomograms/a.mrc"
    layout.add("tomogram", f"{SPACING}/tomograms/a", SPACING, alignment=ALIGNMENT, image_key=image_key, deposition="7")
    layout.annotate("ribosome", "Point", points(SPOT), "ndjson")
    layout.annotate("proteasome", "OrientedPoint", oriented(ARROW), "ndjson")
    layout.annotate("membrane", "SegmentationMask", mask(top), "mrc")
    layout.annotate("vesicle", "TriangularMesh", cube(MESH, 4), "glb")
    return layout


def ingested(settings: Settings, layout: Layout) -> str:
    """Write a layout into the catalog of a server; return the id of its tomogram's image."""
    with open_catalog(settings.catalog_url) as catalog:
        layout.sync(catalog)
        assert add([layout.top / "1/TS_1/Tomograms/a.mrc"], catalog=catalog).is_sound
        (record,) = catalog.find_entities(type="tomogram")
        assert record.image_id is not None
        return record.image_id
