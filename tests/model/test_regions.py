"""Regions: spelled out, checked, never silently cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coverslip.errors import RegionError
from coverslip.model import Region

SHAPE = (3, 2, 5, 40, 50)


def test_open_axes_are_whole() -> None:
    assert Region(z=(1, 3)).resolve(SHAPE) == Region(t=(0, 3), c=(0, 2), z=(1, 3), y=(0, 40), x=(0, 50))


@pytest.mark.parametrize("axis", "tczyx")
@pytest.mark.parametrize("span", [(-1, 1), (0, 0), (2, 1), (0, 10_000)])
def test_outside_is_an_error_that_names_the_axis(axis: str, span: tuple[int, int]) -> None:
    with pytest.raises(RegionError, match=f"{axis} {span[0]}:{span[1]} lies outside"):
        Region(**{axis: span}).resolve(SHAPE)


def test_an_unresolved_region_has_no_slices() -> None:
    with pytest.raises(RegionError, match="resolve"):
        _ = Region().slices


@given(st.data())
def test_slices_and_shape_agree(data: st.DataObject) -> None:
    spans = {}
    for axis, length in zip("tczyx", SHAPE, strict=True):
        start = data.draw(st.integers(0, length - 1))
        spans[axis] = (start, data.draw(st.integers(start + 1, length)))
    region = Region(**spans).resolve(SHAPE)
    assert region.shape == tuple(cut.stop - cut.start for cut in region.slices)
    assert region.resolve(SHAPE) == region


def test_at_plane() -> None:
    assert Region.at_plane(t=1, z=4).resolve(SHAPE).shape == (1, 1, 1, 40, 50)
