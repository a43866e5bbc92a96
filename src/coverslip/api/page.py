"""The web page: built files from one folder, and the same document for every address the page itself understands."""

import mimetypes
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.types import Receive, Scope, Send

PAGE_FOLDER = Path(__file__).resolve().parent.parent / "web_dist"

NOT_BUILT = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Coverslip</title>
<p>The web page is not built yet. Run <code>python3 dev.py setup</code> and start the server again.</p></html>
"""

FOREVER = "public, max-age=31536000, immutable"
"""Vite puts a digest of the content into the names below ``assets``."""


class Page:
    """ASGI app for every address that no route has: a file of the page, or the page itself for its own addresses.

    Parameters
    ----------
    folder
        Where the built page is.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["path"].startswith("/api/"):
            raise HTTPException(404, "there is no such address; /api/openapi.json lists all there are")
        if scope["method"] not in ("GET", "HEAD"):
            raise HTTPException(405, "the page can only be read", headers={"Allow": "GET, HEAD"})
        response = await run_in_threadpool(self._find, scope["path"].lstrip("/"))
        await response(scope, receive, send)

    def _find(self, path: str) -> Response:
        file = file_below(self._folder, path)
        if file is not None:
            kept = FOREVER if path.startswith("assets/") else "no-cache"
            return FileResponse(file, media_type=media_type_of(file), headers={"cache-control": kept})
        if "." in path.rsplit("/", 1)[-1] or path.startswith("assets/"):
            raise HTTPException(404, "the page has no such file")
        return _index(self._folder)


def _index(folder: Path) -> Response:
    index = folder / "index.html"
    if not index.is_file():
        return HTMLResponse(NOT_BUILT, 503)
    return FileResponse(index, media_type="text/html", headers={"cache-control": "no-cache"})


def file_below(folder: Path, path: str) -> Path | None:
    """Return the file under this address, never one outside its folder; ``None`` where there is none."""
    if not path or "\0" in path:
        return None
    file = (folder / path).resolve()
    return file if file.is_relative_to(folder.resolve()) and file.is_file() else None


def media_type_of(file: Path) -> str:
    """Return the media type that a browser needs to use a file."""
    # the table of the operating system may call scripts text/plain, which browsers refuse to run
    known = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".woff2": "font/woff2"}
    known |= {".wasm": "application/wasm", ".map": "application/json"}
    return known.get(file.suffix) or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
