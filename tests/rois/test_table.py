"""Tables of regions with 24 columns."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coverslip.demo.fields import ROI_COLUMNS, fields_of_view
from coverslip.errors import ReadError
from coverslip.model.rois import Roi, RoiShape
from coverslip.rois import COLUMNS, merged, read_table, write_table

WINDOW = Roi(roi_id="a", name="tumour, edge", fov="FOV1", x_min=10.5, x_max=20, y_min=-3, y_max=7.25, tags=("x", "y z"))
LINE = Roi(
    roi_id="b",
    fov="FOV1",
    roi_kind="line",
    shape=RoiShape(type="polyline", points=((1, 2), (30.126, 4))),
    mask_visibility={"whole_cell": True, "nuclear": False},
    mask_painter_state='{"modes": {"a": "fill"}}',
    comment='says "yes",\nand more',
)


def only(text: str) -> Roi:
    (roi,) = read_table(text)
    return roi


def test_the_table_has_the_columns_that_viewers_expect() -> None:
    rows = list(csv.reader(io.StringIO(write_table([WINDOW]))))
    assert tuple(rows[0]) == COLUMNS == ROI_COLUMNS
    assert len(COLUMNS) == 24
    row = dict(zip(COLUMNS, rows[1], strict=True))
    assert (row["x"], row["y"], row["width"], row["height"]) == ("15.25", "2.125", "9.5", "10.25")
    assert (row["x_min"], row["tags"], row["name"]) == ("10.5", "x,y z", "tumour, edge")


def test_what_is_written_is_read_again() -> None:
    window, line = read_table(write_table([WINDOW, LINE]))
    assert window == WINDOW
    # points are kept to a hundredth of a pixel, and the edges around them are written out
    assert line.shape == RoiShape(type="polyline", points=((1, 2), (30.13, 4)))
    assert line.model_copy(update={"shape": LINE.shape, "x_min": None}) == LINE.model_copy(
        update={"x_max": line.x_max, "y_min": line.y_min, "y_max": line.y_max}
    )


def test_the_rectangle_around_a_line_has_room_and_a_least_size() -> None:
    # 4 pixels to every side; a flat line is 8 pixels high by that already
    assert RoiShape(type="polyline", points=((10, 20), (30, 20))).around() == (6, 16, 34, 24)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), max_size=20))
def test_names_of_any_kind_survive(name: str) -> None:
    roi = WINDOW.model_copy(update={"name": name, "comment": name})
    found = only(write_table([roi]))
    expected = "" if name.strip().lower() in {"", "nan", "none", "null", "na", "n/a", "<na>"} else name
    assert (found.name, found.comment) == (expected, expected)


def test_missing_columns_are_empty_and_edges_come_from_centre_and_size() -> None:
    roi = only("roi_id,fov,x,y,width,height\nr,FOV1,10,20,4,6\n")
    assert list(roi.bounds or ()) == [8, 17, 12, 23]
    assert (roi.name, roi.marker_set, roi.zoom) == ("", "", 1.0)
    assert not roi.tags


@pytest.mark.parametrize("nothing", ["", "nan", "NaN", "inf"])
def test_a_region_without_edges_says_so(nothing: str) -> None:
    roi = only(f"roi_id,fov,x_min,x_max,y_min,y_max,name\nr,FOV1,{nothing},4,5,6,nan\n")
    assert roi.bounds is None
    assert not roi.name


def test_a_byte_order_mark_and_windows_lines_are_read() -> None:
    (roi,) = read_table(b"\xef\xbb\xbfroi_id,name,fov\r\nr,A,FOV1\r\n")
    assert (roi.roi_id, roi.name, roi.fov) == ("r", "A", "FOV1")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n", "none of the columns"),
        ("", "none of the columns"),
        ("roi_id,fov,x_min\nr,F,twelve\n", "line 2 .*x_min is 'twelve'"),
        ("roi_id,fov,geometry\nr,F,{\n", "line 2"),
        ('roi_id,fov,geometry\nr,F,"{""points"": [[1, 2]]}"\n', "line 2 .*points"),
        ("roi_id,fov,geometry\nr,F," + "[" * 100_000 + "\n", "line 2"),
        ("roi_id,fov,mask_visibility\nr,F,[1]\n", "no JSON object"),
        ('roi_id,fov\n"r,F\n', "no CSV"),
        ("roi_id,fov,roi_kind\nr,F,star\n", "roi_kind"),
        ("roi_id,fov,x_min,x_max,y_min,y_max\nr,F,1e300,1,1,1\n", "x_min"),
    ],
)
def test_what_is_no_table_of_regions_is_refused_with_its_line(text: str, said: str) -> None:
    with pytest.raises(ReadError, match=said):
        read_table(text)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_table_or_an_error(data: bytes) -> None:
    for content in (data, b"roi_id,fov,geometry,x_min,tags\n" + data):
        try:
            read_table(content)
        except ReadError:
            continue


def test_the_table_of_the_demo_library_is_read(tmp_path: Path) -> None:
    files = dict(fields_of_view())
    path = tmp_path / "roi_manager.csv"
    files["xenograft_fovs/images/.UELer/roi_manager.csv"](path)
    rois = read_table(path.read_bytes())
    assert len(rois) == 6
    assert {roi.fov for roi in rois} == {"FOV1", "FOV2", "FOV3"}
    assert all(roi.bounds is not None and roi.bounds[2] - roi.bounds[0] == 128 for roi in rois)
    assert rois[0].tags == ("immune", "dense")
    assert rois[0].mask_visibility == {"whole_cell": True}


def test_merging_keeps_both_regions_of_one_id_and_no_region_twice() -> None:
    other = WINDOW.model_copy(update={"name": "another"})
    found = merged([WINDOW], [WINDOW, other, LINE])
    assert [roi.name for roi in found] == ["tumour, edge", "another", ""]
    assert len({roi.roi_id for roi in found}) == 3
    assert merged([WINDOW], [WINDOW, other, LINE]) == found
