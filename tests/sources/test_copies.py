"""Local copies: whole or not there, bounded, and never taken from whoever reads them."""

import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

from coverslip.errors import UnreadableFileError
from coverslip.sources.copies import LocalCopies


@dataclass
class Bytes:
    """A source in memory that counts how often it is read and can fail on the way."""

    address: str
    data: bytes
    version: str = "1"
    reads: int = 0
    fails: bool = False

    @property
    def size(self) -> int:
        return len(self.data)

    def read_at(self, offset: int, length: int) -> bytes:
        self.reads += 1
        if self.fails:
            raise UnreadableFileError(f"{self.address}: the line is down")
        return self.data[offset : offset + length]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock")


def test_a_copy_is_made_once_for_each_version(tmp_path: Path) -> None:
    copies = LocalCopies(tmp_path / "copies", 1000)
    source = Bytes("s3://b/a.czi", b"one")
    for _ in range(2):
        copy = copies.hold(source, "a.czi")
        assert (copy.path.name, copy.path.read_bytes()) == ("a.czi", b"one")
        copy.release()
        copy.release()
    assert source.reads == 1
    copy = copies.hold(Bytes("s3://b/a.czi", b"two", version="2"), "a.czi")
    assert copy.path.read_bytes() == b"two"
    copy.release()


def test_the_least_recently_used_copy_goes_first_and_none_that_is_open(tmp_path: Path) -> None:
    copies = LocalCopies(tmp_path, 250)
    first = copies.hold(Bytes("a", b"a" * 100), "a")
    copies.hold(Bytes("b", b"b" * 100), "b").release()
    copies.hold(Bytes("c", b"c" * 100), "c").release()
    assert names(tmp_path) == ["a", "c"]
    with pytest.raises(UnreadableFileError, match="no room"):
        copies.hold(Bytes("d", b"d" * 200), "d")
    assert first.path.read_bytes() == b"a" * 100
    first.release()
    copies.hold(Bytes("d", b"d" * 200), "d").release()
    assert names(tmp_path) == ["d"]


def test_what_can_never_fit_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="COVERSLIP_REMOTE_CACHE_BYTES"):
        LocalCopies(tmp_path, 10).hold(Bytes("s3://b/large.lif", b"x" * 11), "large.lif")
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(UnreadableFileError, match="COVERSLIP_REMOTE_CACHE names"):
        LocalCopies(blocked / "copies", 10).hold(Bytes("s3://b/x", b"x"), "x")


def test_a_copy_that_fails_on_the_way_leaves_nothing(tmp_path: Path) -> None:
    copies = LocalCopies(tmp_path, 100)
    source = Bytes("s3://b/a.czi", b"whole", fails=True)
    with pytest.raises(UnreadableFileError, match="the line is down"):
        copies.hold(source, "a.czi")
    assert names(tmp_path) == []
    source.fails = False
    assert copies.hold(source, "a.czi").path.read_bytes() == b"whole"


def test_what_a_killed_process_left_is_made_again(tmp_path: Path) -> None:
    copies = LocalCopies(tmp_path, 100)
    source = Bytes("s3://b/a.czi", b"whole")
    copy = copies.hold(source, "a.czi")
    copy.path.rename(copy.path.with_name(".unfinished-a.czi"))  # as a kill in the middle leaves it
    copy.release()
    again = copies.hold(source, "a.czi")
    assert again.path.read_bytes() == b"whole"
    assert names(tmp_path) == ["a.czi"]


def test_many_at_once_make_one_copy_and_stay_within_the_limit(tmp_path: Path) -> None:
    copies = LocalCopies(tmp_path, 3000)
    sources = [Bytes(f"s3://b/{n}", bytes([n]) * 1000) for n in range(5)]
    wrong: list[str] = []

    def use(seed: int) -> None:
        for n in range(20):
            source = sources[(seed + n) % 5]
            try:
                copy = copies.hold(source, "x.lif")
            except UnreadableFileError as error:  # all the room is in use
                if "no room" not in str(error):
                    wrong.append(str(error))
                continue
            if copy.path.read_bytes() != source.data:
                wrong.append(source.address)
            copy.release()

    threads = [threading.Thread(target=use, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert sum(path.stat().st_size for path in tmp_path.rglob("x.lif")) <= 3000
