import random
import struct
from pathlib import Path
from typing import Any

import mrc
import numpy as np
import pytest

from coverslip.errors import ReadError
from coverslip.model import ImageMetadata, Region
from coverslip.readers import open_image, recognise
from tests.readers.generate_deltavision import content, make_deltavision, write

PIXELS = np.random.default_rng(1).integers(0, 4000, (3, 2, 4, 8, 9)).astype("u2")


def metadata(path: Path) -> ImageMetadata:
    with open_image(path) as file:
        return file.images[0].metadata


def changed(place: int, kind: str, *values: int) -> bytes:
    raw = bytearray(content(PIXELS))
    struct.pack_into(f"<{kind}", raw, place, *values)
    return bytes(raw)


@pytest.mark.parametrize("sequence", ["ZTW", "WZT", "ZWT"])
def test_what_the_header_says(tmp_path: Path, sequence: str) -> None:
    meta = metadata(write(tmp_path / "a.dv", PIXELS, sequence=sequence, order=">"))
    assert meta.get_voxel_size_micrometers() == pytest.approx((0.1, 0.1, 0.25))
    assert meta.time_increment_s == 2.5
    assert [channel.name for channel in meta.channels] == ["525 nm", "605 nm"]
    second = meta.channels[1]
    assert (second.excitation_wavelength_nm, second.emission_wavelength_nm) == (555, 605)
    assert second.exposure_time_s == pytest.approx(0.04)
    assert meta.source_axes == sequence[::-1].replace("W", "C") + "YX"
    assert meta.vendor["header"]["titles"] == ["two words"]


def test_without_an_extended_header(tmp_path: Path) -> None:
    meta = metadata(write(tmp_path / "a.dv", PIXELS, extended=False))
    assert meta.time_increment_s is None
    assert meta.channels[0].exposure_time_s is None
    assert meta.channels[0].emission_wavelength_nm == 525


def test_only_the_rows_asked_for_are_read(tmp_path: Path) -> None:
    pixels = np.arange(4 * 200 * 90, dtype="u2").reshape(1, 1, 4, 200, 90)
    path = write(tmp_path / "a.dv", pixels, extended=False)
    with open_image(path) as file:
        with path.open("r+b") as stream:
            stream.truncate(1024 + 2 * (2 * 200 + 50) * 90)  # up to row 50 of the third section
        region = Region(z=(2, 3), y=(20, 50), x=(1, 80))
        assert np.array_equal(file.images[0].read(0, region)[0, 0, 0], pixels[0, 0, 2, 20:50, 1:80])
        with pytest.raises(ReadError, match="in the middle of its pixels"):
            file.images[0].plane(z=2)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (content(PIXELS)[:-1], "cannot hold"),
        (content(PIXELS)[:600], "within its header"),
        (changed(0, "i", 1_000_000), "cannot hold"),
        (changed(8, "i", 2_000_000_000), "contradicts|cannot hold"),
        (changed(8, "i", 23), "contradicts"),
        (changed(12, "i", 3), "mode 3"),
        (changed(92, "i", -4), "contradicts"),
        (changed(182, "h", 3), "contradicts"),
        (changed(196, "h", 6), "contradicts"),
    ],
)
def test_headers_that_make_no_sense(tmp_path: Path, raw: bytes, reason: str) -> None:
    (tmp_path / "bad.dv").write_bytes(raw)
    with pytest.raises(ReadError, match=reason) as caught:
        open_image(tmp_path / "bad.dv")
    assert "bad.dv" in str(caught.value)


def test_numbers_that_are_none(tmp_path: Path) -> None:
    raw = bytearray(content(PIXELS))
    struct.pack_into("<3f", raw, 40, float("nan"), 0.0, -1.0)
    struct.pack_into("<2h", raw, 128, -3, -9)
    (tmp_path / "a.dv").write_bytes(raw + b"more")
    meta = metadata(tmp_path / "a.dv")
    assert meta.get_voxel_size_micrometers() == (None, None, None)
    assert meta.time_increment_s is None
    assert "4 bytes behind the pixels" in (meta.note or "")
    assert meta.vendor["header"]["pixel_spacing_um"][0] is None


def test_two_bytes_alone_make_no_deltavision(tmp_path: Path) -> None:
    text = bytearray(b"a plain text, " * 99)
    struct.pack_into("<h", text, 96, -16224)
    (tmp_path / "a.dv").write_bytes(text)
    assert recognise(tmp_path / "a.dv") is None


@pytest.mark.samples
def test_the_real_file_is_as_its_own_header_says(samples: Path) -> None:
    path = samples / "dv" / "tinyTest.d3d.dv"
    raw = path.read_bytes()
    minimum, maximum, mean = struct.unpack_from("<3f", raw, 76)
    with open_image(path) as file:
        assert file.reader == "deltavision"
        meta, pixels = file.images[0].metadata, file.images[0].to_numpy()
    assert (meta.shape, meta.dtype) == ((6, 1, 5, 20, 20), "int16")
    assert (pixels.min(), pixels.max()) == (minimum, maximum)
    assert pixels.mean() == pytest.approx(mean)
    assert np.array_equal(pixels.ravel(), np.frombuffer(raw, "<i2", offset=1024 + 5120))  # z fastest, then t
    assert meta.get_voxel_size_micrometers() == pytest.approx((0.10011, 0.10011, 0.5), rel=1e-4)
    assert meta.channels[0].exposure_time_s == pytest.approx(0.1)


def test_regions_are_as_another_reader_sees_them(tmp_path: Path) -> None:
    """Big-endian ones too; that reader knows no complex pixels, and of the order W, Z, T only the little-endian one."""
    dice, compared = random.Random(3), 0
    for path, (array,) in make_deltavision(tmp_path).items():
        if path.name == "complex.dv":
            continue
        with mrc.DVFile(path) as theirs, open_image(path) as ours:
            axes = list(theirs.sizes)
            whole = theirs.asarray(squeeze=False).transpose(*(axes.index(axis) for axis in "TCZYX"))
            assert ours.images[0].metadata.shape == whole.shape == array.shape
            for _ in range(10):
                spans = {}
                for axis, length in zip("tczyx", whole.shape, strict=True):
                    start = dice.randrange(length)
                    spans[axis] = (start, dice.randint(start + 1, length))
                box = Region(**spans)
                assert np.array_equal(ours.images[0].read(0, box), whole[box.slices]), path
                compared += 1
    assert compared >= 50


@pytest.mark.parametrize(("order", "shape"), [("tz", (3, 1, 4)), ("wz", (1, 2, 4)), ("zw", (1, 2, 4))])
def test_files_of_another_writer(tmp_path: Path, order: str, shape: tuple[int, int, int]) -> None:
    canonical = np.random.default_rng(6).integers(0, 4000, (*shape, 9, 11)).astype("u2")
    stored = canonical[:, 0] if order == "tz" else canonical[0]
    save: Any = mrc.imsave
    path = tmp_path / "a.dv"
    save(
        path,
        stored.swapaxes(0, 1) if order == "zw" else stored,
        resolution=(0.1, 0.2, 0.3),
        metadata={"wave0": 525},
        zAxisOrder=order,
    )
    with open_image(path) as file:
        assert np.array_equal(file.images[0].to_numpy(), canonical)
        meta = file.images[0].metadata
    assert meta.get_voxel_size_micrometers() == pytest.approx((0.1, 0.2, 0.3))
    assert meta.channels[0].emission_wavelength_nm == 525
