import json
from typing import Any

import numpy as np
import pytest
import zarr
from ome_zarr_models.v04.image import Image as ImageV04
from ome_zarr_models.v05.image import Image as ImageV05

from coverslip.errors import UnsupportedFormatError
from coverslip.model import ChannelInfo, PhysicalSize
from coverslip.ngff import Version, VirtualStore, to_store
from coverslip.ngff.pyramid import plan_levels
from tests.ngff.images import ArrayImage, some

VERSIONS: list[Version] = ["0.5", "0.4"]


def cells(**facts: Any) -> ArrayImage:
    known: dict[str, Any] = {
        "pixel_size_z": PhysicalSize(value=300, unit="nm"),
        "pixel_size_y": PhysicalSize(value=0.1),
        "pixel_size_x": PhysicalSize(value=0.1),
        "time_increment_s": 2.5,
        "channels": (
            ChannelInfo(index=0, name="DAPI", color="#0000ff"),
            ChannelInfo(index=1, name="GFP"),
        ),
    }
    return ArrayImage(some((2, 2, 3, 601, 300)), **(known | facts))


def group_of(image: ArrayImage, version: Version, **options: Any) -> dict[str, Any]:
    data = VirtualStore(image, version, **options).get("zarr.json" if version == "0.5" else ".zattrs")
    assert data is not None
    document: dict[str, Any] = json.loads(data)
    return document["attributes"]["ome"] if version == "0.5" else document


def shape_images() -> list[ArrayImage]:
    return [
        cells(),
        ArrayImage(some((1, 1, 1, 700, 300, 3), "uint8")),
        ArrayImage(some((1, 2, 1, 40, 30, 4), "uint8")),
        ArrayImage(some((1, 1, 1, 1, 1))),
        ArrayImage(some((3, 1, 9, 1, 900), "float32")),
        ArrayImage(some((1, 1, 8, 600, 600)), some((1, 1, 4, 300, 300))),
        ArrayImage(np.full((1, 1, 1, 4, 4), np.nan, np.float32)),
        ArrayImage(some((1, 1, 1, 5, 5), "complex64")),
        ArrayImage(some((1, 1, 1, 5, 5), "bool")),
    ]


@pytest.mark.parametrize("number", range(len(shape_images())))
def test_an_independent_model_accepts_the_documents(number: int) -> None:
    image = shape_images()[number]
    group = zarr.open_group(to_store(image, "0.5"), mode="r")
    ImageV05.from_zarr(group)
    old = zarr.open_group(to_store(image, "0.4"), mode="r")
    ImageV04.from_zarr(old)


@pytest.mark.parametrize("version", VERSIONS)
def test_sizes_units_and_channels_are_said(version: Version) -> None:
    document = group_of(cells(), version)
    multiscale = document["multiscales"][0]
    stated = document["version"] if version == "0.5" else multiscale["version"]
    assert stated == version
    assert [axis["name"] for axis in multiscale["axes"]] == ["t", "c", "z", "y", "x"]
    assert [axis.get("unit") for axis in multiscale["axes"]] == [
        "second", None, "nanometer", "micrometer", "micrometer",
    ]  # fmt: skip
    first, second, third = multiscale["datasets"]
    assert first["coordinateTransformations"] == [{"type": "scale", "scale": [2.5, 1.0, 300.0, 0.1, 0.1]}]
    assert second["coordinateTransformations"][0]["scale"] == [2.5, 1.0, 300.0, 0.2, 0.2]
    shift = third["coordinateTransformations"][1]
    assert shift["type"] == "translation"
    np.testing.assert_allclose(shift["translation"], [0, 0, 0, 0.15, 0.15])
    channels = document["omero"]["channels"]
    assert [channel["label"] for channel in channels] == ["DAPI", "GFP"]
    assert [channel["color"] for channel in channels] == ["0000FF", "FFFFFF"]
    assert document["omero"]["rdefs"]["defaultZ"] == 1


def test_what_the_file_does_not_say_is_not_said() -> None:
    plain = ArrayImage(some((1, 1, 1, 30, 30)))
    multiscale = group_of(plain, "0.5")["multiscales"][0]
    assert all("unit" not in axis for axis in multiscale["axes"])
    assert multiscale["datasets"][0]["coordinateTransformations"][0]["scale"] == [1.0] * 5


def test_colours_are_those_of_the_pictures_when_handed_over() -> None:
    document = group_of(cells(), "0.5", colors=[(1, 2, 3), (255, 0, 16)])
    assert [channel["color"] for channel in document["omero"]["channels"]] == ["010203", "FF0010"]


def test_colour_samples_are_channels_red_green_and_blue() -> None:
    document = group_of(ArrayImage(some((1, 1, 1, 30, 30, 4), "uint8")), "0.5")
    channels = document["omero"]["channels"]
    assert [channel["label"] for channel in channels] == ["R", "G", "B", "A"]
    assert [channel["color"] for channel in channels] == ["FF0000", "00FF00", "0000FF", "FFFFFF"]
    assert [channel["active"] for channel in channels] == [True, True, True, False]
    assert channels[0]["window"] == {"min": 0.0, "max": 255.0, "start": 0.0, "end": 255.0}


def test_windows_are_measured_so_that_twelve_bits_are_not_black() -> None:
    pixels = np.random.default_rng(1).integers(100, 4000, (1, 1, 1, 64, 64)).astype(np.uint16)
    window = group_of(ArrayImage(pixels), "0.5")["omero"]["channels"][0]["window"]
    assert (window["min"], window["max"]) == (0.0, 65535.0)
    assert 100 <= window["start"] < 200
    assert 3900 < window["end"] < 4000


def test_a_channel_that_cannot_be_read_still_has_a_window() -> None:
    pixels = some((1, 2, 1, 64, 64))
    from coverslip.model import Region

    channels = group_of(ArrayImage(pixels, broken=Region(c=(1, 2))), "0.5")["omero"]["channels"]
    assert channels[1]["window"]["end"] == 65535.0
    assert channels[0]["window"]["end"] < 65535.0


def test_levels_go_down_to_one_chunk_and_real_ones_are_kept() -> None:
    levels = plan_levels(ArrayImage(some((1, 1, 8, 1025, 600), "uint8"), some((1, 1, 4, 512, 300), "uint8")).metadata)
    assert [level.shape[2:] for level in levels] == [(8, 1025, 600), (4, 512, 300), (4, 256, 150)]
    assert [level.halvings for level in levels] == [0, 0, 1]
    assert [level.factors for level in levels] == [(1, 1, 1), (2, 2, 2), (2, 4, 4)]


def test_a_side_of_one_pixel_is_not_halved() -> None:
    levels = plan_levels(ArrayImage(some((1, 1, 3, 1, 1024), "uint8")).metadata)
    assert [level.factors for level in levels] == [(1, 1, 1), (1, 1, 2), (1, 1, 4)]


def test_a_type_that_zarr_does_not_know_is_refused() -> None:
    image = ArrayImage(np.zeros((1, 1, 1, 2, 2), np.longdouble))
    with pytest.raises(UnsupportedFormatError, match="no type in OME-Zarr"):
        VirtualStore(image)
