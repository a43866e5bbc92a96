"""Triangles -> precomputed meshes in several levels of detail.

The format is ``neuroglancer_multilod_draco``, described in ``meshes.md`` in ``src/datasource/precomputed`` of
Neuroglancer. A mesh is one fragment at each level, in the lowest corner of ever larger cells, so no triangle has to be
cut.
"""

import importlib
from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from coverslip.errors import InvalidRequestError, MissingDependencyError
from coverslip.neuroglancer.precomputed.sharding import SHARD, Sharding, shard
from coverslip.neuroglancer.precomputed.surface_nets import Triangles
from coverslip.neuroglancer.precomputed.values import Files, matrices, to_json, triples, voxel_sizes

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

EXTRA = "coverslip[neuroglancer]"
BITS = 16
"""Of a coordinate within a cell."""
LARGEST = (1 << BITS) - 1
LODS = 3
MOST_CELLS = 1 << 20
"""Cubes along an axis: the number of a cube fits 64 bits."""
MOST_FACES = 2_000_000
"""Triangles of all instances of an oriented mesh; the mesh is made coarser to keep to it."""


def meshes(
    triangles: Mapping[int, Triangles], *, properties: Files | None = None, lods: int = LODS, is_sharded: bool = True
) -> Files:
    """Return meshes of segments as a precomputed source.

    Parameters
    ----------
    triangles
        By the number of the segment; vertices in angstrom.
    properties
        What ``segment_properties`` made; only for meshes without a volume, which says its own.
    lods
        Levels of detail at most; a level that would save less than half of the triangles is left out.
    is_sharded
        Whether all are in one file; otherwise each segment has two.

    Raises
    ------
    InvalidRequestError
        A mesh is none.
    MissingDependencyError
        DracoPy is not installed.
    """
    if lods < 1:
        raise InvalidRequestError(f"a mesh has at least one level of detail, not {lods}")
    draco = needed("DracoPy")
    info = {
        "@type": "neuroglancer_multilod_draco",
        "vertex_quantization_bits": BITS,
        "transform": [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0],
        "lod_scale_multiplier": 1,
    }
    manifests, fragments = {}, {}
    for number, one in triangles.items():
        if not 0 <= number < 1 << 64:
            raise InvalidRequestError(f"a segment has a number of 64 bits, not {number}")
        checked = Triangles(triples(one.vertices, "vertices") / 10, _faces(one))
        manifests[number], fragments[number] = _encode(draco, checked, lods)
    files: Files = {}
    if properties:
        info["segment_properties"] = "segment_properties"
        files |= {f"segment_properties/{name}": content for name, content in properties.items()}
    if is_sharded:
        sharding = Sharding.of(len(manifests), "gzip")
        info["sharding"] = sharding.to_json()
        encoded = {number: sharding.encode(manifest) for number, manifest in manifests.items()}
        files[SHARD] = shard(encoded, sharding, before=fragments)
    else:
        files |= {f"{number}.index": manifest for number, manifest in manifests.items()}
        files |= {str(number): fragment for number, fragment in fragments.items()}
    return {"info": to_json(info), **files}


def oriented_mesh(
    mesh: Triangles,
    coordinates: "ArrayLike",
    rotations: "ArrayLike",
    *,
    voxel_size: "ArrayLike",
    lods: int = LODS,
    most_faces: int = MOST_FACES,
) -> Files:
    """Return a mesh at each of many oriented points, all of them segment 1.

    Parameters
    ----------
    mesh
        Vertices in angstrom, around the point that is put where the particle is.
    coordinates
        Shape (n, 3): x, y, z in voxels.
    rotations
        Shape (n, 3, 3): each takes the axes of the mesh to those of the tomogram.
    voxel_size
        Angstrom: one number, or x, y, z.
    lods
        As for ``meshes``.
    most_faces
        Triangles of all together; with more, every instance is made coarser, the same way.

    Raises
    ------
    InvalidRequestError
        Shapes or values make no sense, or there are no points.
    MissingDependencyError
        DracoPy is not installed.
    """
    points = triples(coordinates, "coordinates") * voxel_sizes(voxel_size)
    turned = matrices(rotations, len(points))
    if not len(points):
        raise InvalidRequestError("there is no point to put the mesh at")
    mesh = Triangles(triples(mesh.vertices, "vertices"), _faces(mesh))
    size = _edge(mesh)
    coarse = mesh
    while len(coarse.faces) * len(points) > most_faces and len(coarse.faces) > 4:
        size *= 1.5
        simpler = simplified(mesh, size)
        if not len(simpler.faces):
            break
        coarse = simpler
    vertices = np.einsum("nij,vj->nvi", turned, coarse.vertices) + points[:, None]
    faces = coarse.faces + (np.arange(len(points)) * len(coarse.vertices))[:, None, None]
    return meshes({1: Triangles(vertices.reshape(-1, 3), faces.reshape(-1, 3))}, lods=lods)


def simplified(mesh: Triangles, size: float) -> Triangles:
    """Return a coarser mesh: the vertices in each cube become their mean (Rossignac and Borrel 1993).

    Parameters
    ----------
    mesh
        The mesh.
    size
        The side of a cube.
    """
    places = mesh.vertices - mesh.vertices.min(axis=0)
    cells = np.floor(places / max(size, places.max() / MOST_CELLS)).astype(np.int64)
    lengths = cells.max(axis=0) + 1
    codes = (cells[:, 0] * lengths[1] + cells[:, 1]) * lengths[2] + cells[:, 2]
    found, which, counts = np.unique(codes, return_inverse=True, return_counts=True)
    vertices = np.stack([np.bincount(which, mesh.vertices[:, n], len(found)) / counts for n in range(3)], axis=1)
    faces = which[mesh.faces]
    is_flat = (faces[:, 0] == faces[:, 1]) | (faces[:, 1] == faces[:, 2]) | (faces[:, 2] == faces[:, 0])
    faces = faces[~is_flat]
    lowest = np.argmin(faces, axis=1, keepdims=True) if len(faces) else faces[:, :1]
    faces = np.unique(np.take_along_axis(faces, (lowest + np.arange(3)) % 3, axis=1), axis=0)
    return Triangles(vertices, faces)


def needed(package: str) -> ModuleType:
    """Import an optional package.

    Raises
    ------
    MissingDependencyError
        It is not installed.
    """
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f'meshes for Neuroglancer need the package {package!r}. Install it: pip install "{EXTRA}"', package
        ) from error


def _faces(mesh: Triangles) -> "NDArray[np.int64]":
    faces = np.asarray(mesh.faces)
    if faces.ndim != 2 or faces.shape[1] != 3 or faces.dtype.kind not in "iu" or not len(faces):
        raise InvalidRequestError(
            f"faces have the shape {faces.shape} {faces.dtype}; (m, 3) whole numbers were expected"
        )
    if faces.min() < 0 or faces.max() >= len(mesh.vertices):
        raise InvalidRequestError(f"a triangle names a vertex that does not exist; there are {len(mesh.vertices)}")
    return faces.astype(np.int64)


def _encode(draco: ModuleType, mesh: Triangles, lods: int) -> tuple[bytes, bytes]:
    """Return the manifest and the fragments of one segment; vertices in nanometres."""
    origin = mesh.vertices.min(axis=0)
    extent = np.maximum(mesh.vertices.max(axis=0) - origin, 1e-3)
    # float32, as the manifest says it: what a client computes with is what the vertices are rounded for
    origin = origin.astype(np.float32).astype(np.float64)
    extent = np.nextafter(extent.astype(np.float32), np.float32(np.inf)).astype(np.float64)
    levels, scales = [mesh], [_edge(mesh)]
    for lod in range(1, lods):
        coarse = simplified(mesh, scales[0] * 2 ** (lod + 0.5))
        if not len(coarse.faces) or len(coarse.faces) * 2 > len(levels[-1].faces):
            break
        levels.append(coarse)
        scales.append(scales[0] * 2**lod)
    fragments = [_fragment(draco, level, origin, extent * 2.0**lod) for lod, level in enumerate(levels)]
    count = len(levels)
    floats = np.concatenate((extent, origin)).astype("<f4").tobytes()
    positions_and_sizes = b"".join(np.array([0, 0, 0, len(one)], "<u4").tobytes() for one in fragments)
    manifest = (
        floats
        + np.array(count, "<u4").tobytes()
        + np.array(scales, "<f4").tobytes()
        + np.zeros((count, 3), "<f4").tobytes()
        + np.ones(count, "<u4").tobytes()
        + positions_and_sizes
    )
    return manifest, b"".join(fragments)


def _fragment(draco: ModuleType, mesh: Triangles, origin: "Floats", extent: "Floats") -> bytes:
    """Return a mesh in Draco: positions are whole numbers, kept as they are by a quantisation of step 1."""
    places = np.clip(np.round((mesh.vertices - origin) / extent * LARGEST), 0, LARGEST)
    encoded: bytes = draco.encode(
        places.astype(np.float32),
        mesh.faces.astype(np.uint32),
        quantization_bits=BITS,
        quantization_range=float(LARGEST),
        quantization_origin=[0.0, 0.0, 0.0],
        compression_level=1,  # 5 takes half as long again and saves nothing
    )
    return encoded


def _edge(mesh: Triangles) -> float:
    """Return the mean length of a side: the size of the detail that a mesh shows."""
    corners = mesh.vertices[mesh.faces[:, 0]] - mesh.vertices[mesh.faces[:, 1]]
    return max(float(np.linalg.norm(corners, axis=1).mean()), 1e-3)
