"""Metadata documents of a layout, read whole and within limits. Not there, damaged and unknown are three answers."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Never

from coverslip.errors import ReadError, UnreadableFileError

MOST_BYTES = 64 << 20
"""Bytes of one document (64 MiB); those of tilt series with thousands of sections have one."""
MOST_DEPTH = 64
"""Levels of mappings and lists in one document; real ones have six."""


@dataclass(frozen=True, slots=True)
class Read:
    """What reading a document gave."""

    key: str
    value: Any = None
    """The document; ``None`` where there is a ``problem``."""
    problem: ReadError | None = None
    """An ``UnreadableFileError`` says that nobody knows what is in it, any other that it is damaged."""

    @property
    def is_unknown(self) -> bool:
        """Whether nobody could look."""
        return isinstance(self.problem, UnreadableFileError)

    @property
    def reason(self) -> str:
        """What is wrong with it, without its key; empty where nothing is."""
        return str(self.problem or "").removeprefix(f"{self.key}: ")


def read_document(path: Path, key: str, size: int) -> Read:
    """Return the JSON document under a path. Never raises for a bad one: that is an answer too.

    Parameters
    ----------
    path
        Where it is.
    key
        Its place below the top of the layout; every reason begins with it.
    size
        Bytes, as the listing has it.
    """
    try:
        return Read(key, _parse(_content(path, key, size), key))
    except FileNotFoundError as error:  # the listing had it: what is there now is another layout
        return Read(key, problem=UnreadableFileError(f"{key}: it was there when the layout was listed: {error}"))
    except ReadError as error:
        return Read(key, problem=error)
    except OSError as error:
        reason = error.strerror or str(error)
        return Read(key, problem=UnreadableFileError(f"{key}: it cannot be read: {reason}"))


def _content(path: Path, key: str, size: int) -> bytes:
    too_large = f"{key}: a document of more than {MOST_BYTES:,} bytes is not read"
    if size > MOST_BYTES:
        raise ReadError(too_large)
    try:
        content = path.read_bytes()
    except UnreadableFileError as error:
        raise UnreadableFileError(f"{key}: it cannot be read: {error}") from error
    if len(content) > MOST_BYTES:
        raise ReadError(too_large)
    return content


def _parse(content: bytes, key: str) -> Any:
    def refuse(name: str) -> Never:
        raise ReadError(f"{key}: the document holds {name}, which is no number in JSON")

    try:
        value = json.loads(content.decode("utf-8-sig"), parse_constant=refuse)
    except UnicodeDecodeError as error:
        raise ReadError(f"{key}: this is no JSON: byte {error.start} is no UTF-8") from error
    except json.JSONDecodeError as error:
        raise ReadError(f"{key}: line {error.lineno}: this is no JSON: {error.msg}") from error
    except (RecursionError, ValueError) as error:  # ValueError: a number of thousands of digits
        raise ReadError(f"{key}: it is nested too deeply or holds an endless number") from error
    _check(value, key)
    return value


def _check(value: object, key: str) -> None:
    """Refuse what no database keeps: deep nesting, numbers beyond any range, NUL and halves of characters."""
    waiting: list[tuple[object, int]] = [(value, 1)]
    while waiting:
        one, depth = waiting.pop()
        if depth > MOST_DEPTH:
            raise ReadError(f"{key}: it is nested more than {MOST_DEPTH} levels deep")
        if isinstance(one, dict):
            waiting += [(inner, depth + 1) for pair in one.items() for inner in pair]
        elif isinstance(one, list):
            waiting += [(inner, depth + 1) for inner in one]
        elif isinstance(one, str) and ("\0" in one or not _is_text(one)):
            raise ReadError(f"{key}: a text in it holds NUL or half a character")
        elif isinstance(one, float) and one in (float("inf"), float("-inf")):
            raise ReadError(f"{key}: a number in it is beyond what a computer can hold")


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def mapping(value: object) -> Mapping[str, Any]:
    """Return a value if it is a mapping, otherwise an empty one."""
    return value if isinstance(value, dict) else {}


def text(value: object) -> str:
    """Return a short text; empty where it is none."""
    return value if isinstance(value, str) and len(value) <= 4096 else ""


def number_text(value: object) -> str:
    """Return the number of a deposition as text; empty where it is none."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**18:
        return str(value)
    return value if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 18 else ""


def mappings(value: object) -> Iterator[Mapping[str, Any]]:
    """Yield the mappings of a list; nothing where it is none."""
    yield from (one for one in value if isinstance(one, dict)) if isinstance(value, list) else ()
