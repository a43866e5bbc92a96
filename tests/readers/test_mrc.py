import bz2
import gzip
import struct
import warnings
from collections.abc import Callable
from pathlib import Path

import mrcfile
import numpy as np
import pytest

from coverslip.errors import ReadError, UnreadableFileError, UnsupportedFormatError
from coverslip.model import ImageMetadata, Region
from coverslip.readers import open_image, recognise
from coverslip.readers.mrc.packed import Packed
from tests.readers.generate_mrc import Array, header, make_mrc, write


def metadata(path: Path) -> ImageMetadata:
    with open_image(path) as file:
        return file.images[0].metadata


def pixels(path: Path) -> Array:
    with open_image(path) as file:
        return file.images[0].to_numpy()


def put(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_agrees_with_mrcfile_wherever_mrcfile_can_read(tmp_path: Path) -> None:
    read = 0
    for path, (array,) in make_mrc(tmp_path).items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with mrcfile.open(path, permissive=True) as file:
                theirs = None if file.data is None else np.array(file.data)
        if theirs is not None and path.name not in ("imod_unsigned.st", "before_2000.map"):
            assert np.array_equal(theirs.reshape(array.shape), array), path
            read += 1
    assert read >= 12


@pytest.mark.parametrize(
    ("name", "group", "mz", "axes", "shape"),
    [
        ("a.mrc", 1, 4, "ZYX", (1, 4)),
        ("a.mrc", 0, 4, "ZYX", (1, 4)),  # EMAN writes volumes so
        ("a.mrc", 0, 1, "TYX", (4, 1)),  # a stack of images by the book
        ("a.mrc", 0, 0, "TYX", (4, 1)),  # Xmipp's particle stacks have no grid at all
        ("a.mrcs", 0, 4, "TYX", (4, 1)),
        ("a.mrcs", 1, 4, "TYX", (4, 1)),
        ("a.st", 0, 1, "ZYX", (1, 4)),  # a tilt series is no movie
        ("a.ali", 0, 1, "ZYX", (1, 4)),
        ("a.mrc", 401, 2, "TZYX", (2, 2)),
        ("a.mrc", 401, 3, "ZYX", (1, 4)),
    ],
)
def test_what_the_sections_are(
    tmp_path: Path, name: str, group: int, mz: int, axes: str, shape: tuple[int, int]
) -> None:
    volume = np.arange(24, dtype="<i2").reshape(4, 2, 3)
    path = put(tmp_path / name, header((3, 2, 4), 1, group=group, grid=(3, 2, mz)) + volume.tobytes())
    meta = metadata(path)
    assert (meta.size_t, meta.size_z) == shape
    assert meta.source_axes == axes
    assert np.array_equal(pixels(path).reshape(4, 2, 3), volume)


def test_the_ending_counts_below_the_compression(tmp_path: Path) -> None:
    content = header((3, 2, 4), 0, group=1) + bytes(24)
    assert metadata(put(tmp_path / "a.mrcs.gz", gzip.compress(content))).size_t == 4
    assert metadata(put(tmp_path / "a.mrc.bz2", bz2.compress(content))).size_z == 4


def test_voxel_size_is_cell_over_grid_and_unknown_is_none(tmp_path: Path) -> None:
    known = metadata(put(tmp_path / "a.mrc", header((2, 2, 2), 0, cell=(30, 20, -4), grid=(3, 0, 2)) + bytes(8)))
    assert known.pixel_size_x is not None
    assert (known.pixel_size_x.value, known.pixel_size_x.unit) == (10.0, "angstrom")
    assert known.pixel_size_x.micrometers == pytest.approx(0.001)
    assert (known.pixel_size_y, known.pixel_size_z) == (None, None)
    nan = metadata(put(tmp_path / "b.mrc", header((2, 2, 2), 0, cell=(float("nan"), float("inf"), 0)) + bytes(8)))
    assert nan.get_voxel_size_micrometers() == (None, None, None)
    assert nan.vendor["header"]["cella"] == {"x": None, "y": None, "z": 0.0}


def test_permuted_axes_are_said(tmp_path: Path) -> None:
    meta = metadata(put(tmp_path / "a.ccp4", header((2, 3, 1), 0, axes=(3, 1, 2)) + bytes(6)))
    assert meta.note is not None
    assert "image axes X, Y, Z are the map's Z, X, Y" in meta.note
    assert metadata(put(tmp_path / "b.ccp4", header((2, 3, 1), 0, axes=(0, 0, 0)) + bytes(6))).note is None


def test_signed_and_unsigned_bytes(tmp_path: Path) -> None:
    content = bytes([0, 127, 128, 255])
    plain = put(tmp_path / "a.mrc", header((2, 2, 1), 0) + content)
    assert pixels(plain).dtype == np.int8
    assert metadata(put(tmp_path / "b.st", header((2, 2, 1), 0, imod=1) + content)).dtype == "int8"
    unsigned = put(tmp_path / "c.st", header((2, 2, 1), 0, imod=0) + content)
    assert pixels(unsigned).ravel().tolist() == [0, 127, 128, 255]
    doubtful = metadata(put(tmp_path / "d.mrc", header((2, 2, 1), 0, maximum=255) + content))
    assert doubtful.note is not None
    assert "unsigned" in doubtful.note


def test_a_missing_or_wrong_machine_stamp(tmp_path: Path) -> None:
    volume = np.arange(6, dtype=">i2").reshape(1, 2, 3)
    for number, stamp in enumerate((b"\0\0\0\0", b"DD\0\0")):
        path = put(tmp_path / f"{number}.mrc", header((3, 2, 1), 1, order=">", stamp=stamp) + volume.tobytes())
        assert np.array_equal(pixels(path)[0, 0], volume)
        assert "byte order" in (metadata(path).note or "")


def test_only_the_rows_asked_for_are_read(tmp_path: Path) -> None:
    volume = np.arange(4 * 50 * 60, dtype="f4").reshape(4, 50, 60)
    path = write(tmp_path / "a.mrc", volume)
    with open_image(path) as file:
        # Only rows 10 to 20 of section 2 stay where they are: had it read more, it would not come so far.
        with path.open("r+b") as stream:
            stream.truncate(1024 + (2 * 50 + 20) * 60 * 4)
        region = Region(z=(2, 3), y=(10, 20), x=(3, 50))
        assert np.array_equal(file.images[0].read(0, region)[0, 0, 0], volume[2, 10:20, 3:50])
        with pytest.raises(ReadError, match="ends in the middle"):
            file.images[0].plane(z=3)


def test_too_short_and_too_long(tmp_path: Path) -> None:
    good = header((4, 4, 4), 2) + bytes(256)
    with pytest.raises(ReadError, match=r"promises 1280 bytes, there are 1279"):
        open_image(put(tmp_path / "short.mrc", good[:-1]))
    with pytest.raises(ReadError, match="1024 bytes, the file only 600"):
        open_image(put(tmp_path / "header.mrc", good[:600]))
    packed = put(tmp_path / "short.mrc.gz", gzip.compress(good[:-1]))
    with open_image(packed) as file, pytest.raises(ReadError, match="there are 1279"):
        file.images[0].plane(z=3)
    longer = put(tmp_path / "long.mrc", good + bytes(7))
    assert "7 bytes longer" in (metadata(longer).note or "")
    assert pixels(longer).shape == (1, 1, 4, 4, 4)
    assert pixels(put(tmp_path / "long.mrc.gz", gzip.compress(good + bytes(7)))).shape == (1, 1, 4, 4, 4)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (header((0, 0, 0), 0), "there is no image"),
        (header((2, 2, -1), 0), "there is no image"),
        (header((2, 2, 2), 7), "mode 7"),
        (header((2, 2, 2), 0, extended=-5), "extended header of -5"),
        (header((2, 2, 2), 0, extended=1 << 30), "truncated"),
        (header((1 << 30, 1 << 30, 1 << 30), 2), "truncated"),
    ],
)
def test_headers_that_promise_nonsense(tmp_path: Path, raw: bytes, reason: str) -> None:
    path = put(tmp_path / "bad.mrc", raw + bytes(8))
    with pytest.raises(ReadError, match=reason) as caught:
        open_image(path)
    assert "bad.mrc" in str(caught.value)


def test_a_damaged_compressed_file(tmp_path: Path) -> None:
    dice = np.random.default_rng(3)
    content = header((40, 40, 4), 1) + dice.integers(-999, 999, (4, 40, 40)).astype("<i2").tobytes()
    packed = bytearray(gzip.compress(content))
    packed[len(packed) // 2] ^= 0xFF
    with open_image(put(tmp_path / "a.mrc.gz", bytes(packed))) as file, pytest.raises(ReadError):
        file.images[0].to_numpy()
    with pytest.raises(UnsupportedFormatError, match="gzip"):
        open_image(put(tmp_path / "other.gz", gzip.compress(b"no image" * 400)))
    for name, content in (("broken.gz", b"\x1f\x8bnonsense" * 200), ("broken.bz2", b"BZhnonsense" * 200)):
        with pytest.raises(UnsupportedFormatError):
            open_image(put(tmp_path / name, content))


@pytest.mark.parametrize(("ending", "pack"), [("gz", gzip.compress), ("bz2", bz2.compress)])
def test_a_compressed_file_that_promises_the_impossible_is_refused(
    tmp_path: Path, ending: str, pack: Callable[[bytes], bytes]
) -> None:
    path = put(tmp_path / f"bomb.mrc.{ending}", pack(header((4096, 4096, 64), 0) + bytes(1 << 20)))
    with pytest.raises(ReadError, match=r"promises 1073742848 bytes of pixels|unpacks 98 bytes to 1,073,742,848"):
        open_image(path)


def test_a_small_compressed_file_may_be_as_empty_as_it_likes(tmp_path: Path) -> None:
    content = header((1024, 1024, 8), 0) + bytes(8 << 20)
    path = put(tmp_path / "mask.mrc.gz", gzip.compress(content))
    assert len(content) > 500 * path.stat().st_size
    assert not pixels(path).any()


def test_planes_of_a_compressed_file_in_any_order(tmp_path: Path) -> None:
    volume = np.random.default_rng(5).integers(-99, 99, (8, 200, 300)).astype("i2")
    path = put(tmp_path / "a.mrc.gz", gzip.compress(write(tmp_path / "a.mrc", volume).read_bytes()))
    with open_image(path) as file:
        for z in (5, 0, 7, 3):
            assert np.array_equal(file.images[0].plane(z=z), volume[z])


def test_the_first_plane_takes_little_space(tmp_path: Path) -> None:
    content = header((1024, 1024, 32), 0) + np.random.default_rng(5).bytes(32 << 20)
    path = put(tmp_path / "a.mrc.gz", gzip.compress(content, 1))
    packed = Packed(path, path.read_bytes()[:2])
    try:
        assert packed.up_to(1024 + (1 << 20), len(content)).seek(0, 2) <= 3 << 20
    finally:
        packed.close()


def test_a_damaged_end_is_noticed_once_everything_is_unpacked_and_every_time(tmp_path: Path) -> None:
    content = header((40, 40, 4), 1) + np.random.default_rng(3).bytes(40 * 40 * 4 * 2)
    raw = bytearray(gzip.compress(content))
    raw[-6] ^= 0xFF  # the checksum
    with open_image(put(tmp_path / "a.mrc.gz", bytes(raw))) as file:
        for _ in range(2):
            with pytest.raises(ReadError, match="CRC"):
                file.images[0].plane(z=3)


def test_without_space_to_unpack_nothing_is_known(tmp_path: Path) -> None:
    path = put(tmp_path / "huge.mrc.gz", gzip.compress(header((1 << 20, 1 << 20, 32), 2) + bytes(100)))
    with path.open("r+b") as stream:
        stream.truncate(1 << 40)  # a hole: it takes no space itself
    with open_image(path) as file, pytest.raises(UnreadableFileError, match="are free in"):
        file.images[0].read(0, Region(z=(31, 32), y=((1 << 20) - 1, 1 << 20)))
    path.unlink()  # whoever copies the folder might write the hole out


def test_what_is_not_mrc(tmp_path: Path) -> None:
    volume = bytes(24)
    old = header((4, 3, 2), 0, old=True)
    assert recognise(put(tmp_path / "old.map", old + volume)) is not None
    assert recognise(put(tmp_path / "longer.map", old + volume + b"?")) is None
    deltavision = bytearray(old)
    struct.pack_into("<h", deltavision, 96, -16224)
    other = recognise(put(tmp_path / "cell.dv", bytes(deltavision) + volume))
    assert other is not None
    assert other.name == "deltavision"
    assert recognise(put(tmp_path / "text.map", b"MAP of the city\n" * 100)) is None
    assert recognise(put(tmp_path / "zeros.map", bytes(4096))) is None
    text = bytearray(b"\xff" * 1100)
    text[208:212] = b"MAP "
    assert recognise(put(tmp_path / "chance.map", bytes(text))) is None
    assert pixels(put(tmp_path / "old.map.gz", gzip.compress(old + volume))).shape == (1, 1, 2, 3, 4)


def test_header_labels_and_extended_header_are_in_the_vendor_document(tmp_path: Path) -> None:
    raw = bytearray(header((2, 2, 1), 0, extended=1024, kind=b"FEI1", imod=5))
    struct.pack_into("<i", raw, 220, 2)
    raw[224:235] = b"first label"
    raw[304:316] = b"second label"
    section = bytearray(1024)
    struct.pack_into("<ii", section, 0, 768, 0)
    section[20:31] = b"Titan Krios"
    section[36:40] = b"9992"
    vendor = metadata(path := put(tmp_path / "fei.mrc", bytes(raw + section) + bytes(4))).vendor
    assert vendor["labels"] == ["first label", "second label"]
    assert vendor["header"]["nx"] == 2
    assert vendor["header"]["imod_flags"] == 5
    assert vendor["extended_header"]["first_section"]["Microscope type"] == "Titan Krios"
    microscope = metadata(path).microscope
    assert microscope is not None
    assert (microscope.model, microscope.serial_number) == ("Titan Krios", "9992")


@pytest.mark.samples
def test_the_broken_sample_says_why(samples: Path) -> None:
    with pytest.raises(ReadError, match="0 x 0 x 0"):
        open_image(samples / "bad" / "mrc" / "TS_run2.rec")
    found = recognise(samples / "dv" / "tinyTest.d3d.dv")
    assert found is None or found.name != "mrc"
