"""Lengths that a damaged file states are never asked of memory."""

import struct
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import coverslip
from coverslip.errors import CoverslipError, ReadError
from coverslip.readers.bounded import SMALL, BoundedFile
from tests.readers.generate_dicom import make_dicom
from tests.readers.generate_lif import make_lif
from tests.readers.generate_nd2 import make_nd2

LARGE = 0x7FFFFFF0


@contextmanager
def in_little_memory(most: int = 64 << 20) -> Iterator[None]:
    """Fail when more bytes than this were asked for at once."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()


def try_everything(path: Path) -> None:
    """Open a file and read the last plane of every image, or be refused."""
    try:
        with coverslip.open_image(path) as file:
            for image in file.images:
                t, c, z = (length - 1 for length in image.metadata.shape[:3])
                image.plane(t=t, c=c, z=z)
    except CoverslipError:
        pass


def test_reads_are_those_of_any_file(tmp_path: Path) -> None:
    content = bytes(range(256)) * 1024
    path = tmp_path / "a"
    path.write_bytes(content)
    with BoundedFile(path) as bounded, path.open("rb") as plain:
        for start, size in ((0, 10), (5, SMALL + 1), (7, -1), (9, None), (len(content) - 3, SMALL * 2)):
            assert bounded.seek(start) == plain.seek(start)
            assert bounded.read(size) == plain.read(size)
            assert bounded.tell() == plain.tell()
        bounded.seek(len(content) + 5)
        assert bounded.read(LARGE) == b""


def test_a_large_read_of_a_small_file_takes_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"few")
    with BoundedFile(path) as bounded, in_little_memory(1 << 20):
        assert bounded.read(LARGE) == b"few"


def test_lengths_of_dicom_elements(tmp_path: Path) -> None:
    path = next(path for path in make_dicom(tmp_path) if path.name == "implicit.dcm")
    content = bytearray(path.read_bytes())
    rows = content.index(struct.pack("<HHI", 0x0028, 0x0010, 2))
    struct.pack_into("<I", content, rows + 4, LARGE)
    path.write_bytes(content)
    with in_little_memory():
        try_everything(path)


@pytest.mark.parametrize("name", [b"ImageAttributesLV!", b"ImageMetadataLV!"])
def test_lengths_of_nd2_chunks(name: bytes, tmp_path: Path) -> None:
    path = next(path for path in make_nd2(tmp_path) if path.name == "stack.nd2")
    content = bytearray(path.read_bytes())
    struct.pack_into("<Q", content, content.index(name) - 8, LARGE)
    path.write_bytes(content)
    with in_little_memory():
        try_everything(path)


def test_lengths_of_old_nd2_boxes(tmp_path: Path) -> None:
    path = next(path for path in make_nd2(tmp_path) if path.name == "legacy.nd2")
    good = path.read_bytes()
    boxes = [place - 4 for place in range(4, len(good)) if good[place : place + 4] in {b"LUNK", b"jp2c", b"jp2h"}]
    assert boxes
    for place in boxes:
        content = bytearray(good)
        struct.pack_into(">I", content, place, LARGE)
        path.write_bytes(content)
        with in_little_memory():
            try_everything(path)


def test_nd2_frames_that_the_file_could_not_hold(tmp_path: Path) -> None:
    path = next(path for path in make_nd2(tmp_path) if path.name == "stack.nd2")
    content = bytearray(path.read_bytes())
    name = "uiHeight\0".encode("utf-16-le")
    struct.pack_into("<I", content, content.index(name) + len(name), LARGE)
    path.write_bytes(content)
    with (
        in_little_memory(),
        pytest.raises(ReadError, match=r"promises \d{10,} bytes of pixels, which .* cannot hold"),
    ):
        coverslip.open_image(path)


def test_lengths_of_lif_blocks(tmp_path: Path) -> None:
    path = next(path for path in make_lif(tmp_path) if path.name == "first version.lif")
    good = path.read_bytes()
    for place in range(len(good) - 80, len(good)):
        content = bytearray(good)
        content[place] = 0x7F  # one of them is the last byte of the length of a block's name
        path.write_bytes(content)
        with in_little_memory():
            try_everything(path)
