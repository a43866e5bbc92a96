"""Key photos show what the viewer shows when it is opened, in its colours and at its places."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from coverslip.derive.viewing import key_photos
from coverslip.derive.viewing.key_photos import _mask_in
from coverslip.errors import BuildError, UnreadableFileError
from coverslip.render.key_photo import MASK_ALPHA, Slab
from tests.derive.portal import COARSE, FINE, OTHER, SIZE, Portal
from tests.render.test_key_photo import Volume

Rgb = list[int]
FLAT = np.tile(np.array([90.0, 90.0, 110.0, 110.0], np.float32), (SIZE[0], SIZE[1], SIZE[2] // 4))
"""Columns of two values, 100 on average and 10 away from that: three deviations are 70 to 130."""
DARK, LIGHT = 85, 170


def photo(portal: Portal, tomogram: str, size: str = "original") -> NDArray[np.uint8]:
    """Return a key photo as Y, X, 3: red, green, blue."""
    decoded = cv2.imdecode(np.frombuffer(portal.artifact(f"key-photo-{size}", tomogram), np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    return np.asarray(decoded[..., ::-1], np.uint8)


def rgb(color: str) -> Rgb:
    return [int(color[at : at + 2], 16) for at in (1, 3, 5)]


def colors(portal: Portal, tomogram: str) -> dict[str, Rgb]:
    """Return the colours of the layers of the viewer."""
    return {
        layer["name"]: rgb(layer.get("annotationColor") or layer["segmentDefaultColor"])
        for layer in portal.state(tomogram)["layers"][1:]
    }


def test_points_are_where_the_viewer_has_them_in_its_colours(portal: Portal) -> None:
    tomogram = portal.tomogram()
    portal.annotation("one", {"Point": [(10, 12, 25)]})
    portal.annotation("two", {"OrientedPoint": [(20, 9, 12)]}, number=101, spacing=COARSE)
    portal.sync()
    found, known = photo(portal, tomogram), colors(portal, tomogram)
    first, second = known.values()
    assert first != second
    assert found.shape == (48, 64, 3)
    assert found[12, 10].tolist() == first
    assert found[18, 40].tolist() == second  # its voxels are twice as large
    assert found[12, 10 + 3].tolist() == [255, 255, 255]


def test_only_what_lies_in_the_slab_and_is_shown_from_the_start_is_drawn(portal: Portal) -> None:
    tomogram = portal.tomogram(pixels=FLAT)  # of 50 slices 5 to 44 are projected
    inside, outside = [(10, 10, 4.6), (10, 30, 44.4)], [(40, 10, 4.4), (40, 30, 44.6)]
    portal.annotation("edges", {"Point": [*inside, *outside]})
    portal.annotation("hidden", {"Point": [(50, 24, 25)]}, number=101, hidden=["Point"])
    portal.annotation("elsewhere", {"Point": [(55, 24, 25)]}, number=102, alignment=OTHER)
    portal.sync()
    found = photo(portal, tomogram)
    color = next(iter(colors(portal, tomogram).values()))
    assert [found[int(y), int(x)].tolist() for x, y, _ in inside] == [color, color]
    np.testing.assert_allclose(found[:, 32::4], np.full((48, 8, 3), DARK), atol=1)
    np.testing.assert_allclose(found[:, 34::4], np.full((48, 8, 3), LIGHT), atol=1)


def test_points_are_preferred_to_the_same_with_directions(portal: Portal) -> None:
    tomogram = portal.tomogram(pixels=FLAT)
    portal.annotation("both", {"OrientedPoint": [(40, 20, 25)], "Point": [(10, 20, 25)]})
    portal.sync()
    found = photo(portal, tomogram)
    assert found[20, 10].tolist() == colors(portal, tomogram)[f"{_number(portal)} both point"]
    np.testing.assert_allclose(found[20, 40], [DARK] * 3, atol=1)


def test_instances_have_the_colours_that_the_viewer_reads(portal: Portal) -> None:
    tomogram = portal.tomogram()
    mask = np.zeros(SIZE, np.uint16)
    mask[25, 4:8, 4:8], mask[25, 30:34, 30:34] = 3, 700
    portal.annotation("cells", {"InstanceSegmentationMask": mask})
    portal.sync()
    layer = portal.state(tomogram)["layers"][1]
    found = photo(portal, tomogram)
    portal.seen.pop(portal.annotation("cells"))
    bare = _without(portal)
    for label, place in ((3, (5, 5)), (700, (31, 31))):
        color = np.array(rgb(layer["segmentColors"][str(label)]))
        expected = np.rint(bare[place] * (1 - MASK_ALPHA) + color * MASK_ALPHA)
        np.testing.assert_allclose(found[place], expected, atol=1)
    assert found[15, 15].tolist() == bare[15, 15].tolist()


def test_a_mask_of_another_voxel_spacing_covers_the_same_places(portal: Portal) -> None:
    tomogram = portal.tomogram(pixels=FLAT)
    mask = np.zeros(tuple(length // 2 for length in SIZE), np.int8)
    mask[12, 5, 6], mask[1, 20, 20] = 1, 1  # the second lies below the slab
    portal.annotation("membrane", {"SegmentationMask": mask}, spacing=COARSE)
    portal.sync()
    found = photo(portal, tomogram)
    covered = np.argwhere(found[..., 0] != found[..., 1])
    assert covered.tolist() == [
        [9, 11],
        [9, 12],
        [10, 11],
        [10, 12],
    ]  # voxel centres lie on each other: 5 -> 10, 6 -> 12


def test_a_mask_is_read_in_the_slab_alone() -> None:
    mask = Volume([np.arange(100 * 8 * 8, dtype=np.uint16).reshape(100, 8, 8)])
    found = _mask_in(mask, Slab((8, 8), (30, 70), 1.0), 1.0)
    assert {box.z for _, box in mask.boxes} == {(30, 70)}
    np.testing.assert_array_equal(found, mask.levels[0][69])


@pytest.mark.parametrize(("shape", "shown"), [((4, 4, 4), (4, 4)), ((200, 20, 20), (8, 8)), ((2, 8, 8), (0, 0))])
def test_a_mask_may_end_before_the_tomogram(shape: tuple[int, int, int], shown: tuple[int, int]) -> None:
    found = _mask_in(Volume([np.ones(shape, np.uint8)]), Slab((8, 8), (3, 70), 1.0), 1.0)
    expected = np.zeros((8, 8))
    expected[: shown[0], : shown[1]] = 1
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("size", "shape"), [("snapshot", (384, 512)), ("thumbnail", (100, 134)), ("expanded", (768, 1024))]
)
def test_the_other_photos_are_cut_and_have_their_width(portal: Portal, size: str, shape: tuple[int, int]) -> None:
    tomogram = portal.tomogram()
    portal.annotation()
    portal.sync()
    found = photo(portal, tomogram, size)
    assert found.shape[:2] == shape
    middle = found[round((10 + 0.5) * shape[0] / 48), round((10 + 0.5) * shape[1] / 64)]
    color = next(iter(colors(portal, tomogram).values()))
    np.testing.assert_allclose(middle, color, atol=60)


def test_a_damaged_annotation_is_left_out(portal: Portal) -> None:
    tomogram = portal.tomogram()
    portal.annotation("good", {"Point": [(10, 10, 25)]})
    bad = portal.annotation("bad", {"Point": [(40, 10, 25)]}, number=101)
    (portal.top / portal.seen[bad].files[0].key).write_text('{"type": "point"')
    portal.sync()
    found, known = photo(portal, tomogram), colors(portal, tomogram)
    assert found[10, 10].tolist() == next(iter(known.values()))
    assert list(known.values())[1] not in found.reshape(-1, 3).tolist()


def test_the_photo_waits_for_what_cannot_be_looked_at(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: object, shape: str) -> None:
        raise UnreadableFileError(f"{path}: permission denied")

    tomogram = portal.tomogram()
    portal.annotation()
    portal.sync()
    monkeypatch.setattr(key_photos, "read_ndjson", refuse)
    with pytest.raises(BuildError, match="permission denied"):
        photo(portal, tomogram)


def test_a_photo_of_a_large_tomogram_has_its_points_in_place(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_photos, "LARGEST", 32)
    tomogram = portal.tomogram()
    portal.annotation("one", {"Point": [(40, 20, 25)]}, spacing=FINE)
    portal.sync()
    found = photo(portal, tomogram)
    assert found.shape == (24, 32, 3)
    assert found[10, 20].tolist() == next(iter(colors(portal, tomogram).values()))


def _number(portal: Portal) -> int:
    return next(one.id for one in portal.catalog.entities(type="annotation"))


def _without(portal: Portal) -> NDArray[np.uint8]:
    """Return the photo of the same tomogram without any annotation."""
    other = Portal.open(portal.folder / "other")
    with other.catalog:
        tomogram = other.tomogram()
        other.sync()
        return photo(other, tomogram)
