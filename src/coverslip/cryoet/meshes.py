"""Triangle meshes of annotations: obj, stl, vtk, glb and hff -> vertices and faces -> glb.

trimesh reads obj, stl and glb and writes glb; vtk and hff are read here (``vtk``, ``hff``). Nothing but the one file
is opened: textures, materials and buffers elsewhere are left out or refused.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from coverslip.cryoet import glb, hff, vtk
from coverslip.cryoet.files import library, needed, read_bytes
from coverslip.errors import InvalidRequestError, ReadError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vertices = NDArray[np.float64]
    Faces = NDArray[np.int64]

LARGEST = float(np.finfo(np.float32).max)
"""What a vertex of a glb can be."""
MOST_NAME = 200


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """One triangle mesh. The arrays cannot be written to."""

    vertices: "Vertices"
    """Shape (n, 3), float64: x, y, z, in the unit of the source times the scale factor."""
    faces: "Faces"
    """Shape (m, 3), int64: indices of vertices, in the winding of the source."""
    name: str | None = None

    def __post_init__(self) -> None:
        if self.vertices.ndim != 2 or self.vertices.shape[1:] != (3,) or self.vertices.dtype != np.float64:
            raise InvalidRequestError(f"vertices have the shape {self.vertices.shape} {self.vertices.dtype}")
        if self.faces.ndim != 2 or self.faces.shape[1:] != (3,) or self.faces.dtype != np.int64:
            raise InvalidRequestError(f"faces have the shape {self.faces.shape} {self.faces.dtype}")
        if not len(self.faces):
            raise InvalidRequestError("a mesh without a triangle is none")
        if not (np.abs(self.vertices) <= LARGEST).all():
            raise InvalidRequestError("a vertex is no finite number, or too large for a glb")
        if self.faces.min() < 0 or self.faces.max() >= len(self.vertices):
            raise InvalidRequestError(f"a triangle names a vertex that does not exist; there are {len(self.vertices)}")
        self.vertices.flags.writeable = self.faces.flags.writeable = False


def read_mesh(path: Path, file_format: str, *, scale_factor: float = 1.0) -> Mesh:
    """Return everything in a file as one mesh.

    Parameters
    ----------
    path
        The file.
    file_format
        ``"obj"``, ``"stl"``, ``"vtk"`` or ``"glb"``.
    scale_factor
        Vertices are multiplied by it.

    Raises
    ------
    InvalidRequestError
        There is no such format, or the factor makes no sense.
    MissingDependencyError
        trimesh is not installed.
    UnreadableFileError
        The system did not let us look.
    ReadError
        The file is damaged, refers to other files, or has no triangle.
    """
    read = FORMATS.get(file_format)
    if read is None:
        raise InvalidRequestError(f"there is no format {file_format!r} of one mesh. There are: {', '.join(FORMATS)}")
    return _made(path, None, *read(path), _factor(scale_factor))


def read_mesh_group(
    path: Path, file_format: str = "hff", *, mesh_name: str | None = None, scale_factor: float = 1.0
) -> tuple[Mesh, ...]:
    """Return the meshes of the segments of a file, one for each name, in the order of the file.

    The meshes of one segment become one, and so do segments of the same name. A segment without meshes is left out.

    Parameters
    ----------
    path
        The file.
    file_format
        ``"hff"``.
    mesh_name
        Only the segment of this name (of its biological annotation).
    scale_factor
        Vertices are multiplied by it.

    Raises
    ------
    InvalidRequestError
        There is no such format, or the factor makes no sense.
    MissingDependencyError
        h5py is not installed.
    UnreadableFileError
        The system did not let us look.
    ReadError
        The file is damaged, has no triangle, or no segment of that name.
    """
    if file_format != "hff":
        raise InvalidRequestError(f"there is no format {file_format!r} of a group of meshes. There is: hff")
    factor = _factor(scale_factor)
    groups: dict[str, list[tuple[Any, Any]]] = {}
    for name, parts in hff.read_segments(path):
        if mesh_name is None or name == mesh_name:
            groups.setdefault(name, []).extend(parts)
    if mesh_name is not None and mesh_name not in groups:
        raise ReadError(f"{path}: no segment has the name {mesh_name!r}")
    meshes = [_made(path, name[:MOST_NAME], *_joined(parts), factor) for name, parts in groups.items() if parts]
    if not meshes:
        raise ReadError(f"{path}: no segment has a mesh")
    return tuple(meshes)


def to_glb(meshes: Sequence[Mesh]) -> bytes:
    """Return meshes as one binary glTF 2.0; the same meshes give the same bytes. Vertices become float32.

    Raises
    ------
    InvalidRequestError
        There is no mesh.
    MissingDependencyError
        trimesh is not installed.
    """
    if not meshes:
        raise InvalidRequestError("a glb of no mesh is none")
    trimesh = needed("trimesh")
    scene = trimesh.Scene()
    for n, mesh in enumerate(meshes):
        # trimesh keeps what it is given and marks it as its own
        made = trimesh.Trimesh(mesh.vertices.copy(), mesh.faces.copy(), process=False, validate=False)
        name = f"{n}_{mesh.name}" if mesh.name else f"mesh_{n}"
        scene.add_geometry(made, node_name=name, geom_name=name)
    return bytes(scene.export(file_type="glb"))


def _made(path: Path, name: str | None, vertices: Any, faces: Any, factor: float) -> Mesh:
    """Return a scaled and checked mesh."""
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = np.array(vertices, np.float64) * factor + 0.0
    try:
        return Mesh(scaled, np.array(faces, np.int64), name)
    except InvalidRequestError as error:
        raise ReadError(f"{path}: {error}") from error


def _factor(scale_factor: float) -> float:
    if not 0 < scale_factor < float("inf"):
        raise InvalidRequestError(f"scale_factor: expected a number above 0, found {scale_factor!r}")
    return scale_factor


def _joined(parts: Sequence[tuple[Any, Any]]) -> tuple[Any, Any]:
    """Return several meshes as one, the faces of each moved up by the vertices before it."""
    starts = np.cumsum([0, *(len(vertices) for vertices, _ in parts)])
    faces = [faces + start for (_, faces), start in zip(parts, starts, strict=False)]
    return np.concatenate([vertices for vertices, _ in parts]), np.concatenate(faces)


def _load(path: Path, content: bytes, kind: str) -> tuple[Any, Any]:
    """Return vertices and faces of everything that trimesh finds."""
    trimesh = needed("trimesh")
    with library(path, f"reading the {kind}"):
        # a stream without a name and without a resolver: trimesh has no folder to look for other files in
        scene = trimesh.load_scene(io.BytesIO(content), file_type=kind, process=False)
        parts = [
            (np.asarray(mesh.vertices), np.asarray(mesh.faces, np.int64))
            for mesh in scene.dump(concatenate=False)
            if isinstance(mesh, trimesh.Trimesh)
        ]
    if any(vertices.shape[1:] != (3,) for vertices, _ in parts):
        raise ReadError(f"{path}: a vertex has not three coordinates")
    if not parts:
        raise ReadError(f"{path}: the file has no triangle")
    return _joined(parts)


def _read_obj(path: Path) -> tuple[Any, Any]:
    return _load(path, read_bytes(path), "obj")


def _read_stl(path: Path) -> tuple[Any, Any]:
    """Return a mesh of what is a list of single triangles: corners at exactly the same place become one vertex."""
    corners, faces = _load(path, read_bytes(path), "stl")
    places, first, which = np.unique(corners, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    renumbered = np.empty(len(order), np.int64)
    renumbered[order] = np.arange(len(order))
    return places[order], renumbered[which.reshape(-1)][faces]


def _read_glb(path: Path) -> tuple[Any, Any]:
    return _load(path, glb.only_shapes(path, read_bytes(path)), "glb")


FORMATS: Mapping[str, Callable[[Path], tuple[Any, Any]]] = {
    "obj": _read_obj,
    "stl": _read_stl,
    "vtk": vtk.read_polydata,
    "glb": _read_glb,
}
"""Every format of one mesh by the name that configurations use."""
