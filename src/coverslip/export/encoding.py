"""One item as a figure, and a figure as a file."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from coverslip.errors import ExportError
from coverslip.export.request import Output
from coverslip.export.writing import created, created_folder, digest, write
from coverslip.model import Cell
from coverslip.model.export import ExportSpec
from coverslip.model.rois import RoiShape
from coverslip.model.templates import Value, filled
from coverslip.ngff import write_once
from coverslip.render.export import (
    Figure,
    Fov,
    RawImage,
    Window,
    encode_figure,
    figure_of,
    raw_image,
    tiles_of,
    write_raw,
    write_tiles,
)
from coverslip.render.export.stored import stored

LARGEST_AT_ONCE = 1 << 28
"""Pixels of a picture that is drawn as a whole; larger ones are written tile by tile, where the format has tiles."""
TILE = 1024


@cache
def _version() -> str:
    return version("coverslip")  # reads a file each time


@dataclass(frozen=True, slots=True)
class Shown:
    """What one item shows."""

    fov: Fov
    spec: ExportSpec
    window: Window
    label: int | None
    """Of the cell that is shown alone."""
    values: Mapping[str, Cell]
    """For the caption."""
    look: str
    """Digest of the spec."""
    shape: RoiShape | None = None
    """Of a region, where it is drawn."""

    @property
    def figure(self) -> Figure:
        """All of it, drawn."""
        return figure_of(self.fov, self.spec, self.window, label=self.label, shape=self.shape, values=self.values)

    @property
    def provenance(self) -> dict[str, str]:
        """What the file says about itself. The manifest says the rest."""
        x0, y0, x1, y1 = self.window
        return {
            "Software": f"coverslip {_version()}",
            "Source": self.fov.name,
            "Item": str(self.values.get("item", self.fov.name)),
            "Region": f"{x0}:{x1}, {y0}:{y1}",
            "Marker set": self.spec.markers.name,
            "Look": self.look,
        }


@dataclass(frozen=True, slots=True)
class Written:
    """A file that is there."""

    checksum: str
    """SHA-256 in hexadecimal digits."""
    size: int
    details: dict[str, Any]


def make_file(item: Shown, output: Output, path: Path) -> Written:
    """Write the file of an item.

    Raises
    ------
    ExportError
        It cannot be drawn.
    StorageError
        It cannot be written.
    """
    if output.is_raw:
        return _raw(item, output, path)
    if _is_large(item, output):
        return _in_tiles(item, output, path)
    figure = item.figure
    return published(encode_figure(figure, output.file_format, item.provenance), details_of(figure), path)


def published(data: bytes, details: dict[str, Any], path: Path) -> Written:
    """Write bytes as a file."""
    write(path, data)
    return Written(hashlib.sha256(data).hexdigest(), len(data), details)


def make_piece(item: Shown, caption: str, path: Path) -> Written:
    """Draw an item of a gallery with its caption into a file that ``render.export.stored`` reads.

    Raises
    ------
    ExportError
        It cannot be drawn.
    InvalidRequestError
        The caption names something that the items do not have.
    StorageError
        It cannot be written.
    """
    figure = item.figure
    text = gallery_caption(caption, item.values, item.fov.name, item.spec, (figure.width, figure.height))
    write(path, stored(figure, text))
    return Written("", 0, details_of(figure))


def gallery_caption(
    template: str, values: Mapping[str, Cell], fov: str, spec: ExportSpec, size: tuple[int, int]
) -> str:
    """Return the caption of an item of a gallery.

    Parameters
    ----------
    template
        See ``model.templates``.
    values
        Of the item.
    fov
        Its field of view.
    spec
        Its look.
    size
        Width and height of its figure in pixels.

    Raises
    ------
    InvalidRequestError
        It names something that the items do not have.
    """
    known: dict[str, Value] = {
        **values,
        "fov": fov,
        "marker_set": spec.markers.name,
        "downsample": spec.downsample,
        "width": size[0],
        "height": size[1],
    }
    return filled(template, known)


def details_of(figure: Figure) -> dict[str, Any]:
    """Return what is noted about a figure."""
    details: dict[str, Any] = {"width": figure.width, "height": figure.height}
    if figure.bar is not None:
        details |= {"scale_bar_um": figure.bar.length_um, "scale_bar_px": figure.bar.drawn}
    if figure.notes:
        details["notes"] = list(figure.notes)
    return details


def _is_large(item: Shown, output: Output) -> bool:
    if output.file_format not in {"tiff", "ome-tiff"}:
        return False
    step = item.spec.downsample
    return (item.window.width // step) * (item.window.height // step) > LARGEST_AT_ONCE


def _in_tiles(item: Shown, output: Output, path: Path) -> Written:
    tiles = tiles_of(item.fov, item.spec, item.window, side=TILE)
    with created(path) as stream:
        write_tiles(stream, tiles, item.provenance, ome=output.file_format == "ome-tiff")
    return Written(*digest(path), details_of(tiles.figure))


def _raw(item: Shown, output: Output, path: Path) -> Written:
    """Write the pixels of the channels as they are."""
    fov, spec = item.fov, item.spec
    if spec.downsample != 1:
        raise ExportError(f"{fov.name}: pixels as they are have no downsampling", recoverable=False)
    alone = None if spec.isolate is None or item.label is None else (spec.isolate, item.label)
    image = raw_image(
        fov,
        spec.markers.channels,
        item.window,
        masks=[look.mask for look in spec.masks],
        pad=spec.pad,
        alone=alone,
        name=str(item.values.get("item", fov.name)),
        are_labels_apart=output.file_format == "ome-zarr",
    )
    if output.file_format == "ome-zarr":
        with created_folder(path) as folder:
            write_once(
                image,
                folder,
                version=output.zarr_version,
                windows=_windows(image, spec),
                attributes={"coverslip": item.provenance},
            )
    else:
        with created(path) as stream:
            ome = output.file_format == "ome-tiff"
            dpi = spec.print_dpi(image.metadata.size_x, image.metadata.size_y)
            write_raw(stream, image, item.provenance, ome=ome, dpi=dpi)
    height, width = image.where.full
    return Written(*digest(path), {"width": width, "height": height, "channels": len(image.planes)})


def _windows(image: RawImage, spec: ExportSpec) -> list[tuple[float, float] | None]:
    """Return the limits of contrast of the marker set; ``None`` where it has no upper one, or one below the lower."""
    looks = spec.markers.channels
    if not looks:
        return [None] * len(image.planes)
    return [None if one.high is None or one.high <= one.low else (one.low, one.high) for one in looks]
