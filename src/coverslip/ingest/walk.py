"""What lies below a folder, without opening anything."""

import hashlib
import os
import stat
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from coverslip.errors import ReadError
from coverslip.ingest.remote_walk import see_remote
from coverslip.model.records import SeenFile
from coverslip.readers import recognise
from coverslip.sources import RemotePath


@dataclass(slots=True)
class Walk:
    """One walk over a root; iterate it, then ask what could not be listed.

    Parameters
    ----------
    root
        A file or a folder, absolute.
    skip
        Folders never entered: the home of Coverslip itself.
    images
        Folders that are known to be one image each, whether they look like it or not.
    fields
        Whether every folder of one-plane TIFFs of equal size is one image.
    """

    root: Path
    skip: Sequence[Path] = ()
    images: Collection[str] = ()
    fields: bool = False
    unreadable: list[str] = field(default_factory=list)
    """Folders and files that could not be listed. What lies below them is unknown, not missing."""
    _entered: set[tuple[int, int]] = field(default_factory=set)

    def __iter__(self) -> Iterator[SeenFile]:
        """Yield every visible file, and every folder that is one image, in sorted order."""
        yield from self._visit(self.root)

    def _visit(self, path: Path) -> Iterator[SeenFile]:
        try:
            status = path.stat()
        except (FileNotFoundError, NotADirectoryError):  # a complete answer: it is gone, or a link to nothing
            return
        except OSError:
            self.unreadable.append(str(path))
            return
        if stat.S_ISREG(status.st_mode):
            yield SeenFile(path=str(path), size=status.st_size, mtime_ns=status.st_mtime_ns)
        elif stat.S_ISDIR(status.st_mode):
            yield from self._visit_folder(path, (status.st_dev, status.st_ino))
        elif path == self.root:  # inside a folder nobody means pipes and devices; named, somebody does
            self.unreadable.append(str(path))

    def _visit_folder(self, path: Path, identity: tuple[int, int]) -> Iterator[SeenFile]:
        if path in self.skip or identity in self._entered:  # a link may lead back to where we came from
            return
        self._entered.add(identity)
        try:
            is_image = recognise(path, is_named=self.fields or str(path) in self.images) is not None
            children = [] if is_image else sorted(path.iterdir())
        except (OSError, ReadError):
            self.unreadable.append(str(path))
            return
        if is_image:
            yield from self._visit_image_folder(path)
        for child in children:
            if not child.name.startswith("."):
                yield from self._visit(child)

    def _visit_image_folder(self, path: Path) -> Iterator[SeenFile]:
        try:
            yield see_folder(path)
        except OSError:
            self.unreadable.append(str(path))


def see_folder(path: Path) -> SeenFile:
    """Return a folder that is one image, as its listing shows it.

    The checksum is a digest of the names, sizes and times of everything inside: a chunk that is written again
    counts as a change even when its bytes are the same.

    Raises
    ------
    OSError
        Something in it cannot be listed.
    """
    total, newest, digest = 0, 0, hashlib.blake2b(digest_size=16)
    for folder, folders, names in os.walk(path, onerror=_raise):
        folders.sort()
        for name in sorted(names):
            status = os.stat(os.path.join(folder, name))  # noqa: PTH116, PTH118  # a third of the time of Path here
            total += status.st_size
            newest = max(newest, status.st_mtime_ns)
            digest.update(f"{os.path.relpath(folder, path)}/{name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return SeenFile(path=str(path), size=total, mtime_ns=newest, is_folder=True, checksum=digest.hexdigest())


def see_file(path: Path) -> SeenFile:
    """Return one file or image folder as its listing shows it.

    Raises
    ------
    OSError
        It is not there or cannot be listed.
    """
    if isinstance(path, RemotePath):
        return see_remote(path)
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        return see_folder(path)
    return SeenFile(path=str(path), size=status.st_size, mtime_ns=status.st_mtime_ns)


def _raise(error: OSError) -> None:
    raise error
