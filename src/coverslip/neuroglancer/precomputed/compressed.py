"""Labels -> ``compressed_segmentation``, which graphics cards read without decompressing it.

The format is described in ``src/sliceview/compressed_segmentation/README.md`` of Neuroglancer: a table of the labels of
each block of 8 x 8 x 8 voxels, and for each voxel its place in the table, in as few bits as the table asks for.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Labels = NDArray[np.uint32]

SIDE = 8
"""Voxels of a block along each axis."""
VOXELS = SIDE**3
WIDTHS = (1, 2, 4, 8, 16)


def compress(labels: "Labels") -> bytes:
    """Return one chunk of one channel.

    Parameters
    ----------
    labels
        Shape (z, y, x), uint32. At the far sides it may end within a block.
    """
    blocks = _blocks(labels)
    order = np.argsort(blocks, axis=1, kind="stable")
    in_order = np.take_along_axis(blocks, order, axis=1)
    is_first = np.ones(blocks.shape, np.bool_)
    is_first[:, 1:] = in_order[:, 1:] != in_order[:, :-1]
    in_table = np.cumsum(is_first, axis=1) - 1
    places = np.empty_like(in_table)
    np.put_along_axis(places, order, in_table, axis=1)
    counts = in_table[:, -1] + 1

    bits = np.zeros(len(blocks), np.int64)
    for width, fewer in zip(WIDTHS, (1, *(1 << width for width in WIDTHS)), strict=False):
        bits[counts > fewer] = width
    tables = in_order[is_first]
    lengths = bits * VOXELS // 32
    header = 2 * len(blocks)
    value_offsets = header + np.cumsum(lengths) - lengths
    table_offsets = header + int(lengths.sum()) + np.cumsum(counts) - counts
    values = np.empty(int(lengths.sum()), np.uint32)
    for width in WIDTHS:
        chosen = np.flatnonzero(bits == width)
        if len(chosen):
            words = _words(places[chosen], width)
            values[(value_offsets[chosen] - header)[:, None] + np.arange(words.shape[1])] = words
    heads = np.empty((len(blocks), 2), np.uint32)
    heads[:, 0] = table_offsets | bits << 24
    heads[:, 1] = value_offsets
    one_channel = np.ones(1, np.uint32)
    return np.concatenate((one_channel, heads.ravel(), values, tables)).astype("<u4").tobytes()


def _blocks(labels: "Labels") -> "Labels":
    """Return the shape (blocks, voxels), x fastest in both; a block that is cut off goes on as it ends."""
    padded = np.pad(labels, [(0, -length % SIDE) for length in labels.shape], mode="edge")
    z, y, x = (length // SIDE for length in padded.shape)
    split = padded.reshape(z, SIDE, y, SIDE, x, SIDE).transpose(0, 2, 4, 1, 3, 5)
    return split.reshape(-1, VOXELS)


def _words(places: "NDArray[Any]", width: int) -> "Labels":
    """Return places in tables as words of 32 bits, the first in the lowest bits."""
    parts = places.astype(np.uint32).reshape(len(places), -1, 32 // width)
    shifts = np.arange(32 // width, dtype=np.uint32) * np.uint32(width)
    words: Labels = np.bitwise_or.reduce(parts << shifts, axis=2)
    return words
