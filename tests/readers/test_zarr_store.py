"""``Image.to_zarr_store``: the same pixels for whatever takes a Zarr store."""

import gc
from pathlib import Path
from typing import Any, Literal

import dask.array
import numpy as np
import ome_zarr_models.v05
import pytest
import tifffile
import zarr

from coverslip import open_image
from coverslip.errors import ReadError
from tests.readers.generate_ome_zarr import bare, counted, write_image

SHAPE = (2, 3, 4, 200, 300)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, pixels(), ome=True, metadata={"axes": "TCZYX", "PhysicalSizeX": 0.5})
    return path


def pixels() -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).integers(0, 4000, SHAPE).astype(np.uint16)


@pytest.mark.usefixtures("no_open_handles")
@pytest.mark.parametrize(("version", "zarr_format"), [("0.5", 3), ("0.4", 2)])
def test_it_outlives_the_file_and_lets_go_of_it(path: Path, version: Literal["0.5", "0.4"], zarr_format: int) -> None:
    with open_image(path) as file:
        store = file.images[0].to_zarr_store(version)
    group = zarr.open_group(store, mode="r")
    assert group.metadata.zarr_format == zarr_format
    base = group["0"]
    assert isinstance(base, zarr.Array)
    assert np.array_equal(np.asarray(base[:]), pixels())
    lazy = dask.array.from_zarr(base)  # type: ignore[no-untyped-call]  # dask says no types
    assert np.array_equal(lazy[1, 2].max(axis=0).compute(scheduler="threads"), pixels()[1, 2].max(axis=0))
    del store, group, base, lazy
    gc.collect()


def test_it_is_a_valid_ome_zarr_with_the_metadata_of_the_image(path: Path) -> None:
    with open_image(path) as file:
        group = zarr.open_group(file.images[0].to_zarr_store(), mode="r")
    model = ome_zarr_models.v05.Image.from_zarr(group)
    assert [axis.name for axis in model.attributes.ome.multiscales[0].axes] == list("tczyx")


def test_what_cannot_be_read_is_an_error_and_no_zeros(path: Path) -> None:
    with open_image(path) as file:
        group = zarr.open_group(file.images[0].to_zarr_store(), mode="r")
    path.write_bytes(path.read_bytes()[:2000])
    base = group["0"]
    assert isinstance(base, zarr.Array)
    with pytest.raises(ReadError, match=r"a\.ome\.tif"):
        base[0, 0, 0]


def test_label_images_have_one_too(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.zarr", counted(16, 16), "yx")
    bare(path / "labels", {}, {"labels": ["cells"]})
    write_image(path / "labels" / "cells", counted(16, 16, dtype="u4") * 2, "yx")
    with open_image(path) as file:
        group = zarr.open_group(file.images[0].labels[0].to_zarr_store(), mode="r")
    base = group["0"]
    assert isinstance(base, zarr.Array)
    assert np.array_equal(np.asarray(base[0, 0, 0]), counted(16, 16, dtype="u4") * 2)
