"""The few image files that stay open between requests, so that stepping through z does not open one anew each time."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from stat import S_ISDIR

from coverslip.errors import ReadError
from coverslip.readers import ImageFile, open_image
from coverslip.sources import RemotePath, is_remote, locate

LOOK_SECONDS = 1.0
"""How long what was seen of a remote file or a large set is believed: a viewer asks for hundreds of chunks a second."""
LARGE_SET = 64
"""Files of a set that are looked at for each request; of a larger one they are looked at once in ``LOOK_SECONDS``."""
MOST_KNOWN = 4096
"""Images whose files are remembered."""


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
    ctime_ns: int = 0
    """Of a file of this machine: a change that sets the old time again shows here."""
    ino: int = 0
    is_folder: bool = False
    """What lies in a folder may change without a trace here."""
    members: str = ""
    """Digest of what the files of a set were; empty where there is one file."""

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
        is_folder = S_ISDIR(found.st_mode)
        if isinstance(place, RemotePath):
            version = "" if is_folder else place.source().version
            return cls(path, revision, found.st_mtime_ns, found.st_size, version, is_folder=is_folder)
        words = found.st_mtime_ns, found.st_size, "", found.st_ctime_ns, found.st_ino
        return cls(path, revision, *words, is_folder=is_folder)

    @property
    def tag(self) -> str:
        """Short text for an ETag."""
        words = f"{self.version}\0{self.members}\0{self.ctime_ns}\0{self.ino}"
        return f"{self.revision}-{self.mtime_ns:x}-{self.size:x}-{sha256(words.encode()).hexdigest()[:16]}"


@dataclass(slots=True, eq=False)
class _Entry:
    opening: threading.Lock = field(default_factory=threading.Lock)
    file: ImageFile | None = None
    users: int = 0
    used_at: float = 0.0
    dropped: bool = False


@dataclass(slots=True)
class _Members:
    """The files of an image, and what they were when somebody looked."""

    paths: tuple[Path, ...]
    seen_at: float = -LOOK_SECONDS
    digest: str = ""


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
        self._members: OrderedDict[Identity, _Members] = OrderedDict()
        self._lock = threading.Lock()
        self._entries: OrderedDict[Identity, _Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def identity(self, path: str, revision: int) -> Identity:
        """Return what an image's files are now; of a remote one or a large set, what they were in the last second.

        Which files belong to an image of this machine is known once it was opened, so it is opened the first time.
        Of a remote set the cataloged file alone counts.

        Raises
        ------
        ImageLoadError
            The file is gone, may not be read or cannot be opened.
        """
        if not is_remote(path):
            return self._with_members(Identity.of(path, revision))
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

    def identity_at_once(self, path: str, revision: int) -> Identity | None:
        """Return what a single file of this machine is now; ``None`` for everything that takes longer to say.

        Raises
        ------
        ReadError
            The file is gone or may not be read.
        """
        if is_remote(path):
            return None
        alone = Identity.of(path, revision)
        known = None if alone.is_folder else self._members.get(alone)
        return None if known is None or len(known.paths) > 1 else alone

    def _with_members(self, cataloged: Identity) -> Identity:
        """Return the identity of all files of an image, given that of the one that is cataloged."""
        with self._lock:
            known = self._members.get(cataloged)
            if known is not None:
                self._members.move_to_end(cataloged)
        if known is None:
            known = self._find_members(cataloged)
        if len(known.paths) < 2:
            return cataloged
        now = time.monotonic()
        if len(known.paths) <= LARGE_SET or now - known.seen_at >= LOOK_SECONDS:
            digest = _digest(known.paths)
            with self._lock:
                known.digest, known.seen_at = digest, now
            return replace(cataloged, members=digest)
        with self._lock:
            return replace(cataloged, members=known.digest)

    def _find_members(self, cataloged: Identity) -> _Members:
        """Open an image to learn which files it has.

        A set is not kept open: it was opened before anybody looked what its files were.
        """
        with self._borrowed(cataloged) as file:
            found = _Members(file.files)
        with self._lock:
            known = self._members.setdefault(cataloged, found)
            while len(self._members) > MOST_KNOWN:
                self._members.popitem(last=False)
            is_kept = len(known.paths) > 1 and cataloged in self._entries
            gone = [self._drop(cataloged)] if is_kept else []
        _close(gone)
        return known

    @contextmanager
    def borrow(self, identity: Identity) -> Iterator[ImageFile]:
        """Give the open file for the time of a ``with`` statement; it is not closed meanwhile.

        Raises
        ------
        ImageLoadError
            The file cannot be opened.
        """
        with self._borrowed(identity) as file:
            yield file

    @contextmanager
    def _borrowed(self, identity: Identity) -> Iterator[ImageFile]:
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


def _digest(paths: tuple[Path, ...]) -> str:
    """Return what files are now as a few letters. One that is gone counts as such: what needs it will say so."""
    seen = sha256()
    for path in paths:
        try:
            found = path.stat()
        except OSError as error:
            seen.update(f"{error.errno}\n".encode())
        else:
            seen.update(f"{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns} {found.st_ino}\n".encode())
    return seen.hexdigest()[:32]
