"""CZI with Zstandard: projection, thumbnail, tiles; czifile and pylibCZIrw; not bioio-czi, which is GPL."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import czifile
import numpy as np
from numpy.typing import NDArray

from benchmarks import files
from benchmarks.conditions import is_installed
from benchmarks.contest import LIMIT, OURS, Tiles, counted, few, tiles, timed
from benchmarks.limits import czi_planes
from benchmarks.peers import shown
from benchmarks.row import Row
from coverslip import Region, open_image
from coverslip.model import RenderSpec
from coverslip.render import draw, projection

LIBRARIES = "czifile"


def rows() -> list[Row]:
    """Return all rows of CZI."""
    return [
        _projection(),
        _thumbnail(),
        _tiles(1, "one subblock per plane, 50 MB"),
        _tiles(4, "16 subblocks per plane"),
    ]


def _projection() -> Row:
    path = files.czi()
    peers: dict[str, Callable[[], object]] = {"czifile": lambda: _by_czifile(path)}
    if is_installed("pylibCZIrw"):
        peers["pylibCZIrw"] = lambda: _by_pylibczi(path)

    def ours() -> NDArray[Any]:
        with open_image(path) as file:
            return projection(file.images[0])

    assert np.array_equal(ours(), _by_czifile(path))
    assert "pylibCZIrw" not in peers or np.array_equal(ours(), _by_pylibczi(path))
    return timed(
        "MIP, zstd CZI",
        {LIMIT: lambda: _bare(path), OURS: ours, **peers},
        within=1.3,
        of=LIBRARIES,
        note="opening included; limit: plain reads, imagecodecs, NumPy, one thread",
    )


def _thumbnail() -> Row:
    path = files.czi()
    peers: dict[str, Callable[[], object]] = {"czifile": lambda: shown(_by_czifile(path))}
    if is_installed("pylibCZIrw"):
        peers["pylibCZIrw"] = lambda: shown(_by_pylibczi(path))

    def ours() -> object:
        with open_image(path) as file:
            return draw(file.images[0], RenderSpec())

    return timed(
        "256 px thumbnail of the MIP, zstd CZI",
        {LIMIT: lambda: shown(_bare(path)), OURS: ours, **peers},
        within=1.3,
        of=LIBRARIES,
        note="opening included",
    )


def _tiles(across: int, kind: str) -> Row:
    path, side = files.czi(across), files.TILE
    file = open_image(path)
    image = file.images[0]
    meta = image.metadata
    shape = (meta.size_z, meta.size_y, meta.size_x)

    def ours(z: int, y: int, x: int) -> object:
        return image.read(0, Region(z=(z, z + 1), y=(y, y + side), x=(x, x + side)))

    library = czifile.CziFile(path)
    scene = library.scenes[0]

    def bare(z: int, y: int, x: int) -> object:
        return scene(Z=z).asarray()[..., y : y + side, x : x + side]

    contestants: dict[str, tuple[Tiles, int]] = {OURS: (ours, few(1500)), "czifile": (bare, few(100))}
    reader = None
    if is_installed("pylibCZIrw"):
        from pylibCZIrw import czi  # noqa: PLC0415

        reader = czi.CziReader(str(path))
        read = reader.read
        contestants["pylibCZIrw"] = (
            lambda z, y, x: read(roi=(x, y, side, side), plane={"Z": z, "C": 0, "T": 0}),
            few(600),
        )
    try:
        goal: dict[str, Any] = {"times": 1, "of": 1500} if across == 1 else {"times": 1 / 1.3, "of": "best library"}
        return counted(
            f"random 256 x 256 tiles, zstd CZI, {kind}",
            {name: tiles(read, count, shape) for name, (read, count) in contestants.items()},
            count={name: count for name, (_, count) in contestants.items()},
            **goal,
            usual_rounds=3,
            note="decoded subblocks are kept, up to 64 MiB per open file",
        )
    finally:
        file.close()
        library.close()
        if reader is not None:
            reader.close()


def _bare(path: Path) -> NDArray[Any]:
    top: NDArray[Any] | None = None
    for plane in czi_planes(path):
        top = plane.copy() if top is None else np.maximum(top, plane, out=top)
    assert top is not None
    return top


def _by_czifile(path: Path) -> NDArray[Any]:
    with czifile.CziFile(path) as file:
        found: NDArray[Any] = file.scenes[0].asarray().squeeze().max(axis=0)
        return found


def _by_pylibczi(path: Path) -> NDArray[Any]:
    from pylibCZIrw import czi  # noqa: PLC0415

    with czi.open_czi(str(path)) as file:
        _, count = file.total_bounding_box["Z"]
        top = file.read(plane={"Z": 0, "C": 0, "T": 0})[..., 0]
        for z in range(1, count):
            np.maximum(top, file.read(plane={"Z": z, "C": 0, "T": 0})[..., 0], out=top)
    return np.asarray(top)
