"""Files of regions: read with a limit, written whole or not at all."""

from collections.abc import Sequence
from pathlib import Path

from coverslip.errors import ConflictError, NotFoundError, ReadError, UnreadableFileError
from coverslip.export.writing import write
from coverslip.model.rois import Roi
from coverslip.rois import read_rois, write_rois

MAX_BYTES = 256 << 20


def rois_at(path: Path, fov: str = "") -> tuple[Roi, ...]:
    """Return the regions of a file: a table of 24 columns, GeoJSON, or ImageJ's.

    Parameters
    ----------
    path
        Its ending says the format.
    fov
        The field of view of regions that name neither theirs nor a map.

    Raises
    ------
    NotFoundError
        There is no such file.
    UnreadableFileError
        It cannot be read.
    ReadError
        It is damaged, too large, or something else.
    InvalidRequestError
        The ending is that of no format.
    """
    return read_rois(bytes_of(path), path.name, fov)


def bytes_of(path: Path) -> bytes:
    """Return what is in a file of regions; raises what ``rois_at`` raises."""
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no table of regions {path}") from error
    except OSError as error:
        raise UnreadableFileError(f"{path} cannot be read: {error.strerror or error}") from error
    if len(data) > MAX_BYTES:
        raise ReadError(f"{path}: it has more than {MAX_BYTES >> 20} MiB")
    return data


def write_rois_at(path: Path, rois: Sequence[Roi], *, was: bytes | None) -> None:
    """Write a file of regions.

    Parameters
    ----------
    path
        Its ending says the format.
    rois
        Which.
    was
        What the file held when it was read; ``None`` where it is to be a new one.

    Raises
    ------
    ConflictError
        It holds something else by now, or is there already.
    StorageError
        It cannot be written.
    InvalidRequestError
        The format cannot hold them.
    """
    data = write_rois(rois, path.name)
    try:
        there = bytes_of(path)
    except NotFoundError:
        there = None
    if there != was:
        said = "is there already" if was is None else "was changed by somebody else meanwhile"
        raise ConflictError(f"{path} {said}; nothing was written")
    write(path, data)
