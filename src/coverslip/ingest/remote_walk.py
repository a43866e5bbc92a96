"""What lies below a remote address, without opening anything: a listing is complete or says what it could not list."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from stat import S_ISDIR

from coverslip.errors import UnreadableFileError
from coverslip.model.records import SeenFile
from coverslip.sources import FOLDER_MARKS, Found, RemotePath


@dataclass(slots=True)
class RemoteWalk:
    """One walk below an address; iterate it, then ask what could not be listed.

    Parameters
    ----------
    root
        A file, a folder or a whole bucket.
    """

    root: RemotePath
    unreadable: dict[str, str] = field(default_factory=dict)
    """What could not be listed, and why. What lies below it is unknown, not missing."""

    def __iter__(self) -> Iterator[SeenFile]:
        """Yield every visible file, and every folder that is one image, in sorted order."""
        try:
            is_folder = S_ISDIR(self.root.stat().st_mode)
        except FileNotFoundError:  # a complete answer
            return
        except UnreadableFileError as error:
            self.unreadable[str(self.root)] = str(error)
            return
        if is_folder and not self.root.address.is_web:
            yield from self._visit_folder(self.root)
        else:
            yield from self._see(self.root)

    def _visit_folder(self, folder: RemotePath) -> Iterator[SeenFile]:
        try:
            listing = folder.listing()
        except UnreadableFileError as error:
            self.unreadable[str(folder)] = str(error)
            return
        if any(path.name in FOLDER_MARKS for path in listing.files):
            yield from self._see(folder)
            return
        for path in sorted([*listing.files, *listing.folders], key=str):
            if path.name.startswith("."):
                continue
            if path in listing.files:
                yield from self._see_listed(path, listing.files[path])
            else:
                yield from self._visit_folder(path)

    def _see_listed(self, path: RemotePath, found: Found) -> Iterator[SeenFile]:
        """Yield a file of a listing; some servers list the mark of an empty folder like an empty file."""
        try:
            if found.size == 0:
                path.source()
            yield seen_file(path, found)
        except FileNotFoundError:
            return
        except UnreadableFileError as error:
            self.unreadable[str(path)] = str(error)

    def _see(self, path: RemotePath) -> Iterator[SeenFile]:
        try:
            yield see_remote(path)
        except FileNotFoundError:
            return
        except UnreadableFileError as error:
            self.unreadable[str(path)] = str(error)


def see_remote(path: RemotePath) -> SeenFile:
    """Return a remote file or image folder as its place describes it.

    The checksum is a digest of the version: of the ETag, and for a folder of those of everything inside. Of an image
    folder on a web server, which lists nothing, only its own documents count.

    Raises
    ------
    FileNotFoundError
        It is certainly not there.
    UnreadableFileError
        Nobody knows.
    """
    if S_ISDIR(path.stat().st_mode):
        return seen_folder(path, path.documents() if path.address.is_web else path.contents())
    return seen_file(path, path.source().found)


def seen_file(path: RemotePath, found: Found) -> SeenFile:
    """Return a remote file as a listing describes it."""
    return SeenFile(path=str(path), size=found.size, mtime_ns=found.modified_ns, checksum=_digest([found]))


def seen_folder(path: RemotePath, inside: Iterable[Found]) -> SeenFile:
    """Return an image folder of a bucket as the listing of everything inside describes it."""
    everything = sorted(inside, key=lambda found: found.key)
    return SeenFile(
        path=str(path),
        size=sum(found.size for found in everything),
        mtime_ns=max((found.modified_ns for found in everything), default=0),
        is_folder=True,
        checksum=_digest(everything),
    )


def _digest(everything: Iterable[Found]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for found in everything:
        digest.update(f"{found.key} {found.size} {found.version}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()
