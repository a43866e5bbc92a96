from pathlib import Path

import h5py
import numpy as np
import pytest

from coverslip.errors import ReadError
from coverslip.model import ImageMetadata
from coverslip.readers import open_image, recognise
from tests.readers.generate_imaris import write

PIXELS = np.random.default_rng(1).integers(0, 4000, (2, 2, 5, 20, 22)).astype("u2")
FIRST = "DataSet/ResolutionLevel 0/TimePoint 0/Channel 0"


def metadata(path: Path) -> ImageMetadata:
    with open_image(path) as file:
        return file.images[0].metadata


def test_what_the_description_says(tmp_path: Path) -> None:
    meta = metadata(write(tmp_path / "a.ims", PIXELS))
    assert meta.get_voxel_size_micrometers() == (0.5, 0.5, 2.0)
    assert meta.time_increment_s == 2.0
    assert [channel.name for channel in meta.channels] == ["dye 0", "dye 1"]
    assert (meta.channels[0].color, meta.channels[1].excitation_wavelength_nm) == ("#00ff80", 489)
    assert [(level.size_z, level.size_y, level.size_x) for level in meta.levels] == [(5, 20, 22), (5, 10, 11)]
    assert meta.acquired_at is not None
    assert meta.acquired_at.isoformat() == "2022-05-06T07:08:09"
    assert (meta.name, meta.file_format) == ("made up", "Imaris")


def test_levels_are_those_of_the_file_without_their_borders(tmp_path: Path) -> None:
    with open_image(write(tmp_path / "a.ims", PIXELS)) as file:
        assert np.array_equal(file.images[0].to_numpy(1), PIXELS[..., ::2, ::2])
        assert 199 not in np.unique(file.images[0].to_numpy()) or 199 in PIXELS


@pytest.mark.parametrize("kind", ["external link", "soft link", "external data", "virtual data", "other type", "gap"])
def test_what_leads_elsewhere_or_makes_no_sense_is_refused(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path / "a.ims", PIXELS)
    secret = write(tmp_path / "secret.ims", PIXELS)
    with h5py.File(path, "r+") as file:
        group = file[FIRST]
        if kind == "gap":
            file["DataSet/ResolutionLevel 0"].move("TimePoint 0", "TimePoint 7")
        else:
            del group["Data"]
        if kind == "external link":
            group["Data"] = h5py.ExternalLink(str(secret), f"{FIRST}/Data")
        elif kind == "soft link":
            group["Data"] = h5py.SoftLink("/DataSet/ResolutionLevel 0/TimePoint 1/Channel 0/Data")
        elif kind == "external data":
            group.create_dataset("Data", (6, 32, 32), "u2", external=[(str(secret), 0, 6 * 32 * 32 * 2)])
        elif kind == "virtual data":
            layout = h5py.VirtualLayout((6, 32, 32), "u2")
            layout[:] = h5py.VirtualSource(str(secret), f"{FIRST}/Data", (6, 32, 32))
            group.create_virtual_dataset("Data", layout)
        elif kind == "other type":
            group.create_dataset("Data", data=np.zeros((6, 32, 32), "f8"))
    with pytest.raises(ReadError, match=r"link|none of Imaris|not 0, 1, 2"):
        open_image(path)


def test_a_size_larger_than_what_is_stored_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ims", PIXELS)
    with h5py.File(path, "r+") as file:
        file[FIRST].attrs["ImageSizeX"] = np.frombuffer(b"4000", "S1")
    with pytest.raises(ReadError, match="promises"):
        open_image(path)


def test_a_damaged_block_is_no_block(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ims", PIXELS)
    with h5py.File(path) as file:
        block = file[f"{FIRST}/Data"].id.get_chunk_info(0)
    content = bytearray(path.read_bytes())
    content[block.byte_offset + 40] ^= 0xFF
    path.write_bytes(content)
    with open_image(path) as file, pytest.raises(ReadError):
        file.images[0].plane()


def test_other_hdf5_is_left_alone(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.ims", "w") as file:
        file["numbers"] = np.arange(9)
    assert recognise(tmp_path / "a.ims") is None
