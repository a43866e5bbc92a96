"""What a recipe is given to work with: its inputs, what earlier steps found out, and where its outputs go."""

import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from coverslip.errors import BuildError, CoverslipError, ReadError
from coverslip.ingest.deposition.fingerprints import Places
from coverslip.ingest.deposition.noted import Noted
from coverslip.ingest.deposition.steps import Input, Step, Target
from coverslip.model import CanRead
from coverslip.storage import Storage

type Facts = Mapping[str, Any]

ROOTS = (".zgroup", ".zattrs", "zarr.json")
"""What makes a folder an OME-Zarr: it is written last, so that half of one is none."""


class StoppedError(CoverslipError):
    """Somebody asked the ingest to stop, or has the run now."""


@dataclass(slots=True)
class Tally:
    """What was opened, of all steps together. Safe to use from any number of threads."""

    volumes_opened: int = 0
    files_opened: int = 0
    bytes_read: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, *, volumes: int = 0, files: int = 0, bytes_read: int = 0) -> None:
        """Count."""
        with self._lock:
            self.volumes_opened += volumes
            self.files_opened += files
            self.bytes_read += bytes_read


class Work:
    """One step as its recipe sees it.

    Parameters
    ----------
    step, target
        What to do, and the entity it belongs to.
    needs
        The facts of the steps that it comes after, by name.
    places
        Where inputs lie.
    sizes
        Bytes of the inputs.
    tally
        Counts what is opened.
    is_stopped
        Whether there is no point in going on.
    before
        What was noted of the step when it was done last.
    now
        Seconds since 1970.
    verify
        Raises an error when an input has changed since it was looked at; asked before anything is published.
    """

    def __init__(
        self,
        step: Step,
        target: Target,
        *,
        needs: Mapping[str, Facts],
        places: Places,
        sizes: Mapping[Input, int],
        tally: Tally,
        is_stopped: Callable[[], bool],
        before: Noted | None,
        now: Callable[[], float],
        verify: Callable[[], None] = lambda: None,
    ) -> None:
        self.step = step
        self.target = target
        self.needs = needs
        self.before = before
        self.now = now
        self._places = places
        self._sizes = sizes
        self._tally = tally
        self.is_stopped = is_stopped
        self._verify = verify
        self._lock = threading.Lock()
        self._opened: set[Input] = set()
        self.outputs: dict[str, str] = {}
        """What was written so far, with digests."""
        self.digest = ""
        """Of everything that the result depends on; known before the recipe begins."""
        self.objects = 0
        self.bytes = 0

    @property
    def destination(self) -> Storage:
        """Where outputs go."""
        return self._places.destination

    def only_input(self) -> Input:
        """Return the input of a step that has one.

        Raises
        ------
        BuildError
            It has none, or several.
        """
        if len(self.step.inputs) != 1:
            raise BuildError(f"{self.step.name}: expected one input, the plan has {len(self.step.inputs)}")
        return self.step.inputs[0]

    def output(self, suffix: str) -> str | None:
        """Return the output whose name ends so, where the plan has one."""
        return next((key for key in self.step.outputs if key.endswith(suffix)), None)

    def only_output(self) -> str:
        """Return the output of a step that has one.

        Raises
        ------
        BuildError
            It has none, or several.
        """
        if len(self.step.outputs) != 1:
            raise BuildError(f"{self.step.name}: expected one output, the plan has {len(self.step.outputs)}")
        return self.step.outputs[0]

    def file(self, wanted: Input) -> Path:
        """Return an input that is about to be read as a whole."""
        self.go_on()
        if wanted not in self._opened:
            self._opened.add(wanted)
            self._tally.add(files=1, bytes_read=self._sizes.get(wanted, 0))
        return self._places.path(wanted)

    @contextmanager
    def image(self, wanted: Input) -> Iterator[CanRead]:
        """Open an input as the one image in it.

        Raises
        ------
        ImageLoadError
            It is none, or not one.
        """
        from coverslip.readers import open_image  # noqa: PLC0415  brings numpy along

        self.go_on()
        self._tally.add(volumes=1, bytes_read=self._sizes.get(wanted, 0))
        path = self._places.path(wanted)
        with open_image(path) as opened:
            if len(opened.images) != 1:
                raise ReadError(f"{path}: expected one volume, found {len(opened.images)} images")
            yield opened.images[0]

    def go_on(self) -> None:
        """Do nothing, unless there is no point in going on.

        Raises
        ------
        StoppedError
            There is none.
        """
        if self.is_stopped():
            raise StoppedError("the ingest was stopped")

    def publish(self, key: str, data: bytes) -> None:
        """Write an output of the step.

        Raises
        ------
        StorageError
            It could not be written.
        StoppedError
            There is no point in going on.
        """
        self._verify()
        self.put(key, data)
        self.outputs[key] = hashlib.sha256(data).hexdigest()

    def put(self, key: str, data: bytes) -> None:
        """Write an object, which may be part of an output; see ``publish``."""
        self.go_on()
        self.destination.put(key, data)
        self.count(1, len(data))

    @contextmanager
    def create(self, key: str) -> Iterator[BinaryIO]:
        """Give a file for an output that is too large for memory; it is published when the ``with`` block ends well.

        What tells its content apart is the digest of everything that it depends on.
        """
        self.go_on()
        with self.destination.create(key) as stream:
            yield stream
            self.go_on()
            self._verify()
            size = stream.seek(0, os.SEEK_END)
        self.count(1, size)
        self.outputs[key] = self.digest

    def count(self, objects: int, size: int) -> None:
        """Count objects and bytes that were written otherwise."""
        with self._lock:
            self.objects += objects
            self.bytes += size

    @contextmanager
    def folder(self, key: str) -> "Iterator[Folder]":
        """Give a folder to write an OME-Zarr to; it is one when the ``with`` block ends without an error.

        An image that was there before is none from the beginning on: nobody sees pixels of two.
        """
        there = {found.key for found in self.destination.list(key)}
        for name in ROOTS:
            if f"{key}/{name}" in there:
                self.destination.delete(f"{key}/{name}")
        folder = Folder(self, key)
        yield folder
        self._verify()
        for left in sorted(there - folder.keys()):
            self.go_on()
            self.destination.delete(left)
        folder.finish()
        self.outputs[key] = folder.digest()


class Folder:
    """An OME-Zarr that is being written. Safe to use from any number of threads."""

    def __init__(self, work: Work, key: str) -> None:
        self._work = work
        self._key = key
        self._lock = threading.Lock()
        self._digests: dict[str, str] = {}
        self._last: dict[str, bytes] = {}

    def put(self, name: str, data: bytes) -> None:
        """Write a member; documents of the folder itself are kept until everything else is there."""
        digest = hashlib.sha256(data).hexdigest()
        if name in ROOTS:
            with self._lock:
                self._last[name] = bytes(data)
        else:
            self._work.put(f"{self._key}/{name}", data)
        with self._lock:
            self._digests[name] = digest

    def keys(self) -> set[str]:
        """Return the keys of everything it consists of."""
        return {f"{self._key}/{name}" for name in self._digests}

    def finish(self) -> None:
        """Write the documents of the folder itself."""
        for name in ROOTS:
            if name in self._last:
                self._work.put(f"{self._key}/{name}", self._last[name])

    def digest(self) -> str:
        """Return what tells the content of all of it apart."""
        lines = "".join(f"{name}\0{digest}\n" for name, digest in sorted(self._digests.items()))
        return hashlib.sha256(lines.encode()).hexdigest()
