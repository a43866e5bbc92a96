"""What has to be read for a picture, and where it goes: decided from metadata alone."""

import math
from dataclasses import dataclass, replace
from typing import Literal

from coverslip.errors import InvalidRequestError, RegionError
from coverslip.model import ImageMetadata, RenderSpec
from coverslip.model.regions import Span
from coverslip.model.render import Axis, Crop, Projection
from coverslip.render.colors import is_transmitted
from coverslip.render.resample import fit

GAP = 4
"""Black pixels between the views of a multi-view."""

NARROWEST = 16
"""A multi-view needs this many columns."""


@dataclass(frozen=True, slots=True)
class View:
    """A box of pixels of one level, looked at along one axis."""

    level: int
    t: int
    axis: Axis
    """Along Z rows are Y and columns X; along Y, Z and X; along X, Z and Y."""
    z: Span
    y: Span
    x: Span
    kind: Literal["auto"] | Projection
    scale: float
    """How many full-resolution pixels along the axis one of this level stands for; sums are multiplied by it."""
    target: tuple[int, int]
    """Rows and columns of the picture."""

    @property
    def spans(self) -> tuple[Span, Span, Span]:
        """Z, Y and X."""
        return self.z, self.y, self.x

    @property
    def source(self) -> tuple[int, int]:
        """Rows and columns of the projected box."""
        rows, columns = (stop - start for axis, (start, stop) in enumerate(self.spans) if axis != self.axis)
        return rows, columns


@dataclass(frozen=True, slots=True)
class Sheet:
    """The views of a picture, each with its first row and column."""

    size: tuple[int, int]
    """Rows and columns."""
    views: tuple[tuple[View, int, int], ...]


def layout(meta: ImageMetadata, spec: RenderSpec) -> Sheet:
    """Return what a picture is made of.

    Raises
    ------
    RegionError
        The time point, slice, level or rectangle does not exist.
    InvalidRequestError
        A multi-view would not fit.
    """
    if spec.layout == "single":
        view = plan(meta, spec)
        return Sheet(view.target, ((view, 0, 0),))
    if spec.width < NARROWEST:
        raise InvalidRequestError(f"a multi-view needs a width of {NARROWEST} at least; this is {spec.width}")
    z, y, x = extents(meta)
    gap = GAP if spec.width >= 16 * GAP else 1
    # two columns are kept for views that would be thinner than a pixel
    scale = min(1.0, (spec.width - 2 * gap - 2) / (2 * x + y), spec.height / max(y, z))
    views, column = [], 0
    for axis, rows, columns in ((0, y, x), (1, z, x), (2, z, y)):
        target = max(1, math.floor(rows * scale + 1e-9)), max(1, math.floor(columns * scale + 1e-9))
        plain = spec.model_copy(update={"axis": axis, "z": spec.z if axis == 0 else None})
        views.append((_view(meta, plain, target), 0, column))
        column += target[1] + gap
    return Sheet((max(view.target[0] for view, _, _ in views), column - gap), tuple(views))


def plan(meta: ImageMetadata, spec: RenderSpec) -> View:
    """Return what must be read for a picture of a single view.

    Raises
    ------
    RegionError
        The time point, slice, level or rectangle does not exist.
    """
    if spec.crop is not None:
        return _cropped(meta, spec, spec.crop)
    axis = _axis(meta, spec)
    if spec.axis == 0:
        sizes: tuple[float, float] = (meta.size_z if axis == 1 else meta.size_y), meta.size_x
    else:
        z, y, x = extents(meta)
        sizes = z, (x if axis == 1 else y)
    width, height = fit(sizes[1], sizes[0], spec.width, spec.height)
    return _view(meta, spec, (height, width))


def extents(meta: ImageMetadata) -> tuple[float, float, float]:
    """Return the lengths Z, Y, X of the image in true proportion; pixels along X are 1 long.

    Where the file does not state two sizes in comparable units, the pixels are taken for cubes.
    """
    x, y, z = meta.get_voxel_size_micrometers()
    per_y = y / x if x and y else 1.0
    per_z = z / x if x and z else 1.0
    return meta.size_z * per_z, meta.size_y * per_y, float(meta.size_x)


def of_channel(meta: ImageMetadata, view: View, c: int) -> View:
    """Return the view of one channel, its kind decided: the maximum, or the middle slice of dark structures."""
    if view.kind != "auto":
        return view
    if not is_dark(meta, c):
        return replace(view, kind="max")
    start, stop = view.spans[view.axis]
    middle = start + (stop - start) // 2, start + (stop - start) // 2 + 1
    changes = {"zyx"[view.axis]: middle}
    return replace(view, kind="max", **changes)  # type: ignore[arg-type]  # a Span for one of z, y, x


def default_slice(meta: ImageMetadata) -> int | None:
    """Return the slice that is shown when nobody chooses one, or ``None`` where it is the maximum projection."""
    dark = meta.size_z > 1 and all(is_dark(meta, c) for c in range(meta.size_c))
    return meta.size_z // 2 if dark else None


def is_dark(meta: ImageMetadata, c: int) -> bool:
    """Return whether structures are darker than their surroundings."""
    return meta.file_format == "MRC" or is_transmitted(meta.channels[c])


def time_point(meta: ImageMetadata, t: int | None) -> int:
    """Return the time point chosen, or the middle one.

    Raises
    ------
    RegionError
        It does not exist.
    """
    return _existing("time point", meta.size_t // 2 if t is None else t, meta.size_t)


def _axis(meta: ImageMetadata, spec: RenderSpec) -> Axis:
    """Return the axis looked along; an x-z scan has no other face than the one along Y."""
    return 1 if spec.axis == 0 and meta.size_y == 1 and meta.size_z > 1 else spec.axis


def _view(meta: ImageMetadata, spec: RenderSpec, target: tuple[int, int]) -> View:
    """Return the view of a whole image; the coarsest level that is large enough, but for what is stretched anyway."""
    t = time_point(meta, spec.t)
    axis = _axis(meta, spec)
    is_scan = axis != spec.axis
    shapes = [(size.size_z, size.size_y, size.size_x) for size in meta.levels]
    faces = [tuple(length for k, length in enumerate(shape) if k != axis) for shape in shapes]
    needed = [min(pair) for pair in zip(target, faces[0], strict=True)]
    level = max(i for i, face in enumerate(faces) if i == 0 or all(a >= b for a, b in zip(face, needed, strict=True)))
    z, y, x = ((0, length) for length in shapes[level])
    kind: Literal["auto"] | Projection = spec.projection
    if spec.z is not None:
        z_chosen = _existing("slice", spec.z, meta.size_z)
        if not is_scan:
            at = int((z_chosen + 0.5) * shapes[level][0] / meta.size_z)
            z, kind = (at, at + 1), kind if axis else "max"
    if is_scan:
        kind = "max"  # of one row: the row itself
    return View(level, t, axis, z, y, x, kind, shapes[0][axis] / shapes[level][axis], target)


def _cropped(meta: ImageMetadata, spec: RenderSpec, crop: Crop) -> View:
    """Return the view of a rectangle of one level."""
    level = _existing("level", crop.level, len(meta.levels))
    size = meta.levels[level]
    x, y = (crop.x, crop.x + crop.width), (crop.y, crop.y + crop.height)
    for name, (start, stop), length in (("x", x, size.size_x), ("y", y, size.size_y)):
        if stop > length:
            raise RegionError(f"{name} {start}:{stop} lies outside level {level}, which has {name} 0:{length}")
    width, height = fit(crop.width, crop.height, spec.width, spec.height)
    z, kind = (0, size.size_z), spec.projection
    if spec.z is not None:
        at = int((_existing("slice", spec.z, meta.size_z) + 0.5) * size.size_z / meta.size_z)
        z, kind = (at, at + 1), "max"
    t = time_point(meta, spec.t)
    return View(level, t, 0, z, y, x, kind, meta.size_z / size.size_z, (height, width))


def _existing(name: str, chosen: int, length: int) -> int:
    if not 0 <= chosen < length:
        raise RegionError(f"{name} {chosen} does not exist; there are {length}, counted from 0")
    return chosen
