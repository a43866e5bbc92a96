"""Where the items of a gallery are on its pages, as another library draws them."""

import io
from typing import Any

import numpy as np
import pypdfium2
import pytest
from numpy.typing import NDArray

from coverslip.render.export import Figure, PdfGallery

type Box = tuple[float, float, float, float]


def color_of(number: int) -> tuple[int, int, int]:
    return (250, 20 + 25 * number, 10)


def figure(number: int, width: int = 60, height: int = 40) -> Figure:
    pixels = np.full((height, width, 3), color_of(number), np.uint8)
    return Figure(pixels=pixels, width=width, height=height)


def drawn(data: bytes) -> list[NDArray[np.uint8]]:
    """Return pages as pictures, two pixels in a point."""
    with pypdfium2.PdfDocument(data) as document:
        return [np.asarray(page.render(scale=2).to_pil().convert("RGB")) for page in document]


def box_of(page: NDArray[np.uint8], number: int) -> Box | None:
    """Return left, top, right and bottom of an item in points from the upper left corner; ``None`` where it is not."""
    near = (abs(page.astype(int) - color_of(number)) <= 8).all(axis=2)
    rows, columns = np.nonzero(near)
    if rows.size == 0:
        return None
    return columns.min() / 2, rows.min() / 2, (columns.max() + 1) / 2, (rows.max() + 1) / 2


def gallery(sizes: list[tuple[int, int]], captions: list[str] | None = None, **more: Any) -> bytes:
    stream = io.BytesIO()
    with PdfGallery(stream, **more) as made:
        for number, size in enumerate(sizes):
            made.add(figure(number, *size), captions[number] if captions else f"item {number}")
    return stream.getvalue()


@pytest.mark.parametrize(("rows", "columns"), [(3, 2), (2, 3)])
def test_items_follow_row_by_row_from_left_to_right_and_page_by_page(rows: int, columns: int) -> None:
    pages = drawn(gallery([(60, 40)] * 8, rows=rows, columns=columns, margin_mm=12, gap_mm=4))
    assert len(pages) == 2
    # A4 is 595.28 by 841.89 points, a millimetre 2.8346; above the items are 2.5 lines of 7 points
    margin, gap, head = 12 * 2.8346, 4 * 2.8346, 2 * 1.25 * 7
    width = (595.28 - 2 * margin - (columns - 1) * gap) / columns
    height = (841.89 - 2 * margin - head - (rows - 1) * gap) / rows
    for number in range(8):
        found = [box_of(page, number) for page in pages]
        assert [box is None for box in found] == [number >= 6, number < 6]
        left, top, right, bottom = found[number // 6] or (0, 0, 0, 0)
        row, column = divmod(number % 6, columns)
        assert left == pytest.approx(margin + column * (width + gap), abs=1)
        assert top == pytest.approx(margin + head + row * (height + gap), abs=1)
        assert (right - left, bottom - top) == pytest.approx((width, width * 2 / 3), abs=1)


def test_captions_begin_at_the_left_edge_of_their_picture() -> None:
    data = gallery([(60, 40), (10, 80), (40, 40), (5, 90)], rows=2, columns=2)
    (page,) = drawn(data)
    with pypdfium2.PdfDocument(data) as document:
        text = document[0].get_textpage()
        for number in range(4):
            index, _ = text.search(f"item {number}").get_next()
            left, _, _, top = text.get_charbox(index)
            box = box_of(page, number)
            assert box is not None
            assert left == pytest.approx(box[0], abs=1)
            assert 0 < 841.89 - top - box[3] < 10


def test_items_can_have_one_magnification() -> None:
    sizes, captions = [(60, 60), (20, 60), (60, 9)], ["a", "b " * 200, "c"]
    stream = io.BytesIO()
    with PdfGallery(stream, rows=2, columns=2) as made:
        scale = min(made.scale_of(*size, caption) for size, caption in zip(sizes, captions, strict=True))
        for number, (size, caption) in enumerate(zip(sizes, captions, strict=True)):
            made.add(figure(number, *size), caption, scale)
    (page,) = drawn(stream.getvalue())
    for number, (width, height) in enumerate(sizes):
        left, top, right, bottom = box_of(page, number) or (0, 0, 0, 0)
        assert (right - left, bottom - top) == pytest.approx((width * scale, height * scale), abs=1)
