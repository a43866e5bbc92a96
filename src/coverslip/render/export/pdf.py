"""A PDF, written page by page: nothing but a number for each object is kept (ISO 32000-1).

Text is Helvetica, which every viewer has; a line with characters outside Windows-1252 is drawn as a picture of itself.
"""

import io
import zlib
from array import array
from collections.abc import Mapping, Sequence
from typing import BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from coverslip.errors import ExportError
from coverslip.render.encode import saving
from coverslip.render.export.figure import Anchor, Figure, Mark, Path, Raster, Rect, baseline
from coverslip.render.export.text import BOLD, REGULAR, ascent, text_mask

GROUP = 64
"""Pages in one node of the page tree."""
FINE = 48
"""Font size in pixels of a line that is drawn as a picture."""
MAX_OFFSET = 9_999_999_999
POINTS = 72.0

# widths of the characters 32 to 126 of Helvetica in thousandths of the font size, from Adobe's published metrics
# fmt: off
WIDTHS = (
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556, 556,
    556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833,
    722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556,
    556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334,
    260, 334, 584,
)
# fmt: on
OTHER_WIDTH = 556
"""Of the micro sign and of most accented letters."""


class PdfWriter:
    """Writes pages to a stream as they come; a context manager.

    Parameters
    ----------
    stream
        Only written to, from its present place on.
    title
        Of the document.
    provenance
        Put into the subject of the document.
    """

    def __init__(self, stream: BinaryIO, title: str = "", provenance: Mapping[str, str] | None = None) -> None:
        self._stream = stream
        self._place = 0
        self._offsets = array("Q")
        self._groups: list[tuple[int, int]] = []
        self._pages: list[int] = []
        self._states: dict[float, int] = {}
        self._write(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
        self._root, self._tree = self._reserve(), self._reserve()
        self._fonts = [self._object(_font(name)) for name in (b"Helvetica", b"Helvetica-Bold")]
        subject = "\n".join(f"{key}: {value}" for key, value in (provenance or {}).items())
        self._info = self._object(
            b"<< /Title %s /Subject %s /Producer (Coverslip) >>" % (_string(title), _string(subject))
        )
        self._group = self._reserve()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()

    def page(self, width: float, height: float) -> "Page":
        """Return an empty page of a size in points; it is written by its ``finish``."""
        return Page(self, width, height)

    def close(self) -> None:
        """Write what ties the pages together. A document without pages has an empty one."""
        if not self._pages and not self._groups:
            self.page(POINTS, POINTS).finish()
        self._end_group()
        kids = b" ".join(b"%d 0 R" % group for group, _ in self._groups)
        count = sum(pages for _, pages in self._groups)
        self._fill(self._tree, b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, count))
        self._fill(self._root, b"<< /Type /Catalog /Pages %d 0 R >>" % self._tree)
        start = self._place
        if start > MAX_OFFSET:
            raise ExportError("a PDF cannot be larger than 10 GB; write several", recoverable=False)
        self._write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(self._offsets) + 1))
        for offset in self._offsets:
            self._write(b"%010d 00000 n \n" % offset if offset else b"0000000000 00000 f \n")
        trailer = b"<< /Size %d /Root %d 0 R /Info %d 0 R >>" % (len(self._offsets) + 1, self._root, self._info)
        self._write(b"trailer\n%s\nstartxref\n%d\n%%%%EOF\n" % (trailer, start))

    def image(self, rgb: NDArray[np.uint8], mask: int | None = None) -> int:
        """Write a picture, Y, X, 3 (or Y, X for a mask), and return its number."""
        height, width = rgb.shape[:2]
        samples = 1 if rgb.ndim == 2 else 3
        rows = rgb.reshape(height, -1)
        filtered = np.empty((height, rows.shape[1] + 1), np.uint8)
        filtered[:, 0] = 2  # each row is what it differs by from the row above
        filtered[0, 1:] = rows[0]
        np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
        space = b"/DeviceGray" if samples == 1 else b"/DeviceRGB"
        head = b"/Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace %s" % (width, height, space)
        head += b" /BitsPerComponent 8 /Filter /FlateDecode"
        head += b" /DecodeParms << /Predictor 15 /Colors %d /BitsPerComponent 8 /Columns %d >>" % (samples, width)
        head += b"" if mask is None else b" /SMask %d 0 R" % mask
        from imagecodecs import deflate_encode  # noqa: PLC0415  other formats should not wait for it

        # libdeflate: as small as zlib's level 6, in a quarter of the time
        level = 6 if saving(rgb)[0] else 0
        return self._stream_object(head, bytes(deflate_encode(filtered, level, raw=False)))

    def opacity(self, alpha: float) -> int:
        """Return the number of the graphics state that fills with an opacity."""
        if alpha not in self._states:
            self._states[alpha] = self._object(b"<< /Type /ExtGState /ca %s >>" % _number(alpha))
        return self._states[alpha]

    def add(self, width: float, height: float, content: bytes, resources: Mapping[str, Mapping[str, int]]) -> None:
        """Write a page."""
        drawn = self._stream_object(b"/Filter /FlateDecode", zlib.compress(content, 6))
        fonts = b"/Font << /F0 %d 0 R /F1 %d 0 R >>" % tuple(self._fonts)
        others = b"".join(
            b"/%s << %s >> " % (kind.encode(), b" ".join(b"/%s %d 0 R" % (k.encode(), n) for k, n in entries.items()))
            for kind, entries in resources.items()
            if entries
        )
        page = b"<< /Type /Page /Parent %d 0 R /MediaBox [0 0 %s %s] /Contents %d 0 R /Resources << %s %s>> >>"
        body = page % (self._group, _number(width), _number(height), drawn, fonts, others)
        self._pages.append(self._object(body))
        if len(self._pages) == GROUP:
            self._end_group()
            self._group = self._reserve()

    def _end_group(self) -> None:
        if self._pages:
            kids = b" ".join(b"%d 0 R" % page for page in self._pages)
            body = b"<< /Type /Pages /Parent %d 0 R /Kids [%s] /Count %d >>" % (self._tree, kids, len(self._pages))
            self._fill(self._group, body)
            self._groups.append((self._group, len(self._pages)))
            self._pages = []

    def _write(self, data: bytes) -> None:
        self._stream.write(data)
        self._place += len(data)

    def _reserve(self) -> int:
        self._offsets.append(0)
        return len(self._offsets)

    def _fill(self, number: int, body: bytes) -> None:
        self._offsets[number - 1] = self._place
        self._write(b"%d 0 obj\n%s\nendobj\n" % (number, body))

    def _object(self, body: bytes) -> int:
        number = self._reserve()
        self._fill(number, body)
        return number

    def _stream_object(self, head: bytes, data: bytes) -> int:
        return self._object(b"<< %s /Length %d >>\nstream\n%s\nendstream" % (head, len(data), data))


class Page:
    """One page; places are in points from its upper left corner, y downwards."""

    def __init__(self, writer: PdfWriter, width: float, height: float) -> None:
        self._writer = writer
        self._size = width, height
        self._content = io.BytesIO()
        self._images: dict[str, int] = {}
        self._states: dict[str, int] = {}

    def finish(self) -> None:
        """Write the page."""
        resources = {"XObject": self._images, "ExtGState": self._states}
        self._writer.add(*self._size, self._content.getvalue(), resources)

    def rectangle(self, x: float, y: float, width: float, height: float, color: str, alpha: float = 1.0) -> None:
        """Fill a rectangle."""
        if alpha < 1:
            state = self._writer.opacity(alpha)
            self._states[f"G{state}"] = state
            self._put(f"q /G{state} gs")
        corner = f"{_text(x)} {_text(self._size[1] - y - height)} {_text(width)} {_text(height)}"
        self._put(f"{_color(color)} rg {corner} re f" + (" Q" if alpha < 1 else ""))

    def image(self, pixels: NDArray[np.uint8], x: float, y: float, width: float, height: float) -> None:
        """Draw a picture, Y, X, 3, into a rectangle."""
        self._draw(self._writer.image(pixels), x, y, width, height)

    def text(
        self,
        x: float,
        at: float,
        text: str,
        size: float,
        color: str = "#000000",
        anchor: Anchor = "start",
        *,
        bold: bool = False,
    ) -> None:
        """Write a line of text whose letters stand at ``at``."""
        line = " ".join(text.split())
        part = {"start": 0.0, "middle": 0.5, "end": 1.0}[anchor]
        coded = _coded(line)
        if coded is None:
            mask = text_mask(line, FINE, BOLD if bold else REGULAR)
            height, width = (side * size / FINE for side in mask.shape)
            paint = np.array([[list(bytes.fromhex(color[1:]))]], np.uint8)
            number = self._writer.image(paint, self._writer.image(mask))
            self._draw(number, x - part * width, at - ascent(FINE) * size / FINE, width, height)
            return
        left = x - part * text_width(line, size)
        place = f"{_text(left)} {_text(self._size[1] - at)}"
        self._put(f"BT {_color(color)} rg /F{int(bold)} {_text(size)} Tf {place} Td".encode() + b" (%s) Tj ET" % coded)

    def figure(self, figure: Figure, x: float, y: float, scale: float) -> None:
        """Draw a figure with its corner at a place; ``scale`` is points per pixel."""
        height, width = figure.pixels.shape[:2]
        if (height, width) != (figure.height, figure.width):
            self.rectangle(x, y, figure.width * scale, figure.height * scale, figure.paper)
        left, top = figure.at
        self.image(figure.pixels, x + left * scale, y + top * scale, width * scale, height * scale)
        for mark in figure.marks:
            self._mark(mark, x, y, scale)

    def path(self, points: Sequence[tuple[float, float]], width: float, color: str, *, closed: bool) -> None:
        """Draw a line through some points."""
        places = [f"{_text(x)} {_text(self._size[1] - y)}" for x, y in points]
        steps = " ".join(f"{place} l" for place in places[1:])
        self._put(f"{_color(color)} RG {_text(width)} w {places[0]} m {steps} {'s' if closed else 'S'}")

    def _mark(self, mark: Mark, x: float, y: float, scale: float) -> None:
        if isinstance(mark, Path):
            points = [(x + across * scale, y + down * scale) for across, down in mark.points]
            self.path(points, mark.width * scale, mark.color, closed=mark.closed)
            return
        left, top = x + mark.x * scale, y + mark.y * scale
        if isinstance(mark, Rect):
            self.rectangle(left, top, mark.width * scale, mark.height * scale, mark.color, mark.alpha)
        elif isinstance(mark, Raster):
            height, width = mark.pixels.shape[:2]
            self.image(mark.pixels, left, top, width * scale, height * scale)
        else:
            self.text(
                left,
                top + baseline(mark.size) * scale,
                mark.text,
                mark.size * scale,
                mark.color,
                mark.anchor,
                bold=mark.bold,
            )

    def _draw(self, number: int, x: float, y: float, width: float, height: float) -> None:
        self._images[f"I{number}"] = number
        matrix = f"{_text(width)} 0 0 {_text(height)} {_text(x)} {_text(self._size[1] - y - height)}"
        self._put(f"q {matrix} cm /I{number} Do Q")

    def _put(self, operators: str | bytes) -> None:
        self._content.write(operators.encode() if isinstance(operators, str) else operators)
        self._content.write(b"\n")


def pdf(figure: Figure, provenance: Mapping[str, str]) -> bytes:
    """Return a figure as a PDF of one page of its true size; text and scale bar are vectors."""
    stream = io.BytesIO()
    scale = POINTS / figure.dpi
    with PdfWriter(stream, provenance=provenance) as writer:
        page = writer.page(figure.width * scale, figure.height * scale)
        page.figure(figure, 0, 0, scale)
        page.finish()
    return stream.getvalue()


def text_width(text: str, size: float) -> float:
    """Return the width of a line, in the unit of the size; of Helvetica it is exact for ASCII and the micro sign."""
    if _coded(text) is None:
        return float(text_mask(text, FINE, REGULAR).shape[1] * size / FINE)
    codes = map(ord, text)
    return sum(WIDTHS[code - 32] if 32 <= code < 127 else OTHER_WIDTH for code in codes) * size / 1000


def _font(name: bytes) -> bytes:
    return b"<< /Type /Font /Subtype /Type1 /BaseFont /%s /Encoding /WinAnsiEncoding >>" % name


def _coded(text: str) -> bytes | None:
    try:
        data = text.encode("cp1252")
    except UnicodeEncodeError:
        return None
    return data.replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")


def _string(text: str) -> bytes:
    return b"<FEFF%s>" % text.encode("utf-16-be", "replace").hex().upper().encode()


def _number(value: float) -> bytes:
    return _text(value).encode()


def _text(value: float) -> str:
    return f"{value:.4f}".rstrip("0").rstrip(".") or "0"


def _color(color: str) -> str:
    return " ".join(_text(part / 255) for part in bytes.fromhex(color[1:]))
