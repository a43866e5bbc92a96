"""Figures become files, by format."""

from collections.abc import Mapping
from typing import Any

from coverslip.export.request import Output
from coverslip.model import Cell
from coverslip.model.export import ExportSpec
from coverslip.render import encode
from coverslip.render.export import Fov, Window, figure_of, flatten


def encode_item(
    fov: Fov,
    spec: ExportSpec,
    window: Window,
    *,
    label: int | None,
    values: Mapping[str, Cell],
    output: Output,
    dtype: str,
) -> tuple[bytes, dict[str, Any]]:
    """Return the bytes of an item's file, and what was drawn."""
    figure = figure_of(fov, spec, window, label=label, values=values)
    pixels = flatten(figure)
    details: dict[str, Any] = {"width": figure.width, "height": figure.height}
    if figure.bar is not None:
        details["scale_bar_um"] = figure.bar.length_um
        details["scale_bar_px"] = figure.bar.pixels
    if figure.notes:
        details["notes"] = list(figure.notes)
    return encode(pixels, f"image/{output.file_format}"), details
