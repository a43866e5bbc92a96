"""Confined files are files like any others, and what kills their process kills nothing else."""

import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import psutil
import pytest
import tifffile

import coverslip.confined.pool
from coverslip import Region, open_image
from coverslip.confined import Pool, wire
from coverslip.confined.process import Process
from coverslip.errors import BudgetError, BusyError, CoverslipError, ReadError, RegionError
from coverslip.model import Budgets
from coverslip.ngff import write
from tests.confined.strange import install
from tests.readers.generate_czi import make_czi
from tests.readers.generate_mrc import make_mrc
from tests.readers.generate_nd2 import make_nd2
from tests.readers.generate_ome_zarr import make_ome_zarr
from tests.readers.generate_tiff import make_tiff

BUDGETS = Budgets(seconds=60, memory_bytes=1 << 30)


@pytest.fixture
def pool() -> Iterator[Pool]:
    with Pool(2, BUDGETS) as made:
        yield made


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    install(tmp_path / "site", monkeypatch)
    (tmp_path / "files").mkdir()
    return tmp_path / "files"


def strange(folder: Path, word: str) -> Path:
    path = folder / f"{word}.strange"
    path.write_text(word)
    return path


def read(pool: Pool, path: Path) -> None:
    with pool.open_image(path) as file:
        file.images[0].plane()


def test_labels_and_blocks_are_those_of_an_open_file(tmp_path: Path, pool: Pool) -> None:
    (tmp_path / "masks").mkdir()
    (tmp_path / "FOV1").mkdir()
    tifffile.imwrite(tmp_path / "masks" / "FOV1_cell.tif", np.tri(16, dtype=np.uint16))
    tifffile.imwrite(tmp_path / "FOV1" / "CD4.tif", np.ones((16, 16), np.uint16))
    with open_image(tmp_path / "FOV1") as field:
        write(field.images[0], tmp_path / "a.ome.zarr", source="FOV1")
    for path in (tmp_path / "a.ome.zarr", *make_ome_zarr(tmp_path / "more")):
        with open_image(path) as free, pool.open_image(path) as confined:
            for one, other in zip(free.images, confined.images, strict=True):
                levels = range(len(one.metadata.levels))
                assert [other.chunk(level) for level in levels] == [one.chunk(level) for level in levels]
                assert [label.metadata for label in other.labels] == [label.metadata for label in one.labels]
    with pool.open_image(tmp_path / "a.ome.zarr") as confined:
        (label,) = confined.images[0].labels
        assert np.array_equal(label.plane(), np.tri(16))


@pytest.mark.parametrize("make", [make_czi, make_mrc, make_nd2, make_tiff])
def test_metadata_pixels_and_errors_are_those_of_an_open_file(make: object, tmp_path: Path, pool: Pool) -> None:
    assert callable(make)
    for path in make(tmp_path):
        with open_image(path) as free, pool.open_image(path) as confined:
            assert (confined.reader, confined.files, confined.path) == (free.reader, free.files, free.path)
            for one, other in zip(free.images, confined.images, strict=True):
                assert other.metadata == one.metadata
                t, c, z = (length // 2 for length in one.metadata.shape[:3])
                for level in range(len(one.metadata.levels)):
                    mine, theirs = (image.read(level, Region.at_plane(t, c, 0)) for image in (one, other))
                    np.testing.assert_array_equal(theirs, mine, strict=True)
                with pytest.raises(RegionError):
                    other.plane(z=one.metadata.size_z)
                np.testing.assert_array_equal(other.plane(t=t, c=c, z=z), one.plane(t=t, c=c, z=z), strict=True)
            assert other.plane().flags.writeable


def test_what_cannot_be_opened_says_the_same(tmp_path: Path, pool: Pool) -> None:
    odd = tmp_path / "a\udcff.tif"  # names of files need not be text
    odd.write_bytes(b"II*\0 and nothing more")
    (tmp_path / "empty.czi").touch()
    (tmp_path / "page.nd2").write_text("<!DOCTYPE html>")
    (tmp_path / "b.xyz").write_text("?")
    for path in (odd, *(tmp_path / name for name in ("empty.czi", "page.nd2", "b.xyz", "absent.tif", "a\0b.tif"))):
        told: list[tuple[type, str]] = []
        for opener in (open_image, pool.open_image):
            with pytest.raises(CoverslipError) as caught:
                opener(path)
            told.append((caught.type, str(caught.value)))
        assert told[0] == told[1]


@pytest.mark.kill
@pytest.mark.parametrize(
    ("word", "kind", "said"),
    [
        ("crash", ReadError, "the process that read it crashed with SIGSEGV"),
        ("leave", ReadError, "the process that read it gave up"),
        ("killed", BudgetError, "killed by the system, probably for want of memory"),
        ("alarm", BudgetError, r"too many seconds; 60.0 may be. .*COVERSLIP_BUDGET_SECONDS"),
        ("memory", BudgetError, r"too much memory; 1,073,741,824 may be. .*COVERSLIP_BUDGET_MEMORY_BYTES"),
        ("nonsense", ReadError, "the process that read it"),
        ("no-object", ReadError, "the process that read it"),
        ("endless", ReadError, "the process that read it"),
    ],
)
@pytest.mark.parametrize("when", ["", "then-"])
def test_what_a_file_does_to_its_process(
    word: str, kind: type[ReadError], said: str, when: str, site: Path, tmp_path: Path
) -> None:
    good = next(iter(make_mrc(tmp_path)))
    with open_image(good) as file:
        truth = file.images[0].plane()
    with Pool(1, BUDGETS) as pool, pool.open_image(good) as sibling:
        path = strange(site, when + word)
        with pytest.raises(kind, match=said) as caught:
            read(pool, path)
        assert str(path) in str(caught.value)
        assert type(caught.value) is kind
        np.testing.assert_array_equal(sibling.images[0].plane(), truth)
        assert len(pool.pids) == 1


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("objects", "told nonsense: no type of pixels"),
        ("no-type", "told nonsense"),
        ("outside", "as its part, which is outside of"),
    ],
)
def test_what_a_process_tells_is_looked_at(word: str, said: str, site: Path, pool: Pool) -> None:
    with pytest.raises(ReadError, match=said):
        pool.open_image(strange(site, word))


@pytest.mark.kill
def test_who_takes_too_long_is_killed_and_replaced(site: Path) -> None:
    with Pool(1, Budgets(seconds=2)) as pool:
        with pool.open_image(strange(site, "fine")):
            (pid,) = pool.pids
            with pytest.raises(BudgetError, match=r"too many seconds; 2\.0 may be") as caught:
                pool.open_image(strange(site, "hang"))
        assert (caught.value.budget, caught.value.allowed) == ("seconds", 2.0)
        assert not psutil.pid_exists(pid)
        with pool.open_image(strange(site, "fine")) as file:
            assert file.images[0].plane().tolist() == [[7] * 4] * 4
        assert pid not in pool.pids


def test_while_all_are_busy_nothing_is_known_of_other_files(site: Path) -> None:
    with Pool(1, Budgets(seconds=2)) as pool:
        with pool.open_image(strange(site, "fine")):
            pass
        with pool.process("another"), pytest.raises(BusyError, match="all 1 confined processes"):
            pool.open_image(strange(site, "fine"))
        with pool.open_image(strange(site, "fine")) as file:
            with pool.process("another"), pytest.raises(BusyError, match="all 1 confined processes"):
                file.images[0].plane()
            assert file.images[0].plane().sum() == 7 * 16


def test_where_no_process_starts_the_file_is_not_blamed(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = strange(site, "fine")
    before = psutil.Process().num_fds()
    with Pool(1, BUDGETS) as pool:
        with monkeypatch.context() as patched:
            patched.setattr(sys, "executable", str(site / "no-python"))
            for _ in range(3):
                with pytest.raises(BusyError, match="no confined process could be started"):
                    pool.open_image(path)
        assert psutil.Process().num_fds() == before
        with monkeypatch.context() as patched:
            patched.setattr(sys, "executable", "/bin/false")
            with pytest.raises(BusyError, match="no confined process could be started"):
                pool.open_image(path)
        assert psutil.Process().num_fds() == before
        read(pool, path)


@pytest.mark.kill
@pytest.mark.parametrize("is_seen_at_once", [True, False])
def test_idle_processes_that_died_hurt_no_file(
    *, is_seen_at_once: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = next(iter(make_mrc(tmp_path)))
    if not is_seen_at_once:  # as if it died between the look at it and the request
        monkeypatch.setattr(Process, "is_alive", lambda process: not process.is_over)
    with Pool(1, BUDGETS) as pool, pool.open_image(path) as file:
        truth = file.images[0].plane()

        def look_at_another() -> object:
            with pool.open_image(path) as other:
                return other.images[0].plane()

        for look in (file.images[0].plane, look_at_another):
            (pid,) = pool.pids
            died = psutil.Process(pid)
            died.kill()
            while died.is_running() and died.status() != psutil.STATUS_ZOMBIE:
                threading.Event().wait(0.01)
            np.testing.assert_array_equal(look(), truth)
            assert pid not in pool.pids


@pytest.mark.kill
def test_a_process_that_dies_with_the_request_unread_hurts_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = next(iter(make_mrc(tmp_path)))
    with Pool(1, BUDGETS) as pool, pool.open_image(path) as file:
        truth = file.images[0].plane()
        (pid,) = pool.pids
        stopped = psutil.Process(pid)
        stopped.suspend()
        send = wire.send

        def send_and_kill(*parts: Any) -> None:
            send(*parts)
            if pid in pool.pids:
                stopped.kill()

        monkeypatch.setattr(wire, "send", send_and_kill)
        np.testing.assert_array_equal(file.images[0].plane(), truth)
        assert pid not in pool.pids


def test_an_answer_without_files_is_nonsense(tmp_path: Path, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    path = next(iter(make_mrc(tmp_path)))
    ask = Process._ask
    for change in ({}, {"files": None}, {"files": [7]}, {"files": ["a\0b"]}):

        def told(process: Process, *asked: Any, change: dict[str, Any] = change) -> dict[str, Any]:
            answer = ask(process, *asked)
            answer.pop("files", None)
            return answer | change

        monkeypatch.setattr(Process, "_ask", told)
        with pytest.raises(ReadError, match="told nonsense: no names of files"):
            pool.open_image(path)


@pytest.mark.parametrize("rows", [None, [7], [{"x": []}]])
def test_rows_that_are_no_table_are_nonsense(
    rows: object, tmp_path: Path, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pool.open_image(make_table(tmp_path), reach=2) as file:
        monkeypatch.setattr(Process, "rows", lambda *_: rows)
        with pytest.raises(ReadError, match="told nonsense: no rows"):
            file.images[0].rows()


def make_table(folder: Path) -> Path:
    (folder / "FOV1").mkdir()
    tifffile.imwrite(folder / "FOV1" / "CD4.tif", np.ones((16, 16), np.uint16))
    (folder / "cell_table.csv").write_text("fov,label,size,type\nFOV1,1,2.5,B\nFOV2,1,1,T\nFOV1,2,nan,\n")
    return folder / "FOV1"


def test_rows_of_the_cell_table_are_those_of_an_open_file(
    tmp_path: Path, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_table(tmp_path)
    with open_image(path) as free:
        truth = free.images[0].rows()
    assert len(truth) == 2
    with pool.open_image(path, reach=2) as confined:
        assert repr(confined.images[0].rows()) == repr(truth)  # one of them is not a number
        pool.close_idle(0)
        assert repr(confined.images[0].rows()) == repr(truth)
        (tmp_path / "cell_table.csv").write_text("no table")
        with pytest.raises(ReadError, match="reading the cell table failed"):
            confined.images[0].rows()
    with pytest.raises(ReadError, match="the file is closed"):
        confined.images[0].rows()


def test_larger_reads_than_the_budget_are_the_mistake_of_who_asks(site: Path, pool: Pool) -> None:
    with pool.open_image(strange(site, "vast")) as file, pytest.raises(RegionError, match="Read a smaller region"):
        file.images[0].plane()


def test_keys_and_passwords_stay_with_the_owner(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COVERSLIP_DATABASE_URL", "postgresql://me:secret@db/x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with Pool(1, BUDGETS) as pool, pool.open_image(strange(site, "environment")) as file:
        name = file.images[0].metadata.name
    assert name.endswith(" in /")
    assert "PATH" in name
    assert "COVERSLIP" not in name
    assert "AWS" not in name


def test_many_threads_get_the_right_planes(tmp_path: Path) -> None:
    paths = [*make_mrc(tmp_path), *make_nd2(tmp_path)]
    truths = {}
    for path in paths:
        with open_image(path) as file:
            truths[path] = file.images[0].to_numpy()
    with Pool(2, BUDGETS) as pool, ThreadPoolExecutor(8) as threads:
        files = {path: pool.open_image(path) for path in paths}

        def look(number: int) -> bool:
            dice = Random(number)
            path = dice.choice(paths)
            t, c, z = (dice.randrange(length) for length in truths[path].shape[:3])
            return np.array_equal(files[path].images[0].plane(t=t, c=c, z=z), truths[path][t, c, z])

        assert all(threads.map(look, range(200)))
        assert len(pool.pids) <= 2
        for file in files.values():
            file.close()


def test_a_file_that_was_replaced_is_not_taken_for_the_old_one(site: Path, tmp_path: Path, pool: Pool) -> None:
    path = tmp_path / "a.strange"
    path.write_text("fine")
    with pool.open_image(path) as file:
        pool.close_idle(0)
        path.write_text("environment")
        with pytest.raises(ReadError, match="has changed since it was opened"):
            file.images[0].plane()


def test_processes_are_replaced_after_some_files_and_end_when_idle(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coverslip.confined.pool, "RECYCLED_AFTER", 3)
    path = strange(site, "fine")
    seen: set[int] = set()
    with Pool(1, BUDGETS) as pool:
        for _ in range(7):
            with pool.open_image(path) as file:
                assert file.images[0].plane().sum() == 7 * 16
            seen.update(pool.pids)
        assert len(seen) == 4  # a file whose process was replaced is opened again to be read
        pool.close_idle(0)
        assert not pool.pids
    assert not any(psutil.pid_exists(pid) for pid in seen)


def test_closed_files_are_closed_in_their_process(tmp_path: Path, pool: Pool) -> None:
    path = next(path for path in make_nd2(tmp_path))
    with pool.open_image(path) as file:
        file.images[0].plane()
        process = psutil.Process(pool.pids[0])
        assert str(path) in [one.path for one in process.open_files()]
    assert str(path) not in [one.path for one in process.open_files()]
    with pytest.raises(ReadError, match="the file is closed"):
        file.images[0].plane()


def test_lazy_arrays_open_the_file_in_a_pool_again(tmp_path: Path, pool: Pool) -> None:
    path = next(iter(make_mrc(tmp_path)))
    with pool.open_image(path) as file:
        lazy = file.images[0].to_dask()
        truth = file.images[0].to_numpy()
    np.testing.assert_array_equal(np.asarray(lazy), truth)
    assert isinstance(pickle.loads(pickle.dumps(pool)), Pool)


@pytest.mark.kill
def test_processes_end_with_their_owner(tmp_path: Path) -> None:
    path = next(iter(make_mrc(tmp_path)))
    program = (
        "import sys, time; from coverslip.confined import Pool; from coverslip.model import Budgets\n"
        "pool = Pool(1, Budgets()); file = pool.open_image(sys.argv[1]); print(*pool.pids, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        process = psutil.Process(int(owner.stdout.readline()))
        owner.send_signal(signal.SIGKILL)
    gone, alive = psutil.wait_procs([process], timeout=60)
    assert (len(gone), alive) == (1, [])


def test_closing_fails_the_reads_that_are_under_way(site: Path) -> None:
    pool = Pool(1, Budgets(seconds=300))
    caught: list[BaseException] = []

    def wait() -> None:
        with pytest.raises(ReadError) as info:
            pool.open_image(strange(site, "hang"))
        caught.append(info.value)

    thread = threading.Thread(target=wait)
    thread.start()
    while not pool.pids:
        thread.join(0.01)
    pool.close()
    thread.join(60)
    assert len(caught) == 1


def test_a_process_that_starts_while_the_pool_closes_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = next(iter(make_mrc(tmp_path)))
    pool = Pool(1, BUDGETS)
    started: list[int] = []
    init = Process.__init__

    def start_late(process: Process) -> None:
        init(process)
        started.append(process.pid)
        pool.close()

    monkeypatch.setattr(Process, "__init__", start_late)
    for _ in range(2):
        with pytest.raises(BusyError, match="closing down"):
            pool.open_image(path)
    (pid,) = started
    assert not psutil.pid_exists(pid)
    assert (pool.pids, pool.is_closed) == ((), True)


def test_a_process_at_work_while_the_pool_closes_is_not_kept(tmp_path: Path) -> None:
    pool = Pool(1, BUDGETS)
    with pool.process("one") as process:
        pool.close()
        process.is_over = False  # as if it had been given back at that moment
    assert (pool.pids, process.is_over) == ((), True)
