"""MRC: projection of a float32 volume; plain reads, mrcfile, a memory map."""

from pathlib import Path

import mrcfile
import numpy as np
from numpy.typing import NDArray

from benchmarks import files
from benchmarks.contest import LIMIT, OURS, memory, timed
from benchmarks.row import Row
from coverslip import open_image
from coverslip.readers.places import read_at
from coverslip.render import projection

HEADER_BYTES = 1024


def rows() -> list[Row]:
    """Return all rows of MRC."""
    path = files.mrc()
    shape = (files.depth(42), files.SIDE, files.SIDE)

    def mapped() -> object:
        return np.memmap(path, np.float32, "r", HEADER_BYTES, shape).max(axis=0)

    def library() -> object:
        with mrcfile.open(path) as file:
            return file.data.max(axis=0)

    def ours() -> NDArray[np.float32]:
        with open_image(path) as file:
            found: NDArray[np.float32] = projection(file.images[0])
            return found

    assert np.array_equal(ours(), _plain(path, shape))
    own = memory(
        "import cv2, coverslip, mrcfile; from coverslip.render import projection",
        f"with coverslip.open_image({str(path)!r}) as file:\n    projection(file.images[0])",
    )
    note = f"opening included; ours takes {own[1] - own[0]:.0f} MB above the idle process" if own else ""
    return [
        timed(
            "MIP, MRC float32, 700 MB",
            {LIMIT: lambda: _plain(path, shape), OURS: ours, "mmap": mapped, "mrcfile.open": library},
            within=1.3,
            of=LIMIT,
            usual_rounds=7,
            note=note,
        )
    ]


def _plain(path: Path, shape: tuple[int, int, int]) -> NDArray[np.float32]:
    buffer = np.empty(shape[1:], np.float32)
    top = np.full(shape[1:], -np.inf, np.float32)
    with path.open("rb") as stream:
        for z in range(shape[0]):
            read_at(stream.fileno(), HEADER_BYTES + z * buffer.nbytes, buffer)
            np.maximum(top, buffer, out=top)
    return top
