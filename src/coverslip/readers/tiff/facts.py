"""What a TIFF dialect says about one image, in our words, and the small parsers that all dialects share."""

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from coverslip.model import ChannelInfo, MicroscopeInfo, ObjectiveInfo, PhysicalSize
from coverslip.readers.tiff.layout import AXIS_NAMES
from coverslip.readers.units import length
from coverslip.readers.vendor_metadata import positive, words

SMALLEST_M = 1e-13

MAGNIFICATION = re.compile(r"(?P<magnification>\d+(?:[.,]\d+)?)\s*[xX](?:\s*/\s*(?P<aperture>\d[.,]\d+))?")
IMMERSION = re.compile(r"\b(oil|water|glycerol|glyc|multi|air|dry)\b", re.IGNORECASE)


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
    modulo: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """What the places along an axis that is no T, C or Z are called, by its letter."""
    vendor: Mapping[str, Any] = field(default_factory=dict)

    def channel_infos(self, count: int, folds: Sequence[tuple[str, int]] = ()) -> tuple[ChannelInfo, ...]:
        """Return exactly ``count`` channels; those without a name are ``Channel 0`` ...

        Parameters
        ----------
        count
            How many.
        folds
            Letter and length of the axes that were folded into the channels: each channel is there once for each of
            their places, and named so, unless the file names every one of them by itself.
        """
        if len(self.channels) >= count:
            folds = ()
        bases = count // max(1, math.prod(size for _, size in folds))
        stated = [dict(channel) for channel in self.channels[:bases]]
        stated += [{} for _ in range(bases - len(stated))]
        if folds:
            stated = [
                {**base, "name": f"{base.get('name') or f'Channel {index}'} {self._named(folds, places)}"}
                for index, base in enumerate(stated)
                for places in itertools.product(*(range(size) for _, size in folds))
            ]
        stated += [{} for _ in range(count - len(stated))]
        return tuple(
            ChannelInfo(**{**channel, "index": index, "name": channel.get("name") or f"Channel {index}"})
            for index, channel in enumerate(stated)
        )

    def _named(self, folds: Sequence[tuple[str, int]], places: Sequence[int]) -> str:
        """Return what a place along the folded axes is called: ``lambda 500 nm``, ``phase 2``."""
        named = []
        for (axis, _), place in zip(folds, places, strict=True):
            names = self.modulo.get(axis, ())
            named.append(f"{AXIS_NAMES.get(axis, axis)} {names[place] if place < len(names) else place}")
        return " ".join(named)


def metres(value: object) -> PhysicalSize | None:
    """Return a length given in metres, in micrometres; LSM writes 1e-19 m where there is no z step."""
    amount = positive(value)
    return length(f"{amount * 1e6:.12g}", "um") if amount is not None and amount > SMALLEST_M else None


def rgb(red: float, green: float, blue: float) -> str | None:
    """Return ``#rrggbb`` of 0..255 values; black is ``None``, because nobody displays a channel in black."""
    parts = [min(255, max(0, int(part))) for part in (red, green, blue)]
    return "#{:02x}{:02x}{:02x}".format(*parts) if any(parts) else None


def objective_named(name: object) -> ObjectiveInfo | None:
    """Return what an objective's name says, such as ``EC Plan-Neofluar 40x/1.30 Oil DIC M27``."""
    label = words(name)
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
