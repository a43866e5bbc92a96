"""Comparison with ``expected.json``: what independent reference readers found in a folder of real files."""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coverslip.errors import ImageLoadError, UnsupportedFormatError
from coverslip.model import ImageMetadata, PhysicalSize
from coverslip.readers import Image, open_image

if TYPE_CHECKING:
    from coverslip.model.protocols import Array

READERS: Mapping[str, str] = {
    "tiff": "tiff",
    "czi": "czi",
    "nd2f": "nd2",
    "lif": "lif",
    "mrc": "mrc",
    "zarrs": "ome-zarr",
}
"""Names of the reference readers, and which of ours they stand for. Others are not compared."""
LISTED_IMAGES = 20
"""``expected.json`` lists no more images of a file than these."""


@dataclass(frozen=True, slots=True)
class OracleReport:
    """How one reader did on a folder of real files."""

    reader: str
    right: tuple[str, ...]
    """Files whose images all came out as expected."""
    refused: tuple[str, ...]
    """Files that did not open or read, each with the reason."""
    wrong: tuple[str, ...]
    """Files that came out differently, each with what differs."""

    @property
    def line(self) -> str:
        """The result in one line."""
        return f"{self.reader}: {len(self.right)} right, {len(self.refused)} refused, {len(self.wrong)} wrong"


def check_against_expected(samples: Path, reader: str) -> OracleReport:
    """Return how a reader's images compare with ``expected.json`` in a folder of samples.

    Parameters
    ----------
    samples
        The folder; paths in ``expected.json`` are relative to it.
    reader
        Name of the entry point, such as ``"mrc"``.
    """
    documents: Mapping[str, Any] = json.loads((samples / "expected.json").read_text())
    right, refused, wrong = [], [], []
    for name, document in documents.items():
        if READERS.get(document["reader"]) != reader:
            continue
        try:
            problems = list(_compare_file(samples / name, reader, document))
        except ImageLoadError as error:
            refused.append(str(error))
            continue
        if problems:
            wrong.append(f"{name}: {'; '.join(problems)}")
        else:
            right.append(name)
    return OracleReport(reader, tuple(right), tuple(refused), tuple(wrong))


def _compare_file(path: Path, reader: str, document: Mapping[str, Any]) -> Iterator[str]:
    """Return what differs. Where the reference reader itself failed, ours must read or say that it is no image."""
    if "error" in document:
        try:
            with open_image(path, alone=True) as file:
                file.images[0].plane()
        except UnsupportedFormatError:
            return
        return
    with open_image(path, alone=True) as file:
        if file.reader != reader:
            yield f"opened by the reader {file.reader!r}"
        expected = document["images"]
        images = file.images[:LISTED_IMAGES]
        if len(images) != len(expected):
            yield f"{len(file.images)} images instead of {len(expected)}"
            return
        for index, (image, item) in enumerate(zip(images, expected, strict=True)):
            yield from (f"image {index}: {problem}" for problem in _compare(image, item))


def _compare(image: Image, expected: Mapping[str, Any]) -> Iterator[str]:
    meta = image.metadata
    if meta.dtype != expected["dtype"]:
        yield f"dtype {meta.dtype} instead of {expected['dtype']}"
    pixels = image.to_numpy()
    if "canonical_shape" in expected:
        if list(meta.shape) != expected["canonical_shape"]:
            yield f"shape {meta.shape} instead of {expected['canonical_shape']}"
            return
        t, c, z = (length - 1 for length in meta.shape[:3])
        hashes = {
            "whole_sha256": _digest(pixels),
            "plane_000_sha256": _digest(image.plane()),
            "last_plane_sha256": _digest(image.plane(t=t, c=c, z=z)),
        }
        yield from (f"{key} differs" for key, digest in hashes.items() if digest != expected[key])
    yield from _compare_channels(meta, expected.get("channel_names"))
    for axis, wanted in _wanted_sizes(meta, expected):
        found: PhysicalSize | None = getattr(meta, f"pixel_size_{axis}")
        if not _same(None if found is None else found.micrometers, wanted):
            yield f"pixel size {axis} {found} instead of {wanted} um"


def _compare_channels(meta: ImageMetadata, expected: Sequence[str] | None) -> Iterator[str]:
    """Return a complaint unless the channel names stand among the expected ones, in order."""
    remaining = iter(expected or ())
    names = [channel.name for channel in meta.channels]
    if expected and not all(name in remaining for name in names):
        yield f"channels {names} instead of {expected}"


def _wanted_sizes(meta: ImageMetadata, expected: Mapping[str, Any]) -> Iterator[tuple[str, float | None]]:
    """Return the pixel sizes that are stated, in micrometres; zero and not-a-number mean unknown."""
    if "pixel_size_um_yx" in expected:
        yield from zip("yx", expected["pixel_size_um_yx"] or (None, None), strict=True)
    for key, factor in (("pixel_size_um", 1.0), ("voxel_size_angstrom", 1e-4)):
        for axis, value in (expected.get(key) or {}).items():
            if axis != "z" or meta.size_z > 1:
                yield axis, None if value is None else value * factor
    for axis, value in zip(expected.get("axes", ()), expected.get("scale", ()), strict=True):
        if axis["name"] in tuple("zyx"):
            yield axis["name"], value if axis.get("unit") == "micrometer" else None


def _same(found: float | None, wanted: float | None) -> bool:
    if wanted is None or not math.isfinite(wanted) or wanted <= 0:
        return found is None
    return found is not None and math.isclose(found, wanted, rel_tol=1e-5)


def _digest(pixels: "Array") -> str:
    """Return the SHA-256 of the pixels, little-endian and in C order."""
    return hashlib.sha256(pixels.astype(pixels.dtype.newbyteorder("<"), order="C", copy=False).tobytes()).hexdigest()
