"""One contrast for a batch."""

import numpy as np
import pytest

from coverslip.errors import ExportError
from coverslip.model.export import ChannelLook, ExportSpec, MarkerSet
from coverslip.render.export import Fov, common_limits, render_fov_to_array


def test_limits_of_a_batch_hold_for_its_brightest_and_darkest_field() -> None:
    dim, bright = np.linspace(10, 110, 10_001)[None], np.linspace(50, 1050, 10_001)[None]
    low, high = common_limits(iter([dim, bright]), 1, 99.9)
    assert [low, high] == pytest.approx([11, 1049], abs=0.2)
    look = ChannelLook(channel="A", color="red", low=low, high=high)
    spec = ExportSpec(markers=MarkerSet(name="m", channels=(look,)))
    same = [
        render_fov_to_array(Fov(name, {"A": np.array([[100.0, level]])}), spec)
        for name, level in (("a", 0), ("b", 900))
    ]
    assert same[0][0, 0].tolist() == same[1][0, 0].tolist()


def test_a_batch_of_nothing_has_no_contrast() -> None:
    with pytest.raises(ExportError, match="no image") as caught:
        common_limits([])
    assert not caught.value.recoverable
