"""What a TIFF dialect says about one image, in our words, and the small parsers that all dialects share."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from enum import Enum
from typing import Any, cast

from coverslip.model import ChannelInfo, MicroscopeInfo, ObjectiveInfo, PhysicalSize
from coverslip.model.metadata import Unit
from coverslip.readers.vendor_metadata import bounded, positive

MAX_LIST = 1000
MAX_TEXT = 100_000
MAX_NODES = 50_000
MAX_DEPTH = 40
SMALLEST_M = 1e-13

LENGTHS: Mapping[str, tuple[Unit, float]] = {
    **dict.fromkeys(("fm", "femtometer"), ("pm", 1e-3)),
    **dict.fromkeys(("pm", "picometer", "picometers", "picometre"), ("pm", 1.0)),
    **dict.fromkeys(("Å", "å", "\u212b", "angstrom", "angstroms", "ångström"), ("angstrom", 1.0)),
    **dict.fromkeys(("nm", "nanometer", "nanometers", "nanometre"), ("nm", 1.0)),
    **dict.fromkeys(("µm", "um", "micron", "microns", "micrometer", "micrometers", "micrometre"), ("um", 1.0)),
    **dict.fromkeys(("mm", "millimeter", "millimeters", "millimetre"), ("mm", 1.0)),
    **dict.fromkeys(("cm", "centimeter", "centimeters", "centimetre"), ("cm", 1.0)),
    **dict.fromkeys(("dm", "decimeter"), ("cm", 10.0)),
    **dict.fromkeys(("m", "meter", "meters", "metre"), ("m", 1.0)),
    **dict.fromkeys(("km", "kilometer"), ("km", 1.0)),
    **dict.fromkeys(("in", "inch", "inches"), ("in", 1.0)),
    "thou": ("in", 1e-3),
    "ft": ("in", 12.0),
}
"""Spelling of a length -> our unit and how many of it one is. ``pixel`` and ``reference frame`` are not lengths."""

SECONDS: Mapping[str, float] = {
    **dict.fromkeys(("ns", "nanosecond"), 1e-9),
    **dict.fromkeys(("µs", "us", "microsecond"), 1e-6),
    **dict.fromkeys(("ms", "msec", "millisecond", "milliseconds"), 1e-3),
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1.0),
    **dict.fromkeys(("min", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hour", "hours"), 3600.0),
    **dict.fromkeys(("d", "day", "days"), 86400.0),
}
"""Spelling of a duration -> seconds."""

MAGNIFICATION = re.compile(r"(?P<magnification>\d+(?:[.,]\d+)?)\s*[xX](?:\s*/\s*(?P<aperture>\d[.,]\d+))?")
IMMERSION = re.compile(r"\b(oil|water|glycerol|glyc|multi|air|dry)\b", re.IGNORECASE)
MOMENTS = (
    "%Y:%m:%d %H:%M:%S",
    "%d %b %Y %H:%M:%S",
    "%m/%d/%Y %I:%M:%S %p",
    "%d.%m.%Y %H:%M:%S",
    "%Y%m%d %H:%M:%S.%f",
    "%Y%m%d %H:%M:%S",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything a dialect says about one image beyond its array. Unknown is ``None``."""

    name: str | None = None
    pixel_size_x: PhysicalSize | None = None
    pixel_size_y: PhysicalSize | None = None
    pixel_size_z: PhysicalSize | None = None
    time_increment_s: float | None = None
    channels: tuple[Mapping[str, Any], ...] = ()
    """Per channel the fields of ``ChannelInfo`` that are known."""
    objective: ObjectiveInfo | None = None
    microscope: MicroscopeInfo | None = None
    acquired_at: datetime | None = None
    note: str | None = None
    sequence: str | None = None
    """Which of T, C, Z a nameless sequence of pages is, where the dialect knows."""
    vendor: Mapping[str, Any] = field(default_factory=dict)

    def channel_infos(self, count: int) -> tuple[ChannelInfo, ...]:
        """Return exactly ``count`` channels; those without a name are ``Channel 0`` ..."""
        stated = [dict(channel) for channel in self.channels[:count]]
        stated += [{} for _ in range(count - len(stated))]
        return tuple(
            ChannelInfo(**{**channel, "index": index, "name": channel.get("name") or f"Channel {index}"})
            for index, channel in enumerate(stated)
        )


def text(value: object) -> str | None:
    """Return stripped text, or ``None`` where there is none."""
    return value.strip("\x00 \t\r\n") or None if isinstance(value, str) else None


def _spelling(unit: object) -> str:
    """Return a unit as the tables spell it. Short ones keep their case: Mm is not mm."""
    spelled = (text(unit) or "").replace("\\u00B5", "µ").replace("\\u00b5", "µ").replace("\u03bc", "µ")
    return spelled.lower() if len(spelled) > 2 else spelled


def length(value: object, unit: object) -> PhysicalSize | None:
    """Return a length in the unit the file names; ``None`` where value or unit mean nothing physical."""
    amount = positive(value)
    known = LENGTHS.get(_spelling(unit))
    if amount is None or known is None:
        return None
    return PhysicalSize.known(amount * known[1], known[0])


def metres(value: object) -> PhysicalSize | None:
    """Return a length given in metres, in micrometres; LSM writes 1e-19 m where there is no z step."""
    amount = positive(value)
    return length(f"{amount * 1e6:.12g}", "um") if amount is not None and amount > SMALLEST_M else None


def seconds(value: object, unit: object = "s") -> float | None:
    """Return a duration above zero in seconds, else ``None``."""
    amount = positive(value)
    factor = SECONDS.get(_spelling(unit))
    return None if amount is None or factor is None else amount * factor


def moment(value: object) -> datetime | None:
    """Return a date and time: aware where the text states a zone, else naive as it is written."""
    if isinstance(value, datetime):
        return value
    written = text(value)
    if written is None:
        return None
    try:
        return datetime.fromisoformat(written)
    except ValueError:
        pass
    for pattern in MOMENTS:
        try:
            return datetime.strptime(written, pattern)  # the file states no zone
        except ValueError:
            continue
    return None


def rgb(red: float, green: float, blue: float) -> str | None:
    """Return ``#rrggbb`` of 0..255 values; black is ``None``, because nobody displays a channel in black."""
    parts = [min(255, max(0, int(part))) for part in (red, green, blue)]
    return "#{:02x}{:02x}{:02x}".format(*parts) if any(parts) else None


def objective_named(name: object) -> ObjectiveInfo | None:
    """Return what an objective's name says, such as ``EC Plan-Neofluar 40x/1.30 Oil DIC M27``."""
    label = text(name)
    if label is None:
        return None
    found = MAGNIFICATION.search(label)
    parts = found.groupdict() if found else {}
    immersion = IMMERSION.search(label)
    return ObjectiveInfo(
        name=label,
        magnification=positive((parts.get("magnification") or "").replace(",", ".")),
        numerical_aperture=positive((parts.get("aperture") or "").replace(",", ".")),
        immersion=immersion.group(1) if immersion else None,
    )


def entries(value: object) -> list[dict[str, Any]]:
    """Return the dicts of a foreign value that may be one dict, a list of them, or nothing."""
    items = value if isinstance(value, list | tuple) else [value]
    return [item for item in items if isinstance(item, dict)]


def document(value: object) -> dict[str, Any]:
    """Return a foreign dict as a bounded JSON document.

    Long lists and texts are cut, bytes and arrays of pixels left out, NaN becomes ``None``; of a large document
    the largest parts are thinned.
    """
    cleaned = bounded(_Cleaner().clean(value, 0))
    return cleaned if isinstance(cleaned, dict) else {}


class _Cleaner:
    """Turns foreign values into JSON values and counts them."""

    def __init__(self) -> None:
        self._left = MAX_NODES

    def clean(self, value: object, depth: int) -> Any:
        self._left -= 1
        if self._left < 0 or depth > MAX_DEPTH:
            return None
        if isinstance(value, Mapping):
            return self._mapping(value, depth)
        if isinstance(value, list | tuple | set | frozenset):
            return self._sequence(value, depth)
        return self._scalar(value) if _is_plain(value) else self._foreign(value, depth)

    def _mapping(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, item in value.items():
            if self._left <= 0:
                break
            result[str(key)] = self.clean(item, depth + 1)
        return result

    def _sequence(self, value: Iterable[Any], depth: int) -> list[Any]:
        items = list(value)
        kept = [self.clean(item, depth + 1) for item in items[: min(MAX_LIST, max(0, self._left))]]
        return kept if len(kept) == len(items) else [*kept, f"... {len(items) - len(kept)} more"]

    def _scalar(self, value: Any) -> str | int | float | None:
        if isinstance(value, Enum):
            return value.name
        if isinstance(value, str):
            return value.replace("\x00", "")[:MAX_TEXT]
        if isinstance(value, datetime | date | time):
            return value.isoformat()
        if isinstance(value, float) and not math.isfinite(value):
            return None
        return f"<{len(value)} bytes>" if isinstance(value, bytes) else value

    def _foreign(self, value: object, depth: int) -> Any:
        """Numpy scalars and arrays, without knowing numpy."""
        if getattr(value, "ndim", 0) and getattr(value, "size", 0) > MAX_LIST:
            return f"<array {getattr(value, 'shape', '')} {getattr(value, 'dtype', '')}>"
        if getattr(getattr(value, "dtype", None), "kind", "") == "M":
            return self.clean(cast(Any, value).astype("datetime64[ms]").tolist(), depth)
        if hasattr(value, "tolist"):
            plain = cast(Any, value).tolist()
            return str(plain) if type(plain) is type(value) else self.clean(plain, depth)
        return str(value)[:MAX_TEXT]


def _is_plain(value: object) -> bool:
    known = str | int | float | bytes | Enum | datetime | date | time | None
    return isinstance(value, known) and not hasattr(value, "tolist")
