"""A remote file of a format that cannot be read by ranges: opened as a local copy, and said to be so."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from coverslip.errors import ReadError, UnreadableFileError
from coverslip.model import CanRead, ImageMetadata, OpenedFile, Reader, Region
from coverslip.sources import RemotePath

if TYPE_CHECKING:
    from coverslip.model.protocols import Array

NOTE = "read through a local copy of the whole file"


class _Copied:
    """An image of the copy; what is said of the copy is said of the remote file."""

    def __init__(self, image: CanRead, said: "_Names") -> None:
        meta = image.metadata
        note = "; ".join(filter(None, (meta.note, NOTE)))
        self.metadata: ImageMetadata = meta.model_copy(update={"note": note})
        self._image = image
        self._said = said

    def read(self, level: int, region: Region) -> "Array":
        """Return the pixels of a resolved region; see ``model.protocols.CanRead``."""
        return self._said(lambda: self._image.read(level, region))


class _Names:
    """Calls what works on the copy; in its errors the copy has the name of the remote file."""

    def __init__(self, copy: Path, remote: RemotePath) -> None:
        self._copy = str(copy)
        self._remote = str(remote)

    def __call__[T](self, call: Callable[[], T]) -> T:
        try:
            return call()
        except ReadError as error:
            kind = UnreadableFileError if isinstance(error, UnreadableFileError) else ReadError
            raise kind(str(error).replace(self._copy, self._remote)) from error


class CopiedFile:
    """An open copy, which is not removed before it is closed."""

    def __init__(self, opened: OpenedFile, images: Sequence[CanRead], path: RemotePath, stack: ExitStack) -> None:
        self.files = (path,)
        self.images = tuple(images)
        self._opened = opened
        self._stack = stack

    def close(self) -> None:
        """Release the file and let its copy be removed."""
        self._stack.close()


def open_copy(reader: Reader, path: RemotePath) -> CopiedFile:
    """Return a remote file opened as a local copy.

    Raises
    ------
    ReadError
        The file is damaged, or one of a set: only the file itself is copied.
    UnreadableFileError
        It cannot be read or copied.
    """
    with ExitStack() as stack:
        copy = path.copy_here()
        stack.callback(copy.release)
        said = _Names(copy.path, path)
        opened = said(lambda: reader.open(copy.path))
        stack.callback(opened.close)
        if len(opened.files) > 1:
            raise ReadError(f"{path}: this file is one of a set. Copy the folder of the set")
        return CopiedFile(opened, [_Copied(image, said) for image in opened.images], path, stack.pop_all())
