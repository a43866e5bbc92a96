"""Channels side by side: a panel for each, one for all of them together, each with its name."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from coverslip.errors import ExportError
from coverslip.model.export import ChannelLook, ExportSpec, Panels
from coverslip.model.templates import Value
from coverslip.render.export.figure import Figure, Mark, Path, Raster, Rect, Text, line_height
from coverslip.render.export.furniture import furnished, in_corner, ink_on, margin_of, readable, usual_font
from coverslip.render.export.text import fitting_size, text_mask

GAP_PART = 0.02
MAX_PIXELS = 1 << 30
"""Of a figure of panels, which is made at once."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One of them."""

    label: str
    color: str | None
    """Of the label; ``None`` is that of all channels together."""
    spec: ExportSpec
    """What it shows, without anything beside it."""


def channel_groups(looks: Sequence[ChannelLook], *, same_color: bool) -> list[tuple[ChannelLook, ...]]:
    """Return the channels one by one, or those of one colour together, in the order of the first of each."""
    if not same_color:
        return [(look,) for look in looks]
    places = {_shade(look): n for n, look in reversed(list(enumerate(looks)))}
    ordered = sorted(looks, key=lambda look: places[_shade(look)])
    return [tuple(some) for _, some in groupby(ordered, key=_shade)]


def white(looks: Sequence[ChannelLook]) -> tuple[ChannelLook, ...]:
    """Return channels in white instead of their colours."""
    return tuple(look.model_copy(update={"color": "#ffffff", "lut": None}) for look in looks)


def panels_of(spec: ExportSpec) -> list[Panel]:
    """Return the panels of a look, in their order.

    Raises
    ------
    ExportError
        It shows no channel.
    """
    asked = spec.panels or Panels()
    groups = channel_groups(spec.markers.channels if spec.image else (), same_color=asked.same_color)
    if not groups:
        raise ExportError("there is no channel that could have a panel", recoverable=False)
    bare = spec.model_copy(update={"panels": None, "caption": None, "color_bar": None, "legend": None})
    plain = {"masks": (), "cells": None, "annotation": None} if asked.overlays == "merge" else {}
    has_bar = asked.scale_bar == "all"
    found = []
    for group in groups:
        looks = white(group) if asked.colors == "white" else group
        markers = spec.markers.model_copy(update={"channels": looks})
        update = {"markers": markers, **plain, **({} if has_bar else {"scale_bar": None})}
        label = " + ".join(look.channel for look in group)
        found.append(Panel(label, looks[0].color, bare.model_copy(update=update)))
    if asked.merge == "none" or len(spec.markers.channels) == 1:
        last = found[-1]
        found[-1] = replace(last, spec=last.spec.model_copy(update={"scale_bar": spec.scale_bar}))
        return found
    legend = spec.legend if spec.legend is not None and spec.legend.place == "inside" else None
    merge = Panel(asked.merge_label, None, bare.model_copy(update={"legend": legend}))
    return [*found, merge] if asked.merge == "last" else [merge, *found]


def panel_grid(spec: ExportSpec) -> tuple[int, int]:
    """Return rows and columns of the panels of a look; 1 and 1 where it has none."""
    if spec.panels is None or not spec.image:
        return 1, 1
    count = len(panels_of(spec)) if spec.markers.channels else 1
    columns = min(count, spec.panels.columns or count)
    return -(-count // columns), columns


def with_panels(draw: Callable[[ExportSpec], Figure], spec: ExportSpec, values: Mapping[str, Value]) -> Figure:
    """Return panels as one figure, with caption, colour bar and legend beside them.

    Parameters
    ----------
    draw
        Gives the figure of a panel.
    spec
        Of all.
    values
        For the caption.

    Raises
    ------
    ExportError
        There is no channel, or it is too large; and whatever ``draw`` raises.
    InvalidRequestError
        The caption names something that is not there.
    """
    asked = spec.panels or Panels()
    panels = panels_of(spec)
    rows, columns = panel_grid(spec)
    first = draw(panels[0].spec)
    gap = asked.gap if asked.gap is not None else max(1, round(min(first.width, first.height) * GAP_PART))
    size = asked.font_size or usual_font(first)
    head = line_height(size) if asked.labels == "above" else 0
    high, wide = head + first.height, first.width
    height, width = rows * high + (rows - 1) * gap, columns * wide + (columns - 1) * gap
    if height * width > MAX_PIXELS:
        raise ExportError(f"{len(panels)} panels of {first.width:,} x {first.height:,} pixels are too large together")
    pixels = np.empty((height, width, 3), np.uint8)
    pixels[:] = list(bytes.fromhex(spec.margin_color[1:]))
    marks: list[Mark] = []
    figure = replace(first, pixels=pixels, width=width, height=height, dpi=spec.print_dpi(width, height))
    for number, panel in enumerate(panels):
        one = draw(panel.spec) if number else first
        x, y = (number % columns) * (wide + gap), (number // columns) * (high + gap)
        pixels[y + head : y + high, x : x + wide] = one.pixels
        marks += [moved(mark, x, y + head) for mark in one.marks]
        if one.bar is not None:
            place = replace(one.bar, x=one.bar.x + x, y=one.bar.y + y + head)
            figure = replace(figure, bar=place, notes=(*figure.notes, *one.notes))
        marks += _label(asked, panel, spec, one, size, (x, y))
    figure = replace(figure, marks=tuple(marks))
    beside = None if spec.legend is None or spec.legend.place == "inside" else spec.legend
    return furnished(figure, spec.model_copy(update={"scale_bar": None, "legend": beside}), values)


def moved(mark: Mark, x: int, y: int) -> Mark:
    """Return a mark at another place of the canvas."""
    if isinstance(mark, Path):
        return replace(mark, points=tuple((across + x, down + y) for across, down in mark.points))
    if isinstance(mark, Raster):
        return replace(mark, x=mark.x + x, y=mark.y + y)
    if isinstance(mark, Rect):
        return replace(mark, x=mark.x + x, y=mark.y + y)
    return replace(mark, x=mark.x + x, y=mark.y + y)


def _label(
    asked: Panels, panel: Panel, spec: ExportSpec, figure: Figure, size: float, at: tuple[int, int]
) -> list[Mark]:
    if asked.labels == "none" or not panel.label.strip():
        return []
    x, y = at
    margin = 0 if asked.labels == "above" else margin_of(figure)
    fitting = fitting_size(panel.label, size, max(1, figure.width - 2 * margin))
    if fitting is None:
        return []
    if asked.labels == "above":
        return [Text(x, y, panel.label, fitting, ink_on(spec.margin_color))]
    under = spec.background if asked.backing is None else asked.backing
    ink = ink_on(under) if panel.color is None else readable(panel.color, under)
    across, down = in_corner("upper left", (figure.width, figure.height), (0, line_height(fitting)), margin)
    text = Text(x + across, y + down, panel.label, fitting, ink)
    if asked.backing is None:
        return [text]
    rim, wide = max(1, margin // 2), text_mask(panel.label, fitting).shape[1]
    left, top = max(0, across - rim), max(0, down - rim)
    size_of = min(figure.width, across + wide + rim) - left, min(figure.height, down + line_height(fitting) + rim) - top
    return [Rect(x + left, y + top, *size_of, asked.backing, asked.backing_alpha), text]


def _shade(look: ChannelLook) -> tuple[str, str | None]:
    return look.color, look.lut
