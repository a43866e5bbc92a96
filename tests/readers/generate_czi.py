"""Small CZI files (ZISRAW segments) of many kinds, with the pixels they hold. Written field by field."""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

PIXEL_TYPES = {("uint8", 1): 0, ("uint16", 1): 1, ("float32", 1): 2, ("uint8", 3): 3, ("uint16", 3): 4, ("uint8", 4): 9}
UNCOMPRESSED, LZW, JPEGXR, ZSTD0, ZSTD1 = 0, 2, 4, 5, 6
HEADER_BYTES = 544
MASK_GUID = bytes.fromhex("67eae3cbfc5b2b49a16aece378031448")


@dataclass
class Block:
    """One subblock: pixels with axes ``dims`` (without samples), which start at ``start``."""

    pixels: Array
    dims: str
    start: dict[str, int]
    logical: dict[str, int] = field(default_factory=dict)
    """Logical lengths where they differ from the stored ones."""
    samples: int = 1
    compression: int = UNCOMPRESSED
    is_pyramid: bool = False
    attachment: bytes = b""


def make_czi(folder: Path) -> dict[Path, list[Array]]:
    """Write the files and return their images as T, C, Z, Y, X (and S)."""
    dice = np.random.default_rng(11)
    makers: dict[str, Callable[[np.random.Generator], tuple[list[Block], list[Array], str]]] = {
        "stack.czi": _stack,
        "packed.czi": _packed,
        "mosaic.czi": _mosaic,
        "scenes.czi": _scenes,
        "color.czi": _color,
        "phases.czi": _phases,
        "line.czi": _line,
        "airyscan.czi": _airyscan,
        "mixed.czi": _mixed,
        "sparse.czi": _sparse,
    }
    made: dict[Path, list[Array]] = {}
    for name, maker in makers.items():
        blocks, images, xml = maker(dice)
        made[write(folder / name, blocks, xml)] = images
    return made


def _stack(dice: np.random.Generator) -> tuple[list[Block], list[Array], str]:
    """Time, channels, slices, with full metadata; subblocks in no particular order."""
    image = dice.integers(0, 4000, (3, 2, 4, 20, 30)).astype("u2")
    places = list(np.ndindex(3, 2, 4))
    dice.shuffle(places)
    blocks = [Block(image[t, c, z], "YX", {"T": t, "C": c, "Z": z}) for t, c, z in places]
    channels = [("DAPI", "#FF0000FF", 353, 465), ("EGFP", "#FF00FF5B", 488, 509)]
    return blocks, [image], document(channels, (0.1, 0.2, 0.5), increment=2.5)


def _packed(dice: np.random.Generator) -> tuple[list[Block], list[Array], str]:
    """One compression per slice."""
    image = np.cumsum(dice.integers(0, 3, (1, 1, 4, 24, 40)), axis=-1).astype("u2")
    kinds = (UNCOMPRESSED, JPEGXR, ZSTD0, ZSTD1)
    blocks = [Block(image[0, 0, z], "YX", {"Z": z}, compression=kinds[z]) for z in range(4)]
    return blocks, [image], document([("Channel:0", "", 0, 0)], (0, 0, 0))


def _mosaic(dice: np.random.Generator) -> tuple[list[Block], list[Array], str]:
    """Four overlapping tiles with negative origins and a pyramid level; a higher M lies on top."""
    canvas = np.zeros((1, 1, 1, 56, 76), "u1")
    blocks = []
    for m, (y, x) in enumerate(((0, 0), (0, 36), (24, 0), (24, 36))):
        tile = dice.integers(1, 255, (32, 40)).astype("u1")
        canvas[0, 0, 0, y : y + 32, x : x + 40] = tile
        blocks.append(Block(tile, "YX", {"Y": y - 31, "X": x - 17, "M": m, "C": 0}, compression=ZSTD0))
    coarse = canvas[0, 0, 0, ::2, ::2]
    logical = {"Y": 56, "X": 76}
    blocks.insert(0, Block(coarse, "YX", {"Y": -31, "X": -17, "C": 0}, logical, is_pyramid=True))
    blocks.reverse()  # the order of the directory is not the order of the tiles
    return blocks, [canvas], document([("EGFP", "", 0, 0)], (0.65, 0.65, 0))


def _scenes(dice: np.random.Generator) -> tuple[list[Block], list[Array], str]:
    """Two named scenes far apart, of different sizes, the second with one channel only."""
    first = dice.integers(0, 4000, (1, 2, 1, 12, 16)).astype("u2")
    second = dice.integers(0, 4000, (1, 1, 1, 10, 14)).astype("u2")
    blocks = [Block(first[0, c, 0], "YX", {"S": 0, "C": c, "Y": 5, "X": 7}) for c in range(2)]
    blocks.append(Block(second[0, 0, 0], "YX", {"S": 1, "C": 1, "Y": -90_000, "X": 200_000}))
    channels = [("DAPI", "", 0, 0), ("EGFP", "", 0, 0)]
    return blocks, [first, second], document(channels, (1, 1, 0), scenes=("A1", "B7"))


def _color(dice: np.random.Generator) -> tuple[list[Block], list[Array], str]:
    """Colour: R, G, B for us, B, G, R in the file."""
    image = dice.integers(0, 255, (1, 1, 2, 18, 22, 3)).astype("u1")
    blocks = [
        Block(image[0, 0, z][..., ::-1], "YX", {"Z": z}, samples=3, compression=kind)
        for z, kind in enumerate((UNCOMPRESSED, ZSTD0))
    ]
    return blocks, [image], document([("C1", "", 0, 0)], (1, 1, 0))


def _phases(dice: np.random.Generator) -> tuple[list[Block], list[Array], str]:
    """Three phases of two channels become six channels, C outermost; axes H and C start above 0."""
    image = dice.integers(0, 4000, (2, 6, 1, 9, 11)).astype("u2")
    blocks = [
        Block(image[t, c * 3 + h, 0], "YX", {"B": 0, "H": h + 1, "T": t, "C": c + 1})
        for t in range(2)
        for c in range(2)
        for h in range(3)
    ]
    return blocks, [image], document([(name, "", 0, 0) for name in ("DAPI", "EGFP", "Cy5")], (1, 1, 0))


def _line(dice: np.random.Generator) -> tuple[list[Block], list[Array], str]:
    """A line scan: no Y, time in chunks of unequal length."""
    image = dice.integers(0, 4000, (10, 1, 1, 1, 33)).astype("u2")
    blocks = [
        Block(image[first:stop, 0, 0, 0], "TX", {"T": first}, compression=ZSTD1)
        for first, stop in ((0, 4), (4, 7), (7, 10))
    ]
    return blocks, [image], document([("Ch1", "", 0, 0)], (0.05, 0, 0))


def _airyscan(dice: np.random.Generator) -> tuple[list[Block], list[Array], str]:
    """Detector elements stored at half the size they span."""
    small = dice.integers(0, 4000, (8, 10)).astype("u2")
    image = small.repeat(2, axis=0).repeat(2, axis=1)[None, None, None]
    return [Block(small, "YX", {"H": 0}, {"Y": 16, "X": 20})], [image], document([], (1, 1, 0))


def _mixed(dice: np.random.Generator) -> tuple[list[Block], list[Array], str]:
    """Channels of different pixel types come in the wider one."""
    narrow = dice.integers(0, 255, (8, 9)).astype("u1")
    wide = dice.integers(0, 60_000, (8, 9)).astype("u2")
    blocks = [Block(narrow, "YX", {"C": 0}), Block(wide, "YX", {"C": 1})]
    return blocks, [np.stack([narrow.astype("u2"), wide])[None, :, None]], document([], (1, 1, 0))


def _sparse(dice: np.random.Generator) -> tuple[list[Block], list[Array], str]:
    """One plane was never taken, one tile of another is masked, and no tile covers a corner."""
    image = np.zeros((2, 1, 2, 16, 24), "u2")
    blocks = []
    for t, z in ((0, 0), (0, 1), (1, 0)):
        tile = dice.integers(1, 4000, (16, 12)).astype("u2")
        image[t, 0, z, :, :12] = tile
        blocks.append(Block(tile, "YX", {"T": t, "Z": z, "M": 0}))
        corner = dice.integers(1, 4000, (8, 12)).astype("u2")
        blocks.append(Block(corner, "YX", {"T": t, "Z": z, "M": 1, "X": 12}))
        valid = np.ones((8, 12), bool)
        if t == 0 and z == 1:
            valid[:, ::2] = False
            blocks[-1].attachment = mask(valid)
        image[t, 0, z, :8, 12:] = np.where(valid, corner, 0)
    return blocks, [image], document([], (1, 1, 0))


def mask(valid: Array) -> bytes:
    """Return a subblock attachment that says which pixels are valid (Y, X)."""
    height, width = valid.shape
    bits = np.packbits(valid, axis=1)
    body = struct.pack("<IIII", width, height, 0, bits.shape[1]) + bits.tobytes()
    return MASK_GUID + struct.pack("<i", len(body)) + body


def document(
    channels: Sequence[tuple[str, str, float, float]],
    sizes: tuple[float, float, float],
    *,
    increment: float = 0,
    scenes: Sequence[str] = (),
) -> str:
    """Return a metadata document: channels (name, colour, excitation, emission in nm), pixel sizes X, Y, Z in µm."""
    listed = "".join(
        f'<Channel Id="Channel:{i}" Name="{name}"><ExposureTime>250000000</ExposureTime><Color>{color}</Color>'
        f"<ExcitationWavelength>{excitation}</ExcitationWavelength><EmissionWavelength>{emission}</EmissionWavelength>"
        "<ContrastMethod>Fluorescence</ContrastMethod><Fluor>Dye X</Fluor></Channel>"
        for i, (name, color, excitation, emission) in enumerate(channels)
    )
    distances = "".join(
        f'<Distance Id="{axis}"><Value>{size * 1e-6}</Value></Distance>'
        for axis, size in zip("XYZ", sizes, strict=True)
    )
    named = "".join(f'<Scene Index="{i}" Name="{name}" />' for i, name in enumerate(scenes))
    time = f"<T><Positions><Interval><Increment>{increment}</Increment></Interval></Positions></T>"
    return (
        "<ImageDocument><Metadata><Information><Image>"
        "<AcquisitionDateAndTime>2024-05-06T07:08:09.1234567Z</AcquisitionDateAndTime>"
        f"<Dimensions><Channels>{listed}</Channels><S><Scenes>{named}</Scenes></S>{time}</Dimensions>"
        '<ObjectiveSettings><ObjectiveRef Id="Objective:2" /></ObjectiveSettings></Image><Instrument>'
        '<Microscopes><Microscope Id="M:1" Name="Axio Observer 7"><Type>Inverted</Type></Microscope></Microscopes>'
        '<Objectives><Objective Id="Objective:1" Name="Other" /><Objective Id="Objective:2" Name="Plan 20x/0.8">'
        "<LensNA>0.8</LensNA><NominalMagnification>20</NominalMagnification><Immersion>Air</Immersion>"
        "<WorkingDistance>610</WorkingDistance></Objective></Objectives></Instrument></Information>"
        f"<Scaling><Items>{distances}</Items></Scaling></Metadata></ImageDocument>"
    )


def write(path: Path, blocks: Sequence[Block], xml: str = "", stamps: Sequence[float] = ()) -> Path:
    """Write a file: header, subblocks, metadata, time stamps, directory."""
    body = b""
    entries = []
    for block in blocks:
        entry = _entry(block, HEADER_BYTES + len(body))
        entries.append(entry)
        body += _segment(b"ZISRAWSUBBLOCK", _subblock(block, entry))
    metadata = HEADER_BYTES + len(body) if xml else 0
    if xml:
        text = xml.encode()
        body += _segment(b"ZISRAWMETADATA", struct.pack("<ii248x", len(text), 0) + text)
    attachments = 0
    if stamps:
        entry = struct.pack("<2s10sqi16s8s80s", b"A1", b"", HEADER_BYTES + len(body), 0, b"", b"CZTIMS", b"TimeStamps")
        times = struct.pack("<ii", 8 + 8 * len(stamps), len(stamps)) + np.array(stamps, "<f8").tobytes()
        body += _segment(b"ZISRAWATTACH", struct.pack("<i12x", len(times)) + entry + bytes(112) + times)
        attachments = HEADER_BYTES + len(body)
        body += _segment(b"ZISRAWATTDIR", struct.pack("<i252x", 1) + entry)
    directory = HEADER_BYTES + len(body)
    body += _segment(b"ZISRAWDIRECTORY", struct.pack("<i124x", len(entries)) + b"".join(entries))
    fields = struct.pack("<iiii16s16siqqiq", 1, 0, 0, 0, bytes(16), bytes(16), 0, directory, metadata, 0, attachments)
    path.write_bytes(_segment(b"ZISRAWFILE", fields.ljust(HEADER_BYTES - 32, b"\0")) + body)
    return path


def _entry(block: Block, position: int) -> bytes:
    """Return a directory entry (schema DV)."""
    stored = dict(zip(block.dims, block.pixels.shape, strict=False))
    axes = sorted({*block.dims, *block.start}, key="XYZCTRSIBMHV".index)
    dimensions = b"".join(
        struct.pack(
            "<4siifi",
            axis.encode(),
            block.start.get(axis, 0),
            block.logical.get(axis, stored.get(axis, 1)),
            0.0,
            stored.get(axis, 1) if axis in block.logical or block.is_pyramid else 0,
        )
        for axis in axes
    )
    kind = PIXEL_TYPES[block.pixels.dtype.name, block.samples]
    pyramid = 2 if block.is_pyramid else 0
    return (
        struct.pack("<2siqiiBB4si", b"DV", kind, position, 0, block.compression, pyramid, 0, b"", len(axes))
        + dimensions
    )


def _subblock(block: Block, entry: bytes) -> bytes:
    plain = np.ascontiguousarray(block.pixels).tobytes()
    if block.compression == ZSTD0:
        data = imagecodecs.zstd_encode(plain)
    elif block.compression == ZSTD1:
        data = b"\x01" + imagecodecs.zstd_encode(plain)
    elif block.compression == JPEGXR:
        data = imagecodecs.jpegxr_encode(block.pixels, level=1.0)
    else:
        data = plain
    extra = b"<METADATA />" if block.attachment else b""
    head = struct.pack("<iiq", len(extra), len(block.attachment), len(data)) + entry.ljust(240, b"\0")
    return head + extra + bytes(data) + block.attachment


def _segment(name: bytes, payload: bytes) -> bytes:
    allocated = -(-len(payload) // 32) * 32
    return struct.pack("<16sqq", name, allocated, len(payload)) + payload.ljust(allocated, b"\0")
