"""How the axes of a TIFF series become T, C, Z, Y, X[, S]. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from coverslip.model.protocols import Array

CANONICAL = "TCZYXS"
POSITION = "-"
"""Role of the axis of stage positions, of which an image is one."""
SEQUENCES = "IQR"
"""Letters of tifffile for nameless sequences of images: pages, other, region."""
AXIS_NAMES: Mapping[str, str] = {
    "I": "sequence",
    "Q": "other",
    "R": "region",
    "A": "angle",
    "P": "phase",
    "H": "lifetime",
    "E": "lambda",
    "L": "exposure",
    "V": "event",
    "M": "mosaic",
    "J": "column",
    "K": "row",
}


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the pixels of T, C, Z, Y, X, S are in an array of the file's own shape."""

    roles: str
    """One canonical letter per file axis, outermost first."""
    lengths: tuple[int, ...]
    """One length per file axis."""
    order: tuple[int, ...]
    """The file axes in canonical order; where several share a role, the one that gave it its name is outermost."""
    position: int = 0
    """Which position of the stage this is, along the axis whose role is ``POSITION``."""

    @classmethod
    def of(cls, axes: str, roles: str, lengths: Sequence[int], position: int = 0) -> Self:
        """Return the layout of file axes whose roles are known."""
        kept = (i for i in range(len(roles)) if roles[i] != POSITION)
        order = sorted(kept, key=lambda i: (CANONICAL.index(roles[i]), axes[i] != roles[i]))
        return cls(roles, tuple(int(length) for length in lengths), tuple(order), position)

    def size(self, role: str) -> int:
        """Return the length of one canonical axis."""
        return math.prod(length for own, length in zip(self.roles, self.lengths, strict=True) if own == role)

    def folds(self, axes: str) -> tuple[tuple[str, int], ...]:
        """Return letter and length of every file axis that was folded into the channels, outermost first."""
        return tuple(
            (axes[i], self.lengths[i])
            for i in self.order
            if self.roles[i] == "C" and axes[i] != "C" and self.lengths[i] > 1
        )

    @property
    def is_regular(self) -> bool:
        """Whether the innermost axes are Y, X or Y, X, S, so that every page is made of canonical planes."""
        return self.roles.endswith(("YX", "YXS")) and self.roles.count("Y") == self.roles.count("X") == 1

    @property
    def has_inner_samples(self) -> bool:
        """Whether the samples of a pixel are stored side by side."""
        return self.roles.endswith("YXS")

    @property
    def shape(self) -> tuple[int, ...]:
        """Canonical shape T, C, Z, Y, X, and S where there is more than one sample."""
        sizes = tuple(self.size(role) for role in CANONICAL)
        return sizes if sizes[-1] > 1 else sizes[:-1]

    def plane_number(self, t: int, c: int, z: int, s: int = 0) -> int:
        """Return which plane in file order one canonical plane is. Only for regular layouts."""
        left = {"T": t, "C": c, "Z": z, "S": s}
        places = [self.position if role == POSITION else 0 for role in self.roles]
        for axis in reversed(self.order):
            role = self.roles[axis]
            if role in left:
                left[role], places[axis] = divmod(left[role], self.lengths[axis])
        number = 0
        outer = len(self.roles) - (3 if self.has_inner_samples else 2)
        for place, length in zip(places[:outer], self.lengths[:outer], strict=True):
            number = number * length + place
        return number

    def to_canonical(self, array: "Array") -> "Array":
        """Return an array of the file's own shape as T, C, Z, Y, X (and S where there is more than one sample)."""
        whole = array.reshape(self.lengths)
        if POSITION in self.roles:
            axis = self.roles.index(POSITION)
            whole = whole.take([self.position], axis).transpose((axis, *self.order))
        else:
            whole = whole.transpose(self.order)
        canonical: Array = whole.reshape(self.shape)
        return canonical


def assign(
    axes: str, lengths: Sequence[int], sequence: str | None = None, position: str | None = None
) -> tuple[str, str | None]:
    """Return the role of every file axis, and a note about those outside T, C, Z, Y, X, S.

    A nameless sequence of images becomes Z if there is no Z, else T, else C; any other axis becomes channels,
    channel index = c * n + h.

    Parameters
    ----------
    axes, lengths
        As tifffile gives them, outermost first.
    sequence
        Role of nameless sequences where the dialect knows it.
    position
        The axis of stage positions, where the file has one: each position is an image of its own.
    """
    taken = {axis for axis, length in zip(axes, lengths, strict=True) if length > 1}
    roles: list[str] = []
    notes: list[str] = []
    for i, (axis, length) in enumerate(zip(axes, lengths, strict=True)):
        if axis == position:
            roles.append(POSITION)
            continue
        if axis in CANONICAL and axis not in axes[:i]:
            roles.append(axis)
            continue
        free = next((role for role in "ZT" if role not in taken), "C") if axis in SEQUENCES else "C"
        role = (sequence if axis in SEQUENCES else None) or free
        roles.append(role)
        if length > 1:
            taken.add(role)
            notes.append(f"axis {axis} ({AXIS_NAMES.get(axis, 'unnamed')}, {length} long) is read as {role}")
    return "".join(roles), "; ".join(notes) or None
