"""SVG: the picture as it is, text and scale bar as vectors."""

import base64
import json
import re
from collections.abc import Mapping
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from numpy.typing import NDArray

from coverslip.render.encode import lossless
from coverslip.render.export.figure import Figure, Mark, Path, Raster, Rect, baseline

NOT_XML = re.compile("[\\x00-\\x08\\x0b-\\x1f\\ud800-\\udfff\\ufffe\\uffff]")


def svg(figure: Figure, provenance: Mapping[str, str]) -> bytes:
    """Return a figure as an SVG of its true size on paper; one unit is one pixel of the picture.

    Parameters
    ----------
    figure
        Its picture is embedded as PNG, its marks are elements.
    provenance
        Written as JSON into the metadata element.
    """
    width, height = (f"{side / figure.dpi:.6g}in" for side in (figure.width, figure.height))
    size = f'width="{width}" height="{height}" viewBox="0 0 {figure.width} {figure.height}"'
    spaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    made = escape(_clean(json.dumps(dict(provenance), ensure_ascii=False)))
    parts = ['<?xml version="1.0" encoding="UTF-8"?>', f"<svg {spaces} {size}>", f"<metadata>{made}</metadata>"]
    if figure.pixels.shape[:2] != (figure.height, figure.width):
        parts.append(f'<rect width="{figure.width}" height="{figure.height}" fill="{figure.paper}"/>')
    parts.append(_image(*figure.at, figure.pixels))
    parts += [_element(mark) for mark in figure.marks]
    return ("\n".join(parts) + "\n</svg>\n").encode()


def _element(mark: Mark) -> str:
    if isinstance(mark, Raster):
        return _image(mark.x, mark.y, mark.pixels)
    if isinstance(mark, Path):
        points = " ".join(f"{x:.6g},{y:.6g}" for x, y in mark.points)
        kind = "polygon" if mark.closed else "polyline"
        return f'<{kind} points="{points}" fill="none" stroke="{mark.color}" stroke-width="{mark.width:g}"/>'
    if isinstance(mark, Rect):
        place = f'x="{mark.x}" y="{mark.y}" width="{mark.width}" height="{mark.height}"'
        return f'<rect {place} fill="{mark.color}" fill-opacity="{mark.alpha:g}" shape-rendering="crispEdges"/>'
    weight = "bold" if mark.bold else "normal"
    return (
        f'<text x="{mark.x:g}" y="{mark.y + baseline(mark.size):g}" text-anchor="{mark.anchor}" '
        f'font-family="Helvetica, Arial, sans-serif" font-size="{mark.size:g}" font-weight="{weight}" '
        f"fill={quoteattr(mark.color)}>{escape(_clean(mark.text))}</text>"
    )


def _image(x: int, y: int, pixels: NDArray[np.uint8]) -> str:
    data = base64.b64encode(lossless(pixels)).decode()
    place = f'x="{x}" y="{y}" width="{pixels.shape[1]}" height="{pixels.shape[0]}"'
    # xlink:href is what Inkscape and Illustrator of the last twenty years read
    return f'<image {place} image-rendering="pixelated" xlink:href="data:image/png;base64,{data}"/>'


def _clean(text: str) -> str:
    """Return a text without the characters that XML cannot hold."""
    return NOT_XML.sub("", text)
