"""What many tests ask of an answer."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx


def check_problem(answer: httpx.Response, status: int, type_: str) -> None:
    """Fail unless this is the error document of one kind of problem."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert set(document) == {"type", "title", "detail", "errors"}
    assert document["type"] == type_
    assert document["detail"]


def eventually(is_true: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Return whether something becomes true within some time; files may come and go meanwhile."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if is_true():
                return True
        except (FileNotFoundError, httpx.TransportError):
            pass
        time.sleep(0.02)
    return False


@contextmanager
def broken_catalog(home: Path) -> Iterator[None]:
    """Make the catalog fail for the time of a ``with`` statement: its tables have other names."""
    tables = ("asset", "image", "artifact", "event")
    with closing(sqlite3.connect(home / "catalog.sqlite", timeout=30)) as database:
        for name in tables:
            database.execute(f"ALTER TABLE {name} RENAME TO hidden_{name}")
        try:
            yield
        finally:
            for name in tables:
                database.execute(f"ALTER TABLE hidden_{name} RENAME TO {name}")
