"""Fields of view to export: eight of 2048 x 2048 pixels and eight channels, with masks, cell table and regions.

The numbers are those of the data that the viewer we compare with was measured on; the files are our own.
"""

import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray

from benchmarks.conditions import folder, is_quick
from tests.export.making import write_rois

CHANNELS = ("DAPI", "CD45", "CD3", "CD8", "PanCK", "Ki67", "Vimentin", "CD68")
SHOWN = {"DAPI": "Blue", "CD45": "Green", "CD3": "Red", "CD8": "Cyan"}
LOW, HIGH = 60.0, 3000.0
FIELDS, SIDE, CELLS, REGIONS = 8, 2048, 2000, 50
QUICK_FIELDS, QUICK_SIDE, QUICK_CELLS = 2, 512, 200
CLASSES = ("T cell", "B cell", "tumour", "other")
PIXEL_UM = 0.39
MARGIN = 16


def fields() -> int:
    """Return how many fields of view there are."""
    return QUICK_FIELDS if is_quick() else FIELDS


def cells() -> int:
    """Return how many cells each of them has."""
    return QUICK_CELLS if is_quick() else CELLS


def images(compression: str | None = None) -> Path:
    """Return the folder of the fields of view, written once, with the channels compressed or not."""
    base = folder() / f"fields-{compression or 'plain'}"
    if not base.exists():
        unfinished = base.with_name(f"{base.name}.part")
        shutil.rmtree(unfinished, ignore_errors=True)
        _write(unfinished, compression)
        unfinished.rename(base)
    return base / "images"


def table(count: int) -> Path:
    """Return a table with so many cells spread over all fields of view: one after the other, again and again."""
    path = folder() / f"cells-{count}.csv"
    if not path.exists():
        places = _centers(_side())
        rows = (
            (f"FOV{n * fields() // count + 1}", n + 1, *places[n % len(places)], CLASSES[n % len(CLASSES)])
            for n in range(count)
        )
        _write_table(path, rows)
    return path


def channel(field: int, number: int) -> NDArray[np.uint16]:
    """Return one channel: noise of an amplifier, brighter in some of the cells; shape Y, X."""
    side = _side()
    noise = np.random.default_rng(100 * field + number).gamma(2, 300, (side, side)).astype(np.uint16)
    bright = mask(field) % len(CHANNELS) == number
    brighter: NDArray[np.uint16] = noise + np.uint16(900) * bright
    return brighter


def mask(field: int) -> NDArray[np.int32]:
    """Return the cells of a field of view, discs beside each other; shape Y, X."""
    del field  # they are alike
    side = _side()
    labels = np.zeros((side, side), np.int32)
    reach = _pitch() // 2 - 2
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = y * y + x * x <= reach * reach
    for number, (row, column) in enumerate(_centers(side), start=1):
        part = labels[row - reach : row + reach + 1, column - reach : column + reach + 1]
        part[disc] = number
    return labels


def _side() -> int:
    return QUICK_SIDE if is_quick() else SIDE


def _pitch() -> int:
    return (_side() - 2 * MARGIN) // int(np.ceil(np.sqrt(cells())))


def _centers(side: int) -> list[tuple[int, int]]:
    """Return row and column of the middle of each cell."""
    pitch = _pitch()
    places = range(MARGIN + pitch // 2, side - MARGIN - pitch // 2 + 1, pitch)
    return [(y, x) for y in places for x in places][: cells()]


def _write(base: Path, compression: str | None) -> None:
    place = base / "images"
    (base / "masks").mkdir(parents=True)
    per_cm = 1e4 / PIXEL_UM
    rows = []
    for field in range(fields()):
        name = f"FOV{field + 1}"
        (place / name).mkdir(parents=True)
        for number, one in enumerate(CHANNELS):
            tifffile.imwrite(
                place / name / f"{one}.tiff",
                channel(field, number),
                compression=compression,
                resolution=(per_cm, per_cm),
                resolutionunit="CENTIMETER",
            )
        tifffile.imwrite(base / "masks" / f"{name}_whole_cell.tiff", mask(field), compression=compression)
        rows += [
            (name, label, y, x, CLASSES[label % len(CLASSES)])
            for label, (y, x) in enumerate(_centers(_side()), start=1)
        ]
    _write_table(base / "cell_table.csv", rows)
    _write_state(place)
    write_rois(place, list(_regions()))


def _write_table(path: Path, rows: object) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("fov", "label", "centroid-0", "centroid-1", "cluster"))
        writer.writerows(rows)  # type: ignore[arg-type]  # an iterable of rows


def _write_state(place: Path) -> None:
    state = place / ".UELer"
    state.mkdir()
    settings = {name: {"color": color, "contrast_min": LOW, "contrast_max": HIGH} for name, color in SHOWN.items()}
    one = {"selected_channels": list(SHOWN), "channel_settings": settings}
    (state / "widget_states.json").write_text(json.dumps({"marker_sets": {"Immune": one}}), encoding="utf-8")


def _regions() -> Iterator[dict[str, object]]:
    """Yield rectangles of 128 to 512 pixels, or what fits, field by field."""
    dice = np.random.default_rng(3)
    side = _side()
    for number in range(REGIONS):
        width, height = (int(v) for v in dice.integers(128, min(512, side // 2) + 1, 2))
        x, y = int(dice.integers(0, side - width)), int(dice.integers(0, side - height))
        fov = f"FOV{number % fields() + 1}"
        edges = {"x_min": x, "x_max": x + width, "y_min": y, "y_max": y + height}
        yield {"roi_id": f"region-{number}", "name": f"region {number}", "fov": fov, "zoom": 1.0, **edges}
