"""Each cell in a colour of its own."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coverslip.errors import InvalidRequestError
from coverslip.model.export import CellClass, CellLook
from coverslip.render.export.regions import Window
from coverslip.render.luts import table

MAX_DENSE = 1 << 22
"""Labels up to this number are looked up in a table, higher ones are searched for."""


@dataclass(frozen=True, slots=True, eq=False)
class CellPaint:
    """The colours of the cells of one field of view; index 0 of every array is what has no colour."""

    mask: str
    """Name of the label image."""
    labels: NDArray[np.int64]
    """Numbers of the cells in growing order; the first one is 0."""
    fill: NDArray[np.float32]
    """Red, green, blue of each, 0 to 1: shape N, 3."""
    alpha: NDArray[np.float32]
    """How opaque the fill is; 0 where the cell is not filled."""
    border: NDArray[np.float32]
    """Red, green, blue of the border: shape N, 3."""
    border_alpha: NDArray[np.float32]
    """How opaque the border is; 0 where there is none."""
    outlined: NDArray[np.bool_]
    """Whether the cell is shown as an outline, which may spill over its border, and not filled."""
    thickness: int
    """Of borders, in pixels at full resolution."""
    dense: NDArray[np.int32] | None
    """Label -> index, where labels are small numbers."""

    def indices(self, labels: NDArray[Any]) -> NDArray[np.int32]:
        """Return for each pixel of a label image, Y, X, the index of its cell; 0 where it has no colour."""
        if self.dense is not None:
            whole = labels.astype(np.int64) if labels.dtype == np.uint64 else labels
            found: NDArray[np.int32] = np.take(self.dense, whole, mode="clip")  # below 0 is 0, above all is none
            return found
        place = np.minimum(np.searchsorted(self.labels, labels), len(self.labels) - 1)
        return np.where(self.labels[place] == labels, place, 0).astype(np.int32)


def cell_paint(look: CellLook, labels: Sequence[int] | NDArray[Any], values: Sequence[Any] | NDArray[Any]) -> CellPaint:
    """Return the colours of the cells of one field of view.

    Parameters
    ----------
    look
        How classes, or numbers, are shown.
    labels
        Number of each cell in the mask; 0 and below are no cells. Of several rows for one cell the last one counts.
    values
        Of ``look.column`` for each cell. ``None``, NaN and, for a ramp, what is no number leave the cell as it is.

    Raises
    ------
    InvalidRequestError
        There are more labels than values, or fewer.
    """
    if len(labels) != len(values):
        raise InvalidRequestError(f"{len(labels)} labels, but {len(values)} values of {look.column!r}")
    numbers = np.asarray(labels, np.int64)
    keep = numbers > 0
    unique, last = np.unique(numbers[keep][::-1], return_index=True)
    chosen = np.flatnonzero(keep)[::-1][last]
    picked = np.asarray(values, object)[chosen]
    rows = _ramp_rows(look, picked) if look.ramp is not None else _class_rows(look, picked)
    shown = rows[:, 3] >= 0
    rows = np.concatenate([np.zeros((1, 5), np.float32), rows[shown]])
    known = np.concatenate([np.zeros(1, np.int64), unique[shown]])
    outlined = rows[:, 4] > 0
    fill = rows[:, :3]
    border = fill if look.border_color is None else np.broadcast_to(_rgb(look.border_color), fill.shape)
    # an outline without a border would be nothing: a cell that is not filled always has one
    border_alpha = np.where(look.borders | outlined, look.border_alpha, 0).astype(np.float32)
    border_alpha[0] = 0
    alpha = np.where(outlined, 0, rows[:, 3]).astype(np.float32)
    return CellPaint(
        look.mask,
        known,
        fill,
        alpha,
        np.ascontiguousarray(border),
        border_alpha,
        outlined,
        look.thickness,
        _dense(known),
    )


def label_boxes(labels: NDArray[Any]) -> dict[int, Window]:
    """Return the bounding box of every object of a label image, in growing order of labels.

    Parameters
    ----------
    labels
        Shape Y, X; 0 and below is background.
    """
    rows, columns = np.nonzero(labels > 0)
    numbers, place = np.unique(labels[rows, columns], return_inverse=True)
    boxes = np.zeros((len(numbers), 4), np.int64)
    # pixels come row by row: of several assignments to one place the last one stays
    boxes[place[::-1], 1] = rows[::-1]
    boxes[place, 3] = rows + 1
    order = np.argsort(columns, kind="stable")
    across, place = columns[order], place[order]
    boxes[place[::-1], 0] = across[::-1]
    boxes[place, 2] = across + 1
    return {int(number): Window(*map(int, box)) for number, box in zip(numbers, boxes, strict=True)}


def class_name(value: Any) -> str | None:
    """Return a value of a table as the name of a class: whole floats as whole numbers, ``None`` where it is empty."""
    if value is None or value == "":
        return None
    if isinstance(value, float | np.floating):
        if not math.isfinite(value):
            return None
        return str(int(value)) if value == int(value) else str(float(value))
    return str(value)


def _class_rows(look: CellLook, values: NDArray[Any]) -> NDArray[np.float32]:
    """Return red, green, blue, opacity (-1: no colour) and 1 for outlines, for each cell: shape N, 5."""
    known: Mapping[str | None, CellClass] = {one.value: one for one in look.classes}
    names = [class_name(value) for value in values]
    of_name = {name: _class_row(None if name is None else known.get(name, look.default)) for name in set(names)}
    return np.array([of_name[name] for name in names], np.float32).reshape(-1, 5)


def _class_row(one: CellClass | None) -> tuple[float, ...]:
    if one is None or not one.visible:
        return 0, 0, 0, -1, 0
    return *_rgb(one.color), one.alpha, one.mode == "outline"


def _ramp_rows(look: CellLook, values: NDArray[Any]) -> NDArray[np.float32]:
    """Return the same for numbers along a ramp."""
    assert look.ramp is not None
    ramp = look.ramp
    numbers = np.array([_number(value) for value in values], np.float64)
    if ramp.cofactor is not None:
        numbers = np.arcsinh(numbers / ramp.cofactor)
    known = np.isfinite(numbers)
    part = np.clip((np.where(known, numbers, ramp.low) - ramp.low) / (ramp.high - ramp.low), 0, 1)
    rows = np.zeros((len(numbers), 5), np.float32)
    # 256 steps, the last one closed: as colour maps are looked up everywhere
    rows[:, :3] = table(ramp.lut)[np.minimum((part * 256).astype(np.int64), 255)] / np.float32(255)
    rows[:, 3] = np.where(known, ramp.alpha, -1)
    rows[:, 4] = ramp.mode == "outline"
    return rows


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def _dense(labels: NDArray[np.int64]) -> NDArray[np.int32] | None:
    if labels[-1] >= MAX_DENSE:
        return None
    dense = np.zeros(labels[-1] + 2, np.int32)  # what lies above the highest label is clipped to the last entry: 0
    dense[labels] = np.arange(len(labels), dtype=np.int32)
    return dense


def _rgb(color: str) -> tuple[float, float, float]:
    red, green, blue = bytes.fromhex(color[1:])
    return red / 255, green / 255, blue / 255
