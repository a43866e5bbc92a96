"""The few image files that stay open between requests, so that stepping through z does not open one anew each time."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from coverslip.errors import ReadError
from coverslip.readers import ImageFile, open_image


@dataclass(frozen=True, slots=True)
class Identity:
    """What a file was when somebody looked: another content is another identity."""

    path: str
    revision: int
    """As the catalog counts it: a folder may change without its own times changing."""
    mtime_ns: int
    size: int

    @classmethod
    def of(cls, path: str, revision: int) -> "Identity":
        """Return the identity of the file as it lies there now.

        Raises
        ------
        ReadError
            The file is gone or may not be read.
        """
        try:
            found = Path(path).stat()
        except FileNotFoundError as error:
            raise ReadError(
                f"{path}: the file is not there any more. Put it back, or delete the image from the library"
            ) from error
        except OSError as error:
            raise ReadError(f"{path}: cannot be read: {error.strerror or error}") from error
        return cls(path, revision, found.st_mtime_ns, found.st_size)

    @property
    def tag(self) -> str:
        """Short text for an ETag."""
        return f"{self.revision}-{self.mtime_ns:x}-{self.size:x}"


@dataclass(slots=True, eq=False)
class _Entry:
    opening: threading.Lock = field(default_factory=threading.Lock)
    file: ImageFile | None = None
    users: int = 0
    used_at: float = 0.0
    dropped: bool = False


class OpenFiles:
    """Open files by identity, the most recently used ones kept. Safe from any number of threads.

    Parameters
    ----------
    limit
        Files kept open while nobody uses them. Those in use come on top.
    open_file
        Opens one; raises only ``ImageLoadError``.
    """

    def __init__(self, limit: int = 8, open_file: Callable[[str], ImageFile] = open_image) -> None:
        self._limit = limit
        self._open = open_file
        self._lock = threading.Lock()
        self._entries: OrderedDict[Identity, _Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    @contextmanager
    def borrow(self, identity: Identity) -> Iterator[ImageFile]:
        """Give the open file for the time of a ``with`` statement; it is not closed meanwhile.

        Raises
        ------
        ImageLoadError
            The file cannot be opened.
        """
        entry = self._take(identity)
        try:
            with entry.opening:
                if entry.file is None:
                    entry.file = self._open(identity.path)
            yield entry.file
        finally:
            self._give_back(identity, entry)

    def forget(self, path: str) -> None:
        """Close every state of a file that is kept open, now or when its users are done."""
        with self._lock:
            gone = [self._drop(identity) for identity in list(self._entries) if identity.path == path]
        _close(gone)

    def close_idle(self, seconds: float) -> None:
        """Close what nobody has used for so long; an open handle holds on to a disk that its owner may want back."""
        before = time.monotonic() - seconds
        with self._lock:
            idle = [key for key, entry in self._entries.items() if entry.users == 0 and entry.used_at <= before]
            gone = [self._drop(identity) for identity in idle]
        _close(gone)

    def close(self) -> None:
        """Close everything."""
        with self._lock:
            gone = [self._drop(identity) for identity in list(self._entries)]
        _close(gone)

    def _take(self, identity: Identity) -> _Entry:
        with self._lock:
            entry = self._entries.setdefault(identity, _Entry())
            self._entries.move_to_end(identity)
            entry.users += 1
            return entry

    def _give_back(self, identity: Identity, entry: _Entry) -> None:
        with self._lock:
            entry.users -= 1
            entry.used_at = time.monotonic()
            gone = [entry] if entry.dropped and entry.users == 0 else []
            if entry.file is None and not entry.dropped and entry.users == 0:
                del self._entries[identity]
            idle = [key for key, other in self._entries.items() if other.users == 0]
            gone += [self._drop(key) for key in idle[: max(0, len(self._entries) - self._limit)]]
        _close(gone)

    def _drop(self, identity: Identity) -> _Entry:
        """Take an entry out of the cache. The caller holds the lock, and closes the entry after letting go of it."""
        entry = self._entries.pop(identity)
        entry.dropped = True
        return entry


def _close(entries: list[_Entry]) -> None:
    for entry in entries:
        if entry.users == 0 and entry.file is not None:
            entry.file.close()
