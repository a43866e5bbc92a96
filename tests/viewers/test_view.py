"""What somebody sees who opens a tomogram: every layer at its place, and new ones without any other command."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image
from playwright.sync_api import Browser, Page

from coverslip.derive import open_catalog
from tests.api.conftest import Service, running
from tests.api.layouts import ARROW, MASK, MESH, SIZE, SPOT, Layout, ingested, points, write_layout
from tests.ngff.images import Array
from tests.viewers.test_neuroglancer import PROBLEMS, VALUE, wait_until_shown
from tests.web.browser import Visit, browser, visiting

__all__ = ["browser"]
pytestmark = pytest.mark.browser

COUNT = "(count) => window.viewer?.layerManager.managedLayers.length === count"
NAMES = "() => viewer.layerManager.managedLayers.map(({ name }) => name)"
PANEL = """() => { const { left, top, width, height } = [...viewer.display.panels][0].element.getBoundingClientRect();
    return [left, top, width, height]; }"""
SCALE = 0.125
"""Voxels of a pixel of the screen in the slices that are looked at."""
MIDDLE = (32, 24, 16)

type At = Callable[[float, float], tuple[int, int]]


@dataclass(frozen=True)
class Deposited:
    """A server with a tomogram and its annotations."""

    service: Service
    layout: Layout
    image_id: str

    def state(self) -> dict[str, Any]:
        """Return the present state."""
        answer = self.service.client.get(f"/api/images/{self.image_id}/neuroglancer.json")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def keep(self, state: dict[str, Any]) -> str:
        """Keep a view; return its address."""
        answer = self.service.client.post(f"/api/images/{self.image_id}/views", json={"state": state})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["url"])


@pytest.fixture
def deposited(tmp_path: Path) -> Iterator[Deposited]:
    """A server with what ``layouts.write_layout`` makes."""
    layout = write_layout(tmp_path / "layout")
    with running(tmp_path / "home") as service:
        yield Deposited(service, layout, ingested(service.settings, layout))


def open_view(visit: Visit, address: str, count: int) -> Page:
    """Open an address, and wait until so many layers are on the screen."""
    visit.page.goto(address)
    visit.page.wait_for_function(COUNT, arg=count)
    wait_until_shown(visit.page)
    assert visit.page.evaluate(PROBLEMS) == []
    return visit.page


def picture(page: Page) -> Array:
    """Return the screen: Y, X and red, green, blue."""
    return np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB")).astype(int)


def projection(page: Page) -> At:
    """Return where a place of the slice, x and y, is on the screen: row and column."""
    left, top, width, height = page.evaluate(PANEL)

    def at(x: float, y: float) -> tuple[int, int]:
        column = left + width / 2 + (x - MIDDLE[0]) / SCALE
        return int(np.floor(top + height / 2 + (y - MIDDLE[1]) / SCALE)), int(np.floor(column))

    return at


def rgb(color: str) -> Array:
    """Return red, green and blue of ``#rrggbb``."""
    return np.array([int(color[start : start + 2], 16) for start in (1, 3, 5)])


def is_color(screen: Array, place: tuple[int, int], color: Any) -> bool:
    """Return whether a pixel is of a colour, or nearly."""
    return bool(np.abs(screen[place] - color).max() < 30)


def layer_of(state: dict[str, Any], ending: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in state["layers"] if one["name"].endswith(ending))
    return found


def sliced(state: dict[str, Any]) -> dict[str, Any]:
    """Return a state that shows the middle slice alone, 8 pixels a voxel."""
    return {
        **state,
        "layout": "xy",
        "crossSectionScale": SCALE,
        "position": list(MIDDLE),
        "showAxisLines": False,
        "showDefaultAnnotations": False,
        "toolPalettes": {},
    }


def test_every_layer_is_where_it_belongs(browser: Browser, deposited: Deposited) -> None:
    with visiting(browser, deposited.service.address) as visit:
        page = open_view(visit, f"/view/{deposited.image_id}", 5)
        assert page.url.startswith(f"{deposited.service.address}/neuroglancer/v/{deposited.image_id}/#!")
        visit.screenshot("view-4panel")
        state = deposited.state()
        page = open_view(visit, deposited.keep(sliced(state)), 5)
        visit.screenshot("view-xy")
        screen, at = picture(page), projection(page)
        for place in (SPOT, (2, 3, 16)):  # half a voxel from the middle of a voxel on, another one begins
            for off in (-0.4, 0.4):
                value = float(page.evaluate(VALUE, [one + off for one in place])[0])
                assert (value == 500) == (place == SPOT)
        visit.forgive("404")  # Zarr 2 has documents that need not be there
    assert is_color(screen, at(*SPOT[:2]), rgb(layer_of(state, "ribosome point")["annotationColor"]))
    assert is_color(screen, at(*ARROW[:2]), rgb(layer_of(state, "orientedpoint")["annotationColor"]))
    assert is_color(screen, at(ARROW[0] + 8, ARROW[1]), (255, 0, 0))
    assert is_color(screen, at(ARROW[0], ARROW[1] + 8), (0, 255, 0))
    membrane = rgb(layer_of(state, "segmentation")["segmentDefaultColor"])
    (x0, x1), (y0, y1), _ = MASK
    for near in (0.25, -0.25):  # the first voxel reaches half a voxel over its middle on both sides
        inside = [(x0 - 0.5 + near, 10), (x1 - 0.5 - near, 10), (33, y0 - 0.5 + near), (33, y1 - 0.5 - near)]
        assert [is_color(screen, at(*place), membrane) for place in inside] == [near > 0] * 4
    tomogram = screen[at(0, 0)[0] : at(0, SIZE[1] - 1)[0], at(0, 0)[1] : at(SIZE[2] - 1, 0)[1]]
    is_gray = tomogram.max(axis=2) - tomogram.min(axis=2) < 3
    assert is_gray.mean() > 0.8
    assert len(np.unique(tomogram[is_gray][:, 0])) > 100


def test_a_point_is_in_the_middle_of_its_voxel(browser: Browser, deposited: Deposited) -> None:
    state = sliced(deposited.state())
    state["layers"][0]["shaderControls"]["contrast"]["range"] = [100, 500]
    dark = {**state, "layers": [{**one, "visible": one["type"] == "image"} for one in state["layers"]]}
    with visiting(browser, deposited.service.address) as visit:
        with_point = picture(open_view(visit, deposited.keep(state), 5))
        page = open_view(visit, deposited.keep(dark), 5)
        without, at = picture(page), projection(page)
        visit.forgive("404")
    row, column = at(*SPOT[:2])
    around = np.s_[row - 40 : row + 40, column - 40 : column + 40]
    bright = np.argwhere(without[around].min(axis=2) > 200)
    assert len(bright) == 64, "one voxel of 8 by 8 pixels"
    color = rgb(layer_of(state, "ribosome point")["annotationColor"])
    dot = np.argwhere(np.abs(with_point[around] - color).max(axis=2) < 30)
    np.testing.assert_allclose(dot.mean(axis=0), bright.mean(axis=0), atol=0.6)


def test_meshes_are_where_they_belong_in_space(browser: Browser, deposited: Deposited) -> None:
    state = deposited.state()
    seen = {
        **state,
        "layout": {"type": "3d", "orthographicProjection": True},
        "projectionOrientation": [0, 0, 0, 1],
        "projectionScale": 64,
        "position": list(MIDDLE),
        "layers": [{**one, "visible": one["type"] == "segmentation"} for one in state["layers"]],
        "showSlices": False,
        "showAxisLines": False,
        "showDefaultAnnotations": False,
        "toolPalettes": {},
    }
    with visiting(browser, deposited.service.address) as visit:
        page = open_view(visit, deposited.keep(seen), 5)
        visit.screenshot("view-3d")
        screen = picture(page)
        left, top, width, height = page.evaluate(PANEL)
        visit.forgive("404")
    panel = screen[int(top) : int(top + height), int(left) : int(left + width)]
    middles = {
        "vesicle mesh": MESH[:2],
        "membrane segmentation": tuple((first + last - 1) / 2 for first, last in MASK[:2]),
    }
    for ending, (x, y) in middles.items():
        hue = rgb(layer_of(state, ending)["segmentDefaultColor"])
        found = np.argwhere(is_lit(panel, hue)).mean(axis=0)
        expected = height / 2 + (y - MIDDLE[1]) * height / 64, width / 2 + (x - MIDDLE[0]) * height / 64
        np.testing.assert_allclose(found, expected, atol=0.35 * height / 64, err_msg=ending)


def is_lit(panel: Array, color: Array) -> Any:
    """Return which pixels have the hue of a colour: meshes are lit, so that each side is more or less bright."""
    bright = panel.max(axis=2, keepdims=True)
    return (np.abs(panel - bright * color / color.max()).max(axis=2) < 12) & (bright[..., 0] > 40)


def test_new_annotations_are_there_without_any_other_command(browser: Browser, deposited: Deposited) -> None:
    with visiting(browser, deposited.service.address) as visit:
        page = open_view(visit, f"/view/{deposited.image_id}", 5)
        before = page.evaluate(NAMES)
        new = {"label": "here", "track": "found", "frames": {"axis": "z", "first": 16, "last": 16}, "tiled": False}
        new["shapes"] = [{"type": "points", "points": [{"x": 10.5, "y": 10.5}]}]
        answer = deposited.service.client.post(f"/api/images/{deposited.image_id}/annotations", json=new)
        assert answer.status_code == 201, answer.text
        page = open_view(visit, f"/view/{deposited.image_id}", 6)
        assert page.evaluate(NAMES) == [*before, "found"]
        view = deposited.keep(
            {"layout": "xy", "crossSectionScale": SCALE, "position": list(MIDDLE), "toolPalettes": {}}
        )
        deposited.layout.annotate("late", "Point", points((50, 40, 16)), "ndjson")
        with open_catalog(deposited.service.settings.catalog_url) as catalog:
            deposited.layout.sync(catalog)
        page = open_view(visit, f"/view/{deposited.image_id}", 7)
        (late,) = [name for name in page.evaluate(NAMES) if name.endswith("late point")]
        assert page.evaluate(NAMES) == [*before, late, "found"]
        page = open_view(visit, view, 7)
        visit.screenshot("view-added")
        screen, at = picture(page), projection(page)
        visit.forgive("404")
    state = deposited.state()
    assert is_color(screen, at(50, 40), rgb(layer_of(state, "late point")["annotationColor"]))
    near = screen[at(10, 10)[0] - 6 : at(10, 10)[0] + 6, at(10, 10)[1] - 6 : at(10, 10)[1] + 6]
    assert (np.abs(near - rgb(layer_of(state, "found")["annotationColor"])).max(axis=2) < 40).any()


def test_many_marks_of_a_time_lapse_are_shown_when_they_were_made(browser: Browser, deposited: Deposited) -> None:
    """More than a state holds: they are read from files, which have a place in time too."""
    client = deposited.service.client
    path = deposited.layout.top / "lapse.ome.tif"
    tifffile.imwrite(path, np.full((4, 64, 96), 9, np.uint8), ome=True, metadata={"axes": "TYX"})
    image_id = deposited.service.upload(path).json()["id"]
    spots = [{"x": 20.5 + number % 40, "y": 20.5 + number // 40} for number in range(1200)]
    new = {"track": "many", "frames": {"axis": "t", "first": 3, "last": 3}, "tiled": False}
    new["shapes"] = [{"type": "points", "points": spots}]
    assert client.post(f"/api/images/{image_id}/annotations", json=new).status_code == 201
    state = client.get(f"/api/images/{image_id}/neuroglancer.json").json()
    color = rgb(layer_of(state, "many")["annotationColor"])
    view = {"layout": "xy", "crossSectionScale": 0.25, "showDefaultAnnotations": False}
    shown = []
    with visiting(browser, deposited.service.address) as visit:
        for t in (0, 3):
            body = {"state": {**view, "position": [40, 35, 0, t]}}
            address = client.post(f"/api/images/{image_id}/views", json=body).json()["url"]
            page = open_view(visit, address, 2)
            page.wait_for_timeout(500)
            visit.screenshot(f"view-marks-{t}")
            shown.append(int((np.abs(picture(page)[80:] - color).max(axis=2) < 60).sum()))
    assert shown[0] == 0
    assert shown[1] > 500
