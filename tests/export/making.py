"""Small data sets in the layout of FOV folders, and the plain reference they are compared with."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

SIZE = (40, 60)
"""Rows and columns of a small field of view."""
LIMITS = {"DNA": ("Blue", 100.0, 900.0), "CD3": ("Green", 50.0, 450.0), "Anti-CD3": ("Red", 0.0, 1000.0)}
CELLS = {1: (5, 15, 4, 14), 2: (14, 30, 20, 40), 7: (30, 40, 50, 60)}
"""Rows y0, y1 and columns x0, x1 of each cell of the mask."""
PIXEL_UM = 0.5
COLORS = {"Blue": (0, 0, 1), "Green": (0, 1, 0), "Red": (1, 0, 0)}


def channel(seed: int) -> NDArray[np.uint16]:
    return np.random.default_rng(seed).integers(0, 1000, SIZE, np.uint16)


def mask() -> NDArray[np.uint16]:
    labels = np.zeros(SIZE, np.uint16)
    for label, (y0, y1, x0, x1) in CELLS.items():
        labels[y0:y1, x0:x1] = label
    return labels


def write_fields(
    base: Path,
    names: Sequence[str] = ("A", "B"),
    channels: Sequence[str] = ("DNA", "CD3", "Anti-CD3"),
    um: float = PIXEL_UM,
) -> Path:
    """Write fields of view with masks, a table, marker sets and regions; return their folder."""
    images = base / "images"
    rows = ["fov,label,centroid-0,centroid-1,area,cluster"]
    for number, name in enumerate(names):
        folder = images / name
        folder.mkdir(parents=True)
        for seed, one in enumerate(channels):
            write_plane(folder / f"{one}.tiff", channel(100 * number + seed), um)
        (base / "masks").mkdir(exist_ok=True)
        write_plane(base / "masks" / f"{name}_whole_cell.tiff", mask(), um)
        for label, (y0, y1, x0, x1) in CELLS.items():
            cluster = "immune" if label != 2 else "tumour"
            rows.append(f"{name},{label},{(y0 + y1) / 2},{(x0 + x1) / 2},{(y1 - y0) * (x1 - x0)},{cluster}")
    (base / "cell_table.csv").write_text("\n".join(rows) + "\n")
    write_state(images, {"Two": ("DNA", "CD3"), "Other": ("Anti-CD3",)})
    return images


def write_plane(path: Path, pixels: NDArray[Any], um: float = PIXEL_UM) -> None:
    per_cm = 10_000 / um if um else 0
    options: dict[str, Any] = {"resolution": (per_cm, per_cm), "resolutionunit": "CENTIMETER"} if um else {}
    tifffile.imwrite(path, pixels, **options)


def write_state(images: Path, sets: Mapping[str, Sequence[str]]) -> None:
    state = images / ".UELer"
    state.mkdir(exist_ok=True)
    document = {
        name: {
            "selected_channels": list(channels),
            "channel_settings": {
                one: dict(zip(("color", "contrast_min", "contrast_max"), LIMITS[one], strict=True)) for one in channels
            },
        }
        for name, channels in sets.items()
    }
    (state / "widget_states.json").write_text(json.dumps({"marker_sets": document}))


def write_rois(images: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    columns = (
        *("roi_id", "name", "fov", "map_id", "x", "y", "width", "height", "zoom", "x_min", "x_max", "y_min", "y_max"),
        *("marker_set", "tags", "annotation_palette", "mask_color_set", "mask_visibility", "mask_painter_state"),
        *("comment", "roi_kind", "geometry", "created_at", "updated_at"),
    )
    path = images / ".UELer" / "roi_manager.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


def roi(name: str, fov: str, box: tuple[float, float, float, float], **more: object) -> dict[str, object]:
    """Return a row of the table; the box is x_min, x_max, y_min, y_max."""
    edges = dict(zip(("x_min", "x_max", "y_min", "y_max"), box, strict=True))
    return {"roi_id": f"id-{name}-{fov}", "name": name, "fov": fov, "zoom": 1.0, **edges, **more}


def expected(
    planes: Mapping[str, NDArray[Any]],
    names: Sequence[str],
    box: tuple[int, int, int, int] | None = None,
    step: int = 1,
) -> NDArray[np.uint8]:
    """Return what a picture without outlines must be, by the formulas that the reference has.

    The box is x0, y0, x1, y1 in pixels of the image.
    """
    total = None
    for name in names:
        color, low, high = LIMITS[name]
        plane = planes[name]
        part = plane if box is None else plane[box[1] : box[3], box[0] : box[2]]
        value = part[::step, ::step].astype(np.float32)
        grey = np.clip((value - np.float32(low)) / np.float32(high - low), 0, 1)
        tinted = grey[..., None] * np.array(COLORS[color], np.float32)
        total = tinted if total is None else total + tinted
    assert total is not None
    levels: NDArray[np.uint8] = (np.clip(total, 0, 1) * 255).astype(np.uint8)
    return levels


def planes_of(field: int, channels: Sequence[str] = ("DNA", "CD3", "Anti-CD3")) -> dict[str, NDArray[Any]]:
    """Return the channels of the field of view of a number."""
    return {name: channel(100 * field + seed) for seed, name in enumerate(channels)}


def pixels_of(path: Path) -> NDArray[np.uint8]:
    """Return a picture as an independent library reads it: uint8 Y, X, 3."""
    from PIL import Image

    with Image.open(path) as picture:
        pixels: NDArray[np.uint8] = np.array(picture.convert("RGB"), np.uint8)
        return pixels
