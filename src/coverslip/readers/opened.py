"""An open file of a format whose library holds one handle."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from coverslip.model import CanRead


@dataclass(frozen=True, slots=True)
class Opened:
    """The images of an open file, and how to let go of it."""

    files: Sequence[Path]
    images: Sequence[CanRead]
    release: Callable[[], None]
    concurrent: bool = False
    """Whether several threads may read at the same time."""

    def close(self) -> None:
        """Release every handle."""
        self.release()
