"""A real field of view is drawn as the recorded formulas say."""

from pathlib import Path

import numpy as np
import pytest

from coverslip.model import Region
from coverslip.model.export import ChannelLook, ExportSpec, MarkerSet
from coverslip.readers import open_image
from coverslip.render.export import Fov, common_limits, render_crop_to_array, render_fov_to_array
from tests.render.export import reference
from tests.render.export.fields import rgb_of

COLORS = {"CD45": "#00ff00", "CD3": "#ff0000", "CD20": "#ffa500", "BetaCatenin": "#0000ff"}


@pytest.mark.samples
@pytest.mark.parametrize("downsample", [1, 3])
def test_a_mibi_field_equals_the_reference(samples: Path, downsample: int) -> None:
    with open_image(samples / "mibi" / "fov8") as file:
        image = file.images[0]
        names = [channel.name for channel in image.metadata.channels]
        planes = {
            name: np.asarray(image.read(0, Region(c=(names.index(name), names.index(name) + 1))))[0, 0, 0]
            for name in COLORS
        }
    limits = {name: common_limits([plane]) for name, plane in planes.items()}
    looks = tuple(
        ChannelLook(channel=name, color=color, low=limits[name][0], high=limits[name][1])
        for name, color in COLORS.items()
    )
    fov, spec = (
        Fov("fov8", dict(planes)),
        ExportSpec(markers=MarkerSet(name="m", channels=looks), downsample=downsample),
    )
    expected = reference.composite(
        list(planes.values()), [(rgb_of(color), *limits[name]) for name, color in COLORS.items()], downsample
    )
    picture = render_fov_to_array(fov, spec)
    assert picture.any()
    np.testing.assert_array_equal(picture, reference.to_uint8(expected))
    crop = render_crop_to_array(fov, spec, center_xy=(300, 600), size_px=120)
    assert crop.shape == (120 // downsample, 120 // downsample, 3)
