"""A second kind of artifact is one line in a table: every command and the server know it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import coverslip
from tests.files import write_folder

FIRST = '(Drawn("thumbnail", THUMBNAIL), Combined("median"))'
BOTH = '(Drawn("thumbnail", THUMBNAIL), Drawn("stamp", THUMBNAIL.model_copy(update={"width": 16})), Combined("median"))'

SERVE_ONCE = """
import asyncio, sys
from coverslip.api import create_app
from coverslip.settings import Settings
from coverslip.derive import open_catalog
from coverslip.derive.kinds import ALWAYS

async def start_and_stop():
    app = create_app(Settings.load(), build_in_background=False)
    async with app.router.lifespan_context(app):
        catalog = app.state.rooms.catalog
        for image in catalog.list_images().images:
            print(*(catalog.artifact(kind.name, image.id).kind for kind in ALWAYS if kind.of == "image"))

asyncio.run(start_and_stop())
"""


class Program:
    """A copy of the program, started with a home of its own."""

    def __init__(self, folder: Path) -> None:
        source = Path(coverslip.__file__).parent
        shutil.copytree(source, folder / "copy" / "coverslip", ignore=shutil.ignore_patterns("web_dist", "__pycache__"))
        self.kinds = folder / "copy" / "coverslip" / "derive" / "kinds.py"
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith("COVERSLIP_")}
        self.environment |= {"COVERSLIP_HOME": str(folder / "home"), "PYTHONPATH": str(folder / "copy")}

    def add_kind(self) -> None:
        text = self.kinds.read_text(encoding="utf-8")
        assert FIRST in text
        self.kinds.write_text(text.replace(FIRST, BOTH), encoding="utf-8")

    def __call__(self, *words: object) -> str:
        return self.python("-m", "coverslip", *words)

    def python(self, *words: object) -> str:
        command = [sys.executable, *map(str, words)]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def artifacts(self) -> tuple[int, int]:
        """Return how many artifacts are fresh and how many stale."""
        counts = json.loads(self("status", "--json"))
        return counts["artifacts_fresh"], counts["artifacts_stale"]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


def test_files_that_are_added_get_both(program: Program, tmp_path: Path) -> None:
    program.add_kind()
    write_folder(tmp_path / "images", 3)
    program("add", tmp_path / "images")
    assert program.artifacts() == (0, 6)
    assert "6 artifacts built" in program("worker", "--until-done")
    assert program.artifacts() == (6, 0)
    assert {path.name for path in (tmp_path / "home" / "artifacts").iterdir()} == {"thumbnail", "stamp", "catalogs"}
    assert program.python("-c", SERVE_ONCE) == "thumbnail stamp\n" * 3


def test_images_that_were_there_before_get_it_too(program: Program, tmp_path: Path) -> None:
    write_folder(tmp_path / "images", 2)
    program("add", tmp_path / "images")
    program("worker", "--until-done")
    assert program.artifacts() == (2, 0)
    program.add_kind()
    assert program.artifacts() == (2, 2)
    assert "2 artifacts built" in program("worker", "--until-done")
