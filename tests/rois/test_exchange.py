"""GeoJSON and ImageJ files; ImageJ's are checked with another library."""

import io
import json
import zipfile
from typing import Any

import numpy as np
import pytest
import roifile
from hypothesis import given, settings
from hypothesis import strategies as st

from coverslip.errors import InvalidRequestError, ReadError
from coverslip.model.rois import Roi, RoiShape
from coverslip.rois import read_geojson, read_imagej, read_imagej_zip, write_geojson, write_imagej, write_imagej_zip

WINDOW = Roi(
    roi_id="7d1c", name="A β", fov="FOV1", x_min=1.5, x_max=20, y_min=3, y_max=40, tags=("immune", "dense"), comment="c"
)
POLYGON = Roi(roi_id="p", name="P", fov="FOV1", shape=RoiShape(points=((1, 2), (30.5, 4), (10, 40.25))))
LINE = Roi(roi_id="l", name="L", fov="FOV1", shape=RoiShape(type="polyline", points=((1, 2), (30.5, 4))))

PLACES = st.floats(-3000, 30_000, width=32)


@pytest.mark.parametrize("roi", [WINDOW, POLYGON, LINE], ids=["window", "polygon", "line"])
def test_regions_go_through_geojson(roi: Roi) -> None:
    (found,) = read_geojson(write_geojson([roi]))
    assert (found.roi_id, found.name, found.fov, found.tags) == (roi.roi_id, roi.name, roi.fov, roi.tags)
    assert (found.bounds, found.shape, found.comment) == (roi.bounds, roi.shape, roi.comment)


def test_geojson_has_the_form_that_qupath_reads() -> None:
    feature = json.loads(write_geojson([WINDOW]))["features"][0]
    assert feature["geometry"] == {
        "type": "Polygon",
        "coordinates": [[[1.5, 3.0], [20.0, 3.0], [20.0, 40.0], [1.5, 40.0], [1.5, 3.0]]],
    }
    assert feature["properties"]["objectType"] == "annotation"
    assert feature["properties"]["classification"] == {"name": "immune"}
    assert feature["properties"]["metadata"]["tags"] == "immune,dense"


def qupath(geometry: dict[str, Any], **properties: Any) -> str:
    return json.dumps([{"type": "Feature", "id": "q", "geometry": geometry, "properties": properties}])


def test_what_qupath_writes_is_read() -> None:
    ring = [[0, 0], [10, 0], [10, 5], [5, 9], [0, 0]]
    kind = {"name": "Tumor: Positive", "color": [200, 0, 0]}
    (found,) = read_geojson(qupath({"type": "Polygon", "coordinates": [ring]}, classification=kind), "FOV9")
    assert found.fov == "FOV9"
    assert found.tags == ("Tumor", "Positive")
    assert found.shape == RoiShape(points=((0, 0), (10, 0), (10, 5), (5, 9)))


def test_parts_of_a_geometry_are_regions_of_their_own() -> None:
    square = [[[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]]]
    parts = read_geojson(qupath({"type": "MultiPolygon", "coordinates": [square, square]}, name="N"))
    assert [(roi.roi_id, roi.name, roi.bounds) for roi in parts] == [
        ("q-1", "N", (0, 0, 4, 4)),
        ("q-2", "N", (0, 0, 4, 4)),
    ]
    (point,) = read_geojson(qupath({"type": "Point", "coordinates": [10, 20]}))
    assert point.bounds == (6, 16, 14, 24)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "3",
        '{"type": "FeatureCollection"}',
        "[1]",
        '[{"geometry": {"type": "Star"}}]',
        '[{"geometry": {"type": "Polygon", "coordinates": []}}]',
        '[{"geometry": {"type": "Polygon", "coordinates": [[[1, 2]]]}}]',
        '[{"geometry": {"type": "LineString", "coordinates": [[1, "x"], [2, 3]]}}]',
        '[{"geometry": {"type": "LineString", "coordinates": [[1, NaN], [2, 3]]}}]',
        "[" * 100_000,
        '[{"properties": 3, "geometry": {"type": "Point", "coordinates": [1, 2]}}]',
    ],
)
def test_what_is_no_geojson_is_refused(text: str) -> None:
    with pytest.raises(ReadError):
        read_geojson(text)


@settings(max_examples=50)
@given(PLACES, PLACES, st.floats(1, 1000, width=32), st.floats(1, 1000, width=32))
def test_rectangles_go_through_imagej_to_a_fraction_of_a_pixel(x: float, y: float, width: float, height: float) -> None:
    roi = Roi(roi_id="r", name="é β", fov="F", x_min=x, x_max=x + width, y_min=y, y_max=y + height)
    found = read_imagej(write_imagej(roi), "F")
    assert (found.name, found.fov) == ("é β", "F")
    assert found.bounds == pytest.approx(roi.bounds, abs=0.01)
    theirs = roifile.ImagejRoi.frombytes(write_imagej(roi))
    assert theirs.name == "é β"
    assert (theirs.xd, theirs.yd, theirs.widthd, theirs.heightd) == pytest.approx((x, y, width, height), abs=0.01)


@pytest.mark.parametrize("roi", [POLYGON, LINE], ids=["polygon", "line"])
def test_shapes_go_through_imagej(roi: Roi) -> None:
    data = write_imagej(roi)
    assert read_imagej(data, "FOV1").shape == roi.shape
    theirs = roifile.ImagejRoi.frombytes(data)
    assert roi.shape is not None
    assert [tuple(point) for point in theirs.coordinates()[: len(roi.shape.points)]] == list(roi.shape.points)


def test_what_another_library_writes_is_read() -> None:
    points = np.array([[10, 20], [40, 20], [25, 60]])
    whole = roifile.ImagejRoi.frompoints(points)
    whole.name = "whole"
    found = read_imagej(whole.tobytes(), "F")
    assert found.shape == RoiShape(points=((10, 20), (40, 20), (25, 60)))
    fine = roifile.ImagejRoi.frompoints(np.array([[10.25, 20.5], [40.75, 20], [25, 60]]))
    assert read_imagej(fine.tobytes()).shape == RoiShape(points=((10.25, 20.5), (40.75, 20), (25, 60)))


def test_an_oval_is_a_polygon_inside_its_rectangle() -> None:
    oval = roifile.ImagejRoi(roitype=roifile.ROI_TYPE.OVAL, top=10, left=20, bottom=30, right=60, name="o")
    found = read_imagej(oval.tobytes())
    assert found.shape is not None
    xs, ys = zip(*found.shape.points, strict=True)
    assert (min(xs), max(xs), min(ys), max(ys)) == pytest.approx((20, 60, 10, 30), abs=0.1)
    assert found.bounds == (20, 10, 60, 30)


def test_a_zip_keeps_order_and_names_and_is_the_same_each_time() -> None:
    rois = [WINDOW, POLYGON, POLYGON]
    data = write_imagej_zip(rois)
    assert data == write_imagej_zip(rois)
    found = read_imagej_zip(data, "FOV1")
    assert [roi.name for roi in found] == ["A β", "P", "P"]
    assert len({roi.roi_id for roi in found}) == 3
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.namelist() == ["A β.roi", "P.roi", "P-2.roi"]


def test_regions_that_the_format_cannot_hold_are_refused() -> None:
    far = WINDOW.model_copy(update={"x_max": 40_000.0})
    with pytest.raises(InvalidRequestError, match="too large"):
        write_imagej(far)
    with pytest.raises(InvalidRequestError, match="no edges"):
        write_imagej(Roi(roi_id="r"))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_region_or_an_error(data: bytes) -> None:
    for content in (data, b"Iout" + data, write_imagej(POLYGON)[: len(data)], write_imagej(POLYGON)[:20] + data):
        for read in (read_imagej, read_imagej_zip):
            try:
                read(content)
            except ReadError:
                continue


@given(st.integers(0, 200), st.binary(min_size=1, max_size=8))
def test_damaged_zips_are_errors(place: int, noise: bytes) -> None:
    data = bytearray(write_imagej_zip([POLYGON]))
    data[place : place + len(noise)] = noise
    try:
        read_imagej_zip(bytes(data))
    except ReadError:
        return


def test_features_without_geometry_have_no_region(caplog: pytest.LogCaptureFixture) -> None:
    document = json.loads(write_geojson([WINDOW]))
    document["features"].insert(0, {"type": "Feature", "geometry": None, "properties": None})
    (found,) = read_geojson(json.dumps(document))
    assert found.name == "A β"
    assert "feature 1 of the GeoJSON has no geometry" in caplog.text


@pytest.mark.parametrize("geometry", [{"type": "Polygon", "coordinates": None}, {"type": "Point"}, 3])
def test_a_feature_without_coordinates_is_refused_in_plain_words(geometry: object) -> None:
    with pytest.raises(ReadError, match=r"^feature 1: it is no feature of GeoJSON, or has no coordinates$"):
        read_geojson(json.dumps({"type": "Feature", "geometry": geometry, "properties": {}}))
