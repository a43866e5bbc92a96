"""What tells the content of a source apart. Size and time alone never do: they only say what need not be read again.

A file in a bucket has its ETag, one of this machine the SHA-256 of its bytes. A folder, such as an OME-Zarr, has the
digest of what lies in it.
"""

import hashlib
import os
import stat
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from coverslip.errors import ReadError, UnreadableFileError
from coverslip.ingest.deposition.steps import Input
from coverslip.sources import Found, RemotePath, RemoteRules, is_remote, locate
from coverslip.storage import FolderStorage, Storage

MOST_MEMBERS = 5_000_000
"""Files of one folder that is read as one image."""

SETTLED_NS = 100_000_000
"""A file changed so recently may change again within the same tick of the file system's clock."""

COARSE_NS = 2_000_000_000
"""The same where its clock counts whole seconds."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a file or folder held when it was looked at."""

    digest: str
    """Another where the content is another."""
    mark: str
    """Size, times and number of the file: while they stay it need not be read again. Empty where that is not safe."""
    size: int
    """Bytes."""


class Places:
    """Where inputs lie.

    Parameters
    ----------
    source
        The folder of the ``source_prefix``, of this machine or of a bucket.
    destination
        The top of the layout.
    rules
        Which remote files may be opened; those of the environment when left out.
    """

    def __init__(self, source: Path, destination: Storage, rules: RemoteRules | None = None) -> None:
        self.source = source
        self.destination = destination
        self._rules = rules

    def path(self, wanted: Input) -> Path:
        """Return where an input lies.

        Raises
        ------
        RefusedAddressError
            It is remote, and may not be opened.
        ReadError
            It would lie outside of its folder.
        """
        if wanted.side == "source" and is_remote(wanted.path):
            return locate(wanted.path, self._rules)
        parts = wanted.path.split("/")
        if ".." in parts or wanted.path.startswith("/") or "\0" in wanted.path:
            raise ReadError(f"{wanted.path!r}: a path of an input stays below its folder")
        if wanted.side == "source":
            return self.source.joinpath(*parts)
        if isinstance(self.destination, FolderStorage):
            return self.destination.root.joinpath(*parts)
        return locate(f"{self.destination.url}/{wanted.path}", self._rules)


class Fingerprints:
    """Looks at inputs, each once in an ingest. Safe to use from any number of threads.

    Parameters
    ----------
    places
        Where inputs lie.
    """

    def __init__(self, places: Places) -> None:
        self._places = places
        self._lock = threading.Lock()
        self._folders: dict[str, dict[str, Found]] = {}
        self._found: dict[Input, Fingerprint] = {}
        self.bytes_read = 0
        """What was read to know contents."""
        self.files_read = 0

    def of(self, wanted: Input, known: Mapping[str, tuple[str, str]]) -> Fingerprint:
        """Return the fingerprint of an input.

        Parameters
        ----------
        wanted
            The input.
        known
            Mark and digest of inputs as they were, by ``key_of``.

        Raises
        ------
        ReadError
            It is not there, or cannot be read.
        """
        with self._lock:
            found = self._found.get(wanted)
        if found is None:
            path = self._places.path(wanted)
            found = self._remote(path) if isinstance(path, RemotePath) else self._local(path, known.get(key_of(wanted)))
            with self._lock:
                self._found[wanted] = found
        return found

    def is_as_it_was(self, wanted: Input) -> bool:
        """Return whether an input, which was looked at, has not changed since; asks again.

        Raises
        ------
        ReadError
            It cannot be looked at.
        """
        with self._lock:
            before = self._found[wanted]
        path = self._places.path(wanted)
        with _said(path):
            if isinstance(path, RemotePath):
                return _remote_now(path).digest == before.digest
            return _mark(path)[0] == before.mark if before.mark else _digest(path)[0] == before.digest

    def _local(self, path: Path, known: tuple[str, str] | None) -> Fingerprint:
        with _said(path):
            mark, size, changed_ns = _mark(path)
            if known is not None and known[0] == mark:
                return Fingerprint(known[1], mark, size)
            age = time.time_ns() - changed_ns
            digest, read, files = _digest(path)
        with self._lock:
            self.bytes_read += read
            self.files_read += files
        is_settled = age > (COARSE_NS if changed_ns % 10**9 == 0 else SETTLED_NS)
        return Fingerprint(digest, mark if is_settled else "", size)

    def _remote(self, path: RemotePath) -> Fingerprint:
        with _said(path):
            found = None if path.address.is_web else self._beside(path).get(str(path))
            return _of_found([("", found)]) if found is not None else _remote_now(path)

    def _beside(self, path: RemotePath) -> dict[str, Found]:
        """Return the files of a folder; one listing serves all of them."""
        name = str(path.parent)
        with self._lock:
            found = self._folders.get(name)
        if found is None:
            listing = path.parent.listing()
            found = {str(one): what for one, what in listing.files.items()}
            with self._lock:
                self._folders[name] = found
        return found


def key_of(wanted: Input) -> str:
    """Return the name by which the mark of an input is remembered."""
    return f"{wanted.side}:{wanted.path}"


def _remote_now(path: RemotePath) -> Fingerprint:
    try:
        return _of_found([("", path.anew().source().found)])
    except FileNotFoundError:
        if path.address.is_web:
            raise
    own = len(path.as_posix_key()) + 1
    inside = sorted((found.key[own:], found) for found in path.contents())
    if not inside:
        raise UnreadableFileError(f"{path}: there is no such file")
    return _of_found(inside)


def _of_found(members: list[tuple[str, Found]]) -> Fingerprint:
    whole = hashlib.sha256()
    for name, found in members:
        whole.update(f"{name}\0{found.version}\0{found.size}\n".encode())
    digest = whole.hexdigest()
    return Fingerprint(digest, digest, sum(found.size for _, found in members))


def _mark(path: Path) -> tuple[str, int, int]:
    """Return the mark of a file or folder, its bytes, and when something of it was changed last, in nanoseconds."""
    seen = path.stat()
    if not stat.S_ISDIR(seen.st_mode):
        return _status(seen), seen.st_size, max(seen.st_mtime_ns, seen.st_ctime_ns)
    whole, size, changed = hashlib.sha256(), 0, 0
    for name, one in _members(path):
        status = one.stat()
        whole.update(f"{name}\0{_status(status)}\n".encode())
        size += status.st_size
        changed = max(changed, status.st_mtime_ns, status.st_ctime_ns)
    return whole.hexdigest(), size, changed


def _status(seen: os.stat_result) -> str:
    return f"{seen.st_size}-{seen.st_mtime_ns}-{seen.st_ctime_ns}-{seen.st_ino}"


def _digest(path: Path) -> tuple[str, int, int]:
    """Return the digest of a file or folder, and how many bytes of how many files were read for it."""
    if not path.is_dir():
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            return digest, stream.tell(), 1
    whole, read, files = hashlib.sha256(), 0, 0
    for name, one in _members(path):
        digest, size, _ = _digest(one)
        whole.update(f"{name}\0{digest}\n".encode())
        read += size
        files += 1
    return whole.hexdigest(), read, files


def _members(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files below a folder with their names in it, in the order of those."""
    found: list[tuple[str, Path]] = []
    for here, _, names in os.walk(folder, onerror=_refuse):
        found += [(Path(here, name).relative_to(folder).as_posix(), Path(here, name)) for name in names]
        if len(found) > MOST_MEMBERS:
            raise ReadError(f"{folder}: more than {MOST_MEMBERS:,} files lie in it")
    yield from sorted(found)


def _refuse(error: OSError) -> None:
    raise error


@contextmanager
def _said(path: Path) -> Iterator[None]:
    """Turn what the operating system raises into an ``UnreadableFileError``."""
    try:
        yield
    except ReadError:
        raise
    except OSError as error:
        raise UnreadableFileError(f"{path}: cannot be read: {error.strerror or error}") from error
