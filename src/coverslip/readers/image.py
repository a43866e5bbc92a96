"""What ``open_image`` hands out: files and images that keep the promises of the interfaces."""

import logging
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, cast

from coverslip.errors import (
    BudgetError,
    BusyError,
    CoverslipError,
    MissingDependencyError,
    ReadError,
    RegionError,
    UnreadableFileError,
)
from coverslip.model import CanLabel, CanRead, Cell, ImageMetadata, OpenedFile, Region
from coverslip.model.protocols import StoredGroup
from coverslip.ngff import Version, to_store
from coverslip.readers.asked import asked, check_given
from coverslip.readers.budgets import budgets, check_pixels, within
from coverslip.readers.lazy import LazyImage, LazyPixels, to_dask, to_xarray
from coverslip.readers.trouble import could_not_look
from coverslip.readers.turns import Turns

if TYPE_CHECKING:
    import dask.array
    import xarray
    from zarr.abc.store import Store

    from coverslip.model.protocols import Array

log = logging.getLogger(__name__)


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
    except (BudgetError, BusyError) as error:
        if isinstance(error, BusyError) or str(path) in str(error):
            raise
        raise error.about(path) from error
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


class Image:
    """One image of an open file.

    Reading is safe from any number of threads. Reads of one file follow one another, unless its reader says that they
    may go on at the same time.
    """

    def __init__(
        self,
        source: CanRead,
        path: Path,
        turns: Turns,
        reopen: "Callable[[Path], ImageFile]",
        index: int,
        *,
        label: int | None = None,
    ) -> None:
        self._source, self._path, self._turns = source, path, turns
        self._reopen, self._index, self._label = reopen, index, label
        self._budgets = budgets()

    def __repr__(self) -> str:
        meta = self.metadata
        sizes = " ".join(f"{axis}{length}" for axis, length in zip(meta.axes, meta.shape, strict=True))
        return f"<Image {meta.name!r} {sizes} {meta.dtype}>"

    @property
    def metadata(self) -> ImageMetadata:
        """What is known without touching pixels."""
        return self._source.metadata

    @cached_property
    def labels(self) -> "tuple[Image, ...]":
        """Its label images in the order of ``metadata.labels``: whole numbers, 0 is nothing; mostly there are none."""
        found = getattr(self._source, "labels", ())
        return tuple(
            Image(label, self._path, self._turns, self._reopen, self._index, label=n) for n, label in enumerate(found)
        )

    def rows(self) -> "list[Mapping[str, Cell]]":
        """Return the rows of its cell table (``metadata.table``), each by column; ``ReadError`` if it is damaged."""
        if self.metadata.table is None:
            return []
        source = cast("CanLabel", self._source)
        with self._turns as turns, within(self._budgets):
            self._check_open(turns)
            return foreign("reading the cell table", self._path, lambda: list(source.rows()))

    @property
    def is_concurrent(self) -> bool:
        """Whether reads of several threads go on at the same time, rather than one after another."""
        return self._turns.is_concurrent

    def chunk(self, level: int = 0) -> tuple[int, int, int, int, int]:
        """Return the box T, C, Z, Y, X that costs no more to read than a part of it: a plane, where nobody says."""
        size = self.metadata.levels[level]
        stated: tuple[int, int, int, int, int] | None = getattr(self._source, "chunk", lambda _: None)(level)
        return stated or (1, 1, 1, size.size_y, size.size_x)

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
            The level or the region lies outside the image, or is more than may be read at once.
        ReadError
            The file does not give these pixels.
        BudgetError
            They cost more than one read may.
        """
        box, shape = asked(self._path, self.metadata, level, region, self._budgets)
        with self._turns as turns, within(self._budgets):
            self._check_open(turns)
            pixels = foreign(f"reading {self.metadata.name!r}", self._path, lambda: self._source.read(level, box))
        check_given(self._path, self.metadata, pixels, shape)
        pixels = pixels if pixels.dtype.isnative else pixels.astype(pixels.dtype.newbyteorder("="))
        return pixels if pixels.flags.c_contiguous else pixels.copy(order="C")

    def read_into(self, out: "Array", level: int = 0, region: Region | None = None) -> None:
        """Fill an array with the pixels of a region, as ``read`` gives them.

        Faster than ``read`` where many regions of one shape are wanted, as memory that was used before need not be
        asked for again.

        Parameters
        ----------
        out
            Shape T, C, Z, Y, X (and S), dtype ``metadata.dtype``, native byte order, C-contiguous.
        level, region
            As in ``read``.

        Raises
        ------
        RegionError
            As in ``read``, and where ``out`` is not the array described.
        ReadError
            The file does not give these pixels; what is in ``out`` then is undefined.
        """
        box, shape = asked(self._path, self.metadata, level, region, self._budgets)
        if out.shape != shape or out.dtype != self.metadata.dtype or not out.flags.c_contiguous:
            raise RegionError(f"{self._path}: to fill is {shape} {self.metadata.dtype}, not {out.shape} {out.dtype}")
        fill = getattr(self._source, "read_into", None)
        if fill is None:
            out[...] = self.read(level, box)
            return
        with self._turns as turns, within(self._budgets):
            self._check_open(turns)
            foreign(f"reading {self.metadata.name!r}", self._path, lambda: fill(out, level, box))

    def _check_open(self, turns: Turns) -> None:
        if turns.is_over:
            raise ReadError(f"{self._path}: the file is closed. Read its pixels inside the with statement")

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

    def to_zarr_store(self, version: Version = "0.5") -> "Store":
        """Return the image as a read-only Zarr store that holds an OME-Zarr, made as it is read.

        For ``zarr.open_group``, and so for dask, napari and whatever builds on it. The store opens the file anew when
        it needs pixels, so it outlives this one.

        Parameters
        ----------
        version
            Of OME-Zarr: ``"0.5"`` is Zarr 3, ``"0.4"`` is Zarr 2.

        Raises
        ------
        UnsupportedFormatError
            Zarr has no such type of pixels.
        """
        return to_store(LazyImage(self._lazy(0), self.metadata), version)

    def _lazy(self, level: int) -> LazyPixels:
        return LazyPixels(self._reopen, self._path, self._index, level, self.metadata, label=self._label)


class ImageFile:
    """An open file with one or more images. Use it in a ``with`` statement.

    Examples
    --------
    >>> with coverslip.open_image("cells.ome.tif") as file:  # doctest: +SKIP
    ...     print(file.images[0].metadata.get_voxel_size_micrometers())
    """

    def __init__(self, opened: OpenedFile, path: Path, reader_name: str, reopen: "Callable[[Path], ImageFile]") -> None:
        self._opened = opened
        self._turns = Turns(is_concurrent=getattr(opened, "concurrent", False))
        self.path = path
        self.reader = reader_name
        self.images = tuple(Image(image, path, self._turns, reopen, n) for n, image in enumerate(opened.images))
        try:
            if not self.images:
                raise ReadError(f"{path}: the file holds no image")
            for image in self.images:
                check_pixels(image.metadata)
        except BudgetError as error:
            self.close()
            raise error.about(path) from error
        except ReadError:
            self.close()
            raise

    def __repr__(self) -> str:
        return f"<ImageFile {self.path.name!r} read by {self.reader}, {len(self.images)} image(s)>"

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file the pixels come from, this one included."""
        return tuple(self._opened.files)

    def close(self) -> None:
        """Release every handle. Safe to call twice; waits for reads that are under way."""
        if self._turns.end():
            self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
