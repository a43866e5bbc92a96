"""Remote files as paths, so that a reader that opens, lists and joins paths does the same with them."""

import errno
import io
import os
import stat
from collections.abc import Generator, Iterator, Mapping
from functools import lru_cache
from pathlib import Path, PosixPath
from typing import Any, NoReturn

from coverslip.errors import RefusedAddressError
from coverslip.sources.address import Address, RemoteRules, is_remote, parse_address
from coverslip.sources.bucket import Bucket
from coverslip.sources.copies import LocalCopies, LocalCopy
from coverslip.sources.stream import RemoteSource, SourceFile
from coverslip.sources.transport import Found, Transport
from coverslip.sources.web import FOLDER_MARKS, WebServer

VARIABLES: Mapping[str, tuple[str, ...]] = {"s3": ("AWS_",), "gs": ("GOOGLE_",), "az": ("AZURE_", "AZURITE_")}


class RemotePath(PosixPath):
    """A remote file or folder: ``str`` is its address; it opens, lists and joins as a path of this machine does.

    It has no place in the file system: what asks the operating system for it (``os.stat``, ``open``) gets an error
    instead of another file. The first look decides which version of the file is read; see ``anew``.

    Parameters
    ----------
    segments
        ``/key`` in its place.
    origin
        An address in that place.
    rules
        What may be opened.
    """

    def __init__(self, *segments: "str | os.PathLike[str]", origin: Address, rules: RemoteRules) -> None:
        super().__init__(*segments)
        self._origin = origin
        self.rules = rules
        self._source: RemoteSource | None = None

    @property
    def address(self) -> Address:
        """Its parts."""
        return Address(self._origin.scheme, self._origin.place, self.as_posix_key())

    def as_posix_key(self) -> str:
        """Return the name of the object in its place."""
        return "/".join(self.parts[1:])

    def with_segments(self, *segments: "str | os.PathLike[str]") -> "RemotePath":
        """Return another path in the same place; pathlib makes all its paths with this."""
        return RemotePath(*segments, origin=self._origin, rules=self.rules)

    def anew(self) -> "RemotePath":
        """Return the same path with nothing looked at yet."""
        return self.with_segments(self)

    def __str__(self) -> str:
        return str(self.address)

    def __repr__(self) -> str:
        return f"RemotePath({str(self)!r})"

    def __fspath__(self) -> NoReturn:
        raise io.UnsupportedOperation(errno.ENOTSUP, f"{self}: has no place in the file system of this machine")

    def __reduce__(self) -> tuple[Any, ...]:
        return locate, (str(self), self.rules)

    def source(self) -> RemoteSource:
        """Return the bytes of one version of the file: the one that was there at the first call.

        Raises
        ------
        FileNotFoundError
            There is no such object.
        UnreadableFileError
            Nobody knows.
        """
        if self._source is None:
            self._source = RemoteSource(self._transport, self._transport.find(self.as_posix_key()), str(self))
        return self._source

    def open(self, mode: str = "r", *_args: Any, **_options: Any) -> Any:
        """Open the file for reading bytes; nothing else is offered."""
        if mode != "rb":
            raise io.UnsupportedOperation(errno.EROFS, f"{self}: remote files are only read, as bytes")
        return SourceFile(self.source())

    def read_bytes(self) -> bytes:
        """Return the content of a small object by one request."""
        return self._transport.read_whole(self.as_posix_key())

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """Return type, size and time of the last change; a folder has neither size nor time."""
        key = self.as_posix_key()
        looks_like_folder = not key or (self.address.is_web and self.suffix in (".zarr", ".ngff"))
        if looks_like_folder and self._transport.is_folder(key):
            return _status(stat.S_IFDIR, 0, 0)
        try:
            found = self._transport.find(key) if self._source is None else None
        except FileNotFoundError:
            if looks_like_folder or not self._transport.is_folder(key):
                raise
            return _status(stat.S_IFDIR, 0, 0)
        if found is not None:
            self._source = RemoteSource(self._transport, found, str(self))
        return _status(stat.S_IFREG, self.source().size, self.source().found.modified_ns)

    def lstat(self) -> os.stat_result:
        """Return the same as ``stat``: nothing far away is a link."""
        return self.stat()

    def exists(self, *, follow_symlinks: bool = True) -> bool:
        """Return whether it is there; not knowing is an error."""
        try:
            self.stat()
        except FileNotFoundError:
            return False
        return True

    def is_file(self) -> bool:
        """Return whether it is a file; not knowing is an error."""
        try:
            self._transport.find(self.as_posix_key())
        except FileNotFoundError:
            return False
        return True

    def is_dir(self) -> bool:
        """Return whether anything lies below it; not knowing is an error."""
        return self._transport.is_folder(self.as_posix_key())

    def iterdir(self) -> Generator["RemotePath"]:
        """Yield what lies directly in it, as the listing gives it."""
        own, last = self.as_posix_key(), ""
        for found in self._transport.below(own):
            name = found.key[len(own) :].lstrip("/").partition("/")[0]
            if name != last:
                yield self / name
            last = name

    def contents(self) -> Iterator[Found]:
        """Yield every object below it; complete or an error."""
        yield from self._transport.below(self.as_posix_key())

    def pages(self, after: str = "") -> Iterator[list[tuple[str, int]]]:
        """Yield keys (of the bucket, not below this folder) and sizes of every object below it, page by page.

        Complete or an error. With ``after``, only what comes after that key, as the bucket orders them.
        """
        yield from self._transport.pages(self.as_posix_key(), after)

    def documents(self) -> Iterator[Found]:
        """Yield the documents that make a folder an image, for places that list nothing."""
        for mark in FOLDER_MARKS:
            try:
                yield (self / mark).source().found
            except FileNotFoundError:
                continue

    def listing(self) -> "Listing":
        """Return what lies directly in it, complete.

        Raises
        ------
        UnreadableFileError
            It cannot be listed, or not to the end.
        """
        return Listing(self)

    def resolve(self, strict: bool = False) -> "RemotePath":
        """Return the same: there are no links."""
        return self

    def samefile(self, other: "str | os.PathLike[str]") -> bool:
        """Return whether the other is the same address."""
        return str(self) == str(other)

    def copy_here(self) -> LocalCopy:
        """Return a copy of the file in the folder of local copies.

        Raises
        ------
        UnreadableFileError
            It cannot be read or kept.
        """
        return LocalCopies(self.rules.copies, self.rules.copies_bytes).hold(self.source(), self.name)

    @property
    def _transport(self) -> Transport:
        is_trusted = self.rules.check(self.address)
        return _transport(self._origin.scheme, self._origin.place, is_trusted, _surroundings(self._origin.scheme))


class Listing:
    """What lies directly in a remote folder."""

    def __init__(self, folder: RemotePath) -> None:
        transport = folder._transport
        found, folders = transport.folder(folder.as_posix_key())
        self.files = {folder.with_segments(f"/{one.key}"): one for one in found}
        self.folders = [folder.with_segments(f"/{key}") for key in folders]


def locate(text: str | os.PathLike[str], rules: RemoteRules | None = None) -> Path:
    """Return the path that a text means: an ordinary one, or a ``RemotePath`` for an address.

    Parameters
    ----------
    text
        A path of this machine, or ``s3://``, ``gs://``, ``az://`` or ``https://`` and what follows.
    rules
        What may be opened; those of the environment and ``coverslip.toml`` when left out.

    Raises
    ------
    RefusedAddressError
        The address may not be opened, or is none.
    SettingsError
        Of the environment, when its rules are needed.
    """
    if isinstance(text, Path):
        return text
    text = os.fspath(text)
    if not is_remote(text):
        return Path(text)
    address = parse_address(text)
    rules = rules or RemoteRules.here()
    rules.check(address)
    if address.is_web and not address.key:
        raise RefusedAddressError(f"{address}: a web server does not list its files. Name each of them")
    return RemotePath(f"/{address.key}", origin=address, rules=rules)


@lru_cache(maxsize=64)
def _transport(scheme: str, place: str, is_trusted: bool, _surroundings: tuple[tuple[str, str], ...]) -> Transport:
    """Return the one transport of a place, so that connections and resolved names are kept.

    Other variables of the environment, such as a new key, are another transport.
    """
    address = Address(scheme, place, "")
    return WebServer(address, is_trusted=is_trusted) if address.is_web else Bucket(address)


def _surroundings(scheme: str) -> tuple[tuple[str, str], ...]:
    """Return the variables of the environment that say how the buckets of a kind are reached."""
    marks = VARIABLES.get(scheme, ())
    return tuple(sorted(item for item in os.environ.items() if item[0].startswith(marks))) if marks else ()


def _status(kind: int, size: int, modified_ns: int) -> os.stat_result:
    seconds = modified_ns // 10**9
    times = (seconds, seconds, seconds, float(seconds), float(seconds), float(seconds))
    return os.stat_result((kind | 0o444, 0, 0, 1, 0, 0, size, *times, modified_ns, modified_ns, modified_ns))
