"""What is purged, what is left and said when something refuses, and what is found after a kill."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from coverslip.catalog import Catalog
from coverslip.cleanup import collect, plan_gc, plan_purge, purge, sweep_uploads
from coverslip.cleanup.removing import MOST_FAILURES
from coverslip.derive import Builder, open_catalog
from coverslip.errors import StorageError
from coverslip.ingest import add, add_upload
from coverslip.storage import FolderStorage, put_content
from tests.files import write_tiff

GRACE_SECONDS = 24 * 3600.0


class Refusing(FolderStorage):
    """A folder that will not remove some of its objects."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.refused: set[str] = set()
        self.asked = 0

    def delete(self, key: str) -> None:
        self.asked += 1
        if key in self.refused:
            raise StorageError(f"cannot remove {key}: not today")
        super().delete(key)


@dataclass
class Library:
    """A catalog, a storage and an uploads folder."""

    folder: Path
    catalog: Catalog
    storage: Refusing
    ids: list[str] = field(default_factory=list)

    @property
    def uploads(self) -> Path:
        return self.folder / "uploads"

    @property
    def left(self) -> list[str]:
        """Names of everything in the uploads folder."""
        return sorted(path.name for path in self.uploads.rglob("*"))

    @property
    def keys(self) -> set[str]:
        return {item.key for item in self.storage.list()}

    def upload(self, number: int) -> str:
        """Upload an image, build its thumbnail and return the key of that."""
        path = write_tiff(self.uploads / f"upload-{number}" / f"{number}.tif", number)
        (record,) = add_upload(self.catalog, path)
        self.ids.append(record.id)
        return self.build(record.id)

    def build(self, image_id: str) -> str:
        outcome = Builder(self.catalog, self.storage, lease_seconds=30).build_next(image_id)
        assert outcome is not None
        assert outcome.state == "built"
        key = self.catalog.artifact("thumbnail", image_id).key
        assert key is not None
        return key

    def delete_all(self) -> None:
        for image_id in self.ids:
            self.catalog.delete_image(image_id)
        time.sleep(0.002)  # the plan takes what was deleted before this moment


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with open_catalog(f"sqlite:///{tmp_path / 'catalog.sqlite'}") as catalog:
        yield Library(tmp_path, catalog, Refusing(tmp_path / "artifacts"))


def purge_all(library: Library) -> tuple[int, tuple[str, ...]]:
    plan = plan_purge(library.catalog, older_than_days=0)
    removed = purge(library.catalog, library.storage, library.uploads, plan)
    return removed.files, removed.problems


def test_originals_and_artifacts_go_and_are_counted(library: Library) -> None:
    for number in range(3):
        library.upload(number)
    library.delete_all()
    assert purge_all(library) == (6, ())
    assert library.left == []
    assert library.keys == set()
    assert purge_all(library) == (0, ())


def test_one_that_refuses_does_not_keep_the_others(library: Library) -> None:
    keys = [library.upload(number) for number in range(3)]
    library.delete_all()
    library.storage.refused = {min(keys)}
    files, problems = purge_all(library)
    assert files == 5, "three originals and two artifacts: only what is gone"
    assert problems == (f"cannot remove {min(keys)}: not today",)
    assert library.left == []
    assert library.keys == {min(keys)}
    library.storage.refused = set()
    plan = plan_gc(library.catalog, library.storage, grace_seconds=0)
    assert collect(library.catalog, library.storage, plan).files == 1
    assert library.keys == set()


def test_a_storage_that_refuses_everything_is_not_asked_for_ever(library: Library) -> None:
    keys = [library.upload(number) for number in range(MOST_FAILURES + 5)]
    library.delete_all()
    library.storage.refused = set(keys)
    files, problems = purge_all(library)
    assert (files, len(problems), library.storage.asked) == (len(keys), MOST_FAILURES + 1, MOST_FAILURES)
    assert problems[-1].startswith("5 more artifacts were left")


def test_an_original_that_cannot_be_removed_is_said_and_tried_again(library: Library) -> None:
    library.upload(1)
    library.delete_all()
    stubborn = library.uploads / "upload-1" / "folder"
    stubborn.mkdir()
    files, problems = purge_all(library)
    assert files == 1
    assert len(problems) == 1
    assert str(stubborn.parent) in problems[0]
    assert "upload-1.pending" in library.left
    stubborn.rmdir()
    sweep_uploads(library.catalog, library.uploads)
    assert library.left == []


def test_an_original_elsewhere_is_left_and_said(library: Library, tmp_path: Path) -> None:
    library.upload(1)
    library.delete_all()
    plan = plan_purge(library.catalog, older_than_days=0)
    removed = purge(library.catalog, library.storage, tmp_path / "other", plan)
    assert removed.files == 1
    assert "does not lie in" in removed.problems[0]
    assert library.left == ["1.tif", "upload-1"]


def test_a_file_added_in_place_stays(library: Library, tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "mine" / "cells.tif")
    add([path], catalog=library.catalog, workers=1)
    (image,) = library.catalog.list_images().images
    library.ids.append(image.id)
    library.build(image.id)
    library.delete_all()
    assert purge_all(library) == (1, ())
    assert path.exists()


def test_artifacts_of_earlier_contents_are_swept_when_they_are_old_enough(library: Library, tmp_path: Path) -> None:
    keys = []
    for seed in (1, 2):
        path = write_tiff(tmp_path / "mine" / "cells.tif", seed)
        os.utime(path, (seed, seed))
        add([path], catalog=library.catalog, workers=1)
        (image,) = library.catalog.list_images().images
        keys.append(library.build(image.id))
    old, new = keys
    assert library.keys == {old, new}

    foreign = library.storage.root / "notes" / "mine.txt"
    foreign.parent.mkdir()
    foreign.write_text("of somebody else")
    assert planned(library) == [], "younger than the grace period"
    long_ago = time.time() - GRACE_SECONDS - 60
    for item in (old, new, "notes/mine.txt"):
        os.utime(library.storage.root / item, (long_ago, long_ago))
    put_content(library.storage, "thumbnail", b"being published", ".png")
    assert planned(library) == [old]
    plan = plan_gc(library.catalog, library.storage, grace_seconds=GRACE_SECONDS)
    assert collect(library.catalog, library.storage, plan).files == 1
    assert foreign.exists()
    assert library.storage.exists(new)


def planned(library: Library) -> list[str]:
    plan = plan_gc(library.catalog, library.storage, grace_seconds=GRACE_SECONDS)
    assert plan.unused == ()
    return [item.key for item in plan.superseded]


KILLED = """
import os, signal, sys
from pathlib import Path
from coverslip.cleanup import plan_purge, purge
from coverslip.derive import open_catalog
from coverslip.storage import FolderStorage

class Fatal(FolderStorage):
    def delete(self, key):
        os.kill(os.getpid(), signal.SIGKILL)

folder = Path(sys.argv[1])
with open_catalog(f"sqlite:///{folder / 'catalog.sqlite'}") as catalog:
    plan = plan_purge(catalog, older_than_days=0)
    purge(catalog, Fatal(folder / "artifacts"), folder / "uploads", plan)
"""


@pytest.mark.kill
def test_a_purge_killed_after_its_commit_is_finished_by_the_next(library: Library) -> None:
    keys = {library.upload(number) for number in range(3)}
    library.delete_all()
    killed = subprocess.run([sys.executable, "-c", KILLED, str(library.folder)], timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert plan_purge(library.catalog, older_than_days=0) == [], "its rows are gone: nothing else remembers"
    assert library.keys == keys
    assert sweep_uploads(library.catalog, library.uploads) == 3
    assert library.left == []
    unused = plan_gc(library.catalog, library.storage, grace_seconds=0).superseded
    assert {item.key for item in unused} == keys


def test_marks_of_a_purge_that_came_to_nothing_cost_no_original(library: Library) -> None:
    library.upload(1)
    (library.uploads / "upload-1.pending").write_text(f"{library.catalog.url}\n{library.uploads / 'upload-1'}")
    library.delete_all()
    assert sweep_uploads(library.catalog, library.uploads) == 0
    assert library.left == ["1.tif", "upload-1"]
    assert len(plan_purge(library.catalog, older_than_days=0)) == 1
