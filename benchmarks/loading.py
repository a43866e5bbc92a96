"""The table of the image loader that Coverslip's ``ImageLoader`` takes the place of, with its own numbers.

Its numbers are those its authors published, of a MacBook Pro M1 Max: they are set beside ours, not raced.
"""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import files
from benchmarks.conditions import rounds
from benchmarks.contest import memory
from benchmarks.row import Row
from coverslip import ImageLoader, ThumbnailGenerator

PUBLISHED = {
    "TIFF, 50 MB": (800, 200, 50),
    "TIFF, 500 MB": (1200, 500, 500),
    "TIFF, 2 GB": (2500, 1200, 100),
    "CZI, 50 MB (published: 100 MB)": (1100, 300, 100),
    "ND2, 100 MB (published: 80 MB)": (900, 300, 80),
}
"""File -> milliseconds to load, milliseconds of a thumbnail, megabytes of memory, as published."""


def rows() -> list[Row]:
    """Return three rows per file: load, thumbnail, memory of both."""
    makers: dict[str, Callable[[], Path]] = dict(
        zip(
            PUBLISHED,
            (lambda: files.ome_tiff(6), files.ome_tiff, lambda: files.ome_tiff(240), files.czi, files.nd2),
            strict=True,
        )
    )
    return [row for name, maker in makers.items() for row in _rows(name, maker())]


def _rows(name: str, path: Path) -> list[Row]:
    load, thumbnail, megabytes = PUBLISHED[name]
    asyncio.run(_once(path))  # imports are not what is compared
    taken = min(asyncio.run(_once(path)) for _ in range(rounds(3)))
    return [
        _row(f"{name}: load", taken[0], load, "ms"),
        _row(f"{name}: thumbnail", taken[1], thumbnail, "ms"),
        _row(f"{name}: memory of both", _resident(path), megabytes, "MB"),
    ]


def _row(work: str, ours: float, published: float, unit: str) -> Row:
    return Row(
        work=work,
        ours=float(f"{ours:.3g}"),
        unit=unit,
        peers={"zstack-analyzer, published": published},
        goal="no worse than published",
        reached=ours <= published,
    )


async def _once(path: Path) -> tuple[float, float]:
    """Return milliseconds of loading (lazily) and of a thumbnail of the maximum projection."""
    begin = time.perf_counter()
    data, metadata = await ImageLoader().load_image(path, lazy=True)
    between = time.perf_counter()
    await ThumbnailGenerator().generate_mip_thumbnail(data, metadata=metadata)
    return (between - begin) * 1e3, (time.perf_counter() - between) * 1e3


def _resident(path: Path) -> float:
    found = memory(
        "import asyncio, cv2, coverslip, dask.array, tifffile, czifile, nd2\n"
        "from coverslip import ImageLoader, ThumbnailGenerator\n"
        "async def work():\n"
        f"    data, metadata = await ImageLoader().load_image({str(path)!r}, lazy=True)\n"
        "    await ThumbnailGenerator().generate_mip_thumbnail(data, metadata=metadata)",
        "asyncio.run(work())",
    )
    return found[1] - found[0] if found else float("nan")
