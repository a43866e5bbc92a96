"""Small Olympus images: a compound file (OIB) or settings with a folder (OIF), with the pixels they hold."""

import io
import struct
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

Array = np.ndarray[Any, np.dtype[Any]]

SECTOR = 512
END, FAT, FREE = 0xFFFFFFFE, 0xFFFFFFFD, 0xFFFFFFFF
LEAST_STREAM = 4096
"""Shorter streams would lie in a stream of small ones, which these files do not have."""


def make_oif(folder: Path) -> dict[Path, list[Array]]:
    """Write the files and return their images as T, C, Z, Y, X."""
    dice = np.random.default_rng(5)
    made: dict[Path, list[Array]] = {}
    for name, order, lengths, dtype in (
        ("stack.oib", "XYCZ", {"C": 2, "Z": 3}, "u2"),
        ("movie.oib", "XYZT", {"Z": 2, "T": 3}, "u1"),
        ("lambda.oib", "XYLC", {"L": 4, "C": 2}, "u2"),
        ("series.oif", "XYCZT", {"C": 2, "Z": 2, "T": 2}, "u2"),
        ("plane.oif", "XYC", {"C": 1}, "u2"),
    ):
        shape = [lengths.get(code, 1) for code in "TCLZ"]
        pixels = dice.integers(0, 250, (*shape, 66, 70)).astype(dtype)
        write(folder / name, order, lengths, pixels)
        made[folder / name] = [pixels.reshape(shape[0], shape[1] * shape[2], shape[3], 66, 70)]
    return made


def write(path: Path, order: str, lengths: Mapping[str, int], pixels: Array, **more: Any) -> Path:
    """Write one image; ``pixels`` is T, C, L, Z, Y, X. ``more``: sections of the settings, or ``leave_out``."""
    leave_out = more.pop("leave_out", ())
    parts = {name: content for name, content in planes(order, lengths, pixels) if name not in leave_out}
    parts["s_C001.pty"] = text({"Acquisition Parameters Common": OBJECTIVE})
    settings = text({**sections(order, lengths, pixels), **more})
    if path.suffix == ".oif":
        folder = path.with_name(f"{path.name}.files")
        folder.mkdir()
        path.write_bytes(settings)
        for name, content in parts.items():
            (folder / name).write_bytes(content)
    else:
        path.write_bytes(compound(path.stem, settings, parts))
    return path


OBJECTIVE = {
    "Magnification": 60.0,
    "ObjectiveLens NAValue": 1.35,
    "ObjectiveLens Name": '"UPLSAPO 60X O NA:1.35"',
    "ObjectiveLens WDValue": 150.0,
}


def planes(order: str, lengths: Mapping[str, int], pixels: Array) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of the TIFF of each plane."""
    for place in product(*(range(lengths.get(code, 1)) for code in "TCLZ")):
        marks = dict(zip("TCLZ", place, strict=True))
        named = "".join(f"{code}{marks[code] + 1:03}" for code in "CLZT" if code in order)
        stream = io.BytesIO()
        tifffile.imwrite(stream, pixels[place], metadata=None)
        yield f"s_{named}.tif", stream.getvalue()


def sections(order: str, lengths: Mapping[str, int], pixels: Array) -> dict[str, dict[str, Any]]:
    """Return the settings."""
    found: dict[str, dict[str, Any]] = {
        "Acquisition Parameters Common": {"ImageCaputreDate": "'2021-03-04 05:06:07'", "Acquisition Device": '"FV1000"'}
    }
    ends = {"X": (69 * 0.25, '"um"'), "Y": (65 * 0.25, '"um"'), "Z": (1200.0, '"nm"'), "T": (3000.0, '"ms"')}
    for place, code in enumerate("XYCZTALPQ"):
        end, unit = ends.get(code, (0.0, '"?"'))
        size = {"X": pixels.shape[-1], "Y": pixels.shape[-2]}.get(code, lengths.get(code, 0))
        found[f"Axis {place} Parameters Common"] = {
            "AxisCode": f'"{code}"',
            "MaxSize": size,
            "StartPosition": 0.0,
            "EndPosition": end,
            "UnitName": unit,
        }
    found["Axis Parameter Common"] = {"AxisCount": len(order), "AxisOrder": f'"{order}"'}
    for place in range(1, lengths.get("C", 1) + 1):
        found[f"Channel {place} Parameters"] = {
            "CH Name": f'"CHS{place}"',
            "DyeName": '"EGFP"',
            "EmissionWavelength": 510,
            "ExcitationWavelength": 488,
            "LightType": '"Fluorescence"',
        }
    found["Reference Image Parameter"] = {"ImageDepth": pixels.dtype.itemsize, "ValidBitCounts": 12}
    found["ProfileSaveInfo"] = {"Name": '"COFAImages"', "Version": '"2.0.0.0"'}
    found["Version Info"] = {"SystemName": '"FLUOVIEW FV1000"'}
    return found


def text(found: Mapping[str, Mapping[str, Any]]) -> bytes:
    """Return settings as the instrument writes them: UTF-16 with a mark, filled up to the least length of a stream."""
    lines = [line for name, keys in found.items() for line in (f"[{name}]", *(f"{key}={keys[key]}" for key in keys))]
    return "\r\n".join((*lines, "")).ljust(LEAST_STREAM // 2, "\n").encode("utf-16")


def compound(name: str, settings: bytes, parts: Mapping[str, bytes]) -> bytes:
    """Return an OIB: streams with numbers for names, and one that says what they are."""
    streams = {"Stream00000": settings}
    listed = {"MainFileName": "Stream00000", "Name": "OibSave", "Version": "2.0.0.0", "Stream00000": f"{name}.oif"}
    for number, (part, content) in enumerate(parts.items(), start=1):
        streams[f"Stream{number:05}"] = content.ljust(LEAST_STREAM, b"\0")
        listed[f"Stream{number:05}"] = f"Storage00001/{part}"
    streams["OibInfo.txt"] = text({"OibSaveInfo": listed})
    return _compound_file(streams)


def _compound_file(streams: Mapping[str, bytes]) -> bytes:
    """Return a compound file, version 3 ([MS-CFB]): table, directory, then the streams one after the other."""
    entries = -(-(len(streams) + 1) // 4)
    lengths = [-(-len(content) // SECTOR) for content in streams.values()]
    tables = 1
    while tables * 128 < tables + entries + sum(lengths):
        tables += 1
    chains = [FAT] * tables + [*range(tables + 1, tables + entries), END]
    starts = []
    for length in lengths:
        starts.append(len(chains))
        chains += [*range(len(chains) + 1, len(chains) + length), END]
    chains += [FREE] * (tables * 128 - len(chains))
    directory = _entry("Root Entry", 5, child=1, start=END)
    for number, (name, content) in enumerate(streams.items(), start=1):
        right = number + 1 if number < len(streams) else FREE
        directory += _entry(name, 2, right=right, start=starts[number - 1], size=len(content))
    directory = directory.ljust(entries * SECTOR, b"\0")
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + struct.pack("<16x6H", 0x3E, 3, 0xFFFE, 9, 6, 0)
    head += struct.pack("<10I", 0, 0, tables, tables, 0, LEAST_STREAM, END, 0, END, 0)
    head += struct.pack("<109I", *range(tables), *[FREE] * (109 - tables))
    body = b"".join(
        content.ljust(length * SECTOR, b"\0") for content, length in zip(streams.values(), lengths, strict=True)
    )
    return head + struct.pack(f"<{len(chains)}I", *chains) + directory + body


def _entry(name: str, kind: int, *, right: int = FREE, child: int = FREE, start: int = 0, size: int = 0) -> bytes:
    encoded = f"{name}\0".encode("utf-16-le")
    return struct.pack("<64sHBBIII16xI8x8xIQ", encoded, len(encoded), kind, 1, FREE, right, child, 0, start, size)
