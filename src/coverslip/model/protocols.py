"""The few abilities that rooms ask of each other."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from coverslip.model.metadata import ImageMetadata
from coverslip.model.regions import Region

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.generic]

type Cell = int | float | str | None
"""A value in a table; ``None`` where it is empty."""


class CanRead(Protocol):
    """An image somebody can read pixels from. A fake of these two members tests any caller.

    Three more are optional, and only make reading faster. ``read_into(out, level, region)`` fills an array of the
    shape and type that ``read`` returns. ``chunk(level)`` returns the box T, C, Z, Y, X that costs no more to read than
    a part of it, such as a compressed block. ``is_concurrent = True``: reads of several threads go on at the same time.
    """

    @property
    def metadata(self) -> ImageMetadata:
        """What is known without touching pixels."""
        ...

    def read(self, level: int, region: Region) -> "Array":
        """Return the pixels of one region of one level.

        Parameters
        ----------
        level
            Index into ``metadata.levels``.
        region
            The box in pixels of that level. Callers inside a reader may rely on it being resolved.

        Returns
        -------
        numpy.ndarray
            Shape T, C, Z, Y, X (and S), dtype ``metadata.dtype``, native byte order.

        Raises
        ------
        ReadError
            The file does not give these pixels. Pixels are never made up.
        """
        ...


class CanLabel(CanRead, Protocol):
    """An image that says which of its pixels belong to which object. A reader's image may have these members too."""

    @property
    def labels(self) -> Sequence[CanRead]:
        """Label images in the order of ``metadata.labels``: one plane, the same Y and X, whole numbers, 0 is nothing.

        They are read under the same lock as the image.
        """
        ...

    def rows(self) -> "Iterator[Mapping[str, Cell]]":
        """Yield the rows of the table in ``metadata.table`` that are of this image."""
        ...


class OpenedFile(Protocol):
    """What a reader hands back: the images of one file and a way to let go of it.

    One more attribute is optional. ``concurrent = True``: its images may be read by several threads at the same time.
    ``testing.ReaderTests`` checks that eight threads get the planes they asked for; ``close`` is never called while
    a read is under way.
    """

    @property
    def images(self) -> Sequence[CanRead]:
        """At least one image, in the file's own order."""
        ...

    @property
    def files(self) -> Sequence[Path]:
        """Every file the pixels come from, the opened one included; more than one for multi-file sets."""
        ...

    def close(self) -> None:
        """Release every handle. Safe to call twice."""
        ...


class ByteSource(Protocol):
    """One version of a file, wherever it is, read by ranges. Safe from any number of threads."""

    @property
    def address(self) -> str:
        """Its path or address, for messages."""
        ...

    @property
    def size(self) -> int:
        """Bytes."""
        ...

    @property
    def version(self) -> str:
        """Another content has another one: an ETag, or the time of the last change."""
        ...

    def read_at(self, offset: int, length: int) -> bytes:
        """Return exactly ``length`` bytes from ``offset`` on.

        Raises
        ------
        UnreadableFileError
            They could not be had, or the file is another version by now. There is no short answer.
        """
        ...


@dataclass(frozen=True, slots=True)
class StoredGroup:
    """An image that lies on disk as OME-Zarr already, so that its files can be handed on as they are."""

    folder: Path
    """The folder of the group."""
    version: Literal["0.4", "0.5"]
    """Of OME-Zarr."""
    levels: tuple[str, ...]
    """Paths of the arrays below the folder, finest first."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What is seen of a file before a reader is chosen: enough to decide by content, cheap to get."""

    path: Path
    size: int
    """Bytes; 0 for a folder."""
    head: bytes
    """The first 4096 bytes; empty for a folder."""
    is_folder: bool
    is_named: bool = False
    """Whether somebody asks for this very path; a walk that merely comes by must not take a folder for an image
    that may be none."""


class Reader(Protocol):
    """One file format. Found by entry point ``coverslip.readers``; readers do not know each other.

    More members are optional. ``experimental = True``: no file of an independent writer was compared yet.
    ``reads_sets = True``: it puts files together that other readers would open one by one, and is asked before them.
    ``whole_of(path) -> Path | None``: the folder of this format to whose image a file outside of it belongs, though
    it is an image by itself; the catalog has it as a part. ``reads_ranges(probe) -> bool``: whether ``open`` reads such
    a file through the methods of its path alone, so that the path may be a remote one. Remote files of other readers
    are copied first.
    """

    name: str
    """Short name, the name of the entry point: ``"czi"``."""
    title: str
    """Name for people: ``"Zeiss CZI"``."""
    extensions: tuple[str, ...]
    """Usual endings with the dot, lower case, longest first: ``(".ome.tiff", ".tif")``."""
    package: str
    """The distribution whose absence makes the reader unavailable: ``"czifile"``."""
    module: str
    """The module of that distribution: ``"czifile"``."""

    def recognises(self, probe: Probe) -> bool:
        """Return whether the content is of this format. Imports nothing heavy, opens nothing more than it must."""
        ...

    def open(self, path: Path) -> OpenedFile:
        """Open the file and read metadata only.

        Raises
        ------
        ReadError
            The file is damaged. Any other exception is turned into this one by ``open_image``.
        """
        ...
