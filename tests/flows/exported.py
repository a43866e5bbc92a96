"""Exported files as other libraries read them, and the pictures that they must hold, in plain NumPy."""

import base64
import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pypdfium2
import tifffile
from PIL import Image

from tests.render.export import reference

Array = np.ndarray[Any, Any]

ENDINGS = {
    "png": ".png",
    "jpeg": ".jpg",
    "webp": ".webp",
    "tiff": ".tif",
    "ome-tiff": ".ome.tif",
    "pdf": ".pdf",
    "svg": ".svg",
}
COLORS = {"Blue": (0, 0, 1), "Green": (0, 1, 0), "Red": (1, 0, 0), "Yellow": (1, 1, 0), "Magenta": (1, 0, 1)}
PIXEL_UM = 0.5
"""Of the demo library."""

# ---- the picture that a file must hold -------------------------------------------------------------------------------

BAR = {"label": False, "backing": "#000000", "backing_alpha": 1, "margin": 6, "thickness": 4}
"""A white bar of 4 rows in a black box that is 4 pixels wider on every side, 6 pixels from the lower right corner."""
MARGIN, THICK, RIM = 6, 4, 4


@dataclass(frozen=True)
class Item:
    """What one file must show."""

    fov: str
    marker_set: str
    box: tuple[int, int, int, int]
    """Columns x0 to x1 and rows y0 to y1 of the field of view."""


def markers_of(images: Path) -> Mapping[str, Sequence[tuple[str, tuple[float, float, float], float, float]]]:
    """Return channel, colour and limits of every channel of each saved marker set."""
    document = json.loads((images / ".UELer" / "widget_states.json").read_text("utf-8"))
    found = {}
    for name, one in document["marker_sets"].items():
        settings = one["channel_settings"]
        found[name] = [
            (channel, COLORS[how["color"]], how["contrast_min"], how["contrast_max"])
            for channel, how in ((channel, settings[channel]) for channel in one["selected_channels"])
        ]
    return found


def picture(images: Path, item: Item, step: int = 1) -> Array:
    """Return channels and outlines of the cells, as the formulas say: uint8 of shape Y, X, 3."""
    x0, x1, y0, y1 = item.box
    part = slice(y0, y1), slice(x0, x1)
    looks = markers_of(images)[item.marker_set]
    planes = [tifffile.imread(images / item.fov / f"{channel}.tiff")[part] for channel, *_ in looks]
    labels = tifffile.imread(images.parent / "masks" / f"{item.fov}_whole_cell.tiff")[part][::step, ::step]
    total = reference.composite(planes, [(color, low, high) for _, color, low, high in looks], step)
    return reference.to_uint8(reference.blend(total, reference.outline(labels, 1, step), (1, 1, 1), 1))


def bar_pixels(width: int, step: int = 1) -> int:
    """Return the pixels of the longest bar of 1, 2 or 5 times a power of ten within a tenth of a picture's width."""
    pixel = PIXEL_UM * step
    lengths = (digit * 10.0**power for power in range(-4, 5) for digit in (1, 2, 5))
    return round(max(length for length in lengths if length <= width * pixel / 10 * (1 + 1e-9)) / pixel)


def with_bar(pixels: Array, step: int = 1) -> Array:
    """Return a picture with the bar of ``BAR`` drawn by hand."""
    drawn = pixels.copy()
    height, width = pixels.shape[:2]
    long = bar_pixels(width, step)
    bottom, right = height - MARGIN, width - MARGIN
    drawn[bottom - THICK - RIM : bottom + RIM, right - long - RIM : right + RIM] = 0
    drawn[bottom - THICK : bottom, right - long : right] = 255
    return drawn


# ---- what a file holds ----------------------------------------------------------------------------------------------


def decoded(path: Path) -> Array:
    """Return the picture in a file, of SVG and PDF without what is drawn over it: uint8 of shape Y, X, 3."""
    if path.suffix == ".tif":
        found: Array = tifffile.imread(path)
        return found
    if path.suffix == ".svg":
        (image,) = ET.parse(path).getroot().iter("{http://www.w3.org/2000/svg}image")
        data = base64.b64decode(image.attrib["{http://www.w3.org/1999/xlink}href"].partition(",")[2])
        return _with_pillow(io.BytesIO(data))
    if path.suffix == ".pdf":
        document = pypdfium2.PdfDocument(path)
        (one,) = document[0].get_objects(filter=[pypdfium2.raw.FPDF_PAGEOBJ_IMAGE])
        return np.asarray(one.get_bitmap().to_pil().convert("RGB"))
    return _with_pillow(path)


def measured_bar(path: Path) -> float:
    """Return how long the white bar in the black box is, in pixels of the picture."""
    if path.suffix == ".svg":
        rects = ET.parse(path).getroot().iter("{http://www.w3.org/2000/svg}rect")
        (bar,) = [one for one in rects if one.get("fill") == "#ffffff"]
        assert bar.get("height") == str(THICK)
        return float(bar.attrib["width"])
    fine = 8 if path.suffix == ".pdf" else 1
    pixels = _rendered(path, fine) if path.suffix == ".pdf" else decoded(path)
    row = pixels[-round(fine * (MARGIN + THICK / 2))].astype(float).mean(axis=-1) > 127
    inside = row[: len(row) - fine * (MARGIN - RIM // 2)]
    last = int(np.flatnonzero(inside)[-1])
    first = int(np.flatnonzero(~inside[:last])[-1])
    return (last - first) / fine


def _rendered(path: Path, fine: int) -> Array:
    document = pypdfium2.PdfDocument(path)
    width = decoded(path).shape[1]
    return np.asarray(document[0].render(scale=fine * width / document[0].get_width()).to_pil().convert("RGB"))


def _with_pillow(source: Any) -> Array:
    with Image.open(source) as image:
        return np.asarray(image.convert("RGB"))


def luma(pixels: Array) -> Array:
    """Return brightness as means of 2 by 2 pixels: what formats keep that store colours at half the resolution."""
    weighted = pixels[: len(pixels) // 2 * 2, : pixels.shape[1] // 2 * 2] @ np.array([0.299, 0.587, 0.114])
    means: Array = weighted.reshape(len(weighted) // 2, 2, -1, 2).mean(axis=(1, 3))
    return means


# ---- what is said of the files --------------------------------------------------------------------------------------


def manifest(folder: Path) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """Return the manifest of a job as JSON, and its table."""
    (as_json,), (as_csv,) = folder.glob("manifest-*.json"), folder.glob("manifest-*.csv")
    with as_csv.open(encoding="utf-8", newline="") as stream:
        return json.loads(as_json.read_text("utf-8")), list(csv.DictReader(stream))


def texts_of(path: Path) -> list[str]:
    """Return the text of every page of a PDF."""
    document = pypdfium2.PdfDocument(path)
    return [re.sub(r"\s+", " ", page.get_textpage().get_text_range()) for page in document]
