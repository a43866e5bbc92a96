"""Commands as processes that are killed, and what must be whole afterwards."""

import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest


def start(home: Path, *words: object) -> subprocess.Popen[str]:
    environment = {**os.environ, "COVERSLIP_HOME": str(home), "COVERSLIP_LEASE_SECONDS": "2", "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "coverslip", *map(str, words)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def kill(process: subprocess.Popen[str]) -> None:
    """Kill a process, which may have ended, and let go of its output."""
    process.send_signal(signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def wait_for(process: subprocess.Popen[str]) -> int:
    process.communicate(timeout=120)
    return process.returncode


def check_whole(home: Path) -> None:
    """Fail when the database is damaged or an image stands twice."""
    with closing(sqlite3.connect(home / "catalog.sqlite")) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []


def check_artifacts(home: Path) -> None:
    """Fail when a published artifact is not what its name says."""
    found = [path for path in (home / "artifacts").rglob("*") if path.is_file() and not path.name.startswith(".")]
    published = [path for path in found if path.parent.name != "catalogs"]
    assert published
    for path in published:
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.stem, f"{path} is torn"


def rounds(request: pytest.FixtureRequest) -> int:
    return 60 if request.config.getoption("--long") else 6


@contextmanager
def server(home: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    process = start(home, "serve", "--port", "0")
    assert process.stdout is not None
    line = process.stdout.readline()
    try:
        yield process, line.split(" at ")[1].split(" ")[0].rstrip("/")
    finally:
        kill(process)
