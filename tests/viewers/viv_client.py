"""A page with Viv in it, built from the npm package and served by a server of its own: another site."""

import hashlib
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.web.browser import NODE, NPM, ROOT

SOURCE = Path(__file__).resolve().parent / "viv"
CACHE = ROOT / ".dev" / "viv"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_words: object) -> None:
        """Say nothing."""


@contextmanager
def viv_site() -> Iterator[str]:
    """Give the origin of a site with nothing but the page in it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(built_page())))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def built_page() -> Path:
    """Return the folder of the built page; built once for every state of its sources."""
    sources = [path for path in sorted(SOURCE.iterdir()) if path.is_file()]
    state = hashlib.sha256(b"".join(path.name.encode() + path.read_bytes() for path in sources)).hexdigest()[:16]
    page = CACHE / state
    if not page.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as name:
            work = Path(name)
            for path in sources:
                shutil.copy(path, work)
            for words in (["ci", "--no-audit", "--no-fund", "--loglevel=error"], ["run", "--silent", "build"]):
                programs = f"{NODE.parent}{os.pathsep}{os.environ.get('PATH', '')}"
                subprocess.run([NODE, NPM, *words], cwd=work, env={**os.environ, "PATH": programs}, check=True)
            if not page.exists():  # another test process may have been quicker
                (work / "dist").rename(page)
    return page
