"""Geometry and properties of annotations -> the files that list them by id and by place.

The format is ``neuroglancer_annotations_v1``, described in ``annotations.md`` in ``src/datasource/precomputed`` of
Neuroglancer. Records by id are stored as they are: gzip would make each of them longer.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from coverslip.errors import InvalidRequestError
from coverslip.neuroglancer.precomputed import spatial
from coverslip.neuroglancer.precomputed.sharding import SHARD, Sharding, morton, shard, shard_records
from coverslip.neuroglancer.precomputed.values import Files, to_json, triples, voxel_sizes

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

METERS = 1e-10
"""Metres of an angstrom."""
PropertyType = Literal["rgb", "uint8", "uint16", "uint32", "float32"]
DTYPES: Mapping[str, tuple[Any, ...]] = {
    "uint32": ("<u4",),
    "float32": ("<f4",),
    "uint16": ("<u2",),
    "uint8": ("|u1",),
    "rgb": ("|u1", (3,)),
}
"""In the order in which records hold them: four bytes first, then two, then one."""


@dataclass(frozen=True, slots=True, eq=False)
class Property:
    """A value of each annotation, which shaders know as ``prop_<id>()``."""

    id: str
    type: PropertyType
    values: "NDArray[Any]"
    """Shape (n,), or (n, 3) for ``rgb``."""
    description: str = ""
    labels: Sequence[str] = field(default=())
    """Where the values count names: the name of each."""

    def to_json(self) -> dict[str, Any]:
        """Return its member of the info file."""
        described: dict[str, Any] = {"id": self.id, "type": self.type}
        if self.description:
            described["description"] = self.description
        if self.labels:
            described |= {"enum_values": list(range(len(self.labels))), "enum_labels": list(self.labels)}
        return described


def annotation_files(
    annotation_type: str,
    geometry: "Floats",
    properties: Sequence[Property],
    voxel_size: "ArrayLike",
    bounds: "ArrayLike | None",
    *,
    is_sharded: bool,
    limit: int,
    dimensions: Mapping[str, Sequence[Any]] | None = None,
) -> Files:
    """Return the files of annotations of one type.

    Parameters
    ----------
    annotation_type
        ``"POINT"``, ``"LINE"`` or ``"AXIS_ALIGNED_BOUNDING_BOX"``.
    geometry
        Shape (n, 1, 3) for points, (n, 2, 3) for lines and corners of boxes: x, y, z in voxels. With ``dimensions``
        there may be more axes behind these, which are not divided into cells.
    properties
        Values of each annotation.
    voxel_size
        Angstrom: one number, or x, y, z.
    bounds
        Shape (2, 3), in voxels; it grows to hold everything.
    is_sharded
        Whether each index is one file.
    limit
        Annotations that one cell shows; boxes are only found in all the cells they reach into where there is one.
    dimensions
        Scale and unit of every axis by name; x, y, z of the voxel size where left out.

    Raises
    ------
    InvalidRequestError
        Shapes or values make no sense.
    """
    if limit < 1:
        raise InvalidRequestError(f"a cell shows at least one annotation, not {limit}")
    size = voxel_sizes(voxel_size)
    geometry = geometry.astype("<f4").astype(np.float64)  # as it is stored: cells are those that a client looks in
    lower, upper = _bounds(geometry, bounds)
    sorted_properties = sorted(properties, key=lambda one: list(DTYPES).index(one.type))
    records = _records(geometry, sorted_properties)
    by_id: dict[str, Any] = {"key": "by_id"}
    files: Files = {}
    ids = np.arange(len(records), dtype=np.uint64)
    if is_sharded:
        sharding = Sharding.of(len(records), "raw")
        by_id["sharding"] = sharding.to_json()
        files[f"by_id/{SHARD}"] = shard_records(ids, records, sharding)
    else:
        files |= {f"by_id/{number}": records[number].tobytes() for number in range(len(records))}
    described = []
    more = geometry.shape[2] - 3
    for number, level in enumerate(spatial.levels(geometry[..., :3], lower[:3], upper[:3], size, limit)):
        key = f"spatial{number}"
        # a client that wants fewer than the limit draws that part of every cell: a limit that no cell comes near to
        # hides annotations of small sets
        most = int(np.diff(level.bounds).max(initial=1))
        grid = {
            "grid_shape": [*level.grid_shape, *[1] * more],
            "chunk_size": [*level.chunk_size, *(upper - lower)[3:].tolist()],
        }
        described.append({"key": key, **grid, "limit": most})
        if is_sharded:
            sharding = Sharding.of(len(level.cells), "gzip")
            described[-1]["sharding"] = sharding.to_json()
            codes = morton(level.cells, level.grid_shape).tolist()
            chunks = {code: sharding.encode(cell) for code, cell in zip(codes, _cells(level, records), strict=True)}
            files[f"{key}/{SHARD}"] = shard(chunks, sharding)
        else:
            named = zip(level.cells.tolist(), _cells(level, records), strict=True)
            files |= {f"{key}/{'_'.join(map(str, [*cell, *[0] * more]))}": content for cell, content in named}
    lengths = {axis: [float(f"{one * METERS:.12g}"), "m"] for axis, one in zip("xyz", size, strict=True)}
    info = {
        "@type": "neuroglancer_annotations_v1",
        "dimensions": lengths if dimensions is None else {axis: list(one) for axis, one in dimensions.items()},
        "lower_bound": lower.tolist(),
        "upper_bound": upper.tolist(),
        "annotation_type": annotation_type,
        "properties": [one.to_json() for one in sorted_properties],
        "relationships": [],
        "by_id": by_id,
        "spatial": described,
    }
    return {"info": to_json(info), **files}


def _records(geometry: "Floats", properties: Sequence[Property]) -> "NDArray[Any]":
    """Return what is stored of each annotation: geometry, properties and what fills up to four bytes."""
    count, length = len(geometry), geometry.shape[1] * geometry.shape[2]
    fields: list[Any] = [("geometry", "<f4", (length,))]
    fields += [(f"property_{one.id}", *DTYPES[one.type]) for one in properties]
    spare = -np.dtype(fields).itemsize % 4
    if spare:
        fields.append(("spare", "|u1", (spare,)))
    records = np.zeros(count, np.dtype(fields))
    records["geometry"] = geometry.reshape(count, length)
    for one in properties:
        if len(one.values) != count:
            raise InvalidRequestError(f"{one.id} has {len(one.values)} values for {count} annotations")
        records[f"property_{one.id}"] = one.values
    return records


def _cells(level: spatial.Level, records: "NDArray[Any]") -> Iterator[bytes]:
    """Yield the annotations of each cell of a level: how many, their records, their ids."""
    for first, last in zip(level.bounds[:-1].tolist(), level.bounds[1:].tolist(), strict=True):
        members = level.members[first:last]
        count = np.array(len(members), "<u8").tobytes()
        yield count + records[members].tobytes() + members.astype("<u8").tobytes()


def _bounds(geometry: "Floats", bounds: "ArrayLike | None") -> "tuple[Floats, Floats]":
    """Return whole numbers between which everything lies; the upper ones are above it."""
    rank = geometry.shape[2]
    corners = geometry.reshape(-1, rank)
    if bounds is not None:
        given = triples(bounds, "bounds")
        if len(given) != 2:
            raise InvalidRequestError("bounds are where a volume begins and where it ends")
        lower, upper = np.floor(given[0]), np.ceil(given[1])
        if len(corners):
            lower = np.minimum(lower, np.floor(corners.min(axis=0)))
            upper = np.maximum(upper, np.floor(corners.max(axis=0)) + 1)
    elif len(corners):
        lower, upper = np.floor(corners.min(axis=0)), np.floor(corners.max(axis=0)) + 1
    else:
        lower, upper = np.zeros(rank), np.ones(rank)
    return lower, np.maximum(upper, lower + 1)
