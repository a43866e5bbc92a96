"""Planes of a TIFF series, decoded strip by strip and tile by tile. What is not in the file is an error, never zeros.

TIFF 6.0: https://www.itu.int/itudoc/itu-t/com16/tiff-fx/docs/tiff6.pdf
"""

import math
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import batched
from typing import TYPE_CHECKING, Any

import numpy as np

from coverslip.errors import ReadError
from coverslip.model.regions import Span
from coverslip.readers.budgets import HARMLESS_BYTES, check_pages, check_piece
from coverslip.readers.tiff.codecs import check_codec
from coverslip.readers.tiff.handles import Handles

if TYPE_CHECKING:
    from tifffile import FileHandle, TiffFrame, TiffPage, TiffPageSeries

    from coverslip.model.protocols import Array

    Page = TiffPage | TiffFrame

BATCH = 64
"""Segments whose compressed bytes are held at once."""
PARALLEL_FROM = 8
"""Segments below which starting threads costs more than it gives."""
PACKING = {1: 1, 5: 1400, 32773: 64, 34925: 7100, 34926: 33_000, 50000: 33_000}
PACKING |= dict.fromkeys((8, 32946, 50013), 1100) | dict.fromkeys((6, 7, 34892, 33007), 1000)
"""How many bytes one stored byte of a strip or tile can become at most, by compression: none, LZW, PackBits, LZMA,
Zstandard; Deflate and JPEG. Measured with zeros; the others have no bound."""
NARROW = 8
"""A window narrower than this part of a row is read row by row."""
EER = (65000, 65001, 65002)
LARGEST_EER = 1 << 27
"""Pixels of a frame of electron events; cameras have 2^24. Empty pixels cost nothing there, so no ratio tells."""
JPEG = (6, 7, 34892, 33007)
SPARSE_KINDS = ("philips", "bif", "scn", "ndpi", "geotiff")
"""Dialects in which a tile of zero bytes is a statement: nothing was scanned here."""


class Planes:
    """The stored planes of one series level, by their number in file order."""

    def __init__(self, series: "TiffPageSeries", handles: Handles) -> None:
        self._series = series
        self._handles = handles
        key = series.keyframe
        self._separate, self._depth, self.rows, self.columns, self.samples = key.shaped
        # the type in the file; a series with a transform promises another one
        self.dtype: np.dtype[Any] = series.dtype if key.dtype is None else key.dtype
        self._stored = self.dtype.newbyteorder(key.parent.byteorder)
        self._run = _run(series)
        self._runs: dict[int, bool] = {}
        self.count = (
            math.prod(series.shape) // max(1, self.rows * self.columns * self.samples)
            if self._run is not None
            else len(series) * self._separate * self._depth
        )

    @property
    def row_bytes(self) -> int:
        """Bytes of one uncompressed row."""
        return self.columns * self.samples * self.dtype.itemsize

    def read(self, number: int, y: Span, x: Span, out: "Array") -> None:
        """Fill an array with a window of one plane. Safe from any number of threads.

        Parameters
        ----------
        number
            In file order.
        y, x
            Rows and columns of the window.
        out
            Shape rows, columns, samples; ``dtype``.

        Raises
        ------
        ReadError
            The plane or a part of it is not in the file.
        """
        plane_bytes = self.rows * self.row_bytes
        if self._run is not None:
            handle = self._series.keyframe.parent.filehandle
            self._rows(handle, self._run + number * plane_bytes, (y, x), out)
            return
        index, inner = divmod(number, self._separate * self._depth)
        with self._handles.lock:  # tifffile reads the directory of the page when it is first asked for
            page = self._series[index]
        if page is None:
            raise ReadError("the plane is declared, but no file of the set holds it")
        handle = page.parent.filehandle
        if self._is_run(index, page):
            self._rows(handle, page.dataoffsets[0] + inner * plane_bytes, (y, x), out)
        else:
            self._segments(handle, page, inner, (y, x), out)

    def _is_run(self, index: int, page: "Page") -> bool:
        """Return whether a page is one run of pixels; a page of many strips is looked through once."""
        found = self._runs.get(index)
        if found is None:
            found = self._runs[index] = _is_run(page)
        return found

    def _rows(self, handle: "FileHandle", start: int, window: tuple[Span, Span], out: "Array") -> None:
        """Cut a window out of uncompressed rows that follow one another."""
        y, x = window
        rows, columns = y[1] - y[0], x[1] - x[0]
        is_ours = self._stored == out.dtype
        if columns == self.columns and is_ours and out.flags.c_contiguous:
            self._handles.fill(handle, start + y[0] * self.row_bytes, out)
        elif rows > 1 and columns * NARROW < self.columns and self.row_bytes > 1 << 16:
            first = start + x[0] * self.samples * self.dtype.itemsize
            line: Array = np.empty((columns, self.samples), self._stored)
            for row in range(rows):
                self._handles.fill(handle, first + (y[0] + row) * self.row_bytes, line)
                out[row] = line
        else:
            scratch = self._handles.scratch(rows * self.row_bytes)
            self._handles.fill(handle, start + y[0] * self.row_bytes, scratch)
            out[...] = scratch.view(self._stored).reshape(rows, self.columns, self.samples)[:, slice(*x)]

    def _segments(
        self, handle: "FileHandle", page: "Page", inner: int, window: tuple[Span, Span], out: "Array"
    ) -> None:
        """Decode only the strips or tiles that the window touches."""
        y, x = window
        key = self._series.keyframe if page.keyframe is None else page.keyframe
        sample, depth = divmod(inner, self._depth)
        wanted = list(_touched(page, key, sample, depth, (y, x)))
        self._check_segments(page, key, wanted)
        with self._handles.lock:
            options = {"jpegtables": page.jpegtables, "jpegheader": key.jpegheader} if key.compression in JPEG else {}
            key.init_decode()

        def decode(item: tuple[int, bytes | None]) -> Any:
            return key.decode(item[1], item[0], _fullsize=False, **options)

        workers = min(4, os.cpu_count() or 1)
        parallel = len(wanted) >= PARALLEL_FROM and key.compression != 1 and workers > 1
        with ThreadPoolExecutor(workers) if parallel else _Inline() as pool:
            for batch in batched(wanted, BATCH):
                items = [(index, self._segment_bytes(handle, page, key, index)) for index in batch]
                for pixels, (_, d, top, left, _), _ in pool.map(decode, items):
                    _paste(out, None if pixels is None else pixels[depth - d], key.nodata, (top, left), window, key)

    def _segment_bytes(self, handle: "FileHandle", page: "Page", key: "TiffPage", index: int) -> bytes | None:
        what = f"{_name(key, index)} of page {page.index}"
        if index >= len(page.dataoffsets) or index >= len(page.databytecounts):
            raise ReadError(f"{what} is missing in {handle.name}")
        offset, count = page.dataoffsets[index], page.databytecounts[index]
        if count <= 0 or offset <= 0:
            if self._series.kind in SPARSE_KINDS or 42113 in key.tags:  # GDAL_NODATA
                return None
            raise ReadError(f"{what} was never written in {handle.name}")
        return self._handles.get(handle, offset, count)

    def _check_segments(self, page: "Page", key: "TiffPage", wanted: Sequence[int]) -> None:
        """Refuse segments that cannot be what they promise, before memory is asked for."""
        deep, high, wide = _grid(key)
        row_bytes = deep * wide * key.shaped[-1] * max(1, _bits(key) // 8)
        if high * row_bytes <= HARMLESS_BYTES:
            return
        down, packing = math.ceil(key.shaped[2] / high), PACKING.get(int(key.compression))
        for index in wanted:
            stored = page.databytecounts[index] if index < len(page.databytecounts) else 0
            rows = high if key.is_tiled else min(high, key.shaped[2] - index % down * high)  # the last strip is shorter
            if stored > 0:  # what is missing is not decoded
                check_piece(rows * row_bytes, stored, packing, f"{_name(key, index)} of page {page.index}")


class _Inline:
    """Stands in for a thread pool where threads would not pay."""

    map = staticmethod(map)

    def __enter__(self) -> "_Inline":
        return self

    def __exit__(self, *_: object) -> None:
        return None


def check(series: "TiffPageSeries") -> None:
    """Refuse what cannot be true before anything is allocated or promised.

    Raises
    ------
    ReadError
        The file is shorter than the uncompressed pixels it declares, declares absurdly many, or has them in a way
        that is not read.
    """
    key, size = series.keyframe, series.keyframe.parent.filehandle.size
    if 0 in key.shaped or 0 in series.shape:
        raise ReadError("the file declares an image without pixels")
    check_pages(len(series), "planes")
    check_codec(key)
    if key.compression in EER and math.prod(key.shaped) > LARGEST_EER:
        raise ReadError(f"frames of {math.prod(key.shaped)} pixels are not those of an electron camera; it is damaged")
    if series.nbytes > 1 << 40 and series.nbytes > size * 10_000:
        raise ReadError(f"the file of {size} bytes declares {series.nbytes} bytes of pixels; it is damaged")
    if key.compression == 1:
        page_bits = math.prod(key.shaped) * _bits(key)
        if page_bits > size * 8:
            raise ReadError(f"one page needs {page_bits // 8} bytes, the file has {size}; it is truncated or damaged")
    run = _run(series)
    if run is not None and run + series.nbytes > size:
        raise ReadError(
            f"the pixels end at byte {run + series.nbytes}, the file at {size}; it is truncated. "
            "Copy it again from its source"
        )


def _run(series: "TiffPageSeries") -> int | None:
    """Return where all planes lie as one run of final pixels, if they do; two files are never one run."""
    return None if series.is_multifile else series.dataoffset or None


def _bits(key: "TiffPage") -> int:
    bits: Any = key.bitspersample
    return int(min(bits) if isinstance(bits, tuple) else bits)


def _is_run(page: "Page") -> bool:
    """Whether the page is one run of final pixels. tifffile says so of a frame by looking at its key frame only."""
    key = page.keyframe
    if key is None or not key.is_final or not page.dataoffsets:
        return False
    offsets, counts = page.dataoffsets, page.databytecounts
    if offsets[0] <= 0 or counts[0] <= 0:
        return False
    if len(offsets) == 1 or key.is_lsm or key.parent.is_lsm or key.is_stk:
        return True
    return all(a + n == b for a, n, b in zip(offsets, counts, offsets[1:], strict=False))


def _grid(key: "TiffPage") -> tuple[int, int, int]:
    """Return depth, rows and columns of one segment."""
    if key.is_tiled:
        return key.tiledepth, key.tilelength, key.tilewidth
    return 1, key.rowsperstrip, key.imagewidth


def _name(key: "TiffPage", index: int) -> str:
    return f"{'tile' if key.is_tiled else 'strip'} {index}"


def _touched(page: "Page", key: "TiffPage", sample: int, depth: int, window: tuple[Span, Span]) -> Iterator[int]:
    """Yield the indices of all segments that a window touches.

    Raises
    ------
    ReadError
        The page does not list so many.
    """
    deep, high, wide = _grid(key)
    y, x = window
    _, planes, rows, columns, _ = key.shaped
    if min(deep, high, wide) < 1:
        raise ReadError("the file declares tiles or strips without pixels")
    down, across = math.ceil(rows / high), math.ceil(columns / wide)
    touched = ((y[1] - 1) // high + 1 - y[0] // high) * ((x[1] - 1) // wide + 1 - x[0] // wide)
    if touched > len(page.dataoffsets):
        raise ReadError(f"page {page.index} lists {len(page.dataoffsets)} {_name(key, 0)[:-2]}s of {touched} and more")
    first = (sample * math.ceil(planes / deep) + depth // deep) * down
    for row in range(y[0] // high, (y[1] - 1) // high + 1):
        for column in range(x[0] // wide, (x[1] - 1) // wide + 1):
            yield (first + row) * across + column


def _paste(
    out: "Array",
    pixels: "Array | None",
    fill: float,
    origin: tuple[int, int],
    window: tuple[Span, Span],
    key: "TiffPage",
) -> None:
    """Copy the part of one decoded segment that lies in the window."""
    _, high, wide = _grid(key)
    (top, left), ((y0, y1), (x0, x1)) = origin, window
    bottom, right = min(top + high, key.shaped[2], y1), min(left + wide, key.shaped[3], x1)
    above, before = max(top, y0), max(left, x0)
    target = out[above - y0 : bottom - y0, before - x0 : right - x0]
    if pixels is None:
        target[:] = fill
        return
    part = pixels[above - top : bottom - top, before - left : right - left]
    if part.shape != target.shape:
        raise ReadError(f"a segment at row {top}, column {left} holds fewer pixels than declared")
    target[:] = part
