"""What is particular to a folder: killed writers, vanished disks, permissions."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from coverslip.errors import NotFoundError, StorageError
from coverslip.storage import FolderStorage, open_storage, publish_file, put_content, write_file

WRITER = """
import sys
from coverslip.storage import open_storage
storage = open_storage(sys.argv[1])
number = 0
print("ready", flush=True)
while True:
    data = bytes([number % 251]) * 3_000_000
    storage.put(f"{number % 3}/object", data)
    number += 1
"""


@pytest.mark.kill
def test_a_writer_killed_at_any_instant_leaves_no_torn_object(tmp_path: Path) -> None:
    storage = FolderStorage(tmp_path / "artifacts")
    abandoned = 0
    for attempt in range(12):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(storage.root)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        with process.stdout:
            assert process.stdout.readline() == b"ready\n"
            time.sleep(0.013 * attempt)
            process.send_signal(signal.SIGKILL)
            process.wait()
        for item in storage.list():
            data = storage.read(item.key)
            assert len(data) == 3_000_000
            assert data == data[:1] * len(data)
        assert storage.sweep(3600) == 0
        abandoned += storage.sweep(0)
        assert not list(storage.root.rglob(".tmp-*"))
    assert abandoned > 0, "no kill hit a write: the test has lost its point"
    assert [item.key for item in storage.list()]


def test_a_failed_write_leaves_nothing_and_keeps_the_old(tmp_path: Path) -> None:
    storage = FolderStorage(tmp_path)
    storage.put("a/object", b"old")
    (tmp_path / "a" / "object").unlink()
    (tmp_path / "a" / "object" / "below").mkdir(parents=True)
    with pytest.raises(StorageError, match=r"cannot write .*object"):
        storage.put("a/object", b"new")
    assert list(storage.list()) == []
    assert list(tmp_path.rglob(".tmp-*")) == []


CREATOR = """
import sys, time
from coverslip.storage import open_storage
with open_storage(sys.argv[1]).create("large/object") as out:
    out.write(bytes(100_000))
    out.flush()
    print("ready", flush=True)
    time.sleep(60)
"""


@pytest.mark.kill
def test_what_a_killed_creator_leaves_is_not_listed_and_is_swept_when_it_is_old(tmp_path: Path) -> None:
    storage = FolderStorage(tmp_path)
    process = subprocess.Popen([sys.executable, "-c", CREATOR, str(tmp_path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert list(storage.list()) == []
    assert storage.sweep(3600) == 0
    assert storage.sweep(0) == 1
    assert list(tmp_path.rglob(".tmp-*")) == []


def test_a_created_file_that_cannot_get_its_name_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    storage = FolderStorage(tmp_path)
    (tmp_path / "a" / "object" / "below").mkdir(parents=True)
    with pytest.raises(StorageError, match=r"cannot write .*object"), storage.create("a/object") as out:
        out.write(b"new")
    assert list(tmp_path.rglob(".tmp-*")) == []


def test_content_that_is_there_keeps_its_file(tmp_path: Path) -> None:
    storage = FolderStorage(tmp_path)
    key, _ = put_content(storage, "thumbnail", b"pixels", ".png")
    before = (tmp_path / key).stat()
    put_content(storage, "thumbnail", b"pixels", ".png")
    after = (tmp_path / key).stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)


def test_a_vanished_folder_is_unknown_to_a_listing_and_made_again_by_a_write(tmp_path: Path) -> None:
    storage = FolderStorage(tmp_path / "artifacts")
    storage.root.rmdir()
    with pytest.raises(StorageError, match="is not there"):
        storage.list()
    with pytest.raises(NotFoundError):
        storage.read("a")
    storage.put("a", b"1")
    assert [item.key for item in storage.list()] == ["a"]


def test_what_the_system_refuses_to_tell_is_unknown_not_absent(tmp_path: Path) -> None:
    storage = FolderStorage(tmp_path)
    (tmp_path / "round").symlink_to(tmp_path / "round")  # refused to everybody, root included
    with pytest.raises(StorageError, match="cannot list"):
        list(storage.list())
    with pytest.raises(StorageError, match=r"cannot read .*round"):
        storage.read("round")
    with pytest.raises(StorageError, match=r"cannot look at .*round"):
        storage.exists("round")


def test_a_folder_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match=r"cannot make the folder"):
        open_storage(str(tmp_path / "file" / "artifacts"))


def test_check_says_why_it_fails(tmp_path: Path) -> None:
    storage = FolderStorage(tmp_path / "artifacts")
    storage.root.rmdir()
    storage.root.write_bytes(b"in the way")
    with pytest.raises(StorageError, match=f"cannot write in {storage.root}"):
        storage.check()


def test_addresses(tmp_path: Path) -> None:
    assert open_storage(str(tmp_path / "a b")).url == str(tmp_path / "a b")
    assert open_storage((tmp_path / "a b").as_uri()).url == str(tmp_path / "a b")
    for url, words in (("ftp://x/y", "no such kind"), ("", "empty"), ("s3://", "names no bucket")):
        with pytest.raises(StorageError, match=words):
            open_storage(url)


def test_publish_file_moves_it_whole(tmp_path: Path) -> None:
    temporary = tmp_path / ".tmp-upload"
    temporary.write_bytes(b"pixels")
    publish_file(temporary, tmp_path / "uploads" / "2026" / "cells.tif")
    assert (tmp_path / "uploads" / "2026" / "cells.tif").read_bytes() == b"pixels"
    assert not temporary.exists()


def test_publish_file_of_nothing_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"cannot publish gone as .*cells\.tif"):
        publish_file(tmp_path / "gone", tmp_path / "cells.tif")
    assert not (tmp_path / "cells.tif").exists()


def test_write_file_replaces_whole_and_says_what_is_in_the_way(tmp_path: Path) -> None:
    write_file(tmp_path / "out.png", b"old")
    write_file(tmp_path / "out.png", b"new")
    assert [item.name for item in tmp_path.iterdir()] == ["out.png"]
    assert (tmp_path / "out.png").read_bytes() == b"new"
    with pytest.raises(StorageError, match=r"cannot write .*nowhere/out\.png: No such file or directory"):
        write_file(tmp_path / "nowhere" / "out.png", b"new")


def test_unfinished_work_is_swept_where_it_is_asked_for(tmp_path: Path) -> None:
    storage = FolderStorage(tmp_path)
    left = [tmp_path / "a/.tmp-1", tmp_path / "a/b/.tmp-2", tmp_path / "c/.tmp-3"]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half")
    assert storage.sweep(0, "a") == 2
    assert [path.exists() for path in left] == [False, False, True]
    assert storage.sweep(0, "nothing") == 0
