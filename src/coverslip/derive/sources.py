"""The image an artifact is made from, opened so that a build can be given up between two reads."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from coverslip.errors import ReadError
from coverslip.model import CanRead, ImageMetadata, Region
from coverslip.model.records import ImageRecord
from coverslip.readers import ImageFile, open_image
from coverslip.sources import locate

if TYPE_CHECKING:
    from coverslip.model.protocols import Array


class GivenUp(Exception):  # noqa: N818  not an error: nobody wants the result any more
    """The build ends here without a result and without being a failure."""


class InterruptibleImage:
    """An image that is read only while somebody still wants the result, in all the ways that the image can be."""

    def __init__(self, image: CanRead, must_stop: Callable[[], bool]) -> None:
        self._image = image
        self._must_stop = must_stop
        self.is_concurrent: bool = getattr(image, "is_concurrent", False)
        self.chunk: Callable[[int], tuple[int, int, int, int, int]] | None = getattr(image, "chunk", None)
        self._fill: Callable[[Array, int, Region], None] | None = getattr(image, "read_into", None)

    @property
    def metadata(self) -> ImageMetadata:
        """What is known without touching pixels."""
        return self._image.metadata

    def read(self, level: int, region: Region) -> "Array":
        """Return pixels as the image does, T, C, Z, Y, X (and S); ``GivenUp`` when nobody wants them any more."""
        if self._must_stop():
            raise GivenUp
        return self._image.read(level, region)

    def read_into(self, out: "Array", level: int, region: Region) -> None:
        """Fill an array with pixels as the image does; ``GivenUp`` when nobody wants them any more."""
        if self._fill is None:
            out[...] = self.read(level, region)
            return
        if self._must_stop():
            raise GivenUp
        self._fill(out, level, region)


@contextmanager
def open_source(
    record: ImageRecord,
    must_stop: Callable[[], bool],
    open_file: Callable[[Path], ImageFile] = open_image,
    locate: Callable[[str], Path] = locate,
    on_other: Callable[[str], None] = lambda path: None,
) -> Iterator[CanRead]:
    """Open the image of a record for the length of a ``with`` block, found by ``locate`` and opened by ``open_file``.

    ``locate`` turns its path or address into a path that can be opened. ``on_other`` is told of a file that is not, or
    does not stay, the version that the catalog knows.

    Raises
    ------
    ReadError
        The file is gone, damaged, or does not hold this image any more.
    MissingDependencyError, UnsupportedFormatError
        The file cannot be opened here, or is something else by now.
    """
    path = locate(record.path)
    _must_be_there(path)
    is_other = _is_other(record, path)
    with open_file(path) as file:
        if record.index >= len(file.images):
            raise ReadError(
                f"{path}: image {record.index + 1} of the file is gone; it holds {len(file.images)} now. "
                f"To catalog it as it is: coverslip add {path}"
            )
        yield InterruptibleImage(file.images[record.index], must_stop)
    if is_other or _is_other(record, path):
        on_other(record.path)


def _is_other(record: ImageRecord, path: Path) -> bool:
    """Return whether a file is another version than the catalog knows."""
    if record.mtime_ns is None:
        return False
    try:
        status = path.stat()
    except OSError:
        return True
    return (status.st_size, status.st_mtime_ns) != (record.size_bytes, record.mtime_ns)


def _must_be_there(path: Path) -> None:
    """Tell a file that is gone from one that cannot be looked at, which is for the reader to explain."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ReadError(
            f"{path}: the file is gone. Put it back, or let the catalog know: coverslip add {path.parent}"
        ) from error
    except OSError:
        return
