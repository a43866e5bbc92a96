"""Units as files spell them: lengths and durations in our words. One table for all formats."""

from collections.abc import Mapping

from coverslip.model import PhysicalSize
from coverslip.model.metadata import Unit
from coverslip.readers.vendor_metadata import positive, words

LENGTHS: Mapping[str, tuple[Unit, float]] = {
    **dict.fromkeys(("am", "attometer"), ("pm", 1e-6)),
    **dict.fromkeys(("fm", "femtometer"), ("pm", 1e-3)),
    **dict.fromkeys(("pm", "picometer"), ("pm", 1.0)),
    **dict.fromkeys(("å", "Å", "angstrom", "ångström"), ("angstrom", 1.0)),
    **dict.fromkeys(("nm", "nanometer"), ("nm", 1.0)),
    **dict.fromkeys(("um", "µm", "micron", "micrometer"), ("um", 1.0)),
    **dict.fromkeys(("mm", "millimeter"), ("mm", 1.0)),
    **dict.fromkeys(("cm", "centimeter"), ("cm", 1.0)),
    **dict.fromkeys(("dm", "decimeter"), ("cm", 10.0)),
    **dict.fromkeys(("m", "meter"), ("m", 1.0)),
    **dict.fromkeys(("km", "kilometer"), ("km", 1.0)),
    **dict.fromkeys(("in", "inch", "inches"), ("in", 1.0)),
    "thou": ("in", 1e-3),
    **dict.fromkeys(("ft", "foot", "feet"), ("in", 12.0)),
    **dict.fromkeys(("yd", "yard"), ("in", 36.0)),
    **dict.fromkeys(("mi", "mile"), ("in", 63_360.0)),
}
"""Spelling of a length -> our unit and how many of it one is. ``pixel`` and ``reference frame`` are not lengths."""

SECONDS: Mapping[str, float] = {
    **dict.fromkeys(("ns", "nanosecond"), 1e-9),
    **dict.fromkeys(("us", "µs", "microsecond"), 1e-6),
    **dict.fromkeys(("ms", "msec", "millisecond"), 1e-3),
    **dict.fromkeys(("s", "sec", "second"), 1.0),
    **dict.fromkeys(("min", "minute"), 60.0),
    **dict.fromkeys(("h", "hour"), 3600.0),
    **dict.fromkeys(("d", "day"), 86_400.0),
}
"""Spelling of a duration -> seconds."""

LOOK_ALIKES = {"\\u00b5": "µ", "\\u00B5": "µ", "\u03bc": "µ", "\u212b": "Å"}
"""ImageJ's escape and the look-alikes: Greek mu for the micro sign, the angstrom sign for the letter."""


def length(value: object, unit: object) -> PhysicalSize | None:
    """Return a length in the unit the file names; ``None`` where value or unit mean nothing physical."""
    amount, known = positive(value), _find(LENGTHS, unit)
    return None if amount is None or known is None else PhysicalSize.known(amount * known[1], known[0])


def micrometers(value: object, unit: object) -> PhysicalSize | None:
    """Return a length in micrometres, for formats whose own unit no person would choose, such as metres."""
    size = length(value, unit)
    return None if size is None else PhysicalSize.known(size.micrometers)


def seconds(value: object, unit: object = "s") -> float | None:
    """Return a duration above zero in seconds, else ``None``."""
    scale = _find(SECONDS, unit)
    return None if scale is None else positive(value, scale)


def _find[T](table: Mapping[str, T], unit: object) -> T | None:
    """Return the entry of a unit, in the singular or plural, in American or British spelling.

    Units of one or two letters keep their case: Mm is not mm.
    """
    spelled = words(unit) or ""
    for variant, usual in LOOK_ALIKES.items():
        spelled = spelled.replace(variant, usual)
    if len(spelled) > 2:
        spelled = spelled.lower().replace("metre", "meter")
    singular = spelled.removesuffix("s") if len(spelled) > 3 else spelled
    return table.get(spelled, table.get(singular))
