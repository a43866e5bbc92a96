"""Items become one item for each of their channels."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from coverslip.export.choices import Chosen
from coverslip.export.request import Separate
from coverslip.model.export import ExportSpec
from coverslip.render.export.panels import channel_groups, white

type Part = tuple[str, str, ExportSpec]
"""Name of the channels, what follows the name of the file, and the look."""


def separated(picked: Sequence[Chosen], asked: Separate | None) -> list[Chosen]:
    """Return items with a picture of each channel in the place of one of all of them; as they are for ``None``.

    Items that show no channel stay as they are.
    """
    if asked is None:
        return list(picked)
    known: dict[int, list[Part]] = {}
    found = []
    for one in picked:
        if id(one.spec) not in known:
            known[id(one.spec)] = list(_parts(one.spec, asked))
        for channel, suffix, spec in known[id(one.spec)]:
            name = f"{one.name} {channel}" if suffix else one.name
            values = {**one.values, "channel": channel}
            found.append(replace(one, name=name, spec=spec, suffix=suffix, values=values))
    return found


def _parts(spec: ExportSpec, asked: Separate) -> Iterator[Part]:
    groups = channel_groups(spec.markers.channels if spec.image else (), same_color=asked.same_color)
    everything = " + ".join(look.channel for look in spec.markers.channels)
    for group in groups:
        names = [look.channel for look in group]
        looks = white(group) if asked.colors == "white" else group
        markers = spec.markers.model_copy(update={"channels": looks})
        suffix = "_" + ("merged_" if len(names) > 1 else "") + "_".join(names)
        yield " + ".join(names), suffix, spec.model_copy(update={"markers": markers})
    if not groups or (asked.merge and len(spec.markers.channels) > 1):
        yield everything, "", spec
