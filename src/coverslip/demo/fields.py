"""The multiplexed fields of view as a folder: one TIFF per channel, cell masks, cell table, marker sets and regions."""

import json
import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from coverslip.demo.tissue import MARKERS, PIXEL_UM, SIZE, FieldOfView, field_of_view
from coverslip.demo.write import write_plane, write_table

FIELDS: Mapping[str, tuple[int, float]] = {"FOV1": (21, 0.0), "FOV2": (22, 0.5), "FOV3": (25, -0.3)}
"""Seed of each field, and how little of it is tumour."""

IMAGES, MASKS, TABLE = "xenograft_fovs/images", "xenograft_fovs/masks", "xenograft_fovs/cell_table.csv"
STATES, REGIONS = f"{IMAGES}/.UELer/widget_states.json", f"{IMAGES}/.UELer/roi_manager.csv"

FIELD_FILES = (
    *(f"{IMAGES}/{fov}/{marker}.tiff" for fov in FIELDS for marker in MARKERS),
    *(f"{MASKS}/{fov}_whole_cell.tiff" for fov in FIELDS),
    TABLE,
    STATES,
    REGIONS,
)

MARKER_SETS: Mapping[str, Mapping[str, str]] = {
    "Tumour": {"DAPI": "Blue", "PanCK": "Yellow", "Ki67": "Red"},
    "Immune": {"DAPI": "Blue", "CD45": "Green", "Vimentin": "Magenta"},
}
"""Channels of each marker set and their colours."""

# fmt: off
ROI_COLUMNS = (
    "roi_id", "name", "fov", "map_id", "x", "y", "width", "height", "zoom", "x_min", "x_max", "y_min", "y_max",
    "marker_set", "tags", "annotation_palette", "mask_color_set", "mask_visibility", "mask_painter_state", "comment",
    "roi_kind", "geometry", "created_at", "updated_at",
)
# fmt: on
WINDOW = 128
"""Side of a region of interest in pixels."""
NOTED = "2026-05-06T09:30:00+00:00"


def fields_of_view() -> Iterator[tuple[str, Callable[[Path], None]]]:
    """Yield every file of the folder with what writes it; images, masks, table and regions agree."""
    fields = {name: field_of_view(seed, nests) for name, (seed, nests) in FIELDS.items()}
    for name, fov in fields.items():
        for marker, image in zip(MARKERS, fov.images, strict=True):
            yield f"{IMAGES}/{name}/{marker}.tiff", partial(write_plane, plane=image, pixel_um=PIXEL_UM)
    for name, fov in fields.items():
        mask = fov.cells.astype(np.uint16)
        yield f"{MASKS}/{name}_whole_cell.tiff", partial(write_plane, plane=mask, pixel_um=PIXEL_UM)
    header = ("fov", "label", "centroid-0", "centroid-1", "area", *MARKERS, "cluster")
    yield TABLE, partial(write_table, header=header, rows=_cell_rows(fields))
    yield STATES, partial(_write_json, document={"marker_sets": _marker_sets(fields)})
    yield REGIONS, partial(write_table, header=ROI_COLUMNS, rows=_regions(fields))


def write_fields(folder: str | os.PathLike[str]) -> Path:
    """Write the fields of view alone to a folder and return the one with their images."""
    for name, write in fields_of_view():
        path = Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path)
    return Path(folder, IMAGES)


def _cell_rows(fields: Mapping[str, FieldOfView]) -> list[tuple[object, ...]]:
    return [
        (
            name,
            cell.label,
            f"{cell.centroid_y:.3f}",
            f"{cell.centroid_x:.3f}",
            cell.area,
            *(f"{mean:.3f}" for mean in cell.means),
            cell.cluster,
        )
        for name, fov in fields.items()
        for cell in fov.table
    ]


def _marker_sets(fields: Mapping[str, FieldOfView]) -> dict[str, object]:
    """Return the marker sets, with contrast limits in grey levels measured over all fields."""
    pixels = {marker: np.stack([fov.images[i] for fov in fields.values()]) for i, marker in enumerate(MARKERS)}
    limits = {marker: np.percentile(values, (20, 99.7)).round() for marker, values in pixels.items()}
    return {
        name: {
            "selected_channels": list(colors),
            "channel_settings": {
                marker: {
                    "color": color,
                    "contrast_min": float(limits[marker][0]),
                    "contrast_max": float(limits[marker][1]),
                }
                for marker, color in colors.items()
            },
        }
        for name, colors in MARKER_SETS.items()
    }


def _regions(fields: Mapping[str, FieldOfView]) -> list[tuple[object, ...]]:
    """Return regions of interest: in every field the window with most immune and with most proliferating cells."""
    rows = []
    for name, fov in fields.items():
        for cluster, marker_set, tag in (
            ("immune", "Immune", "immune,dense"),
            ("proliferating tumour", "Tumour", "tumour,Ki67"),
        ):
            y, x, count = _busiest(fov, cluster)
            rows.append(_region_row(f"{name} {cluster}", name, (y, x), marker_set, tag, f"{count} cells"))
    return rows


def _busiest(fov: FieldOfView, cluster: str) -> tuple[int, int, int]:
    """Return the top left corner of the window with most cells of a cluster, and how many there are."""
    places = np.array([(cell.centroid_y, cell.centroid_x) for cell in fov.table if cell.cluster == cluster])
    best = (0, 0, 0)
    for y in range(0, SIZE - WINDOW + 1, 16):
        for x in range(0, SIZE - WINDOW + 1, 16):
            count = int(((places >= (y, x)) & (places < (y + WINDOW, x + WINDOW))).all(axis=1).sum())
            if count > best[2]:
                best = (y, x, count)
    return best


def _region_row(
    title: str, fov: str, corner: tuple[int, int], marker_set: str, tags: str, comment: str
) -> tuple[object, ...]:
    y, x = corner
    values: dict[str, object] = {
        "roi_id": uuid.uuid5(uuid.NAMESPACE_URL, f"coverslip-demo/{title}"),
        "name": title,
        "fov": fov,
        "x": x + WINDOW / 2,
        "y": y + WINDOW / 2,
        "width": float(WINDOW),
        "height": float(WINDOW),
        "zoom": 1.0,
        "x_min": float(x),
        "x_max": float(x + WINDOW),
        "y_min": float(y),
        "y_max": float(y + WINDOW),
        "marker_set": marker_set,
        "tags": tags,
        "mask_visibility": json.dumps({"whole_cell": True}),
        "comment": comment,
        "created_at": NOTED,
        "updated_at": NOTED,
    }
    return tuple(values.get(column, "") for column in ROI_COLUMNS)


def _write_json(path: Path, document: object) -> None:
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
