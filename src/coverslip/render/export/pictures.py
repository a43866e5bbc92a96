"""Fields of view, crops around cells and regions of interest become pictures."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from coverslip.errors import ExportError
from coverslip.model.export import ExportSpec
from coverslip.model.rois import Roi, RoiShape
from coverslip.model.templates import Value
from coverslip.render.export.composite import composite
from coverslip.render.export.figure import Figure, flatten, stamps
from coverslip.render.export.fov import Fov, taken
from coverslip.render.export.furniture import furnished
from coverslip.render.export.outlines import scaled_thickness
from coverslip.render.export.panels import with_panels
from coverslip.render.export.regions import Grid, Window, around, grid, of_roi, whole
from coverslip.render.export.shapes import with_shape

MAX_PIXELS = 1 << 30
"""Of a picture that is made at once."""


def render_fov_to_array(fov: Fov, spec: ExportSpec, *, region: Window | None = None) -> NDArray[np.uint8]:
    """Return a field of view, or a part of it, as a picture: uint8 of shape Y, X, 3 with everything drawn.

    Parameters
    ----------
    fov
        Its planes at full resolution.
    spec
        Marker set, downsampling, masks, annotation, scale bar and all else.
    region
        Pixels at full resolution; ``None`` is all of it.

    Raises
    ------
    MissingPartError
        It asks for a channel, mask or annotation that the field of view does not have.
    OutsideImageError
        The region has no pixel of it.
    ScaleBarError
        No true scale bar can be drawn.
    ExportError
        A plane is of another size, or not of real numbers.
    """
    return flatten(figure_of(fov, spec, whole(fov.size) if region is None else region))


def render_crop_to_array(
    fov: Fov,
    spec: ExportSpec,
    *,
    center_xy: tuple[float, float],
    size_px: int | tuple[int, int],
    label: int | None = None,
) -> NDArray[np.uint8]:
    """Return the surroundings of a place as a picture; raises what ``render_fov_to_array`` raises.

    Parameters
    ----------
    fov, spec
        As above.
    center_xy, size_px
        Pixels at full resolution, see ``regions.around``.
    label
        Of the cell that is shown alone where ``spec.isolate`` names a mask; ``None`` is the one at the centre.
    """
    return flatten(figure_of(fov, spec, around(center_xy, size_px), label=label, center_xy=center_xy))


def render_roi_to_array(fov: Fov, spec: ExportSpec, *, roi: Roi, grow: int = 0) -> NDArray[np.uint8]:
    """Return a region of interest as a picture; raises what ``render_fov_to_array`` raises.

    Parameters
    ----------
    fov, spec
        As above.
    roi
        In pixels at full resolution. Of a polygon or line it is the rectangle around it; ``spec.shape`` says whether
        the shape itself is drawn.
    grow
        Pixels added to every side, or taken away.
    """
    return flatten(figure_of(fov, spec, of_roi(roi, grow), shape=roi.shape))


def figure_of(
    fov: Fov,
    spec: ExportSpec,
    window: Window,
    *,
    label: int | None = None,
    center_xy: tuple[float, float] | None = None,
    shape: RoiShape | None = None,
    values: Mapping[str, Value] | None = None,
) -> Figure:
    """Return a window of a field of view as a picture with its marks as values, for writers that draw vectors.

    Parameters
    ----------
    fov, spec, window
        What is shown: see ``regions`` for windows of fields of view, crops, cells and regions.
    label, center_xy
        Which cell is shown alone where ``spec.isolate`` names a mask; without a label the one at the centre.
    shape
        Polygon or line of a region, for ``spec.shape``.
    values
        Further names for the caption.

    Raises
    ------
    MissingPartError, OutsideImageError, ScaleBarError, ExportError
        As ``render_fov_to_array`` says.
    InvalidRequestError
        The caption names something that is not there.
    """
    where = grid(window, fov.size, spec.downsample, pad=spec.pad, name=fov.name)
    if spec.panels is not None:

        def draw(one: ExportSpec) -> Figure:
            return figure_of(fov, one, window, label=label, center_xy=center_xy, shape=shape)

        return with_panels(draw, spec, _values(fov, spec, where) | dict(values or {}))
    if where.full[0] * where.full[1] > MAX_PIXELS:
        raise ExportError(f"a picture of {where.full[1]:,} x {where.full[0]:,} pixels can only be written in tiles")
    if spec.isolate is not None and label is None:
        label = _label_at(fov, spec.isolate, window, center_xy)
    pixels = composite(fov, spec, where, label=label)
    if where.full != where.shape:
        padded = np.empty((*where.full, 3), np.uint8)
        padded[:] = list(bytes.fromhex(spec.background[1:]))
        (y, x), (height, width) = where.offset, where.shape
        padded[y : y + height, x : x + width] = pixels
        pixels = padded
    bare = _bare(fov, spec, where, pixels)
    if shape is not None and spec.shape is not None:
        bare = with_shape(bare, spec.shape, shape, where, spec.background)
    return furnished(bare, spec, _values(fov, spec, where) | dict(values or {}))


def tiles_of(fov: Fov, spec: ExportSpec, window: Window, side: int = 512) -> "Tiles":
    """Return a picture tile by tile, for fields of view that are larger than memory.

    Tiles together are what ``flatten(figure_of(...))`` gives, pixel by pixel. Of a plane only what a tile shows, with
    a rim as wide as outlines are thick, is asked for at a time.

    Parameters
    ----------
    fov, spec, window
        As in ``figure_of``. What would lie beside the picture (a legend below or right, colour bar, caption) and
        padding have no place in tiles.
    side
        Rows and columns of a tile.

    Raises
    ------
    ExportError
        The spec asks for what has no place in tiles; and all that ``figure_of`` raises for one.
    """
    is_beside = spec.legend is not None and spec.legend.place != "inside"
    has_more = spec.caption is not None or spec.color_bar is not None or spec.panels is not None
    if spec.pad or has_more or is_beside or spec.isolate is not None:
        raise ExportError(
            "a picture written in tiles has no padding, panels, caption, or anything beside it", recoverable=False
        )
    where = grid(window, fov.size, spec.downsample, pad=False, name=fov.name)
    blank = np.broadcast_to(np.zeros((1, 1, 3), np.uint8), (*where.full, 3))  # places are worked out, no pixel is
    return Tiles(fov, spec, where, furnished(_bare(fov, spec, where, blank), spec, _values(fov, spec, where)), side)


class Tiles:
    """A picture that is made tile by tile.

    Parameters
    ----------
    fov, spec, where
        What is shown.
    figure
        Marks, bar, size and notes; its pixels are blank.
    side
        Rows and columns of a tile.
    """

    def __init__(self, fov: Fov, spec: ExportSpec, where: Grid, figure: Figure, side: int) -> None:
        self.figure = figure
        self.shape = (*where.shape, 3)
        self.side = side
        self._fov, self._spec, self._where = fov, spec, where
        self._stamps = tuple(stamps(figure.marks, (figure.height, figure.width)))
        looks = [look.thickness for look in spec.masks]
        looks += [] if fov.paint is None or spec.cells is None else [fov.paint.thickness]
        self._rim = max((scaled_thickness(one, where.step) for one in looks), default=0)

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        """Yield tiles row by row: uint8 of shape Y, X, 3, smaller at the right and lower edge."""
        height, width = self._where.shape
        for y in range(0, height, self.side):
            for x in range(0, width, self.side):
                yield self.tile((y, min(height, y + self.side)), (x, min(width, x + self.side)))

    def tile(self, rows: tuple[int, int], columns: tuple[int, int]) -> NDArray[np.uint8]:
        """Return some rows and columns of the picture."""
        height, width = self._where.shape
        y0, y1 = max(0, rows[0] - self._rim), min(height, rows[1] + self._rim)
        x0, x1 = max(0, columns[0] - self._rim), min(width, columns[1] + self._rim)
        wider = composite(self._fov, self._spec, self._where.part((y0, y1), (x0, x1)))
        tile = np.ascontiguousarray(wider[rows[0] - y0 : rows[1] - y0, columns[0] - x0 : columns[1] - x0])
        for stamp in self._stamps:
            stamp.press(tile, columns[0], rows[0])
        return tile


def _bare(fov: Fov, spec: ExportSpec, where: Grid, pixels: NDArray[np.uint8]) -> Figure:
    height, width = pixels.shape[:2]
    size = fov.pixel_um
    return Figure(
        pixels=pixels,
        width=width,
        height=height,
        paper=spec.margin_color,
        pixel_um=None if size is None else (size[0] * spec.downsample, size[1] * spec.downsample),
        window=where.asked,
        dpi=spec.print_dpi(width, height),
    )


def _values(fov: Fov, spec: ExportSpec, where: Grid) -> dict[str, Value]:
    """Return what a caption can name."""
    pixel = None if fov.pixel_um is None else fov.pixel_um[1] * spec.downsample
    return {
        "fov": fov.name,
        "item": fov.name,
        "marker_set": spec.markers.name,
        "width": where.full[1],
        "height": where.full[0],
        "downsample": spec.downsample,
        "x": where.asked.x0,
        "y": where.asked.y0,
        "pixel_size_um": None if pixel is None else float(f"{pixel:.6g}"),
    }


def _label_at(fov: Fov, mask: str, window: Window, center_xy: tuple[float, float] | None) -> int:
    """Return the label at the centre of a window, or at the place it was cut around."""
    x, y = ((window.x0 + window.x1) // 2, (window.y0 + window.y1) // 2) if center_xy is None else map(int, center_xy)
    height, width = fov.size
    found = taken(fov.mask(mask), slice(y, y + 1), slice(x, x + 1)) if 0 <= y < height and 0 <= x < width else None
    if found is None or not found.any():
        raise ExportError(f"{fov.name}: mask {mask!r} has no object at {x}, {y} that could be shown alone")
    return int(found[0, 0])
