"""The conformance suite must notice what it is there to notice."""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from coverslip.testing import ReaderTests, check_against_expected
from tests.readers.generate_mrc import Array, header, write
from tests.readers.generate_ome_zarr import counted, write_image

Made = dict[Path, list[Array]]


class Suite(ReaderTests):
    reader_name = "mrc"


@pytest.fixture
def volume(tmp_path: Path) -> tuple[Path, Array]:
    array = counted(3, 5, 4, dtype="i2")
    return write(tmp_path / "a.mrc", array), array[None, None]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda array: array[:, :, ::-1],  # planes in another order
        lambda array: array.swapaxes(-1, -2).reshape(array.shape),
        lambda array: array + 1,
        lambda array: array.astype("u2"),
    ],
)
def test_wrong_pixels_are_noticed(volume: tuple[Path, Array], spoil: Callable[[Array], Array]) -> None:
    path, array = volume
    Suite().test_whole_images({path: [array]})
    for check in (Suite().test_whole_images, Suite().test_planes, Suite().test_regions_equal_slices):
        with pytest.raises(AssertionError):
            check({path: [spoil(array)]})
    with pytest.raises(AssertionError):
        Suite().test_threads_get_their_own_planes({path: [spoil(array)]})


def test_wrong_shape_type_and_reader_are_noticed(volume: tuple[Path, Array], tmp_path: Path) -> None:
    path, array = volume
    Suite().test_metadata_tells_shape_and_type({path: [array]})
    for wrong in ([array[:, :, 1:]], [array.astype("i4")], [array, array]):
        with pytest.raises(AssertionError):
            Suite().test_metadata_tells_shape_and_type({path: wrong})
    other: Made = {write_image(tmp_path / "a.zarr", counted(4, 4), "yx"): [counted(1, 1, 1, 4, 4)]}
    with pytest.raises(AssertionError):
        Suite().test_content_is_recognised(other)
    with pytest.raises(AssertionError):
        Suite().test_content_is_recognised_under_a_false_name(other, tmp_path / "copies")


def test_damage_that_goes_unnoticed_is_noticed(tmp_path: Path) -> None:
    # A file with room to spare loses its end and still opens: right. Told other pixels, the suite must object.
    array = counted(2, 3, 4, dtype="i1")
    path = tmp_path / "spare.mrc"
    path.write_bytes(header((4, 3, 2), 0) + array.tobytes() + bytes(2000))
    Suite().test_a_truncated_file_is_refused_or_right({path: [array[None, None]]}, tmp_path / "1")
    with pytest.raises(AssertionError, match="wrong pixels"):
        Suite().test_a_truncated_file_is_refused_or_right({path: [array[None, None] + 1]}, tmp_path / "2")
    with pytest.raises(AssertionError, match="opens as"):
        Suite().test_a_truncated_file_is_refused_or_right({path: [array[None, None, :1]]}, tmp_path / "3")


def test_an_open_handle_is_noticed(volume: tuple[Path, Array]) -> None:
    path, array = volume
    with path.open("rb"), pytest.raises(AssertionError):
        Suite().test_closing_releases_everything_and_may_be_repeated({path: [array]})
    mapped = np.memmap(path, mode="r")
    with pytest.raises(AssertionError):
        Suite().test_closing_releases_everything_and_may_be_repeated({path: [array]})
    del mapped
    Suite().test_closing_releases_everything_and_may_be_repeated({path: [array]})


def digests(array: Array) -> dict[str, Any]:
    planes = {"whole_sha256": array, "plane_000_sha256": array[0, 0, 0], "last_plane_sha256": array[-1, -1, -1]}
    hashes = {key: hashlib.sha256(np.ascontiguousarray(part).tobytes()).hexdigest() for key, part in planes.items()}
    return {"canonical_shape": list(array.shape), "dtype": array.dtype.name, **hashes}


def expect(folder: Path, documents: Mapping[str, Any]) -> None:
    (folder / "expected.json").write_text(json.dumps(documents))


def test_the_oracle_counts_right_refused_and_wrong(volume: tuple[Path, Array], tmp_path: Path) -> None:
    _, array = volume
    (tmp_path / "short.mrc").write_bytes(header((9, 9, 9), 2))
    (tmp_path / "text.txt").write_text("no image at all")
    good = {"reader": "mrc", "images": [digests(array)]}
    expect(
        tmp_path,
        {"a.mrc": good, "short.mrc": good, "text.txt": {"reader": "mrc", "error": "no"}, "b": {"reader": "oif"}},
    )
    report = check_against_expected(tmp_path, "mrc")
    assert report.line == "mrc: 2 right, 1 refused, 0 wrong"
    assert report.right == ("a.mrc", "text.txt")
    assert "short.mrc" in report.refused[0]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"dtype": "uint16"}, "dtype int16 instead of uint16"),
        ({"canonical_shape": [1, 1, 3, 4, 5]}, "shape"),
        ({"whole_sha256": "0"}, "whole_sha256 differs"),
        ({"plane_000_sha256": "0"}, "plane_000_sha256 differs"),
        ({"last_plane_sha256": "0"}, "last_plane_sha256 differs"),
        ({"channel_names": ["DAPI"]}, "channels ['Channel 0'] instead of ['DAPI']"),
        ({"pixel_size_um_yx": [1.0, 1.0]}, "pixel size y"),
        ({"pixel_size_um": {"x": 2.0}}, "pixel size x"),
        ({"voxel_size_angstrom": {"z": 0.0}}, "pixel size z"),
        ({"axes": [{"name": "y", "unit": "micrometer"}], "scale": [2.0]}, "pixel size y"),
        ({"axes": [{"name": "y"}], "scale": [2.0]}, "pixel size y"),
    ],
)
def test_the_oracle_says_what_differs(
    volume: tuple[Path, Array], tmp_path: Path, change: dict[str, Any], problem: str
) -> None:
    expect(tmp_path, {"a.mrc": {"reader": "mrc", "images": [digests(volume[1]) | change]}})
    report = check_against_expected(tmp_path, "mrc")
    assert report.line == "mrc: 0 right, 0 refused, 1 wrong"
    assert problem in report.wrong[0]


def test_the_oracle_counts_images_and_readers(volume: tuple[Path, Array], tmp_path: Path) -> None:
    image = digests(volume[1])
    expect(tmp_path, {"a.mrc": {"reader": "mrc", "images": [image, image]}})
    assert "1 images instead of 2" in check_against_expected(tmp_path, "mrc").wrong[0]
    expect(tmp_path, {"a.mrc": {"reader": "czi", "images": [image]}})
    assert "opened by the reader 'mrc'" in check_against_expected(tmp_path, "czi").wrong[0]
    right = image | {
        "voxel_size_angstrom": {"x": 13.48, "y": 13.48, "z": 13.48},
        "channel_names": ["Channel 0", "more"],
    }
    expect(tmp_path, {"a.mrc": {"reader": "mrc", "images": [right]}})
    assert check_against_expected(tmp_path, "mrc").line == "mrc: 1 right, 0 refused, 0 wrong"
