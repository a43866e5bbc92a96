"""Many at the same time: threads, processes, and processes that are killed."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, event

from coverslip.catalog import Catalog
from tests.catalog.making import LEASE, READ_BY, VERSIONS, add, add_one, built, images, is_fresh, item
from tests.catalog.processes import outputs, processes

CLAIM_ALL = """
from coverslip.model.records import Built
with Catalog.open(sys.argv[1], versions=dict(thumbnail=1)) as catalog:
    while claims := catalog.claim({"thumbnail": 1}, lease_seconds=60, limit=3):
        for claim in claims:
            assert catalog.heartbeat(claim, 60)
            assert catalog.finish([(claim, Built(f"key/{claim.image_id}", "etag", "image/png", 1, 1))])
            print(claim.image_id)
"""


@pytest.mark.parametrize("limit", [1, 4])
def test_threads_never_get_the_same_artifact_and_lose_none(catalog: Catalog, limit: int) -> None:
    add(catalog, *(item(f"/{number}.tif") for number in range(60)))
    start = threading.Barrier(4)

    def work() -> list[str]:
        start.wait()
        got: list[str] = []
        while claims := catalog.claim(VERSIONS, lease_seconds=LEASE, limit=limit):
            got += [claimed.artifact_id for claimed in claims]
        return got

    with ThreadPoolExecutor(4) as pool:
        got = [artifact for work_done in [pool.submit(work) for _ in range(4)] for artifact in work_done.result()]
    assert len(got) == len(set(got)) == 60


def test_processes_never_build_the_same_artifact_and_lose_none(url: str) -> None:
    with Catalog.open(url, versions=VERSIONS) as catalog:
        add(catalog, *(item(f"/{number}.tif") for number in range(200)))
        printed = outputs(CLAIM_ALL, *[[url]] * 4)
        done = [image_id for lines in printed for image_id in lines.split()]
        assert len(done) == len(set(done)) == 200
        assert catalog.counts(VERSIONS).artifacts_fresh == 200


def test_files_cataloged_by_several_at_once_are_there_once(catalog: Catalog) -> None:
    batch = [item(f"/{number}.lif", "one", "two") for number in range(20)]
    start = threading.Barrier(4)

    def work(seed: int) -> None:
        mine = random.Random(seed).sample(batch, len(batch))
        start.wait()
        catalog.sync_files(mine, READ_BY)

    with ThreadPoolExecutor(4) as pool:
        for running in [pool.submit(work, seed) for seed in range(4)]:
            running.result()
    page = catalog.list_images()
    assert (page.total, {image.revision for image in page.images}) == (40, {4})
    added = [event.image_id for event in catalog.events_after(0) if event.type == "image.added"]
    assert sorted(added) == sorted(image.id for image in page.images)


def test_no_change_is_lost_while_others_build(catalog: Catalog) -> None:
    """Writers change sources while workers build: in the end every artifact shows the last source."""
    paths = [f"/{number}.tif" for number in range(4)]
    add(catalog, *map(item, paths))
    ids = {images(catalog, path)[0].id: path for path in paths}
    sources = dict.fromkeys(ids, 0)
    changing = threading.Lock()
    writing = threading.Event()
    writing.set()

    def write(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(15):
            image_id = chance.choice(sorted(ids))
            with changing:
                sources[image_id] += 1  # the source changes first, then the mark is set
            catalog.mark("thumbnail", [image_id])
            time.sleep(chance.random() * 0.01)

    def work(seed: int) -> None:
        chance = random.Random(seed)
        while True:
            is_last_round = not writing.is_set()
            claims = catalog.claim(VERSIONS, lease_seconds=LEASE)
            for claimed in claims:
                source = sources[claimed.image_id]
                time.sleep(chance.random() * 0.01)
                assert catalog.finish([(claimed, built(f"{claimed.image_id}/{source}"))])
            if is_last_round and not claims:
                return

    with ThreadPoolExecutor(6) as pool:
        workers = [pool.submit(work, seed) for seed in range(3)]
        for writer in [pool.submit(write, seed) for seed in range(3)]:
            writer.result()
        writing.clear()
        for worker in workers:
            worker.result()

    assert sum(sources.values()) == 45
    for image_id in ids:
        assert is_fresh(catalog, image_id)
        assert catalog.artifact("thumbnail", image_id).key == f"{image_id}/{sources[image_id]}"


class Crowd:
    """What different people do to the same few images."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.paths = [f"/{number}.lif" for number in range(6)]
        self.sync_all(self.paths)
        self.ids = [image.id for image in catalog.list_images().images]

    def sync_all(self, paths: list[str]) -> None:
        self.catalog.sync_files([item(path, "one", "two") for path in paths], READ_BY)

    def sync(self, chance: random.Random) -> None:
        self.sync_all(chance.sample(self.paths, 4))

    def come_and_go(self, chance: random.Random) -> None:
        some = chance.sample(self.paths, 3)
        self.catalog.mark_missing(some)
        self.catalog.mark_found(some[::-1])

    def mark(self, chance: random.Random) -> None:
        self.catalog.mark("thumbnail", chance.sample(self.ids, 8))

    def build(self, _: random.Random) -> None:
        for claimed in self.catalog.claim(VERSIONS, lease_seconds=LEASE, limit=3):
            self.catalog.finish([(claimed, built())])  # False where the image was purged meanwhile

    def delete_and_restore(self, chance: random.Random) -> None:
        image_id = chance.choice(self.ids)
        self.catalog.delete_image(image_id)
        self.catalog.purge_images([image_id])
        self.catalog.restore_image(image_id)

    def read(self, _: random.Random) -> None:
        self.catalog.list_images(q="one")
        self.catalog.counts(VERSIONS)


def test_everything_at_once_neither_deadlocks_nor_breaks(catalog: Catalog) -> None:
    crowd = Crowd(catalog)

    def repeat(action: Callable[[random.Random], None], seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(12):
            action(chance)

    actions = [crowd.sync, crowd.sync, crowd.come_and_go, crowd.mark, crowd.mark, crowd.build, crowd.build]
    actions += [crowd.delete_and_restore, crowd.read]
    with ThreadPoolExecutor(len(actions)) as pool:
        for running in [pool.submit(repeat, action, seed) for seed, action in enumerate(actions)]:
            running.result()

    assert sorted(image.id for image in catalog.list_images().images) == sorted(crowd.ids)
    assert [e.seq for e in catalog.events_after(0, 9999)] == list(range(1, catalog.last_event() + 1))
    assert catalog.counts(VERSIONS).artifacts_fresh + catalog.counts(VERSIONS).artifacts_stale == len(crowd.ids)


@contextmanager
def counted_statements() -> Iterator[Counter[str]]:
    """Count the statements sent to any database, by their first word; one for many rows is one."""
    counted: Counter[str] = Counter()

    def count(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        counted[statement.split(maxsplit=1)[0]] += 1

    event.listen(Engine, "before_cursor_execute", count)
    try:
        yield counted
    finally:
        event.remove(Engine, "before_cursor_execute", count)


def test_a_batch_is_a_handful_of_statements(catalog: Catalog) -> None:
    batch = [item(f"/{number}.tif") for number in range(900)]
    for _ in ("new", "changed"):
        with counted_statements() as counted:
            catalog.sync_files(batch, READ_BY)
        del counted["PRAGMA"], counted["BEGIN"]
        assert counted.total() <= 12, counted
    with counted_statements() as counted:
        catalog.mark_missing([file.seen.path for file in batch])
    del counted["PRAGMA"], counted["BEGIN"]
    assert counted.total() <= 8, counted


WRITE_BATCHES = """
from coverslip.model import ImageMetadata
from coverslip.model.records import Built, SeenFile, SyncItem
def item(path):
    pages = tuple(ImageMetadata(name=n, file_format="TIFF", size_y=1, size_x=1, dtype="uint8") for n in "ab")
    return SyncItem(SeenFile(path, 1, 1), "ok", None, pages)
with Catalog.open(sys.argv[1], versions=dict(thumbnail=1)) as catalog:
    for batch in range(10000):
        catalog.sync_files([item(f"/{sys.argv[2]}/{batch}/{number}.tif") for number in range(10)], "1")
        for claim in catalog.claim({"thumbnail": 1}, lease_seconds=1, limit=5):
            catalog.finish([(claim, Built("key", "etag", "image/png", 1, 1))])
"""


@pytest.mark.kill
@pytest.mark.parametrize("seconds", [0.02, 0.2, 1.0])
def test_a_killed_process_leaves_whole_batches(place: str, seconds: float) -> None:
    with processes(WRITE_BATCHES, [place, "one"], [place, "two"]) as started:
        time.sleep(seconds)
        for process in started:
            process.kill()
    with Catalog.open(place, versions=VERSIONS) as catalog:
        catalog.check()
        add_one(catalog, "/after.tif")
        files = catalog.assets_under("/")
        page = catalog.list_images(limit=1_000_000)
        assert len(files) % 10 == 1
        assert page.total == len(page.images) == 2 * (len(files) - 1) + 1
        added = [event for event in catalog.events_after(0, limit=1_000_000) if event.type == "image.added"]
        assert len(added) == len({event.image_id for event in added}) == page.total
        counts = catalog.counts(VERSIONS)
        assert counts.artifacts_fresh + counts.artifacts_stale == page.total
