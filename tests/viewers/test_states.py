"""Viewer states in a real browser: what lies on what, and that the shaders are understood."""

import json
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, Route

from coverslip.model import ImageMetadata
from coverslip.model.annotations import Box, Frames, Point, Points, Polygon
from coverslip.neuroglancer import (
    AnnotationLayer,
    ContrastLimits,
    Scene,
    Tomogram,
    build_state,
    to_bytes,
    with_origin,
)
from tests.neuroglancer.test_marks import marked
from tests.viewers.conftest import Library
from tests.viewers.test_neuroglancer import FULL_SIZE, PROBLEMS, colors_seen, wait_until_shown
from tests.web.browser import Visit, browser, visiting

__all__ = ["browser"]

VOXEL = 10.012
VALUES = """([names, place]) => names.map((name) => String(viewer.layerManager.getLayerByName(name).layer.getValueAt(
    Float32Array.from(place), { pickedRenderLayer: null })))"""
SHADER_ERRORS = """() => viewer.layerManager.managedLayers.map(({ layer }) =>
    (layer.shaderError ?? layer.annotationDisplayState?.shaderError)?.value ?? null)"""
LOCAL = {
    "source": {"url": "local://annotations", "transform": {"outputDimensions": {}}},
    "annotationProperties": [
        {"id": "diameter", "type": "float32", "default": 30},
        {"id": "color", "type": "rgb", "default": "#ff0000"},
        {"id": "line_color", "type": "rgb", "default": "#00ff00"},
    ],
}


def scene_of(library: Library, *layers: AnnotationLayer) -> Scene:
    """Return the scene of the tomogram that the library has."""
    image = library.show("MRC")
    _, _, z, y, x = image.pixels.shape
    metadata = ImageMetadata(
        name="tomogram", file_format="MRC", size_z=z, size_y=y, size_x=x, dtype=image.pixels.dtype.name
    )
    low, high = float(image.pixels.min()), float(image.pixels.max())
    tomogram = Tomogram(100, VOXEL, contrast=ContrastLimits.of((low, high), (low, high)))
    return Scene(image.id, "tomogram", metadata, tomogram, layers=layers)


def show(visit: Visit, library: Library, state: dict[str, Any], token: str = "test") -> None:
    """Open a state, as it would be served, in the Neuroglancer of the server."""
    page = visit.page
    written = with_origin(to_bytes(state), library.service.address).decode()
    page.goto(f"/neuroglancer/v/{token}/#!{quote(written)}")
    wait_until_shown(page)
    assert page.evaluate(PROBLEMS) == []
    assert set(page.evaluate(SHADER_ERRORS)) == {None}
    visit.forgive("404")  # Zarr 2 has documents that need not be there


def serve_mask(page: Page, mask: np.ndarray[Any, np.dtype[np.uint32]], spacing: float) -> None:
    """Answer for the precomputed segmentation of an annotation: Z, Y, X in one chunk.

    Format: https://github.com/google/neuroglancer/blob/master/src/datasource/precomputed/volume.md.
    """
    size = list(mask.shape[::-1])
    scale = {"key": "data", "size": size, "resolution": [spacing / 10] * 3, "encoding": "raw", "chunk_sizes": [size]}
    info = {"@type": "neuroglancer_multiscale_volume", "type": "segmentation", "data_type": "uint32", "num_channels": 1}
    written = json.dumps({**info, "scales": [scale]})

    def answer(route: Route) -> None:
        if route.request.url.endswith("/info"):
            route.fulfill(body=written, content_type="application/json")
        else:
            route.fulfill(body=mask.astype("<u4").tobytes(), content_type="application/octet-stream")

    page.route("**/api/entities/**", answer)


@pytest.mark.browser
@pytest.mark.parametrize("binning", [1, 2])
def test_a_mask_lies_on_the_voxels_that_it_was_drawn_on(browser: Browser, shown: Library, binning: int) -> None:
    """Its voxels are numbered, so that each place says which one is there, near the edges of voxels too."""
    pixels = shown.show("MRC").pixels[0, 0]
    numbered = np.arange(1, pixels[::binning, ::binning, ::binning].size + 1, dtype=np.uint32)
    numbered = numbered.reshape(pixels[::binning, ::binning, ::binning].shape)
    mask = AnnotationLayer(7, "membrane", "InstanceSegmentationMask", VOXEL * binning, is_visualization_default=True)
    with visiting(browser, shown.service.address) as visit:
        serve_mask(visit.page, numbered, VOXEL * binning)
        show(visit, shown, build_state(scene_of(shown, mask)))
        visit.screenshot(f"state-mask-{binning}")
        visit.page.evaluate(FULL_SIZE)
        wait_until_shown(visit.page)
        for voxel in ((2, 100, 200), (2, 151, 271)):
            for off in (-0.4, 0.4):
                place = [position + off for position in voxel]
                names = ["tomogram", "7 membrane instancesegmentation"]
                image, label = visit.page.evaluate(VALUES, [names, place[::-1]])
                z, y, x = (round(one / binning) for one in place)
                assert float(image) == float(pixels[voxel])
                assert int(label) == numbered[z, y, x]


@pytest.mark.browser
@pytest.mark.parametrize("shape", ["Point", "OrientedPoint", "InstanceSegmentation"])
def test_points_are_drawn_by_their_shaders(browser: Browser, shown: Library, shape: Any) -> None:
    """The layer as a state has it, with annotations of its own instead of precomputed ones."""
    points = AnnotationLayer(7, "ribosome", shape, VOXEL, is_visualization_default=True)
    state = build_state(scene_of(shown, points))
    alone = build_state(scene_of(shown))
    place = state["position"]
    kind = "line" if shape == "OrientedPoint" else "point"
    marks = [{"type": kind, "id": "1", "point": place, "pointA": place, "pointB": [2.0, 2.0, 2.0]}]
    local = {**LOCAL, "source": {"url": "local://annotations", "transform": {"outputDimensions": state["dimensions"]}}}
    state["layers"][1] |= {**local, "annotations": marks}
    state["showAxisLines"] = alone["showAxisLines"] = False
    with visiting(browser, shown.service.address) as visit:
        show(visit, shown, alone)
        before = colors_seen(visit.page)
        show(visit, shown, state, "another")
        visit.screenshot(f"state-{shape}")
        assert colors_seen(visit.page) != before


@pytest.mark.browser
def test_what_people_marked_is_drawn(browser: Browser, shown: Library) -> None:
    """A box, a point and a polygon over the slices of a tomogram; all of them are known to the viewer."""
    frames = Frames(axis="z", first=1, last=3)
    outline = Polygon(points=(Point(x=60, y=60), Point(x=200, y=70), Point(x=120, y=200)))
    annotations = (
        marked("a", frames, box=Box(x=300, y=40, width=150, height=100), label="region"),
        marked("b", Frames(axis="z", first=2, last=2), Points(points=(Point(x=270.5, y=150.5),))),
        marked("c", frames, outline),
    )
    state = build_state(replace(scene_of(shown), annotations=annotations))
    with visiting(browser, shown.service.address) as visit:
        show(visit, shown, state)
        visit.screenshot("state-marks")
        known = visit.page.evaluate(
            "() => [...viewer.layerManager.getLayerByName('events').layer.localAnnotations].map(({ id }) => id).sort()"
        )
    assert known == ["a", "b.1", "c.1", "c.2", "c.3"]
