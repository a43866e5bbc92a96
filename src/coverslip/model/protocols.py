"""The few abilities that rooms ask of each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from coverslip.model.metadata import ImageMetadata
from coverslip.model.regions import Region

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.generic]


class CanRead(Protocol):
    """An image somebody can read pixels from. A fake of these two members tests any caller."""

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


class OpenedFile(Protocol):
    """What a reader hands back: the images of one file and a way to let go of it."""

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


class Reader(Protocol):
    """One file format. Found by entry point ``coverslip.readers``; readers do not know each other.

    One more attribute is optional. ``experimental = True``: no file of an independent writer was compared yet.
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
