"""The table of regions that viewers of FOV folders keep: a CSV with 24 columns.

Coordinates are pixels at full resolution. ``x``, ``y``, ``width`` and ``height`` say the same as the four edges; where
they differ, the edges are right. Columns that are not there are empty; others are left out.
"""

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from coverslip.errors import ReadError
from coverslip.model.rois import Roi, RoiShape

# fmt: off
COLUMNS = (
    "roi_id", "name", "fov", "map_id", "x", "y", "width", "height", "zoom", "x_min", "x_max", "y_min", "y_max",
    "marker_set", "tags", "annotation_palette", "mask_color_set", "mask_visibility", "mask_painter_state", "comment",
    "roi_kind", "geometry", "created_at", "updated_at",
)
# fmt: on
TEXTS = (
    *("roi_id", "name", "fov", "map_id", "marker_set", "annotation_palette", "mask_color_set", "mask_painter_state"),
    *("comment", "created_at", "updated_at"),
)
MAX_BYTES = 64 << 20
MAX_ROWS = 200_000
EMPTY = {"", "nan", "none", "null", "na", "n/a", "<na>"}


def read_table(data: bytes | str) -> tuple[Roi, ...]:
    """Return the regions of a table.

    Parameters
    ----------
    data
        UTF-8, with or without a byte order mark.

    Raises
    ------
    ReadError
        It is no such table, is too large, or a row is none; the message names its line.
    """
    if len(data) > MAX_BYTES:
        raise ReadError(f"a table of regions has at most {MAX_BYTES >> 20} MiB")
    try:
        text = data.decode("utf-8-sig") if isinstance(data, bytes) else data.removeprefix("\ufeff")
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        if not reader.fieldnames or not {"roi_id", "name", "fov"} & set(reader.fieldnames):
            raise ReadError("this is no table of regions: it has none of the columns roi_id, name and fov")
        found: list[Roi] = []
        for row in reader:
            if len(found) == MAX_ROWS:
                raise ReadError(f"a table of regions has at most {MAX_ROWS:,} rows")
            found.append(_roi(row, reader.line_num))
    except (csv.Error, UnicodeDecodeError) as error:
        raise ReadError(f"the table of regions is no CSV: {error}") from error
    return tuple(found)


def write_table(rois: Iterable[Roi]) -> str:
    """Return regions as a table with all 24 columns."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for roi in rois:
        values = _values(roi)
        writer.writerow([values.get(column, "") for column in COLUMNS])
    return stream.getvalue()


def geometry_of(shape: RoiShape) -> dict[str, Any]:
    """Return a shape as the table's ``geometry``: points to a hundredth of a pixel."""
    points = [[round(x, 2), round(y, 2)] for x, y in shape.points]
    return {"type": shape.type, "closed": shape.closed, "points": points}


def _roi(row: Mapping[str, str | None], line: int) -> Roi:
    try:
        values: dict[str, Any] = {name: _text(row.get(name)) for name in TEXTS}
        values["roi_id"] = values["roi_id"] or f"line-{line}"
        values["zoom"] = _number(row, "zoom") or 1.0
        values["tags"] = _tags(_text(row.get("tags")))
        values["mask_visibility"] = _visibility(_text(row.get("mask_visibility")))
        values["roi_kind"] = _text(row.get("roi_kind"))
        values["shape"] = _shape(_text(row.get("geometry")))
        return Roi.model_validate(values | _edges(row))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ReadError(f"line {line} of the table of regions: {place}: {first['msg']}") from error
    except (ValueError, RecursionError) as error:
        raise ReadError(f"line {line} of the table of regions: {error}") from error


def _text(value: str | None) -> str:
    return "" if value is None or value.strip().lower() in EMPTY else value


def _number(row: Mapping[str, str | None], name: str) -> float | None:
    text = _text(row.get(name)).strip()
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{name} is {text[:40]!r}, which is no number") from None
    return value if math.isfinite(value) else None


def _edges(row: Mapping[str, str | None]) -> dict[str, float]:
    """Return the four edges, from the centre and the size where they are not there; nothing without either."""
    names = ("x_min", "x_max", "y_min", "y_max")
    edges = {name: value for name in names if (value := _number(row, name)) is not None}
    if len(edges) == 4:
        return edges
    x, y, width, height = (_number(row, name) for name in ("x", "y", "width", "height"))
    if x is None or y is None or width is None or height is None:
        return {}
    return {"x_min": x - width / 2, "x_max": x + width / 2, "y_min": y - height / 2, "y_max": y + height / 2}


def _tags(text: str) -> tuple[str, ...]:
    parts = (" ".join(part.split()) for part in text.split(","))
    return tuple(dict.fromkeys(part for part in parts if part))


def _visibility(text: str) -> dict[str, bool]:
    if not text:
        return {}
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("mask_visibility is no JSON object")
    return {str(name): bool(shown) for name, shown in found.items()}


def _shape(text: str) -> RoiShape | None:
    if not text:
        return None
    found = json.loads(text)
    if not isinstance(found, dict) or not isinstance(found.get("points"), list):
        raise ValueError("geometry is no JSON object with points")
    if not found["points"]:
        return None
    closed = bool(found.get("closed", found.get("type") == "polygon"))
    return RoiShape.model_validate({"type": "polygon" if closed else "polyline", "points": found["points"]})


def _values(roi: Roi) -> dict[str, object]:
    values: dict[str, object] = {name: getattr(roi, name) for name in TEXTS}
    values |= {"zoom": roi.zoom, "tags": ",".join(roi.tags), "roi_kind": roi.roi_kind}
    if roi.bounds is not None:
        left, upper, right, lower = roi.bounds
        values |= {"x": (left + right) / 2, "y": (upper + lower) / 2, "width": right - left, "height": lower - upper}
        values |= {"x_min": left, "x_max": right, "y_min": upper, "y_max": lower}
    if roi.mask_visibility:
        values["mask_visibility"] = json.dumps(roi.mask_visibility)
    if roi.shape is not None:
        values["geometry"] = json.dumps(geometry_of(roi.shape))
    return values
