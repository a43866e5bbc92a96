"""A real server with a small library, and a real browser."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.web.browser import Visit, browser, visiting
from tests.web.specimens import write_library

__all__ = ["browser"]


@dataclass(frozen=True)
class Site:
    """A running server."""

    address: str
    home: Path
    images: Path

    def add(self, folder: Path) -> None:
        """Catalog a folder as a person would, from another process."""
        command = [*COVERSLIP, "add", str(folder)]
        run = subprocess.run(command, env=_environment(self.home), capture_output=True, check=False)
        assert run.returncode == 0, run.stderr.decode()


COVERSLIP = (sys.executable, "-m", "coverslip")


def _environment(home: Path) -> dict[str, str]:
    return {**os.environ, "COVERSLIP_HOME": str(home), "PYTHONUNBUFFERED": "1"}


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server of its own process with seven images of four formats."""
    folder = tmp_path_factory.mktemp("site")
    home, images = folder / "home", write_library(folder / "images")
    command = [*COVERSLIP, "serve", "--port", "0"]
    with subprocess.Popen(command, env=_environment(home), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        site = Site(process.stdout.readline().split(" at ")[1].split("/ ")[0], home, images)
        try:
            site.add(images)
            yield site
        finally:
            process.terminate()
            process.communicate()


@pytest.fixture
def visit(browser: Browser, site: Site) -> Iterator[Visit]:
    """A person with a light screen of ordinary size."""
    with visiting(browser, site.address) as visit:
        yield visit
