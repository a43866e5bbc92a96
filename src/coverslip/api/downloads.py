"""Sending an original: whole, in part (``Range``), or not at all when the client has it (``If-None-Match``)."""

import os
import re
from collections.abc import AsyncIterator, Callable, Mapping
from email.utils import formatdate
from hashlib import sha256
from io import BufferedReader
from pathlib import Path
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from coverslip.api.errors import Answer, problem
from coverslip.api.kept import is_known
from coverslip.errors import ConflictError, NotFoundError, ReadError
from coverslip.model.records import ImageRecord
from coverslip.sources import RemotePath, SourceFile, locate

type Original = BufferedReader | SourceFile

CHUNK_BYTES = 1 << 20
BAD_RANGE = Answer(416, "bad-range", "The file has no such bytes")


class Download(Response):
    """Response that sends the original of an image.

    The file is opened once and what is promised (size, ETag) is what that very file has, whatever replaces it
    meanwhile.

    Parameters
    ----------
    record
        Whose original.
    locate
        Turns its path or address into a path that can be opened.
    """

    media_type = "application/octet-stream"

    def __init__(self, record: ImageRecord, locate: Callable[[str], Path] = locate) -> None:
        super().__init__()
        self._record = record
        self._locate = locate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Open the file, then answer."""
        file = await run_in_threadpool(lambda: _open(self._locate(self._record.path)))
        try:
            answer = self._answer(file, scope["method"], Headers(scope=scope))
            await answer(scope, receive, send)
        finally:
            file.close()

    def _answer(self, file: Original, method: str, asked: Headers) -> Response:
        etag, size, modified = _seen(file)
        headers = {
            "etag": etag,
            "accept-ranges": "bytes",
            "cache-control": "no-cache",
        }
        if modified is not None:
            headers["last-modified"] = formatdate(modified, usegmt=True)
        if is_known(etag, asked.get("if-none-match")):
            return Response(status_code=304, headers=headers)
        headers["content-disposition"] = disposition(self._record.filename)
        span = None if asked.get("if-range", etag) not in (etag, headers.get("last-modified")) else asked.get("range")
        wanted = byte_range(span, size)
        if wanted is None:
            headers["content-range"] = f"bytes */{size}"
            return problem(BAD_RANGE, f"The file has {size} bytes; asked for: {span}", headers=headers)
        start, stop = wanted
        status = 200
        if span is not None and (start, stop) != (0, size):
            status, headers["content-range"] = 206, f"bytes {start}-{stop - 1}/{size}"
        return _body(file, start, stop, status, headers, method)


def byte_range(text: str | None, size: int) -> tuple[int, int] | None:
    """Return the bytes a ``Range`` header asks for as start and stop; ``None`` when the file has none of them.

    A header that is malformed or asks for several ranges counts as none and gives the whole file, as RFC 9110,
    14.2 allows.
    """
    found = re.fullmatch(r"\s*bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*", text or "", re.IGNORECASE | re.ASCII)
    if found is None or found.groups() == ("", ""):
        return 0, size
    first, last = found.groups()
    if not first:
        return (max(0, size - int(last)), size) if int(last) and size else None
    start = int(first)
    if last and int(last) < start:
        return 0, size
    return (start, min(size, int(last) + 1) if last else size) if start < size else None


def disposition(filename: str) -> str:
    """Return the header that makes a browser save the file under its name (RFC 6266, RFC 8187)."""
    plain = "".join(char if char.isascii() and char.isprintable() and char not in '"\\%' else "_" for char in filename)
    extended = "" if plain == filename else f"; filename*=UTF-8''{quote(filename.encode(errors='replace'), safe='')}"
    return f'attachment; filename="{plain}"{extended}'


def _seen(file: Original) -> tuple[str, int, float | None]:
    """Return ETag, size and, where it is known, time of the last change of the very file that is open."""
    if isinstance(file, SourceFile):
        version = sha256(file.source.version.encode()).hexdigest()[:32]
        return f'"{version}-{file.size:x}"', file.size, file.modified_ns / 1e9 or None
    found = os.fstat(file.fileno())
    return f'"{found.st_mtime_ns:x}-{found.st_size:x}"', found.st_size, found.st_mtime


def _open(path: Path) -> Original:
    """Open the original for reading.

    Raises
    ------
    NotFoundError
        It is not there any more.
    ConflictError
        It is a folder.
    ReadError
        It may not be read.
    """
    try:
        return SourceFile(path.source()) if isinstance(path, RemotePath) else path.open("rb")
    except IsADirectoryError as error:
        raise _is_folder(path) from error
    except FileNotFoundError as error:
        if isinstance(path, RemotePath) and path.is_dir():
            raise _is_folder(path) from error
        raise NotFoundError(f"{path}: the file is not there any more") from error
    except OSError as error:
        if isinstance(error, ReadError):
            raise
        raise ReadError(f"{path}: cannot be read: {error.strerror or error}") from error


def _is_folder(path: Path) -> ConflictError:
    return ConflictError(f"{path.name} is a folder and has no single file to download: copy {path}")


def _body(file: Original, start: int, stop: int, status: int, headers: Mapping[str, str], method: str) -> Response:
    async def chunks() -> AsyncIterator[bytes]:
        position = start
        await run_in_threadpool(file.seek, start)
        while position < stop:
            chunk = await run_in_threadpool(file.read, min(CHUNK_BYTES, stop - position))
            if not chunk:
                raise ReadError("the file became shorter while it was sent")
            position += len(chunk)
            yield chunk

    lengths = {**headers, "content-length": str(stop - start)}
    if method == "HEAD":
        return Response(b"", status, lengths, media_type=Download.media_type)
    return StreamingResponse(chunks(), status, lengths, media_type=Download.media_type)
