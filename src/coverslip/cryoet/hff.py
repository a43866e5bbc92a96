"""EMDB-SFF in HDF5 (``.hff``), version 0.8: the meshes of segments.

Format: https://emdb-empiar.github.io/EMDB-SFF; vertices and triangles are base64 of plain numbers, of which ``mode``
says the type and ``endianness`` the byte order (little where it says nothing). Transforms are not applied: coordinates
are those that the meshes are stored with. Only what lies in the file itself is read; links to other files are refused.
"""

import base64
import binascii
import io
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from coverslip.cryoet.files import library, needed, read_bytes, shown
from coverslip.errors import ReadError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Part = tuple[NDArray[np.float64], NDArray[np.int64]]

MAGIC = b"\x89HDF\r\n\x1a\n"
HEAP = b"GCOL\x01\0\0\0"
"""Signature and version of a collection of the global heap, where HDF5 keeps texts."""
OLD_SUPERBLOCKS = 2
"""Superblocks of versions below this one state the size of lengths in another place."""
MODES = {*(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)), "float32", "float64"}
ORDERS: dict[str, Literal["<", ">"]] = {"little": "<", "big": ">"}
MOST_SEGMENTS = 100_000


def read_segments(path: Path) -> "Iterator[tuple[str, list[Part]]]":
    """Yield name and meshes of each segment, in the order of their numbers.

    A mesh is its vertices, shape (n, 3), float64, and its triangles, shape (m, 3), int64. A segment without a name has
    the name ``segment 5`` by its number.

    Raises
    ------
    MissingDependencyError
        h5py is not installed.
    UnreadableFileError
        The system did not let us look.
    ReadError
        It is damaged, refers to other files, or has another layout.
    """
    h5py = needed("h5py")
    content = read_bytes(path)
    if not content.startswith(MAGIC) or len(content) < 16:
        raise ReadError(f"{path}: this is no HDF5 file. First 8 bytes: {content[:8]!r}")
    _check_heaps(path, content)
    with library(path, "reading the hff"), h5py.File(io.BytesIO(content), "r") as file:
        yield from _Segments(path, h5py, file, len(content)).read()


def _check_heaps(path: Path, content: bytes) -> None:
    """Refuse a heap with free space of length 0: HDF5 2.0 goes on from there to the same place, for ever.

    Raises
    ------
    ReadError
        There is one, or lengths are not of 8 bytes, so nobody can tell.
    """
    if content[14 if content[8] < OLD_SUPERBLOCKS else 10] != 8:
        raise ReadError(f"{path}: the HDF5 file has lengths that are not of 8 bytes: it is damaged")
    start = -1
    while (start := content.find(HEAP, start + 1)) >= 0:
        end = min(len(content), start + int.from_bytes(content[start + 8 : start + 16], "little"))
        at = start + 16
        while at + 16 <= end:
            index, size = struct.unpack_from("<H6xQ", content, at)
            step = 16 + (size + 7) // 8 * 8 if index else size
            if not step:
                raise ReadError(f"{path}: the heap at byte {start} does not end: the file is damaged")
            at += step


class _Segments:
    """The segments of an open file."""

    def __init__(self, path: Path, h5py: Any, file: Any, present: int) -> None:
        self._path = path
        self._h5py = h5py
        self._file = file
        self._present = present

    def read(self) -> "Iterator[tuple[str, list[Part]]]":
        """Yield name and meshes of each."""
        segments = self._group(self._file, "segment_list")
        if segments is None:
            raise ReadError(f"{self._path}: the file has no segment_list: it is no EMDB-SFF of version 0.8")
        for number in self._numbers(segments):
            segment = self._group(segments, number)
            meshes = self._group(segment, "mesh_list")
            parts = [] if meshes is None else [self._mesh(meshes, each) for each in self._numbers(meshes)]
            notes = self._group(segment, "biological_annotation")
            name = self._text(notes, "name") if notes is not None and "name" in notes else b""
            yield name.decode("utf-8", "replace").strip() or f"segment {number}", parts

    def _mesh(self, meshes: Any, number: str) -> "Part":
        mesh = self._group(meshes, number)
        vertices = self._array(mesh, number, "vertices").astype(np.float64)
        triangles = self._array(mesh, number, "triangles")
        if triangles.dtype.kind == "f":
            raise ReadError(f"{self._path}: triangles of mesh {number} are no whole numbers")
        faces = triangles.astype(np.int64)
        if len(faces) and (faces.min() < 0 or faces.max() >= len(vertices)):
            raise ReadError(f"{self._path}: a triangle of mesh {number} names a vertex that does not exist")
        return vertices, faces

    def _array(self, mesh: Any, number: str, name: str) -> "NDArray[Any]":
        group = self._group(mesh, name)
        if group is None:
            raise ReadError(f"{self._path}: mesh {number} has no {name}, or is not of version 0.8")
        mode = self._text(group, "mode").decode("latin-1").lower()
        order = self._text(group, "endianness").decode("latin-1").lower() if "endianness" in group else "little"
        if mode not in MODES or order not in ORDERS:
            raise ReadError(
                f"{self._path}: {name} of mesh {number} are {shown(mode)}, {shown(order)}, which is not known"
            )
        try:
            plain = base64.b64decode(self._text(group, "data"), validate=True)
        except binascii.Error as error:
            raise ReadError(f"{self._path}: {name} of mesh {number} are no base64: {error}") from error
        dtype = np.dtype(mode).newbyteorder(ORDERS[order])
        if len(plain) % (3 * dtype.itemsize):
            raise ReadError(f"{self._path}: {name} of mesh {number} have {len(plain)} bytes, not threes of {mode}")
        return np.frombuffer(plain, dtype).reshape(-1, 3)

    def _text(self, group: Any, name: str) -> bytes:
        """Return the bytes of a scalar string."""
        data = self._hard(group, name)
        if not isinstance(data, self._h5py.Dataset) or data.shape != () or data.is_virtual or data.external:
            raise ReadError(f"{self._path}: {group.name}/{name} is no single text of this file")
        # h5py gives strings of any length as objects; those of a fixed length say how much memory they want
        if data.dtype.kind not in "OSV" or data.dtype.itemsize > self._present:
            raise ReadError(f"{self._path}: {group.name}/{name} is no text")
        value = data[()]
        if isinstance(value, str):
            return value.encode()
        return bytes(value)

    def _group(self, parent: Any, name: str) -> Any:
        """Return a group, ``None`` where there is none of that name."""
        if name not in parent:
            return None
        found = self._hard(parent, name)
        return found if isinstance(found, self._h5py.Group) else None

    def _hard(self, parent: Any, name: str) -> Any:
        """Return what lies below a group itself: a link may lead to another file, or in circles."""
        if not isinstance(parent.get(name, getlink=True), self._h5py.HardLink):
            raise ReadError(f"{self._path}: {parent.name}/{name} is missing, or is a link")
        return parent[name]

    def _numbers(self, group: Any) -> list[str]:
        """Return the names of numbered members, smallest number first."""
        names = list(group)
        if len(names) > MOST_SEGMENTS:
            raise ReadError(f"{self._path}: {group.name} has {len(names):,} members; {MOST_SEGMENTS:,} may be")
        return sorted(names, key=lambda name: (len(name), name))
