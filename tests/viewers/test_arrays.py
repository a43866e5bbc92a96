"""What napari and dask read of every format through the server: exactly what the library of the format reads."""

from typing import Any

import dask.array as da
import numpy as np
import pytest
from ome_zarr.io import parse_url
from ome_zarr.reader import Node, Reader

from tests.viewers.conftest import EVERY, FORMATS, Library


def read_node(address: str) -> Node:
    """Read an image as the napari plugin does: https://github.com/ome/napari-ome-zarr."""
    location = parse_url(address)
    assert location is not None, f"ome-zarr sees no image at {address}"
    nodes = list(Reader(location)())
    assert len(nodes) == 1
    return nodes[0]


@pytest.mark.parametrize("word", ["zarr", "zarr04"])
@pytest.mark.parametrize("name", EVERY)
def test_napari_reads_every_format(shown: Library, name: str, word: str) -> None:
    expected = shown.show(name).pixels
    node = read_node(shown.address(name, word))
    assert [axis["name"] for axis in node.metadata["axes"]] == list("tczyx")
    full = node.data[0]
    assert (full.shape, full.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_array_equal(full.compute(scheduler="threads"), expected)
    channels = expected.shape[1]
    assert len(node.metadata["channel_names"]) == channels
    assert len(node.metadata["colormap"]) == channels
    for (low, high), c in zip(node.metadata["contrast_limits"], range(channels), strict=True):
        assert expected[:, c].min() <= low < high <= expected[:, c].max()
    document = shown.service.client.get(f"/api/images/{shown.show(name).id}").json()
    sizes = [document[f"pixel_size_{axis}"] for axis in "yx"]
    assert len(node.metadata["coordinateTransformations"]) == len(node.data)
    units = [axis.get("unit") for axis in node.metadata["axes"]]
    for transform, level in zip(node.metadata["coordinateTransformations"], node.data, strict=True):
        scale = next(step["scale"] for step in transform if step["type"] == "scale")
        factor = expected.shape[-1] / level.shape[-1]
        if sizes[1] is not None and units[-1] == "micrometer":
            assert scale[-1] == pytest.approx(sizes[1] * factor, rel=0.01)


@pytest.mark.parametrize(("word", "zarr_format"), FORMATS)
@pytest.mark.parametrize("name", EVERY)
def test_dask_computes_over_http(shown: Library, name: str, word: str, zarr_format: int) -> None:
    expected = shown.show(name).pixels
    lazy: Any = da.from_zarr(  # type: ignore[no-untyped-call]  # dask has no types
        f"{shown.address(name, word)}/0", zarr_format=zarr_format
    )
    assert lazy.numblocks[2] == expected.shape[2] or expected.shape[3] == 1  # lazy: a plane at a time
    np.testing.assert_array_equal(lazy.max(axis=2).compute(scheduler="threads"), expected.max(axis=2))
    total = lazy.sum(dtype=np.float64).compute(scheduler="threads")
    assert total == pytest.approx(expected.sum(dtype=np.float64), rel=1e-12)
