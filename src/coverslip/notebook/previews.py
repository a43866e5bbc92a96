"""One item of an export as a picture for a page, drawn as the job would draw it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from coverslip.errors import InvalidRequestError
from coverslip.export.encoding import Shown
from coverslip.export.pacing import Pace
from coverslip.export.pieces import Painter, tasks_of
from coverslip.export.plan import Plan, plan
from coverslip.export.request import Request
from coverslip.export.sources import OpenFile
from coverslip.model.exporting import ExportItem
from coverslip.notebook.matching import Match
from coverslip.render.export import encode_figure
from coverslip.render.export.regions import grid

LARGEST = 1024
"""Pixels of a preview along its longer side, what lies around it aside: larger items are drawn smaller."""
EXACT_PIXELS = 256 * 256
"""Smaller ones are sent without loss."""


@dataclass(frozen=True, slots=True)
class Preview:
    """A picture of one item."""

    picture: bytes
    media_type: str
    facts: Mapping[str, Any]
    """Name, file, size in pixels of the picture that would be written, length of the scale bar, notes. As JSON."""


class Previewer:
    """Draws previews; the field of view of the last one stays open, so that changes of the look are quick.

    Parameters
    ----------
    open_file
        Opens image files.
    """

    def __init__(self, open_file: OpenFile) -> None:
        self._open_file = open_file
        self._painter: Painter | None = None
        self._key: object = None
        self._whole: tuple[Request, Plan] | None = None

    def draw(self, request: Request, match: Match, number: int) -> Preview:
        """Return an item as a picture.

        Parameters
        ----------
        request
            The export.
        match, number
            Which item, and its place among all.

        Raises
        ------
        CoverslipError
            It cannot be planned or drawn.
        """
        planned, item = self._planned(request, match, number)
        (task,) = tasks_of(planned, [ExportItem(item, "pending")])
        # files that have changed are opened anew
        key = (request.t, request.z, request.cells.fov, task.source.key, repr(task.fingerprint))
        if self._painter is None or key != self._key:
            self.close()
            self._painter, self._key = Painter(request, self._open_file, Pace(None)), key
        with self._painter.shown(task) as shown:
            width, height, step = _scaled(shown)
            figure = replace(shown, spec=shown.spec.model_copy(update={"downsample": step})).figure
            is_exact = figure.width * figure.height <= EXACT_PIXELS
            picture = encode_figure(figure, "png" if is_exact else "webp")
        facts = {
            "item": item.name,
            "path": item.path,
            "width": width,
            "height": height,
            "reduced": step // shown.spec.downsample,
            "scale_bar_um": None if figure.bar is None else figure.bar.length_um,
            "notes": list(figure.notes),
        }
        return Preview(picture, "image/png" if is_exact else "image/webp", facts)

    def close(self) -> None:
        """Let go of the field of view."""
        if self._painter is not None:
            self._painter.close()
        self._painter = self._key = None

    def _planned(self, request: Request, match: Match, number: int) -> tuple[Plan, Any]:
        """Return a plan that has the item, and the item: of this item alone where that is enough."""
        bar = request.look.scale_bar
        if (request.mode == "cells" and match.part is None) or (bar is not None and bar.same_for_all):
            if self._whole is None or self._whole[0] != request:
                self._whole = request, plan(request, open_file=self._open_file)
            found = self._whole[1]
        else:
            found, number = plan(_only(request, match), open_file=self._open_file), 0
        if number >= len(found.items):
            raise InvalidRequestError(f"there is no item {number}; there are {len(found.items)}, counted from 0")
        return found, found.items[number]


def _only(request: Request, match: Match) -> Request:
    """Return the request of one item alone. Its file has the name it has among all, unless that is taken."""
    values: dict[str, Any] = {"fovs": (match.fov,), "gallery": None}
    if request.mode == "cells":
        ids = (f"{match.fov}:{match.part}",)
        values["cells"] = request.cells.model_copy(update={"ids": ids, "where": None, "clusters": (), "markers": {}})
    elif request.mode == "rois":
        choice = request.rois
        own = {name: one for name, one in choice.overrides.items() if name == match.part}
        values["rois"] = choice.model_copy(update={"ids": (match.part,), "tags": None, "overrides": own})
    return request.model_copy(update=values)


def _scaled(shown: Shown) -> tuple[int, int, int]:
    """Return columns and rows of the picture that would be written, and the downsampling that makes it small enough."""
    step = shown.spec.downsample
    height, width = grid(shown.window, shown.fov.size, step, pad=shown.spec.pad, name=shown.fov.name).full
    return width, height, step * max(1, -(-max(width, height) // LARGEST))
