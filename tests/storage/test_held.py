import subprocess
import sys
import threading
from pathlib import Path

import pytest

from coverslip.storage import abandoned, hold

HOLD = """
import sys, time
from pathlib import Path
from coverslip.storage import hold
with hold(Path(sys.argv[1]), b"mine"):
    print("held", flush=True)
    time.sleep(60)
"""


def is_free(path: Path) -> bool:
    with abandoned(path, after_seconds=3600) as answer:
        return answer


def test_a_file_is_held_until_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "x.part"
    with hold(path, b"mine"):
        assert not is_free(path)
        path.rename(tmp_path / "renamed")
        assert not is_free(tmp_path / "renamed")
    assert (tmp_path / "renamed").read_bytes() == b"mine"
    assert is_free(tmp_path / "renamed")
    with pytest.raises(FileNotFoundError):
        is_free(path)


def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.part"
    order = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(order, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        assert not is_free(path)
        process.kill()
        process.wait()
    assert is_free(path)


def test_who_finds_it_removed_makes_it_again(tmp_path: Path) -> None:
    path = tmp_path / "x.pending"
    path.write_bytes(b"old and longer")
    entered = threading.Event()

    def work() -> None:
        with hold(path, b"new"):
            entered.set()

    thread = threading.Thread(target=work)
    with abandoned(path, after_seconds=0) as answer:
        assert answer
        thread.start()
        assert not entered.wait(0.2)
        path.unlink()
    thread.join()
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]
