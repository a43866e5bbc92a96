"""``coverslip clean images`` of files in a real bucket whose answers are refused or cut off."""

import io
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import obstore
import pytest
import tifffile

from tests.cleanup.test_existence_s3 import QUICK, cut, everything, listings, refused, reset
from tests.cli.here import Here, commands
from tests.cli.test_clean_images import names, plan_of, shown
from tests.cli.test_clean_s3 import store_of
from tests.services.altering import Altering, Change, altering_proxy
from tests.services.s3 import S3Server
from tests.sources.bucket import BUCKET, serve_bucket

pytestmark = pytest.mark.service

UNSURE: dict[str, Callable[[], Change]] = {
    **{f"everything answers {code}": partial(everything, partial(refused, code)) for code in (403, 500, 503)},
    "listings are refused": partial(listings, partial(refused, 403)),
    "pages are cut off": lambda: listings(cut),
    "connections are reset": lambda: everything(reset),
}


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with serve_bucket() as server:
        yield server


@pytest.fixture
def library(server: S3Server) -> str:
    """Return the prefix of twelve images in two folders."""
    prefix, file = uuid.uuid4().hex, io.BytesIO()
    tifffile.imwrite(file, np.zeros((4, 5), np.uint8))
    for key in [f"a/{number}.tif" for number in range(10)] + ["b/x.tif", "b/y.tif"]:
        obstore.put(store_of(server), f"{prefix}/{key}", file.getvalue(), use_multipart=False)
    return prefix


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
    proxy: Altering, library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Here]:
    """Return what runs commands with a home of their own, where the library was added."""
    with commands(tmp_path, monkeypatch, capsys) as here:
        here("add", f"s3://{BUCKET}/{library}")
        yield here


def test_images_that_left_a_bucket_are_removed_and_brought_back(run: Here, library: str, server: S3Server) -> None:
    obstore.delete(store_of(server), [f"{library}/a/3.tif", f"{library}/b/x.tif"])
    plan = plan_of(run, "--all", "--no-dry-run", "--yes")
    assert names(plan) == [f"s3://{BUCKET}/{library}/{key}" for key in ("a/3.tif", "b/x.tif")]
    assert len(shown(run)) == 10
    assert run("undo", plan["id"]) == "2 images brought back.\n"
    assert len(shown(run)) == 12


@pytest.mark.parametrize("wrong", UNSURE)
def test_answers_that_are_not_sure_remove_no_image(
    run: Here, library: str, server: S3Server, proxy: Altering, wrong: str
) -> None:
    obstore.delete(store_of(server), [f"{library}/a/3.tif"])
    certain = plan_of(run, "--all")
    assert names(certain) == [f"s3://{BUCKET}/{library}/a/3.tif"]
    proxy.change = UNSURE[wrong]()
    found: dict[str, Any] = plan_of(run, "--all", "--no-dry-run", "--yes", code=1)
    assert (found["removals"], found["state"]) == ([], "open")
    assert found["counts"]["unknown"] > 0
    said = run("clean", "images", "--plan", certain["id"], "--no-dry-run", "--yes", code=4)
    assert "Nothing was removed: make a new plan" in said
    assert len(shown(run)) == 12
