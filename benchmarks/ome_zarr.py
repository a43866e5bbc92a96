"""OME-Zarr 0.5 in shards: projection, plane, tiles; tensorstore, zarr-python, dask."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from benchmarks import files
from benchmarks.conditions import is_installed
from benchmarks.contest import LIMIT, OURS, Tiles, counted, few, tiles, timed
from benchmarks.limits import shard_chunk, shard_places
from benchmarks.row import Row
from coverslip import Region, open_image
from coverslip.render import projection

STORE = "tensorstore"


def rows() -> list[Row]:
    """Return all rows of OME-Zarr."""
    return [_projection(), _plane(), _tiles()]


def _projection() -> Row:
    path = files.ome_zarr()
    peers: dict[str, Callable[[], object]] = {"zarr": lambda: _by_planes(_zarr(path))}
    if is_installed("tensorstore"):
        peers[STORE] = lambda: _by_planes(_Store(path))
    if is_installed("dask"):
        peers["dask"] = lambda: _lazy(path).max(axis=0).compute()

    def bare() -> NDArray[np.uint16]:
        top = _bare_plane(path, 0)
        for z in range(1, files.depth(60)):
            np.maximum(top, _bare_plane(path, z), out=top)
        return top

    def ours() -> NDArray[Any]:
        with open_image(path) as file:
            return projection(file.images[0])

    assert np.array_equal(ours(), bare())
    return timed(
        "MIP, OME-Zarr 0.5 in shards, 500 MB",
        {LIMIT: bare, OURS: ours, **peers},
        within=1.2,
        of=STORE,
        usual_rounds=5,
        note="opening included; limit: plain reads, imagecodecs, NumPy, one thread",
    )


def _plane() -> Row:
    path, order = files.ome_zarr(), np.random.default_rng(4)
    array, count = _zarr(path), files.depth(60)
    peers: dict[str, Callable[[], object]] = {"zarr": lambda: array[int(order.integers(count))]}
    if is_installed("tensorstore"):
        store = _Store(path)
        peers[STORE] = lambda: store[int(order.integers(count))]
    if is_installed("dask"):
        lazy = _lazy(path)
        peers["dask"] = lambda: np.asarray(lazy[int(order.integers(count))])
    with open_image(path) as file:
        image = file.images[0]
        return timed(
            "random plane, OME-Zarr 0.5 in shards",
            {
                LIMIT: lambda: _bare_plane(path, int(order.integers(count))),
                OURS: lambda: image.plane(z=int(order.integers(count))),
                **peers,
            },
            within=1.2,
            of=STORE,
            usual_rounds=25,
        )


def _tiles() -> Row:
    path, side = files.ome_zarr(), files.TILE
    shape = (files.depth(60), files.SIDE, files.SIDE)
    array = _zarr(path)

    def bare(z: int, y: int, x: int) -> object:
        out = np.empty((side, side), np.uint16)
        shard = path / "0" / f"c/{z}/0/0"
        with shard.open("rb") as stream:
            shard_chunk(stream, shard_places(shard)[y // side, x // side], out)
        return out

    contestants: dict[str, tuple[Tiles, int]] = {
        LIMIT: (bare, few(2000)),
        "zarr": (lambda z, y, x: array[z, y : y + side, x : x + side], few(300)),
    }
    if is_installed("tensorstore"):
        store = _Store(path)
        contestants[STORE] = (lambda z, y, x: store[z, y : y + side, x : x + side], few(2000))
    if is_installed("dask"):
        lazy = _lazy(path)
        contestants["dask"] = (lambda z, y, x: lazy[z, y : y + side, x : x + side].compute(), few(60))
    with open_image(path) as file:
        image = file.images[0]
        contestants[OURS] = (
            lambda z, y, x: image.read(0, Region(z=(z, z + 1), y=(y, y + side), x=(x, x + side))),
            few(2000),
        )
        return counted(
            "random chunks of 256 x 256, OME-Zarr 0.5 in shards",
            {name: tiles(read, count, shape, grid=side) for name, (read, count) in contestants.items()},
            count={name: count for name, (_, count) in contestants.items()},
            times=1 / 1.2,
            of=STORE,
            usual_rounds=3,
        )


class _Store:
    """tensorstore's view of the array, read when it is indexed."""

    def __init__(self, path: Path) -> None:
        import tensorstore  # noqa: PLC0415

        spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": str(path / "0")}}
        self._array = tensorstore.open(spec, open=True, read=True).result()
        self.shape = self._array.shape

    def __getitem__(self, key: Any) -> Any:
        return self._array[key].read().result()


def _lazy(path: Path) -> Any:
    import dask.array  # noqa: PLC0415

    return dask.array.from_zarr(str(path / "0"))  # type: ignore[no-untyped-call]


def _zarr(path: Path) -> Any:
    return zarr.open_array(path / "0", mode="r")


def _by_planes(array: Any) -> object:
    """Project in slabs of eight planes, so that every library can use its threads."""
    top = np.zeros(array.shape[1:], np.uint16)
    for z in range(0, array.shape[0], 8):
        np.maximum(top, array[z : min(z + 8, array.shape[0])].max(axis=0), out=top)
    return top


def _bare_plane(path: Path, z: int) -> NDArray[np.uint16]:
    shard = path / "0" / f"c/{z}/0/0"
    out = np.empty((files.SIDE, files.SIDE), np.uint16)
    places, side = shard_places(shard), files.TILE
    with shard.open("rb") as stream:
        for row, column in np.ndindex(places.shape[:2]):
            target = out[row * side : (row + 1) * side, column * side : (column + 1) * side]
            shard_chunk(stream, places[row, column], target)
    return out
