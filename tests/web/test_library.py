"""The grid of images as people use it, in a real browser against the real server."""
# ruff: noqa: RUF001  # sizes are written with a real multiplication sign

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.web.browser import Visit
from tests.web.conftest import Site
from tests.web.specimens import write_plain
from tests.web.steps import card

pytestmark = pytest.mark.browser


def test_the_grid_shows_every_image_with_its_thumbnail(visit: Visit) -> None:
    page = visit.page
    page.goto("/")
    for name in ("embryo.ome.tif", "tomogram.mrc", "plate.zarr", "division.tif", "field_0.tif"):
        thumbnail = card(page, name).locator(".tile img")
        expect(thumbnail).to_be_visible()
        thumbnail.scroll_into_view_if_needed()  # those below the edge wait for that
        expect(thumbnail).to_have_js_property("complete", True)
        assert thumbnail.evaluate("image => image.naturalWidth") > 0
    visit.screenshot("library-light")


def test_a_card_says_what_the_image_is(visit: Visit) -> None:
    visit.page.goto("/")
    embryo = card(visit.page, "embryo.ome.tif")
    for words in ("96 × 96 × 6 z · 3 ch · 3 t", "0.065 µm", "OME-TIFF", "DAPI", "GFP", "Cy5"):
        expect(embryo).to_contain_text(words)
    expect(embryo.locator(".dot").first).to_have_css("background-color", "rgb(0, 0, 255)")
    expect(card(visit.page, "tomogram.mrc")).to_contain_text("7.84 Å")
    expect(card(visit.page, "field_0.tif")).to_contain_text("pixel size unknown")
    expect(card(visit.page, "plate.zarr")).to_contain_text("OME-Zarr 0.5")


def test_search_narrows_the_grid(visit: Visit) -> None:
    page = visit.page
    page.goto("/")
    expect(page.locator("a.card").first).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("FIELD_")
    expect(page.locator("a.card")).to_have_count(3)
    expect(page.get_by_role("status").filter(has_text="3 matches")).to_be_visible()
    assert page.url.endswith("/?q=FIELD_")
    page.keyboard.type("nowhere")
    expect(page.get_by_text("Nothing is called “FIELD_nowhere”")).to_be_visible()
    page.keyboard.press("Escape")
    expect(card(page, "embryo")).to_be_visible()
    expect(page).to_have_url(re.compile("/$"))


def test_a_search_is_an_address(visit: Visit) -> None:
    visit.page.goto("/?q=tomo")
    expect(visit.page.locator("a.card")).to_have_count(1)
    expect(visit.page.get_by_label("Search images by name or metadata")).to_have_value("tomo")


def test_images_appear_change_and_go_missing_without_a_reload(visit: Visit, site: Site, tmp_path: Path) -> None:
    page = visit.page
    page.goto("/")
    expect(card(page, "embryo")).to_be_visible()
    path = write_plain(tmp_path / "latecomer.tif")
    site.add(tmp_path)
    expect(card(page, "latecomer").locator(".tile img")).to_be_visible()
    before = card(page, "latecomer").locator("img").get_attribute("src")
    write_plain(path, 45)
    site.add(tmp_path)
    expect(card(page, "latecomer").locator("img")).not_to_have_attribute("src", before or "")
    path.unlink()
    site.add(tmp_path)
    expect(card(page, "latecomer").get_by_text("missing")).to_be_visible()


def test_arrow_keys_walk_the_grid(visit: Visit) -> None:
    page = visit.page
    page.goto("/?q=field_")
    expect(page.locator("a.card")).to_have_count(3)
    page.locator("a.card").first.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("a.card").nth(1)).to_be_focused()
    page.keyboard.press("End")
    expect(page.locator("a.card").nth(2)).to_be_focused()
    page.keyboard.press("Home")
    expect(page.locator("a.card").first).to_be_focused()


def test_an_unreachable_server_is_said_and_another_try_helps(visit: Visit) -> None:
    page = visit.page
    page.route("**/api/images/?*", lambda route: route.abort())
    page.goto("/")
    expect(page.get_by_role("alert")).to_contain_text("No answer from the server")
    page.unroute("**/api/images/?*")
    page.get_by_role("button", name="Try again").click()
    expect(card(page, "embryo")).to_be_visible()
    visit.forgive("net::ERR_FAILED")


def test_an_empty_library_says_what_to_do(visit: Visit) -> None:
    page = visit.page
    nothing = {"images": [], "total": 0, "skip": 0, "limit": 60}
    page.route("**/api/images/?*", lambda route: route.fulfill(json=nothing))
    page.goto("/")
    expect(page.get_by_text("No images yet")).to_be_visible()
    expect(page.get_by_text("coverslip add FOLDER")).to_be_visible()
    visit.screenshot("empty")
