"""How a field of view, a cell or a region becomes a published picture: frozen values, the same for every item."""

import hashlib
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from coverslip.model.metadata import Finite, Frozen
from coverslip.model.render import Lut

Corner = Literal["lower right", "lower left", "upper right", "upper left"]
Resampling = Literal["nearest", "area"]
"""``nearest``: every n-th pixel, as it is. ``area``: the mean of n by n pixels, less noisy; labels, which have no mean,
are then those of the middle pixel."""
MaskMode = Literal["outline", "fill"]
FileForm = Literal["png", "jpeg", "webp", "tiff", "ome-tiff", "svg", "pdf", "ome-zarr"]
"""Kinds of files that hold one item: a picture, but ``ome-zarr`` is a folder with the pixels as they are."""
FILE_ENDINGS: dict[FileForm, str] = {
    "png": ".png",
    "jpeg": ".jpg",
    "webp": ".webp",
    "tiff": ".tif",
    "ome-tiff": ".ome.tif",
    "svg": ".svg",
    "pdf": ".pdf",
    "ome-zarr": ".ome.zarr",
}

NAMED_COLORS = {
    "red": "#ff0000",
    "green": "#00ff00",
    "blue": "#0000ff",
    "yellow": "#ffff00",
    "cyan": "#00ffff",
    "magenta": "#ff00ff",
    "orange": "#ffa500",
    "purple": "#800080",
    "brown": "#a52a2a",
    "pink": "#ffc0cb",
    "gray": "#808080",
    "grey": "#808080",
    "black": "#000000",
    "white": "#ffffff",
}
"""Names that marker sets use. ``green`` is full green, as it is in the viewers that write them."""


def _hex(value: object) -> object:
    """Return a name or a short form as ``#rrggbb``; anything else as it is."""
    if not isinstance(value, str):
        return value
    text = value.strip().lower()
    if len(text) == 4 and text.startswith("#"):
        text = "#" + "".join(2 * digit for digit in text[1:])
    return NAMED_COLORS.get(text, text)


HexColor = Annotated[str, BeforeValidator(_hex), Field(pattern="^#[0-9a-f]{6}$")]
"""``#rrggbb``; the names of ``NAMED_COLORS`` and ``#rgb`` are turned into it."""
Name = Annotated[str, Field(min_length=1, max_length=256)]
Share = Annotated[float, Field(ge=0, le=1)]


class ChannelLook(Frozen):
    """How one channel is shown."""

    channel: Name
    """Its exact name."""
    color: HexColor = "#ffffff"
    low: Finite = 0.0
    """Intensity shown as black, in the units of the pixels."""
    high: Finite | None = None
    """Intensity shown in the full colour. Not above ``low``: a threshold, everything brighter than ``low`` has the full
    colour. ``None``: exports measure it, and ``low`` where nobody gave that (``export.contrast``); where nobody
    measures, it is ``low`` + 1."""
    gamma: Annotated[float, Field(ge=0.1, le=10)] = 1.0
    """Exponent of brightness; below 1 lightens the dark."""
    lut: Lut | None = None
    """A lookup table in the place of the colour."""
    aliases: tuple[Name, ...] = ()
    """Other exact names of the channel, tried in their order where a field of view does not have the first."""


class MarkerSet(Frozen):
    """Channels that are shown together."""

    name: Name
    channels: Annotated[tuple[ChannelLook, ...], Field(max_length=256)] = ()

    @model_validator(mode="after")
    def _check(self) -> "MarkerSet":
        names = [look.channel for look in self.channels]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"channel {twice[0]!r} is there twice")
        return self


class MaskLook(Frozen):
    """How the objects of a mask are shown, all in one colour."""

    mask: Name
    color: HexColor = "#ffffff"
    alpha: Share = 1.0
    mode: MaskMode = "outline"
    thickness: Annotated[int, Field(ge=1, le=100)] = 1
    """Of the outline, in pixels at full resolution; see ``render.export.outlines.scaled_thickness``."""


class CellClass(Frozen):
    """How the cells of one class are shown."""

    value: str
    """Of the column, as text."""
    color: HexColor
    alpha: Share = 0.35
    """How opaque a fill is."""
    mode: MaskMode = "fill"
    visible: bool = True


class Ramp(Frozen):
    """Colours for a number: the column's value from ``low`` to ``high`` along a lookup table."""

    lut: Lut = "viridis"
    low: Finite
    high: Finite
    cofactor: Annotated[float, Field(gt=0)] | None = None
    """``arcsinh(value / cofactor)`` is shown in place of the value; ``low`` and ``high`` are then of that."""
    alpha: Share = 0.35
    mode: MaskMode = "fill"


class CellLook(Frozen):
    """Each cell in a colour of its own, from a column of the cell table."""

    mask: Name
    column: Name
    label_column: Name = "label"
    classes: Annotated[tuple[CellClass, ...], Field(max_length=4096)] = ()
    ramp: Ramp | None = None
    """For numbers; instead of ``classes``."""
    default: CellClass | None = None
    """Cells of any other class; ``None`` leaves them as they are."""
    borders: bool = True
    border_color: HexColor | None = None
    """``None``: the colour of the cell itself."""
    border_alpha: Share = 1.0
    thickness: Annotated[int, Field(ge=1, le=100)] = 1

    @model_validator(mode="after")
    def _check(self) -> "CellLook":
        if self.ramp is not None and self.classes:
            raise ValueError("cells are coloured by classes or along a ramp, not both")
        if self.ramp is not None and self.ramp.low >= self.ramp.high:
            raise ValueError(f"ramp {self.ramp.low} to {self.ramp.high}: the first must be the smaller one")
        return self


class AnnotationClass(Frozen):
    """One class of an annotation raster."""

    value: Annotated[int, Field(ge=0, le=65535)]
    color: HexColor
    name: str = ""


class AnnotationLook(Frozen):
    """How the classes of a raster annotation are laid over the picture."""

    annotation: Name
    classes: Annotated[tuple[AnnotationClass, ...], Field(max_length=4096)] = ()
    alpha: Share = 0.5
    default_color: HexColor = "#a0a0a0"
    """Of numbers that are not among the classes; 0, the background, is one of them."""
    background: bool = True
    """Whether 0 is coloured too."""


class ScaleBar(Frozen):
    """A scale bar, and how it looks. Sizes that are ``None`` follow the size of the picture."""

    length_um: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Fixed length; ``None`` is the largest of {1, 2, 5} times a power of ten that fits into ``fraction``."""
    fraction: Annotated[float, Field(gt=0, le=0.5)] = 0.1
    """Largest part of the picture's width."""
    same_for_all: bool = False
    """Whether all items of an export have the length that fits the narrowest: whoever runs it replaces ``length_um``
    by ``render.scale_bar.common_length``."""
    corner: Corner = "lower right"
    color: HexColor = "#ffffff"
    backing: HexColor | None = None
    """Colour of a box behind bar and label. ``None``: there is one, black or white, where masks, cells, annotation or
    shapes are drawn, in which the bar could be lost; a ``backing_alpha`` of 0 leaves that out."""
    backing_alpha: Share = 0.8
    thickness: Annotated[int, Field(ge=1, le=1000)] | None = None
    """Height of the bar in pixels of the picture."""
    label: bool = True
    font_size: Annotated[float, Field(ge=4, le=1000)] | None = None
    """Height of the text in pixels of the picture. Text that is wider than the picture is made smaller."""
    bold: bool = False
    margin: Annotated[int, Field(ge=0, le=1000)] | None = None
    """Distance to the edges in pixels of the picture."""
    refused: Literal["fail", "omit"] = "fail"
    """What happens where no true bar can be drawn: the item fails, or has none and a note says why."""


class Legend(Frozen):
    """Names of what is shown, each in its colour."""

    channels: bool = True
    classes: bool = True
    """Of cells and annotations."""
    place: Literal["inside", "below", "right"] = "inside"
    corner: Corner = "upper left"
    """Where inside."""
    font_size: Annotated[float, Field(ge=4, le=1000)] | None = None
    backing: HexColor | None = None
    backing_alpha: Share = 0.6


class ColorBar(Frozen):
    """The colours of a ramp with its ends, beside the picture."""

    title: str | None = None
    """``None`` is the name of the column."""
    font_size: Annotated[float, Field(ge=4, le=1000)] | None = None


class Caption(Frozen):
    """A line of text below the picture."""

    template: Annotated[str, Field(max_length=4096)] = "{fov}"
    """Python's ``str.format`` over the values of the item: ``fov``, ``item``, ``marker_set``, ``width``, ``height``,
    ``downsample``, ``x``, ``y``, ``pixel_size_um`` and those the caller adds."""
    font_size: Annotated[float, Field(ge=4, le=1000)] | None = None
    color: HexColor = "#000000"


class Panels(Frozen):
    """Each channel in a picture of its own beside all of them together, in one figure."""

    merge: Literal["last", "first", "none"] = "last"
    """Where the picture of all channels stands; of one channel alone there is none."""
    colors: Literal["own", "white"] = "own"
    """Of the single channels; in the picture of all of them each has its own."""
    same_color: bool = False
    """Whether channels of one colour share a panel."""
    overlays: Literal["all", "merge"] = "all"
    """Which panels have masks, cells and annotation."""
    scale_bar: Literal["merge", "all"] = "merge"
    """Which panels have the scale bar; without a merge it is the last one."""
    columns: Annotated[int, Field(ge=1, le=100)] | None = None
    """Panels in a row; ``None`` is all of them."""
    gap: Annotated[int, Field(ge=0, le=1000)] | None = None
    """Pixels between panels, in ``margin_color``; ``None`` follows their size."""
    labels: Literal["inside", "above", "none"] = "inside"
    """Where the names of channels are: in the upper left corner in their colours, lightened where they could not be
    read, or above the panel."""
    merge_label: Annotated[str, Field(max_length=256)] = "Merge"
    font_size: Annotated[float, Field(ge=4, le=1000)] | None = None
    backing: HexColor | None = None
    """Colour of a box behind labels inside."""
    backing_alpha: Share = 0.6


class ShapeLook(Frozen):
    """What becomes of the polygon or line of a region of interest; its rectangle is exported in any case."""

    outline: bool = True
    color: HexColor = "#ffffff"
    thickness: Annotated[float, Field(gt=0, le=100)] | None = None
    """In pixels of the picture."""
    clip: bool = False
    """Whether what lies outside a polygon is filled with the background."""


class ExportSpec(Frozen):
    """How each item of an export becomes a picture. The defaults are the profile described in decision 0078."""

    markers: MarkerSet = MarkerSet(name="none")
    downsample: Annotated[int, Field(ge=1, le=1024)] = 1
    """Pixels of the image along one side of a pixel of the picture."""
    resampling: Resampling = "nearest"
    masks: Annotated[tuple[MaskLook, ...], Field(max_length=64)] = ()
    """Later ones lie over earlier ones."""
    cells: CellLook | None = None
    annotation: AnnotationLook | None = None
    image: bool = True
    """Whether the channels are shown; without, masks and annotation lie on ``background``."""
    pad: bool = False
    """Whether what lies outside the image is filled with ``background``, so that crops at an edge keep their size."""
    isolate: Name | None = None
    """Mask by which neighbours are hidden: of a crop around a cell, only the pixels of that cell are shown."""
    background: HexColor = "#000000"
    shape: ShapeLook | None = None
    """Of regions that have one; ``None`` shows nothing of it."""
    scale_bar: ScaleBar | None = None
    legend: Legend | None = None
    color_bar: ColorBar | None = None
    caption: Caption | None = None
    panels: Panels | None = None
    margin_color: HexColor = "#ffffff"
    """Of the paper around the picture, where there is a caption, a colour bar or a legend beside it."""
    dpi: Annotated[float, Field(ge=1, le=10_000)] = 300.0
    """Pixels of the picture on an inch of paper."""
    figure_size: tuple[Annotated[float, Field(gt=0, le=1000)], Annotated[float, Field(gt=0, le=1000)]] | None = None
    """Width and height of the paper in inches that the picture is fitted to, in place of ``dpi``. No pixel changes."""

    @property
    def digest(self) -> str:
        """Short stable digest of everything that is asked for."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]

    def print_dpi(self, width: int, height: int) -> float:
        """Return the pixels per inch of a picture of this size."""
        if self.figure_size is None:
            return self.dpi
        return max(width / self.figure_size[0], height / self.figure_size[1])
