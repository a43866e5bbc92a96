"""Micro-Manager image stacks (MMStack) and NDTiff datasets, byte by byte as their descriptions say."""

import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

IFD_BYTES = 162
"""Micro-Manager's directories have 13 entries; pixels follow right behind."""


def _directory(at: int, plane: Array, described: bytes, following: int) -> bytes:
    """Return a directory at an offset, its pixels and its description behind it."""
    bits = plane.dtype.itemsize * 8
    pixels = at + IFD_BYTES
    entries = [
        (254, 4, 1, 0),
        (256, 4, 1, plane.shape[1]),
        (257, 4, 1, plane.shape[0]),
        (258, 3, 1, bits),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, 1, pixels),
        (277, 3, 1, 1),
        (278, 3, 1, plane.shape[0]),
        (279, 4, 1, plane.nbytes),
        (296, 3, 1, 3),
        (339, 3, 1, 1),
        (51123, 2, len(described), pixels + plane.nbytes),
    ]
    packed = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return struct.pack("<H", 13) + packed + struct.pack("<I", following) + plane.tobytes() + described


def _pages(preamble: int, planes: Sequence[Array]) -> tuple[bytes, list[int]]:
    """Return directories with pixels from an offset on, and where each directory is."""
    described = b'{"Camera": "Demo"}\0'
    step = IFD_BYTES + planes[0].nbytes + len(described)
    step += step % 2
    offsets = [preamble + n * step for n in range(len(planes))]
    parts = []
    for n, plane in enumerate(planes):
        part = _directory(offsets[n], plane, described, offsets[n + 1] if n + 1 < len(planes) else 0)
        parts.append(part.ljust(step, b"\0"))
    return b"".join(parts), offsets


def write_mmstack(
    path: Path, array: Array, summary: Mapping[str, Any], *, planes: Sequence[tuple[int, ...]] | None = None
) -> Path:
    """Write P, T, C, Z, Y, X as one file of a stack.

    Parameters
    ----------
    path
        Named ``..._MMStack....ome.tif``.
    array
        The pixels of the whole dataset.
    summary
        More of the summary.
    planes
        Position, time point, channel and slice of the planes in this file; all where left out.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    wanted = list(planes if planes is not None else np.ndindex(array.shape[:4]))
    positions, times, channels, slices = array.shape[:4]
    document = {
        "MicroManagerVersion": "2.0.1",
        "Positions": positions,
        "Frames": times,
        "Channels": channels,
        "Slices": slices,
        "ChNames": [f"dye {c}" for c in range(channels)],
        "PixelSize_um": 0.25,
        "z-step_um": 0.5,
        "Interval_ms": 2000.0,
        "TimeFirst": False,
        "SlicesFirst": True,
        **summary,
    }
    text = json.dumps(document).encode()
    text += b" " * (len(text) % 2)
    preamble = 40 + len(text)
    index_at = preamble
    first = index_at + 8 + 20 * len(wanted)
    body, offsets = _pages(first, [array[place] for place in wanted])
    index = struct.pack("<II", 3453623, len(wanted))
    for (p, t, c, z), offset in zip(wanted, offsets, strict=True):
        index += struct.pack("<5I", c, z, t, p, offset)
    header = b"II*\0" + struct.pack("<I", first)
    header += struct.pack("<IIIIII", 54773648, index_at, 483765892, 0, 99384722, 0)
    header += struct.pack("<II", 2355492, len(text))
    path.write_bytes(header + text + index + body)
    return path


def write_ndtiff(
    folder: Path, array: Array, *, files: int = 1, names: Sequence[str] = (), index_name: str | None = None
) -> list[Path]:
    """Write P, T, C, Z, Y, X as an NDTiff dataset of one or more files and return their paths.

    Parameters
    ----------
    folder
        Where to.
    array
        The pixels.
    files
        In how many files.
    names
        Names of the channels in the index; numbers where left out.
    index_name
        What the index calls the first file, where that is not its name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    places = list(np.ndindex(array.shape[:4]))
    each = -(-len(places) // files)
    summary = json.dumps({"PixelSize_um": 0.25, "z-step_um": 0.5}).encode()
    summary += b" " * (len(summary) % 2)
    index, paths = b"", []
    for n in range(files):
        path = folder / ("NDTiffStack.tif" if n == 0 else f"NDTiffStack_{n}.tif")
        own = places[n * each : (n + 1) * each]
        preamble = 28 + len(summary)
        body, offsets = _pages(preamble, [array[place] for place in own])
        header = b"II*\0" + struct.pack("<6I", preamble, 483729, 3, 3, 2355492, len(summary))
        path.write_bytes(header + summary + body)
        paths.append(path)
        called = (index_name if index_name and n == 0 else path.name).encode()
        for (p, t, c, z), offset in zip(own, offsets, strict=True):
            axes = {"position": p, "time": t, "channel": names[c] if names else c, "z": z}
            described = json.dumps(axes).encode()
            index += struct.pack("<I", len(described)) + described + struct.pack("<I", len(called)) + called
            height, width = array.shape[4:]
            index += struct.pack("<IiiiiIii", offset + IFD_BYTES, width, height, 1, 0, 0, 0, 0)
    (folder / "NDTiff.index").write_bytes(index)
    return paths
