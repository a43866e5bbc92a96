"""Our own commands as processes of the operating system, as people start them."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from coverslip.settings import Settings
from tests.api.conftest import Service

START_SECONDS = 60.0
END_SECONDS = 60.0


@dataclass(frozen=True)
class Command:
    """A command that runs."""

    process: subprocess.Popen[bytes]
    log: Path
    """What it says, on both streams."""

    @property
    def said(self) -> str:
        """Everything it has said."""
        return self.log.read_text(errors="replace")

    def wait_to_say(self, pattern: str) -> re.Match[str]:
        """Return where a pattern matches what it says, once it does."""
        deadline = time.monotonic() + START_SECONDS
        while (found := re.search(pattern, self.said)) is None:
            assert self.process.poll() is None, self.said
            assert time.monotonic() < deadline, self.said
            time.sleep(0.05)
        return found


@contextmanager
def command(home: Path, *words: str, **settings: object) -> Iterator[Command]:
    """Run one of our commands until the end of the block; it must end by itself when it is told to.

    Parameters
    ----------
    home
        Where it has its things; what it says is written beside it.
    *words
        The command line.
    **settings
        Settings, by their names.
    """
    given = {f"COVERSLIP_{name.upper()}": str(value) for name, value in settings.items()}
    variables = {**os.environ, "PYTHONUNBUFFERED": "1", "COVERSLIP_HOME": str(home), **given}
    log = home.parent / f"{words[0]}.log"
    with log.open("wb") as output:
        run = [sys.executable, "-m", "coverslip", *words]
        process = subprocess.Popen(run, env=variables, stdout=output, stderr=subprocess.STDOUT, cwd=home.parent)
        try:
            yield Command(process, log)
            process.send_signal(signal.SIGTERM)
            assert process.wait(END_SECONDS) in (0, -signal.SIGTERM), log.read_text(errors="replace")
        finally:
            process.kill()
            process.wait()


@contextmanager
def server(home: Path, **settings: object) -> Iterator[tuple[Service, Command]]:
    """Run ``coverslip serve`` on a free port until the end of the block."""
    with command(home, "serve", "--port", "0", **settings) as running:
        address = running.wait_to_say(r"Coverslip is at (http://\S+?)/? ")[1]
        with httpx.Client(base_url=address, timeout=60) as client:
            yield Service(client, Settings.load(home=home, **settings), address), running
