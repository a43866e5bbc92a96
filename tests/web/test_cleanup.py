"""Cleanups as people do them on the page, in a real browser over a layout that was imported."""
# ruff: noqa: RUF001  # ranges are written with an en dash

import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from coverslip.catalog import Catalog
from coverslip.derive import open_catalog
from coverslip.ingest import add
from coverslip.ingest.importing import import_layout, open_layout
from coverslip.model.removal import BrakeStop, CleanupPlan, Group, Kept, Removal, Scope
from tests.api.conftest import Service, running
from tests.ingest.importing.layouts import SPACING, annotation, put, write_layout
from tests.web.browser import Theme, Visit, visiting
from tests.web.specimens import write_plain
from tests.web.steps import card

pytestmark = pytest.mark.browser

FIRST, LAST = 101, 120
GONE = (105, 106)
WITHOUT_FILE = 107


@dataclass(frozen=True)
class World:
    """A server with a catalog, the layout that it was imported from, and somebody who looks at it."""

    service: Service
    top: Path
    visit: Visit
    theme: Theme

    def document(self, number: int) -> Path:
        """Return the folder of an annotation."""
        return self.top / SPACING / "Annotations" / str(number)

    def documents(self) -> set[str]:
        """Return the names of the documents of the annotations of the catalog."""
        with open_catalog(self.service.settings.catalog_url) as catalog:
            return {one.key.rsplit("/", 1)[1] for one in catalog.find_entities(type="annotation", limit=1000)}

    def keep(self, make: Callable[[Catalog], CleanupPlan]) -> None:
        """Keep a plan that was made by something else."""
        with open_catalog(self.service.settings.catalog_url) as catalog:
            catalog.keep_plan(make(catalog))


def write_annotation(top: Path, number: int) -> None:
    stem, folder = f"ribosome-{number}", f"{SPACING}/Annotations/{number}"
    put(top, f"{folder}/{stem}.json", annotation("ribosome", stem, number))
    put(top, f"{folder}/{stem}_point.ndjson", '{"type":"point"}')


@pytest.fixture(params=["light"])
def world(request: pytest.FixtureRequest, browser: Browser, tmp_path: Path) -> Iterator[World]:
    """Twenty-one annotations: of two the documents are deleted, of one the file, and one more is not imported."""
    theme: Theme = request.param
    top = write_layout(tmp_path / "portal")
    for number in range(FIRST, LAST + 1):
        write_annotation(top, number)
    with running(tmp_path / "home") as service:
        with open_catalog(service.settings.catalog_url) as catalog:
            import_layout(open_layout(top), catalog)
        with visiting(browser, service.address, theme=theme, height=1200) as visit:
            world = World(service, top, visit, theme)
            for number in GONE:
                shutil.rmtree(world.document(number))
            (world.document(WITHOUT_FILE) / f"ribosome-{WITHOUT_FILE}_point.ndjson").unlink()
            write_annotation(top, LAST + 1)
            yield world


def make_plan(page: Page, author: str = "ada") -> None:
    """Make a plan of all annotations and wait for it."""
    page.get_by_role("button", name="Make a plan…").click()
    dialog = page.get_by_role("dialog", name="Make a plan")
    dialog.get_by_label("The whole catalog").check()
    dialog.get_by_label("Your name").fill(author)
    dialog.get_by_role("button", name="Make a plan").click()
    expect(page.get_by_role("heading", name="Plan ")).to_be_focused()


def removals(page: Page) -> Locator:
    """Return the rows that go, without the lines that head them."""
    return page.get_by_role("region", name="Records to remove").locator("tbody tr:not(.group-head, .pager-row)")


def apply(page: Page, number: str) -> None:
    page.get_by_role("button", name="Apply…").click()
    page.get_by_role("dialog").get_by_role("button", name=f"Remove {number}").click()


@pytest.mark.parametrize("world", ["light", "dark"], indirect=True)
def test_a_plan_is_made_looked_at_applied_and_undone(world: World) -> None:
    page, theme = world.visit.page, world.theme
    before = world.documents()
    assert len(before) == 21
    page.goto("/")
    page.get_by_role("link", name="Cleanup").click()
    expect(page.get_by_text("There are no plans yet.")).to_be_visible()
    page.get_by_role("button", name="Make a plan…").click()
    world.visit.screenshot(f"cleanup-form-{theme}")
    page.keyboard.press("Escape")
    make_plan(page)

    expect(page.get_by_role("link", name="2 to remove")).to_be_visible()
    expect(page.get_by_role("button", name="voxel spacing 13.480 Å")).to_contain_text("2 annotations")
    expect(removals(page)).to_have_count(2)
    for row, number in zip(removals(page).all(), GONE, strict=True):
        expect(row).to_contain_text(f"Annotations/{number}/ribosome-{number}.json")
        expect(row.get_by_role("cell").nth(1)).to_have_text("1")  # one shape
        expect(row).to_contain_text("1 tomogram")
    incomplete = page.get_by_role("region", name="incomplete records").locator("tbody tr")
    expect(incomplete).to_have_count(1)
    expect(incomplete).to_contain_text(f"ribosome-{WITHOUT_FILE}_point.ndjson")
    expect(page.get_by_role("region", name="documents").get_by_role("cell")).to_contain_text(["ribosome-121.json"])
    world.visit.screenshot(f"cleanup-plan-{theme}")
    assert world.documents() == before

    page.get_by_role("button", name="Apply…").click()
    dialog = page.get_by_role("dialog", name="Remove 2 annotations?")
    expect(dialog).to_contain_text("coverslip backup FILE")
    expect(dialog.get_by_label("Your name")).to_have_value("ada")
    world.visit.screenshot(f"cleanup-apply-{theme}")
    dialog.get_by_role("button", name="Cancel").click()
    assert world.documents() == before
    apply(page, "2 annotations")
    expect(page.get_by_text("2 annotations removed")).to_be_visible()
    expect(page.locator(".badge.state-applied")).to_be_visible()
    assert world.documents() == before - {"ribosome-105.json", "ribosome-106.json"}

    page.get_by_role("button", name="Undo…").click()
    page.get_by_role("dialog").get_by_role("button", name="Bring back").click()
    expect(page.get_by_text("2 annotations brought back")).to_be_visible()
    expect(page.get_by_role("button", name="Apply…")).to_have_count(0)
    assert world.documents() == before

    page.get_by_role("link", name="Audit log").click()
    expect(page.get_by_text("Verified: 4 lines are as they were written.")).to_be_visible()
    lines = page.get_by_role("region", name="Lines of the audit log").locator("tbody tr")
    expect(lines.get_by_role("rowheader")).to_have_text(["4", "3", "2", "1"])
    expect(lines.nth(3)).to_contain_text("ada")
    expect(lines.nth(3)).to_contain_text("remove")
    expect(lines.nth(3)).to_contain_text("annotation of everything")
    world.visit.screenshot(f"cleanup-audit-{theme}")
    page.get_by_role("link", name="Plans").click()
    row = page.get_by_role("region", name="Plans").locator("tbody tr")
    expect(row.get_by_role("cell")).to_have_text(
        ["all annotations", re.compile("20"), "ada", "undone", "2", "0", "1", "0"]
    )
    world.visit.screenshot(f"cleanup-plans-{theme}")


def test_what_changed_since_the_plan_is_said_and_nothing_is_removed(world: World) -> None:
    page, before = world.visit.page, world.documents()
    page.goto("/cleanup")
    make_plan(page)
    write_annotation(world.top, GONE[0])
    apply(page, "2 annotations")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("alert")).to_contain_text("Nothing was removed")
    expect(dialog.get_by_role("alert")).to_contain_text("it is there again")
    world.visit.screenshot("cleanup-changed")
    world.visit.forgive("409")
    assert world.documents() == before
    dialog.get_by_role("button", name="Close").click()
    first = page.url
    page.get_by_role("button", name="Look again").click()
    expect(page).not_to_have_url(first)
    expect(removals(page)).to_have_count(1)


def test_a_plan_of_a_part_that_is_not_there_is_refused_in_words(world: World) -> None:
    page = world.visit.page
    page.goto("/cleanup")
    page.get_by_role("button", name="Make a plan…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Make a plan").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Say where to look")
    dialog.get_by_label("Run").fill("99999")
    dialog.get_by_label("Run").press("Enter")
    expect(dialog.get_by_role("alert")).to_contain_text("there is no run")
    world.visit.forgive("404")


def test_what_the_brake_holds_goes_when_somebody_has_looked(world: World) -> None:
    page, before = world.visit.page, world.documents()
    for number in (101, 102, 103, 104):
        shutil.rmtree(world.document(number))
    page.goto("/cleanup")
    make_plan(page)
    expect(page.get_by_role("region", name="The brake")).to_contain_text("6 of 21 annotations would be removed")
    expect(page.get_by_role("button", name="voxel spacing")).to_contain_text("6 annotations")
    expect(page.get_by_text("held by the brake", exact=True)).to_be_visible()
    world.visit.screenshot("cleanup-brake")
    page.get_by_role("button", name="Apply…").click()
    dialog = page.get_by_role("dialog", name="Apply this plan?")
    dialog.get_by_role("checkbox", name="the 6 annotations that the brake holds").check()
    world.visit.screenshot("cleanup-brake-apply")
    page.get_by_role("dialog").get_by_role("button", name="Remove 6 annotations").click()
    expect(page.get_by_text("6 annotations removed")).to_be_visible()
    assert len(world.documents()) == len(before) - 6


def test_a_plan_of_a_hundred_thousand_rows_is_looked_through_page_by_page(world: World) -> None:
    def make(catalog: Catalog) -> CleanupPlan:
        def row(number: int) -> Removal:
            run = f"TS_{min(number // 500, 120)}"
            group = Group("20001", run, "13.480", 14, 3, 5, "/portal", "annotation")
            return Removal("annotation", number, f"a/{number}", "/portal", f"{run}/{number}.json", 1, group=group)

        counts = {"rows": 100_000, "found": 100_000}
        scope = Scope("annotation", everything=True)
        return CleanupPlan("big", scope, catalog.now(), "", removals=tuple(map(row, range(100_000))), counts=counts)

    world.keep(make)
    page = world.visit.page
    page.goto("/cleanup/plans/big")
    expect(page.get_by_role("link", name="100,000 to remove")).to_be_visible()
    pages = page.get_by_role("navigation", name="Pages of groups")
    expect(pages).to_contain_text("1–50 of 121 groups")
    expect(removals(page)).to_have_count(0)
    pages.get_by_role("button", name="Next page").click()
    pages.get_by_role("button", name="Next page").click()
    expect(pages).to_contain_text("101–121 of 121 groups")
    page.get_by_role("button", name="run TS_120").click()
    expect(removals(page)).to_have_count(100)
    rows = page.get_by_role("navigation", name="Pages of the rows")
    expect(rows).to_contain_text("1–100 of 40,000 rows")
    rows.get_by_role("button", name="Next page").click()
    expect(rows).to_contain_text("101–200 of 40,000 rows")
    expect(removals(page)).to_have_count(100)
    expect(removals(page).first).to_contain_text("annotation 60100")
    world.visit.screenshot("cleanup-long")
    assert page.evaluate("document.querySelectorAll('*').length") < 3000


def test_duplicates_and_unknown_records_are_told_with_their_reasons(world: World) -> None:
    def make(catalog: Catalog) -> CleanupPlan:
        group = Group("20001", "TS_1", "13.480", 14, 3, 5, "/portal", "annotation")
        rows = (
            Removal("annotation", 30, "a/30", "/portal", "a/30.json", 1, group=group, bytes=2048),
            Removal("annotation", 31, "a/31", "/portal", "a/9.json", 1, "duplicate", group, merged_into=9),
        )
        unknown = (Kept("annotation", 32, "a/32", "/portal", "a/32.json", "403: access denied"),)
        stop = BrakeStop(replace(group, run="TS_2", spacing="", number=6), "failed", 0, 12)
        counts = {"rows": 15, "found": 2, "unknown": 1, "stops": 1}
        scope = Scope("annotation", dataset_id=3)
        return CleanupPlan(
            "some", scope, catalog.now(), "", removals=rows, unknown=unknown, stops=(stop,), counts=counts
        )

    world.keep(make)
    page = world.visit.page
    page.goto("/cleanup/plans/some")
    expect(page.get_by_role("definition").filter(has_text="annotations of dataset 3 (15)")).to_be_visible()
    expect(removals(page).nth(0)).to_contain_text("2 KiB")
    expect(removals(page).nth(1)).to_contain_text("duplicate: becomes part of annotation 9")
    duplicates = page.get_by_role("region", name="duplicates", exact=True).locator("tbody tr")
    expect(duplicates).to_have_text(["annotation 31annotation 9a/9.json"])
    unknown = page.get_by_role("region", name="unknown records").locator("tbody tr")
    expect(unknown).to_have_text(["annotation 32a/32.json403: access denied"])
    expect(page.get_by_role("region", name="The brake")).to_contain_text("it could not be listed to the end")
    world.visit.screenshot("cleanup-kinds")
    page.get_by_role("link", name="1 unknown").click()
    expect(page.get_by_role("heading", name="Unknown")).to_be_in_viewport()


def test_images_whose_files_are_gone_are_cleaned_like_records(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "library"
    folder.mkdir()
    with open_catalog(world.service.settings.catalog_url) as catalog:
        add([write_plain(folder / "gone.tif"), write_plain(folder / "stays.tif", 15)], catalog=catalog)
    (folder / "gone.tif").unlink()
    page = world.visit.page
    page.goto("/cleanup")
    page.get_by_role("button", name="Make a plan…").click()
    page.get_by_role("dialog").get_by_label("Records").select_option("images")
    page.get_by_role("dialog").get_by_label("Layout", exact=True).fill(str(folder))
    page.get_by_role("dialog").get_by_role("button", name="Make a plan").click()
    expect(removals(page)).to_have_count(1)
    expect(removals(page)).to_contain_text("gone.tif")
    world.visit.screenshot("cleanup-images")
    apply(page, "1 image")
    expect(page.get_by_text("1 image removed")).to_be_visible()
    page.get_by_role("link", name="Coverslip, all images").click()
    expect(card(page, "stays")).to_be_visible()
    expect(card(page, "gone")).to_have_count(0)
    page.go_back()
    page.get_by_role("button", name="Undo…").click()
    page.get_by_role("dialog").get_by_role("button", name="Bring back").click()
    expect(page.get_by_text("1 image brought back")).to_be_visible()


def test_the_keyboard_is_enough_to_apply_and_undo(world: World) -> None:
    page, before = world.visit.page, world.documents()
    page.goto("/cleanup")
    make_plan(page)
    page.get_by_role("button", name="voxel spacing").focus()
    page.keyboard.press("Enter")
    expect(removals(page)).to_have_count(0)
    page.keyboard.press("Space")
    expect(removals(page)).to_have_count(2)
    for button, question in (("Apply…", "Remove 2 annotations"), ("Undo…", "Bring back")):
        page.get_by_role("button", name=button).focus()
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        expect(page.get_by_role("dialog").get_by_role("button", name=question)).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(page.get_by_role("group", name="This plan is")).to_be_focused()
    assert world.documents() == before


def test_incomplete_records_are_listed_and_marked_with_their_tomogram(world: World) -> None:
    page = world.visit.page
    page.goto("/cleanup")
    make_plan(page)
    apply(page, "2 annotations")
    expect(page.locator(".badge.state-applied")).to_be_visible()
    page.get_by_role("link", name="Incomplete records").click()
    rows = page.get_by_role("region", name="Incomplete records").locator("tbody tr")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text(f"100#{WITHOUT_FILE}")
    world.visit.screenshot("cleanup-incomplete")
    images = world.service.client.get("/api/images/").json()["images"]
    (tomogram,) = (one["id"] for one in images if "Tomograms" in one["metadata"]["path"])
    page.goto(f"/images/{tomogram}")
    section = page.locator("section", has=page.get_by_role("heading", name="Annotations of TS_1"))
    expect(section.get_by_text("incomplete", exact=False)).to_have_count(1)
    world.visit.screenshot("cleanup-tomogram")


def test_a_log_that_was_changed_is_said_to_be_broken(world: World) -> None:
    page = world.visit.page
    page.goto("/cleanup")
    make_plan(page)
    apply(page, "2 annotations")
    expect(page.locator(".badge.state-applied")).to_be_visible()
    with sqlite3.connect(world.service.settings.catalog_url.removeprefix("sqlite:///")) as database:
        database.execute("UPDATE audit SET actor = 'somebody else' WHERE seq = 2")
    database.close()
    page.goto("/cleanup/audit")
    chain = page.get_by_role("region", name="Hash chain")
    expect(chain).to_contain_text("Broken at line 2")
    world.visit.screenshot("cleanup-broken")


@pytest.mark.parametrize("width", [360, 820])
def test_nothing_sticks_out_at_any_width(world: World, browser: Browser, width: int) -> None:
    made = world.service.client.post("/api/cleanup/plans", json={"type": "annotation", "everything": True}).json()
    world.service.client.post(f"/api/cleanup/plans/{made['id']}/apply", json={})
    with visiting(browser, world.service.address, width=width, height=800) as visit:
        for address in ("/cleanup", f"/cleanup/plans/{made['id']}", "/cleanup/incomplete", "/cleanup/audit"):
            visit.page.goto(address)
            expect(visit.page.locator(".data-table tbody tr").first).to_be_visible()
            visit.screenshot(f"cleanup-{width}-{address.count('/')}-{address[-5:]}")
            wider = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            assert visit.page.evaluate(wider) == 0
