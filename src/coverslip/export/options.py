"""Choices by name become a request."""

import os
from collections.abc import Callable, Mapping, Sequence
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
from coverslip.model.metadata import Frozen

PLACES = frozenset(
    {
        "data",
        "images",
        "fovs",
        "t",
        "z",
        "contrast",
        "pixel_um",
        "force_pixel_um",
        "gallery",
        "separate",
        "contact_sheet",
    }
)
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
    away = [str(place) for place in chosen.get("data", ()) if "://" in str(place)]
    if away:
        raise InvalidRequestError(f"{away[0]}: exports read files of this machine, not what is elsewhere")
    data = tuple(Path(os.path.abspath(Path(place).expanduser())) for place in chosen.pop("data", ()))  # noqa: PTH100
    if not data:
        raise InvalidRequestError("there is nothing to export: name a folder of fields of view, or image files")
    parts: dict[str, dict[str, Any]] = {
        "look": {"markers": marker_set_from(marker_set, data[0])},
        "output": {"folder": _absolute(output_dir), "file_format": file_format(format_name)},
        "effort": {},
        "choice": {},
        "": {},
    }
    unknown = []
    for name, value in {**chosen, **overrides}.items():
        part = _part_of(name, mode)
        if part is None:
            unknown.append(name)
        else:
            parts[part][name] = _READ[name](value) if name in _READ else value
    if unknown:
        raise InvalidRequestError(f"there is no choice {', '.join(map(repr, sorted(unknown)))} of an export of {mode}")
    values: dict[str, Any] = {
        "mode": mode,
        "data": data,
        **parts[""],
        "look": make(ExportSpec, parts["look"], "the look"),
        "output": make(Output, parts["output"], "the output"),
        "effort": make(Effort, parts["effort"], "the effort"),
    }
    if mode in _CHOICES:
        values[mode] = make(_CHOICES[mode], parts["choice"], f"the choice of {mode}")
    return make(Request, values, "the export")


_CHOICES: Mapping[str, type[Frozen]] = {"cells": CellChoice, "rois": RoiChoice}


def _part_of(name: str, mode: ExportMode) -> str | None:
    """Return the part of a request that has a choice of a name."""
    if name in PLACES:
        return ""
    if mode in _CHOICES and name in _CHOICES[mode].model_fields:
        return "choice"
    parts: Mapping[str, type[Frozen]] = {"look": ExportSpec, "output": Output, "effort": Effort}
    return next((part for part, kind in parts.items() if name in kind.model_fields), None)


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


def _switched(value: object) -> object:
    """Return the settings of what may simply be switched on."""
    return {} if value is True else None if value is False else value


def _absolute(path: str | os.PathLike[str]) -> Path:
    return Path(os.path.abspath(Path(path).expanduser()))  # noqa: PTH100  # links are kept


def _table(value: object) -> object:
    return _absolute(value) if isinstance(value, str | os.PathLike) else value


_READ: Mapping[str, Callable[[Any], object]] = {
    "contact_sheet": _switched,
    "gallery": _gallery,
    "masks": _masks,
    "panels": _switched,
    "scale_bar": scale_bar_from,
    "separate": _switched,
    "table": _table,
}
"""Choices that may be written in a shorter way."""
