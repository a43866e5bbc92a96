"""The same files on a web server and in a bucket, both real and on loopback: what is read by ranges is compared too."""

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

BUCKET = "conformance"

Serve = Callable[[Path], AbstractContextManager[str]]
"""Shows a file or folder elsewhere for the length of a block, and gives its address."""


@contextmanager
def over_http(path: Path) -> Iterator[str]:
    """Show a file or folder on a web server."""
    from tests.services.web import serve_web

    with serve_web(path.parent) as web, _surroundings({"COVERSLIP_REMOTE_ALLOWED": web.url}):
        yield f"{web.url}/{path.name}"


@contextmanager
def from_s3(path: Path) -> Iterator[str]:
    """Put a file or folder into a bucket of an S3-protocol server that checks signatures."""
    import obstore
    from obstore.store import S3Store

    from tests.services.s3 import serve_s3

    with serve_s3() as server, _surroundings(server.environment):
        server.make_bucket(BUCKET)
        store = S3Store(BUCKET, client_options={"allow_http": True})
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                name = file.relative_to(path.parent).as_posix()
                obstore.put(store, name, file.read_bytes(), use_multipart=False)
        yield f"s3://{BUCKET}/{path.name}"


@contextmanager
def _surroundings(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables of the environment, and a folder of our own for what is kept, for the length of a block."""
    with tempfile.TemporaryDirectory() as home:
        wanted = {"COVERSLIP_HOME": home, **variables}
        before = {name: os.environ.get(name) for name in wanted}
        os.environ.update(wanted)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
