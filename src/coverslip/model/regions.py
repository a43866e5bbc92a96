"""Which part of an image is meant: a box in the six canonical axes."""

from dataclasses import dataclass
from typing import Self

from coverslip.errors import RegionError

Span = tuple[int, int]
"""Half-open index range ``(start, stop)``, in pixels of the level it is applied to."""


@dataclass(frozen=True, slots=True)
class Region:
    """A box in T, C, Z, Y, X; ``None`` means the whole axis. RGB samples are never cut.

    Examples
    --------
    >>> Region(t=(0, 1), z=(3, 4)).resolve((5, 2, 10, 64, 64))
    Region(t=(0, 1), c=(0, 2), z=(3, 4), y=(0, 64), x=(0, 64))
    """

    t: Span | None = None
    c: Span | None = None
    z: Span | None = None
    y: Span | None = None
    x: Span | None = None

    @classmethod
    def at_plane(cls, t: int = 0, c: int = 0, z: int = 0) -> Self:
        """Return the region of one whole plane."""
        return cls(t=(t, t + 1), c=(c, c + 1), z=(z, z + 1))

    def resolve(self, shape: tuple[int, ...]) -> "Region":
        """Return the same region with every axis spelled out.

        Parameters
        ----------
        shape
            T, C, Z, Y, X (and S) lengths of the level the region is meant for.

        Raises
        ------
        RegionError
            An axis reaches outside the image or is empty.
        """
        spans: list[Span] = []
        for axis, span, length in zip("tczyx", (self.t, self.c, self.z, self.y, self.x), shape, strict=False):
            start, stop = (0, length) if span is None else span
            if not 0 <= start < stop <= length:
                raise RegionError(f"{axis} {start}:{stop} lies outside the image, which has {axis} 0:{length}")
            spans.append((int(start), int(stop)))
        return Region(*spans)

    @property
    def spans(self) -> tuple[Span, Span, Span, Span, Span]:
        """The five spans T, C, Z, Y, X of a resolved region."""
        if self.t is None or self.c is None or self.z is None or self.y is None or self.x is None:
            raise RegionError("the region has open axes; call resolve(shape) first")
        return self.t, self.c, self.z, self.y, self.x

    @property
    def slices(self) -> tuple[slice, slice, slice, slice, slice]:
        """The five NumPy slices T, C, Z, Y, X of a resolved region."""
        t, c, z, y, x = (slice(*span) for span in self.spans)
        return t, c, z, y, x

    @property
    def shape(self) -> tuple[int, int, int, int, int]:
        """Lengths T, C, Z, Y, X of a resolved region."""
        t, c, z, y, x = self.spans
        return t[1] - t[0], c[1] - c[0], z[1] - z[0], y[1] - y[0], x[1] - x[0]
