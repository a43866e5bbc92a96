"""Small DICOM files of every coding, written by pydicom, with the pixels they hold."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
    SecondaryCaptureImageStorage,
    generate_uid,
)

Array = np.ndarray[Any, np.dtype[Any]]


def make_dicom(folder: Path) -> dict[Path, list[Array]]:
    """Write the files and return their images as T, C, Z, Y, X (and S)."""
    dice = np.random.default_rng(3)
    made: dict[Path, list[Array]] = {}

    def volume(dtype: str, frames: int = 1, samples: int = 1, top: int = 4096) -> Array:
        shape = (frames, 33, 27) if samples == 1 else (frames, 33, 27, samples)
        low = -top if dtype.startswith("i") else 0
        pixels: Array = dice.integers(low, top, shape).astype(dtype)
        return pixels

    for name, syntax, pixels in (
        ("implicit.dcm", ImplicitVRLittleEndian, volume("i2")),
        ("explicit.dcm", ExplicitVRLittleEndian, volume("u2", 3)),
        ("bytes.dcm", ExplicitVRLittleEndian, volume("u1", 2, top=256)),
        ("long.dcm", ExplicitVRLittleEndian, volume("u4", 2)),
        ("big_endian.dcm", ExplicitVRBigEndian, volume("u2", 2)),
        ("deflated.dcm", DeflatedExplicitVRLittleEndian, volume("u2")),
        ("rgb.dcm", ExplicitVRLittleEndian, volume("u1", 2, 3, 256)),
        ("rle.dcm", RLELossless, volume("i2", 2)),
        ("rle_rgb.dcm", RLELossless, volume("u1", 1, 3, 256)),
        ("jpeg2000.dcm", JPEG2000Lossless, volume("u2", 2)),
        ("jpeg_ls.dcm", JPEGLSLossless, volume("u2", 2)),
        ("jpeg_lossless.dcm", JPEGLosslessSV1, volume("u2")),
    ):
        made[write(folder / name, pixels, syntax)] = [canonical(pixels)]
    planes = volume("u1", 2, 3, 256)
    path = write(folder / "by_plane.dcm", planes, ExplicitVRLittleEndian, by_plane=True)
    made[path] = [canonical(planes)]
    movie = volume("u1", 4, top=256)
    path = write(folder / "movie.dcm", movie, ExplicitVRLittleEndian, FrameIncrementPointer=0x00181063, FrameTime=40.0)
    made[path] = [movie[:, None, None]]
    return made


def canonical(pixels: Array) -> Array:
    """Return frames as T, C, Z, Y, X (and S)."""
    return pixels[None, None]


def write(
    path: Path, pixels: Array, syntax: str = ExplicitVRLittleEndian, *, by_plane: bool = False, **more: Any
) -> Path:
    """Write frames of shape Z, Y, X (and S)."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[path.name])
    little, implicit = syntax != ExplicitVRBigEndian, syntax == ImplicitVRLittleEndian
    data = FileDataset(
        str(path), {}, file_meta=meta, preamble=b"\0" * 128, is_implicit_VR=implicit, is_little_endian=little
    )
    data.SOPClassUID = meta.MediaStorageSOPClassUID
    data.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    data.PatientName = "Nobody^Anna"
    data.Modality = "OT"
    data.Manufacturer = "Made up"
    data.Rows, data.Columns = pixels.shape[1:3]
    data.SamplesPerPixel = 3 if pixels.ndim == 4 else 1
    data.PhotometricInterpretation = "RGB" if pixels.ndim == 4 else "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = pixels.dtype.itemsize * 8
    data.HighBit = data.BitsStored - 1
    data.PixelRepresentation = int(pixels.dtype.kind == "i")
    if pixels.ndim == 4:
        data.PlanarConfiguration = int(by_plane)
    if len(pixels) > 1:
        data.NumberOfFrames = len(pixels)
    for keyword, value in more.items():
        setattr(data, keyword, value)
    data["PixelData"] = pydicom.DataElement(
        0x7FE00010, "OB" if pixels.dtype.itemsize == 1 else "OW", _bytes(pixels, syntax, by_plane=by_plane)
    )
    if syntax == RLELossless:
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data.compress(RLELossless)
    elif pydicom.uid.UID(syntax).is_compressed and syntax != DeflatedExplicitVRLittleEndian:
        data["PixelData"].VR = "OB"
        data["PixelData"].is_undefined_length = True
    data.save_as(path, enforce_file_format=True)
    return path


def _bytes(pixels: Array, syntax: str, *, by_plane: bool) -> bytes:
    encoders: dict[str, Callable[[Array], bytes | bytearray | memoryview]] = {
        JPEG2000Lossless: lambda frame: imagecodecs.jpeg2k_encode(frame, level=0, codecformat="j2k"),
        JPEGLSLossless: imagecodecs.jpegls_encode,
        JPEGLosslessSV1: lambda frame: imagecodecs.ljpeg_encode(frame, bitspersample=16),
    }
    if syntax in encoders:
        return encapsulate([bytes(encoders[syntax](frame)) for frame in pixels])
    stored = np.moveaxis(pixels, -1, 1) if by_plane else pixels
    content = stored.astype(stored.dtype.newbyteorder(">" if syntax == ExplicitVRBigEndian else "<")).tobytes()
    return content + b"\0" * (len(content) % 2)
