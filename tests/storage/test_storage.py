"""What every storage promises, tried on a folder and on a bucket."""

import errno
import threading
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coverslip.errors import InvalidRequestError, NotFoundError, ReadError, StorageError
from coverslip.storage import Storage, put_content
from coverslip.storage.interface import check_key, check_prefix

BAD_KEYS = [
    "",
    "/",
    "/etc/passwd",
    "a/../b",
    "..",
    ".",
    "a//b",
    "a/",
    "a\\b",
    "c:/a",
    "a\0b",
    "a\nb",
    ".tmp-x",
    "a/.tmp-x",
]


def keys(storage: Storage, prefix: str = "") -> list[str]:
    return sorted(item.key for item in storage.list(prefix))


@pytest.mark.parametrize("key", ["a", "thumbnail/ab/abcd.png", "with space/ü µm (1).png", ".hidden", "a..b"])
def test_bytes_come_back_as_they_were_put(storage: Storage, key: str) -> None:
    data = bytes(range(256)) * 5
    assert not storage.exists(key)
    storage.put(key, data)
    assert storage.exists(key)
    assert storage.read(key) == data
    assert keys(storage) == [key]


def test_a_created_file_can_be_written_in_any_order_and_is_published_when_it_is_whole(storage: Storage) -> None:
    storage.put("run/a.mrc", b"old")
    with storage.create("run/a.mrc") as out:
        out.seek(4)
        out.write(b"pixels")
        out.seek(0)
        out.write(b"head")
        assert storage.read("run/a.mrc") == b"old"
        assert keys(storage) == ["run/a.mrc"]
    assert storage.read("run/a.mrc") == b"headpixels"
    assert keys(storage) == ["run/a.mrc"]
    assert storage.sweep(0) == 0


def test_a_created_file_may_be_empty_and_may_be_read_before_it_is_published(storage: Storage) -> None:
    with storage.create("empty"):
        pass
    assert storage.read("empty") == b""
    with storage.create("read") as out:
        out.write(b"abc")
        out.seek(1)
        assert out.read() == b"bc"
        out.seek(0)
    assert storage.read("read") == b"abc"


class BlockError(Exception):
    pass


@pytest.mark.parametrize(
    ("raised", "seen"),
    [
        (BlockError("mine"), BlockError),
        (ValueError("mine"), ValueError),
        (ReadError("mine"), ReadError),
        (KeyboardInterrupt("mine"), KeyboardInterrupt),
        (OSError(errno.EFBIG, "mine"), StorageError),
    ],
)
def test_nothing_is_published_of_a_file_whose_block_fails(
    storage: Storage, raised: BaseException, seen: type[BaseException]
) -> None:

    def fail(key: str) -> None:
        with storage.create(key) as out:
            out.write(b"half")
            raise raised

    storage.put("a", b"old")
    for key in ("a", "folder/new"):
        with pytest.raises(seen, match="mine"):
            fail(key)
    assert keys(storage) == ["a"]
    assert storage.read("a") == b"old"
    assert storage.sweep(0) == 0


def test_empty_and_larger_objects(storage: Storage) -> None:
    large = b"0123456789abcdef" * (1 << 19)
    storage.put("empty", b"")
    storage.put("large", large)
    assert storage.read("empty") == b""
    assert storage.read("large") == large
    assert {item.key: item.size for item in storage.list()} == {"empty": 0, "large": len(large)}


def test_put_replaces(storage: Storage) -> None:
    storage.put("a/b", b"old, and longer")
    storage.put("a/b", b"new")
    assert storage.read("a/b") == b"new"


def test_absent_is_its_own_answer(storage: Storage) -> None:
    storage.put("there", b"1")
    for key in ("nowhere", "no/such/folder", "there/below"):
        assert not storage.exists(key)
        with pytest.raises(NotFoundError, match=key):
            storage.read(key)


def test_a_folder_of_objects_is_no_object(storage: Storage) -> None:
    storage.put("a/b", b"1")
    assert not storage.exists("a")
    with pytest.raises(NotFoundError):
        storage.read("a")


def test_delete_twice(storage: Storage) -> None:
    storage.put("a/b", b"1")
    storage.delete("a/b")
    storage.delete("a/b")
    storage.delete("never/was")
    assert not storage.exists("a/b")
    assert keys(storage) == []


def test_list_goes_by_whole_name_parts(storage: Storage) -> None:
    for key in ("a/1", "a/b/2", "ab/3", "c"):
        storage.put(key, key.encode())
    assert keys(storage) == ["a/1", "a/b/2", "ab/3", "c"]
    assert keys(storage, "a") == keys(storage, "a/") == ["a/1", "a/b/2"]
    assert keys(storage, "a/b") == ["a/b/2"]
    assert keys(storage, "nothing") == []


def test_list_says_size_and_time(storage: Storage) -> None:
    storage.put("a/1", b"12345")
    (item,) = storage.list("a")
    assert item.size == 5
    assert abs(item.modified - datetime.now(UTC)) < timedelta(minutes=1)


def test_list_is_complete_beyond_one_page(storage: Storage) -> None:
    expected = sorted(f"many/{number % 16:02d}/{number:05d}" for number in range(1100))
    for key in expected:
        storage.put(key, b"")
    assert keys(storage, "many") == expected


@pytest.mark.parametrize("key", BAD_KEYS)
def test_names_that_are_not_accepted(storage: Storage, key: str) -> None:
    with pytest.raises(InvalidRequestError):
        storage.put(key, b"")
    with pytest.raises(InvalidRequestError):
        storage.read(key)
    with pytest.raises(InvalidRequestError):
        storage.exists(key)
    with pytest.raises(InvalidRequestError):
        storage.delete(key)
    with pytest.raises(InvalidRequestError), storage.create(key):
        pass


@given(st.text(max_size=40))
def test_accepted_names_stay_inside(key: str) -> None:
    try:
        accepted = check_key(key)
    except InvalidRequestError:
        return
    assert accepted == key
    assert not key.startswith("/")
    assert ".." not in key.split("/")
    assert check_prefix(key + "/") == key


def test_names_may_not_be_longer_than_anyone_allows() -> None:
    part = "a" * 255
    assert check_key("/".join([part] * 4))
    for key in ("/".join([part] * 4 + ["a"]), "ä" * 128):
        with pytest.raises(InvalidRequestError, match="longer than"):
            check_key(key)


def test_content_has_one_name(storage: Storage) -> None:
    key, etag = put_content(storage, "thumbnail", b"pixels", ".png")
    assert key.startswith(f"thumbnail/{etag[:2]}/{etag}")
    assert key.endswith(".png")
    assert len(etag) == 32
    assert storage.read(key) == b"pixels"
    assert put_content(storage, "thumbnail", b"pixels", ".png") == (key, etag)
    assert put_content(storage, "thumbnail", b"others", ".png")[0] != key
    assert len(keys(storage)) == 2


def test_content_that_is_there_is_not_written_again(storage: Storage) -> None:
    key, _ = put_content(storage, "thumbnail", b"pixels", ".png")
    storage.put(key, b"a mark that a second write would remove")
    put_content(storage, "thumbnail", b"pixels", ".png")
    assert storage.read(key).startswith(b"a mark")


def test_readers_see_one_of_the_versions_while_writers_replace(storage: Storage) -> None:
    versions = {bytes([number]) * 50_000 for number in range(8)}
    storage.put("shared", min(versions))
    seen: set[bytes] = set()
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            seen.add(storage.read("shared"))

    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=storage.put, args=("shared", data)) for data in versions]
    reader.start()
    for thread in writers:
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    reader.join()
    assert seen
    assert seen <= versions
    assert storage.read("shared") in versions


def test_check_leaves_nothing_behind(storage: Storage) -> None:
    storage.check()
    assert keys(storage) == []
    assert storage.sweep(0) == 0


def test_sweep_spares_finished_objects(storage: Storage) -> None:
    storage.put("a/b", b"1")
    assert storage.sweep(0) == 0
    assert storage.read("a/b") == b"1"


def test_an_object_is_found_as_a_listing_shows_it(storage: Storage) -> None:
    storage.put("a/b.txt", b"one")
    assert [storage.find("a/b.txt")] == list(storage.list())
    first = storage.find("a/b.txt")
    assert (first.key, first.size) == ("a/b.txt", 3)
    storage.put("a/b.txt", b"two")
    assert storage.find("a/b.txt").version not in ("", first.version)


@pytest.mark.parametrize("key", ["a", "c/d", "a/b.txt/c"])
def test_what_is_not_there_is_not_found(storage: Storage, key: str) -> None:
    storage.put("a/b.txt", b"one")
    with pytest.raises(NotFoundError):
        storage.find(key)
