"""Kinds of annotations of depositions: each shape as Neuroglancer reads it, one file of many.

Positions are voxels of the annotation's own voxel spacing. Meshes are written in units of a nanometre for each voxel: a
state says how large a voxel is, of all shapes the same way.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from coverslip.cryoet import labels_of, read_mesh, read_ndjson
from coverslip.cryoet.pointset import PointShape
from coverslip.derive.kind import Follows, Inputs, Of, Subject
from coverslip.derive.viewing.layout_files import MASK_FORMATS, file_of, opened, path_of, voxel_spacing_of
from coverslip.errors import ReadError, StorageError
from coverslip.model.entities import EntityFile, EntityRecord
from coverslip.neuroglancer import ColorSeed
from coverslip.neuroglancer.colors import instance_color
from coverslip.neuroglancer.precomputed import (
    Files,
    Triangles,
    meshes,
    oriented_annotations,
    oriented_mesh,
    pack,
    point_annotations,
    segment_properties,
    segmentation,
    surfaces,
)

LABELS = "labels"
ORIENTED_MESH = "OrientedMesh"
"""The shape of the mesh that is put at each oriented point; it has no file of its own in the layout."""
DIAMETER = 100.0
"""Angstrom: how large points are drawn of which nothing is known."""
VOXEL = 10.0
"""Angstrom that a voxel is written as in meshes."""
MOST_MESHES = 4096
"""Instances of a mask that are given a surface; the others are shown in slices."""
MOST_NAMED = 10_000
"""Instances that are listed by number."""

type Make = Callable[[EntityRecord, Inputs], Files]


@dataclass(frozen=True, slots=True)
class Precomputed:
    """One shape of an annotation as Neuroglancer reads it: a ZIP of its files."""

    shape: str
    make: Make
    version: int = 1
    of: Of = "entity"
    needs: tuple[str, ...] = ()
    follows: tuple[Follows, ...] = ()
    allows_stale: bool = True
    media_type: str = "application/zip"
    suffix: str = ".zip"

    @property
    def name(self) -> str:
        """``precomputed-`` and the shape in small letters."""
        return kind_of_shape(self.shape)

    def cost(self, subject: Subject) -> int:
        """Return one, or about the slices of a mask."""
        return subject.image.metadata.size_z if self.shape.endswith("Mask") else 1

    def build(self, subject: Subject, inputs: Inputs) -> bytes:
        """Return the files as one."""
        return pack(self.make(subject.shown, inputs))


@dataclass(frozen=True, slots=True)
class Labels:
    """The numbers of the objects of a mask of instances."""

    name: str = LABELS
    version: int = 1
    of: Of = "entity"
    needs: tuple[str, ...] = ()
    follows: tuple[Follows, ...] = ()
    allows_stale: bool = True
    media_type: str = "application/json"
    suffix: str = ".json"

    def cost(self, subject: Subject) -> int:
        """Return about the slices of the mask."""
        return subject.image.metadata.size_z

    def build(self, subject: Subject, inputs: Inputs) -> bytes:
        """Return a list of numbers, as JSON."""
        entity = subject.shown
        with opened(inputs, entity, file_of(entity, "InstanceSegmentationMask", *MASK_FORMATS)) as mask:
            return json.dumps(labels_of(mask), separators=(",", ":")).encode()


def kind_of_shape(shape: str) -> str:
    """Return the name of the kind that is a shape as Neuroglancer reads it."""
    return f"precomputed-{shape.lower()}"


def labels_from(data: bytes) -> tuple[int, ...]:
    """Return what ``Labels`` built.

    Raises
    ------
    StorageError
        The bytes are something else.
    """
    try:
        return tuple(int(one) for one in json.loads(data))
    except (ValueError, TypeError) as error:
        raise StorageError("the labels in the storage are none") from error


def object_of(entity: EntityRecord) -> Mapping[str, Any]:
    """Return what an annotation says of the object that it marks."""
    found = entity.document.get("annotation_object")
    return found if isinstance(found, dict) else {}


def seed_of(entity: EntityRecord, shape: str) -> ColorSeed:
    """Return what the colour of a shape of an annotation follows from."""
    said, about = entity.document, object_of(entity)
    return ColorSeed(
        method=str(said.get("annotation_method") or ""),
        object_id=str(about.get("id") or ""),
        object_name=str(about.get("name") or ""),
        deposition=entity.deposition,
        ground_truth=bool(said.get("ground_truth_status")),
        shape=shape,
    )


def _points(shape: PointShape) -> Make:
    def make(entity: EntityRecord, inputs: Inputs) -> Files:
        points = read_ndjson(path_of(inputs, entity, file_of(entity, shape, "ndjson")), shape)
        said: dict[str, Any] = {
            "voxel_size": voxel_spacing_of(entity),
            "names": str(object_of(entity).get("name") or ""),
            "diameter": _diameter(entity),
        }
        if points.rotations is not None:
            return oriented_annotations(points.coordinates, points.rotations, **said)
        if points.instance_ids is not None:
            seed = seed_of(entity, shape).number
            known = {number: _rgb(instance_color(seed, number)) for number in set(points.instance_ids.tolist())}
            said |= {
                "instance_ids": points.instance_ids,
                "color": [known[number] for number in points.instance_ids.tolist()] or "#ffffff",
            }
        return point_annotations(points.coordinates, **said)

    return make


def _rgb(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def _diameter(entity: EntityRecord) -> float:
    said: Any = object_of(entity).get("diameter")
    is_number = isinstance(said, int | float) and not isinstance(said, bool)
    return float(said) if is_number and 0 < float(said) < 1e9 else DIAMETER


def _oriented_mesh(entity: EntityRecord, inputs: Inputs) -> Files:
    points = read_ndjson(path_of(inputs, entity, file_of(entity, "OrientedPoint", "ndjson")), "OrientedPoint")
    source = next((file for file in entity.files if file.shape == ORIENTED_MESH), None)
    if source is None or points.rotations is None:
        raise ReadError(f"annotation {entity.id} has no mesh for its oriented points")
    mesh = _triangles(inputs, entity, source, VOXEL / voxel_spacing_of(entity))
    return oriented_mesh(mesh, points.coordinates, points.rotations, voxel_size=VOXEL)


def _mesh(shape: str) -> Make:
    def make(entity: EntityRecord, inputs: Inputs) -> Files:
        return meshes({1: _triangles(inputs, entity, file_of(entity, shape, "glb"), VOXEL)})

    return make


def _triangles(inputs: Inputs, entity: EntityRecord, file: EntityFile, factor: float) -> Triangles:
    found = read_mesh(path_of(inputs, entity, file), file.format, scale_factor=factor)
    return Triangles(found.vertices, found.faces)


def _mask(shape: str) -> Make:
    def make(entity: EntityRecord, inputs: Inputs) -> Files:
        size = voxel_spacing_of(entity)
        with opened(inputs, entity, file_of(entity, shape, *MASK_FORMATS)) as mask:
            labels = labels_of(mask) if shape == "InstanceSegmentationMask" else (1,)
            found = surfaces(mask, voxel_size=size, labels=labels[:MOST_MESHES])
            properties = None
            if 0 < len(labels) <= MOST_NAMED:
                name = str(object_of(entity).get("name") or "")
                names = [name] if shape != "InstanceSegmentationMask" else [f"{name} {one}".strip() for one in labels]
                properties = segment_properties(labels, labels=names)
            return segmentation(mask, voxel_size=size, properties=properties, meshes=meshes(found) if found else None)

    return make


def _kinds() -> Iterator[Precomputed]:
    shapes: tuple[PointShape, ...] = ("Point", "OrientedPoint", "InstanceSegmentation")
    for shape in shapes:
        yield Precomputed(shape, _points(shape))
    yield Precomputed(ORIENTED_MESH, _oriented_mesh)
    for name in ("SegmentationMask", "SemanticSegmentationMask", "InstanceSegmentationMask"):
        yield Precomputed(name, _mask(name))
    for name in ("TriangularMesh", "TriangularMeshGroup"):
        yield Precomputed(name, _mesh(name))


SHAPES: tuple[Precomputed | Labels, ...] = (*_kinds(), Labels())
"""All kinds of annotations of depositions."""


def shape_kinds() -> Mapping[str, tuple[str, ...]]:
    """Return the names of the kinds that an annotation has of each shape."""
    found: dict[str, tuple[str, ...]] = {kind.shape: (kind.name,) for kind in SHAPES if isinstance(kind, Precomputed)}
    found["InstanceSegmentationMask"] += (LABELS,)
    return found
