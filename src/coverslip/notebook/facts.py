"""What there is to choose from in a folder of fields of view, for the menus of a page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from coverslip.errors import CoverslipError, NotFoundError, ReadError
from coverslip.export.facts import SourceFacts, facts_of
from coverslip.export.plan import distinct_fields
from coverslip.export.sources import ROI_TABLE, OpenFile, Source, fields_of, marker_sets_of, state_file
from coverslip.model.export import MarkerSet
from coverslip.model.rois import Roi
from coverslip.rois import read_table

MOST_LISTED = 5000
"""Fields of view and regions that are listed on a page; a job has all of them."""
TRIED = 5
"""Fields of view that are opened until one says which channels there are."""


@dataclass(frozen=True, eq=False)
class Facts:
    """What is known of the data without reading pixels, at one look."""

    sources: tuple[Source, ...] = ()
    first: SourceFacts | None = None
    """The first field of view that can be opened."""
    marker_sets: Mapping[str, MarkerSet] = field(default_factory=dict)
    rois: tuple[Roi, ...] = ()
    notes: tuple[str, ...] = ()
    """What could not be read, in words."""

    @property
    def fovs(self) -> tuple[str, ...]:
        """Names of the fields of view."""
        return tuple(one.fov for one in self.sources)

    @property
    def channels(self) -> tuple[str, ...]:
        """Channels of the first field of view, then those that marker sets name."""
        own = () if self.first is None or self.first.metadata is None else self.first.metadata.channels
        named = (look.channel for one in self.marker_sets.values() for look in one.channels)
        return tuple(dict.fromkeys([*(channel.name for channel in own), *named]))

    @property
    def table(self) -> Path | None:
        """The cell table beside the data."""
        meta = None if self.first is None else self.first.metadata
        return None if meta is None or meta.table is None else Path(meta.table.path)

    @property
    def document(self) -> dict[str, Any]:
        """All of it as JSON."""
        meta = None if self.first is None else self.first.metadata
        pixel = None if self.first is None else self.first.pixel_um
        return {
            "fovs": list(self.fovs[:MOST_LISTED]),
            "fov_count": len(self.sources),
            "channels": list(self.channels),
            "masks": [] if self.first is None else list(self.first.masks),
            "size": None if meta is None else [meta.size_x, meta.size_y],
            "pixel_um": None if pixel is None else pixel[1],
            "marker_sets": {name: one.model_dump(mode="json") for name, one in self.marker_sets.items()},
            "table": None if self.table is None else str(self.table),
            "table_columns": [] if meta is None or meta.table is None else list(meta.table.columns),
            "rois": [_entry(roi) for roi in self.rois[:MOST_LISTED]],
            "roi_count": len(self.rois),
            "notes": list(self.notes),
        }


def look_at(data: Sequence[Path], open_file: OpenFile) -> Facts:
    """Return what there is to choose from.

    Marker sets and regions that cannot be read are a note and no error: everything else can still be exported.

    Raises
    ------
    NotFoundError
        There is no field of view at one of the places.
    UnreadableFileError
        A place cannot be listed.
    """
    sources = tuple(distinct_fields([source for place in data for source in fields_of(place)]))
    notes: list[str] = []
    first = None
    for source in sources[:TRIED]:
        found = facts_of(source, open_file)
        if found.metadata is not None:
            first = found
            break
        notes.append(f"{source.fov}: {found.error}")
    sets: Mapping[str, MarkerSet] = {}
    rois: tuple[Roi, ...] = ()
    try:
        sets = marker_sets_of(data[0])
    except ReadError as error:
        notes.append(str(error))
    try:
        rois = rois_of(data)
    except NotFoundError:
        pass
    except (ReadError, OSError) as error:
        notes.append(f"regions of interest: {error}")
    return Facts(sources, first, sets, rois, tuple(notes))


def rois_of(data: Sequence[Path], table: Path | None = None) -> tuple[Roi, ...]:
    """Return the regions of a table, by default of the one beside the data.

    Raises
    ------
    NotFoundError
        There is none.
    ReadError
        It is damaged.
    """
    found = table or next(filter(None, (state_file(place, ROI_TABLE) for place in data)), None)
    if found is None:
        raise NotFoundError("there is no table of regions beside the data")
    try:
        return read_table(found.read_bytes())
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no table of regions {found}") from error


def range_of(facts: Facts, channel: str, fov: str | None, open_file: OpenFile) -> dict[str, float]:
    """Return the grey levels of a channel in one field of view: ``min``, ``max``, and the usual limits of contrast.

    ``low`` and ``high`` are the 1st and the 99.7th percentile.

    Raises
    ------
    CoverslipError
        The field of view cannot be read, or has no such channel.
    """
    import numpy as np  # noqa: PLC0415  # not needed to show a form

    from coverslip.export.opened import OpenSource  # noqa: PLC0415  # the same
    from coverslip.render import percentile_limits  # noqa: PLC0415  # the same

    chosen = next((one for one in facts.sources if one.fov == fov), None) or _first(facts)
    opened = OpenSource(chosen, open_file)
    try:
        if channel not in opened.channels:
            raise NotFoundError(f"field of view {chosen.fov!r} has no channel {channel!r}")
        plane = opened.channels[channel]
        step = max(1, max(plane.shape) // 1024)
        pixels = np.asarray(plane[::step, ::step])
    finally:
        opened.close()
    low, high = percentile_limits(pixels, 1, 99.7)
    finite = pixels[np.isfinite(pixels)] if pixels.dtype.kind == "f" else pixels
    ends = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    return {"min": min(ends[0], low), "max": max(ends[1], high), "low": low, "high": high}


def _first(facts: Facts) -> Source:
    if facts.first is not None:
        return facts.first.source
    if not facts.sources:
        raise CoverslipError("there is no field of view")
    return facts.sources[0]


def _entry(roi: Roi) -> dict[str, Any]:
    bounds = roi.bounds
    size = None if bounds is None else [round(bounds[2] - bounds[0]), round(bounds[3] - bounds[1])]
    return {
        "id": roi.roi_id,
        "name": roi.name or roi.roi_id[:12],
        "fov": roi.fov or roi.map_id,
        "tags": list(roi.tags),
        "marker_set": roi.marker_set,
        "size": size,
    }
