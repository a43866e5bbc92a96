"""Small ND2 files (chunks with CLX Lite or XML variants, and JPEG 2000 boxes), with the pixels they hold."""

import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

MAGIC = 0x0ABECEDA
FRAME_NAME_BYTES = 4072
"""Names of frame chunks are padded so that the pixels begin at a multiple of 4096."""
MAP_SIGNATURE = b"ND2 CHUNK MAP SIGNATURE 0000001!"
MAP_NAME = b"ND2 FILEMAP SIGNATURE NAME 0001!"
FILE_NAME = b"ND2 FILE SIGNATURE CHUNK NAME01!"
LEGACY_SIGNATURE = b"LABORATORY IMAGING ND BOX MAP 00"
BOOL, UINT32, DOUBLE, STRING, BYTES, LEVEL = 1, 3, 6, 8, 9, 11


def make_nd2(folder: Path) -> dict[Path, list[Array]]:
    """Write the files and return their images as T, C, Z, Y, X (and S)."""
    dice = np.random.default_rng(13)
    makers: dict[str, Callable[[Path, np.random.Generator], list[Array]]] = {
        "stack.nd2": _stack,
        "plain.nd2": _plain,
        "positions.nd2": _positions,
        "color.nd2": _color,
        "packed.nd2": _packed,
        "float.nd2": _float,
        "sparse.nd2": _sparse,
        "custom.nd2": _custom,
        "old.nd2": _old,
        "legacy.nd2": _legacy,
    }
    return {folder / name: maker(folder / name, dice) for name, maker in makers.items()}


def _stack(path: Path, dice: np.random.Generator) -> list[Array]:
    """Time, slices and two channels; rows are padded."""
    image = dice.integers(0, 4000, (3, 2, 4, 14, 19)).astype("u2")
    loops = [time_loop(3, 1000.0, 1250.0), z_loop(4, 0.6)]
    frames = [image[t, :, z] for t in range(3) for z in range(4)]
    write(path, [frame.transpose(1, 2, 0) for frame in frames], loops, names=("DAPI", "FITC"), padding=6)
    return [image]


def _plain(path: Path, dice: np.random.Generator) -> list[Array]:
    """One frame, no loop, nothing known but its size."""
    image = dice.integers(0, 255, (1, 1, 1, 9, 8)).astype("u1")
    write(path, [image[0, 0, 0][..., None]], [], names=("Mono",), calibration=None)
    return [image]


def _positions(path: Path, dice: np.random.Generator) -> list[Array]:
    """Time outside, three positions inside."""
    images = [dice.integers(0, 4000, (2, 1, 1, 8, 10)).astype("u2") for _ in range(3)]
    frames = [images[p][t, 0, 0][..., None] for t in range(2) for p in range(3)]
    write(path, frames, [time_loop(2, 500.0, 0.0), position_loop(("A1", "", "B2"))], names=("GFP",))
    return images


def _color(path: Path, dice: np.random.Generator) -> list[Array]:
    """Colour: R, G, B for us, B, G, R in the file."""
    image = dice.integers(0, 255, (1, 1, 2, 12, 11, 3)).astype("u1")
    frames = [image[0, 0, z][..., ::-1] for z in range(2)]
    write(path, frames, [z_loop(2, 1.5)], names=("Brightfield",), samples=3, padding=1)
    return [image]


def _packed(path: Path, dice: np.random.Generator) -> list[Array]:
    """Losslessly compressed frames."""
    image = dice.integers(0, 30, (2, 3, 1, 16, 12)).astype("u2")
    frames = [image[t, :, 0].transpose(1, 2, 0) for t in range(2)]
    write(path, frames, [time_loop(2, 0.0, 40.0)], names=("A", "B", "C"), is_packed=True)
    return [image]


def _float(path: Path, dice: np.random.Generator) -> list[Array]:
    """32-bit floating point."""
    image = dice.normal(0, 1, (1, 1, 1, 7, 6)).astype("f4")
    write(path, [image[0, 0, 0][..., None]], [], names=("Ratio",))
    return [image]


def _sparse(path: Path, dice: np.random.Generator) -> list[Array]:
    """Three time points planned, the last never taken."""
    image = dice.integers(1, 4000, (3, 1, 1, 6, 7)).astype("u2")
    image[2] = 0
    write(path, [image[t, 0, 0][..., None] for t in range(2)], [time_loop(3, 100.0, 0.0)], names=("GFP",))
    return [image]


def _custom(path: Path, dice: np.random.Generator) -> list[Array]:
    """A loop of unknown meaning beside time and slices is folded into the channels."""
    image = dice.integers(1, 4000, (2, 4, 3, 5, 6)).astype("u2")  # channel = c * 2 + u
    loops = [time_loop(2, 100.0, 0.0), {"eType": 7, "uLoopPars": {"uiCount": 2}}, z_loop(3, 1.0)]
    frames = [image[t, u::2, z].transpose(1, 2, 0) for t in range(2) for u in range(2) for z in range(3)]
    write(path, frames, loops, names=("A", "B"))
    return [image]


def _old(path: Path, dice: np.random.Generator) -> list[Array]:
    """Version 2.1: the same chunks with XML variants."""
    image = dice.integers(0, 4000, (1, 2, 1, 9, 11)).astype("u2")
    write(path, [image[0, :, 0].transpose(1, 2, 0)], [], names=("DAPI", "Cy3"), version="2.1")
    return [image]


def _legacy(path: Path, dice: np.random.Generator) -> list[Array]:
    """The first generation: a JPEG 2000 codestream per frame and channel."""
    image = dice.integers(0, 4000, (3, 1, 1, 32, 48)).astype("u2")
    write_legacy(path, list(image[:, 0, 0]), "GFP")
    return [image]


def time_loop(count: int, period_ms: float, measured_ms: float) -> dict[str, Any]:
    """Return a time loop."""
    means = {"dAvgPeriodDiff": measured_ms, "dMaxPeriodDiff": measured_ms, "dMinPeriodDiff": measured_ms}
    pars = {"uiCount": count, "dStart": 0.0, "dPeriod": period_ms, "dDuration": count * period_ms, **means}
    return {"eType": 1, "uLoopPars": pars}


def z_loop(count: int, step_um: float) -> dict[str, Any]:
    """Return a z-stack loop."""
    pars = {"uiCount": count, "dZStep": step_um, "dZLow": 0.0, "dZHigh": step_um * (count - 1), "iType": 2}
    return {"eType": 4, "uLoopPars": pars}


def position_loop(names: Sequence[str]) -> dict[str, Any]:
    """Return a loop over stage positions."""
    points = [{"dPosX": 10.0 * i, "dPosY": 5.0, "dPosZ": 0.0, "dPosName": name} for i, name in enumerate(names)]
    return {"eType": 2, "uLoopPars": {"uiCount": len(names), "bUseZ": False, "Points": points}, "pItemValid": b"\1" * 3}


def write(
    path: Path,
    frames: Sequence[Array],
    loops: Sequence[Mapping[str, Any]],
    *,
    names: Sequence[str],
    samples: int = 1,
    padding: int = 0,
    calibration: float | None = 0.325,
    is_packed: bool = False,
    version: str = "3.0",
) -> Path:
    """Write a file from frames of shape Y, X, components; loops outermost first."""
    height, width, components = frames[0].shape
    row_bytes = width * components * frames[0].itemsize + padding
    attributes = {
        "uiWidth": width,
        "uiWidthBytes": row_bytes,
        "uiHeight": height,
        "uiComp": components,
        "uiBpcInMemory": frames[0].itemsize * 8,
        "uiBpcSignificant": frames[0].itemsize * 8,
        "uiSequenceCount": len(frames),
        "uiTileWidth": width,
        "uiTileHeight": height,
        "eCompression": 0 if is_packed else 2,
        "dCompressionParam": 0.0,
    }
    is_new = version >= "3"
    chunks = {
        ("ImageAttributesLV!" if is_new else "ImageAttributes!"): {"SLxImageAttributes": attributes},
        ("ImageMetadataSeqLV|0!" if is_new else "ImageMetadataSeq|0!"): {
            "SLxPictureMetadata": picture(names, samples, calibration)
        },
        ("ImageTextInfoLV!" if is_new else "ImageTextInfo!"): {
            "SLxImageTextInfo": {"TextInfoItem_5": description(names), "TextInfoItem_9": "3/26/2025  10:58:17 AM"}
        },
    }
    if loops:
        experiment: dict[str, Any] = {}
        for loop in reversed(loops):
            experiment = {**loop, **({"ppNextLevelEx": [experiment]} if experiment else {})}
        chunks["ImageMetadataLV!" if is_new else "ImageMetadata!"] = {"SLxExperiment": experiment}
    body = _chunk(FILE_NAME, f"Ver{version}".encode().ljust(64, b"\0"))
    places: dict[bytes, tuple[int, int]] = {}
    for name, content in chunks.items():
        data = clx(content) if is_new else xml(next(iter(content.values())))
        places[name.encode()] = (len(body), len(data))
        body += _chunk(name.encode(), data)
    for i, frame in enumerate(frames):
        rows = frame.reshape(height, -1).view("u1")
        data = np.pad(rows, ((0, 0), (0, padding)), constant_values=205).tobytes()
        data = struct.pack("<d", i * 10.0) + (zlib.compress(data) if is_packed else data)
        places[f"ImageDataSeq|{i}!".encode()] = (len(body), len(data))
        body += _chunk(f"ImageDataSeq|{i}!".encode().ljust(FRAME_NAME_BYTES, b"\0"), data)
    listed = b"".join(name + struct.pack("<QQ", *place) for name, place in places.items()) + MAP_SIGNATURE
    path.write_bytes(body + _chunk(MAP_NAME, listed) + MAP_SIGNATURE + struct.pack("<Q", len(body)))
    return path


def picture(names: Sequence[str], samples: int, calibration: float | None) -> dict[str, Any]:
    """Return picture metadata: one plane per channel, 100, 200 ... ms of exposure."""
    planes = {
        f"a{i}": {
            "uiCompCount": samples,
            "uiSampleIndex": i,
            "uiModalityMask": 257,
            "pFluorescentProbe": {"m_sName": "Dye X", "m_EmissionSpectrum": spectrum(500.0 + i)},
            "pFilterPath": {"m_pFilter": {"a": {"m_ExcitationSpectrum": spectrum(405.0, 488.0)}}},
            "uiColor": 0xFF8000 >> i,
            "sDescription": name,
        }
        for i, name in enumerate(names)
    }
    settings = {f"a{i}": {"dExposureTime": 100.0 * (i + 1), "pDeviceSetting": DEVICE} for i in range(len(names))}
    return {
        "dTimeAbsolute": 2460761.25,
        "dCalibration": calibration or 1.0,
        "bCalibrated": calibration is not None,
        "wsObjectiveName": "Plan Apo 20x",
        "dObjectiveMag": -1.0,
        "dObjectiveNA": 0.75,
        "dRefractIndex1": 1.515,
        "sPicturePlanes": {
            "uiCount": len(names),
            "uiCompCount": len(names) * samples,
            "sPlaneNew": planes,
            "sSampleSetting": settings,
        },
    }


DEVICE = {"m_sMicroscopePhysFullName": "Nikon Ti2"}


def spectrum(*wavelengths: float) -> dict[str, Any]:
    """Return a spectrum with peaks of the same height."""
    points = {f"Point{i}": {"eType": 4, "dWavelength": nm, "dTValue": 0.0} for i, nm in enumerate(wavelengths)}
    return {"uiCount": len(points), "pPoint": points}


def description(names: Sequence[str]) -> str:
    """Return the text that NIS writes about the channels."""
    parts = [
        f"Plane #{i + 1}:\r\n Name: {name}\r\n Modality: Widefield\r\n  Multiplier: {i + 3}\r\n"
        f"     Line:2; ExW:{488 + i}; Power: 95.7; On\r\n"
        for i, name in enumerate(names)
    ]
    return "Metadata:\r\n" + "".join(parts)


def clx(content: Mapping[str, Any]) -> bytes:
    """Return a dictionary as a CLX Lite variant."""
    return b"".join(_record(name, value) for name, value in content.items())


def _record(name: str, value: Any) -> bytes:
    named = (name + "\0").encode("utf-16-le")
    kind, data = _value(value)
    head = struct.pack("BB", kind, len(named) // 2) + named
    if kind != LEVEL:
        return head + data
    return head + struct.pack("<IQ", len(value), len(head) + 12 + len(data)) + data + bytes(8 * len(value))


def _value(value: Any) -> tuple[int, bytes]:
    """Return the kind of a value and its bytes."""
    packers: tuple[tuple[type, int, Callable[[Any], bytes]], ...] = (
        (bool, BOOL, lambda x: struct.pack("B", x)),
        (int, UINT32, lambda x: struct.pack("<I", x)),
        (float, DOUBLE, lambda x: struct.pack("<d", x)),
        (bytes, BYTES, lambda x: struct.pack("<Q", len(x)) + x),
        (str, STRING, lambda x: (x + "\0").encode("utf-16-le")),
        (dict, LEVEL, clx),
        (list, LEVEL, lambda x: b"".join(_record("", item) for item in x)),
    )
    return next((kind, pack(value)) for known, kind, pack in packers if isinstance(value, known))


def xml(content: Mapping[str, Any]) -> bytes:
    """Return a dictionary as a CLX XML variant."""
    return f'<?xml version="1.0"?><variant version="1.0">{_element("no_name", content)}</variant>'.encode()


def _element(name: str, value: Any) -> str:
    if isinstance(value, Mapping):
        inner = "".join(_element(key, item) for key, item in value.items())
        return f'<{name} runtype="CLxListVariant">{inner}</{name}>'
    kind, text = "CLxStringW", str(value).replace("\r\n", "&#13;&#10;")
    if isinstance(value, bool):
        kind, text = "bool", str(value).lower()
    elif isinstance(value, int):
        kind = "lx_uint32"
    elif isinstance(value, float):
        kind = "double"
    return f'<{name} runtype="{kind}" value="{text}"/>'


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack("<IIQ", MAGIC, len(name), len(data)) + name + data


def write_legacy(path: Path, frames: Sequence[Array], channel: str) -> Path:
    """Write a file of JPEG 2000 boxes; one channel, frames of shape Y, X."""
    height, width = frames[0].shape
    bits = frames[0].itemsize * 8
    header = struct.pack(">I4s", 22, b"ihdr") + struct.pack(">iihBBBB", height, width, 1, bits - 1, 7, 0, 0)
    loop = _lists(
        {
            "Type": 8,
            "LoopPars": {"Period": {"a": {"Count": len(frames), "Start": 0.0, "Period": 250.0, "Duration": 0.0}}},
        }
    )
    plane = _lists({"OpticalConfigName": channel, "Color": 65280, "CompCount": 1})
    facts = (
        f"<Calibration runtype='double' value='0.5'/><Calibrated runtype='bool' value='true'/>"
        f"<ObjectiveName runtype='CLxStringW' value='Plan 10x'/><ObjectiveMag runtype='double' value='10'/>"
        f"<ObjectiveNA runtype='double' value='0.3'/><RefractIndex1 runtype='double' value='1'/>"
        f"<PicturePlanes><Count runtype='lx_uint32' value='1'/><CompCount runtype='lx_uint32' value='1'/>"
        f"<Plane><a0>{plane}</a0></Plane></PicturePlanes>"
    )
    boxes = [(b"jP  ", b"    ", b"\r\n\x87\n"), (b"jp2h", b"    ", header)]
    boxes.append((b"uuid", b"AIM1", f"<variant><Exp_V1>{loop}</Exp_V1></variant>".encode()))
    for frame in frames:
        boxes.append((b"uuid", b"VCAL", b"<variant><T runtype='double' value='1'/></variant>"))
        boxes.append((b"uuid", b"VIMD", f"<variant>{facts}</variant>".encode()))
        stream = imagecodecs.jpeg2k_encode(frame, codecformat="j2k", reversible=True, level=0)
        boxes.append((b"jp2c", b"LUNK", bytes(stream)))
    body, listed = b"", b""
    for box, kind, data in boxes:
        listed += struct.pack("<4s4sI", box, kind, len(body)) + bytes(4)
        body += struct.pack(">I4s", len(data) + 8, box) + data
    table = struct.pack(">I", len(boxes)) + listed
    path.write_bytes(body + table + LEGACY_SIGNATURE + struct.pack("<Q", len(table) + 40))
    return path


def _lists(content: Mapping[str, Any]) -> str:
    return "".join(_element(name, value) for name, value in content.items())
