"""Which regions of interest a request means, each in its own look or all in one."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from coverslip.errors import CoverslipError, InvalidRequestError, MissingFieldError, NotFoundError
from coverslip.export.canvases import Canvases
from coverslip.export.choices import Chosen
from coverslip.export.facts import SourceFacts
from coverslip.export.request import Request, make, scale_bar_from
from coverslip.export.roi_files import rois_at
from coverslip.export.sources import (
    ROI_TABLE,
    current_channels,
    marker_set_from,
    marker_sets_of,
    state_file,
)
from coverslip.model import Cell
from coverslip.model.export import ChannelLook, ExportSpec, MarkerSet, MaskLook
from coverslip.model.rois import Roi
from coverslip.render.export import Window, around, of_roi
from coverslip.rois import parse_tags

SHORT_ID = 12
"""Digits of an identifier that stand for a region without a name."""


def choose_rois(request: Request, facts: Sequence[SourceFacts]) -> tuple[list[Chosen], list[SourceFacts], Path]:
    """Return an item for each region that is meant, the fields of view with the maps they are of, and their table.

    Items are in the order of fields of view; those of stitched maps follow. A region of a field of view or map that is
    not there is an item that fails.

    Raises
    ------
    InvalidRequestError
        The expression over tags or an override makes no sense.
    NotFoundError
        There is no table, or no region of an identifier or name.
    ReadError
        The table is damaged.
    """
    path = _table(request)
    # files of ImageJ and QuPath do not say what they are of: where there is one field of view alone it is that
    rois = rois_at(path, facts[0].source.fov if len(facts) == 1 else "")
    numbers = {one.source.fov: n for n, one in enumerate(facts)}
    chosen = [roi for roi in meant_rois(request, rois) if request.fovs is None or roi.fov in numbers]
    chosen.sort(key=lambda roi: (numbers.get(roi.fov, len(numbers)), roi.map_id))
    looks, canvases = _Looks(request), Canvases(request.data[0], facts)
    picked = [_chosen(request, roi, numbers, looks, canvases) for roi in chosen]
    return picked, [*facts, *canvases.added], path


def _table(request: Request) -> Path:
    if request.rois.table is not None:
        return request.rois.table
    for place in request.data:
        path = state_file(place, ROI_TABLE)
        if path is not None:
            return path
    raise NotFoundError(f"{request.data[0]} has no table of regions beside it; name one")


def meant_rois(request: Request, rois: Sequence[Roi]) -> list[Roi]:
    """Return the regions that a request means, fields of view aside.

    Raises
    ------
    NotFoundError
        There is no region of an identifier or name.
    InvalidRequestError
        The expression over tags makes no sense.
    """
    choice = request.rois
    if choice.ids:
        known = {name for roi in rois for name in (roi.roi_id, roi.name)}
        missing = [one for one in choice.ids if one not in known]
        if missing:
            raise NotFoundError(f"there is no region {missing[0]!r} in the table")
    matches = None if choice.tags is None else parse_tags(choice.tags)
    return [
        roi
        for roi in rois
        if (not choice.ids or {roi.roi_id, roi.name} & set(choice.ids))
        and (matches is None or matches.matches(roi.tags))
        and (choice.shapes or (roi.shape is None and roi.roi_kind != "line"))
    ]


def _chosen(request: Request, roi: Roi, numbers: Mapping[str, int], looks: "_Looks", canvases: Canvases) -> Chosen:
    name = roi.name or roi.roi_id[:SHORT_ID]
    fov = roi.fov or roi.map_id
    values: dict[str, Cell] = {"fov": fov, "roi": name, "roi_id": roi.roi_id, "tags": ",".join(roi.tags)}
    values |= {"comment": roi.comment, "x": None, "y": None, "marker_set": request.look.markers.name}
    place = numbers.get(roi.fov, 0)
    try:
        if roi.fov and roi.fov not in numbers:
            raise MissingFieldError(f"region {name!r} is of field of view {roi.fov!r}, which is not there", (fov,))
        if not roi.fov and not roi.map_id:
            raise MissingFieldError(f"region {name!r} is of no field of view: choose one alone, which it is then of")
        if not roi.fov:
            place = canvases.place_of(roi.map_id, name)
        own = _overrides(request, roi)
        window = _window(request, roi, own.pop("size", request.rois.size))
        spec = looks.of(roi, own)
        if not roi.fov:
            canvases.check(place, window, spec, name)
    except CoverslipError as error:
        problem = type(error).__name__, str(error)
        return Chosen(f"{fov} {name}", place, request.look, values=values, error=problem)
    values |= {"x": (window.x0 + window.x1) // 2, "y": (window.y0 + window.y1) // 2, "marker_set": spec.markers.name}
    return Chosen(f"{fov} {name}", place, spec, window, values=values, shape=roi.shape)


def _overrides(request: Request, roi: Roi) -> dict[str, Any]:
    overrides = request.rois.overrides
    return dict(overrides.get(roi.roi_id) or overrides.get(roi.name) or {})


def _window(request: Request, roi: Roi, size: object) -> Window:
    if size is None:
        return of_roi(roi, request.rois.grow)
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise InvalidRequestError(f"region {roi.name or roi.roi_id!r}: {size!r} is no size in pixels")
    own = of_roi(roi)
    return around(((own.x0 + own.x1) / 2, (own.y0 + own.y1) / 2), size + 2 * request.rois.grow)


class _Looks:
    """The look of each region; regions of equal looks share one."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._place = request.data[0]
        self._saved = marker_sets_of(self._place) if request.rois.own else {}
        self._known: dict[tuple[str, tuple[tuple[str, bool], ...]], ExportSpec] = {}

    def of(self, roi: Roi, own: dict[str, Any]) -> ExportSpec:
        """Return how a region is shown.

        Raises
        ------
        NotFoundError
            Its marker set is not there.
        InvalidRequestError
            A channel that was on screen has no limits of contrast in any marker set, or an override makes no sense.
        """
        look = self._own_look(roi) if self._request.rois.own else self._request.look
        if not own:
            return look
        values = look.model_dump(exclude_unset=True)  # what nobody gave stays to be measured
        if "marker_set" in own:
            values["markers"] = marker_set_from(own.pop("marker_set"), self._place)
        if "panels" in own and isinstance(own["panels"], bool):
            own["panels"] = {} if own["panels"] else None
        if "scale_bar" in own:
            values["scale_bar"] = scale_bar_from(own.pop("scale_bar"))
        return make(ExportSpec, values | own, f"region {roi.name or roi.roi_id!r}")

    def _own_look(self, roi: Roi) -> ExportSpec:
        key = roi.marker_set, tuple(roi.mask_visibility.items())
        if key not in self._known:
            look = self._request.look
            masks = {one.mask: one for one in look.masks}
            for mask, is_visible in roi.mask_visibility.items():
                if is_visible:
                    masks.setdefault(mask, MaskLook(mask=mask))
                else:
                    masks.pop(mask, None)
            markers = self._markers(roi)
            self._known[key] = look.model_copy(update={"markers": markers, "masks": tuple(masks.values())})
        return self._known[key]

    def _markers(self, roi: Roi) -> MarkerSet:
        if not roi.marker_set:
            return self._request.look.markers
        names = current_channels(roi.marker_set)
        if names is not None:
            return MarkerSet(name="current", channels=tuple(self._look(name) for name in names))
        if roi.marker_set == self._request.look.markers.name:
            return self._request.look.markers
        if roi.marker_set not in self._saved:
            raise NotFoundError(f"region {roi.name or roi.roi_id!r}: there is no marker set {roi.marker_set!r}")
        return self._saved[roi.marker_set]

    def _look(self, channel: str) -> ChannelLook:
        for markers in (self._request.look.markers, *self._saved.values()):
            for look in markers.channels:
                if look.channel == channel:
                    return look
        raise InvalidRequestError(f"channel {channel!r} has no limits of contrast in any marker set")
