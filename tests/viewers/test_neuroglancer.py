"""The Neuroglancer that comes with the server, in a real browser: every format, exact values, nothing from outside."""

import io
from collections.abc import Sequence
from typing import Any

import httpx
import numpy as np
import pytest
from neuroglancer import ViewerState
from PIL import Image
from playwright.sync_api import Browser, Page, Response, expect

from coverslip.api import neuroglancer as served
from coverslip.errors import MissingDependencyError
from tests.api.checks import check_problem
from tests.ngff.images import Array
from tests.viewers.conftest import EVERY, Library
from tests.web.browser import browser, visiting

__all__ = ["browser"]

READY = "() => window.viewer?.layerManager.managedLayers.length && viewer.isReady()"
"""A viewer whose state is still on its way is ready too, and has no layers."""
PROBLEMS = """() => viewer.layerManager.managedLayers.flatMap(({ layer }) =>
    layer.dataSources.map(({ loadState }) => loadState?.error?.message).filter((text) => text !== undefined))"""
FULL_SIZE = "() => { viewer.navigationState.zoomFactor.value = Math.min(1, viewer.navigationState.zoomFactor.value); }"
VALUE = """(place) => viewer.layerManager.managedLayers.map(({ layer }) =>
    String(layer.getValueAt(Float32Array.from(place), { pickedRenderLayer: null })))"""


@pytest.mark.browser
@pytest.mark.parametrize("name", EVERY)
def test_every_format_is_shown_with_its_own_values(browser: Browser, shown: Library, name: str) -> None:
    image = shown.show(name)
    with visiting(browser, shown.service.address) as visit:
        answers: list[Response] = []

        def hear(answer: Response) -> None:
            answers.append(answer)

        visit.page.on("response", hear)
        visit.page.goto(f"/api/images/{image.id}/neuroglancer")
        wait_until_shown(visit.page)
        assert visit.page.evaluate(PROBLEMS) == []
        visit.screenshot(f"neuroglancer-{name.replace('/', '-')}")
        visit.page.evaluate(FULL_SIZE)
        wait_until_shown(visit.page)
        t, _, z, y, x = (length // 2 for length in image.pixels.shape)
        for row, column in ((y, x), (y // 2, x // 3), (y + y // 3, x + x // 4)):
            found = [float(text) for text in visit.page.evaluate(VALUE, [column, row, z, t])]
            np.testing.assert_array_equal(found, image.pixels[t, :, z, row, column].astype(float))
        assert colors_seen(visit.page) > 50
    check_chunks(answers, image.pixels)


def wait_until_shown(page: Page) -> None:
    """Wait until every chunk of what is in view is on the screen, and nobody says that something is amiss."""
    page.wait_for_function(READY)
    expect(page.get_by_text("Disconnected from Python server")).to_have_count(0)
    page.wait_for_timeout(300)  # the frame after the last chunk


def colors_seen(page: Page) -> int:
    """Return how many colours the panels show; an empty viewer has a handful."""
    panels = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    pixels = np.asarray(panels)[60:-10].reshape(-1, 3)
    return len(np.unique(pixels, axis=0))


def check_chunks(answers: Sequence[Response], pixels: Array) -> None:
    """Fail unless the chunks of all channels came, and nothing failed."""
    assert [(answer.status, answer.url) for answer in answers if answer.status >= 400] == []
    keys = [answer.url.split("/zarr/")[1].split("/") for answer in answers if "/zarr/" in answer.url]
    chunks = [key for key in keys if "c" in key]
    assert {int(key[3]) for key in chunks} == set(range(pixels.shape[1]))
    assert {int(key[2]) for key in chunks} == {pixels.shape[0] // 2}


def state_of(shown: Library, name: str) -> tuple[str, dict[str, Any]]:
    """Return where somebody is sent who wants to see an image, and the state that waits there."""
    answer = shown.service.client.get(f"/api/images/{shown.show(name).id}/neuroglancer")
    assert answer.status_code == 307
    address, _, of_state = answer.headers["location"].partition("#!")
    state: dict[str, Any] = shown.service.client.get(of_state).json()
    return address, state


def test_the_state_says_where_what_and_how_large(shown: Library) -> None:
    address, state = state_of(shown, "CZI")
    assert address == f"/neuroglancer/v/{shown.show('CZI').id}/"
    assert ViewerState(state).to_json() == state, "the package's own model knows every word of it"
    assert state["dimensions"]["x"] == [pytest.approx(1e-7), "m"]
    assert state["dimensions"]["z"] == [pytest.approx(5e-7), "m"]
    assert state["dimensions"]["t"] == [2.5, "s"]
    assert state["layout"] == "4panel"
    first, second = state["layers"]
    assert first["source"]["url"] == f"zarr3://{shown.address('CZI')}"
    assert (first["name"], second["name"]) == ("0 DAPI", "1 EGFP")
    assert (first["localPosition"], second["localPosition"]) == ([0], [1])
    assert second["shaderControls"]["color"] == "#00ff00"
    low, high = second["shaderControls"]["contrast"]["range"]
    channel = shown.show("CZI").pixels[:, 1]
    assert channel.min() <= low < high <= channel.max()


def test_what_it_cannot_show_is_said(shown: Library, tmp_path_factory: pytest.TempPathFactory) -> None:
    import tifffile

    path = tmp_path_factory.mktemp("odd") / "double.tif"
    tifffile.imwrite(path, np.ones((5, 6)))
    image_id = shown.service.upload(path).json()["id"]
    answer = shown.service.client.get(f"/api/images/{image_id}/neuroglancer")
    check_problem(answer, 422, "undrawable")
    assert "float64" in answer.json()["detail"]
    check_problem(shown.service.client.get("/api/images/none/neuroglancer"), 404, "not-found")
    check_problem(shown.service.client.get("/neuroglancer/v/x/nothing.js"), 404, "not-found")
    check_problem(shown.service.client.get("/neuroglancer/v/x/..%2f..%2f__init__.py"), 404, "not-found")


def test_without_the_package_the_command_is_said(shown: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    served.client_folder.cache_clear()
    monkeypatch.setattr(served, "PACKAGE", "neuroglancer_that_nobody_installed")
    with pytest.raises(MissingDependencyError, match="pip install"):
        served.client_folder()
    answer = shown.service.client.get(f"/api/images/{shown.show('MRC').id}/neuroglancer")
    check_problem(answer, 500, "missing-dependency")
    assert "pip install" in answer.json()["detail"]


def test_the_silent_connection_stays_open(shown: Library) -> None:
    with httpx.stream("GET", f"{shown.service.address}/neuroglancer/events/x", timeout=5) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert next(answer.iter_text()).startswith(":")
