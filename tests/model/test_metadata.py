"""The metadata model: what it refuses, fills in and computes."""

import math
from typing import Any

import pytest
from pydantic import ValidationError

from coverslip.model import ChannelInfo, ImageMetadata, Level, PhysicalSize


def metadata(**more: Any) -> ImageMetadata:
    return ImageMetadata(**{"name": "a", "file_format": "TIFF", "size_y": 10, "size_x": 20, "dtype": "uint16", **more})


def test_absent_axes_have_length_one_and_unknown_is_none() -> None:
    meta = metadata()
    assert meta.shape == (1, 1, 1, 10, 20)
    assert meta.axes == "TCZYX"
    assert meta.get_voxel_size_micrometers() == (None, None, None)
    assert meta.levels == (Level(size_z=1, size_y=10, size_x=20),)
    assert [channel.name for channel in meta.channels] == ["Channel 0"]


def test_colour_samples_are_a_sixth_axis() -> None:
    meta = metadata(samples=3, dtype="uint8")
    assert (meta.shape, meta.axes) == ((1, 1, 1, 10, 20, 3), "TCZYXS")
    assert meta.get_memory_size_bytes() == 600


@pytest.mark.parametrize("value", [0, -1.0, math.nan, math.inf, None, "5"])
def test_a_size_that_says_nothing_is_unknown(value: object) -> None:
    assert PhysicalSize.known(value) is None


@pytest.mark.parametrize(
    ("value", "unit", "micrometers"),
    [
        (65, "nm", 0.065),
        (7.84, "angstrom", 7.84e-4),
        (2, "mm", 2000),
        (1, "in", 25_400),
        (0.1, "um", 0.1),
        (1, "m", 1e6),
    ],
)
def test_lengths_keep_their_unit_and_convert(value: float, unit: Any, micrometers: float) -> None:
    size = PhysicalSize(value=value, unit=unit)
    assert (size.value, size.unit) == (value, unit)
    assert size.micrometers == pytest.approx(micrometers)


def test_the_voxel_size_is_x_y_z() -> None:
    meta = metadata(
        pixel_size_x=PhysicalSize(value=1),
        pixel_size_y=PhysicalSize(value=2),
        pixel_size_z=PhysicalSize(value=300, unit="nm"),
    )
    x, y, z = meta.get_voxel_size_micrometers()
    assert (x, y) == (1, 2)
    assert z == pytest.approx(0.3)


def test_channels_and_sizes_must_agree() -> None:
    with pytest.raises(ValidationError, match="1 channels described, but size_c is 2"):
        metadata(size_c=2, channels=(ChannelInfo(index=0, name="DAPI"),))


def test_level_0_is_the_image() -> None:
    with pytest.raises(ValidationError, match="level 0 must have the size of the image"):
        metadata(levels=(Level(size_z=1, size_y=5, size_x=10),))
    pyramid = metadata(levels=(Level(size_z=1, size_y=10, size_x=20), Level(size_z=1, size_y=5, size_x=10)))
    assert pyramid.level_shape(1) == (1, 1, 1, 5, 10)


def test_values_do_not_change_and_unknown_fields_are_refused() -> None:
    meta = metadata()
    with pytest.raises(ValidationError):
        setattr(meta, "size_x", 5)  # noqa: B010  # the type checker knows already
    with pytest.raises(ValidationError):
        metadata(size_w=5)


def test_the_document_round_trips() -> None:
    meta = metadata(
        size_c=1,
        channels=(ChannelInfo(index=0, name="GFP", color="#00ff00", emission_wavelength_nm=509),),
        pixel_size_x=PhysicalSize(value=65, unit="nm"),
        vendor={"a": [1, {"b": None}]},
    )
    assert ImageMetadata.model_validate_json(meta.model_dump_json()) == meta


@pytest.mark.parametrize(
    ("dtype", "bits"),
    [("uint8", 8), ("int16", 16), ("float32", 32), ("complex128", 128), ("bool", 8), ("uint64", 64), ("float16", 16)],
)
def test_bit_depth(dtype: str, bits: int) -> None:
    assert metadata(dtype=dtype).bit_depth == bits


def test_lazy_loading_begins_above_one_gibibyte() -> None:
    at = metadata(size_z=1 << 10, size_y=1 << 10, size_x=1 << 9)
    above = metadata(size_z=(1 << 10) + 1, size_y=1 << 10, size_x=1 << 9)
    assert at.get_memory_size_mb() == 1024
    assert not at.should_use_lazy_loading()
    assert above.should_use_lazy_loading()
