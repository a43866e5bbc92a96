"""The pixels of single subblocks, decoded outside of any lock and kept for a while."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from coverslip.errors import ReadError
from coverslip.readers.budgets import check_piece
from coverslip.readers.decoded import Decoded
from coverslip.readers.places import descriptor_of, read_at

if TYPE_CHECKING:
    from czifile import CziDirectoryEntryDV, CziFile, CziSubBlockSegmentData

    from coverslip.model.protocols import Array

PACKING = {0: 2, 1: 1000, 2: 1400, 5: 33_000, 6: 33_000}
"""How many bytes one stored byte of a subblock can become at most, by compression: none (directories round the size of
pyramid tiles up), JPEG, LZW, Zstandard with and without split bytes. JPEG-XR has no bound."""
ZSTANDARD = (5, 6)
UNCOMPRESSED = 0


class Subblocks:
    """Gives the pixels of subblocks of one open file. Safe from any number of threads.

    czifile's handle has one position, so it is asked by one thread at a time: where a subblock lies, and for the
    codecs that are rare. Uncompressed and Zstandard pixels are read at their place and decoded by whoever wants them.
    """

    def __init__(self, czi: "CziFile", path: Path) -> None:
        self._czi = czi
        self._path = path
        self._lock = threading.Lock()
        self._descriptor = descriptor_of(czi.filehandle)
        self._decoded: Decoded[tuple[Array, Array | None]] = Decoded()

    def load(
        self, entry: "CziDirectoryEntryDV", pixel_type: Any, *, is_full: bool, is_part: bool
    ) -> tuple["Array", "Array | None"]:
        """Return the pixels of one subblock in the order of its axes, and a mask Y, X of the valid ones or ``None``.

        Their shape is the one that the subblock covers at its level.

        Parameters
        ----------
        entry
            Of the directory.
        pixel_type
            The common type of all channels of the scene, which the pixels are converted to.
        is_full
            Whether the level is full resolution.
        is_part
            Whether only a part is wanted: then it is worth while to keep the rest for the next one.

        Raises
        ------
        ReadError
            The subblock was deleted, is cut off or holds other pixels than the directory promises.
        """
        key = entry.file_position, pixel_type, is_full
        found = self._decoded.get(key)
        if found is None:
            found = self._load(entry, pixel_type, is_full=is_full)
            if is_part:
                pixels, mask = found
                self._decoded.keep(key, found, pixels.nbytes + (0 if mask is None else mask.nbytes))
        return found

    def _load(self, entry: "CziDirectoryEntryDV", pixel_type: Any, *, is_full: bool) -> tuple["Array", "Array | None"]:
        from czifile import CziSubBlockSegmentData  # noqa: PLC0415

        mask: Array | None = None
        with self._lock:
            block = entry.read_segment_data(self._czi)
            if not isinstance(block, CziSubBlockSegmentData):
                raise ReadError(f"{self._path}: the subblock at byte {entry.file_position} was deleted")
            self._check(entry, block)
            if block.attachment_size:
                mask = block.mask()
            pixels: Array | None = None if self._is_ours(block) else block.data(copy=False)
        if pixels is None:
            pixels = self._decode(block)
        if not _is_whole(entry, pixels.shape, rounding=0 if is_full else 1):
            raise ReadError(
                f"{self._path}: the subblock at byte {entry.file_position} holds {pixels.shape}, the directory "
                f"promises {entry.stored_shape}"
            )
        pixels = _as_pixel_type(pixels, entry.pixel_type, pixel_type)
        covered: Sequence[int] = entry.shape if is_full else entry.stored_shape
        for axis, (name, length) in enumerate(zip(entry.dims, covered, strict=True)):
            if name not in "YX":
                continue
            pixels = _resample(pixels, axis, length)
            if mask is not None:
                mask = _resample(mask, "YX".index(name), length)
        return pixels, mask

    def _check(self, entry: "CziDirectoryEntryDV", block: "CziSubBlockSegmentData") -> None:
        """Refuse pixels that are not there, and promises that so few bytes cannot keep."""
        for axis, covered, stored in zip(entry.dims, entry.shape, entry.stored_shape, strict=True):
            if axis not in "YXS" and covered != stored:
                raise ReadError(
                    f"{self._path}: the subblock at byte {entry.file_position} is said to span {covered} on axis "
                    f"{axis} with {stored} stored there: the directory is damaged. Copy the file again from its source"
                )
        if block.data_offset + block.data_size > self._czi.filesize:
            raise ReadError(
                f"{self._path}: the pixels at byte {block.data_offset} are said to take {block.data_size} bytes, "
                "which are not there: the file is truncated or damaged. Copy it again from its source"
            )
        promised, packing = entry.stored_size * entry.dtype.itemsize, PACKING.get(int(entry.compression))
        check_piece(promised, block.data_size, packing, f"the subblock at byte {entry.file_position}")

    def _is_ours(self, block: "CziSubBlockSegmentData") -> bool:
        """Return whether the pixels can be had without czifile: plain or Zstandard, exactly as many as promised."""
        entry = block.directory_entry
        size = entry.stored_size * entry.pixel_type.dtype.itemsize
        is_plain = entry.compression == UNCOMPRESSED and entry.pixel_type.samples == 1 and block.data_size == size
        # an uncompressed subblock may be marked as compressed
        is_packed = entry.compression in ZSTANDARD and block.data_size != size
        return self._descriptor is not None and (is_plain or is_packed)

    def _decode(self, block: "CziSubBlockSegmentData") -> "Array":
        from imagecodecs import zstd1_decode  # noqa: PLC0415

        entry, descriptor = block.directory_entry, self._descriptor
        assert descriptor is not None
        dtype = entry.pixel_type.dtype
        stored = np.empty(block.data_size, np.uint8)
        if read_at(descriptor, block.data_offset, stored) < stored.nbytes:
            raise ReadError(f"{self._path}: the pixels at byte {block.data_offset} were cut off meanwhile")
        if entry.compression in ZSTANDARD:
            size = entry.stored_size * dtype.itemsize
            samples = entry.pixel_type.samples
            stored = np.frombuffer(zstd1_decode(stored, itemsize=dtype.itemsize, samples=samples, out=size), np.uint8)
        pixels = stored.view(dtype)
        if pixels.size != entry.stored_size:
            return _shrunk(pixels, entry.stored_shape)
        return pixels.reshape(entry.stored_shape)


def _is_whole(entry: "CziDirectoryEntryDV", shape: Sequence[int], *, rounding: int) -> bool:
    """Return whether the pixels of a subblock are as many as the directory promises.

    Writers round the size of a pyramid's edge tiles up in the directory and down in the pixels.
    """
    missing = [promised - length for promised, length in zip(entry.stored_shape, shape, strict=True)]
    return all(0 <= less <= (rounding if axis in "YX" else 0) for axis, less in zip(entry.dims, missing, strict=True))


def _as_pixel_type(pixels: "Array", stored: Any, wanted: Any) -> "Array":
    """Return the pixels of a channel in the common type of all channels of its scene."""
    from czifile import CONVERT_PIXELTYPE  # noqa: PLC0415

    if stored == wanted:
        return pixels
    convert = CONVERT_PIXELTYPE.get((stored, wanted))
    converted: Array = pixels.astype(wanted.dtype) if convert is None else convert(pixels)
    return converted


def _resample(pixels: "Array", axis: int, length: int) -> "Array":
    """Return an axis at the length it covers: Airyscan stores fewer pixels than it spans, PALM more."""
    stored = pixels.shape[axis]
    return pixels if stored == length else np.take(pixels, np.arange(length) * stored // length, axis=axis)


def _shrunk(pixels: "Array", promised: Sequence[int]) -> "Array":
    """Return the pixels in the shape promised, one axis shorter: see ``_is_whole``.

    Raises
    ------
    ReadError
        No axis fits.
    """
    total = int(np.prod(promised))
    for axis, length in enumerate(promised):
        rest = total // length
        if pixels.size % rest == 0:
            return pixels.reshape(*promised[:axis], pixels.size // rest, *promised[axis + 1 :])
    raise ReadError(f"a subblock holds {pixels.size} values, the directory promises {tuple(promised)}")
