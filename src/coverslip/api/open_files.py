"""The few image files that stay open between requests, so that stepping through z does not open one anew each time."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from stat import S_ISDIR

from coverslip.errors import ReadError
from coverslip.readers import ImageFile, open_image
from coverslip.sources import RemotePath, is_remote, locate

LOOK_SECONDS = 1.0
"""How long what was seen of a remote file is believed: a viewer asks for hundreds of chunks a second."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a file was when somebody looked: another content is another identity."""

    path: str
    revision: int
    """As the catalog counts it: a folder may change without its own times changing."""
    mtime_ns: int
    size: int
    version: str = ""
    """Of a remote file, as its place states it."""

    @classmethod
    def of(cls, path: str, revision: int, locate: Callable[[str], Path] = locate) -> "Identity":
        """Return the identity of the file as it lies there now.

        ``locate`` turns the path or address into one that can be looked at. Of a remote file the version counts.

        Raises
        ------
        ReadError
            The file is gone or may not be read.
        """
        try:
            place = locate(path)
            found = place.stat()
        except FileNotFoundError as error:
            raise ReadError(
                f"{path}: the file is not there any more. Put it back, or delete the image from the library"
            ) from error
        except OSError as error:
            if isinstance(error, ReadError):
                raise
            raise ReadError(f"{path}: cannot be read: {error.strerror or error}") from error
        version = place.source().version if isinstance(place, RemotePath) and not S_ISDIR(found.st_mode) else ""
        return cls(path, revision, found.st_mtime_ns, found.st_size, version)

    @property
    def tag(self) -> str:
        """Short text for an ETag."""
        version = f"-{sha256(self.version.encode()).hexdigest()[:16]}" if self.version else ""
        return f"{self.revision}-{self.mtime_ns:x}-{self.size:x}{version}"


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
    locate
        Turns the path or address of a file into a path that can be opened.
    """

    def __init__(
        self,
        limit: int = 8,
        open_file: Callable[[str | Path], ImageFile] = open_image,
        locate: Callable[[str], Path] = locate,
    ) -> None:
        self._limit = limit
        self._open = open_file
        self.locate = locate
        self._looks: dict[tuple[str, int], tuple[float, Identity]] = {}
        self._lock = threading.Lock()
        self._entries: OrderedDict[Identity, _Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def identity(self, path: str, revision: int) -> Identity:
        """Return what a file is now; of a remote one, what it was within the last second.

        Raises
        ------
        ReadError
            The file is gone or may not be read.
        """
        if not is_remote(path):
            return Identity.of(path, revision)
        now = time.monotonic()
        with self._lock:
            seen_at, known = self._looks.get((path, revision), (-LOOK_SECONDS, None))
        if known is not None and now - seen_at < LOOK_SECONDS:
            return known
        found = Identity.of(path, revision, self.locate)
        with self._lock:
            fresh = {key: look for key, look in self._looks.items() if now - look[0] < LOOK_SECONDS}
            self._looks = fresh | {(path, revision): (now, found)}
        return found

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
                    entry.file = self._open(self.locate(identity.path))
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
