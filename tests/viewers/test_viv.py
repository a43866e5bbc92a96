"""Viv on a page of another site, in a real browser: every format, every pixel, drawn."""

import hashlib
import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser

from tests.ngff.images import Array
from tests.viewers.conftest import EVERY, Library, open_library
from tests.viewers.viv_client import viv_site
from tests.web.browser import Visit, browser, visiting

__all__ = ["browser"]
pytestmark = pytest.mark.browser

OPTIONAL = (".zattrs", ".zgroup")
"""Documents that Viv asks for though neither version needs them there; a browser calls every 404 an error."""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with viv_site() as origin:
        yield origin


@pytest.fixture(scope="module")
def open_to_site(site: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """A server whose images the site may read."""
    yield from open_library(tmp_path_factory.mktemp("open"), site)


@pytest.mark.parametrize("word", ["zarr", "zarr04"])
@pytest.mark.parametrize("name", EVERY)
def test_every_plane_arrives_as_it_is(browser: Browser, open_to_site: Library, site: str, name: str, word: str) -> None:
    expected = open_to_site.show(name).pixels
    with visiting(browser, site) as visit:
        absent: list[str] = []
        visit.page.on("response", lambda answer: absent.append(answer.url) if answer.status >= 400 else None)
        visit.page.goto("/")
        levels: list[dict[str, Any]] = visit.page.evaluate(
            "(address) => load(address)", open_to_site.address(name, word)
        )
        assert levels[0]["shape"] == list(expected.shape)
        assert levels[0]["labels"] == list("tczyx")
        assert levels[0]["dtype"].lower() == expected.dtype.name
        for t, c, z in some_planes(expected):
            plane = visit.page.evaluate("(place) => planeHash(0, place)", {"t": t, "c": c, "z": z})
            assert plane == digest(expected[t, c, z]), f"t {t}, c {c}, z {z}"
        check_last_tile(visit, expected, levels[0]["tileSize"])
        assert [url for url in absent if not url.endswith(OPTIONAL)] == []
        if absent:
            visit.forgive("404")


def some_planes(pixels: Array) -> list[tuple[int, int, int]]:
    """Return the places of a dozen planes, the first and the last among them."""
    places = list(np.ndindex(pixels.shape[:3]))
    return sorted({places[0], places[-1], *places[:: max(1, len(places) // 10)]})


def check_last_tile(visit: Visit, pixels: Array, size: int) -> None:
    """Fail unless the tile in the last corner, which ends before its chunk does, is as large as what is left."""
    y, x = ((length - 1) // size for length in pixels.shape[-2:])
    tile = visit.page.evaluate("([x, y]) => tile(0, { t: 0, c: 0, z: 0 }, x, y)", [x, y])
    part = pixels[0, 0, 0, y * size :, x * size :]
    assert (tile["height"], tile["width"]) == part.shape
    assert tile["hash"] == digest(part)


def digest(pixels: Array) -> str:
    return hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()


@pytest.mark.parametrize("word", ["zarr", "zarr04"])
@pytest.mark.parametrize("name", ["CZI", "MRC"])
def test_pictures_are_drawn(browser: Browser, open_to_site: Library, site: str, name: str, word: str) -> None:
    pixels = open_to_site.show(name).pixels
    with visiting(browser, site) as visit:
        visit.page.goto("/")
        visit.page.evaluate("(address) => load(address)", open_to_site.address(name, word))
        visit.page.evaluate("([t, z]) => draw(t, z)", [pixels.shape[0] // 2, pixels.shape[2] // 2])
        visit.page.wait_for_timeout(300)  # the frame after the last tile
        picture = np.asarray(Image.open(io.BytesIO(visit.page.screenshot())).convert("RGB"))
        assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 50
        visit.screenshot(f"viv-{name}-{word}")
        visit.forgive("404")


def test_a_site_that_is_not_named_reads_nothing(browser: Browser, shown: Library, site: str) -> None:
    with visiting(browser, site) as visit:
        visit.page.goto("/")
        with pytest.raises(Exception, match="Failed to fetch"):
            visit.page.evaluate("(address) => load(address)", shown.address("MRC"))
        visit.forgive("CORS")
        if visit.console_errors:
            visit.forgive("Failed to load resource")
