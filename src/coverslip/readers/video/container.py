"""Which container a video is in, and whether all of it is there: decoders go on without what is missing.

Formats: RIFF AVI (Microsoft), QuickTime and ISO base media (ISO/IEC 14496-12).
"""

import struct
from typing import IO, Literal

from coverslip.errors import ReadError

Container = Literal["avi", "mov"]

BOXES = {b"moov", b"mdat", b"wide", b"pnot", b"ftyp"}
"""What QuickTime and MP4 files begin with; ``free`` and ``skip`` would fit much else."""
STILL_BRANDS = {b"heic", b"heix", b"heif", b"mif1", b"msf1", b"avif", b"avis", b"jpx ", b"jp2 ", b"jxl ", b"crx "}
MAX_BOXES = 1_000_000


def container_of(head: bytes) -> Container | None:
    """Return the container by the first bytes of a file, ``None`` for anything else."""
    if head.startswith(b"RIFF") and head[8:12] == b"AVI ":
        return "avi"
    if len(head) < 12 or head[4:8] not in BOXES or (head[4:8] == b"ftyp" and head[8:12] in STILL_BRANDS):
        return None
    return "mov"


def check_complete(stream: IO[bytes], container: Container) -> bool:
    """Return whether the file is fragmented; complain when something is missing at its end.

    Raises
    ------
    ReadError
        The file is shorter than its parts say.
    """
    size = stream.seek(0, 2)
    if container == "avi":
        stream.seek(4)
        (length,) = struct.unpack("<I", stream.read(4).ljust(4, b"\0"))
        if length + 8 > size:
            raise _cut(length + 8, size)
        return False
    place, fragmented = 0, False
    for _ in range(MAX_BOXES):
        if place + 8 > size:
            return fragmented
        stream.seek(place)
        raw = stream.read(16)
        length, kind = struct.unpack_from(">I4s", raw)
        if length == 1 and len(raw) == 16:
            (length,) = struct.unpack_from(">Q", raw, 8)
        elif length == 0:
            length = size - place
        if length < 8:
            raise ReadError(f"a part of {length} bytes makes no sense: the file is damaged")
        fragmented |= kind == b"moof"
        place += length
        if place > size:
            raise _cut(place, size)
    raise ReadError(f"more than {MAX_BOXES} parts are too many")


def _cut(promised: int, size: int) -> ReadError:
    return ReadError(
        f"the video should have {promised} bytes, there are {size}: the file is truncated, or its recording was never "
        "finished. Copy it again from its source"
    )
