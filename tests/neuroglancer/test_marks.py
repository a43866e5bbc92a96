"""What people marked, as annotations of Neuroglancer."""

from datetime import UTC, datetime
from typing import Any

import pytest

from coverslip.model import ImageMetadata
from coverslip.model.annotations import Annotation, Box, Frames, Point, Points, Polygon, Shape
from coverslip.neuroglancer import Scene, build_state
from coverslip.neuroglancer.marks import marks_of
from tests.neuroglancer.scenes import metadata, scene

NOW = datetime(2026, 1, 2, tzinfo=UTC)
FILM = ImageMetadata(name="film", file_format="TIFF", size_t=10, size_y=40, size_x=60, dtype="uint8")
STACK = ImageMetadata(name="stack", file_format="TIFF", size_z=20, size_y=40, size_x=60, dtype="uint8")
TRIANGLE = Polygon(points=(Point(x=1, y=1), Point(x=5, y=1), Point(x=3, y=4)))
SPOT = Points(points=(Point(x=10.5, y=20.5),))


def marked(id_: str, frames: Frames, *shapes: Shape, **more: Any) -> Annotation:
    """Return an annotation as the catalog keeps it."""
    facts = {"image_id": "img1", "revision": 1, "author": "", "created_at": NOW, "updated_at": NOW, **more}
    return Annotation(id=id_, frames=frames, shapes=shapes, **facts)


def documents(one: Annotation, image: ImageMetadata, axes: str) -> list[dict[str, Any]]:
    """Return an annotation as a state holds it."""
    return [mark.document() for mark in marks_of([one], image, axes)]


def test_a_box_reaches_over_its_frames_to_the_edges_of_its_pixels() -> None:
    box = marked("a", Frames(first=2, last=4), box=Box(x=10, y=20, width=5, height=6), label="division", text="late")
    assert documents(box, FILM, "xyzt") == [
        {
            "type": "axis_aligned_bounding_box",
            "id": "a",
            "pointA": [9.5, 19.5, -0.5, 1.5],
            "pointB": [14.5, 25.5, 0.5, 4.5],
            "description": "division late",
        }
    ]


def test_an_annotation_without_a_place_is_the_whole_image() -> None:
    found = documents(marked("a", Frames(axis="z", first=0, last=3)), STACK, "xyz")
    assert found == [
        {"type": "axis_aligned_bounding_box", "id": "a", "pointA": [-0.5, -0.5, -0.5], "pointB": [59.5, 39.5, 3.5]}
    ]


def test_a_point_of_one_frame_is_a_point() -> None:
    """The middle of a pixel is a whole number in Neuroglancer."""
    found = documents(marked("a", Frames(first=3, last=3), SPOT), FILM, "xyzt")
    assert found == [{"type": "point", "id": "a.1", "point": [10.0, 20.0, 0.0, 3.0]}]


def test_a_point_of_several_frames_is_a_box_of_one_pixel() -> None:
    found = documents(marked("a", Frames(axis="z", first=3, last=5), SPOT), STACK, "xyz")
    assert found == [
        {"type": "axis_aligned_bounding_box", "id": "a.1", "pointA": [9.5, 19.5, 2.5], "pointB": [10.5, 20.5, 5.5]}
    ]


def test_a_polygon_is_a_closed_line_in_each_of_its_frames() -> None:
    found = documents(marked("a", Frames(axis="z", first=3, last=4), TRIANGLE), STACK, "xyz")
    corners = [(0.5, 0.5), (4.5, 0.5), (2.5, 3.5), (0.5, 0.5)]
    assert found == [
        {"type": "polyline", "id": f"a.{number}", "points": [[x, y, float(z)] for x, y in corners]}
        for number, z in ((1, 3), (2, 4))
    ]


def test_a_polygon_of_many_frames_is_drawn_in_32_of_them_with_both_ends() -> None:
    deep = STACK.model_copy(update={"size_z": 1000})
    drawn = documents(marked("a", Frames(axis="z", first=0, last=999), TRIANGLE), deep, "xyz")
    depths = [mark["points"][0][2] for mark in drawn]
    assert len(depths) == 32
    assert (depths[0], depths[-1]) == (0, 999)


@pytest.mark.parametrize("frames", [Frames(first=0, last=0), Frames(axis="t", first=7, last=2**31 - 1)])
def test_frames_of_an_axis_that_a_tomogram_has_not_are_all_of_its_slices(frames: Frames) -> None:
    found = documents(marked("a", frames, box=Box(x=0, y=0, width=1, height=1)), STACK, "xyz")
    assert (found[0]["pointA"][2], found[0]["pointB"][2]) == (-0.5, 19.5)


def test_frames_past_the_end_are_the_last_one() -> None:
    found = documents(marked("a", Frames(first=50, last=60), SPOT), FILM, "xyzt")
    assert found[0]["point"][3] == 9


def test_deleted_annotations_are_not_shown() -> None:
    assert documents(marked("a", Frames(first=0, last=0), SPOT, deleted_at=NOW), FILM, "xyzt") == []


def in_state(**more: Any) -> list[dict[str, Any]]:
    """Return the layers of a tomogram after its own."""
    shown: Scene = scene(**more)
    layers: list[dict[str, Any]] = build_state(shown)["layers"]
    return layers[1:]


def test_each_track_is_a_layer() -> None:
    frames = Frames(axis="z", first=1, last=1)
    tracks = (("b", "regions"), ("a", "events"), ("c", "regions"))
    found = in_state(annotations=tuple(marked(one, frames, SPOT, track=track) for one, track in tracks))
    assert [(layer["name"], [one["id"] for one in layer["annotations"]]) for layer in found] == [
        ("events", ["a.1"]),
        ("regions", ["b.1", "c.1"]),
    ]
    assert found[0]["annotationColor"] != found[1]["annotationColor"]


def test_more_than_a_thousand_are_read_from_elsewhere_by_their_types() -> None:
    many = Points(points=tuple(Point(x=x, y=1) for x in range(600)))
    frames = Frames(axis="z", first=1, last=1)
    annotations = (marked("a", frames, many), marked("b", frames, many, TRIANGLE))
    (layer,) = in_state(annotations=annotations)
    assert "annotations" not in layer
    assert [source["url"] for source in layer["source"]] == [
        "precomputed://coverslip:///api/images/img1/annotations/events/precomputed/point",
        "precomputed://coverslip:///api/images/img1/annotations/events/precomputed/polyline",
    ]
    assert len(in_state(annotations=annotations[:1])[0]["annotations"]) == 600


def test_metadata_of_the_tomogram_give_the_depth() -> None:
    (layer,) = in_state(annotations=(marked("a", Frames(first=0, last=0)),))
    assert layer["annotations"][0]["pointB"] == [629.5, 629.5, metadata().size_z - 0.5]
