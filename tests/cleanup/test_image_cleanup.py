"""Images whose files are gone: no valid one is ever removed, whatever answers are like; the others come back."""

import random
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import pytest

from coverslip.catalog import Catalog
from coverslip.cleanup import apply_plan, make_plan
from coverslip.cleanup.existence import Existence, look
from coverslip.cleanup.planning import excluding_others
from coverslip.errors import ConflictError
from coverslip.model.records import ImageRecord
from coverslip.model.removal import IMAGE, CleanupPlan, Scope
from coverslip.sources.address import Address
from tests.catalog.making import VERSIONS, add, item
from tests.cleanup.worlds import RULES, MemoryBucket, MemoryPath

CASES = 200
TOP = "s3://memory/library"
EVERYTHING = Scope(IMAGE, everything=True)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an empty catalog to copy."""
    path = tmp_path_factory.mktemp("empty") / "catalog.sqlite"
    Catalog.open(f"sqlite:///{path}", versions=VERSIONS).close()
    return path


@pytest.fixture
def new_catalog(empty: Path, tmp_path: Path) -> Iterator[Callable[[], Catalog]]:
    opened: list[Catalog] = []

    def make() -> Catalog:
        path = shutil.copy(empty, tmp_path / f"{len(opened)}.sqlite")
        opened.append(Catalog.open(f"sqlite:///{path}", versions=VERSIONS))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


@dataclass
class Library:
    """Files that the catalog knows, and the bucket in which some of them are."""

    chance: random.Random
    bucket: MemoryBucket
    known: list[str] = field(default_factory=list)
    """Keys below the top."""

    def look(
        self,
        layout: str,
        keys: Collection[str],
        prefixes: Collection[str],
        only_with: Mapping[str, str] = MappingProxyType({}),
    ) -> Existence:
        """Ask the bucket for what lies in a folder of it."""
        assert layout == TOP or layout.startswith(f"{TOP}/")
        path = "/library" + layout.removeprefix(TOP)
        top = MemoryPath(path, origin=Address("s3", "memory", "library"), rules=RULES).into(self.bucket)
        return look(top, keys, prefixes=prefixes, only_with=only_with)

    def there(self) -> set[str]:
        """Return the keys that are in the bucket."""
        return {key.removeprefix("library/") for key in self.bucket.objects()}

    def put(self, keys: Collection[str]) -> None:
        """Write objects."""
        self.bucket.put([f"library/{key}" for key in keys])


def make_library(chance: random.Random) -> Library:
    """Return a library of a few folders, of whose files some are missing."""
    library = Library(chance, MemoryBucket(chance))
    for number in range(chance.randint(1, 4)):
        folder = f"plate_{number}" if chance.random() < 0.7 else f"day/plate_{number}"
        library.known += [f"{folder}/{name}.tif" for name in range(chance.randint(1, 12))]
        if chance.random() < 0.3:
            library.put([f"{folder}/notes.txt"])
    missing = chance.choice((0.0, 0.1, 0.3, 0.9, 1.0))
    library.put([key for key in library.known if chance.random() >= missing])
    return library


def fill(catalog: Catalog, library: Library) -> dict[str, ImageRecord]:
    """Catalog all files of a library; return their images by key."""
    add(catalog, *(item(f"{TOP}/{key}") for key in library.known))
    return {one.path.removeprefix(f"{TOP}/"): one for one in catalog.list_images(limit=1000).images}


def removable(library: Library, images: Collection[str], *, above: bool) -> set[str]:
    """Return the keys that are certainly not there: something else lies in the place that is asked."""
    there = library.there()
    places = {key: "" if above else key.rpartition("/")[0] + "/" for key in images}
    return {key for key in images if key not in there and any(one.startswith(places[key]) for one in there)}


def apply(catalog: Catalog, plan: CleanupPlan, library: Library) -> set[str]:
    """Apply a plan, with everything in it reviewed; return the identifiers of the images that went."""
    try:
        done = apply_plan(catalog, plan.id, library.look, actor="ada", allow=len(plan.removals))
    except ConflictError:
        return set()
    return set(done.removed_images)


def test_no_valid_image_is_removed_and_all_others_are_when_answers_are_healthy(
    new_catalog: Callable[[], Catalog], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coverslip.sources.bucket.ONCE_MORE", ())
    monkeypatch.setattr("coverslip.cleanup.existence_remote.PAUSES", (0.0,))
    chance, removed, faults = random.Random(20261120), 0, 0
    for case in range(CASES):
        catalog, library = new_catalog(), make_library(chance)
        images = fill(catalog, library)
        above = case % 2 == 0
        library.bucket.rate = rate = chance.choice((0.0, 0.0, 0.05, 0.3))
        plan = make_plan(catalog, Scope(IMAGE, layout=TOP) if above else EVERYTHING, library.look, actor="ada")
        gone = apply(catalog, plan, library)
        went = {key for key, one in images.items() if one.id in gone}
        assert went <= set(images) - library.there(), f"case {case}: a valid image was removed"
        if rate == 0.0:
            assert went == removable(library, images, above=above), f"case {case}"
        shown = {one.path.removeprefix(f"{TOP}/") for one in catalog.list_images(limit=1000).images}
        assert shown == set(images) - went
        if gone:
            assert set(catalog.undo_plan(plan.id, actor="ada").restored_images) == gone
        assert {one.path.removeprefix(f"{TOP}/"): one for one in catalog.list_images(limit=1000).images} == images
        removed, faults = removed + len(gone), faults + library.bucket.faults
        catalog.close()
    assert removed > 300
    assert faults > 300
    with capsys.disabled():
        print(f"\n{CASES} libraries, {faults} faults, {removed} images removed and brought back, valid ones lost: 0")


def test_a_file_that_cannot_be_asked_for_is_unknown_and_stays(new_catalog: Callable[[], Catalog]) -> None:
    library = Library(random.Random(1), MemoryBucket(random.Random(1)), ["a/1.tif", "a/2.tif"])
    catalog = new_catalog()
    library.put(["a/1.tif"])
    fill(catalog, library)
    library.bucket.rate, library.bucket.kinds = 1.0, frozenset({"refused"})
    plan = make_plan(catalog, EVERYTHING, library.look, actor="ada")
    assert (plan.removals, plan.counts["unknown"]) == ((), 2)
    library.bucket.rate = 0.0
    plan = make_plan(catalog, EVERYTHING, library.look, actor="ada")
    assert [one.key for one in plan.removals] == ["2.tif"]
    library.bucket.rate = 1.0
    with pytest.raises(ConflictError, match="Nothing was removed: make a new plan"):
        apply_plan(catalog, plan.id, library.look, actor="ada", allow=1)
    assert catalog.list_images().total == 2


def test_two_cleanups_of_images_exclude_each_other(new_catalog: Callable[[], Catalog]) -> None:
    catalog = new_catalog()
    library = Library(random.Random(1), MemoryBucket(random.Random(1)), ["a/1.tif"])
    fill(catalog, library)
    with (
        excluding_others(catalog, ["images"]),
        pytest.raises(ConflictError, match="another cleanup of it is under way"),
    ):
        make_plan(catalog, EVERYTHING, library.look, actor="ada")
