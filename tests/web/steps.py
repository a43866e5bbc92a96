"""What people do on the page, and what they see, in words of this project."""

from collections.abc import Sequence

from playwright.sync_api import Locator, Page, expect

from tests.web.browser import Visit


def card(page: Page, name: str) -> Locator:
    """Return the card of one image in the grid."""
    return page.locator("a.card").filter(has_text=name)


def open_image(visit: Visit, name: str) -> Page:
    """Open the detail view of one image from the grid and wait for its picture."""
    visit.page.goto("/")
    card(visit.page, name).click()
    settle(visit.page)
    return visit.page


def settle(page: Page) -> None:
    """Wait until the picture is the one that the controls say."""
    expect(page.locator(".stage")).to_have_attribute("aria-busy", "false")


def picture(page: Page) -> tuple[float, float, float]:
    """Return the mean red, green and blue of the shown picture."""
    settle(page)
    means: Sequence[float] = page.evaluate(
        """async () => {
            const image = document.querySelector(".picture img");
            await image.decode();
            const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
            const context = canvas.getContext("2d");
            context.drawImage(image, 0, 0);
            const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
            const sums = [0, 0, 0];
            data.forEach((value, at) => { if (at % 4 < 3) sums[at % 4] += value; });
            return sums.map((sum) => sum / (data.length / 4));
        }"""
    )
    red, green, blue = means
    return red, green, blue


def brightest_column(page: Page) -> int:
    """Return where, from the left in percent, the shown picture is brightest."""
    settle(page)
    column: int = page.evaluate(
        """async () => {
            const image = document.querySelector(".picture img");
            await image.decode();
            const { naturalWidth: width, naturalHeight: height } = image;
            const canvas = new OffscreenCanvas(width, height);
            const context = canvas.getContext("2d");
            context.drawImage(image, 0, 0);
            const { data } = context.getImageData(0, 0, width, height);
            const sums = new Float64Array(width);
            data.forEach((value, at) => { if (at % 4 < 3) sums[(at >> 2) % width] += value; });
            return Math.round((100 * sums.indexOf(Math.max(...sums))) / width);
        }"""
    )
    return column
