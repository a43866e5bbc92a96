"""One confined process, seen by its owner."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coverslip.confined import wire
from coverslip.errors import BudgetError, BusyError, CoverslipError, ReadError
from coverslip.model import Budgets

if TYPE_CHECKING:
    from coverslip.model.protocols import Array

START_SECONDS = 60.0
HELD = 4
"""Files that a process keeps open."""
PASSED_ON = ("PATH", "HOME", "LANG", "TMPDIR", "TZ", "VIRTUAL_ENV", "SYSTEMROOT")
"""Variables that a process gets from its owner, and those of Python and of locales: keys and passwords stay here."""
TIME_SIGNALS = (signal.SIGALRM, signal.SIGXCPU)


class GoneError(BusyError):
    """The process had died before it took the request: the file has no part in it."""


class Process:
    """A confined process and what it holds. Used by one thread at a time."""

    def __init__(self) -> None:
        self.held: OrderedDict[str, None] = OrderedDict()
        """Tokens of the files that are open in it, the longest unused first."""
        self.opened = 0
        """How many files it has opened."""
        self.used_at = time.monotonic()
        self.is_over = False
        self._unwanted: list[str] = []
        self._line, theirs = socket.socketpair()
        with ExitStack() as failed, theirs:
            failed.callback(self._line.close)
            for end in (self._line, theirs):
                for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
                    end.setsockopt(socket.SOL_SOCKET, option, wire.BUFFER_BYTES)
            self._process = subprocess.Popen(  # noqa: S603  # ourselves
                [sys.executable, "-P", "-W", "ignore", "-m", "coverslip.confined.worker", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C is for the owner
                env={name: text for name, text in os.environ.items() if _is_passed_on(name)},
            )
            failed.pop_all()
        try:
            wire.receive(self._line, time.monotonic() + START_SECONDS)
        except (wire.LineLostError, wire.TooLateError) as error:
            self.close()
            raise BusyError("no confined process could be started; the log of the server says why") from error

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def is_alive(self) -> bool:
        """Return whether the process still runs; let go of it if not."""
        if not self.is_over and self._process.poll() is not None:
            self.close()
        return not self.is_over

    def open(self, token: str, path: Path, limits: Budgets) -> dict[str, Any]:
        """Open a file under a token and return what the process knows about it.

        Raises
        ------
        ImageLoadError
            It cannot be opened, or not within its budgets.
        """
        while len(self.held) >= HELD:
            self._unwanted.append(self.held.popitem(last=False)[0])
        self.opened += 1
        answer = self._ask({"do": "open", "token": token}, path, limits)
        self.held[token] = None
        return answer

    def read(self, token: str, path: Path, limits: Budgets, place: Mapping[str, Any], out: "Array") -> None:
        """Fill an array with pixels of a file that is open here.

        Raises
        ------
        CoverslipError
            They cannot be had, or not within the budgets.
        """
        self.held.move_to_end(token)
        self._ask({"do": "read", "token": token, **place}, path, limits, memoryview(out.reshape(-1).view("u1")))

    def rows(self, token: str, path: Path, limits: Budgets, number: int) -> object:
        """Return the rows of the cell table of one image of a file that is open here, as the process tells them.

        Raises
        ------
        CoverslipError
            They cannot be had, or not within the budgets.
        """
        self.held.move_to_end(token)
        return self._ask({"do": "rows", "token": token, "image": number}, path, limits).get("rows")

    def drop(self, token: str, limits: Budgets) -> None:
        """Close a file, if it is open here."""
        if token in self.held and not self.is_over:
            del self.held[token]
            self._unwanted.append(token)
            self._ask({"do": "drop"}, Path(), limits)

    def close(self) -> None:
        """End the process. Safe to call twice."""
        self.is_over = True
        self._line.close()
        if self._process.returncode is None:
            self._process.kill()
            self._process.wait()

    def _ask(
        self, request: Mapping[str, Any], path: Path, limits: Budgets, target: memoryview | None = None
    ) -> dict[str, Any]:
        """Return the answer to a request; payload goes to ``target``, which it must fill exactly."""
        until = time.monotonic() + limits.seconds
        unwanted, self._unwanted = self._unwanted, []
        asked = {**request, "path": os.path.abspath(path), "drop": unwanted, "budgets": limits.model_dump()}  # noqa: PTH100
        try:
            self._line.settimeout(limits.seconds)
            wire.send(self._line, asked)
            answer, size = wire.receive(self._line, until)
            if "error" in answer:
                raise wire.error_of(answer)
            if size != (0 if target is None else target.nbytes):
                raise wire.LineLostError(f"{size:,} bytes of pixels")
            if target is not None:
                wire.fill(self._line, target, until)
        except wire.TooLateError as error:
            self.close()
            raise _too_slow(path, limits) from error
        except wire.NobodyThereError as error:
            self.close()
            raise GoneError(f"{path}: the confined process had ended before it looked at it. Try again") from error
        except wire.LineLostError as error:
            raise self._fate(path, limits) from error
        except BudgetError as error:
            if error.budget == "memory_bytes":  # what was half done then is in no known state
                self.close()
            raise
        self.used_at = time.monotonic()
        return answer

    def _fate(self, path: Path, limits: Budgets) -> CoverslipError:
        """Return what became of the process, as an error about the file that it had in hand."""
        self._line.close()  # if it lives, it says what makes no sense, and ends now
        try:
            code = self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            code = 0
        self.close()
        if -code in TIME_SIGNALS:
            return _too_slow(path, limits)
        if -code == signal.SIGKILL:
            return BudgetError(
                f"{path}: the process that read it was killed by the system, probably for want of memory",
                budget="memory_bytes",
                allowed=limits.memory_bytes,
            )
        how = f"crashed with {signal.Signals(-code).name}" if code < 0 else "gave up"
        return ReadError(f"{path}: the process that read it {how}. The file is damaged or hostile")


def _too_slow(path: Path, limits: Budgets) -> BudgetError:
    return BudgetError(f"{path}: it takes too many seconds", budget="seconds", allowed=limits.seconds)


def _is_passed_on(name: str) -> bool:
    return name in PASSED_ON or name.startswith(("PYTHON", "LC_", "DYLD_", "LD_"))
