"""Choices by name become a request."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from coverslip.errors import InvalidRequestError
from coverslip.export.request import (
    CellChoice,
    Effort,
    Gallery,
    Output,
    Request,
    RoiChoice,
    file_format,
    make,
    scale_bar_from,
)
from coverslip.export.sources import marker_set_from
from coverslip.model.export import ExportSpec, MarkerSet, MaskLook
from coverslip.model.exporting import ExportMode

PLACES = frozenset({"data", "fovs", "t", "z"})
"""Choices of the request itself."""


def request_from(
    mode: ExportMode,
    items: object,
    marker_set: str | Mapping[str, Any] | MarkerSet,
    output_dir: str | os.PathLike[str],
    format_name: str,
    overrides: Mapping[str, Any],
) -> Request:
    """Return the request that the arguments of ``Job`` stand for.

    Raises
    ------
    InvalidRequestError
        Some of it makes no sense, or there is no choice of a name; all of that at once where it can be known at once.
    NotFoundError
        There is no such marker set.
    """
    chosen = _items(items)
    data = tuple(Path(os.path.abspath(Path(place).expanduser())) for place in chosen.pop("data", ()))  # noqa: PTH100
    if not data:
        raise InvalidRequestError("there is nothing to export: name a folder of fields of view, or image files")
    given = {**chosen, **overrides}
    looks: dict[str, Any] = {"markers": marker_set_from(marker_set, data[0])}
    output: dict[str, Any] = {"folder": _absolute(output_dir), "file_format": file_format(format_name)}
    effort: dict[str, Any] = {}
    choice: dict[str, Any] = {}
    own: dict[str, Any] = {}
    of_mode: type[CellChoice | RoiChoice] | None = {"cells": CellChoice, "rois": RoiChoice}.get(mode)
    unknown = []
    for name, value in given.items():
        if name == "gallery":
            own["gallery"] = _gallery(value)
        elif name in PLACES:
            own[name] = value
        elif of_mode is not None and name in of_mode.model_fields:
            choice[name] = _absolute(value) if name == "table" and value is not None else value
        elif name == "scale_bar":
            looks[name] = scale_bar_from(value)
        elif name == "masks":
            looks[name] = _masks(value)
        elif name in ExportSpec.model_fields:
            looks[name] = value
        elif name in Output.model_fields:
            output[name] = value
        elif name in Effort.model_fields:
            effort[name] = value
        else:
            unknown.append(name)
    if unknown:
        raise InvalidRequestError(f"there is no choice {', '.join(map(repr, sorted(unknown)))} of an export of {mode}")
    parts: dict[str, Any] = {
        "look": make(ExportSpec, looks, "the look"),
        "output": make(Output, output, "the output"),
        "effort": make(Effort, effort, "the effort"),
    }
    if of_mode is not None:
        parts[mode] = make(of_mode, choice, f"the choice of {mode}")
    return make(Request, {"mode": mode, "data": data, **own, **parts}, "the export")


def _items(items: object) -> dict[str, Any]:
    if isinstance(items, Mapping):
        found = dict(items)
        data = found.get("data", ())
        found["data"] = [data] if isinstance(data, str | os.PathLike) else list(data)
        return found
    if isinstance(items, str | os.PathLike):
        return {"data": [items]}
    if isinstance(items, Sequence):
        return {"data": list(items)}
    raise InvalidRequestError(f"items: expected folders, files or a mapping with 'data', found {type(items).__name__}")


def _masks(value: object) -> object:
    """Return looks of masks; a mere name is an outline."""
    if isinstance(value, str):
        value = [value]
    if isinstance(value, Sequence):
        return [make(MaskLook, {"mask": one}, "masks") if isinstance(one, str) else one for one in value]
    return value


def _gallery(value: object) -> object:
    """Return rows and columns of ``4x6``."""
    if not isinstance(value, str):
        return value
    rows, cross, columns = value.lower().partition("x")
    if not cross or not rows.isdecimal() or not columns.isdecimal():
        raise InvalidRequestError(f"gallery: expected rows and columns such as 4x6, found {value!r}")
    return make(Gallery, {"rows": int(rows), "columns": int(columns)}, "gallery")


def _absolute(path: str | os.PathLike[str]) -> Path:
    return Path(os.path.abspath(Path(path).expanduser()))  # noqa: PTH100  # links are kept
