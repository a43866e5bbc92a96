"""One contrast for many fields of view, so that equal brightness means equal intensity."""

from collections.abc import Iterable
from typing import Any

from numpy.typing import NDArray

from coverslip.errors import ExportError
from coverslip.render.contrast import Limits, percentile_limits

USUAL_HIGH = 99.9


def common_limits(planes: Iterable[NDArray[Any]], low: float = 0.0, high: float = USUAL_HIGH) -> Limits:
    """Return limits of one channel that hold for a whole batch: the lowest lower and the highest upper percentile.

    Parameters
    ----------
    planes
        The channel in every field of view, Y, X; looked at one after the other, none is kept.
    low, high
        Percentiles of each plane, 0 to 100.

    Raises
    ------
    ExportError
        There is no plane.
    InvalidRequestError
        The percentiles are not in order.
    """
    found = [percentile_limits(plane, low, high) for plane in planes]
    if not found:
        raise ExportError("there is no image that a contrast could be taken from", recoverable=False)
    return min(limits[0] for limits in found), max(limits[1] for limits in found)
