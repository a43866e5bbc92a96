"""Triangle meshes by hand: balls, and the files that programs keep them in."""

import base64
import importlib
import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from coverslip.demo.deposition.scene import Floats
from coverslip.errors import MissingDependencyError

EXTRA = "coverslip[cryoet]"


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """A closed surface."""

    vertices: Floats
    """Shape (n, 3): x, y, z."""
    faces: NDArray[np.int64]
    """Shape (m, 3): indices of vertices, anticlockwise seen from outside."""


def ball(center: Floats, half_axes: Floats, rounds: int = 3) -> Surface:
    """Return an ellipsoid: an octahedron whose triangles are cut in four as often as ``rounds`` says.

    Parameters
    ----------
    center, half_axes
        Shape (3,): x, y, z in any unit.
    rounds
        3 give 258 vertices and 512 faces.
    """
    corners = [[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]]
    vertices = np.array(corners, float)
    faces = np.array([[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]])
    for _ in range(rounds):
        edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
        unique, which = np.unique(np.sort(edges, axis=1), axis=0, return_inverse=True)
        middle = vertices[unique].sum(axis=1)
        middle /= np.linalg.norm(middle, axis=1, keepdims=True)
        ab, bc, ca = (which.reshape(3, -1) + len(vertices)).astype(np.int64)
        a, b, c = faces.T
        vertices = np.concatenate([vertices, middle])
        quarters = [[a, ab, ca], [b, bc, ab], [c, ca, bc], [ab, bc, ca]]
        faces = np.concatenate([np.stack(quarter, axis=1) for quarter in quarters])
    return Surface(np.round(vertices * half_axes + center, 3), faces)


def joined(surfaces: Sequence[Surface]) -> Surface:
    """Return several surfaces as one."""
    starts = np.cumsum([0, *(len(one.vertices) for one in surfaces)])
    faces = [one.faces + start for one, start in zip(surfaces, starts, strict=False)]
    return Surface(np.concatenate([one.vertices for one in surfaces]), np.concatenate(faces))


def write_obj(path: Path, surface: Surface) -> None:
    """Write Wavefront OBJ."""
    lines = ["# Coverslip demo"]
    lines += [f"v {x:.3f} {y:.3f} {z:.3f}" for x, y, z in surface.vertices]
    lines += [f"f {a} {b} {c}" for a, b, c in surface.faces + 1]
    path.write_text("\n".join([*lines, ""]), encoding="ascii", newline="\n")


def write_stl(path: Path, surface: Surface) -> None:
    """Write binary STL: of each triangle its normal and its corners."""
    corners = surface.vertices[surface.faces].astype("<f4")
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    triangles = np.zeros(len(corners), [("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("count", "<u2")])
    triangles["normal"], triangles["corners"] = normals, corners
    path.write_bytes(b"Coverslip demo".ljust(80) + struct.pack("<I", len(corners)) + triangles.tobytes())


def write_glb(path: Path, surface: Surface) -> None:
    """Write binary glTF 2.0: one mesh of positions and indices."""
    points, indices = surface.vertices.astype("<f4"), surface.faces.astype("<u4")
    plain = points.tobytes() + indices.tobytes()
    document = {
        "asset": {"version": "2.0", "generator": "Coverslip demo"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}],
        "accessors": [
            {
                "bufferView": 0,
                "componentType": 5126,
                "count": len(points),
                "type": "VEC3",
                "min": points.min(axis=0).tolist(),
                "max": points.max(axis=0).tolist(),
            },
            {"bufferView": 1, "componentType": 5125, "count": indices.size, "type": "SCALAR"},
        ],
        "bufferViews": [
            {"buffer": 0, "byteOffset": 0, "byteLength": points.nbytes},
            {"buffer": 0, "byteOffset": points.nbytes, "byteLength": indices.nbytes},
        ],
        "buffers": [{"byteLength": len(plain)}],
    }
    said = json.dumps(document, separators=(",", ":")).encode()
    said += b" " * (-len(said) % 4)
    chunks = struct.pack("<II", len(said), 0x4E4F534A) + said + struct.pack("<II", len(plain), 0x004E4942) + plain
    path.write_bytes(struct.pack("<III", 0x46546C67, 2, 12 + len(chunks)) + chunks)


def write_hff(path: Path, segments: Sequence[tuple[str, Surface]]) -> None:
    """Write EMDB-SFF 0.8 in HDF5: a segment with one mesh for each name.

    Raises
    ------
    MissingDependencyError
        h5py is not installed.
    """
    try:
        h5py = importlib.import_module("h5py")
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f'the example deposition needs the package "h5py". Install it: pip install "{EXTRA}"', "h5py"
        ) from error
    with h5py.File(path, "w", libver="earliest", track_order=False) as file:
        file["version"] = "0.8.0.dev1"
        file["name"] = "Coverslip demo"
        file["primary_descriptor"] = "mesh_list"
        for number, (name, surface) in enumerate(segments, start=1):
            segment = file.create_group(f"segment_list/{number}")
            segment["id"] = number
            segment["parent_id"] = 0
            segment["biological_annotation/name"] = name
            mesh = segment.create_group("mesh_list/0")
            mesh["id"] = 0
            for key, values, mode in (
                ("vertices", surface.vertices, "float32"),
                ("triangles", surface.faces, "uint32"),
            ):
                mesh[f"{key}/num_{key}"] = len(values)
                mesh[f"{key}/mode"] = mode
                mesh[f"{key}/endianness"] = "little"
                mesh[f"{key}/data"] = base64.b64encode(np.asarray(values, np.dtype(mode).newbyteorder("<")).tobytes())
