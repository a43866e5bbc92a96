"""Series of one file per slice, written by pydicom in orders that names and numbers do not tell."""

import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pydicom
import pytest

from coverslip.errors import ReadError, UnsupportedFormatError
from coverslip.model import ImageMetadata, Region
from coverslip.readers import open_image, recognise
from coverslip.readers.bounded import BoundedFile
from coverslip.readers.dicom import folder as listing
from tests.readers.generate_dicom import Array, write
from tests.readers.generate_series import write_enhanced, write_series

VOLUME = np.random.default_rng(2).integers(-1000, 3000, (6, 12, 10)).astype("i2")
EVEN = [0.0, 2.5, 5.0, 7.5, 10.0, 12.5]


def metadata(path: Path) -> ImageMetadata:
    with open_image(path) as file:
        return file.images[0].metadata


def pixels(path: Path) -> Array:
    with open_image(path) as file:
        return file.images[0].to_numpy()


@pytest.mark.parametrize("orientation", [(1, 0, 0, 0, 1, 0), (0, 1, 0, 0, 0, -1), (0.8, 0.6, 0, -0.6, 0.8, 0)])
def test_slices_are_in_the_order_of_their_places(tmp_path: Path, orientation: tuple[float, ...]) -> None:
    files = write_series(tmp_path, VOLUME, EVEN, orientation=orientation, RescaleSlope=2, RescaleIntercept=-1024)
    for path in files:  # whichever is opened
        with open_image(path) as file:
            assert list(file.files) == sorted(files)
            (image,) = file.images
            assert np.array_equal(image.to_numpy()[0, 0], VOLUME)
            assert np.array_equal(image.read(0, Region(z=(2, 5), x=(3, 7)))[0, 0], VOLUME[2:5, :, 3:7])
    meta = metadata(files[0])
    assert meta.name == "Series 1"
    assert meta.get_voxel_size_micrometers() == pytest.approx((250, 500, 2500))
    assert meta.note == (
        "stored values; real ones are 2 x value + -1024; 6 files of one series, in the order of their places"
    )
    slices = meta.vendor["slices"]
    assert [item["file"] for item in slices] == [path.name for path in files]
    assert slices[0]["RescaleIntercept"] == -1024


def test_several_series_and_other_files_in_a_folder(tmp_path: Path) -> None:
    one = write_series(tmp_path, VOLUME, EVEN)
    two = write_series(tmp_path, VOLUME[:3, :5], EVEN[:3], series="2")
    (tmp_path / "notes.txt").write_text("nothing")
    (tmp_path / "broken.dcm").write_bytes(bytes(128) + b"DICM" + b"\xff" * 300)
    alone = write(tmp_path / "alone.dcm", VOLUME[:1])
    scout = write_series(tmp_path, VOLUME[:1], [40.0], ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"], shuffle=False)
    scout[0].rename(tmp_path / "scout.dcm")
    one = write_series(tmp_path, VOLUME, EVEN)  # the scout had the name of one of these
    assert np.array_equal(pixels(one[3])[0, 0], VOLUME)
    assert np.array_equal(pixels(two[0])[0, 0], VOLUME[:3, :5])
    assert pixels(alone).shape == pixels(tmp_path / "scout.dcm").shape == (1, 1, 1, 12, 10)


def test_missing_and_uneven_slices_are_said(tmp_path: Path) -> None:
    gap = write_series(tmp_path / "gap", VOLUME, [0, 2, 4, 6, 10, 12])
    assert metadata(gap[0]).pixel_size_z is None
    assert "1 slices are missing: slices are 2 mm apart, in places up to 4 mm" in (metadata(gap[0]).note or "")
    uneven = write_series(tmp_path / "uneven", VOLUME, [0, 2, 4, 6, 9, 10.5])
    assert metadata(uneven[0]).pixel_size_z is None
    assert "not evenly spaced: 1.5 to 3 mm apart" in (metadata(uneven[0]).note or "")
    rounded = write_series(tmp_path / "rounded", VOLUME, [0, 2.004, 3.999, 6.001, 8, 10.003])
    size = metadata(rounded[0]).pixel_size_z
    assert size is not None
    assert size.value == pytest.approx(2.0006)


def test_a_tilted_gantry_is_said(tmp_path: Path) -> None:
    write_series(tmp_path, VOLUME, EVEN, shuffle=False, ImagePositionPatient=lambda n: [0, 0.5 * n, 2.5 * n])
    assert "tilted gantry" in (metadata(tmp_path / "1_0000.dcm").note or "")


def test_slopes_that_differ_are_in_the_vendor_document(tmp_path: Path) -> None:
    files = write_series(tmp_path, VOLUME, EVEN, RescaleSlope=lambda n: 1.5 + n)
    meta = metadata(files[0])
    assert "slope and intercept differ from slice to slice" in (meta.note or "")
    assert sorted(item["RescaleSlope"] for item in meta.vendor["slices"]) == [1.5, 2.5, 3.5, 4.5, 5.5, 6.5]


def test_places_taken_several_times(tmp_path: Path) -> None:
    twice = [0, 0, 2, 2, 4, 4]
    ordered = VOLUME.reshape(3, 2, 12, 10).swapaxes(0, 1)
    files = write_series(tmp_path / "t", VOLUME, twice, shuffle=False, TemporalPositionIdentifier=lambda n: n % 2 + 1)
    meta = metadata(files[0])
    assert meta.shape == (2, 1, 3, 12, 10)
    assert "each place was taken 2 times, which are the time points" in (meta.note or "")
    assert np.array_equal(pixels(files[0])[:, 0], ordered)
    files = write_series(tmp_path / "e", VOLUME, twice, shuffle=False, EchoTime=lambda n: (9.5, 4.5)[n % 2])
    meta = metadata(files[0])
    assert meta.shape == (1, 2, 3, 12, 10)
    assert [channel.name for channel in meta.channels] == ["echo at 4.5 ms", "echo at 9.5 ms"]
    assert np.array_equal(pixels(files[0])[0], ordered[::-1])
    files = write_series(tmp_path / "u", VOLUME, [0, 0, 2, 2, 4, 6])  # nothing says what belongs to what
    with open_image(files[0]) as file:
        assert list(file.files) == [files[0]]


def test_a_series_of_two_directions_is_two_images(tmp_path: Path) -> None:
    files = write_series(tmp_path, VOLUME[:4], EVEN[:4], shuffle=False)
    for path in files:
        path.rename(tmp_path / f"a{path.name}")
    write_series(tmp_path, VOLUME[:3], EVEN[:3], orientation=(0, 1, 0, 0, 0, -1))
    with open_image(tmp_path / "a1_0000.dcm") as file:
        assert [image.metadata.size_z for image in file.images] == [3, 4]
        assert len(file.files) == 7
        assert np.array_equal(file.images[1].to_numpy()[0, 0], VOLUME[:4])


def test_a_damaged_slice_is_named(tmp_path: Path) -> None:
    files = write_series(tmp_path, VOLUME, EVEN)
    files[5].write_bytes(files[5].read_bytes()[:-50])
    with pytest.raises(ReadError, match="truncated"):
        open_image(files[5])
    meta = metadata(files[0])
    assert meta.size_z == 5
    assert f"left out, because damaged: {files[5].name}" in (meta.note or "")


def test_frames_of_an_enhanced_image_are_in_the_order_of_their_places(tmp_path: Path) -> None:
    path = write_enhanced(tmp_path / "a.dcm", VOLUME.astype("u2"), [4, 2, 0, 4, 2, 0], [1, 1, 1, 2, 2, 2])
    meta = metadata(path)
    assert meta.shape == (2, 1, 3, 12, 10)
    assert meta.get_voxel_size_micrometers() == (250, 500, 2000)
    assert np.array_equal(pixels(path)[0, 0], VOLUME[2::-1].astype("u2"))
    assert np.array_equal(pixels(path)[1, 0], VOLUME[:2:-1].astype("u2"))


def test_each_header_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening every file of a folder of n reads n headers, not n times n."""
    files = [*write_series(tmp_path, VOLUME, EVEN)]
    for number in range(20):
        files += write_series(tmp_path, VOLUME[:1], [0], series=f"lonely {number}")
    old = time.time() - 60
    os.utime(tmp_path, (old, old))
    read: list[Path] = []
    parse = listing._parse
    listed: list[str] = []
    look = listing._list

    def count_parse(path: Path, stream: BoundedFile) -> listing.Member:
        read.append(path)
        return parse(path, stream)

    def count_list(folder: str) -> Mapping[str, tuple[str, ...]]:
        listed.append(folder)
        return look(folder)

    monkeypatch.setattr(listing, "_parse", count_parse)
    monkeypatch.setattr(listing, "_list", count_list)
    for path in files:
        open_image(path).close()
    assert sorted(read) == sorted(files)
    assert listed == [str(tmp_path)]


def test_a_file_that_came_later_is_seen(tmp_path: Path) -> None:
    files = write_series(tmp_path, VOLUME, EVEN, shuffle=False)
    spare = files[5].rename(tmp_path / "spare.bin")
    spare.rename(tmp_path.parent / "spare.bin")
    assert metadata(files[0]).size_z == 5
    (tmp_path.parent / "spare.bin").rename(files[5])
    assert metadata(files[0]).size_z == 6


def test_links_are_not_followed(tmp_path: Path) -> None:
    files = write_series(tmp_path / "a", VOLUME, EVEN)
    elsewhere = tmp_path / "elsewhere.dcm"
    files[2].rename(elsewhere)
    files[2].symlink_to(elsewhere)
    with open_image(files[0]) as file:
        assert files[2] not in file.files
        assert "1 slices are missing" in (file.images[0].metadata.note or "")


@pytest.mark.parametrize("syntax", [pydicom.uid.ExplicitVRLittleEndian, pydicom.uid.ImplicitVRLittleEndian])
def test_files_without_preamble_and_meta_information(tmp_path: Path, syntax: str) -> None:
    whole = write(tmp_path / "whole.dcm", VOLUME, syntax)
    data = pydicom.dcmread(whole)
    bare = tmp_path / "bare.dcm"
    pydicom.dcmwrite(
        bare,
        pydicom.dataset.Dataset(data),
        implicit_vr=syntax == pydicom.uid.ImplicitVRLittleEndian,
        little_endian=True,
        enforce_file_format=False,
    )
    assert bare.read_bytes()[:2] == b"\x08\x00"
    found = recognise(shutil.copy(bare, tmp_path / "content.dat"))
    assert found is not None
    assert found.name == "dicom"
    assert np.array_equal(pixels(bare)[0, 0], VOLUME)
    assert metadata(bare).vendor["transfer_syntax"] == syntax
    no_preamble = tmp_path / "meta.dcm"
    no_preamble.write_bytes(whole.read_bytes()[132:])
    assert np.array_equal(pixels(no_preamble)[0, 0], VOLUME)


def test_other_content_is_not_taken_for_bare_dicom(tmp_path: Path) -> None:
    for name, content in {
        "zeros": bytes(4096),
        "text": b"\x08\x00 is how this text begins, and goes on " * 20,
        "counted": np.arange(8, 2000, dtype="<u2").tobytes(),
        "short": b"\x08\x00\x05\x00CS",
        "one": b"\x08\x00\x05\x00CS\x04\x00ISO ",
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UnsupportedFormatError):
            open_image(tmp_path / name)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_floats(tmp_path: Path, dtype: str) -> None:
    values = np.random.default_rng(4).normal(size=(2, 12, 10)).astype(dtype)
    path = write(tmp_path / "a.dcm", np.zeros((2, 12, 10), "u4"))
    data = pydicom.dcmread(path)
    del data.PixelData, data.BitsStored, data.HighBit, data.PixelRepresentation
    data.BitsAllocated = values.dtype.itemsize * 8
    setattr(data, {"float32": "FloatPixelData", "float64": "DoubleFloatPixelData"}[dtype], values.tobytes())
    data.save_as(path)
    assert np.array_equal(pydicom.dcmread(path).pixel_array, values)
    assert np.array_equal(pixels(path)[0, 0], values)


@pytest.mark.samples
def test_a_real_series_is_as_pydicom_reads_its_files(samples: Path) -> None:
    files = sorted((samples / "dicom" / "series").glob("*.dcm"))
    theirs = {path: pydicom.dcmread(path) for path in files}
    row, column = np.array(theirs[files[0]].ImageOrientationPatient, float).reshape(2, 3)
    ordered = sorted(files, key=lambda path: np.array(theirs[path].ImagePositionPatient, float) @ np.cross(row, column))
    with open_image(files[2]) as file:
        assert list(file.files) == files
        image = file.images[0]
        assert image.metadata.shape == (1, 1, 5, 384, 274)
        for z, path in enumerate(ordered):
            assert np.array_equal(image.plane(z=z), theirs[path].pixel_array)
        size = image.metadata.pixel_size_z
    assert size is not None
    assert size.value == pytest.approx(theirs[files[0]].SpacingBetweenSlices, rel=1e-5)


@pytest.mark.samples
def test_copies_of_one_image_are_not_a_series(samples: Path) -> None:
    """The folder holds one slice four times, in different codings."""
    for path in sorted((samples / "dicom").glob("MR_small*.dcm")):
        with open_image(path) as file:
            assert list(file.files) == [path]
            assert np.array_equal(
                file.images[0].plane(), pydicom.dcmread(samples / "dicom/MR_small_RLE.dcm").pixel_array
            )


@pytest.mark.samples
def test_real_files_without_preamble(samples: Path, tmp_path: Path) -> None:
    for name in ("MR_small_RLE.dcm", "MR_small_bigendian.dcm", "ExplVR_BigEnd.dcm", "rtdose.dcm"):
        data = pydicom.dcmread(samples / "dicom" / name)
        wanted = data.pixel_array
        if data.file_meta.TransferSyntaxUID.is_compressed:
            data.decompress()
        implicit, little = data.original_encoding
        pydicom.dcmwrite(
            tmp_path / name,
            pydicom.dataset.Dataset(data),
            implicit_vr=implicit,
            little_endian=little,
            enforce_file_format=False,
        )
        assert (tmp_path / name).read_bytes()[128:132] != b"DICM"
        with open_image(tmp_path / name) as file:
            assert np.array_equal(file.images[0].to_numpy().reshape(wanted.shape), wanted), name
