"""Masks: values by hand, and the same whatever box is read."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coverslip.cryoet import instance_mask, is_empty, labels_of, semantic_mask
from coverslip.cryoet.masks import planes
from coverslip.errors import InvalidRequestError, ReadError, RegionError
from coverslip.model import ImageMetadata, PhysicalSize, Region


@dataclass
class Volume:
    """A volume that counts how many planes are read at once."""

    voxels: "np.ndarray[Any, Any]"
    reads: list[int] = field(default_factory=list)

    @property
    def metadata(self) -> ImageMetadata:
        z, y, x = self.voxels.shape
        size = PhysicalSize(value=10.0, unit="angstrom")
        return ImageMetadata(
            name="a.mrc",
            file_format="MRC",
            size_z=z,
            size_y=y,
            size_x=x,
            dtype=self.voxels.dtype.name,
            pixel_size_z=size,
        )

    def read(self, level: int, region: Region) -> "np.ndarray[Any, Any]":
        assert level == 0
        self.reads.append(region.shape[2])
        return self.voxels[region.slices[2:]][None, None]


def volume(voxels: object, dtype: str = "uint8") -> Volume:
    return Volume(np.array(voxels, dtype))


def whole(mask: Any) -> list[Any]:
    """Return all planes of a mask."""
    return [plane.tolist() for plane in planes(mask)]


LABELS = [[[1, 2], [3, 0]], [[1, 0], [0, 2]]]


def test_one_label() -> None:
    source = volume(LABELS)
    mask = semantic_mask(source, mask_label=2)
    assert mask.metadata.dtype == "int8"
    assert mask.metadata.shape == (1, 1, 2, 2, 2)
    assert whole(mask) == [[[0, 1], [0, 0]], [[0, 0], [0, 1]]]
    assert mask.read(0, Region()).dtype == np.int8
    assert set(source.reads) == {1}
    assert not is_empty(mask)
    assert is_empty(semantic_mask(source, mask_label=9))


def test_a_threshold_counts_from_itself_on() -> None:
    source = volume([[[0.5, 0.49], [1.0, 0.0]]], "float32")
    assert whole(semantic_mask(source, threshold=0.5)) == [[[1, 0], [1, 0]]]


def test_labels_above_127_in_eight_bits() -> None:
    source = volume([[[-56, 100], [-128, 0]]], "int8")
    assert whole(semantic_mask(source, mask_label=200)) == [[[1, 0], [0, 0]]]
    mask = instance_mask(source)
    assert whole(mask) == [[[200, 100], [128, 0]]]
    assert labels_of(mask) == (100, 128, 200)


def test_instances() -> None:
    mask = instance_mask(volume([[[0, 65535], [7, 7]]], "float32"))
    assert mask.metadata.dtype == "uint16"
    assert mask.read(0, Region()).dtype == np.uint16
    assert whole(mask) == [[[0, 65535], [7, 7]]]
    assert labels_of(mask) == (7, 65535)


def test_larger_by_whole_numbers() -> None:
    source = volume([[[1, 0], [0, 2]]])
    mask = semantic_mask(source, size=(1, 4, 4))
    assert whole(mask) == [[[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]]
    assert whole(instance_mask(source, size=(2, 2, 4)))[1] == [[1, 1, 0, 0], [0, 0, 2, 2]]
    size = mask.metadata.pixel_size_z, semantic_mask(source, size=(4, 2, 2)).metadata.pixel_size_z
    assert size == (PhysicalSize(value=10.0, unit="angstrom"), PhysicalSize(value=2.5, unit="angstrom"))


def test_smaller_keeps_what_is_thin() -> None:
    source = volume([[[1, 0, 0, 0, 0, 0]]])
    # thirds of two, and one and a half of each of four
    assert whole(semantic_mask(source, size=(1, 1, 3))) == [[[1, 0, 0]]]
    assert whole(semantic_mask(volume([[[0, 1, 0, 0, 0, 0]]]), size=(1, 1, 4))) == [[[1, 1, 0, 0]]]


def test_smaller_means_are_by_volume() -> None:
    source = volume([[[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]]], "float64")
    # each of the two is one and a half voxels wide: 1, and half of the next
    assert whole(semantic_mask(source, threshold=0.8, size=(1, 2, 2))) == [[[0, 0], [1, 0]]]
    assert whole(semantic_mask(source, threshold=2 / 3, size=(1, 2, 2))) == [[[1, 0], [1, 0]]]
    assert whole(semantic_mask(source, threshold=0.5, size=(1, 1, 1))) == [[[1]]]
    assert whole(semantic_mask(source, threshold=0.51, size=(1, 1, 1))) == [[[0]]]


def test_instances_take_the_voxel_at_their_centre() -> None:
    source = volume([[[1, 2, 3, 4, 5]]])
    assert whole(instance_mask(source, size=(1, 1, 3))) == [[[1, 3, 5]]]
    assert whole(instance_mask(source, size=(1, 1, 2))) == [[[2, 4]]]
    assert whole(instance_mask(source, size=(1, 1, 7))) == [[[1, 2, 2, 3, 4, 4, 5]]]


def naive(voxels: Any, size: tuple[int, int, int], threshold: float) -> Any:
    """Return means by volume, axis by axis, from a table of overlaps."""
    mean = voxels.astype(float)
    for axis, m in enumerate(size):
        n = voxels.shape[axis]
        table = np.array(
            [[max(0, min((i + 1) * n, (j + 1) * m) - max(i * n, j * m)) for j in range(n)] for i in range(m)]
        )
        mean = np.moveaxis(np.tensordot(table, mean, (1, axis)), 0, axis)
    return (mean >= threshold * voxels.size).astype(np.int8)


@settings(deadline=None, max_examples=60)
@given(
    shape=st.tuples(*[st.integers(1, 6)] * 3),
    size=st.tuples(*[st.integers(1, 9)] * 3),
    seed=st.integers(0, 99),
    data=st.data(),
)
def test_a_box_is_a_part_of_the_whole(
    shape: tuple[int, int, int], size: tuple[int, int, int], seed: int, data: st.DataObject
) -> None:
    voxels = np.random.default_rng(seed).integers(0, 3, shape)
    source = Volume(voxels)
    starts = [data.draw(st.integers(0, length - 1)) for length in size]
    z, y, x = ((start, data.draw(st.integers(start + 1, length))) for start, length in zip(starts, size, strict=True))
    for mask in (
        semantic_mask(source, size=size),
        semantic_mask(source, threshold=1.5, size=size),
        instance_mask(source, size=size),
    ):
        everything = mask.read(0, Region())
        box = Region(z=z, y=y, x=x)
        np.testing.assert_array_equal(mask.read(0, box), everything[box.resolve(mask.metadata.shape).slices])
    means = naive(voxels, size, 1.5)
    np.testing.assert_array_equal(semantic_mask(source, threshold=1.5, size=size).read(0, Region())[0, 0], means)
    anything = naive((voxels == 1).astype(int), size, 1e-9)
    np.testing.assert_array_equal(semantic_mask(source, size=size).read(0, Region())[0, 0], anything)


@pytest.mark.parametrize(
    ("voxels", "dtype"),
    [([[[-1]]], "int16"), ([[[70000]]], "int32"), ([[[0.5]]], "float32"), ([[[np.nan]]], "float32")],
)
def test_what_is_no_label_is_refused(voxels: object, dtype: str) -> None:
    with pytest.raises(ReadError):
        instance_mask(volume(voxels, dtype)).read(0, Region())


def test_what_is_no_number_is_refused() -> None:
    for threshold in (None, 0.5):
        with pytest.raises(ReadError, match="no finite number"):
            semantic_mask(volume([[[np.inf]]], "float32"), threshold=threshold).read(0, Region())
    with pytest.raises(ReadError, match="one volume of numbers"):
        semantic_mask(volume([[[1j]]], "complex64"))


def test_what_makes_no_sense_is_said_at_once() -> None:
    source = volume(LABELS)
    wrong: list[dict[str, Any]] = [{"mask_label": 2, "threshold": 0.5}, {"threshold": np.nan}, {"size": (0, 1, 1)}]
    for options in wrong:
        with pytest.raises(InvalidRequestError):
            semantic_mask(source, **options)
    with pytest.raises(RegionError):
        semantic_mask(source).read(1, Region())
    with pytest.raises(RegionError):
        semantic_mask(source).read(0, Region(z=(0, 3)))
