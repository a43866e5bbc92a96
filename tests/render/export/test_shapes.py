"""Polygons and lines of regions on their pictures."""

import tracemalloc
from xml.etree import ElementTree as ET

import numpy as np
import pypdfium2
import pytest

from coverslip.model.export import ExportSpec, ShapeLook
from coverslip.model.rois import Roi, RoiShape
from coverslip.render.export import Figure, encode_figure, figure_of, flatten, of_roi, render_roi_to_array
from tests.render.export.fields import IMMUNE, fov_of

ROOM = {"x_min": 6, "y_min": 6, "x_max": 44, "y_max": 34}
SQUARE = Roi(roi_id="r", fov="FOV1", shape=RoiShape(points=((10, 10), (40, 10), (40, 30), (10, 30))), **ROOM)
LINE = Roi(roi_id="l", fov="FOV1", shape=RoiShape(type="polyline", points=((10, 20), (40, 20))))


def drawn(roi: Roi, look: ShapeLook | None, **more: object) -> Figure:
    spec = ExportSpec(markers=IMMUNE, shape=look, **more)
    return figure_of(fov_of(), spec, of_roi(roi), shape=roi.shape)


def test_a_shape_is_not_seen_unless_it_is_asked_for() -> None:
    assert not drawn(SQUARE, None).marks
    whole = figure_of(fov_of(), ExportSpec(markers=IMMUNE), of_roi(SQUARE))
    np.testing.assert_array_equal(flatten(drawn(SQUARE, None)), flatten(whole))


def test_what_lies_outside_a_polygon_is_filled() -> None:
    picture = flatten(drawn(SQUARE, ShapeLook(outline=False, clip=True), background="#0102f0"))
    filled = (picture == (1, 2, 240)).all(axis=2)
    # the rectangle begins four pixels before the polygon; edges may be on either side by half a pixel
    assert filled[:4].all()
    assert filled[:, :4].all()
    assert filled[25:].all()
    assert not filled[4:24, 4:34].any()


@pytest.mark.parametrize("downsample", [1, 2])
def test_an_outline_lies_where_the_shape_is(downsample: int) -> None:
    look = ShapeLook(color="#00fefe", thickness=2)
    spec = ExportSpec(markers=IMMUNE, shape=look, downsample=downsample, image=False)
    rows, columns = np.nonzero((render_roi_to_array(fov_of(), spec, roi=LINE) == (0, 254, 254)).all(axis=2))
    # the line is at 20, its rectangle begins at 16 and 6
    assert abs(rows.mean() + 0.5 - 4 / downsample) <= 0.51
    assert abs(columns.min() - 4 / downsample) <= 1.5
    assert abs(columns.max() + 1 - 34 / downsample) <= 1.5


def test_an_outline_is_a_vector_in_svg_and_pdf() -> None:
    look = ShapeLook(color="#00fefe", thickness=2)
    root = ET.fromstring(encode_figure(drawn(SQUARE, look), "svg"))
    polygon = root.find("{http://www.w3.org/2000/svg}polygon")
    assert polygon is not None
    assert polygon.get("points") == "4,4 34,4 34,24 4,24"
    line = ET.fromstring(encode_figure(drawn(LINE, look), "svg")).find("{http://www.w3.org/2000/svg}polyline")
    assert line is not None
    page = pypdfium2.PdfDocument(encode_figure(drawn(SQUARE, look), "pdf"))[0]
    (path,) = page.get_objects(filter=[pypdfium2.raw.FPDF_PAGEOBJ_PATH])
    left, bottom, right, top = (edge * 300 / 72 for edge in path.get_bounds())
    # PDFium counts the whole width of the line to each side
    assert [left, right] == pytest.approx([4 - 2, 34 + 2], abs=0.1)
    assert top - bottom == pytest.approx(20 + 2 * 2, abs=0.1)


def test_a_long_shape_takes_memory_for_what_is_seen_of_it() -> None:
    long = RoiShape(type="polyline", points=((-15_000, -15_000), (20, 20), (15_000, 15_000)))
    tracemalloc.start()
    seen = flatten(figure_of(fov_of(), ExportSpec(markers=IMMUNE, shape=ShapeLook()), of_roi(SQUARE), shape=long))
    assert tracemalloc.get_traced_memory()[1] < 8e6
    tracemalloc.stop()
    short = RoiShape(type="polyline", points=((-50, -50), (20, 20), (50, 50)))
    right = flatten(figure_of(fov_of(), ExportSpec(markers=IMMUNE, shape=ShapeLook()), of_roi(SQUARE), shape=short))
    np.testing.assert_allclose(seen.astype(int), right, atol=40)  # the soft edge of the line differs a little
    assert (seen != flatten(figure_of(fov_of(), ExportSpec(markers=IMMUNE), of_roi(SQUARE)))).any()


def test_a_shape_that_reaches_far_beyond_its_picture_is_no_danger() -> None:
    far = RoiShape(points=((-1e9, 0), (1e9, 40), (3, 1e9)))
    spec = ExportSpec(markers=IMMUNE, shape=ShapeLook(clip=True))
    assert flatten(figure_of(fov_of(), spec, of_roi(SQUARE), shape=far)).shape == (28, 38, 3)
