"""The images that DICOM files make: frames of one file, or the stacks of a series."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coverslip.model import ChannelInfo, ImageMetadata, PhysicalSize, Region
from coverslip.readers.dicom.instance import Frames, Instance
from coverslip.readers.dicom.metadata import (
    numbers,
    parse_acquired_at,
    parse_microscope,
    parse_slice_distance,
    parse_spacing,
    parse_time_increment,
    parse_vendor,
    value,
)
from coverslip.readers.dicom.pixels import PixelFormat
from coverslip.readers.dicom.stacks import Slice, Stack
from coverslip.readers.planes import gather
from coverslip.readers.vendor_metadata import bounded, json_document, optional, words

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from coverslip.model.protocols import Array

UNKNOWN: tuple[PhysicalSize | None, PhysicalSize | None] = (None, None)


class FrameImage:
    """All frames of one file in the order in which they are stored, as slices or as moments."""

    def __init__(self, frames: Frames, instance: Instance, dataset: "Dataset", *, in_time: bool) -> None:
        self._frames = frames
        self._instance = instance
        self._in_time = in_time
        count = instance.count
        notes = _rescaled(*_rescale(dataset)) + _shown(instance.kind)
        if count > 1:
            notes.append("frames are time points" if in_time else "frames are slices")
        distance = optional(lambda: parse_slice_distance(dataset), None) if count > 1 and not in_time else None
        step = optional(lambda: parse_time_increment(dataset), None) if count > 1 and in_time else None
        self.metadata = describe(
            dataset,
            instance.kind,
            name=instance.path.name,
            size_t=count if in_time else 1,
            size_z=1 if in_time else count,
            pixel_size_z=distance,
            time_increment_s=step,
            source_axes=("IYX" if count > 1 else "YX") + ("S" if instance.kind.samples == 3 else ""),
            note="; ".join(notes) or None,
        )

    def read(self, level: int, region: Region) -> "Array":
        """Return the pixels of a resolved region; there is only level 0."""
        in_time = self._in_time
        return gather(self.metadata, region, lambda t, _c, z: self._frames.frame(self._instance, t if in_time else z))


class StackImage:
    """Slices that were put in order by where they are, of one file or of many."""

    def __init__(
        self, frames: Frames, stack: Stack, dataset: "Dataset", name: str, more_notes: Sequence[str] = ()
    ) -> None:
        self._frames = frames
        self._stack = stack
        slices = stack.slices
        kind = slices[0].instance.kind
        files = {item.instance.path for item in slices}
        scales = sorted({(item.slope, item.intercept) for item in slices})
        notes = _rescaled(*scales[0]) if len(scales) == 1 else []
        if len(scales) > 1:
            notes = ["stored values; slope and intercept differ from slice to slice and are in the vendor document"]
        notes += _shown(kind)
        if len(files) > 1:
            notes.append(f"{len(files)} files of one series, in the order of their places")
        echoes = [stack.at(0, c, 0).echo for c in range(stack.size_c)] if stack.size_c > 1 else []
        self.metadata = describe(
            dataset,
            kind,
            name=name,
            size_t=stack.size_t,
            size_c=stack.size_c,
            size_z=stack.size_z,
            pixel_size_z=PhysicalSize.known(stack.spacing_mm, "mm"),
            channels=tuple(ChannelInfo(index=c, name=f"echo at {echo:g} ms") for c, echo in enumerate(echoes)),
            source_axes="IYX" + ("S" if kind.samples == 3 else ""),
            note="; ".join([*notes, *stack.notes, *more_notes]) or None,
            slices=[_slice_document(item) for item in slices],
        )

    def read(self, level: int, region: Region) -> "Array":
        """Return the pixels of a resolved region; there is only level 0."""

        def plane(t: int, c: int, z: int) -> "Array":
            item = self._stack.at(t, c, z)
            return self._frames.frame(item.instance, item.frame)

        return gather(self.metadata, region, plane)


def describe(
    dataset: "Dataset",
    kind: PixelFormat,
    *,
    name: str,
    slices: Sequence[dict[str, Any]] = (),
    **known: Any,
) -> ImageMetadata:
    """Return the metadata of an image.

    Parameters
    ----------
    dataset
        Of its first file.
    kind
        Of its frames.
    name
        Of the image.
    slices
        One document for each slice of a series.
    **known
        More fields of ``ImageMetadata``; those given here win.
    """
    x, y = optional(lambda: parse_spacing(dataset), UNKNOWN)
    document = {"transfer_syntax": kind.syntax, **parse_vendor(dataset)}
    if slices:
        document["slices"] = list(slices)
    if kind.samples == 3 and not known.get("channels"):
        known["channels"] = tuple(ChannelInfo(index=c, name="RGB") for c in range(known.get("size_c", 1)))
    fields: dict[str, Any] = {
        "file_format": "DICOM",
        "format_variant": str(value(dataset, "Modality") or "") or None,
        "size_y": kind.rows,
        "size_x": kind.columns,
        "samples": kind.samples,
        "dtype": kind.dtype,
        "pixel_size_x": x,
        "pixel_size_y": y,
        "microscope": optional(lambda: parse_microscope(dataset), None),
        "acquired_at": optional(lambda: parse_acquired_at(dataset), None),
        "vendor": bounded(json_document(document)),
    }
    return ImageMetadata(name=name, **(fields | known))


def series_name(dataset: "Dataset", folder: Path) -> str:
    """Return what a series is called: its description, its protocol, or the folder it lies in."""
    named = words(value(dataset, "SeriesDescription")) or words(value(dataset, "ProtocolName"))
    return named or folder.name or "series"


def _slice_document(item: Slice) -> dict[str, Any]:
    return {
        "file": item.instance.path.name,
        "frame": item.frame,
        "ImagePositionPatient": list(item.position),
        "RescaleSlope": item.slope,
        "RescaleIntercept": item.intercept,
    }


def _rescale(dataset: "Dataset") -> tuple[float, float]:
    slope, intercept = numbers(dataset, "RescaleSlope") or [1.0], numbers(dataset, "RescaleIntercept") or [0.0]
    return slope[0], intercept[0]


def _rescaled(slope: float, intercept: float) -> list[str]:
    if (slope, intercept) == (1.0, 0.0):
        return []
    return [f"stored values; real ones are {slope:g} x value + {intercept:g}"]


def _shown(kind: PixelFormat) -> list[str]:
    """Return what the file asks of whoever shows it."""
    notes = []
    if kind.photometric == "MONOCHROME1":
        notes.append("meant to be shown inverted (MONOCHROME1)")
    if kind.photometric == "PALETTE COLOR":
        notes.append("pixels are places in a palette, which is not applied")
    return notes
