"""What is drawn on and around a picture: scale bar, legend, colour bar, caption. Places are worked out here."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from coverslip.errors import ScaleBarError
from coverslip.model.export import Caption, ColorBar, ExportSpec, Legend, ScaleBar
from coverslip.model.templates import Value, filled
from coverslip.render.export.figure import Figure, Mark, Raster, Rect, Text, line_height
from coverslip.render.export.text import BOLD, REGULAR, fitting_size, text_mask
from coverslip.render.luts import ANCHORS, table
from coverslip.render.scale_bar import Bar, bar_length, fixed_length, known_pixel, length_label

FONT_PART, MIN_FONT = 0.032, 10
BAR_PART, MIN_BAR = 0.008, 2
MARGIN_PART, MIN_MARGIN = 0.025, 2
TEXT_CONTRAST = 5.0


def furnished(figure: Figure, spec: ExportSpec, values: Mapping[str, Value]) -> Figure:
    """Return a figure with all that the spec asks to be drawn.

    Parameters
    ----------
    figure
        The picture alone.
    spec
        What is drawn.
    values
        For the caption.

    Raises
    ------
    ScaleBarError
        No true scale bar can be drawn, and that is not to be passed over.
    InvalidRequestError
        The caption names something that is not there.
    """
    if spec.legend is not None and spec.legend.place == "inside":
        lines = _legend_lines(spec, spec.legend)
        under = spec.background if spec.legend.backing is None else spec.legend.backing
        figure = _legend_inside(figure, spec.legend, [(text, readable(color, under)) for text, color in lines])
    if spec.scale_bar is not None:
        figure = with_bar(figure, _told_apart(spec.scale_bar, spec))
    if spec.color_bar is not None and spec.cells is not None and spec.cells.ramp is not None:
        figure = _color_bar(figure, spec, spec.color_bar)
    if spec.legend is not None and spec.legend.place != "inside":
        figure = _legend_beside(figure, spec.legend, _legend_lines(spec, spec.legend))
    if spec.caption is not None:
        figure = _caption(figure, spec.caption, values)
    return figure


def with_bar(figure: Figure, look: ScaleBar) -> Figure:
    """Return a figure with a scale bar in a corner of its picture.

    Raises
    ------
    ScaleBarError
        No true scale bar can be drawn, and that is not to be passed over.
    """
    try:
        marks, bar, notes = _bar(figure, look)
    except ScaleBarError as error:
        if look.refused == "fail":
            raise
        return replace(figure, notes=(*figure.notes, str(error)))
    return replace(figure, marks=(*figure.marks, *marks), bar=bar, notes=(*figure.notes, *notes))


def _told_apart(look: ScaleBar, spec: ExportSpec) -> ScaleBar:
    """Return a scale bar with a box behind it where outlines or areas are drawn that it could be lost in."""
    is_busy = spec.masks or spec.cells is not None or spec.annotation is not None or spec.shape is not None
    if look.backing is not None or not is_busy:
        return look
    return look.model_copy(update={"backing": ink_on(look.color)})


def _bar(figure: Figure, look: ScaleBar) -> tuple[list[Mark], Bar, list[str]]:
    height, width = figure.pixels.shape[:2]
    pixel = known_pixel(None if figure.pixel_um is None else figure.pixel_um[1])
    if look.length_um is None:
        length = bar_length(width, pixel, fraction=look.fraction)
    else:
        length = fixed_length(look.length_um, width, pixel)
    bar = Bar(length, length_label(length), length / pixel)
    margin, wide = margin_of(figure, look.margin), min(bar.drawn, width)
    thick = min(height, look.thickness or max(MIN_BAR, round(min(width, height) * BAR_PART)))
    size, notes = _label_size(figure, look, bar, thick), []
    if look.label and size is None:
        notes.append(f"the scale bar, {bar.label}, has no label: the picture is too small for it")
    label = 0 if size is None else text_mask(bar.label, size, BOLD if look.bold else REGULAR).shape[1]
    gap, line = (0, 0) if size is None else (max(1, round(size / 8)), line_height(size))
    block, tall = max(wide, label), thick + gap + line
    (left, top) = in_corner(look.corner, (width, height), (block, tall), margin)
    left, top = left + figure.at[0], top + figure.at[1]
    is_low = look.corner.startswith("lower")
    x, y = left + (block - wide) // 2, top + (gap + line if is_low else 0)
    bar = replace(bar, x=x, y=y, thickness=thick)
    marks: list[Mark] = []
    if look.backing is not None:
        rim = max(1, min(margin, thick))
        marks.append(_backing(left - rim, top - rim, block + 2 * rim, tall + 2 * rim, look.backing, look.backing_alpha))
    marks.append(Rect(x, y, wide, thick, look.color))
    if size is not None:
        line_y = top if is_low else top + thick + gap
        marks.append(Text(left + block / 2, line_y, bar.label, size, look.color, "middle", look.bold))
    return marks, bar, notes


def _label_size(figure: Figure, look: ScaleBar, bar: Bar, thick: int) -> float | None:
    """Return the size of the label's font; ``None`` where there is none or no room."""
    if not look.label:
        return None
    height, width = figure.pixels.shape[:2]
    size = fitting_size(bar.label, look.font_size or usual_font(figure), width, BOLD if look.bold else REGULAR)
    if size is None or line_height(size) + thick + max(1, round(size / 8)) > height:
        return None
    return size


def in_corner(corner: str, room: tuple[int, int], block: tuple[int, int], margin: int) -> tuple[int, int]:
    """Return the left and upper edge of a block in a corner; the margin gives way where there is no room for it."""
    across, down = (max(0, min(margin, (outer - inner) // 2)) for outer, inner in zip(room, block, strict=True))
    left = across if corner.endswith("left") else room[0] - block[0] - across
    top = down if corner.startswith("upper") else room[1] - block[1] - down
    return max(0, left), max(0, top)


def _legend_lines(spec: ExportSpec, legend: Legend) -> list[tuple[str, str]]:
    """Return names and colours of what is shown."""
    lines = []
    if legend.channels and spec.image:
        lines += [(look.channel, _color_of(look.lut, look.color)) for look in spec.markers.channels]
    if legend.classes:
        if spec.cells is not None:
            lines += [(one.value, one.color) for one in spec.cells.classes if one.visible]
            if spec.cells.default is not None and spec.cells.default.visible:
                lines.append((spec.cells.default.value or "other", spec.cells.default.color))
        if spec.annotation is not None:
            lines += [(one.name or str(one.value), one.color) for one in spec.annotation.classes]
    return lines


def _color_of(lut: str | None, color: str) -> str:
    """Return the colour that a channel's name is written in: the brightest colour that is not white of its table."""
    if lut is None:
        return color
    ends = next(anchors for name, anchors in ANCHORS.items() if name == lut)
    return f"#{ends[-1] if lut != 'fire' else ends[5]}"


def _legend_inside(figure: Figure, legend: Legend, lines: Sequence[tuple[str, str]]) -> Figure:
    height, width = figure.pixels.shape[:2]
    margin, size = margin_of(figure), legend.font_size or usual_font(figure)
    size = min(size, (height - 2 * margin) / max(1, 1.25 * len(lines)))
    fits = [fitting_size(text, size, max(1, width - 2 * margin)) for text, _ in lines]
    if not lines:
        return figure
    if size < 4 or None in fits:
        return replace(figure, notes=(*figure.notes, "there is no legend: the picture is too small for it"))
    size = min(one for one in fits if one is not None)
    line = line_height(size)
    wide = max(text_mask(text, size).shape[1] for text, _ in lines)
    left, top = in_corner(legend.corner, (width, height), (wide, line * len(lines)), margin)
    left, top = left + figure.at[0], top + figure.at[1]
    marks: list[Mark] = []
    if legend.backing is not None:
        rim = max(1, margin // 2)
        box = left - rim, top - rim, wide + 2 * rim, line * len(lines) + 2 * rim
        marks.append(_backing(*box, legend.backing, legend.backing_alpha))
    is_right = legend.corner.endswith("right")
    for row, (text, color) in enumerate(lines):
        x = left + wide if is_right else left
        marks.append(Text(x, top + row * line, text, size, color, "end" if is_right else "start"))
    return figure.with_marks(*marks)


def _legend_beside(figure: Figure, legend: Legend, lines: Sequence[tuple[str, str]]) -> Figure:
    """Return the figure with a swatch and a name for each line, in columns below it or in one beside it."""
    if not lines:
        return figure
    size, margin = legend.font_size or usual_font(figure), margin_of(figure)
    line, ink = line_height(size), ink_on(figure.paper)
    widest = max(text_mask(text, size).shape[1] for text, _ in lines)
    cell = line + margin + widest + 2 * margin
    if legend.place == "right":
        columns, left, top = 1, figure.width + margin, figure.at[1]
    else:
        columns, left, top = max(1, (figure.width - margin) // cell), margin, figure.height + margin
    marks: list[Mark] = []
    for place, (text, color) in enumerate(lines):
        x, y = left + cell * (place % columns), top + line * (place // columns)
        side = max(1, round(0.7 * line))
        marks.append(Rect(x, y + (line - side) // 2, side, side, color))
        marks.append(Text(x + line + margin // 2, y, text, size, ink))
    rows = -(-len(lines) // columns)
    width = max(figure.width, left + cell * min(columns, len(lines)))
    height = max(figure.height, top + rows * line + (margin if legend.place == "below" else 0))
    return replace(figure, width=width, height=height, marks=(*figure.marks, *marks))


def _color_bar(figure: Figure, spec: ExportSpec, look: ColorBar) -> Figure:
    assert spec.cells is not None
    assert spec.cells.ramp is not None
    ramp, margin, ink = spec.cells.ramp, margin_of(figure), ink_on(figure.paper)
    size = look.font_size or usual_font(figure)
    line, title = line_height(size), spec.cells.column if look.title is None else look.title
    head = line if title else 0
    tall = max(3 * line, figure.pixels.shape[0] - head)
    shades = table(ramp.lut)[np.linspace(255, 0, tall).round().astype(np.uint8)]
    bar = np.repeat(shades[:, None], max(4, round(0.8 * line)), axis=1)
    left, top = figure.width + margin, figure.at[1]
    beside = left + bar.shape[1] + margin
    ends = [(f"{ramp.high:.4g}", top + head), (f"{ramp.low:.4g}", top + head + tall - line)]
    marks: list[Mark] = [Raster(left, top + head, bar), *(Text(beside, y, text, size, ink) for text, y in ends)]
    widths = [beside + text_mask(text, size).shape[1] for text, _ in ends]
    if title:
        marks.append(Text(left, top, title, size, ink))
        widths.append(left + text_mask(title, size).shape[1])
    height = max(figure.height, top + head + tall)
    return replace(figure, width=max(widths) + margin, height=height, marks=(*figure.marks, *marks))


def _caption(figure: Figure, look: Caption, values: Mapping[str, Value]) -> Figure:
    size, margin = look.font_size or usual_font(figure), margin_of(figure)
    room = max(1, figure.width - 2 * margin)
    marks: list[Mark] = []
    y = figure.height + margin
    for text in wrapped(filled(look.template, values), size, room):
        fitting = fitting_size(text, size, room) or 4
        marks.append(Text(margin, y, text, fitting, look.color))
        y += line_height(size)
    return replace(figure, height=y + margin, marks=(*figure.marks, *marks))


def wrapped(text: str, size: float, width: int) -> list[str]:
    """Return a text as lines of at most so many pixels; a word that is wider has a line of its own."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_mask(longer, size).shape[1] <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _backing(x: int, y: int, width: int, height: int, color: str, alpha: float) -> Rect:
    return Rect(max(0, x), max(0, y), width + min(0, x), height + min(0, y), color, alpha)


def usual_font(figure: Figure) -> float:
    """Return the size of text on a figure where nobody chose one, in pixels."""
    return float(max(MIN_FONT, round(min(figure.pixels.shape[:2]) * FONT_PART)))


def margin_of(figure: Figure, asked: int | None = None) -> int:
    """Return the distance of what is drawn to the edges, in pixels."""
    return asked if asked is not None else int(max(MIN_MARGIN, round(min(figure.pixels.shape[:2]) * MARGIN_PART)))


def ink_on(paper: str) -> str:
    """Return black or white, whichever is seen on the paper."""
    red, green, blue = bytes.fromhex(paper[1:])
    return "#000000" if 299 * red + 587 * green + 114 * blue > 127_500 else "#ffffff"


def readable(color: str, paper: str) -> str:
    """Return a colour for text on a paper, the colour itself where it can be read there.

    It is mixed with white on dark paper, with black on light paper, by as little as gives a contrast of 5: a bit more
    than the 4.5 that WCAG 2.2 (success criterion 1.4.3) asks of text, because a picture is not paper alone.

    Parameters
    ----------
    color, paper
        ``#rrggbb``.
    """
    start, behind = bytes.fromhex(color[1:]), luminance(paper)
    goal = 255 if ink_on(paper) == "#ffffff" else 0
    for step in range(17):
        parts = [round(part + (goal - part) * step / 16) for part in start]
        mixed = "#" + bytes(parts).hex()
        bright, dark = sorted((luminance(mixed), behind), reverse=True)
        if (bright + 0.05) / (dark + 0.05) >= TEXT_CONTRAST:
            return mixed
    return ink_on(paper)


def luminance(color: str) -> float:
    """Return the relative luminance of ``#rrggbb``, 0 to 1, as WCAG 2.2 defines it for sRGB."""
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (value / 255 for value in bytes.fromhex(color[1:]))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
