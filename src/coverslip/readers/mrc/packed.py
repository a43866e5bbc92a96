"""Compressed MRC files: unpacked only as far as they are read, and never beyond what their header promises."""

import bz2
import gzip
import shutil
import tempfile
import zlib
from pathlib import Path
from typing import IO, cast

from coverslip.errors import ReadError, UnreadableFileError
from coverslip.model import Probe
from coverslip.readers.budgets import check_ratio

GZIP = b"\x1f\x8b"
BZIP2 = b"BZh"
BLOCK_BYTES = 1 << 20
GZIP_RATIO = 1100
"""How many bytes one stored byte can become at most; bzip2 has no bound. Micrographs reach 2, masks about 100."""
REST_BYTES = 64 << 20
"""Of what lies behind the pixels, so much is unpacked."""
MAX_SHARE = 0.9
"""How much of the free space of the folder for temporary files may be used: often it is memory."""


class Packed:
    """A file in gzip or bzip2.

    Parameters
    ----------
    path
        Its name.
    start
        Its first bytes; see ``is_packed``.
    """

    def __init__(self, path: Path, start: bytes) -> None:
        self._path = path
        self._is_gzip = start.startswith(GZIP)
        self.stream = cast("IO[bytes]", (gzip.open if self._is_gzip else bz2.open)(path))
        """Gives the unpacked content from the beginning; whoever reads it, reads before ``up_to``."""
        self._copy: IO[bytes] | None = None
        self._filled = 0
        self._is_checked = False

    def check(self, promised: int) -> None:
        """Refuse a header that promises more than a file of this size can sensibly hold.

        Raises
        ------
        ReadError
            With the numbers.
        BudgetError
            The same, where the codec would allow it.
        """
        packing = GZIP_RATIO if self._is_gzip else None
        check_ratio(promised, self._path.stat().st_size, packing, f"{self._path}: the file")

    def up_to(self, stop: int, promised: int) -> IO[bytes]:
        """Return a temporary file that holds the unpacked content at least up to byte ``stop``.

        Once all is unpacked, the checksum at the end of the packed file is compared too.

        Raises
        ------
        ReadError
            There is less in the file than promised.
        UnreadableFileError
            There is no space to unpack it.
        """
        copy = self._copy = self._copy or self._new_copy()
        try:
            self._check_space(stop - self._filled)
            copy.seek(self._filled)
            while self._filled < stop:
                block = self.stream.read(min(BLOCK_BYTES, promised - self._filled))
                if not block:
                    raise ReadError(too_short(self._path, promised, self._filled))
                self._filled += copy.write(block)
            if self._filled >= promised and not self._is_checked:
                self._read_on()
        except BaseException:
            self._drop_copy()
            raise
        return copy

    def close(self) -> None:
        """Release the file and its copy."""
        self._drop_copy()
        self.stream.close()

    def _new_copy(self) -> IO[bytes]:
        self.stream.seek(0)
        return tempfile.TemporaryFile(prefix="coverslip-")

    def _drop_copy(self) -> None:
        """Forget what was unpacked; the next read begins anew."""
        if self._copy is not None:
            self._copy.close()
        self._copy, self._filled, self._is_checked = None, 0, False

    def _check_space(self, needed: int) -> None:
        folder = tempfile.gettempdir()
        free = shutil.disk_usage(folder).free
        if needed > free * MAX_SHARE:
            raise UnreadableFileError(
                f"{self._path}: to unpack it takes {needed} bytes, {free} are free in {folder}. "
                "Make space there, or set TMPDIR to another folder"
            )

    def _read_on(self) -> None:
        """Read what lies behind the pixels, so that the checksum is compared; not for ever."""
        for _ in range(REST_BYTES // BLOCK_BYTES):
            if not self.stream.read(BLOCK_BYTES):
                break
        self._is_checked = True


def is_packed(start: bytes) -> bool:
    """Return whether a file begins as gzip or bzip2."""
    return start.startswith((GZIP, BZIP2))


def unpacked_head(probe: Probe, count: int) -> bytes:
    """Return the first bytes behind the compression, or nothing."""
    try:
        if probe.head.startswith(GZIP):
            return zlib.decompressobj(wbits=31).decompress(probe.head, count)
        if probe.head.startswith(BZIP2):
            with probe.path.open("rb") as packed, bz2.open(packed) as stream:
                return stream.read(count)
    except (EOFError, ValueError, zlib.error):
        return b""
    except OSError as error:
        if error.errno is not None:  # of the disk; bz2 complains of damage without a number
            raise
    return b""


def too_short(path: Path, promised: int, size: int) -> str:
    """Return the sentence about a file that is cut off."""
    return (
        f"{path}: the header promises {promised} bytes, there are {size}: the file is truncated. "
        "Copy it again from its source"
    )
