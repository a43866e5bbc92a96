"""Other processes that work on the same catalog, started at one moment."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

START = "import sys\nfrom coverslip.catalog import Catalog\nprint('ready', flush=True)\nsys.stdin.readline()\n"
"""Every script begins with this: imports take a second, the work must begin together."""

Process = subprocess.Popen[str]


@contextmanager
def processes(script: str, *argument_lists: Sequence[str]) -> Iterator[list[Process]]:
    """Start one process per list of arguments, let all go at once, and end those that are left."""
    order = [sys.executable, "-W", "error", "-c", START + script]
    pipe = subprocess.PIPE
    started = [
        subprocess.Popen([*order, *arguments], stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        for arguments in argument_lists
    ]
    try:
        for process in started:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n", process.communicate()[1]
        for process in started:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        yield started
    finally:
        for process in started:
            process.kill()
            process.communicate()


def outputs(script: str, *argument_lists: Sequence[str]) -> list[str]:
    """Return what each process printed; all must end well."""
    with processes(script, *argument_lists) as started:
        ended = [process.communicate(timeout=60) for process in started]
        for process, (_, problems) in zip(started, ended, strict=True):
            assert process.returncode == 0, problems
    return [printed for printed, _ in ended]
