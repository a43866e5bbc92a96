"""``coverslip clean`` of a layout in a real bucket whose answers are refused, cut off, reordered or throttled."""

import shutil
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path

import obstore
import pytest
from obstore.store import S3Store

from coverslip.derive import open_catalog
from coverslip.ingest.importing import import_layout, open_layout
from coverslip.settings import Settings
from coverslip.sources import locate
from tests.cleanup.test_existence_s3 import (
    QUICK,
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
from tests.services.altering import Altering, Change, altering_proxy, without_continuation
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
OF_LONG_LISTINGS = {
    "pages do not say how to go on",
    "pages say that they are the last",
    "pages come in each other's place",
    "pages are backwards",
}
"""Of which a plan of three records sees nothing: each of its documents is asked for by itself."""
PASSING: dict[str, Callable[[], Change]] = {
    **{f"two listings answer {code}": partial(listings, partial(refused, code), last=2) for code in (500, 503)},
    "two pages are torn": lambda: listings(torn, last=2),
}


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with serve_bucket() as server:
        yield server


@pytest.fixture(scope="module")
def cataloged(server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """Return the prefix of a layout whose documents of three annotations are gone, and a catalog that has them."""
    top, prefix = tmp_path_factory.mktemp("portal"), uuid.uuid4().hex
    write_layout(top)
    for number in range(101, 121):
        write_annotation(top, number)
    found = {path.relative_to(top).as_posix(): path.read_bytes() for path in top.rglob("*") if path.is_file()}
    found |= dict.fromkeys(FRAMES, b"frame")
    store, kept = store_of(server), tmp_path_factory.mktemp("kept") / "catalog.sqlite"
    put = partial(obstore.put, store, use_multipart=False)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda one: put(f"{prefix}/{one[0]}", one[1]), found.items()))
    with pytest.MonkeyPatch.context() as patch, open_catalog(f"sqlite:///{kept}") as catalog:
        for name, value in server.environment.items():
            patch.setenv(name, value)
        import_layout(open_layout(locate(f"s3://{BUCKET}/{prefix}")), catalog)
    obstore.delete(store, [f"{prefix}/{SPACING}/Annotations/{number}/ribosome-{number}.json" for number in GONE])
    return prefix, kept


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
def proxy(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Altering]:
    """Return the proxy that commands ask; they wait as briefly as they may."""
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    retries = {"max_retries": 1, "retry_timeout": timedelta(seconds=5), "backoff": QUICK}
    monkeypatch.setattr("coverslip.sources.bucket.RETRIES", retries)
    monkeypatch.setattr("coverslip.sources.bucket.ONCE_MORE", (0.0,))
    monkeypatch.setattr("coverslip.cleanup.existence_remote.PAUSES", (0.0, 0.05))
    with altering_proxy(server.url) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        yield proxy


@pytest.fixture
def run(
    cataloged: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Here]:
    """Return what runs commands with a copy of the catalog."""
    (tmp_path / "home").mkdir()
    shutil.copyfile(cataloged[1], tmp_path / "home" / "catalog.sqlite")
    with commands(tmp_path, monkeypatch, capsys) as here:
        yield here


def left() -> set[int]:
    """Return the public numbers of all records."""
    with open_catalog(Settings.load().catalog_url) as catalog:
        return {one.id for one in catalog.entities()}


REMOVE = ("clean", "annotations", "--all", "--no-dry-run", "--yes")


@pytest.mark.parametrize("fault", UNSURE)
def test_nothing_is_removed_while_the_bucket_answers_so(
    run: Here, proxy: Altering, fault: str, record_property: Callable[[str, object], None]
) -> None:
    before = left()
    proxy.change = UNSURE[fault]()
    plan = run.json(*REMOVE, code=1)
    assert proxy.changed > 0
    assert (plan["state"], plan["removals"]) == ("open", [])
    assert plan["counts"]["unknown"] >= len(GONE)
    assert left() == before
    record_property("proof", f"{proxy.changed} answers changed, {plan['counts']['unknown']} rows unknown, 0 removed")
    proxy.change = None
    again = run.json(*REMOVE)
    assert len(again["removed"]) == len(GONE)
    assert before - left() == set(again["removed"])


@pytest.mark.parametrize("fault", sorted(UNSURE.keys() - OF_LONG_LISTINGS))
def test_a_plan_is_not_applied_while_the_bucket_answers_so(run: Here, proxy: Altering, fault: str) -> None:
    before = left()
    plan = run.json("clean", "annotations", "--all")
    assert plan["counts"]["found"] == len(GONE)
    proxy.change = UNSURE[fault]()
    said = run("clean", "annotations", "--plan", plan["id"], "--no-dry-run", "--yes", code=4)
    assert proxy.changed > 0
    assert "Nothing was removed: make a new plan" in said
    assert left() == before


@pytest.mark.parametrize("fault", PASSING)
def test_what_passes_does_not_hold_up_a_removal(run: Here, proxy: Altering, fault: str) -> None:
    before = left()
    proxy.change = PASSING[fault]()
    plan = run.json(*REMOVE)
    assert proxy.changed == 2
    assert before - left() == set(plan["removed"])
    assert len(plan["removed"]) == len(GONE)
