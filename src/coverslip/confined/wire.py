"""What goes over the line between a confined process and its owner: JSON, and the bytes of pixels behind it.

Nothing is unpickled: a file that takes over the process must not take over its owner. A message is two lengths, a JSON
document and so many raw bytes.
"""

import json
import socket
import struct
import time
from collections.abc import Mapping
from typing import Any

from coverslip.errors import (
    BudgetError,
    CoverslipError,
    ImageLoadError,
    MislabelledFileError,
    MissingDependencyError,
    ReadError,
    RegionError,
    UnreadableFileError,
    UnsupportedFormatError,
)
from coverslip.model import Budgets

LENGTHS = struct.Struct("<QQ")
MAX_DOCUMENT_BYTES = 256 << 20
BUFFER_BYTES = 1 << 20
"""Of the socket: with less, a plane goes over in many small pieces."""
PLAIN_ERRORS: Mapping[str, type[CoverslipError]] = {
    kind.__name__: kind
    for kind in (
        *(ImageLoadError, UnsupportedFormatError, MislabelledFileError, ReadError, UnreadableFileError, RegionError),
    )
}
"""Errors that are a text and nothing more."""


class LineLostError(Exception):
    """The other side is gone, or says what makes no sense."""


class NobodyThereError(LineLostError):
    """The other side was gone before it took what was sent."""


class TooLateError(Exception):
    """The other side did not answer in time."""


def send(line: socket.socket, document: Mapping[str, Any], payload: memoryview | None = None) -> None:
    """Send a message.

    Raises
    ------
    NobodyThereError
        The other side is gone.
    """
    text = json.dumps(document).encode("ascii")  # ASCII: names of files may hold bytes that are no text
    size = 0 if payload is None else payload.nbytes
    try:
        line.sendall(LENGTHS.pack(len(text), size) + text)
        if payload is not None:
            line.sendall(payload)
    except TimeoutError as error:
        raise TooLateError from error
    except OSError as error:
        raise NobodyThereError(str(error)) from error


def receive(line: socket.socket, until: float | None = None) -> tuple[dict[str, Any], int]:
    """Return the document of the next message, and how many bytes of payload follow it.

    Parameters
    ----------
    line
        Where it comes from.
    until
        When to give up, on the clock of ``time.monotonic``.

    Raises
    ------
    LineLostError, TooLateError
        There is none.
    """
    head = bytearray(LENGTHS.size)
    fill(line, memoryview(head), until)
    length, size = LENGTHS.unpack(head)
    if length > MAX_DOCUMENT_BYTES:
        raise LineLostError(f"a document of {length:,} bytes")
    text = bytearray(length)
    fill(line, memoryview(text), until)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LineLostError(f"no JSON: {error}") from error
    if not isinstance(document, dict):
        raise LineLostError("no JSON object")
    return document, size


def fill(line: socket.socket, target: memoryview, until: float | None = None) -> None:
    """Receive as many bytes as a buffer holds; see ``receive``."""
    done = 0
    while done < target.nbytes:
        try:
            line.settimeout(None if until is None else max(0.001, until - time.monotonic()))
            count = line.recv_into(target[done:])
        except TimeoutError as error:
            raise TooLateError from error
        except ConnectionResetError as error:  # it left something unread
            raise NobodyThereError(str(error)) from error
        except OSError as error:
            raise LineLostError(str(error)) from error
        if count == 0:
            raise LineLostError("the line was closed")
        done += count
        if until is not None and time.monotonic() > until:
            raise TooLateError


def document_of(error: CoverslipError) -> dict[str, Any]:
    """Return an error as a document."""
    kind = next((base.__name__ for base in type(error).__mro__ if base.__name__ in PLAIN_ERRORS), ReadError.__name__)
    document: dict[str, Any] = {"error": kind, "text": str(error)}
    if isinstance(error, MissingDependencyError):
        document["package"] = error.package
    if isinstance(error, BudgetError):
        document |= {"budget": error.budget, "asked": error.asked, "allowed": error.allowed}
    return document


def error_of(document: Mapping[str, Any]) -> CoverslipError:
    """Return the error that a document tells of."""
    text = str(document.get("text"))
    if "package" in document:
        return MissingDependencyError(text, str(document["package"]))
    if document.get("budget") in Budgets.model_fields:
        asked, allowed = (_number(document.get(name)) for name in ("asked", "allowed"))
        return BudgetError("", budget=str(document["budget"]), asked=asked, allowed=allowed).reworded(text)
    return PLAIN_ERRORS.get(str(document.get("error")), ReadError)(text)


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) else None
