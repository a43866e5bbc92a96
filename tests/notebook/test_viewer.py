"""Looking at an image without a page: tiles, channels, slices, outlines."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from coverslip.errors import InvalidRequestError, ReadError, RegionError
from coverslip.notebook import Viewer
from coverslip.notebook.tiles import SIDE
from tests.export.making import mask, planes_of
from tests.notebook.conftest import say

type Open = Callable[..., Viewer]


@pytest.fixture
def look_at() -> Iterator[Open]:
    """Return what makes viewers that are closed afterwards."""
    made: list[Viewer] = []

    def make(*args: Any, **choices: Any) -> Viewer:
        widget = Viewer(*args, **choices)
        made.append(widget)
        assert widget.settle(20)
        return widget

    yield make
    for one in made:
        one.close()


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """Return an image of two time points, three slices and two channels, 700 pixels wide and 300 high."""
    pixels = np.random.default_rng(5).integers(0, 4000, (2, 3, 2, 300, 700), np.uint16)
    path = tmp_path / "stack.ome.tif"
    options = {"axes": "TZCYX", "Channel": {"Name": ["A", "B"]}, "PhysicalSizeX": 0.25, "PhysicalSizeY": 0.25}
    tifffile.imwrite(path, pixels, metadata=options)
    return path


def grey(pixels: Any, low: float, high: float) -> Any:
    """Return brightness as the page shows it, 0 to 255, before colours."""
    return np.clip((pixels.astype(float) - low) / (high - low), 0, 1) * 255


def test_facts_say_what_there_is(stack: Path, look_at: Open) -> None:
    facts = look_at(stack).facts
    assert facts["size"] == [700, 300]
    assert (facts["size_t"], facts["size_z"], facts["channels"]) == (2, 3, ["A", "B"])
    assert facts["pixel_um"] == [0.25, 0.25, None]
    assert facts["zooms"] == 3  # 700, 350, 175 pixels


def test_a_tile_at_full_resolution_shows_the_pixels(stack: Path, look_at: Open) -> None:
    viewer = look_at(stack)
    viewer.show("A", color="#ff0000", low=100, high=3100)
    viewer.show("B", color="#00ff00", low=0, high=4000)
    viewer.go(t=1, z=2)
    tile = viewer.tile(0, 2, 1)
    assert tile.shape == (300 - SIDE, 700 - 2 * SIDE, 3)
    pixels = tifffile.imread(stack)[1, 2, :, SIDE:, 2 * SIDE :]
    np.testing.assert_allclose(tile[..., 0], grey(pixels[0], 100, 3100), atol=1)
    np.testing.assert_allclose(tile[..., 1], grey(pixels[1], 0, 4000), atol=1)
    assert not tile[..., 2].any()


def test_a_coarse_tile_is_the_mean_of_what_it_covers(stack: Path, look_at: Open) -> None:
    viewer = look_at(stack)
    viewer.show("A", visible=False)
    viewer.show("B", color="#ffffff", low=0, high=4000)
    viewer.go(z=0)
    tile = viewer.tile(2, 0, 0)
    assert tile.shape == (75, 175, 3)
    means = tifffile.imread(stack)[0, 0, 1].reshape(75, 4, 175, 4).mean(axis=(1, 3))
    np.testing.assert_allclose(tile[..., 0], grey(means, 0, 4000), atol=1)


def test_of_a_pyramid_the_level_that_is_enough_is_read(tmp_path: Path, look_at: Open) -> None:
    path = tmp_path / "pyramid.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as writer:
        writer.write(np.full((1024, 1024), 10, np.uint8), subifds=1, metadata={"axes": "YX"}, tile=(256, 256))
        writer.write(np.full((512, 512), 200, np.uint8), subfiletype=1, tile=(256, 256))
    viewer = look_at(path)
    viewer.show(0, color="#ffffff", low=0, high=255)
    assert [int(viewer.tile(k, 0, 0).mean()) for k in range(3)] == [10, 200, 200]


def test_contrast_begins_as_percentiles_of_the_slice(stack: Path, look_at: Open) -> None:
    viewer = look_at(stack)
    first = viewer.look["channels"][0]
    shrunk = viewer.ranges["0"]
    assert (first["low"], first["high"]) == (shrunk["low"], shrunk["high"])
    assert shrunk["min"] <= shrunk["low"] < shrunk["high"] <= shrunk["max"]
    chosen = look_at(stack, look={"channels": [{"index": 0, "low": 5, "high": 6}]})
    assert [(one["low"], one["high"]) for one in chosen.look["channels"]] == [(5, 6)]


def test_channels_that_are_not_shown_are_not_read(tmp_path: Path, look_at: Open) -> None:
    path = tmp_path / "many.ome.tif"
    pixels = np.random.default_rng(2).integers(0, 900, (9, 20, 30), np.uint16)
    tifffile.imwrite(path, pixels, metadata={"axes": "CYX"})
    viewer = look_at(path)
    assert set(viewer.ranges) == {"0", "1", "2", "3"}  # of more than seven channels the first four are shown
    viewer.show(8, visible=True)
    viewer.settle()
    assert viewer.ranges["8"]["max"] == pixels[8].max()
    assert viewer.look["channels"][8]["high"] == viewer.ranges["8"]["high"]
    viewer.show(7, visible=True, low=1, high=2)
    viewer.settle()
    assert (viewer.look["channels"][7]["low"], viewer.look["channels"][7]["high"]) == (1, 2)


def test_masks_of_a_field_of_view_are_outlined(images: Path, look_at: Open) -> None:
    viewer = look_at(images / "A")
    assert sorted(viewer.facts["channels"]) == ["Anti-CD3", "CD3", "DNA"]
    channels = [{**one, "visible": False} for one in viewer.look["channels"]]
    viewer.look = {**viewer.look, "channels": channels, "masks": [{"name": "whole_cell", "visible": True}]}
    tile = viewer.tile(0, 0, 0)
    labels = mask()
    padded = np.pad(labels, 1, mode="edge")
    sides = [padded[1 + y : 41 + y, 1 + x : 61 + x] for y, x in ((0, 1), (0, -1), (1, 0), (-1, 0))]
    outline = (labels > 0) & np.any([side != labels for side in sides], axis=0)
    np.testing.assert_array_equal(tile, np.repeat(outline[..., None] * np.uint8(255), 3, axis=-1))


def test_outlines_go_on_across_tiles(tmp_path: Path, look_at: Open) -> None:
    folder = tmp_path / "images" / "A"
    folder.mkdir(parents=True)
    labels = np.zeros((300, 600), np.uint16)
    labels[:, 100:SIDE] = 1
    labels[:, SIDE:400] = 2
    tifffile.imwrite(folder / "DNA.tiff", labels)
    (tmp_path / "masks").mkdir()
    tifffile.imwrite(tmp_path / "masks" / "A_cells.tiff", labels)
    viewer = look_at(folder, look={"channels": [], "masks": [{"name": "cells", "visible": True}]})
    left, right = viewer.tile(0, 0, 0)[10, :, 0], viewer.tile(0, 1, 0)[10, :, 0]
    assert list(np.flatnonzero(left)) == [100, SIDE - 1]
    assert list(np.flatnonzero(right)) == [0, 399 - SIDE]


def test_a_colour_image_keeps_its_colours(tmp_path: Path, look_at: Open) -> None:
    pixels = np.random.default_rng(1).integers(0, 255, (20, 30, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    viewer = look_at(tmp_path / "a.png")
    np.testing.assert_array_equal(viewer.tile(0, 0, 0), pixels)


def test_a_page_gets_the_tiles_it_asks_for(stack: Path, look_at: Open) -> None:
    viewer = look_at(stack)
    heard = say(viewer, do="tiles", stamp=7, want=[[0, 2, 1], [2, 0, 0], [0, 9, 9]])
    assert [(tuple(said["at"]), said["stamp"]) for said, _ in heard] == [((0, 2, 1), 7), ((2, 0, 0), 7), ((0, 9, 9), 7)]
    with Image.open(io.BytesIO(heard[0][1][0])) as picture:
        assert picture.format == "WEBP"
        assert picture.size == (700 - 2 * SIDE, 300 - SIDE)
    assert "there is no tile" in heard[2][0]["error"]
    assert all(sum(map(len, buffers)) < 1 << 20 for _, buffers in heard)


def test_tiles_are_those_of_the_look_that_came_with_the_message(stack: Path, look_at: Open) -> None:
    viewer = look_at(stack)
    white = [{"index": 0, "color": "#ffffff", "low": -2, "high": -1}]
    ((_, (picture,)),) = say(viewer, do="tiles", stamp=1, want=[[0, 0, 0]], look={**viewer.look, "channels": white})
    with Image.open(io.BytesIO(picture)) as shown:
        assert np.array(shown).min() > 250


def test_a_page_changes_the_look_and_asks_for_the_usual_contrast(stack: Path, look_at: Open) -> None:
    viewer = look_at(stack)
    usual = viewer.look["channels"][1]
    state = {
        "look": {**viewer.look, "z": 0, "channels": [{**one, "low": 1, "high": 2} for one in viewer.look["channels"]]}
    }
    viewer._handle_msg({"content": {"data": {"method": "update", "state": state}}, "buffers": []})
    assert viewer.tile(0, 0, 0).max() == 255
    say(viewer, do="limits", index=1)
    assert viewer.look["channels"][0]["high"] == 2
    assert viewer.look["channels"][1]["high"] == pytest.approx(usual["high"], rel=0.05)


@pytest.mark.parametrize(
    "look",
    [
        {"z": 9},
        {"t": 9},
        {"channels": [{"index": 9}]},
        {"channels": [{"index": 0, "color": "blurple"}]},
        {"channels": [{"index": 0, "low": float("nan")}]},
    ],
)
def test_a_look_that_makes_no_sense_draws_nothing_and_is_said(stack: Path, look_at: Open, look: dict[str, Any]) -> None:
    viewer = look_at(stack)
    state = {"look": {**viewer.look, **look}}
    viewer._handle_msg({"content": {"data": {"method": "update", "state": state}}, "buffers": []})
    ((said, _),) = say(viewer, do="tiles", stamp=1, want=[[0, 0, 0]])
    assert said.get("error") or viewer.problem


@pytest.mark.parametrize("content", [{"do": "tiles", "want": [[1]]}, {"do": "tiles", "want": 3}, {"do": "limits"}])
def test_messages_that_make_no_sense_are_answered(stack: Path, look_at: Open, content: dict[str, Any]) -> None:
    ((said, _),) = say(look_at(stack), **content)
    assert said["is"] == "error"


def test_what_cannot_be_shown_is_an_error_at_once(stack: Path, tmp_path: Path, look_at: Open) -> None:
    (tmp_path / "damaged.tif").write_bytes(b"II*\0 no more")
    with pytest.raises(ReadError):
        Viewer(tmp_path / "damaged.tif")
    with pytest.raises(RegionError, match="no image 3"):
        Viewer(stack, index=3)
    with pytest.raises(InvalidRequestError, match="z"):
        Viewer(stack, look={"z": -1})
    viewer = look_at(stack)
    with pytest.raises(InvalidRequestError, match="'C'"):
        viewer.show("C", low=1)
    with pytest.raises(RegionError, match="3 slices"):
        viewer.go(z=3)


@pytest.mark.usefixtures("no_open_handles")
def test_closing_the_widget_closes_the_file(stack: Path) -> None:
    with Viewer(stack) as viewer:
        viewer.settle()
        viewer.tile(0, 0, 0)


def test_an_open_image_is_shown_and_stays_open(stack: Path) -> None:
    import coverslip

    with coverslip.open_image(stack) as file:
        with Viewer(file.images[0]) as viewer:
            assert viewer.tile(0, 0, 0).shape == (SIDE, SIDE, 3)
            viewer.settle()
        assert file.images[0].plane().shape == (300, 700)


def test_planes_of_the_helper_are_what_the_viewer_reads(images: Path, look_at: Open) -> None:
    viewer = look_at(images / "B", look={"masks": []})
    for one in viewer.look["channels"]:
        viewer.show(one["index"], visible=viewer.facts["channels"][one["index"]] == "DNA")
    viewer.show("DNA", color="#ffffff", low=0, high=1000)
    np.testing.assert_allclose(viewer.tile(0, 0, 0)[..., 0], grey(planes_of(1)["DNA"], 0, 1000), atol=1)
