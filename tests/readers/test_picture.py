import struct
from pathlib import Path

import cv2
import imagecodecs
import numpy as np
import pytest

from coverslip.errors import ReadError
from coverslip.model import ImageMetadata
from coverslip.readers import open_image, recognise
from tests.readers.generate_picture import Array, chunk, make_pictures, png


def metadata(path: Path) -> ImageMetadata:
    with open_image(path) as file:
        return file.images[0].metadata


def pixels(path: Path) -> Array:
    with open_image(path) as file:
        return file.images[0].plane()


def put(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def with_segment(content: bytes, marker: int, body: bytes) -> bytes:
    """Return a JPEG with one more segment at its beginning."""
    return content[:2] + struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body + content[2:]


def exif(orientation: int, order: str = "<") -> bytes:
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return b"Exif\0\0" + mark + struct.pack(f"{order}IHHHIHH", 8, 1, 0x0112, 3, 1, orientation, 0)


def jpeg(shape: tuple[int, ...] = (20, 30, 3)) -> bytes:
    found, content = cv2.imencode(".jpg", np.full(shape, 77, np.uint8))
    assert found
    return content.tobytes()


def test_what_a_png_says(tmp_path: Path) -> None:
    fine = chunk(b"pHYs", struct.pack(">IIB", 4_000_000, 2_000_000, 1))
    texts = chunk(b"tEXt", b"Comment\0made up") + chunk(b"tIME", struct.pack(">HBBBBB", 2020, 1, 2, 3, 4, 5))
    meta = metadata(put(tmp_path / "a.png", png(2, 1, 8, 0, b"\0ab", fine + texts)))
    assert meta.get_voxel_size_micrometers() == (0.25, 0.5, None)
    assert (meta.file_format, meta.source_axes, meta.acquired_at) == ("PNG", "YX", None)
    assert meta.vendor["text"] == {"Comment": "made up"}
    assert meta.vendor["tIME"] == "2020-01-02T03:04:05"


@pytest.mark.parametrize(("per_unit", "unit"), [(11_811, 1), (2835, 1), (4_000_000, 0), (0, 1)])
def test_the_density_for_a_printer_is_no_pixel_size(tmp_path: Path, per_unit: int, unit: int) -> None:
    density = chunk(b"pHYs", struct.pack(">IIB", per_unit, per_unit, unit))
    meta = metadata(put(tmp_path / "a.png", png(2, 1, 8, 0, b"\0ab", density)))
    assert meta.get_voxel_size_micrometers() == (None, None, None)
    assert meta.vendor["pHYs"]["x"] == per_unit


def test_conversions_are_said(tmp_path: Path) -> None:
    made = make_pictures(tmp_path)
    notes = {path.name: metadata(path).note or "" for path in made}
    assert "palette" in notes["palette.png"]
    assert "R, G, B, A" in notes["grey_alpha.png"]
    assert "1-bit" in notes["bits.png"]
    assert "lossy" in notes["rgb.jpg"]
    assert notes["rgb16.png"] == notes["lossless.jpg"] == ""


@pytest.mark.parametrize("order", ["<", ">"])
def test_orientation_is_noted_and_not_applied(tmp_path: Path, order: str) -> None:
    path = put(tmp_path / "a.jpg", with_segment(jpeg(), 0xE1, exif(6, order)))
    meta = metadata(path)
    assert (meta.size_y, meta.size_x) == (20, 30)
    assert "EXIF orientation 6 is not applied" in (meta.note or "")
    assert pixels(path).shape == (20, 30, 3)
    upright = metadata(put(tmp_path / "b.jpg", with_segment(jpeg(), 0xE1, exif(1, order))))
    assert "orientation" not in (upright.note or "")
    assert metadata(put(tmp_path / "c.jpg", with_segment(jpeg(), 0xE1, b"Exif\0\0rubbish"))).size_x == 30


def test_a_comment_and_bytes_behind_the_end_do_no_harm(tmp_path: Path) -> None:
    content = with_segment(jpeg(), 0xFE, b"from the scope") + b"more"
    path = put(tmp_path / "a.jpg", content)
    assert metadata(path).vendor["comment"] == "from the scope"
    assert pixels(path).shape == (20, 30, 3)


@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_no_cut_file_is_opened(tmp_path: Path, ending: str) -> None:
    dice = np.random.default_rng(2)
    found, content = cv2.imencode(f".{ending}", dice.integers(0, 256, (25, 25, 3), np.uint8))
    assert found
    for cut in range(16, len(content) - 1, 29):
        with pytest.raises(ReadError, match=r"truncated|ends|damaged"):
            open_image(put(tmp_path / f"cut.{ending}", content.tobytes()[:cut]))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (png(1 << 30, 1 << 30, 8, 0, b"\0"), "cannot hold"),
        (png(60_000, 60_000, 8, 2, b"\0"), "cannot hold"),
        (png(30_000, 30_000, 8, 0, b"\0"), "cannot hold"),
        (png(0, 4, 8, 0, b"\0"), "no PNG is 0 x 4"),
        (png(4, 4, 5, 0, b"\0"), "5 bits"),
        (jpeg()[:2] + b"\xff\xc9\x00\x0b" + bytes(9), "arithmetic"),
        (b"\xff\xd8\xff\xd9", "no picture"),
        (b"\xff\xd8\xff\xe0\x00\x01", "damaged"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    with pytest.raises(ReadError, match=reason) as caught:
        open_image(put(tmp_path / "bad", content))
    assert str(tmp_path) in str(caught.value)


def test_colours_for_printing_are_read_as_red_green_and_blue(tmp_path: Path) -> None:
    """Stored inverted, as Adobe's programs do and the marker says; OpenCV undoes it."""
    inks = np.zeros((16, 24, 4), np.uint8)
    inks[:8, :, 0] = inks[8:, :, 3] = 255  # cyan above black
    coded = bytes(imagecodecs.jpeg8_encode(255 - inks, level=100, colorspace="CMYK", outcolorspace="CMYK"))
    with open_image(put(tmp_path / "cmyk.jpg", coded)) as file:
        meta, plane = file.images[0].metadata, np.asarray(file.images[0].plane(), np.int64)
    assert (meta.samples, meta.dtype, meta.shape[-1]) == (3, "uint8", 3)
    assert "colours for printing (CMYK), read as R, G, B without a colour profile" in str(meta.note)
    assert np.abs(plane[:8].astype(int) - (0, 255, 255)).max() <= 2
    assert plane[8:].astype(int).max() <= 2


def test_a_jpeg_of_two_components_is_refused(tmp_path: Path) -> None:
    content = bytearray(jpeg())
    frame = content.index(b"\xff\xc0")
    content[frame + 9] = 2
    with pytest.raises(ReadError, match="2 components"):
        open_image(put(tmp_path / "odd.jpg", bytes(content)))


def test_a_damaged_pixel_is_no_pixel(tmp_path: Path) -> None:
    content = bytearray(png(2, 2, 8, 0, b"\0ab\0cd"))
    content[content.index(b"IDAT") + 8] ^= 0xFF
    with open_image(put(tmp_path / "a.png", bytes(content))) as file, pytest.raises(ReadError, match="IDAT"):
        file.images[0].plane()


def test_a_picture_that_was_replaced_meanwhile(tmp_path: Path) -> None:
    path = put(tmp_path / "a.jpg", jpeg())
    with open_image(path) as file:
        put(path, jpeg((21, 30, 3)))
        with pytest.raises(ReadError, match="changed"):
            file.images[0].plane()


@pytest.mark.samples
@pytest.mark.parametrize("name", ["cells.png", "cells.jpg"])
def test_real_pictures_are_as_opencv_reads_them(samples: Path, name: str) -> None:
    path = samples / "ome-tiff" / "qupath-cells" / name
    found = recognise(path)
    assert found is not None
    assert found.name == "picture"
    theirs = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert theirs is not None
    assert np.array_equal(pixels(path), theirs[..., ::-1])


def test_the_stream_is_never_read_as_a_whole_to_be_described(tmp_path: Path) -> None:
    path = put(tmp_path / "a.png", png(64, 64, 8, 0, b"\0" * (64 * 65)))
    described = metadata(path)
    broken = bytearray(path.read_bytes())
    at = broken.index(b"IDAT") + 6
    broken[at : at + 4] = b"\xff" * 4
    assert metadata(put(tmp_path / "b.png", bytes(broken))).shape == described.shape
