"""What an item is drawn from: the pixels of one field of view, by exact names."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from coverslip.errors import ExportError, MissingAnnotationError, MissingChannelError, MissingMaskError
from coverslip.model.export import ChannelLook
from coverslip.render.export.cells import CellPaint


class Pixels(Protocol):
    """A plane of pixels, Y, X: a NumPy array, or anything that gives one for a pair of slices (with steps)."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns."""
        ...

    @property
    def dtype(self) -> Any:
        """Type of the pixels."""
        ...

    def __getitem__(self, key: tuple[slice, slice], /) -> Any: ...


@dataclass(frozen=True, slots=True, eq=False)
class Fov:
    """One field of view. All planes are at full resolution and of one size."""

    name: str
    channels: Mapping[str, Pixels]
    """Planes Y, X of real numbers, by exact name; only those that are shown are looked at."""
    masks: Mapping[str, Pixels] = field(default_factory=dict)
    """Label images Y, X: whole numbers, 0 is background."""
    annotations: Mapping[str, Pixels] = field(default_factory=dict)
    """Class rasters Y, X: whole numbers."""
    pixel_um: tuple[float, float] | None = None
    """Height and width of a pixel in micrometres; ``None`` where they are not known."""
    paint: CellPaint | None = None
    """The colours of its cells, from ``cells.cell_paint``."""
    known_size: tuple[int, int] | None = None
    """Rows and columns, where they are known without looking at a plane."""

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns.

        Raises
        ------
        ExportError
            There is no plane at all, or one that is not Y, X.
        """
        if self.known_size is not None:
            return self.known_size
        for planes in (self.channels, self.masks, self.annotations):
            for name in planes:
                return self._size_of(planes[name], name)
        raise ExportError(f"{self.name}: there is neither a channel nor a mask")

    def channel_name(self, look: ChannelLook) -> str:
        """Return the name under which this field of view has a channel: its own, or the first alias there is.

        Names are compared as they are: no part of a name, no other letter case.

        Raises
        ------
        MissingChannelError
            It has none of them.
        """
        for name in (look.channel, *look.aliases):
            if name in self.channels:
                return name
        there = ", ".join(list(self.channels)[:50]) or "none"
        raise MissingChannelError(
            f"field of view {self.name!r} has no channel {look.channel!r}; there are: {there}", (look.channel,)
        )

    def channel(self, look: ChannelLook) -> Pixels:
        """Return the plane of a channel.

        Raises
        ------
        MissingChannelError
            There is no such channel.
        ExportError
            It is of another size than the field of view.
        """
        name = self.channel_name(look)
        return self._checked(self.channels[name], f"channel {name!r}")

    def mask(self, name: str) -> Pixels:
        """Return a label image.

        Raises
        ------
        MissingMaskError
            There is no such mask.
        ExportError
            It is of another size than the field of view, or holds no whole numbers.
        """
        if name not in self.masks:
            there = ", ".join(self.masks) or "none"
            raise MissingMaskError(f"field of view {self.name!r} has no mask {name!r}; there are: {there}", (name,))
        return self._whole(self.masks[name], f"mask {name!r}")

    def annotation(self, name: str) -> Pixels:
        """Return a class raster.

        Raises
        ------
        MissingAnnotationError
            There is no such annotation.
        ExportError
            It is of another size than the field of view, or holds no whole numbers.
        """
        if name not in self.annotations:
            there = ", ".join(self.annotations) or "none"
            raise MissingAnnotationError(
                f"field of view {self.name!r} has no annotation {name!r}; there are: {there}", (name,)
            )
        return self._whole(self.annotations[name], f"annotation {name!r}")

    def _whole(self, plane: Pixels, what: str) -> Pixels:
        if np.dtype(plane.dtype).kind not in "iu":
            raise ExportError(f"{self.name}: {what} is {plane.dtype}; labels are whole numbers")
        return self._checked(plane, what)

    def _checked(self, plane: Pixels, what: str) -> Pixels:
        size = self._size_of(plane, what)
        if size != self.size:
            raise ExportError(f"{self.name}: {what} is {size}, the field of view is {self.size}")
        return plane

    def _size_of(self, plane: Pixels, what: str) -> tuple[int, int]:
        if len(plane.shape) != 2 or 0 in plane.shape:
            raise ExportError(f"{self.name}: {what} has the shape {tuple(plane.shape)}; expected rows and columns")
        return int(plane.shape[0]), int(plane.shape[1])


def taken(plane: Pixels, rows: slice, columns: slice) -> NDArray[Any]:
    """Return a part of a plane as an array Y, X."""
    return np.asarray(plane[rows, columns])
