"""What holds for the page as a whole: colours, widths, addresses, and that it asks nobody else for anything."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.web.browser import Theme, Visit, visiting
from tests.web.conftest import Site
from tests.web.steps import card, open_image

pytestmark = pytest.mark.browser


def brightness(page: Page) -> float:
    """Return how bright the ground of the page is painted, 0 to 1."""
    color: str = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    return sum(float(part) for part in re.findall(r"[\d.]+", color)[:3]) / 765


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours_follow_the_system_and_the_choice_is_kept(browser: Browser, site: Site, theme: Theme) -> None:
    with visiting(browser, site.address, theme=theme) as visit:
        page = visit.page
        page.goto("/")
        expect(card(page, "embryo").locator(".tile img")).to_be_visible()
        assert (brightness(page) < 0.5) == (theme == "dark")
        visit.screenshot(f"library-{theme}")
        other = {"light": 2, "dark": 1}[theme]  # the button goes from system to light to dark
        for _ in range(other):
            page.get_by_role("button", name=re.compile("olours")).click()
        page.reload()
        expect(card(page, "embryo")).to_be_visible()
        assert (brightness(page) < 0.5) == (theme == "light")


def test_the_dark_detail_view(browser: Browser, site: Site) -> None:
    with visiting(browser, site.address, theme="dark") as visit:
        page = open_image(visit, "embryo")
        expect(page.locator(".scale-bar")).to_be_visible()
        visit.screenshot("detail-dark")


@pytest.mark.parametrize("width", [360, 820, 2400])
def test_nothing_sticks_out_at_any_width(browser: Browser, site: Site, width: int) -> None:
    with visiting(browser, site.address, width=width, height=800) as visit:
        page = visit.page
        page.goto("/")
        expect(card(page, "embryo")).to_be_visible()
        visit.screenshot(f"library-{width}")
        wider = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(wider) == 0
        open_image(visit, "embryo")
        visit.screenshot(f"detail-{width}")
        assert page.evaluate(wider) == 0


def test_an_address_of_nothing_says_so(visit: Visit) -> None:
    visit.page.goto("/images/does-not-exist")
    expect(visit.page.get_by_role("heading", name="This image is not in the library")).to_be_visible()
    visit.page.get_by_role("link", name="Back to the library").click()
    expect(card(visit.page, "embryo")).to_be_visible()
    visit.forgive("404")


def test_the_page_needs_no_inline_script_or_style(visit: Visit) -> None:
    answer = visit.page.goto("/")
    assert answer is not None
    policy = answer.header_value("content-security-policy") or ""
    assert "script-src 'self'" in policy
    assert "unsafe-inline" not in policy
    expect(card(visit.page, "embryo")).to_be_visible()  # and the visit ends without a console error


def test_a_request_to_outside_would_be_seen(browser: Browser, site: Site) -> None:
    with visiting(browser, site.address) as visit:
        with visit.page.expect_event("requestfailed"):
            visit.page.set_content('<img src="http://192.0.2.1/tracker.png">')
        assert visit.outside == ["http://192.0.2.1/tracker.png"]
        visit.outside.clear()
        visit.forgive("net::ERR_FAILED")
