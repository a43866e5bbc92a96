"""OME-Zarr documents -> our metadata. Pure; formats 0.1 to 0.5, https://ngff.openmicroscopy.org."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coverslip.errors import ReadError
from coverslip.model import ChannelInfo

CANONICAL = "tczyx"
BY_TYPE = {"time": "t", "channel": "c"}


@dataclass(frozen=True, slots=True)
class Axes:
    """How the axes of the arrays become T, C, Z, Y, X."""

    roles: tuple[str, ...]
    """One letter of ``tczyx`` per stored axis, or ``"+"`` for one that is folded into the channels."""
    names: tuple[str, ...]
    units: tuple[str | None, ...]

    @property
    def label(self) -> str:
        """The stored axes as one word: ``"CZYX"``; longer names in brackets."""
        return "".join(name.upper() if len(name) == 1 else f"({name})" for name in self.names)

    @property
    def folded(self) -> tuple[int, ...]:
        """Positions of the axes that are folded into the channels."""
        return tuple(index for index, role in enumerate(self.roles) if role == "+")

    def length(self, role: str, shape: Sequence[int]) -> int:
        """Return the length of a canonical axis, 1 where it is not stored."""
        return shape[self.roles.index(role)] if role in self.roles else 1

    def channel_grid(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Return the lengths that channels are counted over: C first, then the folded axes."""
        return (self.length("c", shape), *(shape[index] for index in self.folded))

    def note(self) -> tuple[str, ...]:
        """Return how folded axes became channels."""
        folded = [self.names[index] for index in self.folded]
        return (f"axes {', '.join(folded)} are counted as channels, fastest last",) if folded else ()


def parse_axes(multiscale: Mapping[str, Any], ndim: int) -> Axes:
    """Return the axes of a multiscale document for arrays of ``ndim`` dimensions.

    Raises
    ------
    ReadError
        The axes do not fit the arrays, or there is no plane in them.
    """
    stated = multiscale.get("axes")
    if stated is None:
        stated = list(CANONICAL[-ndim:])
    if not isinstance(stated, list) or len(stated) != ndim:
        count = len(stated) if isinstance(stated, list) else "no"
        raise ReadError(f"the metadata names {count} axes, the array has {ndim}")
    axes = [axis if isinstance(axis, dict) else {"name": axis} for axis in stated]
    names = tuple(str(axis.get("name", "?")) for axis in axes)
    roles = _roles(names, [str(axis.get("type", "")) for axis in axes])
    if "y" not in roles or "x" not in roles:
        raise ReadError(f"the axes {', '.join(names)} hold no y-x plane")
    units = tuple(axis["unit"] if isinstance(axis.get("unit"), str) else None for axis in axes)
    return Axes(roles, names, units)


def parse_scale(multiscale: Mapping[str, Any], dataset: Mapping[str, Any], ndim: int) -> tuple[float, ...] | None:
    """Return the scale of one level per stored axis: its own times that of the whole; ``None`` where unknown."""
    own, common = (_scale(document.get("coordinateTransformations"), ndim) for document in (dataset, multiscale))
    if own is None:
        return common
    return own if common is None else tuple(a * b for a, b in zip(own, common, strict=True))


def parse_channels(ome: Mapping[str, Any], count: int) -> tuple[tuple[ChannelInfo, ...], tuple[str, ...]]:
    """Return one entry per channel from the ``omero`` block, and a note where the numbers differ."""
    omero = ome.get("omero")
    stated = omero.get("channels") if isinstance(omero, dict) else None
    entries = [entry for entry in stated if isinstance(entry, dict)] if isinstance(stated, list) else []
    channels = tuple(
        ChannelInfo(index=index, name=_label(entry, index), color=_color(entry.get("color")))
        for index, entry in enumerate((entries + [{}] * count)[:count])
    )
    note = f"the metadata describes {len(entries)} channels, the image has {count}"
    return channels, (note,) if entries and len(entries) != count else ()


def _roles(names: Sequence[str], types: Sequence[str]) -> tuple[str, ...]:
    """Return the role of every axis: by name, else by type; unnamed space fills X, Y, Z from the last axis on."""
    roles = [name.lower() if name.lower() in tuple(CANONICAL) else "" for name in names]
    doubled = sorted({role for role in roles if role and roles.count(role) > 1})
    if doubled:
        raise ReadError(f"the axis {', '.join(doubled)} is named more than once")
    for index in reversed(range(len(roles))):
        if roles[index]:
            continue
        wanted = "xyz" if types[index] == "space" else BY_TYPE.get(types[index], "")
        roles[index] = next((role for role in wanted if role not in roles), "+")
    return tuple(roles)


def _scale(transformations: Any, ndim: int) -> tuple[float, ...] | None:
    if not isinstance(transformations, list):
        return None
    for step in transformations:
        scale = step.get("scale") if isinstance(step, dict) and step.get("type") == "scale" else None
        if isinstance(scale, list) and len(scale) == ndim and all(isinstance(item, int | float) for item in scale):
            return tuple(float(item) for item in scale)
    return None


def _label(entry: Mapping[str, Any], index: int) -> str:
    label = entry.get("label")
    text = str(label).strip() if isinstance(label, str | int | float) else ""
    return text or f"Channel {index}"


def _color(stated: Any) -> str | None:
    """Return ``#rrggbb`` from ``"RRGGBB"`` with or without ``#`` and alpha."""
    found = re.fullmatch(r"#?([0-9a-f]{6})([0-9a-f]{2})?", stated.strip().lower()) if isinstance(stated, str) else None
    return f"#{found[1]}" if found else None
