"""The same promises where the catalog is PostgreSQL and the storage a bucket."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from coverslip.derive import OpenSource, run_builder
from coverslip.model.records import ImageRecord
from tests.derive.lab import KIND, Lab, Recipe, recipe_of_revision
from tests.services.postgres import postgres
from tests.services.s3 import serve_s3

pytestmark = pytest.mark.service


@pytest.fixture(scope="module")
def labs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Lab]]:
    """Return two views of one laboratory, as two machines have them."""
    with ExitStack() as stack:
        server = stack.enter_context(serve_s3())
        server.make_bucket("lab")
        environment = stack.enter_context(pytest.MonkeyPatch.context())
        for name, value in server.environment.items():
            environment.setenv(name, value)
        address = stack.enter_context(postgres())
        folder: Path = tmp_path_factory.mktemp("lab")
        views = [Lab.open(folder, address, "s3://lab/artifacts") for _ in range(2)]
        for lab in views:
            stack.enter_context(lab.catalog)
        yield views


def test_who_asks_at_once_on_two_machines_causes_one_build(labs: list[Lab]) -> None:
    image = labs[0].add("asked.tif")

    def work(record: ImageRecord, open_source: OpenSource) -> bytes:
        time.sleep(0.2)
        return recipe_of_revision(record, open_source)

    recipe = Recipe(work)
    builders = [lab.builder(recipe) for lab in labs]
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(builder.ensure, KIND, image, 20) for builder in builders * 4]
        etags = {future.result().etag for future in asked}
    assert recipe.builds == 1
    assert etags == {labs[0].artifact(image).etag}
    assert labs[1].content(image) == b"asked.tif revision 1"


def test_workers_on_two_machines_share_the_work(labs: list[Lab]) -> None:
    images = [labs[0].add(f"shared {number}.tif") for number in range(24)]
    built: Counter[str] = Counter()
    stop = threading.Event()

    def work(record: ImageRecord, open_source: OpenSource) -> bytes:
        built[record.id] += 1
        time.sleep(0.01)
        return recipe_of_revision(record, open_source)

    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(run_builder, lab.builder(Recipe(work)), 2, stop) for lab in labs]
        deadline = time.monotonic() + 30
        while not all(labs[0].is_fresh(image) for image in images) and time.monotonic() < deadline:
            time.sleep(0.05)
        stop.set()
        for future in running:
            future.result()
    assert built == Counter(images)
    assert all(labs[1].is_fresh(image) for image in images)


def test_an_object_removed_from_the_bucket_is_healed(labs: list[Lab]) -> None:
    image = labs[0].add("removed.tif")
    builder = labs[0].builder()
    record = builder.ensure(KIND, image, 20)
    assert record.key is not None
    labs[1].storage.delete(record.key)
    assert builder.read_artifact(KIND, image, 20)[1] == b"removed.tif revision 1"
    assert labs[1].storage.exists(record.key)
