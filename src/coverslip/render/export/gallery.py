"""Many items on the pages of a PDF, or on a sheet in HTML; each is written as it comes and then let go."""

import base64
import html
from collections.abc import Mapping
from typing import BinaryIO, Self

from coverslip.errors import ExportError
from coverslip.model.render import MediaType
from coverslip.render.encode import encode, lossless
from coverslip.render.export.figure import Figure, flatten
from coverslip.render.export.pdf import POINTS, Page, PdfWriter, text_width

MM = POINTS / 25.4
LINE = 1.25
MAX_LINES = 6
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""What a contact sheet may load: nothing but what it holds."""


class PdfGallery:
    """A PDF with rows and columns of items, each with its own scale bar and a caption below it; a context manager.

    Parameters
    ----------
    stream
        Only written to.
    rows, columns
        On each page; 1 and 1 is an item on each page.
    page_mm
        Width and height of a page.
    margin_mm, gap_mm
        Around all, and between items.
    caption_size
        In points.
    title
        Above the items of every page, beside the page's number.
    provenance
        Put into the document's properties.
    """

    def __init__(
        self,
        stream: BinaryIO,
        *,
        rows: int = 1,
        columns: int = 1,
        page_mm: tuple[float, float] = (210.0, 297.0),
        margin_mm: float = 12.0,
        gap_mm: float = 4.0,
        caption_size: float = 7.0,
        title: str = "",
        provenance: Mapping[str, str] | None = None,
    ) -> None:
        self._rows, self._columns = rows, columns
        self._page_size = page_mm[0] * MM, page_mm[1] * MM
        self._margin, self._gap, self._caption_size = margin_mm * MM, gap_mm * MM, caption_size
        self._title = title
        self._head = 2 * LINE * caption_size
        width, height = self._page_size
        self._cell = (
            (width - 2 * self._margin - (columns - 1) * self._gap) / max(1, columns),
            (height - 2 * self._margin - self._head - (rows - 1) * self._gap) / max(1, rows),
        )
        if rows < 1 or columns < 1 or min(self._cell) < 2 * LINE * caption_size:
            raise ExportError(f"{rows} x {columns} items do not fit onto the page", recoverable=False)
        self._writer = PdfWriter(stream, title, provenance)
        self._page: Page | None = None
        self._filled = 0
        self.pages = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()

    def scale_of(self, width: int, height: int, caption: str = "") -> float:
        """Return the points of a pixel of a figure of a size in pixels that takes up its place."""
        lines, size = wrapped(caption, self._caption_size, self._cell[0]), self._caption_size
        room = max(size, self._cell[1] - LINE * size * len(lines) - (size / 2 if lines else 0))
        return min(self._cell[0] / width, room / height)

    def add(self, figure: Figure, caption: str = "", scale: float | None = None) -> None:
        """Put the next item into its place: row by row, left to right, in the upper left corner of its place.

        Parameters
        ----------
        figure
            With its marks.
        caption
            Wrapped, at most six lines; it begins below the left edge of the figure.
        scale
            Points of a pixel; for one magnification of several items the smallest that ``scale_of`` gives for any of
            them. ``None``: as large as there is room for.
        """
        page = self._page or self._begin()
        row, column = divmod(self._filled, self._columns)
        width, height = self._cell
        left = self._margin + column * (width + self._gap)
        top = self._margin + self._head + row * (height + self._gap)
        size = self._caption_size
        lines = wrapped(caption, size, width)
        scale = self.scale_of(figure.width, figure.height, caption) if scale is None else scale
        page.figure(figure, left, top, scale)
        for number, line in enumerate(lines):
            page.text(left, top + figure.height * scale + size / 2 + LINE * size * (number + 0.8), line, size)
        self._filled += 1
        if self._filled == self._rows * self._columns:
            self._finish()

    def close(self) -> None:
        """Write the last page and the end of the document."""
        self._finish()
        self._writer.close()

    def _begin(self) -> Page:
        self._page = self._writer.page(*self._page_size)
        self.pages += 1
        baseline = self._margin + self._caption_size
        if self._title:
            self._page.text(self._margin, baseline, self._title, self._caption_size + 1, bold=True)
        right = self._page_size[0] - self._margin
        self._page.text(right, baseline, str(self.pages), self._caption_size, anchor="end")
        return self._page

    def _finish(self) -> None:
        if self._page is not None:
            self._page.finish()
        self._page, self._filled = None, 0


class ContactSheet:
    """An HTML page with an item for each picture; a context manager.

    Parameters
    ----------
    stream
        Only written to.
    title
        Of the page.
    side
        Width of an item in pixels of the screen.
    exact_pixels
        Embedded pictures of at most so many pixels are PNG, larger ones JPEG, a tenth of the size.
    about
        What made it, for programs; nothing is said where it is empty.
    """

    def __init__(
        self,
        stream: BinaryIO,
        *,
        title: str = "Contact sheet",
        side: int = 220,
        exact_pixels: int = 1 << 30,
        about: str = "",
    ) -> None:
        self._stream, self._exact_pixels = stream, exact_pixels
        made = f'<meta name="generator" content="{html.escape(about)}">' if about else ""
        self._write(
            f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">{made}'
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
            f"<title>{html.escape(title)}</title><style>\n"
            "body{font:13px/1.4 system-ui,sans-serif;margin:1.5rem;background:#fff;color:#222}\n"
            f"main{{display:grid;grid-template-columns:repeat(auto-fill,minmax({side:d}px,1fr));gap:1rem}}\n"
            "figure{margin:0}p{margin:0;color:#a00000}figcaption{overflow-wrap:anywhere}"
            f"img{{width:100%;max-width:{side:d}px;image-rendering:pixelated;display:block}}\n"
            f"</style></head><body><h1>{html.escape(title)}</h1><main>\n"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()

    def add(self, figure: Figure, caption: str = "", href: str | None = None) -> None:
        """Add an item.

        Parameters
        ----------
        figure
            With its marks; embedded, so that the page is complete in itself.
        caption
            Below it.
        href
            Address of its file, relative to the page; the picture is then a link to it.
        """
        kind: MediaType = "image/png" if figure.width * figure.height <= self._exact_pixels else "image/jpeg"
        picture = flatten(figure)
        data = base64.b64encode(lossless(picture) if kind == "image/png" else encode(picture, kind)).decode()
        label = html.escape(caption)
        self._item(f'<img loading="lazy" alt="{label}" src="data:{kind};base64,{data}">', label, href)

    def add_missing(self, message: str, caption: str = "", href: str | None = None) -> None:
        """Add an item that has no picture, and why.

        Parameters
        ----------
        message
            In the place of the picture.
        caption, href
            As in ``add``.
        """
        self._item(f"<p>{html.escape(message)}</p>", html.escape(caption), href)

    def _item(self, inside: str, label: str, href: str | None) -> None:
        if href is not None:
            if href.strip().lower().startswith(("javascript:", "data:", "vbscript:")):
                raise ExportError(f"{href!r} is no address of a file", recoverable=False)
            inside = f'<a href="{html.escape(href)}">{inside}</a>'
        self._write(f"<figure>{inside}<figcaption>{label}</figcaption></figure>\n")

    def close(self) -> None:
        """Write the end of the page."""
        self._write("</main></body></html>\n")

    def _write(self, text: str) -> None:
        self._stream.write(text.encode("utf-8", "replace"))


def wrapped(text: str, size: float, width: float) -> list[str]:
    """Return a text as lines of Helvetica of at most a width, cut after the sixth; long words are broken."""
    lines: list[str] = []
    for word in text.split():
        rest = word
        while rest:
            longer = f"{lines[-1]} {rest}" if lines and lines[-1] else rest
            if lines and text_width(longer, size) <= width:
                lines[-1], rest = longer, ""
                continue
            fits = len(rest)
            while fits > 1 and text_width(rest[:fits], size) > width:
                fits -= 1
            lines.append(rest[:fits])
            rest = rest[fits:]
    if len(lines) > MAX_LINES:
        lines = [*lines[: MAX_LINES - 1], lines[MAX_LINES - 1][:-1] + "\N{HORIZONTAL ELLIPSIS}"]
    return lines
