"""Which fields of view, cells and regions a request means, and which pixels each of them has."""

import string
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coverslip.errors import (
    CoverslipError,
    InvalidRequestError,
    MissingMaskError,
    NotFoundError,
    OutsideImageError,
    ScaleBarError,
)
from coverslip.export.cells import CellTable, plain, read_table
from coverslip.export.facts import SourceFacts
from coverslip.export.filters import parse
from coverslip.export.names import fields_of
from coverslip.export.opened import OpenSource
from coverslip.export.request import TEMPLATES, CellChoice, Request
from coverslip.export.sources import Source
from coverslip.model import Cell
from coverslip.model.export import ExportSpec
from coverslip.model.rois import RoiShape
from coverslip.render.export import Window, around, label_boxes

MOST_NAMED = 20
"""Of what is not there, in a message."""

type Opening = Callable[[Source], OpenSource]


@dataclass(frozen=True, slots=True)
class Chosen:
    """One item before it has a file name."""

    name: str
    source: int
    """Its field of view, by place."""
    spec: ExportSpec
    window: Window | None = None
    """``None`` is all of it."""
    label: int | None = None
    """Of the cell, where only its own pixels are shown."""
    values: Mapping[str, Cell] = field(default_factory=dict)
    """What file names and captions may ask for."""
    error: tuple[str, str] | None = None
    """Why it cannot be made: class and message."""
    suffix: str = ""
    """What follows the name of its file; any characters."""
    shape: RoiShape | None = None
    """Polygon or line of a region, where it is drawn."""


def choose_fields(request: Request, facts: Sequence[SourceFacts]) -> list[Chosen]:
    """Return one item for each field of view."""
    marker_set = request.look.markers.name
    return [
        Chosen(one.source.fov, n, request.look, values={"fov": one.source.fov, "marker_set": marker_set})
        for n, one in enumerate(facts)
    ]


def choose_cells(request: Request, facts: Sequence[SourceFacts], table: Path, opening: Opening) -> list[Chosen]:
    """Return an item for each cell that is meant, field of view by field of view, in the order of the table.

    Raises
    ------
    InvalidRequestError
        The table has no such column, or the filter makes no sense.
    """
    cells = read_table(table)
    names = {one.source.fov: n for n, one in enumerate(facts)}
    of_field = fields_of_rows(cells, request.cells, tuple(names))
    chosen = np.flatnonzero(meant_cells(cells, request.cells, of_field))
    wanted = _wanted(request) & set(cells.columns)
    by_source: dict[int, list[int]] = {n: [] for n in range(len(facts))}
    for row in chosen:
        number = names.get(of_field[row])
        if number is not None:
            by_source[number].append(int(row))
    found: list[Chosen] = []
    for number, rows in by_source.items():
        if rows:
            found += _cells_of_field(request, cells, facts[number], number, rows, wanted=wanted, opening=opening)
    return found


def fields_of_rows(cells: CellTable, choice: CellChoice, names: Sequence[str]) -> list[str]:
    """Return the field of view of each row, as text; all are of the only one there is where the table names none.

    Raises
    ------
    InvalidRequestError
        The table does not name them.
    """
    if choice.fov not in cells.columns and len(names) == 1:
        return [names[0]] * cells.row_count
    return [as_text(value) for value in cells.column(choice.fov)]


def meant_cells(cells: CellTable, choice: CellChoice, of_field: Sequence[str]) -> NDArray[np.bool_]:
    """Return which rows are meant, fields of view aside: shape N.

    Raises
    ------
    InvalidRequestError
        The table has no such column, or the filter makes no sense.
    NotFoundError
        A cluster or a label that is named is not in the table; the message has all of them.
    """
    meant = np.ones(cells.row_count, bool)
    if choice.where:
        predicate, _ = parse(choice.where)
        meant &= predicate(cells.columns)
    if choice.clusters:
        wanted = set(choice.clusters)
        column = cells.column(choice.cluster_column)
        values = [as_text(value) for value in column]
        _check_there(choice.clusters, set(values), f"cluster in the column {choice.cluster_column!r} of {cells.path}")
        meant &= np.fromiter((value in wanted for value in values), bool, cells.row_count)
    for marker, least in choice.markers.items():
        meant &= cells.numbers(marker) >= least
    if choice.ids:
        ids = {str(one) for one in choice.ids}
        labels = [as_text(value) for value in cells.column(choice.label)]
        known = {*labels, *(f"{fov}:{label}" for label, fov in zip(labels, of_field, strict=True))}
        _check_there([str(one) for one in choice.ids], known, f"cell in {cells.path}")
        pairs = zip(labels, of_field, strict=True)
        meant &= np.fromiter((label in ids or f"{fov}:{label}" in ids for label, fov in pairs), bool, len(labels))
    return meant


def _check_there(names: Sequence[str], known: Set[str], what: str) -> None:
    missing = [name for name in dict.fromkeys(names) if name not in known]
    if missing:
        shown = ", ".join(map(repr, missing[:MOST_NAMED])) + (" ..." if len(missing) > MOST_NAMED else "")
        raise NotFoundError(f"there is no {what}: {shown}")


def _cells_of_field(
    request: Request,
    cells: CellTable,
    facts: SourceFacts,
    number: int,
    rows: Sequence[int],
    *,
    wanted: set[str],
    opening: Opening,
) -> Iterator[Chosen]:
    """Yield the items of one field of view."""
    choice, fov = request.cells, facts.source.fov
    labels = cells.column(choice.label) if choice.label in cells.columns else np.arange(cells.row_count)
    look = request.look if not choice.isolate else request.look.model_copy(update={"isolate": choice.mask})
    places = _Places(choice, cells, facts, opening)
    for row in rows:
        label = plain(labels[row])
        values: dict[str, Cell] = {name: plain(cells.columns[name][row]) for name in wanted}
        values |= {"fov": fov, "label": label, "row": row, "marker_set": look.markers.name}
        window, error = None, None
        try:
            window = places.window(row, label)
            values |= {"x": (window.x0 + window.x1) // 2, "y": (window.y0 + window.y1) // 2}
        except CoverslipError as problem:
            error = type(problem).__name__, str(problem)
            values |= {"x": None, "y": None}
        shown = int(label) if choice.isolate and isinstance(label, int | float) else None
        yield Chosen(f"{fov} cell {as_text(label)}", number, look, window, shown, values, error)


class _Places:
    """Where the cells of one field of view are."""

    def __init__(self, choice: CellChoice, cells: CellTable, facts: SourceFacts, opening: Opening) -> None:
        self._choice, self._fov = choice, facts.source.fov
        self._per_um = None if facts.pixel_um is None else (1 / facts.pixel_um[1], 1 / facts.pixel_um[0])
        self._boxes: dict[int, Window] = {}
        if choice.box == "centroid":
            self._x, self._y = cells.numbers(choice.x), cells.numbers(choice.y)
        elif facts.metadata is not None:
            with closing(opening(facts.source)) as opened:
                if choice.mask in opened.masks:
                    self._boxes = label_boxes(np.asarray(opened.masks[choice.mask][:, :]))
        self._has_mask = choice.mask in facts.masks

    def window(self, row: int, label: Cell) -> Window:
        """Return the pixels of a cell.

        Raises
        ------
        OutsideImageError
            It has no place, or is not in the mask.
        MissingMaskError
            There is no such mask.
        ScaleBarError
            Micrometres are asked for, and the size of a pixel is not known.
        """
        choice = self._choice
        across, down = self._pixels(2 * choice.padding)
        if choice.box == "centroid":
            width, height = self._pixels(choice.size)
            size = max(1, round(width + across)), max(1, round(height + down))
            return around((float(self._x[row]), float(self._y[row])), size)
        if not self._has_mask:
            raise MissingMaskError(f"field of view {self._fov!r} has no mask {choice.mask!r}", (choice.mask,))
        box = self._boxes.get(int(label)) if isinstance(label, int | float) else None
        if box is None:
            raise OutsideImageError(f"{self._fov}: the mask {choice.mask!r} has no cell {label}")
        width, height = box[2] - box[0] + across, box[3] - box[1] + down
        smallest, largest = self._limits()
        width = min(max(width, smallest[0]), largest[0])
        height = min(max(height, smallest[1]), largest[1])
        if choice.square:
            width = height = max(width, height)
        x0, y0 = ((box[n] + box[n + 2] - size) / 2 for n, size in enumerate((round(width), round(height))))
        left, upper = int(np.floor(x0)), int(np.floor(y0))
        return Window(left, upper, left + max(1, round(width)), upper + max(1, round(height)))

    def _limits(self) -> tuple[tuple[float, float], tuple[float, float]]:
        choice = self._choice
        smallest = (0.0, 0.0) if choice.smallest is None else self._pixels(choice.smallest)
        largest = (np.inf, np.inf) if choice.largest is None else self._pixels(choice.largest)
        return smallest, largest

    def _pixels(self, length: float) -> tuple[float, float]:
        """Return a length along X and Y in pixels."""
        if self._choice.unit == "px":
            return length, length
        if self._per_um is None:
            raise ScaleBarError(
                f"{self._fov}: the size of a pixel is not known, so micrometres have no meaning; state it "
                "(--pixel-size, pixel_um)"
            )
        return length * self._per_um[0], length * self._per_um[1]


def _wanted(request: Request) -> set[str]:
    """Return the names that file names and captions ask for."""
    return set(fields_of(request.output.name or TEMPLATES[request.mode])) | caption_names(request)


def caption_names(request: Request) -> set[str]:
    """Return the names that captions ask for.

    Raises
    ------
    InvalidRequestError
        One is no template.
    """
    wanted: set[str] = set()
    captions = [request.look.caption.template] if request.look.caption else []
    captions += [one.caption for one in (request.gallery, request.contact_sheet) if one is not None]
    for caption in captions:
        try:
            wanted |= {name for _, name, _, _ in string.Formatter().parse(caption) if name}
        except ValueError as error:
            raise InvalidRequestError(f"the caption {caption!r} is no template: {error}") from error
    return wanted


def as_text(value: Any) -> str:
    """Return a value of a table as text: whole numbers without a point, nothing for an empty one."""
    value = plain(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else str(value)
