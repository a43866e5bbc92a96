"""What somebody asks an export for: which pictures of what, how they look, where they go. Frozen values."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from coverslip.errors import InvalidRequestError
from coverslip.model.export import FILE_ENDINGS, ExportSpec, FileForm, Name, ScaleBar
from coverslip.model.exporting import ExportMode
from coverslip.model.metadata import Frozen
from coverslip.ngff import Version

SAME_FORMATS = {"jpg": "jpeg", "tif": "tiff", "ome.tif": "ome-tiff", "ome.tiff": "ome-tiff", "ome_tiff": "ome-tiff"}
SAME_FORMATS |= dict.fromkeys(("zarr", "ome.zarr", "ome_zarr"), "ome-zarr")
"""Other names of formats."""
RAW = ("tiff", "ome-tiff", "ome-zarr")
"""Formats that may hold pixels as they are."""

TEMPLATES: dict[ExportMode, str] = {"fov": "{fov}", "cells": "{fov}_cell_{label}", "rois": "{fov}_roi_{roi}"}
"""What files are called where nobody says otherwise."""
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Unit = Literal["px", "um"]
Contrast = Literal["batch", "image"]
MOST_GROWTH = 100


class CellChoice(Frozen):
    """Which cells of a table are exported, and how much around each. All that are meant are, however many."""

    table: Path | None = None
    """CSV, Parquet or AnnData (``.h5ad``); ``None`` is the ``cell_table*.csv`` beside the fields of view."""
    x: Name = "centroid-1"
    """Column with the centre along X in pixels at full resolution."""
    y: Name = "centroid-0"
    label: Name = "label"
    """Column with the number of the cell in the mask."""
    fov: Name = "fov"
    where: str | None = None
    """Filter expression; see ``export.filters``."""
    clusters: tuple[str, ...] = ()
    """Values of ``cluster_column``, any of them."""
    cluster_column: Name = "cluster"
    markers: dict[str, float] = Field(default_factory=dict)
    """Columns with the least value of each that a cell must have."""
    ids: tuple[int | str, ...] = ()
    """Labels, or ``FOV:label``."""
    box: Literal["centroid", "mask"] = "centroid"
    """A square around the centre, or what the cell takes up in the mask."""
    size: Positive = 128
    """Side of the square."""
    padding: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0
    """Added on every side."""
    smallest: Positive | None = None
    """Boxes around a mask are not smaller than this, along either side ..."""
    largest: Positive | None = None
    """... nor larger."""
    square: bool = False
    """Whether boxes around a mask have equal sides."""
    unit: Unit = "px"
    """Of size, padding, smallest and largest."""
    mask: Name = "whole_cell"
    """For ``box`` and ``isolate``."""
    isolate: bool = False
    """Whether neighbours are hidden: pixels of the mask that are not of the cell."""


class RoiChoice(Frozen):
    """Which regions of a table are exported, and how."""

    table: Path | None = None
    """A table in the format of ``roi_manager.csv``, GeoJSON, or ImageJ's ``.roi`` and ``.zip``; ``None`` is the table
    in ``.UELer`` beside the fields of view."""
    ids: tuple[str, ...] = ()
    """Identifiers or names; empty is all."""
    tags: str | None = None
    """Expression over tags: ``immune & !(dense | "two words")``."""
    own: bool = True
    """Whether a region's own marker set and visible masks are shown; without, all have those of the request."""
    shapes: bool = True
    """Whether lines and polygons are exported too: the rectangles around them."""
    grow: Annotated[int, Field(ge=-MOST_GROWTH, le=MOST_GROWTH)] = 0
    """Pixels by which every side of all regions is moved outwards, or inwards."""
    size: Annotated[int, Field(gt=0)] | None = None
    """Width and height for all, in the place of their own."""
    overrides: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """For single regions, by identifier or name: fields of the look, ``marker_set`` and ``size``."""


class Output(Frozen):
    """Files, and what happens to those that are there."""

    folder: Path
    file_format: FileForm = "png"
    name: str | None = None
    """Template of file names; ``None`` is that of the mode. See ``export.names``."""
    existing: Literal["refuse", "replace", "skip"] = "refuse"
    """What happens where a file is there already: the job does not begin, it is replaced, or kept as it is."""
    raw: bool = False
    """Whether a TIFF or OME-TIFF holds the pixels of channels and masks as they are, and not a picture; OME-Zarr always
    does."""
    zarr_version: Version = "0.5"
    """Of OME-Zarr: ``"0.5"`` is sharded Zarr 3, ``"0.4"`` is Zarr 2, which older programs read."""

    @property
    def is_raw(self) -> bool:
        """Whether pixels are written as they are."""
        return self.raw or self.file_format == "ome-zarr"

    @model_validator(mode="after")
    def _check(self) -> "Output":
        if self.raw and self.file_format not in RAW:
            raise ValueError(f"pixels as they are go into {', '.join(RAW)}, not into {self.file_format}")
        return self


class Separate(Frozen):
    """A file for each channel of an item, ``<name>_<channel>``, in the place of one for all of them."""

    merge: bool = False
    """Whether the picture of all channels is there too, under the name of the item; of one channel there is none."""
    same_color: bool = False
    """Whether channels of one colour share a file, ``<name>_merged_<channel>_<channel>``."""
    colors: Literal["own", "white"] = "own"
    """Of the single channels."""


class Gallery(Frozen):
    """All items on pages, in the place of one file for each."""

    rows: Annotated[int, Field(ge=1, le=100)] = 1
    columns: Annotated[int, Field(ge=1, le=100)] = 1
    caption: str = "{item} · {marker_set} · 1:{downsample}"
    """Below each item; see ``model.templates``."""
    title: str = ""
    """Above each page."""
    name: str = "gallery"
    """Of the file."""


class Sheet(Frozen):
    """A page in HTML with all items, beside their files."""

    side: Annotated[int, Field(ge=16, le=1024)] = 220
    """Longer side of its pictures in pixels."""
    caption: str = "{item}"
    """Below each item; see ``model.templates``."""
    title: str = "Contact sheet"


class Effort(Frozen):
    """How hard a job tries."""

    workers: Annotated[int, Field(ge=1, le=64)] = 2
    executor: Annotated[str, Field(pattern=r"^(threads|processes|dask://[^/\s]+)$")] = "threads"
    attempts: Annotated[int, Field(ge=1, le=20)] = 3
    """How often an item is tried where a disk or a network does not answer. Other errors are not tried again."""
    pause_s: Annotated[float, Field(ge=0, le=600)] = 0.5
    """Before the second attempt; twice as long before each further one."""
    per_second: Positive | None = None
    """Most items that are begun in a second, for shares that others use too."""
    changed: Literal["fail", "use"] = "fail"
    """Items of files that have changed since the job was planned fail, or show what is there now."""


class Request(Frozen):
    """All of it."""

    mode: ExportMode
    data: tuple[Path, ...]
    """Folders of fields of view, or image files."""
    images: tuple[Annotated[int, Field(ge=0)], ...] | None = None
    """Which image of each file, where ``data`` are files alone; ``None`` is the first, and looks into folders."""
    fovs: tuple[str, ...] | None = None
    """Names of fields of view; ``None`` is all."""
    t: Annotated[int, Field(ge=0)] = 0
    z: Annotated[int, Field(ge=0)] | None = None
    """The plane of a stack; ``None`` is the middle one."""
    look: ExportSpec = ExportSpec()
    contrast: Contrast = "batch"
    """Of channels without limits: one contrast for the whole job, or one for each field of view. See
    ``export.contrast``."""
    pixel_um: Positive | None = None
    """Height and width of a pixel in micrometres, of images that do not say it."""
    force_pixel_um: bool = False
    """Whether ``pixel_um`` counts for all images, whatever they say. Stitched maps have that of their descriptor."""
    cells: CellChoice = CellChoice()
    rois: RoiChoice = RoiChoice()
    output: Output
    gallery: Gallery | None = None
    separate: Separate | None = None
    contact_sheet: Sheet | None = None
    effort: Effort = Effort()

    @model_validator(mode="after")
    def _check(self) -> "Request":
        if self.images is not None and len(self.images) != len(self.data):
            raise ValueError(f"{len(self.data)} files, but {len(self.images)} numbers of images")
        if self.force_pixel_um and self.pixel_um is None:
            raise ValueError("force_pixel_um: state the size of a pixel too (pixel_um)")
        if self.gallery is not None and self.output.file_format != "pdf":
            raise ValueError("a gallery is a PDF: choose the format pdf")
        if self.output.is_raw and self.look.panels is not None:
            raise ValueError("pixels as they are have no panels: ask for separate channels")
        if self.separate is not None and self.look.panels is not None:
            raise ValueError("channels are in panels or in files of their own, not both")
        if self.output.is_raw and self.look.downsample != 1:
            raise ValueError("pixels as they are have no downsampling")
        return self


def file_format(name: str) -> FileForm:
    """Return the format of a name, ``jpg`` and ``tif`` among them.

    Raises
    ------
    InvalidRequestError
        There is none.
    """
    plain = name.strip().lower().removeprefix(".")
    plain = SAME_FORMATS.get(plain, plain)
    if plain not in FILE_ENDINGS:
        raise InvalidRequestError(f"there is no format {name!r}; there are: {', '.join(FILE_ENDINGS)}")
    return next(form for form in FILE_ENDINGS if form == plain)


def make[T: Frozen](kind: type[T], values: dict[str, Any], what: str) -> T:
    """Return a value of a kind.

    Raises
    ------
    InvalidRequestError
        Some of it makes no sense: all of that at once, each with its place.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, one['loc'])) or what}: {one['msg']}" for one in error.errors()]
        raise InvalidRequestError(f"{what}: {'; '.join(problems)}", problems) from error


def scale_bar_from(value: object) -> ScaleBar | None:
    """Return a scale bar from ``True``, a length in micrometres, a mapping or nothing.

    Raises
    ------
    InvalidRequestError
        It is something else.
    """
    if value is None or value is False:
        return None
    if value is True:
        return ScaleBar()
    if isinstance(value, ScaleBar):
        return value
    if isinstance(value, int | float):
        return make(ScaleBar, {"length_um": value}, "scale_bar")
    if isinstance(value, dict):
        return make(ScaleBar, value, "scale_bar")
    raise InvalidRequestError(f"scale_bar: expected true, a length in micrometres or its settings, found {value!r}")
