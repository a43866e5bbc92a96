"""Looking at what may have changed: a file, or the set that it is a part of."""

from dataclasses import replace
from pathlib import Path

from coverslip.errors import ImageLoadError, UnreadableFileError
from coverslip.ingest.decide import decide
from coverslip.ingest.examine import Examined, Locate, OpenFile, checksum, examine
from coverslip.ingest.walk import see_file
from coverslip.model.records import AssetRecord, SeenFile


def look(seen: SeenFile, known: AssetRecord | None, open_file: OpenFile, locate: Locate) -> Examined | SeenFile:
    """Return what opening showed, or the file itself when only its times have changed."""
    if known is None:
        return examine(seen, open_file, locate)
    if decide(seen, known, known.read_by, refresh=False) == "hash":
        try:
            seen = replace(seen, checksum=checksum(Path(seen.path)))
        except ImageLoadError as error:
            return Examined(seen.path, error=error)
        if seen.checksum == known.checksum:
            return seen
    if known.part_of is not None:
        whole = look_again(known.part_of, open_file, locate)
        if seen.path in (item.seen.path for item in whole.items):
            return whole
    return examine(seen, open_file, locate)


def look_again(path: str, open_file: OpenFile, locate: Locate) -> Examined:
    """Return what the file or folder under a path shows now."""
    try:
        return examine(see_file(locate(path)), open_file, locate)
    except OSError as error:
        return Examined(path, error=UnreadableFileError(f"{path}: cannot be read: {error.strerror or error}"))


def is_gone(path: str, locate: Locate) -> bool:
    """Return True only when the file system or the place far away says, without error, that nothing is there."""
    try:
        locate(path).stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False
