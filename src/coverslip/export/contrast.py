"""Limits of contrast for channels that nobody gave any: measured when a job is planned, and frozen into its looks."""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coverslip.errors import CoverslipError
from coverslip.export.choices import Chosen
from coverslip.export.facts import SourceFacts
from coverslip.export.opened import OpenSource
from coverslip.export.request import Contrast
from coverslip.export.sources import Source
from coverslip.model import Region
from coverslip.model.export import ChannelLook, ExportSpec
from coverslip.readers import Image
from coverslip.render.contrast import Limits
from coverslip.render.export.contrast import common_limits

ENOUGH_PIXELS = 1 << 18
"""A level of a pyramid with so many pixels stands for all of the plane."""
WHOLE_PIXELS = 1 << 23
"""Planes of more pixels, of which there is no smaller level, are looked at in parts."""
PARTS, PART_SIDE = 8, 256
"""Rows and columns of the parts of such a plane, and the side of each in pixels."""
MOST_FIELDS = 256
"""Of a job with more, so many are looked at, evenly spread over all."""

type Opening = Callable[[Source], OpenSource]


def with_limits(
    picked: Sequence[Chosen],
    facts: Sequence[SourceFacts],
    contrast: Contrast,
    opening: Opening,
    at: tuple[int, int | None] = (0, None),
) -> list[Chosen]:
    """Return items in whose looks every channel has limits of contrast.

    A channel without an upper limit gets the highest 99.9th percentile of the fields of view; one without a lower limit
    the lowest of their smallest values. Whatever was given stays. A channel that no field of view has stays as it is:
    its items fail.

    Parameters
    ----------
    picked
        The items.
    facts
        The fields of view that they name.
    contrast
        ``"batch"``: one contrast for all items. ``"image"``: one for each field of view or stitched map.
    opening
        Opens a field of view.
    at
        Time point and slice of a stack; ``None`` is the middle slice.
    """
    wanted: dict[int, dict[ChannelLook, None]] = {}
    numbers: dict[int, dict[int, None]] = {}
    seen: set[tuple[int, int]] = set()
    for one in picked:
        if one.error is None and (one.source, id(one.spec)) not in seen:
            seen.add((one.source, id(one.spec)))
            if looks := [look for look in one.spec.markers.channels if look.high is None]:
                group = _group(one, contrast)
                wanted.setdefault(group, {}).update(dict.fromkeys(looks))
                numbers.setdefault(group, {})[one.source] = None
    if not wanted:
        return list(picked)
    limits = {
        group: _measured(list(looks), _spread(_fields(list(numbers[group]), facts)), opening, at)
        for group, looks in wanted.items()
    }
    specs: dict[tuple[int, int], ExportSpec] = {}
    done = []
    for one in picked:
        group = _group(one, contrast)
        key = group, id(one.spec)
        if key not in specs:
            specs[key] = _limited(one.spec, limits.get(group, {}))
        done.append(replace(one, spec=specs[key]))
    return done


def _group(one: Chosen, contrast: Contrast) -> int:
    """Return what an item has its contrast in common with."""
    return one.source if contrast == "image" else -1


def _limited(spec: ExportSpec, limits: Mapping[ChannelLook, Limits]) -> ExportSpec:
    looks = []
    for look in spec.markers.channels:
        if look in limits:
            low, high = limits[look]
            low = look.low if "low" in look.model_fields_set else low
            looks.append(look.model_copy(update={"low": low, "high": high if high > low else low + 1}))
        else:
            looks.append(look)
    if tuple(looks) == spec.markers.channels:
        return spec
    return spec.model_copy(update={"markers": spec.markers.model_copy(update={"channels": tuple(looks)})})


def _fields(numbers: Sequence[int], facts: Sequence[SourceFacts]) -> list[Source]:
    """Return fields of view, those that stitched maps are made of in the place of the maps."""
    found: dict[Source, None] = {}
    for number in numbers:
        source = facts[number].source
        if source.mosaic is None:
            found[source] = None
        else:
            tiles = source.mosaic.tiles
            found |= dict.fromkeys(Source(one.fov, one.path, one.image) for one in tiles if one.path is not None)
    return list(found)


def _spread(sources: Sequence[Source]) -> list[Source]:
    count = len(sources)
    return [sources[n * count // MOST_FIELDS] for n in range(MOST_FIELDS)] if count > MOST_FIELDS else list(sources)


def _measured(
    looks: Sequence[ChannelLook], sources: Sequence[Source], opening: Opening, at: tuple[int, int | None]
) -> dict[ChannelLook, Limits]:
    """Return the limits of each channel over fields of view; those that cannot be read do not count."""
    found: dict[ChannelLook, list[Limits]] = {}
    for source in sources:
        try:
            with closing(opening(source)) as opened:
                for look in looks:
                    name = next((name for name in (look.channel, *look.aliases) if name in opened.channels), None)
                    if name is not None:
                        with suppress(CoverslipError):  # another channel may be sound
                            found.setdefault(look, []).append(common_limits([sampled(opened.image, name, at)]))
        except CoverslipError:
            continue
    return {look: (min(low for low, _ in each), max(high for _, high in each)) for look, each in found.items() if each}


def sampled(image: Image, channel: str, at: tuple[int, int | None] = (0, None)) -> NDArray[Any]:
    """Return pixels that stand for a plane: the smallest level that is large enough, or parts spread over it.

    Parameters
    ----------
    image
        Open.
    channel
        Exact name; the first of several.
    at
        Time point and slice; ``None`` is the middle one.

    Returns
    -------
    NDArray
        Y, X, in the type of the image; at most ``WHOLE_PIXELS``, but parts lie beside each other in one row.
    """
    meta = image.metadata
    index = next(one.index for one in meta.channels if one.name == channel)
    t, z = at[0], meta.size_z // 2 if at[1] is None else at[1]
    sizes = [(one.size_y, one.size_x, one.size_z) for one in meta.levels]
    large = [n for n, (y, x, depth) in enumerate(sizes) if y * x >= ENOUGH_PIXELS and depth == meta.size_z]
    level = max(large, default=0)
    height, width, _ = sizes[level]

    def read(top: int, bottom: int, left: int, right: int) -> NDArray[Any]:
        box = Region(t=(t, t + 1), c=(index, index + 1), z=(z, z + 1), y=(top, bottom), x=(left, right))
        part: NDArray[Any] = image.read(level, box)[0, 0, 0]
        return part

    if height * width <= WHOLE_PIXELS:
        return read(0, height, 0, width)
    rows, columns = _spans(height), _spans(width)
    return np.concatenate([read(*row, *column).ravel() for row in rows for column in columns])[None]


def _spans(length: int) -> list[tuple[int, int]]:
    """Return spans that are spread evenly over a side."""
    side = min(length, PART_SIDE)
    count = min(PARTS, math.ceil(length / side))
    starts = [round(n * (length - side) / max(1, count - 1)) for n in range(count)]
    return [(start, start + side) for start in starts]
