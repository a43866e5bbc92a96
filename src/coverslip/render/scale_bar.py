"""Scale bars of true length."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from coverslip.errors import ScaleBarError

ROUNDING = 1e-9
"""Lengths that miss the limit by this part of themselves fit: 0.1 * 1000 * 0.39 is not 39 in floating point."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A scale bar on a picture."""

    length_um: float
    """Its true length in micrometres."""
    label: str
    pixels: float
    """Its true length in pixels of the picture; drawn are whole pixels, at most half of one away."""
    x: int = 0
    """Column of its first pixel on the canvas."""
    y: int = 0
    """Row of its first pixel."""
    thickness: int = 1

    @property
    def drawn(self) -> int:
        """Columns that it covers."""
        return max(1, math.floor(self.pixels + 0.5))


def bar_length(width_px: float, pixel_um: float | None, *, fraction: float = 0.1) -> float:
    """Return the largest of {1, 2, 5} times a power of ten micrometres that fits into a part of a picture's width.

    Parameters
    ----------
    width_px
        Of the picture.
    pixel_um
        Width of one of its pixels, in micrometres: that of the image times the downsampling.
    fraction
        The part.

    Raises
    ------
    ScaleBarError
        The size of a pixel is not known, or the bar would be shorter than one pixel.
    """
    room = width_px * fraction * known_pixel(pixel_um)
    power = math.floor(math.log10(room * (1 + ROUNDING)))
    length = max(
        value
        for value in (base * 10.0**exponent for exponent in (power - 1, power) for base in (1, 2, 5))
        if value <= room * (1 + ROUNDING)
    )
    return _seen(length, known_pixel(pixel_um), width_px)


def common_length(widths: Iterable[tuple[float, float | None]], *, fraction: float = 0.1) -> float:
    """Return the length that fits every picture of a batch, as (width in pixels, width of a pixel in micrometres).

    Raises
    ------
    ScaleBarError
        There is no picture, one has an unknown size of a pixel, or the bar would be shorter than one pixel in one.
    """
    known = [(width, known_pixel(pixel)) for width, pixel in widths]
    if not known:
        raise ScaleBarError("there is no picture that a scale bar could fit")
    length = min(bar_length(width, pixel, fraction=fraction) for width, pixel in known)
    for width, pixel in known:
        _seen(length, pixel, width)
    return length


def fixed_length(length_um: float, width_px: float, pixel_um: float | None) -> float:
    """Return a length that was asked for, if it can be drawn.

    Raises
    ------
    ScaleBarError
        The size of a pixel is not known, or the bar is longer than the picture or shorter than one pixel.
    """
    pixel = known_pixel(pixel_um)
    if length_um > width_px * pixel * (1 + ROUNDING):
        wide = length_label(width_px * pixel)
        raise ScaleBarError(
            f"a scale bar of {length_label(length_um)} is longer than the picture, which is {wide} wide"
        )
    return _seen(length_um, pixel, width_px)


def length_label(length_um: float) -> str:
    """Return a length with its unit: nm below one micrometre, mm from a thousand on, no zeros at the end."""
    value, unit = length_um, "\N{MICRO SIGN}m"
    if length_um >= 1000 * (1 - ROUNDING):
        value, unit = length_um / 1000, "mm"
    elif length_um < 1 - ROUNDING:
        value, unit = length_um * 1000, "nm"
    text = f"{value:.6f}".rstrip("0").rstrip(".")
    return f"{value:.3g} {unit}" if text in {"0", ""} else f"{text} {unit}"


def known_pixel(pixel_um: float | None) -> float:
    """Return the size of a pixel.

    Raises
    ------
    ScaleBarError
        It is not known, or no size.
    """
    if pixel_um is None:
        raise ScaleBarError(
            "there is no scale bar: the image does not say how large its pixels are; state it (--pixel-size, pixel_um)"
        )
    if not math.isfinite(pixel_um) or pixel_um <= 0:
        raise ScaleBarError(f"there is no scale bar: {pixel_um} is no size of a pixel")
    return pixel_um


def _seen(length: float, pixel: float, width: float) -> float:
    if length / pixel < 1 - ROUNDING:
        raise ScaleBarError(
            f"a scale bar of {length_label(length)} would be shorter than a pixel: the picture is {width:g} pixels wide"
        )
    return length
