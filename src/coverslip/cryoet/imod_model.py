"""IMOD models (``.mod``): the points of all contours, or the places and angles kept from the slicer window.

Format: "IMOD Binary File Format, Version 1, Revision 2" (binspec.html); numbers are big-endian. Coordinates stay as
they are stored: pixels of the volume that the model was drawn on. In IMOD the centre of the first voxel lies at
(0.5, 0.5, 0), and like every converter that we know of we do not take the half away.
"""

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from coverslip.cryoet import rotations
from coverslip.cryoet.files import read_bytes
from coverslip.cryoet.pointset import Options, Points, PointShape, as_asked
from coverslip.errors import ReadError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coverslip.cryoet.rotations import Floats

HEADER = 8 + 232
"""Bytes of the id, which begins with ``IMODV1.``, and of the model's header."""
OBJECT, CONTOUR, MESH, SLICER = b"OBJT", b"CONT", b"MESH", b"SLAN"
END = b"IEOF"
SLICER_BYTES = 28
"""Of a slicer chunk up to its label: time, three angles, three coordinates."""
Chunk = tuple[bytes, bytes]


def read_model(path: Path, shape: PointShape, options: Options) -> Points:
    """Return the points of an IMOD model.

    ``Point`` gives every point of every contour of every object, in the order of the file. ``OrientedPoint`` gives the
    centres and angles that were saved from the slicer window, for contours have no orientation.

    Raises
    ------
    ReadError
        It is damaged, no binary model, or has no slicer angles where orientations were asked for.
    """
    chunks = list(_chunks(path, read_bytes(path)))
    if shape != "OrientedPoint":
        found = [np.frombuffer(body[16:], ">f4").reshape(-1, 3) for name, body in chunks if name == CONTOUR]
        return as_asked(path, shape, options, _finite(path, found, "a point of a contour"))
    angles = [np.frombuffer(body, ">f4", 6, 4).reshape(1, 6) for name, body in chunks if name == SLICER]
    if not angles:
        raise ReadError(f"{path}: the model has no slicer angles, and nothing else in it has an orientation")
    values = _finite(path, angles, "a slicer angle or its centre")
    return as_asked(path, shape, options, values[:, 3:6], rotations=rotations.slicer(values[:, 0:3]))


def _finite(path: Path, parts: "Sequence[NDArray[Any]]", what: str) -> "Floats":
    """Return parts below each other, float64."""
    values = np.concatenate(parts).astype(np.float64) if parts else np.empty((0, 3))
    if not np.isfinite(values).all():
        raise ReadError(f"{path}: {what} is no finite number")
    return values


def _chunks(path: Path, content: bytes) -> Iterator[Chunk]:
    """Yield name and body of each chunk; lengths are compared with the file before anything is made of them."""
    if not content.startswith(b"IMODV1."):
        raise ReadError(f"{path}: this is no binary IMOD model. First 8 bytes: {content[:8]!r}")
    at = HEADER
    while (name := content[at : at + 4]) != END:
        body = at + 4
        size = _size(path, content, name, body)
        if name not in {OBJECT, CONTOUR, MESH}:
            body += 4
        if size < 0 or body + size > len(content):
            raise ReadError(f"{path}: the model ends within {name!r} at byte {at}: it is truncated or damaged")
        if name == SLICER and size < SLICER_BYTES:
            raise ReadError(f"{path}: a slicer angle of {size} bytes at byte {at} is none")
        yield name, content[body : body + size]
        at = body + size


def _size(path: Path, content: bytes, name: bytes, at: int) -> int:
    """Return the bytes of a chunk's body, -1 where the counts in it are negative."""
    try:
        if name == OBJECT:
            return 176
        if name == CONTOUR:
            count = struct.unpack_from(">i", content, at)[0]
            return int(16 + 12 * count) if count >= 0 else -1
        if name == MESH:
            corners, indices = struct.unpack_from(">2i", content, at)
            return int(16 + 12 * corners + 4 * indices) if min(corners, indices) >= 0 else -1
        return int(struct.unpack_from(">i", content, at)[0])
    except struct.error as error:
        raise ReadError(f"{path}: the model ends within {name!r} at byte {at - 4}: it is truncated") from error
