"""Which reader opens a file: decided by what the file says, then by its ending."""

import importlib.util
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, entry_points, requires, version
from pathlib import Path

from coverslip.errors import (
    MislabelledFileError,
    MissingDependencyError,
    ReadError,
    UnreadableFileError,
    UnsupportedFormatError,
)
from coverslip.model import Budgets, OpenedFile, Probe, Reader
from coverslip.readers.budgets import budgets as budgets_here
from coverslip.readers.budgets import within
from coverslip.readers.copied import open_copy
from coverslip.readers.image import ImageFile, foreign
from coverslip.sources import RemotePath, locate

GROUP = "coverslip.readers"
HEAD_BYTES = 4096

FOREIGN_CONTENT: Mapping[bytes, str] = {
    b"version https://git-lfs": "This is a Git LFS pointer, not the image: run `git lfs pull`",
    b"<!DOCTYPE html": "This is a web page, perhaps a failed download",
    b"<html": "This is a web page, perhaps a failed download",
    b"PK\x03\x04": "This is a zip archive: unpack it first",
    b"\x1f\x8b": "This is a gzip archive: unpack it first",
    b"%PDF": "This is a PDF document",
}
SOURCE_MAP = (b"{", b")]}'")
"""How source maps of JavaScript begin, whose ending ``.map`` is too: JSON, or the mark before it."""


@dataclass(frozen=True, slots=True)
class Format:
    """One supported format, as ``formats()`` lists it."""

    reader: str
    title: str
    extensions: tuple[str, ...]
    package: str
    available: bool
    experimental: bool = False
    """Read as its maker describes it, but not yet compared with files of other writers."""
    reads_sets: bool = False
    """Puts files together that are images by themselves too."""

    @property
    def reason(self) -> str | None:
        """Why files of it cannot be read here; ``None`` where they can."""
        return None if self.available else f"the package {self.package!r} is not installed"

    @property
    def install(self) -> str | None:
        """The command that makes it readable; ``None`` where it is already."""
        return None if self.available else install_command(self.package)


@cache
def readers() -> Mapping[str, Reader]:
    """Return every installed reader by name, in a fixed order."""
    found = sorted(entry_points(group=GROUP), key=lambda point: point.name)
    return {point.name: point.load() for point in found}


def load() -> None:
    """Import the code of all readers, which otherwise happens when a file is shown to one."""
    for reader in readers().values():
        getattr(reader, "whole", reader)


def formats() -> tuple[Format, ...]:
    """Return every known format and whether its package is installed."""
    return tuple(
        Format(
            name,
            reader.title,
            reader.extensions,
            reader.package,
            _is_installed(reader),
            experimental=getattr(reader, "experimental", False),
            reads_sets=_reads_sets(reader),
        )
        for name, reader in readers().items()
    )


@cache
def signature() -> str:
    """Return the versions of everything that judges files; a verdict is worth repeating when this changes."""
    packages = sorted({reader.package for reader in readers().values()} | {"coverslip"})
    return " ".join(f"{package}={_version(package)}" for package in packages)


def recognise(path: str | os.PathLike[str], *, is_named: bool = False) -> Reader | None:
    """Return the reader for a file or folder, or ``None`` where no reader knows the content.

    Parameters
    ----------
    path
        A local file or folder.
    is_named
        Whether somebody says that a folder is one image; without it a folder has to look like one.

    Raises
    ------
    UnreadableFileError
        The file is not there, or may not or cannot be read.
    ReadError
        The file is empty, and its ending promises an image.
    UnsupportedFormatError
        The file is empty, and its ending promises no image.
    """
    return _recognise(replace(_probe(locate(path)), is_named=is_named))


def whole_of(path: Path) -> Path | None:
    """Return the folder to whose image a file belongs that lies outside of it and is an image by itself too.

    ``None`` for almost every file; a file of a set that its name or content makes known opens as the set.
    """
    asked = (getattr(reader, "whole_of", None) for reader in readers().values())
    return next((whole for ask in asked if ask is not None and (whole := ask(path)) is not None), None)


def open_image(path: str | os.PathLike[str], budgets: Budgets | None = None, *, alone: bool = False) -> ImageFile:
    """Open an image file (or a folder that is one image) and read its metadata, never its pixels.

    Parameters
    ----------
    path
        A local file or folder, or an address: ``s3://``, ``gs://``, ``az://`` or ``https://``.
    budgets
        What opening it and each read of it may cost; ``None`` are the ones that hold here, by default ``Budgets()``.
    alone
        Open just this file, where its name makes it one of a numbered set.

    Returns
    -------
    ImageFile
        A context manager with ``.images``.

    Raises
    ------
    UnsupportedFormatError
        No reader knows the content; the message says what was seen. Also where there is no such file, and no reader
        knows the ending of its name either.
    MislabelledFileError
        The same, of a file whose ending promises a format.
    MissingDependencyError
        The format is known, its package is not installed.
    ReadError
        The file is empty or damaged.
    BudgetError
        It asks for more than a file may cost.
    UnreadableFileError
        The file is not there, or may not or cannot be read: nothing is known about its content.
    """
    if budgets is not None:
        with within(budgets):
            return open_image(path, alone=alone)
    probe = replace(_probe(locate(path)), is_named=True)
    reader = _recognise(probe, alone=alone)
    if reader is None:
        kind = MislabelledFileError if _promised(probe) else UnsupportedFormatError
        raise kind(_explain(probe))
    if not _is_installed(reader):
        raise MissingDependencyError(
            f"{probe.path}: reading {reader.title} needs the package {reader.package!r}. "
            f"Install it: {install_command(reader.package)}",
            reader.package,
        )
    opened = foreign(f"opening as {reader.title}", probe.path, lambda: _open(reader, probe))
    reopen = partial(open_image, budgets=budgets_here(), alone=alone)
    return ImageFile(opened, probe.path, reader.name, reopen)


@cache
def extensions() -> tuple[str, ...]:
    """Return all usual endings of all known formats, sorted."""
    return tuple(sorted({ending for reader in readers().values() for ending in reader.extensions}))


@cache
def install_command(package: str) -> str:
    """Return the command that installs a package: by our extra where it is in one, by its own name otherwise."""
    for line in requires("coverslip") or ():
        extra = re.search(r"extra == ['\"]([a-z0-9]+)", line)
        name = re.match(r"[A-Za-z0-9._-]+", line)
        if extra and name and name[0].lower() == package.lower():
            return f'pip install "coverslip[{extra[1]}]" (or just: pip install {package})'
    return f"pip install {package}"


def _open(reader: Reader, probe: Probe) -> OpenedFile:
    """Open the file itself, or a local copy of a remote one whose format cannot be read by ranges."""
    if not isinstance(probe.path, RemotePath):
        return reader.open(probe.path)
    reads_ranges = getattr(reader, "reads_ranges", None)
    if reads_ranges is not None and reads_ranges(probe):
        return reader.open(probe.path)
    return open_copy(reader, probe.path)


def _recognise(probe: Probe, *, alone: bool = False) -> Reader | None:
    """Ask the readers of sets first, then those whose ending fits, then all others. Of remote files none is a set."""
    alone = alone or isinstance(probe.path, RemotePath)
    name = probe.path.name.lower()
    asked = (reader for reader in readers().values() if not (alone and _reads_sets(reader)))
    by_ending = sorted(asked, key=lambda reader: (not _reads_sets(reader), not name.endswith(reader.extensions)))
    return foreign(
        "looking at its content",
        probe.path,
        lambda: next((reader for reader in by_ending if reader.recognises(probe)), None),
    )


def _reads_sets(reader: Reader) -> bool:
    return getattr(reader, "reads_sets", False)


def _probe(path: Path) -> Probe:
    """Return what is seen of the file, or say clearly why nothing can be seen."""
    try:
        probe = _look(path)
    except FileNotFoundError as error:
        if path.suffix and not path.name.lower().endswith(extensions()):
            raise UnsupportedFormatError(
                f"{path}: there is no such file, and no reader knows the ending {path.suffix!r}"
            ) from error
        raise UnreadableFileError(f"{path}: there is no such file") from error
    except PermissionError as error:
        raise UnreadableFileError(f"{path}: permission denied. Ask its owner for read access") from error
    except OSError as error:
        if isinstance(error, UnreadableFileError):
            raise
        raise UnreadableFileError(f"{path}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # a NUL byte in the path
        raise UnreadableFileError(f"{str(path)!r}: this cannot be the name of a file") from error
    if probe.size == 0 and not probe.is_folder:
        if _promised(probe):
            raise ReadError(f"{path}: the file is empty (0 bytes). Copy it again from its source")
        raise UnsupportedFormatError(f"{path}: the file is empty (0 bytes)")
    return probe


def _look(path: Path) -> Probe:
    if isinstance(path, RemotePath):
        path = path.anew()  # whatever is read through it from now on is of one version
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        return Probe(path=path, size=0, head=b"", is_folder=True)
    if not stat.S_ISREG(status.st_mode):
        raise UnsupportedFormatError(f"{path}: this is a pipe, socket or device, not a file")
    with path.open("rb") as stream:
        size = status.st_size if isinstance(path, RemotePath) else os.fstat(stream.fileno()).st_size
        return Probe(path=path, size=size, head=stream.read(HEAD_BYTES), is_folder=False)


def _promised(probe: Probe) -> list[str]:
    """Return the titles of the formats that a file's ending promises; a folder may be called anything."""
    name = probe.path.name.lower()
    if name.endswith(".map") and probe.head.lstrip().startswith(SOURCE_MAP):
        return []
    known = () if probe.is_folder else readers().values()
    return [reader.title for reader in known if name.endswith(reader.extensions)]


def _explain(probe: Probe) -> str:
    """Return one sentence: what was seen, what was tried, what to do."""
    tried = ", ".join(readers())
    if probe.is_folder:
        return (
            f"{probe.path}: this folder is not an image; OME-Zarr folders are, and folders of one-plane TIFFs of equal "
            f"size, one for each channel. To catalog the files in it: coverslip add {probe.path}"
        )
    hint = next((text for start, text in FOREIGN_CONTENT.items() if probe.head.startswith(start)), "")
    if not hint and (promised := _promised(probe)):
        hint = f"The name says {' or '.join(promised)}, the content does not"
    return f"{probe.path}: no reader. First 8 bytes: {probe.head[:8]!r}. Tried: {tried}.{f' {hint}.' if hint else ''}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


def _is_installed(reader: Reader) -> bool:
    return importlib.util.find_spec(reader.module) is not None
