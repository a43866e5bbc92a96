"""What ``open_image`` hands out: files and images that keep the promises of the interfaces."""

import errno
import logging
import math
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from coverslip.errors import CoverslipError, MissingDependencyError, ReadError, RegionError, UnreadableFileError
from coverslip.model import CanRead, ImageMetadata, OpenedFile, Region
from coverslip.model.protocols import StoredGroup
from coverslip.readers.lazy import LazyPixels, to_dask, to_xarray

if TYPE_CHECKING:
    import dask.array
    import xarray

    from coverslip.model.protocols import Array

log = logging.getLogger(__name__)

SAYS_NOTHING = frozenset(
    getattr(errno, name)
    for name in (
        *("EACCES", "EPERM", "EIO", "EBUSY", "EAGAIN", "EINTR", "EMFILE", "ENFILE", "ENOMEM", "ENOSPC", "EDQUOT"),
        *("ESTALE", "ENODEV", "ENXIO", "ENOMEDIUM", "EREMOTEIO", "ETIMEDOUT", "ENOTCONN", "ECONNRESET"),
        *("ECONNABORTED", "ECONNREFUSED", "EHOSTDOWN", "EHOSTUNREACH", "ENETDOWN", "ENETUNREACH"),
    )
    if hasattr(errno, name)
)
"""Error numbers of a disk, a network or a process in trouble; what is in the file they do not tell."""


def foreign[T](doing: str, path: Path, call: Callable[[], T]) -> T:
    """Return ``call()``; whatever a format library raises becomes a ``ReadError`` that names the file.

    Raises
    ------
    UnreadableFileError
        The system did not let us look: permission, an I/O error, the file vanished.
    ReadError
        With the library's own words as the reason. Our own errors pass, given the path where they lack it.
    """
    try:
        return call()
    except ReadError as error:
        kind = UnreadableFileError if could_not_look(error, path) else ReadError
        if str(path) in str(error):
            if isinstance(error, kind):
                raise
            raise kind(str(error)) from error
        raise kind(f"{path}: {error}") from error
    except CoverslipError:
        raise
    except ModuleNotFoundError as error:
        package = (error.name or "").split(".")[0]
        raise MissingDependencyError(
            f"{path}: {doing} needs the package {package!r}. Install it: pip install {package}", package
        ) from error
    except MemoryError as error:
        raise ReadError(f"{path}: {doing} failed: the file asks for more memory than there is") from error
    except Exception as error:  # on damaged files format libraries raise anything at all
        log.debug("%s: %s failed", path, doing, exc_info=True)  # it may as well be a mistake of ours
        kind = UnreadableFileError if could_not_look(error, path) else ReadError
        reason = str(error).strip() or "no reason given"
        advice = "" if kind is UnreadableFileError else ". It is damaged, or of a kind the reader does not know"
        raise kind(f"{path}: {doing} failed: {type(error).__name__}: {reason}{advice}") from error


def could_not_look(error: BaseException | None, path: Path) -> bool:
    """Return whether an error, or what it was raised from, says that the file could not be looked at.

    A file that is not there counts only where it is the opened one: a part that the file names and that is missing
    is damage.
    """
    while error is not None:
        if isinstance(error, UnreadableFileError):
            return True
        if isinstance(error, OSError):
            vanished = isinstance(error, FileNotFoundError) and not os.path.exists(path)  # noqa: PTH110  # never raises
            if vanished or error.errno in SAYS_NOTHING:
                return True
        error = error.__cause__
    return False


@dataclass(slots=True)
class Turn:
    """Whose turn it is to use the handles of one file, and whether they are still there."""

    lock: threading.RLock = field(default_factory=threading.RLock)
    is_over: bool = False


class Image:
    """One image of an open file.

    Reading is safe from any number of threads; reads of one file follow one another, because the format
    libraries return wrong pixels silently when one handle is used by two threads at once.
    """

    def __init__(
        self, source: CanRead, path: Path, turn: Turn, reopen: "Callable[[Path], ImageFile]", index: int
    ) -> None:
        self._source = source
        self._path = path
        self._turn = turn
        self._reopen = reopen
        self._index = index

    def __repr__(self) -> str:
        meta = self.metadata
        sizes = " ".join(f"{axis}{length}" for axis, length in zip(meta.axes, meta.shape, strict=True))
        return f"<Image {meta.name!r} {sizes} {meta.dtype}>"

    @property
    def metadata(self) -> ImageMetadata:
        """What is known without touching pixels."""
        return self._source.metadata

    @property
    def stored(self) -> StoredGroup | None:
        """Where the image lies on disk as a valid OME-Zarr group, if it does."""
        found: StoredGroup | None = getattr(self._source, "stored", None)
        return found

    def read(self, level: int = 0, region: Region | None = None) -> "Array":
        """Return the pixels of a region of one pyramid level.

        Parameters
        ----------
        level
            0 is full resolution.
        region
            In pixels of that level; ``None`` is the whole level.

        Returns
        -------
        numpy.ndarray
            Shape T, C, Z, Y, X (and S), dtype ``metadata.dtype``, native byte order, C-contiguous.

        Raises
        ------
        RegionError
            The level or the region lies outside the image, or is larger than the memory of this machine.
        ReadError
            The file does not give these pixels.
        """
        meta = self.metadata
        if not 0 <= level < len(meta.levels):
            raise RegionError(f"{self._path}: level {level} does not exist; there are {len(meta.levels)}")
        try:
            box = (region or Region()).resolve(meta.level_shape(level))
        except RegionError as error:
            raise RegionError(f"{self._path}: {error}") from error
        needed = math.prod(box.shape) * meta.samples * meta.bytes_per_sample
        if needed > _memory():  # before anything is allocated: a damaged header may promise any size
            raise RegionError(
                f"{self._path}: these pixels need {needed / 2**30:.1f} GiB at once, this machine has "
                f"{_memory() / 2**30:.1f}. Read a smaller region"
            )
        with self._turn.lock:
            if self._turn.is_over:
                raise ReadError(f"{self._path}: the file is closed. Read its pixels inside the with statement")
            pixels = foreign(f"reading {meta.name!r}", self._path, lambda: self._source.read(level, box))
        expected = (*box.shape, meta.samples) if meta.samples > 1 else box.shape
        if pixels.shape != expected or pixels.dtype.name != meta.dtype:
            raise ReadError(
                f"{self._path}: the metadata promises {expected} {meta.dtype}, "
                f"the pixels are {pixels.shape} {pixels.dtype.name}"
            )
        pixels = pixels if pixels.dtype.isnative else pixels.astype(pixels.dtype.newbyteorder("="))
        return pixels if pixels.flags.c_contiguous else pixels.copy(order="C")

    def plane(self, *, t: int = 0, c: int = 0, z: int = 0, level: int = 0) -> "Array":
        """Return one plane: shape Y, X (and S).

        Raises
        ------
        RegionError
            There is no such plane.
        ReadError
            The file does not give these pixels.
        """
        pixels: Array = self.read(level, Region.at_plane(t, c, z))[0, 0, 0]
        return pixels

    def to_numpy(self, level: int = 0) -> "Array":
        """Return all pixels of one level: shape T, C, Z, Y, X (and S).

        Raises
        ------
        ReadError
            The file does not give these pixels.
        """
        return self.read(level)

    def to_dask(self, level: int = 0) -> "dask.array.Array":
        """Return one level as a lazy dask array of shape T, C, Z, Y, X (and S), one chunk per plane or large tile.

        Nothing is read before it is computed. The array opens the file anew when it needs it, so it outlives this
        one; it may be computed by threads or processes.

        Raises
        ------
        RegionError
            There is no such level.
        MissingDependencyError
            dask is not installed: ``pip install "coverslip[dask]"``.
        """
        return to_dask(self._lazy(level))

    def to_xarray(self, level: int = 0) -> "xarray.DataArray":
        """Return one level as a lazy labelled array with the axes T, C, Z, Y, X (and S).

        Coordinates are channel names, micrometres (Z, Y, X) and seconds (T); what the file does not say has none.
        They give the centres of pixels; the first one of level 0 is at 0.

        Raises
        ------
        RegionError
            There is no such level.
        MissingDependencyError
            dask or xarray is not installed: ``pip install "coverslip[dask]"``.
        """
        return to_xarray(self._lazy(level), self.metadata, level)

    def _lazy(self, level: int) -> LazyPixels:
        return LazyPixels(self._reopen, self._path, self._index, level, self.metadata)


@cache
def _memory() -> int:
    """Return the memory of this machine in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


class ImageFile:
    """An open file with one or more images. Use it in a ``with`` statement.

    Examples
    --------
    >>> with coverslip.open_image("cells.ome.tif") as file:  # doctest: +SKIP
    ...     print(file.images[0].metadata.get_voxel_size_micrometers())
    """

    def __init__(self, opened: OpenedFile, path: Path, reader_name: str, reopen: "Callable[[Path], ImageFile]") -> None:
        self._opened = opened
        self._turn = Turn()
        self.path = path
        self.reader = reader_name
        self.images = tuple(Image(image, path, self._turn, reopen, n) for n, image in enumerate(opened.images))
        if not self.images:
            self.close()
            raise ReadError(f"{path}: the file holds no image")

    def __repr__(self) -> str:
        return f"<ImageFile {self.path.name!r} read by {self.reader}, {len(self.images)} image(s)>"

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file the pixels come from, this one included."""
        return tuple(self._opened.files)

    def close(self) -> None:
        """Release every handle. Safe to call twice; waits for a read that is under way."""
        with self._turn.lock:
            if not self._turn.is_over:
                self._turn.is_over = True
                self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
