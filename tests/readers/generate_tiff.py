"""Small TIFF files of every layout, dialect and codec, with the pixels they hold."""

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
import tifffile

Array = np.ndarray[Any, np.dtype[Any]]

OME = "http://www.openmicroscopy.org/Schemas/OME/2016-06"


def make_tiff(folder: Path) -> dict[Path, list[Array]]:
    """Write the files and return their images as T, C, Z, Y, X (and S)."""
    dice = np.random.default_rng(11)
    makers = (_plain, _types, _codecs, _samples, _tiles, _shaped, _imagej, _ome, _ome_set, _scanners)
    return {folder / name: arrays for make in makers for name, arrays in make(folder, dice).items()}


def pixels(dice: np.random.Generator, shape: Sequence[int], dtype: str = "u2") -> Array:
    """Return random pixels that differ everywhere."""
    kind = np.dtype(dtype)
    if kind.kind == "b":
        return dice.integers(0, 2, shape).astype(bool)
    if kind.kind == "f":
        return dice.normal(0, 100, shape).astype(kind)
    if kind.kind == "c":
        return (dice.normal(0, 1, shape) + 1j * dice.normal(0, 1, shape)).astype(kind)
    limits = np.iinfo(kind)
    return dice.integers(limits.min, limits.max, shape, dtype=kind.newbyteorder("="), endpoint=True).astype(kind)


def expand(array: Array, axes: str) -> Array:
    """Return an array with the given axes as T, C, Z, Y, X (and S)."""
    names = "TCZYXS" if "S" in axes else "TCZYX"
    moved = array.transpose([axes.index(axis) for axis in names if axis in axes])
    expanded: Array = np.expand_dims(moved, tuple(place for place, axis in enumerate(names) if axis not in axes))
    return expanded


def ome_xml(images: Sequence[str], extra: str = "", uuid: str = "") -> str:
    """Return an OME-XML document around ``Image`` elements."""
    own = f' UUID="urn:uuid:{uuid}"' if uuid else ""
    return f'<?xml version="1.0" encoding="UTF-8"?><OME xmlns="{OME}"{own}>{extra}{"".join(images)}</OME>'


def ome_image(sizes: dict[str, int], inner: str, *, name: str = "", attributes: str = "", order: str = "XYZCT") -> str:
    """Return an ``Image`` element with one ``Pixels``; ``inner`` is what stands inside ``Pixels``."""
    stated = " ".join(f'Size{axis}="{sizes.get(axis, 1)}"' for axis in "XYZCT")
    named = f' Name="{escape(name)}"' if name else ""
    return (
        f'<Image ID="Image:0"{named}><Pixels ID="Pixels:0" DimensionOrder="{order}" Type="uint16" {stated} '
        f"{attributes}>{inner}</Pixels></Image>"
    )


def write_ome(path: Path, planes: Array, xml: str, **options: Any) -> Path:
    """Write planes, one page each, with this very OME-XML."""
    with tifffile.TiffWriter(path, **options) as writer:
        for index, plane in enumerate(planes):
            writer.write(
                plane,
                contiguous=False,
                photometric="minisblack",
                description=xml.encode() if index == 0 else None,
                metadata=None,
            )
    return path


def write_set(folder: Path, stack: Array, names: Sequence[str], *, order: str = "XYZCT") -> list[Path]:
    """Write a multi-file OME-TIFF: one file per z slice of a C, Z, Y, X stack, each naming all others."""
    channels, slices, height, width = stack.shape
    uuids = [f"00000000-0000-0000-0000-{index:012d}" for index in range(slices)]
    blocks = "".join(
        f'<TiffData FirstT="0" FirstC="{c}" FirstZ="{z}" IFD="{c}" PlaneCount="1">'
        f'<UUID FileName="{escape(names[z])}">urn:uuid:{uuids[z]}</UUID></TiffData>'
        for z in range(slices)
        for c in range(channels)
    )
    image = ome_image({"X": width, "Y": height, "Z": slices, "C": channels}, blocks, name="set", order=order)
    paths = []
    for z, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        paths.append(write_ome(folder / name, stack[:, z], ome_xml([image], uuid=uuids[z])))
    return paths


def write_stk(path: Path, stack: Array) -> Path:
    """Write a MetaMorph stack: one directory, all planes behind one another, plane count in UIC2."""
    planes, height, width = stack.shape
    data = stack.astype("<u2").tobytes()
    rationals = struct.pack("<4I", 65, 100, 65, 100)
    start = 8 + len(data)
    uic1 = start + len(rationals)
    calibration = struct.pack("<10I", 1, 0, 3, 1, 4, start, 5, start + 8, 6, uic1 + 40)
    units = struct.pack("<I3s", 3, b"um")
    uic2 = uic1 + len(calibration) + len(units)
    times = b"".join(struct.pack("<6I", 2, 1, 2455000, 1000 * i, 2455000, 1000 * i) for i in range(planes))
    tags = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 1, 16),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, 1, 8),
        (277, 3, 1, 1),
        (278, 4, 1, height),
        (279, 4, 1, height * width * 2),
        (33628, 4, 5, uic1),
        (33629, 5, planes, uic2),
    ]
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags) + bytes(4)
    body = data + rationals + calibration + units + times
    path.write_bytes(b"II*\0" + struct.pack("<I", 8 + len(body)) + body + directory)
    return path


def write_lsm(path: Path, series: Array) -> Path:
    """Write an LSM time series of x-z scans, shape T, Z, X, with a thumbnail behind every image."""
    times, slices, width = series.shape
    fields = struct.pack("<Ii3i2i", 67127628, 464, width, 1, slices, 1, times)
    fields += struct.pack("<i2i", 2, 4, 4) + struct.pack("<6d", 2e-7, 0, 5e-7, 0, 0, 0) + struct.pack("<H", 4)
    info = fields.ljust(464, b"\0")
    with tifffile.TiffWriter(path, byteorder="<") as writer:
        for index, plane in enumerate(series):
            tags = [(34412, 1, len(info), info, True)] if index == 0 else []
            options: dict[str, Any] = {"metadata": None, "contiguous": False}
            writer.write(plane, photometric="minisblack", extratags=tags, **options)
            writer.write(plane[:2, :2].astype("u1"), photometric="minisblack", subfiletype=1, **options)
    return path


def _plain(folder: Path, dice: np.random.Generator) -> dict[str, list[Array]]:
    plane, stack = pixels(dice, (19, 23)), pixels(dice, (5, 9, 11))
    tifffile.imwrite(folder / "plane.tif", plane, metadata=None)
    tifffile.imwrite(folder / "big.tif", stack, bigtiff=True, metadata=None)
    tifffile.imwrite(folder / "big_endian.tif", stack, byteorder=">", metadata=None, rowsperstrip=4)
    tifffile.imwrite(
        folder / "big_big_endian.tif", stack, bigtiff=True, byteorder=">", compression="zlib", metadata=None
    )
    other = pixels(dice, (2, 7, 5), "u1")
    with tifffile.TiffWriter(folder / "two_series.tif") as writer:
        for page in (stack[0], other[0], stack[1], other[1]):
            writer.write(page, contiguous=False, metadata=None, photometric="minisblack")
    return {
        "plane.tif": [expand(plane, "YX")],
        "big.tif": [expand(stack, "ZYX")],
        "big_endian.tif": [expand(stack, "ZYX")],
        "big_big_endian.tif": [expand(stack, "ZYX")],
        "two_series.tif": [expand(stack[:2], "ZYX"), expand(other, "ZYX")],
    }


def _types(folder: Path, dice: np.random.Generator) -> dict[str, list[Array]]:
    made: dict[str, list[Array]] = {}
    for dtype in ("?", "u1", "i1", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8", "c8", "c16"):
        stack = pixels(dice, (2, 10, 13), dtype)
        name = f"type_{stack.dtype.name}.tif"
        tifffile.imwrite(folder / name, stack, metadata=None, photometric="minisblack")
        made[name] = [expand(stack, "ZYX")]
    return made


def _codecs(folder: Path, dice: np.random.Generator) -> dict[str, list[Array]]:
    made: dict[str, list[Array]] = {}
    for codec, dtype, predictor in (
        ("zlib", "u2", True),
        ("lzw", "u1", False),
        ("zstd", "f4", True),
        ("lzma", "i4", False),
        ("packbits", "u1", False),
        ("jpeg2000", "u2", False),
        ("jpegxl", "u1", False),
        ("lerc", "f4", False),
    ):
        stack = pixels(dice, (3, 21, 17), dtype)
        name = f"codec_{codec}.tif"
        # one strip at a time: pages of several strips test that only some are decoded
        rows: dict[str, Any] = {} if codec in {"jpeg2000", "jpegxl", "lerc"} else {"rowsperstrip": 4}
        tifffile.imwrite(
            folder / name,
            stack,
            compression=codec,
            predictor=predictor,
            metadata=None,
            photometric="minisblack",
            **rows,
        )
        made[name] = [expand(stack, "ZYX")]
    return made


def _samples(folder: Path, dice: np.random.Generator) -> dict[str, list[Array]]:
    made: dict[str, list[Array]] = {}
    for name, samples, planar in (
        ("rgb", 3, "contig"),
        ("rgba", 4, "contig"),
        ("rgb_planar", 3, "separate"),
        ("rgba_planar", 4, "separate"),
    ):
        array = pixels(dice, (2, 12, 14, samples), "u1")
        stored = array if planar == "contig" else np.moveaxis(array, -1, 1)
        packed: dict[str, Any] = {"compression": "zlib", "rowsperstrip": 5}
        for suffix, options in (("", {}), ("_packed", packed)):
            tifffile.imwrite(
                folder / f"{name}{suffix}.tif", stored, photometric="rgb", planarconfig=planar, metadata=None, **options
            )
            made[f"{name}{suffix}.tif"] = [expand(array, "ZYXS")]
    pair = pixels(dice, (8, 9, 2), "u2")
    tifffile.imwrite(folder / "two_samples.tif", pair, photometric="minisblack", planarconfig="contig", metadata=None)
    palette = pixels(dice, (8, 9), "u1")
    table = pixels(dice, (3, 256), "u2")
    tifffile.imwrite(folder / "palette.tif", palette, photometric="palette", colormap=table, metadata=None)
    return made | {"two_samples.tif": [expand(pair, "YXS")], "palette.tif": [expand(palette, "YX")]}


def _tiles(folder: Path, dice: np.random.Generator) -> dict[str, list[Array]]:
    stack, color = pixels(dice, (3, 70, 85)), pixels(dice, (50, 61, 3), "u1")
    volume = pixels(dice, (20, 40, 50), "u1")
    common: dict[str, Any] = {"metadata": None, "photometric": "minisblack"}
    tifffile.imwrite(folder / "tiles.tif", stack, tile=(16, 32), **common)
    tifffile.imwrite(folder / "tiles_packed.tif", stack, tile=(32, 16), compression="zstd", **common)
    tifffile.imwrite(
        folder / "tiles_rgb.tif", color, tile=(16, 16), photometric="rgb", compression="lzw", metadata=None
    )
    tifffile.imwrite(
        folder / "tiles_volume.tif", volume, tile=(16, 16, 16), volumetric=True, compression="zlib", **common
    )
    return {
        "tiles.tif": [expand(stack, "ZYX")],
        "tiles_packed.tif": [expand(stack, "ZYX")],
        "tiles_rgb.tif": [expand(color, "YXS")],
        "tiles_volume.tif": [expand(volume, "ZYX")],
    }


def _shaped(folder: Path, dice: np.random.Generator) -> dict[str, list[Array]]:
    five, odd = pixels(dice, (2, 3, 4, 6, 7)), pixels(dice, (3, 2, 5, 8))
    tifffile.imwrite(folder / "shaped.tif", five, metadata={"axes": "TCZYX"}, photometric="minisblack")
    tifffile.imwrite(
        folder / "shaped_swapped.tif", five, metadata={"axes": "ZTCYX"}, compression="zlib", photometric="minisblack"
    )
    tifffile.imwrite(folder / "shaped_phases.tif", odd, metadata={"axes": "CPYX"}, photometric="minisblack")
    return {
        "shaped.tif": [five],
        "shaped_swapped.tif": [expand(five, "ZTCYX")],
        "shaped_phases.tif": [odd.reshape(1, 6, 1, 5, 8)],
    }


def _imagej(folder: Path, dice: np.random.Generator) -> dict[str, list[Array]]:
    hyper, color = pixels(dice, (2, 3, 4, 9, 8)), pixels(dice, (2, 3, 9, 8, 3), "u1")
    meta = {"axes": "TZCYX", "spacing": 0.7, "unit": "um", "finterval": 2.5}
    tifffile.imwrite(folder / "hyperstack.tif", hyper, imagej=True, resolution=(4, 5), metadata=meta)
    tifffile.imwrite(
        folder / "hyperstack_packed.tif", hyper, imagej=True, compression="zlib", metadata={"axes": "TZCYX"}
    )
    tifffile.imwrite(folder / "hyperstack_rgb.tif", color, imagej=True, metadata={"axes": "TZYXS"})
    return {
        "hyperstack.tif": [expand(hyper, "TZCYX")],
        "hyperstack_packed.tif": [expand(hyper, "TZCYX")],
        "hyperstack_rgb.tif": [expand(color, "TZYXS")],
    }


def _ome(folder: Path, dice: np.random.Generator) -> dict[str, list[Array]]:
    five, color = pixels(dice, (2, 3, 4, 9, 8)), pixels(dice, (2, 9, 8, 3), "u1")
    planar = pixels(dice, (2, 3, 9, 8), "u1")
    other = pixels(dice, (5, 6, 7), "f4")
    deep = pixels(dice, (2, 64, 48))
    tifffile.imwrite(folder / "five.ome.tif", five, metadata={"axes": "TCZYX"}, photometric="minisblack")
    tifffile.imwrite(
        folder / "swapped.ome.tif", five, bigtiff=True, metadata={"axes": "ZTCYX"}, compression="zlib", tile=(16, 16)
    )
    tifffile.imwrite(folder / "color.ome.tif", color, metadata={"axes": "ZYXS"}, photometric="rgb")
    tifffile.imwrite(
        folder / "planar.ome.tif", planar, metadata={"axes": "ZSYX"}, photometric="rgb", planarconfig="separate"
    )
    with tifffile.TiffWriter(folder / "several.ome.tif") as writer:
        writer.write(five, metadata={"axes": "TCZYX", "Name": "first"}, photometric="minisblack")
        writer.write(other, metadata={"axes": "TYX", "Name": "second"}, photometric="minisblack")
    with tifffile.TiffWriter(folder / "pyramid.ome.tif", byteorder=">") as writer:
        options: dict[str, Any] = {"photometric": "minisblack", "tile": (16, 16), "compression": "zlib"}
        writer.write(deep, subifds=2, metadata={"axes": "CYX"}, **options)
        writer.write(deep[:, ::2, ::2], subfiletype=1, **options)
        writer.write(deep[:, ::4, ::4], subfiletype=1, **options)
    return {
        "five.ome.tif": [five],
        "swapped.ome.tif": [expand(five, "ZTCYX")],
        "color.ome.tif": [expand(color, "ZYXS")],
        "planar.ome.tif": [expand(planar, "ZSYX")],
        "several.ome.tif": [five, expand(other, "TYX")],
        "pyramid.ome.tif": [expand(deep, "CYX")],
    }


def _ome_set(folder: Path, dice: np.random.Generator) -> dict[str, list[Array]]:
    stack = pixels(dice, (2, 4, 9, 8))
    names = [f"set_z{z}.ome.tif" for z in range(4)]
    write_set(folder, stack, names)
    return {names[0]: [expand(stack, "CZYX")], names[2]: [expand(stack, "CZYX")]}


def _scanners(folder: Path, dice: np.random.Generator) -> dict[str, list[Array]]:
    stack, scans = pixels(dice, (4, 9, 8)), pixels(dice, (3, 6, 7))
    write_stk(folder / "metamorph.stk", stack)
    write_lsm(folder / "x_z_scans.lsm", scans)
    thumbnails = scans[:, :2, :2].astype("u1")
    return {
        "metamorph.stk": [expand(stack, "ZYX")],
        "x_z_scans.lsm": [scans.reshape(3, 1, 6, 1, 7), expand(thumbnails, "TYX")],
    }
