"""A stitched map as one field of view: planes that are put together from those of its tiles when they are read."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coverslip.errors import (
    ExportError,
    MissingAnnotationError,
    MissingChannelError,
    MissingFieldError,
    MissingMaskError,
)
from coverslip.export.mosaics import Mosaic, Placed
from coverslip.export.opened import OpenSource, Sources
from coverslip.export.sources import OpenFile, Source
from coverslip.model import ImageMetadata
from coverslip.model.metadata import ChannelInfo, PhysicalSize
from coverslip.render.export import Pixels

IDLE = 3
"""Tiles that stay open though nobody reads them at this moment: neighbours share them."""

type Pick = Callable[[OpenSource], Pixels]


class OpenMap:
    """A map, its tiles opened when they are read. Safe from several threads; close it when nobody draws from it.

    Parameters
    ----------
    source
        With a mosaic.
    open_file
        Opens image files.
    t, z
        The plane of a stack; ``None`` is the middle slice.
    """

    def __init__(self, source: Source, open_file: OpenFile, *, t: int = 0, z: int | None = None) -> None:
        assert source.mosaic is not None
        self.source, self._mosaic = source, source.mosaic
        self.metadata = map_metadata(source.fov, source.mosaic)
        self._tiles = Sources(lambda one: OpenSource(one, open_file, t=t, z=z), idle=IDLE)
        dtype = np.dtype(self._mosaic.dtype)
        self.channels: Mapping[str, Pixels] = _Planes(
            self._mosaic.channels, lambda name: self._plane(_channel(name), dtype)
        )
        self.masks: Mapping[str, Pixels] = _Planes(
            self._mosaic.masks, lambda name: self._plane(_mask(name), np.dtype(np.int64))
        )

    @property
    def pixel_um(self) -> tuple[float, float] | None:
        """Height and width of a pixel in micrometres."""
        return self._mosaic.pixel_um, self._mosaic.pixel_um

    def annotation(self, name: str) -> Mapping[str, Pixels]:
        """Return the raster of an annotation, put together too, by its name."""
        return {name: self._plane(_annotation(name), np.dtype(np.int64))}

    def files(self) -> tuple[Path, ...]:
        """Return the descriptor; the files of tiles are in the fingerprint."""
        return (self.source.path,)

    def close(self) -> None:
        """Let go of its files."""
        self._tiles.close()

    def _plane(self, pick: Pick, dtype: np.dtype[Any]) -> "MapPlane":
        return MapPlane(self.source.fov, self._mosaic, self._tiles, pick, dtype)


class MapPlane:
    """A plane of a map, Y, X, that reads what is asked for; gaps between tiles are 0."""

    def __init__(self, name: str, mosaic: Mosaic, tiles: Sources[OpenSource], pick: Pick, dtype: np.dtype[Any]) -> None:
        self.shape = (mosaic.height, mosaic.width)
        self.dtype = dtype
        self._name, self._mosaic, self._tiles, self._pick = name, mosaic, tiles, pick

    def __getitem__(self, key: tuple[slice, slice]) -> NDArray[Any]:
        rows, columns = (slice(*one.indices(length)) for one, length in zip(key, self.shape, strict=True))
        step_y, step_x = rows.step, columns.step
        out = np.zeros(
            (len(range(*rows.indices(self.shape[0]))), len(range(*columns.indices(self.shape[1])))), self.dtype
        )
        for tile in self._mosaic.tiles:
            # the first and the one after the last of the asked for rows and columns that lie in the tile
            y0, y1 = _within(rows.start, step_y, out.shape[0], tile.y, tile.height)
            x0, x1 = _within(columns.start, step_x, out.shape[1], tile.x, tile.width)
            if y0 >= y1 or x0 >= x1:
                continue
            top, left = rows.start + y0 * step_y - tile.y, columns.start + x0 * step_x - tile.x
            part = (
                slice(top, top + (y1 - y0 - 1) * step_y + 1, step_y),
                slice(left, left + (x1 - x0 - 1) * step_x + 1, step_x),
            )
            out[y0:y1, x0:x1] = self._read(tile, part)
        return out

    def _read(self, tile: Placed, part: tuple[slice, slice]) -> NDArray[Any]:
        if tile.path is None:
            raise MissingFieldError(f"map {self._name!r}: there is no field of view {tile.fov!r}", (tile.fov,))
        with self._tiles.hold(Source(tile.fov, tile.path, tile.image)) as opened:
            if opened.size != (tile.height, tile.width):
                raise ExportError(
                    f"map {self._name!r}: {tile.fov!r} has {opened.size[1]} x {opened.size[0]} pixels, "
                    f"its place on the map {tile.width} x {tile.height}"
                )
            return np.asarray(self._pick(opened)[part])


class _Planes(Mapping[str, Pixels]):
    """Planes by exact name."""

    def __init__(self, names: Sequence[str], make: Callable[[str], Pixels]) -> None:
        self._names, self._make = dict.fromkeys(names), make

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __getitem__(self, name: str) -> Pixels:
        if name not in self._names:
            raise KeyError(name)
        return self._make(name)


def open_source(source: Source, open_file: OpenFile, *, t: int = 0, z: int | None = None) -> OpenSource | OpenMap:
    """Return a field of view or a map, open; raises what ``OpenSource`` raises."""
    kind = OpenSource if source.mosaic is None else OpenMap
    return kind(source, open_file, t=t, z=z)


def map_metadata(name: str, mosaic: Mosaic) -> ImageMetadata:
    """Return what is known of a map, as if it were an image."""
    size = PhysicalSize(value=mosaic.pixel_um)
    return ImageMetadata(
        name=name,
        file_format="map",
        size_c=len(mosaic.channels),
        size_y=mosaic.height,
        size_x=mosaic.width,
        dtype=mosaic.dtype,
        pixel_size_x=size,
        pixel_size_y=size,
        channels=tuple(ChannelInfo(index=n, name=one) for n, one in enumerate(mosaic.channels)),
    )


def _within(start: int, step: int, count: int, first: int, length: int) -> tuple[int, int]:
    """Return the span of the places ``start + step * k``, k below ``count``, that lie in a tile along one axis."""
    return max(0, -((start - first) // step)), min(count, -((start - first - length) // step))


def _channel(name: str) -> Pick:
    def pick(opened: OpenSource) -> Pixels:
        if name not in opened.channels:
            fov = opened.source.fov
            raise MissingChannelError(
                f"field of view {fov!r}, which is part of a map, has no channel {name!r}", (name,)
            )
        return opened.channels[name]

    return pick


def _mask(name: str) -> Pick:
    def pick(opened: OpenSource) -> Pixels:
        if name not in opened.masks:
            fov = opened.source.fov
            raise MissingMaskError(f"field of view {fov!r}, which is part of a map, has no mask {name!r}", (name,))
        return opened.masks[name]

    return pick


def _annotation(name: str) -> Pick:
    def pick(opened: OpenSource) -> Pixels:
        found = opened.annotation(name)
        if name not in found:
            fov = opened.source.fov
            raise MissingAnnotationError(
                f"field of view {fov!r}, which is part of a map, has no annotation {name!r}", (name,)
            )
        return found[name]

    return pick
