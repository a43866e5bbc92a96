"""What a row of the table says, and what came of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from conformance.elsewhere import Serve
from coverslip.errors import CoverslipError

Array = np.ndarray[Any, np.dtype[Any]]
Levels = Sequence[Array]
"""One image as a reference reader gives it: T, C, Z, Y, X (and S) of each pyramid level, finest first."""
Reference = Callable[[Path], Sequence[Levels]]
"""Reads every image of a file, in the file's own order, without any of our code."""
Status = Literal["right", "refused", "wrong", "experimental", "no file"]


@dataclass(frozen=True, slots=True)
class Written:
    """A file that another library writes in the run."""

    by: str
    """The library."""
    make: Callable[[Path], Path]
    """Writes the file into an empty folder and returns what is opened."""


@dataclass(frozen=True, slots=True)
class Row:
    """One feature of one format."""

    format: str
    feature: str
    source: str | Written
    """Path in the folder of samples, or who writes the file in the run. ``""`` while there is no such file at all."""
    reference: Reference | None
    """``None`` only where there is no file, or where the file has to be refused."""
    refused: type[CoverslipError] | None = None
    """The documented error, for what is not read on purpose."""
    experimental: str = ""
    """Why a wrong or empty row is no failure of the run: there is no independent file."""
    serve: Serve | None = None
    """Where the file is shown while we read it; the reference reads it from the disk. ``None`` for the disk."""

    @property
    def origin(self) -> str:
        """Where the file comes from, for people."""
        if isinstance(self.source, Written):
            return f"written by {self.source.by} in the run"
        return self.source or "none"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of opening one file."""

    status: Status
    compared: str = ""
    """The reference reader, by name."""
    images: int = 0
    reads: int = 0
    """How many boxes were read, each at a random image, level, t, c, z and region."""
    pixels: int = 0
    detail: str = ""
    """What is wrong, or the error."""

    @property
    def is_failure(self) -> bool:
        """Whether the run fails by it."""
        return self.status in {"wrong", "no file"}
