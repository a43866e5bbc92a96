"""One length for the scale bars of a whole job."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from coverslip.errors import CoverslipError
from coverslip.export.choices import Chosen
from coverslip.export.facts import SourceFacts
from coverslip.model.export import ExportSpec
from coverslip.render.export import whole
from coverslip.render.export.regions import grid
from coverslip.render.scale_bar import common_length


def with_common_bar(picked: Sequence[Chosen], facts: Sequence[SourceFacts]) -> list[Chosen]:
    """Return items whose scale bars, where all are to be alike, have the length that fits the narrowest picture.

    Items that cannot have a bar, because their size of a pixel is not known or they are outside, do not count.

    Raises
    ------
    ScaleBarError
        No length fits all the others.
    """
    alike = [one for one in picked if _is_alike(one.spec)]
    if not alike:
        return list(picked)
    fractions = [one.spec.scale_bar.fraction for one in alike if one.spec.scale_bar is not None]
    widths = list(_widths(alike, facts))
    if not widths:
        return list(picked)
    length = common_length(widths, fraction=min(fractions))
    specs: dict[int, ExportSpec] = {}
    found = []
    for one in picked:
        bar = one.spec.scale_bar
        if bar is not None and _is_alike(one.spec):
            if id(one.spec) not in specs:
                fixed = bar.model_copy(update={"length_um": length})
                specs[id(one.spec)] = one.spec.model_copy(update={"scale_bar": fixed})
            found.append(replace(one, spec=specs[id(one.spec)]))
        else:
            found.append(one)
    return found


def _is_alike(spec: ExportSpec) -> bool:
    return spec.scale_bar is not None and spec.scale_bar.same_for_all and spec.scale_bar.length_um is None


def _widths(picked: Sequence[Chosen], facts: Sequence[SourceFacts]) -> Iterator[tuple[float, float]]:
    """Yield width of a picture in pixels and of one of its pixels in micrometres."""
    for one in picked:
        about = facts[one.source]
        if one.error is not None or about.metadata is None or about.pixel_um is None:
            continue
        size = about.metadata.size_y, about.metadata.size_x
        try:
            where = grid(one.window or whole(size), size, one.spec.downsample, pad=one.spec.pad, name=one.name)
        except CoverslipError:
            continue
        yield where.full[1], about.pixel_um[1] * one.spec.downsample
