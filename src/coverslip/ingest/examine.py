"""One file -> what the catalog should know of it. Opens the file, reads metadata, never pixels."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from coverslip.errors import (
    ImageLoadError,
    MislabelledFileError,
    UnreadableFileError,
    UnsupportedFormatError,
)
from coverslip.ingest.walk import see_file
from coverslip.model import ImageMetadata
from coverslip.model.records import AssetState, SeenFile, SyncItem
from coverslip.readers import ImageFile, open_image, whole_of
from coverslip.sources import RemotePath, locate

OpenFile = Callable[[Path], ImageFile]
Locate = Callable[[str], Path]
"""Turns what the catalog holds into a path that can be opened."""

HASH_UP_TO = 8 << 20
"""Files up to this many bytes (8 MiB) are hashed when first seen; larger ones only once they have changed."""


@dataclass(frozen=True, slots=True)
class Examined:
    """What opening a file showed."""

    path: str
    items: tuple[SyncItem, ...] = ()
    """What to write, all of it or nothing: the file, or the first file of its set and then the other parts."""
    error: ImageLoadError | None = None
    """Why there is no image. Without ``items`` and ``whole`` nothing is known: the file could not be looked at."""
    whole: str | None = None
    """The first file, or the folder, of the set that it is a part of: what has to be examined instead."""


def examine(seen: SeenFile, open_file: OpenFile = open_image, locate: Locate = locate) -> Examined:
    """Return what the catalog should know of one file. Never raises for a bad file: that is a result too.

    A multi-file set is cataloged under its folder, where it is one, or its first file; of any other file of it only
    that is said, so that a set of thousands is read once, not once for each of its files.

    Parameters
    ----------
    seen
        Which file.
    open_file
        Opens it.
    """
    try:
        path = locate(seen.path)
        folder = None if isinstance(path, RemotePath) else whole_of(path)
        if folder is not None and path in _open(folder, open_file)[0]:
            return Examined(seen.path, whole=str(folder))
        files, images = _open(path, open_file)
        first = path if seen.is_folder else min(files, default=path)
        if first != path and path in _open(first, open_file)[0]:
            return Examined(seen.path, whole=str(first))
        seen = hashed(seen)
        if first == path and len(files) > 1:
            return Examined(seen.path, _whole_set(path, files, images, seen))
        return Examined(seen.path, (SyncItem(seen, "ok", images=images),))
    except UnreadableFileError as error:
        return Examined(seen.path, error=error)
    except ImageLoadError as error:
        return Examined(seen.path, (SyncItem(seen, _state_of(error), str(error)),), error)


def hashed(seen: SeenFile) -> SeenFile:
    """Return the file with its checksum, if it is small enough to be hashed in passing.

    Raises
    ------
    UnreadableFileError
        The file cannot be read.
    """
    if seen.checksum is not None or not 0 < seen.size <= HASH_UP_TO:
        return seen
    return replace(seen, checksum=checksum(Path(seen.path)))


def checksum(path: Path) -> str:
    """Return the BLAKE2b-128 digest of a whole file as hexadecimal text.

    Raises
    ------
    UnreadableFileError
        The file cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError as error:
        raise UnreadableFileError(f"{path}: cannot be read: {error.strerror or error}") from error


def _open(path: Path, open_file: OpenFile) -> tuple[tuple[Path, ...], tuple[ImageMetadata, ...]]:
    with open_file(path) as file:
        return file.files, tuple(image.metadata for image in file.images)


def _whole_set(
    first: Path, files: Iterable[Path], images: tuple[ImageMetadata, ...], seen: SeenFile
) -> tuple[SyncItem, ...]:
    """Return the first file with all images of the set, then the other files as its parts.

    What lies in a folder that is one image needs no entry of its own: the folder stands for it.
    """
    parts = [
        SyncItem(_see(path, seen), "part", f"part of the set in {first}", part_of=str(first))
        for path in sorted(files)
        if not path.is_relative_to(first)
    ]
    return (SyncItem(_see(first, seen), "ok", images=images), *parts)


def _see(path: Path, seen: SeenFile) -> SeenFile:
    if str(path) == seen.path:
        return seen
    try:
        return hashed(see_file(path))
    except UnreadableFileError:
        raise
    except OSError as error:
        raise UnreadableFileError(f"{path}: cannot be read: {error.strerror or error}") from error


def _state_of(error: ImageLoadError) -> AssetState:
    """Return ``unknown`` where nobody promised an image, ``broken`` where one should be and is not."""
    promised = isinstance(error, MislabelledFileError) or not isinstance(error, UnsupportedFormatError)
    return "broken" if promised else "unknown"
