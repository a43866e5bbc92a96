"""One aligned section of a tilt series."""

from dataclasses import dataclass

Rows = tuple[tuple[float, float], tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Section:
    """What was done to one section; see ``alignments`` for the order in which it is done."""

    z_index: int
    """Its number in the tilt series, from 0."""
    tilt_angle: float
    """In degrees."""
    volume_x_rotation: float
    """In degrees."""
    in_plane_rotation: Rows
    """Two rows of a matrix for column vectors x, y: from the aligned image to the unaligned one."""
    x_offset: float
    """In pixels of the unbinned tilt series."""
    y_offset: float
