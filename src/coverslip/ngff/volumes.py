"""Writing a volume as OME-Zarr in the layout of the CryoET Data Portal: axes Z, Y, X in angstrom, chunks of 256 voxels.

The volume is read once, part by part. Each part is a few chunks of level 0; its means go into the open chunks of the
coarser levels, and a chunk is written when all of it is there. Blocks of the coarsest level never lie in two chunks of
level 0, so nothing but finished voxels is kept, and memory is bounded whatever the size.
"""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from coverslip.errors import InvalidRequestError
from coverslip.model import CanRead
from coverslip.ngff.blocks import Reduction, reduced
from coverslip.ngff.documents import volume_documents
from coverslip.ngff.encoding import Version
from coverslip.ngff.store import to_json
from coverslip.ngff.volume_levels import Buffers, VolumeLevel, level_size, steps, units
from coverslip.ngff.volume_source import Box, Size, Statistics, VolumeSource, combined, measured

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    Voxels = NDArray[Any]

CHUNK: Size = (256, 256, 256)
"""Chunks of tomograms and masks in the portal's layout."""
PLANE_CHUNK: Size = (1, 1024, 1024)
"""Chunks of tilt series in the portal's layout, which are written with ``halves_z=False``."""
LEVELS = 3
MOST_LEVELS = 8


@dataclass(frozen=True, slots=True)
class VolumeFacts:
    """What was found out of a volume while it was written."""

    size: Size
    """Z, Y, X of level 0."""
    sizes: tuple[Size, ...]
    """Z, Y, X of every level."""
    scales: tuple[tuple[float, float, float], ...]
    """Voxel size of every level along Z, Y, X, in angstrom."""
    dtype: str
    statistics: Statistics
    """Of level 0 as it was written."""
    labels: tuple[int, ...] | None = None
    """The numbers that occur, smallest first, without 0; ``None`` unless they were asked for."""


def write_volume(
    source: CanRead,
    put: Callable[[str, bytes], None],
    *,
    voxel_size: Sequence[float],
    dtype: "DTypeLike",
    version: Version = "0.4",
    levels: int = LEVELS,
    halves_z: bool = True,
    chunk: Size = CHUNK,
    reduction: Reduction = "mean",
    name: str | None = None,
    collects_labels: bool = False,
    workers: int = 2,
    has: Callable[[str], bool] | None = None,
    also: "Callable[[Box, Voxels], None] | None" = None,
    on_progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> VolumeFacts | None:
    """Write a volume as OME-Zarr and return what it is like, or ``None`` when it was stopped.

    Chunks are written first and documents last: nobody sees half an image, unless another one was there before.
    Memory: 256 MiB of voxels, for each worker a chunk and its compressed bytes, and the open chunks of coarser levels;
    below 1 GiB with two workers and float32.

    Parameters
    ----------
    source
        Read by several threads at once, each voxel once; see ``VolumeSource`` for what it may be.
    put
        Keeps the bytes of a key relative to the image, such as ``0/1/2/3``. Called by several threads.
    voxel_size
        Z, Y, X in angstrom.
    dtype
        Of the voxels as written: float32, int8, uint8, int16 or uint16. Real numbers are rounded to float32; whole ones
        must hold every value.
    version
        Of OME-Zarr: ``"0.4"`` is Zarr 2, ``"0.5"`` is Zarr 3, whose shards are as large as the chunks of 0.4.
    levels
        How many, each half as large as the one before.
    halves_z
        Whether Z is halved too; not so in tilt series.
    chunk
        Z, Y, X of what one file holds; ``2 ** (levels - 1)`` divides it along the axes that are halved.
    reduction
        How coarser levels are made. With anything but ``"mean"`` the image says that it is one of labels.
    name
        Of the image; that of the source where left out.
    collects_labels
        Whether the facts name the numbers that occur; for types of 8 and 16 bits.
    workers
        Threads that read, average and compress.
    has
        Tells of a key whether it was written before, of the same source and in the same way. Such a chunk is read for
        the sake of the facts and the coarser levels, and neither compressed nor put.
    also
        Called with every box of level 0 and its voxels in the type of the result, once, by several threads: a second
        file is written of the same reading, see ``MrcWriter``. It must not change or keep them.
    on_progress
        Called with voxels read and voxels in all.
    should_stop
        Asked now and then.

    Raises
    ------
    ReadError
        The source is no single volume, does not give its voxels, or holds numbers that the type has not.
    UnsupportedFormatError
        Its numbers are complex.
    InvalidRequestError
        Chunk, levels, voxel size or type make no sense.
    StorageError
        Whatever ``put`` raises ends the writing.
    """
    spacing = _checked(voxel_size, levels, chunk, halves_z)
    volume = VolumeSource(source, dtype)
    buffers = Buffers(chunk, volume.dtype)
    pyramid = [
        VolumeLevel(
            number,
            level_size(volume.size, number, halves_z=halves_z),
            chunk,
            buffers,
            version,
            has if has is not None else _nothing,
        )
        for number in range(levels)
    ]
    seen = _Seen(volume.dtype) if collects_labels else None
    writing = _Writing(volume, pyramid, put, reduction, halves_z, seen, also)
    if not writing.write_chunks(workers, on_progress, should_stop):
        return None
    scales = tuple(_scale(spacing, number, halves_z) for number in range(levels))
    called = volume.name if name is None else name
    _put_documents(pyramid, put, volume_documents(called, scales, version, is_labels=reduction != "mean"))
    return VolumeFacts(
        size=volume.size,
        sizes=tuple(level.size for level in pyramid),
        scales=scales,
        dtype=volume.dtype.name,
        statistics=combined(writing.parts),
        labels=None if seen is None else seen.numbers(),
    )


def _checked(voxel_size: Sequence[float], levels: int, chunk: Size, halves_z: bool) -> tuple[float, float, float]:
    """Return the voxel size as three numbers."""
    if len(voxel_size) != 3 or not all(math.isfinite(size) and size > 0 for size in voxel_size):
        raise InvalidRequestError(f"voxel size: expected Z, Y, X in angstrom, found {tuple(voxel_size)}")
    if not 1 <= levels <= MOST_LEVELS:
        raise InvalidRequestError(f"levels: expected 1 to {MOST_LEVELS}, found {levels}")
    block = 1 << (levels - 1)
    sides = (block if halves_z else 1, block, block)
    if any(length < 1 or length % side for length, side in zip(chunk, sides, strict=True)):
        raise InvalidRequestError(f"chunk {chunk}: {levels} levels need multiples of {sides}")
    z, y, x = (float(size) for size in voxel_size)
    return z, y, x


def _scale(spacing: tuple[float, float, float], number: int, halves_z: bool) -> tuple[float, float, float]:
    z, y, x = spacing
    side = 1 << number
    return (z * side if halves_z else z), y * side, x * side


def _nothing(key: str) -> bool:
    return not key


def _put_documents(
    pyramid: Sequence[VolumeLevel], put: Callable[[str, bytes], None], group: dict[str, dict[str, Any]]
) -> None:
    """Write the documents of the arrays, then those of the group, by which others find them."""
    for key, document in [*(level.document() for level in pyramid), *group.items()]:
        put(key, to_json(document))


@dataclass(slots=True)
class _Writing:
    """The chunks of a volume, on their way."""

    volume: VolumeSource
    pyramid: "Sequence[VolumeLevel]"
    put: Callable[[str, bytes], None]
    reduction: Reduction
    halves_z: bool
    seen: "_Seen | None"
    also: "Callable[[Box, Voxels], None] | None"
    parts: list[Statistics] = field(default_factory=list)
    """Of the boxes read so far, in an order that does not depend on threads."""

    def write_chunks(
        self,
        workers: int,
        on_progress: Callable[[int, int], None] | None,
        should_stop: Callable[[], bool] | None,
    ) -> bool:
        """Write the chunks of all levels and return whether that was not stopped.

        A unit is read when of the one before only the chunk in the hands of each worker is left to be written.
        """
        base, itemsize, levels = self.pyramid[0], self.volume.dtype.itemsize, len(self.pyramid)
        done, total = 0, math.prod(base.size)
        waiting: set[Future[None]] = set()
        with ThreadPoolExecutor(workers, thread_name_prefix="volume") as pool:
            try:
                for unit in units(base.size, base.chunk, itemsize, levels, halves_z=self.halves_z):
                    waiting = _settled(waiting, workers)
                    if should_stop is not None and should_stop():
                        return False
                    boxes = steps(unit, itemsize, levels, halves_z=self.halves_z)
                    for statistics, full in pool.map(self._read, boxes):
                        self.parts.append(statistics)
                        waiting |= {pool.submit(self._write, *item) for item in full}
                    done += math.prod(stop - start for start, stop in unit)
                    if on_progress is not None:
                        on_progress(done, total)
                _settled(waiting, 0)
            finally:
                for future in waiting:
                    future.cancel()
        return True

    def _read(self, box: Box) -> tuple[Statistics, list[tuple[int, Size]]]:
        """Read a box into the chunks of all levels; return what it is like, and level and place of chunks now full."""
        voxels = self.volume.read(box)
        if self.also is not None:
            self.also(box, voxels)
        if self.seen is not None:
            self.seen.add(voxels)
        (z, _), (y, _), (x, _) = box
        full = [(0, place) for place in self.pyramid[0].store((z, y, x), voxels)]
        coarser = reduced(voxels, len(self.pyramid) - 1, self.reduction, halves_z=self.halves_z)
        for step, smaller in enumerate(coarser, 1):
            at = (z >> step if self.halves_z else z, y >> step, x >> step)
            full += [(step, place) for place in self.pyramid[step].store(at, smaller)]
        return measured(voxels), full

    def _write(self, number: int, place: Size) -> None:
        self.put(*self.pyramid[number].take(place))


def _settled(waiting: set[Future[None]], most: int) -> set[Future[None]]:
    """Wait until at most so many chunks are being written; raise what went wrong with the others."""
    while len(waiting) > most:
        finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
        for future in finished:
            future.result()
    return waiting


class _Seen:
    """Which numbers occur, of a type of at most 16 bits."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        if dtype.kind not in "iu" or dtype.itemsize > 2:
            raise InvalidRequestError(f"labels are whole numbers of 8 or 16 bits, not {dtype.name}")
        self._unsigned = np.dtype(f"uint{8 * dtype.itemsize}")
        self._dtype = dtype
        self._there = np.zeros(1 << (8 * dtype.itemsize), np.bool_)

    def add(self, voxels: "Voxels") -> None:
        """Note the numbers of some voxels; threads only ever write ``True``."""
        self._there[voxels.view(self._unsigned)] = True

    def numbers(self) -> tuple[int, ...]:
        """Return all numbers but 0, smallest first."""
        found = np.flatnonzero(self._there).astype(self._unsigned).view(self._dtype)
        return tuple(sorted(int(number) for number in found if number))
