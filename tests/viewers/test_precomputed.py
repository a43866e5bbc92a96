"""Packed precomputes in the Neuroglancer that comes with its package, in a real browser."""

import io
import json
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from coverslip.neuroglancer.precomputed import (
    Files,
    Packed,
    Triangles,
    meshes,
    oriented_annotations,
    oriented_mesh,
    pack,
    point_annotations,
    segmentation,
    surfaces,
)
from tests.ngff.images import Array, ArrayImage
from tests.viewers.precomputed_server import serving
from tests.viewers.test_neuroglancer import PROBLEMS, VALUE, wait_until_shown
from tests.web.browser import browser, visiting

__all__ = ["browser"]

VOXEL = 10.0
RED, GREEN, MAGENTA = (255, 0, 0), (0, 255, 0), (255, 0, 255)
YELLOW, CYAN = (255, 255, 0), (0, 255, 255)
POINTS = """void main() {
  setPointMarkerSize(2.0 * prop_diameter());
  setColor(prop_instance_id() == 7u && prop_name() == 0u ? prop_color() : vec3(1, 1, 1));
}"""
LINES = "void main() { setColor(prop_line_color()); setLineWidth(4.0); }"
QUARTER = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
"""A quarter turn about z: x becomes y."""
CORNERS = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], float)
SIDES = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])


def labels() -> Array:
    """Return a ball, label 1, and a bar, label 2: 100 voxels along each axis."""
    volume = np.zeros((100, 100, 100), np.uint16)
    z, y, x = np.mgrid[:100, :100, :100]
    volume[(z - 50) ** 2 + (y - 50) ** 2 + (x - 25) ** 2 < 15**2] = 1
    volume[40:60, 75:90, 20:80] = 2
    return volume


def precomputes() -> dict[str, Files]:
    image = ArrayImage(labels()[None, None])
    cloud = np.random.default_rng(1).uniform((55, 5, 45), (70, 20, 55), (400, 3))
    grid = np.array([[80.0, 40.0, 50.0], [80.0, 60.0, 50.0]])
    turned = np.array([np.eye(3), QUARTER])
    return {
        "points": point_annotations(
            cloud,
            voxel_size=VOXEL,
            diameter=40,
            color="#ff00ff",
            names="dot",
            instance_ids=np.full(400, 7),
            limit=50,
        ),
        "lines": oriented_annotations(grid, turned, voxel_size=VOXEL, diameter=60, color="#ffffff", names="arrow"),
        "volume": segmentation(image, voxel_size=VOXEL, scales=2, meshes=meshes(surfaces(image, voxel_size=VOXEL))),
        "shapes": oriented_mesh(Triangles(CORNERS * 100, SIDES), grid + np.array([0, 0, 20]), turned, voxel_size=VOXEL),
    }


def state(address: str, mesh_scale: int) -> dict[str, Any]:
    def layer(name: str, kind: str, **facts: Any) -> dict[str, Any]:
        return {"name": name, "type": kind, "source": f"precomputed://{address}/data/{name}", **facts}

    painted = {
        "segments": ["1", "2"],
        "segmentColors": {"1": "#ffff00", "2": "#00ffff"},
        "selectedAlpha": 1,
        "meshRenderScale": mesh_scale,
    }
    return {
        "dimensions": {axis: [VOXEL * 1e-10, "m"] for axis in "xyz"},
        "position": [50.5, 50.5, 50.5],
        "crossSectionScale": 0.25,
        "projectionScale": 180,
        "showAxisLines": False,
        "showSlices": False,
        "showDefaultAnnotations": False,
        "layout": "xy-3d",
        "layers": [
            layer("points", "annotation", shader=POINTS),
            layer("lines", "annotation", shader=LINES),
            layer("volume", "segmentation", **painted),
            layer("shapes", "segmentation", segments=["1"], segmentColors={"1": "#ff8000"}, meshRenderScale=mesh_scale),
        ],
    }


@pytest.mark.browser
@pytest.mark.parametrize("mesh_scale", [1, 400], ids=["finest meshes", "coarsest meshes"])
def test_points_lines_segments_and_meshes_are_shown(browser: Browser, mesh_scale: int) -> None:
    packed = {name: Packed(pack(files)) for name, files in precomputes().items()}
    with serving(packed) as address, visiting(browser, address) as visit:
        answers: list[int] = []
        visit.page.on("response", lambda answer: answers.append(answer.status))
        visit.page.goto(f"/v/x/#!{quote(json.dumps(state(address, mesh_scale)))}")
        wait_until_shown(visit.page)
        assert visit.page.evaluate(PROBLEMS) == []
        assert 206 in answers
        visit.screenshot(f"precomputed-{mesh_scale}")
        left, right = halves(visit.page)
        check_segments(visit.page)
    ball, bar = (centre(left, color) for color in (YELLOW, CYAN))
    pixels = (bar - ball) / (np.array([82.5, 50.0]) - [50.5, 25.5])
    np.testing.assert_allclose(pixels, 4, atol=0.05)  # the scale of the slice: the labels are where they belong
    seen = {(85, 40): RED, (80, 65): RED, (80, 45): GREEN, (75, 60): GREEN}
    for (x, y), color in seen.items():
        row, column = np.round(ball + (np.array([y, x]) - [50.5, 25.5]) * 4).astype(int)
        assert np.abs(left[row, column] - color).max() < 40, (x, y)
    dots = centre(left, MAGENTA)
    np.testing.assert_allclose((dots - ball) / 4 + [50.5, 25.5], [12.5, 62.5], atol=1)
    # meshes are lit: only the hue is theirs
    hues = {"yellow": (1, 1, 0), "cyan": (0, 1, 1), "magenta": (1, 0, 1), "orange": (1, 0.5, 0)}
    for name, hue in hues.items():
        brightness = right.max(axis=2, keepdims=True)
        is_hue = (np.abs(right - np.array(hue) * brightness).max(axis=2) < 12) & (brightness[..., 0] > 60)
        assert is_hue.sum() > 100, name


def halves(page: Page) -> tuple[Array, Array]:
    """Return the panels, of the slice and in 3-D, without the controls over and beside them."""
    pixels = np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB")).astype(int)
    return pixels[80:800, 20:620], pixels[80:800, 660:1260]


def centre(panel: Array, color: tuple[int, int, int]) -> Array:
    """Return the middle, row and column, of what has about this colour."""
    found = np.argwhere(np.abs(panel - color).max(axis=2) < 40)
    assert len(found) > 100
    middle: Array = found.mean(axis=0)
    return middle


def check_segments(page: Page) -> None:
    """Fail unless the values under some places are those of the volume."""
    volume = labels()
    for x, y, z in ((25, 50, 50), (50, 80, 50), (5, 5, 5), (79, 75, 40)):
        found = page.evaluate(VALUE, [x + 0.5, y + 0.5, z + 0.5])
        assert found[2] == str(volume[z, y, x])
