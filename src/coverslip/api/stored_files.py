"""Files of images that lie on disk as OME-Zarr, handed on as they are: only documents and chunks, only from inside.

Nothing below the folder of an image may be a symbolic link: neither the file nor a folder on the way to it.
"""

import errno
import os
import re
import stat
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from coverslip.api.parts import Head
from coverslip.errors import NotFoundError, ReadError
from coverslip.model.protocols import StoredGroup

KEY = re.compile(
    r"(?:[^/\0.][^/\0]*/)*(?:zarr\.json|\.z(?:group|attrs|array|metadata)|(?:c\.)?[0-9]{1,10}(?:\.[0-9]{1,10})*|c)"
)
"""A document or a chunk of either version of Zarr, of the image or of anything below it, such as its labels."""

FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
"""A pipe is not waited for: it is refused once it is open."""
PIECE_BYTES = 1 << 20
ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)
LEADING_ELSEWHERE = "a symbolic link below the folder of an image, which is never followed"
DOCUMENTS = {"0.5": ("zarr.json", "zarr.json"), "0.4": (".zattrs", ".zarray")}
"""The documents of a group and of an array."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """An open file below the folder of an image. Whoever has it closes it."""

    path: str
    """Free of links."""
    descriptor: int
    size: int
    etag: str


def etag_of(found: os.stat_result) -> str:
    """Return the ETag of a file: whatever replaces or changes it gives it another one."""
    return f'"{found.st_mtime_ns:x}-{found.st_size:x}-{found.st_ino:x}"'


def open_stored(group: StoredGroup, key: str) -> StoredFile:
    """Return the file under a key.

    Raises
    ------
    NotFoundError
        There is no such file, while the documents that say what is missing are there: to programs such a chunk is
        full of the fill value.
    ReadError
        It cannot be read, or the documents are gone too.
    """
    if KEY.fullmatch(key) is None:
        raise NotFoundError(f"{group.folder.name} as OME-Zarr {group.version} has no {key!r}")
    try:
        descriptor = _open_below(str(group.folder), key)
    except OSError as error:
        if _is_behind_link(group, key):
            raise ReadError(f"{group.folder / key}: cannot be read: {LEADING_ELSEWHERE}") from error
        if error.errno not in ABSENT:
            raise ReadError(f"{group.folder / key}: cannot be read: {error.strerror or error}") from error
        _check_documents(group, key)
        raise NotFoundError(f"{group.folder.name} as OME-Zarr {group.version} has no {key[:256]!r}") from error
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        raise NotFoundError(f"{group.folder.name} as OME-Zarr {group.version} has no {key!r}: that is no file")
    return StoredFile(f"{os.path.realpath(group.folder)}/{key}", descriptor, found.st_size, etag_of(found))


def _open_below(root: str, key: str) -> int:
    """Return the descriptor of a file, every step of the way taken from inside and without following a link."""
    *folders, name = key.split("/")
    here = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for folder in folders:
            following = os.open(folder, FLAGS | os.O_DIRECTORY, dir_fd=here)
            os.close(here)
            here = following
        return os.open(name, FLAGS, dir_fd=here)
    finally:
        os.close(here)


def _is_behind_link(group: StoredGroup, key: str) -> bool:
    """Return whether a file below a folder, or a folder on the way to it, is a link."""
    words = key.split("/")
    steps = (group.folder.joinpath(*words[: count + 1]) for count in range(len(words)))
    return any(os.path.islink(step) for step in steps)  # noqa: PTH114  never raises


def _check_documents(group: StoredGroup, key: str) -> None:
    """Raise unless the documents that a missing file belongs to are there: a disk that is gone is no fill value.

    Raises
    ------
    ReadError
        They are not.
    """
    of_group, of_array = DOCUMENTS[group.version]
    needed = [of_group, *(f"{level}/{of_array}" for level in group.levels if key.startswith(f"{level}/"))]
    for name in needed:
        document = group.folder / name
        if not document.is_file():
            raise ReadError(
                f"{document}: the file is not there any more. Put it back, or delete the image from the library"
            )


class FileAnswer(Response):
    """Response that sends a part of an open file, and closes it.

    Parameters
    ----------
    file
        What to send.
    head
        The first lines of the answer, and which part.
    """

    def __init__(self, file: StoredFile, head: Head) -> None:
        super().__init__(status_code=head.status)
        self.raw_headers = head.headers
        self._file = file
        self._head = head

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the part in pieces; the first one is read before anything is promised.

        Raises
        ------
        ReadError
            The file does not give these bytes.
        """
        try:
            at = self._head.start
            started = False
            while not started or at < self._head.stop:
                piece = await run_in_threadpool(self._read, at)
                at += len(piece)
                if not started:
                    await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                    started = True
                await send({"type": "http.response.body", "body": piece, "more_body": at < self._head.stop})
        finally:
            os.close(self._file.descriptor)

    def _read(self, start: int) -> bytes:
        wanted = min(PIECE_BYTES, self._head.stop - start)
        try:
            piece = os.pread(self._file.descriptor, wanted, start)
        except OSError as error:
            raise ReadError(f"a stored file cannot be read: {error.strerror or error}") from error
        if wanted and not piece:
            raise ReadError("a stored file became shorter while it was sent")
        return piece
