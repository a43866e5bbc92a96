import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
import tifffile

from coverslip.api.open_files import LARGE_SET, LOOK_SECONDS, Identity, OpenFiles
from coverslip.errors import ReadError
from coverslip.readers import ImageFile, open_image
from tests.api.tiffs import write_stack


class Opener:
    """Opens files and counts it."""

    def __init__(self) -> None:
        self.opened: list[str] = []

    def __call__(self, path: str | Path) -> ImageFile:
        self.opened.append(str(path))
        return open_image(path)


@pytest.fixture
def opener() -> Opener:
    return Opener()


def identities(folder: Path, count: int) -> list[Identity]:
    return [Identity.of(str(write_stack(folder / f"{number}.ome.tif", number)), 1) for number in range(count)]


def is_open(file: ImageFile) -> bool:
    try:
        file.images[0].plane()
    except ReadError:
        return False
    return True


@pytest.mark.usefixtures("no_open_handles")
def test_a_file_is_opened_once_and_closed_at_the_end(tmp_path: Path, opener: Opener) -> None:
    (identity,) = identities(tmp_path, 1)
    files = OpenFiles(open_file=opener)
    with files.borrow(identity) as first:
        pass
    with files.borrow(identity) as second:
        assert second is first
    assert is_open(first)
    files.close()
    assert not is_open(first)
    assert opener.opened == [identity.path]


def test_a_changed_file_is_another_one(tmp_path: Path, opener: Opener) -> None:
    path = write_stack(tmp_path / "a.ome.tif")
    files = OpenFiles(open_file=opener)
    before = Identity.of(str(path), 1)
    path.write_bytes(path.read_bytes() + b"\0")
    for identity in (before, Identity.of(str(path), 1), Identity.of(str(path), 2)):
        with files.borrow(identity):
            pass
    files.close()
    assert len(opener.opened) == 3


@pytest.mark.usefixtures("no_open_handles")
def test_only_the_last_ones_stay_open(tmp_path: Path, opener: Opener) -> None:
    known = identities(tmp_path, 4)
    files = OpenFiles(limit=2, open_file=opener)
    kept = []
    for identity in (*known, known[2]):
        with files.borrow(identity) as file:
            kept.append(file)
        assert len(files) <= 2
    assert [is_open(file) for file in kept] == [False, False, True, True, True]
    assert len(opener.opened) == 4
    files.close()


@pytest.mark.usefixtures("no_open_handles")
def test_a_file_in_use_is_closed_only_when_its_users_are_done(tmp_path: Path) -> None:
    known = identities(tmp_path, 3)
    files = OpenFiles(limit=1)
    with files.borrow(known[0]) as used:
        for identity in known[1:]:
            with files.borrow(identity):
                pass
        files.forget(known[0].path)
        assert is_open(used)
        with files.borrow(known[0]) as again:
            assert again is not used
        assert is_open(used)
    assert not is_open(used)
    files.close()


def test_idle_files_are_closed(tmp_path: Path) -> None:
    first, second = identities(tmp_path, 2)
    files = OpenFiles()
    with files.borrow(first) as idle:
        pass
    with files.borrow(second) as used:
        files.close_idle(3600)
        assert is_open(idle)
        files.close_idle(0)
        assert not is_open(idle)
        assert is_open(used)
    files.close()


def test_a_file_that_cannot_be_opened_is_tried_again_next_time(tmp_path: Path, opener: Opener) -> None:
    path = tmp_path / "broken.tif"
    path.write_bytes(b"II*\0\xff\xff\xff\xff")
    identity = Identity.of(str(path), 1)
    files = OpenFiles(open_file=opener)
    for _ in range(2):
        with pytest.raises(ReadError), files.borrow(identity):
            pass
    assert len(opener.opened) == 2
    assert len(files) == 0


@pytest.mark.usefixtures("no_open_handles")
def test_many_threads_share_few_files(tmp_path: Path, opener: Opener) -> None:
    known = identities(tmp_path, 4)
    files = OpenFiles(limit=2, open_file=opener)
    wrong: list[Identity] = []

    def work(start: int) -> None:
        for turn in range(40):
            identity = known[(start + turn) % 4]
            with files.borrow(identity) as file:
                if str(file.path) != identity.path or not is_open(file):
                    wrong.append(identity)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    files.close()
    assert wrong == []
    assert len(files) == 0


@pytest.mark.usefixtures("no_open_handles")
def test_the_files_of_a_set_belong_to_its_identity(tmp_path: Path, opener: Opener) -> None:
    paths = [tmp_path / f"cells_z{z}.tif" for z in range(3)]
    for z, path in enumerate(paths):
        tifffile.imwrite(path, np.full((8, 9), z, np.uint16))
    files = OpenFiles(open_file=opener)
    before = files.identity(str(paths[0]), 1)
    assert files.identity(str(paths[0]), 1) == before
    assert len(opener.opened) == 1
    assert files.identity_at_once(str(paths[0]), 1) is None
    tifffile.imwrite(paths[2], np.full((8, 9), 77, np.uint16))
    after = files.identity(str(paths[0]), 1)
    assert after.tag != before.tag
    with files.borrow(after) as file:
        assert file.images[0].plane(z=2).max() == 77
    paths[2].unlink()
    assert files.identity(str(paths[0]), 1).tag not in (before.tag, after.tag)
    files.close()


def test_a_large_set_is_looked_at_once_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [tmp_path / f"cells_z{z:02}.tif" for z in range(LARGE_SET + 1)]
    for path in paths:
        tifffile.imwrite(path, np.zeros((4, 5), np.uint16))
    now = 1000.0
    monkeypatch.setattr("coverslip.api.open_files.time.monotonic", lambda: now)
    files = OpenFiles()
    before = files.identity(str(paths[0]), 1)
    tifffile.imwrite(paths[9], np.ones((4, 5), np.uint16))
    assert files.identity(str(paths[0]), 1) == before
    now += LOOK_SECONDS
    assert files.identity(str(paths[0]), 1).tag != before.tag
    files.close()


def test_an_edit_that_keeps_time_and_size_is_another_file(tmp_path: Path) -> None:
    path = write_stack(tmp_path / "a.ome.tif")
    files = OpenFiles()
    assert files.identity_at_once(str(path), 1) is None  # nobody knows yet whether it is a set
    before = files.identity(str(path), 1)
    assert files.identity_at_once(str(path), 1) == before
    other = tmp_path / "other"
    shutil.copy2(path, other)
    other.replace(path)
    after = files.identity(str(path), 1)
    assert (after.mtime_ns, after.size) == (before.mtime_ns, before.size)
    assert after.tag != before.tag
    files.close()


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="not there any more"):
        Identity.of(str(tmp_path / "gone.tif"), 1)
    with pytest.raises(ReadError, match="cannot be read"):
        Identity.of(str(tmp_path / ("x" * 300)), 1)
