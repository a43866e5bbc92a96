"""What tells sources apart, and what of them need not be read again."""

import hashlib
import os
import time
from pathlib import Path

import pytest

from coverslip.errors import ReadError, UnreadableFileError
from coverslip.ingest.deposition.fingerprints import Fingerprints, Places, key_of
from coverslip.ingest.deposition.steps import Input
from coverslip.sources import locate
from coverslip.storage import FolderStorage, open_storage

FILE = Input("a.csv")
FOLDER = Input("a.zarr")


def places(folder: Path) -> Places:
    return Places(folder / "in", FolderStorage(folder / "layout"))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "in/a.zarr/0").mkdir(parents=True)
    (tmp_path / "in/a.csv").write_text("1,2,3\n")
    (tmp_path / "in/a.zarr/.zattrs").write_text("{}")
    (tmp_path / "in/a.zarr/0/0.0.0").write_bytes(b"chunk")
    time.sleep(0.15)
    return tmp_path


def test_a_file_is_known_by_its_bytes(source: Path) -> None:
    prints = Fingerprints(places(source))
    found = prints.of(FILE, {})
    assert (found.digest, found.size) == (hashlib.sha256(b"1,2,3\n").hexdigest(), 6)
    assert (prints.files_read, prints.bytes_read) == (1, 6)
    assert prints.of(FILE, {}) == found
    assert prints.files_read == 1


@pytest.mark.parametrize("wanted", [FILE, FOLDER])
def test_what_stays_as_it_was_is_not_read_again(source: Path, wanted: Input) -> None:
    found = Fingerprints(places(source)).of(wanted, {})
    later = Fingerprints(places(source))
    assert later.of(wanted, {key_of(wanted): (found.mark, found.digest)}) == found
    assert later.files_read == 0


@pytest.mark.parametrize("name", ["a.zarr/.zattrs", "a.zarr/0/0.0.0", "a.zarr/0/0.0.1"])
def test_a_folder_is_another_when_anything_in_it_is(source: Path, name: str) -> None:
    found = Fingerprints(places(source)).of(FOLDER, {})
    (source / "in" / name).write_bytes(b"other")
    other = Fingerprints(places(source)).of(FOLDER, {key_of(FOLDER): (found.mark, found.digest)})
    assert other.digest != found.digest


def test_a_member_with_another_name_makes_another_folder(source: Path) -> None:
    found = Fingerprints(places(source)).of(FOLDER, {})
    (source / "in/a.zarr/0/0.0.0").rename(source / "in/a.zarr/0/0.0.1")
    assert Fingerprints(places(source)).of(FOLDER, {}).digest != found.digest


def test_the_same_size_and_time_do_not_hide_other_bytes(source: Path) -> None:
    found = Fingerprints(places(source)).of(FILE, {})
    path = source / "in/a.csv"
    before = path.stat()
    path.write_text("3,2,1\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    other = Fingerprints(places(source)).of(FILE, {key_of(FILE): (found.mark, found.digest)})
    assert other.digest != found.digest


def test_what_was_changed_just_now_is_read_again_the_next_time(source: Path) -> None:
    (source / "in/a.csv").write_text("1,2,3\n")
    assert Fingerprints(places(source)).of(FILE, {}).mark == ""


@pytest.mark.parametrize("wanted", [FILE, FOLDER])
def test_a_change_since_it_was_looked_at_is_seen(source: Path, wanted: Input) -> None:
    prints = Fingerprints(places(source))
    prints.of(wanted, {})
    assert prints.is_as_it_was(wanted)
    (source / "in/a.csv").write_text("3,2,1\n")
    (source / "in/a.zarr/0/0.0.0").write_bytes(b"other")
    assert not prints.is_as_it_was(wanted)


@pytest.mark.parametrize("wanted", [Input("b.csv"), Input("b.csv", "destination")])
def test_what_is_not_there_is_unknown(source: Path, wanted: Input) -> None:
    with pytest.raises(UnreadableFileError, match=r"b\.csv"):
        Fingerprints(places(source)).of(wanted, {})


def test_inputs_may_lie_at_the_destination(source: Path) -> None:
    place = places(source)
    place.destination.put("1/a.json", b"{}")
    found = Fingerprints(place).of(Input("1/a.json", "destination"), {})
    assert found.digest == hashlib.sha256(b"{}").hexdigest()


@pytest.mark.parametrize("path", ["../a", "/a", "a/../../b", "a\0"])
@pytest.mark.parametrize("side", ["source", "destination"])
def test_a_path_stays_below_its_folder(source: Path, path: str, side: str) -> None:
    with pytest.raises(ReadError, match="stays below"):
        places(source).path(Input(path, side))  # type: ignore[arg-type]


@pytest.mark.service
def test_an_object_is_known_by_its_etag_and_never_read(bucket: str) -> None:
    store = open_storage(f"{bucket}/in")
    for key, data in (("a.csv", b"1"), ("a.zarr/.zattrs", b"{}"), ("a.zarr/0/0", b"x"), ("b.csv", b"2")):
        store.put(key, data)
    place = Places(locate(f"{bucket}/in"), open_storage(f"{bucket}/layout"))
    prints = Fingerprints(place)
    first = [prints.of(one, {}) for one in (FILE, FOLDER)]
    assert [one.size for one in first] == [1, 3]
    assert all(prints.is_as_it_was(one) for one in (FILE, FOLDER))
    store.put("a.csv", b"3")
    store.put("a.zarr/0/0", b"y")
    assert not any(prints.is_as_it_was(one) for one in (FILE, FOLDER))
    second = [Fingerprints(place).of(one, {}) for one in (FILE, FOLDER)]
    assert all(one.digest != other.digest for one, other in zip(first, second, strict=True))
    assert (prints.files_read, prints.bytes_read) == (0, 0)
    with pytest.raises(UnreadableFileError):
        prints.of(Input("c.csv"), {})
