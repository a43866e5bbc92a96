"""One version of a remote file: read by ranges, with the blocks around what was read kept, also as a seekable file."""

import io
import threading
from collections import OrderedDict
from collections.abc import Buffer

from coverslip.errors import UnreadableFileError
from coverslip.sources.transport import Found, Transport

BLOCK = 1 << 16
"""Bytes of one block (64 KiB): what a request costs is mostly the way, not the bytes."""
KEPT_BLOCKS = 128
"""Blocks kept of one file (8 MiB)."""
DIRECT = 1 << 20
"""Reads from this length on (1 MiB) are pixels: asked for as they are and not kept."""
REQUEST = 8 << 20
"""Longest range of one request (8 MiB); a longer read is several."""
AHEAD = 16
"""Blocks read ahead at most (1 MiB) while a file is read from front to back."""


class RemoteSource:
    """One object in one version. Safe from any number of threads.

    Parameters
    ----------
    transport
        Where it is.
    found
        What it was when somebody looked; another version is never read.
    """

    def __init__(self, transport: Transport, found: Found, address: str) -> None:
        self._transport = transport
        self.found = found
        self.address = address
        self.size = found.size
        self.version = found.version
        self._lock = threading.Lock()
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._next = 0
        self._ahead = 1

    def read_at(self, offset: int, length: int) -> bytes:
        """Return exactly these bytes; see ``model.ByteSource``."""
        if offset < 0 or length < 0 or offset + length > self.size:
            raise UnreadableFileError(f"{self.address}: has {self.size} bytes; {length} at {offset} are not among them")
        if length >= DIRECT:
            return self._fetch(offset, length)
        if not length:
            return b""
        first, last = offset // BLOCK, (offset + length - 1) // BLOCK
        blocks = self._get_blocks(first, last)
        start = offset - first * BLOCK
        return b"".join(blocks)[start : start + length]

    def _get_blocks(self, first: int, last: int) -> list[bytes]:
        """Return a row of blocks; what is not kept is fetched by one request."""
        with self._lock:
            kept = {number: self._blocks[number] for number in range(first, last + 1) if number in self._blocks}
            for number in kept:
                self._blocks.move_to_end(number)
            missing = [number for number in range(first, last + 1) if number not in kept]
            if missing:
                start, stop = missing[0], missing[-1] + 1
                self._ahead = min(2 * self._ahead, AHEAD) if start == self._next else 1
                stop = min(max(stop, start + self._ahead), -(-self.size // BLOCK))
        if missing:
            data = self._fetch(start * BLOCK, min(stop * BLOCK, self.size) - start * BLOCK)
            fetched = {start + n: data[n * BLOCK : (n + 1) * BLOCK] for n in range(stop - start)}
            kept |= fetched
            with self._lock:
                self._next = stop
                self._blocks |= fetched
                while len(self._blocks) > KEPT_BLOCKS:
                    self._blocks.popitem(last=False)
        return [kept[number] for number in range(first, last + 1)]

    def _fetch(self, offset: int, length: int) -> bytes:
        pieces = [
            self._transport.read(self.found, start, min(REQUEST, offset + length - start))
            for start in range(offset, offset + length, REQUEST)
        ]
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


class SourceFile(io.RawIOBase):
    """A source as a file for reading, which format libraries take. Never asks for more than there is."""

    def __init__(self, source: RemoteSource) -> None:
        super().__init__()
        self.source = source
        self._position = 0

    @property
    def size(self) -> int:
        """Bytes in all."""
        return self.source.size

    @property
    def modified_ns(self) -> int:
        """Last change in nanoseconds; 0 where nobody says."""
        return self.source.found.modified_ns

    def readable(self) -> bool:
        """Return true."""
        return True

    def seekable(self) -> bool:
        """Return true."""
        return True

    def tell(self) -> int:
        """Return the place of the next byte."""
        return self._position

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a place counted from the beginning (0), from here (1) or from the end (2)."""
        place = offset + (0, self._position, self.source.size)[whence]
        if place < 0:
            raise ValueError(f"there is no byte {place}")
        self._position = place
        return place

    def read(self, size: int | None = -1, /) -> bytes:
        """Return so many bytes, or as many as are left."""
        if self.closed:
            raise ValueError("the file is closed")
        left = max(0, self.source.size - self._position)
        length = left if size is None or size < 0 else min(size, left)
        data = self.source.read_at(self._position, length)
        self._position += length
        return data

    def readall(self) -> bytes:
        """Return all that is left."""
        return self.read()

    def readinto(self, buffer: Buffer, /) -> int:
        """Fill a buffer as far as there are bytes, and return how many."""
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)
