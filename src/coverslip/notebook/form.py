"""What is filled in on the page of an export, as one frozen value; and the request that it stands for."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from coverslip.errors import InvalidRequestError
from coverslip.export.options import part_of, request_from
from coverslip.export.request import MOST_GROWTH, Request, Unit, file_format, make, scale_bar_from
from coverslip.model.export import ChannelLook, FileForm, MaskLook, Name, Resampling, ScaleBar
from coverslip.model.exporting import ExportMode
from coverslip.model.metadata import Frozen

Positive = Annotated[float, Field(gt=0, le=1_000_000)]
BarChoice = Literal["default", "with", "without"]
"""Whether an export has a scale bar: as the default says, or whatever it says."""
Text = Annotated[str, Field(max_length=10_000)]
MODES: tuple[ExportMode, ...] = ("fov", "cells", "rois")


class Form(Frozen):
    """What is filled in. Names are those of ``Job`` where it has them."""

    mode: ExportMode = "fov"
    fovs: tuple[Name, ...] | None = None
    """Names of fields of view; ``None`` is all. For cells and regions too."""
    marker_set: Text = ""
    """Name of the marker set that ``channels`` began as."""
    channels: Annotated[tuple[ChannelLook, ...], Field(max_length=64)] = ()
    """What is shown, edited or not."""
    folder: Annotated[str, Field(max_length=4096)] = ""
    file_format: FileForm = "png"
    existing: Literal["refuse", "replace", "skip"] = "refuse"
    name: Text = ""
    """Template of file names; empty is that of the mode."""
    gallery: bool = False
    """Whether all items go on the pages of one PDF."""
    rows: Annotated[int, Field(ge=1, le=100)] = 4
    columns: Annotated[int, Field(ge=1, le=100)] = 3

    table: Annotated[str, Field(max_length=4096)] = ""
    """The cell table; empty is the one beside the data."""
    where: Text = ""
    """Filter of cells."""
    box: Literal["centroid", "mask"] = "centroid"
    size: Positive = 128
    """Side of a crop, in ``unit``."""
    unit: Unit = "px"
    padding: Annotated[float, Field(ge=0, le=100_000)] = 0
    mask: Name = "whole_cell"
    isolate: bool = False
    pad: bool = False

    rois: tuple[Name, ...] | None = None
    """Identifiers of regions; ``None`` is all."""
    tags: Text = ""
    """Expression over tags."""
    own: bool = True
    """Whether regions have their own marker sets and masks."""
    grow: Annotated[int, Field(ge=-MOST_GROWTH, le=MOST_GROWTH)] = 0
    roi_size: Annotated[int, Field(gt=0, le=100_000)] | None = None
    """Width and height for all regions, in the place of their own."""
    roi_bars: dict[Name, BarChoice] = Field(default_factory=dict)
    """Regions whose scale bar is not that of the export."""

    downsample: Annotated[int, Field(ge=1, le=1024)] = 1
    resampling: Resampling = "nearest"
    dpi: Annotated[float, Field(ge=1, le=10_000)] = 300.0
    masks: Annotated[tuple[MaskLook, ...], Field(max_length=64)] = ()
    legend: bool = False
    caption: Text = ""
    """Template of a line below each picture; empty is none."""
    bar: ScaleBar = ScaleBar()
    """How scale bars look."""
    bar_default: bool = False
    """Whether exports have one where nothing else is said."""
    bars: dict[ExportMode, BarChoice] = Field(default_factory=dict)
    """What is said for exports of each mode."""
    workers: Annotated[int, Field(ge=1, le=64)] = 2
    per_second: Annotated[float, Field(gt=0, le=10_000)] | None = None
    """Most items that begin in a second; ``None`` is as many as can."""

    @model_validator(mode="after")
    def _check(self) -> "Form":
        names = [look.channel for look in self.channels]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"channel {twice[0]!r} is there twice")
        return self

    @property
    def has_bar(self) -> bool:
        """Whether an export of this mode has scale bars."""
        return _has_bar(self.bars.get(self.mode, "default"), default=self.bar_default)


SHORT: Mapping[str, str] = {"output_dir": "folder"}
"""Names that callers in Python know, and those of the form."""


def form_from(choices: Mapping[str, Any], form: Form | None = None) -> tuple[Form, dict[str, Any]]:
    """Return a form with some choices changed, and the choices it has no place for, for ``Job``.

    Parameters
    ----------
    choices
        As ``Job`` takes them too: ``masks`` may be names, ``scale_bar`` true, a length or settings.
    form
        What is filled in already.

    Raises
    ------
    InvalidRequestError
        Some of it makes no sense; all of that at once.
    """
    values: dict[str, Any] = {} if form is None else form.model_dump()
    more: dict[str, Any] = {}
    unknown: list[str] = []
    for given, value in choices.items():
        name = SHORT.get(given, given)
        if name == "scale_bar":
            bar = scale_bar_from(value)
            values["bar_default"] = bar is not None
            values |= {} if bar is None else {"bar": bar}
        elif name == "masks":
            some = [value] if isinstance(value, str) else list(value)
            values[name] = [{"mask": one} if isinstance(one, str) else one for one in some]
        elif name == "file_format":
            values[name] = file_format(value)
        elif name in Form.model_fields:
            values[name] = str(value) if isinstance(value, Path) else value
        elif any(part_of(name, mode) is not None for mode in MODES):
            more[name] = value
        else:
            unknown.append(name)
    if unknown:
        raise InvalidRequestError(f"there is no choice {', '.join(map(repr, sorted(unknown)))[:200]} of an export")
    return make(Form, values, "the form"), more


def request_of(form: Form, data: Sequence[Path], more: Mapping[str, Any], *, folder: str | None = None) -> Request:
    """Return the request that a form stands for.

    Parameters
    ----------
    form
        What is filled in.
    data
        Folders of fields of view, or image files.
    more
        Further choices, as ``Job`` takes them; they win. Those of other modes wait until the mode is chosen.
    folder
        In the place of the form's, where nothing is written.

    Raises
    ------
    InvalidRequestError
        Some of it makes no sense, or something is still missing.
    """
    if form.fovs == ():
        raise InvalidRequestError("no field of view is chosen")
    if not form.channels and not form.masks:
        raise InvalidRequestError("no channel is chosen")
    place = form.folder if folder is None else folder
    if not place:
        raise InvalidRequestError("no folder is chosen for the files")
    items: dict[str, Any] = {"data": list(data), "fovs": form.fovs, **_CHOICES[form.mode](form)}
    bar = form.bar.model_dump()
    choices: dict[str, Any] = {
        "downsample": form.downsample,
        "resampling": form.resampling,
        "dpi": form.dpi,
        "masks": form.masks,
        "pad": form.pad and form.mode != "fov",
        "scale_bar": bar if form.has_bar else None,
        "legend": {} if form.legend else None,
        "caption": {"template": form.caption} if form.caption else None,
        "existing": form.existing,
        "name": form.name or None,
        "workers": form.workers,
        "per_second": form.per_second,
        "gallery": {"rows": form.rows, "columns": form.columns} if form.gallery else None,
    }
    ending = "pdf" if form.gallery else form.file_format
    own = {name: value for name, value in more.items() if part_of(name, form.mode) is not None}
    markers = {"name": form.marker_set or "chosen", "channels": form.channels}
    return request_from(form.mode, items, markers, place, ending, choices | own)


def _of_fields(_: Form) -> dict[str, Any]:
    return {}


def _of_cells(form: Form) -> dict[str, Any]:
    return {
        "table": form.table or None,
        "where": form.where.strip() or None,
        "box": form.box,
        "size": form.size,
        "unit": form.unit,
        "padding": form.padding,
        "mask": form.mask,
        "isolate": form.isolate,
    }


def _of_rois(form: Form) -> dict[str, Any]:
    if form.rois == ():
        raise InvalidRequestError("no region is chosen")
    bar = form.bar.model_dump()
    bars = {roi: {"scale_bar": bar if choice == "with" else False} for roi, choice in form.roi_bars.items()}
    own = {roi: one for roi, one in bars.items() if form.roi_bars[roi] != "default"}
    chosen = form.rois or ()
    return {
        "ids": chosen,
        "tags": form.tags.strip() or None,
        "own": form.own,
        "grow": form.grow,
        "size": form.roi_size,
        "overrides": {roi: one for roi, one in own.items() if not chosen or roi in chosen},
    }


_CHOICES = {"fov": _of_fields, "cells": _of_cells, "rois": _of_rois}


def _has_bar(choice: BarChoice, *, default: bool) -> bool:
    return default if choice == "default" else choice == "with"
