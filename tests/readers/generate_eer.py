"""EER files, put together here as the maker describes them: a BigTIFF whose strips are lists of electron events.

Each event is the number of empty pixels before it, then in which of the parts of the pixel it fell, across and down;
all bits set in the number mean so many empty pixels and no event. Bits are filled from the lowest.
"""

import struct
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

SKIP_BITS = {65000: 8, 65001: 7, 65002: 5}
METADATA = (
    b"<metadata>"
    b'<item name="commercialName">Falcon 4i</item><item name="exposureTime" unit="s">2.5</item>'
    b'<item name="totalDose" unit="e/pixel">40</item><item name="meanDoseRate" unit="e/pixel/s">16</item>'
    b'<item name="numberOfFrames">5</item><item name="serialNumber">77</item>'
    b'<item name="sensorPixelSize.width" unit="m">1.5e-10</item>'
    b'<item name="sensorPixelSize.height" unit="m">1.6e-10</item>'
    b'<item name="timestamp">2021-03-04T05:06:07.000000+01:00</item>'
    b"</metadata>"
)


def encode(events: Array, skip_bits: int, parts: Array) -> bytes:
    """Return a frame of zeros and ones, with the part of each pixel (0 to 15), as EER."""
    stream = place = 0
    most = (1 << skip_bits) - 1

    def put(value: int, bits: int) -> None:
        nonlocal stream, place
        stream |= value << place
        place += bits

    last = -1
    for at in np.flatnonzero(events):
        empty = int(at) - last - 1
        while empty >= most:
            put(most, skip_bits)
            empty -= most
        put(empty, skip_bits)
        put(int(parts.flat[at]), 4)
        last = int(at)
    empty = events.size - last - 1  # up to the end, exactly; then whole words, one of them empty
    while empty >= most:
        put(most, skip_bits)
        empty -= most
    put(empty, skip_bits)
    return stream.to_bytes(2 * -(-place // 16) + 2, "little")


def write(path: Path, frames: Array, code: int = 65001, metadata: bytes = METADATA, bits: int | None = 8) -> Path:
    """Write frames of zeros and ones of shape T, Y, X as BigTIFF, one strip per page."""
    dice = np.random.default_rng(6)
    content = bytearray(b"II+\0\x08\0\0\0" + bytes(8))
    link = 8
    for frame in frames:
        strip = encode(frame, SKIP_BITS[code], dice.integers(0, 16, frame.shape))
        start = len(content)
        content += strip + metadata
        content += bytes(-len(content) % 8)
        tags = [
            (256, 4, 1, frame.shape[1]),
            (257, 4, 1, frame.shape[0]),
            *([] if bits is None else [(258, 3, 1, bits)]),
            (259, 3, 1, code),
            (262, 3, 1, 1),
            (273, 16, 1, start),
            (277, 3, 1, 1),
            (278, 4, 1, frame.shape[0]),
            (279, 16, 1, len(strip)),
            (65001, 7, len(metadata), start + len(strip)),
            *([(65007, 3, 1, SKIP_BITS[code]), (65008, 3, 1, 2), (65009, 3, 1, 2)] if code == 65002 else []),
        ]
        struct.pack_into("<Q", content, link, len(content))
        content += struct.pack("<Q", len(tags)) + b"".join(struct.pack("<HHQQ", *tag) for tag in tags)
        link = len(content)
        content += bytes(8)
    path.write_bytes(content)
    return path


def make_eer(folder: Path) -> dict[Path, list[Array]]:
    """Write the files and return their images as T, C, Z, Y, X."""
    frames = (np.random.default_rng(7).random((5, 64, 48)) < 0.02).astype("u1")
    return {write(folder / f"{code}.eer", frames, code): [frames[:, None, None]] for code in SKIP_BITS}
