"""Small LIF files (an XML description and memory blocks), with the pixels they hold. Written field by field."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

DIM_IDS = {"X": 1, "Y": 2, "Z": 3, "T": 4, "λ": 5, "A": 6, "M": 10}
FILETIME_2024 = 133_485_408_000_000_000
"""2024-01-01 00:00 UTC in 100 ns ticks since 1601."""


@dataclass
class Picture:
    """One image of a project: pixels with axes ``dims``, outermost first; C may be anywhere."""

    name: str
    pixels: Array
    dims: str
    tags: Sequence[int] = ()
    """1 red, 2 green, 3 blue; one per channel."""
    luts: Sequence[str] = ()
    dyes: Sequence[str] = ()
    row_padding: int = 0
    """Bytes after every row."""
    lengths: Mapping[str, float] = field(default_factory=dict)
    """From the first to the last element, in metres or seconds."""
    origins: Mapping[str, float] = field(default_factory=dict)
    """Where the first element is, in metres or seconds."""
    settings: str = ""
    """Attachments."""
    times: int = 0
    """Number of time stamps, half a second apart."""
    has_memory: bool = True


def make_lif(folder: Path) -> dict[Path, list[Array]]:
    """Write the files and return their images as T, C, Z, Y, X (and S)."""
    dice = np.random.default_rng(17)
    project, images = _project(dice)
    made = {write(folder / "project.lif", project): images}
    lone = dice.integers(0, 255, (1, 1, 1, 6, 7)).astype("u1")
    made[write(folder / "first version.lif", [Picture("a", lone[0, 0, 0], "YX")], version=1)] = [lone]
    scan = _mosaic(dice)
    made[write(folder / "mosaic.lif", [scan])] = [tile[None, :, None] for tile in scan.pixels]
    return made


def _project(dice: np.random.Generator) -> tuple[list[Picture], list[Array]]:
    """Return pictures of every layout in one project, some in a folder, one without pixels."""
    stack = dice.integers(0, 4000, (3, 2, 4, 10, 12)).astype("u2")
    upright = dice.integers(0, 255, (2, 2, 9, 1, 11)).astype("u1")
    sliced = dice.integers(0, 255, (1, 1, 6, 5, 8)).astype("u1")
    color = dice.integers(0, 255, (1, 1, 2, 7, 9, 3)).astype("u1")
    spectrum = dice.integers(0, 4000, (1, 6, 1, 5, 4)).astype("u2")  # channel = c * 3 + λ
    camera = dice.integers(0, 60_000, (1, 2, 1, 5, 6)).astype("u2")
    ratio = dice.normal(0, 1, (1, 1, 1, 4, 3)).astype("f4")
    pictures = [
        Picture(
            "stack",
            stack.transpose(0, 2, 1, 3, 4),
            "TZCYX",
            luts=("Green", "Red"),
            dyes=("Leica/FITC", "TRITC"),
            lengths={"X": 11e-6, "Y": -18e-6, "Z": 6e-6, "T": 8.0},
            settings=CONFOCAL,
            times=6,
        ),
        Picture("day 1/xz", upright[:, :, :, 0], "TCZX", lengths={"X": 10e-6, "Z": 4e-6}, times=2),
        Picture("day 1/deep/xzy", sliced[0, 0].transpose(1, 0, 2), "YZX", luts=("Glow",)),
        Picture("color", color[0, 0][..., ::-1], "ZYXC", tags=(3, 2, 1), row_padding=5),
        Picture("spectrum", spectrum.reshape(2, 3, 5, 4).transpose(1, 0, 2, 3), "λCYX", luts=("Blue", "Cyan")),
        Picture("camera", camera[0, :, 0], "CYX", luts=("Gray", "Gray"), settings=CAMERA),
        Picture("empty", ratio[0, 0, 0], "YX", has_memory=False),
        Picture("ratio", ratio[0, 0, 0], "YX"),
    ]
    return pictures, [stack, upright, sliced, color, spectrum, camera, ratio]


def _mosaic(dice: np.random.Generator) -> Picture:
    """Return three tiles with two channels."""
    return Picture("scan", dice.integers(0, 255, (3, 2, 6, 8)).astype("u1"), "MCYX", luts=("Gray", "Gray"))


CONFOCAL = (
    '<Attachment Name="HardwareSetting" SystemTypeName="TCS SP8"><ATLConfocalSettingDefinition Magnification="63" '
    'ObjectiveName="HC PL APO  63x/1.40 OIL " NumericalAperture="1.4" Immersion="OIL" MicroscopeModel="DMI6000" '
    'IsInverseMicroscopeModel="1" SystemSerialNumber="8100000201"><DetectorList><Detector IsActive="1" Gain="41.5"/>'
    '<Detector IsActive="0" Gain="7"/><Detector IsActive="1" Gain="105"/></DetectorList>'
    "</ATLConfocalSettingDefinition></Attachment>"
)
CAMERA = (
    '<Attachment Name="HardwareSetting"><ATLCameraSettingDefinition ObjectiveName="N PLAN 10x/0.25 DRY">'
    '<WideFieldChannelConfigurator><WideFieldChannelInfo UserDefName="DAPI" EmissionWavelength="460" '
    'ContrastingMethodName="FLUO" ExposureTime="0.25" LUT="Blue"/><WideFieldChannelInfo UserDefName="BF" '
    'ContrastingMethodName="TL-BF" ExposureTime="0.01" LUT="Gray"/></WideFieldChannelConfigurator>'
    "</ATLCameraSettingDefinition></Attachment>"
)


def write(path: Path, pictures: Sequence[Picture], *, version: int = 2, prologue: str = "") -> Path:
    """Write a project; a ``/`` in a picture's name makes folders."""
    blocks = [(f"MemBlock_{i}", _memory(picture)) for i, picture in enumerate(pictures)]
    elements = _tree([(picture.name.split("/"), _image(picture, *blocks[i])) for i, picture in enumerate(pictures)])
    xml = (
        f'{prologue}<LMSDataContainerHeader Version="{version}"><Element Name="project" UniqueID="1"><Data/>'
        f'<Memory Size="0" MemoryBlockID="MemBlock_root"/><Children>{elements}</Children></Element>'
        "</LMSDataContainerHeader>"
    )
    body = _text(xml) + b"".join(_block(name, data, version) for name, data in blocks if data)
    path.write_bytes(body)
    return path


def _tree(items: Sequence[tuple[list[str], str]]) -> str:
    """Return elements nested by their paths; the last part of a path is the image's own name."""
    parts = []
    for folder in dict.fromkeys(path[0] for path, _ in items):
        inner = [(path, xml) for path, xml in items if path[0] == folder]
        deeper = [(path[1:], xml) for path, xml in inner if len(path) > 1]
        parts += [xml for path, xml in inner if len(path) == 1]
        if deeper:
            parts.append(f'<Element Name="{folder}"><Data/><Children>{_tree(deeper)}</Children></Element>')
    return "".join(parts)


def _image(picture: Picture, block: str, data: bytes) -> str:
    strides = _strides(picture)
    axes = "".join(
        f'<DimensionDescription DimID="{DIM_IDS[axis]}" NumberOfElements="{length}" '
        f'Origin="{picture.origins.get(axis, 0)}" '
        f'Length="{picture.lengths.get(axis, 0)}" Unit="{"s" if axis == "T" else "m"}" BitInc="0" '
        f'BytesInc="{strides[axis]}"/>'
        for axis, length in zip(picture.dims, picture.pixels.shape, strict=True)
        if axis != "C"
    )
    stamps = " ".join(f"{FILETIME_2024 + i * 5_000_000:x}" for i in range(picture.times))
    return (
        f'<Element Name="{picture.name.split("/")[-1]}" UniqueID="x"><Data><Image><ImageDescription>'
        f"<Channels>{_channels(picture, strides.get('C', 0))}</Channels><Dimensions>{axes}</Dimensions>"
        f'</ImageDescription><TimeStampList NumberOfTimeStamps="{picture.times}">{stamps}</TimeStampList>'
        f'{picture.settings}</Image></Data><Memory Size="{len(data)}" MemoryBlockID="{block}"/><Children/></Element>'
    )


def _channels(picture: Picture, stride: int) -> str:
    count = dict(zip(picture.dims, picture.pixels.shape, strict=True)).get("C", 1)
    dtype = picture.pixels.dtype
    dyes = [
        f"<ChannelProperty><Key>DyeName</Key><Value>{dye}</Value></ChannelProperty>" if dye else ""
        for dye in [*picture.dyes, *[""] * count][:count]
    ]
    return "".join(
        f'<ChannelDescription DataType="{int(dtype.kind == "f")}" ChannelTag="{[*picture.tags, *[0] * count][i]}" '
        f'Resolution="{dtype.itemsize * 8}" NameOfMeasuredQuantity="" Min="0" Max="255" Unit="" '
        f'LUTName="{[*picture.luts, *[""] * count][i]}" IsLUTInverted="0" BytesInc="{i * stride}" BitInc="0">'
        f"{dyes[i]}</ChannelDescription>"
        for i in range(count)
    )


def _strides(picture: Picture) -> dict[str, int]:
    """Return bytes between neighbours on every axis."""
    stride = picture.pixels.itemsize
    strides = {}
    for axis, length in zip(reversed(picture.dims), reversed(picture.pixels.shape), strict=True):
        strides[axis] = stride
        stride = stride * length + (picture.row_padding if axis == "X" else 0)
    return strides


def _memory(picture: Picture) -> bytes:
    if not picture.has_memory:
        return b""
    rows = picture.pixels
    if picture.row_padding:
        at = picture.dims.index("X")
        flat = np.ascontiguousarray(rows).reshape(*rows.shape[:at], -1).view("u1")
        rows = np.pad(flat, [(0, 0)] * at + [(0, picture.row_padding)], constant_values=205)
    return np.ascontiguousarray(rows).tobytes()


def _text(xml: str) -> bytes:
    encoded = xml.encode("utf-16-le")
    return struct.pack("<IIBI", 0x70, len(encoded) + 5, 0x2A, len(encoded) // 2) + encoded


def _block(name: str, data: bytes, version: int) -> bytes:
    encoded = name.encode("utf-16-le")
    size = "Q" if version == 2 else "I"
    length = struct.calcsize(f"<B{size}BI") + len(encoded)
    return struct.pack(f"<IIB{size}BI", 0x70, length, 0x2A, len(data), 0x2A, len(encoded) // 2) + encoded + data
