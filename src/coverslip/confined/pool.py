"""A few confined processes for any number of files: opened where there is room, opened again where that is gone."""

import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from coverslip.confined.process import GoneError, Process
from coverslip.confined.told import Box, Described, described_of, names_of, rows_of
from coverslip.errors import BusyError, ReadError
from coverslip.model import Budgets, Cell, ImageMetadata, Region
from coverslip.readers import ImageFile, within

if TYPE_CHECKING:
    from coverslip.model.protocols import Array

RECYCLED_AFTER = 200
"""Files a process opens before another one takes its place: what libraries leak and fragment goes with it."""


class Pool:
    """Opens image files in confined processes, started when they are needed. Safe from any number of threads.

    A process has one request at a time. One that dies, takes too long or too much takes with it that request alone: the
    other files it held are opened again elsewhere when they are next read.

    Parameters
    ----------
    limit
        Processes at most.
    budgets
        Of each open and each read.
    """

    def __init__(self, limit: int, budgets: Budgets) -> None:
        self._limit = limit
        self._budgets = budgets
        self._turn = threading.Condition()
        self._idle: list[Process] = []
        self._busy: list[Process | None] = []
        """``None`` is one that is being started."""
        self._unwanted: set[str] = set()
        self.is_closed = False

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._limit, self._budgets)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pids(self) -> tuple[int, ...]:
        """Numbers of the processes there are."""
        with self._turn:
            return tuple(process.pid for process in (*self._idle, *self._busy) if process is not None)

    def open_image(self, path: str | os.PathLike[str], *, reach: int = 0) -> ImageFile:
        """Open an image file as ``readers.open_image`` does, in a confined process.

        Parameters
        ----------
        path
            A local file or folder.
        reach
            How many folders above its own one the other files of a set may lie.

        Raises
        ------
        ImageLoadError
            As ``readers.open_image`` does.
        BudgetError
            It takes more than it may: also seconds and memory.
        BusyError
            All processes are busy with other files, or none can be started.
        """
        opened = _Opened(self, Path(path), self._budgets, reach)
        with within(self._budgets):
            return ImageFile(opened, Path(path), opened.reader, partial(self.open_image, reach=reach))

    @contextmanager
    def process(self, token: str) -> Iterator[Process]:
        """Give a process for one request, one that holds the file if possible.

        Raises
        ------
        BusyError
            All are busy, or none can be started.
        """
        process = self._take(token) or self._start()
        try:
            yield process
        finally:
            self._give_back(process)

    def forget(self, token: str) -> None:
        """Close a file wherever it is open, now or when its process is free."""
        with self._turn:
            holders = [process for process in self._idle if token in process.held]
            self._idle = [process for process in self._idle if process not in holders]
            self._busy += holders
            if any(process is None or process not in holders for process in self._busy):
                self._unwanted.add(token)
        for process in holders:
            self._drop(process, token)
            self._give_back(process)

    def close_idle(self, seconds: float) -> None:
        """End the processes that nobody has used for so long."""
        before = time.monotonic() - seconds
        with self._turn:
            gone = [process for process in self._idle if process.used_at <= before]
            self._idle = [process for process in self._idle if process not in gone]
        for process in gone:
            process.close()

    def close(self) -> None:
        """End all processes, those at work too: their requests fail. No more are started."""
        with self._turn:
            self.is_closed = True
            gone = [*self._idle, *(process for process in self._busy if process is not None)]
            self._idle = []
        for process in gone:
            process.close()

    def _take(self, token: str) -> Process | None:
        """Return a process that is free now or in time, ``None`` where another one may be started."""
        until = time.monotonic() + self._budgets.seconds
        with self._turn:
            while True:
                self._idle = [process for process in self._idle if process.is_alive()]
                if self._idle:
                    best = max(self._idle, key=lambda process: (token in process.held, process.used_at))
                    self._idle.remove(best)
                    self._busy.append(best)
                    return best
                if len(self._busy) < self._limit:
                    self._busy.append(None)
                    return None
                if not self._turn.wait(until - time.monotonic()):
                    raise BusyError(
                        f"all {self._limit} confined processes have been busy with other files for "
                        f"{self._budgets.seconds:g} s. Try again, or raise COVERSLIP_CONFINED_PROCESSES"
                    )

    def _start(self) -> Process:
        process = None
        try:
            if not self.is_closed:
                process = Process()
        except BusyError:
            raise
        except OSError as error:
            raise BusyError(f"no confined process could be started: {error}") from error
        finally:
            with self._turn:
                self._busy.remove(None)
                is_late = self.is_closed
                self._busy += [] if process is None or is_late else [process]
                self._turn.notify()
            if is_late and process is not None:
                process.close()
        if process is None or is_late:
            raise BusyError("no confined process is started any more: whoever needed them is closing down")
        return process

    def _give_back(self, process: Process) -> None:
        with self._turn:
            unwanted = self._unwanted & set(process.held)
        for token in unwanted:
            self._drop(process, token)
        with self._turn:
            if process.opened >= RECYCLED_AFTER or self.is_closed:
                process.close()
            self._busy.remove(process)
            if not process.is_over:
                self._idle.append(process)
            held = {token for one in (*self._idle, *self._busy) if one is not None for token in one.held}
            self._unwanted &= held
            self._turn.notify()

    def _drop(self, process: Process, token: str) -> None:
        try:
            process.drop(token, self._budgets)
        except ReadError:
            process.close()


class _Opened:
    """A file that is open in some process, or can be opened again in another."""

    def __init__(self, pool: Pool, path: Path, budgets: Budgets, reach: int) -> None:
        self._pool = pool
        self._path = path
        self._budgets = budgets
        self._reach = reach
        self._token = uuid.uuid4().hex
        known = self._in_process(self._open)
        self.reader = str(known.get("reader"))
        self.files: Sequence[Path] = [self._inside(name) for name in names_of(path, known.get("files"))]
        self._known = described_of(path, known.get("images"))
        self.images = [_Image(self, one, number) for number, one in enumerate(self._known)]

    def read(self, meta: ImageMetadata, number: int, label: int | None, level: int, region: Region) -> "Array":
        """Return the pixels of a region of one image, or of one of its label images."""
        shape = (*region.shape, meta.samples) if meta.samples > 1 else region.shape
        place = {"image": number, "label": label, "level": level, "region": region.spans}

        def fill(process: Process) -> "Array":
            self._hold(process)
            out: Array = np.empty(shape, meta.dtype)
            process.read(self._token, self._path, self._budgets, place, out)
            return out

        return self._in_process(fill)

    def rows(self, number: int) -> list[dict[str, Cell]]:
        """Return the rows of the cell table of one image."""

        def ask(process: Process) -> object:
            self._hold(process)
            return process.rows(self._token, self._path, self._budgets, number)

        return rows_of(self._path, self._in_process(ask))

    def close(self) -> None:
        """Release the file."""
        self._pool.forget(self._token)

    def _in_process[T](self, do: Callable[[Process], T]) -> T:
        """Return what one request gives; once more in another process if the first had died before it took it."""
        try:
            with self._pool.process(self._token) as process:
                return do(process)
        except GoneError:
            with self._pool.process(self._token) as process:
                return do(process)

    def _hold(self, process: Process) -> None:
        """Open the file again if it is not open in this process."""
        if self._token not in process.held and (
            described_of(self._path, self._open(process).get("images")) != self._known
        ):
            raise ReadError(f"{self._path}: the file has changed since it was opened. Open it again")

    def _open(self, process: Process) -> dict[str, Any]:
        return process.open(self._token, self._path, self._budgets)

    def _inside(self, name: str) -> Path:
        """Return a file of the set, which must lie near the opened one: nobody else's file becomes a part of it."""
        own = Path(os.path.realpath(self._path if self._path.is_dir() else self._path.parent))
        home = (own, *own.parents)[min(self._reach, len(own.parents))]
        if not Path(os.path.realpath(name)).is_relative_to(home):
            self.close()
            raise ReadError(f"{self._path}: it names {name} as its part, which is outside of {home}")
        return Path(name)


class _Image:
    """One image of such a file, or one of its label images."""

    def __init__(self, opened: _Opened, known: Described, number: int, label: int | None = None) -> None:
        self.metadata = known.metadata
        self.labels = tuple(_Image(opened, one, number, n) for n, one in enumerate(known.labels))
        self._opened = opened
        self._chunks = known.chunks
        self._place = number, label

    def chunk(self, level: int) -> Box:
        """Return the box that costs no more to read than a part of it; see ``model.protocols.CanRead``."""
        return self._chunks[level]

    def read(self, level: int, region: Region) -> "Array":
        """Return pixels; see ``model.protocols.CanRead``."""
        return self._opened.read(self.metadata, *self._place, level, region)

    def rows(self) -> Iterator[Mapping[str, Cell]]:
        """Yield the rows of the cell table; see ``model.protocols.CanLabel``."""
        yield from self._opened.rows(self._place[0])
