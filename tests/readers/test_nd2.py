"""The ND2 reader: loops, positions, colour, compression, old generations, metadata, damage."""

import struct
import zlib
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

import coverslip
from coverslip.errors import BudgetError, ReadError
from coverslip.model import Probe
from coverslip.readers import recognise
from coverslip.readers.nd2 import reader
from tests.readers import vendor_checks as checks
from tests.readers.generate_nd2 import make_nd2, time_loop, write, z_loop

no_leak = pytest.mark.usefixtures("no_open_handles")
"""Costs a fifth of a second, so only where handles could leak in a new way."""


@no_leak
def test_pixels(tmp_path: Path) -> None:
    checks.check_pixels(make_nd2(tmp_path))


def test_regions(tmp_path: Path) -> None:
    checks.check_regions(make_nd2(tmp_path))


@no_leak
def test_cut_off_files(tmp_path: Path) -> None:
    checks.check_truncation(make_nd2(tmp_path), tmp_path)


@pytest.mark.parametrize("name", ["stack.nd2", "positions.nd2", "packed.nd2", "legacy.nd2"])
def test_threads(name: str, tmp_path: Path) -> None:
    checks.check_threads(tmp_path / name, make_nd2(tmp_path)[tmp_path / name])


@pytest.mark.parametrize("name", ["stack.nd2", "old.nd2"])
def test_metadata(name: str, tmp_path: Path) -> None:
    make_nd2(tmp_path)
    with coverslip.open_image(tmp_path / name) as file:
        meta = file.images[0].metadata
    assert (meta.name, meta.file_format) == (name[:-4], "ND2")
    first, second = meta.channels
    assert (first.name, first.color, first.exposure_time_s, first.gain) == ("DAPI", "#0080ff", 0.1, 3)
    assert (second.excitation_wavelength_nm, second.emission_wavelength_nm, second.dye) == (489, 501, "Dye X")
    assert (first.contrast_method, second.index) == ("Widefield", 1)
    assert meta.objective is not None
    assert (meta.objective.name, meta.objective.magnification, meta.objective.immersion) == ("Plan Apo 20x", 20, "Oil")
    assert meta.objective.numerical_aperture == 0.75
    assert meta.microscope is not None
    assert (meta.microscope.manufacturer, meta.microscope.model) == ("Nikon", "Nikon Ti2")
    assert meta.acquired_at == datetime(2025, 3, 26, 18, tzinfo=UTC)
    assert "Modality: Widefield" in meta.vendor["text"]["description"]


def test_sizes_and_steps(tmp_path: Path) -> None:
    make_nd2(tmp_path)
    with coverslip.open_image(tmp_path / "stack.nd2") as file:
        meta = file.images[0].metadata
    assert meta.get_voxel_size_micrometers() == (0.325, 0.325, 0.6)
    assert meta.time_increment_s == 1.25  # as measured, not the planned 1.0
    assert meta.source_axes == "TZCYX"
    with coverslip.open_image(tmp_path / "plain.nd2") as file:
        assert file.images[0].metadata.get_voxel_size_micrometers() == (None, None, None)


def test_positions_are_images(tmp_path: Path) -> None:
    make_nd2(tmp_path)
    with coverslip.open_image(tmp_path / "positions.nd2") as file:
        assert [image.metadata.name for image in file.images] == ["A1", "Position 1", "B2"]
        assert [image.metadata.stage_position_um for image in file.images] == [(0, 5), (10, 5), (20, 5)]
        assert {image.metadata.time_increment_s for image in file.images} == {0.5}


def test_what_was_not_recorded_is_said(tmp_path: Path) -> None:
    make_nd2(tmp_path)
    with coverslip.open_image(tmp_path / "sparse.nd2") as file:
        assert file.images[0].metadata.note == "1 of 3 frames were not recorded; their pixels are 0."


@no_leak
def test_a_file_without_frames_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.nd2", [np.zeros((3, 4, 1), "u1")], [], names=("GFP",))
    path.write_bytes(path.read_bytes().replace(b"ImageDataSeq|0!", b"ImageDataSex|0!"))
    with pytest.raises(ReadError, match="holds no frame"):
        coverslip.open_image(path)


def test_legacy_metadata(tmp_path: Path) -> None:
    make_nd2(tmp_path)
    with coverslip.open_image(tmp_path / "legacy.nd2") as file:
        meta = file.images[0].metadata
    assert (meta.channels[0].name, meta.channels[0].color) == ("GFP", "#00ff00")
    assert (meta.get_voxel_size_micrometers()[0], meta.time_increment_s) == (0.5, 0.25)
    assert meta.objective is not None
    assert (meta.objective.magnification, meta.objective.immersion) == (10, "Air")


def test_loops_that_are_not_understood_become_an_axis(tmp_path: Path) -> None:
    frames = [np.full((3, 4, 1), i, "u1") for i in range(5)]
    path = write(tmp_path / "new.nd2", frames, [{"eType": 5, "uLoopPars": {"uiCount": 5}}], names=("GFP",))
    with coverslip.open_image(path) as file:
        image = file.images[0]
        assert (image.metadata.size_z, image.metadata.note) == (5, "A loop of unknown meaning is shown as z.")
        assert image.to_numpy()[0, 0, :, 0, 0].tolist() == [0, 1, 2, 3, 4]


def test_metadata_that_makes_no_sense_fails_nothing(tmp_path: Path) -> None:
    frame = np.arange(12, dtype="u1").reshape(3, 4, 1)
    path = write(tmp_path / "odd.nd2", [frame], [], names=("GFP",))
    for old, new in (
        (b"d\0C\0a\0l\0i\0b\0", b"d\0X\0X\0X\0X\0X\0"),
        (b"T\0e\0x\0t\0I\0n\0", b"\xff\xdfe\0x\0t\0I\0n\0"),
    ):
        (tmp_path / "changed.nd2").write_bytes(path.read_bytes().replace(old, new))
        with coverslip.open_image(tmp_path / "changed.nd2") as file:
            assert (file.images[0].plane() == frame[..., 0]).all()


@pytest.mark.parametrize("is_packed", [True, False])
def test_a_damaged_frame_is_an_error_and_the_others_are_not(is_packed: bool, tmp_path: Path) -> None:
    frames = [np.random.default_rng(i).integers(0, 9, (30, 40, 1)).astype("u2") for i in range(3)]
    path = write(tmp_path / "a.nd2", frames, [time_loop(3, 1.0, 0.0)], names=("GFP",), is_packed=is_packed)
    content = path.read_bytes()
    place = content.index(b"ImageDataSeq|1!".ljust(4072, b"\0"))
    broken = {
        "length": content[: place - 8] + struct.pack("<Q", 100) + content[place:],
        "name": content[:place] + b"ImageDataSeq|7!" + content[place + 15 :],
        "beyond": content[: place - 8] + struct.pack("<Q", 1 << 60) + content[place:],
    }
    for what, changed in broken.items():
        if what == "beyond" and not is_packed:
            continue  # an uncompressed frame may be followed by anything
        path.write_bytes(changed)
        with coverslip.open_image(path) as file:
            image = file.images[0]
            assert (image.plane(t=0) == frames[0][..., 0]).all()
            assert (image.plane(t=2) == frames[2][..., 0]).all()
            with pytest.raises(ReadError, match="frame 1 cannot be read"):
                image.plane(t=1)


def test_garbage_in_a_compressed_frame_is_an_error(tmp_path: Path) -> None:
    frame = np.random.default_rng(1).integers(0, 9, (30, 40, 1)).astype("u2")
    path = write(tmp_path / "a.nd2", [frame], [], names=("GFP",), is_packed=True)
    packed = zlib.compress(frame.tobytes())
    path.write_bytes(path.read_bytes().replace(packed, bytes(len(packed))))
    with coverslip.open_image(path) as file, pytest.raises(ReadError, match="frame 0 cannot be read"):
        file.images[0].to_numpy()


@no_leak
def test_a_map_that_lies_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.nd2", [np.zeros((3, 4, 1), "u1")], [], names=("GFP",))
    content = path.read_bytes()
    entry = content.rindex(b"ImageDataSeq|0!") + 15
    path.write_bytes(content[:entry] + struct.pack("<Q", 1 << 50) + content[entry + 8 :])
    with pytest.raises(ReadError, match="lies beyond"):
        coverslip.open_image(path)
    path.write_bytes(content[:-8] + struct.pack("<Q", 5))
    with pytest.raises(ReadError, match="map of the file's contents is damaged"):
        coverslip.open_image(path)


@no_leak
def test_absurd_loops_are_refused(tmp_path: Path) -> None:
    loops = [time_loop(2_000_000_000, 1.0, 0.0), z_loop(2_000_000_000, 1.0)]
    path = write(tmp_path / "a.nd2", [np.zeros((3, 4, 1), "u1")], loops, names=("GFP",))
    with pytest.raises(BudgetError, match=r"lists 4,000,000,000,000,000,000 frames; 10,000,000 may be"):
        coverslip.open_image(path)


def test_it_is_recognised_by_its_content(tmp_path: Path) -> None:
    made = make_nd2(tmp_path)
    for path in made:
        found = recognise(path.rename(path.with_suffix(".tif")))
        assert found is not None
        assert found.name == "nd2", path


def test_a_jpeg_2000_is_no_nd2(tmp_path: Path) -> None:
    path = tmp_path / "photo.jp2"
    path.write_bytes(b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(200))
    assert not reader.recognises(Probe(path, 212, path.read_bytes(), is_folder=False))


@pytest.mark.samples
def test_real_files(samples: Path) -> None:
    files = checks.expected_files(samples, "nd2f")
    assert files
    for path, images in files.items():
        checks.check_expected(samples / path, images)


@pytest.mark.samples
def test_threads_on_a_real_file(samples: Path) -> None:
    checks.check_threads_by_digest(samples / "nd2" / "example-timelapse.nd2")


@pytest.mark.samples
def test_metadata_as_the_vendor_shows_it(samples: Path) -> None:
    """Values that NIS-Elements itself shows for this file."""
    with coverslip.open_image(samples / "nd2" / "example-timelapse.nd2") as file:
        meta = file.images[0].metadata
    assert meta.objective is not None
    assert (meta.objective.magnification, meta.objective.numerical_aperture) == (40, 0.95)
    assert meta.channels[0].exposure_time_s == 0.5
    assert (meta.pixel_size_x, meta.pixel_size_z) == (coverslip.model.PhysicalSize(value=0.325), None)
    assert meta.time_increment_s == pytest.approx(0.50016, abs=1e-5)
    assert meta.channels[0].excitation_wavelength_nm == 488
