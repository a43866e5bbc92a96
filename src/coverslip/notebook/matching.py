"""Which items a request means, without planning them: how many, and the one of a number."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from coverslip.errors import NotFoundError
from coverslip.export.choices import as_text, fields_of_rows, meant_cells
from coverslip.export.pieces import table_at
from coverslip.export.regions import meant_rois
from coverslip.export.request import Request
from coverslip.export.sources import chosen
from coverslip.notebook.facts import Facts, rois_of


@dataclass(frozen=True, slots=True)
class Match:
    """One item that is meant."""

    fov: str
    part: str | None = None
    """Label of the cell, or identifier of the region; ``None`` for a whole field of view."""


@dataclass(frozen=True, slots=True)
class Matches:
    """The items that are meant, field of view by field of view, in the order of a job."""

    items: Sequence[Match]
    rows: int | None = None
    """Rows of the table or regions that there are at all; ``None`` for fields of view."""


def matches_of(request: Request, facts: Facts) -> Matches:
    """Return the items that a request means.

    Raises
    ------
    InvalidRequestError
        The filter or the expression over tags makes no sense.
    NotFoundError
        A field of view, region or table is not there.
    ReadError
        A table is damaged.
    """
    names = [source.fov for source in chosen(facts.sources, request.fovs)]
    if request.mode == "fov":
        return Matches([Match(name) for name in names])
    return _cells(request, facts, names) if request.mode == "cells" else _rois(request, names)


def _cells(request: Request, facts: Facts, names: Sequence[str]) -> Matches:
    path = request.cells.table or facts.table
    if path is None:
        raise NotFoundError("there is no cell table beside the fields of view; name one")
    try:
        cells, _ = table_at(path, request.cells.fov)
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no cell table {path}") from error
    choice = request.cells
    of_field = fields_of_rows(cells, choice, names)
    rows = np.flatnonzero(meant_cells(cells, choice, of_field))
    labels = cells.columns.get(choice.label)
    by_name: dict[str, list[Match]] = {name: [] for name in names}
    for row in rows:
        found = by_name.get(of_field[row])
        if found is not None:
            found.append(Match(of_field[row], None if labels is None else as_text(labels[row])))
    return Matches([one for some in by_name.values() for one in some], cells.row_count)


def _rois(request: Request, names: Sequence[str]) -> Matches:
    rois = rois_of(request.data, request.rois.table)
    order = {name: number for number, name in enumerate(names)}
    found = [roi for roi in meant_rois(request, rois) if request.fovs is None or roi.fov in order]
    found.sort(key=lambda roi: order.get(roi.fov, len(order)))
    return Matches([Match(roi.fov, roi.roi_id) for roi in found], len(rois))
