"""Lazy arrays: the same pixels as a plain read, whoever computes them and whenever."""

import importlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dask
import numpy as np
import psutil
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coverslip import open_image
from coverslip.errors import MissingDependencyError, ReadError, RegionError
from coverslip.readers import lazy

SHAPE = (2, 3, 4, 20, 30)


def pixels() -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).integers(0, 4000, SHAPE).astype(np.uint16)


def computed(array: Any, **choices: Any) -> np.ndarray[Any, Any]:
    """Return what a dask array computes; dask does not state it."""
    found: np.ndarray[Any, Any] = array.compute(**choices)
    return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a.ome.tif"
    metadata = {
        "axes": "TCZYX",
        "PhysicalSizeX": 0.5,
        "PhysicalSizeZ": 2000.0,
        "PhysicalSizeZUnit": "nm",
        "TimeIncrement": 3.0,
        "Channel": {"Name": ["DAPI", "GFP", "GFP"]},
    }
    tifffile.imwrite(path, pixels(), ome=True, metadata=metadata)
    return path


@pytest.fixture
def pyramid(tmp_path: Path) -> Path:
    path = tmp_path / "p.tif"
    color = np.random.default_rng(1).integers(0, 255, (64, 96, 3)).astype(np.uint8)
    with tifffile.TiffWriter(path) as writer:
        writer.write(color, subifds=1, photometric="rgb", tile=(16, 16))
        writer.write(color[::2, ::2], subfiletype=1, photometric="rgb", tile=(16, 16))
    return path


@pytest.mark.usefixtures("no_open_handles")
def test_a_lazy_array_outlives_its_file_and_closes_it_in_the_end(path: Path) -> None:
    def handles() -> int:
        return sum(item.path == str(path) for item in psutil.Process().open_files())

    with open_image(path) as file:
        array = file.images[0].to_dask()
    assert handles() == 0
    assert array.shape == SHAPE
    assert array.dtype == np.uint16
    assert array.chunks == ((1, 1), (1, 1, 1), (1, 1, 1, 1), (20,), (30,))
    np.testing.assert_array_equal(computed(array), pixels())
    assert handles() == 1
    del array
    assert handles() == 0


@pytest.mark.parametrize("scheduler", ["sync", "threads", "processes"])
def test_any_scheduler(path: Path, scheduler: str) -> None:
    with open_image(path) as file, dask.config.set(scheduler=scheduler):
        array: Any = file.images[0].to_dask()
        found = computed(array.max(axis=2))
    np.testing.assert_array_equal(found, pixels().max(axis=2))


def test_eight_threads_on_one_array(path: Path) -> None:
    with open_image(path) as file:
        array = file.images[0].to_dask()
    places = [(t, c, z) for t in range(2) for c in range(3) for z in range(4)] * 5
    with ThreadPoolExecutor(8) as pool:
        planes = list(pool.map(lambda place: computed(array[place], scheduler="threads"), places))
    for place, plane in zip(places, planes, strict=True):
        np.testing.assert_array_equal(plane, pixels()[place])


def one_axis(length: int) -> st.SearchStrategy[int | slice]:
    return st.one_of(st.integers(-length, length - 1), st.slices(length))


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=st.tuples(*[one_axis(length) for length in SHAPE]), count=st.integers(0, 5))
def test_any_part_of_it(path: Path, key: tuple[Any, ...], count: int) -> None:
    with open_image(path) as file:
        array = file.images[0].to_dask()
        direct = lazy.LazyPixels(open_image, path, 0, 0, file.images[0].metadata)
    for part in (key[:count], (*key[:count], ...), (..., *key[count:])):
        np.testing.assert_array_equal(computed(array[part], scheduler="sync"), pixels()[part])
        np.testing.assert_array_equal(direct[part], pixels()[part])


def test_levels_and_colour(pyramid: Path) -> None:
    with open_image(pyramid) as file:
        image = file.images[0]
        for level in (0, 1):
            np.testing.assert_array_equal(computed(image.to_dask(level)), image.to_numpy(level))
            np.testing.assert_array_equal(
                image.to_dask(level)[0, 0, 0, 5, :, 1], image.to_numpy(level)[0, 0, 0, 5, :, 1]
            )
        labelled = image.to_xarray(1)
        assert labelled.dims == ("T", "C", "Z", "Y", "X", "S")
        assert labelled.S.values.tolist() == ["R", "G", "B"]
        with pytest.raises(RegionError, match="level 2 does not exist; there are 2"):
            image.to_dask(2)


def test_large_planes_are_cut_into_tiles(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lazy, "WHOLE_PLANE", 500)
    monkeypatch.setattr(lazy, "TILE", 16)
    with open_image(path) as file:
        array = file.images[0].to_dask()
    assert array.chunks[3:] == ((16, 4), (16, 14))
    np.testing.assert_array_equal(computed(array), pixels())


def test_axes_have_names_and_places(path: Path) -> None:
    with open_image(path) as file:
        labelled = file.images[0].to_xarray()
    assert labelled.dims == ("T", "C", "Z", "Y", "X")
    assert labelled.C.values.tolist() == ["DAPI", "GFP", "GFP"]
    np.testing.assert_allclose(labelled.Z, [0, 2, 4, 6])
    np.testing.assert_allclose(labelled.X, np.arange(30) * 0.5)
    np.testing.assert_allclose(labelled["T"], [0, 3])
    assert (labelled.Z.units, labelled["T"].units) == ("um", "s")
    assert "Y" not in labelled.coords
    np.testing.assert_array_equal(labelled.sel(X=2.0, Z=4, C="DAPI").values, pixels()[:, 0, 2, :, 4])


def test_pixels_of_a_coarse_level_lie_between_the_fine_ones(tmp_path: Path) -> None:
    path = tmp_path / "p.ome.tif"
    fine = np.zeros((8, 16), np.uint8)
    with tifffile.TiffWriter(path, ome=True) as writer:
        writer.write(fine, subifds=1, metadata={"axes": "YX", "PhysicalSizeX": 1.0, "PhysicalSizeY": 1.0})
        writer.write(fine[::2, ::2], subfiletype=1)
    with open_image(path) as file:
        np.testing.assert_allclose(file.images[0].to_xarray(1).Y, [0.5, 2.5, 4.5, 6.5])


def test_a_file_that_became_another_one(path: Path) -> None:
    with open_image(path) as file:
        array = file.images[0].to_dask()
    tifffile.imwrite(path, pixels()[..., :10])
    with pytest.raises(ReadError, match="has changed"):
        computed(array, scheduler="sync")  # threads may still be opening it when the first one gives up
    assert not [item for item in psutil.Process().open_files() if item.path == str(path)]
    path.unlink()
    with pytest.raises(ReadError, match="no such file"):
        computed(array)


@pytest.fixture(params=["dask", "xarray"])
def absent(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Take away one package, as if it had never been installed."""
    package: str = request.param
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [_Absent(package), *sys.meta_path])
    importlib.invalidate_caches()
    return package


class _Absent:
    def __init__(self, package: str) -> None:
        self._package = package

    def find_spec(self, name: str, *_: object) -> None:
        if name.split(".", maxsplit=1)[0] == self._package:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def test_a_missing_package_is_named_with_the_command(path: Path, absent: str) -> None:
    with open_image(path) as file, pytest.raises(MissingDependencyError) as caught:
        file.images[0].to_xarray()
    assert f"the package {absent!r}" in str(caught.value)
    assert 'pip install "coverslip[dask]"' in str(caught.value)
    assert caught.value.package == "coverslip[dask]"


def test_opening_a_file_imports_neither_dask_nor_xarray(path: Path) -> None:
    code = f"import sys, coverslip; coverslip.open_image({str(path)!r}).close(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"dask", "xarray", "cv2"}.isdisjoint(done.stdout.split())
