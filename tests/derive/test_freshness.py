"""No change is ever lost, and no work is done twice."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from coverslip.derive import Builder, OpenSource, run_builder
from coverslip.model.records import ImageRecord
from tests.derive.lab import KIND, LEASE, Lab, Recipe, recipe_of_revision


def slowly(record: ImageRecord, open_source: OpenSource) -> bytes:
    time.sleep(0.2)
    return recipe_of_revision(record, open_source)


def test_a_stale_artifact_is_built_once(lab: Lab) -> None:
    image = lab.add()
    builder = lab.builder()
    assert not lab.is_fresh(image)
    outcome = builder.build_next()
    assert outcome is not None
    assert (outcome.state, outcome.claim.image_id) == ("built", image)
    assert lab.is_fresh(image)
    assert lab.content(image) == b"cells.tif revision 1"
    assert builder.build_next() is None


def test_only_the_named_image_is_built(lab: Lab) -> None:
    first, second = lab.add("first.tif"), lab.add("second.tif")
    outcome = lab.builder().build_next(second)
    assert outcome is not None
    assert (lab.is_fresh(first), lab.is_fresh(second)) == (False, True)


def test_what_is_published_is_named_by_its_content(lab: Lab) -> None:
    image = lab.add()
    lab.builder().build_next()
    record = lab.artifact(image)
    assert record.key is not None
    assert record.etag is not None
    assert record.key == f"thumbnail/{record.etag[:2]}/{Path(record.key).name}"
    assert Path(record.key).name.startswith(record.etag)
    assert (record.media_type, record.size, record.version) == ("image/png", len(b"cells.tif revision 1"), 1)
    assert [item.key for item in lab.storage.list()] == [record.key]


def test_a_change_while_building_leaves_it_stale_and_is_built_next(lab: Lab) -> None:
    image = lab.add()
    reading, changed = threading.Event(), threading.Event()

    def work(record: ImageRecord, open_source: OpenSource) -> bytes:
        data = recipe_of_revision(record, open_source)
        reading.set()
        assert changed.wait(10)
        return data

    builder = lab.builder(recipe := Recipe(work))
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(builder.build_next)
        assert reading.wait(10)
        lab.add(mtime_ns=2)
        changed.set()
        outcome = first.result()
    assert outcome is not None
    assert outcome.state == "built"
    assert not lab.is_fresh(image)
    assert builder.build_next() is not None
    assert lab.is_fresh(image)
    assert lab.content(image) == b"cells.tif revision 2"
    assert recipe.builds == 2


def test_no_change_is_lost_among_writers_and_workers(lab: Lab) -> None:
    names = [f"{number}.tif" for number in range(3)]
    images = [lab.add(name) for name in names]
    changes, stop = 8, threading.Event()

    def work(record: ImageRecord, open_source: OpenSource) -> bytes:
        data = recipe_of_revision(record, open_source)
        time.sleep(0.005)  # long enough for changes to arrive meanwhile
        return data

    def write(name: str) -> None:
        for number in range(changes):
            lab.add(name, mtime_ns=2 + number)
            time.sleep(0.003)

    builder = lab.builder(Recipe(work))
    with ThreadPoolExecutor(4) as pool:
        running = pool.submit(run_builder, builder, 2, stop, None)
        for writer in [pool.submit(write, name) for name in names]:
            writer.result()
        stop.set()
        running.result()
    while builder.build_next() is not None:
        pass
    for name, image in zip(names, images, strict=True):
        assert lab.is_fresh(image)
        assert lab.content(image) == f"{name} revision {1 + changes}".encode()


def test_eight_who_ask_at_once_cause_one_build(lab: Lab) -> None:
    image = lab.add()
    builder = lab.builder(recipe := Recipe(slowly))
    together = threading.Barrier(8)

    def ask() -> str | None:
        together.wait(10)
        return builder.ensure(KIND, image, 20).etag

    with ThreadPoolExecutor(8) as pool:
        answers = {future.result() for future in [pool.submit(ask) for _ in range(8)]}
    assert recipe.builds == 1
    assert answers == {lab.artifact(image).etag}


def test_two_processes_and_a_worker_cause_one_build(lab: Lab) -> None:
    image = lab.add()
    recipe = Recipe(slowly)
    with Lab.open(lab.folder).catalog as catalog, ThreadPoolExecutor(5) as pool:
        other = Builder(catalog, lab.storage, lease_seconds=LEASE, kinds={KIND: recipe})
        builder = lab.builder(recipe)
        asked = [pool.submit(one.ensure, KIND, image, 20) for one in (builder, other) * 2]
        worker = pool.submit(builder.build_next)
        records = {future.result().etag for future in asked}
        worker.result()
    assert recipe.builds == 1
    assert records == {lab.artifact(image).etag}


def test_a_fresh_one_is_returned_without_work(lab: Lab) -> None:
    image = lab.add()
    builder = lab.builder(recipe := Recipe())
    assert builder.ensure(KIND, image, 20) == builder.ensure(KIND, image, 0)
    assert recipe.builds == 1


def test_ensure_does_not_return_what_is_outdated_already(lab: Lab) -> None:
    image = lab.add()

    def work(record: ImageRecord, open_source: OpenSource) -> bytes:
        if record.revision == 1:
            lab.add(mtime_ns=2)
        return recipe_of_revision(record, open_source)

    record = lab.builder(recipe := Recipe(work)).ensure(KIND, image, 20)
    assert record.is_fresh(1)
    assert lab.content(image) == b"cells.tif revision 2"
    assert recipe.builds == 2


def test_equal_output_is_not_written_again(lab: Lab) -> None:
    image = lab.add()
    builder = lab.builder(recipe := Recipe(lambda _record, _source: b"always the same"))
    first = builder.ensure(KIND, image, 20)
    before = lab.place_of(image).stat()
    lab.add(mtime_ns=2)
    again = builder.ensure(KIND, image, 20)
    after = lab.place_of(image).stat()
    assert recipe.builds == 2
    assert (again.key, again.etag) == (first.key, first.etag)
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)


def test_a_new_recipe_makes_older_artifacts_stale(lab: Lab) -> None:
    image = lab.add()
    lab.builder().build_next()
    assert lab.builder().build_next() is None
    newer = lab.builder(recipe := Recipe(lambda _record, _source: b"a better picture", version=2))
    assert newer.build_next() is not None
    assert newer.build_next() is None
    assert recipe.builds == 1
    assert lab.is_fresh(image, version=2)
    assert lab.content(image) == b"a better picture"


def test_a_worker_builds_what_it_is_woken_for_and_stops(lab: Lab) -> None:
    images = [lab.add(f"{number}.tif") for number in range(5)]
    stop, wake, late = threading.Event(), threading.Event(), threading.Event()

    def work(record: ImageRecord, open_source: OpenSource) -> bytes:
        if record.filename == "late.tif":
            late.set()
        return recipe_of_revision(record, open_source)

    builder = lab.builder(Recipe(work))
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run_builder, builder, 2, stop, wake)
        deadline = time.monotonic() + 10
        while not all(lab.is_fresh(image) for image in images) and time.monotonic() < deadline:
            time.sleep(0.01)
        images.append(lab.add("late.tif"))
        wake.set()
        assert late.wait(10)
        stop.set()
        running.result(10)
    assert all(lab.is_fresh(image) for image in images)
