"""A failure is a row: counted, retried later and later, never in the way of others."""

import time
from datetime import timedelta
from pathlib import Path

import pytest

from coverslip.derive import Builder, OpenSource, retry_delay
from coverslip.errors import BuildError, NotFoundError, ReadError, StorageError
from coverslip.model.records import ImageRecord
from tests.derive.lab import KIND, LEASE, Lab, Recipe


class Failing(Recipe):
    """Fails with one error after the other, then succeeds."""

    def __init__(self, *errors: Exception) -> None:
        waiting = list(errors)

        def work(_record: ImageRecord, _open_source: OpenSource) -> bytes:
            if waiting:
                raise waiting.pop(0)
            return b"at last"

        super().__init__(work)


def test_the_pause_doubles_up_to_an_hour() -> None:
    assert [retry_delay(attempts) for attempts in (0, 1, 2, 3, 9, 10)] == [5, 10, 20, 40, 2560, 3600]
    assert retry_delay(100_000) == 3600


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ReadError("cells.tif: truncated after 12 of 90 planes"), "cells.tif: truncated after 12 of 90 planes"),
        (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero"),
        (MemoryError(), "MemoryError"),
        (StorageError("cannot write x: No space left on device"), "cannot write x: No space left on device"),
    ],
)
def test_a_failure_is_written_down(lab: Lab, error: Exception, words: str) -> None:
    image = lab.add()
    builder = lab.builder(Failing(error))
    before = lab.clock()
    outcome = builder.build_next()
    assert outcome is not None
    assert (outcome.state, outcome.error) == ("failed", words)
    record = lab.artifact(image)
    assert (record.error, record.attempts, record.key, record.lease_until) == (words, 1, None, None)
    assert record.next_try_at is not None
    assert timedelta(seconds=4) < record.next_try_at - before < timedelta(seconds=7)
    assert builder.build_next() is None


def test_each_failure_doubles_the_pause_and_a_change_forgets_them(lab: Lab) -> None:
    image = lab.add()
    builder = lab.builder(recipe := Failing(*(ReadError(f"attempt {number}") for number in range(4))))
    for number, pause in enumerate((5, 10, 20)):
        assert builder.build_next() is not None
        record = lab.artifact(image)
        assert (record.error, record.attempts) == (f"attempt {number}", number + 1)
        lab.clock.pass_seconds(pause - 1)
        assert builder.build_next() is None
        lab.clock.pass_seconds(1)
    assert builder.build_next() is not None
    assert recipe.builds == 4
    lab.add(mtime_ns=2)
    assert (lab.artifact(image).attempts, lab.artifact(image).next_try_at) == (0, None)
    assert builder.build_next() is not None
    assert lab.content(image) == b"at last"
    assert (lab.artifact(image).error, lab.artifact(image).attempts) == (None, 0)


def test_who_asks_gets_the_reason_and_a_new_attempt_every_two_seconds(lab: Lab) -> None:
    image = lab.add()
    builder = lab.builder(recipe := Failing(ReadError("cells.tif: truncated"), ReadError("cells.tif: truncated still")))
    with pytest.raises(BuildError, match=r"cells\.tif: truncated") as first:
        builder.ensure(KIND, image, 20)
    assert isinstance(first.value.__cause__, ReadError)
    assert not first.value.retryable
    with pytest.raises(BuildError, match=r"cells\.tif: truncated"):
        builder.ensure(KIND, image, 20)
    assert recipe.builds == 1
    lab.clock.pass_seconds(2)
    with pytest.raises(BuildError, match=r"cells\.tif: truncated still"):
        builder.ensure(KIND, image, 20)
    with pytest.raises(BuildError, match=r"cells\.tif: truncated still"):
        builder.ensure(KIND, image, 20)
    assert recipe.builds == 2
    lab.clock.pass_seconds(2)
    assert builder.ensure(KIND, image, 20).is_fresh(1)
    assert recipe.builds == 3


def test_a_failure_on_an_outdated_source_says_nothing_of_the_present_one(lab: Lab) -> None:
    image = lab.add()

    def work(record: ImageRecord, _open_source: OpenSource) -> bytes:
        if record.revision == 1:
            lab.add(mtime_ns=2)
            raise ReadError("cells.tif: half old, half new")
        return b"all new"

    assert lab.builder(recipe := Recipe(work)).ensure(KIND, image, 20).is_fresh(1)
    assert recipe.builds == 2
    assert lab.content(image) == b"all new"


def test_trouble_that_is_not_the_files_may_pass(lab: Lab) -> None:
    image = lab.add()
    with pytest.raises(BuildError, match="No space left") as caught:
        lab.builder(Failing(StorageError("No space left on device"))).ensure(KIND, image, 20)
    assert caught.value.retryable


def test_who_asks_again_at_once_hears_the_same_of_trouble_that_may_pass(lab: Lab) -> None:
    image = lab.add()
    builder = lab.builder(recipe := Failing(StorageError("the disk is full"), ReadError("cells.tif: truncated")))
    for _ in range(2):
        with pytest.raises(BuildError, match="the disk is full") as caught:
            builder.ensure(KIND, image, 20)
        assert caught.value.retryable
    lab.clock.pass_seconds(2)
    for _ in range(2):
        with pytest.raises(BuildError, match="truncated") as caught:
            builder.ensure(KIND, image, 20)
        assert not caught.value.retryable
    assert recipe.builds == 2


def test_after_a_long_trouble_of_the_storage_nobody_waits_for_an_hour(lab: Lab) -> None:
    image = lab.add()
    builder = lab.builder(recipe := Failing(*(StorageError("the disk is full") for _ in range(9))))
    for pause in (5, 10, 20, 40, 80, 160, 300, 300):
        assert builder.build_next() is not None
        lab.clock.pass_seconds(pause - 1)
        assert builder.build_next() is None
        lab.clock.pass_seconds(1)
    assert builder.build_next() is not None
    for _ in range(2):
        with pytest.raises(BuildError, match="the disk is full"):
            builder.ensure(KIND, image, 20)
    assert recipe.builds == 9
    lab.clock.pass_seconds(300)
    assert builder.build_next() is not None
    assert lab.is_fresh(image)


def test_a_failing_artifact_is_not_in_the_way_of_others(lab: Lab) -> None:
    bad, good = lab.add("bad.tif"), lab.add("good.tif")

    def work(record: ImageRecord, _open_source: OpenSource) -> bytes:
        if record.filename == "bad.tif":
            raise ReadError("bad.tif: damaged")
        return b"fine"

    builder = lab.builder(recipe := Recipe(work))
    while builder.build_next() is not None:
        pass
    assert recipe.builds == 2
    assert (lab.artifact(bad).error, lab.is_fresh(good)) == ("bad.tif: damaged", True)


def test_a_file_that_is_gone_is_said_so(lab: Lab) -> None:
    image = lab.add("gone.tif")
    with pytest.raises(BuildError, match=r"gone\.tif: the file is gone.*coverslip add"):
        Builder(lab.catalog, lab.storage, lease_seconds=LEASE).ensure(KIND, image, 20)
    error = lab.artifact(image).error
    assert error is not None
    assert str(lab.folder / "gone.tif") in error


def test_an_image_without_its_file_is_refused_at_once(lab: Lab) -> None:
    image = lab.add()
    lab.catalog.mark_missing([str(lab.folder / "cells.tif")])
    builder = lab.builder(recipe := Recipe())
    started = time.monotonic()
    with pytest.raises(BuildError, match=r"cells\.tif: the file is missing since .* UTC") as caught:
        builder.ensure(KIND, image, 20)
    assert not caught.value.retryable
    assert time.monotonic() - started < 5
    assert builder.build_next() is None
    assert recipe.builds == 0


def test_a_deleted_image_is_not_built(lab: Lab) -> None:
    image = lab.add()
    lab.catalog.delete_image(image)
    builder = lab.builder(recipe := Recipe())
    assert builder.build_next() is None
    with pytest.raises(NotFoundError):
        builder.ensure(KIND, image, 20)
    assert recipe.builds == 0


def test_an_image_deleted_while_building_is_no_failure(lab: Lab) -> None:
    image = lab.add()

    def work(_record: ImageRecord, _open_source: OpenSource) -> bytes:
        lab.catalog.delete_image(image)
        return b"nobody looks"

    assert lab.builder(Recipe(work)).build_next() is not None
    lab.catalog.restore_image(image)
    assert lab.artifact(image).attempts == 0
    assert lab.builder().ensure(KIND, image, 20).is_fresh(1)


def test_what_does_not_exist_is_not_found(lab: Lab) -> None:
    builder = lab.builder()
    image = lab.add()
    for kind, image_id in (("portrait", image), (KIND, "00000000-0000-4000-8000-000000000000"), (KIND, "nonsense")):
        with pytest.raises(NotFoundError):
            builder.ensure(kind, image_id, 1)
        with pytest.raises(NotFoundError):
            builder.read_artifact(kind, image_id, 1)


def test_a_storage_that_cannot_be_written_is_written_down(lab: Lab, tmp_path: Path) -> None:
    image = lab.add()
    (tmp_path / "artifacts" / KIND).write_bytes(b"in the way")
    outcome = lab.builder().build_next()
    assert outcome is not None
    assert outcome.state == "failed"
    assert "cannot" in str(lab.artifact(image).error)
    assert list(tmp_path.rglob(".tmp-*")) == []
