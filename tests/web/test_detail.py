"""The view of one image as people use it, in a real browser against the real server."""
# ruff: noqa: RUF001  # sizes are written with a real multiplication sign

import json
import re
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, expect

from tests.api.conftest import running
from tests.api.layouts import ingested, write_layout
from tests.web.browser import Visit, visiting
from tests.web.conftest import Site
from tests.web.steps import brightest_column, card, open_image, picture, settle

pytestmark = pytest.mark.browser


def test_the_z_slider_and_the_projection_change_the_picture(visit: Visit) -> None:
    page = open_image(visit, "embryo")
    visit.screenshot("detail-light")
    slider = page.get_by_label("Slice (z)")
    slider.fill("0")
    expect(page.get_by_role("button", name="Max projection")).to_have_attribute("aria-pressed", "false")
    left = brightest_column(page)
    slider.fill("5")
    right = brightest_column(page)
    assert (left < 30, right > 70) == (True, True), (left, right)
    one = sum(picture(page))
    page.get_by_role("button", name="Max projection").click()
    assert sum(picture(page)) > 1.5 * one


def test_the_channels_can_be_switched(visit: Visit) -> None:
    page = open_image(visit, "embryo")
    assert min(picture(page)) > 5
    page.get_by_role("checkbox", name="GFP").uncheck()
    red, green, blue = picture(page)
    assert (green, red > 5, blue > 5) == (0, True, True)
    page.get_by_role("checkbox", name="Cy5").uncheck()
    red, green, blue = picture(page)
    assert (red, green, blue > 5) == (0, 0, True)
    expect(page.get_by_role("checkbox", name="DAPI")).to_be_disabled()
    page.get_by_role("button", name="Show all").click()
    assert min(picture(page)) > 5


def test_the_time_slider_changes_the_picture(visit: Visit) -> None:
    page = open_image(visit, "division")
    expect(page.get_by_text("4 / 7 · 90 s")).to_be_visible()
    page.get_by_label("Time point (t)").fill("0")
    start = brightest_column(page)
    page.get_by_label("Time point (t)").fill("6")
    assert brightest_column(page) > start + 30


def test_the_keyboard_is_enough(visit: Visit) -> None:
    page = visit.page
    page.goto("/?q=embryo")
    expect(card(page, "embryo")).to_be_visible()
    card(page, "embryo").focus()
    page.keyboard.press("Enter")
    settle(page)
    expect(page.get_by_role("heading", name="embryo")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_text("5 / 6 · 1.2 µm")).to_be_visible()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_text("3 / 6 · 0.6 µm")).to_be_visible()
    page.keyboard.press("ArrowUp")
    expect(page.get_by_text("3 / 3 · 2 min")).to_be_visible()
    page.keyboard.press("m")
    expect(page.get_by_role("button", name="Max projection")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("2")
    expect(page.get_by_role("checkbox", name="GFP")).not_to_be_checked()
    page.keyboard.press("Shift+Digit3")
    assert picture(page)[1:] == (0, 0)
    page.keyboard.press("a")
    expect(page.get_by_role("checkbox", name="GFP")).to_be_checked()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.keyboard.press("Escape")
    expect(card(page, "embryo")).to_be_focused()
    expect(page).to_have_url(re.compile(r"\?q=embryo$"))


def test_next_and_previous_follow_the_search(visit: Visit) -> None:
    page = visit.page
    page.goto("/?q=field_")
    expect(page.locator("a.card")).to_have_count(3)
    names = page.locator("a.card .card-title").all_text_contents()
    page.locator("a.card").first.click()
    for name in names[1:]:
        page.keyboard.press("n")
        expect(page.get_by_role("heading", name=name)).to_be_visible()
    expect(page.get_by_role("link", name="Next image")).to_be_hidden()
    page.keyboard.press("p")
    expect(page.get_by_role("heading", name=names[1])).to_be_visible()
    page.go_back()
    expect(page.locator("a.card")).to_have_count(3)


def test_a_link_opens_the_very_view(visit: Visit) -> None:
    page = open_image(visit, "embryo")
    page.get_by_label("Slice (z)").fill("1")
    page.get_by_role("checkbox", name="DAPI").uncheck()
    expect(page).to_have_url(re.compile(r"\?z=1&channels=1,2$"))
    before = picture(page)
    page.reload()
    assert picture(page) == before
    expect(page.get_by_label("Slice (z)")).to_have_value("1")


def test_the_metadata_is_there_and_can_be_searched(visit: Visit) -> None:
    page = open_image(visit, "embryo")
    about = page.get_by_role("complementary", name="About this image")
    for words in ("0.065 × 0.065 × 0.3 µm", "6.24 × 6.24 × 1.8 µm", "16 bit (uint16)", "– / 509 nm", "added in place"):
        expect(about).to_contain_text(words)
    about.get_by_text("Vendor metadata").click()
    about.get_by_label("Find in the vendor metadata").fill("physicalsizez")
    expect(about.locator("mark").first).to_have_text(re.compile("physicalsizez$", re.IGNORECASE))
    about.get_by_label("Find in the vendor metadata").fill("no such thing")
    expect(about.get_by_text("Nothing there is called or says")).to_be_visible()
    visit.screenshot("metadata")


def test_the_original_can_be_downloaded(visit: Visit, site: Site, tmp_path: Path) -> None:
    page = open_image(visit, "embryo")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == "embryo.ome.tif"
    download.value.save_as(tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == (site.images / "embryo.ome.tif").read_bytes()


def test_the_image_opens_in_neuroglancer(visit: Visit) -> None:
    page = open_image(visit, "embryo")
    visit.screenshot("detail-actions")
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Open in Neuroglancer").click()
    viewer = opened.value
    viewer.wait_for_function("() => window.viewer?.layerManager.managedLayers.length && viewer.isReady()")
    names = viewer.evaluate("() => viewer.layerManager.managedLayers.map(({ name }) => name)")
    assert names == ["0 DAPI", "1 GFP", "2 Cy5"]


def test_a_short_link_to_the_viewer_is_made_and_opens(visit: Visit) -> None:
    page = open_image(visit, "embryo")
    page.get_by_role("button", name="Share").click()
    dialog = page.get_by_role("dialog")
    pasted = dialog.get_by_role("textbox", name="To share what you changed")
    pasted.fill("nothing of the kind")
    expect(dialog.get_by_role("status")).to_contain_text("no address of Neuroglancer")
    expect(dialog.get_by_role("button", name="Make a link")).to_be_disabled()
    pasted.fill(f"http://127.0.0.1/neuroglancer/v/x/#!{quote(json.dumps({'layout': 'yz'}))}")
    dialog.get_by_role("button", name="Make a link").click()
    link = dialog.get_by_role("textbox", name="The link")
    expect(link).to_have_value(re.compile(r"/v/[2-9a-z]{10}$"))
    visit.screenshot("share")
    following = link.input_value()
    pasted.fill("")
    dialog.get_by_role("radio", name="Frozen").check()
    dialog.get_by_role("button", name="Make a link").click()
    expect(link).not_to_have_value(following)
    frozen = link.input_value()
    dialog.get_by_role("button", name="Close").click()
    for address, layout in ((following, "yz"), (frozen, "4panel")):
        page.goto(address)
        page.wait_for_function("() => window.viewer?.layerManager.managedLayers.length === 3")
        page.wait_for_function("() => viewer.isReady()")
        assert page.evaluate("() => viewer.state.toJSON().layout") == layout


def test_a_tomogram_lists_its_annotations(browser: Browser, tmp_path: Path) -> None:
    layout = write_layout(tmp_path / "layout")
    with running(tmp_path / "home") as service:
        image_id = ingested(service.settings, layout)
        with visiting(browser, service.address) as visit:
            visit.page.goto(f"/images/{image_id}")
            section = visit.page.locator("section", has=visit.page.get_by_role("heading", name="Annotations of TS_1"))
            expect(section.get_by_role("rowheader")).to_have_text(["ribosome", "proteasome", "membrane", "vesicle"])
            expect(section.get_by_role("row").nth(3)).to_contain_text("SegmentationMask")
            expect(section.get_by_role("row").nth(3)).to_contain_text("10.000 Å")
            visit.screenshot("annotations")


def test_delete_asks_and_can_be_undone(visit: Visit, site: Site) -> None:
    page = open_image(visit, "field_2")
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(card(page, "embryo")).to_be_visible()
    expect(card(page, "field_2")).to_have_count(0)
    assert (site.images / "field_2.tif").exists()
    visit.screenshot("undo")
    page.get_by_role("button", name="Undo").click()
    expect(card(page, "field_2").locator(".tile img")).to_be_visible()
