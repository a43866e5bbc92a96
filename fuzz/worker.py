"""A process that opens files and may be killed by them, and its owner's side of it."""

import contextlib
import faulthandler
import importlib
import importlib.util
import multiprocessing
import os
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import psutil

from coverslip import RenderSpec, open_image
from coverslip.errors import CoverslipError, ReadError
from coverslip.model import Budgets
from coverslip.readers import readers
from coverslip.render import draw

Outcome = Literal["opened", "refused", "error", "hang", "crash", "memory"]
"""The first two are what a damaged file may do; the others are findings."""

IMAGES = 3
"""Of a file with more images, so many are read."""

POLL_SECONDS = 0.05
START_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may cost."""

    seconds: float = 10.0
    megabytes: int = 1024
    """Of memory, on top of what the process has when it is given the file."""
    share: float = 0.25
    """Of that memory, how much the budgets of a file allow for one plane or one read: readers copy."""
    plugins: Path | None = None
    """A folder with more readers (modules and ``*.dist-info``), found by entry point."""

    @property
    def budgets(self) -> Budgets:
        """What a file is told that it may cost; a reader that takes more is a finding."""
        most = int((self.megabytes << 20) * self.share)
        return Budgets(plane_bytes=most, memory_bytes=most, xml_bytes=min(most, 16 << 20), pages=1_000_000)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one file."""

    outcome: Outcome
    reason: str = ""

    @property
    def is_finding(self) -> bool:
        """Whether this should not have happened."""
        return self.outcome not in {"opened", "refused"}


@dataclass(slots=True)
class Worker:
    """A process of its own that opens one file after another; a new one takes its place when it dies.

    Use it in a ``with`` statement.
    """

    limits: Limits
    log: Path
    """Where the process writes what libraries print, and the stack when it crashes."""
    warm: Sequence[str] = ()
    """Readers whose libraries are imported first, so that imports count neither as time nor as memory of a file."""
    _process: SpawnProcess | None = field(default=None, init=False)
    _pipe: "Connection[str, Verdict | None] | None" = field(default=None, init=False)

    def try_file(self, path: Path) -> Verdict:
        """Return what became of opening a file, reading its metadata and a plane, and drawing a thumbnail."""
        if self._process is None or self._pipe is None:
            self._process, self._pipe = self._start()
        self._pipe.send(str(path))
        verdict = self._wait(self._process, self._pipe)
        if verdict.outcome in {"hang", "crash", "memory"}:
            self.close()
        return verdict

    def close(self) -> None:
        """End the process. Safe to call twice."""
        if self._process is not None and self._pipe is not None:
            self._pipe.close()
            self._process.kill()
            self._process.join()
            self._process.close()
        self._process = self._pipe = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self) -> "tuple[SpawnProcess, Connection[str, Verdict | None]]":
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=work, args=(theirs, self.limits, self.log, tuple(self.warm)), daemon=True)
        process.start()
        theirs.close()
        if not ours.poll(START_SECONDS):
            process.kill()
            raise RuntimeError(f"the process that opens files did not start within {START_SECONDS:.0f} s")
        ours.recv()
        return process, ours

    def _wait(self, process: SpawnProcess, pipe: "Connection[str, Verdict | None]") -> Verdict:
        """Return the answer, or what kept the process from giving one."""
        until = time.monotonic() + self.limits.seconds
        most = self._resident(process) + (self.limits.megabytes << 20)
        while time.monotonic() < until:
            if pipe.poll(POLL_SECONDS):
                try:
                    return pipe.recv() or Verdict("error", "no answer")
                except EOFError:
                    process.join()
                    code = process.exitcode or 0
                    said = self.log.read_text(encoding="utf-8", errors="replace")[:3000].strip()
                    how = f"signal {-code}" if code < 0 else f"exit code {code}"
                    return Verdict("crash", f"the process ended with {how}. {said}")
            if self._resident(process) > most:
                return Verdict("memory", f"more than {self.limits.megabytes} MB in use")
        return Verdict("hang", f"no answer within {self.limits.seconds:g} s")

    @staticmethod
    def _resident(process: SpawnProcess) -> int:
        """Return the bytes of memory in use; 0 of a process that has just ended."""
        try:
            return int(psutil.Process(process.pid).memory_info().rss)
        except psutil.NoSuchProcess:
            return 0


def work(pipe: "Connection[Verdict | None, str]", limits: Limits, log: Path, warm: Sequence[str]) -> None:
    """Answer paths with verdicts until the pipe is closed. Runs in the worker process."""
    if limits.plugins is not None:
        sys.path.insert(0, str(limits.plugins))
    with log.open("a") as stream:
        for number in (1, 2):  # what libraries print belongs to the file they were given
            os.dup2(stream.fileno(), number)
        faulthandler.enable(stream)
        for name in warm:
            if importlib.util.find_spec(readers()[name].module):
                importlib.import_module(readers()[name].module)
        pipe.send(None)
        with contextlib.suppress(EOFError):
            while True:
                path = Path(pipe.recv())
                stream.truncate(0)
                bound_memory(limits.megabytes << 20)
                pipe.send(judge(path, limits.budgets))


def bound_memory(more: int) -> None:
    """Let this process have so many bytes of address space more than it has now, where the system can do that.

    Elsewhere the owner looks at the memory in use, every few moments.
    """
    table = Path("/proc/self/statm")
    if sys.platform != "win32" and table.exists():
        import resource  # noqa: PLC0415  # Windows has none

        pages = int(table.read_text(encoding="ascii").split()[0])
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        wanted = pages * os.sysconf("SC_PAGE_SIZE") + more
        resource.setrlimit(resource.RLIMIT_AS, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


def judge(path: Path, budgets: Budgets) -> Verdict:
    """Return what becomes of one file in this process."""
    try:
        look(path, budgets)
    except CoverslipError as error:
        if _wants_memory(error):
            return Verdict("memory", str(error))
        return Verdict("refused", f"{type(error).__name__}: {error}")
    except MemoryError as error:
        return Verdict("memory", "".join(traceback.format_exception(error)[-12:]))
    except Exception as error:  # noqa: BLE001  # noticing what nobody expected is what this program is for
        return Verdict("error", "".join(traceback.format_exception(error)[-12:]))
    return Verdict("opened")


def look(path: Path, budgets: Budgets) -> None:
    """Open a file and do with its first images what the library does: metadata as JSON, one plane, a thumbnail.

    Raises
    ------
    CoverslipError
        The file is refused.
    """
    with open_image(path, budgets) as file:
        for image in file.images[:IMAGES]:
            meta = image.metadata
            meta.model_dump_json().encode()
            t, c, z = (length // 2 for length in meta.shape[:3])
            image.plane(t=t, c=c, z=z)
            draw(image, RenderSpec(width=64, height=64))


def _wants_memory(error: BaseException | None) -> bool:
    """Return whether an error was raised because memory ran out."""
    while error is not None:
        if isinstance(error, MemoryError):
            return True
        error = error.__cause__ if isinstance(error, ReadError) else None
    return False
