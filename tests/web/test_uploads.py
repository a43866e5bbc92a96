"""Uploading with the button and by dropping, in a real browser against the real server."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.web.browser import Visit
from tests.web.conftest import Site
from tests.web.specimens import write_plain
from tests.web.steps import card

pytestmark = pytest.mark.browser


def test_uploads_show_how_they_went(visit: Visit, tmp_path: Path) -> None:
    page = visit.page
    page.goto("/")
    text = tmp_path / "notes.docx"
    text.write_text("nothing to see")
    page.get_by_label("Files to upload").first.set_input_files([write_plain(tmp_path / "sent.tif", 30), text])
    panel = page.get_by_role("region", name="Uploads")
    expect(panel.get_by_role("status")).to_have_text("1 uploaded · 1 failed")
    refused = panel.get_by_role("alert")
    for words in ("This file format is not supported", "notes.docx", "Supported formats", "OME-Zarr"):
        expect(refused).to_contain_text(words)
    expect(card(page, "sent.tif").locator(".tile img")).to_be_visible()
    visit.screenshot("uploads")
    panel.get_by_role("link", name="Show image").click()
    expect(page.get_by_role("heading", name="sent.tif")).to_be_visible()
    page.get_by_role("button", name="Dismiss uploads").click()
    expect(panel).to_be_hidden()
    visit.forgive("400 (Bad Request)")


def test_a_truncated_file_is_refused_in_words(visit: Visit, site: Site, tmp_path: Path) -> None:
    whole = (site.images / "embryo.ome.tif").read_bytes()
    torn = tmp_path / "torn.tif"
    torn.write_bytes(whole[: len(whole) // 3])
    visit.page.goto("/")
    visit.page.get_by_label("Files to upload").first.set_input_files(torn)
    expect(visit.page.get_by_role("alert")).to_contain_text("torn.tif")
    expect(visit.page.get_by_role("alert")).to_contain_text("damaged, incomplete or unreadable")
    visit.forgive("422")


def test_files_and_folders_can_be_dropped_anywhere(visit: Visit, tmp_path: Path) -> None:
    folder = tmp_path / "dragged"
    (folder / "deeper.zarr").mkdir(parents=True)
    write_plain(folder / "dropped.tif", 12)
    page = visit.page
    page.goto("/")
    expect(card(page, "embryo")).to_be_visible()
    drag = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(folder)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver"):
        drag.send("Input.dispatchDragEvent", {"type": kind, "x": 400, "y": 400, "data": data})
    expect(page.get_by_text("Drop files to add them")).to_be_visible()
    visit.screenshot("drop")
    drag.send("Input.dispatchDragEvent", {"type": "drop", "x": 400, "y": 400, "data": data})
    expect(page.get_by_text("Drop files to add them")).to_be_hidden()
    expect(page.get_by_role("link", name="Show image")).to_be_visible()
    expect(page.get_by_role("alert")).to_contain_text("An OME-Zarr folder cannot be uploaded")
    expect(card(page, "dropped.tif").locator(".tile img")).to_be_visible()
