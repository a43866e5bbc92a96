"""Where the parts of an Olympus image are: streams of one OIB, or files in the folder beside an OIF."""

import io
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from coverslip.errors import ReadError
from coverslip.readers.oif.settings import RawSettings

if TYPE_CHECKING:
    from oiffile import CompoundFile

FOLDER_ENDING = ".files"
MAX_SETTINGS_BYTES = 64 << 20
INFO = "OibInfo.txt"
COMPOUND_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


class Storage(Protocol):
    """The named parts of one image."""

    files: Sequence[Path]
    """Every file that holds a part."""
    settings: RawSettings
    """The main settings."""
    file_format: str
    """``"OIB"`` or ``"OIF"``."""

    def names(self) -> Sequence[str]:
        """Return the names of all parts."""
        ...

    def content(self, name: str) -> bytes:
        """Return the bytes of a part.

        Raises
        ------
        ReadError
            It cannot be read.
        """
        ...

    def close(self) -> None:
        """Release what is open."""
        ...


class Oib:
    """The streams of a compound file, under the names that its own list gives them."""

    file_format = "OIB"

    def __init__(self, path: Path) -> None:
        import oiffile  # noqa: PLC0415  # its absence must not break the other readers

        _check_compound(path)
        self.files: Sequence[Path] = (path,)
        self._compound: CompoundFile = oiffile.CompoundFile(path)
        try:
            streams = {name.rsplit("/", 1)[-1]: name for name in self._compound.files()}
            info = read_settings(self._stream(streams[INFO]), INFO)["OibSaveInfo"]
            self._parts = {
                str(part): streams[key] for key, part in info.items() if key.startswith("Stream") and key in streams
            }
            main = str(info[info["MainFileName"]])
            self.settings = read_settings(self.content(main), main)
        except BaseException:
            self._compound.close()
            raise

    def names(self) -> Sequence[str]:
        """Return the names of the streams."""
        return tuple(self._parts)

    def content(self, name: str) -> bytes:
        """Return the bytes of a stream."""
        return self._stream(self._parts[name])

    def _stream(self, name: str) -> bytes:
        with self._compound.open_file(name) as stream:
            return stream.read()

    def close(self) -> None:
        """Release the file."""
        self._compound.close()


class Oif:
    """A settings file and the folder beside it. Nothing outside that folder is ever opened.

    Parameters
    ----------
    path
        The ``.oif`` file.
    """

    file_format = "OIF"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._folder = path.with_name(path.name + FOLDER_ENDING)
        self.settings = read_settings(_content(path), path.name)
        home = path.parent.resolve()
        if not self._folder.is_dir() or self._folder.resolve().parent != home:
            raise ReadError(f"{path}: its pixels are missing: there is no folder {self._folder.name!r} beside it")
        inside = self._folder.resolve()
        self._parts = {
            part.name: part
            for part in sorted(self._folder.iterdir())
            if part.resolve().parent == inside and part.is_file()
        }
        planes = [part for part in self._parts.values() if part.suffix.lower() == ".tif"]
        self.files: Sequence[Path] = (path, *planes)

    def names(self) -> Sequence[str]:
        """Return the names of the files in the folder."""
        return tuple(self._parts)

    def content(self, name: str) -> bytes:
        """Return the bytes of a file in the folder."""
        return _content(self._parts[name])

    def close(self) -> None:
        """Nothing stays open."""


def read_settings(content: bytes, name: str) -> RawSettings:
    """Return the sections of a settings file.

    Raises
    ------
    ReadError
        It is no such file.
    """
    import oiffile  # noqa: PLC0415  # its absence must not break the other readers

    try:
        found: RawSettings = oiffile.SettingsFile(io.BytesIO(content), name)
    except ValueError as error:
        raise ReadError(f"the settings in {name} cannot be read: {error}") from error
    return found


def _content(path: Path) -> bytes:
    size = path.stat().st_size
    if path.suffix.lower() != ".tif" and size > MAX_SETTINGS_BYTES:
        raise ReadError(f"{path}: {size} bytes of settings are too many")
    return path.read_bytes()


def _check_compound(path: Path) -> None:
    """Refuse a compound file whose tables are larger than the file can need: they are read into memory at once.

    Raises
    ------
    ReadError
        The header makes no sense.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        header = stream.read(76)
    if len(header) < 76:
        raise ReadError(f"{path}: the file ends within its header. Copy it again from its source")
    (shift,) = struct.unpack_from("<H", header, 30)
    folders, tables, _, _, _, _, small, _, more = struct.unpack_from("<9I", header, 40)
    if shift not in (9, 12):
        raise ReadError(f"{path}: sectors of 2^{shift} bytes are none of a compound file")
    sectors = size >> shift
    needed = 4 * (sectors * 4 >> shift) + 128
    if max(folders, tables, small, more) > needed:
        raise ReadError(
            f"{path}: the tables of the compound file are larger than the {size} bytes that are there need: "
            "the file is truncated or damaged"
        )
