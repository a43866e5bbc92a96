"""Precomputes as one file: whole, by ranges, damaged and hostile."""

import io
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest

from coverslip.errors import InvalidRequestError, NotFoundError, ReadError
from coverslip.neuroglancer.precomputed import Packed, pack, point_annotations

FILES = {"info": b'{"a":1}', "by_id/0.shard": bytes(range(256)) * 10, "empty": b"", "mesh/1:0": b"\xff" * 5}


def test_what_was_packed_comes_back() -> None:
    packed = Packed(pack(FILES))
    assert packed.names() == ("by_id/0.shard", "empty", "info", "mesh/1:0")
    assert {name: packed.read(name) for name in packed.names()} == FILES
    assert packed.size("by_id/0.shard") == 2560


def test_a_range_is_read_without_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "one.zip"
    path.write_bytes(pack({"large": bytes(1 << 24), **FILES}))

    class Counted(io.BufferedReader):
        count = 0

        def read(self, size: int | None = -1, /) -> bytes:
            data = super().read(size)
            Counted.count += len(data)
            return data

    with Counted(io.FileIO(path)) as stream:
        packed = Packed(stream)
        assert packed.read("by_id/0.shard", 250, 260) == bytes([250, 251, 252, 253, 254, 255, 0, 1, 2, 3])
        assert packed.read("large", 1 << 23, (1 << 23) + 3) == bytes(3)
        assert Counted.count < 100_000


@pytest.mark.parametrize(
    ("start", "stop", "expected"),
    [(None, None, b'{"a":1}'), (5, None, b"1}"), (None, 2, b'{"'), (2, 3, b"a"), (3, 1000, b'":1}'), (7, 9, b"")],
)
def test_ranges_end_where_the_file_does(start: int | None, stop: int | None, expected: bytes) -> None:
    assert Packed(pack(FILES)).read("info", start, stop) == expected


@pytest.mark.parametrize(("start", "stop"), [(-1, 3), (8, None), (8, 9), (3, 2)])
def test_ranges_of_nothing_are_said(start: int, stop: int | None) -> None:
    with pytest.raises(InvalidRequestError, match="no range"):
        Packed(pack(FILES)).read("info", start, stop)


def test_what_is_not_in_it_is_not_found() -> None:
    packed = Packed(pack(FILES))
    with pytest.raises(NotFoundError, match=r"spatial0"):
        packed.read("spatial0/0.shard")
    with pytest.raises(NotFoundError, match="by_id"):
        packed.size("by_id/")


def test_the_same_files_give_the_same_bytes_that_other_programs_read() -> None:
    turned = dict(reversed(FILES.items()))
    assert pack(turned) == pack(FILES)
    with zipfile.ZipFile(io.BytesIO(pack(FILES))) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == sorted(FILES)
        assert {one.date_time for one in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {one.compress_type for one in archive.infolist()} == {zipfile.ZIP_STORED}


def test_more_files_than_a_plain_zip_can_list() -> None:
    packed = Packed(pack({f"by_id/{number}": b"%d" % number for number in range(70_000)}))
    assert len(packed.names()) == 70_000
    assert packed.read("by_id/69999") == b"69999"


def test_threads_read_at_the_same_time() -> None:
    packed = Packed(pack({str(number): bytes([number]) * 1000 for number in range(50)}))
    wrong: list[int] = []

    def read() -> None:
        numbers = np.random.default_rng().integers(0, 50, 500).tolist()
        wrong.extend(number for number in numbers if packed.read(str(number)) != bytes([number]) * 1000)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize("name", ["", "/info", "a//b", "../info", "a/./b", "a/", "a\\b", "a\0b", "a\nb", "a" * 1001])
def test_paths_that_lead_elsewhere_are_refused(name: str) -> None:
    with pytest.raises(InvalidRequestError, match="no path"):
        pack({name: b""})


@pytest.mark.parametrize("content", [b"", b"PK", b"PK\x05\x06", b"{}" * 1000, b"PK\x05\x06" + b"\xff" * 18])
def test_what_is_no_archive_is_said(content: bytes) -> None:
    with pytest.raises(ReadError, match="no whole ZIP"):
        Packed(content)


def test_an_archive_that_was_cut_off_is_said() -> None:
    whole = pack(FILES)
    for length in range(0, len(whole), 7):
        with pytest.raises(ReadError):
            Packed(whole[:length])


@pytest.mark.parametrize(
    ("name", "compression", "words"),
    [
        ("info", zipfile.ZIP_DEFLATED, "compressed"),
        ("../../etc/passwd", zipfile.ZIP_STORED, "cannot be one"),
        ("/info", zipfile.ZIP_STORED, "cannot be one"),
        ("folder/", zipfile.ZIP_STORED, "cannot be one"),
    ],
)
def test_archives_of_others_are_refused(name: str, compression: int, words: str) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(name, b"abc", compression)
    with pytest.raises(ReadError, match=words):
        Packed(stream.getvalue())


def test_a_file_that_is_listed_twice_is_refused() -> None:
    content = pack({"aaaa": b"1", "bbbb": b"2"}).replace(b"bbbb", b"aaaa")
    with pytest.raises(ReadError, match="twice"):
        Packed(content)


def test_damage_is_an_error_and_nothing_else() -> None:
    files = point_annotations([[1, 2, 3]], voxel_size=5)
    whole = pack(files)
    dice = np.random.default_rng(0)
    outcomes = set()
    for _ in range(2000):
        damaged = bytearray(whole)
        for place in dice.integers(0, len(whole), 3):
            damaged[place] = dice.integers(0, 256)
        try:
            packed = Packed(bytes(damaged))
            for name in packed.names():
                assert packed.read(name) in files.values()
            outcomes.add("read")
        except ReadError:
            outcomes.add("refused")
    assert outcomes == {"read", "refused"}


def test_a_file_that_was_closed_is_said(tmp_path: Path) -> None:
    path = tmp_path / "one.zip"
    path.write_bytes(pack(FILES))
    with path.open("rb") as stream:
        packed = Packed(stream)
    with pytest.raises(ReadError, match="cannot be read"):
        packed.read("info")


def test_a_file_that_became_shorter_is_said(tmp_path: Path) -> None:
    path = tmp_path / "one.zip"
    path.write_bytes(pack(FILES))
    with path.open("r+b", buffering=0) as stream:
        packed = Packed(stream)
        stream.truncate(100)
        with pytest.raises(ReadError, match="shorter"):
            packed.read("mesh/1:0")
