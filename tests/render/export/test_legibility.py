"""Bars and names that can be read on what they lie on."""

import numpy as np
import pytest

from coverslip.model.export import (
    AnnotationLook,
    ChannelLook,
    ExportSpec,
    Legend,
    MarkerSet,
    MaskLook,
    Panels,
    ScaleBar,
    ShapeLook,
)
from coverslip.render.export import Fov, Window, encode_figure, figure_of, flatten
from coverslip.render.export.figure import Rect, Text
from coverslip.render.export.furniture import readable
from tests.render.export.fields import Array

BLUE = MarkerSet(name="blue", channels=(ChannelLook(channel="A", color="blue", high=255),))
SIDE = 200
WHOLE = Window(0, 0, SIDE, SIDE)


def field() -> Fov:
    """Return a black field with cells that touch everywhere: their outlines are every pixel."""
    y, x = np.mgrid[:SIDE, :SIDE]
    planes = {"A": np.zeros((SIDE, SIDE), np.uint8)}
    return Fov("F", planes, {"m": (y // 2 * SIDE + x // 2 + 1).astype(np.int32)}, {"r": x % 2}, pixel_um=(1.0, 1.0))


def drawn(**more: object) -> tuple[Array, Array, tuple[int, int, int, int]]:
    """Return a picture, the same without a bar, and the bar's x, y, width and height."""
    spec = ExportSpec.model_validate({"markers": BLUE, "scale_bar": ScaleBar(), **more})
    figure = figure_of(field(), spec, WHOLE)
    plain = figure_of(field(), spec.model_copy(update={"scale_bar": None}), WHOLE)
    assert figure.bar is not None
    bar = figure.bar
    return flatten(figure), flatten(plain), (bar.x, bar.y, bar.drawn, bar.thickness)


@pytest.mark.parametrize("color", ["#ffffff", "#000000"])
def test_a_bar_on_outlines_of_its_colour_has_a_box_behind_it(color: str) -> None:
    look = ScaleBar(color=color)
    picture, plain, (x, y, width, high) = drawn(masks=(MaskLook(mask="m", color=color),), scale_bar=look)
    rim = picture[y - 1 : y + high + 1, x - 1 : x + width + 1].astype(int).mean(axis=2)
    inside, around = rim[1:-1, 1:-1], np.concatenate([rim[0], rim[-1], rim[:, 0], rim[:, -1]])
    assert (inside == int(color[1:3], 16)).all()
    assert (abs(around - inside.mean()) > 120).all()
    assert (picture[: SIDE // 2] == plain[: SIDE // 2]).all()


@pytest.mark.parametrize(
    ("more", "boxes"),
    [
        ({}, []),
        ({"masks": (MaskLook(mask="m"),)}, ["#000000"]),
        ({"annotation": AnnotationLook(annotation="r")}, ["#000000"]),
        ({"shape": ShapeLook()}, ["#000000"]),
        ({"masks": (MaskLook(mask="m"),), "scale_bar": ScaleBar(backing="#00ff00")}, ["#00ff00"]),
    ],
)
def test_there_is_a_box_only_where_something_is_drawn(more: dict[str, object], boxes: list[str]) -> None:
    spec = ExportSpec.model_validate({"markers": BLUE, "scale_bar": ScaleBar(), **more})
    figure = figure_of(field(), spec, WHOLE)
    assert [mark.color for mark in figure.marks if isinstance(mark, Rect)] == [*boxes, "#ffffff"]


def test_a_box_of_no_opacity_changes_nothing() -> None:
    look = MaskLook(mask="m")
    picture, plain, (x, y, width, high) = drawn(masks=(look,), scale_bar=ScaleBar(backing_alpha=0, label=False))
    changed = (picture != plain).any(axis=2)
    changed[y : y + high, x : x + width] = False
    assert not changed.any()


def names_of(spec: ExportSpec) -> dict[str, str]:
    return {mark.text: mark.color for mark in figure_of(field(), spec, WHOLE).marks if isinstance(mark, Text)}


@pytest.mark.parametrize("color", ["#0000ff", "#00008b", "#ff0000", "#800080", "#a52a2a", "#00ff00", "#ffff00"])
@pytest.mark.parametrize("paper", ["#000000", "#ffffff", "#101040"])
def test_names_have_the_contrast_that_text_needs(color: str, paper: str) -> None:
    def bright(hex_color: str) -> float:  # https://www.w3.org/TR/WCAG22/#dfn-relative-luminance
        parts = [int(hex_color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((bright(readable(color, paper)), bright(paper)))
    assert (high + 0.05) / (low + 0.05) >= 4.5


def test_colours_that_can_be_read_stay() -> None:
    assert [readable(color, "#000000") for color in ("#00ff00", "#ffa500", "#ffffff")] == [
        *("#00ff00", "#ffa500", "#ffffff")
    ]


def test_blue_channels_have_names_that_can_be_read() -> None:
    panels = names_of(ExportSpec(markers=BLUE, panels=Panels()))
    legend = names_of(ExportSpec(markers=BLUE, legend=Legend()))
    assert panels == legend == {"A": readable("#0000ff", "#000000")}
    assert panels["A"] != "#0000ff"
    on_white = names_of(ExportSpec(markers=BLUE, panels=Panels(backing="#ffffff")))
    assert on_white == {"A": "#0000ff"}
    below = ExportSpec(markers=BLUE, legend=Legend(place="below"))
    swatches = [mark.color for mark in figure_of(field(), below, WHOLE).marks if isinstance(mark, Rect)]
    assert swatches == ["#0000ff"]


@pytest.mark.parametrize("form", ["svg", "pdf"])
def test_vector_formats_have_the_box_too(form: str) -> None:
    spec = ExportSpec(markers=BLUE, scale_bar=ScaleBar(), masks=(MaskLook(mask="m"),))
    bare = spec.model_copy(update={"scale_bar": ScaleBar(backing="#000000")})
    assert encode_figure(figure_of(field(), spec, WHOLE), form) == encode_figure(figure_of(field(), bare, WHOLE), form)  # type: ignore[arg-type]
