"""A tomogram goes into a storage as OME-Zarr and as MRC, of one reading."""

import io
from typing import Any

import mrcfile
import numpy as np
import pytest
import zarr
from zarr.core.buffer import default_buffer_prototype
from zarr.storage import MemoryStore

from coverslip.ngff import MrcWriter, write_volume
from coverslip.storage import Storage
from tests.ngff.images import Array, ArrayImage, array_of, some


def read_mrc(data: bytes) -> Array:
    file: Any = mrcfile.mrcinterpreter.MrcInterpreter(io.BytesIO(data))
    with file:
        return np.array(file.data)


def group_of(storage: Storage, prefix: str) -> zarr.Group:
    """Return what zarr makes of the objects below a prefix."""
    prototype = default_buffer_prototype()
    found = {
        item.key.removeprefix(prefix): prototype.buffer.from_bytes(storage.read(item.key))
        for item in storage.list(prefix)
    }
    return zarr.open_group(MemoryStore(found), mode="r")


@pytest.mark.filterwarnings("ignore:Setting the (dtype|shape) on a NumPy array:DeprecationWarning")
def test_both_files_are_there_when_all_is_done(storage: Storage) -> None:
    voxels = np.nan_to_num(some((40, 37, 50), "float32"), posinf=3)
    source = ArrayImage(voxels[None, None])
    with storage.create("run/TS_1.mrc") as out:
        writer = MrcWriter(out, (40, 37, 50), voxel_size=(10, 10, 10), dtype="float32")
        facts = write_volume(
            source,
            lambda key, data: storage.put(f"run/TS_1.zarr/{key}", data),
            voxel_size=(10, 10, 10),
            dtype="float32",
            chunk=(32, 32, 32),
            also=writer.put,
        )
        assert facts is not None
        writer.finish(facts.statistics)
        assert not storage.exists("run/TS_1.mrc")
    np.testing.assert_array_equal(read_mrc(storage.read("run/TS_1.mrc")), voxels)
    group = group_of(storage, "run/TS_1.zarr/")
    np.testing.assert_array_equal(np.asarray(array_of(group, "0")[...]), voxels)
    assert array_of(group, "2").shape == (10, 10, 13)
