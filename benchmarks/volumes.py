"""Volumes: MRC to OME-Zarr of three levels, beside short programs of mrcfile, NumPy and a library for Zarr."""

import os
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import zarr
from numcodecs.blosc import Blosc
from numpy.typing import NDArray

from benchmarks.conditions import folder, is_installed, is_quick, rounds
from benchmarks.contest import LIMIT, OURS, memory
from benchmarks.row import Row
from coverslip import open_image
from coverslip.ngff import write_volume

SIZE = "COVERSLIP_BENCH_VOLUME_MB"
"""How many MB the volume has, where somebody wants less than 4,295."""
SIDE = 1024
CHUNK = 256
MOST_MEGABYTES = 1000
"""Whatever the size of the volume."""
TIMES = 2
"""How much faster than the best peer it is to be."""
LEVELS = 3


def rows() -> list[Row]:
    """Return the rows of throughput and of memory."""
    path = volume()
    size = path.stat().st_size / 1e6
    contestants: dict[str, Callable[[Path, Path], None]] = {OURS: ours, LIMIT: limit, "mrcfile + zarr": with_zarr}
    if is_installed("tensorstore"):
        contestants["mrcfile + tensorstore"] = with_tensorstore
    _check(path, contestants)
    found = {name: float(f"{size / taken:.3g}") for name, taken in _turns(path, contestants).items()}
    mine, bare, peers = found.pop(OURS), found.pop(LIMIT), found
    speed = Row(
        work=f"MRC to OME-Zarr 0.4, float32, {size:,.0f} MB",
        ours=mine,
        unit="MB/s",
        limit=bare,
        peers=peers,
        goal=f"at least {TIMES}x the best library",
        reached=mine >= TIMES * max(peers.values()),
        note="three levels, chunks of 256 x 256 x 256 in lz4, the same for all; files are not synced; the limit reads "
        "and compresses level 0 on one thread",
    )
    return [speed, *_memory_row(path, [name for name in contestants if name not in (OURS, LIMIT)])]


def volume() -> Path:
    """Return an MRC file of noise over a slope, as long as was asked for."""
    megabytes = 64 if is_quick() else int(os.environ.get(SIZE, "4295"))
    side = CHUNK if is_quick() else SIDE
    depth = max(1, round(megabytes * 1e6 / (side * side * 4)))
    path = folder() / f"volume-{depth}.mrc"
    if not path.exists():
        dice = np.random.default_rng(7)
        planes = dice.normal(0, 10, (8, side, side)).astype(np.float32) + np.linspace(0, 20, side, dtype=np.float32)
        with mrcfile.new_mmap(path, (depth, side, side), mrc_mode=2) as file:
            for z in range(depth):
                file.data[z] = np.roll(planes[z % 8], 31 * z, axis=1)
            file.voxel_size = 10
    return path


def ours(path: Path, out: Path) -> None:
    """Convert with Coverslip."""
    with open_image(path) as file:
        write_volume(file.images[0], partial(_put, out), voxel_size=(10, 10, 10), dtype="float32")


def limit(path: Path, out: Path) -> None:
    """Read, compress and write the chunks of level 0, one after the other."""
    with mrcfile.mmap(path, permissive=True) as file:
        shape = file.data.shape
    codec = Blosc("lz4", 5, Blosc.SHUFFLE)
    data = np.memmap(path, np.float32, "r", 1024, shape)
    whole = np.zeros((CHUNK, CHUNK, CHUNK), np.float32)
    for z in range(0, shape[0], CHUNK):
        for y in range(0, shape[1], CHUNK):
            for x in range(0, shape[2], CHUNK):
                part = data[z : z + CHUNK, y : y + CHUNK, x : x + CHUNK]
                whole[: part.shape[0], : part.shape[1], : part.shape[2]] = part
                _put(out, f"0/{z // CHUNK}/{y // CHUNK}/{x // CHUNK}", codec.encode(whole))


def with_zarr(path: Path, out: Path) -> None:
    """Convert as a short program does: read all of it, average, write with zarr."""
    group = zarr.open_group(out, mode="w", zarr_format=2)
    for number, level in enumerate(_levels(path)):
        array = group.create_array(
            str(number),
            shape=level.shape,
            dtype=level.dtype,
            chunks=(CHUNK, CHUNK, CHUNK),
            compressors=Blosc("lz4", 5, Blosc.SHUFFLE),
            chunk_key_encoding={"name": "v2", "separator": "/"},
        )
        array[...] = level


def with_tensorstore(path: Path, out: Path) -> None:
    """Do the same and write with tensorstore, which uses all cores."""
    import tensorstore  # noqa: PLC0415  # a peer that may be missing

    for number, level in enumerate(_levels(path)):
        compressor = {"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1}
        described = {"chunks": [CHUNK] * 3, "compressor": compressor, "dimension_separator": "/"}
        store = tensorstore.open(
            {
                "driver": "zarr",
                "kvstore": {"driver": "file", "path": f"{out}/{number}/", "file_io_sync": False},
                "metadata": {**described, "shape": list(level.shape), "dtype": "<f4"},
            },
            create=True,
        ).result()
        store.write(level).result()


def _levels(path: Path) -> list[NDArray[np.float32]]:
    """Return all levels of a volume whose sides are even."""
    with mrcfile.open(path, permissive=True) as file:
        levels: list[NDArray[Any]] = [np.asarray(file.data)]
    for _ in range(LEVELS - 1):
        z, y, x = (length // 2 for length in levels[-1].shape)
        halves = levels[-1][: 2 * z, : 2 * y, : 2 * x].reshape(z, 2, y, 2, x, 2)
        levels.append(halves.mean(axis=(1, 3, 5), dtype=np.float32))
    return levels


def _put(out: Path, key: str, data: bytes) -> None:
    path = out / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _check(path: Path, contestants: Mapping[str, Callable[[Path, Path], None]]) -> None:
    """Fail unless all write the same numbers, as far as single precision goes."""
    if not is_quick():
        return
    out = folder() / "checked.zarr"
    for name, convert in contestants.items():
        convert(path, out)
        for number, expected in enumerate(_levels(path) if name != LIMIT else ()):
            found = np.asarray(zarr.open_array(out / str(number), mode="r")[...])
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3, err_msg=name)
        shutil.rmtree(out)


def _turns(path: Path, contestants: Mapping[str, Callable[[Path, Path], None]]) -> dict[str, float]:
    """Return the median seconds of each; removing what was written is not timed."""
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    out = folder() / "written.zarr"
    for _ in range(rounds(3)):
        for name, convert in contestants.items():
            start = time.perf_counter()
            convert(path, out)
            taken[name].append(time.perf_counter() - start)
            shutil.rmtree(out)
    return {name: statistics.median(times) for name, times in taken.items()}


def _memory_row(path: Path, peers: list[str]) -> list[Row]:
    if sys.platform != "linux":
        return []
    calls = {OURS: "ours", "mrcfile + zarr": "with_zarr", "mrcfile + tensorstore": "with_tensorstore"}
    found = {}
    for name in (OURS, *peers):
        out = folder() / "measured.zarr"
        setup = f"from pathlib import Path\nfrom benchmarks.volumes import {calls[name]} as convert"
        measured = memory(setup, f"convert(Path({str(path)!r}), Path({str(out)!r}))")
        shutil.rmtree(out)
        if measured is not None:
            found[name] = float(f"{measured[1] - measured[0]:.3g}")
    mine = found.pop(OURS)
    return [
        Row(
            work=f"memory of MRC to OME-Zarr, {path.stat().st_size / 1e6:,.0f} MB",
            ours=mine,
            unit="MB",
            peers=found,
            goal=f"within {MOST_MEGABYTES:,} MB whatever the size",
            reached=mine <= MOST_MEGABYTES,
            note="resident memory above that of the idle process",
        )
    ]
