"""EER files put together by hand; the decoder is that of imagecodecs."""

import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile

from coverslip.errors import CoverslipError, ReadError
from coverslip.model import Region
from coverslip.readers import formats, open_image, recognise
from tests.readers.generate_eer import METADATA, make_eer, write

FRAMES = (np.random.default_rng(7).random((6, 40, 36)) < 0.05).astype("u1")


def test_frames_are_time_points_of_counted_electrons(tmp_path: Path) -> None:
    with open_image(write(tmp_path / "a.eer", FRAMES)) as file:
        image = file.images[0]
        assert file.reader == "eer"
        assert image.metadata.shape == (6, 1, 1, 40, 36)
        assert np.array_equal(image.to_numpy()[:, 0, 0], FRAMES)
        corner = image.read(0, Region(t=(2, 4), y=(3, 20), x=(5, 9)))
        assert np.array_equal(corner[:, 0, 0], FRAMES[2:4, 3:20, 5:9])


def test_tifffile_decodes_the_same(tmp_path: Path) -> None:
    for path, (array,) in make_eer(tmp_path).items():
        assert np.array_equal(tifffile.imread(path), array[:, 0, 0])


def test_what_the_camera_says(tmp_path: Path) -> None:
    with open_image(write(tmp_path / "a.eer", FRAMES)) as file:
        meta = file.images[0].metadata
    assert (meta.file_format, meta.format_variant, meta.source_axes) == ("TIFF", "EER", "IYX")
    assert meta.pixel_size_x is not None
    assert (round(meta.pixel_size_x.value, 9), meta.pixel_size_x.unit) == (1.5, "angstrom")
    assert meta.time_increment_s == 0.5
    assert meta.channels[0].exposure_time_s == 2.5
    assert meta.microscope is not None
    assert (meta.microscope.model, meta.microscope.serial_number) == ("Falcon 4i", "77")
    assert meta.acquired_at is not None
    assert meta.note is not None
    assert "without gain correction" in meta.note
    assert "40 e/pixel in all frames" in meta.note
    assert meta.vendor["EER"]["meanDoseRate"] == 16


def test_pages_that_state_no_bits(tmp_path: Path) -> None:
    with open_image(write(tmp_path / "a.eer", FRAMES, bits=None)) as file:
        assert file.images[0].metadata.dtype == "bool"
        assert np.array_equal(file.images[0].to_numpy()[:, 0, 0], FRAMES.astype(bool))


def test_content_decides_whatever_the_name(tmp_path: Path) -> None:
    path = write(tmp_path / "a.eer", FRAMES)
    found = recognise(shutil.copy(path, tmp_path / "a.dat"))
    assert found is not None
    assert found.name == "eer"
    with open_image(shutil.copy(path, tmp_path / "a.tif")) as file:  # read as what it is said to be
        assert np.array_equal(file.images[0].to_numpy()[:, 0, 0], FRAMES)
    tifffile.imwrite(tmp_path / "big.eer", FRAMES, bigtiff=True)
    with open_image(tmp_path / "big.eer") as file:
        assert file.reader == "tiff"
    assert [known.experimental for known in formats() if known.reader == "eer"] == [True]


def test_damage(tmp_path: Path) -> None:
    path = write(tmp_path / "a.eer", FRAMES)
    whole = path.read_bytes()
    start = whole.index(METADATA)
    path.write_bytes(whole[:16] + b"\xff\x7f" * ((start - 16) // 2) + whole[16 + (start - 16) // 2 * 2 :])
    with open_image(path) as file, pytest.raises(ReadError):
        file.images[0].plane()
    path.write_bytes(whole.replace(METADATA, b"<metadata><item " + bytes(len(METADATA) - 16)))
    with open_image(path) as file:
        assert np.array_equal(file.images[0].to_numpy().reshape(FRAMES.shape), FRAMES)
    for tag in (256, 257):
        wide = bytearray(whole)
        at = wide.index(struct.pack("<HHQ", tag, 4, 1)) + 12
        struct.pack_into("<Q", wide, at, 1 << 29)
        path.write_bytes(wide)
        with pytest.raises(ReadError, match="electron camera"):
            open_image(path)
    for cut in (20, 500, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(CoverslipError), open_image(path) as file:
            file.images[0].to_numpy()
