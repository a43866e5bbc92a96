"""One file -> what the catalog should know of it. Opens the file, reads metadata, never pixels."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from coverslip.errors import ImageLoadError, MissingDependencyError, ReadError, UnsupportedFormatError
from coverslip.model import ImageMetadata
from coverslip.model.records import AssetState, SeenFile, SyncItem
from coverslip.readers import open_image

HASH_UP_TO = 8 << 20
"""Files up to this many bytes (8 MiB) are hashed when first seen; larger ones only once they have changed."""


@dataclass(frozen=True, slots=True)
class Examined:
    """What opening a file showed."""

    item: SyncItem
    whole_in: Path | None = None
    """For a part of a multi-file set: the file under which the whole image is cataloged."""
    error: ImageLoadError | None = None


def examine(seen: SeenFile) -> Examined:
    """Return what the catalog should know of one file. Never raises for a bad file: that is a result too."""
    path = Path(seen.path)
    try:
        hashed = replace(seen, checksum=seen.checksum or _hash_small(path, seen.size))
        with open_image(path) as file:
            first = min(file.files, default=path)
            if first != path:
                return Examined(_item(hashed, "part", f"part of the set in {first}"), whole_in=first)
            metadata = tuple(image.metadata for image in file.images)
        return Examined(_item(hashed, "ok", None, metadata))
    except UnsupportedFormatError as error:
        return Examined(_item(seen, "unknown", str(error)), error=error)
    except MissingDependencyError as error:
        return Examined(_item(seen, "broken", str(error)), error=error)
    except ReadError as error:
        return Examined(_item(seen, "broken", str(error)), error=error)


def checksum(path: Path) -> str:
    """Return the BLAKE2b-128 digest of a whole file as hexadecimal text.

    Raises
    ------
    ReadError
        The file cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError as error:
        raise ReadError(f"{path}: cannot be read: {error.strerror or error}") from error


def _hash_small(path: Path, size: int) -> str | None:
    return checksum(path) if 0 < size <= HASH_UP_TO else None


def _item(seen: SeenFile, state: AssetState, reason: str | None, images: tuple[ImageMetadata, ...] = ()) -> SyncItem:
    return SyncItem(seen=seen, state=state, reason=reason, images=images)
