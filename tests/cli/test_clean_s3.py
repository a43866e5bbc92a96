"""``coverslip clean`` of a layout in a real bucket whose answers are refused, cut off, reordered or throttled."""

import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import obstore
import pytest
from obstore.store import S3Store

from coverslip.derive import open_catalog
from coverslip.settings import Settings
from tests.cleanup.test_existence_s3 import (
    QUICK,
    Layout,
    backwards,
    cut,
    empty_page,
    everything,
    listings,
    refused,
    reset,
    single,
    swapped_pages,
    torn,
)
from tests.cli.here import Here, commands
from tests.cli.test_clean import write_annotation
from tests.ingest.importing.layouts import RUN, SPACING, write_layout
from tests.services.altering import Change, altering_proxy, without_continuation
from tests.services.s3 import S3Server
from tests.sources.bucket import BUCKET, serve_bucket

pytestmark = pytest.mark.service

FRAMES = [f"{RUN}/Frames/{number:04}.tif" for number in range(1_100)]
"""So many that the annotations are on the second page of a listing."""
GONE = (103, 110, 117)
STATUSES = (403, 500, 503)

UNSURE: dict[str, Callable[[], Change]] = {
    **{f"listings answer {code}": partial(listings, partial(refused, code)) for code in STATUSES},
    **{f"single keys answer {code}": partial(single, partial(refused, code)) for code in STATUSES},
    **{f"everything answers {code}": partial(everything, partial(refused, code)) for code in STATUSES},
    "pages are cut off": lambda: listings(cut),
    "pages are torn": lambda: listings(torn),
    "connections are reset": lambda: everything(reset),
    "pages do not say how to go on": lambda: listings(lambda page: without_continuation(page, admits=True)),
    "pages say that they are the last": lambda: listings(lambda page: without_continuation(page, admits=False)),
    "pages show nothing": lambda: listings(empty_page),
    "pages come in each other's place": swapped_pages,
    "pages are backwards": lambda: listings(backwards),
}
PASSING: dict[str, Callable[[], Change]] = {
    **{f"two listings answer {code}": partial(listings, partial(refused, code), last=2) for code in (500, 503)},
    "two pages are torn": lambda: listings(torn, last=2),
}


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with serve_bucket() as server:
        yield server


@pytest.fixture(scope="module")
def portal(server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the prefix of a layout with twenty-one annotations, of which three are removed by and by."""
    top, prefix = tmp_path_factory.mktemp("portal"), uuid.uuid4().hex
    write_layout(top)
    for number in range(101, 121):
        write_annotation(top, number)
    found = {path.relative_to(top).as_posix(): path.read_bytes() for path in top.rglob("*") if path.is_file()}
    store = store_of(server)
    with ThreadPoolExecutor(8) as pool:
        put = partial(obstore.put, store, use_multipart=False)
        list(pool.map(lambda one: put(f"{prefix}/{one[0]}", one[1]), [*found.items(), *((key, b"") for key in FRAMES)]))
    return prefix


def store_of(server: S3Server) -> S3Store:
    return S3Store(
        BUCKET,
        endpoint=server.url,
        access_key_id=server.access_key,
        secret_access_key=server.secret_key,
        region="us-east-1",
        client_options={"allow_http": True},
    )


@pytest.fixture
def run(
    server: S3Server, portal: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[tuple[Here, Layout]]:
    """Return what runs commands that ask the bucket through a proxy; the layout is imported, and then lacks three."""
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    retries = {"max_retries": 1, "retry_timeout": timedelta(seconds=5), "backoff": QUICK}
    monkeypatch.setattr("coverslip.sources.bucket.RETRIES", retries)
    monkeypatch.setattr("coverslip.sources.bucket.ONCE_MORE", (0.0,))
    monkeypatch.setattr("coverslip.cleanup.existence_remote.PAUSES", (0.0, 0.05))
    store = store_of(server)
    gone = [f"{portal}/{SPACING}/Annotations/{number}/ribosome-{number}.json" for number in GONE]
    for key in gone:
        obstore.put(store, key, b'{"deposition_id": 10302}', use_multipart=False)
