"""The example notebook in a real JupyterLab and a real Chromium: what is clicked, and what is on disk then."""

import base64
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
import tifffile
from nbformat import v4
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from tests.conftest import ROOT
from tests.export.making import pixels_of
from tests.notebook.lab import TOKEN, jupyter_lab
from tests.web.browser import Visit, browser, visiting

__all__ = ["browser"]

pytestmark = pytest.mark.browser
ITEMS = 55
"""Cells that the filter of the example leaves."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the example notebook, to which a cell is added that shows a stack."""
    folder = tmp_path_factory.mktemp("notebooks")
    notebook: Any = nbformat.read(ROOT / "examples" / "batch-export.ipynb", as_version=4)  # type: ignore[no-untyped-call]
    notebook.cells.append(v4.new_code_cell('Viewer("stack.ome.tif")'))  # type: ignore[no-untyped-call]
    nbformat.write(notebook, folder / "batch-export.ipynb")  # type: ignore[no-untyped-call]
    planes = 100 * np.arange(1, 7, dtype=np.uint16).reshape(2, 3, 1, 1) + np.zeros((1, 1, 90, 160), np.uint16)
    planes[..., :10] = 1000
    tifffile.imwrite(folder / "stack.ome.tif", planes, metadata={"axes": "TZYX"})
    return folder


@pytest.fixture(scope="module")
def visit(browser: Browser, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visit]:
    """Give the notebook in a page, all of its cells run. The tests of this module follow one another on it."""
    with (
        jupyter_lab(folder, tmp_path_factory.mktemp("home")) as address,
        visiting(browser, address, width=1500, height=1300) as found,
    ):
        page = found.page
        page.goto(f"/lab/tree/batch-export.ipynb?token={TOKEN}")
        expect(page.get_by_text("Python 3 (ipykernel) | Idle")).to_be_visible(timeout=60_000)
        choose(page, "Run", "Run All Cells")
        expect(page.get_by_text("completed 6")).to_be_visible(timeout=60_000)
        yield found


def choose(page: Page, *path: str) -> None:
    """Choose an entry of the menu."""
    page.locator(".lm-MenuBar-itemLabel", has_text=re.compile(f"^{path[0]}$")).click()
    for entry in path[1:]:
        page.locator(".lm-Menu-itemLabel", has_text=re.compile(f"^{re.escape(entry)}$")).click()


def export_of(page: Page) -> Locator:
    """Return the page of the export."""
    widget = page.locator(".cs-export").first
    widget.scroll_into_view_if_needed()
    return widget


def button(widget: Locator, name: str) -> Locator:
    return widget.get_by_role("button", name=name, exact=True)


def logged(widget: Locator) -> list[str]:
    """Return the files that the log says are there."""
    lines = widget.locator('.cs-line[data-ok="true"]').all()
    return sorted(str(line.get_attribute("data-path")) for line in lines)


def on_disk(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.png"))


def preview_of(page: Page) -> Any:
    """Return the pixels of the preview as it is on the page: Y, X, 3."""
    data = page.evaluate(
        """async () => {
            const bytes = await (await fetch(document.querySelector(".cs-picture").src)).arrayBuffer();
            return btoa(String.fromCharCode(...new Uint8Array(bytes)));
        }"""
    )
    with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
        return np.array(picture.convert("RGB"))


def test_start_writes_the_files_that_the_page_lists(visit: Visit, folder: Path) -> None:
    widget = export_of(visit.page)
    expect(widget.locator(".cs-matches")).to_have_text(f"{ITEMS} cells of 3,411")
    expect(widget.locator(".cs-caption")).to_contain_text("FOV1_cell_")
    button(widget, "Dry run").click()
    expect(widget.locator(".cs-planned")).to_contain_text(f"{ITEMS} files, about")
    assert not (folder / "figures").exists()
    before = preview_of(visit.page)

    button(widget, "Start").click()
    expect(widget.locator(".cs-badge")).to_have_text("Completed")
    expect(widget.locator(".cs-state")).to_contain_text(f"{ITEMS} of {ITEMS} files")
    assert logged(widget) == on_disk(folder / "figures")
    assert len(on_disk(folder / "figures")) == ITEMS
    first = str(widget.locator(".cs-caption").text_content()).split(" · ")[0]
    np.testing.assert_array_equal(before, pixels_of(folder / "figures" / first))
    expect(widget.locator(".cs-link a")).to_have_attribute("href", "/lab/tree/figures")
    visit.screenshot("notebook-export")


def test_the_preview_follows_edits_of_the_marker_set(visit: Visit) -> None:
    widget = export_of(visit.page)
    before = preview_of(visit.page)
    picture = widget.locator(".cs-picture")
    address = str(picture.get_attribute("src"))
    button(widget, "Leave CD45 out").click()
    expect(widget.locator("[data-channel]")).to_have_count(2)
    expect(picture).not_to_have_attribute("src", address)
    without = preview_of(visit.page)
    inside = ~(before == 255).all(axis=-1)
    inside[40:] = False  # there is the bar with its label
    assert before[inside][:, 1].any()  # CD45 alone is green
    assert not without[inside][:, 1].any()
    address = str(picture.get_attribute("src"))
    button(widget, "Undo edits").click()
    expect(picture).not_to_have_attribute("src", address)
    np.testing.assert_array_equal(preview_of(visit.page), before)


def test_cancel_ends_after_the_items_under_way_and_the_log_agrees(visit: Visit, folder: Path) -> None:
    widget = export_of(visit.page)
    widget.get_by_label("Most items in a second").fill("5")
    widget.get_by_label("Output folder").fill(str(folder / "cancelled"))
    expect(widget.locator(".cs-link a")).to_be_visible()
    button(widget, "Start").click()
    expect(widget.locator(".cs-state")).to_contain_text(re.compile(rf"\b([2-9]|[1-4]\d) of {ITEMS} files"))
    visit.screenshot("notebook-running")
    button(widget, "Cancel").click()
    expect(widget.locator(".cs-badge")).to_have_text("Cancelled")
    done = on_disk(folder / "cancelled")
    assert 2 <= len(done) < ITEMS
    assert logged(widget) == done
    expect(widget.locator(".cs-state")).to_contain_text(f"{len(done)} of {ITEMS} files")
    for name in done:
        assert pixels_of(folder / "cancelled" / name).shape[2] == 3
    assert len(list((folder / "cancelled").glob("manifest-*.json"))) == 1


def test_a_page_that_is_loaded_again_shows_how_things_stand_and_goes_on(visit: Visit, folder: Path) -> None:
    choose(visit.page, "File", "Save Notebook")
    expect(visit.page.locator(".jp-mod-dirty")).to_have_count(0)
    visit.page.reload()
    widget = export_of(visit.page)
    expect(widget.locator(".cs-badge")).to_have_text("Cancelled")
    expect(widget.get_by_label("Output folder")).to_have_value(str(folder / "cancelled"))
    assert logged(widget) == on_disk(folder / "cancelled")
    there = {path.name: path.stat().st_mtime_ns for path in (folder / "cancelled").glob("*.png")}
    widget.get_by_role("button", name="Go on with it").click()
    expect(widget.locator(".cs-badge")).to_have_text("Completed")
    after = {path.name: path.stat().st_mtime_ns for path in (folder / "cancelled").glob("*.png")}
    assert len(after) == ITEMS
    assert {name: after[name] for name in there} == there


def test_a_folder_is_chosen_by_browsing(visit: Visit, folder: Path) -> None:
    widget = export_of(visit.page)
    widget.get_by_role("button", name="Browse …").click()
    widget.get_by_role("button", name="↑ ..").click()
    expect(widget.locator(".cs-browser .cs-path")).to_have_text(str(folder))
    widget.get_by_label("Name of a new folder").fill("chosen")
    button(widget, "Make").click()
    expect(widget.locator(".cs-browser .cs-path")).to_have_text(str(folder / "chosen"))
    button(widget, "Use this folder").click()
    expect(widget.get_by_label("Output folder")).to_have_value(str(folder / "chosen"))


def test_regions_are_picked_and_wrong_filters_are_said_in_words(visit: Visit) -> None:
    widget = export_of(visit.page)
    widget.get_by_label("Filter of cells").fill("CD45 >")
    expect(widget.locator(".cs-matches")).to_contain_text("filter")
    expect(button(widget, "Start")).to_be_disabled()
    widget.get_by_label("Filter of cells").fill("CD45 > 900")
    expect(widget.locator(".cs-matches")).to_contain_text("cells of 3,411")
    widget.get_by_role("radio", name="ROIs").click()
    expect(widget.locator(".cs-matches")).to_have_text("6 regions of 6")
    widget.get_by_role("group", name="region").get_by_role("checkbox").first.uncheck()
    expect(widget.locator(".cs-matches")).to_have_text("5 regions of 6")
    expect(widget.locator(".cs-caption")).to_contain_text("_roi_")


def test_the_viewer_shows_channels_and_masks_near_and_far(visit: Visit) -> None:
    page = visit.page
    viewer = page.locator(".cs-viewer").first
    viewer.scroll_into_view_if_needed()
    stage = viewer.locator(".cs-stage")
    expect(stage).to_have_attribute("data-waiting", "0")
    colors = """() => {
        const canvas = document.querySelector(".cs-viewer canvas");
        const part = canvas.getContext("2d").getImageData(canvas.width / 2 - 50, canvas.height / 2 - 50, 100, 100);
        return part.data.reduce((a, b) => a + b, 0);
    }"""
    everything = page.evaluate(colors)
    for channel in ("CD45", "DAPI", "Ki67", "PanCK", "Vimentin"):
        viewer.get_by_label(f"Show {channel}").uncheck()
    page.wait_for_function(f"() => ({colors})() === 100 * 100 * 255")  # black, and opaque
    viewer.get_by_label("whole_cell", exact=True).check()
    page.wait_for_function(f"() => ({colors})() > 100 * 100 * 255")
    outlines = page.evaluate(colors)
    assert outlines < everything
    viewer.get_by_label("Show DAPI").check()
    for _ in range(3):
        button(viewer, "Zoom in").click()
    expect(stage).to_have_attribute("data-waiting", "0")
    expect(viewer.locator(".cs-scale")).to_have_text("20 µm")
    visit.screenshot("notebook-viewer")


def test_the_viewer_goes_through_slices_and_time_points(visit: Visit) -> None:
    viewer = visit.page.locator(".cs-viewer").nth(1)
    viewer.scroll_into_view_if_needed()
    expect(viewer.locator(".cs-stage")).to_have_attribute("data-waiting", "0")
    viewer.get_by_label("Channel 0: black").fill("0")
    viewer.get_by_label("Channel 0: full colour").fill("1000")
    viewer.get_by_label("Channel 0: full colour").press("Enter")
    middle = """([grey]) => {
        const canvas = document.querySelectorAll(".cs-viewer canvas")[1];
        const spot = canvas.getContext("2d").getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data;
        return Math.abs(spot[0] - grey) <= 3 && spot[1] === spot[0];
    }"""
    for slice_, time, value in ((0, 0, 100), (2, 0, 300), (2, 1, 600)):
        viewer.get_by_label("Slice", exact=True).fill(str(slice_))
        viewer.get_by_label("Time point", exact=True).fill(str(time))
        visit.page.wait_for_function(middle, arg=[value * 255 / 1000])
    visit.screenshot("notebook-stack")


def test_colours_follow_the_theme_of_the_notebook(visit: Visit) -> None:
    choose(visit.page, "Settings", "Theme", "JupyterLab Dark")
    widget = export_of(visit.page)
    expect(widget).to_have_css("color-scheme", "dark")
    visit.screenshot("notebook-dark")
