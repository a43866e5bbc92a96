"""Files of cryo-ET programs, read whole and within limits. What is wrong in one is said with its name and line."""

import importlib
import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Never

from coverslip.errors import CoverslipError, MissingDependencyError, ReadError, UnreadableFileError

EXTRA = "coverslip[cryoet]"
MOST_BYTES = 512 << 20
"""Bytes of one binary file: models, and meshes by ten million triangles."""
MOST_TEXT = 256 << 20
"""Bytes of one text file: particles by the million."""
MOST_LINES = 10_000_000
SMALL_TEXT = 32 << 20
"""Bytes of one text file about a tilt series: real ones have a few hundred lines."""
MOST_JSON = 128 << 20
"""Bytes of one JSON document, which takes twenty times as much memory at worst."""
MOST_POINTS = 5_000_000
"""Points of one annotation."""
MOST_SECTIONS = 100_000
"""Sections of one tilt series; real ones have about a hundred."""
BLOCK = 1 << 20
SHOWN = 60
"""Characters of a wrong value that an error repeats."""


@dataclass(frozen=True, slots=True)
class Text:
    """The lines of a text file; errors name the file and the line, counted from 1."""

    path: Path
    lines: tuple[str, ...]

    def wrong(self, line: int, what: str) -> ReadError:
        """Return the error that says what is wrong in a line; 0 stands for the file as a whole."""
        return ReadError(f"{self.path}:{line}: {what}" if line else f"{self.path}: {what}")

    def number(self, word: str, line: int, what: str) -> float:
        """Return a finite number.

        Raises
        ------
        ReadError
            It is none.
        """
        try:
            value = math.nan if "_" in word else float(word)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self.wrong(line, f"{what} is no finite number: {shown(word)}")
        return value

    def whole(self, word: str, line: int, what: str) -> int:
        """Return a whole number of at most 18 digits; ``3.000`` is one.

        Raises
        ------
        ReadError
            It is none.
        """
        value = self.number(word, line, what)
        if value != int(value) or abs(value) > 1e18:
            raise self.wrong(line, f"{what} is no whole number: {shown(word)}")
        return int(value)

    def rows(self, comment: str = "#") -> Iterator[tuple[int, list[str]]]:
        """Yield the number and the words of every line that is neither empty nor a comment."""
        for number, line in enumerate(self.lines, 1):
            words = line.split()
            if words and not words[0].startswith(comment):
                yield number, words


def read_bytes(path: Path, most: int = MOST_BYTES) -> bytes:
    """Return the content of a file.

    Raises
    ------
    UnreadableFileError
        The system did not let us look.
    ReadError
        It is larger than may be.
    """
    content = bytearray()
    try:
        with path.open("rb") as stream:
            while block := stream.read(BLOCK):
                content += block
                if len(content) > most:
                    raise ReadError(
                        f"{path}: the file is larger than {most:,} bytes, the most that is read of its kind"
                    )
    except ReadError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in the path
        raise UnreadableFileError(f"{path}: the file cannot be opened or read: {error}") from error
    return bytes(content)


def read_text(path: Path, most: int = MOST_TEXT) -> Text:
    """Return the lines of a text file: UTF-8, or Latin-1 where it is not that.

    Raises
    ------
    UnreadableFileError
        The system did not let us look.
    ReadError
        It is too large, or no text.
    """
    content = read_bytes(path, most)
    if b"\0" in content:
        raise ReadError(f"{path}: this is no text file: it holds NUL bytes. First bytes: {content[:16]!r}")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if text.count("\n") >= MOST_LINES:
        raise ReadError(f"{path}: the file has more than {MOST_LINES:,} lines")
    return Text(path, tuple(text.split("\n")))


def read_json(path: Path) -> Any:
    """Return a JSON document.

    Raises
    ------
    UnreadableFileError
        The system did not let us look.
    ReadError
        It is too large, no JSON, nested beyond reason, or holds NaN or infinity.
    """
    return parse_json("\n".join(read_text(path, MOST_JSON).lines), path)


def parse_json(text: str, path: Path, line: int = 1) -> Any:
    """Return a JSON document that begins in a line of a file.

    Raises
    ------
    ReadError
        It is none, nested beyond reason, or holds NaN or infinity.
    """

    def refuse(name: str) -> Never:
        raise ReadError(f"{path}:{line}: the document holds {name}, which is no number in JSON")

    try:
        return json.loads(text, parse_constant=refuse)
    except json.JSONDecodeError as error:
        raise ReadError(f"{path}:{line + error.lineno - 1}: this is no JSON: {error.msg}") from error
    except (RecursionError, ValueError) as error:  # ValueError: a number of thousands of digits
        raise ReadError(f"{path}:{line}: the document is nested too deeply or holds an endless number") from error


def json_number(value: object, path: Path, what: str) -> float:
    """Return a finite number of a JSON document.

    Raises
    ------
    ReadError
        It is none.
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= 1e300:
        return float(value)
    raise ReadError(f"{path}: {what} is no finite number: {shown(value)}")


def json_whole(value: object, path: Path, what: str) -> int:
    """Return a whole number of a JSON document.

    Raises
    ------
    ReadError
        It is none.
    """
    number = json_number(value, path, what)
    if number != int(number) or abs(number) > 1e15:
        raise ReadError(f"{path}: {what} is no whole number: {shown(value)}")
    return int(number)


def shown(value: object) -> str:
    """Return a value as an error repeats it: never longer than a line."""
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]} ..."


def needed(module: str) -> ModuleType:
    """Import an optional package.

    Raises
    ------
    MissingDependencyError
        It is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = (error.name or module).partition(".")[0]
        raise MissingDependencyError(
            f'meshes of annotations need the package {package!r}. Install it: pip install "{EXTRA}"', package
        ) from error


@contextmanager
def library(path: Path, doing: str) -> Iterator[None]:
    """Turn whatever a format library raises on a damaged file into a ``ReadError``; ours pass.

    Raises
    ------
    ReadError
        With the library's own words as the reason.
    """
    try:
        yield
    except CoverslipError:
        raise
    except MemoryError as error:
        raise ReadError(f"{path}: {doing} failed: the file asks for more memory than there is") from error
    except Exception as error:  # on damaged files format libraries raise anything at all
        reason = shown(str(error).strip() or "no reason given")
        raise ReadError(f"{path}: {doing} failed: {type(error).__name__}: {reason}. The file is damaged") from error
