"""Electron event representation (EER) of Thermo Fisher cameras: BigTIFF whose strips list single electrons.

A frame is one reading of the camera: 1 where an electron arrived, else 0, on the pixels that the camera has. The files
also say in which sixteenth of its pixel each electron arrived; that is not used. Format: EER file format documentation
3.0 (Thermo Fisher Scientific, March 2023).

Experimental: tested with files put together as the maker describes them, not with files of a camera.
"""

import struct
from typing import IO

from coverslip.model import Probe
from coverslip.readers.tiff.reading import Tiff

MAGIC = {b"II+\x00\x08\x00\x00\x00": "<", b"MM\x00+\x00\x08\x00\x00": ">"}
METADATA_TAG = 65001
COMPRESSION_TAG = 259
COMPRESSIONS = {1, 65000, 65001, 65002}
"""The first page may be the sum of all frames, which is not compressed."""
MAX_TAGS = 4096


class _Eer(Tiff):
    """Reader of EER."""

    def recognises(self, probe: Probe) -> bool:
        """Return whether the file is a BigTIFF whose first page has the camera's metadata."""
        order = MAGIC.get(probe.head[:8])
        if order is None or len(probe.head) < 16:
            return False
        (start,) = struct.unpack_from(f"{order}Q", probe.head, 8)
        if not 16 <= start < probe.size:
            return False
        try:
            with probe.path.open("rb") as stream:
                tags = _tags(stream, start, order)
        except (OSError, struct.error):
            return False
        return METADATA_TAG in tags and tags.get(COMPRESSION_TAG) in COMPRESSIONS


def _tags(stream: IO[bytes], start: int, order: str) -> dict[int, int]:
    """Return the tags of the first page and their values where these are single 16-bit numbers."""
    stream.seek(start)
    (count,) = struct.unpack(f"{order}Q", stream.read(8))
    raw = stream.read(20 * min(count, MAX_TAGS))
    return {code: value for code, _, _, value in struct.iter_unpack(f"{order}HHQH6x", raw[: len(raw) // 20 * 20])}


eer_reader = _Eer()
