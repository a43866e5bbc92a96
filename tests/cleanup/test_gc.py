"""What a collection removes, leaves alone and says, in a folder and in a bucket."""

import logging
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from coverslip.cleanup import GcPlan, announce, collect, plan_gc, tend
from coverslip.cleanup.gc import CHORE, EVERY_SECONDS, LOOK_SECONDS, MARK_DAYS, keep_tending
from coverslip.derive import Builder, OpenSource
from coverslip.errors import NotFoundError, StorageError
from coverslip.model.records import Built, ImageRecord
from coverslip.settings import Settings
from coverslip.storage import FolderStorage, StoredObject, open_storage, put_content
from tests.derive.lab import KIND, Lab, Recipe
from tests.storage.conftest import bucket_url, s3_server

__all__ = ["bucket_url", "s3_server"]

SIZE = 1000
DAY = 24 * 3600.0


@pytest.fixture(params=["folder", pytest.param("bucket", marks=pytest.mark.service)])
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lab]:
    url = "" if request.param == "folder" else request.getfixturevalue("bucket_url")
    lab = Lab.open(tmp_path, storage_url=url)
    with lab.catalog:
        yield lab


def thousand_bytes(record: ImageRecord, _open_source: OpenSource) -> bytes:
    return repr((record.filename, record.revision)).encode().ljust(SIZE)


def built(lab: Lab, *names: str, kind: str = KIND) -> list[str]:
    """Catalog files, or changes of them, and build an artifact of each; return the identifiers."""
    ids = [lab.add(name, mtime_ns=time.time_ns()) for name in names]
    builder = make_builder(lab, kind)
    for image_id in ids:
        builder.ensure(kind, image_id, 30)
    return ids


def make_builder(lab: Lab, kind: str = KIND) -> Builder:
    kinds = {name: Recipe(thousand_bytes, name=name) for name in {KIND, kind}}
    return Builder(lab.catalog, lab.storage, lease_seconds=30, kinds=kinds)


def keys(lab: Lab) -> set[str]:
    return {item.key for item in lab.storage.list() if not item.key.startswith("catalogs/")}


def key_of(lab: Lab, image_id: str) -> str:
    key = lab.artifact(image_id).key
    assert key is not None
    return key


def plan(lab: Lab, limit_bytes: int = 0, grace_seconds: float = DAY) -> GcPlan:
    return plan_gc(lab.catalog, lab.storage, limit_bytes=limit_bytes, grace_seconds=grace_seconds)


def test_nothing_is_removed_without_reason(lab: Lab) -> None:
    built(lab, "a.tif", "b.tif")
    before = keys(lab)
    lab.clock.pass_seconds(10 * DAY)
    found = plan(lab)
    assert (found.superseded, found.unused, found.kept_bytes, found.over_bytes) == ((), (), 2 * SIZE, 0)
    assert collect(lab.catalog, lab.storage, found).files == 0
    assert keys(lab) == before


def test_superseded_ones_go_after_the_grace_period(lab: Lab) -> None:
    (image_id,) = built(lab, "a.tif")
    old = key_of(lab, image_id)
    built(lab, "a.tif")
    new = key_of(lab, image_id)
    assert keys(lab) == {old, new}
    assert plan(lab).superseded == ()
    lab.clock.pass_seconds(DAY + 60)
    found = plan(lab)
    assert [item.key for item in found.superseded] == [old]
    assert found.removed_bytes == SIZE
    removed = collect(lab.catalog, lab.storage, found)
    assert (removed.files, removed.bytes, removed.problems) == (1, SIZE, ())
    assert keys(lab) == {new}


def test_what_is_wanted_again_meanwhile_stays(lab: Lab) -> None:
    (image_id,) = built(lab, "a.tif")
    old = key_of(lab, image_id)
    built(lab, "a.tif")
    lab.clock.pass_seconds(DAY + 60)
    found = plan(lab)
    claim_back(lab, image_id, old)
    assert collect(lab.catalog, lab.storage, found).files == 0
    assert old in keys(lab)


def claim_back(lab: Lab, image_id: str, key: str) -> None:
    """Publish an earlier content again, as a builder does when a file is put back."""
    lab.catalog.mark(KIND, [image_id])
    (claim,) = lab.catalog.claim({KIND: 1}, lease_seconds=30, image_id=image_id)
    etag = key.rsplit("/", 1)[1][:32]
    assert lab.catalog.finish([(claim, Built(key=key, etag=etag, media_type="image/png", size=SIZE, version=1))])


def test_over_the_limit_those_not_used_for_longest_go(lab: Lab) -> None:
    ids = built(lab, "a.tif", "b.tif", "c.tif", "d.tif")
    by_id = {image_id: key_of(lab, image_id) for image_id in ids}
    for image_id in (ids[2], ids[0]):  # b and d were never used
        lab.clock.pass_seconds(2 * 3600)
        lab.catalog.note_uses([lab.artifact(image_id).id])
    lab.clock.pass_seconds(DAY + 60)
    found = plan(lab, limit_bytes=SIZE)
    assert {item.key for item in found.unused[:2]} == {by_id[ids[1]], by_id[ids[3]]}
    assert [item.key for item in found.unused[2:]] == [by_id[ids[2]]]
    assert (found.kept_bytes, found.over_bytes) == (SIZE, 0)
    assert collect(lab.catalog, lab.storage, found).bytes == 3 * SIZE
    assert keys(lab) == {by_id[ids[0]]}


def test_what_was_used_within_the_grace_period_stays_whatever_the_limit(lab: Lab) -> None:
    ids = built(lab, "a.tif", "b.tif")
    lab.clock.pass_seconds(2 * DAY)
    lab.catalog.note_uses([lab.artifact(ids[0]).id])
    found = plan(lab, limit_bytes=1)
    assert [item.key for item in found.unused] == [key_of(lab, ids[1])]
    assert found.over_bytes == SIZE - 1


def test_a_removed_artifact_is_built_again_when_asked_and_not_before(lab: Lab) -> None:
    (image_id,) = built(lab, "a.tif")
    data = lab.content(image_id)
    lab.clock.pass_seconds(DAY + 60)
    collect(lab.catalog, lab.storage, plan(lab, limit_bytes=1))
    assert keys(lab) == set()
    builder = make_builder(lab)
    assert builder.build_next() is None
    record, again = builder.read_artifact(KIND, image_id, 30)
    assert again == data
    assert keys(lab) == {record.key}


def test_what_not_every_image_has_is_wanted_no_more(lab: Lab) -> None:
    (image_id,) = built(lab, "a.tif", kind="mip")
    lab.catalog.artifact("mip", image_id)
    lab.clock.pass_seconds(DAY + 60)
    collect(lab.catalog, lab.storage, plan(lab, limit_bytes=1))
    with pytest.raises(NotFoundError, match="there is no mip"):
        lab.catalog.artifact("mip", image_id)
    record, _ = make_builder(lab, "mip").read_artifact("mip", image_id, 30)
    assert record.kind == "mip"


def test_a_storage_that_catalogs_share(lab: Lab, tmp_path: Path) -> None:
    other = Lab.open(tmp_path / "other", storage_url=lab.storage.url)
    with other.catalog:
        announce(lab.catalog, lab.storage)
        announce(other.catalog, other.storage)
        built(lab, "a.tif")
        built(other, "theirs.tif")
        both = keys(lab)
        lab.clock.pass_seconds(DAY + 60)
        found = plan(lab)
        assert found.superseded == (), "what this catalog does not know is the other's"
        assert found.other_catalogs == (other.catalog.chore_id(CHORE),)
        assert keys(lab) == both
        lab.clock.pass_seconds((MARK_DAYS + 1) * DAY)
        forgotten = plan(lab)
    assert forgotten.other_catalogs == ()
    assert len(forgotten.superseded) == 1


def test_one_process_at_a_time_and_not_too_often(lab: Lab, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    (image_id,) = built(lab, "a.tif")
    built(lab, "a.tif")
    lab.clock.pass_seconds(DAY + 60)
    token = lab.catalog.claim_chore(CHORE, every_seconds=EVERY_SECONDS, lease_seconds=60)
    assert token is not None
    assert tend(lab.catalog, lab.storage, settings) is None, "somebody is at it"
    lab.clock.pass_seconds(61)
    removed = tend(lab.catalog, lab.storage, settings)
    assert removed is not None
    assert removed.files == 1, "that one was killed"
    lab.catalog.finish_chore(CHORE, token)
    assert tend(lab.catalog, lab.storage, settings) is None, "done just now"
    lab.clock.pass_seconds(EVERY_SECONDS + 1)
    assert tend(lab.catalog, lab.storage, settings) is not None
    assert keys(lab) == {key_of(lab, image_id)}


def test_stopped_on_the_way_it_counts_as_not_done(lab: Lab, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    built(lab, "a.tif")
    built(lab, "a.tif")
    lab.clock.pass_seconds(DAY + 60)
    before = keys(lab)
    removed = tend(lab.catalog, lab.storage, settings, lambda: True)
    assert removed is not None
    assert removed.files == 0
    assert keys(lab) == before


def test_uses_are_written_once_an_hour(lab: Lab) -> None:
    (image_id,) = built(lab, "a.tif")
    artifact = lab.artifact(image_id)
    key = key_of(lab, image_id)
    assert lab.catalog.artifact_uses() == {key: None}
    start = lab.clock()
    lab.catalog.note_uses([artifact.id])
    first = lab.catalog.artifact_uses()[key]
    lab.clock.pass_seconds(1800)
    lab.catalog.note_uses([artifact.id])
    assert lab.catalog.artifact_uses()[key] == first
    lab.clock.pass_seconds(1801)
    lab.catalog.note_uses([artifact.id])
    later = lab.catalog.artifact_uses()[key]
    assert first is not None
    assert later is not None
    assert first >= start
    assert later - first >= timedelta(hours=1)


class Unlistable(FolderStorage):
    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        raise StorageError(f"cannot list {self.root}: not mounted")


def test_what_goes_wrong_is_logged_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Lab.open(tmp_path)
    stop = threading.Event()
    waited: list[float] = []

    def wait(seconds: float | None = None) -> bool:
        waited.append(seconds or 0.0)
        stop.set()
        return True

    monkeypatch.setattr(stop, "wait", wait)
    with lab.catalog, caplog.at_level(logging.WARNING, "coverslip"):
        keep_tending(lab.catalog, Unlistable(tmp_path / "artifacts"), Settings(home=tmp_path), stop)
    assert waited == [LOOK_SECONDS]
    assert "not mounted" in caplog.text


def test_half_a_listing_removes_nothing(tmp_path: Path) -> None:
    lab = Lab.open(tmp_path)
    with lab.catalog:
        put_content(lab.storage, KIND, b"loose", ".png")
        with pytest.raises(StorageError, match="not mounted"):
            plan_gc(lab.catalog, Unlistable(tmp_path / "artifacts"), grace_seconds=0)
    assert len(list(open_storage(str(tmp_path / "artifacts")).list(KIND))) == 1
