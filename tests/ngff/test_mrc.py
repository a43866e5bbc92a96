"""MRC as we write it, read by mrcfile."""

import io
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest

from coverslip.errors import InvalidRequestError
from coverslip.ngff import MrcWriter, write_mrc, write_volume
from coverslip.ngff import mrc as module
from tests.ngff.images import Array, ArrayImage, some

pytestmark = pytest.mark.filterwarnings("ignore:Setting the (dtype|shape) on a NumPy array:DeprecationWarning")
"""mrcfile does."""


def check(path: Path, voxels: Array) -> None:
    """Fail unless mrcfile finds the file faultless, its statistics included, and gives the voxels back."""
    report = io.StringIO()
    assert mrcfile.validate(path, print_file=report), report.getvalue()
    with mrcfile.open(path) as file:
        assert file.data.dtype == voxels.dtype
        np.testing.assert_array_equal(file.data, voxels)


@pytest.mark.parametrize(("dtype", "mode"), [("int8", 0), ("int16", 1), ("float32", 2), ("uint16", 6)])
def test_volumes_of_every_type(tmp_path: Path, dtype: str, mode: int) -> None:
    voxels = some((5, 7, 3), dtype)
    if dtype == "float32":
        voxels = np.nan_to_num(voxels, posinf=7)
    path = tmp_path / "a.mrc"
    with path.open("wb") as out:
        found = write_mrc(
            ArrayImage(voxels[None, None]), out, voxel_size=(13.48, 13.48, 10.0), dtype=dtype, label="Made by a test"
        )
    check(path, voxels)
    with mrcfile.open(path) as file:
        assert file.is_volume()
        header = file.header
        assert (header.mode, header.ispg, header.mz, header.nversion, header.nsymbt) == (mode, 1, 5, 20141, 0)
        assert header.machst.tobytes() == b"DD\0\0"
        assert header.exttyp.tobytes() == bytes(4)
        assert [float(file.voxel_size[axis]) for axis in "zyx"] == pytest.approx([13.48, 13.48, 10.0])
        assert float(header.cella.z) == pytest.approx(5 * 13.48)
        assert header.dmin == np.float32(voxels.min())
        assert header.dmax == np.float32(voxels.max())
        assert header.dmean == pytest.approx(voxels.mean(dtype=np.float64), rel=1e-5)
        assert header.rms == pytest.approx(voxels.std(dtype=np.float64), rel=1e-6)
        assert [label.rstrip() for label in file.get_labels()] == ["Made by a test"]
        assert [float(header.origin[axis]) for axis in "xyz"] == [0, 0, 0]
    assert found.rms == pytest.approx(voxels.std(dtype=np.float64), rel=1e-9)


def test_tilt_series_are_stacks_of_images(tmp_path: Path) -> None:
    sections = np.nan_to_num(some((3, 6, 5), "float32"), posinf=1)
    path = tmp_path / "ts.mrc"
    with path.open("wb") as out:
        write_mrc(ArrayImage(sections[:, None, None]), out, voxel_size=(2, 2, 2), dtype="float32", is_stack=True)
    check(path, sections)
    with mrcfile.open(path) as file:
        assert file.is_image_stack()
        assert (file.header.ispg, file.header.mz) == (0, 1)
        assert [float(file.voxel_size[axis]) for axis in "xyz"] == [2, 2, 2]
        assert file.get_labels() == []


@pytest.mark.parametrize("step", [1, 40, 1 << 20])
def test_however_few_rows_are_read_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    monkeypatch.setattr(module, "STEP_BYTES", step)
    voxels = some((4, 5, 6), "int16")
    path = tmp_path / "a.mrc"
    with path.open("wb") as out:
        write_mrc(ArrayImage(voxels[None, None]), out, voxel_size=(1, 1, 1), dtype="int16")
    check(path, voxels)


@pytest.mark.parametrize("chunk", [(8, 8, 8), (64, 64, 64)])
def test_one_reading_feeds_both_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: Any) -> None:
    monkeypatch.setattr("coverslip.ngff.volume_levels.UNIT_BYTES", 4096)  # boxes that are parts of lines
    voxels = some((21, 18, 25), "uint16")
    path = tmp_path / "a.mrc"
    with path.open("wb") as out:
        writer = MrcWriter(out, (21, 18, 25), voxel_size=(1, 1, 1), dtype="uint16")
        facts = write_volume(
            ArrayImage(voxels[None, None]),
            lambda key, data: None,
            voxel_size=(1, 1, 1),
            dtype="uint16",
            chunk=chunk,
            also=writer.put,
        )
        assert facts is not None
        writer.finish(facts.statistics)
    check(path, voxels)


def test_nothing_but_gaps_is_marked_as_not_determined() -> None:
    out = io.BytesIO()
    write_mrc(ArrayImage(np.full((1, 1, 2, 2, 2), np.nan, np.float32)), out, voxel_size=(1, 1, 1), dtype="float32")
    header = np.frombuffer(out.getvalue()[:1024], mrcfile.dtypes.HEADER_DTYPE)[0]
    assert [float(header[key]) for key in ("dmin", "dmax", "dmean", "rms")] == [0, -1, -2, -1]


def test_labels_are_one_line_of_ascii(tmp_path: Path) -> None:
    path = tmp_path / "a.mrc"
    with path.open("wb") as out:
        write_mrc(
            ArrayImage(np.zeros((1, 1, 2, 2, 2), np.int8)), out, voxel_size=(1,) * 3, dtype="int8", label="µ" * 90
        )
    with mrcfile.open(path) as file:
        assert file.get_labels() == ["?" * 80]


def test_types_that_mrc_has_not() -> None:
    with pytest.raises(InvalidRequestError, match="not uint8"):
        write_mrc(ArrayImage(np.zeros((1, 1, 2, 2, 2), np.uint8)), io.BytesIO(), voxel_size=(1,) * 3, dtype="uint8")
