"""What lies at the source and at the destination of an ingest: folders of this machine, or prefixes of a bucket."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from coverslip.cryoet import layout
from coverslip.errors import ImageLoadError, InvalidRequestError, UnreadableFileError
from coverslip.ingest.deposition.known import Known, known_numbers
from coverslip.ingest.deposition.patterns import prefix_parts
from coverslip.readers import open_image
from coverslip.sources import RemotePath

MOST_PATHS = 10_000_000
"""Files and image folders of one side; they are kept in memory."""
MOST_DOCUMENT = 64 * 1024 * 1024
"""Bytes of one metadata document. A tilt series with a thousand sections has 300 kB."""
READERS = 16
"""Documents read at the same time from a bucket."""
IMAGE_FOLDER = ".zarr"
DERIVED = "NeuroglancerPrecompute"
"""The folder of files for the viewer, thousands of them: nothing in it is a source, or says what has which number."""
ANGSTROM = 1e-4
"""In micrometres."""


@dataclass(frozen=True, slots=True)
class Held:
    """What a destination holds.

    Parameters
    ----------
    keys
        Of files and image folders.
    known
        What the documents among them say.
    problems
        Documents that say nothing, each with the reason.
    documents
        The others, by key.
    """

    keys: tuple[str, ...] = ()
    known: Known = field(default_factory=Known)
    problems: tuple[str, ...] = ()
    documents: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)


def source_folder(root: Path, prefix: str) -> Path:
    """Return the folder of a ``source_prefix``: below a folder, or that folder itself where it has none of the name.

    Raises
    ------
    InvalidRequestError
        There is no such folder, or the prefix leads out of it.
    UnreadableFileError
        It cannot be looked at.
    """
    inside = root.joinpath(*prefix_parts(prefix))
    for folder in dict.fromkeys((inside, root)):
        if folder.is_dir():
            return folder
    raise InvalidRequestError(f"--input: there is no folder {root}")


def list_paths(root: Path, folder: str = "") -> tuple[str, ...]:
    """Return everything below a folder by its path below the top, sorted; an OME-Zarr counts as one file.

    Files for the viewer are left out.

    A folder that is not there has nothing in it.

    Parameters
    ----------
    root
        The top: a folder of this machine or a prefix of a bucket.
    folder
        Only what is below this path of it.

    Raises
    ------
    UnreadableFileError
        Something cannot be listed: what is in it is unknown, and not absent.
    """
    found: set[str] = set()
    for path in _remote(root, folder) if isinstance(root, RemotePath) else _local(root, folder):
        if DERIVED not in path.split("/"):
            found.add(path)
        if len(found) > MOST_PATHS:
            raise UnreadableFileError(f"{root}: more than {MOST_PATHS:,} files lie there")
    return tuple(sorted(found))


def _remote(root: RemotePath, folder: str) -> Iterator[str]:
    above = len(root.as_posix_key()) + 1 if root.as_posix_key() else 0
    for found in (root / folder if folder else root).contents():
        yield _cut(found.key[above:])


def _cut(path: str) -> str:
    """Return a path up to the first image folder in it."""
    end = path.find(f"{IMAGE_FOLDER}/")
    return path if end < 0 else path[: end + len(IMAGE_FOLDER)]


def _local(root: Path, folder: str) -> Iterator[str]:
    top = root / folder
    if not top.exists():
        return
    seen = {_number(top)}
    for here, folders, names in os.walk(top, onerror=_refuse, followlinks=True):
        place = Path(here)
        above = place.relative_to(root).as_posix()
        prefix = "" if above == "." else f"{above}/"
        kept = []
        for name in folders:
            if name.endswith(IMAGE_FOLDER):
                yield f"{prefix}{name}"
            elif name != DERIVED and (number := _number(place / name)) not in seen:
                seen.add(number)  # a link may lead in a circle
                kept.append(name)
        folders[:] = kept
        yield from (f"{prefix}{name}" for name in names)


def _number(folder: Path) -> tuple[int, int]:
    try:
        status = folder.stat()
    except OSError as error:
        raise UnreadableFileError(f"{folder}: cannot be listed: {error.strerror or error}") from error
    return status.st_dev, status.st_ino


def _refuse(error: OSError) -> None:
    raise UnreadableFileError(f"{error.filename}: cannot be listed: {error.strerror or error}") from error


def read_destination(root: Path, folders: Iterable[str] = ("",)) -> Held:
    """Return what lies in some folders of a destination. One that is not there yet holds nothing.

    Raises
    ------
    UnreadableFileError
        It cannot be listed to the end: what has which number is not known then.
    """
    keys = tuple(sorted({key for folder in folders for key in list_paths(root, folder)}))
    wanted = [key for key in keys if (place := layout.parse(key)) is not None and place.part == "document"]
    documents: dict[str, Mapping[str, Any]] = {}
    problems = []
    with ThreadPoolExecutor(READERS, thread_name_prefix="documents") as pool:
        for key, (document, problem) in zip(wanted, pool.map(lambda key: _read(root / key), wanted), strict=True):
            if document is None:
                problems.append(f"{key}: {problem}")
            else:
                documents[key] = document
    return Held(keys, known_numbers(documents, keys), tuple(problems), documents)


def _read(path: Path) -> tuple[dict[str, Any] | None, str]:
    try:
        with path.open("rb") as opened:
            data = opened.read(MOST_DOCUMENT + 1)
        if len(data) > MOST_DOCUMENT:
            return None, f"larger than {MOST_DOCUMENT // 1024**2} MiB, which no document is"
        found = json.loads(data)
    except (OSError, ValueError, RecursionError) as error:
        return None, f"cannot be read: {error}"
    return (found, "") if isinstance(found, dict) else (None, "is no JSON object")


class Headers(Mapping[str, float]):
    """Voxel sizes in angstrom by the path of a volume, each read from its header when somebody asks.

    Parameters
    ----------
    root
        The folder of the source.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._found: dict[str, float | None] = {}

    def __getitem__(self, path: str) -> float:
        if path not in self._found:
            self._found[path] = self._look(path)
        found = self._found[path]
        if found is None:
            raise KeyError(path)
        return found

    def __iter__(self) -> Iterator[str]:
        return (path for path, size in self._found.items() if size is not None)

    def __len__(self) -> int:
        return sum(size is not None for size in self._found.values())

    def _look(self, path: str) -> float | None:
        try:
            with open_image(self._root / path) as opened:
                size = opened.images[0].metadata.get_voxel_size_micrometers()[0]
        except (ImageLoadError, OSError, IndexError):
            return None
        return round(size / ANGSTROM, 3) if size else None
