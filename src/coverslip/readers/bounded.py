"""A file of which nobody can ask for more bytes than it has."""

import io
import os
from pathlib import Path
from typing import Any

from coverslip.sources import RemotePath

SMALL = 1 << 16
"""Reads up to this size are not worth a look at where the file ends."""


def open_bounded(path: Path) -> Any:
    """Open a file of which nobody can ask for more bytes than it has; those of remote paths are so by themselves."""
    return path.open("rb") if isinstance(path, RemotePath) else BoundedFile(path)


class BoundedFile(io.BufferedReader):
    """A local file, open for reading, that cuts a read down to what is left before it asks for memory.

    Python's own files ask for as many bytes as the caller wants and then see how many there are. Format libraries
    pass on lengths that a damaged file states, up to 4 GiB.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(str(path)))
        self._size = os.fstat(self.fileno()).st_size

    def read(self, size: int | None = -1, /) -> bytes:
        """Return so many bytes, or as many as are left."""
        if size is None or size <= SMALL:
            return super().read(size)
        return super().read(min(size, max(0, self._size - self.tell())))
